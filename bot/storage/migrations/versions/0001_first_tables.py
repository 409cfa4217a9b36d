"""The first tables: people, conversations, turns, readings, decisions, guidance, handoffs, Rasa's events."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REAL = sa.Float(precision=53)


def _id() -> Any:
    return sa.Column("id", ROW, autoincrement=True, nullable=False)


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "people",
        _id(),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("created_at", REAL, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
        sa.UniqueConstraint("channel", "external_id", name="uq_people_channel_external_id"),
    )
    op.create_table(
        "conversations",
        _id(),
        sa.Column("person_id", ROW, nullable=False),
        sa.Column("sender_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("language", sa.Text()),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("memory", sa.JSON()),
        sa.Column("handoff_state", sa.Text(), nullable=False),
        sa.Column("started_at", REAL, nullable=False),
        sa.Column("last_turn_at", REAL, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        sa.UniqueConstraint("sender_id", name="uq_conversations_sender_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_conversations_person_id"),
    )
    op.create_index("ix_conversations_person_id", "conversations", ["person_id"])
    op.create_index("ix_conversations_handoff_state", "conversations", ["handoff_state"])
    op.create_table(
        "turns",
        _id(),
        sa.Column("conversation_id", ROW, nullable=False),
        sa.Column("message_id", sa.Text()),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("author_name", sa.Text()),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("language", sa.Text()),
        sa.Column("at", REAL, nullable=False),
        sa.Column("intent", sa.Text()),
        sa.Column("intent_confidence", REAL),
        sa.Column("action", sa.Text()),
        sa.Column("policy", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_turns"),
        sa.UniqueConstraint("conversation_id", "message_id", name="uq_turns_conversation_id_message_id"),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name="fk_turns_conversation_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_turns_conversation_id_id", "turns", ["conversation_id", "id"])
    op.create_table(
        "readings",
        sa.Column("turn_id", ROW, autoincrement=False, nullable=False),
        sa.Column("label", sa.Text()),
        sa.Column("labels", sa.JSON()),
        sa.Column("scores", sa.JSON()),
        sa.Column("ekman", sa.JSON()),
        sa.Column("sentiment", sa.JSON()),
        sa.Column("valence", REAL),
        sa.Column("arousal", REAL),
        sa.Column("dominance", REAL),
        sa.Column("confidence", REAL),
        sa.Column("abstained", sa.Boolean()),
        sa.Column("degraded", sa.Boolean()),
        sa.Column("modalities", sa.JSON()),
        sa.Column("model", sa.Text()),
        sa.Column("risk_level", sa.Text(), nullable=False),
        sa.Column("risk_kind", sa.Text()),
        sa.Column("risk_score", REAL, nullable=False),
        sa.Column("risk_evidence", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("turn_id", name="pk_readings"),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name="fk_readings_turn_id"),
    )
    op.create_table(
        "decisions",
        _id(),
        sa.Column("conversation_id", ROW, nullable=False),
        sa.Column("turn_id", ROW),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text()),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("confidence", REAL, nullable=False),
        sa.Column("at", REAL, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_decisions_conversation_id"
        ),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name="fk_decisions_turn_id"),
    )
    op.create_index("ix_decisions_turn_id", "decisions", ["turn_id"])
    op.create_index("ix_decisions_conversation_id_id", "decisions", ["conversation_id", "id"])
    op.create_table(
        "guidance_shown",
        _id(),
        sa.Column("conversation_id", ROW, nullable=False),
        sa.Column("turn_id", ROW, nullable=False),
        sa.Column("guidance_id", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text()),
        sa.Column("similarity", REAL),
        sa.Column("at", REAL, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_guidance_shown"),
        sa.UniqueConstraint(
            "conversation_id", "guidance_id", name="uq_guidance_shown_conversation_id_guidance_id"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_guidance_shown_conversation_id"
        ),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name="fk_guidance_shown_turn_id"),
    )
    op.create_table(
        "handoffs",
        _id(),
        sa.Column("conversation_id", ROW, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("opened_at", REAL, nullable=False),
        sa.Column("taken_at", REAL),
        sa.Column("taken_by", sa.Text()),
        sa.Column("returned_at", REAL),
        sa.Column("returned_by", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_handoffs"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_handoffs_conversation_id"
        ),
    )
    op.create_index("ix_handoffs_state", "handoffs", ["state"])
    op.create_index("ix_handoffs_conversation_id", "handoffs", ["conversation_id"])
    op.create_index(
        "uq_handoffs_open",
        "handoffs",
        ["conversation_id"],
        unique=True,
        sqlite_where=sa.text("state <> 'returned'"),
        postgresql_where=sa.text("state <> 'returned'"),
    )
    op.create_table(
        "tracker_events",
        _id(),
        sa.Column("sender_id", sa.Text(), nullable=False),
        sa.Column("type_name", sa.Text(), nullable=False),
        sa.Column("timestamp", REAL),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tracker_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tracker_events_sender_id_id", "tracker_events", ["sender_id", "id"])


def downgrade() -> None:
    """Drops everything that was kept."""
    for table in (
        "tracker_events",
        "handoffs",
        "guidance_shown",
        "decisions",
        "readings",
        "turns",
        "conversations",
        "people",
    ):
        op.drop_table(table)
