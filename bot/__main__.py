"""`attune`, the command line: finds the command's module in `bot.cli` and leaves the rest to it."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

import bot.cli
from bot.core.errors import AttuneError

ORDER = ("run", "shell", "doctor", "train", "annotate", "handoff", "guidance", "emotion")  # others follow
BAD_INPUT = 2
INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """An argument parser that reports bad input in one line."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with what is wrong."""
        print(f"{self.prog}: {message} (see `{self.prog} --help`)", file=sys.stderr)
        raise SystemExit(BAD_INPUT)


def command_names() -> list[str]:
    """The commands that are there, in the order of the help text."""
    found = {info.name for info in pkgutil.iter_modules(bot.cli.__path__) if not info.name.startswith("_")}
    return [name for name in ORDER if name in found] + sorted(found - set(ORDER))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: the words after `attune`; the process's own by default.

    Returns:
        The exit status: 0, 2 for bad input, or what the command says.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = Parser(
        prog="attune",
        description="A self-hosted assistant that notices how people feel and answers accordingly.",
        epilog="Settings are environment variables that begin with ATTUNE_; docs/ tells about them.",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    names = command_names()
    wanted = next((word for word in given if not word.startswith("-")), None)
    modules = {name: _load(name) for name in ([wanted] if wanted in names else names)}
    for module in modules.values():
        module.add_parser(subparsers)
    args = parser.parse_args(given)
    if args.command is None:
        parser.print_help(sys.stderr)
        return BAD_INPUT
    try:
        return int(modules[args.command].run(args))
    except AttuneError as error:
        print(f"attune {args.command}: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; keep Python from complaining when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _load(name: str) -> ModuleType:
    return importlib.import_module(f"bot.cli.{name}")


if __name__ == "__main__":
    raise SystemExit(main())
