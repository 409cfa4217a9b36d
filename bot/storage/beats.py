"""Signs of life of what pages people: the worker, and each way of sending."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.storage.page_tables import duty_beats
from bot.storage.records import from_row

WORKER = "worker"

_ADD = sa.text("INSERT INTO duty_beats (name, at) VALUES (:name, :at) ON CONFLICT (name) DO NOTHING")


@dataclass(frozen=True)
class Beat:
    """When something was last looked at, and what was found.

    Attributes:
        name: "worker", or "sender:" and the sender's name.
        at: seconds since 1970 UTC.
        ok_at: when it last was well, seconds since 1970 UTC, or None if never.
        trouble: what is wrong now, or None.
    """

    name: str
    at: float
    ok_at: float | None
    trouble: str | None


def of_sender(name: str) -> str:
    """The beat's name of a sender."""
    return f"sender:{name}"


def beat(session: Session, name: str, at: float, trouble: str | None = None) -> None:
    """Notes how something is."""
    _add(session, name, at)
    values: dict[str, object] = {"at": at, "trouble": trouble}
    if trouble is None:
        values["ok_at"] = at
    session.execute(duty_beats.update().where(duty_beats.c.name == name).values(**values))


def claim(session: Session, name: str, at: float, interval_s: float) -> bool:
    """Whether it is the caller's turn to look, since nobody did within an interval."""
    if _add(session, name, at):
        return True
    claimed = session.execute(
        duty_beats.update().where(duty_beats.c.name == name, duty_beats.c.at <= at - interval_s).values(at=at)
    )
    return bool(claimed.rowcount == 1)


def all_beats(session: Session) -> dict[str, Beat]:
    """Every sign of life, by name."""
    rows = session.execute(sa.select(duty_beats)).mappings()
    return {row["name"]: from_row(Beat, row) for row in rows}


def _add(session: Session, name: str, at: float) -> bool:
    """Adds the row unless it is there; whether it was added."""
    return bool(session.execute(_ADD, {"name": name, "at": at}).rowcount == 1)
