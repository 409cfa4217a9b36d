"""`attune emotion compare`: which of several weights or runs is better, and how sure that is."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from nlu_models.emotion.commands._options import add_repeats, add_texts, positive, warn


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `compare` to the commands."""
    parser = commands.add_parser(
        "compare",
        help="measure weights or training runs side by side, with intervals of their differences",
        description="Measures weight folders or training runs on the same texts, cross-fitted on the same "
        "folds, and says how sure their differences from the first are (paired bootstrap).",
    )
    parser.add_argument(
        "folders", type=Path, nargs="+", metavar="DIR", help="weight folders or training runs"
    )
    add_texts(parser)
    parser.add_argument("--emobank", type=Path, metavar="DIR", help="folder of EmoBank, for the axes")
    add_repeats(parser, default=3)
    parser.add_argument(
        "--draws", type=positive, default=2000, metavar="N", help="of the bootstrap (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: %(default)s)")
    parser.add_argument("--speed", action="store_true", help="also time each of them")
    parser.add_argument("--json", action="store_true", help="print JSON, with the differences of each label")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Compares and prints the table."""
    from nlu_models.emotion.compare import compare
    from nlu_models.emotion.report_text import comparison_lines

    report = compare(
        options.folders,
        options.goemotions,
        options.data,
        split=options.split,
        emobank=options.emobank,
        repeats=options.repeats,
        draws=options.draws,
        seed=options.seed,
        with_speed=options.speed,
    )
    warn(report["warnings"])
    print(json.dumps(report, indent=1) if options.json else "\n".join(comparison_lines(report)))
    return 0
