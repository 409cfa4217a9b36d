"""Brings the files a run is given into one form: named sources of texts, with what is known of each.

A source keeps the order of its file, so that a teacher's logits for that file (`teachers`) fit it row by row.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nlu_models.emotion import data, tables
from nlu_models.emotion.arguments import DataPaths, TrainingArguments
from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.errors import DataError
from nlu_models.text import normalize

MIN_DEV_ROWS = 2


@dataclass(frozen=True)
class Source:
    """Texts from one place, in the order of its file.

    Attributes:
        name: "goemotions", "data", "emobank", "clinc" or "unlabelled".
        texts: as they were written.
        label_ids: of each text; None where the source has no labels.
        vad: valence, arousal and dominance of each text in [-1, 1]; None where it has none.
        rows: which rows of the file the texts are, where only some are used; None for all.
        file_rows: how many rows the file has.
    """

    name: str
    texts: list[str]
    label_ids: list[tuple[int, ...]] | None = None
    vad: list[tuple[float, float, float]] | None = None
    rows: list[int] | None = None
    file_rows: int = 0

    def picked(self, rows: Sequence[int]) -> Source:
        """The same source with only these rows of the file; it must hold all of them."""
        return replace(
            self,
            texts=[self.texts[row] for row in rows],
            label_ids=None if self.label_ids is None else [self.label_ids[row] for row in rows],
            vad=None if self.vad is None else [self.vad[row] for row in rows],
            rows=list(rows),
        )


@dataclass(frozen=True)
class Dataset:
    """Everything a run reads.

    Attributes:
        labels: their names, in the order of the model's outputs.
        train: the sources that are trained on.
        dev: labelled texts that measure each epoch.
        vad_dev: rated texts that measure each epoch; None without EmoBank.
        files: what was read, for the hash.
        warnings: what a user should know about the data before hours are spent on it.
    """

    labels: tuple[str, ...]
    train: tuple[Source, ...]
    dev: tuple[Source, ...]
    vad_dev: Source | None
    files: tuple[Path, ...]
    warnings: tuple[str, ...] = ()


def read_dataset(paths: DataPaths, arguments: TrainingArguments) -> Dataset:
    """Reads all that is given.

    Args:
        paths: where.
        arguments: the seed and the share of the dev split, and how many utterances of CLINC150 are used.

    Raises:
        DataError: a file is missing or malformed, or the labels don't fit together.
    """
    labels, train, dev, files = _labelled(paths, arguments)
    vad_dev = None
    if paths.emobank is not None:
        train.append(_rated(data.read_emobank(paths.emobank, "train")))
        vad_dev = _rated(data.read_emobank(paths.emobank, "dev"))
        files += [paths.emobank / "train.csv", paths.emobank / "dev.csv"]
    if paths.clinc is not None:
        texts = data.read_clinc_utterances(paths.clinc)
        rows = random.Random(arguments.seed).sample(range(len(texts)), min(arguments.clinc_rows, len(texts)))
        train.append(Source("clinc", texts, file_rows=len(texts)).picked(rows))
        files.append(paths.clinc / "data_full.json")
    if paths.unlabelled is not None:
        texts = tables.read_lines(paths.unlabelled)
        train.append(Source("unlabelled", texts, file_rows=len(texts)))
        files.append(paths.unlabelled)
    return Dataset(
        labels, tuple(train), tuple(dev), vad_dev, tuple(files), tuple(_warnings(labels, train, dev))
    )


def _labelled(
    paths: DataPaths, arguments: TrainingArguments
) -> tuple[tuple[str, ...], list[Source], list[Source], list[Path]]:
    train: list[Source] = []
    dev: list[Source] = []
    files: list[Path] = []
    labels = tables.read_labels(paths.labels) if paths.labels is not None else None
    if paths.goemotions is not None:
        if labels not in (None, GOEMOTIONS):
            raise DataError(
                f"{paths.labels} names other labels than GoEmotions' 28; leave out one of the two"
            )
        labels = GOEMOTIONS
        train.append(_from_ids("goemotions", data.read_goemotions(paths.goemotions, "train")))
        dev.append(_from_ids("goemotions", data.read_goemotions(paths.goemotions, "dev")))
        files += [paths.goemotions / "train.tsv", paths.goemotions / "dev.tsv"]
    if paths.data is None:
        return GOEMOTIONS, train, dev, files
    if (paths.data / "train.tsv").is_file() and (paths.data / "labels.txt").is_file():
        if paths.goemotions is not None:
            raise DataError(f"{paths.data} has label ids of its own; give it without --goemotions")
        return _folder_of_ids(paths.data, labels)
    train_files, dev_file = [paths.data], paths.dev
    if paths.data.is_dir():
        train_files, dev_file = _tables_in(paths.data, paths.dev)
    if labels is None and paths.data.is_dir() and (paths.data / "labels.txt").is_file():
        labels = tables.read_labels(paths.data / "labels.txt")
    rows = [tables.read_table(path) for path in train_files]
    dev_rows = tables.read_table(dev_file) if dev_file else []
    labels = labels or tables.infer_labels([row for part in (*rows, dev_rows) for row in part])
    if not labels:
        raise DataError(f"{paths.data} has no label in any row")
    own = _from_names("data", list(zip(train_files, rows, strict=True)), labels)
    files += train_files
    if dev_file is not None:
        dev.append(_from_names("data", [(dev_file, dev_rows)], labels))
        files.append(dev_file)
    elif not dev:
        own, held_out = _split(own, paths.data, arguments)
        dev.append(held_out)
    train.append(own)
    return labels, train, dev, files


def _folder_of_ids(
    folder: Path, labels: tuple[str, ...] | None
) -> tuple[tuple[str, ...], list[Source], list[Source], list[Path]]:
    """A folder in GoEmotions' form with labels of its own."""
    own = tables.read_labels(folder / "labels.txt")
    if labels not in (None, own):
        raise DataError(f"{folder / 'labels.txt'} names other labels than the file given with --labels")
    train, dev = (data.read_label_ids(folder / f"{part}.tsv", len(own)) for part in ("train", "dev"))
    files = [folder / "labels.txt", folder / "train.tsv", folder / "dev.tsv"]
    return own, [_from_ids("data", train)], [_from_ids("data", dev)], files


def _tables_in(folder: Path, dev_file: Path | None) -> tuple[list[Path], Path | None]:
    """The folder's training tables, and its dev table if there is one and none was given.

    That is train.* alone where it is there, else every table but dev.*, in the order of their names.
    """
    found: dict[str, Path] = {}
    for part in ("train", "dev"):
        for path in (folder / f"{part}{suffix}" for suffix in tables.TABLES):
            if path.is_file() and part in found:
                raise DataError(f"{folder} holds {found[part].name} and {path.name}; keep one of them")
            if path.is_file():
                found[part] = path
    held_out = {path.resolve() for path in (dev_file, found.get("dev")) if path is not None}
    train = (
        [found["train"]]
        if "train" in found
        else sorted(path for path in folder.iterdir() if path.suffix in tables.TABLES)
    )
    train = [path for path in train if path.resolve() not in held_out]
    if not train:
        expected = ", ".join(f"*{suffix}" for suffix in tables.TABLES)
        raise DataError(f"{folder} holds no training data; expected {expected}")
    return train, dev_file or found.get("dev")


def _split(source: Source, path: Path, arguments: TrainingArguments) -> tuple[Source, Source]:
    """A share of the rows for dev, the rest for training; no text is in both.

    Texts are taken in the order of their hashes, so that other seeds hold out the same ones, and a table that
    has grown nearly the same ones: a run may go on from an earlier run's checkpoint without being measured on
    what that was trained on.
    """
    rows_of: dict[str, list[int]] = {}
    for row, text in enumerate(source.texts):
        rows_of.setdefault(" ".join(normalize(text).split()), []).append(row)
    if len(rows_of) < 2 * MIN_DEV_ROWS:
        raise DataError(
            f"{path} has {len(rows_of)} different texts, expected at least {2 * MIN_DEV_ROWS} to hold some "
            "out for dev"
        )
    wanted = max(MIN_DEV_ROWS, round(arguments.dev_share * len(source.texts)))
    chosen: list[int] = []
    left = len(rows_of)
    for text in sorted(rows_of, key=lambda text: hashlib.sha256(text.encode("utf-8", "replace")).digest()):
        if len(chosen) >= wanted or left <= MIN_DEV_ROWS:
            break
        chosen += rows_of[text]
        left -= 1
    held_out = set(chosen)
    kept = [row for row in range(len(source.texts)) if row not in held_out]
    return source.picked(kept), source.picked(sorted(held_out))


def _from_ids(name: str, rows: Sequence[data.LabelledText]) -> Source:
    return Source(name, [row.text for row in rows], [row.label_ids for row in rows], file_rows=len(rows))


def _from_names(
    name: str, files: Sequence[tuple[Path, Sequence[tables.NamedRow]]], labels: Sequence[str]
) -> Source:
    ids = [row for path, rows in files for row in tables.label_ids(path, rows, labels)]
    texts = [row.text for _, rows in files for row in rows]
    return Source(name, texts, ids, file_rows=len(texts))


def _rated(rows: Sequence[data.VadText]) -> Source:
    return Source("emobank", [row.text for row in rows], vad=[row.vad for row in rows], file_rows=len(rows))


def _warnings(labels: Sequence[str], train: Sequence[Source], dev: Sequence[Source]) -> list[str]:
    warnings = []
    for part, sources in (("training", train), ("dev", dev)):
        counts = Counter(label for source in sources for ids in source.label_ids or () for label in ids)
        empty = [name for index, name in enumerate(labels) if not counts[index]]
        if empty:
            warnings.append(f"no {part} row has the label {', '.join(empty)}")
    own = {text for source in dev if source.name == "data" for text in source.texts}
    both = own & {text for source in train if source.label_ids is not None for text in source.texts}
    if both:
        warnings.append(f"{len(both)} dev texts are trained on as well, which flatters every measure")
    return warnings
