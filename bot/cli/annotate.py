"""`attune annotate`: reads the language, emotion and danger of every text in a file.

    attune annotate turns.jsonl -o read.jsonl
    cat turns.txt | attune annotate - --format text

Rows stream through in batches. A row that can't be read becomes `{"error": ..., "line": ...}` in its
place; a file that can't be read at all ends the command with exit status 2 and leaves no output behind.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nlu_models.reader import TurnReader

BATCH_ROWS = 64
MAX_TEXT_CHARS = 100_000  # of one row; more is cut, since no encoder reads it
FORMATS = ("jsonl", "csv", "text")
SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv"}
FIELD = "text"

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SNIFFED_BYTES = 4096


class UnreadableInput(Exception):
    """The input as a whole can't be read; its text is fit to be shown."""


@dataclass
class Row:
    """One row of the input: its fields and text, or what is wrong with it."""

    line: int
    fields: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    error: str | None = None


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to `attune`."""
    parser = subparsers.add_parser(
        "annotate",
        help="read language, emotion and danger of every text in a file",
        description="Read the language, emotion and danger of every text in a file; writes JSON lines.",
    )
    parser.add_argument("input", metavar="INPUT", help="a .jsonl, .csv or plain text file; - for stdin")
    parser.add_argument("-o", "--output", type=Path, metavar="OUTPUT", help="file to write (default: stdout)")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="of the input (default: by its extension; text for stdin). "
        f"jsonl and csv hold the text in the field {FIELD!r}",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="DIR",
        help="weight folder (default: ATTUNE_EMOTION_WEIGHTS, or the shipped)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="cores for the encoder, 1 to 64 (default: 2, or 1 on one core)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; returns its exit status."""
    kind = args.format or (
        "text" if args.input == "-" else SUFFIXES.get(Path(args.input).suffix.lower(), "text")
    )
    if args.threads is not None and not 1 <= args.threads <= 64:
        return _refuse(f"--threads is {args.threads}, expected 1 to 64")
    try:
        with _opened(args.input) as source:
            return _annotate(source, kind, args)
    except UnreadableInput as error:
        return _refuse(str(error))
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def annotate(rows: Iterable[Row], reader: TurnReader) -> Iterator[dict[str, Any]]:
    """The rows with what was read from them, in order.

    Yields:
        The row's fields with "language", "emotion" and "risk", or its "error" and "line".
    """
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            yield from _read_batch(batch, reader)
            batch = []
    yield from _read_batch(batch, reader)


def rows_of(source: IO[bytes], kind: str) -> Iterator[Row]:
    """The rows of a file.

    Args:
        source: opened in binary mode.
        kind: one of `FORMATS`.

    Raises:
        UnreadableInput: it is UTF-16, binary, or a CSV file without the column.
    """
    head = source.peek(_SNIFFED_BYTES)[:_SNIFFED_BYTES] if hasattr(source, "peek") else b""
    if head.startswith(_UTF16_MARKS):
        raise UnreadableInput("the input is UTF-16; save it as UTF-8")
    if b"\0" in head:
        raise UnreadableInput("the input is binary (it holds NUL bytes); expected UTF-8 text")
    if kind == "csv":
        yield from _csv_rows(source)
        return
    for number, raw in enumerate(source, 1):
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        raw = raw.rstrip(b"\r\n")
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            yield Row(number, error=f"not UTF-8 at byte {error.start}")
            continue
        if kind == "text":
            yield Row(number, {FIELD: line}, line)
        elif line.strip():
            yield _json_row(number, line)


def _annotate(source: IO[bytes], kind: str, args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from nlu_models.errors import NluModelError
    from nlu_models.reader import TurnReader

    rows = rows_of(source, kind)
    first = next(rows, None)  # refuse unusable input before loading a model or making a file
    try:
        reader = TurnReader(_weights(args), threads=args.threads)
    except NluModelError as error:
        raise UnreadableInput(str(error)) from error
    if reader.is_degraded:
        print("warning: the emotion weights can't be used; emotions are left neutral", file=sys.stderr)
    bad = total = 0
    with _written(args.output) as out, tqdm(unit="row", desc="annotating", file=sys.stderr) as progress:
        for result in annotate(_chain(first, rows), reader):
            bad += set(result) == {"error", "line"}
            total += 1
            out.write(_to_line(result))
            progress.update()
        out.flush()
    if bad:
        print(f"{bad} of {total} rows could not be read; each is an error row", file=sys.stderr)
    return 0


def _read_batch(batch: list[Row], reader: TurnReader) -> Iterator[dict[str, Any]]:
    if not batch:
        return
    good = [row for row in batch if row.error is None]
    readings = iter(reader.read([row.text[:MAX_TEXT_CHARS] for row in good]))
    for row in batch:
        if row.error is not None:
            yield {"error": row.error, "line": row.line}
        else:
            reading = next(readings)
            yield {
                **row.fields,
                "language": reading.language,
                "emotion": reading.emotion,
                "risk": reading.risk,
            }


def _json_row(number: int, line: str) -> Row:
    try:
        data = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        return Row(number, error=f"not JSON: {error}")
    if not isinstance(data, dict):
        return Row(number, error=f"expected an object, found {type(data).__name__}")
    return _field_row(number, data)


def _csv_rows(source: IO[bytes]) -> Iterator[Row]:
    text = io.TextIOWrapper(source, encoding="utf-8-sig", errors="surrogateescape", newline="")
    csv.field_size_limit(10 * MAX_TEXT_CHARS)
    reader = csv.reader(text, strict=True)
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            yield Row(line, error=f"not CSV: {error}")
            continue
        if header is None:
            if FIELD not in cells:
                raise UnreadableInput(
                    f"the CSV file has no column {FIELD!r}; it has {', '.join(cells) or 'none'}"
                )
            header = cells
        elif not cells:
            continue
        elif len(cells) != len(header):
            yield Row(line, error=f"{len(cells)} cells, expected {len(header)}")
        elif any("\udc80" <= char <= "\udcff" for cell in cells for char in cell):
            yield Row(line, error="not UTF-8")
        else:
            yield _field_row(line, dict(zip(header, cells, strict=True)))
    text.detach()


def _field_row(number: int, data: dict[str, Any]) -> Row:
    if FIELD not in data:
        return Row(number, error=f"has no field {FIELD!r}")
    if not isinstance(data[FIELD], str):
        return Row(number, error=f"the field {FIELD!r} is {type(data[FIELD]).__name__}, expected a text")
    return Row(number, data, data[FIELD])


def _to_line(result: dict[str, Any]) -> bytes:
    try:
        return (json.dumps(result, ensure_ascii=False) + "\n").encode("utf-8")
    except UnicodeEncodeError:  # half of an emoji: only an escape can carry it
        return (json.dumps(result) + "\n").encode("ascii")


def _weights(args: argparse.Namespace) -> Path:
    from bot.core.errors import AttuneError
    from bot.core.settings import Settings

    if args.weights is not None:
        if not args.weights.is_dir():
            raise UnreadableInput(f"--weights: {args.weights} is no folder")
        return Path(args.weights)
    try:
        return Path(Settings.from_environment().emotion_weights)
    except AttuneError as error:
        raise UnreadableInput(str(error)) from error


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        source = Path(name).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UnreadableInput(f"{name} can't be read: {error.strerror}") from error
    with source:
        yield source


@contextmanager
def _written(path: Path | None) -> Iterator[IO[bytes]]:
    """Stdout, or a file that appears under its name only once it is complete."""
    if path is None:
        yield sys.stdout.buffer
        return
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise UnreadableInput(f"{path} can't be written: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)  # mkstemp's files are for their owner alone
        Path(name).replace(path)
    except OSError as error:
        raise UnreadableInput(f"{path} can't be written: {error.strerror}") from error
    finally:
        Path(name).unlink(missing_ok=True)


def _chain(first: Row | None, rest: Iterator[Row]) -> Iterator[Row]:
    if first is not None:
        yield first
        yield from rest


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _refuse(message: str) -> int:
    print(f"attune annotate: {message}", file=sys.stderr)
    return 2
