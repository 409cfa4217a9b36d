"""What is kept of a danger that a channel answered by itself; every function takes a session and blocks.

Written as Rasa's own turns are (`bot.stores.recorder`): reading, decision, answer, handoff, audit trail and
the protocol's state in one transaction, so that a human is paged and the protocol goes on from here once Rasa
is back. All of it may be repeated: whatever is there already is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.channels import record
from bot.channels.intake import Incoming
from bot.channels.lines import line
from bot.channels.spool import SpooledDanger
from bot.core.fallback import POLICY, decide
from bot.core.handoff import HandoffState
from bot.core.reading import RiskReading
from bot.core.turn import ENGLISH, PersonTurn
from bot.storage import conversations, readings, tables, turns
from bot.storage.records import Conversation
from bot.stores import recorder

NOT_READ = "danger_not_read"  # Rasa answered, but as if there were none
NOT_KEPT = "not_kept"  # the database was away


@dataclass(frozen=True)
class Care:
    """A message in danger, and what a channel says to it.

    Attributes:
        turn: the message, with the danger that was read in it.
        text: the answer, where it can be kept and a human asked in.
        helplines: ids of the lines in it.
    """

    turn: PersonTurn
    text: str
    helplines: tuple[str, ...] = field(default=())


def answer(
    session: Session, arrival: record.Arrival, care: Care, trouble: str | None, at: float
) -> str | None:
    """Answers a danger, unless that was done: then None, else the trouble that made it necessary.

    Silent towards the person while a human has the conversation; the danger is kept all the same.

    Args:
        session: the open transaction.
        arrival: of the message.
        care: the message and the answer.
        trouble: what went wrong, in a word; None when Rasa answered.
        at: seconds since 1970 UTC.
    """
    conversation = conversations.get(session, arrival.conversation_id, lock=True)
    handoff = conversation.handoff_state
    (this,) = turns.after(session, conversation.id, arrival.turn_id - 1, limit=1)
    was_read = _was_read(session, arrival.turn_id)
    if was_read and (handoff is HandoffState.HUMAN or record.was_answered(session, arrival)):
        return None
    trouble = trouble or NOT_READ
    decision = decide(care.turn, handoff, trouble)
    state = conversation.state if was_read else conversation.state.after_person(care.turn)
    entries: list[recorder.Entry] = [
        recorder.PersonEntry(this.message_id, None, care.turn, care.turn.risk),
        recorder.DecisionEntry(decision, at, care.turn.risk.level),
    ]
    if handoff is not HandoffState.HUMAN:
        entries.append(
            recorder.BotEntry(care.text, at, decision.action, POLICY, helplines=tuple(care.helplines))
        )
    recording = recorder.Recording(state.after_decision(decision), entries)
    recorder.keep(
        session, conversation, recording, {this.message_id or "": this}, dict(conversation.memory or {})
    )
    return trouble


def answer_late(session: Session, sender_id: str, channel: str, incoming: Incoming, care: Care) -> int:
    """Keeps a message that was answered while the database was away; gives its conversation's id."""
    arrival = record.arrive(session, sender_id, channel, incoming, care.turn.at)
    answer(session, arrival, care, NOT_KEPT, care.turn.at)
    return arrival.conversation_id


def take_in(session: Session, danger: SpooledDanger, digest: Callable[..., str]) -> bool:
    """Asks a human in for a danger whose words weren't kept; gives False where it is known by now.

    A turn stands for the message, and says so.

    Args:
        session: the open transaction.
        danger: from the spool.
        digest: of a sender id, or of a sender id and a message id.
    """
    conversation = _conversation_of(session, danger, digest)
    if _has_come_in(session, conversation, danger, digest):
        return False
    language = conversation.language or ENGLISH
    conversations.touch(session, conversation.id, danger.at)
    this = turns.add_person(
        session,
        conversation.id,
        message_id=f"spooled-{danger.key}",
        text=line("server.words_lost", language),
        language=language,
        at=danger.at,
    )
    arrival = record.Arrival(conversation.id, this.id, danger.at, is_new=True, was_bots_turn=True)
    risk = RiskReading(danger.level, 0.0, danger.kind)
    turn = PersonTurn("", danger.at, language=language, reply_language=language, risk=risk)
    care = Care(turn, line("server.care_given", language))
    return answer(session, arrival, care, NOT_KEPT, danger.at) is not None


def _was_read(session: Session, turn_id: int) -> bool:
    found = readings.of_turns(session, [turn_id]).get(turn_id)
    return found is not None and found.risk.level.needs_human


def _conversation_of(session: Session, danger: SpooledDanger, digest: Callable[..., str]) -> Conversation:
    """The conversation of a digest, newest first; one of its own where the sender never was written down."""
    column = tables.conversations.c
    rows = session.execute(
        sa.select(column.id, column.sender_id)
        .where(column.channel == danger.channel)
        .order_by(column.last_turn_at.desc())
    )
    for conversation_id, sender_id in rows:
        if digest(sender_id) == danger.sender:
            return conversations.get(session, int(conversation_id), lock=True)
    unknown = f"{danger.channel}-unknown-{danger.sender}"
    opened = conversations.open_conversation(session, unknown, danger.channel, at=danger.at)
    return conversations.get(session, opened.id, lock=True)


def _has_come_in(
    session: Session, conversation: Conversation, danger: SpooledDanger, digest: Callable[..., str]
) -> bool:
    """Whether the message itself has come in since, and was read: a page sends it again and again."""
    turn = tables.turns.c
    since = session.execute(
        sa.select(turn.id, turn.message_id).where(
            turn.conversation_id == conversation.id, turn.at >= danger.at, turn.message_id.is_not(None)
        )
    )
    return any(
        digest(conversation.sender_id, message_id) == danger.key and _was_read(session, turn_id)
        for turn_id, message_id in since
    )
