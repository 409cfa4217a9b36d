"""Who is on duty, in which order, and how they are reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.core.errors import SettingsError
from bot.core.turn import ENGLISH
from bot.duty.hours import Hours
from bot.duty.senders import Sender

GAP_STEP_S = 15 * 60.0
WEEK_S = 7 * 24 * 3600.0


class RosterError(SettingsError):
    """The roster can't be read, or doesn't say what it has to."""


@dataclass(frozen=True)
class Reach:
    """One way to reach a person: the sender's name, and the address there ("" where it needs none)."""

    sender: str
    to: str = field(default="", repr=False)


@dataclass(frozen=True)
class Person:
    """Somebody who can be called.

    Attributes:
        name: unique on the roster; kept with pages.
        reach: used all at once.
        hours: when they are on duty.
        language: "en" or "zh", of the messages.
    """

    name: str
    reach: tuple[Reach, ...]
    hours: Hours = field(default_factory=Hours)
    language: str = ENGLISH


@dataclass(frozen=True)
class Roster:
    """The whole roster.

    Attributes:
        people: in the order in which they are called.
        senders: by name.
        acknowledge_within_s: how long a person has before the next one is called.
        take_within_s: how long a handoff may wait after somebody acknowledged, before all are called
            again; 0 for ever.
        heartbeat_s: how often each sender is looked at.
        silent_after_s: how long the worker may be silent before paging counts as broken.
        base_url: of the server as people on duty can open it, without "/" at the end; "" for no links.
        desk_url: of a conversation, with {conversation} or {handoff} in it; "" for none.
    """

    people: tuple[Person, ...]
    senders: Mapping[str, Sender]
    acknowledge_within_s: float = 300.0
    take_within_s: float = 900.0
    heartbeat_s: float = 3600.0
    silent_after_s: float = 180.0
    base_url: str = ""
    desk_url: str = ""

    def on_duty(self, at: float) -> tuple[Person, ...]:
        """Who is called for a page now, in order: everybody when it is nobody's hour.

        Args:
            at: seconds since 1970 UTC.
        """
        return tuple(person for person in self.people if person.hours.cover(at)) or self.people

    def person(self, name: str) -> Person | None:
        """Somebody by name, or None when they aren't on the roster."""
        return next((person for person in self.people if person.name == name), None)

    def gaps(self, at: float) -> list[tuple[float, float]]:
        """When in the week after a moment it is nobody's hour, to a quarter of an hour.

        Args:
            at: seconds since 1970 UTC.

        Returns:
            (start, end) of each gap, seconds since 1970 UTC.
        """
        found: list[tuple[float, float]] = []
        begin = at - at % GAP_STEP_S
        for step in range(int(WEEK_S / GAP_STEP_S)):
            moment = begin + step * GAP_STEP_S
            if any(person.hours.cover(moment) for person in self.people):
                continue
            if found and found[-1][1] == moment:
                found[-1] = (found[-1][0], moment + GAP_STEP_S)
            else:
                found.append((moment, moment + GAP_STEP_S))
        return found
