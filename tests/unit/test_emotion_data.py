"""Corpora are read as published, and whatever is wrong with one is said with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nlu_models.emotion import data
from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.errors import DataError


@pytest.fixture
def goemotions(tmp_path: Path) -> Path:
    (tmp_path / "labels.txt").write_text("\n".join(GOEMOTIONS), encoding="utf-8")
    (tmp_path / "dev.tsv").write_text("I'm \"fine\t27\tabc\nthanks!\t15,0\tdef\n", encoding="utf-8")
    return tmp_path


def test_goemotions_rows_keep_quotes_and_sort_labels(goemotions: Path) -> None:
    rows = data.read_goemotions(goemotions, "dev")
    assert rows == [data.LabelledText("I'm \"fine", (27,)), data.LabelledText("thanks!", (0, 15))]


@pytest.mark.parametrize("row", ["text only", "text\tx\tid", "text\t28\tid", "text\t\tid"])
def test_malformed_goemotions_row_is_named(goemotions: Path, row: str) -> None:
    (goemotions / "dev.tsv").write_text(f"good\t0\tid\n{row}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"dev\.tsv:2"):
        data.read_goemotions(goemotions, "dev")


def test_other_labels_are_refused(goemotions: Path) -> None:
    (goemotions / "labels.txt").write_text("joy\nsadness\n", encoding="utf-8")
    with pytest.raises(DataError, match="2 labels"):
        data.read_goemotions(goemotions, "dev")


def test_missing_and_empty_files_are_said(goemotions: Path) -> None:
    with pytest.raises(DataError, match=r"docs/training\.md"):
        data.read_goemotions(goemotions, "train")
    (goemotions / "train.tsv").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="no rows"):
        data.read_goemotions(goemotions, "train")


def test_emobank_is_rescaled_to_minus_one_to_one(tmp_path: Path) -> None:
    (tmp_path / "dev.csv").write_text('id,V,A,D,text\n1,3.0,5.0,1.0,"a, b"\n', encoding="utf-8")
    assert data.read_emobank(tmp_path, "dev") == [data.VadText("a, b", (0.0, 1.0, -1.0))]


def test_emobank_with_other_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dev.csv").write_text("id,V,text\n1,3.0,hello\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"dev\.csv:2"):
        data.read_emobank(tmp_path, "dev")


def test_clinc_utterances_come_without_intents(tmp_path: Path) -> None:
    parts = {"train": [["book a table", "restaurant"]], "oos_train": [["purple", "oos"]]}
    (tmp_path / "data_full.json").write_text(json.dumps(parts), encoding="utf-8")
    assert data.read_clinc_utterances(tmp_path) == ["book a table", "purple"]
    (tmp_path / "data_full.json").write_text("[]", encoding="utf-8")
    with pytest.raises(DataError):
        data.read_clinc_utterances(tmp_path)


def test_hash_tells_contents_apart(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("x")
    second.write_text("y")
    before = data.hash_files([first, second])
    assert before == data.hash_files([second, first])
    second.write_text("z")
    assert before != data.hash_files([first, second])
