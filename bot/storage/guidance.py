"""Which entries of the guidance library a person has seen."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.storage.inserts import insert_or_keep
from bot.storage.records import ShownGuidance, from_row
from bot.storage.tables import conversations, guidance_shown


def shown_ids(session: Session, sender_id: str) -> set[str]:
    """The ids of the entries that were shown in a sender's conversation."""
    rows = session.execute(
        sa.select(guidance_shown.c.guidance_id)
        .join(conversations, conversations.c.id == guidance_shown.c.conversation_id)
        .where(conversations.c.sender_id == sender_id)
    )
    return {str(guidance_id) for (guidance_id,) in rows}


def add_shown(session: Session, conversation_id: int, shown: ShownGuidance) -> None:
    """Notes that a bot's turn showed an entry; the first time counts."""
    insert_or_keep(
        session,
        guidance_shown,
        {
            "conversation_id": conversation_id,
            "turn_id": shown.turn_id,
            "guidance_id": shown.guidance_id,
            "strategy": shown.strategy,
            "similarity": shown.similarity,
            "at": shown.at,
        },
        ["conversation_id", "guidance_id"],
    )


def of_conversation(session: Session, conversation_id: int) -> list[ShownGuidance]:
    """What was shown in a conversation, oldest first."""
    rows = session.execute(
        sa.select(guidance_shown)
        .where(guidance_shown.c.conversation_id == conversation_id)
        .order_by(guidance_shown.c.id)
    ).mappings()
    return [from_row(ShownGuidance, row) for row in rows]
