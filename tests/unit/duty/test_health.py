"""What counts as broken paging, and what `attune duty` says and exits with."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml

from bot.__main__ import main
from bot.core.page import PageState
from bot.core.settings import Settings
from bot.duty import health
from bot.storage import beats

from .conftest import Bench
from .servers import Receiver, receiver


def roster_file(folder: Path, url: str) -> Path:
    path = folder / "duty.yml"
    roster = {
        "senders": {"phone": {"kind": "webhook", "url": url}},
        "people": [
            {"name": "Ann", "reach": [{"sender": "phone", "to": "1"}]},
            {
                "name": "Bob",
                "reach": [{"sender": "phone"}],
                "hours": ["Mon-Fri 08:00-18:00"],
                "time_zone": "UTC",
            },
        ],
    }
    path.write_text(yaml.safe_dump(roster), encoding="utf-8")
    return path


class Command:
    """`attune duty` on a bench's database."""

    def __init__(self, bench: Bench, box: Receiver, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.bench, self.box, self._capsys = bench, box, capsys
        self.file = roster_file(folder, box.url)

    def __call__(self, *words: str) -> tuple[int, str]:
        status = main(["duty", *words])
        shown = self._capsys.readouterr()
        return status, shown.out + shown.err


@pytest.fixture
def command(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> object:
    with receiver() as box:
        made = Command(bench, box, tmp_path, capsys)
        monkeypatch.setenv("ATTUNE_DUTY_FILE", str(made.file))
        monkeypatch.setenv("ATTUNE_DATABASE_URL", str(bench.database.url))
        yield made


def well(bench: Bench, at: float) -> None:
    with bench.database.session(exclusive=True) as session:
        beats.beat(session, beats.WORKER, at)
        beats.beat(session, beats.of_sender("phone"), at)


def settings(bench: Bench, file: Path | str) -> Settings:
    return Settings(database_url=str(bench.database.url), duty_file=str(file))


def test_it_is_well_when_worker_and_senders_are(bench: Bench, tmp_path: Path) -> None:
    file = roster_file(tmp_path, "http://localhost:1/")
    well(bench, bench.now)
    status = health.examine(settings(bench, file), bench.database, bench.now + 60.0)
    assert (status.status, status.problems) == (health.OK, ())
    assert status.on_duty[0] == "Ann"


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("silent", "the worker has not run for 10 min"),
        ("never", "the worker has never run"),
        ("sender", r"the sender phone is broken: answered 404 \(not well for 10 min\)"),
        ("roster", "the roster can't be used: .*not YAML"),
        ("gone", "the roster can't be used: .*can't be read"),
        ("page", "page 1 has reached nobody; a person waits for 10 min"),
        ("stale", "the sender phone has not been looked at"),
    ],
)
def test_what_is_broken_is_named(bench: Bench, tmp_path: Path, wrong: str, problem: str) -> None:
    file = roster_file(tmp_path, "http://localhost:1/")
    if wrong == "page":
        bench.danger()
    if wrong != "never":
        well(bench, bench.now)
    bench.now += 600.0
    if wrong not in ("silent", "never"):
        with bench.database.session(exclusive=True) as session:
            beats.beat(session, beats.WORKER, bench.now + (3 * 3600.0 if wrong == "stale" else 0.0))
            if wrong == "sender":
                beats.beat(session, beats.of_sender("phone"), bench.now, "answered 404")
    if wrong == "stale":
        bench.now += 3 * 3600.0
    if wrong == "roster":
        file.write_text("people: [")
    if wrong == "gone":
        file.unlink()
    status = health.examine(settings(bench, file), bench.database, bench.now)
    assert status.status == health.BROKEN
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError("; ".join(status.problems))


def test_without_a_roster_it_is_off_and_says_what_waits(bench: Bench) -> None:
    bench.danger()
    status = health.examine(settings(bench, ""), bench.database, bench.now)
    assert (status.status, status.problems[0]) == (health.OFF, health.NOT_SET)
    assert [page.level for page in status.pages] == ["high"]


def test_status_exits_with_1_until_paging_is_well(command: Command) -> None:
    exit_status, text = command("status")
    assert (exit_status, "paging is broken" in text) == (1, True)
    assert "attune duty run" in text
    well(command.bench, time.time())
    assert command("status")[0] == 0
    exit_status, text = command("status", "--json")
    assert (exit_status, json.loads(text)["status"]) == (0, "ok")


def test_status_lists_who_waits(command: Command) -> None:
    handoff = command.bench.danger("crisis")
    command.bench.acknowledge(handoff, "Ann\x1b[2J")
    text = command("status")[1]
    assert "page 1: crisis, self_harm, handoff 1" in text
    assert "seen by Ann" in text
    assert "\x1b" not in text


def test_check_tries_every_sender_and_names_the_gaps_in_the_roster(command: Command) -> None:
    exit_status, text = command("check")
    assert exit_status == 0
    assert "ok    phone: connection" in text
    assert "nobody's hour" not in text  # Ann is always on duty
    assert command.box.got == []


def test_check_sends_a_marked_test_when_asked(command: Command) -> None:
    command.box.fail(404)
    exit_status, text = command("check", "--send", "--json")
    report = json.loads(text)
    assert (exit_status, report["status"]) == (1, "broken")
    assert [(one["person"], one["trouble"]) for one in report["results"]] == [
        (None, None),
        ("Ann", "answered 404"),
        ("Bob", None),
    ]
    sent = [json.loads(got.body) for got in command.box.got]
    assert [one["event"] for one in sent] == ["test", "test"]
    assert "TEST" in sent[0]["subject"]
    with command.bench.database.session() as session:
        assert beats.all_beats(session) == {}


def test_acknowledge_stops_a_page(command: Command) -> None:
    handoff = command.bench.danger()
    page = command.bench.page(handoff)
    exit_status, text = command("acknowledge", str(page.id), "--by", "  Ann  B ")
    assert exit_status == 0
    assert "seen by Ann B" in text
    assert f"attune handoff take {handoff}" in text
    assert command.bench.page(handoff).state is PageState.ACKNOWLEDGED
    command.bench.take(handoff)
    assert "no longer calls anybody: it is ended" in command("acknowledge", str(page.id), "--by", "Bob")[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("acknowledge", "99", "--by", "Ann"), "there is no page 99"),
        (("acknowledge", "0", "--by", "Ann"), "0 is no number of a page"),
        (("acknowledge", "1", "--by", " "), "the name has 0 characters"),
        (("acknowledge", "1", "--by", "a\x1bb"), "control characters"),
    ],
)
def test_bad_input_ends_with_2_and_one_line(command: Command, words: tuple[str, ...], says: str) -> None:
    exit_status, text = command(*words)
    assert (exit_status, text.count("\n")) == (2, 1)
    assert says in text


@pytest.mark.parametrize("step", ["check", "run"])
def test_without_a_roster_there_is_nothing_to_check_or_run(
    command: Command, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.delenv("ATTUNE_DUTY_FILE")
    exit_status, text = command(step)
    assert exit_status == 2
    assert "ATTUNE_DUTY_FILE is not set" in text
