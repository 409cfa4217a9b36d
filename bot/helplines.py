"""Reads the table of helplines from `data/helplines`, and tells what in it is wrong or overdue.

Everything that is wrong is reported at once, with its file and id, since the people who keep the table are
not programmers. The format is described in `docs/helplines.md`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from bot.core.country import is_country
from bot.core.errors import ContractError
from bot.core.helplines import LANGUAGE_NAMES, Country, Emergency, Helpline, Helplines
from bot.core.reading import RiskKind
from bot.core.settings import ROOT
from bot.core.turn import LANGUAGES

FOLDER = ROOT / "data" / "helplines"
REVIEW_DAYS = 180  # how long a number may go unread

COUNTRY_NEEDS = ("country", "name", "emergency", "source", "reviewed")
COUNTRY_MAY = ("also", "lines")
LINE_NEEDS = ("id", "kinds", "name", "languages", "source", "reviewed")
LINE_MAY = ("phone", "text", "text_word", "whatsapp", "chat", "always", "hours", "audience", "also", "notes")
WAYS = ("phone", "text", "whatsapp", "chat")
EMERGENCY_FORMS = ({"any"}, {"police", "ambulance"})

# As dialled inside the country: no "+", since a line that can only be reached from abroad helps nobody.
_PHONE = re.compile(r"[*#]?[0-9](?:[ -]?[0-9]){1,14}")
_URL = re.compile(r"https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\.[a-z]{2,}(?::\d+)?(?:/[!-~]*)?", re.IGNORECASE)
_ID = re.compile(r"[a-z]{2}-[a-z0-9]+(?:-[a-z0-9]+)*")
_WORD = re.compile(r"[A-Z0-9]{2,12}")


def load_helplines(folder: Path = FOLDER) -> Helplines:
    """The table in a folder.

    Raises:
        ContractError: a file is missing or malformed; names every file and line that is.
    """
    paths = sorted(folder.glob("*.yml"))
    if not paths:
        raise ContractError(f"{folder} holds no helplines (*.yml)")
    problems: list[str] = []
    countries: list[Country] = []
    seen: set[str] = set()
    for path in paths:
        for raw in _read(path, problems):
            code = raw.get("country") if isinstance(raw, dict) else None
            found = list(_country_problems(raw, seen))
            problems += [f"{path.name}: {code or 'an entry'}: {problem}" for problem in found]
            if not found:
                countries.append(_country(raw))
    if problems:
        raise ContractError("\n".join(problems))
    return Helplines(countries)


def from_the_future(table: Helplines, today: date) -> list[str]:
    """What claims to have been reviewed after today.

    Looked at by `attune helplines check` alone: a clock that is wrong must not take the numbers away.
    """
    return [f"{name}: reviewed {day}, which is not yet" for name, day, _ in _reviews(table) if day > today]


def overdue(table: Helplines, today: date, days: int = REVIEW_DAYS) -> list[tuple[str, date, str]]:
    """What has to be read again: its id or country, when it was last read, and where to read it.

    Args:
        table: the helplines.
        today: the day to count to.
        days: how many days a review lasts.
    """
    due = [entry for entry in _reviews(table) if (today - entry[1]).days > days]
    return sorted(due, key=lambda entry: (entry[1], entry[0]))


def _reviews(table: Helplines) -> Iterator[tuple[str, date, str]]:
    for country in table.countries.values():
        yield country.code, country.reviewed, country.source
        for line in country.lines:
            yield line.id, line.reviewed, line.source


def _read(path: Path, problems: list[str]) -> list[Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        problems.append(f"{path.name}: can't be read: {' '.join(str(error).split())}")
        return []
    if not isinstance(data, dict) or list(data) != ["countries"] or not isinstance(data["countries"], list):
        problems.append(f"{path.name}: expected the key countries with a list")
        return []
    return data["countries"]


def _country(raw: Mapping[str, Any]) -> Country:
    return Country(
        code=raw["country"],
        name=raw["name"],
        emergency=Emergency(**raw["emergency"]),
        source=raw["source"],
        reviewed=raw["reviewed"],
        lines=tuple(_line(line, raw["country"]) for line in raw.get("lines", ())),
    )


def _line(raw: Mapping[str, Any], country: str) -> Helpline:
    return Helpline(
        id=raw["id"],
        country=country,
        kinds=tuple(RiskKind(kind) for kind in raw["kinds"]),
        name=raw["name"],
        phone=raw.get("phone", ""),
        text=raw.get("text", ""),
        text_word=raw.get("text_word", ""),
        whatsapp=raw.get("whatsapp", ""),
        chat=raw.get("chat", ""),
        is_always_open=raw.get("always", False),
        hours=raw.get("hours", {}),
        audience=raw.get("audience", {}),
        languages=tuple(raw["languages"]),
        source=raw["source"],
        also=tuple(raw.get("also", ())),
        reviewed=raw["reviewed"],
        notes=raw.get("notes", ""),
    )


def _country_problems(raw: object, seen: set[str]) -> Iterator[str]:
    """What is wrong with a country and its lines; `seen` collects the codes, ids and numbers so far."""
    if not isinstance(raw, dict):
        yield "is not a mapping"
        return
    shape = list(_shape_problems(raw, COUNTRY_NEEDS, COUNTRY_MAY))
    if shape:
        yield from shape
        return
    code = raw["country"]
    if not is_country(code):
        yield f"{code!r} is no ISO 3166-1 alpha-2 code in capitals"
    elif code in seen:
        yield "is there twice"
    seen.add(str(code))
    yield from _words_problems(raw["name"], "name")
    yield from _source_problems(raw)
    emergency = raw["emergency"]
    if not isinstance(emergency, dict) or set(emergency) not in EMERGENCY_FORMS:
        yield "emergency needs either any, or both police and ambulance"
    else:
        for key, number in emergency.items():
            yield from _phone_problems(number, f"emergency.{key}")
    lines = raw.get("lines", [])
    if not isinstance(lines, list):
        yield "lines must be a list"
        return
    for number, line in enumerate(lines, 1):
        name = line.get("id", f"line {number}") if isinstance(line, dict) else f"line {number}"
        for problem in _line_problems(line, str(code), seen):
            yield f"{name}: {problem}"


def _line_problems(raw: object, country: str, seen: set[str]) -> Iterator[str]:
    if not isinstance(raw, dict):
        yield "is not a mapping"
        return
    shape = list(_shape_problems(raw, LINE_NEEDS, LINE_MAY))
    if shape:
        yield from shape
        return
    yield from _identity_problems(raw, country, seen)
    yield from _words_problems(raw["name"], "name")
    if "audience" in raw:
        yield from _words_problems(raw["audience"], "audience")
    yield from _list_problems(raw["kinds"], "kinds", {kind.value for kind in RiskKind})
    yield from _list_problems(raw["languages"], "languages", LANGUAGE_NAMES)
    yield from _source_problems(raw)
    yield from _way_problems(raw)
    always = raw.get("always", False)
    if not isinstance(always, bool):
        yield "always must be true or false"
    elif always is ("hours" in raw):
        yield "needs either always: true or hours"
    if "hours" in raw:
        yield from _words_problems(raw["hours"], "hours")
    if not isinstance(raw.get("notes", ""), str):
        yield "notes must be a text"


def _identity_problems(raw: Mapping[str, Any], country: str, seen: set[str]) -> Iterator[str]:
    line_id = raw["id"]
    if not isinstance(line_id, str) or not _ID.fullmatch(line_id) or line_id[:2].upper() != country:
        yield f"the id must be kebab-case and start with {country.lower()}-"
    if line_id in seen:
        yield "the id is used twice"
    seen.add(str(line_id))
    for way in WAYS:
        if raw.get(way):
            # The same number may be there for a call and for a text, but only in one line of a country.
            key = f"{country} {way} {''.join(str(raw[way]).split()).replace('-', '')}"
            if key in seen:
                yield f"{way} {raw[way]} is in another line too"
            seen.add(key)


def _way_problems(raw: Mapping[str, Any]) -> Iterator[str]:
    if not any(raw.get(way) for way in WAYS):
        yield f"has none of {', '.join(WAYS)}"
    for way in ("phone", "text", "whatsapp"):
        if way in raw:
            yield from _phone_problems(raw[way], way)
    if "chat" in raw and not (_is_url(raw["chat"]) and raw["chat"].startswith("https://")):
        yield f"chat is {raw['chat']!r}, expected an address that starts with https://"
    if "text_word" in raw and not ("text" in raw and _is_like(_WORD, raw["text_word"])):
        yield "text_word must be a word in capitals, beside a number in text"


def _shape_problems(raw: Mapping[str, Any], needs: Collection[str], may: Collection[str]) -> Iterator[str]:
    missing = [field for field in needs if field not in raw]
    unknown = [str(field) for field in raw if field not in (*needs, *may)]
    if missing:
        yield f"lacks {', '.join(missing)}"
    if unknown:
        yield f"has the unknown field {', '.join(unknown)}"


def _words_problems(value: object, field: str) -> Iterator[str]:
    if not isinstance(value, dict) or set(value) != set(LANGUAGES):
        yield f"{field} needs exactly the languages {', '.join(LANGUAGES)}"
    elif not all(isinstance(text, str) and text.strip() and "\n" not in text for text in value.values()):
        yield f"{field} must be a text of one row in each language"


def _list_problems(value: object, field: str, allowed: Collection[str]) -> Iterator[str]:
    if not isinstance(value, list) or not value or len(set(map(str, value))) != len(value):
        yield f"{field} must be a list of different values"
    elif set(map(str, value)) - set(allowed):
        unknown = ", ".join(sorted(set(map(str, value)) - set(allowed)))
        yield f"{field} has {unknown}, expected some of {', '.join(sorted(allowed))}"


def _source_problems(raw: Mapping[str, Any]) -> Iterator[str]:
    also = raw.get("also", [])
    if not isinstance(also, list):
        yield "also must be a list of addresses"
        also = []
    for address in (raw["source"], *also):
        if not _is_url(address):
            yield f"the source {address!r} is no web address"
    if type(raw["reviewed"]) is not date:  # a datetime is a date too, and can't be compared with one
        yield f"reviewed is {raw['reviewed']!r}, expected a day such as 2026-11-20"


def _phone_problems(value: object, field: str) -> Iterator[str]:
    if not _is_like(_PHONE, value):
        yield (
            f"{field} is {value!r}, expected a number in quotes as dialled inside the country, "
            "such as '0808 2000 247'"
        )


def _is_url(value: object) -> bool:
    return _is_like(_URL, value)


def _is_like(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
