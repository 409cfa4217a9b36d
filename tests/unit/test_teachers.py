"""Distillation: teachers of any base, their logits kept and read back row by row."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from nlu_models.emotion.arguments import DataPaths, TrainingArguments  # noqa: E402
from nlu_models.emotion.corpus import make_corpus  # noqa: E402
from nlu_models.emotion.datasets import Source, read_dataset  # noqa: E402
from nlu_models.emotion.losses import make_objective  # noqa: E402
from nlu_models.emotion.teachers import (  # noqa: E402
    SoftTargets,
    Teaching,
    ask_teachers,
    load_targets,
    save_targets,
)
from nlu_models.emotion.train import train, with_soft  # noqa: E402
from nlu_models.encoder import load_tokenizer  # noqa: E402
from nlu_models.errors import DataError, InputError, WeightError  # noqa: E402
from tests.unit.tiny_bases import make_base, make_table  # noqa: E402

LABELS = ("anger", "joy", "sorrow")


def settings(base: Path, **changes: Any) -> TrainingArguments:
    usual = TrainingArguments(
        base=str(base), epochs=4, batch_size=16, learning_rate=0.01, max_tokens=24, precision="float32",
        dev_share=0.2,
    )  # fmt: skip
    return dataclasses.replace(usual, **changes)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_table(tmp_path_factory.mktemp("data") / "own.csv")


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("student"))


@pytest.fixture(scope="module")
def teachers(table: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs of other families and widths than the student's."""
    folder = tmp_path_factory.mktemp("teachers")
    runs = folder / "one", folder / "two"
    for run, family, width in zip(runs, ("mpnet", "roberta"), (48, 40), strict=True):
        base = make_base(folder / family, family, width)
        train(settings(base, epochs=3), DataPaths(data=table), run)
    return runs


def test_a_student_learns_from_teachers_alone(
    table: Path, student: Path, teachers: tuple[Path, Path], tmp_path: Path
) -> None:
    # Four labelled texts are too few to learn from: what it knows it has from the teachers.
    unlabelled = tmp_path / "texts.csv"
    unlabelled.write_text(table.read_text(encoding="utf-8"), encoding="utf-8")
    few = tmp_path / "few.csv"
    few.write_text("text,labels\nfurious,anger\nhappy,joy\nsad,sorrow\ncat,\n", encoding="utf-8")
    paths = DataPaths(data=few, dev=table, unlabelled=unlabelled)
    taught = train(settings(student), paths, tmp_path / "taught", Teaching(teachers))
    alone = train(settings(student), dataclasses.replace(paths, unlabelled=None), tmp_path / "alone")
    assert taught["best"]["macro_f1"] > max(0.6, alone["best"]["macro_f1"] + 0.1)
    with np.load(tmp_path / "taught" / "teacher_logits.npz") as kept:
        assert kept["unlabelled_logits"].shape == (240, 3)
        assert "unlabelled_vad" not in kept.files  # no teacher has learnt the axes
    again = train(
        settings(student),
        paths,
        tmp_path / "again",
        Teaching(logits=tmp_path / "taught" / "teacher_logits.npz"),
    )
    assert [{**row, "seconds": 0} for row in again["history"]] == [
        {**row, "seconds": 0} for row in taught["history"]
    ]


def test_logits_are_averaged_by_weight(teachers: tuple[Path, Path]) -> None:
    source = [Source("data", ["i am furious", "so happy", ""], file_rows=3)]
    device = torch.device("cpu")
    one, two = (ask_teachers(Teaching((run,)), source, LABELS, device)["data"].logits for run in teachers)
    both = ask_teachers(Teaching(teachers, (3.0, 1.0)), source, LABELS, device)["data"].logits
    np.testing.assert_allclose(both, 0.75 * one + 0.25 * two, atol=1e-5)
    turned = ask_teachers(Teaching((teachers[0],)), source, LABELS[::-1], device)["data"].logits
    np.testing.assert_allclose(turned, one[:, ::-1], atol=1e-6)


def test_teachers_of_other_labels_are_refused(teachers: tuple[Path, Path], tmp_path: Path) -> None:
    source = [Source("data", ["x"], file_rows=1)]
    with pytest.raises(WeightError, match="other labels than the data"):
        ask_teachers(Teaching(teachers), source, ("anger", "joy", "calm"), torch.device("cpu"))
    with pytest.raises(WeightError, match="missing"):
        ask_teachers(Teaching((tmp_path,)), source, LABELS, torch.device("cpu"))


def test_targets_come_back_for_the_rows_that_are_used(tmp_path: Path) -> None:
    path = tmp_path / "logits.npz"
    some = Source("clinc", ["c", "a"], rows=[2, 0], file_rows=3)
    said = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
    felt = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], dtype=np.float32)
    save_targets(path, {"clinc": SoftTargets(said, felt)}, [some], LABELS)
    found = load_targets(path, [some], LABELS)["clinc"]
    np.testing.assert_array_equal(found.logits, said)
    np.testing.assert_array_equal(found.vad, felt)
    whole = load_targets(path, [Source("clinc", ["a", "b", "c"], file_rows=3)], LABELS)["clinc"]
    assert np.isnan(whole.logits[1]).all()
    np.testing.assert_array_equal(load_targets(path, [some], LABELS[::-1])["clinc"].logits, said[:, ::-1])


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"data_logits": np.zeros((4, 3), np.float32)}, r"shape \(4, 3\), expected floats of shape \(5, 3\)"),
        ({"data_logits": np.zeros((5, 3), np.int64)}, "int64"),
        ({"data_logits": np.full((5, 3), np.inf, np.float32)}, "infinite"),
        ({"train_l": np.zeros((5, 3), np.float32)}, "holds train_l; expected data_logits"),
    ],
)
def test_logits_that_do_not_fit_the_data_are_refused(
    tmp_path: Path, arrays: dict[str, Any], said: str
) -> None:
    np.savez(tmp_path / "logits.npz", **arrays)
    with pytest.raises(DataError, match=said):
        load_targets(tmp_path / "logits.npz", [Source("data", ["x"] * 5, file_rows=5)], LABELS)


def test_a_damaged_logits_file_is_said(tmp_path: Path) -> None:
    source = [Source("data", ["x"], file_rows=1)]
    path = tmp_path / "logits.npz"
    with pytest.raises(DataError, match="missing"):
        load_targets(path, source, LABELS)
    np.savez(path, data_logits=np.zeros((1, 3), np.float32))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="no npz file"):
        load_targets(path, source, LABELS)


def test_a_teaching_is_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="either --teachers"):
        Teaching()
    with pytest.raises(InputError, match="2 teacher weights for 1 teachers"):
        Teaching((tmp_path,), (1.0, 2.0))
    with pytest.raises(InputError, match="positive"):
        Teaching((tmp_path,), (-1.0,))
    teaching = Teaching((tmp_path,), (2.0,))
    assert Teaching.from_json(json.loads(json.dumps(teaching.to_json()))) == teaching


def test_axes_count_where_they_are_known_and_nowhere_else(table: Path, student: Path, tmp_path: Path) -> None:
    """One source has no axes, one row of another has none: neither is taken for a text of no feeling."""
    texts = tmp_path / "texts.txt"
    texts.write_text("one\ntwo\nthree\n", encoding="utf-8")
    unknown = np.full(3, np.nan, np.float32)
    np.savez(
        tmp_path / "said.npz",
        data_logits=np.zeros((240, 3), np.float32),
        unlabelled_logits=np.ones((3, 3), np.float32),
        unlabelled_vad=np.stack([np.full(3, 0.5, np.float32), unknown, np.full(3, -0.5, np.float32)]),
    )
    arguments = settings(student)
    dataset = read_dataset(DataPaths(data=table, dev=table, unlabelled=texts), arguments)
    targets = load_targets(tmp_path / "said.npz", dataset.train, LABELS)
    corpus = with_soft(make_corpus(load_tokenizer(str(student)), 24, 3, dataset.train), dataset, targets)
    assert corpus.has_soft.sum() == 243
    assert corpus.with_soft_vad[:240].sum() == 0
    assert corpus.with_soft_vad[240:].tolist() == [1.0, 0.0, 1.0]
    objective = make_objective(arguments, corpus, torch.device("cpu"))
    batch = corpus.batch([240, 241, 242], 0, torch.device("cpu"))
    felt = torch.tensor([[0.5] * 3, [9.0] * 3, [-0.5] * 3])
    assert objective.vad(felt, batch).item() == pytest.approx(0.0, abs=1e-6)
