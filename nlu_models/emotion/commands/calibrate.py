"""`attune emotion calibrate`: makes a weight's probabilities mean what they say."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from nlu_models.emotion.commands._options import add_repeats, add_texts, warn


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `calibrate` to the commands."""
    parser = commands.add_parser(
        "calibrate",
        help="fit a weight's calibration, thresholds and abstention to labelled texts",
        description="Fits calibration curves, thresholds, confidence and the point of abstention of a weight "
        "folder to labelled texts that it was not trained on. The graph stays as it is; the folder is "
        "replaced as a whole.",
    )
    parser.add_argument("--weights", type=Path, required=True, metavar="DIR", help="the weight folder")
    add_texts(parser)
    parser.add_argument(
        "--target-error",
        type=float,
        default=0.33,
        metavar="SHARE",
        help="how often the label may be wrong where the reader commits itself (default: %(default)s)",
    )
    parser.add_argument(
        "--max-abstained",
        type=float,
        default=0.15,
        metavar="SHARE",
        help="at most this share of texts is abstained on, even if the error stays higher "
        "(default: %(default)s)",
    )
    parser.add_argument("--version", help="of the calibrated weight (default: as it was)")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="write here instead of replacing the folder"
    )
    add_repeats(parser)
    parser.add_argument("--json", action="store_true", help="print the measures before and after as JSON")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Calibrates the folder and prints what that changed."""
    from nlu_models.emotion.recalibration import recalibrate
    from nlu_models.emotion.report_text import calibration_lines

    report = recalibrate(
        options.weights,
        options.goemotions,
        options.data,
        split=options.split,
        target_error=options.target_error,
        max_abstained=options.max_abstained,
        repeats=options.repeats,
        version=options.version,
        output=options.output,
    )
    warn(report["warnings"])
    print(f"{report['output']} is calibrated", file=sys.stderr)
    print(json.dumps(report, indent=1) if options.json else "\n".join(calibration_lines(report)))
    return 0
