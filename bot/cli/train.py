"""`attune train`: the Rasa model that `attune run` serves."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Adds `attune train`."""
    parser = subparsers.add_parser(
        "train",
        help="train the Rasa model if its sources have changed",
        description="Trains models/attune.tar.gz from config.yml, domain.yml and data, if any has changed.",
    )
    parser.add_argument("--force", action="store_true", help="train even if nothing has changed")


def run(args: argparse.Namespace) -> int:
    """Trains, or says that there is nothing to train."""
    from bot.core.settings import ROOT, Settings
    from bot.launch.children import say_on_stderr
    from bot.launch.model import RasaModel

    model = RasaModel(ROOT, Path(Settings.from_environment().emotion_weights))
    reason = "--force was given" if args.force else model.why_stale()
    if reason is None:
        say_on_stderr("the model is up to date")
    else:
        say_on_stderr(f"training the model: {reason}")
        say_on_stderr(f"trained in {model.train(say_on_stderr):.0f} s")
    print(model.archive)
    return 0
