"""A database with a migrated schema, and one with a chain in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.storage import audit
from bot.storage.database import Database

from .chains import ROWS


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy: migrating takes longer than any of these tests."""
    path = tmp_path_factory.mktemp("audit") / "empty.db"
    made = Database(f"sqlite:///{path}")
    made.migrate()
    with made.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    made.close()
    return path


@pytest.fixture
def database(empty_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """An empty database that the command line finds."""
    monkeypatch.setenv("ATTUNE_VAR_DIR", str(tmp_path))
    monkeypatch.delenv("ATTUNE_DATABASE_URL", raising=False)
    shutil.copy(empty_file, tmp_path / "attune.db")
    made = Database(f"sqlite:///{tmp_path / 'attune.db'}")
    yield made
    made.close()


@pytest.fixture
def chain(database: Database) -> Database:
    """A database with seven rows of two conversations, each with something personal but the last."""
    with database.session() as session:
        for number in range(1, ROWS + 1):
            audit.record(
                session,
                audit.DANGER_READ,
                at=1000.0 + number,
                conversation_id=1 + number % 2,
                turn_id=number,
                facts={"level": "crisis", "score": 0.1 * number},
                personal={"evidence": [f'第{number}\u2028\x00 "words"']} if number < ROWS else None,
            )
    return database
