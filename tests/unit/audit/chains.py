"""Seven rows to tamper with, as somebody could who owns the database."""

from __future__ import annotations

from bot.storage import audit
from bot.storage.audit import Head
from bot.storage.audit_check import Finding, verify
from bot.storage.database import Database

ROWS = 7
OTHER_HASH = "ab" * 32
TRIGGERS = (
    "audit_log_insert",
    "audit_log_update",
    "audit_log_delete",
    "audit_head_update",
    "audit_head_delete",
    "audit_personal_update",
    "audit_personal_delete",
)


def check(database: Database, *heads: Head) -> Finding:
    with database.session() as session:
        return verify(session, heads)


def tamper(database: Database, *statements: str) -> None:
    """Does what somebody could who owns the database: drops the guards first."""
    with database.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        for trigger in TRIGGERS:
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {trigger}")
        for statement in statements:
            connection.exec_driver_sql(statement)


def head_of(database: Database) -> Head:
    with database.session() as session:
        return audit.head(session)
