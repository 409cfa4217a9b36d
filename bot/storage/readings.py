"""What was read from people's turns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.core.reading import EmotionReading, RiskKind, RiskLevel, RiskReading
from bot.storage.inserts import insert_or_keep
from bot.storage.records import TurnReading
from bot.storage.tables import readings

_EMOTION = tuple(field.name for field in fields(EmotionReading))


def add(session: Session, turn_id: int, emotion: EmotionReading | None, risk: RiskReading) -> None:
    """Keeps the reading of a turn, unless it has one."""
    values: dict[str, Any] = {
        "turn_id": turn_id,
        "risk_level": risk.level.value,
        "risk_kind": risk.kind.value if risk.kind else None,
        "risk_score": risk.score,
        "risk_evidence": list(risk.evidence),
    }
    if emotion is not None:
        values.update(emotion.to_dict())
    insert_or_keep(session, readings, values, ["turn_id"])


def of_turns(session: Session, turn_ids: Iterable[int]) -> dict[int, TurnReading]:
    """The readings of turns, by turn id; turns without one are left out."""
    wanted = list(turn_ids)
    if not wanted:
        return {}
    rows = session.execute(sa.select(readings).where(readings.c.turn_id.in_(wanted))).mappings()
    return {row["turn_id"]: of_row(row) for row in rows}


def of_row(row: Any) -> TurnReading:
    """The reading that a row with the columns of `readings` holds.

    Raises:
        ContractError: the emotion in it is malformed.
        ValueError: the risk in it has a level or kind that isn't known.
    """
    emotion = None
    if row["label"] is not None:
        emotion = EmotionReading.from_dict({name: row[name] for name in _EMOTION})
    kind = row["risk_kind"]
    risk = RiskReading(
        RiskLevel(row["risk_level"]),
        row["risk_score"],
        RiskKind(kind) if kind is not None else None,
        tuple(row["risk_evidence"]),
    )
    return TurnReading(row["turn_id"], emotion, risk)
