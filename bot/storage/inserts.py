"""Inserts that give way when another process was first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.storage.tables import metadata


def insert_or_keep(
    session: Session, table: Any, values: dict[str, Any], unique: Sequence[str], where: str = ""
) -> int | None:
    """Inserts a row unless one with the same `unique` columns is there.

    Args:
        session: the open transaction.
        table: to insert into; its first column is the key.
        values: of the row, by column.
        unique: columns of a unique constraint or index.
        where: condition of a partial unique index, in SQL.

    Returns:
        The key of the new row, or None when one was there already.
    """
    has_returning = session.get_bind().dialect.name == "postgresql"
    statement = _statement(table.name, tuple(values), tuple(unique), where, has_returning)
    result = session.execute(statement, values)
    if has_returning:
        key = result.scalar_one_or_none()
        return None if key is None else int(key)
    return int(result.lastrowid) if result.rowcount == 1 else None


@lru_cache(maxsize=64)
def _statement(
    name: str, columns: tuple[str, ...], unique: tuple[str, ...], where: str, has_returning: bool
) -> Any:
    """The statement, in the words both databases share.

    SQLAlchemy's own form of it is compiled anew at every use, which takes longer than running it.
    """
    table = metadata.tables[name]
    sql = f"INSERT INTO {name} ({_quoted(columns)}) VALUES ({', '.join(f':{column}' for column in columns)})"
    sql += f" ON CONFLICT ({_quoted(unique)}){f' WHERE {where}' if where else ''} DO NOTHING"
    if has_returning:
        sql += f" RETURNING {next(iter(table.primary_key.columns)).name}"
    return sa.text(sql).bindparams(*(sa.bindparam(column, type_=table.c[column].type) for column in columns))


def _quoted(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
