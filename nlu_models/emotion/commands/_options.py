"""Options that several commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path


def add_texts(parser: argparse.ArgumentParser) -> None:
    """Adds what texts to measure on: GoEmotions or a table of one's own."""
    texts = parser.add_mutually_exclusive_group(required=True)
    texts.add_argument("--goemotions", type=Path, metavar="DIR", help="folder of GoEmotions")
    texts.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="labelled CSV, TSV or JSONL with the columns text and labels",
    )
    parser.add_argument("--split", default="dev", help="of GoEmotions (default: %(default)s)")


def add_exam(parser: argparse.ArgumentParser) -> None:
    """Adds the run to take, and what its weight is measured on."""
    parser.add_argument("--run", type=Path, required=True, metavar="RUN", help="run folder")
    parser.add_argument(
        "--goemotions",
        type=Path,
        metavar="DIR",
        help="folder of GoEmotions; by default the data that the run was trained on",
    )
    parser.add_argument("--emobank", type=Path, metavar="DIR", help="folder of EmoBank, for the axes")
    parser.add_argument("--clinc", type=Path, metavar="DIR", help="folder of CLINC150, for the embedding")


def add_repeats(parser: argparse.ArgumentParser, default: int = 20) -> None:
    """Adds how often cross-fitting is repeated."""
    parser.add_argument(
        "--repeats",
        type=positive,
        default=default,
        metavar="N",
        help="of the 10-fold cross-fitting, about 2 s each on GoEmotions dev (default: %(default)s)",
    )


def warn(warnings: Iterable[str]) -> None:
    """Says on stderr what a user should know before believing a figure."""
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def positive(text: str) -> int:
    """A whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value
