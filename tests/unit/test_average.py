"""Averaging the weights of runs."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pytest
import torch

from nlu_models.emotion.average import average
from nlu_models.errors import InputError, NluModelError, WeightError


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


def test_heads_that_one_of_the_runs_never_trained_are_not_claimed(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / "a", 1.0), make_run(tmp_path / "b", 3.0)]
    for run, heads in zip(runs, (["emotion", "vad", "embedding"], ["emotion", "embedding"]), strict=True):
        (run / "metrics.json").write_text(json.dumps({"trained_heads": heads}), encoding="utf-8")
    assert average(runs, tmp_path / "mean")["trained_heads"] == ["emotion", "embedding"]


@pytest.mark.parametrize(("second", "is_kept"), [("/data/own.csv", True), ("/data/other.csv", False)])
def test_what_the_runs_were_trained_on_is_kept_where_it_is_the_same(
    tmp_path: Path, second: str, is_kept: bool
) -> None:
    runs = [make_run(tmp_path / "a", 1.0), make_run(tmp_path / "b", 3.0)]
    for run, data in zip(runs, ("/data/own.csv", second), strict=True):
        asked = {"data": {"data": data}, "settings": {"dev_share": 0.1, "seed": len(run.name)}}
        (run / "arguments.json").write_text(json.dumps(asked), encoding="utf-8")
    average(runs, tmp_path / "mean")
    assert (tmp_path / "mean" / "arguments.json").is_file() is is_kept


def test_a_full_disk_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [make_run(tmp_path / "a", 1.0), make_run(tmp_path / "b", 3.0)]

    def full(*given: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(NluModelError, match="No space left"):
        average(runs, tmp_path / "mean")
