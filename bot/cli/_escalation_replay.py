"""Runs `attune escalation replay`: period, conversations one after the other, what is printed of each."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from bot.cli._escalation_text import conversation_json, conversation_text, escape, summary_text
from bot.core.errors import SettingsError
from bot.core.replay import ConversationReplay
from bot.core.replay_summary import Change, ReplaySummary, Tally
from bot.core.settings import Settings
from bot.core.thresholds import EscalationThresholds

if TYPE_CHECKING:
    from bot.storage.replay import StoredConversation

DATE_CHARS = 10  # of "2024-05-01": a day without a time
TOLD_EVERY_S = 5.0  # how often progress is told on a terminal


def run_replay(args: argparse.Namespace, current: EscalationThresholds) -> int:
    """Replays the period and prints what came of it.

    Args:
        args: of the command line.
        current: the thresholds of the configuration.

    Raises:
        AttuneError: a threshold, a date or the database won't do.
    """
    since, until = moment_of(args.since, "--from"), moment_of(args.until, "--to", is_end=True)
    if since >= until:
        raise SettingsError(f"--from {args.since} is not before --to {args.until}")
    changed = current.changed(args.settings) if args.settings else None
    sets = [current] if changed is None else [current, changed]
    summary = ReplaySummary([Tally() for _ in sets])
    told_at = time.monotonic()
    printed = _Json(since, until, sets) if args.json else _Text(args.evidence)
    with _conversations(since, until) as conversations:
        for conversation in conversations:
            replay, turns = _replayed(conversation, sets, since)
            if not turns:
                continue
            change = summary.add(replay, turns)
            if _is_shown(replay, change, bool(args.settings), args.all):
                told = conversation_json(conversation, replay, change, args.evidence)
                printed.add(told, len(sets) > 1)
            told_at = _tell(summary, told_at)
    printed.finish(summary)
    return 0


def moment_of(text: str, option: str, is_end: bool = False) -> float:
    """The moment that a date or time names, seconds since 1970 UTC; the end of the day for a date that ends.

    Raises:
        SettingsError: it is neither.
    """
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        if is_end and len(text.strip()) == DATE_CHARS:
            moment += timedelta(days=1)
        return moment.timestamp()
    except (ValueError, OverflowError) as error:
        raise SettingsError(f"{option} is {text!r}, expected a date such as 2024-05-01") from error


@contextmanager
def _conversations(since: float, until: float) -> Iterator[Iterator[StoredConversation]]:
    """The stored conversations of the period, in a transaction that can change nothing."""
    from bot.storage.database import Database
    from bot.storage.replay import conversations_between, read_only

    database = Database(Settings.from_environment().effective_database_url)
    try:
        database.check(writes=False)
        with database.session() as session:
            read_only(session)
            yield conversations_between(session, since, until)
    finally:
        database.close()


def _replayed(
    conversation: StoredConversation, sets: Sequence[EscalationThresholds], since: float
) -> tuple[ConversationReplay, int]:
    """The replay of a conversation, and how many of its turns are in the period."""
    replay, turns = ConversationReplay(sets), 0
    for stored in conversation.turns:
        in_period = stored.turn.at >= since
        turns += in_period
        replay.add(stored, in_period)
    replay.finish(conversation.state_turns, conversation.is_older)
    return replay, turns


def _is_shown(replay: ConversationReplay, change: Change, is_compared: bool, wants_all: bool) -> bool:
    if is_compared and not wants_all:
        return change is not Change.NONE
    return any(replay.escalations)


class _Text:
    """Prints conversations as they come, and the summary."""

    def __init__(self, evidence: bool) -> None:
        self._evidence = evidence

    def add(self, told: dict[str, Any], is_compared: bool) -> None:
        print(conversation_text(told, is_compared))

    def finish(self, summary: ReplaySummary) -> None:
        print(summary_text(summary))


class _Json:
    """Prints one JSON object, conversation by conversation, so that it needs no memory."""

    def __init__(self, since: float, until: float, sets: Sequence[EscalationThresholds]) -> None:
        self._head = {
            "from": since,
            "to": until,
            "thresholds": asdict(sets[0]),
            "changed_thresholds": asdict(sets[1]) if len(sets) > 1 else None,
        }
        self._separator = ""

    def add(self, told: dict[str, Any], _: bool) -> None:
        self._begin()
        sys.stdout.write(self._separator + escape(json.dumps(told, ensure_ascii=False)))
        self._separator = ",\n"

    def finish(self, summary: ReplaySummary) -> None:
        self._begin()
        sys.stdout.write(f'\n],\n"summary": {escape(json.dumps(summary.to_dict(), ensure_ascii=False))}}}\n')

    def _begin(self) -> None:
        if self._head:
            head = escape(json.dumps(self._head, ensure_ascii=False))
            sys.stdout.write(f'{head[:-1]},\n"conversations": [\n')
            self._head = {}


def _tell(summary: ReplaySummary, told_at: float) -> float:
    """Tells how far it is on a terminal, now and then; gives the time at which it last did."""
    now = time.monotonic()
    if not sys.stderr.isatty() or now - told_at < TOLD_EVERY_S:
        return told_at
    print(f"{summary.conversations} conversations, {summary.turns} turns", file=sys.stderr)
    return now
