"""Training from a table to a checkpoint: what it writes, what it goes on from, and how it fails."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from nlu_models.emotion import train as train_module  # noqa: E402
from nlu_models.emotion.arguments import DataPaths, TrainingArguments  # noqa: E402
from nlu_models.emotion.run_folder import load_torch  # noqa: E402
from nlu_models.emotion.train import resume, train  # noqa: E402
from nlu_models.emotion.trainer import CHOSEN_BY, Trainer  # noqa: E402
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder  # noqa: E402
from nlu_models.errors import InputError, NluModelError, WeightError  # noqa: E402
from tests.unit.tiny_bases import FAMILIES, make_base, make_table  # noqa: E402


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_table(tmp_path_factory.mktemp("data") / "own.csv")


def settings(base: Path, **changes: Any) -> TrainingArguments:
    usual = TrainingArguments(
        base=str(base),
        epochs=2,
        batch_size=16,
        learning_rate=0.01,
        max_tokens=24,
        precision="float32",
        dev_share=0.2,
    )
    return dataclasses.replace(usual, **changes)


def weights(run: Path) -> dict[str, Any]:
    return dict(load_torch(run / "model.pt")["state"])


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_table_of_ones_own_becomes_a_run_folder_that_has_learnt_it(
    base: Path, table: Path, tmp_path: Path
) -> None:
    report = train(settings(base, epochs=5), DataPaths(data=table), tmp_path / "run", command=["attune", "x"])
    assert report["best"]["macro_f1"] > 0.9
    assert report["labels"] == ["anger", "joy", "sorrow"]
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "arguments.json", "labels.txt", "metrics.json", "model.pt", "tensorboard", "tokenizer",
    }  # fmt: skip
    written = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert written == report
    assert {"best", "history", "arguments", "commit", "data_sha256", "torch", "device"} <= set(written)
    assert written["arguments"]["max_tokens"] == 24
    assert (tmp_path / "run" / "labels.txt").read_text(encoding="utf-8") == "anger\njoy\nsorrow\n"
    asked = json.loads((tmp_path / "run" / "arguments.json").read_text(encoding="utf-8"))
    assert asked["command"] == ["attune", "x"]
    assert asked["data"] == {"data": str(table)}
    assert list((tmp_path / "run" / "tensorboard").iterdir())


def test_the_checkpoint_is_read_by_what_exports_it(base: Path, table: Path, tmp_path: Path) -> None:
    from nlu_models.emotion.quantize import load_checkpoint

    train(settings(base, epochs=1), DataPaths(data=table), tmp_path / "run")
    model = load_checkpoint(tmp_path / "run")
    assert model.config.n_labels == 3
    assert model(torch.tensor([[2, 5, 3]]), torch.ones(1, 3, dtype=torch.int64)).emotion.shape == (1, 3)


@pytest.mark.parametrize("family", FAMILIES[1:])
def test_encoders_of_other_families_learn_too(family: str, table: Path, tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", family)
    arguments = settings(base, epochs=4, frozen_layers=0, layer_decay=0.9, head_rate_factor=2.0)
    report = train(arguments, DataPaths(data=table), tmp_path / "run")
    assert report["history"][-1]["macro_f1"] > 0.6


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "asymmetric", "negative_gamma": 2.0},
        {"loss": "focal"},
        {"adversary": "fgm", "accumulation": 2},
        {"adversary": "freelb", "adversary_steps": 2, "schedule": "constant"},
        {"rdrop_weight": 0.5, "sample_dropouts": 3},
        {"correlation_weight": 0.1, "label_smoothing": 0.05, "rare_label_boost": 0.3},
        {"ema_decay": 0.9, "schedule": "cosine"},
        {"averaged_share": 0.5, "precision": "bf16"},
        {"lora_rank": 16, "lora_alpha": 32},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_every_method_learns(base: Path, table: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    report = train(settings(base, epochs=4, **changes), DataPaths(data=table), tmp_path / "run")
    assert report["best"]["macro_f1"] > 0.6
    plain = MultiTaskEncoder(EncoderConfig(base=str(base), n_labels=3))
    assert set(weights(tmp_path / "run")) == set(plain.state_dict())  # adapters are merged


def test_a_repeated_run_gives_the_same_weights(base: Path, table: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        train(settings(base), DataPaths(data=table), tmp_path / name)
    train(settings(base, seed=14), DataPaths(data=table), tmp_path / "other")
    assert same(tmp_path / "one", tmp_path / "two")
    assert not same(tmp_path / "one", tmp_path / "other")


def test_a_finished_run_is_left_alone_and_its_folder_not_taken_over(
    base: Path, table: Path, tmp_path: Path
) -> None:
    report = train(settings(base, epochs=1), DataPaths(data=table), tmp_path / "run")
    before = (tmp_path / "run" / "model.pt").read_bytes()
    assert resume(tmp_path / "run") == report
    with pytest.raises(InputError, match="holds a run already"):
        train(settings(base, epochs=1), DataPaths(data=table), tmp_path / "run")
    assert (tmp_path / "run" / "model.pt").read_bytes() == before


def test_a_loss_that_is_not_finite_is_said_and_the_good_checkpoint_kept(
    base: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = Trainer._end_epoch

    def poisoned(self: Trainer, *given: Any) -> None:
        ended(self, *given)
        with torch.no_grad():
            self._model.emotion.weight.fill_(float("nan"))

    monkeypatch.setattr(Trainer, "_end_epoch", poisoned)
    with pytest.raises(NluModelError, match=r"the loss is nan .* at step 13 \(epoch 2\).*learning-rate"):
        train(settings(base), DataPaths(data=table), tmp_path / "run")
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path / "run").values())
    assert load_torch(tmp_path / "run" / "state.pt")["position"]["epoch"] == 2


def test_the_last_epoch_is_kept_when_asked_for(
    base: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.9, 0.1, 0.9, 0.1])  # the second epoch of each run is the worse

    def judged(*given: Any) -> dict[str, float]:
        score = next(scores)
        return {"macro_f1": score, CHOSEN_BY: score, "micro_f1": score}

    monkeypatch.setattr(train_module, "dev_scores", judged)
    kept = {
        keep: train(settings(base, keep=keep), DataPaths(data=table), tmp_path / keep)
        for keep in ("best", "last")
    }
    assert [report["best"]["epoch"] for report in kept.values()] == [1, 2]
    assert not same(tmp_path / "best", tmp_path / "last")


def test_training_stops_when_dev_gets_no_better(base: Path, table: Path, tmp_path: Path) -> None:
    arguments = settings(base, epochs=50, patience=2, learning_rate=1e-8, head_rate_factor=0.01)
    report = train(arguments, DataPaths(data=table), tmp_path / "run")
    assert len(report["history"]) < 6


def test_an_earlier_checkpoint_is_gone_on_from_also_with_other_labels(
    base: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(settings(base, epochs=3), DataPaths(data=table), tmp_path / "first")
    init = str(tmp_path / "first" / "model.pt")
    still = settings(base, epochs=1, learning_rate=1e-8, init=init)
    again = train(still, DataPaths(data=table), tmp_path / "again")
    first = json.loads((tmp_path / "first" / "metrics.json").read_text(encoding="utf-8"))
    assert again["best"]["macro_f1"] == pytest.approx(first["best"]["macro_f1"], abs=0.02)
    renamed = tmp_path / "renamed.csv"
    renamed.write_text(table.read_text(encoding="utf-8").replace("joy", "delight"), encoding="utf-8")
    train(still, DataPaths(data=renamed), tmp_path / "other")
    assert "knows 2 of the 3 labels" in capsys.readouterr().err
    old, new = weights(tmp_path / "first"), weights(tmp_path / "other")
    torch.testing.assert_close(
        old["emotion.weight"][[0, 2]], new["emotion.weight"][[0, 2]], atol=1e-4, rtol=0
    )


def test_a_checkpoint_that_does_not_fit_is_refused(base: Path, table: Path, tmp_path: Path) -> None:
    train(settings(base, epochs=1), DataPaths(data=table), tmp_path / "first")
    init = tmp_path / "first" / "model.pt"
    wide = make_base(tmp_path / "wide", width=48)
    with pytest.raises(WeightError, match="doesn't fit the base"):
        train(settings(wide, init=str(init)), DataPaths(data=table), tmp_path / "run")
    init.write_bytes(init.read_bytes()[: init.stat().st_size // 2])
    with pytest.raises(WeightError, match="truncated"):
        train(settings(base, init=str(init)), DataPaths(data=table), tmp_path / "run")
    with pytest.raises(WeightError, match="missing"):
        train(settings(base, init=str(tmp_path / "no.pt")), DataPaths(data=table), tmp_path / "run")


def test_texts_longer_than_the_base_reads_are_refused(base: Path, table: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="reads at most 66"):
        train(settings(base, max_tokens=67), DataPaths(data=table), tmp_path / "run")
