"""What pruning takes out is gone, was the least important, and nothing else changes."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nlu_models.emotion import quantize  # noqa: E402
from nlu_models.emotion.prune import (  # noqa: E402
    Importance,
    count_parameters,
    drop_layers,
    measure_importance,
    prune_heads,
    prune_units,
)
from nlu_models.emotion.recovery import difference, padded, recover  # noqa: E402
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder  # noqa: E402
from nlu_models.errors import InputError, WeightError  # noqa: E402
from tests.unit.tiny_bases import make_base  # noqa: E402
from tests.unit.tiny_runs import make_run, random_texts, save_model  # noqa: E402

HEAD = 8  # numbers per head
SCORES = Importance(
    [np.array([4.0, 1.0, 3.0, 2.0]), np.array([5.0, 0.5, 6.0, 7.0])],
    [np.arange(64.0), np.arange(64.0)[::-1]],
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("run") / "tiny")


@pytest.fixture(scope="module")
def model(run: Path) -> MultiTaskEncoder:
    return quantize.load_checkpoint(run)


def _assert_same(one: MultiTaskEncoder, other: MultiTaskEncoder) -> None:
    ids, mask = random_texts(4, 11)
    with torch.no_grad():
        for ours, theirs in zip(one(ids, mask), other(ids, mask), strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_importance_is_what_a_gate_would_change(model: MultiTaskEncoder) -> None:
    """A gate on one head, turned a little, changes one text's loss as the gradient says."""
    ids, mask = random_texts(1, 1)
    labels = torch.zeros(1, 28)
    labels[0, 3] = 1.0
    found = measure_importance(model, [(ids, mask, labels)])

    def loss(layer: int, head: int, gate: float) -> float:
        gated = copy.deepcopy(model).double()
        dense = gated.encoder.encoder.layer[layer].attention.output.dense
        with torch.no_grad():
            dense.weight[:, head * HEAD : (head + 1) * HEAD] *= gate
            logits = gated(ids, mask).emotion
        return float(
            torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.double(), reduction="sum")
        )

    for layer in range(2):
        slopes = np.array([abs(loss(layer, h, 1.001) - loss(layer, h, 0.999)) / 0.002 for h in range(4)])
        np.testing.assert_allclose(found.heads[layer], slopes / np.linalg.norm(slopes), atol=2e-3)


def test_padding_has_no_importance(model: MultiTaskEncoder) -> None:
    ids, mask = random_texts(1, 5)
    labels = torch.ones(1, 28)
    plain = measure_importance(model, [(ids, mask, labels)])
    longer = (
        torch.cat([ids, torch.full((1, 4), 7)], dim=1),
        torch.cat([mask, torch.zeros(1, 4).long()], dim=1),
    )
    with_padding = measure_importance(model, [(*longer, labels)])
    for one, other in zip(plain.heads + plain.units, with_padding.heads + with_padding.units, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_a_pruned_head_is_one_that_says_nothing(model: MultiTaskEncoder) -> None:
    silenced = copy.deepcopy(model)
    with torch.no_grad():
        for layer, head in ((1, 1), (0, 1), (0, 3)):
            dense = silenced.encoder.encoder.layer[layer].attention.output.dense
            dense.weight[:, head * HEAD : (head + 1) * HEAD] = 0.0
    small = prune_heads(model, SCORES, 3 / 8)
    layers = small.encoder.encoder.layer
    assert [layer.attention.self.query.weight.shape for layer in layers] == [(16, 32), (24, 32)]
    assert [layer.attention.output.dense.weight.shape for layer in layers] == [(32, 16), (32, 24)]
    _assert_same(small, silenced)


def test_a_pruned_unit_is_one_that_says_nothing(model: MultiTaskEncoder) -> None:
    silenced = copy.deepcopy(model)
    with torch.no_grad():
        silenced.encoder.encoder.layer[0].output.dense.weight[:, :32] = 0.0
        silenced.encoder.encoder.layer[1].output.dense.weight[:, 32:] = 0.0
    small = prune_units(model, SCORES, 0.5)
    assert small.encoder.encoder.layer[0].intermediate.dense.weight.shape == (32, 32)
    _assert_same(small, silenced)


def test_no_layer_loses_its_last_head(model: MultiTaskEncoder) -> None:
    small = prune_heads(model, SCORES, 0.99)
    assert [layer.attention.self.num_attention_heads for layer in small.encoder.encoder.layer] == [1, 1]
    assert torch.equal(
        small.encoder.encoder.layer[0].attention.self.value.weight,
        model.encoder.encoder.layer[0].attention.self.value.weight[:HEAD],
    )


def test_dropped_layers_are_gone(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", layers=5)
    deep = MultiTaskEncoder(EncoderConfig(base=str(base))).eval()
    for number, layer in enumerate(deep.encoder.encoder.layer):
        layer.number = number

    def left(count: int, order: str) -> list[int]:
        return [layer.number for layer in drop_layers(deep, count, order).encoder.encoder.layer]

    assert left(2, "top") == [0, 1, 2]
    assert left(2, "alternate") == [0, 2, 4]
    assert left(3, "alternate") == [0, 2]
    assert len(deep.encoder.encoder.layer) == 5
    assert count_parameters(drop_layers(deep, 2)) < count_parameters(deep)
    with pytest.raises(InputError, match="5"):
        drop_layers(deep, 5)


def test_a_pruned_checkpoint_loads_again(run: Path, model: MultiTaskEncoder, tmp_path: Path) -> None:
    small = drop_layers(prune_units(prune_heads(model, SCORES, 0.4), SCORES, 0.25), 1)
    save_model(tmp_path, small)
    _assert_same(quantize.load_checkpoint(tmp_path), small)


def test_a_checkpoint_of_another_shape_is_refused(model: MultiTaskEncoder, tmp_path: Path) -> None:
    broken = copy.deepcopy(model)
    attention = broken.encoder.encoder.layer[0].attention.self
    attention.query = torch.nn.Linear(32, 13)
    save_model(tmp_path, broken)
    with pytest.raises(WeightError, match=r"model\.pt"):
        quantize.load_checkpoint(tmp_path)


@pytest.mark.parametrize("share", [-0.1, 1.0, 2.0])
def test_impossible_shares_are_refused(model: MultiTaskEncoder, share: float) -> None:
    with pytest.raises(InputError, match="share"):
        prune_heads(model, SCORES, share)


def test_only_a_bert_can_be_pruned(tmp_path: Path) -> None:
    other = MultiTaskEncoder(EncoderConfig(base=str(make_base(tmp_path / "d", "distilbert"))))
    with pytest.raises(InputError, match="distilbert"):
        measure_importance(other, [])
    with pytest.raises(InputError, match="distilbert"):
        drop_layers(other, 1)


def test_recovery_brings_a_pruned_model_nearer(model: MultiTaskEncoder) -> None:
    small = prune_heads(model, SCORES, 0.5)
    ids, mask = random_texts(60, 12, seed=2)
    texts = [row[: int(kept.sum())].tolist() for row, kept in zip(ids, mask, strict=True)]

    def distance(found: MultiTaskEncoder) -> float:
        with torch.no_grad():
            return float(difference(found(*padded(texts)), model(*padded(texts))))

    least = distance(model)  # cross-entropy with what isn't certain is never 0
    before = distance(small) - least
    recover(small, model, texts, 30)
    assert distance(small) - least < 0.97 * before
    assert not small.training


def test_recovery_needs_texts(model: MultiTaskEncoder) -> None:
    with pytest.raises(InputError, match="0 texts"):
        recover(copy.deepcopy(model), model, [], 3)
