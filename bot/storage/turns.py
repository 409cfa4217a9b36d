"""Turns: what people, the bot and humans wrote."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.core.errors import HandoffError, StorageError
from bot.core.turn import Author
from bot.storage import conversations
from bot.storage.inserts import insert_or_keep
from bot.storage.records import Turn, from_row
from bot.storage.tables import turns

_SELECT = sa.select(turns)
_BY_MESSAGE = _SELECT.where(
    turns.c.conversation_id == sa.bindparam("conversation_id"),
    turns.c.message_id.in_(sa.bindparam("message_ids", expanding=True)),
)
_SET_READ = turns.update().where(turns.c.id == sa.bindparam("key"))


def arrive(
    session: Session,
    sender_id: str,
    channel: str,
    text: str,
    message_id: str | None,
    language: str | None,
    at: float,
) -> Turn:
    """Records a person's turn the moment it arrives; the same message id is recorded once.

    Args:
        session: the open transaction.
        sender_id: Rasa's name for the conversation, which is opened when it is new.
        channel: where it was written.
        text: as written.
        message_id: the channel's id of it, unique in the conversation, or None.
        language: of the page it was written on, if known.
        at: seconds since 1970 UTC.
    """
    conversation = conversations.open_conversation(session, sender_id, channel, language, at=at)
    conversations.touch(session, conversation.id, at)
    return add_person(session, conversation.id, text=text, message_id=message_id, language=language, at=at)


def add_person(session: Session, conversation_id: int, *, message_id: str | None, **values: Any) -> Turn:
    """Adds a person's turn, or gives the one that has the message id already."""
    row = {
        "conversation_id": conversation_id,
        "message_id": message_id,
        "author": Author.PERSON.value,
        **values,
    }
    added = insert_or_keep(session, turns, row, ["conversation_id", "message_id"])
    if added is not None:
        return get(session, added)
    (found,) = by_message(session, conversation_id, [str(message_id)]).values()
    return found


def add_bot(
    session: Session,
    conversation_id: int,
    text: str,
    at: float,
    *,
    language: str | None = None,
    action: str | None = None,
    policy: str | None = None,
) -> int:
    """Adds a bot's turn and gives its id."""
    row = {
        "conversation_id": conversation_id,
        "author": Author.BOT.value,
        "text": text,
        "language": language,
        "at": at,
        "action": action,
        "policy": policy,
    }
    return int(session.execute(turns.insert(), row).inserted_primary_key[0])


def add_human(session: Session, conversation_id: int, text: str, name: str, at: float) -> Turn:
    """Adds a human's turn; takes the conversation first when it is still waiting.

    Raises:
        HandoffError: the conversation is the bot's.
    """
    from bot.storage import handoffs  # which adds turns itself

    handoff = handoffs.open_for(session, conversation_id)
    if handoff is None:
        raise HandoffError("this conversation is the bot's; nobody has asked for a human")
    if handoff.taken_at is None:
        handoffs.take(session, handoff.id, name, at)
    conversations.touch(session, conversation_id, at)
    row = {
        "conversation_id": conversation_id,
        "author": Author.HUMAN.value,
        "author_name": name,
        "text": text,
        "at": at,
    }
    return get(session, int(session.execute(turns.insert(), row).inserted_primary_key[0]))


def get(session: Session, turn_id: int) -> Turn:
    """The turn with an id.

    Raises:
        StorageError: there is none.
    """
    found = _select(session, turns.c.id == turn_id)
    if not found:
        raise StorageError(f"there is no turn {turn_id}")
    return found[0]


def set_read(
    session: Session, turn_id: int, language: str, intent: str | None, intent_confidence: float
) -> None:
    """Notes what Rasa read in a turn that had arrived before."""
    given = {"language": language, "intent": intent, "intent_confidence": intent_confidence}
    session.execute(_SET_READ, {"key": turn_id, **given})


def by_message(session: Session, conversation_id: int, message_ids: Iterable[str]) -> dict[str, Turn]:
    """The turns of a conversation that have one of the message ids, by message id."""
    wanted = list(message_ids)
    if not wanted:
        return {}
    given = {"conversation_id": conversation_id, "message_ids": wanted}
    return {str(turn.message_id): turn for turn in _records(session.execute(_BY_MESSAGE, given))}


def after(session: Session, conversation_id: int, after_id: int, limit: int = 200) -> list[Turn]:
    """The turns of a conversation with a greater id, oldest first."""
    return _select(
        session,
        turns.c.conversation_id == conversation_id,
        turns.c.id > after_id,
        order=turns.c.id,
        limit=limit,
    )


def history(session: Session, conversation_id: int, limit: int = 200) -> list[Turn]:
    """The newest turns of a conversation, oldest first."""
    found = _select(session, turns.c.conversation_id == conversation_id, order=turns.c.id.desc(), limit=limit)
    return found[::-1]


def latest_id(session: Session) -> int:
    """The greatest turn id of all conversations, 0 when there is none."""
    return int(session.execute(sa.select(sa.func.max(turns.c.id))).scalar() or 0)


def latest_of_person(session: Session, conversation_id: int) -> int | None:
    """The id of the person's newest turn, or None."""
    found = session.execute(
        sa.select(turns.c.id)
        .where(turns.c.conversation_id == conversation_id, turns.c.author == Author.PERSON.value)
        .order_by(turns.c.id.desc())
        .limit(1)
    ).scalar()
    return None if found is None else int(found)


def _select(session: Session, *conditions: Any, order: Any = None, limit: int | None = None) -> list[Turn]:
    statement = _SELECT.where(*conditions)
    if order is not None:
        statement = statement.order_by(order)
    if limit is not None:
        statement = statement.limit(limit)
    return _records(session.execute(statement))


def _records(result: Any) -> list[Turn]:
    return [from_row(Turn, row, author=Author(row["author"])) for row in result.mappings()]
