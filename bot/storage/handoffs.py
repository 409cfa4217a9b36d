"""Handoffs to a human. Every step also moves `conversations.handoff_state`, in the same transaction.

So do pages to the people on duty: danger opens one, and whoever takes the handoff ends it. Every step of a
handoff in danger goes on the audit trail, last of all, since that holds up whoever else writes there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.core.errors import HandoffError
from bot.core.handoff import HandoffState, check_step
from bot.core.reading import RiskLevel
from bot.core.turn import CHINESE, Author
from bot.storage import audit, conversations, pages, turns
from bot.storage.inserts import insert_or_keep
from bot.storage.records import Handoff, from_row
from bot.storage.tables import OPEN_HANDOFF, handoffs
from bot.storage.tables import turns as turn_rows

OPEN = (HandoffState.WAITING, HandoffState.HUMAN)
BACK_TEXTS = {
    "en": "From here on it's the automated assistant again. You can ask for a person at any time.",
    "zh": "接下来由自动助手继续陪您聊。您随时可以再要求和真人交谈。",
}
ATTENDED_S = 900.0  # since a human took it or wrote, from which a conversation counts as left alone
_SEVERITY = {level.value: rank for rank, level in enumerate(RiskLevel)}
_DANGER = tuple(level.value for level in RiskLevel if level.needs_human)


def open_handoff(
    session: Session,
    conversation_id: int,
    reason: str,
    level: str,
    evidence: Sequence[str],
    at: float,
    led_by: Callable[[], None] = lambda: None,
) -> Handoff:
    """Asks for a human, or gives the handoff that is open; its level rises when the new one is higher.

    Args:
        session: the open transaction.
        conversation_id: where a human is wanted.
        reason: a short stable word.
        level: the risk level of the turn that led here.
        evidence: what it rests on, in words.
        at: seconds since 1970 UTC.
        led_by: puts on the audit trail what led here, so that it stands there before the handoff.
    """
    conversation = conversations.get(session, conversation_id, lock=True)
    existing = open_for(session, conversation_id)
    if existing is not None:
        is_higher = _SEVERITY.get(level, 0) > _SEVERITY.get(existing.level, 0)
        if existing.state is HandoffState.WAITING:
            is_called = is_higher
        else:  # taken, but whoever took it may have left: danger must not be written to nobody
            is_called = not _is_attended(session, existing, at)
        if is_called:
            pages.open_page(session, existing.id, level, reason, at)
        if is_higher:
            session.execute(handoffs.update().where(handoffs.c.id == existing.id).values(level=level))
            raised = get(session, existing.id)
            led_by()
            _put_on_trail(session, audit.HANDOFF_RAISED, raised, at, level_before=existing.level)
            return raised
        led_by()
        return existing
    check_step(conversation.handoff_state, HandoffState.WAITING)
    row = {
        "conversation_id": conversation_id,
        "state": HandoffState.WAITING.value,
        "reason": reason,
        "level": level,
        "evidence": list(evidence),
        "opened_at": at,
    }
    is_new = insert_or_keep(session, handoffs, row, ["conversation_id"], OPEN_HANDOFF) is not None
    if is_new:
        _set_conversation(session, conversation_id, HandoffState.WAITING)
    opened = open_for(session, conversation_id)
    if opened is None:
        raise HandoffError("a handoff that was just opened is gone")
    pages.open_page(session, opened.id, level, reason, at)
    led_by()
    if is_new:
        _put_on_trail(session, audit.HANDOFF_OPENED, opened, at)
    return opened


def _is_attended(session: Session, handoff: Handoff, at: float) -> bool:
    """Whether a human took a conversation, or wrote in it, a short while ago."""
    wrote_at = session.execute(
        sa.select(turn_rows.c.at)
        .where(
            turn_rows.c.conversation_id == handoff.conversation_id,
            turn_rows.c.author == Author.HUMAN.value,
        )
        .order_by(turn_rows.c.id.desc())
        .limit(1)
    ).scalar()
    return at - max(handoff.taken_at or 0.0, wrote_at or 0.0) <= ATTENDED_S


def take(session: Session, handoff_id: int, name: str, at: float) -> Handoff:
    """Puts a human in charge.

    Raises:
        HandoffError: there is no such handoff, or it isn't waiting.
    """
    handoff = _step(session, handoff_id, HandoffState.HUMAN, {"taken_at": at, "taken_by": name})
    pages.end(session, handoff_id, name, at)
    waited_s = max(at - handoff.opened_at, 0.0)
    _put_on_trail(session, audit.HANDOFF_TAKEN, handoff, at, name, waited_s=round(waited_s, 3))
    return handoff


def give_back(session: Session, handoff_id: int, name: str, at: float) -> Handoff:
    """Puts the bot in charge again, and tells the person so in a turn.

    Raises:
        HandoffError: there is no such handoff, or it was returned before.
    """
    handoff = _step(session, handoff_id, HandoffState.RETURNED, {"returned_at": at, "returned_by": name})
    pages.end(session, handoff_id, name, at)
    conversation = conversations.get(session, handoff.conversation_id)
    conversations.touch(session, conversation.id, at)
    language = CHINESE if conversation.language == CHINESE else "en"
    turns.add_bot(
        session, conversation.id, BACK_TEXTS[language], at, language=language, action="handoff_returned"
    )
    _put_on_trail(session, audit.HANDOFF_RETURNED, handoff, at, name, was_taken=handoff.taken_at is not None)
    return handoff


def get(session: Session, handoff_id: int) -> Handoff:
    """The handoff with an id.

    Raises:
        HandoffError: there is none.
    """
    found = _select(session, handoffs.c.id == handoff_id)
    if not found:
        raise HandoffError(f"there is no handoff {handoff_id}; `attune handoff list --all` shows them")
    return found[0]


def open_for(session: Session, conversation_id: int) -> Handoff | None:
    """The handoff of a conversation that is waiting or with a human, or None."""
    found = _select(
        session,
        handoffs.c.conversation_id == conversation_id,
        handoffs.c.state != HandoffState.RETURNED.value,
    )
    return found[0] if found else None


def listing(session: Session, states: Iterable[HandoffState], limit: int = 500) -> list[Handoff]:
    """The handoffs in one of the states: the greatest risk first, then the longest wait."""
    severity = sa.case(_SEVERITY, value=handoffs.c.level, else_=0)
    return _select(
        session,
        handoffs.c.state.in_([state.value for state in states]),
        order=(severity.desc(), handoffs.c.opened_at, handoffs.c.id),
        limit=limit,
    )


def _step(session: Session, handoff_id: int, wanted: HandoffState, values: dict[str, Any]) -> Handoff:
    handoff = get(session, handoff_id)
    conversations.get(session, handoff.conversation_id, lock=True)
    handoff = get(session, handoff_id)  # as it is now that nobody else can change it
    check_step(handoff.state, wanted)
    moved = session.execute(
        handoffs.update()
        .where(handoffs.c.id == handoff_id, handoffs.c.state == handoff.state.value)
        .values(state=wanted.value, **values)
    )
    if moved.rowcount != 1:
        raise HandoffError(f"somebody else moved handoff {handoff_id} at the same moment; look again")
    _set_conversation(session, handoff.conversation_id, wanted)
    return get(session, handoff_id)


def _put_on_trail(
    session: Session, event: str, handoff: Handoff, at: float, actor: str = audit.ATTUNE, **facts: Any
) -> None:
    if handoff.level not in _DANGER:
        return
    known = {
        "handoff_id": handoff.id,
        "state": handoff.state.value,
        "level": handoff.level,
        "reason": handoff.reason,
    }
    audit.record(
        session,
        event,
        at=at,
        conversation_id=handoff.conversation_id,
        actor=actor,
        facts={**known, **facts},
    )


def _set_conversation(session: Session, conversation_id: int, state: HandoffState) -> None:
    conversations.set_values(session, conversation_id, {"handoff_state": state.value})


def _select(session: Session, *conditions: Any, order: Any = (), limit: int | None = None) -> list[Handoff]:
    statement = sa.select(handoffs).where(*conditions).order_by(*order)
    if limit is not None:
        statement = statement.limit(limit)
    return [
        from_row(Handoff, row, state=HandoffState(row["state"]), evidence=tuple(row["evidence"]))
        for row in session.execute(statement).mappings()
    ]
