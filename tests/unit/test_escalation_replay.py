"""Stored conversations gone through again: what today's thresholds come to, and what others would do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.__main__ import main
from bot.core.errors import StorageError
from bot.core.handoff import HandoffState
from bot.core.replay import OLDER, OTHER_DANGER, ConversationReplay, StoredTurn
from bot.core.replay_summary import Change, change_between
from bot.core.thresholds import EscalationThresholds
from bot.core.turn import Decision, PersonTurn
from bot.storage import conversations, handoffs, turns
from bot.storage.database import Database
from bot.storage.replay import conversations_between, read_only
from tests.unit import escalation_day as day

TODAY = EscalationThresholds()
PERIOD = ["--from", day.DAY_TEXT, "--to", day.DAY_TEXT]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a database with a day of 200 conversations."""
    made = tmp_path_factory.mktemp("day")
    database = Database(f"sqlite:///{made / 'attune.db'}")
    database.migrate()
    day.keep_day(database, TODAY)
    database.close()
    return made


@pytest.fixture
def empty(tmp_path: Path) -> Database:
    """A database without conversations, which the command line finds."""
    made = Database(f"sqlite:///{tmp_path / 'attune.db'}")
    made.migrate()
    return made


def replay(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str
) -> dict[str, Any]:
    monkeypatch.setenv("ATTUNE_VAR_DIR", str(folder))
    monkeypatch.delenv("ATTUNE_DATABASE_URL", raising=False)
    capsys.readouterr()
    assert main(["escalation", "replay", *PERIOD, "--json", *options]) == 0
    return dict(json.loads(capsys.readouterr().out))


def kept(database: Database, said: list[day.Said], number: int = 1) -> int:
    with database.session(exclusive=True) as session:
        return day.keep_conversation(session, f"web-{number}", said, TODAY, day.DAY + 60.0, number)


def reasons(found: list[dict[str, Any]]) -> list[tuple[int, str, str]]:
    return [(one["turn"], one["level"], one["reason"]) for one in found]


def test_unchanged_thresholds_come_to_the_stored_decisions(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = replay(folder, monkeypatch, capsys)["summary"]
    agreement = summary["agreement"]
    assert summary["conversations"] == day.COURSES
    assert agreement["escalations"] > 100
    assert agreement["agreed"] == agreement["compared"]
    assert agreement["share"] == 1.0
    assert agreement["differences"] == {}
    assert agreement["not_compared"]["with_human"] + agreement["compared"] == summary["turns"]


def test_every_stored_escalation_is_found_at_its_turn(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {
        (one["turn_id"], one["level"], one["reason"])
        for told in replay(folder, monkeypatch, capsys)["conversations"]
        for one in told["current"]
    }
    database = Database(f"sqlite:///{folder / 'attune.db'}")
    with database.session() as session:
        rows = session.execute(sa.text("SELECT turn_id, level, reason FROM decisions WHERE level <> 'none'"))
        stored = {tuple(row) for row in rows}
    database.close()
    assert found == stored


def test_the_same_values_set_anew_change_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = replay(folder, monkeypatch, capsys, "--set", "anger_turns=2", "missed_answers=3")
    assert told["conversations"] == []
    assert told["summary"]["current"] == told["summary"]["changed"]


def test_more_patience_with_anger_asks_fewer_in_and_says_whom(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = replay(folder, monkeypatch, capsys, "--set", "anger_turns=3")
    changes = {one["change"] for one in told["conversations"]}
    assert changes == {"gone", "later"}
    gone = [one for one in told["conversations"] if one["change"] == "gone"]
    assert all("anger_repeated" in {step["reason"] for step in one["current"]} for one in gone)
    summary = told["summary"]
    assert summary["changed"]["asked_in"] == summary["current"]["asked_in"] - len(gone)
    assert summary["changes"]["gone"] == len(gone)


def test_less_patience_asks_more_in_and_sooner(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = replay(folder, monkeypatch, capsys, "--set", "anger_turns=1", "--set", "complaint_turns=1")
    changes = {one["change"] for one in told["conversations"]}
    assert {"new", "earlier"} <= changes
    assert "gone" not in changes
    assert told["changed_thresholds"]["complaint_turns"] == 1


def test_danger_is_the_same_whatever_the_thresholds(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    extreme = ["anger_turns=20", "complaint_turns=20", "missed_answers=20", "ask_human_confidence=1"]
    summary = replay(folder, monkeypatch, capsys, "--set", *extreme)["summary"]
    counts = [
        {one["reason"]: one["count"] for one in summary[part]["by_reason"]} for part in ("current", "changed")
    ]
    assert counts[0]["risk_self_harm"] == counts[1]["risk_self_harm"] > 0


def test_nobodys_words_are_shown_unless_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = {said.text for said in (day.ANGRY, day.COMPLAINT, day.MINOR, day.DANGER, day.HURT, day.ASKS)}
    words = {"end my life", "rough with me", "14"}
    for options in ([], ["--json"]):
        monkeypatch.setenv("ATTUNE_VAR_DIR", str(folder))
        assert main(["escalation", "replay", *PERIOD, "--set", "anger_turns=1", "--all", *options]) == 0
        shown = capsys.readouterr().out
        assert not [one for one in (written | words) - {"14"} if one in shown]
    shown = json.dumps(replay(folder, monkeypatch, capsys, "--evidence"))
    assert all(one in shown for one in written)


def test_the_text_names_conversation_turn_time_reason_and_ground(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATTUNE_VAR_DIR", str(folder))
    assert main(["escalation", "replay", *PERIOD, "--set", "anger_turns=3", "anger_level=1"]) == 0
    shown = capsys.readouterr().out
    assert "no longer asked in" in shown
    assert "handoff, anger_repeated - 2 angry turns in a row; this one: anger, anger 0.85" in shown
    assert "with --set  nobody asked in or offered" in shown
    assert "agreement with what was decided then: 100.00%" in shown


def test_a_replay_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def dump() -> list[str]:
        database = Database(f"sqlite:///{folder / 'attune.db'}")
        with database.engine.connect() as connection:
            lines = list(connection.connection.connection.iterdump())
        database.close()
        return lines

    before = dump()
    replay(folder, monkeypatch, capsys, "--set", "anger_turns=1")
    assert dump() == before


def test_the_replays_transaction_can_not_write(empty: Database) -> None:
    with pytest.raises(StorageError, match=r"read-?only"):
        _write_after_read_only(empty)


def _write_after_read_only(database: Database) -> None:
    with database.session() as session:
        read_only(session)
        conversations.open_conversation(session, "web-1", "web")


def test_turns_before_the_period_lead_up_to_it_and_are_not_told(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(empty, [day.CALM, day.ANGRY, day.ANGRY, day.CALM])
    monkeypatch.setenv("ATTUNE_VAR_DIR", str(tmp_path))
    second_angry_turn = "2024-05-01T00:02:15"  # the first came 40 s before
    assert main(["escalation", "replay", "--from", second_angry_turn, "--to", day.DAY_TEXT, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["summary"]["turns"] == 2
    assert reasons(told["conversations"][0]["current"]) == [(3, "handoff", "anger_repeated")]
    assert main(["escalation", "replay", "--from", "2024-05-02", "--to", "2024-05-03", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["conversations"], told["summary"]["conversations"]) == ([], 0)


def test_a_yes_to_an_offer_that_was_never_made_brings_nobody(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(empty, [day.CROSS, day.ANGRY, day.YES])
    found = replay(tmp_path, monkeypatch, capsys, "--set", "anger_level=1")["conversations"][0]
    assert reasons(found["current"]) == [(2, "offer", "anger_rising"), (3, "handoff", "accepted_offer")]
    assert found["changed"] == []


def test_once_it_asked_a_human_in_a_variant_is_silent_until_the_conversation_is_given_back(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(empty, [day.ANGRY, day.CALM, day.COMPLAINT, day.COMPLAINT, day.CALM])
    found = replay(tmp_path, monkeypatch, capsys, "--set", "anger_turns=1")["conversations"][0]
    assert reasons(found["current"])[-1] == (4, "handoff", "complaint_unsolved")
    assert reasons(found["changed"]) == [(1, "handoff", "anger_repeated")]
    assert found["change"] == "earlier"


def test_after_a_human_gave_it_back_the_conversation_is_replayed_on(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(empty, [day.ASKS, *[day.CALM] * 6, day.ASKS], number=8)
    told = replay(tmp_path, monkeypatch, capsys)
    assert [one[0] for one in reasons(told["conversations"][0]["current"])] == [1, 8]
    assert told["summary"]["agreement"]["share"] == 1.0
    assert told["summary"]["agreement"]["not_compared"] == {"with_human": 3}


def test_a_turn_the_bot_never_read_is_left_out_and_counted(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(empty, [day.ANGRY])
    with empty.session(exclusive=True) as session:
        turns.arrive(session, "web-1", "web", "are you there", "late", "en", day.DAY + 500.0)
    agreement = replay(tmp_path, monkeypatch, capsys)["summary"]["agreement"]
    assert agreement["not_compared"] == {"not_read": 1}


def test_what_differs_says_why(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (kept(empty, [day.ANGRY, day.ANGRY], number) for number in (1, 2))
    third = kept(empty, [day.DANGER], 4)
    kept(empty, [day.ANGRY, day.ANGRY], 5)
    with empty.session(exclusive=True) as session:
        state = conversations.get(session, first).state.to_dict()
        conversations.set_values(session, first, {"state": {k: v for k, v in state.items() if k != "course"}})
        conversations.set_values(session, second, {"state": {**state, "turns": 1}})
        for changed in ("reason = 'anger_twice'", "level = 'offer'"):
            session.execute(sa.text(f"UPDATE decisions SET {changed} WHERE reason = 'anger_repeated'"))
        session.execute(sa.text(f"UPDATE decisions SET level = 'none' WHERE conversation_id = {third}"))
        session.execute(sa.text("DELETE FROM decisions WHERE reason = 'anger_twice' AND conversation_id > 3"))
    agreement = replay(tmp_path, monkeypatch, capsys)["summary"]["agreement"]
    assert agreement["differences"] == {OLDER: 1, "restarted": 1, OTHER_DANGER: 1, "no_decision": 1}
    assert agreement["agreed"] == agreement["compared"] - 4


def test_turns_come_in_their_order_with_readings_decisions_and_whose_turn_it_was(empty: Database) -> None:
    kept(empty, [day.CALM])
    kept(empty, [day.ASKS, *[day.CALM] * 6], number=8)
    with empty.session() as session:
        streamed = [
            (one.id, one.channel, list(one.turns)) for one in conversations_between(session, 0.0, 2e9)
        ]
        (opened,) = handoffs.listing(session, HandoffState)
    assert [number for number, _, _ in streamed] == [1, 2]
    second = streamed[1][2]
    assert [one.handoff.value for one in second] == ["bot", "waiting", "human", "human", *["returned"] * 3]
    assert [one.returned for one in second] == [0, 0, 0, 0, 1, 1, 1]
    assert second[0].decisions[0].evidence == opened.evidence
    assert second[1].turn.reading == day.CALM.reading
    assert second[1].turn.text == day.CALM.text


def test_conversations_that_are_passed_over_do_not_mix_up_the_next(empty: Database) -> None:
    for number, said in enumerate(([day.ASKS, day.CALM], [day.ANGRY], [day.ASKS])):
        kept(empty, said, number)
    with empty.session() as session:
        last = [one for one in conversations_between(session, 0.0, 2e9) if one.id < 3]
        assert len(last) == 2
        for one in conversations_between(session, 0.0, 2e9):
            if one.id == 3:
                (turn,) = one.turns
                assert turn.decisions[0].reason == "asked_for_human"


def test_an_unread_turn_is_no_turn_of_the_replay() -> None:
    made = ConversationReplay([TODAY])
    unread = StoredTurn(1, PersonTurn("hello", 0.0), False, HandoffState.BOT, 0, ())
    made.add(unread, in_period=True)
    assert (made.turns, made.agreement.compared) == (0, 0)


@pytest.mark.parametrize(
    ("current", "changed", "change"),
    [
        ([], [], Change.NONE),
        ([], [(2, "handoff", "a")], Change.NEW),
        ([(2, "handoff", "a")], [(1, "offer", "b")], Change.GONE),
        ([(2, "handoff", "a")], [(1, "handoff", "a")], Change.EARLIER),
        ([(2, "handoff", "a")], [(3, "handoff", "a")], Change.LATER),
        ([(2, "handoff", "a")], [(2, "handoff", "b")], Change.REASON),
        ([], [(2, "offer", "a")], Change.NEW_OFFER),
        ([(2, "offer", "a")], [], Change.GONE_OFFER),
        ([(2, "offer", "a")], [(3, "offer", "a")], Change.OTHER_OFFER),
        ([(1, "offer", "a"), (2, "handoff", "a")], [(1, "offer", "a"), (2, "handoff", "a")], Change.NONE),
    ],
)
def test_changes_are_named_by_the_handoff_first(
    current: list[tuple[int, str, str]], changed: list[tuple[int, str, str]], change: Change
) -> None:
    from bot.core.replay import Escalation

    first, second = (
        [
            Escalation(number, number, 0.0, Decision("a", "EscalationPolicy", reason, level=level))
            for number, level, reason in found
        ]
        for found in (current, changed)
    )
    assert change_between(first, second) is change


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--from", "yesterday", "--to", "2024-05-01"], "--from is 'yesterday', expected a date"),
        (["--from", "2024-05-02", "--to", "2024-05-01"], "is not before"),
        ([*PERIOD, "--set", "anger=3"], "sets no threshold"),
        ([*PERIOD, "--set", "anger_turns=99"], "expected a whole number from 1 to 20"),
        ([*PERIOD, "--config", "nowhere.yml"], "can't read the configuration"),
    ],
)
def test_bad_input_ends_in_one_line(
    empty: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    said: str,
) -> None:
    monkeypatch.setenv("ATTUNE_VAR_DIR", str(tmp_path))
    assert main(["escalation", "replay", *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
