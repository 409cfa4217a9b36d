"""What was decided about people's turns, and on what grounds."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.core.turn import Decision
from bot.storage.records import TurnDecision
from bot.storage.tables import decisions


def add(session: Session, conversation_id: int, made: Sequence[tuple[int | None, Decision, float]]) -> None:
    """Keeps decisions, each as (id of the person's turn or None, decision, seconds since 1970 UTC)."""
    if not made:
        return
    session.execute(
        decisions.insert(),
        [
            {"conversation_id": conversation_id, "turn_id": turn_id, "at": at, **decision.to_dict()}
            for turn_id, decision, at in made
        ],
    )


def of_conversation(session: Session, conversation_id: int, limit: int = 200) -> list[TurnDecision]:
    """The newest decisions of a conversation, oldest first."""
    rows = session.execute(
        sa.select(decisions)
        .where(decisions.c.conversation_id == conversation_id)
        .order_by(decisions.c.id.desc())
        .limit(limit)
    ).mappings()
    return [TurnDecision(row["id"], row["turn_id"], Decision.from_dict(row), row["at"]) for row in rows][::-1]
