"""`attune handoff`, from its arguments to what a terminal shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.__main__ import command_names, main
from bot.cli._handoff_text import ago, json_text, printable
from bot.core.reading import EmotionReading, RiskKind, RiskLevel, RiskReading
from bot.core.turn import Decision
from bot.storage import conversations, decisions, guidance, handoffs, readings, turns
from bot.storage.database import Database
from bot.storage.records import ShownGuidance

EVIL = "\x1b[2J\x1b]0;owned\x07\u202eobey\x9b31m"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database the command line finds, with one conversation that waits."""
    monkeypatch.setenv("ATTUNE_VAR_DIR", str(tmp_path))
    monkeypatch.delenv("ATTUNE_DATABASE_URL", raising=False)
    made = Database(f"sqlite:///{tmp_path / 'attune.db'}")
    made.migrate()
    decision = Decision("action_handoff", "EscalationPolicy", "risk_high", ("said: end it",), "handoff")
    emotion = EmotionReading("sadness", valence=-0.8, arousal=-0.2, dominance=-0.4, confidence=0.87)
    with made.session() as session:
        turn = turns.arrive(session, "web-1", "web", f"I want to end it {EVIL}\nbot: fine", "m1", "en", 100.0)
        readings.add(
            session, turn.id, emotion, RiskReading(RiskLevel.HIGH, 0.9, RiskKind.SELF_HARM, ("end it",))
        )
        decisions.add(session, turn.conversation_id, [(turn.id, decision, 101.0)])
        answer = turns.add_bot(session, turn.conversation_id, "I am getting a person.", 102.0)
        shown = ShownGuidance("hotline", answer, "information", 0.71, 102.0)
        guidance.add_shown(session, turn.conversation_id, shown)
        handoffs.open_handoff(session, turn.conversation_id, "risk_high", "high", ["said: end it"], 102.0)
    return made


def test_the_list_shows_who_waits(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["handoff", "list"]) == 0
    header, line = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["ID", "STATE", "RISK"]
    assert line.split()[:3] == ["1", "waiting", "high"]


def test_the_list_as_json(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["handoff", "list", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["id"], entry["state"], entry["reason"]) == (1, "waiting", "risk_high")
    assert entry["latest_turn"]["text"] == "I am getting a person."


def test_the_picture_has_all_that_a_human_needs(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["handoff", "show", "1"]) == 0
    shown = capsys.readouterr().out
    for part in (
        "Person web-1 on web",
        "emotion sadness, confidence 87%",
        "valence -0.80",
        "RISK high (self_harm), score 0.90: end it",
        "decided action_handoff by EscalationPolicy: risk_high, confidence 100%, escalation: handoff",
        "- said: end it",
        "hotline (information, similarity 0.71)",
    ):
        assert part in shown


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_people_wrote_can_not_act_on_the_terminal(
    database: Database, capsys: pytest.CaptureFixture[str], form: list[str]
) -> None:
    assert main(["handoff", "show", "1", *form]) == 0
    shown = capsys.readouterr().out
    assert not set(shown) & {"\x1b", "\x07", "\x9b", "\u202e"}
    assert "\nbot: fine" not in shown  # a later line can't pose as a turn of its own
    if form:
        assert EVIL in json.loads(shown)["turns"][0]["text"]


def test_taking_answering_and_returning(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["handoff", "take", "1", "--as", "Ann"]) == 0
    assert main(["handoff", "reply", "1", "Hello, I am Ann.", "--as", "Ann", "--json"]) == 0
    assert main(["handoff", "return", "1", "--as", "Ann"]) == 0
    out = capsys.readouterr().out
    assert "Handoff 1 is with Ann now." in out
    assert '"name": "Ann"' in out
    with database.session() as session:
        conversation = conversations.find(session, "web-1")
        assert conversation is not None
        written = [(turn.author.value, turn.text) for turn in turns.history(session, conversation.id)]
    assert written[-2:] == [("human", "Hello, I am Ann."), ("bot", handoffs.BACK_TEXTS["en"])]
    assert main(["handoff", "list"]) == 0
    assert capsys.readouterr().out == "No handoffs.\n"
    assert main(["handoff", "list", "--all"]) == 0
    assert "returned" in capsys.readouterr().out


def test_a_reply_takes_a_waiting_conversation(database: Database) -> None:
    assert main(["handoff", "reply", "1", "Hello", "--as", "Ann"]) == 0
    with database.session() as session:
        assert handoffs.get(session, 1).taken_by == "Ann"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["show", "7"], "there is no handoff 7"),
        (["show", "-1"], "no number of a handoff"),
        (["show", "99999999999999999999"], "no number of a handoff"),
        (["show", "one"], "invalid int value"),
        (["take", "1"], "--as"),
        (["take", "1", "--as", "  "], "expected 1 to 80"),
        (["take", "1", "--as", "A\x1b[31m"], "control characters"),
        (["reply", "1", "  ", "--as", "Ann"], "the reply is empty"),
        (["reply", "1", "x" * 4001, "--as", "Ann"], "4001 characters"),
        (["steal", "1"], "invalid choice"),
        ([], "STEP"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    database: Database, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert _status(["handoff", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert complaint in captured.err


def test_a_step_that_is_not_possible_is_one_line(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["handoff", "take", "1", "--as", "Ann"]) == 0
    assert main(["handoff", "take", "1", "--as", "Bob"]) == 2
    assert main(["handoff", "return", "1", "--as", "Ann"]) == 0
    assert main(["handoff", "reply", "1", "still there?", "--as", "Ann"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert "can't go to 'human'" in errors[0]
    assert "handed back" in errors[1]


def test_a_database_that_can_not_be_used_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATTUNE_DATABASE_URL", "postgresql://attune:secret@127.0.0.1:1/attune")
    assert main(["handoff", "list"]) == 2
    monkeypatch.setenv("ATTUNE_DATABASE_URL", f"sqlite:///{tmp_path / 'none.db'}")
    assert main(["handoff", "list"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert errors[0] == "attune handoff: no PostgreSQL answers at 127.0.0.1:1"
    assert "no database at" in errors[1]


def test_no_command_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "handoff" in capsys.readouterr().err


def test_parts_of_commands_are_no_commands() -> None:
    assert "handoff" in command_names()
    assert not [name for name in command_names() if name.startswith("_")]


def test_text_for_the_terminal() -> None:
    assert printable("a\tb\r\nc\rd\x1b", indent="  ") == "a b\n  c�d�"
    assert json_text("\x9b\u202e汉\x1b") == '"\\u009b\\u202e汉\\u001b"'
    assert [ago(seconds) for seconds in (5, 61, 7300, 200000)] == [
        "just now",
        "1 min ago",
        "2 h ago",
        "2 d ago",
    ]


def _status(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as end:
        return int(end.code or 0)
