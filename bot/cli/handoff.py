"""`attune handoff`: see who waits for a human, take over, answer, and hand back."""

from __future__ import annotations

import argparse
import time
import unicodedata
from typing import TYPE_CHECKING, Any

from bot.core.errors import HandoffError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bot.storage.records import Handoff

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

LONGEST_NAME = 80
LONGEST_REPLY = 4000


def add_parser(subparsers: Subparsers) -> None:
    """Adds `attune handoff`."""
    parser = subparsers.add_parser(
        "handoff",
        help="take over conversations that need a human",
        description="Shows who waits for a human, and lets a human take over, answer and hand back.",
    )
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)

    listing = steps.add_parser(
        "list", help="who waits, the greatest risk first", description="Who waits for a human or is with one."
    )
    listing.add_argument("--all", action="store_true", help="also those that were handed back")
    show = steps.add_parser(
        "show",
        help="the whole picture of one",
        description="The person, the newest 200 turns with their readings, decisions and guidance shown.",
    )
    take = steps.add_parser("take", help="take it over", description="Takes a waiting conversation over.")
    reply = steps.add_parser(
        "reply", help="write to the person", description="Writes to the person; takes over first if needed."
    )
    give_back = steps.add_parser(
        "return",
        help="hand it back to the bot",
        description="Hands back to the bot, and tells the person so.",
    )
    for step in (show, take, reply, give_back):
        step.add_argument("id", metavar="ID", type=int, help="number of the handoff, from `list`")
    reply.add_argument("text", metavar="TEXT", help=f"what to write, at most {LONGEST_REPLY} characters")
    for step in (take, reply, give_back):
        step.add_argument("--as", dest="name", metavar="NAME", required=True, help="your name, kept with it")
    for step in (listing, show, take, reply, give_back):
        step.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Does one step and prints what came of it.

    Raises:
        AttuneError: the id, the step, the text or the database won't do.
    """
    from bot.core.settings import Settings
    from bot.storage.database import Database

    database = Database(Settings.from_environment().effective_database_url)
    try:
        database.check()
        with database.session(exclusive=args.step not in ("list", "show")) as session:
            result, text = _STEPS[args.step](session, args)
    finally:
        database.close()
    from bot.cli._handoff_text import json_text

    print(json_text(result) if args.json else text)
    return 0


def _list(session: Session, args: argparse.Namespace) -> tuple[Any, str]:
    from bot.cli._handoff_text import listing
    from bot.core.handoff import HandoffState
    from bot.storage import handoffs, views

    states = [*handoffs.OPEN, HandoffState.RETURNED] if args.all else handoffs.OPEN
    entries = [views.summary_json(session, handoff) for handoff in handoffs.listing(session, states)]
    return entries, listing(entries, time.time())


def _show(session: Session, args: argparse.Namespace) -> tuple[Any, str]:
    from bot.cli._handoff_text import picture
    from bot.storage import conversations, views

    handoff = _handoff(session, args)
    conversation = conversations.get(session, handoff.conversation_id)
    whole = views.conversation_json(session, conversation, handoff)
    return whole, picture(whole, time.time())


def _take(session: Session, args: argparse.Namespace) -> tuple[Any, str]:
    from bot.storage import handoffs, views

    name = clean_name(args.name)
    handoff = handoffs.take(session, _handoff(session, args).id, name, time.time())
    return views.handoff_json(handoff), f"Handoff {handoff.id} is with {name} now."


def _reply(session: Session, args: argparse.Namespace) -> tuple[Any, str]:
    from bot.core.handoff import HandoffState
    from bot.storage import turns, views

    name, text = clean_name(args.name), args.text.strip()
    if not text:
        raise HandoffError("the reply is empty")
    if len(text) > LONGEST_REPLY:
        raise HandoffError(f"the reply has {len(text)} characters, at most {LONGEST_REPLY} are possible")
    handoff = _handoff(session, args)
    if handoff.state is HandoffState.RETURNED:
        raise HandoffError(f"handoff {handoff.id} was handed back; the bot is in charge")
    turn = turns.add_human(session, handoff.conversation_id, text, name, time.time())
    return views.turn_json(turn, None), f"Sent as turn {turn.id}."


def _give_back(session: Session, args: argparse.Namespace) -> tuple[Any, str]:
    from bot.storage import handoffs, views

    handoff = handoffs.give_back(session, _handoff(session, args).id, clean_name(args.name), time.time())
    return views.handoff_json(handoff), f"Handoff {handoff.id} is handed back; the bot is in charge."


def _handoff(session: Session, args: argparse.Namespace) -> Handoff:
    from bot.storage import handoffs

    if not 0 < args.id < 2**63:
        raise HandoffError(f"{args.id} is no number of a handoff; `attune handoff list` shows them")
    return handoffs.get(session, args.id)


def clean_name(given: str) -> str:
    """The name, fit to be shown to the person.

    Raises:
        HandoffError: it is empty, too long, or has control characters.
    """
    name = " ".join(given.split())
    if not name or len(name) > LONGEST_NAME:
        raise HandoffError(f"the name has {len(name)} characters, expected 1 to {LONGEST_NAME}")
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in name):
        raise HandoffError("the name has control characters")
    return name


_STEPS = {"list": _list, "show": _show, "take": _take, "reply": _reply, "return": _give_back}
