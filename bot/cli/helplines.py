"""`attune helplines`: what a person in danger would be shown, and which numbers have to be read again."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path

NOTHING_DUE, SOMETHING_DUE, BAD_INPUT = 0, 1, 2


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command group to `attune`."""
    group = subparsers.add_parser(
        "helplines",
        help="show and check the crisis lines and emergency numbers",
        description="Show and check the crisis lines and emergency numbers that people are given.",
    )
    steps = group.add_subparsers(dest="step", required=True, metavar="STEP")
    show = steps.add_parser(
        "show",
        help="what a person would be shown",
        description="Prints exactly what a person would be shown; without a country, ATTUNE_COUNTRY counts.",
    )
    show.add_argument("--country", metavar="CODE", help="where the person is, such as GB")
    show.add_argument("--timezone", metavar="ZONE", help="of their device, such as Europe/London")
    show.add_argument("--locale", metavar="LOCALE", help="of their browser, such as en-GB")
    show.add_argument("--language", choices=("en", "zh"), default="en", help="they write in (default: en)")
    show.add_argument(
        "--kind",
        choices=("self_harm", "harm_to_others", "abuse", "medical"),
        default="self_harm",
        help="of danger (default: self_harm)",
    )
    check = steps.add_parser(
        "check",
        help="check the table, and list what is overdue",
        description="Checks every entry. Ends with status 1 if a review is overdue, 2 if an entry is wrong.",
    )
    check.add_argument(
        "--days",
        type=int,
        default=None,
        metavar="N",
        help="how long a review lasts, 1 to 3650 days (default: 180)",
    )
    for step in (show, check):
        step.add_argument(
            "--folder", type=Path, metavar="DIR", help="folder of the table (default: data/helplines)"
        )
        step.add_argument("--json", action="store_true", help="write JSON to stdout")


def run(args: argparse.Namespace) -> int:
    """Runs the command; returns its exit status."""
    from bot.core.errors import ContractError, SettingsError

    try:
        return _check(args) if args.step == "check" else _show(args)
    except (ContractError, SettingsError) as error:
        for line in str(error).splitlines():
            print(f"attune helplines: {line}", file=sys.stderr)
        return BAD_INPUT


def _show(args: argparse.Namespace) -> int:
    from bot.core.country import country_of, is_country
    from bot.core.errors import SettingsError
    from bot.core.reading import RiskKind
    from bot.core.settings import Settings
    from bot.helplines import FOLDER, load_helplines

    if args.country is not None and not is_country(args.country.upper()):
        raise SettingsError(f"--country is {args.country!r}, expected an ISO 3166-1 code such as GB")
    table = load_helplines(args.folder or FOLDER)
    said = {"country": args.country, "timezone": args.timezone, "locale": args.locale}
    country = country_of(said, Settings.from_environment().country)
    kind = RiskKind(args.kind)
    text = table.describe(country, args.language, kind)
    if args.json:
        lines = [line.id for line in table.for_person(country, args.language, kind)]
        emergency = table.emergency(country, kind)
        found = {"country": country, "lines": lines, "emergency": emergency, "text": text}
        print(json.dumps(found, ensure_ascii=False))
    else:
        print(text)
    return NOTHING_DUE


def _check(args: argparse.Namespace) -> int:
    from bot.core.errors import ContractError, SettingsError
    from bot.helplines import FOLDER, REVIEW_DAYS, from_the_future, load_helplines, overdue

    days = REVIEW_DAYS if args.days is None else args.days
    if not 1 <= days <= 3650:
        raise SettingsError(f"--days is {days}, expected 1 to 3650")
    table = load_helplines(args.folder or FOLDER)
    today = date.today()
    unborn = from_the_future(table, today)
    if unborn:
        raise ContractError("\n".join(unborn))
    due = overdue(table, today, days)
    if args.json:
        entries = [{"id": name, "reviewed": str(day), "source": source} for name, day, source in due]
        counts = {"countries": len(table.countries), "lines": len(table.lines())}
        print(json.dumps({**counts, "overdue": entries}))
    else:
        print(f"{len(table.lines())} lines and {len(table.countries)} emergency numbers, all well formed")
        for name, day, source in due:
            print(f"overdue: {name}, last reviewed {day}: {source}")
    return SOMETHING_DUE if due else NOTHING_DUE
