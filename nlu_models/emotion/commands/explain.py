"""`attune emotion explain`: which words of a text moved its reading."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nlu_models.emotion.explain import Explainer

DEFAULT_STEPS = 50
DEFAULT_ROWS = 200
BLANKS = {"pad": "[PAD]", "mask": "[MASK]"}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `explain` to the commands."""
    parser = commands.add_parser(
        "explain",
        help="show which words of a text moved its reading",
        description="Scores each word of a text by integrated gradients: how far it speaks for or against "
        "the reported label, or any label or axis. --measure says how far such scores can be trusted.",
    )
    parser.add_argument("text", nargs="?", metavar="TEXT", help="the text; - reads it from stdin")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--weights", type=Path, metavar="DIR", help="weight folder (default: the shipped one)"
    )
    source.add_argument(
        "--run", type=Path, metavar="RUN", help="run folder of `attune emotion train` instead"
    )
    parser.add_argument(
        "--label", metavar="NAME", help="a label, valence, arousal or dominance (default: the reported label)"
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=DEFAULT_STEPS,
        metavar="N",
        help=f"steps of the path, 8 to 1600 (default: {DEFAULT_STEPS}); more while the error is large",
    )
    parser.add_argument(
        "--blank",
        choices=tuple(BLANKS),
        default="pad",
        help="the token that stands for no word (default: pad)",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write the explanation as a page")
    parser.add_argument(
        "--measure",
        type=Path,
        metavar="DIR",
        help="instead of explaining TEXT, measure explanations on GoEmotions' dev split in this folder",
    )
    parser.add_argument(
        "--rows",
        type=int,
        default=DEFAULT_ROWS,
        metavar="N",
        help=f"how many texts to measure on (default: {DEFAULT_ROWS})",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Explains the text, or measures explanations.

    Raises:
        NluModelError: the text, the label, the weights or the page's place won't do.
    """
    from nlu_models.errors import InputError

    if (options.text is None) == (options.measure is None):
        raise InputError("give either a TEXT to explain or --measure DIR")
    if options.measure is not None:
        return _measure(options)
    from nlu_models.emotion.explain_html import page
    from nlu_models.emotion.explain_text import render
    from nlu_models.emotion.whole_files import write_text

    text = _read_stdin() if options.text == "-" else options.text
    if not text.strip():
        raise InputError("the text is empty; give a text to explain")
    found = _explainer(options).explain(text, options.label, options.steps, BLANKS[options.blank])
    if options.html is not None:
        # Half an emoji can't be UTF-8.
        write_text(options.html, page(found).encode("utf-8", "replace").decode("utf-8"))
        print(f"wrote {options.html}", file=sys.stderr)
    if options.json:
        print(json.dumps({"text": found.text, **found.to_json()}, indent=1))
    else:
        print(render(found, colour=_has_colour()))
    return 0


def _measure(options: argparse.Namespace) -> int:
    import random

    from nlu_models.emotion.data import read_goemotions
    from nlu_models.emotion.faithfulness import measure
    from nlu_models.errors import InputError

    if options.rows < 1:
        raise InputError(f"rows is {options.rows}, expected at least 1")
    texts = [row.text for row in read_goemotions(options.measure, "dev")]
    texts = random.Random(0).sample(texts, min(options.rows, len(texts)))
    found = measure(_explainer(options), texts, BLANKS[options.blank], options.steps)
    if options.json:
        print(json.dumps(asdict(found), indent=1))
        return 0
    print(f"{found.texts} texts, words blanked with {BLANKS[options.blank]}, {found.converged:.0%} converged")
    print(f"{'':<20}{'comprehensiveness':>18}{'sufficiency':>13}")
    print(f"{'integrated gradients':<20}{found.comprehensiveness:>18.3f}{found.sufficiency:>13.3f}")
    print(f"{'random':<20}{found.random_comprehensiveness:>18.3f}{found.random_sufficiency:>13.3f}")
    return 0


def _explainer(options: argparse.Namespace) -> Explainer:
    # The base's own report of what it loads would stand between the command and its result.
    from transformers.utils import logging

    from nlu_models.emotion.explain import load_from_run, load_from_weights
    from nlu_models.reader import DEFAULT_WEIGHTS

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if options.run is not None:
        return load_from_run(options.run)
    return load_from_weights(options.weights or DEFAULT_WEIGHTS)


def _read_stdin() -> str:
    from nlu_models.errors import InputError

    raw: bytes = sys.stdin.buffer.read()
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise InputError(f"the text on stdin is not UTF-8 at byte {error.start}") from error


def _has_colour() -> bool:
    """Whether stdout is a terminal that wants colour (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
