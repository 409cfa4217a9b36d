"""When somebody is on duty: weekly hours on the clock of a place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo

from bot.core.errors import SettingsError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_A_DAY = 24 * 60
_FORM = re.compile(r"(\S+)\s+(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
EXPECTED = 'expected such as "Mon-Fri 08:00-18:00", "Sat,Sun 22:00-06:00" or "daily 00:00-24:00"'


@dataclass(frozen=True)
class Span:
    """One line of hours.

    Attributes:
        days: on which it begins, 0 for Monday to 6 for Sunday.
        start: minute of the day, 0 to 1439.
        end: minute of the day, 1 to 1440; at or before `start` it is on the next day.
    """

    days: frozenset[int]
    start: int
    end: int

    def covers(self, day: int, minute: int) -> bool:
        """Whether it covers a minute of a day of the week."""
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        return (day in self.days and minute >= self.start) or (
            (day - 1) % 7 in self.days and minute < self.end
        )


@dataclass(frozen=True)
class Hours:
    """The hours of a person; without spans, always."""

    spans: tuple[Span, ...] = ()
    zone: tzinfo = timezone.utc

    def cover(self, at: float) -> bool:
        """Whether they cover a moment, in seconds since 1970 UTC."""
        if not self.spans:
            return True
        local = datetime.fromtimestamp(at, self.zone)
        minute = local.hour * 60 + local.minute
        return any(span.covers(local.weekday(), minute) for span in self.spans)


def parse_hours(lines: Sequence[str], zone_name: str) -> Hours:
    """The hours that a roster states.

    Args:
        lines: each such as "Mon-Fri 08:00-18:00"; the end may be on the next day.
        zone_name: such as "Europe/Berlin".

    Raises:
        SettingsError: a line or the zone can't be understood.
    """
    try:
        zone = ZoneInfo(zone_name)
    except (KeyError, ValueError, OSError) as error:  # the first is ZoneInfoNotFoundError's base
        raise SettingsError(
            f"{zone_name!r} is no time zone known here, expected such as 'Europe/Berlin'"
        ) from error
    return Hours(tuple(_span(line) for line in lines), zone)


def _span(line: str) -> Span:
    match = _FORM.fullmatch(str(line).strip())
    if match is None:
        raise SettingsError(f"hours {line!r} can't be understood, {EXPECTED}")
    days, *numbers = match.groups()
    start_hour, start_minute, end_hour, end_minute = (int(number) for number in numbers)
    start, end = start_hour * 60 + start_minute, end_hour * 60 + end_minute
    if max(start_minute, end_minute) > 59 or start >= MINUTES_A_DAY or not 0 <= end <= MINUTES_A_DAY:
        raise SettingsError(f"hours {line!r} have a time that no clock shows, {EXPECTED}")
    if start == end:
        raise SettingsError(f"hours {line!r} begin when they end; write 00:00-24:00 for a whole day")
    return Span(_days(days, line), start, end)


def _days(text: str, line: str) -> frozenset[int]:
    if text.lower() == "daily":
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise SettingsError(f"hours {line!r} name a day that isn't known, {EXPECTED}")
        begin = DAYS.index(first)
        count = (DAYS.index(last) - begin) % 7 if dash else 0
        found.update((begin + offset) % 7 for offset in range(count + 1))
    return frozenset(found)
