"""Challenge sets: what is refused, and that every share is what counting by hand gives."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from nlu_models.emotion.challenge import Item, Share, find_errors, load, measure, score, score_sets
from nlu_models.emotion.commands import challenge as command
from nlu_models.emotion.labels import EKMAN, SENTIMENT
from nlu_models.errors import DataError
from tests.unit.tiny_weights import make_weights

ROW: dict[str, Any] = {
    "id": "tone-001",
    "part": "dev",
    "topic": "work",
    "text": "I am furious",
    "accept": ["anger", "annoyance"],
    "reject": ["joy"],
    "ekman": "anger",
    "sentiment": "negative",
}


def write(folder: Path, *rows: dict[str, Any] | str, name: str = "tone") -> Path:
    folder.mkdir(exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def item(name: str, accept: list[str], reject: list[str], **other: Any) -> Item:
    fields = {"part": "dev", "pair": None, "is_plain": False, "ekman": "anger", "sentiment": "negative"}
    fields |= {"topic": "work", "text": name, "set": name.split("-")[0]}
    return Item(id=name, accept=tuple(accept), reject=tuple(reject), **{**fields, **other})


def reading(label: str, ekman: str = "anger", sentiment: str = "negative", abstained: bool = False) -> dict:
    return {
        "label": label,
        "ekman": {group: 0.9 if group == ekman else 0.01 for group in EKMAN},
        "sentiment": {group: 0.9 if group == sentiment else 0.01 for group in SENTIMENT},
        "abstained": abstained,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accept": ["rage"]}, "unknown label 'rage'"),
        ({"accept": []}, "accepts 0 labels"),
        ({"accept": ["anger", "annoyance", "disgust", "disapproval", "fear"]}, "accepts 5 labels"),
        ({"accept": "anger"}, "expected a list of labels"),
        ({"reject": ["anger"]}, "stands twice"),
        ({"part": "test"}, "part is 'test'"),
        ({"id": "other-001"}, "doesn't start with the set's name"),
        ({"ekman": "sadness"}, "no accepted label belongs to"),
        ({"ekman": "rage"}, "ekman is 'rage'"),
        ({"sentiment": "positive"}, "no accepted label belongs to"),
        ({"accept": ["anger", "joy"], "reject": [], "sentiment": "positive"}, "is not of sentiment"),
        ({"text": " "}, "expected a text that isn't empty"),
        ({"mood": "bad"}, "unknown field mood"),
        ({"pair": "tone-009"}, "pair 'tone-009' is missing"),
        ({"pair": "tone-001"}, "goes on to another pair"),
    ],
)
def test_a_bad_row_is_refused_with_its_place(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    folder = write(tmp_path / "sets", {**ROW, "id": "tone-000"}, {**ROW, **change})
    with pytest.raises(DataError, match=r"tone\.jsonl:2: .*" + message):
        load(folder)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "expected an object, got list"),
        (json.dumps({"id": "tone-001"}), "lacks accept, ekman, part, reject, sentiment, text, topic"),
        (json.dumps(ROW), "used twice"),
    ],
)
def test_a_broken_line_is_refused_with_its_place(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=r"tone\.jsonl:3: .*" + message):
        load(write(tmp_path / "sets", ROW, "", line))


def test_an_id_may_not_repeat_in_another_set(tmp_path: Path) -> None:
    write(tmp_path / "sets", {**ROW, "id": "tone-b-1"})
    with pytest.raises(DataError, match=r"tone\.jsonl:1: id 'tone-b-1' is used twice"):
        load(write(tmp_path / "sets", {**ROW, "id": "tone-b-1"}, name="tone-b"))


def test_pairs_and_topics_stay_in_one_part(tmp_path: Path) -> None:
    other = {**ROW, "id": "tone-002", "part": "held_out"}
    with pytest.raises(DataError, match="topic 'work' lies in both parts"):
        load(write(tmp_path / "sets", ROW, other))
    with pytest.raises(DataError, match="lies in another set or part"):
        load(write(tmp_path / "sets", ROW, {**other, "topic": "home", "pair": "tone-001"}))


def test_a_folder_without_sets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no challenge set"):
        load(tmp_path)


def test_the_paired_text_is_plain(tmp_path: Path) -> None:
    first, second = load(write(tmp_path / "sets", {**ROW, "pair": "tone-002"}, {**ROW, "id": "tone-002"}))
    assert (first.is_plain, second.is_plain) == (False, True)
    assert (first.set, first.accept, first.pair) == ("tone", ("anger", "annoyance"), "tone-002")


def test_a_line_separator_in_a_text_is_no_line_end(tmp_path: Path) -> None:
    row = {**ROW, "text": "one\u2028two"}
    assert load(write(tmp_path / "sets", json.dumps(row, ensure_ascii=False)))[0].text == "one\u2028two"


def test_wilson_interval_is_the_published_one() -> None:
    # 81 of 263 in Newcombe, Statistics in Medicine 17 (1998), table I; so are the ends 0 of 20 and 1 of 29.
    for hits, of, low, high in [(81, 263, 0.2553, 0.3662), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]:
        assert Share(hits, of).interval == pytest.approx((low, high), abs=5e-5)
    assert Share(20, 20).interval == pytest.approx((1 - 0.1611, 1.0), abs=5e-5)


def test_a_share_of_nothing_is_null() -> None:
    nothing = {"hits": 0, "of": 0, "share": None, "low": None, "high": None}
    assert Share(0, 0).as_json() == nothing


ITEMS = [
    item("a-1", ["anger"], ["joy"], pair="a-1p"),  # flips, and is read rightly
    item("a-1p", ["joy"], [], is_plain=True),
    item("a-2", ["anger"], ["joy"], pair="a-2p"),  # should flip, is trapped
    item("a-2p", ["joy"], [], is_plain=True),
    item("a-3", ["anger", "fear"], ["joy"], pair="a-3p"),  # holds, and is read rightly
    item("a-3p", ["fear"], [], is_plain=True),
    item("a-4", ["anger"], [], pair="a-4p"),  # its plain text is read wrongly: no pair to count
    item("a-4p", ["joy"], [], is_plain=True),
    item("a-5", ["neutral"], ["anger"], ekman="neutral", sentiment="neutral"),
]
READINGS = [
    reading("anger"), reading("joy"),
    reading("joy", "joy", "positive"), reading("joy"),
    reading("fear", "fear"), reading("fear"),
    reading("anger", abstained=True), reading("sadness"),
    reading("sadness", "sadness", abstained=True),
]  # fmt: skip


def counts(share: Share) -> tuple[int, int]:
    return share.hits, share.of


def test_scores_are_those_counted_by_hand() -> None:
    scored = score(ITEMS, READINGS)
    assert counts(scored.right) == (3, 5)
    assert counts(scored.trapped) == (1, 4)
    assert counts(scored.ekman) == (2, 5)
    assert counts(scored.sentiment) == (3, 5)
    assert counts(scored.abstained) == (2, 5)
    assert counts(scored.committed_right) == (2, 3)
    assert counts(scored.plain_right) == (3, 4)
    assert counts(scored.flipped) == (1, 2)
    assert counts(scored.held) == (1, 1)


def test_a_tie_between_groups_is_not_right() -> None:
    tied = reading("anger")
    tied["ekman"] = dict.fromkeys(EKMAN, 0.2)
    assert counts(score([item("a-1", ["anger"], [])], [tied]).ekman) == (0, 1)


def test_sets_and_parts_are_scored_apart_and_together() -> None:
    items = [
        item("a-1", ["anger"], []),
        item("a-2", ["anger"], [], part="held_out"),
        item("b-1", ["anger"], []),
    ]
    tables = score_sets(items, [reading("anger"), reading("joy"), reading("joy")])
    right = {
        name: {part: counts(by.right) for part, by in by_part.items()} for name, by_part in tables.items()
    }
    assert right == {
        "a": {"dev": (1, 1), "held_out": (0, 1), "all": (1, 2)},
        "b": {"dev": (0, 1), "all": (0, 1)},
        "all": {"dev": (1, 2), "held_out": (0, 1), "all": (1, 3)},
    }


def test_one_part_has_no_table_of_all() -> None:
    tables = score_sets(ITEMS, READINGS, ("dev",))
    assert {name: list(by_part) for name, by_part in tables.items()} == {"a": ["dev"], "all": ["dev"]}


def test_errors_say_what_was_read_instead() -> None:
    errors = find_errors(ITEMS, READINGS)
    assert [(error["id"], error["read"], error["trapped"]) for error in errors] == [
        ("a-2", "joy", True),
        ("a-4p", "sadness", False),
        ("a-5", "sadness", False),
    ]


@pytest.fixture
def tiny(tmp_path: Path) -> argparse.Namespace:
    """A weight that knows anger by "furious" alone, and a set of one it reads rightly and one it doesn't."""
    rows = (
        {**ROW, "pair": "tone-002"},
        {**ROW, "id": "tone-002", "text": "I am furious today"},
        {**ROW, "id": "tone-003", "text": "my work", "topic": "home", "part": "held_out"},
    )
    return argparse.Namespace(
        weights=make_weights(tmp_path / "weights"),
        data=write(tmp_path / "sets", *rows),
        part="all",
        errors=False,
        json=False,
    )


def test_a_weight_is_measured_through_serving_code(tiny: argparse.Namespace) -> None:
    report, errors = measure(tiny.weights, tiny.data)
    assert report["model"] == "tiny@0"
    assert report["sets"]["tone"]["dev"]["right"]["share"] == 1.0
    assert report["sets"]["tone"]["dev"]["held"] == Share(1, 1).as_json()
    assert report["sets"]["tone"]["held_out"]["right"]["share"] == 0.0
    assert [error["id"] for error in errors] == ["tone-003"]


def test_the_command_prints_a_row_per_set_and_part(
    tiny: argparse.Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.errors = True
    assert command.execute(tiny) == 0
    lines = capsys.readouterr().out.splitlines()
    starts = [line.split()[:3] for line in lines if line.startswith(("tone ", "all "))]
    assert starts == [
        ["tone", "dev", "1"], ["tone", "held_out", "1"], ["tone", "all", "2"],
        ["all", "dev", "1"], ["all", "held_out", "1"], ["all", "all", "2"],
    ]  # fmt: skip
    assert lines[-1].startswith("tone-003: ")
    assert lines[-1].endswith("accepted: anger, annoyance | my work")


def test_the_command_prints_json_of_one_part(
    tiny: argparse.Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.json, tiny.part = True, "held_out"
    assert command.execute(tiny) == 0
    printed = json.loads(capsys.readouterr().out)
    assert set(printed) == {"model", "sets"}
    assert list(printed["sets"]["tone"]) == ["held_out"]


def test_a_part_without_texts_is_refused(tiny: argparse.Namespace) -> None:
    write(tiny.data, ROW)
    with pytest.raises(DataError, match="no text of part held_out"):
        measure(tiny.weights, tiny.data, ("held_out",))
