"""Averaging the weights of runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from nlu_models.emotion.average import average
from nlu_models.errors import InputError, WeightError


def make_run(folder: Path, value: float, base: str = "tiny") -> Path:
    (folder / "tokenizer").mkdir(parents=True)
    (folder / "tokenizer" / "tokenizer.json").write_text("{}", encoding="utf-8")
    state = {"weight": torch.full((2, 2), value), "steps": torch.tensor(3)}
    torch.save({"config": {"base": base}, "state": state}, folder / "model.pt")
    (folder / "metrics.json").write_text(json.dumps({"best": {"macro_f1": value}}), encoding="utf-8")
    return folder


def test_weights_are_the_mean_and_the_runs_are_named(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / "a", 1.0), make_run(tmp_path / "b", 3.0)]
    average(runs, tmp_path / "mean")
    checkpoint = torch.load(tmp_path / "mean" / "model.pt", weights_only=True)
    assert checkpoint["state"]["weight"].tolist() == [[2.0, 2.0], [2.0, 2.0]]
    assert checkpoint["state"]["steps"].item() == 3
    report = json.loads((tmp_path / "mean" / "metrics.json").read_text(encoding="utf-8"))
    assert report["average_of"] == [str(run) for run in runs]


def test_runs_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / "a", 1.0), make_run(tmp_path / "b", 3.0, base="other")]
    with pytest.raises(WeightError, match="another architecture"):
        average(runs, tmp_path / "mean")
    with pytest.raises(InputError, match="at least two"):
        average(runs[:1], tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_other_labels_a_taken_folder_and_damage_are_refused(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / "a", 1.0), make_run(tmp_path / "b", 3.0)]
    (runs[0] / "labels.txt").write_text("joy\nfear\n", encoding="utf-8")
    (runs[1] / "labels.txt").write_text("fear\njoy\n", encoding="utf-8")
    with pytest.raises(WeightError, match="other labels"):
        average(runs, tmp_path / "mean")
    (runs[1] / "labels.txt").write_text("joy\nfear\n", encoding="utf-8")
    with pytest.raises(InputError, match="holds a run already"):
        average(runs, runs[0])
    average(runs, tmp_path / "mean")
    assert (tmp_path / "mean" / "labels.txt").read_text(encoding="utf-8") == "joy\nfear\n"
    (runs[1] / "model.pt").write_bytes((runs[1] / "model.pt").read_bytes()[:300])
    with pytest.raises(WeightError, match="truncated"):
        average(runs, tmp_path / "other")
    assert not (tmp_path / "other").exists()
