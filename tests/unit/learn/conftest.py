"""A database, and a tiny weight that reads, for the tests of `attune emotion learn`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.storage.database import Database
from tests.unit.tiny_weights import make_weights


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The database that the command line finds; the weight is a tiny one."""
    monkeypatch.setenv("ATTUNE_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("ATTUNE_EMOTION_WEIGHTS", str(make_weights(tmp_path / "weights")))
    monkeypatch.delenv("ATTUNE_DATABASE_URL", raising=False)
    return Database(f"sqlite:///{tmp_path / 'var' / 'attune.db'}")
