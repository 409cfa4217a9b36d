"""What the database gives back: frozen records, safe to keep once the session is closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from bot.core.correction import CorrectionSource, CorrectionStatus
from bot.core.handoff import HandoffState
from bot.core.reading import EmotionReading, RiskReading
from bot.core.state import ConversationState
from bot.core.turn import Author, Decision


@dataclass(frozen=True)
class Conversation:
    """One person's conversation on one channel.

    Attributes:
        id: of the row.
        person_id: whose it is.
        sender_id: Rasa's name for it.
        channel: where it takes place.
        language: "en" or "zh", the language to write in; None before the first turn was read.
        state: with `handoff` as the handoffs table has it.
        memory: what Rasa's tracker held beyond its window when it was last saved.
        handoff_state: whose turn it is.
        started_at: seconds since 1970 UTC.
        last_turn_at: seconds since 1970 UTC.
    """

    id: int
    person_id: int
    sender_id: str
    channel: str
    language: str | None
    state: ConversationState
    memory: Mapping[str, Any] | None
    handoff_state: HandoffState
    started_at: float
    last_turn_at: float


@dataclass(frozen=True)
class Turn:
    """One turn of a person, the bot or a human.

    Attributes:
        id: of the row; turns of a conversation become visible in the order of their ids.
        conversation_id: where it was written.
        message_id: the channel's id of it, if any.
        author: who wrote it.
        author_name: the human's name, for a human's turn.
        text: as written.
        language: ISO 639-1 code, "und", or None.
        at: seconds since 1970 UTC.
        intent: of a person's turn that Rasa has read.
        intent_confidence: [0, 1]; None until Rasa has read the turn.
        action: that made a bot's turn.
        policy: that chose the action.
    """

    id: int
    conversation_id: int
    message_id: str | None
    author: Author
    author_name: str | None
    text: str
    language: str | None
    at: float
    intent: str | None = None
    intent_confidence: float | None = None
    action: str | None = None
    policy: str | None = None


@dataclass(frozen=True)
class TurnReading:
    """What was read from one person's turn; `emotion` is None when nothing could read it."""

    turn_id: int
    emotion: EmotionReading | None
    risk: RiskReading


@dataclass(frozen=True)
class TurnDecision:
    """A decision, and the person's turn it was about (None when there was none)."""

    id: int
    turn_id: int | None
    decision: Decision
    at: float


@dataclass(frozen=True)
class ShownGuidance:
    """An entry of the guidance library that a bot's turn showed."""

    guidance_id: str
    turn_id: int
    strategy: str | None
    similarity: float | None
    at: float


@dataclass(frozen=True)
class Handoff:
    """A request for a human, and what became of it.

    Attributes:
        id: of the row.
        conversation_id: that a human is wanted in.
        state: waiting, human or returned.
        reason: the decision's short word for it.
        level: the risk level of the turn that led to it.
        evidence: what it rests on, in words.
        opened_at: seconds since 1970 UTC.
        taken_at: seconds since 1970 UTC, or None.
        taken_by: the human's name, or None.
        returned_at: seconds since 1970 UTC, or None.
        returned_by: the human's name, or None.
    """

    id: int
    conversation_id: int
    state: HandoffState
    reason: str
    level: str
    evidence: tuple[str, ...]
    opened_at: float
    taken_at: float | None = None
    taken_by: str | None = None
    returned_at: float | None = None
    returned_by: str | None = None


@dataclass(frozen=True)
class Correction:
    """What the emotion of a text really is, by somebody who should know.

    Attributes:
        id: of the row.
        created_at: seconds since 1970 UTC.
        decided_at: when somebody last said so, or turned it down; seconds since 1970 UTC.
        text: that was read.
        labels: the right ones; empty while nobody has said which.
        source: who says so.
        author: the agent's name, if given.
        turn_id: the person's turn that the text is from, if it is from one.
        model: which weight read it, if one did.
        reading: the label, labels and confidence it read.
        status: whether it may be trained on, or has been.
        used_in: the runs that were trained on it, the last one last.
        note: in the author's words.
    """

    id: int
    created_at: float
    decided_at: float
    text: str
    labels: tuple[str, ...]
    source: CorrectionSource
    author: str | None
    turn_id: int | None
    model: str | None
    reading: Mapping[str, Any] | None
    status: CorrectionStatus
    used_in: tuple[str, ...]
    note: str | None


@dataclass(frozen=True)
class Contradiction:
    """A person's turn, and the later one in which they said that it was read wrongly."""

    turn: Turn
    reading: TurnReading | None
    said_by: Turn


Record = TypeVar("Record")


def from_row(record: type[Record], row: Any, **converted: Any) -> Record:
    """The record of a row; fields given in `converted` replace the row's own values."""
    values = {
        field.name: row[field.name]
        for field in fields(record)  # type: ignore[arg-type]
        if field.name not in converted
    }
    return record(**values, **converted)
