"""A database with somebody in danger, a clock that is turned by hand, and a worker on both."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.duty.links import Links
from bot.duty.roster import Person, Reach, Roster
from bot.duty.senders import Sender
from bot.duty.worker import Schedule, Worker
from bot.storage import handoffs, page_sends, pages, turns
from bot.storage.database import Database
from bot.storage.page_sends import PageSend
from bot.storage.pages import Page

START = 1_000_000.0


class Bench:
    """A worker on a database of its own.

    Attributes:
        now: the time, seconds since 1970 UTC.
    """

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'attune.db'}")
        self.now = START
        self.roster = Roster((), {})
        self.trouble: str | None = None
        self.workers: list[Worker] = []

    def people(self, *names: str, **senders: Sender) -> None:
        """Puts people on the roster, each reached through every sender."""
        reach = tuple(Reach(name, "desk") for name in senders)
        self.roster = Roster(
            tuple(Person(name, reach) for name in names), senders, base_url="https://chat.example"
        )

    def worker(self) -> Worker:
        schedule = Schedule(now=lambda: self.now, jitter=lambda: 1.0)
        made = Worker(self.database, lambda: (self.roster, self.trouble), Links("s" * 40), schedule)
        self.workers.append(made)
        return made

    def step(self, seconds: float = 0.0, worker: Worker | None = None) -> None:
        """Lets time pass, then lets a worker do what is due, to its end."""
        self.now += seconds
        if worker is None:
            worker = self.workers[0] if self.workers else self.worker()
        worker.step()
        worker.drain()

    def danger(self, level: str = "high", reason: str = "risk_self_harm", sender_id: str = "web-1") -> int:
        """Lets a conversation ask for a human; gives the handoff's id."""
        with self.database.session(exclusive=True) as session:
            turn = turns.arrive(session, sender_id, "web", "words nobody may see", "m", "en", self.now)
            evidence = ["words nobody may see"]
            return handoffs.open_handoff(session, turn.conversation_id, reason, level, evidence, self.now).id

    def page(self, handoff_id: int) -> Page:
        """The newest page of a handoff."""
        with self.database.session() as session:
            return pages.of_handoff(session, handoff_id)[-1]

    def sends(self, handoff_id: int) -> list[PageSend]:
        """The messages of the newest page of a handoff."""
        page = self.page(handoff_id)
        with self.database.session() as session:
            return page_sends.of_page(session, page.id)

    def acknowledge(self, handoff_id: int, name: str = "Ann") -> Page:
        page = self.page(handoff_id)
        with self.database.session(exclusive=True) as session:
            return pages.acknowledge(session, page.id, name, self.now)

    def take(self, handoff_id: int, name: str = "Ann") -> None:
        with self.database.session(exclusive=True) as session:
            handoffs.take(session, handoff_id, name, self.now)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file to copy, which takes less time than migrating."""
    path = tmp_path_factory.mktemp("migrated") / "attune.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture
def bench(tmp_path: Path, migrated: Path) -> Iterator[Bench]:
    shutil.copy(migrated, tmp_path / "attune.db")
    made = Bench(tmp_path)
    yield made
    for worker in made.workers:
        worker.close()
    made.database.close()
