"""Inserts that give way when another process was first."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session


def insert_or_keep(
    session: Session, table: Any, values: dict[str, Any], unique: list[str], where: Any = None
) -> int | None:
    """Inserts a row unless one with the same `unique` columns is there.

    Args:
        session: the open transaction.
        table: to insert into; its first column is the key.
        values: of the row.
        unique: columns of a unique constraint or index.
        where: condition of a partial unique index.

    Returns:
        The key of the new row, or None when one was there already.
    """
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    key = table.c[next(iter(table.primary_key.columns)).name]
    statement = dialect.insert(table).values(**values)
    statement = statement.on_conflict_do_nothing(index_elements=unique, index_where=where)
    if dialect is postgresql:
        found = session.execute(statement.returning(key)).scalar_one_or_none()
        return None if found is None else int(found)
    result = session.execute(statement)
    return int(result.lastrowid) if result.rowcount == 1 else None
