"""`attune doctor`: is everything in place, and if not, what to do."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Adds `attune doctor`."""
    parser = subparsers.add_parser(
        "doctor",
        help="check settings, database, weights, model and ports",
        description="Checks what Attune needs to start. Ends with status 1 when a check fails.",
    )
    parser.add_argument("--json", action="store_true", help="print the checks as JSON")
    parser.add_argument(
        "--running", action="store_true", help="Attune is running: leave out whether its ports are free"
    )


def run(args: argparse.Namespace) -> int:
    """Prints every check with its fix."""
    from bot.launch.checks import FAIL, examine, worst

    checks = examine(serving=args.running)
    if args.json:
        print(json.dumps({"status": worst(checks), "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        for check in checks:
            print(check.line())
    return 1 if worst(checks) == FAIL else 0
