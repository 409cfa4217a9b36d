"""What the actions share, opened at the first use and then kept: the library and the database."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from bot.core.entries import Entry
from bot.core.settings import ROOT, Settings
from bot.core.strategy import Strategy
from bot.storage.database import Database
from nlu_models.retrieval.library import Library


@lru_cache(maxsize=1)
def database() -> Database:
    """The database of the settings."""
    return Database(Settings.from_environment().effective_database_url)


@lru_cache(maxsize=1)
def entries() -> Mapping[str, Entry]:
    """The guidance library by entry id.

    Raises:
        DataError: the library is malformed.
    """
    library = Library.load(ROOT / "data" / "guidance")
    return {
        entry.id: Entry(
            id=entry.id,
            strategy=Strategy(entry.strategy),
            topic=entry.topic,
            emotions=frozenset(entry.emotions),
            not_for=frozenset(entry.not_for),
            text=entry.text,
        )
        for entry in library.entries.values()
    }
