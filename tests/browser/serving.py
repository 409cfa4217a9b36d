"""Starts and stops the stand-in server (see `standin.py`) in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bot.core.handoff import HandoffState
from bot.storage import conversations, handoffs, turns
from bot.storage.database import Database

ROOT = Path(__file__).resolve().parents[2]
START_WITHIN_S = 180.0
STOP_WITHIN_S = 30.0
TOKEN = "a-token-for-tests-only"
BROKEN_TABLES = ("turns", "attune_schema")


@dataclass
class Served:
    """A running server.

    Attributes:
        var_dir: where it keeps its database and secret.
        port: it listens on, on the loopback address.
        environment: of its process.
        process: None while it is stopped.
    """

    var_dir: Path
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Database:
        """The server's database, opened from here."""
        return Database(f"sqlite:///{self.var_dir / 'attune.db'}")

    @property
    def log(self) -> str:
        """What the server wrote."""
        return (self.var_dir / "server.log").read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Starts the server and waits until it is healthy."""
        with (self.var_dir / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "tests.browser.standin", str(self.port)],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        deadline_s = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline_s:
            if self.process.poll() is not None:
                raise RuntimeError(f"the stand-in server ended: {self.log[-3000:]}")
            try:
                if httpx.get(f"{self.url}/chat/health", timeout=5.0).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"the stand-in server did not start: {self.log[-3000:]}")

    def stop(self) -> None:
        """Ends the server."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_WITHIN_S)
        self.process = None

    def break_database(self, folder: Path | None = None) -> None:
        """Makes everything fail that needs the turns, in the server's own connections too."""
        with sqlite3.connect((folder or self.var_dir) / "attune.db") as database:
            for name in BROKEN_TABLES:
                database.execute(f"ALTER TABLE {name} RENAME TO lost_{name}")

    def mend_database(self, folder: Path | None = None) -> None:
        """Takes that back."""
        with sqlite3.connect((folder or self.var_dir) / "attune.db") as database:
            for name in BROKEN_TABLES:
                database.execute(f"ALTER TABLE lost_{name} RENAME TO {name}")

    def answer_as_human(self, name: str, text: str) -> None:
        """Answers the newest conversation that waits for a human, or has one, as another process would."""
        database = self.database
        with database.session(exclusive=True) as session:
            found = handoffs.listing(session, (HandoffState.WAITING, HandoffState.HUMAN))
            turns.add_human(
                session, max(found, key=lambda one: one.id).conversation_id, text, name, time.time()
            )
        database.close()

    def give_back(self) -> None:
        """Gives the newest conversation that a human has back to the bot."""
        database = self.database
        with database.session(exclusive=True) as session:
            found = handoffs.listing(session, (HandoffState.HUMAN,))
            handoffs.give_back(session, max(one.id for one in found), "Anna", time.time())
        database.close()

    def texts(self, sender_id: str) -> list[tuple[str, str]]:
        """The turns of a sender as (author, text)."""
        database = self.database
        with database.session() as session:
            conversation = conversations.find(session, sender_id)
            found = turns.history(session, conversation.id) if conversation else []
        database.close()
        return [(turn.author.value, turn.text) for turn in found]


@contextmanager
def serving(var_dir: Path, **settings: str) -> Iterator[Served]:
    """A running server with its own folder.

    Args:
        var_dir: the folder.
        settings: further ones, as environment variables.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ATTUNE_")}
    environment.update(
        ATTUNE_VAR_DIR=str(var_dir),
        ATTUNE_REST_TOKEN=TOKEN,
        ATTUNE_MESSAGES_PER_MINUTE="600",
        SANIC_GRACEFUL_SHUTDOWN_TIMEOUT="1",
        SQLALCHEMY_SILENCE_UBER_WARNING="1",
    )
    environment.update(settings)
    served = Served(var_dir, _free_port(), environment)
    served.start()
    try:
        yield served
    finally:
        served.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
