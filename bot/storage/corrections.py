"""Corrections of readings, and where in conversations they can be found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.core.correction import CorrectionSource, CorrectionStatus
from bot.core.errors import StorageError
from bot.core.turn import Author
from bot.storage import readings
from bot.storage.columns import storable_text
from bot.storage.inserts import insert_or_keep
from bot.storage.records import Contradiction, Correction, Turn, from_row
from bot.storage.tables import corrections, turns

CORRECTING_INTENT = "correct_reading"
CHUNK = 500  # ids in one statement; SQLite takes 999


def add(
    session: Session,
    text: str,
    labels: Sequence[str],
    source: CorrectionSource,
    status: CorrectionStatus,
    at: float,
    *,
    author: str | None = None,
    turn_id: int | None = None,
    model: str | None = None,
    reading: Mapping[str, Any] | None = None,
    note: str | None = None,
    said_by: int | None = None,
) -> tuple[Correction, Correction | None]:
    """Keeps a correction; the same one is kept once.

    What is there already and is said again counts from now on, whatever was decided meanwhile: the last word
    counts. A proposal is nobody's word, and leaves what is there as it is.

    Args:
        session: the open transaction.
        text: that was read.
        labels: the right ones.
        source: who says so.
        status: whether it may be trained on.
        at: seconds since 1970 UTC.
        author: the agent's name.
        turn_id: the person's turn that the text is from.
        model: which weight read it.
        reading: what it read.
        note: in the author's words.
        said_by: the turn that says so, for one gathered from a conversation; it is kept once, whatever
            its labels become.

    Returns:
        The correction, and as it was before; None where it is new.
    """
    kept = insert_or_keep(
        session,
        corrections,
        {
            "created_at": at,
            "decided_at": at,
            "fingerprint": fingerprint(text, labels, turn_id, said_by),
            "text": text,
            "labels": sorted(labels),
            "source": source.value,
            "author": author,
            "turn_id": turn_id,
            "model": model,
            "reading": None if reading is None else dict(reading),
            "status": status.value,
            "note": note,
        },
        ["fingerprint"],
    )
    if kept is not None:
        return get(session, kept), None
    same = corrections.c.fingerprint == fingerprint(text, labels, turn_id, said_by)
    (found,) = _select(session, same)
    if status is CorrectionStatus.PROPOSED:
        return found, found
    return decide(session, found.id, status, at, labels=labels, author=author, note=note), found


def fingerprint(text: str, labels: Sequence[str], turn_id: int | None, said_by: int | None) -> str:
    """What makes two corrections the same one."""
    if said_by is not None:
        identity: list[Any] = ["said", said_by]
    else:
        identity = [" ".join(storable_text(text).split()), sorted(labels), turn_id]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def get(session: Session, correction_id: int) -> Correction:
    """The correction with an id.

    Raises:
        StorageError: there is none.
    """
    found = _select(session, corrections.c.id == correction_id)
    if not found:
        raise StorageError(f"there is no correction {correction_id}; `attune emotion learn list` shows them")
    return found[0]


def listing(
    session: Session, statuses: Collection[CorrectionStatus], limit: int | None = None
) -> list[Correction]:
    """The corrections with one of the statuses, the last decided last; with a limit, the last so many."""
    wanted = corrections.c.status.in_([status.value for status in statuses])
    newest_first = (corrections.c.decided_at.desc(), corrections.c.id.desc())
    return _select(session, wanted, order=newest_first, limit=limit)[::-1]


def counts(session: Session) -> dict[str, int]:
    """How many corrections there are of each status."""
    rows = session.execute(
        sa.select(corrections.c.status, sa.func.count()).group_by(corrections.c.status)
    ).all()
    found = {str(status): int(count) for status, count in rows}
    return {status.value: found.get(status.value, 0) for status in CorrectionStatus}


def decide(
    session: Session,
    correction_id: int,
    status: CorrectionStatus,
    at: float,
    *,
    labels: Sequence[str] | None = None,
    author: str | None = None,
    note: str | None = None,
) -> Correction:
    """Sets what becomes of a correction from `at` (seconds since 1970 UTC) on, and what else is given.

    Raises:
        StorageError: there is none with this id.
    """
    given = {"labels": None if labels is None else sorted(labels), "author": author, "note": note}
    values = {name: value for name, value in given.items() if value is not None}
    session.execute(
        corrections.update()
        .where(corrections.c.id == correction_id)
        .values(status=status.value, decided_at=at, **values)
    )
    return get(session, correction_id)


def mark_used(session: Session, ids: Sequence[int], run: str, began: float) -> int:
    """Notes that a run was trained on corrections; those decided anew meanwhile stay as they are.

    Args:
        session: the open transaction.
        ids: of the corrections.
        run: that was trained on them.
        began: when they were read, seconds since 1970 UTC.

    Returns:
        How many were noted.
    """
    earlier = sa.case((corrections.c.used_in.is_(None), ""), else_=corrections.c.used_in + "\n")
    noted = 0
    for start in range(0, len(ids), CHUNK):
        noted += session.execute(
            corrections.update()
            .where(
                corrections.c.id.in_(ids[start : start + CHUNK]),
                corrections.c.status.in_([CorrectionStatus.NEW.value, CorrectionStatus.USED.value]),
                corrections.c.decided_at <= began,
            )
            .values(status=CorrectionStatus.USED.value, used_in=earlier + run)
        ).rowcount
    return noted


def uncorrected_turns(session: Session, limit: int) -> list[Turn]:
    """The newest turns of people that nothing has been said about, newest first."""
    said = sa.select(corrections.c.turn_id).where(corrections.c.turn_id.isnot(None))
    rows = session.execute(
        sa.select(turns)
        .where(turns.c.author == Author.PERSON.value, turns.c.id.notin_(said))
        .order_by(turns.c.id.desc())
        .limit(limit)
    ).mappings()
    return [_turn(row) for row in rows]


def contradictions(session: Session, after: int = 0) -> list[Contradiction]:
    """Where people said that they had been read wrongly, and the turn before it that they spoke of.

    Args:
        session: the open transaction.
        after: the id of a turn; only what was said later.
    """
    earlier = turns.alias("earlier")
    before = (
        sa.select(sa.func.max(earlier.c.id))
        .where(
            earlier.c.conversation_id == turns.c.conversation_id,
            earlier.c.id < turns.c.id,
            earlier.c.author == Author.PERSON.value,
            # Who denies a reading twice speaks of the same turn twice.
            sa.or_(earlier.c.intent.is_(None), earlier.c.intent != CORRECTING_INTENT),
        )
        .scalar_subquery()
    )
    pairs = session.execute(
        sa.select(turns.c.id, before.label("before")).where(
            turns.c.author == Author.PERSON.value,
            turns.c.intent == CORRECTING_INTENT,
            turns.c.id > after,
        )
    ).all()
    wanted = sorted({key for pair in pairs for key in pair if key is not None})
    found: dict[int, Turn] = {}
    for start in range(0, len(wanted), CHUNK):
        rows = session.execute(sa.select(turns).where(turns.c.id.in_(wanted[start : start + CHUNK])))
        found |= {row["id"]: _turn(row) for row in rows.mappings()}
    read = readings.of_turns(session, [before for _, before in pairs if before is not None])
    return [
        Contradiction(found[before], read.get(before), found[said])
        for said, before in sorted(pairs)
        if before is not None
    ]


def _select(
    session: Session, *conditions: Any, order: Sequence[Any] = (), limit: int | None = None
) -> list[Correction]:
    statement = sa.select(corrections).where(*conditions).order_by(*order)
    if limit is not None:
        statement = statement.limit(limit)
    return [
        from_row(
            Correction,
            row,
            labels=tuple(row["labels"]),
            source=CorrectionSource(row["source"]),
            status=CorrectionStatus(row["status"]),
            used_in=tuple(dict.fromkeys(filter(None, (row["used_in"] or "").split("\n")))),
        )
        for row in session.execute(statement).mappings()
    ]


def _turn(row: Any) -> Turn:
    return from_row(Turn, row, author=Author(row["author"]))
