"""`attune emotion challenge`: what a weight makes of negation, sarcasm, emoji and the like."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

# Column heading and the share it shows.
COLUMNS = (
    ("right", "right"),
    ("trapped", "trapped"),
    ("Ekman", "ekman"),
    ("sentiment", "sentiment"),
    ("abstained", "abstained"),
    ("committed", "committed_right"),
    ("plain", "plain_right"),
    ("flipped", "flipped"),
    ("held", "held"),
)
WITH_INTERVAL = ("right", "trapped")
NAME_WIDTH, PART_WIDTH, COUNT_WIDTH, WIDE, NARROW = 13, 8, 5, 15, 9
LEGEND = """
Shares in %, with Wilson's 95 % interval where one is given. right: label among those a careful reader
would accept; trapped: label plainly wrong, of the texts with a trap; Ekman, sentiment: largest group is
the right one; abstained: did not commit itself; committed: right where it did; plain: right on the same
texts without the phenomenon; flipped, held: where the plain text was right and its feeling had to change
or to stay, right too."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `challenge` to the commands."""
    parser = commands.add_parser(
        "challenge",
        help="measure a weight on hand-labelled hard texts, by phenomenon",
        description="Measures a weight on small hand-labelled sets: negation, sarcasm, emoji, slang, typos, "
        "quoted speech and more. Tune on the part dev only; held_out is for judging.",
    )
    parser.add_argument("--weights", type=Path, required=True, metavar="DIR", help="the weight folder")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="folder of the sets (default: data/challenge/en)"
    )
    parser.add_argument(
        "--part", choices=("dev", "held_out", "all"), default="all", help="which half (default: all)"
    )
    parser.add_argument("--errors", action="store_true", help="also list the texts that were read wrongly")
    parser.add_argument("--json", action="store_true", help="print JSON, as under challenge in metrics.json")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Measures the weight and prints the table."""
    from nlu_models.emotion.challenge import DEFAULT_DATA, PARTS, measure

    parts = PARTS if options.part == "all" else (options.part,)
    report, errors = measure(options.weights, options.data or DEFAULT_DATA, parts)
    if options.json:
        print(json.dumps({**report, "errors": errors} if options.errors else report, indent=1))
        return 0
    print(f"{report['model']}\n")
    print("\n".join([*format_table(report["sets"]), LEGEND]))
    if options.errors:
        print("\n" + "\n".join(format_error(error) for error in errors))
    return 0


def format_table(sets: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    """The lines of the table, one per set and part."""
    heads = [head.rjust(WIDE if share in WITH_INTERVAL else NARROW) for head, share in COLUMNS]
    lines = [f"{'set':<{NAME_WIDTH}}{'part':<{PART_WIDTH}}{'texts':>{COUNT_WIDTH}}" + "".join(heads)]
    for name, by_part in sets.items():
        for part, scored in by_part.items():
            cells = [_cell(scored[share], share in WITH_INTERVAL) for _, share in COLUMNS]
            count = scored["right"]["of"]
            lines.append(f"{name:<{NAME_WIDTH}}{part:<{PART_WIDTH}}{count:>{COUNT_WIDTH}}" + "".join(cells))
    return lines


def format_error(error: dict[str, Any]) -> str:
    """One text that was read wrongly, on one line."""
    marks = "".join(f", {mark}" for mark in ("trapped", "abstained") if error[mark])
    text = " ".join(error["text"].split())
    return f"{error['id']}: {error['read']}{marks}; accepted: {', '.join(error['accept'])} | {text}"


def _cell(share: dict[str, Any], with_interval: bool) -> str:
    if share["share"] is None:
        return "-".rjust(WIDE if with_interval else NARROW)
    percent = f"{100 * share['share']:.0f}"
    if not with_interval:
        return percent.rjust(NARROW)
    return f"{percent} ({100 * share['low']:.0f}–{100 * share['high']:.0f})".rjust(WIDE)
