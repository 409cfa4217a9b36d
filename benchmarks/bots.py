"""Starting, asking and weighing the bots that the benchmarks compare."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bot.core.settings import ROOT
from bot.launch.checks import free_port
from bot.launch.environment import child_environment

STOCK_FOLDER = ROOT / "results" / "stock"
START_LIMIT_S = 240.0
STOP_LIMIT_S = 20.0
ANSWER_LIMIT_S = 60.0


@dataclass(frozen=True)
class Bot:
    """A bot that can be started.

    Attributes:
        name: its column in the table.
        command: what starts it.
        folder: where it runs.
        port: port of its REST channel.
        environment: variables to set besides this process's.
        token: bearer token of its REST channel; empty for none.
    """

    name: str
    command: Sequence[str]
    folder: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    token: str = ""


class Client:
    """One REST connection, kept open as a backend would."""

    def __init__(self, bot: Bot) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", bot.port, timeout=ANSWER_LIMIT_S)
        self._headers = {"Content-Type": "application/json"}
        if bot.token:
            self._headers["Authorization"] = f"Bearer {bot.token}"

    def say(self, sender: str, text: str) -> tuple[float, int]:
        """Sends a message; returns milliseconds until the whole answer was there, and its messages."""
        body = json.dumps({"sender": sender, "message": text}).encode()
        began = time.perf_counter()
        self._connection.request("POST", "/webhooks/rest/webhook", body, self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        elapsed_ms = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            raise SystemExit(f"status {answer.status} instead of an answer: {content[:300]!r}")
        return elapsed_ms, len(json.loads(content))

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


@contextlib.contextmanager
def running(bot: Bot) -> Iterator[tuple[psutil.Process, float]]:
    """Yields the started bot and the seconds from its start to its first answer."""
    with tempfile.TemporaryFile() as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            bot.command,
            cwd=bot.folder,
            env=child_environment(**bot.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            while True:
                client = Client(bot)
                try:
                    client.say(secrets.token_hex(8), "hello")
                    break
                except (OSError, http.client.HTTPException):
                    if process.poll() is not None or time.perf_counter() - began > START_LIMIT_S:
                        log.seek(0)
                        tail = log.read().decode(errors="replace")[-3000:]
                        raise SystemExit(f"{bot.name} did not start:\n{tail}") from None
                    time.sleep(0.02)
                finally:
                    client.close()
            yield psutil.Process(process.pid), time.perf_counter() - began
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def cpu_s(process: psutil.Process) -> float:
    """Processor seconds that a process and all its descendants have used so far."""
    used = 0.0
    for member in [process, *process.children(recursive=True)]:
        times = member.cpu_times()
        used += times.user + times.system
    return used


def memory_mb(process: psutil.Process) -> tuple[float, float]:
    """Proportional and resident memory of a process and all its descendants, in MB (1e6 bytes)."""
    pss = rss = 0
    for member in [process, *process.children(recursive=True)]:
        info = member.memory_full_info()
        rss += info.rss
        pss += getattr(info, "pss", info.rss)  # only Linux tells the proportional size
    return pss / 1e6, rss / 1e6


def stock_bot(store: str) -> Bot:
    """Rasa's stock bot, made and trained the first time."""
    if not any((STOCK_FOLDER / "models").glob("*.tar.gz")):
        note("making and training the stock bot, once")
        script = f"from rasa.cli.scaffold import create_initial_project as make; make({str(STOCK_FOLDER)!r})"
        STOCK_FOLDER.mkdir(parents=True, exist_ok=True)
        for command in (["-c", script], ["-m", "rasa", "train"]):
            subprocess.run(
                [sys.executable, *command],
                cwd=STOCK_FOLDER,
                env=child_environment(),
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
    port = free_port()
    command = [sys.executable, "-m", "rasa", "run", "--port", str(port), "--interface", "127.0.0.1"]
    if store == "sqlite":
        endpoints = STOCK_FOLDER / "endpoints-sqlite.yml"
        endpoints.write_text(
            "tracker_store:\n  type: SQL\n  dialect: sqlite\n  db: stock.db\n", encoding="utf-8"
        )
        (STOCK_FOLDER / "stock.db").unlink(missing_ok=True)
        command += ["--endpoints", endpoints.name]
    return Bot("stock", command, STOCK_FOLDER, port)


def attune_bot(var_dir: str) -> Bot:
    """This checkout's Attune, with a database of its own."""
    subprocess.run([sys.executable, "-m", "bot", "train"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    port, token = free_port(), secrets.token_hex(16)
    environment = {
        "ATTUNE_VAR_DIR": var_dir,
        "ATTUNE_PORT": str(port),
        "ATTUNE_ACTIONS_PORT": str(free_port()),
        "ATTUNE_REST_TOKEN": token,
        "ATTUNE_MESSAGES_PER_MINUTE": "10000",
    }
    return Bot("attune", [sys.executable, "-m", "bot", "run", "--no-train"], ROOT, port, environment, token)


def note(text: str) -> None:
    """Prints a line of progress."""
    print(text, file=sys.stderr, flush=True)
