"""`attune escalation`: the thresholds from where on a human is asked in, and what others would have done."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from bot.core.errors import SettingsError

if TYPE_CHECKING:
    from bot.core.thresholds import EscalationThresholds

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

CONFIG = Path(__file__).resolve().parents[2] / "config.yml"


def add_parser(subparsers: Subparsers) -> None:
    """Adds `attune escalation`."""
    parser = subparsers.add_parser(
        "escalation",
        help="when a human is asked in, and what other thresholds would have done",
        description="Shows from where on a human is asked in, and replays stored conversations.",
    )
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    thresholds = steps.add_parser(
        "thresholds",
        help="the thresholds, with their meaning and range",
        description="The thresholds of config.yml, with their meaning and range. Danger has none.",
    )
    replay = steps.add_parser(
        "replay",
        help="go through stored conversations again",
        description=(
            "Goes through stored conversations again and tells in which of them a human would have been "
            "asked in or offered, when and why: with the thresholds of config.yml and, with --set, with "
            "others. Nothing is changed. What would have been answered instead is not known; "
            "docs/escalation.md says how far a replay can be trusted."
        ),
    )
    replay.add_argument(
        "--from",
        dest="since",
        metavar="DATE",
        required=True,
        help="first day, or moment: 2024-05-01 or 2024-05-01T08:30, in UTC",
    )
    replay.add_argument(
        "--to", dest="until", metavar="DATE", required=True, help="last day, which counts whole, or moment"
    )
    replay.add_argument(
        "--set",
        dest="settings",
        metavar="NAME=VALUE",
        nargs="+",
        action="extend",
        default=[],
        help="thresholds to compare with, such as anger_turns=3; `attune escalation thresholds` names them",
    )
    replay.add_argument(
        "--all", action="store_true", help="with --set: also conversations that stay the same"
    )
    replay.add_argument(
        "--evidence", action="store_true", help="show all evidence, which quotes what people wrote"
    )
    for step in (thresholds, replay):
        step.add_argument(
            "--config",
            type=Path,
            default=CONFIG,
            metavar="FILE",
            help="with the thresholds (default: config.yml)",
        )
        step.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Prints the thresholds or replays.

    Raises:
        AttuneError: a threshold, a date, the configuration or the database won't do.
    """
    current = thresholds_of(args.config)
    if args.step == "thresholds":
        _print_thresholds(current, args.json)
        return 0
    from bot.cli._escalation_replay import run_replay

    return run_replay(args, current)


def thresholds_of(path: Path) -> EscalationThresholds:
    """The thresholds that a configuration gives `EscalationPolicy`.

    Raises:
        SettingsError: the file can't be read, has no such policy, or a threshold in it won't do.
    """
    import yaml

    from bot.core.thresholds import POLICY, EscalationThresholds

    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"can't read the configuration {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not a YAML configuration: {str(error).splitlines()[0]}") from error
    policies = config.get("policies") if isinstance(config, dict) else None
    for policy in policies if isinstance(policies, list) else ():
        if isinstance(policy, dict) and str(policy.get("name")).rpartition(".")[2] == POLICY:
            return EscalationThresholds.from_config(policy, also=("name", "priority"))
    raise SettingsError(f"{path} has no policy {POLICY}, expected one under `policies`")


def _print_thresholds(current: EscalationThresholds, as_json: bool) -> None:
    from dataclasses import fields

    shown = [
        {
            "name": one.name,
            "value": getattr(current, one.name),
            "default": one.default,
            "low": one.metadata["low"],
            "high": one.metadata["high"],
            "meaning": one.metadata["meaning"],
        }
        for one in fields(current)
    ]
    if as_json:
        print(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    print(f"{'THRESHOLD':<21} {'VALUE':>6} {'DEFAULT':>8}  {'RANGE':<10} MEANING")
    for one in shown:
        reach = f"{one['low']} to {one['high']}"
        print(f"{one['name']:<21} {one['value']:>6} {one['default']:>8}  {reach:<10} {one['meaning']}")
