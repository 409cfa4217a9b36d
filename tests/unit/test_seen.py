"""A reader is measured on texts that it was not trained on, or it is said that it was."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.cli import emotion
from nlu_models.emotion import labelled
from nlu_models.emotion.arguments import DataPaths, TrainingArguments
from nlu_models.emotion.data import hash_files
from nlu_models.emotion.datasets import read_dataset
from nlu_models.emotion.seen import unseen
from nlu_models.emotion.weights import METRICS_FILE
from nlu_models.errors import DataError
from tests.unit.tiny_weights import WORDS, make_weights

LABELS = ("calm", "urgent")
ROWS = 300
HELD_OUT = 60
SETTINGS = {"dev_share": HELD_OUT / ROWS}


def make_table(path: Path, seed: int, rows: int = ROWS) -> Path:
    """Texts that are urgent where somebody is furious."""
    random = np.random.default_rng(seed)
    lines = ["text,labels"]
    for row in range(rows):
        words = random.choice(WORDS[2:-1], size=6)
        lines.append(f"{' '.join(words)} {seed} {row},{'urgent' if 'furious' in words else 'calm'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return make_table(tmp_path / "own.csv", seed=1)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return make_weights(tmp_path / "weights", labels=LABELS)


def held_out(table: Path) -> list[str]:
    """What training on the table alone holds out."""
    (dev,) = read_dataset(DataPaths(data=table), TrainingArguments(**SETTINGS)).dev
    return dev.texts


def say(
    weights: Path, commands: tuple[str, ...] = (), dev_sha256: str | None = None, **training: Any
) -> None:
    """Writes what a weight says of its training."""
    report = {"training": training, "training_commands": commands, "dev_sha256": dev_sha256}
    (weights / METRICS_FILE).write_text(json.dumps(report), encoding="utf-8")


def make_run(folder: Path, **paths: Path) -> Path:
    """A folder that says what it was trained on; its model is never read here."""
    pytest.importorskip("torch")
    folder.mkdir()
    (folder / "model.pt").touch()
    said = {"data": {name: str(path) for name, path in paths.items()}, "settings": SETTINGS}
    (folder / "arguments.json").write_text(json.dumps(said), encoding="utf-8")
    return folder


def run(*words: object) -> int:
    """The exit status of `attune emotion ...`."""
    parser = argparse.ArgumentParser()
    emotion.add_parser(parser.add_subparsers())
    return emotion.run(parser.parse_args(["emotion", *map(str, words)]))


def test_a_run_is_measured_on_the_rows_it_held_out(table: Path, tmp_path: Path) -> None:
    found = unseen(labelled.read_table(table, LABELS), make_run(tmp_path / "run", data=table), table, "dev")
    assert found.texts == held_out(table)
    assert len(found.texts) == len(found.truth) == HELD_OUT
    assert [bool(row[1]) for row in found.truth] == ["furious" in text for text in found.texts]
    assert "held-out rows" in found.name
    assert "240 of the 300" in found.warnings[0]


def test_a_copy_of_the_table_is_the_table(table: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.csv"
    copy.write_bytes(table.read_bytes())
    found = unseen(labelled.read_table(copy, LABELS), make_run(tmp_path / "run", data=table), copy, "dev")
    assert found.texts == held_out(table)


def test_a_table_that_was_trained_on_whole_is_said_to_be(table: Path, tmp_path: Path) -> None:
    dev = make_table(tmp_path / "held.csv", seed=2)
    folder = make_run(tmp_path / "run", data=table, dev=dev)
    found = unseen(labelled.read_table(table, LABELS), folder, table, "dev")
    assert len(found.texts) == ROWS
    assert "which it was trained on" in found.name
    assert "flatters" in found.warnings[0]
    texts = labelled.read_table(dev, LABELS)
    assert unseen(texts, folder, dev, "dev") == texts


def test_texts_shared_with_another_table_are_counted(table: Path, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", data=table)
    other = tmp_path / "other.csv"
    trained = [line for line in table.read_text().splitlines()[1:] if line[:-5] not in held_out(table)]
    lines = make_table(other, seed=3).read_text().splitlines() + trained[:5]
    other.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = unseen(labelled.read_table(other, LABELS), folder, other, "dev")
    assert len(found.texts) == ROWS + 5
    assert " of the 305 texts" in found.warnings[0]
    fresh = make_table(tmp_path / "fresh.csv", seed=4)
    assert unseen(labelled.read_table(fresh, LABELS), folder, fresh, "dev").warnings == ()


def test_a_run_whose_data_is_gone_can_not_tell(table: Path, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", data=tmp_path / "gone.csv")
    found = unseen(labelled.read_table(table, LABELS), folder, table, "dev")
    assert len(found.texts) == ROWS
    assert "doesn't say" in found.warnings[0]


def test_corrections_may_be_of_any_texts(table: Path, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", data=table)
    (folder / METRICS_FILE).write_text(json.dumps({"learnt": [{"corrections": 3}]}), encoding="utf-8")
    assert unseen(labelled.read_table(table, LABELS), folder, table, "dev").texts == held_out(table)
    fresh = make_table(tmp_path / "fresh.csv", seed=4)
    assert "doesn't say" in unseen(labelled.read_table(fresh, LABELS), folder, fresh, "dev").warnings[0]


def test_too_few_held_out_rows_are_refused(tmp_path: Path, weights: Path) -> None:
    small = make_table(tmp_path / "small.csv", seed=5, rows=60)
    say(weights, data_sha256=hash_files([small]), arguments=SETTINGS)
    with pytest.raises(DataError, match="all but 12"):
        unseen(labelled.read_table(small, LABELS), weights, small, "dev")


def test_a_weight_knows_its_table_by_the_hash(table: Path, tmp_path: Path, weights: Path) -> None:
    texts = labelled.read_table(table, LABELS)
    digest = hash_files([table])
    say(
        weights, ("attune emotion train --data FILE --output runs/a",), data_sha256=digest, arguments=SETTINGS
    )
    assert unseen(texts, weights, table, "dev").texts == held_out(table)
    say(weights, ("attune emotion train --data FILE --dev FILE --output runs/a",), dev_sha256=digest)
    assert unseen(texts, weights, table, "dev") == texts
    say(weights, ("attune emotion train --goemotions DIR --output runs/a",), data_sha256="0")
    assert unseen(texts, weights, table, "dev") == texts
    say(weights, ("attune emotion train --goemotions DIR --output runs/a",), learnt=[{"corrections": 3}])
    assert "doesn't say" in unseen(texts, weights, table, "dev").warnings[0]


def test_only_the_train_split_was_trained_on(table: Path, weights: Path) -> None:
    texts = labelled.read_table(table, LABELS)
    for split in ("dev", "test"):
        assert unseen(texts, weights, None, split) == texts
    assert "which it was trained on" in unseen(texts, weights, None, "train").name
    say(weights, ("attune emotion train --data FILE --output runs/a",))
    assert unseen(texts, weights, None, "train") == texts


def test_the_commands_leave_out_what_was_trained_on(
    table: Path, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_weights(tmp_path / "other", labels=LABELS)
    say(weights, data_sha256=hash_files([table]), arguments=SETTINGS)
    say(other, ("attune emotion train --goemotions DIR --output runs/a",))
    given = ("--data", table, "--repeats", 1, "--json")
    assert run("evaluate", "--weights", weights, *given, "--no-speed") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["texts"] == HELD_OUT
    assert "warning: " in shown.err
    assert "240 of the 300" in shown.err
    assert run("compare", other, weights, *given, "--draws", 10) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["texts"] == HELD_OUT
    assert "240 of the 300" in shown.err
    assert run("calibrate", "--weights", weights, *given) == 2
    assert "60 labels on 60 texts" in capsys.readouterr().err
    assert run("calibrate", "--weights", other, *given) == 0
    assert "warning" not in capsys.readouterr().err
