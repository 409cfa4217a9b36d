"""One turn of a conversation, and the facts about a person's turn that decisions rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from bot.core.reading import EmotionReading, RiskReading

ENGLISH = "en"
CHINESE = "zh"
LANGUAGES = (ENGLISH, CHINESE)  # that Attune answers in
UNKNOWN_LANGUAGE = "und"


class Author(str, Enum):
    """Who wrote a turn."""

    PERSON = "person"
    BOT = "bot"
    HUMAN = "human"  # of the team that runs Attune


@dataclass(frozen=True)
class PersonTurn:
    """What is known of the turn a person just wrote.

    Attributes:
        text: as it was read, cleaned of control characters.
        at: when it arrived, seconds since 1970 UTC.
        language: ISO 639-1 code, or "und" when it can't be told.
        reply_language: "en" or "zh": the language to answer in.
        intent: the intent's name, or None.
        intent_confidence: [0, 1].
        reading: the emotion, or None when nothing read it; `felt` is what decisions rest on.
        risk: the danger.
        candidates: per strategy, guidance entry id to similarity in [0, 1], for this turn.
    """

    text: str
    at: float
    language: str = ENGLISH
    reply_language: str = ENGLISH
    intent: str | None = None
    intent_confidence: float = 0.0
    reading: EmotionReading | None = None
    risk: RiskReading = field(default_factory=RiskReading)
    candidates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def felt(self) -> EmotionReading | None:
        """The emotion that decisions rest on: read in context where that was done, else from the words."""
        return self.reading.felt if self.reading is not None else None

    @classmethod
    def from_parse_data(
        cls, parse_data: Mapping[str, Any], at: float, metadata: Mapping[str, Any] | None = None
    ) -> PersonTurn:
        """The facts that the NLU pipeline attached to a message.

        Args:
            parse_data: Rasa's parse data with Attune's keys "emotion", "risk", "language", "guidance".
            at: seconds since 1970 UTC.
            metadata: of the message; "language" is the language of the page it was written on.

        Raises:
            ContractError: an attached reading is malformed.
        """
        intent = parse_data.get("intent") or {}
        emotion = parse_data.get("emotion")
        risk = parse_data.get("risk")
        page_language = (metadata or {}).get("language")
        language = parse_data.get("language") or UNKNOWN_LANGUAGE
        return cls(
            text=str(parse_data.get("text") or ""),
            at=at,
            language=language,
            reply_language=reply_language(language, page_language),
            intent=intent.get("name"),
            intent_confidence=float(intent.get("confidence") or 0.0),
            reading=EmotionReading.from_dict(emotion) if emotion else None,
            risk=RiskReading.from_dict(risk) if risk else RiskReading(),
            candidates=parse_data.get("guidance") or {},
        )


def in_context(turn: PersonTurn) -> str:
    """What the conversation changed about the reading of a turn, to follow a figure in evidence; or ""."""
    if turn.reading is None or turn.reading.context is None or not turn.reading.context.changed:
        return ""
    grounds = "; ".join(turn.reading.context.because)
    return f" (in context; by its words alone {turn.reading.label}{': ' if grounds else ''}{grounds})"


def reply_language(language: str | None, page_language: str | None) -> str:
    """The language to answer in: the message's where Attune has it, else the page's, else English."""
    for wanted in (language, page_language):
        if wanted in LANGUAGES:
            return str(wanted)
    return ENGLISH


@dataclass(frozen=True)
class Decision:
    """What was decided about a turn, and on what grounds.

    Attributes:
        action: the Rasa action that follows.
        policy: who decided.
        reason: a short stable word for the ground, such as "anger_twice".
        evidence: what it rests on, in words an operator can read.
        level: "none", "offer" or "handoff": how far it escalates.
        strategy: the guidance strategy, if one was chosen.
        confidence: [0, 1].
    """

    action: str
    policy: str
    reason: str
    evidence: tuple[str, ...] = ()
    level: str = "none"
    strategy: str | None = None
    confidence: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """The decision in its JSON form."""
        return {
            "action": self.action,
            "policy": self.policy,
            "reason": self.reason,
            "evidence": list(self.evidence),
            "level": self.level,
            "strategy": self.strategy,
            "confidence": self.confidence,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Decision:
        """The decision that `data` describes."""
        return cls(
            action=str(data["action"]),
            policy=str(data["policy"]),
            reason=str(data["reason"]),
            evidence=tuple(data.get("evidence") or ()),
            level=str(data.get("level") or "none"),
            strategy=data.get("strategy"),
            confidence=float(data.get("confidence", 1.0)),
        )
