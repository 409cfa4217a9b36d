"""`attune emotion prune`: cuts parts out of a run, so that what is left can be trained on."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

EXAMPLES = """examples:
  attune emotion prune --run runs/en --goemotions DIR --cut units-50 heads-25 --output runs/small
  attune emotion distil --teachers runs/en --init runs/small/model.pt --goemotions DIR --output runs/student
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "prune",
        help="cut heads, hidden units or layers out of a run",
        description=(
            "Write a run folder whose model lacks the attention heads and hidden units that matter least, or "
            "whole layers. It is smaller and faster and reads worse, until it is trained again."
        ),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--run", type=Path, required=True, metavar="RUN", help="run folder")
    parser.add_argument(
        "--cut",
        nargs="+",
        required=True,
        metavar="WAY",
        help="heads-25, units-25: percent of the attention heads or hidden units; layers-2, "
        "layers-2-alternate: so many layers, from the top or every other one",
    )
    parser.add_argument(
        "--goemotions",
        type=Path,
        metavar="DIR",
        help="folder of GoEmotions; by default the data that the run was trained on",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="RUN", help="run folder to write")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Prunes; returns the exit status."""
    from nlu_models.emotion.pruned_run import prune_run

    report = prune_run(options.run, options.cut, options.output, options.goemotions)
    shown = {name: report[name] for name in ("cuts", "million_parameters")}
    print(json.dumps({"run": str(options.output), **shown}, indent=1))
    return 0
