"""The danger model: one linear layer per language, small enough to read every message with.

English reads the shared encoder's sentence embedding, its labels and axes, and hashed words; Chinese,
which that encoder doesn't read, hashed runs of characters. Each output is a logistic curve over a sum of
weights, calibrated on rows held out of the fit (Platt, 1999). The probabilities hold where danger and
harmless talk are equally frequent; in a stream of everyday talk danger is rarer, and so is a given score.

The model only ever adds to the reviewed patterns (`join`). Without it they go on alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.errors import WeightError
from nlu_models.risk.features import GRAM_SCALE, PLACES, Floats, places
from nlu_models.risk.words import KINDS

FORMAT = 1  # of config.json; another one is refused
CONFIG_FILE = "config.json"
ARRAYS_FILE = "model.npz"
CARD_FILE = "MODEL_CARD.md"
METRICS_FILE = "metrics.json"
MAX_BYTES = 1_000_000  # of a weight folder's arrays

FLAGGED, DANGER, CRISIS = 0, 1, 2  # places of the outputs that are levels; kinds follow
OUTPUTS: tuple[str, ...] = ("flagged", "danger", "crisis", *KINDS)
THRESHOLDS: tuple[str, ...] = ("lower_below", "concern", "high", "crisis", "kind")
LARGEST_LOGIT = 30.0


@dataclass(frozen=True)
class Thresholds:
    """From which probabilities the model changes what the patterns read.

    Attributes:
        lower_below: probability of `flagged` under which a concern of the patterns becomes none.
        concern: of `flagged`, from which none becomes a concern.
        high: of `danger`, from which a lower level becomes high.
        crisis: of `crisis`, from which what the model finds high is a crisis.
        kind: of a kind, from which it is believed over the patterns' where they found only a concern.
    """

    lower_below: float
    concern: float
    high: float
    crisis: float
    kind: float

    def __post_init__(self) -> None:
        for name in THRESHOLDS:
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0.0 <= value <= 1.01:
                raise WeightError(f"the threshold {name} is {value!r}, expected 0 to 1")


@dataclass(frozen=True)
class Scores:
    """What the model makes of a text: calibrated probabilities in [0, 1].

    Attributes:
        flagged: that it is worth at least a careful answer.
        danger: that a human must be asked in.
        crisis: that the danger is now or soon.
        kinds: per kind of KINDS, that the text speaks of it.
        evidence: the part of the text that decided.
    """

    flagged: float
    danger: float
    crisis: float
    kinds: tuple[float, ...]
    evidence: str = ""

    @property
    def kind(self) -> str:
        """The most probable kind; the first of equals."""
        return KINDS[max(range(len(KINDS)), key=lambda place: (self.kinds[place], -place))]


@dataclass(frozen=True)
class Linear:
    """The layer of one language.

    Attributes:
        grams: (PLACES, outputs) int8, to be multiplied with `scale`.
        scale: (outputs,) float32.
        columns: (encoder columns, outputs) float32; without rows where the encoder isn't read.
        bias: (outputs,) float32.
        slope: (outputs,) float32, of the calibration.
        intercept: (outputs,) float32, of the calibration.
    """

    grams: NDArray[np.int8]
    scale: Floats
    columns: Floats
    bias: Floats
    slope: Floats
    intercept: Floats

    def logits(self, text: str, language: str, columns: Floats | None = None) -> Floats:
        """Calibrated log-odds (outputs,) of a text in plain words.

        Args:
            text: at most a window.
            language: how it is cut.
            columns: (encoder columns,), where the layer has any.
        """
        sums = self._gram_sums(text, language) + self.bias
        if columns is not None and len(self.columns):
            sums = sums + columns @ self.columns
        logits: Floats = self.slope * sums + self.intercept
        return logits

    def gram_danger(self, text: str, language: str) -> float:
        """How much the words of a text speak for danger, to compare its sentences by."""
        found = places(text, language)
        if not found:
            return -np.inf
        return float(self.grams[found, DANGER].sum(dtype=np.int32) / math.sqrt(len(found)))

    def _gram_sums(self, text: str, language: str) -> Floats:
        found = places(text, language)
        if not found:
            return np.zeros(len(OUTPUTS), dtype=np.float32)
        sums: Floats = self.grams[found].sum(axis=0, dtype=np.int32) * (
            self.scale * GRAM_SCALE / math.sqrt(len(found))
        )
        return sums


@dataclass(frozen=True)
class RiskModel:
    """The layers of all languages, with their thresholds.

    Attributes:
        name: such as "risk".
        version: of the weight.
        encoder_sha256: of the `model.onnx` whose embeddings the English layer was fitted on.
        layers: language to layer.
        thresholds: language to thresholds.
    """

    name: str
    version: str
    encoder_sha256: str
    layers: Mapping[str, Linear]
    thresholds: Mapping[str, Thresholds]

    @classmethod
    def load(cls, folder: Path) -> RiskModel:
        """The model of a weight folder.

        Raises:
            WeightError: the folder is incomplete, damaged or of another format.
        """
        config = _read_config(folder)
        try:
            with np.load(folder / ARRAYS_FILE, allow_pickle=False) as arrays:
                layers = {language: _layer(arrays, language) for language in config["languages"]}
            return cls(
                name=str(config["name"]),
                version=str(config["version"]),
                encoder_sha256=str(config["encoder_sha256"]),
                layers=layers,
                thresholds={
                    language: Thresholds(**config["thresholds"][language]) for language in config["languages"]
                },
            )
        except WeightError:
            raise
        # A truncated archive raises whatever zipfile, zlib or numpy happen to stumble over.
        except Exception as error:
            raise WeightError(f"{folder} holds no danger model: {error!r:.200}; fit it again") from error

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is stored of the layers, by name."""
        fields = ("grams", "scale", "columns", "bias", "slope", "intercept")
        return {
            f"{language}_{name}": getattr(layer, name)
            for language, layer in self.layers.items()
            for name in fields
        }


def scores_of(logits: Floats, evidence: str = "") -> Scores:
    """Probabilities from calibrated log-odds (outputs,)."""
    # Not numpy, which takes longer on so few numbers.
    limited = [min(max(logit, -LARGEST_LOGIT), LARGEST_LOGIT) for logit in logits.tolist()]
    found = [1.0 / (1.0 + math.exp(-logit)) for logit in limited]
    return Scores(found[FLAGGED], found[DANGER], found[CRISIS], tuple(found[CRISIS + 1 :]), evidence)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightError(f"{path} can't be read: {error}") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        found = config.get("format") if isinstance(config, dict) else None
        raise WeightError(f"{path} has the format {found!r}, expected {FORMAT}; fit it again")
    if config.get("outputs") != list(OUTPUTS):
        raise WeightError(f"{path} has the outputs {config.get('outputs')!r:.80}, expected {list(OUTPUTS)}")
    return config


def _layer(arrays: Any, language: str) -> Linear:
    layer = Linear(
        **{
            name: arrays[f"{language}_{name}"]
            for name in ("grams", "scale", "columns", "bias", "slope", "intercept")
        }
    )
    if layer.grams.shape != (PLACES, len(OUTPUTS)) or layer.grams.dtype != np.int8:
        raise WeightError(f"the layer of {language!r} has grams {layer.grams.shape}, {layer.grams.dtype}")
    if layer.columns.ndim != 2 or layer.columns.shape[1] != len(OUTPUTS):
        raise WeightError(f"the layer of {language!r} has columns {layer.columns.shape}")
    for name in ("scale", "columns", "bias", "slope", "intercept"):
        values = getattr(layer, name)
        if values.shape[-1] != len(OUTPUTS) or not np.isfinite(values).all():
            raise WeightError(f"the layer of {language!r} has unusable {name}")
    return layer
