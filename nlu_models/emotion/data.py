"""Reads the corpora that the emotion reader is trained on.

Each reader takes the folder the corpus lies in and returns plain rows, so that training code never
sees a file format. Where to get each corpus is in `docs/training.md`.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.errors import DataError

VAD_MIDPOINT = 3.0  # EmoBank's scale runs from 1 to 5
VAD_HALF_RANGE = 2.0


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
    labels = tuple(_existing(folder / "labels.txt").read_text(encoding="utf-8").split())
    if labels != GOEMOTIONS:
        raise DataError(
            f"{folder / 'labels.txt'} lists {len(labels)} labels that are not GoEmotions' 28 in "
            "their published order; use the data set's own labels.txt"
        )
    rows = []
    path = _existing(folder / f"{split}.tsv")
    with path.open(encoding="utf-8", newline="") as lines:
        for number, fields in enumerate(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE), 1):
            try:
                ids = tuple(sorted({int(part) for part in fields[1].split(",")}))
            except (IndexError, ValueError) as error:
                raise DataError(f"{path}:{number}: expected text, label ids, comment id") from error
            if not ids or ids[0] < 0 or ids[-1] >= len(GOEMOTIONS):
                raise DataError(f"{path}:{number}: label ids {ids} are outside 0..27")
            rows.append(LabelledText(fields[0], ids))
    if not rows:
        raise DataError(f"{path} holds no rows")
    return rows


def read_emobank(folder: Path, split: str) -> list[VadText]:
    """The rows of one split of EmoBank, rescaled from [1, 5] to [-1, 1].

    Raises:
        DataError: the file is missing or a row is malformed.
    """
    path = _existing(folder / f"{split}.csv")
    rows = []
    with path.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines), 2):
            try:
                vad = tuple((float(row[axis]) - VAD_MIDPOINT) / VAD_HALF_RANGE for axis in "VAD")
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(f"{path}:{number}: expected columns id, V, A, D, text") from error
            rows.append(VadText(row["text"], (vad[0], vad[1], vad[2])))
    if not rows:
        raise DataError(f"{path} holds no rows")
    return rows


def read_clinc_utterances(folder: Path) -> list[str]:
    """The training utterances of CLINC150, without their intents (they keep the embedding general).

    Raises:
        DataError: `data_full.json` is missing or of another form.
    """
    path = _existing(folder / "data_full.json")
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))
        return [str(row[0]) for part in ("train", "oos_train") for row in parts[part]]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise DataError(f"{path} is not CLINC150's data_full.json: {error!r}") from error


def hash_files(paths: Iterable[Path]) -> str:
    """One SHA-256 over the names and contents of files, to tell later what a weight was made of."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"{path} is missing; docs/training.md says where to get the data")
    return path
