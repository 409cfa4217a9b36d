"""Which schema a database has, and how to bring it to the newest one. Runs Alembic as a library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

VERSION_TABLE = "attune_schema"  # not Alembic's default, which other programs use in a shared database
FOLDER = Path(__file__).resolve().parent / "migrations"


def current(connection: Any) -> str | None:
    """The revision a database is at, or None when it was never migrated."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    revision = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return None if revision is None else str(revision)


def head() -> str:
    """The newest revision this code knows."""
    return str(_scripts().get_current_head())


def is_known(revision: str) -> bool:
    """Whether this code has the migration that `revision` names."""
    return revision in {script.revision for script in _scripts().walk_revisions()}


def upgrade(connection: Any) -> None:
    """Runs the missing migrations inside the connection's transaction."""
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Any:
    from alembic.config import Config

    config = Config()  # without a file: nothing is read that could set up logging anew
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def _scripts() -> Any:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())
