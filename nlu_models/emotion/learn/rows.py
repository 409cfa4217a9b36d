"""Reads corrections from a file: JSONL or CSV with a text and its right labels; errors name the line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlu_models.emotion.suggest import pick
from nlu_models.emotion.tables import SEPARATORS
from nlu_models.errors import DataError, InputError

MAX_TEXT_CHARS = 10_000
MAX_NOTE_CHARS = 2_000
MAX_FILE_BYTES = 100_000_000
MOST_ERRORS = 5  # that are told at once
UNDECIDED = ("proposed", "rejected")  # statuses in which no agent stands by a correction
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Row:
    """A text with its right labels.

    Attributes:
        text: that was read.
        labels: the right ones.
        line: of the file.
        turn_id: the turn that the text is from, or None.
        note: or None.
    """

    text: str
    labels: tuple[str, ...]
    line: int
    turn_id: int | None = None
    note: str | None = None


def read_rows(path: Path, known: Sequence[str]) -> tuple[list[Row], int]:
    """The rows of a file that say something, and how many were left out.

    Left out are rows without labels yet, and those whose `status` says that no agent stands by them.

    Args:
        path: a .jsonl or .csv file with `text` and `labels` (a list, or names separated by , ; or |), and
            perhaps `turn_id`, `note` and `status`. More fields do no harm, so that what `propose` writes can
            be filled in and read again, and what `list --json` prints be read as it is.
        known: the labels there are.

    Raises:
        DataError: the file or some rows can't be used; the first few are named with their lines.
    """
    rows: list[Row] = []
    errors: list[str] = []
    left = 0
    for line, fields in _records(path):
        try:
            row = None if isinstance(fields, str) else _row(line, fields, known)
            if isinstance(fields, str):
                raise InputError(fields)
        except InputError as error:
            errors.append(f"{path}:{line}: {error}")
            if len(errors) == MOST_ERRORS:
                errors.append("and perhaps more")
                break
            continue
        if row is None:
            left += 1
        else:
            rows.append(row)
    if errors:
        raise DataError("; ".join(errors) + "; nothing was taken over")
    if not rows and not left:
        raise DataError(f"{path} holds no rows")
    return rows, left


def checked_text(text: Any) -> str:
    """The text, fit to learn from.

    Raises:
        InputError: it is no text, empty, too long or binary.
    """
    if not isinstance(text, str):
        raise InputError(f"the text is {type(text).__name__}, expected a text")
    if not text.strip():
        raise InputError("the text is empty")
    if len(text) > MAX_TEXT_CHARS:
        raise InputError(
            f"the text has {len(text):,} characters, at most {MAX_TEXT_CHARS:,} can be learnt from"
        )
    if found := _CONTROL.search(text):
        raise InputError(f"the text is binary (character {ord(found[0])} at {found.start()})")
    return text


def checked_labels(names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The labels by their proper names, each once.

    Raises:
        InputError: there are none, or one is unknown; close names are suggested.
    """
    labels = dict.fromkeys(pick(name, known, "label") for name in names if name.strip())
    if not labels:
        raise InputError("there are no labels; neutral is one")
    return tuple(labels)


def _row(line: int, fields: dict[str, Any], known: Sequence[str]) -> Row | None:
    """The row, or None where nobody has filled in labels yet or no agent stands by them."""
    if "text" not in fields or "labels" not in fields:
        missing = "text" if "text" not in fields else "labels"
        raise InputError(f"there is no {missing!r}; it has {', '.join(map(str, fields)) or 'nothing'}")
    given = fields["labels"]
    names = SEPARATORS.split(given) if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"labels is {json.dumps(given)[:60]}, expected a list of names")
    text = checked_text(fields["text"])
    if not any(name.strip() for name in names) or fields.get("status") in UNDECIDED:
        return None
    turn_id, note = fields.get("turn_id"), fields.get("note")
    if turn_id in ("", None):
        turn_id = None
    elif isinstance(turn_id, bool) or not re.fullmatch(r"[1-9]\d{0,17}", str(turn_id)):
        raise InputError(f"turn_id is {turn_id!r:.40}, expected the number of a turn")
    if note is not None and (not isinstance(note, str) or len(note) > MAX_NOTE_CHARS):
        raise InputError(f"note is no text of at most {MAX_NOTE_CHARS:,} characters")
    return Row(
        text, checked_labels(names, known), line, None if turn_id is None else int(turn_id), note or None
    )


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """The fields of each row with its line; a text instead of fields says what is wrong with it."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise DataError(f"{path} has more than {MAX_FILE_BYTES:,} bytes; split it")
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}") from error
    if b"\0" in raw[:4096]:
        raise DataError(f"{path} is binary or UTF-16; expected UTF-8 text")
    if path.suffix.lower() == ".csv":
        yield from _csv_records(path, raw)
        return
    for line, part in enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not part.strip():
            continue
        try:
            fields = json.loads(part.decode("utf-8"))
        except UnicodeDecodeError as error:
            yield line, f"not UTF-8 at byte {error.start}"
        except (ValueError, RecursionError) as error:
            yield line, f"not JSON: {error}"
        else:
            is_object = isinstance(fields, dict)
            yield line, fields if is_object else f"expected an object, found {type(fields).__name__}"


def _csv_records(path: Path, raw: bytes) -> Iterator[tuple[int, dict[str, Any] | str]]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 at byte {error.start}") from error
    csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_TEXT_CHARS))
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="more cells than the header", strict=True)
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, f"not CSV: {error}"
            continue
        if reader.restkey in fields:
            yield reader.line_num, f"has {reader.restkey}"
        else:
            yield reader.line_num, fields
