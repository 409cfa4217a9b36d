"""What a turn was read as in the context of its conversation, beside the reading of its words."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; turns read before have none."""
    op.add_column("readings", sa.Column("context", sa.JSON()))


def downgrade() -> None:
    """Drops it."""
    with op.batch_alter_table("readings") as table:
        table.drop_column("context")
