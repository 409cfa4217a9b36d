"""How does Attune compare with Rasa's stock bot: milliseconds a turn, seconds to start, memory?

Makes the bot of `rasa init` once under results/stock, then starts the two in turn, several times each,
on this machine, sends both the same sentences over REST, and prints one table with the targets.

    .venv/bin/python -m benchmarks.turns [--rounds 3] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.bots import Bot, Client, attune_bot, cpu_s, memory_mb, note, running, stock_bot

SILENT_SHARE = 0.02
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
        "that sounds useful, thank you",
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
        "I feel proud of myself today",
        "my family is happy for me too",
        "thank you, bye",
    ),
)
LONG = [text for conversation in CONVERSATIONS for text in conversation[1:-1]]


@dataclass
class Measured:
    """Everything measured of one bot, over all rounds."""

    start_s: list[float] = field(default_factory=list)
    start_cpu_s: list[float] = field(default_factory=list)
    turn_ms: list[float] = field(default_factory=list)
    turn_cpu_ms: list[float] = field(default_factory=list)
    turn_10_ms: list[float] = field(default_factory=list)
    turn_200_ms: list[float] = field(default_factory=list)
    pss_mb: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    unanswered: int = 0
    turns: int = 0


def measure(bot: Bot, conversations: int, long_turns: int, into: Measured) -> None:
    """Starts a bot once, talks to it, weighs it and stops it.

    Args:
        bot: what to start.
        conversations: how many conversations of six turns.
        long_turns: turns of the one long conversation; 0 leaves it out.
        into: takes the measurements.
    """
    with running(bot) as (process, start_s):
        into.start_s.append(start_s)
        into.start_cpu_s.append(cpu_s(process))
        client = Client(bot)
        for text in CONVERSATIONS[0]:  # fills caches; not counted
            client.say(secrets.token_hex(8), text)

        def turn(sender: str, text: str) -> float:
            elapsed_ms, answers = client.say(sender, text)
            into.turns += 1
            into.unanswered += answers == 0
            return elapsed_ms

        before_s = cpu_s(process)
        for conversation in itertools.islice(itertools.cycle(CONVERSATIONS), conversations):
            sender = secrets.token_hex(8)
            into.turn_ms += [turn(sender, text) for text in conversation]
        into.turn_cpu_ms.append((cpu_s(process) - before_s) * 1000 / (conversations * len(CONVERSATIONS[0])))
        sender = secrets.token_hex(8)
        texts = itertools.islice(itertools.cycle(LONG), long_turns)
        long_ms = [turn(sender, text) for text in texts]
        into.turn_10_ms += long_ms[10 - NEAR : 10 + NEAR]
        into.turn_200_ms += long_ms[200 - NEAR : 200 + NEAR]
        pss, rss = memory_mb(process)
        into.pss_mb.append(pss)
        into.rss_mb.append(rss)
        client.close()


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
        against_stock("turn, processor time", "ms", "turn_cpu_ms", 0.5, None),
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
        against_stock("start, processor time", "s", "start_cpu_s", 0.5, None),
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


def main() -> int:
    """Measures and prints; ends with status 1 when a target is missed or the two can't be compared."""
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
            note(f"warning: the machine is busy (load {load:.1f}); figures will be too high")
        for number in range(args.rounds):
            if number and (time.monotonic() - began) / 60 > args.limit_min:
                note("the time is up, reporting the rounds so far")
                break
            for bot in bots if number % 2 == 0 else reversed(bots):
                note(f"round {number + 1} of {args.rounds}: {bot.name}")
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
    silent = {name: one.unanswered / one.turns for name, one in measured.items()}
    for name, share in silent.items():
        if share > SILENT_SHARE:
            note(f"not comparable: {name} left {share:.0%} of the turns without an answer, which is quick")
    missed = any(row["met"] is False for row in rows)
    return 1 if missed or max(silent.values()) > SILENT_SHARE else 0


if __name__ == "__main__":
    sys.exit(main())
