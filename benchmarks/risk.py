"""How long does the risk check take without a model, and does its time stay in proportion to the text?

Reads texts of 100 to 100,000 characters: everyday talk and talk of danger in English and Chinese, and
hostile ones, made to be slow: repeated beginnings of phrases, disguised letters, piles of signs. Prints the
median and 99th percentile in microseconds, and the time per character against that at 2,000 characters.

    .venv/bin/python -m benchmarks.risk [--rounds 30] [--json]
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from nlu_models.risk.words import RiskWords

RISK_FOLDER = Path(__file__).resolve().parents[1] / "data" / "risk"
LENGTHS = (100, 500, 2_000, 10_000, 100_000)  # characters
REFERENCE = 2_000  # characters: the longest message that has a target
TARGET_US = 1_000.0  # at the 99th percentile, at `REFERENCE` characters
MOST_RATIO = 2.0  # time per character against `REFERENCE`, for longer texts

TEXTS = {
    "everyday, English": "The train was late again, so I read my book and had some tea. It was a good day! ",
    "everyday, Chinese": "今天下班路上买了点菜，回家做了红烧肉，孩子说很好吃。周末打算去爬山，天气应该不错。",
    "danger, English": "I can't do this anymore and I don't want to live. Nobody would miss me if I died. ",
    "danger, Chinese": "我真的不想活了，活着没有意思，每天都想死，谁也不会在乎。",
    "beginnings of phrases": "i dont want to i dont think i want to i wish i had never been ",
    "beginnings, Chinese": "我不想再活我没有活着的我死了他们都会",
    "one phrase over and over": "kill myself ",
    "negations": "not not going to want to never not ",
    "signs of a tale": 'in the movie called "i want to die" the ',
    "spaced letters": "i w a n t t o d i e ",
    "masked letters": "su*c*de k!ll r@p3d m*rd*r ",
    "look-alike letters": "\u0455u\u0456\u0441\u0456d\u0435 \U0001d4c0\U0001d4be\U0001d4c1\U0001d4c1 ",
    "emoji": "\U0001f48a\U0001f52a\u26b0\ufe0f\U0001f602 ",
    "one word without end": "suicid",
    "stops": ".!?,。 ",
}


@dataclass(frozen=True)
class Row:
    """What one kind of text took at one length.

    Attributes:
        per_character: time per character against `REFERENCE` characters; above 1 is worse.
    """

    text: str
    characters: int
    median_us: float
    p99_us: float
    per_character: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; 1 where a target is missed, else 0."""
    parser = argparse.ArgumentParser(prog="benchmarks.risk", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30, help="readings per text and length (default 30)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    if options.rounds < 2:
        parser.error(f"--rounds is {options.rounds}, expected at least 2")
    words = RiskWords(RISK_FOLDER)
    rows = measure(words.read, options.rounds)
    slow = [row for row in rows if row.characters == REFERENCE and row.p99_us > TARGET_US]
    steep = [row for row in rows if row.characters > REFERENCE and row.per_character > MOST_RATIO]
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        _print(rows)
    for row in slow:
        print(f"above {TARGET_US:.0f} us at {REFERENCE} characters: {row.text}", file=sys.stderr)
    for row in steep:
        print(f"not in proportion at {row.characters} characters: {row.text}", file=sys.stderr)
    return 1 if slow or steep else 0


def measure(read: Callable[[str], object], rounds: int) -> list[Row]:
    """Times `read`, `rounds` times per text and length, in processor time and without garbage collection."""
    rows = []
    gc.disable()
    try:
        for name, piece in TEXTS.items():
            taken = {length: _times(read, _text(piece, length), rounds) for length in LENGTHS}
            reference = statistics.median(taken[REFERENCE]) / REFERENCE
            for length, times in taken.items():
                median = statistics.median(times)
                p99 = statistics.quantiles(times, n=100, method="inclusive")[98]
                rows.append(Row(name, length, median, p99, median / length / reference))
    finally:
        gc.enable()
    return rows


def _text(piece: str, length: int) -> str:
    return (piece * (length // len(piece) + 1))[:length]


def _times(read: Callable[[str], object], text: str, rounds: int) -> list[float]:
    """Microseconds of every reading after the first, which warms caches."""
    read(text)
    times = []
    for _ in range(rounds):
        began = time.process_time_ns()
        read(text)
        times.append((time.process_time_ns() - began) / 1000)
    return times


def _print(rows: Sequence[Row]) -> None:
    print(f"{'text':26}{'characters':>11}{'median us':>12}{'p99 us':>12}{'per char.':>11}")
    for row in rows:
        ratio = f"{row.per_character:.2f}x"
        print(f"{row.text:26}{row.characters:>11,}{row.median_us:>12,.0f}{row.p99_us:>12,.0f}{ratio:>11}")


if __name__ == "__main__":
    raise SystemExit(main())
