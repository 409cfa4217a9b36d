"""Pages: calls to a human for somebody in danger, written in the transaction that asks for the human.

A page is therefore there if and only if its handoff is, whatever crashes in between; sending it is the
worker's business (`bot.duty`), which finds it here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.core.errors import PageError
from bot.core.handoff import HandoffState
from bot.core.page import PageState
from bot.core.reading import RiskKind, RiskLevel
from bot.storage import page_trail
from bot.storage.inserts import insert_or_keep
from bot.storage.page_tables import LIVE_PAGE, pages
from bot.storage.records import from_row
from bot.storage.tables import handoffs, readings, turns

DANGER = tuple(level.value for level in RiskLevel if level.needs_human)
LIVE = tuple(state.value for state in PageState if state.is_live)
_REASON_PREFIX = "risk_"
_SEVERITY = {level.value: rank for rank, level in enumerate(RiskLevel)}


@dataclass(frozen=True)
class Page:
    """A call to a human, and what became of it. It holds nothing of what the person wrote.

    Attributes:
        id: of the row.
        key: random; receivers know a repeated message by it.
        handoff_id: that somebody is wanted for.
        conversation_id: of the handoff.
        level: "high" or "crisis".
        kind: of the danger, or None when it isn't known.
        state: where it stands.
        opened_at: seconds since 1970 UTC.
        waiting_since: when the handoff was opened, seconds since 1970 UTC.
        step: how many people have been called; 0 before the first.
        due_at: when the next one is called, seconds since 1970 UTC.
        acknowledged_at: seconds since 1970 UTC, or None.
        acknowledged_by: who has seen it or taken the handoff, or None.
        closed_at: when it stopped being live, seconds since 1970 UTC, or None.
    """

    id: int
    key: str
    handoff_id: int
    conversation_id: int
    level: str
    kind: str | None
    state: PageState
    opened_at: float
    waiting_since: float
    step: int
    due_at: float
    acknowledged_at: float | None
    acknowledged_by: str | None
    closed_at: float | None


def open_page(session: Session, handoff_id: int, level: str, reason: str, at: float) -> int | None:
    """Calls a human for a waiting handoff in danger, once; a higher level replaces a live page.

    Args:
        session: the open transaction, in which the handoff was opened or its level rose.
        handoff_id: that somebody is wanted for.
        level: of the danger; below "high" nobody is called.
        reason: of the decision, such as "risk_self_harm".
        at: seconds since 1970 UTC.

    Returns:
        The id of the new page, or None when none was needed.
    """
    if level not in DANGER:
        return None
    live = session.execute(
        sa.select(pages.c.id, pages.c.level).where(pages.c.handoff_id == handoff_id, pages.c.state.in_(LIVE))
    ).one_or_none()
    if live is not None:
        if _SEVERITY[level] <= _SEVERITY.get(live.level, 0):
            return None
        _close(session, PageState.RAISED, at, pages.c.id == live.id)
    row = {
        "key": uuid.uuid4().hex,
        "handoff_id": handoff_id,
        "level": level,
        "kind": _kind(session, handoff_id, reason),
        "state": PageState.WAITING.value,
        "opened_at": at,
        "step": 0,
        "due_at": at,
    }
    return insert_or_keep(session, pages, row, ["handoff_id"], LIVE_PAGE)


def end(session: Session, handoff_id: int, name: str, at: float) -> None:
    """Ends what calls for a handoff that somebody took or handed back."""
    mine = sa.and_(pages.c.handoff_id == handoff_id, pages.c.state.in_(LIVE))
    session.execute(
        pages.update()
        .where(mine, pages.c.acknowledged_at.is_(None))
        .values(acknowledged_at=at, acknowledged_by=name)
    )
    _close(session, PageState.ENDED, at, mine)


def acknowledge(session: Session, page_id: int, name: str, at: float) -> Page:
    """Notes that somebody has seen a page, which stops it from calling the next person.

    The first who says so counts; a page that is no longer waiting stays as it is.

    Raises:
        PageError: there is no such page.
    """
    seen = session.execute(
        pages.update()
        .where(pages.c.id == page_id, pages.c.state == PageState.WAITING.value)
        .values(state=PageState.ACKNOWLEDGED.value, acknowledged_at=at, acknowledged_by=name)
    )
    if seen.rowcount == 1:
        page_trail.acknowledged(session, page_id, name, at)
    return get(session, page_id)


def lapse(session: Session, before: float, at: float) -> int:
    """Gives up pages acknowledged before a moment whose handoff still waits; `adopt` calls anew.

    Returns:
        How many there were.
    """
    # Handoffs are locked before their pages wherever both are: the other way round, a human who takes one
    # at this moment and the worker would wait for each other.
    lapsed = sa.select(pages.c.handoff_id).where(*_lapsed(before))
    session.execute(
        sa.select(handoffs.c.id).where(handoffs.c.id.in_(lapsed)).order_by(handoffs.c.id).with_for_update()
    )
    return _close(session, PageState.LAPSED, at, *_lapsed(before))


def adopt(session: Session, at: float) -> list[int]:
    """Opens a page for every handoff in danger that waits without a live one; gives the pages' ids."""
    # Locked: a human may be taking one over at this moment, and a page for it would then never end.
    orphans = session.execute(_orphans().with_for_update(of=handoffs)).all()
    opened = [open_page(session, orphan.id, orphan.level, orphan.reason, at) for orphan in orphans]
    return [page_id for page_id in opened if page_id is not None]


def needs_upkeep(session: Session, before: float) -> bool:
    """Whether `lapse` or `adopt` would find something; it only reads, and so holds up nobody."""
    if session.execute(_orphans().limit(1)).first() is not None:
        return True
    return session.execute(sa.select(pages.c.id).where(*_lapsed(before)).limit(1)).first() is not None


def get(session: Session, page_id: int) -> Page:
    """The page with an id.

    Raises:
        PageError: there is none.
    """
    found = _select(session, pages.c.id == page_id)
    if not found:
        raise PageError(f"there is no page {page_id}; `attune duty status` shows those that wait")
    return found[0]


def due(session: Session, at: float, limit: int = 100) -> list[Page]:
    """The waiting pages whose next person is due: crisis first, then the newest.

    The newest, since whoever wrote just now may still be reached; the others follow at once.
    """
    severity = sa.case(_SEVERITY, value=pages.c.level, else_=0)
    return _select(
        session,
        pages.c.state == PageState.WAITING.value,
        pages.c.due_at <= at,
        order=(severity.desc(), pages.c.opened_at.desc(), pages.c.id.desc()),
        limit=limit,
    )


def live(session: Session, limit: int = 200) -> list[Page]:
    """The pages that still stand for a person who waits: the greatest danger first, then the longest wait."""
    severity = sa.case(_SEVERITY, value=pages.c.level, else_=0)
    order = (severity.desc(), handoffs.c.opened_at, pages.c.id)
    return _select(session, pages.c.state.in_(LIVE), order=order, limit=limit)


def of_handoff(session: Session, handoff_id: int) -> list[Page]:
    """Every page of a handoff, oldest first."""
    return _select(session, pages.c.handoff_id == handoff_id, order=(pages.c.id,))


def _lapsed(before: float) -> tuple[Any, ...]:
    waiting = sa.select(handoffs.c.id).where(handoffs.c.state == HandoffState.WAITING.value)
    return (
        pages.c.state == PageState.ACKNOWLEDGED.value,
        pages.c.acknowledged_at <= before,
        pages.c.handoff_id.in_(waiting),
    )


def _orphans() -> Any:
    live = sa.select(pages.c.id).where(pages.c.handoff_id == handoffs.c.id, pages.c.state.in_(LIVE)).exists()
    return sa.select(handoffs.c.id, handoffs.c.level, handoffs.c.reason).where(
        handoffs.c.state == HandoffState.WAITING.value, handoffs.c.level.in_(DANGER), ~live
    )


def _close(session: Session, state: PageState, at: float, *conditions: Any) -> int:
    closed = session.execute(
        pages.update()
        .where(*conditions)
        .values(state=state.value, closed_at=at)
        .execution_options(synchronize_session=False)
    )
    return int(closed.rowcount)


def _kind(session: Session, handoff_id: int, reason: str) -> str | None:
    """The kind of danger: the decision's own, else that of the newest reading of danger."""
    kind = reason.removeprefix(_REASON_PREFIX)
    if kind in {known.value for known in RiskKind}:
        return kind
    found = session.execute(
        sa.select(readings.c.risk_kind)
        .select_from(
            readings.join(turns, turns.c.id == readings.c.turn_id).join(
                handoffs, handoffs.c.conversation_id == turns.c.conversation_id
            )
        )
        .where(handoffs.c.id == handoff_id, readings.c.risk_level.in_(DANGER))
        .order_by(turns.c.id.desc())
        .limit(1)
    ).scalar()
    return None if found is None else str(found)


def _select(
    session: Session, *conditions: Any, order: Iterable[Any] = (), limit: int | None = None
) -> list[Page]:
    statement = (
        sa.select(pages, handoffs.c.conversation_id, handoffs.c.opened_at.label("waiting_since"))
        .select_from(pages.join(handoffs, handoffs.c.id == pages.c.handoff_id))
        .where(*conditions)
        .order_by(*order)
    )
    if limit is not None:
        statement = statement.limit(limit)
    rows = session.execute(statement).mappings()
    return [from_row(Page, row, state=PageState(row["state"])) for row in rows]
