"""`attune emotion`: the workshop of the emotion reader, a command per module.

The commands live in `nlu_models.emotion.commands`, where neither Rasa nor a database is imported; only
`learn`, which keeps corrections in SQL, and `context`, whose model is `bot.core`'s, are at home here.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable

import nlu_models.emotion.commands

ORDER = ("train", "evaluate", "calibrate", "export", "compare", "explain", "distil", "learn")
AT_HOME_HERE = ("context", "learn")
BAD_INPUT = 2


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command group to `attune`."""
    group = subparsers.add_parser(
        "emotion",
        help="train, measure, compress and explain emotion readers",
        description="The workshop of the emotion reader: train, measure, compress and explain weights.",
    )
    commands = group.add_subparsers(
        dest="emotion_command", required=True, metavar="COMMAND", title="commands"
    )
    for module in _modules():
        importlib.import_module(module).add_parser(commands)


def run(args: argparse.Namespace) -> int:
    """Runs the command; returns its exit status."""
    from nlu_models.errors import NluModelError

    execute: Callable[[argparse.Namespace], int] = args.execute
    try:
        return execute(args)
    except NluModelError as error:
        print(f"attune emotion {args.emotion_command}: {error}", file=sys.stderr)
        return BAD_INPUT


def _modules() -> list[str]:
    """The modules of the commands that are there, in the order of the help text."""
    package = nlu_models.emotion.commands
    names = [info.name for info in pkgutil.iter_modules(package.__path__) if not info.name.startswith("_")]
    found = {name: f"{package.__name__}.{name}" for name in names}
    for name in AT_HOME_HERE:
        if importlib.util.find_spec(f"bot.cli._emotion_{name}") is not None:
            found[name] = f"bot.cli._emotion_{name}"
    known = [name for name in ORDER if name in found]
    return [found[name] for name in known + sorted(set(found) - set(ORDER))]
