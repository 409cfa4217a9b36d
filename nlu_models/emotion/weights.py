"""A weight folder of the emotion reader: its `config.json`, checked before anything is loaded."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.errors import WeightError

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.json"
CARD_FILE = "MODEL_CARD.md"


@dataclass(frozen=True)
class WeightConfig:
    """What serving has to know of a weight besides the graph itself.

    Attributes:
        name: such as "emotion-en".
        version: of the weight; readings carry it.
        languages: ISO 639-1 codes the weight was trained on.
        labels: in the order of the graph's emotion logits.
        thresholds: per label, the probability from which it counts, in (0, 1).
        confidence: "slope" and "intercept" of the logistic curve over the label's log-odds.
        abstain_below: the confidence under which the reader does not commit itself, [0, 1].
        max_tokens: longer texts are cut.
        embedding_width: of the sentence embedding.
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

    def __post_init__(self) -> None:
        if self.labels != GOEMOTIONS:
            raise WeightError(
                f"the weight has {len(self.labels)} labels that are not GoEmotions' 28 in order"
            )
        if len(self.thresholds) != len(self.labels) or not all(0.0 < t < 1.0 for t in self.thresholds):
            raise WeightError("the weight needs one threshold in (0, 1) per label")
        if set(self.confidence) != {"slope", "intercept"}:
            raise WeightError(f"confidence is {self.confidence}, expected a slope and an intercept")
        if not 0.0 <= self.abstain_below <= 1.0:
            raise WeightError(f"abstain_below is {self.abstain_below}, expected 0 to 1")
        if not 8 <= self.max_tokens <= 512:
            raise WeightError(f"max_tokens is {self.max_tokens}, expected 8 to 512")

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
            )
        except OSError as error:
            raise WeightError(f"{path} can't be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightError(f"{path} is not a weight's configuration: {error!r}") from error

    def save(self, folder: Path) -> None:
        """Writes `config.json` into a weight folder."""
        text = json.dumps(asdict(self), indent=1) + "\n"
        (folder / CONFIG_FILE).write_text(text, encoding="utf-8")
