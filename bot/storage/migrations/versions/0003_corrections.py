"""What the emotion of a text really is, for the reader to learn from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REAL = sa.Float(precision=53)


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "corrections",
        sa.Column("id", ROW, autoincrement=True, nullable=False),
        sa.Column("created_at", REAL, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("author", sa.Text()),
        sa.Column("turn_id", ROW),
        sa.Column("model", sa.Text()),
        sa.Column("reading", sa.JSON()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("used_in", sa.Text()),
        sa.Column("note", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_corrections"),
        sa.UniqueConstraint("fingerprint", name="uq_corrections_fingerprint"),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name="fk_corrections_turn_id", ondelete="CASCADE"),
    )
    op.create_index("ix_corrections_turn_id", "corrections", ["turn_id"])
    op.create_index("ix_corrections_status", "corrections", ["status"])


def downgrade() -> None:
    """Drops what was learnt."""
    op.drop_table("corrections")
