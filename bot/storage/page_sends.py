"""The messages of pages. Whoever sends one claims it first, so that of several workers one does.

A claim runs out: a message whose sender died between sending and noting it is sent again, under the same
key, by which the receiver knows it. What became of each goes on the audit trail, last of all in the
transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.core.page import PageState, SendState
from bot.core.reading import RiskLevel
from bot.storage import page_trail
from bot.storage.page_tables import page_sends, pages
from bot.storage.records import from_row


@dataclass(frozen=True)
class PageSend:
    """One message of a page, to one person through one sender.

    Attributes:
        id: of the row.
        page_id: whose message it is.
        step: which call it belongs to, from 1.
        person: the name on the roster.
        sender: the sender's name on the roster.
        state: whether it is to be sent.
        attempts: begun, whether or not they came to an end.
        due_at: when it is to be sent (again), seconds since 1970 UTC.
        claimed_until: until when somebody is at it, seconds since 1970 UTC.
        tried_at: when the last attempt ended, seconds since 1970 UTC, or None.
        result: of the last attempt, in words, or None.
    """

    id: int
    page_id: int
    step: int
    person: str
    sender: str
    state: SendState
    attempts: int
    due_at: float
    claimed_until: float
    tried_at: float | None
    result: str | None


def advance(
    session: Session,
    page_id: int,
    step: int,
    recipients: Iterable[tuple[str, str]],
    at: float,
    next_at: float,
) -> bool:
    """Calls the next person of a page, unless another worker was first or it no longer waits.

    Args:
        session: the open transaction.
        page_id: of the page.
        step: that the page is at now.
        recipients: (person, sender) of each message.
        at: seconds since 1970 UTC.
        next_at: when the one after them is called if nobody acknowledges.

    Returns:
        Whether this call made the step.
    """
    moved = session.execute(
        pages.update()
        .where(
            pages.c.id == page_id,
            pages.c.step == step,
            pages.c.state == PageState.WAITING.value,
            pages.c.due_at <= at,
        )
        .values(step=step + 1, due_at=next_at)
    )
    if moved.rowcount != 1:
        return False
    rows = [
        {
            "page_id": page_id,
            "step": step + 1,
            "person": person,
            "sender": sender,
            "state": SendState.DUE.value,
            "attempts": 0,
            "due_at": at,
            "claimed_until": 0.0,
        }
        for person, sender in recipients
    ]
    if rows:
        session.execute(page_sends.insert(), rows)
    if step > 0:
        page_trail.escalated(session, page_id, step + 1, at)
    return True


def due(session: Session, at: float, senders: Sequence[str], limit: int) -> list[PageSend]:
    """What some senders are to send now, of pages that still wait: crisis first, then by turn."""
    return _due(session, at, page_sends.c.sender.in_(list(senders)), limit)


def due_elsewhere(session: Session, at: float, senders: Sequence[str], limit: int = 100) -> list[PageSend]:
    """The messages that are due through none of the senders, since the roster has changed."""
    return _due(session, at, page_sends.c.sender.not_in(list(senders)), limit)


def claim(session: Session, send_id: int, at: float, until: float) -> bool:
    """Whether the message is the caller's to send, until a moment."""
    waiting = sa.select(pages.c.id).where(pages.c.state == PageState.WAITING.value)
    claimed = session.execute(
        page_sends.update()
        .where(
            page_sends.c.id == send_id,
            page_sends.c.state == SendState.DUE.value,
            page_sends.c.due_at <= at,
            page_sends.c.claimed_until <= at,
            page_sends.c.page_id.in_(waiting),
        )
        .values(claimed_until=until, attempts=page_sends.c.attempts + 1)
        .execution_options(synchronize_session=False)
    )
    return bool(claimed.rowcount == 1)


def note_sent(session: Session, message: PageSend, at: float) -> None:
    """Notes that a message went out."""
    if _note(session, message.id, state=SendState.SENT.value, tried_at=at, result="sent", claimed_until=0.0):
        page_trail.sent(session, message.id, at)


def note_failure(session: Session, message: PageSend, at: float, result: str, again_at: float) -> None:
    """Notes that an attempt failed and another follows.

    Args:
        session: the open transaction.
        message: that was tried.
        at: seconds since 1970 UTC.
        result: what went wrong, without a URL, address or secret.
        again_at: when to try again, seconds since 1970 UTC.
    """
    _note(session, message.id, tried_at=at, result=result, claimed_until=0.0, due_at=again_at)


def give_up(session: Session, message: PageSend, at: float, result: str, next_at: float) -> bool:
    """Notes that a message is given up; when it was the last of its call, brings the next call forward.

    Args:
        session: the open transaction.
        message: that was tried.
        at: seconds since 1970 UTC.
        result: what went wrong, without a URL, address or secret.
        next_at: when the next person is to be called, seconds since 1970 UTC.

    Returns:
        Whether every message of the call was given up.
    """
    if not _note(session, message.id, state=SendState.FAILED.value, tried_at=at, result=result):
        return False
    mine = sa.and_(page_sends.c.page_id == message.page_id, page_sends.c.step == message.step)
    # Two that fail at the same moment must not each take the other for one that is still under way.
    session.execute(sa.select(pages.c.id).where(pages.c.id == message.page_id).with_for_update())
    states = {row.state for row in session.execute(sa.select(page_sends.c.state).where(mine))}
    is_lost = not states - {SendState.FAILED.value}
    if is_lost:
        session.execute(
            pages.update()
            .where(
                pages.c.id == message.page_id,
                pages.c.step == message.step,
                pages.c.state == PageState.WAITING.value,
                pages.c.due_at > next_at,
            )
            .values(due_at=next_at)
        )
    page_trail.failed(session, message.id, at, result)
    return is_lost


def of_page(session: Session, page_id: int) -> list[PageSend]:
    """Every message of a page, in the order of the calls."""
    return _select(session, page_sends.c.page_id == page_id, order=(page_sends.c.step, page_sends.c.id))


def reached(session: Session, page_ids: Sequence[int]) -> set[int]:
    """Those of the pages of which at least one message went out."""
    found = session.execute(
        sa.select(page_sends.c.page_id)
        .where(page_sends.c.page_id.in_(list(page_ids)), page_sends.c.state == SendState.SENT.value)
        .distinct()
    )
    return {int(row.page_id) for row in found}


def _due(session: Session, at: float, condition: Any, limit: int) -> list[PageSend]:
    is_crisis = sa.case((pages.c.level == RiskLevel.CRISIS.value, 0), else_=1)
    return _select(
        session,
        condition,
        page_sends.c.state == SendState.DUE.value,
        page_sends.c.due_at <= at,
        page_sends.c.claimed_until <= at,
        pages.c.state == PageState.WAITING.value,
        order=(is_crisis, page_sends.c.due_at, page_sends.c.id),
        limit=limit,
    )


def _note(session: Session, send_id: int, **values: Any) -> bool:
    # What was noted as sent stays so: a worker whose claim ran out must not take it back.
    open_send = sa.and_(page_sends.c.id == send_id, page_sends.c.state != SendState.SENT.value)
    return bool(session.execute(page_sends.update().where(open_send).values(**values)).rowcount == 1)


def _select(session: Session, *conditions: Any, order: Any, limit: int | None = None) -> list[PageSend]:
    statement = (
        sa.select(page_sends)
        .select_from(page_sends.join(pages, pages.c.id == page_sends.c.page_id))
        .where(*conditions)
        .order_by(*order)
    )
    if limit is not None:
        statement = statement.limit(limit)
    rows = session.execute(statement).mappings()
    return [from_row(PageSend, row, state=SendState(row["state"])) for row in rows]
