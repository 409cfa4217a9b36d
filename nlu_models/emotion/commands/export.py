"""`attune emotion export`: makes a weight folder of a run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from nlu_models.emotion.commands._options import add_exam, add_repeats

EXAMPLES = """examples:
  attune emotion export --run runs/en --goemotions DIR --emobank DIR --clinc DIR --output weights/emotion-en
  attune emotion export --run runs/mine --name my-feelings --output weights/mine
"""
MAX_MEGABYTES = 30.0


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "export",
        help="turn a run into a weight folder that serves",
        description=(
            "Quantise a run's encoder, fit its thresholds and confidence to held-out texts with the very "
            "graph that will serve, measure it, and write a weight folder with a model card. Prints the main "
            "measures as JSON."
        ),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_exam(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="weight folder to write or replace"
    )
    parser.add_argument("--name", default="emotion-en", help="of the weight (default: %(default)s)")
    parser.add_argument("--version", default="1.0.0", help="of the weight (default: %(default)s)")
    parser.add_argument(
        "--method",
        metavar="METHOD",
        help="float32, dynamic, row, static, static-percentile, static-mse, smooth, block8 or block4 "
        "(default: smooth; dynamic for encoders other than BERT)",
    )
    parser.add_argument(
        "--max-mb",
        type=float,
        default=MAX_MEGABYTES,
        metavar="MB",
        help="a larger graph is refused (default: %(default)s)",
    )
    add_repeats(parser)
    parser.add_argument("--json", action="store_true", help="print the whole report")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Exports; returns the exit status."""
    from nlu_models.emotion.export import export
    from nlu_models.errors import InputError

    if not options.max_mb > 0:
        raise InputError(f"--max-mb is {options.max_mb}, expected more than 0")
    report = export(
        options.run,
        options.output,
        options.goemotions,
        options.emobank,
        options.clinc,
        options.name,
        options.version,
        options.method,
        int(options.max_mb * 1_000_000),
        options.repeats,
    )
    if options.json:
        print(json.dumps(report, indent=1))
        return 0
    kept = ("model", "bytes", "method", "float32", "embedding")
    shown = {name: report[name] for name in kept if name in report}
    shown["exported"] = {name: report["int8"][name] for name in (*report["float32"], "axes")}
    print(json.dumps(shown, indent=1))
    return 0
