"""A pruned run is a run: it can be exported, and trained on from where it was cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from nlu_models.emotion.arguments import DataPaths, TrainingArguments  # noqa: E402
from nlu_models.emotion.pruned_run import labelled_batches, prune_run  # noqa: E402
from nlu_models.emotion.quantize import load_checkpoint  # noqa: E402
from nlu_models.emotion.train import train  # noqa: E402
from nlu_models.errors import InputError  # noqa: E402
from tests.unit.tiny_runs import make_corpora, make_run  # noqa: E402


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpora(tmp_path_factory.mktemp("corpora") / "all")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("run") / "tiny")


def _shape(folder: Path) -> tuple[int, int, int]:
    layers = list(load_checkpoint(folder).encoder.encoder.layer)
    heads = sum(layer.attention.self.num_attention_heads for layer in layers)
    return len(layers), heads, layers[0].intermediate.dense.out_features


def test_what_was_asked_for_is_cut_and_said(tmp_path: Path, run: Path, corpora: Path) -> None:
    report = prune_run(run, ["layers-1", "units-50", "heads-25"], tmp_path / "small", corpora)
    assert _shape(run) == (2, 8, 64)
    layers, heads, units = _shape(tmp_path / "small")
    assert (layers, units) == (1, 32)
    assert heads in (2, 3, 4)  # two of eight went before the layer did, wherever they were
    whole, left = report["million_parameters"]
    assert left < whole
    said = json.loads((tmp_path / "small" / "metrics.json").read_text(encoding="utf-8"))
    assert said["cuts"] == ["layers-1", "units-50", "heads-25"]
    assert said["commands"][-1] == (
        "attune emotion prune --run runs/tiny --cut layers-1 units-50 heads-25 --output runs/small"
    )


def test_training_goes_on_from_a_pruned_run(tmp_path: Path, run: Path, corpora: Path) -> None:
    prune_run(run, ["units-50"], tmp_path / "small", corpora)
    base = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["arguments"]["base"]
    arguments = TrainingArguments(
        base=base, init=str(tmp_path / "small" / "model.pt"), epochs=1, max_tokens=32, embedding_weight=0.0
    )
    train(arguments, DataPaths(goemotions=corpora), tmp_path / "trained", cpu=True)
    assert _shape(tmp_path / "trained") == (2, 8, 32)
    before = load_checkpoint(tmp_path / "small").state_dict()
    after = load_checkpoint(tmp_path / "trained").state_dict()
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert "encoder.encoder.layer.0.intermediate.dense.weight" in moved


@pytest.mark.parametrize(
    "cuts", [[], ["smooth"], ["heads-25+recovery"], ["heads-25", "heads-50"], ["legs-2"]]
)
def test_what_is_no_cut_is_refused(tmp_path: Path, run: Path, corpora: Path, cuts: list[str]) -> None:
    with pytest.raises(InputError):
        prune_run(run, cuts, tmp_path / "small", corpora)
    assert not (tmp_path / "small").exists()


def test_importance_batches_end_with_the_texts(corpora: Path) -> None:
    truth = torch.zeros(19, 28, dtype=torch.bool).numpy()
    sizes = [len(labels) for _, _, labels in labelled_batches([[2, 5, 3]] * 19, truth)]
    assert sizes == [16, 3]
