"""Alembic's environment: runs on the connection that `bot.storage.schema` hands over, in its transaction.

To write a new step: copy the newest file of `versions/`, name it after the next number, and set
`down_revision`. The tests compare what the migrations leave with `bot.storage.tables`.
"""

from __future__ import annotations

from alembic import context

from bot.core.errors import StorageError
from bot.storage.schema import VERSION_TABLE
from bot.storage.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise StorageError(
        "migrations run through bot.storage.database.Database.migrate(), not by alembic itself"
    )

context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
