"""What becomes of pages, on the audit trail; each call is the last of its transaction."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.storage import audit
from bot.storage.page_tables import page_sends, pages
from bot.storage.tables import handoffs

_PAGE = (
    pages.c.id.label("page_id"),
    pages.c.handoff_id,
    pages.c.level,
    pages.c.opened_at,
    handoffs.c.conversation_id,
)


def acknowledged(session: Session, page_id: int, name: str, at: float) -> None:
    """Somebody has seen a page."""
    _record(session, audit.PAGE_ACKNOWLEDGED, _page(session, page_id), at, actor=name)


def escalated(session: Session, page_id: int, call: int, at: float) -> None:
    """Nobody had answered, and the next person was called; `call` counts from 1."""
    _record(session, audit.PAGE_ESCALATED, _page(session, page_id), at, call=call)


def sent(session: Session, send_id: int, at: float) -> None:
    """A message of a page went out."""
    page, message = _message(session, send_id)
    _record(session, audit.PAGE_SENT, page, at, **message)


def failed(session: Session, send_id: int, at: float, result: str) -> None:
    """A message of a page was given up; `result` says why, without a URL, address or secret."""
    page, message = _message(session, send_id)
    _record(session, audit.PAGE_FAILED, page, at, **message, result=result)


def _page(session: Session, page_id: int) -> Any:
    """The page, held: whoever takes a handoff changes its page first and then writes the trail, too."""
    joined = pages.join(handoffs, handoffs.c.id == pages.c.handoff_id)
    statement = sa.select(*_PAGE).select_from(joined).where(pages.c.id == page_id)
    return session.execute(statement.with_for_update(of=pages, key_share=True)).one_or_none()


def _message(session: Session, send_id: int) -> tuple[Any, dict[str, Any]]:
    row = session.execute(sa.select(page_sends).where(page_sends.c.id == send_id)).one_or_none()
    if row is None:
        return None, {}
    return _page(session, row.page_id), {"call": row.step, "person": row.person, "sender": row.sender}


def _record(
    session: Session, event: str, page: Any, at: float, actor: str = audit.ATTUNE, **facts: Any
) -> None:
    if page is None:
        return  # deleted meanwhile, with the person it was for
    known = {
        "page_id": page.page_id,
        "handoff_id": page.handoff_id,
        "level": page.level,
        "after_s": round(max(at - page.opened_at, 0.0), 3),
    }
    audit.record(
        session, event, at=at, conversation_id=page.conversation_id, actor=actor, facts={**known, **facts}
    )
