"""What a weight is measured and calibrated on: texts held out from its run, rated texts, training texts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion import data, metrics
from nlu_models.emotion.arguments import DataPaths, TrainingArguments
from nlu_models.emotion.crossfit import crossfit_measures
from nlu_models.emotion.datasets import Dataset, Source, read_dataset
from nlu_models.emotion.groups import memberships
from nlu_models.emotion.infer import EmotionEncoder
from nlu_models.emotion.labelled import truth_of
from nlu_models.emotion.labels import VAD
from nlu_models.emotion.run_folder import ARGUMENTS_FILE, METRICS_FILE, RunFolder
from nlu_models.emotion.weights import DEFAULT_HEADS
from nlu_models.errors import InputError, WeightError

Bools = NDArray[np.bool_]

DECIMALS = 4
SEED = 0


@dataclass(frozen=True)
class Exam:
    """The texts that a weight is measured on.

    Attributes:
        labels: in the order of the model's outputs.
        texts: held out from training.
        truth: (texts, labels).
        rated: texts with valence, arousal and dominance; None where there are none.
        train_texts: the training texts with labels, in random order.
        train_truth: (training texts, labels).
        dev_sha256: of the files that held-out texts are in.
        trained_heads: the outputs of the run's model that mean something.
    """

    labels: tuple[str, ...]
    texts: list[str]
    truth: Bools
    rated: Source | None
    train_texts: list[str]
    train_truth: Bools
    dev_sha256: str
    trained_heads: tuple[str, ...]


def prepare(run: Path, goemotions: Path | None = None, emobank: Path | None = None) -> Exam:
    """The exam that fits a run.

    Args:
        run: its folder.
        goemotions: folder of GoEmotions; None for the data that the run was trained on.
        emobank: folder of EmoBank; None for what the run was trained on, or nothing.

    Raises:
        InputError: the run doesn't say what it was trained on, and nothing is given.
        DataError: a file is missing or malformed.
        WeightError: the run has other labels than the data.
    """
    dataset = dataset_of(run, goemotions, emobank)
    labels = dataset.labels
    dev, train = labelled(dataset.dev), labelled(dataset.train)
    random.Random(SEED).shuffle(train)
    held_files = [path for path in dataset.files if path.name.startswith("dev.")] or list(dataset.files)
    return Exam(
        labels,
        [text for text, _ in dev],
        truth_of([ids for _, ids in dev], len(labels)),
        dataset.vad_dev,
        [text for text, _ in train],
        truth_of([ids for _, ids in train], len(labels)),
        data.hash_files(held_files),
        _trained_heads(RunFolder(run)),
    )


def dataset_of(run: Path, goemotions: Path | None = None, emobank: Path | None = None) -> Dataset:
    """The data that a run is measured on and was trained on.

    Args:
        run: its folder.
        goemotions: folder of GoEmotions; None for the data that the run was trained on.
        emobank: folder of EmoBank; None for what the run was trained on, or nothing.

    Raises:
        InputError: the run doesn't say what it was trained on, and nothing is given.
        DataError: a file is missing or malformed.
        WeightError: the run has other labels than the data.
    """
    folder = RunFolder(run)
    if goemotions is not None:
        paths, arguments = DataPaths(goemotions=goemotions, emobank=emobank), TrainingArguments()
    else:
        if not folder.file(ARGUMENTS_FILE).is_file():
            raise InputError(f"{run} doesn't say what it was trained on; give --goemotions FOLDER")
        said = folder.read_json(ARGUMENTS_FILE)
        try:
            given = DataPaths.from_json({**said["data"], **({"emobank": str(emobank)} if emobank else {})})
            arguments = TrainingArguments.from_json(said["settings"])
        except (KeyError, TypeError, AttributeError) as error:
            raise WeightError(f"{folder.file(ARGUMENTS_FILE)} is damaged: {error!r}") from error
        paths = DataPaths(given.data, given.labels, given.dev, given.goemotions, given.emobank)
    dataset = read_dataset(paths, arguments)
    labels = folder.labels() or dataset.labels
    if labels != dataset.labels:
        raise WeightError(
            f"{run} has {len(labels)} labels, which are not the {len(dataset.labels)} of the data"
        )
    return dataset


def fair_measures(exam: Exam, probabilities: metrics.Floats, repeats: int) -> dict[str, float]:
    """Macro-F1 of the labels and of the groups they allow, cross-fitted: not flattered by tuning on them.

    Args:
        exam: the texts that were read.
        probabilities: (texts, labels), as the encoder gives them.
        repeats: of the cross-fitting, about two seconds each.
    """
    found = crossfit_measures(exam.truth, probabilities, memberships(exam.labels), repeats=repeats)
    return {name: value for name, value in found.items() if name.endswith("macro_f1")}


def axis_measures(encoder: EmotionEncoder, exam: Exam) -> dict[str, float]:
    """Pearson's r of valence, arousal and dominance on the rated texts; nothing where there are none."""
    if exam.rated is None or exam.rated.vad is None:
        return {}
    found = encoder.encode(exam.rated.texts).vad
    truth = np.array(exam.rated.vad)
    return {
        f"r_{name}": round(metrics.pearson(found[:, axis], truth[:, axis]), DECIMALS)
        for axis, name in enumerate(VAD)
    }


def labelled(sources: Sequence[Source]) -> list[tuple[str, tuple[int, ...]]]:
    """The labelled texts of some sources, with the labels' indices."""
    return [
        pair
        for source in sources
        if source.label_ids is not None
        for pair in zip(source.texts, source.label_ids, strict=True)
    ]


def _trained_heads(run: RunFolder) -> tuple[str, ...]:
    """Emotion always; axes where rated texts or a teacher taught them, the embedding where it was kept."""
    report = run.read_json(METRICS_FILE) if run.file(METRICS_FILE).is_file() else {}
    if isinstance(heads := report.get("trained_heads"), list):
        return tuple(name for name in DEFAULT_HEADS if name in heads)
    if not run.file(ARGUMENTS_FILE).is_file():
        return DEFAULT_HEADS  # from before the data was recorded: all runs had all of it
    said = run.read_json(ARGUMENTS_FILE)
    settings, given = said.get("settings", {}), said.get("data", {})
    is_rated = "emobank" in given or said.get("teachers") is not None
    taught = {
        "emotion": True,
        "vad": is_rated and settings.get("vad_weight", 0.0) > 0,
        "embedding": settings.get("embedding_weight", 0.0) > 0,
    }
    return tuple(name for name in DEFAULT_HEADS if taught[name])
