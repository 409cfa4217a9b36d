"""The tables of the audit trail, and the indexes that a report on a period needs.

`audit_log` has no foreign key to turns or conversations: those may have to be deleted one day, and the
trail of what was done stays. Triggers, made in the migration, refuse every change but adding the next row.
"""

from __future__ import annotations

import sqlalchemy as sa

from bot.storage.columns import CleanText
from bot.storage.tables import Real, Row, decisions, metadata, turns

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("seq", Row, primary_key=True, autoincrement=False),  # 1, 2, 3, ... without a gap
    sa.Column("at", Real, nullable=False),
    sa.Column("event", CleanText, nullable=False),
    sa.Column("conversation_id", Row),
    sa.Column("turn_id", Row),
    sa.Column("actor", CleanText, nullable=False),
    sa.Column("facts", CleanText, nullable=False),  # canonical JSON, kept as text since the hash is over it
    sa.Column("personal_hash", CleanText),  # null where nothing was said that is the person's own
    sa.Column("previous_hash", CleanText, nullable=False),
    sa.Column("hash", CleanText, nullable=False),
    sa.Index("ix_audit_log_event_at", "event", "at"),
    sa.Index("ix_audit_log_conversation_id_seq", "conversation_id", "seq"),
    sa.Index("ix_audit_log_turn_id_event", "turn_id", "event"),
)

# What could identify somebody, with the key of its digest: all that erasing has to take away.
audit_personal = sa.Table(
    "audit_personal",
    metadata,
    sa.Column("seq", Row, sa.ForeignKey("audit_log.seq"), primary_key=True, autoincrement=False),
    sa.Column("salt", CleanText, nullable=False),
    sa.Column("personal", CleanText, nullable=False),
)

# One row: the end of the chain, which whoever adds to it holds until their transaction is through.
audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", Row, primary_key=True, autoincrement=False),
    sa.Column("seq", Row, nullable=False),
    sa.Column("hash", CleanText, nullable=False),
)

# For reports: they read the turns and decisions of a period, whatever lies before and after it.
ESCALATING = "level <> 'none'"
sa.Index("ix_turns_at", turns.c.at)
sa.Index(
    "ix_decisions_escalating_at",
    decisions.c.at,
    sqlite_where=sa.text(ESCALATING),
    postgresql_where=sa.text(ESCALATING),
)
