"""`attune safety report` and `attune safety mark-false`: how well danger was met in a period."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9999, 12, 30)


def add_parser(commands: Subparsers) -> None:
    """Adds the two commands to `attune safety`."""
    report = commands.add_parser(
        "report",
        help="danger in a period: flagged, answered, handed to humans, false",
        description="Counts what was flagged in a period, how it was answered, how long people waited for a "
        "human, what led to escalations, what agents call false alarms, and pages. Days are UTC.",
    )
    report.add_argument("--from", dest="first", metavar="DATE", type=day, required=True, help="first day")
    report.add_argument("--to", dest="last", metavar="DATE", type=day, required=True, help="last day")
    report.set_defaults(execute=execute, safety_step=_report)
    mark = commands.add_parser(
        "mark-false",
        help="say that a flagged turn was no danger",
        description="Records in the audit trail that a flagged turn was a false alarm; the reading stays.",
    )
    mark.add_argument("turn", metavar="TURN", type=int, help="number of the turn, from `attune handoff show`")
    mark.add_argument("--by", metavar="NAME", required=True, help="your name, kept with it")
    mark.add_argument("--note", metavar="TEXT", help="why, at most 500 characters; erased with the person")
    mark.add_argument("--undo", action="store_true", help="take back that it was a false alarm")
    mark.set_defaults(execute=execute, safety_step=_mark)
    for command in (report, mark):
        command.add_argument("--json", action="store_true", help="print the result as JSON")


def execute(options: argparse.Namespace) -> int:
    """Runs the command; returns its exit status.

    Raises:
        AttuneError: the period, the turn, the name or the database won't do.
    """
    from bot.cli._handoff_text import json_text
    from bot.core.settings import Settings
    from bot.storage.database import Database

    database = Database(Settings.from_environment().effective_database_url)
    try:
        database.check()
        with database.session(exclusive=options.safety_step is _mark) as session:
            result, text = options.safety_step(session, options)
    finally:
        database.close()
    print(json_text(result) if options.json else text)
    return 0


def day(text: str) -> date:
    """The day that YYYY-MM-DD names.

    Raises:
        ArgumentTypeError: it names none from 1970 on.
    """
    try:
        given = datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        given = None
    if given is None or not FIRST_DAY <= given <= LAST_DAY:
        raise argparse.ArgumentTypeError(f"{text!r} is no day from 1970 on, expected YYYY-MM-DD")
    return given


def _report(session: Session, options: argparse.Namespace) -> tuple[Any, str]:
    from bot.core.errors import ContractError
    from bot.storage import safety_figures

    first, last = options.first, options.last
    if last < first:
        raise ContractError(f"the period ends on {last}, before it begins on {first}; swap --from and --to")
    end = _seconds(last + timedelta(days=1))
    figures = safety_figures.of_period(session, _seconds(first), end, time.time())
    result = {"from": str(first), "to": str(last), **figures}
    return result, "\n".join(_lines(result))


def _mark(session: Session, options: argparse.Namespace) -> tuple[Any, str]:
    from bot.cli.audit import actor_name
    from bot.core.errors import ContractError
    from bot.storage import false_alarms

    if not 0 < options.turn < 2**63:
        raise ContractError(f"{options.turn} is no number of a turn; `attune handoff show` has them")
    name = actor_name(options.by)
    word = false_alarms.withdraw if options.undo else false_alarms.mark
    row = word(session, options.turn, by=name, at=time.time(), note=options.note)
    said = "is no longer marked" if options.undo else "is marked"
    return row.to_dict(), f"Turn {options.turn} {said} as a false alarm, by {name} (audit row {row.seq})."


def _seconds(of: date) -> float:
    """The beginning of a day in UTC, seconds since 1970."""
    return datetime(of.year, of.month, of.day, tzinfo=timezone.utc).timestamp()


def _lines(result: dict[str, Any]) -> Iterator[str]:
    turns, crises, humans = result["turns"], result["crises"], result["humans"]
    yield f"Safety from {result['from']} to {result['to']} (UTC, both days in full)"
    yield ""
    yield f"Turns by people        {turns['person']}"
    yield f"  flagged              {turns['flagged']}, of which danger {turns['danger']}"
    for entry in turns["by"]:
        what = f"{_cell(entry['level'], 8)} {_cell(entry['kind'], 15)} {_cell(entry['language'], 4)}"
        yield f"    {what} {entry['turns']}"
    yield f"Danger on the trail    {crises['turns']} turns in {crises['conversations']} conversations"
    yield f"  answered             {crises['answered']}, {_spread(crises['seconds_to_answer'])}"
    yield f"  left to a human      {crises['left_to_human']}"
    yield f"  UNANSWERED           {crises['unanswered']}"
    if crises["not_on_trail"]:
        yield f"  not on the trail     {crises['not_on_trail']} turns in danger"
    yield f"Humans asked for       {humans['asked_for']}; offered in the answer to {humans['offered']} turns"
    yield f"  came                 {humans['taken']}, {_spread(humans['seconds_to_human'])}"
    yield f"  were there already   {humans['there_already']}"
    yield f"  handed back untaken  {humans['returned_untaken']}"
    yield f"  STILL WAITING        {len(humans['still_waiting'])}"
    for entry in humans["still_waiting"][:10]:
        yield f"    handoff {entry['handoff_id']}, for {_seconds_text(entry['waited_s'])}"
    yield "Escalations by reason"
    for entry in result["escalations"]:
        yield f"    {_cell(entry['level'], 8)} {_cell(entry['reason'], 24)} {entry['decisions']}"
    alarms = result["false_alarms"]
    share = "" if alarms["share_of_danger"] is None else f", {alarms['share_of_danger']:.1%} of danger"
    yield f"Marked as false        {alarms['marked']}, of which danger {alarms['of_danger']}{share}"
    for entry in alarms["by"]:
        yield f"    {_cell(entry['level'], 8)} {_cell(entry['kind'], 15)} {entry['turns']}"
    pages = ", ".join(f"{count} {event.removeprefix('page_')}" for event, count in result["pages"].items())
    yield f"Pages                  {pages}"


def _cell(value: Any, width: int) -> str:
    from bot.cli._handoff_text import one_line

    return f"{one_line('-' if value is None else value, width):<{width}}"


def _spread(spread: dict[str, float | None]) -> str:
    if spread["median"] is None or spread["p90"] is None or spread["max"] is None:
        return "no times"
    return (
        f"median {_seconds_text(spread['median'])}, 90 % within {_seconds_text(spread['p90'])}, "
        f"longest {_seconds_text(spread['max'])}"
    )


def _seconds_text(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"
