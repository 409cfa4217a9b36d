"""The guidance library is read whole, and every mistake in it is named with its file and entry."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.core.strategy import Strategy
from nlu_models.errors import DataError
from nlu_models.retrieval.library import STRATEGIES, Library

GUIDANCE = Path(__file__).resolve().parents[2] / "data" / "guidance"

ENTRY: dict[str, Any] = {
    "id": "low-mood-question-today",
    "strategy": "question",
    "emotions": ["sadness"],
    "cues": {
        "en": ["I feel low", "everything is grey", "down again today"],
        "zh": ["我很低落", "提不起劲", "心情不好"],
    },
    "text": {"en": "That sounds heavy. What has today been like?", "zh": "听起来很沉。今天过得怎么样？"},
    "not_for": ["grief", "concern"],
}


def write(folder: Path, *entries: object, topic: str = "low_mood") -> Path:
    text = yaml.safe_dump({"topic": topic, "entries": list(entries)}, allow_unicode=True)
    (folder / f"{topic}.yml").write_text(text, encoding="utf-8")
    return folder


def changed(**changes: object) -> dict[str, Any]:
    entry = copy.deepcopy(ENTRY)
    entry.update(changes)
    return entry


def test_an_entry_is_read_as_written(tmp_path: Path) -> None:
    library = Library.load(write(tmp_path, ENTRY))
    entry = library.entries["low-mood-question-today"]
    assert entry.topic == "low_mood"
    assert entry.cues["zh"] == ("我很低落", "提不起劲", "心情不好")
    assert entry.text["en"].startswith("That sounds heavy")
    assert entry.not_for == ("grief", "concern")
    assert library.counts()["question"] == 1


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (changed(id="LowMood"), "kebab-case"),
        (changed(id="sleep-question-x"), "low-mood-"),
        (changed(id=7), "kebab-case"),
        (changed(strategy="advice"), "'advice'"),
        (changed(emotions=["rage"]), "rage"),
        (changed(emotions="sadness"), "must be a list"),
        (changed(emotions=[["sadness"]]), "isn't known"),
        (changed(not_for=["monday"]), "monday"),
        (changed(cues={"en": ["a", "b", "c"]}), "exactly the languages"),
        (changed(cues={"en": ["a", "b"], "zh": ["一", "二", "三"]}), "cues.en has 2"),
        (changed(cues={"en": ["a", "b", ""], "zh": ["一", "二", "三"]}), "cues.en must be"),
        (changed(cues={"en": ["a", "a", "b"], "zh": ["一", "二", "三"]}), "twice"),
        (changed(text={"en": "word " * 80, "zh": "好"}), "80 words"),
        (changed(text={"en": "ok", "zh": "好" * 150}), "150 characters"),
        (changed(text={"en": "I know how you feel.", "zh": "好"}), "I know how you feel"),
        (changed(text={"en": "", "zh": "好"}), "text.en must be"),
        (changed(text="hello"), "exactly the languages"),
        (changed(extra=1), "extra"),
        ({"id": "low-mood-a"}, "lacks strategy"),
        ("just a text", "not a mapping"),
    ],
)
def test_a_mistake_is_named_with_file_and_entry(tmp_path: Path, entry: object, problem: str) -> None:
    with pytest.raises(DataError, match=r"low_mood\.yml: ") as caught:
        Library.load(write(tmp_path, entry))
    assert problem in str(caught.value)


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    write(tmp_path, changed(strategy="advice"), changed(id="low-mood-b", emotions=["rage"]))
    write(tmp_path, changed(id="sleep-a", text="x"), topic="sleep")
    with pytest.raises(DataError) as caught:
        Library.load(tmp_path)
    assert len(str(caught.value).splitlines()) == 3


def test_an_id_may_be_used_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="used twice"):
        Library.load(write(tmp_path, ENTRY, ENTRY))


@pytest.mark.parametrize("content", ["[", "- a", "topic: x", "topic: other\nentries: []", ""])
def test_a_malformed_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "sleep.yml").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"sleep\.yml"):
        Library.load(tmp_path)


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "sleep.yml").write_bytes("topic: 睡眠".encode("utf-16"))
    with pytest.raises(DataError, match=r"sleep\.yml"):
        Library.load(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no guidance"):
        Library.load(tmp_path)


def test_the_digest_follows_the_contents(tmp_path: Path) -> None:
    before = Library.load(write(tmp_path, ENTRY)).digest
    assert Library.load(tmp_path).digest == before
    assert Library.load(write(tmp_path, changed(emotions=[]))).digest != before


def test_strategies_are_those_of_the_domain() -> None:
    assert tuple(strategy.value for strategy in Strategy) == STRATEGIES


@pytest.mark.skipif(not list(GUIDANCE.glob("*.yml")), reason="no guidance library in this checkout")
def test_the_shipped_library_is_well_formed_and_covers_every_strategy() -> None:
    library = Library.load(GUIDANCE)
    assert len(library.entries) >= 150
    assert min(library.counts().values()) >= 10
