"""The roster: its file, its hours, and what it says when something in it won't do."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.core.errors import PageError
from bot.duty.hours import parse_hours
from bot.duty.links import LIFE_S, Claim, Links
from bot.duty.mail import Mail
from bot.duty.roster import RosterError
from bot.duty.roster_file import RosterFile, load
from bot.duty.slack import Slack
from bot.duty.webhook import Webhook

ENVIRONMENT = {
    "HOOK_SECRET": "a-secret-of-some-length",
    "SLACK_URL": "https://hooks.example/services/T0/B0/xyz",
    "MAIL_PASSWORD": "pw-secret",
    "SHORT": "short",
    "ATTUNE_SECRET": "x" * 40,
}


def whole() -> dict[str, Any]:
    return {
        "acknowledge_within_minutes": 4,
        "take_within_minutes": 0,
        "heartbeat_minutes": 30,
        "silent_after_minutes": 2,
        "base_url": "https://chat.example/",
        "desk_url": "https://desk.example/c/{conversation}",
        "senders": {
            "phone": {"kind": "webhook", "url": "https://phone.example/x", "secret": "${HOOK_SECRET}"},
            "team": {"kind": "slack", "url": "${SLACK_URL}"},
            "mail": {
                "kind": "smtp",
                "host": "mail.example",
                "from": "attune@example.org",
                "user": "attune",
                "password": "${MAIL_PASSWORD}",
            },
        },
        "people": [
            {
                "name": "Ann",
                "reach": [{"sender": "mail", "to": "ann@example.org"}, {"sender": "phone", "to": "7"}],
                "hours": ["Mon-Fri 08:00-18:00"],
                "time_zone": "Europe/Berlin",
            },
            {"name": "Mei", "language": "zh", "reach": [{"sender": "team"}]},
        ],
    }


def write(folder: Path, data: Any) -> Path:
    path = folder / "duty.yml"
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data), encoding="utf-8")
    return path


def changed(place: str, value: Any) -> dict[str, Any]:
    """The whole roster with one value changed, by a path such as "people.0.name"; None takes it out."""
    data: Any = whole()
    target = data
    *way, last = [int(part) if part.isdecimal() else part for part in place.split(".")]
    for part in way:
        target = target[part]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return data


def test_a_whole_roster_is_read(tmp_path: Path) -> None:
    roster = load(write(tmp_path, whole()), ENVIRONMENT)
    assert [person.name for person in roster.people] == ["Ann", "Mei"]
    assert (roster.acknowledge_within_s, roster.take_within_s) == (240.0, 0.0)
    assert (roster.heartbeat_s, roster.silent_after_s) == (1800.0, 120.0)
    assert roster.base_url == "https://chat.example"
    phone, team, mail = (roster.senders[name] for name in ("phone", "team", "mail"))
    assert isinstance(phone, Webhook)
    assert phone.secret == ENVIRONMENT["HOOK_SECRET"]
    assert isinstance(team, Slack)
    assert team.url == ENVIRONMENT["SLACK_URL"]
    assert isinstance(mail, Mail)
    assert (mail.port, mail.security, mail.password) == (587, "starttls", "pw-secret")


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("people", [], "people is empty"),
        ("people", {}, "people must be a list"),
        ("people.0.name", "", "people 1: a name must be 1 to 80"),
        ("people.1.name", "Ann", "'Ann' is there twice"),
        ("people.0.reach", [], "can't be called"),
        ("people.0.reach.0.sender", "pigeon", "no sender 'pigeon'; there are mail, phone, team"),
        ("people.0.reach.1.sender", "mail", "`to` must be one e-mail address"),
        ("people.0.reach.0.to", "ann@example.org\nBcc: x@y", "one e-mail address"),
        ("people.0.reach.0.to", None, "one e-mail address"),
        ("people.0.time_zone", None, "hours need a time_zone"),
        ("people.0.time_zone", "Mars/Base", "'Mars/Base' is no time zone"),
        ("people.0.time_zone", "../../etc/passwd", "no time zone"),
        ("people.0.hours", ["Mon 25:00-26:00"], "no clock shows"),
        ("people.0.hours", ["Someday 08:00-09:00"], "a day that isn't known"),
        ("people.0.hours", ["Mon 08:00-08:00"], "begin when they end"),
        ("people.0.hours", ["whenever"], "can't be understood"),
        ("people.0.phone", "7", "people 1: 'phone' is not known; known are hours, language"),
        ("people.1.language", "fr", "language is 'fr', expected en or zh"),
        ("senders", {}, "senders is empty"),
        ("senders.phone.kind", "fax", "kind is 'fax', expected webhook, slack, smtp"),
        ("senders.phone.url", None, "senders.phone: url is missing"),
        ("senders.phone.url", "http://phone.example/", "allow_plain"),
        ("senders.phone.secret", "${SHORT}", "secret is shorter than 16"),
        ("senders.phone.secret", "written-here-in-the-clear", r"write \$\{NAME\}"),
        ("senders.phone.ping", "call", "ping is 'call'"),
        ("senders.phone.timeout_s", 0, "timeout_s is 0, expected 1 to 60"),
        ("senders.team.url", "https://hooks.example/a-secret", "url stands in the file"),
        ("senders.team.url", "${NOWHERE}", r"\$\{NOWHERE\}, which is not set"),
        ("senders.team.url", "${ATTUNE_SECRET}", "Attune's own settings"),
        ("senders.team.url", "${a b}", "no name of a variable"),
        ("senders.mail.password", None, "user and password belong together"),
        ("senders.mail.password", "hunter2-in-the-clear", "password stands in the file"),
        ("senders.mail.security", "none", "anybody on the way can read"),
        ("senders.mail.port", "smtp", "port is 'smtp', expected 1 to 65535"),
        ("senders.mail.ca_file", "/nowhere.pem", "ca_file '/nowhere.pem' can't be used"),
        ("senders.mail.from", "Attune", "`from` must be one e-mail address"),
        ("acknowledge_within_minutes", 0, "acknowledge_within_minutes is 0, expected 1 to 240"),
        ("acknowledge_within_minutes", True, "is True, expected"),
        ("desk_url", "https://d/{name}", "desk_url may hold"),
        ("base_url", "chat.example", "base_url: url is of kind ''"),
        ("acknowlege_within_minutes", 5, "'acknowlege_within_minutes' is not known"),
    ],
)
def test_what_will_not_do_is_named_with_its_place(tmp_path: Path, place: str, value: Any, says: str) -> None:
    path = write(tmp_path, changed(place, value))
    with pytest.raises(RosterError, match=says) as caught:
        load(path, ENVIRONMENT)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text.replace(r"\n", "")
    assert not any(word in text for word in ("clear-", "hunter2", "pw-secret", "a-secret", "xyz"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("people: [", "is not YAML at line"),
        ("", "must hold keys"),
        ("- 1", "must hold keys"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
    ],
)
def test_a_file_that_is_no_roster_is_refused(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(RosterError, match=says):
        load(write(tmp_path, content), {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RosterError, match=r"nowhere\.yml can't be read: No such file"):
        load(tmp_path / "nowhere.yml")


def test_a_roster_that_an_edit_breaks_goes_on_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path, whole())
    source = RosterFile(path, ENVIRONMENT)
    before, trouble = source()
    assert trouble is None
    write(tmp_path, "people: [")
    roster, trouble = source()
    assert roster == before
    assert "not YAML" in (trouble or "")
    assert source()[1] == trouble
    write(tmp_path, changed("people.0.name", "Bea"))
    roster, trouble = source()
    assert ([person.name for person in roster.people], trouble) == (["Bea", "Mei"], None)
    path.unlink()
    roster, trouble = source()
    assert roster.people[0].name == "Bea"
    assert "can't be read" in (trouble or "")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    ("moment", "is_on"),
    [
        ("2026-06-01 06:00", True),  # Monday, 08:00 in Berlin in summer
        ("2026-06-01 05:59", False),
        ("2026-06-01 15:59", True),
        ("2026-06-01 16:00", False),
        ("2026-12-07 06:59", False),  # Monday in winter: 07:59
        ("2026-12-07 07:00", True),
        ("2026-06-06 10:00", False),  # Saturday
        ("2026-06-06 20:30", True),  # Saturday 22:30
        ("2026-06-07 03:59", True),  # Sunday 05:59, of the night that began on Saturday
        ("2026-06-07 04:00", False),
        ("2026-06-07 20:30", False),  # Sunday evening
    ],
)
def test_hours_follow_the_clock_of_their_place(moment: str, is_on: bool) -> None:
    hours = parse_hours(["Mon-Fri 08:00-18:00", "Sat 22:00-06:00"], "Europe/Berlin")
    assert hours.cover(at(moment)) is is_on


def test_days_may_go_round_the_week() -> None:
    hours = parse_hours(["Fri-Mon 00:00-24:00"], "UTC")
    days = [hours.cover(at(f"2026-06-0{day} 12:00")) for day in range(1, 8)]  # Monday to Sunday
    assert days == [True, False, False, False, True, True, True]


def test_everybody_is_called_when_it_is_nobodys_hour(tmp_path: Path) -> None:
    data = changed("people.1.hours", ["Sat,Sun 00:00-24:00"])
    data["people"][1]["time_zone"] = "UTC"
    roster = load(write(tmp_path, data), ENVIRONMENT)
    names = [[person.name for person in roster.on_duty(at(moment))] for moment in MOMENTS]
    assert names == [["Ann"], ["Mei"], ["Ann", "Mei"]]
    gaps = roster.gaps(at("2026-06-01 00:00"))
    assert gaps[0] == (at("2026-06-01 00:00"), at("2026-06-01 06:00"))
    assert gaps[-1] == (at("2026-06-05 16:00"), at("2026-06-06 00:00"))


MOMENTS = ("2026-06-01 12:00", "2026-06-06 12:00", "2026-06-02 22:00")


def test_without_hours_there_is_no_gap(tmp_path: Path) -> None:
    assert load(write(tmp_path, whole()), ENVIRONMENT).gaps(at("2026-06-01 00:00")) == []


def test_a_link_says_who_and_which_for_a_week() -> None:
    links = Links("s" * 40)
    claim = Claim(12, "Ann 安")
    link = links.make("https://chat.example", claim, 1000.0)
    token = link.removeprefix("https://chat.example/duty/page/")
    assert links.read(token, 1000.0) == claim
    assert links.read(token, 1000.0 + LIFE_S - 1.0) == claim
    with pytest.raises(PageError, match="too old"):
        links.read(token, 1000.0 + LIFE_S + 1.0)
    assert links.make("", claim, 1000.0) == ""


def test_a_link_of_another_page_or_secret_is_nothing() -> None:
    links = Links("s" * 40)
    token = links.make("https://h", Claim(12, "Ann"), 1000.0).rpartition("/")[2]
    for forged in (
        token.replace("12.", "13.", 1),
        token[:-1] + ("0" if token[-1] != "0" else "1"),
        "",
        "a.b",
    ):
        with pytest.raises(PageError, match="no link to a page"):
            links.read(forged, 1000.0)
    with pytest.raises(PageError):
        Links("t" * 40).read(token, 1000.0)
