"""The figures on safety of a period: what was flagged, answered, handed to humans, and false.

Turns and decisions of the period come from their tables, what was done about danger from the audit trail.
Every statement reads by an index on time, so that other periods cost nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.core.handoff import HandoffState
from bot.core.reading import RiskLevel
from bot.core.turn import Author
from bot.storage import audit
from bot.storage.audit_tables import ESCALATING, audit_log
from bot.storage.tables import decisions, readings, turns

DANGER = tuple(level.value for level in RiskLevel if level.needs_human)
PAGES = (
    audit.PAGE_SENT,
    audit.PAGE_FAILED,
    audit.PAGE_ESCALATED,
    audit.PAGE_ACKNOWLEDGED,
)
_RANK = {level.value: rank for rank, level in enumerate(RiskLevel)}


def of_period(session: Session, start: float, end: float, now: float) -> dict[str, Any]:
    """The figures of a period.

    Args:
        session: the open transaction.
        start: of the period, seconds since 1970 UTC.
        end: of the period, which is not part of it, seconds since 1970 UTC.
        now: up to when people who still wait have waited, seconds since 1970 UTC.
    """
    flagged = _flagged(session, start, end)
    danger = sum(entry["turns"] for entry in flagged if entry["level"] in DANGER)
    return {
        "turns": {
            "person": _person_turns(session, start, end),
            "flagged": sum(entry["turns"] for entry in flagged),
            "danger": danger,
            "by": flagged,
        },
        "crises": _crises(session, start, end),
        "humans": _humans(session, start, end, now),
        "escalations": _escalations(session, start, end),
        "false_alarms": _false_alarms(session, start, end, danger),
        "pages": _counts(session, PAGES, start, end),
    }


def spread(seconds: Sequence[float]) -> dict[str, float | None]:
    """Median, 90th percentile (nearest rank) and greatest of times in s; None where there are none."""
    if not seconds:
        return {"median": None, "p90": None, "max": None}
    ordered = sorted(seconds)
    rank = -(-9 * len(ordered) // 10)  # rounded up
    return {
        "median": round(float(median(ordered)), 3),
        "p90": round(ordered[rank - 1], 3),
        "max": round(ordered[-1], 3),
    }


def _in_period(column: Any, start: float, end: float) -> Any:
    return sa.and_(column >= start, column < end)


def _person_turns(session: Session, start: float, end: float) -> int:
    statement = sa.select(sa.func.count()).where(
        turns.c.author == Author.PERSON.value, _in_period(turns.c.at, start, end)
    )
    return int(session.execute(statement).scalar_one())


def _flagged(session: Session, start: float, end: float) -> list[dict[str, Any]]:
    by = (readings.c.risk_level, readings.c.risk_kind, turns.c.language)
    rows = session.execute(
        sa.select(*by, sa.func.count())
        .select_from(turns.join(readings, readings.c.turn_id == turns.c.id))
        .where(_in_period(turns.c.at, start, end), readings.c.risk_level != RiskLevel.NONE.value)
        .group_by(*by)
    )
    found = [dict(zip(("level", "kind", "language", "turns"), row, strict=True)) for row in rows]
    return sorted(
        found,
        key=lambda entry: (-_RANK.get(entry["level"], 0), entry["kind"] or "", entry["language"] or ""),
    )


def _crises(session: Session, start: float, end: float) -> dict[str, Any]:
    """Turns in danger, and how soon they had an answer."""
    answer = audit_log.alias("answer")
    read = audit_log
    rows = session.execute(
        sa.select(read.c.conversation_id, read.c.at, read.c.facts, answer.c.at.label("answered_at"))
        .select_from(
            read.outerjoin(
                answer,
                sa.and_(answer.c.turn_id == read.c.turn_id, answer.c.event == audit.CRISIS_ANSWERED),
            )
        )
        .where(read.c.event == audit.DANGER_READ, _in_period(read.c.at, start, end))
    )
    conversations: set[int] = set()
    waits: list[float] = []
    with_human = unanswered = 0
    for row in rows:
        conversations.add(row.conversation_id)
        if row.answered_at is not None:
            waits.append(max(row.answered_at - row.at, 0.0))
        elif json.loads(row.facts).get("handoff") == HandoffState.HUMAN.value:
            with_human += 1
        else:
            unanswered += 1
    return {
        "turns": len(waits) + with_human + unanswered,
        "conversations": len(conversations),
        "answered": len(waits),
        "left_to_human": with_human,
        "unanswered": unanswered,
        "seconds_to_answer": spread(waits),
        "not_on_trail": _not_on_trail(session, start, end),
    }


def _not_on_trail(session: Session, start: float, end: float) -> int:
    """Turns in danger that the trail says nothing of, such as those from before there was one."""
    told = sa.exists().where(audit_log.c.turn_id == turns.c.id, audit_log.c.event == audit.DANGER_READ)
    statement = (
        sa.select(sa.func.count())
        .select_from(turns.join(readings, readings.c.turn_id == turns.c.id))
        .where(_in_period(turns.c.at, start, end), readings.c.risk_level.in_(DANGER), ~told)
    )
    return int(session.execute(statement).scalar_one())


def _humans(session: Session, start: float, end: float, now: float) -> dict[str, Any]:
    """Humans asked for because of danger, and how long people waited for them."""
    asked = _asked(session, start, end)
    taken, returned = _ends(session, start, end)
    waits, waiting = [], []
    there_already = returned_untaken = 0
    for handoff_id, (at, state) in asked.items():
        if state == HandoffState.HUMAN.value:
            there_already += 1
        elif handoff_id in taken:
            waits.append(max(taken[handoff_id] - at, 0.0))
        elif handoff_id in returned:
            returned_untaken += 1
        else:
            waiting.append({"handoff_id": handoff_id, "waited_s": round(max(now - at, 0.0), 3)})
    return {
        "offered": _counts(session, (audit.HUMAN_OFFERED,), start, end)[audit.HUMAN_OFFERED],
        "asked_for": len(asked),
        "there_already": there_already,
        "taken": len(waits),
        "returned_untaken": returned_untaken,
        "seconds_to_human": spread(waits),
        "still_waiting": sorted(waiting, key=lambda entry: -entry["waited_s"]),
    }


def _asked(session: Session, start: float, end: float) -> dict[int, tuple[float, str]]:
    """Per handoff that became one of danger in the period: when, and whose turn it was then."""
    rows = session.execute(
        sa.select(audit_log.c.at, audit_log.c.facts).where(
            audit_log.c.event.in_((audit.HANDOFF_OPENED, audit.HANDOFF_RAISED)),
            _in_period(audit_log.c.at, start, end),
        )
    )
    asked = {}
    for at, text in rows:
        facts = json.loads(text)
        if facts.get("level_before") not in DANGER:  # else it was one before
            asked[int(facts["handoff_id"])] = (float(at), str(facts["state"]))
    return asked


def _ends(session: Session, start: float, end: float) -> tuple[dict[int, float], set[int]]:
    """When humans took the handoffs of the period, and which were handed back; at any time since."""
    opened, ended = audit_log.alias("opened"), audit_log.alias("ended")
    follows = sa.and_(ended.c.conversation_id == opened.c.conversation_id, ended.c.seq > opened.c.seq)
    rows = session.execute(
        sa.select(ended.c.event, ended.c.at, ended.c.facts)
        .select_from(opened.join(ended, follows))
        .where(
            opened.c.event.in_((audit.HANDOFF_OPENED, audit.HANDOFF_RAISED)),
            _in_period(opened.c.at, start, end),
            ended.c.event.in_((audit.HANDOFF_TAKEN, audit.HANDOFF_RETURNED)),
        )
    )
    taken: dict[int, float] = {}
    returned: set[int] = set()
    for event, at, text in rows:
        handoff_id = int(json.loads(text)["handoff_id"])
        if event == audit.HANDOFF_TAKEN:
            taken[handoff_id] = float(at)
        else:
            returned.add(handoff_id)
    return taken, returned


def _escalations(session: Session, start: float, end: float) -> list[dict[str, Any]]:
    by = (decisions.c.level, decisions.c.reason)
    rows = session.execute(
        sa.select(*by, sa.func.count())
        .where(sa.text(f"decisions.{ESCALATING}"), _in_period(decisions.c.at, start, end))
        .group_by(*by)
    )
    found = [{"level": level, "reason": reason, "decisions": count} for level, reason, count in rows]
    return sorted(found, key=lambda entry: (-entry["decisions"], entry["level"], entry["reason"]))


def _false_alarms(session: Session, start: float, end: float, danger: int) -> dict[str, Any]:
    """Turns of the period that an agent has since marked as false alarms."""
    mark, later = audit_log.alias("mark"), audit_log.alias("later")
    words = (audit.FALSE_ALARM_MARKED, audit.FALSE_ALARM_WITHDRAWN)
    has_later_word = sa.exists().where(
        later.c.turn_id == mark.c.turn_id, later.c.event.in_(words), later.c.seq > mark.c.seq
    )
    is_marked = sa.exists().where(
        mark.c.turn_id == turns.c.id, mark.c.event == audit.FALSE_ALARM_MARKED, ~has_later_word
    )
    by = (readings.c.risk_level, readings.c.risk_kind)
    # Not joined: a database that began with the marks would read those of every period.
    rows = session.execute(
        sa.select(*by, sa.func.count())
        .select_from(turns.join(readings, readings.c.turn_id == turns.c.id))
        .where(_in_period(turns.c.at, start, end), readings.c.risk_level != RiskLevel.NONE.value, is_marked)
        .group_by(*by)
    )
    found = [{"level": level, "kind": kind, "turns": count} for level, kind, count in rows]
    found.sort(key=lambda entry: (-_RANK.get(entry["level"], 0), entry["kind"] or ""))
    of_danger = sum(entry["turns"] for entry in found if entry["level"] in DANGER)
    return {
        "marked": sum(entry["turns"] for entry in found),
        "of_danger": of_danger,
        "share_of_danger": round(of_danger / danger, 4) if danger else None,
        "by": found,
    }


def _counts(session: Session, events: Iterable[str], start: float, end: float) -> dict[str, int]:
    wanted = tuple(events)
    rows = session.execute(
        sa.select(audit_log.c.event, sa.func.count())
        .where(audit_log.c.event.in_(wanted), _in_period(audit_log.c.at, start, end))
        .group_by(audit_log.c.event)
    )
    return {**dict.fromkeys(wanted, 0), **dict(tuple(row) for row in rows)}
