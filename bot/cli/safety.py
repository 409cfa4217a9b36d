"""`attune safety`: fit, judge and report on how danger is read and answered, a command per module."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Callable

import bot.cli

PREFIX = "_safety_"
BAD_INPUT = 2


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command group to `attune`."""
    group = subparsers.add_parser(
        "safety",
        help="fit, judge and report on how danger is read",
        description="How danger is read and answered: fit the model, judge it, report on what happened.",
    )
    commands = group.add_subparsers(dest="safety_command", required=True, metavar="COMMAND", title="commands")
    for name in _modules():
        importlib.import_module(name).add_parser(commands)


def run(args: argparse.Namespace) -> int:
    """Runs the command; returns its exit status."""
    from nlu_models.errors import NluModelError

    execute: Callable[[argparse.Namespace], int] = args.execute
    try:
        return execute(args)
    except NluModelError as error:
        print(f"attune safety {args.safety_command}: {error}", file=sys.stderr)
        return BAD_INPUT


def _modules() -> list[str]:
    """The modules that hold commands of this group."""
    names = sorted(info.name for info in pkgutil.iter_modules(bot.cli.__path__))
    return [f"bot.cli.{name}" for name in names if name.startswith(PREFIX) and not name.endswith("_text")]
