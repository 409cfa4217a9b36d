"""`attune emotion attack`: how far readings hold when texts are misspelt, disguised or reworded."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

EPILOG = """
right: the reported label is one of the annotators'; same label, same sign: reported as for the text as it
was written, and of the same sentiment. docs/robustness.md says what each attack does."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `attack` to the commands."""
    parser = commands.add_parser(
        "attack",
        help="measure a weight on misspelt, disguised and reworded texts",
        description="Measures a weight on a sample of GoEmotions dev as it is, under noise of several "
        "kinds, and with words replaced to make it err (TextFooler).",
        epilog=EPILOG,
    )
    parser.add_argument("--weights", type=Path, required=True, metavar="DIR", help="the weight folder")
    parser.add_argument("--goemotions", type=Path, required=True, metavar="DIR", help="folder of GoEmotions")
    parser.add_argument("--rows", type=int, default=500, metavar="N", help="texts (default: %(default)s)")
    parser.add_argument(
        "--kinds", nargs="+", metavar="KIND", help="kinds of noise (default: all; a wrong one lists them)"
    )
    parser.add_argument(
        "--strength",
        type=float,
        metavar="SHARE",
        help="share of the words that are changed, 0 to 1 (default: 0.25)",
    )
    parser.add_argument(
        "--word-rows",
        type=int,
        default=100,
        metavar="N",
        help="texts whose words are replaced, some 25 passes each; 0 leaves this out (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the sample and the noise (default: %(default)s)"
    )
    parser.add_argument(
        "--no-normalizing",
        action="store_true",
        help="read texts without bringing them into plain wording first",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, as under attacks in metrics.json")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Measures the weight and prints the table."""
    from nlu_models.emotion import robustness
    from nlu_models.emotion.attacks import DEFAULT_STRENGTH, KINDS
    from nlu_models.emotion.textfooler import WordTable

    rows = robustness.sample(options.goemotions, options.rows, options.seed)
    reader = robustness.open_reader(options.weights, normalizing=not options.no_normalizing)
    report = robustness.measure(
        reader,
        rows,
        options.kinds or KINDS,
        seed=options.seed,
        strength=DEFAULT_STRENGTH if options.strength is None else options.strength,
        table=WordTable.load(options.weights) if options.word_rows else None,
        word_rows=options.word_rows,
        progress=lambda line: print(line, file=sys.stderr, flush=True),
    )
    report = {"model": reader.config.model, "normalizing": not options.no_normalizing, **report}
    if options.json:
        print(json.dumps(report, indent=1))
        return 0
    print(report["model"] + ("" if report["normalizing"] else ", texts as they are written"))
    print("\n".join(robustness.lines_of(report)))
    return 0
