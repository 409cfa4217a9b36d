"""The tables behind paging people on duty. Times are seconds since 1970 UTC."""

from __future__ import annotations

import sqlalchemy as sa

from bot.storage.columns import CleanText
from bot.storage.tables import Real, Row, metadata

pages = sa.Table(
    "pages",
    metadata,
    sa.Column("id", Row, primary_key=True, autoincrement=True),
    sa.Column("key", CleanText, nullable=False),  # random; receivers know a repeated message by it
    sa.Column("handoff_id", Row, sa.ForeignKey("handoffs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("level", CleanText, nullable=False),
    sa.Column("kind", CleanText),
    sa.Column("state", CleanText, nullable=False),
    sa.Column("opened_at", Real, nullable=False),
    sa.Column("step", sa.Integer, nullable=False),  # how many people have been called; 0: nobody yet
    sa.Column("due_at", Real, nullable=False),  # when the next one is
    sa.Column("acknowledged_at", Real),
    sa.Column("acknowledged_by", CleanText),
    sa.Column("closed_at", Real),
    sa.Index("ix_pages_handoff_id", "handoff_id"),
    sa.Index("ix_pages_state_due_at", "state", "due_at"),
)

# At most one live page a handoff, whoever opens it first.
LIVE_PAGE = "state IN ('waiting', 'acknowledged')"
sa.Index(
    "uq_pages_live",
    pages.c.handoff_id,
    unique=True,
    sqlite_where=sa.text(LIVE_PAGE),
    postgresql_where=sa.text(LIVE_PAGE),
)

page_sends = sa.Table(
    "page_sends",
    metadata,
    sa.Column("id", Row, primary_key=True, autoincrement=True),
    sa.Column("page_id", Row, sa.ForeignKey("pages.id", ondelete="CASCADE"), nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("person", CleanText, nullable=False),  # the name on the roster; addresses stay in its file
    sa.Column("sender", CleanText, nullable=False),
    sa.Column("state", CleanText, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),  # begun, whether or not they came to an end
    sa.Column("due_at", Real, nullable=False),
    sa.Column("claimed_until", Real, nullable=False),  # while somebody is at it; then it is anybody's again
    sa.Column("tried_at", Real),
    sa.Column("result", CleanText),  # of the last attempt, in words; never a URL, address or secret
    sa.Index("ix_page_sends_state_due_at", "state", "due_at"),
    sa.UniqueConstraint("page_id", "step", "person", "sender"),
)

# Signs of life: one row for the worker, and one for each sender.
duty_beats = sa.Table(
    "duty_beats",
    metadata,
    sa.Column("name", CleanText, primary_key=True),
    sa.Column("at", Real, nullable=False),  # when it was last looked at
    sa.Column("ok_at", Real),  # when it last was well
    sa.Column("trouble", CleanText),  # what is wrong now; null: nothing
)
