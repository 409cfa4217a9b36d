"""Graphs say what the torch model says, text by text, and their products are what they claim to be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")

from nlu_models.emotion import graph, linears, quantize  # noqa: E402
from nlu_models.emotion.infer import OUTPUTS, PAD_TO  # noqa: E402
from nlu_models.emotion.prune import Importance, drop_layers, prune_heads, prune_units  # noqa: E402
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder  # noqa: E402
from nlu_models.errors import InputError, NluModelError  # noqa: E402
from tests.unit.tiny_bases import FAMILIES, make_base  # noqa: E402
from tests.unit.tiny_runs import MAX_TOKENS, make_run, random_texts  # noqa: E402

INDEPENDENT = [name for name, method in quantize.METHODS.items() if method.is_independent]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> MultiTaskEncoder:
    return quantize.load_checkpoint(make_run(tmp_path_factory.mktemp("run") / "tiny"))


def _session(content: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _run(path: Path, ids: Any, mask: Any) -> list[Any]:
    found: list[Any] = _session(path.read_bytes()).run(
        list(OUTPUTS), {"input_ids": np.asarray(ids), "attention_mask": np.asarray(mask)}
    )
    return found


def _write(model: MultiTaskEncoder, path: Path, name: str | None = None) -> Path:
    ids, mask = random_texts(40, 20, seed=9)
    texts = [row[: int(kept.sum())].tolist() for row, kept in zip(ids, mask, strict=True)]
    quantize.write_graph(model, path, quantize.choose_method(name, model), MAX_TOKENS, texts)
    return path


def _assert_float_graph_is_torch(model: MultiTaskEncoder, path: Path) -> None:
    ids, mask = random_texts(5, 21)
    with torch.no_grad():
        expected = model(ids, mask)
    for ours, theirs in zip(_run(_write(model, path, "float32"), ids, mask), expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=3e-5)


def test_float_graph_gives_what_torch_gives(model: MultiTaskEncoder, tmp_path: Path) -> None:
    _assert_float_graph_is_torch(model, tmp_path / "float.onnx")


def test_a_mask_with_holes_is_honoured(model: MultiTaskEncoder, tmp_path: Path) -> None:
    ids, _ = random_texts(3, 12)
    mask = torch.ones_like(ids)
    mask[1, 4:7] = 0
    mask[2, :5] = 0
    with torch.no_grad():
        expected = model(ids, mask)
    found = _run(_write(model, tmp_path / "float.onnx", "float32"), ids, mask)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=3e-5)


def test_pruned_graphs_give_what_the_pruned_model_gives(model: MultiTaskEncoder, tmp_path: Path) -> None:
    scores = Importance(
        [np.array([4.0, 1.0, 3.0, 2.0]), np.array([5.0, 6.0, 7.0, 0.5])], [np.arange(64.0)] * 2
    )
    small = drop_layers(prune_units(prune_heads(model, scores, 0.4), scores, 0.5), 0)
    assert [layer.attention.self.num_attention_heads for layer in small.encoder.encoder.layer] == [2, 3]
    _assert_float_graph_is_torch(small, tmp_path / "small.onnx")
    whole = _write(model, tmp_path / "whole.onnx", "smooth").stat().st_size
    assert _write(small, tmp_path / "cut.onnx", "smooth").stat().st_size < whole


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "bert"])
def test_other_encoders_are_traced(family: str, tmp_path: Path) -> None:
    base = make_base(tmp_path / family, family)
    other = MultiTaskEncoder(EncoderConfig(base=str(base), n_labels=5)).eval()
    ids = torch.randint(5, 28, (3, 13), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    with torch.no_grad():
        expected = other(ids, mask)
    for name, tolerance in (("float32", 3e-5), (None, 0.02)):
        found = _run(_write(other, tmp_path / "graph.onnx", name), ids, mask)
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), atol=tolerance)
    with pytest.raises(InputError, match="BERT"):
        quantize.choose_method("smooth", other)


@pytest.mark.parametrize("name", [name for name in quantize.METHODS if name not in ("float32", "block4")])
def test_8_bit_graphs_stay_close_to_float(model: MultiTaskEncoder, tmp_path: Path, name: str) -> None:
    ids, mask = random_texts(6, 15, seed=3)
    exact = _run(_write(model, tmp_path / "float.onnx", "float32"), ids, mask)
    rough = _run(_write(model, tmp_path / "int8.onnx", name), ids, mask)
    # Numbers of a random model; a trained one's loss is measured by the export itself.
    assert np.corrcoef(exact[0].ravel(), rough[0].ravel())[0, 1] > 0.97
    assert not np.array_equal(exact[0], rough[0])


@pytest.mark.parametrize("name", INDEPENDENT)
def test_neighbours_change_no_bit_of_a_text(model: MultiTaskEncoder, tmp_path: Path, name: str) -> None:
    session = _session(_write(model, tmp_path / "graph.onnx", name).read_bytes())
    multiple = int(session.get_modelmeta().custom_metadata_map[PAD_TO])
    ids, mask = random_texts(9, multiple, seed=5)
    feed = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
    together = session.run(list(OUTPUTS), feed)
    for row in range(len(ids)):
        alone = session.run(list(OUTPUTS), {key: value[row : row + 1] for key, value in feed.items()})
        for one, many in zip(alone, together, strict=True):
            np.testing.assert_array_equal(one[0], many[row])


def test_a_graph_whose_scales_depend_on_the_batch_does_not_say_otherwise(
    model: MultiTaskEncoder, tmp_path: Path
) -> None:
    session = _session(_write(model, tmp_path / "graph.onnx", "dynamic").read_bytes())
    assert PAD_TO not in session.get_modelmeta().custom_metadata_map


def test_writing_leaves_the_model_as_it_was(model: MultiTaskEncoder, tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    _write(model, tmp_path / "graph.onnx")
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_full_disk_leaves_no_graph(
    model: MultiTaskEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(NluModelError, match="No space left"):
        _write(model, tmp_path / "graph.onnx", "row")
    assert not list(tmp_path.iterdir())


def test_embedding_rows_have_their_own_scale() -> None:
    table = np.array([[0.001, -0.002], [100.0, 50.0], [0.0, 0.0]], dtype=np.float32)
    rows, scales = graph.int8_rows(table)
    assert rows.dtype == np.int8
    np.testing.assert_allclose(rows * scales, table, rtol=0.01)


def _product(linear: Any, read: Any, weight: Any, bias: Any) -> Any:
    built = graph.Graph()
    name = linear(built, "0.hidden", built.input("read", ("rows", read.shape[1]), 1), weight, bias)
    built.output(name, "found", ("rows", weight.shape[1]))
    return _session(built.model().SerializeToString()).run(["found"], {"read": read})[0]


def _naive_static(read: Any, weight: Any, bias: Any) -> Any:
    step, zero = linears.Scale(-2.0, 3.0).uint8()
    whole = np.clip(np.rint(read / step) + zero, 0, 255) - zero
    scales = np.abs(weight).max(axis=0) / 127
    return whole * step @ (np.rint(weight / scales) * scales) + bias


def _naive_row(read: Any, weight: Any, bias: Any) -> Any:
    largest = np.abs(read).max(axis=1, keepdims=True)
    whole = np.clip(np.rint(read / largest * 127), -128, 127) / 127 * largest
    scales = np.abs(weight).max(axis=0) / 127
    return whole @ (np.rint(weight / scales) * scales) + bias


@pytest.mark.parametrize(
    ("linear", "naive"),
    [
        (linears.float_linear, lambda read, weight, bias: read @ weight + bias),
        (linears.StaticLinear({"0.hidden": linears.Scale(-2.0, 3.0)}), _naive_static),
        (linears.StaticLinear({}), lambda read, weight, bias: read @ weight + bias),
        (linears.row_linear, _naive_row),
    ],
    ids=["float", "static", "static without a scale", "row"],
)
def test_products_are_those_of_a_naive_reference(linear: Any, naive: Callable[..., Any]) -> None:
    random = np.random.default_rng(0)
    read = random.normal(size=(7, 32)).astype(np.float32)
    weight = random.normal(size=(32, 48)).astype(np.float32)
    bias = random.normal(size=48).astype(np.float32)
    np.testing.assert_allclose(_product(linear, read, weight, bias), naive(read, weight, bias), atol=2e-4)


def test_smoothing_is_undone_by_the_weights() -> None:
    random = np.random.default_rng(0)
    factors = random.uniform(0.1, 10.0, size=32).astype(np.float32)
    read = (random.normal(size=(7, 32)) * factors).astype(np.float32)
    weight = random.normal(size=(32, 48)).astype(np.float32)
    bias = np.zeros(48, dtype=np.float32)
    scale = linears.Scale(-4.0, 4.0, factors)
    found = _product(linears.StaticLinear({"0.hidden": scale}), read, weight, bias)
    exact = read @ weight
    assert np.abs(found - exact).max() < 0.02 * np.abs(exact).max()


@pytest.mark.parametrize(("bits", "block", "inputs"), [(8, 32, 64), (4, 32, 64), (8, 32, 40), (4, 16, 24)])
def test_blocks_are_near_what_they_stand_for(bits: int, block: int, inputs: int) -> None:
    weight = np.random.default_rng(0).normal(size=(inputs, 16)).astype(np.float32)
    integers, scales = linears.block_columns(weight, bits, block)
    middle = 1 << (bits - 1)
    if bits == 4:
        integers = np.stack([integers & 15, integers >> 4], axis=-1).reshape(*integers.shape[:2], -1)
    steps = scales.reshape(16, -1, 1)
    back = ((integers.astype(np.float32) - middle) * steps).reshape(16, -1)[:, :inputs].T
    assert (np.abs(back - weight) <= np.abs(steps).max() * 1.01).all()
    read = np.eye(inputs, dtype=np.float32)
    found = _product(linears.BlockLinear(bits, block), read, weight, np.zeros(16, dtype=np.float32))
    np.testing.assert_allclose(found, back, atol=np.abs(back).max() / 100)
