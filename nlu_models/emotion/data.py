"""Reads the published corpora that the emotion reader is trained on.

Each reader takes the folder the corpus lies in and returns plain rows, so that training code never
sees a file format. Where to get each corpus is in `docs/training.md`; data of one's own is read by `tables`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.emotion.tables import read_text
from nlu_models.errors import DataError

VAD_MIDPOINT = 3.0  # EmoBank's scale runs from 1 to 5
VAD_HALF_RANGE = 2.0
HASH_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class LabelledText:
    """A text with the indices of its labels in `GOEMOTIONS`."""

    text: str
    label_ids: tuple[int, ...]


@dataclass(frozen=True)
class VadText:
    """A text with its valence, arousal and dominance, each in [-1, 1]."""

    text: str
    vad: tuple[float, float, float]


def read_goemotions(folder: Path, split: str) -> list[LabelledText]:
    """The rows of one split of GoEmotions.

    Args:
        folder: holds `labels.txt` and `<split>.tsv` (text, comma-separated label ids, comment id).
        split: "train" or "dev".

    Raises:
        DataError: a file is missing, a row is malformed, or the labels are not GoEmotions'.
    """
    labels = tuple(read_text(folder / "labels.txt").split())
    if labels != GOEMOTIONS:
        raise DataError(
            f"{folder / 'labels.txt'} lists {len(labels)} labels that are not GoEmotions' 28 in "
            "their published order; use the data set's own labels.txt"
        )
    return read_label_ids(folder / f"{split}.tsv", len(GOEMOTIONS))


def read_label_ids(path: Path, n_labels: int) -> list[LabelledText]:
    """The rows of a TSV in GoEmotions' form: text, comma-separated label ids, anything more.

    Raises:
        DataError: the file is missing or empty, or a row is malformed.
    """
    rows = []
    lines = csv.reader(io.StringIO(read_text(path), newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    for number, fields in _numbered(path, lines):
        try:
            ids = tuple(sorted({int(part) for part in fields[1].split(",")}))
        except (IndexError, ValueError) as error:
            raise DataError(f"{path}:{number}: expected text, label ids, comment id") from error
        if not ids or ids[0] < 0 or ids[-1] >= n_labels:
            raise DataError(f"{path}:{number}: label ids {ids} are outside 0..{n_labels - 1}")
        rows.append(LabelledText(fields[0], ids))
    if not rows:
        raise DataError(f"{path} holds no rows")
    return rows


def read_emobank(folder: Path, split: str) -> list[VadText]:
    """The rows of one split of EmoBank, rescaled from [1, 5] to [-1, 1].

    Raises:
        DataError: the file is missing or a row is malformed.
    """
    path = folder / f"{split}.csv"
    rows = []
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
    for number, row in _numbered(path, reader):
        try:
            vad = tuple((float(row[axis]) - VAD_MIDPOINT) / VAD_HALF_RANGE for axis in "VAD")
            text = row["text"].strip()
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}:{number}: expected columns id, V, A, D, text") from error
        if not all(-1.0 <= value <= 1.0 for value in vad):
            raise DataError(f"{path}:{number}: V, A and D must lie between 1 and 5")
        rows.append(VadText(text, (vad[0], vad[1], vad[2])))
    if not rows:
        raise DataError(f"{path} holds no rows")
    return rows


def read_clinc_utterances(folder: Path) -> list[str]:
    """The training utterances of CLINC150, without their intents (they keep the embedding general).

    Raises:
        DataError: `data_full.json` is missing or of another form.
    """
    path = folder / "data_full.json"
    try:
        parts = json.loads(read_text(path))
        return [str(row[0]) for part in ("train", "oos_train") for row in parts[part]]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise DataError(f"{path} is not CLINC150's data_full.json: {error!r}") from error


def hash_files(paths: Iterable[Path]) -> str:
    """One SHA-256 over the names and contents of files, to tell later what a weight was made of."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode())
        with path.open("rb") as content:
            while block := content.read(HASH_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def _numbered(path: Path, rows: Any) -> Iterator[tuple[int, Any]]:
    """Rows of a csv reader with the line each ends on; what the reader can't read is a `DataError`."""
    try:
        for row in rows:
            yield rows.line_num, row
    except csv.Error as error:
        raise DataError(f"{path}:{rows.line_num}: {error}") from error
