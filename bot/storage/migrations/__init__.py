"""Alembic's migrations of Attune's tables, run by `bot.storage.schema`."""
