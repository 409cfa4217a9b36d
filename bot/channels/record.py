"""What the channels keep and look up: every function takes a database session and blocks.

They run in `bot.channels.pool.StoragePool`, never on the event loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.channels.intake import Incoming
from bot.channels.lines import line
from bot.core.crisis import Stage
from bot.core.escalation import OFFERING_ACTIONS
from bot.core.handoff import HandoffState
from bot.core.turn import Author
from bot.storage import conversations, handoffs, readings, tables, turns
from bot.storage.records import Turn
from bot.storage.views import turn_json

APOLOGY_ACTION = "channel_apology"
ASKED_ACTION = "channel_asked_human"
OFFERS = frozenset({APOLOGY_ACTION, *OFFERING_ACTIONS})  # turns under which the page puts the button
BUTTON_REASON = "asked_for_human"
HISTORY_TURNS = 200
PAGE_TURNS = 200  # turns sent at once
LOOK_BACK_IDS = 100  # ids of other conversations' turns may still appear, as transactions end


@dataclass(frozen=True)
class Arrival:
    """A message that has been kept.

    Attributes:
        conversation_id: where.
        turn_id: of the person's turn.
        at: when it first arrived, seconds since 1970 UTC.
        is_new: whether this call kept it, rather than an earlier one with the same message id.
        was_bots_turn: whether the bot was to answer when it arrived.
    """

    conversation_id: int
    turn_id: int
    at: float
    is_new: bool
    was_bots_turn: bool


@dataclass(frozen=True)
class News:
    """What a reader of a conversation hasn't seen.

    Attributes:
        turns: in their JSON form, oldest first.
        readings: turns sent before, now with their reading.
        handoff: whose turn it is, {"state", "name"}.
    """

    turns: list[dict[str, Any]]
    readings: list[dict[str, Any]]
    handoff: dict[str, Any]


@dataclass(frozen=True)
class Changes:
    """Where the poller stands.

    Attributes:
        latest_id: the newest turn.
        recent: the ids near it that were seen.
        states: handoff states of the conversations listened to.
        changed: conversations to look at again.
    """

    latest_id: int
    recent: frozenset[int]
    states: Mapping[int, str]
    changed: frozenset[int] = field(default=frozenset())


def arrive(session: Session, sender_id: str, channel: str, incoming: Incoming, at: float) -> Arrival:
    """Keeps a person's message; with a message id that is known, finds the one kept before."""
    turn = turns.arrive(
        session, sender_id, channel, incoming.text, incoming.message_id, incoming.language, at
    )
    was_bots_turn = _is_bots_turn(session, turn.conversation_id)
    return Arrival(turn.conversation_id, turn.id, turn.at, turn.at == at, was_bots_turn)


def is_settled(session: Session, arrival: Arrival) -> bool:
    """Whether a message needs nothing more: Rasa went through it, it was answered, or a human has it."""
    if not _is_bots_turn(session, arrival.conversation_id):
        return True
    (this,) = turns.after(session, arrival.conversation_id, arrival.turn_id - 1, limit=1)
    return this.intent_confidence is not None or was_answered(session, arrival)


def was_answered(session: Session, arrival: Arrival) -> bool:
    """Whether anybody but the person has said something since a message."""
    later = turns.after(session, arrival.conversation_id, arrival.turn_id, limit=PAGE_TURNS)
    return any(turn.author is not Author.PERSON for turn in later)


def own_up(
    session: Session,
    arrival: Arrival,
    language: str,
    at: float,
    apology: str | None = None,
    in_crisis: str | None = None,
) -> bool:
    """Keeps a line for a message that got no answer; gives whether there was need for one.

    While a human is asked in or has the conversation, silence is right; only when this very message had the
    human asked in, and nothing was said about it, is that said. Somebody in danger is never left in silence.

    Args:
        session: the open transaction.
        arrival: of the message.
        language: to write in.
        at: seconds since 1970 UTC.
        apology: what to say instead of the usual sentence.
        in_crisis: what to say while danger is open in the conversation, though a human is waited for.
    """
    conversation = conversations.get(session, arrival.conversation_id, lock=True)
    state = conversation.handoff_state
    is_open = conversation.state.crisis.stage not in (Stage.NONE, Stage.CLOSING)
    if in_crisis is not None and is_open and state is not HandoffState.HUMAN:
        text, action = in_crisis, APOLOGY_ACTION
    elif state.is_bots_turn:
        text, action = apology or line("server.apology", language), APOLOGY_ACTION
    elif state is HandoffState.WAITING and arrival.was_bots_turn and not was_answered(session, arrival):
        text, action = line("server.asked", language), ASKED_ACTION
    else:
        return False
    _say(session, arrival.conversation_id, text, language, action, at)
    return True


def ask_human(session: Session, sender_id: str, channel: str, language: str, at: float) -> int:
    """Asks a human in, says so once, and gives the conversation's id."""
    conversation = conversations.open_conversation(session, sender_id, channel, language, at=at)
    if _is_bots_turn(session, conversation.id, lock=True):
        evidence = [line("server.button_evidence", "en")]
        level = conversation.state.crisis.level.value
        handoffs.open_handoff(session, conversation.id, BUTTON_REASON, level, evidence, at)
        _say(session, conversation.id, line("server.asked", language), language, ASKED_ACTION, at)
    return conversation.id


def conversation_id(session: Session, sender_id: str) -> int | None:
    """The conversation of a sender, if there is one yet."""
    found = conversations.find(session, sender_id)
    return None if found is None else found.id


def answer(session: Session, arrival: Arrival) -> dict[str, Any]:
    """The answer to a message: the person's own turn, the turns after it, and whose turn it is."""
    found = turns.after(session, arrival.conversation_id, arrival.turn_id - 1, limit=PAGE_TURNS)
    own, *later = _views(session, found)
    return {"turn": own, "turns": later, "handoff": _handoff(session, arrival.conversation_id)}


def history(session: Session, sender_id: str) -> dict[str, Any]:
    """The latest turns of a sender, oldest first, and whose turn it is."""
    found = conversation_id(session, sender_id)
    if found is None:
        return {"turns": [], "handoff": {"state": HandoffState.BOT.value, "name": None}}
    return {
        "turns": _views(session, turns.history(session, found, limit=HISTORY_TURNS)),
        "handoff": _handoff(session, found),
    }


def news(session: Session, conversation: int, after_id: int, unread: tuple[int, ...] = ()) -> News:
    """What came after a turn, and those of the `unread` turn ids that have been read since."""
    read = readings.of_turns(session, unread)
    seen = []
    if read:
        again = turns.after(session, conversation, min(read) - 1, limit=PAGE_TURNS)
        seen = _views(session, [turn for turn in again if turn.id in read])
    fresh = turns.after(session, conversation, after_id, limit=PAGE_TURNS)
    return News(_views(session, fresh), seen, _handoff(session, conversation))


def changes(session: Session, before: Changes | None, listened: frozenset[int]) -> Changes:
    """Which of the conversations listened to have a new turn or another handoff state."""
    conversation, turn = tables.conversations.c, tables.turns.c
    states: dict[int, str] = {
        row[0]: row[1]
        for row in session.execute(
            sa.select(conversation.id, conversation.handoff_state).where(conversation.id.in_(listened))
        )
    }
    if before is None:
        return Changes(turns.latest_id(session), frozenset(), states, listened)
    changed = {key for key, state in states.items() if before.states.get(key) != state}
    rows = session.execute(
        sa.select(turn.id, turn.conversation_id).where(turn.id > before.latest_id - LOOK_BACK_IDS)
    ).all()
    changed |= {row[1] for row in rows if row[0] not in before.recent}
    recent = frozenset(row[0] for row in rows)
    return Changes(max(recent, default=before.latest_id), recent, states, frozenset(changed & listened))


def _say(session: Session, conversation: int, text: str, language: str, action: str, at: float) -> None:
    conversations.touch(session, conversation, at)
    turns.add_bot(session, conversation, text, at, language=language, action=action)


def _views(session: Session, found: list[Turn]) -> list[dict[str, Any]]:
    """Turns as the page gets them: the common form, the client's message id, and whether to offer a human."""
    read = readings.of_turns(session, [turn.id for turn in found if turn.author is Author.PERSON])
    return [
        {
            **turn_json(turn, read.get(turn.id)),
            "message_id": turn.message_id,
            "offers_human": turn.action in OFFERS,
        }
        for turn in found
    ]


def _is_bots_turn(session: Session, conversation: int, lock: bool = False) -> bool:
    return conversations.get(session, conversation, lock=lock).handoff_state.is_bots_turn


def _handoff(session: Session, conversation: int) -> dict[str, Any]:
    state = conversations.get(session, conversation).handoff_state
    taken_by = None
    if state is HandoffState.HUMAN:
        handoff = handoffs.open_for(session, conversation)
        taken_by = handoff.taken_by if handoff is not None else None
    return {"state": state.value, "name": taken_by}
