"""What was read from one turn: the emotion, and the risk.

The JSON forms are the contract of `docs/contracts.md`: the same in parse data, SQL, REST and
`attune annotate`. Models produce them; everything else only reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import Any

from bot.core.errors import ContractError

ANGER_SHARE = 0.45  # of the Ekman shares, from which a turn counts as angry
NEUTRAL_VALENCE = -0.05  # below this a turn counts as negative


@dataclass(frozen=True)
class ContextReading:
    """The emotion of one turn as the conversation before it lets it be read.

    Attributes:
        label: the most probable emotion.
        ekman: shares of the six Ekman groups and neutral, summing to 1.
        valence: unpleasant to pleasant, [-1, 1].
        confidence: the chance that `label` is right, [0, 1].
        abstained: whether nothing may rest on it.
        changed: whether its Ekman group is another than that of the words alone.
        because: what the change rests on, in words an operator can read; empty without one.
        model: which weight read it.
    """

    label: str
    ekman: Mapping[str, float] = field(default_factory=dict)
    valence: float = 0.0
    confidence: float = 0.0
    abstained: bool = False
    changed: bool = False
    because: tuple[str, ...] = ()
    model: str = ""

    def __post_init__(self) -> None:
        if not -1.0 <= self.valence <= 1.0:
            raise ContractError(f"valence in context is {self.valence}, expected -1 to 1")
        if not 0.0 <= self.confidence <= 1.0:
            raise ContractError(f"confidence in context is {self.confidence}, expected 0 to 1")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ContextReading:
        """The reading that `data` describes.

        Raises:
            ContractError: a field is missing, unknown or out of range.
        """
        try:
            return cls(**{**data, "because": tuple(data["because"])})
        except (KeyError, TypeError) as error:
            raise ContractError(f"not a reading in context: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """The reading in its JSON form."""
        return {
            "label": self.label,
            "ekman": dict(self.ekman),
            "valence": self.valence,
            "confidence": self.confidence,
            "abstained": self.abstained,
            "changed": self.changed,
            "because": list(self.because),
            "model": self.model,
        }


@dataclass(frozen=True)
class EmotionReading:
    """The emotion of one turn.

    Attributes:
        label: the most probable emotion of `scores`.
        labels: the emotions over their tuned thresholds, most probable first; may be empty.
        scores: the 28 GoEmotions labels with independent probabilities in [0, 1].
        ekman: shares of the six Ekman groups and neutral, summing to 1.
        sentiment: shares of positive, negative, ambiguous and neutral, summing to 1.
        valence: unpleasant to pleasant, [-1, 1].
        arousal: calm to excited, [-1, 1].
        dominance: powerless to in control, [-1, 1].
        confidence: the chance that `label` is right, [0, 1].
        abstained: whether the reader declined to commit itself; then nothing may rest on the label.
        degraded: whether a fallback stood in for the model.
        modalities: which of "text", "voice" and "face" were read.
        model: which weight read it.
        context: the same turn read with the conversation before it; None where nothing did so.
    """

    label: str
    labels: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    ekman: Mapping[str, float] = field(default_factory=dict)
    sentiment: Mapping[str, float] = field(default_factory=dict)
    valence: float = 0.0
    arousal: float = 0.0
    dominance: float = 0.0
    confidence: float = 0.0
    abstained: bool = False
    degraded: bool = False
    modalities: tuple[str, ...] = ("text",)
    model: str = ""
    context: ContextReading | None = None

    def __post_init__(self) -> None:
        for axis in ("valence", "arousal", "dominance"):
            if not -1.0 <= getattr(self, axis) <= 1.0:
                raise ContractError(f"{axis} is {getattr(self, axis)}, expected -1 to 1")
        if not 0.0 <= self.confidence <= 1.0:
            raise ContractError(f"confidence is {self.confidence}, expected 0 to 1")

    @property
    def is_trusted(self) -> bool:
        """Whether decisions may rest on this reading."""
        return not (self.abstained or self.degraded)

    @property
    def felt(self) -> EmotionReading:
        """What decisions rest on: the reading in context where there is one, else this one.

        The scores of the 28 labels, arousal and dominance remain those of the words alone.
        """
        context = self.context
        if context is None:
            return self
        return replace(
            self,
            label=context.label,
            labels=(context.label,) if context.changed else self.labels,
            ekman=context.ekman,
            valence=context.valence,
            confidence=context.confidence,
            abstained=context.abstained,
            degraded=self.degraded and context.abstained,
            context=None,
        )

    @property
    def is_angry(self) -> bool:
        """Whether the turn is angry enough to count towards an escalation."""
        return self.is_trusted and self.ekman.get("anger", 0.0) >= ANGER_SHARE and self.valence < 0.0

    @property
    def is_negative(self) -> bool:
        """Whether the turn is unpleasant for the person, as far as can be told."""
        return self.is_trusted and self.valence < NEUTRAL_VALENCE and self.label != "neutral"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EmotionReading:
        """The reading that `data` describes.

        Raises:
            ContractError: a field is missing, unknown or out of range.
        """
        try:
            context = data.get("context")
            values = {
                **data,
                "labels": tuple(data["labels"]),
                "modalities": tuple(data["modalities"]),
                "context": ContextReading.from_dict(context) if context is not None else None,
            }
            return cls(**values)
        except (AttributeError, KeyError, TypeError) as error:
            raise ContractError(f"not an emotion reading: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """The reading in its JSON form; "context" is in it only where there is one."""
        data = asdict(self)
        data["labels"] = list(self.labels)
        data["modalities"] = list(self.modalities)
        del data["context"]
        if self.context is not None:
            data["context"] = self.context.to_dict()
        return data


class RiskLevel(str, Enum):
    """How much danger a turn speaks of, in rising order."""

    NONE = "none"
    CONCERN = "concern"
    HIGH = "high"
    CRISIS = "crisis"

    @property
    def needs_human(self) -> bool:
        """Whether a human has to be asked in at once."""
        return self in (RiskLevel.HIGH, RiskLevel.CRISIS)


class RiskKind(str, Enum):
    """What the danger is."""

    SELF_HARM = "self_harm"
    HARM_TO_OTHERS = "harm_to_others"
    ABUSE = "abuse"
    MEDICAL = "medical"


@dataclass(frozen=True)
class RiskReading:
    """The danger read from one turn.

    Attributes:
        level: how much.
        score: [0, 1].
        kind: of what; None when the level is none.
        evidence: the words it rests on.
    """

    level: RiskLevel = RiskLevel.NONE
    score: float = 0.0
    kind: RiskKind | None = None
    evidence: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RiskReading:
        """The reading that `data` describes.

        Raises:
            ContractError: a field is missing or has a value that isn't known.
        """
        try:
            kind = data["kind"]
            return cls(
                RiskLevel(data["level"]),
                float(data["score"]),
                RiskKind(kind) if kind is not None else None,
                tuple(data["evidence"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ContractError(f"not a risk reading: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """The reading in its JSON form."""
        return {
            "level": self.level.value,
            "score": self.score,
            "kind": self.kind.value if self.kind else None,
            "evidence": list(self.evidence),
        }
