"""`attune safety report` and `attune safety mark-false`: the figures, the words, and what they read."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from bot.__main__ import main
from bot.cli._safety_report import _seconds, day
from bot.core.errors import ContractError
from bot.core.handoff import HandoffState
from bot.core.reading import RiskKind, RiskLevel, RiskReading
from bot.core.turn import Decision, PersonTurn
from bot.storage import (
    audit,
    decisions,
    false_alarms,
    handoffs,
    page_sends,
    pages,
    readings,
    safety_figures,
    turns,
)
from bot.storage.crisis_trail import CrisisTrail
from bot.storage.database import Database

DAY = _seconds(day("2026-03-02"))
ALL = ["--from", "2026-03-02", "--to", "2026-03-02"]
CRISIS = RiskReading(RiskLevel.CRISIS, 0.9, RiskKind.SELF_HARM, ("end it",))
HIGH = RiskReading(RiskLevel.HIGH, 0.7, RiskKind.ABUSE, ("hits me",))
CONCERN = RiskReading(RiskLevel.CONCERN, 0.4, RiskKind.SELF_HARM, ("hopeless",))


def say(
    database: Database,
    sender: str,
    at: float,
    risk: RiskReading = CRISIS,
    answered_after: float | None = 1.0,
    level: str = "handoff",
    language: str = "en",
) -> tuple[int, int]:
    """A person's turn and what came of it; gives the ids of the turn and the conversation."""
    with database.session(exclusive=True) as session:
        turn = turns.arrive(session, sender, "web", "…", f"m{at}", language, at)
        readings.add(session, turn.id, None, risk)
        conversation_id = turn.conversation_id
        trail = CrisisTrail()
        trail.read(turn.id, PersonTurn("…", at, language=language, risk=risk))
        if answered_after is not None:
            decision = Decision("utter_crisis", "EscalationPolicy", "risk_self_harm", (), level)
            decisions.add(session, conversation_id, [(turn.id, decision, at)])
            trail.decided(decision, at)
            trail.said(turn.id + 1000, "I'm here.", at + answered_after)
        trail.keep(session, conversation_id, HandoffState.BOT)
        if answered_after is not None and level == "handoff":
            handoffs.open_handoff(session, conversation_id, "risk_self_harm", risk.level.value, [], at)
    return turn.id, conversation_id


def take(database: Database, conversation_id: int, at: float) -> None:
    with database.session(exclusive=True) as session:
        opened = handoffs.open_for(session, conversation_id)
        assert opened is not None
        handoffs.take(session, opened.id, "Ann", at)


def figures(
    database: Database, start: float = DAY, end: float = DAY + 86400, now: float = 0.0
) -> dict[str, Any]:
    with database.session() as session:
        return safety_figures.of_period(session, start, end, now or end)


def test_flagged_turns_are_counted_by_level_kind_and_language(database: Database) -> None:
    for number, (risk, language) in enumerate(
        [(CRISIS, "en"), (CRISIS, "en"), (CRISIS, "zh"), (HIGH, "en"), (CONCERN, "zh"), (RiskReading(), "en")]
    ):
        say(database, f"web-{number}", DAY + number, risk, language=language, level="none")
    found = figures(database)["turns"]
    assert (found["person"], found["flagged"], found["danger"]) == (6, 5, 4)
    assert [tuple(entry.values()) for entry in found["by"]] == [
        ("crisis", "self_harm", "en", 2),
        ("crisis", "self_harm", "zh", 1),
        ("high", "abuse", "en", 1),
        ("concern", "self_harm", "zh", 1),
    ]


def test_the_period_has_its_first_moment_and_not_the_one_after_its_last(database: Database) -> None:
    for number, at in enumerate([DAY - 0.001, DAY, DAY + 86399.999, DAY + 86400]):
        say(database, f"web-{number}", at)
    found = figures(database)
    assert found["turns"]["danger"] == found["crises"]["turns"] == found["humans"]["asked_for"] == 2
    assert found["escalations"] == [{"level": "handoff", "reason": "risk_self_harm", "decisions": 2}]
    assert figures(database, DAY + 86401, DAY + 99999)["turns"]["person"] == 0


def test_answers_and_the_time_they_took(database: Database) -> None:
    for number, after in enumerate([1.0, 2.0, 9.0]):
        say(database, f"web-{number}", DAY + number, answered_after=after)
    say(database, "web-9", DAY, answered_after=None)
    found = figures(database)["crises"]
    assert (found["turns"], found["conversations"], found["answered"], found["unanswered"]) == (4, 4, 3, 1)
    assert found["seconds_to_answer"] == {"median": 2.0, "p90": 9.0, "max": 9.0}
    assert found["not_on_trail"] == 0


def test_silence_while_a_human_has_it_is_no_missing_answer(database: Database) -> None:
    with database.session() as session:
        turn = turns.arrive(session, "web-1", "web", "…", "m", "en", DAY)
        trail = CrisisTrail()
        trail.read(turn.id, PersonTurn("…", DAY, risk=CRISIS))
        trail.keep(session, turn.conversation_id, HandoffState.HUMAN)
    found = figures(database)["crises"]
    assert (found["left_to_human"], found["unanswered"]) == (1, 0)


def test_danger_that_the_trail_says_nothing_of_is_counted(database: Database) -> None:
    with database.session() as session:
        turn = turns.arrive(session, "web-1", "web", "…", "m", "en", DAY)
        readings.add(session, turn.id, None, CRISIS)
    found = figures(database)
    assert (found["turns"]["danger"], found["crises"]["turns"], found["crises"]["not_on_trail"]) == (1, 0, 1)


def test_the_time_to_a_human_and_who_still_waits(database: Database) -> None:
    ids = [say(database, f"web-{number}", DAY)[1] for number in range(5)]
    for conversation_id, after in zip(ids, (10.0, 20.0, 100_000.0), strict=False):
        take(database, conversation_id, DAY + after)  # the last one after the period's end
    with database.session(exclusive=True) as session:
        untaken = handoffs.open_for(session, ids[3])
        assert untaken is not None
        handoffs.give_back(session, untaken.id, "Bob", DAY + 30.0)
        waiting = handoffs.open_for(session, ids[4])
        assert waiting is not None
    found = figures(database, now=DAY + 500.0)["humans"]
    assert (found["asked_for"], found["taken"], found["returned_untaken"], found["offered"]) == (5, 3, 1, 5)
    assert found["seconds_to_human"] == {"median": 20.0, "p90": 100000.0, "max": 100000.0}
    assert found["still_waiting"] == [{"handoff_id": waiting.id, "waited_s": 500.0}]


def test_a_handoff_that_became_one_of_danger_waits_from_then_on(database: Database) -> None:
    with database.session(exclusive=True) as session:
        turn = turns.arrive(session, "web-1", "web", "…", "m", "en", DAY)
        conversation_id = turn.conversation_id
        handoffs.open_handoff(session, conversation_id, "anger_repeated", "none", [], DAY)
        handoffs.open_handoff(session, conversation_id, "risk_abuse", "high", [], DAY + 600.0)
        handoffs.open_handoff(session, conversation_id, "risk_abuse", "crisis", [], DAY + 660.0)
    take(database, conversation_id, DAY + 700.0)
    found = figures(database)["humans"]
    assert (found["asked_for"], found["seconds_to_human"]["median"]) == (1, 100.0)


def test_danger_while_a_human_is_there_waits_for_nobody(database: Database) -> None:
    with database.session(exclusive=True) as session:
        turn = turns.arrive(session, "web-1", "web", "…", "m", "en", DAY)
        opened = handoffs.open_handoff(session, turn.conversation_id, "asked_for_human", "none", [], DAY)
        handoffs.take(session, opened.id, "Ann", DAY + 5.0)
        handoffs.open_handoff(session, turn.conversation_id, "risk_abuse", "high", [], DAY + 600.0)
    found = figures(database)["humans"]
    assert (found["asked_for"], found["there_already"], found["taken"]) == (1, 1, 0)
    assert found["still_waiting"] == []


def test_false_alarms_are_those_whose_last_word_is_that(database: Database) -> None:
    first, second, third = (say(database, f"web-{number}", DAY)[0] for number in range(3))
    concern, _ = say(database, "web-7", DAY, CONCERN, level="none")
    with database.session(exclusive=True) as session:
        for turn_id in (first, second, concern):
            false_alarms.mark(session, turn_id, by="Ann", at=DAY + 90_000.0, note="a film title")
        false_alarms.withdraw(session, second, by="Bob", at=DAY + 90_001.0)
        with pytest.raises(ContractError, match="already, by Ann"):
            false_alarms.mark(session, first, by="Bob", at=DAY + 90_002.0)
        with pytest.raises(ContractError, match=f"turn {third} is not marked"):
            false_alarms.withdraw(session, third, by="Bob", at=DAY + 90_002.0)
        with pytest.raises(ContractError, match="at most 500"):
            false_alarms.mark(session, third, by="Bob", at=DAY, note="x" * 501)
    found = figures(database)["false_alarms"]
    assert (found["marked"], found["of_danger"], found["share_of_danger"]) == (2, 1, 0.3333)
    assert found["by"] == [
        {"level": "crisis", "kind": "self_harm", "turns": 1},
        {"level": "concern", "kind": "self_harm", "turns": 1},
    ]


def test_what_becomes_of_pages_is_recorded_and_counted(database: Database) -> None:
    _, conversation_id = say(database, "web-1", DAY)
    with database.session(exclusive=True) as session:
        opened = handoffs.open_for(session, conversation_id)
        assert opened is not None
        (page,) = pages.of_handoff(session, opened.id)
        both = [("Ann", "mail"), ("Ann", "chat")]
        assert page_sends.advance(session, page.id, 0, both, DAY + 1.0, DAY + 60.0)
        first, second = page_sends.of_page(session, page.id)
        page_sends.note_sent(session, first, DAY + 2.0)
        page_sends.note_sent(session, first, DAY + 3.0)  # a second worker says so too
        page_sends.note_failure(session, second, DAY + 2.0, "refused", DAY + 9.0)  # to be tried again
        page_sends.give_up(session, second, DAY + 9.0, "refused", DAY + 9.0)
        assert page_sends.advance(session, page.id, 1, [("Bob", "mail")], DAY + 60.0, DAY + 120.0)
        pages.acknowledge(session, page.id, "Bob", DAY + 70.0)
        pages.acknowledge(session, page.id, "Ann", DAY + 71.0)  # too late to count
        rows = [
            row for row in audit.of_conversation(session, conversation_id) if row.event.startswith("page")
        ]
    assert figures(database)["pages"] == {
        "page_sent": 1,
        "page_failed": 1,
        "page_escalated": 1,
        "page_acknowledged": 1,
    }
    assert [(row.event, row.actor) for row in rows][-1] == ("page_acknowledged", "Bob")
    facts = json.loads(rows[-1].facts)
    assert (facts["handoff_id"], facts["after_s"]) == (opened.id, 70.0)


@pytest.mark.parametrize(
    ("seconds", "median", "p90", "longest"),
    [
        ([5.0], 5.0, 5.0, 5.0),
        ([1.0, 2.0], 1.5, 2.0, 2.0),
        ([float(n) for n in range(10, 0, -1)], 5.5, 9.0, 10.0),
    ],
)
def test_spread_of_times(seconds: list[float], median: float, p90: float, longest: float) -> None:
    assert safety_figures.spread(seconds) == {"median": median, "p90": p90, "max": longest}
    assert safety_figures.spread([]) == {"median": None, "p90": None, "max": None}


def test_every_statement_reads_by_an_index(database: Database) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    figures(database)
    event.remove(database.engine, "before_cursor_execute", note)
    assert len(asked) >= 8
    with database.engine.connect() as connection:
        for statement, parameters in asked:
            plan = [
                row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            ]
            assert not [line for line in plan if line.startswith("SCAN")], (statement, plan)
            first = next(line for line in plan if line.startswith("SEARCH"))
            assert "at>? AND at<?" in first, (statement, plan)  # the period first, whatever else there is


# The command line.


def test_the_report_in_words(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    turn_id, conversation_id = say(database, "web-1", DAY)
    say(database, "web-2", DAY)
    take(database, conversation_id, DAY + 90.0)
    assert main(["safety", "mark-false", str(turn_id), "--by", "Ann", "--note", "a film"]) == 0
    assert "is marked as a false alarm, by Ann" in capsys.readouterr().out
    assert main(["safety", "report", *ALL]) == 0
    shown = capsys.readouterr().out
    for words in (
        "Safety from 2026-03-02 to 2026-03-02",
        "crisis   self_harm       en   2",
        "answered             2, median 1.0 s",
        "came                 1, median 1.5 min",
        "STILL WAITING        1",
        "handoff  risk_self_harm",
        "Marked as false        1, of which danger 1, 50.0% of danger",
    ):
        assert words in shown


def test_the_report_as_json(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["safety", "report", *ALL, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["from"], found["to"]) == ("2026-03-02", "2026-03-02")
    assert found["turns"]["person"] == 0
    assert found["crises"]["seconds_to_answer"] == {"median": None, "p90": None, "max": None}


def test_a_mark_is_on_the_trail_and_can_be_taken_back(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    turn_id, conversation_id = say(database, "web-1", DAY)
    assert main(["safety", "mark-false", str(turn_id), "--by", "Ann", "--note", "a film", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["event"], row["turn_id"], row["actor"]) == ("false_alarm_marked", turn_id, "Ann")
    assert row["personal"] == {"note": "a film"}
    assert main(["safety", "mark-false", str(turn_id), "--by", "Bob", "--undo"]) == 0
    with database.session() as session:
        assert [row.event for row in audit.of_conversation(session, conversation_id)][-2:] == [
            "false_alarm_marked",
            "false_alarm_withdrawn",
        ]
        reading = readings.of_turns(session, [turn_id])[turn_id]
    assert reading.risk == CRISIS  # what was read stays what was read


@pytest.mark.parametrize(
    "text", ["2026-13-01", "2026-02-30", "1969-12-31", "9999-12-31", "yesterday", "", "26-1-1"]
)
def test_days_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected YYYY-MM-DD"):
        day(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "--from", "2026-03-02"],
        ["report", "--from", "soon", "--to", "2026-03-02"],
        ["report", "--from", "2026-03-03", "--to", "2026-03-02"],
        ["mark-false", "99", "--by", "Ann"],
        ["mark-false", "0", "--by", "Ann"],
        ["mark-false", "1", "--by", ""],
        ["mark-false", "x", "--by", "Ann"],
    ],
)
def test_bad_input_ends_with_two_and_one_line(
    database: Database, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    try:
        status = main(["safety", *arguments])
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1


def test_a_turn_that_was_not_flagged_can_not_be_a_false_alarm(database: Database) -> None:
    plain, conversation_id = say(database, "web-1", DAY, RiskReading(), level="none")
    with database.session(exclusive=True) as session:
        bots = turns.add_bot(session, conversation_id, "hello", DAY)
        for turn_id in (plain, bots):
            with pytest.raises(ContractError, match="was not flagged"):
                false_alarms.mark(session, turn_id, by="Ann", at=DAY)
        assert session.execute(sa.text("SELECT seq FROM audit_head")).scalar() == 0
