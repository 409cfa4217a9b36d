"""Labelled texts to measure on, as arrays: GoEmotions, or a table of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nlu_models.emotion import data, tables
from nlu_models.emotion.calibration import Bools
from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.errors import DataError

FEWEST_ROWS = 20  # under that no figure means anything


@dataclass(frozen=True)
class Labelled:
    """Texts and what annotators say of them.

    Attributes:
        name: such as "GoEmotions dev", for people.
        texts: as they were written.
        truth: (texts, labels).
        sha256: of the files, to tell whether two reports are about the same texts.
        warnings: what a user should know of them before believing a figure.
    """

    name: str
    texts: list[str] = field(repr=False)
    truth: Bools = field(repr=False)
    sha256: str = ""
    warnings: tuple[str, ...] = ()


def read_goemotions(folder: Path, labels: Sequence[str], split: str = "dev") -> Labelled:
    """One split of GoEmotions.

    Args:
        folder: of GoEmotions.
        labels: of the weight that is to be measured.
        split: such as "dev".

    Raises:
        DataError: the folder can't be read, or the weight has other labels.
    """
    if tuple(labels) != GOEMOTIONS:
        raise DataError(
            f"the weight has {len(labels)} labels that are not GoEmotions' 28; "
            "measure it with --data FILE on texts that have its labels"
        )
    rows = data.read_goemotions(folder, split)
    files = [folder / f"{split}.tsv"]
    return _labelled(f"GoEmotions {split}", files, [(row.text, row.label_ids) for row in rows], len(labels))


def read_table(path: Path, labels: Sequence[str]) -> Labelled:
    """A labelled CSV, TSV or JSONL of one's own.

    Args:
        path: of the file; `tables` says what it looks like.
        labels: of the weight that is to be measured; the file's must be among them.

    Raises:
        DataError: the file is malformed, has too few rows, or labels that the weight doesn't have.
    """
    rows = tables.read_table(path)
    ids = tables.label_ids(path, rows, labels)
    return _labelled(
        path.name, [path], [(row.text, one) for row, one in zip(rows, ids, strict=True)], len(labels)
    )


def truth_of(label_ids: Sequence[Sequence[int]], n_labels: int) -> Bools:
    """The annotators' labels, (texts, labels)."""
    truth = np.zeros((len(label_ids), n_labels), dtype=bool)
    for index, ids in enumerate(label_ids):
        truth[index, list(ids)] = True
    return truth


def _labelled(
    name: str, files: list[Path], rows: list[tuple[str, tuple[int, ...]]], n_labels: int
) -> Labelled:
    if len(rows) < FEWEST_ROWS:
        raise DataError(f"{files[0]} has {len(rows)} rows, expected at least {FEWEST_ROWS} to measure on")
    truth = truth_of([ids for _, ids in rows], n_labels)
    if not truth.any():
        raise DataError(f"{files[0]} has no label in any row")
    return Labelled(name, [text for text, _ in rows], truth, data.hash_files(files))
