"""The audit trail: append-only by triggers, one head, and personal details that can be erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REAL = sa.Float(precision=53)
GENESIS = "0" * 64
ESCALATING = "level <> 'none'"
APPEND_ONLY = "the audit trail is append-only"

# What has to hold, in the words both databases share. NEW and OLD are the row after and before.
ROW_FOLLOWS = (
    "EXISTS (SELECT 1 FROM audit_head h "
    "WHERE h.id = 1 AND h.seq + 1 = NEW.seq AND h.hash = NEW.previous_hash)"
)
HEAD_FOLLOWS = (
    "NEW.id = OLD.id AND ((NEW.seq = OLD.seq AND NEW.hash = OLD.hash) OR (NEW.seq = OLD.seq + 1 "
    "AND EXISTS (SELECT 1 FROM audit_log a WHERE a.seq = NEW.seq AND a.hash = NEW.hash)))"
)
ERASURE_IS_RECORDED = (
    "EXISTS (SELECT 1 FROM audit_log a JOIN audit_log e ON e.conversation_id = a.conversation_id "
    "WHERE a.seq = OLD.seq AND e.seq > a.seq AND e.event = 'erased')"
)
# Trigger, table, what it watches, and the condition under which it lets it pass.
TRIGGERS = (
    ("audit_log_insert", "audit_log", "INSERT", ROW_FOLLOWS),
    ("audit_log_update", "audit_log", "UPDATE", None),
    ("audit_log_delete", "audit_log", "DELETE", None),
    ("audit_head_update", "audit_head", "UPDATE", HEAD_FOLLOWS),
    ("audit_head_delete", "audit_head", "DELETE", None),
    ("audit_personal_update", "audit_personal", "UPDATE", None),
    ("audit_personal_delete", "audit_personal", "DELETE", ERASURE_IS_RECORDED),
)
TABLES = ("audit_log", "audit_head", "audit_personal")


def upgrade() -> None:
    """Makes the tables, their guards, and the indexes that reports read by."""
    op.create_table(
        "audit_log",
        sa.Column("seq", ROW, autoincrement=False, nullable=False),
        sa.Column("at", REAL, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("conversation_id", ROW),
        sa.Column("turn_id", ROW),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("personal_hash", sa.Text()),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_event_at", "audit_log", ["event", "at"])
    op.create_index("ix_audit_log_conversation_id_seq", "audit_log", ["conversation_id", "seq"])
    op.create_index("ix_audit_log_turn_id_event", "audit_log", ["turn_id", "event"])
    op.create_table(
        "audit_personal",
        sa.Column("seq", ROW, autoincrement=False, nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("personal", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit_personal"),
        sa.ForeignKeyConstraint(["seq"], ["audit_log.seq"], name="fk_audit_personal_seq"),
    )
    head = op.create_table(
        "audit_head",
        sa.Column("id", ROW, autoincrement=False, nullable=False),
        sa.Column("seq", ROW, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    op.bulk_insert(head, [{"id": 1, "seq": 0, "hash": GENESIS}])
    op.create_index("ix_turns_at", "turns", ["at"])
    op.create_index(
        "ix_decisions_escalating_at",
        "decisions",
        ["at"],
        sqlite_where=sa.text(ESCALATING),
        postgresql_where=sa.text(ESCALATING),
    )
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


def downgrade() -> None:
    """Drops the trail and everything that was on it."""
    op.drop_index("ix_decisions_escalating_at", "decisions")
    op.drop_index("ix_turns_at", "turns")
    for table in ("audit_personal", "audit_head", "audit_log"):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        for name, _, _, _ in TRIGGERS:
            op.execute(f"DROP FUNCTION attune_{name}()")
        op.execute("DROP FUNCTION attune_audit_truncate()")


def _guard_sqlite() -> None:
    for name, table, change, allowed in TRIGGERS:
        when = f" WHEN NOT ({allowed})" if allowed else ""
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {change} ON {table}{when} "
            f"BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
        )


def _guard_postgresql() -> None:
    refuse = f"RAISE EXCEPTION '{APPEND_ONLY}'"
    for name, table, change, allowed in TRIGGERS:
        passed = "OLD" if change == "DELETE" else "NEW"
        body = f"IF {allowed} THEN RETURN {passed}; END IF; {refuse};" if allowed else f"{refuse};"
        _postgresql_trigger(name, f"BEFORE {change} ON {table} FOR EACH ROW", body)
    op.execute(_function("audit_truncate", f"{refuse};"))
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION attune_audit_truncate()"
        )


def _postgresql_trigger(name: str, moment: str, body: str) -> None:
    op.execute(_function(name, body))
    op.execute(f"CREATE TRIGGER {name} {moment} EXECUTE FUNCTION attune_{name}()")


def _function(name: str, body: str) -> str:
    return f"CREATE FUNCTION attune_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
