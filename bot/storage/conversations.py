"""Conversations and the people who hold them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.core.errors import StorageError
from bot.core.handoff import HandoffState
from bot.core.state import ConversationState
from bot.storage.inserts import insert_or_keep
from bot.storage.records import Conversation, from_row
from bot.storage.tables import conversations, people

_BY_SENDER = sa.select(conversations).where(conversations.c.sender_id == sa.bindparam("key"))
_BY_ID = sa.select(conversations).where(conversations.c.id == sa.bindparam("key"))
_UPDATE = conversations.update().where(conversations.c.id == sa.bindparam("key"))


def find(session: Session, sender_id: str, *, lock: bool = False) -> Conversation | None:
    """The conversation of a sender, or None.

    Args:
        session: the open transaction.
        sender_id: Rasa's name for the conversation.
        lock: whether to hold the row until the transaction ends, so that nobody else changes it.
    """
    return _one(session, _BY_SENDER, sender_id, lock)


def get(session: Session, conversation_id: int, *, lock: bool = False) -> Conversation:
    """The conversation with an id.

    Raises:
        StorageError: there is none.
    """
    found = _one(session, _BY_ID, conversation_id, lock)
    if found is None:
        raise StorageError(f"there is no conversation {conversation_id}")
    return found


def open_conversation(
    session: Session, sender_id: str, channel: str, language: str | None = None, *, at: float | None = None
) -> Conversation:
    """The conversation of a sender, made together with its person when it is new.

    Args:
        session: the open transaction.
        sender_id: Rasa's name for the conversation.
        channel: where it takes place.
        language: "en" or "zh", to begin with.
        at: when, seconds since 1970 UTC; now by default.
    """
    found = find(session, sender_id)
    if found is not None:
        return found
    now = time.time() if at is None else at
    insert_or_keep(
        session,
        people,
        {"channel": channel, "external_id": sender_id, "created_at": now},
        ["channel", "external_id"],
    )
    person_id = session.execute(
        sa.select(people.c.id).where(people.c.channel == channel, people.c.external_id == sender_id)
    ).scalar_one()
    insert_or_keep(
        session,
        conversations,
        {
            "person_id": person_id,
            "sender_id": sender_id,
            "channel": channel,
            "language": language,
            "state": ConversationState().to_dict(),
            "handoff_state": HandoffState.BOT.value,
            "started_at": now,
            "last_turn_at": now,
        },
        ["sender_id"],
    )
    opened = find(session, sender_id)
    if opened is None:
        raise StorageError("a conversation that was just opened is gone")
    return opened


def touch(session: Session, conversation_id: int, at: float) -> None:
    """Notes a turn at `at`. Until the transaction ends, others who want to add one wait.

    Whoever adds turns calls this (or `find(..., lock=True)`) first: it makes the turns of one
    conversation appear in the order of their ids, on which streaming them rests.
    """
    latest = sa.case((conversations.c.last_turn_at < at, at), else_=conversations.c.last_turn_at)
    session.execute(
        conversations.update().where(conversations.c.id == conversation_id).values(last_turn_at=latest)
    )


def set_values(session: Session, conversation_id: int, values: Mapping[str, Any]) -> None:
    """Sets columns of a conversation."""
    session.execute(_UPDATE, {"key": conversation_id, **values})


def person(session: Session, person_id: int) -> Mapping[str, Any]:
    """Channel, external id and time of creation of a person."""
    row = session.execute(sa.select(people).where(people.c.id == person_id)).mappings().one()
    return {"channel": row["channel"], "external_id": row["external_id"], "created_at": row["created_at"]}


def _one(session: Session, statement: Any, key: str | int, lock: bool) -> Conversation | None:
    if lock:
        statement = statement.with_for_update(key_share=True)  # no word to SQLite, which locks as a whole
    row = session.execute(statement, {"key": key}).mappings().one_or_none()
    if row is None:
        return None
    handoff = HandoffState(row["handoff_state"])
    state = replace(ConversationState.from_dict(row["state"]), handoff=handoff)
    return from_row(Conversation, row, handoff_state=handoff, state=state)
