"""`attune audit`: the trail of every crisis: its end, its proof, what it says, and what must be erased."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from bot.core.errors import ContractError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

WRONG = 1  # exit status of `verify` when the chain is not whole
LONGEST_NAME = 80
REASONS = ("request", "retention", "mistake")


def add_parser(subparsers: Subparsers) -> None:
    """Adds `attune audit`."""
    parser = subparsers.add_parser(
        "audit",
        help="prove, read and keep the trail of every crisis",
        description="The audit trail of every crisis: append-only, each row holding the hash of the last.",
    )
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    head = steps.add_parser(
        "head",
        help="the last row's number and hash",
        description="Prints N:HASH of the last row, to be kept where nobody who writes the database can.",
    )
    verify = steps.add_parser(
        "verify",
        help="check every row",
        description="Walks the trail and names the first row that is wrong; status 1 if there is one.",
    )
    verify.add_argument(
        "--head",
        metavar="N:HASH",
        action="append",
        default=[],
        help="a head kept from before, which the trail must still hold; may be given several times",
    )
    show = steps.add_parser(
        "show", help="what it says of a conversation", description="Every row about one conversation."
    )
    erase = steps.add_parser(
        "erase",
        help="delete what could identify a person",
        description="Deletes what is personal in the rows of a conversation, for good, and records that.",
    )
    for step in (show, erase):
        step.add_argument(
            "--conversation", metavar="N", type=int, required=True, help="number of the conversation"
        )
    erase.add_argument("--by", metavar="NAME", required=True, help="who does it, kept in the trail")
    erase.add_argument("--reason", choices=REASONS, default="request", help="why (default: request)")
    for step in (head, verify, show, erase):
        step.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Does one step and prints what came of it.

    Raises:
        AttuneError: the head, the conversation, the name or the database won't do.
    """
    from bot.core.settings import Settings
    from bot.storage.database import Database

    database = Database(Settings.from_environment().effective_database_url)
    try:
        database.check()
        with database.session(exclusive=args.step == "erase") as session:
            return _STEPS[args.step](session, args)
    finally:
        database.close()


def _head(session: Session, args: argparse.Namespace) -> int:
    from bot.storage import audit

    end = audit.head(session)
    _print({"sequence": end.seq, "hash": end.hash, "head": str(end)} if args.json else str(end))
    return 0


def _verify(session: Session, args: argparse.Namespace) -> int:
    from bot.storage.audit import Head
    from bot.storage.audit_check import verify

    found = verify(session, [Head.parse(text) for text in args.head], _progress())
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if args.json:
        _print(found.to_dict())
    elif found.trouble is None:
        erased = f"; {found.erased} with erased details, as recorded" if found.erased else ""
        _print(f"whole: {found.head.seq} rows{erased}, head {found.head}")
    else:
        _print(f"NOT WHOLE: {found.trouble}\nthe last row that is right: {found.head}")
    return 0 if found.trouble is None else WRONG


def _show(session: Session, args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from bot.cli._handoff_text import moment, printable
    from bot.storage import audit

    rows = []
    for row in audit.of_conversation(session, _conversation_number(args)):
        rows.append({**row.to_dict(), "intact": audit.digest(asdict(row)) == row.hash})
    if args.json:
        _print(rows)
        return 0
    if not rows:
        _print(f"Nothing about conversation {args.conversation}.")
    for shown in rows:
        turn = f" turn {shown['turn_id']}" if shown["turn_id"] is not None else ""
        doubt = "" if shown["intact"] else "  CHANGED: the hash does not fit"
        _print(
            f"{shown['sequence']:>6}  {moment(shown['at'])}  {printable(shown['event'])}{turn} "
            f"by {printable(shown['actor'])}{doubt}"
        )
        for name, value in shown["facts"].items():
            _print(f"          {printable(name)}: {printable(_plain(value))}")
        for name, value in (shown["personal"] or {}).items():
            _print(f"          {printable(name)} (personal): {printable(_plain(value))}")
        if shown["erased"]:
            _print("          what was personal has been erased")
    return 0


def _erase(session: Session, args: argparse.Namespace) -> int:
    from bot.storage import audit

    name = actor_name(args.by)
    count = audit.erase(session, _conversation_number(args), actor=name, at=time.time(), reason=args.reason)
    session.commit()  # before it is said
    what = f"Erased what was personal in {count} rows about conversation {args.conversation}."
    _print({"conversation_id": args.conversation, "erased": count} if args.json else what)
    return 0


def actor_name(given: str) -> str:
    """The name of somebody who does something that is recorded.

    Raises:
        ContractError: it is empty, too long, or can't be printed.
    """
    name = " ".join(given.split())
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise ContractError(f"the name is {name!r}, expected 1 to {LONGEST_NAME} printable characters")
    return name


def _conversation_number(args: argparse.Namespace) -> int:
    number = int(args.conversation)
    if not 0 < number < 2**63:
        raise ContractError(f"{number} is no number of a conversation; `attune handoff list --json` has them")
    return number


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _progress() -> Any:
    if not sys.stderr.isatty():
        return lambda rows: None
    return lambda rows: print(f"\r{rows} rows", end="", file=sys.stderr, flush=True)


def _print(value: Any) -> None:
    from bot.cli._handoff_text import json_text

    print(value if isinstance(value, str) else json_text(value))


_STEPS = {"head": _head, "verify": _verify, "show": _show, "erase": _erase}
