"""`attune shell`: a conversation in this terminal, beside a running server or without one."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Adds `attune shell`."""
    subparsers.add_parser(
        "shell",
        help="talk to Attune in this terminal",
        description="Talks to Attune in this terminal. /stop or Ctrl-C ends it. What is said is kept in the "
        "database like any other conversation.",
    )


def run(args: argparse.Namespace) -> int:
    """Talks until the person ends it."""
    from bot.core.settings import ROOT, Settings
    from bot.launch import checks, start
    from bot.launch.children import Family, say_on_stderr
    from bot.launch.environment import child_environment

    settings = Settings.from_environment()
    model = start.prepare(settings, say_on_stderr, may_train=True, needs_ports=False)
    # Ports of its own, so that it works while `attune run` serves.
    actions_port, port = checks.free_port(), checks.free_port()
    programs = [start.action_server(actions_port, quiet=True), start.terminal_chat(model, port, actions_port)]
    return Family(ROOT, child_environment(), say_on_stderr).run(programs)
