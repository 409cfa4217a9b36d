"""Whether a page would reach somebody, and who waits for one now. A paging that fails in silence is none."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.core.errors import AttuneError
from bot.core.page import PageState
from bot.core.settings import Settings
from bot.duty.roster import Roster
from bot.duty.roster_file import load
from bot.storage import beats, page_sends, pages
from bot.storage.beats import Beat
from bot.storage.database import Database
from bot.storage.pages import Page

OFF = "off"  # nobody is paged, since nobody was named
OK = "ok"
BROKEN = "broken"
UNREACHED_S = 120.0  # how long a page may have reached nobody
NOT_SET = "nobody will be paged when somebody is in danger: ATTUNE_DUTY_FILE is not set"


@dataclass(frozen=True)
class Status:
    """How paging is.

    Attributes:
        status: "ok", "broken" or "off".
        problems: why it isn't "ok", one line each.
        on_duty: the names of those who would be called now, in order.
        pages: that still stand for a person who waits.
        beats: signs of life, by name.
    """

    status: str
    problems: tuple[str, ...] = ()
    on_duty: tuple[str, ...] = ()
    pages: tuple[Page, ...] = ()
    beats: tuple[Beat, ...] = ()

    def to_dict(self, now: float) -> dict[str, Any]:
        """The status in its JSON form."""
        return {
            "status": self.status,
            "problems": list(self.problems),
            "on_duty": list(self.on_duty),
            "pages": [page_json(page, now) for page in self.pages],
            "beats": [
                {"name": beat.name, "at": beat.at, "ok_at": beat.ok_at, "trouble": beat.trouble}
                for beat in self.beats
            ],
        }


def page_json(page: Page, now: float) -> dict[str, Any]:
    """A page in its JSON form."""
    return {
        "id": page.id,
        "handoff": page.handoff_id,
        "conversation": page.conversation_id,
        "level": page.level,
        "kind": page.kind,
        "state": page.state.value,
        "waiting_minutes": max(0, int((now - page.waiting_since) // 60)),
        "calls": page.step,
        "acknowledged_by": page.acknowledged_by,
        "acknowledged_at": page.acknowledged_at,
    }


def examine(settings: Settings, database: Database, now: float | None = None) -> Status:
    """How paging is at a moment.

    Args:
        settings: of this installation.
        database: where the pages are.
        now: seconds since 1970 UTC; the present by default.
    """
    at = time.time() if now is None else now
    roster: Roster | None = None
    problems: list[str] = []
    if not settings.duty_file:
        problems.append(NOT_SET)
    else:
        try:
            roster = load(Path(settings.duty_file))
        except AttuneError as error:
            problems.append(f"the roster can't be used: {error}")
    try:
        with database.session() as session:
            live = pages.live(session)
            seen = beats.all_beats(session)
            reached = page_sends.reached(session, [page.id for page in live])
    except AttuneError as error:
        return Status(BROKEN, (*problems, f"the database can't be used: {error}"))
    if roster is not None:
        problems += _worker_problems(roster, seen.get(beats.WORKER), at)
        problems += _sender_problems(roster, seen, at)
    problems += _page_problems(live, reached, at)
    return Status(
        OFF if not settings.duty_file else BROKEN if problems else OK,
        tuple(problems),
        tuple(person.name for person in roster.on_duty(at)) if roster is not None else (),
        tuple(live),
        tuple(_known(roster, seen)),
    )


def _worker_problems(roster: Roster, beat: Beat | None, now: float) -> list[str]:
    if beat is None:
        return ["the worker has never run; `attune run` starts it, and so does `attune duty run`"]
    silent_s = now - beat.at
    if silent_s > roster.silent_after_s:
        return [f"the worker has not run for {silent_s / 60.0:.0f} min; nothing is sent"]
    return [beat.trouble] if beat.trouble else []


def _sender_problems(roster: Roster, seen: dict[str, Beat], now: float) -> list[str]:
    found = []
    for name in roster.senders:
        beat = seen.get(beats.of_sender(name))
        if beat is None:
            found.append(f"the sender {name} has never been looked at")
        elif beat.trouble:
            past = (
                "never well yet"
                if beat.ok_at is None
                else f"not well for {(now - beat.ok_at) / 60.0:.0f} min"
            )
            found.append(f"the sender {name} is broken: {beat.trouble} ({past})")
        elif beat.ok_at is None or now - beat.ok_at > 2.0 * roster.heartbeat_s + roster.silent_after_s:
            found.append(f"the sender {name} has not been looked at as often as it should be")
    return found


def _page_problems(live: list[Page], reached: set[int], now: float) -> list[str]:
    return [
        f"page {page.id} has reached nobody; a person waits for {(now - page.waiting_since) / 60.0:.0f} min"
        for page in live
        if page.state is PageState.WAITING and page.id not in reached and now - page.opened_at > UNREACHED_S
    ]


def _known(roster: Roster | None, seen: dict[str, Beat]) -> list[Beat]:
    """The signs of life that still mean something: senders leave the roster."""
    wanted = [beats.WORKER, *(beats.of_sender(name) for name in (roster.senders if roster else ()))]
    return [seen[name] for name in wanted if name in seen]
