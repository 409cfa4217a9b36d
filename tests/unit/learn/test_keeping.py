"""Corrections that are kept, and texts that are asked about, from the command line on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from bot.core.reading import EmotionReading, RiskReading  # noqa: E402
from bot.storage import corrections, readings, tables, turns  # noqa: E402
from bot.storage.database import Database  # noqa: E402
from tests.unit.learn.commands import kept, learn  # noqa: E402


class TestKeeping:
    """add, import, list, confirm, reject and harvest."""

    def test_add_keeps_what_was_read_beside_what_is_right(
        self, database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = ("add", "I am furious", "--labels", "Joy, amusement", "--as", "Ann", "--note", "a joke")
        assert learn(*words) == 0
        assert "Kept as correction 1" in capsys.readouterr().out
        (found,) = kept(database)
        assert (found.labels, found.author, found.note) == (("amusement", "joy"), "Ann", "a joke")
        assert (found.model, found.reading["label"], found.status.value) == ("tiny@0", "anger", "new")
        assert learn(*words) == 0
        assert "correction 1 already (new)" in capsys.readouterr().out
        assert len(kept(database)) == 1

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            (("add", "x", "--labels", "angr"), "did you mean anger"),
            (("add", "x", "--labels", " , "), "there are no labels"),
            (("add", "  ", "--labels", "joy"), "the text is empty"),
            (("add", "a\x07b", "--labels", "joy"), "binary"),
            (("add", "x" * 10_001, "--labels", "joy"), "10,001 characters"),
            (("add", "--labels", "joy"), "give a TEXT"),
            (("add", "x", "--labels", "joy", "--as", " "), "the name is ''"),
            (("add", "--labels", "joy", "--turn", "12"), "no turn 12"),
            (("confirm", "7"), "no correction 7"),
            (("reject", "0"), "0 is no number"),
            (("list", "--limit", "-1"), "--limit is -1"),
            (("import", "/nowhere.jsonl"), "can't be read"),
            (("propose", "--from", "/nowhere.txt"), "can't be read"),
            (("propose", "-n", "0"), "--count is 0"),
            (("propose",), "no texts to ask about"),
        ],
    )
    def test_bad_input_is_one_line_and_keeps_nothing(
        self, database: Database, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], reason: str
    ) -> None:
        assert learn(*words) == 2
        error = capsys.readouterr().err
        assert reason in error
        assert error.count("\n") == 1
        database.migrate()
        assert kept(database) == []

    def test_a_turn_is_corrected_by_its_number_and_forgotten_with_it(
        self, database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        database.migrate()
        with database.session() as session:
            turn = turns.arrive(session, "web-1", "web", "I am furious", "m1", "en", 100.0)
            answer = turns.add_bot(session, turn.conversation_id, "I see.", 101.0)
        assert learn("add", "--turn", str(answer), "--labels", "joy") == 2
        assert "only people's turns" in capsys.readouterr().err
        assert learn("add", "something else", "--turn", str(turn.id), "--labels", "joy") == 2
        assert "not that of turn" in capsys.readouterr().err
        assert learn("add", "--turn", str(turn.id), "--labels", "joy", "--json") == 0
        assert json.loads(capsys.readouterr().out)["turn_id"] == turn.id
        assert [found.text for found in kept(database)] == ["I am furious"]
        with database.session() as session:
            session.execute(tables.turns.delete().where(tables.turns.c.id == turn.id))
        assert kept(database) == []

    def test_an_import_is_taken_over_as_a_whole_or_not_at_all(
        self, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "rows.jsonl"
        rows = [
            {"text": "a", "labels": ["joy"]},
            {"text": "b", "labels": []},
            {"text": "c", "labels": ["fear"]},
        ]
        path.write_text(
            "\n".join(json.dumps(row) for row in [*rows, {"text": "d", "labels": ["joy"], "turn_id": 5}])
        )
        assert learn("import", str(path)) == 2
        assert "rows.jsonl:4: there is no turn 5" in capsys.readouterr().err
        assert kept(database) == []
        path.write_text("\n".join(json.dumps(row) for row in rows))
        assert learn("import", str(path), "--as", "Ann", "--json") == 0
        counted = {"added": 2, "known": 0, "overruled": 0, "left_out": 1}
        assert json.loads(capsys.readouterr().out) == counted
        assert learn("import", str(path)) == 0
        assert "0 added, 2 known already, 1 without labels" in capsys.readouterr().out
        assert {found.source.value for found in kept(database)} == {"import"}

    def test_a_file_that_is_imported_again_is_a_later_word_and_says_what_it_overruled(
        self, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "rows.jsonl"
        path.write_text("\n".join(json.dumps({"text": text, "labels": ["joy"]}) for text in "abc"))
        assert learn("import", str(path)) == 0
        assert learn("reject", "1") == 0
        assert learn("confirm", "2", "--labels", "fear") == 0
        capsys.readouterr()
        assert learn("import", str(path), "--json") == 0
        counted = {"added": 0, "known": 3, "overruled": 2, "left_out": 0}
        assert json.loads(capsys.readouterr().out) == counted
        assert {(found.status.value, found.labels) for found in kept(database)} == {("new", ("joy",))}

    def test_what_is_added_again_says_what_it_was_and_counts_last(
        self, database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for label in ("anger", "sadness", "anger"):
            assert learn("add", "oh great", "--labels", label) == 0
        assert [found.labels for found in kept(database)] == [("sadness",), ("anger",)]
        assert learn("reject", "1") == 0
        capsys.readouterr()
        assert learn("add", "oh great", "--labels", "anger") == 0
        assert "correction 1 already (rejected); now it counts again, as anger" in capsys.readouterr().out
        assert kept(database)[-1].status.value == "new"

    def test_what_is_listed_can_be_imported_elsewhere_without_what_nobody_agreed_to(
        self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        learn("add", "fine, thanks\u2028really", "--labels", "neutral", "--note", "dry")
        learn("add", "oh great", "--labels", "annoyance")
        learn("add", "wrong", "--labels", "fear")
        learn("reject", "3")
        capsys.readouterr()
        listed = tmp_path / "listed.jsonl"
        assert learn("list", "--json", *("--status", "new"), *("--status", "rejected")) == 0
        listed.write_text(capsys.readouterr().out, "utf-8")
        monkeypatch.setenv("ATTUNE_VAR_DIR", str(tmp_path / "other"))
        assert learn("import", str(listed), "--json") == 0
        counted = {"added": 2, "known": 0, "overruled": 0, "left_out": 1}
        assert json.loads(capsys.readouterr().out) == counted
        found = kept(Database(f"sqlite:///{tmp_path / 'other' / 'attune.db'}"))
        assert [(each.text, each.labels, each.note) for each in found] == [
            ("fine, thanks\u2028really", ("neutral",), "dry"),
            ("oh great", ("annoyance",), None),
        ]

    def test_an_interrupted_import_keeps_nothing_and_can_be_repeated(
        self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "rows.jsonl"
        path.write_text("\n".join(json.dumps({"text": str(row), "labels": ["joy"]}) for row in range(9)))
        real, calls = corrections.add, []

        def add(*given: Any, **named: Any) -> Any:
            calls.append(given)
            if len(calls) == 5:
                raise KeyboardInterrupt
            return real(*given, **named)

        monkeypatch.setattr("bot.storage.corrections.add", add)
        assert learn("import", str(path)) == 130
        assert kept(database) == []
        assert learn("import", str(path)) == 0
        assert len(kept(database)) == 9

    def test_what_people_said_is_proposed_and_an_agent_decides(
        self, database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        database.migrate()
        emotion = EmotionReading("joy", labels=("joy",), confidence=0.7, model="tiny@0")
        with database.session() as session:
            for sender, said in (("web-1", "no, I'm not happy, I'm sad"), ("web-2", "that's not it")):
                turn = turns.arrive(session, sender, "web", f"oh great {sender}", "m1", "en", 100.0)
                readings.add(session, turn.id, emotion, RiskReading())
                denial = turns.arrive(session, sender, "web", said, "m2", "en", 101.0)
                turns.set_read(session, denial.id, "en", "correct_reading", 0.9)
        assert learn("harvest") == 0
        assert "2 proposed" in capsys.readouterr().out
        assert learn("harvest") == 0
        assert "nothing new" in capsys.readouterr().out
        first, second = kept(database)
        assert (first.status.value, first.source.value, first.labels) == ("proposed", "person", ("sadness",))
        assert (first.reading["label"], second.labels) == ("joy", ())
        assert learn("confirm", str(first.id), "--as", "Ann") == 0
        assert learn("confirm", str(second.id)) == 2
        assert "names no feeling; give --labels" in capsys.readouterr().err
        assert learn("confirm", str(second.id), "--labels", "annoyance") == 0
        assert learn("reject", str(second.id), "--note", "unclear") == 0
        first, second = kept(database)
        assert (first.status.value, first.author) == ("new", "Ann")
        assert (second.status.value, second.labels, second.note) == ("rejected", ("annoyance",), "unclear")

    def test_the_list_shows_what_is_kept_and_nothing_a_terminal_obeys(
        self, database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        learn("add", "fine \u009b31m\nthen", "--labels", "neutral")
        learn("add", "wrong", "--labels", "fear")
        learn("reject", "2")
        capsys.readouterr()
        assert learn("list") == 0
        shown = capsys.readouterr().out
        assert "\u009b" not in shown
        assert "1 new, 0 used, 1 rejected" in shown
        assert len(shown.splitlines()) == 3
        assert learn("list", "--status", "rejected", "--json") == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [found["text"] for found in rows] == ["wrong"]

    def test_without_weights_corrections_are_kept_all_the_same(
        self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        monkeypatch.setenv("ATTUNE_EMOTION_WEIGHTS", str(tmp_path / "no"))
        assert learn("add", "hello", "--labels", "joy") == 0
        assert "without a reading" in capsys.readouterr().err
        assert kept(database)[0].model is None


class TestProposing:
    """What to ask about, from a file and from people's turns."""

    def test_a_file_becomes_questions_that_can_be_answered(
        self, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source, asked = tmp_path / "texts.txt", tmp_path / "ask.jsonl"
        source.write_text(
            "I am so furious\nmy cat and money\nmy cat and money!\n我很难过\n\nthe boss\n", "utf-8"
        )
        learn("add", "the boss", "--labels", "neutral")
        assert learn("propose", "--from", str(source), "-n", "5", "-o", str(asked)) == 0
        assert asked.stat().st_mode & 0o077 == 0
        rows = [json.loads(line) for line in asked.read_text().splitlines()]
        texts = [row["text"] for row in rows]
        assert "the boss" not in texts
        assert "我很难过" not in texts
        assert len([text for text in texts if text.startswith("my cat")]) == 1
        assert all(row["labels"] == [] and 0.0 < row["why"]["uncertainty"] <= 1.0 for row in rows)
        rows[0]["labels"] = ["anger"]
        asked.write_text("\n".join(json.dumps(row) for row in rows))
        assert learn("import", str(asked)) == 0
        assert len(kept(database)) == 2

    def test_peoples_turns_keep_their_numbers(
        self, database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        database.migrate()
        with database.session() as session:
            first = turns.arrive(session, "web-1", "web", "my work and my boss", "m1", "en", 100.0)
            turns.add_bot(session, first.conversation_id, "happy to help you", 101.0)
            second = turns.arrive(session, "web-1", "web", "I am so tired", "m2", "en", 102.0)
        assert learn("propose") == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert sorted(row["turn_id"] for row in rows) == [first.id, second.id]
