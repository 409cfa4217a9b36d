"""What agents say was no danger after all. It goes on the audit trail; the reading stays as it was."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot.core.errors import ContractError
from bot.core.reading import RiskLevel
from bot.core.turn import Author
from bot.storage import audit, conversations, readings, turns
from bot.storage.audit import AuditRow

LONGEST_NOTE = 500  # characters


def mark(session: Session, turn_id: int, *, by: str, at: float, note: str | None = None) -> AuditRow:
    """Marks a turn that was flagged as a false alarm.

    Args:
        session: the open transaction.
        turn_id: a person's turn with a risk level other than "none".
        by: the agent's name.
        at: seconds since 1970 UTC.
        note: in the agent's words; kept where it can be erased.

    Raises:
        StorageError: there is no such turn.
        ContractError: the turn was not flagged, is marked already, or the note is too long.
    """
    latest = _latest(session, turn_id)
    if latest is not None and latest.event == audit.FALSE_ALARM_MARKED:
        raise ContractError(f"turn {turn_id} is marked as a false alarm already, by {latest.actor}")
    return _record(session, audit.FALSE_ALARM_MARKED, turn_id, by, at, note)


def withdraw(session: Session, turn_id: int, *, by: str, at: float, note: str | None = None) -> AuditRow:
    """Takes back that a turn was a false alarm; arguments as of `mark`.

    Raises:
        StorageError: there is no such turn.
        ContractError: the turn is not marked, or the note is too long.
    """
    latest = _latest(session, turn_id)
    if latest is None or latest.event != audit.FALSE_ALARM_MARKED:
        raise ContractError(f"turn {turn_id} is not marked as a false alarm")
    return _record(session, audit.FALSE_ALARM_WITHDRAWN, turn_id, by, at, note)


def _latest(session: Session, turn_id: int) -> AuditRow | None:
    """The last word on a turn, read while nobody else can add one."""
    conversations.get(session, turns.get(session, turn_id).conversation_id, lock=True)
    said = audit.of_turn(session, turn_id, audit.FALSE_ALARM_MARKED, audit.FALSE_ALARM_WITHDRAWN)
    return said[-1] if said else None


def _record(session: Session, event: str, turn_id: int, by: str, at: float, note: str | None) -> AuditRow:
    if note is not None and len(note) > LONGEST_NOTE:
        raise ContractError(f"the note has {len(note)} characters, at most {LONGEST_NOTE} are possible")
    turn = turns.get(session, turn_id)
    reading = readings.of_turns(session, [turn_id]).get(turn_id)
    if turn.author is not Author.PERSON or reading is None or reading.risk.level is RiskLevel.NONE:
        raise ContractError(f"turn {turn_id} was not flagged: there is no alarm that could be false")
    risk = reading.risk
    return audit.record(
        session,
        event,
        at=at,
        conversation_id=turn.conversation_id,
        turn_id=turn_id,
        actor=by,
        facts={
            "level": risk.level.value,
            "kind": risk.kind.value if risk.kind else None,
            "score": risk.score,
        },
        personal=None if note is None else {"note": note},
    )
