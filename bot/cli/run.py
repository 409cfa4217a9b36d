"""`attune run`: the web server and the action server, started and stopped together."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Adds `attune run`."""
    parser = subparsers.add_parser(
        "run",
        help="serve the chat page and the channels until Ctrl-C",
        description="Checks what is needed, trains the model if it is missing or stale, then serves until "
        "Ctrl-C or SIGTERM. Ends with status 1 when one of its processes ends by itself.",
    )
    parser.add_argument(
        "--no-train", action="store_true", help="refuse to start instead of training the model"
    )


def run(args: argparse.Namespace) -> int:
    """Serves until it is told to stop."""
    from bot.core.settings import ROOT, Settings
    from bot.launch import start
    from bot.launch.children import Family, say_on_stderr
    from bot.launch.environment import child_environment

    began = time.monotonic()
    settings = Settings.from_environment()
    model = start.prepare(settings, say_on_stderr, may_train=not args.no_train, needs_ports=True)

    def announce() -> None:
        seconds = time.monotonic() - began
        say_on_stderr(
            f"\n  Attune is ready after {seconds:.1f} s: {start.address(settings)}/\n  Ctrl-C stops it.\n"
        )

    programs = [start.action_server(settings.actions_port), start.web_server(settings, model)]
    if settings.duty_file:
        programs.append(start.duty_worker())
    say_on_stderr("starting the action server and the web server")
    return Family(ROOT, child_environment(), say_on_stderr).run(programs, announce)
