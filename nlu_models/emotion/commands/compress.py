"""`attune emotion compress`: which way of making a run smaller costs how much."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from nlu_models.emotion.commands._options import add_exam, positive

EXAMPLES = """ways (--methods):
  float32 dynamic row static static-percentile static-mse smooth block8 block4
                          the whole model, quantised
  heads-25 units-25       so many percent of the attention heads or hidden units pruned
  layers-2 layers-3-alternate
                          so many layers dropped, from the top or every other one
  heads-50+recovery       the same, then fine-tuned for a while against the whole model

examples:
  attune emotion compress --run runs/en --goemotions DIR --emobank DIR --clinc DIR --output table.json
  attune emotion compress --run runs/en --goemotions DIR --methods smooth heads-25 layers-1+recovery
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "compress",
        help="compare ways to make a run smaller and faster",
        description=(
            "Quantise and prune a run in several ways, export each, and compare accuracy, size and speed in "
            "one table: on stderr as it grows, as JSON on stdout. Speeds are also given as times that of the "
            "float32 graph, which is read in turn."
        ),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_exam(parser)
    parser.add_argument("--methods", nargs="+", metavar="WAY", help="what to try (default: all below)")
    parser.add_argument(
        "--students", type=Path, nargs="+", default=[], metavar="RUN", help="distilled runs to compare with"
    )
    parser.add_argument(
        "--recovery-steps",
        type=positive,
        default=200,
        metavar="N",
        help="batches of 32 texts, about a second each on two cores (default: %(default)s)",
    )
    parser.add_argument(
        "--repeats",
        type=positive,
        default=3,
        metavar="N",
        help="of the 10-fold cross-fitting, about 2 s each (default: %(default)s)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="JSON file to write, row by row")
    parser.add_argument(
        "--into", type=Path, metavar="WEIGHTS", help="weight folder whose metrics and card get the table"
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Compares; returns the exit status."""
    from nlu_models.emotion.candidates import DEFAULTS
    from nlu_models.emotion.compress import Plan, compress

    names = DEFAULTS if options.methods is None else options.methods
    plan = Plan(tuple(names), tuple(options.students), options.recovery_steps, options.repeats, options.clinc)
    report = compress(
        options.run,
        plan,
        options.goemotions,
        options.emobank,
        options.output,
        options.into,
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    print(json.dumps(report, indent=1))
    return 0
