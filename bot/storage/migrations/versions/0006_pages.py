"""Paging people on duty: pages, their messages, and the signs of life of what sends them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REAL = sa.Float(precision=53)
LIVE_PAGE = "state IN ('waiting', 'acknowledged')"


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "pages",
        sa.Column("id", ROW, autoincrement=True, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("handoff_id", ROW, nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", REAL, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("due_at", REAL, nullable=False),
        sa.Column("acknowledged_at", REAL),
        sa.Column("acknowledged_by", sa.Text()),
        sa.Column("closed_at", REAL),
        sa.PrimaryKeyConstraint("id", name="pk_pages"),
        sa.ForeignKeyConstraint(
            ["handoff_id"], ["handoffs.id"], name="fk_pages_handoff_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_pages_handoff_id", "pages", ["handoff_id"])
    op.create_index("ix_pages_state_due_at", "pages", ["state", "due_at"])
    op.create_index(
        "uq_pages_live",
        "pages",
        ["handoff_id"],
        unique=True,
        sqlite_where=sa.text(LIVE_PAGE),
        postgresql_where=sa.text(LIVE_PAGE),
    )
    op.create_table(
        "page_sends",
        sa.Column("id", ROW, autoincrement=True, nullable=False),
        sa.Column("page_id", ROW, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", REAL, nullable=False),
        sa.Column("claimed_until", REAL, nullable=False),
        sa.Column("tried_at", REAL),
        sa.Column("result", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_page_sends"),
        sa.ForeignKeyConstraint(["page_id"], ["pages.id"], name="fk_page_sends_page_id", ondelete="CASCADE"),
        sa.UniqueConstraint(
            "page_id", "step", "person", "sender", name="uq_page_sends_page_id_step_person_sender"
        ),
    )
    op.create_index("ix_page_sends_state_due_at", "page_sends", ["state", "due_at"])
    op.create_table(
        "duty_beats",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", REAL, nullable=False),
        sa.Column("ok_at", REAL),
        sa.Column("trouble", sa.Text()),
        sa.PrimaryKeyConstraint("name", name="pk_duty_beats"),
    )


def downgrade() -> None:
    """Drops them."""
    for table in ("duty_beats", "page_sends", "pages"):
        op.drop_table(table)
