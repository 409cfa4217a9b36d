"""`attune emotion average`: the mean of several runs' weights."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "average",
        help="average the weights of runs that share a base",
        description=(
            "Write a run folder whose weights are the mean of several runs' (a model soup; Wortsman et al., "
            "2022). The runs must rest on each other or on the same base, and have the same labels."
        ),
    )
    parser.add_argument(
        "--runs", type=Path, nargs="+", required=True, metavar="RUN", help="run folders, two or more"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="RUN", help="run folder to write")
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Averages; returns the exit status."""
    from nlu_models.emotion.average import average

    report = average(options.runs, options.output)
    shown = report if options.json else {"run": str(options.output), "average_of": report["average_of"]}
    print(json.dumps(shown, indent=1))
    return 0
