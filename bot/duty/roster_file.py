"""Reads the roster from its file, ATTUNE_DUTY_FILE, and says exactly what is wrong with it.

Secrets are never in the file: where one belongs stands `${NAME}`, the name of an environment variable. No
message quotes a value that could be one.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bot.core.errors import SettingsError
from bot.core.settings import PREFIX
from bot.core.turn import ENGLISH, LANGUAGES
from bot.duty import wire
from bot.duty.hours import Hours, parse_hours
from bot.duty.mail import SECURITY, Mail
from bot.duty.roster import Person, Reach, Roster, RosterError
from bot.duty.senders import TIMEOUT_S, Sender
from bot.duty.slack import Slack
from bot.duty.webhook import Webhook

LONGEST_FILE_BYTES = 1_000_000
LONGEST_NAME = 80
SHORTEST_SECRET = 16

logger = logging.getLogger(__name__)

# Key of the file: field, seconds a unit, lowest, highest.
TIMES = {
    "acknowledge_within_minutes": ("acknowledge_within_s", 60.0, 1, 240),
    "take_within_minutes": ("take_within_s", 60.0, 0, 1440),
    "heartbeat_minutes": ("heartbeat_s", 60.0, 5, 1440),
    "silent_after_minutes": ("silent_after_s", 60.0, 1, 60),
}
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ADDRESS = re.compile(r"[!-?A-~]+@[!-?A-~]+")  # printable ASCII but @, at, the same


def load(path: Path, environment: Mapping[str, str] | None = None) -> Roster:
    """The roster of a file.

    Args:
        path: of the file, YAML.
        environment: that `${NAME}` refers to; the process's own by default.

    Raises:
        RosterError: it can't be read, or something in it won't do; the text says where and what.
    """
    try:
        if path.stat().st_size > LONGEST_FILE_BYTES:
            raise RosterError(f"{path} is larger than {LONGEST_FILE_BYTES} bytes, which no roster is")
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RosterError(f"the roster {path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RosterError(f"the roster {path} is not UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise RosterError(f"the roster {path} is not YAML{where}") from error
    try:
        return _Reader(os.environ if environment is None else environment).roster(data)
    except RosterError as error:
        raise RosterError(f"{path}: {error}") from error


class RosterFile:
    """The roster of a file, read again when the file changes.

    A file that was broken by an edit does not end paging: the roster read before goes on, with the trouble.

    Args:
        path: of the file.
        environment: see `load`.
    """

    def __init__(self, path: Path, environment: Mapping[str, str] | None = None) -> None:
        self._path = path
        self._environment = environment
        self._seen: tuple[int, int, int] | None = None
        self._roster: Roster | None = None
        self._trouble: str | None = None

    def __call__(self) -> tuple[Roster, str | None]:
        """The roster, and what is wrong with the file when the roster is an older one.

        Raises:
            RosterError: the file was never right.
        """
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            seen = (0, 0, 0)
        if self._roster is None or seen != self._seen:
            try:
                self._roster = load(self._path, self._environment)
                self._trouble = None
            except RosterError as error:
                if self._roster is None:
                    raise
                self._trouble = f"{error}; the roster of before is used"
                logger.error("duty.roster_is_broken error=%s", error)
            self._seen = seen
        return self._roster, self._trouble


class _Reader:
    """Reads the parts of a roster; every error begins with the place."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def roster(self, data: Any) -> Roster:
        """The whole."""
        known = {"people", "senders", "base_url", "desk_url", *TIMES}
        table = _table(data, "the file", known, {"people", "senders"})
        senders = {
            _name(name, "senders"): self._sender(f"senders.{name}", value)
            for name, value in _table(table["senders"], "senders").items()
        }
        if not senders:
            raise RosterError("senders is empty: nobody can be reached")
        times = {
            field: _number(table[key], key, low, high) * unit
            for key, (field, unit, low, high) in TIMES.items()
            if key in table
        }
        people: list[Person] = []
        for number, entry in enumerate(_list(table["people"], "people"), start=1):
            person = self._person(f"people {number}", entry, senders)
            if person.name in {other.name for other in people}:
                raise RosterError(f"people {number}: the name {person.name!r} is there twice")
            people.append(person)
        if not people:
            raise RosterError("people is empty: nobody would be called")
        return Roster(
            tuple(people),
            senders,
            base_url=self._link(table, "base_url").rstrip("/"),
            desk_url=self._desk(table),
            **times,
        )

    def _person(self, place: str, data: Any, senders: Mapping[str, Sender]) -> Person:
        known = {"name", "reach", "hours", "time_zone", "language"}
        table = _table(data, place, known, {"name", "reach"})
        name = _name(table["name"], place)
        place = f"{place} ({name})"
        reach: list[Reach] = []
        for number, entry in enumerate(_list(table["reach"], f"{place}: reach"), start=1):
            one = self._reach(f"{place}: reach {number}", entry, senders)
            if one.sender in {other.sender for other in reach}:
                raise RosterError(f"{place}: reach names the sender {one.sender!r} twice")
            reach.append(one)
        if not reach:
            raise RosterError(f"{place}: reach is empty, so they can't be called")
        language = table.get("language", ENGLISH)
        if language not in LANGUAGES:
            raise RosterError(f"{place}: language is {language!r}, expected {' or '.join(LANGUAGES)}")
        return Person(name, tuple(reach), self._hours(place, table), language)

    def _hours(self, place: str, table: Mapping[str, Any]) -> Hours:
        if "hours" not in table:
            return Hours()
        if "time_zone" not in table:
            raise RosterError(f"{place}: hours need a time_zone, such as Europe/Berlin")
        lines = _list(table["hours"], f"{place}: hours")
        if not lines:
            raise RosterError(f"{place}: hours is empty; leave it out for always")
        try:
            return parse_hours([str(line) for line in lines], str(table["time_zone"]))
        except SettingsError as error:
            raise RosterError(f"{place}: {error}") from error

    def _reach(self, place: str, data: Any, senders: Mapping[str, Sender]) -> Reach:
        table = _table(data, place, {"sender", "to"}, {"sender"})
        name = str(table["sender"])
        if name not in senders:
            raise RosterError(f"{place}: there is no sender {name!r}; there are {', '.join(sorted(senders))}")
        to = self._text(table, "to", place)
        if isinstance(senders[name], Mail) and not _ADDRESS.fullmatch(to):
            raise RosterError(f"{place}: `to` must be one e-mail address")
        if len(to) > 320 or not to.isprintable():
            raise RosterError(f"{place}: `to` is too long or has control characters")
        return Reach(name, to)

    def _sender(self, place: str, data: Any) -> Sender:
        kind = _table(data, place).get("kind")
        readers = {"webhook": self._webhook, "slack": self._slack, "smtp": self._mail}
        if kind not in readers:
            raise RosterError(f"{place}: kind is {kind!r}, expected {', '.join(readers)}")
        return readers[kind](place, data)

    def _webhook(self, place: str, data: Any) -> Sender:
        known = {"kind", "url", "secret", "ping", "timeout_s", "ca_file", "allow_plain"}
        table = _table(data, place, known, {"url"})
        ping = table.get("ping", "connect")
        if ping not in ("connect", "post"):
            raise RosterError(f"{place}: ping is {ping!r}, expected connect or post")
        secret = self._secret(table, "secret", place)
        if secret and len(secret) < SHORTEST_SECRET:
            raise RosterError(f"{place}: secret is shorter than {SHORTEST_SECRET} characters")
        return Webhook(self._url(table, place), secret, ping, **self._common(table, place))

    def _slack(self, place: str, data: Any) -> Sender:
        table = _table(data, place, {"kind", "url", "timeout_s", "ca_file", "allow_plain"}, {"url"})
        self._secret(table, "url", place)
        return Slack(self._url(table, place), **self._common(table, place))

    def _mail(self, place: str, data: Any) -> Sender:
        known = {"kind", "host", "port", "security", "user", "password", "from"}
        known |= {"timeout_s", "ca_file", "allow_plain"}
        table = _table(data, place, known, {"host", "from"})
        host, sent_by = self._text(table, "host", place), self._text(table, "from", place)
        security = table.get("security", "starttls")
        if security not in SECURITY:
            raise RosterError(f"{place}: security is {security!r}, expected {', '.join(SECURITY)}")
        if security == "none" and host not in wire.LOOPBACK and table.get("allow_plain") is not True:
            raise RosterError(f"{place}: security is none, which anybody on the way can read; use starttls")
        if not host or not re.fullmatch(r"[A-Za-z0-9.:_-]+", host):
            raise RosterError(f"{place}: host is no host name")
        if not _ADDRESS.fullmatch(sent_by):
            raise RosterError(f"{place}: `from` must be one e-mail address")
        user, password = self._text(table, "user", place), self._secret(table, "password", place)
        if bool(user) != bool(password):
            raise RosterError(f"{place}: user and password belong together; one of them is missing")
        port = _number(table.get("port", 465 if security == "tls" else 587), f"{place}: port", 1, 65535)
        return Mail(host, sent_by, int(port), security, user, password, **self._common(table, place))

    def _common(self, table: Mapping[str, Any], place: str) -> dict[str, Any]:
        ca_file = self._text(table, "ca_file", place)
        if ca_file:
            try:
                wire.tls_context(ca_file)
            except SettingsError as error:
                raise RosterError(f"{place}: {error}") from error
        timeout_s = _number(table.get("timeout_s", TIMEOUT_S), f"{place}: timeout_s", 1, 60)
        return {"timeout_s": timeout_s, "ca_file": ca_file}

    def _url(self, table: Mapping[str, Any], place: str) -> str:
        url = self._text(table, "url", place)
        try:
            wire.check_url(url, allow_plain=table.get("allow_plain") is True)
        except SettingsError as error:
            raise RosterError(f"{place}: {error}") from error
        return url

    def _link(self, table: Mapping[str, Any], key: str) -> str:
        url = self._text(table, key, "the file")
        if url:
            try:
                wire.check_url(url, allow_plain=True)
            except SettingsError as error:
                raise RosterError(f"{key}: {error}") from error
        return url

    def _desk(self, table: Mapping[str, Any]) -> str:
        url = self._link(table, "desk_url")
        if url:
            try:
                url.format(conversation=1, handoff=1)
            except (KeyError, IndexError, ValueError, AttributeError) as error:
                raise RosterError("desk_url may hold {conversation} and {handoff} only") from error
        return url

    def _secret(self, table: Mapping[str, Any], key: str, place: str) -> str:
        given = table.get(key)
        if given is not None and not _VARIABLE.search(str(given)):
            raise RosterError(
                f"{place}: {key} stands in the file; write ${{NAME}} and set the variable NAME instead"
            )
        return self._text(table, key, place)

    def _text(self, table: Mapping[str, Any], key: str, place: str) -> str:
        """A text with the variables in it put in; "" when it isn't there."""
        given = table.get(key)
        if given is None:
            return ""
        if not isinstance(given, (str, int)) or isinstance(given, bool):
            raise RosterError(f"{place}: {key} must be text")

        def value(match: re.Match[str]) -> str:
            name = match.group(1)
            if not _NAME.fullmatch(name):
                raise RosterError(f"{place}: {key} names ${{{name}}}, which is no name of a variable")
            if name.startswith(PREFIX):
                raise RosterError(
                    f"{place}: {key} names ${{{name}}}; {PREFIX}... are Attune's own settings, "
                    "take another name"
                )
            if not self._environment.get(name):
                raise RosterError(f"{place}: {key} names ${{{name}}}, which is not set")
            return self._environment[name]

        return _VARIABLE.sub(value, str(given)).strip()


def _table(
    data: Any, place: str, known: set[str] | None = None, needed: set[str] | None = None
) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise RosterError(f"{place} must hold keys with values")
    for key in data:
        if known is not None and key not in known:
            raise RosterError(f"{place}: {key!r} is not known; known are {', '.join(sorted(known))}")
    for key in sorted(needed or ()):
        if data.get(key) is None:
            raise RosterError(f"{place}: {key} is missing")
    return data


def _list(data: Any, place: str) -> list[Any]:
    if not isinstance(data, list):
        raise RosterError(f"{place} must be a list")
    return data


def _number(value: Any, place: str, low: int, high: int) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise RosterError(f"{place} is {value!r}, expected {low} to {high}")
    return float(value)


def _name(value: Any, place: str) -> str:
    name = value.strip() if isinstance(value, str) else ""
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise RosterError(f"{place}: a name must be 1 to {LONGEST_NAME} printable characters")
    return name
