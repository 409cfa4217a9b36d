"""`attune emotion evaluate`: how good a weight or a training run is, and how far it can be believed."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from nlu_models.emotion.commands._options import add_repeats, add_texts, warn


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `evaluate` to the commands."""
    parser = commands.add_parser(
        "evaluate",
        help="measure a weight or a training run; with an HTML report if wanted",
        description="Measures labels, groups, calibration, abstention and speed of a weight folder or a "
        "training run on labelled texts. A table on stdout, or JSON with everything that is measured.",
    )
    subject = parser.add_mutually_exclusive_group(required=True)
    subject.add_argument("--weights", type=Path, metavar="DIR", help="the weight folder")
    subject.add_argument("--run", type=Path, metavar="DIR", help="the folder of a training run")
    add_texts(parser)
    parser.add_argument("--emobank", type=Path, metavar="DIR", help="folder of EmoBank, for the axes")
    parser.add_argument("--clinc", type=Path, metavar="DIR", help="folder of CLINC150, for the embedding")
    parser.add_argument("--challenge", type=Path, metavar="DIR", help="folder of challenge sets, to measure")
    parser.add_argument(
        "--challenge-json",
        type=Path,
        metavar="FILE",
        help="what `attune emotion challenge --json` printed, for the report",
    )
    parser.add_argument(
        "--attacks-json",
        type=Path,
        metavar="FILE",
        help="what `attune emotion attack --json` printed, for the report",
    )
    add_repeats(parser)
    parser.add_argument("--no-speed", action="store_true", help="leave out latency and memory")
    parser.add_argument("--json", action="store_true", help="print JSON with everything that is measured")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a report as one HTML file")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Measures, prints and writes the report.

    Raises:
        InputError: options don't go together, or the report can't be written.
        NluModelError: the reader or the data can't be used.
    """
    from nlu_models.emotion.evaluate import evaluate
    from nlu_models.emotion.report_text import lines_of
    from nlu_models.errors import InputError

    if options.run and options.challenge:
        raise InputError("--challenge needs a weight folder; export the run first")
    if options.html and not options.html.parent.is_dir():
        raise InputError(f"{options.html.parent} is no folder; name a file in one for --html")
    more = {
        "challenge": _printed(options.challenge_json, "sets"),
        "attacks": _printed(options.attacks_json, "noise"),
    }
    report = evaluate(
        options.weights or options.run,
        options.goemotions,
        options.emobank,
        table=options.data,
        split=options.split,
        clinc=options.clinc,
        challenge=options.challenge,
        repeats=options.repeats,
        with_speed=not options.no_speed,
    )
    warn(report["warnings"])
    report |= {name: value for name, value in more.items() if value is not None}
    if options.html:
        from nlu_models.emotion.report import write_report

        write_report(options.html, report)
        print(f"wrote {options.html}", file=sys.stderr)
    print(json.dumps(report, indent=1) if options.json else "\n".join(lines_of(report)))
    return 0


def _printed(path: Path | None, field: str) -> dict[str, Any] | None:
    """The JSON that another command printed, if it is of that command."""
    from nlu_models.emotion.tables import read_text
    from nlu_models.errors import DataError

    if path is None:
        return None
    try:
        value = json.loads(read_text(path))
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get(field), dict):
        raise DataError(f"{path} lacks {field!r}; give what the command printed with --json")
    return value
