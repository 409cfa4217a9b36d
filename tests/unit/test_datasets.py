"""Any labelled table becomes a data set, and whatever is wrong with one is said with its file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nlu_models.emotion import tables
from nlu_models.emotion.arguments import DataPaths, TrainingArguments
from nlu_models.emotion.datasets import Dataset, read_dataset
from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.errors import DataError

ROWS = [("so happy", "joy"), ("oh no, not again", "anger;fear"), ("fine", ""), ("hm", "fear")]


def write_csv(path: Path, column: str = "labels") -> Path:
    lines = [f"text,{column}", *(f'"{text}",{labels}' for text, labels in ROWS)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(**paths: Path) -> Dataset:
    return read_dataset(DataPaths(**paths), TrainingArguments(dev_share=0.5))


def test_csv_tsv_and_jsonl_are_read_alike(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv")
    tsv = "\n".join(["text\tlabels", *(f"{text}\t{labels}" for text, labels in ROWS)])
    (tmp_path / "a.tsv").write_text(tsv, encoding="utf-8")
    objects = [
        {"text": text, "labels": [part for part in labels.split(";") if part]} for text, labels in ROWS
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, objects)), encoding="utf-8")
    found = [
        [(row.text, row.labels) for row in tables.read_table(tmp_path / f"a.{suffix}")]
        for suffix in ("csv", "tsv", "jsonl")
    ]
    assert found[0] == found[1] == found[2]
    assert found[0][1] == ("oh no, not again", ("anger", "fear"))
    assert found[0][2] == ("fine", ())


@pytest.mark.parametrize("separator", [",", ";", "|", " ; "])
def test_labels_may_be_separated_in_three_ways(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f'text,labels\nhello,"joy{separator}fear"\n', encoding="utf-8")
    assert tables.read_table(path)[0].labels == ("joy", "fear")


def test_a_byte_order_mark_and_capital_headings_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Text,Label\nhello,joy\n", encoding="utf-8-sig")
    assert tables.read_table(path) == [tables.NamedRow("hello", ("joy",), 2)]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"text,labels\ngood,joy\n,joy\n", r"a\.csv:3: expected a text"),
        ("a.csv", b"text,mood\ngood,joy\n", r"a\.csv:2: expected a column 'labels' or 'label'"),
        ("a.csv", b"words,labels\ngood,joy\n", r"a\.csv:1: expected a column 'text'"),
        ("a.csv", b"text,label\ngood, but,joy\n", r"a\.csv:2: more columns"),
        ("a.csv", b"text,label\nfine,joy\nna\xefve,joy\n", r"a\.csv:3: not UTF-8"),
        ("a.csv", b"", "no rows"),
        ("a.csv", b"text,labels\n", "no rows"),
        ("a.csv", "text,labels\nx,y\n".encode("utf-16"), r"a\.csv:1: not UTF-8"),
        (
            "a.csv",
            b'text,labels\n"' + b"x" * 200_000 + b'",joy\n',
            r"a\.csv:[12]: (field larger|a text of 200,000)",
        ),
        ("a.jsonl", b'{"text": "a", "labels": []}\n{"text"\n', r"a\.jsonl:2: not JSON"),
        ("a.jsonl", b"[1]\n", r"a\.jsonl:1: expected an object"),
        ("a.jsonl", b'{"text": "a", "labels": 3}\n', r"a\.jsonl:1: expected names"),
    ],
    ids=range(12),
)
def test_a_malformed_table_is_named_with_the_line(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        tables.read_table(tmp_path / name)


def test_labels_are_those_of_the_data_sorted_or_those_of_a_file(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv")
    assert read(data=path).labels == ("anger", "fear", "joy")
    names = tmp_path / "names.txt"
    names.write_text("joy\nfear\nanger\ndisgust\n", encoding="utf-8")
    dataset = read(data=path, labels=names)
    assert dataset.labels == ("joy", "fear", "anger", "disgust")
    assert any("training" in warning and "disgust" in warning for warning in dataset.warnings)
    names.write_text("joy\nfear\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.csv:3: the label 'anger' is not among the labels: joy, fear"):
        read(data=path, labels=names)
    names.write_text("joy\nfear\njoy\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"names\.txt:3: the label 'joy' comes twice"):
        read(data=path, labels=names)


def test_a_seeded_share_is_held_out_once(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv")
    one, two = read(data=path), read(data=path)
    assert one.train[0].texts == two.train[0].texts
    assert sorted(one.train[0].texts + one.dev[0].texts) == sorted(text for text, _ in ROWS)
    assert one.train[0].file_rows == 4
    assert [ROWS[row][0] for row in one.train[0].rows or ()] == one.train[0].texts
    tiny = tmp_path / "tiny.csv"
    tiny.write_text("text,label\na,x\nb,y\n", encoding="utf-8")
    with pytest.raises(DataError, match="at least 4"):
        read(data=tiny)


def test_a_dev_file_or_a_folder_leaves_the_training_rows_whole(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "train.csv")
    dev = tmp_path / "dev.csv"
    dev.write_text("text,labels\nugh,disgust\n", encoding="utf-8")
    for dataset in (read(data=path, dev=dev), read(data=tmp_path)):
        assert len(dataset.train[0].texts) == 4
        assert dataset.dev[0].texts == ["ugh"]
        assert dataset.labels == ("anger", "disgust", "fear", "joy")
    (tmp_path / "train.tsv").write_text("x", encoding="utf-8")
    with pytest.raises(DataError, match="keep one of them"):
        read(data=tmp_path)
    with pytest.raises(DataError, match="no training data"):
        read(data=tmp_path / "..")


def test_a_folder_of_tables_is_read_whole_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("text,label\nsecond,joy\n", encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"text": "first", "labels": ["fear", "joy"]}\n', encoding="utf-8")
    (tmp_path / "README.md").write_text("not data", encoding="utf-8")
    (tmp_path / "dev.csv").write_text("text,label\nugh,disgust\n", encoding="utf-8")
    dataset = read(data=tmp_path)
    assert dataset.train[0].texts == ["first", "second"]
    assert dataset.train[0].label_ids == [(1, 2), (2,)]
    assert dataset.labels == ("disgust", "fear", "joy")
    assert {path.name for path in dataset.files} == {"a.jsonl", "b.csv", "dev.csv"}


def test_a_folder_in_the_form_of_goemotions_may_have_labels_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("calm\nangry\n", encoding="utf-8")
    for part in ("train", "dev"):
        (tmp_path / f"{part}.tsv").write_text("hello\t0\tid\ngrr\t1,0\tid\n", encoding="utf-8")
    dataset = read(data=tmp_path)
    assert dataset.labels == ("calm", "angry")
    assert dataset.train[0].label_ids == [(0,), (0, 1)]


def test_own_rows_join_goemotions_under_its_labels(tmp_path: Path) -> None:
    folder = tmp_path / "goemotions"
    folder.mkdir()
    (folder / "labels.txt").write_text("\n".join(GOEMOTIONS), encoding="utf-8")
    for part in ("train", "dev"):
        (folder / f"{part}.tsv").write_text("hello\t27\tid\n", encoding="utf-8")
    dataset = read(goemotions=folder, data=write_csv(tmp_path / "a.csv"))
    assert dataset.labels == GOEMOTIONS
    assert [source.name for source in dataset.train] == ["goemotions", "data"]
    assert dataset.dev[0].texts == ["hello"]
    other = tmp_path / "b.csv"
    other.write_text("text,label\nx,bliss\n", encoding="utf-8")
    with pytest.raises(DataError, match="'bliss'"):
        read(goemotions=folder, data=other)


def test_texts_without_labels_come_as_lines_or_as_a_column(tmp_path: Path) -> None:
    lines, column = tmp_path / "a.txt", tmp_path / "b.csv"
    lines.write_text("one\n\ntwo\n", encoding="utf-8")
    column.write_text("id,text\n1,one\n2,two\n", encoding="utf-8")
    assert tables.read_lines(lines) == tables.read_lines(column) == ["one", "two"]
    dataset = read(data=write_csv(tmp_path / "c.csv"), unlabelled=lines)
    assert dataset.train[1].label_ids is None
    lines.write_text("\n", encoding="utf-8")
    with pytest.raises(DataError, match="no texts"):
        tables.read_lines(lines)


def write_rows(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.write_text(
        "text,labels\n" + "".join(f'"{text}",{label}\n' for text, label in rows), encoding="utf-8"
    )
    return path


def texts_of(dataset: Dataset) -> tuple[set[str], set[str]]:
    train, dev = ({text for source in part for text in source.texts} for part in (dataset.train, dataset.dev))
    return train, dev


def test_a_dev_file_in_the_folder_of_the_data_is_not_trained_on(tmp_path: Path) -> None:
    write_csv(tmp_path / "own.csv")
    held_out = write_rows(tmp_path / "valid.csv", [("held one", "joy"), ("held two", "fear")])
    for given in (held_out, tmp_path / "." / "valid.csv"):
        train, dev = texts_of(read(data=tmp_path, dev=given))
        assert dev == {"held one", "held two"}
        assert not train & dev


def test_a_text_that_comes_twice_is_on_one_side(tmp_path: Path) -> None:
    rows = [(f"text {number % 20}" + ("!" if number % 3 else ""), "joy") for number in range(120)]
    rows += [(text.upper(), label) for text, label in rows]
    path = write_rows(tmp_path / "own.csv", rows)
    train, dev = (
        {text.casefold() for text in part}
        for part in texts_of(read_dataset(DataPaths(data=path), TrainingArguments()))
    )
    assert dev
    assert not train & dev


def test_other_seeds_and_further_rows_hold_out_the_same_texts(tmp_path: Path) -> None:
    rows = [(f"text {number}", "joy") for number in range(200)]
    first = write_rows(tmp_path / "first.csv", rows)
    grown = write_rows(tmp_path / "grown.csv", rows + [(f"new {number}", "joy") for number in range(20)])
    _, dev = texts_of(read_dataset(DataPaths(data=first), TrainingArguments(seed=1)))
    assert texts_of(read_dataset(DataPaths(data=first), TrainingArguments(seed=2)))[1] == dev
    later, _ = texts_of(read_dataset(DataPaths(data=grown), TrainingArguments(seed=3)))
    assert len(dev) == 20
    assert len(dev & later) <= 4  # a few texts at the edge


def test_dev_texts_that_are_trained_on_are_said(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "own.csv")
    dev = write_rows(tmp_path / "dev.csv", [("so happy", "joy"), ("hm hm", "fear")])
    assert any("1 dev texts are trained on" in warning for warning in read(data=data, dev=dev).warnings)


@pytest.mark.parametrize("line", ['{"text": ["x"]}', "[" * 100_000])
def test_hostile_lines_without_labels_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"texts\.jsonl:1"):
        tables.read_lines(path)
