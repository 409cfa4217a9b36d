"""Keeps the texts that a reader was trained on out of what it is measured on, or says that they are in it.

A run says in `arguments.json` what it was trained on; a weight only has the hash of those files and the
commands. Where neither tells, a warning has to do.
"""

from __future__ import annotations

import filecmp
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nlu_models.emotion import data
from nlu_models.emotion.arguments import DataPaths, TrainingArguments
from nlu_models.emotion.datasets import Dataset, read_dataset
from nlu_models.emotion.labelled import FEWEST_ROWS, Labelled
from nlu_models.emotion.subjects import is_run
from nlu_models.emotion.tables import read_text
from nlu_models.emotion.weights import METRICS_FILE
from nlu_models.errors import DataError, InputError, WeightError

LABELLED_PATHS = ("data", "labels", "dev", "goemotions")  # of `DataPaths`, those that labels come from
TRAINED_SPLIT = "train"


@dataclass(frozen=True)
class Origin:
    """What a reader says of its training.

    Attributes:
        report: of the training run.
        paths: of its data, by the options that name them; None where it doesn't say.
        settings: of the run; None where it doesn't say.
        options: those that named its data; None where it doesn't say, or corrections were learnt as well,
            which may be of any texts.
    """

    report: dict[str, Any]
    paths: dict[str, str] | None
    settings: dict[str, Any] | None
    options: frozenset[str] | None


def unseen(texts: Labelled, folder: Path, table: Path | None, split: str) -> Labelled:
    """The texts that a reader was not trained on, with a warning of what can't be left out.

    Args:
        texts: of the table or the split.
        folder: of the weight or the run.
        table: that the texts are from; None for GoEmotions.
        split: of GoEmotions.

    Raises:
        DataError: too few are left.
        WeightError: the folder's account of its training is damaged.
    """
    origin = _origin(folder)
    if table is None:
        is_held_out = split != TRAINED_SPLIT
        is_other = origin.options is not None and "goemotions" not in origin.options
        return texts if is_held_out or is_other else _all_seen(texts, folder)
    if origin.paths is not None and (dataset := _dataset(origin.paths, origin.settings or {})):
        is_own = any(_is_same(table, path) for path in dataset.files)
        found = _without(texts, _trained_on(dataset), folder, is_own)
        if found is not texts or not origin.report.get("learnt"):
            return found
    digest = data.hash_files([table])
    if digest == origin.report.get("data_sha256"):
        dataset = _dataset({"data": str(table)}, origin.settings or {})
        if dataset is not None:
            return _without(texts, _trained_on(dataset), folder, is_own=True)
    elif digest == origin.report.get("dev_sha256") or (
        origin.options is not None and "data" not in origin.options
    ):
        return texts
    return _warned(
        texts,
        f"{folder} doesn't say whether it was trained on {table}; texts that it was trained on flatter "
        "every figure",
    )


def _without(texts: Labelled, trained: frozenset[str], folder: Path, is_own: bool) -> Labelled:
    """The texts less those trained on, where the table is one that the reader was made from."""
    kept = [row for row, text in enumerate(texts.texts) if text not in trained]
    count = len(texts.texts) - len(kept)
    if not count:
        return texts
    if not kept:
        return _all_seen(texts, folder)
    if not is_own:
        return _warned(
            texts,
            f"{folder} was trained on {count:,} of the {len(texts.texts):,} texts of {texts.name}, which "
            "flatters every figure",
        )
    if len(kept) < FEWEST_ROWS:
        raise DataError(
            f"{folder} was trained on all but {len(kept)} of the {len(texts.texts):,} texts of {texts.name}, "
            f"expected at least {FEWEST_ROWS} others to measure on; give other texts"
        )
    held_out = replace(
        texts,
        name=f"{texts.name}, held-out rows",
        texts=[texts.texts[row] for row in kept],
        truth=texts.truth[kept],
    )
    if not held_out.truth.any():
        raise DataError(f"{texts.name} has no label on any text that {folder} was not trained on")
    return _warned(
        held_out,
        f"{folder} was trained on {count:,} of the {len(texts.texts):,} texts of {texts.name}; measured on "
        f"the other {len(kept):,}",
    )


def _all_seen(texts: Labelled, folder: Path) -> Labelled:
    warning = f"{folder} was trained on {texts.name}, which flatters every figure; give other texts"
    return _warned(replace(texts, name=f"{texts.name}, which it was trained on"), warning)


def _warned(texts: Labelled, warning: str) -> Labelled:
    return replace(texts, warnings=(*texts.warnings, warning))


def _origin(folder: Path) -> Origin:
    if is_run(folder):
        from nlu_models.emotion.run_folder import ARGUMENTS_FILE, RunFolder  # with torch, as the run itself

        run = RunFolder(folder)
        report = run.read_json(METRICS_FILE) if run.file(METRICS_FILE).is_file() else {}
        if not run.file(ARGUMENTS_FILE).is_file():
            return Origin(report, None, report.get("arguments"), None)
        said = run.read_json(ARGUMENTS_FILE)
        paths = said.get("data", {})
        if not isinstance(paths, dict):
            raise WeightError(f"{run.file(ARGUMENTS_FILE)} is damaged: data is {paths!r:.60}")
        options = None if report.get("learnt") else frozenset(paths)
        return Origin(report, paths, said.get("settings"), options)
    path = folder / METRICS_FILE
    if not path.is_file():
        return Origin({}, None, None, None)
    try:
        whole = json.loads(read_text(path))
        training = whole.get("training", {})
        words = {word for command in whole.get("training_commands", ()) for word in command.split()}
        report = {**training, "dev_sha256": whole.get("dev_sha256")}
        settings = training.get("arguments")
    except (ValueError, AttributeError, TypeError) as error:
        raise WeightError(f"{path} is damaged: {error}") from error
    options = frozenset(word.removeprefix("--") for word in words if word.startswith("--"))
    is_told = bool(words) and not training.get("learnt")
    return Origin(report, None, settings, options if is_told else None)


def _dataset(paths: dict[str, str], settings: dict[str, Any]) -> Dataset | None:
    """The labelled texts of a run, held out as it did; None where they are gone or no longer fit."""
    try:
        share = {"dev_share": settings["dev_share"]} if "dev_share" in settings else {}
        kept = {name: path for name, path in paths.items() if name in LABELLED_PATHS}
        return read_dataset(DataPaths.from_json(kept), TrainingArguments.from_json(share))
    except (DataError, InputError, OSError):
        return None


def _trained_on(dataset: Dataset) -> frozenset[str]:
    return frozenset(text for source in dataset.train for text in source.texts)


def _is_same(path: Path, other: Path) -> bool:
    return path.samefile(other) or filecmp.cmp(path, other, shallow=False)
