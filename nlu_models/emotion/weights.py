"""A weight folder of the emotion reader: its `config.json`, checked before anything is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nlu_models.emotion.calibration import Calibration
from nlu_models.emotion.labels import groupings_of
from nlu_models.errors import WeightError

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.json"
CARD_FILE = "MODEL_CARD.md"
HEADS = ("emotion", "vad", "embedding", "risk")
DEFAULT_HEADS = ("emotion", "vad", "embedding")


@dataclass(frozen=True)
class WeightConfig:
    """What serving has to know of a weight besides the graph itself.

    Attributes:
        name: such as "emotion-en".
        version: of the weight; readings carry it.
        languages: ISO 639-1 codes the weight was trained on.
        labels: in the order of the graph's emotion logits; GoEmotions' 28 or any others.
        thresholds: per label, the calibrated probability from which it counts, in (0, 1).
        confidence: "slope" and "intercept" of the logistic curve over the label's calibrated log-odds.
        abstain_below: the confidence under which the reader does not commit itself, [0, 1].
        max_tokens: longer texts are cut.
        embedding_width: of the sentence embedding.
        calibration: the curves that make the label probabilities mean what they say; None leaves them
            as the encoder gives them.
        group_thresholds: of each grouping that the labels allow, group to the share from which it holds.
        target_error: how often the label may be wrong where the reader commits itself, which
            `abstain_below` was chosen for; None where nobody stated it.
        max_abstained: the share of texts that `abstain_below` was allowed to cost at most, [0, 1); None where
            nobody stated it.
        trained_heads: the outputs of the graph that mean something.
    """

    name: str
    version: str
    languages: tuple[str, ...]
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    confidence: dict[str, float]
    abstain_below: float
    max_tokens: int
    embedding_width: int
    calibration: Calibration | None = None
    group_thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    target_error: float | None = None
    max_abstained: float | None = None
    trained_heads: tuple[str, ...] = DEFAULT_HEADS

    def __post_init__(self) -> None:
        if not self.labels or not all(isinstance(label, str) and label.strip() for label in self.labels):
            raise WeightError(f"labels are {list(self.labels)!r:.80}, expected at least one name")
        if len(set(self.labels)) != len(self.labels):
            twice = next(label for label in self.labels if self.labels.count(label) > 1)
            raise WeightError(f"the label {twice!r} comes twice")
        if len(self.thresholds) != len(self.labels) or not all(0.0 < t < 1.0 for t in self.thresholds):
            raise WeightError("the weight needs one threshold in (0, 1) per label")
        if set(self.confidence) != {"slope", "intercept"}:
            raise WeightError(f"confidence is {self.confidence}, expected a slope and an intercept")
        if not 0.0 <= self.abstain_below <= 1.0:
            raise WeightError(f"abstain_below is {self.abstain_below}, expected 0 to 1")
        if not 8 <= self.max_tokens <= 512:
            raise WeightError(f"max_tokens is {self.max_tokens}, expected 8 to 512")
        if self.calibration is not None and len(self.calibration.slope) != len(self.labels):
            raise WeightError(
                f"calibration has {len(self.calibration.slope)} curves, expected one per label, "
                f"{len(self.labels)}"
            )
        self._check_groups()
        if self.target_error is not None and not 0.0 < self.target_error < 1.0:
            raise WeightError(f"target_error is {self.target_error}, expected between 0 and 1")
        if self.max_abstained is not None and not 0.0 <= self.max_abstained < 1.0:
            raise WeightError(f"max_abstained is {self.max_abstained}, expected 0 or more and under 1")
        if unknown := set(self.trained_heads) - set(HEADS):
            raise WeightError(f"trained_heads has {sorted(unknown)[0]!r}, expected among {', '.join(HEADS)}")

    @property
    def model(self) -> str:
        """How readings name the weight: "<name>@<version>"."""
        return f"{self.name}@{self.version}"

    @classmethod
    def load(cls, folder: Path) -> WeightConfig:
        """The configuration of a weight folder.

        Raises:
            WeightError: the folder or its `config.json` is missing or doesn't fit this code.
        """
        path = folder / CONFIG_FILE
        try:
            data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                name=str(data["name"]),
                version=str(data["version"]),
                languages=tuple(data["languages"]),
                labels=tuple(data["labels"]),
                thresholds=tuple(float(value) for value in data["thresholds"]),
                confidence={key: float(value) for key, value in data["confidence"].items()},
                abstain_below=float(data["abstain_below"]),
                max_tokens=int(data["max_tokens"]),
                embedding_width=int(data["embedding_width"]),
                calibration=_calibration(data.get("calibration")),
                group_thresholds={
                    name: {group: float(value) for group, value in groups.items()}
                    for name, groups in data.get("group_thresholds", {}).items()
                },
                target_error=_number(data.get("target_error")),
                max_abstained=_number(data.get("max_abstained")),
                trained_heads=tuple(data.get("trained_heads", DEFAULT_HEADS)),
            )
        except OSError as error:
            raise WeightError(f"{path} can't be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightError(f"{path} is not a weight's configuration: {error!r}") from error

    def save(self, folder: Path) -> None:
        """Writes `config.json` into a weight folder."""
        text = json.dumps(asdict(self), indent=1) + "\n"
        (folder / CONFIG_FILE).write_text(text, encoding="utf-8")

    def _check_groups(self) -> None:
        allowed = groupings_of(self.labels)
        for name, groups in self.group_thresholds.items():
            if name not in allowed:
                raise WeightError(f"group_thresholds has {name!r}, which these labels can't be grouped by")
            if set(groups) != set(allowed[name]) or not all(0.0 < value < 1.0 for value in groups.values()):
                raise WeightError(f"group_thresholds of {name} need one number in (0, 1) per group")


def _calibration(fields: Any) -> Calibration | None:
    return None if fields is None else Calibration.from_dict(fields)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
