"""Rasa's own events, as its trackers are made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.storage.tables import tracker_events


@dataclass(frozen=True)
class StoredEvent:
    """One event.

    Attributes:
        type_name: Rasa's name of its kind.
        timestamp: seconds since 1970 UTC, or None.
        data: JSON of the event, as Rasa dumps it.
        id: of the row; 0 before it is stored.
    """

    type_name: str
    timestamp: float | None
    data: str
    id: int = 0


_COLUMNS = (
    tracker_events.c.type_name,
    tracker_events.c.timestamp,
    tracker_events.c.data,
    tracker_events.c.id,
)
_NEWEST = (
    sa.select(*_COLUMNS)
    .where(tracker_events.c.sender_id == sa.bindparam("sender_id"))
    .order_by(tracker_events.c.id.desc())
)
_NEWEST_ID = sa.select(sa.func.max(tracker_events.c.id)).where(
    tracker_events.c.sender_id == sa.bindparam("sender_id")
)


def append(session: Session, sender_id: str, events: Sequence[StoredEvent]) -> int:
    """Adds events and gives the id of the last.

    Raises:
        ValueError: there are none.
    """
    if not events:
        raise ValueError("no events to add")
    rows = [
        {
            "sender_id": sender_id,
            "type_name": event.type_name,
            "timestamp": event.timestamp,
            "data": event.data,
        }
        for event in events
    ]
    if len(rows) > 1:
        session.execute(tracker_events.insert(), rows[:-1])
    last = session.execute(tracker_events.insert(), rows[-1])
    return int(last.inserted_primary_key[0])


def newest(session: Session, sender_id: str, limit: int | None) -> list[StoredEvent]:
    """The newest events of a sender (all for None), oldest first."""
    statement = _NEWEST if limit is None else _NEWEST.limit(limit)
    return [StoredEvent(*row) for row in session.execute(statement, {"sender_id": sender_id})][::-1]


def newest_id(session: Session, sender_id: str) -> int:
    """The id of a sender's newest event, 0 when there is none."""
    return int(session.execute(_NEWEST_ID, {"sender_id": sender_id}).scalar() or 0)


def stamps(session: Session, sender_id: str, limit: int) -> Counter[tuple[str, float | None]]:
    """How often each (kind, timestamp) occurs among a sender's newest events."""
    rows = session.execute(
        sa.select(tracker_events.c.type_name, tracker_events.c.timestamp)
        .where(tracker_events.c.sender_id == sender_id)
        .order_by(tracker_events.c.id.desc())
        .limit(limit)
    )
    return Counter((type_name, timestamp) for type_name, timestamp in rows)


def senders(session: Session) -> list[str]:
    """Everybody who has events."""
    rows = session.execute(sa.select(tracker_events.c.sender_id).distinct())
    return [str(sender_id) for (sender_id,) in rows]
