"""The JSON forms in which turns, handoffs and whole conversations leave the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from bot.core.turn import Author
from bot.storage import conversations, decisions, guidance, readings, turns
from bot.storage.records import Conversation, Handoff, Turn, TurnDecision, TurnReading

SHOWN_TURNS = 200


def turn_json(turn: Turn, reading: TurnReading | None) -> dict[str, Any]:
    """A turn as pages show it."""
    return {
        "id": turn.id,
        "author": turn.author.value,
        "name": turn.author_name,
        "text": turn.text,
        "at": turn.at,
        "language": turn.language,
        "reading": _reading_json(turn, reading),
    }


def turns_json(session: Session, shown: Sequence[Turn]) -> list[dict[str, Any]]:
    """Turns as pages show them, with their readings, in two statements at most."""
    read = readings.of_turns(session, [turn.id for turn in shown if turn.author is Author.PERSON])
    return [turn_json(turn, read.get(turn.id)) for turn in shown]


def handoff_json(handoff: Handoff) -> dict[str, Any]:
    """A handoff by itself."""
    return {**asdict(handoff), "state": handoff.state.value, "evidence": list(handoff.evidence)}


def summary_json(session: Session, handoff: Handoff) -> dict[str, Any]:
    """A handoff, whose it is, and the newest turn: one entry of a list."""
    conversation = conversations.get(session, handoff.conversation_id)
    newest = turns.history(session, conversation.id, limit=1)
    return {
        **handoff_json(handoff),
        "sender_id": conversation.sender_id,
        "channel": conversation.channel,
        "language": conversation.language,
        "latest_turn": turn_json(newest[0], None) if newest else None,
    }


def conversation_json(
    session: Session, conversation: Conversation, handoff: Handoff | None = None
) -> dict[str, Any]:
    """The whole picture of a conversation: what a human needs to take over."""
    shown = turns.history(session, conversation.id, limit=SHOWN_TURNS)
    read = readings.of_turns(session, [turn.id for turn in shown])
    return {
        "handoff": handoff_json(handoff) if handoff else None,
        "conversation": {
            "id": conversation.id,
            "sender_id": conversation.sender_id,
            "channel": conversation.channel,
            "language": conversation.language,
            "handoff_state": conversation.handoff_state.value,
            "started_at": conversation.started_at,
            "last_turn_at": conversation.last_turn_at,
            "state": conversation.state.to_dict(),
        },
        "person": dict(conversations.person(session, conversation.person_id)),
        "turns": [_whole_turn_json(turn, read.get(turn.id)) for turn in shown],
        "decisions": [_decision_json(made) for made in decisions.of_conversation(session, conversation.id)],
        "guidance_shown": [asdict(shown) for shown in guidance.of_conversation(session, conversation.id)],
    }


def _whole_turn_json(turn: Turn, reading: TurnReading | None) -> dict[str, Any]:
    return {
        **turn_json(turn, reading),
        "intent": turn.intent,
        "intent_confidence": turn.intent_confidence,
        "action": turn.action,
        "policy": turn.policy,
        "risk": reading.risk.to_dict() if reading else None,
    }


def _reading_json(turn: Turn, reading: TurnReading | None) -> dict[str, Any] | None:
    if reading is None or reading.emotion is None:
        return None
    emotion = reading.emotion
    return {
        "label": emotion.label,
        "confidence": emotion.confidence,
        "valence": emotion.valence,
        "arousal": emotion.arousal,
        "dominance": emotion.dominance,
        "abstained": emotion.abstained,
        "degraded": emotion.degraded,
        "language": turn.language,
    }


def _decision_json(made: TurnDecision) -> dict[str, Any]:
    return {"id": made.id, "turn_id": made.turn_id, "at": made.at, **made.decision.to_dict()}
