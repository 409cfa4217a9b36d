"""The databases that one suite runs on: an SQLite file, and a real PostgreSQL started for the tests."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.storage.database import Database

LOCKED_USER, LOCKED_PASSWORD = "locked", "right-and-secret"


@pytest.fixture(scope="session")
def runtime_dir() -> Iterator[None]:
    """A folder for pgserver's locks, where the system has none for it."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="attune-run-") as folder:
        if not os.environ.get("XDG_RUNTIME_DIR"):
            patch.setenv("XDG_RUNTIME_DIR", folder)
        yield


@pytest.fixture(scope="session")
def postgresql_url(runtime_dir: None) -> Iterator[str]:
    """The URL of a running PostgreSQL; skips, with the reason, where none can run."""
    try:
        import pgserver
    except ImportError as error:
        pytest.skip(f"PostgreSQL tests need the package pgserver: {error}")
    # Its own folder under /tmp, since a socket's path must be short, and as root the server runs as another
    # user, who must get through to it.
    folder = Path(tempfile.mkdtemp(prefix="attune-pg-"))
    try:
        server = pgserver.get_server(folder, cleanup_mode="delete")
    except Exception as error:
        pytest.skip(f"PostgreSQL can't run here: {type(error).__name__}: {error}")
    try:
        rules = folder / "pg_hba.conf"
        rules.write_text(f"local all {LOCKED_USER} scram-sha-256\n" + rules.read_text())
        server.psql(f"CREATE ROLE {LOCKED_USER} LOGIN PASSWORD '{LOCKED_PASSWORD}'; SELECT pg_reload_conf();")
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'attune.db'}"
        return
    server_url = request.getfixturevalue("postgresql_url")
    name = f"test_{uuid.uuid4().hex}"
    engine = sa.create_engine(server_url, isolation_level="AUTOCOMMIT", future=True)
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield str(sa.engine.make_url(server_url).set(database=name))
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database of each kind."""
    made = Database(database_url)
    made.migrate()
    yield made
    made.close()
