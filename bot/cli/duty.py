"""`attune duty`: checks how people on duty are paged, shows who waits, and acknowledges a page."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.core.settings import Settings
    from bot.duty.roster import Roster

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

NOT_WELL = 1


def add_parser(subparsers: Subparsers) -> None:
    """Adds `attune duty`."""
    parser = subparsers.add_parser(
        "duty",
        help="page people on duty when somebody is in danger",
        description="People on duty are paged when a conversation in danger waits for a human. The roster is "
        "the file named by ATTUNE_DUTY_FILE; docs/duty.md tells about it.",
    )
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    check = steps.add_parser(
        "check",
        help="check the roster and every way of sending",
        description="Checks the roster, connects to every sender, and names the hours at which nobody is on "
        "duty. Ends with status 1 when a page would not get through.",
    )
    check.add_argument(
        "--send", action="store_true", help="also send everybody on the roster a message marked as a test"
    )
    status = steps.add_parser(
        "status",
        help="is paging well, and who waits",
        description="Ends with status 1 unless a page would reach somebody now: for monitoring.",
    )
    acknowledge = steps.add_parser(
        "acknowledge",
        help="say that you have seen a page",
        description="Stops a page from calling the next person. Take the handoff over as well: a page that "
        "was only acknowledged calls everybody again after a while.",
    )
    acknowledge.add_argument("id", metavar="ID", type=int, help="number of the page")
    acknowledge.add_argument(
        "--by", dest="name", metavar="NAME", required=True, help="your name, kept with it"
    )
    steps.add_parser(
        "run",
        help="page people, without the server",
        description="Pages until Ctrl-C or SIGTERM; `attune run` does so by itself.",
    )
    for step in (check, status, acknowledge):
        step.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Does one step.

    Raises:
        AttuneError: the roster, the page or the database won't do.
    """
    from bot.core.settings import Settings

    settings = Settings.from_environment()
    if args.step == "run":
        return _run(settings)
    return {"check": _check, "status": _status, "acknowledge": _acknowledge}[args.step](settings, args)


def _run(settings: Settings) -> int:
    import logging

    from bot.duty.main import serve

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)-8s %(name)s - %(message)s")
    logging.getLogger("bot").setLevel(settings.log_level)
    print("paging until Ctrl-C", file=sys.stderr)
    serve(settings)
    return 0


def _check(settings: Settings, args: argparse.Namespace) -> int:
    from bot.cli._handoff_text import json_text, moment
    from bot.duty import trial

    roster = _roster(settings)
    results = [trial.ping(name, sender) for name, sender in roster.senders.items()]
    if args.send:
        results += [
            trial.send_test(roster, person, reach) for person in roster.people for reach in person.reach
        ]
    gaps = roster.gaps(time.time())
    is_well = all(result.trouble is None for result in results)
    if args.json:
        value = {
            "status": "ok" if is_well else "broken",
            "people": [person.name for person in roster.people],
            "on_duty": [person.name for person in roster.on_duty(time.time())],
            "gaps": [{"from": start, "to": end} for start, end in gaps],
            "results": [result.to_dict() for result in results],
        }
        print(json_text(value))
        return 0 if is_well else NOT_WELL
    people = ", ".join(person.name for person in roster.people)
    print(f"{len(roster.people)} on the roster, called in this order: {people}")
    for result in results:
        print(result.line())
    for start, end in gaps:
        print(f"nobody's hour: {moment(start)} to {moment(end)}; everybody is called then")
    return 0 if is_well else NOT_WELL


def _status(settings: Settings, args: argparse.Namespace) -> int:
    from bot.cli._handoff_text import json_text, one_line
    from bot.duty import health
    from bot.storage.database import Database

    database = Database(settings.effective_database_url)
    try:
        database.check()
        status = health.examine(settings, database)
    finally:
        database.close()
    now = time.time()
    if args.json:
        print(json_text(status.to_dict(now)))
        return 0 if status.status == health.OK else NOT_WELL
    print(f"paging is {status.status}")
    for problem in status.problems:
        print(f"  - {problem}")
    if status.on_duty:
        print("on duty now, in this order: " + ", ".join(one_line(name, 80) for name in status.on_duty))
    for page in status.pages:
        found = health.page_json(page, now)
        seen = f"seen by {one_line(page.acknowledged_by, 80)}" if page.acknowledged_by else "seen by nobody"
        print(
            f"page {page.id}: {page.level}, {page.kind or 'kind not known'}, handoff {page.handoff_id}, "
            f"waits for {found['waiting_minutes']} min, {page.step} calls, {seen}"
        )
    return 0 if status.status == health.OK else NOT_WELL


def _acknowledge(settings: Settings, args: argparse.Namespace) -> int:
    from bot.cli._handoff_text import json_text, one_line
    from bot.cli.handoff import clean_name
    from bot.core.errors import PageError
    from bot.core.page import PageState
    from bot.duty.health import page_json
    from bot.storage import pages
    from bot.storage.database import Database

    if not 0 < args.id < 2**63:
        raise PageError(f"{args.id} is no number of a page; `attune duty status` shows those that wait")
    name = clean_name(args.name)
    database = Database(settings.effective_database_url)
    try:
        database.check()
        now = time.time()
        with database.session(exclusive=True) as session:
            page = pages.acknowledge(session, args.id, name, now)
    finally:
        database.close()
    if args.json:
        print(json_text(page_json(page, now)))
    elif page.state is PageState.ACKNOWLEDGED:
        print(
            f"Page {page.id} was seen by {one_line(page.acknowledged_by, 80)}. The person still waits: "
            f'attune handoff take {page.handoff_id} --as "{one_line(name, 80)}"'
        )
    else:
        print(f"Page {page.id} no longer calls anybody: it is {page.state.value}.")
    return 0


def _roster(settings: Settings) -> Roster:
    from bot.duty.health import NOT_SET
    from bot.duty.roster import RosterError
    from bot.duty.roster_file import load

    if not settings.duty_file:
        raise RosterError(NOT_SET)
    return load(Path(settings.duty_file))
