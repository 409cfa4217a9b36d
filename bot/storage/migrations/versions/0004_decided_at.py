"""When somebody last said what a correction's emotion is: of several for one text the last said counts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

REAL = sa.Float(precision=53)


def upgrade() -> None:
    """Adds the column; what was kept before counts from when it was first kept."""
    op.add_column("corrections", sa.Column("decided_at", REAL))
    op.execute("UPDATE corrections SET decided_at = created_at")
    with op.batch_alter_table("corrections") as table:
        table.alter_column("decided_at", existing_type=REAL, nullable=False)


def downgrade() -> None:
    """Drops it."""
    with op.batch_alter_table("corrections") as table:
        table.drop_column("decided_at")
