"""How does Attune compare with Rasa's stock bot: milliseconds a turn, seconds to start, memory?

Makes the bot of `rasa init` once under results/stock, then starts the two in turn, several times each,
on this machine, sends both the same sentences over REST, and prints one table with the targets.

    .venv/bin/python benchmarks/turns.py [--rounds 3] [--json]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import json
import os
import platform
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bot.launch.checks import free_port  # noqa: E402
from bot.launch.environment import child_environment  # noqa: E402

STOCK_FOLDER = ROOT / "results" / "stock"
START_LIMIT_S = 240.0
ANSWER_LIMIT_S = 60.0
NEAR = 5  # turns on either side of turn 10 and turn 200

# Six turns each. Nobody in them asks for a human or is in danger, since Attune then falls silent.
CONVERSATIONS = (
    (
        "hello",
        "I had a long day at work and I feel tired",
        "my manager moved the deadline again",
        "I don't know where to start",
        "that makes sense, thanks",
        "goodbye",
    ),
    (
        "hi there",
        "I am nervous about my exam tomorrow",
        "I studied for weeks but I keep forgetting things",
        "what could help me to calm down?",
        "ok I will try that",
        "see you",
    ),
    (
        "good morning",
        "my best friend has moved to another city",
        "I miss our evenings together",
        "we used to cook every Friday",
        "maybe I should call her",
        "bye",
    ),
    (
        "hey",
        "I got the job I applied for!",
        "I am really happy and a bit scared",
        "it starts next month",
        "do you think I can do it?",
        "thank you, bye",
    ),
)
LONG = [text for conversation in CONVERSATIONS for text in conversation[1:-1]]


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


@dataclass
class Measured:
    """Everything measured of one bot, over all rounds."""

    start_s: list[float] = field(default_factory=list)
    turn_ms: list[float] = field(default_factory=list)
    turn_10_ms: list[float] = field(default_factory=list)
    turn_200_ms: list[float] = field(default_factory=list)
    pss_mb: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    unanswered: int = 0
    turns: int = 0


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


def measure(bot: Bot, rounds_conversations: int, long_turns: int, into: Measured) -> None:
    """Starts a bot once, talks to it, weighs it and stops it.

    Args:
        bot: what to start.
        rounds_conversations: how many conversations of six turns.
        long_turns: turns of the one long conversation; 0 leaves it out.
        into: takes the measurements.
    """
    with _running(bot) as (process, start_s):
        into.start_s.append(start_s)
        client = Client(bot)
        for text in CONVERSATIONS[0]:  # fills caches; not counted
            client.say(secrets.token_hex(8), text)

        def turn(sender: str, text: str) -> float:
            elapsed_ms, answers = client.say(sender, text)
            into.turns += 1
            into.unanswered += answers == 0
            return elapsed_ms

        for conversation in itertools.islice(itertools.cycle(CONVERSATIONS), rounds_conversations):
            sender = secrets.token_hex(8)
            into.turn_ms += [turn(sender, text) for text in conversation]
        sender = secrets.token_hex(8)
        texts = itertools.islice(itertools.cycle(LONG), long_turns)
        long_ms = [turn(sender, text) for text in texts]
        into.turn_10_ms += long_ms[10 - NEAR : 10 + NEAR]
        into.turn_200_ms += long_ms[200 - NEAR : 200 + NEAR]
        pss, rss = _memory_mb(process)
        into.pss_mb.append(pss)
        into.rss_mb.append(rss)
        client.close()


@contextlib.contextmanager
def _running(bot: Bot) -> Iterator[tuple[psutil.Process, float]]:
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
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _memory_mb(process: psutil.Process) -> tuple[float, float]:
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
        _note("making and training the stock bot, once")
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


def report(stock: Measured, attune: Measured) -> list[dict[str, object]]:
    """The rows of the table: name, both figures, what is compared, its target and whether it is met."""

    def row(
        name: str, unit: str, mine: float, theirs: float | None, target: float | None
    ) -> dict[str, object]:
        ratio = None if theirs is None else mine / theirs
        met = None if target is None or ratio is None else ratio <= target
        return {
            "measure": name, "unit": unit, "stock": theirs, "attune": mine,
            "ratio": ratio, "target": target, "met": met,
        }  # fmt: skip

    def against_stock(
        name: str, unit: str, key: str, share: float, target: float | None
    ) -> dict[str, object]:
        mine, theirs = (_quantile(getattr(measured, key), share) for measured in (attune, stock))
        return row(name, unit, mine, theirs, target)

    rows = [
        against_stock("turn, p50", "ms", "turn_ms", 0.5, 0.7),
        against_stock("turn, p95", "ms", "turn_ms", 0.95, None),
    ]
    if attune.turn_200_ms and stock.turn_200_ms:
        rows += [
            against_stock("around turn 10, p50", "ms", "turn_10_ms", 0.5, None),
            against_stock("around turn 200, p50", "ms", "turn_200_ms", 0.5, None),
        ]
        for name, measured, target in (("attune", attune, 1.5), ("stock", stock, None)):
            early, late = statistics.median(measured.turn_10_ms), statistics.median(measured.turn_200_ms)
            growth = row(f"{name}: turn 200 against turn 10", "ms", late, early, target)
            rows.append(
                {
                    **growth,
                    "stock": late if name == "stock" else None,
                    "attune": late if name == "attune" else None,
                }
            )
    return [
        *rows,
        against_stock("start to first answer", "s", "start_s", 0.5, 0.6),
        against_stock("memory, all processes (PSS)", "MB", "pss_mb", 0.5, 1.0),
        against_stock("memory, all processes (RSS)", "MB", "rss_mb", 0.5, None),
    ]


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _table(rows: list[dict[str, object]]) -> str:
    def number(value: object, form: str = ".1f") -> str:
        return "" if value is None else format(value, form)

    lines = [f"{'':<31} {'unit':<4} {'stock':>8} {'attune':>8} {'ratio':>6} {'target':>7}"]
    for row in rows:
        verdict = {None: "", True: "met", False: "MISSED"}[row["met"]]  # type: ignore[index]
        target = f"<= {row['target']}" if row["target"] is not None else ""
        lines.append(
            f"{row['measure']:<31} {row['unit']:<4} {number(row['stock']):>8} {number(row['attune']):>8}"
            f" {number(row['ratio'], '.2f'):>6} {target:>7} {verdict}".rstrip()
        )
    return "\n".join(lines)


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Measures and prints; ends with status 1 when a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="starts of each bot (default: %(default)s)")
    parser.add_argument(
        "--conversations", type=int, default=20, help="of six turns, each round (default: %(default)s)"
    )
    parser.add_argument(
        "--long-turns", type=int, default=206, help="of the long conversation (default: %(default)s)"
    )
    parser.add_argument(
        "--stock-store",
        choices=("memory", "sqlite"),
        default="memory",
        help="where the stock bot keeps conversations (default: memory, as `rasa init` leaves it)",
    )
    parser.add_argument(
        "--limit-min",
        type=float,
        default=30.0,
        help="start no further round after so many minutes (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    args = parser.parse_args()
    if min(args.rounds, args.conversations) < 1 or args.long_turns < 0:
        parser.error("--rounds and --conversations are at least 1, --long-turns at least 0")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as var_dir:
        bots = [stock_bot(args.stock_store), attune_bot(var_dir)]
        measured = {bot.name: Measured() for bot in bots}
        load = os.getloadavg()[0]
        if load > 1:
            _note(f"warning: the machine is busy (load {load:.1f}); figures will be too high")
        for number in range(args.rounds):
            if number and (time.monotonic() - began) / 60 > args.limit_min:
                _note("the time is up, reporting the rounds so far")
                break
            for bot in bots if number % 2 == 0 else reversed(bots):
                _note(f"round {number + 1} of {args.rounds}: {bot.name}")
                measure(bot, args.conversations, args.long_turns, measured[bot.name])
    rows = report(measured["stock"], measured["attune"])
    machine = {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load": load,
    }
    if args.json:
        everything = {name: vars(one) for name, one in measured.items()}
        print(json.dumps({"machine": machine, "rows": rows, "measured": everything}, indent=2))
    else:
        print(_table(rows))
        for name, one in measured.items():
            print(f"{name}: {one.turns} turns, {one.unanswered} without an answer, {len(one.start_s)} starts")
    return 1 if any(row["met"] is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
