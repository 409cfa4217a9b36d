"""Reads a user's own labelled texts: CSV, TSV or JSONL, or plain lines; every error names file and line.

A table has a column `text` and a column `labels` (names separated by `,`, `;` or `|`) or `label` (one
name). JSONL has the same names as fields; there `labels` may be a list.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlu_models.errors import DataError

SEPARATORS = re.compile(r"[,;|]")
JSON_LINES = (".jsonl", ".ndjson")
TABLES = (".csv", ".tsv", *JSON_LINES)
DELIMITERS = {".csv": ",", ".tsv": "\t"}
MAX_TEXT_CHARS = 100_000
MAX_LABELS = 1000


@dataclass(frozen=True)
class NamedRow:
    """A text with the names of its labels, and the line it ends on."""

    text: str
    labels: tuple[str, ...]
    line: int


def read_table(path: Path) -> list[NamedRow]:
    """The rows of a labelled CSV, TSV or JSONL.

    Raises:
        DataError: the file is missing, empty, not UTF-8, or a row is malformed.
    """
    rows = []
    for line, fields in _records(path):
        text = fields.get("text")
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{path}:{line}: expected a text in the column 'text', found {text!r:.60}")
        if len(text) > MAX_TEXT_CHARS:
            raise DataError(
                f"{path}:{line}: a text of {len(text):,} characters, expected at most {MAX_TEXT_CHARS:,}; "
                "is a quotation mark missing?"
            )
        rows.append(NamedRow(text, _names(path, line, fields), line))
    if not rows:
        raise DataError(f"{path} holds no rows")
    return rows


def read_lines(path: Path) -> list[str]:
    """Texts without labels: the column `text` of a table, or one text a line of any other file.

    Raises:
        DataError: the file is missing, empty or not UTF-8.
    """
    if path.suffix.lower() in TABLES:
        texts = []
        for number, fields in _records(path):
            text = fields.get("text") or ""
            if not isinstance(text, str):
                raise DataError(f"{path}:{number}: the text is {str(text)[:40]!r}, expected a string")
            texts.append(text)
    else:
        texts = read_text(path).splitlines()
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise DataError(f"{path} holds no texts")
    return texts


def read_labels(path: Path) -> tuple[str, ...]:
    """The label names of a file with one on each line, in its order.

    Raises:
        DataError: the file is missing or empty, or a name comes twice.
    """
    labels: list[str] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        name = line.strip()
        if name in labels:
            raise DataError(f"{path}:{number}: the label {name!r} comes twice")
        if SEPARATORS.search(name):
            raise DataError(f"{path}:{number}: the label {name!r} holds a separator (, ; or |)")
        if name:
            labels.append(name)
    if not labels:
        raise DataError(f"{path} names no labels; expected one on each line")
    return tuple(labels)


def infer_labels(rows: Iterable[NamedRow]) -> tuple[str, ...]:
    """The names that occur, sorted."""
    labels = tuple(sorted({name for row in rows for name in row.labels}))
    if len(labels) > MAX_LABELS:
        raise DataError(
            f"the data has {len(labels):,} different labels, expected at most {MAX_LABELS:,}; is the column "
            "'label' really one of labels?"
        )
    return labels


def label_ids(path: Path, rows: Sequence[NamedRow], labels: Sequence[str]) -> list[tuple[int, ...]]:
    """The indices in `labels` of each row's names, sorted.

    Raises:
        DataError: a row has a label that isn't among them.
    """
    index = {name: number for number, name in enumerate(labels)}
    for row in rows:
        strange = [name for name in row.labels if name not in index]
        if strange:
            shown = ", ".join(labels[:8]) + (", …" if len(labels) > 8 else "")
            raise DataError(f"{path}:{row.line}: the label {strange[0]!r} is not among the labels: {shown}")
    return [tuple(sorted({index[name] for name in row.labels})) for row in rows]


def read_text(path: Path) -> str:
    """The contents of a UTF-8 file, with or without a byte-order mark.

    Raises:
        DataError: it is missing, or not UTF-8; says which line.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; docs/training.md says what a data file looks like") from error
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: not UTF-8 ({error.reason}); save the file as UTF-8") from error


def _names(path: Path, line: int, fields: dict[str, Any]) -> tuple[str, ...]:
    if "labels" not in fields and "label" not in fields:
        raise DataError(f"{path}:{line}: expected a column 'labels' or 'label'; found {', '.join(fields)}")
    value = fields["labels"] if "labels" in fields else fields["label"]
    if value is None:
        return ()
    if isinstance(value, str):
        value = SEPARATORS.split(value)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise DataError(f"{path}:{line}: expected names of labels, found {value!r:.60}")
    return tuple(name.strip() for name in value if name.strip())


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and fields of each row."""
    content = read_text(path)
    if path.suffix.lower() in JSON_LINES:
        yield from _json_records(path, content)
        return
    reader = csv.DictReader(
        io.StringIO(content, newline=""), delimiter=DELIMITERS.get(path.suffix.lower(), ",")
    )
    try:
        if reader.fieldnames is None:
            return
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames]
        if "text" not in reader.fieldnames:
            raise DataError(f"{path}:1: expected a column 'text', found {', '.join(reader.fieldnames)[:80]}")
        for fields in reader:
            if None in fields:
                raise DataError(
                    f"{path}:{reader.line_num}: more columns than the heading names; texts with a comma "
                    "need quotes"
                )
            yield reader.line_num, fields
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: {error}") from error


def _json_records(path: Path, content: str) -> Iterator[tuple[int, dict[str, Any]]]:
    # Not splitlines: a JSON string may hold other line breaks as they are.
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}:{number}: not JSON: {error}") from error
        if not isinstance(fields, dict):
            raise DataError(f"{path}:{number}: expected an object with text and labels")
        yield number, fields
