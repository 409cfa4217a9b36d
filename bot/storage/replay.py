"""Stored conversations, streamed in order for a replay: constant memory, however many or long they are.

Conversations, turns with their readings, decisions and handoffs come over cursors of their own, in the same
order, and are merged here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.core.errors import ContractError
from bot.core.handoff import HandoffState
from bot.core.reading import RiskReading
from bot.core.replay import StoredTurn
from bot.core.turn import UNKNOWN_LANGUAGE, Author, Decision, PersonTurn, reply_language
from bot.storage import readings as stored_readings
from bot.storage.tables import conversations, decisions, handoffs, readings, turns

ROWS_AT_ONCE = 500  # fetched from the database, of each cursor

Item = TypeVar("Item")


@dataclass(frozen=True)
class StoredConversation:
    """A conversation and the person's turns in it, which must be gone through before the next one.

    Attributes:
        id: of the row.
        channel: where it took place.
        state_turns: how many turns of the person its stored state counts.
        is_older: whether that state was written by a version without `course`.
        turns: of the person, oldest first, from the beginning on.
    """

    id: int
    channel: str
    state_turns: int
    is_older: bool
    turns: Iterator[StoredTurn]


def conversations_between(session: Session, since: float, until: float) -> Iterator[StoredConversation]:
    """The conversations that a person may have written in between two times, by id.

    Their turns begin before `since`, since the state at that time rests on them, and end before `until`.

    Args:
        session: the open transaction, which must not be used otherwise meanwhile.
        since: seconds since 1970 UTC.
        until: seconds since 1970 UTC.
    """
    in_period = sa.and_(conversations.c.last_turn_at >= since, conversations.c.started_at < until)
    heads = _Ahead(_stream(session, _heads(in_period)))
    made = _Ahead(_stream(session, _decisions(in_period)))
    opened = _Ahead(_stream(session, _handoffs(in_period)))
    rows = _stream(session, _turns(in_period, until))
    for conversation_id, group in groupby(rows, key=lambda row: int(row["conversation_id"])):
        (head,) = heads.of(conversation_id)
        state = head["state"] or {}
        states = _Handoffs(list(opened.of(conversation_id)))
        conversation = StoredConversation(
            conversation_id,
            str(head["channel"]),
            int(state.get("turns") or 0),
            "course" not in state,
            _stored_turns(group, made, states, head),
        )
        yield conversation
        for _ in conversation.turns:  # what the caller left
            pass


def read_only(session: Session) -> None:
    """Lets the transaction change nothing, whatever is asked of it."""
    if session.get_bind().dialect.name == "sqlite":
        session.connection().exec_driver_sql("PRAGMA query_only=ON")
    else:
        session.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))


class _Ahead(Generic[Item]):
    """Rows by conversation, of which those of one can be taken at a time."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self._next: Item | None = next(items, None)

    def of(self, conversation_id: int, up_to: int | None = None) -> Iterator[Any]:
        """The rows of a conversation, up to a turn; those of earlier conversations are passed over."""
        while True:
            row: Any = self._next
            if row is None or row["conversation_id"] > conversation_id:
                return
            is_own = row["conversation_id"] == conversation_id
            if is_own and up_to is not None and row["turn_id"] is not None and row["turn_id"] > up_to:
                return
            self._next = next(self._items, None)
            if is_own:
                yield row


class _Handoffs:
    """Where a conversation stood at a time, from the times at which its handoffs moved."""

    def __init__(self, rows: list[Mapping[str, Any]]) -> None:
        self._rows = rows

    def at(self, at: float) -> tuple[HandoffState, int]:
        """The state just before a turn at `at` was answered, and how many handoffs had been given back."""
        returned = 0
        for row in self._rows:
            if row["opened_at"] >= at:
                continue
            if row["returned_at"] is not None and row["returned_at"] <= at:
                returned += 1
            elif row["taken_at"] is not None and row["taken_at"] <= at:
                return HandoffState.HUMAN, returned
            else:
                return HandoffState.WAITING, returned
        return (HandoffState.RETURNED if returned else HandoffState.BOT), returned


def _stored_turns(
    rows: Iterator[Any], made: _Ahead[Any], handoff_states: _Handoffs, head: Mapping[str, Any]
) -> Iterator[StoredTurn]:
    for row in rows:
        about = [one for one in made.of(head["conversation_id"], row["id"]) if one["turn_id"] == row["id"]]
        handoff, returned = handoff_states.at(row["at"])
        yield StoredTurn(
            id=int(row["id"]),
            turn=_person_turn(row, head["language"]),
            is_read=row["intent_confidence"] is not None,
            handoff=handoff,
            returned=returned,
            decisions=tuple(Decision.from_dict(one) for one in about),
        )


def _person_turn(row: Mapping[str, Any], page_language: str | None) -> PersonTurn:
    emotion, risk = None, RiskReading()
    if row["risk_level"] is not None:
        try:
            reading = stored_readings.of_row(row)
            emotion, risk = reading.emotion, reading.risk
        except (ContractError, ValueError):  # by another version: the turn is replayed without it
            pass
    language = row["language"] or UNKNOWN_LANGUAGE
    return PersonTurn(
        text=row["text"],
        at=row["at"],
        language=language,
        reply_language=reply_language(language, page_language),
        intent=row["intent"],
        intent_confidence=row["intent_confidence"] or 0.0,
        reading=emotion,
        risk=risk,
    )


def _stream(session: Session, statement: Any) -> Iterator[Any]:
    options = {"stream_results": True, "yield_per": ROWS_AT_ONCE}
    yield from session.execute(statement, execution_options=options).mappings()


def _turns(in_period: Any, until: float) -> Any:
    joined = turns.join(conversations, turns.c.conversation_id == conversations.c.id).outerjoin(
        readings, readings.c.turn_id == turns.c.id
    )
    columns = (
        turns.c.id, turns.c.conversation_id, turns.c.text, turns.c.language, turns.c.at, turns.c.intent,
        turns.c.intent_confidence,
    )  # fmt: skip
    return (
        sa.select(*columns, *readings.c)
        .select_from(joined)
        .where(in_period, turns.c.author == Author.PERSON.value, turns.c.at < until)
        .order_by(turns.c.conversation_id, turns.c.id)
    )


def _heads(in_period: Any) -> Any:
    columns = (conversations.c.channel, conversations.c.language, conversations.c.state)
    return (
        sa.select(conversations.c.id.label("conversation_id"), *columns)
        .where(in_period)
        .order_by(conversations.c.id)
    )


def _decisions(in_period: Any) -> Any:
    return (
        sa.select(decisions)
        .join(conversations, decisions.c.conversation_id == conversations.c.id)
        .where(in_period)
        .order_by(decisions.c.conversation_id, decisions.c.id)
    )


def _handoffs(in_period: Any) -> Any:
    return (
        sa.select(handoffs)
        .join(conversations, handoffs.c.conversation_id == conversations.c.id)
        .where(in_period)
        .order_by(handoffs.c.conversation_id, handoffs.c.id)
    )
