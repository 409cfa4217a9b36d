"""Teachers: what trained models say about the training texts, for a student to imitate.

Teachers may have another base, tokenizer and width than the student and than each other; only their labels
must be the student's. Their logits are averaged, and kept as an npz file in the student's run folder:

    labels            (labels,) names, in the order of the columns; may be left out
    SOURCE_logits     (rows, labels) float32, one row for each row of the source's file, in its order
    SOURCE_vad        (rows, 3) float32 in [-1, 1]; may be left out

SOURCE is "goemotions" (`train.tsv`), "data" (the training file), "emobank" (`train.csv`), "clinc" (the
utterances of `train`, then of `oos_train`) or "unlabelled". A row of NaN is a text that no teacher has read.
Other arrays are ignored.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from nlu_models.emotion.corpus import make_corpus
from nlu_models.emotion.datasets import Source
from nlu_models.emotion.labels import GOEMOTIONS, VAD
from nlu_models.emotion.metrics import Floats
from nlu_models.emotion.predictions import predict
from nlu_models.emotion.run_folder import (
    METRICS_FILE,
    MODEL_FILE,
    TOKENIZER_FOLDER,
    UNREADABLE,
    RunFolder,
    load_torch,
)
from nlu_models.emotion.whole_files import replacing
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder
from nlu_models.errors import DataError, InputError, WeightError

DEFAULT_MAX_TOKENS = 96


@dataclass(frozen=True)
class Teaching:
    """Who teaches: runs, or logits that were computed elsewhere.

    Attributes:
        runs: run folders.
        weights: how much each run counts; empty counts all alike.
        logits: an npz file in place of runs.
    """

    runs: tuple[Path, ...] = ()
    weights: tuple[float, ...] = ()
    logits: Path | None = None

    def __post_init__(self) -> None:
        if bool(self.runs) == (self.logits is not None):
            raise InputError("give either --teachers RUN [RUN …] or --logits FILE.npz")
        if self.weights and len(self.weights) != len(self.runs):
            raise InputError(f"{len(self.weights)} teacher weights for {len(self.runs)} teachers")
        if any(not weight > 0 for weight in self.weights):
            raise InputError(f"teacher weights are {list(self.weights)}, expected positive numbers")

    def to_json(self) -> dict[str, Any]:
        """As it is written into the student's `arguments.json`."""
        return {
            "runs": [str(run.absolute()) for run in self.runs],
            "weights": list(self.weights),
            "logits": None if self.logits is None else str(self.logits.absolute()),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Teaching:
        """What `to_json` gave."""
        logits = values["logits"]
        runs = tuple(Path(run) for run in values["runs"])
        return cls(runs, tuple(values["weights"]), Path(logits) if logits else None)


@dataclass(frozen=True)
class SoftTargets:
    """What the teachers say about one source, a row for each of its texts.

    Attributes:
        logits: (texts, labels) float32; a row of NaN has not been read.
        vad: (texts, 3) float32, or None where no teacher knows the axes.
    """

    logits: Floats
    vad: Floats | None


@dataclass(frozen=True)
class Teacher:
    """A trained model with what it needs to read a text."""

    name: str
    model: MultiTaskEncoder
    tokenizer: PreTrainedTokenizerBase
    max_tokens: int
    labels: tuple[str, ...]
    knows_vad: bool


def load_teacher(run: Path, device: torch.device) -> Teacher:
    """The model of a run folder.

    Raises:
        WeightError: the run is incomplete, or its labels are not known.
    """
    folder = RunFolder(run)
    saved = load_torch(run / MODEL_FILE)
    try:
        model = MultiTaskEncoder(EncoderConfig(**saved["config"]))
        model.load_state(saved["state"])
    except UNREADABLE as error:
        raise WeightError(f"{run / MODEL_FILE} is not a checkpoint of this code: {error}") from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(run / TOKENIZER_FOLDER))
    except (OSError, ValueError) as error:
        raise WeightError(f"{run / TOKENIZER_FOLDER} can't be loaded: {error}") from error
    report = folder.read_json(METRICS_FILE) if (run / METRICS_FILE).is_file() else {}
    labels = folder.labels() or (GOEMOTIONS if model.config.n_labels == len(GOEMOTIONS) else None)
    if labels is None or len(labels) != model.config.n_labels:
        raise WeightError(
            f"{run} doesn't say what its {model.config.n_labels} labels are; it needs a labels.txt"
        )
    arguments = report.get("arguments", {})
    max_tokens = int(arguments.get("max_tokens", DEFAULT_MAX_TOKENS))
    knows_vad = f"r_{VAD[0]}" in report.get("best", {})
    return Teacher(run.name, model.to(device).eval(), tokenizer, max_tokens, labels, knows_vad)


def ask_teachers(
    teaching: Teaching, sources: Sequence[Source], labels: Sequence[str], device: torch.device
) -> dict[str, SoftTargets]:
    """What the runs say about every text of the sources, averaged: logits with logits, axes with axes.

    Raises:
        WeightError: a run can't be used, or has other labels.
    """
    shares = np.array(teaching.weights or [1.0] * len(teaching.runs))
    shares = shares / shares.sum()
    logits = {source.name: np.zeros((len(source.texts), len(labels)), np.float32) for source in sources}
    axes = {source.name: np.zeros((len(source.texts), len(VAD)), np.float32) for source in sources}
    axes_share = 0.0
    for run, share in zip(teaching.runs, shares, strict=True):
        teacher = load_teacher(run, device)
        order = _columns(run, teacher.labels, labels)
        axes_share += share if teacher.knows_vad else 0.0
        for source in sources:
            texts = Source(source.name, source.texts)
            corpus = make_corpus(teacher.tokenizer, teacher.max_tokens, len(labels), [texts])
            title = f"{teacher.name} reads {source.name}"
            said, felt = predict(teacher.model, corpus, teacher.tokenizer.pad_token_id, device, title)
            logits[source.name] += share * said[:, order]
            if teacher.knows_vad:
                axes[source.name] += share * felt
    return {
        name: SoftTargets(said, axes[name] / axes_share if axes_share else None)
        for name, said in logits.items()
    }


def save_targets(
    path: Path, targets: dict[str, SoftTargets], sources: Sequence[Source], labels: Sequence[str]
) -> None:
    """Writes the npz file."""
    arrays: dict[str, Any] = {"labels": np.array(labels)}
    for source in sources:
        found = targets[source.name]
        rows = source.rows if source.rows is not None else range(len(source.texts))
        for kind, values in (("logits", found.logits), ("vad", found.vad)):
            if values is not None:
                whole = np.full((source.file_rows, values.shape[1]), np.nan, dtype=np.float32)
                whole[list(rows)] = values
                arrays[f"{source.name}_{kind}"] = whole
    with replacing(path) as target:
        np.savez(target, **arrays)


def load_targets(path: Path, sources: Sequence[Source], labels: Sequence[str]) -> dict[str, SoftTargets]:
    """The soft targets of an npz file, for the texts of the sources; sources it doesn't know are left out.

    Raises:
        DataError: the file is missing, damaged, of other labels, or doesn't fit the sources.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            wanted = [f"{source.name}_{kind}" for source in sources for kind in ("logits", "vad")]
            arrays = {name: archive[name] for name in ["labels", *wanted] if name in archive.files}
            names = archive.files
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing") from error
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no npz file of logits: {error}") from error
    order = list(range(len(labels)))
    if "labels" in arrays:
        order = _columns(path, tuple(str(name) for name in arrays["labels"]), labels)
    targets = {}
    for source in sources:
        said = _rows(path, arrays, f"{source.name}_logits", source, len(labels))
        felt = _rows(path, arrays, f"{source.name}_vad", source, len(VAD))
        if said is not None:
            targets[source.name] = SoftTargets(said[:, order], felt)
    if not targets:
        expected = ", ".join(f"{source.name}_logits" for source in sources)
        raise DataError(f"{path} holds {', '.join(names)}; expected {expected}")
    return targets


def _rows(path: Path, arrays: dict[str, Any], name: str, source: Source, width: int) -> Floats | None:
    if name not in arrays:
        return None
    values = arrays[name]
    if values.shape != (source.file_rows, width) or values.dtype.kind != "f":
        raise DataError(
            f"{path}: {name} is {values.dtype} of shape {values.shape}, expected floats of shape "
            f"({source.file_rows}, {width}), a row for each text of the file"
        )
    if source.rows is not None:
        values = values[source.rows]
    if np.isinf(values).any():
        raise DataError(f"{path}: {name} holds infinite numbers; are these probabilities turned into logits?")
    return np.asarray(values, dtype=np.float32)


def _columns(origin: Path, theirs: Sequence[str], ours: Sequence[str]) -> list[int]:
    """Where each of our labels stands among the teacher's."""
    if set(theirs) != set(ours) or len(theirs) != len(ours):
        missing = sorted(set(ours) ^ set(theirs))
        raise WeightError(f"{origin} has other labels than the data; they differ in {', '.join(missing[:5])}")
    return [list(theirs).index(name) for name in ours]
