"""Which labelled conversations are read, and which are refused with what words."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from bot.core.settings import ROOT
from nlu_models.emotion.context.conversations import (
    digest,
    parse_conversation,
    read_conversations,
)
from nlu_models.errors import DataError

ANGRY = {"label": "anger", "accept": ["annoyance"], "ekman": "anger", "valence": -0.75}
GOOD: dict[str, Any] = {
    "id": "a-1",
    "topic": "parcel",
    "split": "train",
    "turns": [
        {"who": "person", "text": "it is late", "gap_s": 0, "emotion": ANGRY},
        {"who": "bot", "text": "How late?", "gap_s": 2, "strategy": "question"},
        {"who": "person", "text": "fine.", "gap_s": 9.5, "emotion": {**ANGRY, "valence": -0.5}},
    ],
}


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    data = copy.deepcopy(GOOD)
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return data


def write(folder: Path, name: str, *conversations: dict[str, Any]) -> None:
    (folder / name).write_text("".join(json.dumps(one) + "\n" for one in conversations), encoding="utf-8")


def test_a_conversation_is_read_as_written() -> None:
    read = parse_conversation(GOOD, "a")
    assert (read.author, len(read.turns), len(read.person_turns)) == ("a", 3, 2)
    assert read.turns[1].strategy == "question"
    felt = read.turns[2].felt
    assert felt is not None
    assert (felt.label, felt.accept, felt.valence) == ("anger", {"anger", "annoyance"}, -0.5)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (changed(("split",), "test"), "split is 'test'"),
        (changed(("turns", 0, "emotion", "label"), "rage"), "'rage' is not a label"),
        (changed(("turns", 0, "emotion", "accept"), ["rage"]), "'rage' is not a label"),
        (changed(("turns", 0, "emotion", "ekman"), "joy"), "ekman is 'joy'"),
        (changed(("turns", 0, "emotion", "valence"), -0.6), "valence is -0.6"),
        (changed(("turns", 0, "emotion", "valence"), 1.25), "valence is 1.25"),
        (changed(("turns", 0, "gap_s"), 3), "the first turn is 3"),
        (changed(("turns", 2, "gap_s"), -1), "gap_s is -1"),
        (changed(("turns", 2, "gap_s"), "9"), "gap_s is '9'"),
        (changed(("turns", 2, "text"), " "), "turn 3: text is empty"),
        (changed(("turns", 2, "who"), "desk"), "who is 'desk'"),
        (changed(("turns", 1, "emotion"), ANGRY), "exactly the person's turns"),
        (changed(("turns", 2, "emotion"), None), "exactly the person's turns"),
        (changed(("turns", 0, "strategy"), "question"), "strategy is 'question'"),
        (changed(("turns", 1, "strategy"), "joke"), "strategy is 'joke'"),
        (changed(("turns", 1, "mood"), "calm"), "unknown fields: mood"),
        (changed(("turns",), GOOD["turns"][:2]), "1 turns of the person"),
        (changed(("turns",), "none"), "turns is not a list"),
        ({"id": "a"}, "no topic, split, turns"),
        ([], "expected an object"),
    ],
)
def test_a_conversation_that_breaks_the_form_is_refused(data: Any, named: str) -> None:
    with pytest.raises(DataError, match=named):
        parse_conversation(data, "a")


def test_an_error_names_the_file_and_the_line(tmp_path: Path) -> None:
    write(tmp_path, "a-parcel.jsonl", GOOD, changed(("split",), "test"))
    with pytest.raises(DataError, match=r"a-parcel\.jsonl, line 2: split"):
        read_conversations(tmp_path)
    (tmp_path / "a-parcel.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="line 1: not JSON"):
        read_conversations(tmp_path)


def test_a_file_in_another_encoding_or_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a-parcel.jsonl").write_bytes("é".encode("utf-16"))
    with pytest.raises(DataError, match="UTF-8"):
        read_conversations(tmp_path)
    (tmp_path / "a-parcel.jsonl").rename(tmp_path / "parcel.jsonl")
    with pytest.raises(DataError, match="not named"):
        read_conversations(tmp_path)
    with pytest.raises(DataError, match="holds no conversations"):
        read_conversations(tmp_path / "nowhere")


def test_an_id_comes_once(tmp_path: Path) -> None:
    write(tmp_path, "a-parcel.jsonl", GOOD, GOOD)
    with pytest.raises(DataError, match="twice"):
        read_conversations(tmp_path)


def test_an_author_is_in_one_split_only(tmp_path: Path) -> None:
    write(tmp_path, "a-parcel.jsonl", GOOD)
    write(tmp_path, "a-exam.jsonl", {**GOOD, "id": "a-2", "split": "held_out"})
    with pytest.raises(DataError, match="author 'a' has conversations in both splits"):
        read_conversations(tmp_path)


def test_the_digest_changes_with_the_conversations(tmp_path: Path) -> None:
    write(tmp_path, "a-parcel.jsonl", GOOD)
    first = digest(tmp_path)
    assert digest(tmp_path) == first
    write(tmp_path, "a-parcel.jsonl", changed(("topic",), "parcels"))
    assert digest(tmp_path) != first


def test_the_conversations_of_the_project_are_well_formed_and_split_by_author() -> None:
    read = read_conversations(ROOT / "data" / "conversations" / "en")
    authors = {split: {one.author for one in read if one.split == split} for split in ("train", "held_out")}
    assert authors["train"]
    assert not authors["train"] & authors["held_out"]
