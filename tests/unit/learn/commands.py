"""`attune emotion learn` as it is called, and what it kept."""

from __future__ import annotations

from typing import Any

from bot.__main__ import main
from bot.core.correction import CorrectionStatus
from bot.storage import corrections
from bot.storage.database import Database


def learn(*words: str) -> int:
    """Runs a step; returns its exit status."""
    return main(["emotion", "learn", *words])


def kept(database: Database) -> list[Any]:
    """Every correction that was kept."""
    with database.session() as session:
        return corrections.listing(session, list(CorrectionStatus))
