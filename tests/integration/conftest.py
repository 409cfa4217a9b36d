"""A trained Attune, its action server and its database, made once and driven through `Agent`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rasa.core.agent import Agent, load_agent
from rasa.core.channels import CollectingOutputChannel, UserMessage
from rasa.core.utils import AvailableEndpoints

from bot.core.settings import ROOT, Settings
from bot.launch.model import RasaModel
from bot.storage.database import Database
from bot.stores.guard import require_durable_store

START_LIMIT_S = 60


@dataclass(frozen=True)
class Stack:
    """What the conversations of these tests run on."""

    model: Path
    actions_port: int
    database: Database


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The trained model, a running action server and a migrated SQLite database they share."""
    var_dir = tmp_path_factory.mktemp("var")
    model = RasaModel(ROOT, Path(Settings().emotion_weights))
    if model.why_stale():
        model.train(lambda line: print(line))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTUNE_VAR_DIR", str(var_dir))
        patch.setenv("RASA_TELEMETRY_ENABLED", "false")
        database = Database(Settings.from_environment().effective_database_url)
        database.migrate()
        port = _free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "bot.launch.action_server", "--port", str(port), "--quiet"],
            cwd=ROOT,
            env=dict(os.environ),
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", process)
            yield Stack(model.archive, port, database)
        finally:
            process.terminate()
            process.wait(timeout=20)
            database.close()


@pytest.fixture(scope="session")
def load(stack: Stack) -> Callable[..., Awaitable[Agent]]:
    """Loads the bot as the server does; `actions_port` may name a port where nothing listens."""

    async def load_bot(actions_port: int = stack.actions_port) -> Agent:
        endpoints = AvailableEndpoints.read_endpoints(str(ROOT / "endpoints.yml"))
        endpoints.action.url = f"http://127.0.0.1:{actions_port}/webhook"
        agent = await load_agent(model_path=str(stack.model), endpoints=endpoints)
        require_durable_store(agent)
        return agent

    return load_bot


@pytest.fixture(scope="session")
def agent_cache() -> dict[str, Agent]:
    """Loaded bots by name, since loading one takes seconds."""
    return {}


@pytest.fixture
async def agent(load: Callable[..., Awaitable[Agent]], agent_cache: dict[str, Agent]) -> Agent:
    """The bot as it should be."""
    if "whole" not in agent_cache:
        agent_cache["whole"] = await load()
    return agent_cache["whole"]


class Chat:
    """One person talking to the bot."""

    def __init__(self, agent: Agent, database: Database, language: str = "en") -> None:
        self.agent = agent
        self.database = database
        self.language = language
        self.sender_id = f"test-{uuid.uuid4().hex}"

    async def say(self, text: str) -> list[dict[str, Any]]:
        """Sends a message; returns the bot's answers as Rasa collected them."""
        output = CollectingOutputChannel()
        await self.agent.handle_message(
            UserMessage(
                text,
                output,
                self.sender_id,
                input_channel="test",
                message_id=uuid.uuid4().hex,
                metadata={"language": self.language},
            )
        )
        return output.messages

    async def answer(self, text: str) -> str:
        """Sends a message; returns what the bot says, in one string."""
        return "\n".join(message.get("text", "") for message in await self.say(text))

    def rows(self, statement: str) -> list[Any]:
        """Rows of a SQL statement in which `:sender` is this person's sender id."""
        from sqlalchemy import text

        with self.database.session() as session:
            return list(session.execute(text(statement), {"sender": self.sender_id}))


@pytest.fixture
def chat(agent: Agent, stack: Stack) -> Chat:
    """A new person in front of the bot as it should be."""
    return Chat(agent, stack.database)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the action server ended with status {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"{url} did not answer within {START_LIMIT_S} s")
