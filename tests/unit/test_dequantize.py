"""A torch model rebuilt from a graph reads as the graph does, whatever the graph's form."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import onnx  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from nlu_models.emotion import dequantize, graph, linears, quantize  # noqa: E402
from nlu_models.emotion.onnx_constants import Constants, dequantized, unpacked  # noqa: E402
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder  # noqa: E402
from nlu_models.errors import WeightError  # noqa: E402
from nlu_models.reader import DEFAULT_WEIGHTS  # noqa: E402
from tests.unit.tiny_bases import WORDS, make_base  # noqa: E402
from tests.unit.tiny_weights import make_weights  # noqa: E402

ROWS = [[2, 5, 6, 7, 8, 3], [2, 9, 3], [2, 10, 11, 12, 13, 14, 15, 16, 3]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> MultiTaskEncoder:
    """A random encoder whose layers differ enough for a swapped weight to show."""
    base = make_base(tmp_path_factory.mktemp("base"))
    torch.manual_seed(3)
    made = MultiTaskEncoder(EncoderConfig(base=str(base), n_labels=5)).eval()
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return made


def logits_of(model: MultiTaskEncoder) -> np.ndarray:
    with torch.no_grad():
        rows = [torch.tensor([row]) for row in ROWS]
        return np.stack([model(row, torch.ones_like(row)).emotion[0].numpy() for row in rows])


def test_a_float_graph_gives_back_the_very_model(model: MultiTaskEncoder, tmp_path: Path) -> None:
    path = tmp_path / "float.onnx"
    onnx.save(graph.write_bert(model, linears.float_linear, graph.Form(24, int8_words=False)), str(path))
    rebuilt = dequantize.rebuild(Constants(path))
    served, ours = dequantize.both_logits(rebuilt, path, ROWS)
    np.testing.assert_allclose(ours, served, atol=1e-3)
    np.testing.assert_allclose(ours, logits_of(model), atol=0.02)  # GELU's two forms differ a little


@pytest.mark.parametrize("name", ["dynamic", "row", "static", "smooth", "block8", "block4"])
def test_a_quantised_graph_is_read_back(model: MultiTaskEncoder, tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.onnx"
    method = quantize.choose_method(name, model)
    quantize.write_graph(model, path, method, 24, ROWS * 20 if method.needs_texts else ())
    served, ours = dequantize.both_logits(dequantize.rebuild(Constants(path)), path, ROWS)
    # What is left is the rounding of activations, which the rebuilt model doesn't have.
    assert np.corrcoef(served.ravel(), ours.ravel())[0, 1] > 0.99
    assert np.abs(served - ours).mean() < 0.15 * served.std()


def test_a_graph_of_torchs_own_exporter_is_read_back(model: MultiTaskEncoder, tmp_path: Path) -> None:
    from nlu_models.emotion.traced import traced_graph

    for is_int8 in (False, True):
        path = tmp_path / f"traced-{is_int8}.onnx"
        onnx.save(traced_graph(model, is_int8), str(path))
        served, ours = dequantize.both_logits(dequantize.rebuild(Constants(path)), path, ROWS)
        assert np.corrcoef(served.ravel(), ours.ravel())[0, 1] > 0.99


def test_pruned_layers_come_back_pruned(model: MultiTaskEncoder, tmp_path: Path) -> None:
    import copy

    from nlu_models.emotion.shapes import resize_attention, resize_hidden

    pruned = copy.deepcopy(model)
    resize_attention(pruned.encoder.encoder.layer[1], 16)
    resize_hidden(pruned.encoder.encoder.layer[0], 40)
    path = tmp_path / "pruned.onnx"
    quantize.write_graph(pruned, path, quantize.choose_method("float32", pruned), 24)
    rebuilt = dequantize.rebuild(Constants(path))
    served, ours = dequantize.both_logits(rebuilt, path, ROWS)
    np.testing.assert_allclose(ours, served, atol=1e-3)
    assert rebuilt.encoder.encoder.layer[1].attention.self.num_attention_heads == 2
    assert rebuilt.encoder.encoder.layer[0].intermediate.dense.out_features == 40


def test_the_shipped_weight_reads_alike_in_torch() -> None:
    """The figures of docs/training.md are of 200 texts; these few keep them honest."""
    from tokenizers import Tokenizer

    rebuilt = dequantize.load_weights(DEFAULT_WEIGHTS)
    tokenizer = Tokenizer.from_file(str(DEFAULT_WEIGHTS / "tokenizer.json"))
    tokenizer.no_padding()
    texts = [
        "Thank you so much, that helped.", "I can't believe they cancelled it!", "where is the station?",
        "I miss her every single day.", "that's disgusting", "I'm so proud of my little brother",
    ]  # fmt: skip
    rows = [tokenizer.encode(text).ids for text in texts]
    served, ours = dequantize.both_logits(rebuilt, DEFAULT_WEIGHTS / "model.onnx", rows)
    assert np.corrcoef(served.ravel(), ours.ravel())[0, 1] > 0.99
    assert np.abs(served - ours).max() < 1.0
    assert (served.argmax(axis=1) == ours.argmax(axis=1)).all()


def test_a_graph_of_another_kind_is_refused_with_the_way_out(tmp_path: Path) -> None:
    weights = make_weights(tmp_path / "tiny")
    with pytest.raises(WeightError, match=r"not the graph of a BERT encoder.*--run"):
        dequantize.load_weights(weights)


@pytest.mark.parametrize("content", [b"", b"no graph", None])
def test_a_damaged_graph_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(
        (DEFAULT_WEIGHTS / "model.onnx").read_bytes()[:1_000_000] if content is None else content
    )
    with pytest.raises(WeightError, match=r"model\.onnx"):
        dequantize.rebuild(Constants(path))


def test_a_missing_graph_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightError, match=r"model\.onnx is missing"):
        Constants(tmp_path / "model.onnx")


def test_a_graph_that_reads_differently_from_its_constants_is_refused(
    model: MultiTaskEncoder, tmp_path: Path
) -> None:
    weights = make_weights(tmp_path / "odd")
    made = graph.write_bert(_with_labels(model, 28), linears.float_linear, graph.Form(24))
    # One layer's activation is another than the others', which the constants don't show.
    changed = next(node for node in made.graph.node if node.op_type == "FastGelu")
    changed.op_type, changed.domain = "Neg", ""
    onnx.save(made, str(weights / "model.onnx"))
    with pytest.raises(WeightError, match="reads differently"):
        dequantize.load_weights(weights)


def _with_labels(model: MultiTaskEncoder, count: int) -> MultiTaskEncoder:
    made = MultiTaskEncoder(EncoderConfig(base=model.config.base, n_labels=count))
    state = {name: value for name, value in model.state_dict().items() if not name.startswith("emotion.")}
    made.load_state({**state, **{f"emotion.{k}": v for k, v in made.emotion.state_dict().items()}})
    return made.eval()


def _graph(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], path: Path) -> Constants:
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    made = helper.make_graph(nodes, "tiny", info[:1], info[1:], initializers)
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)]), str(path))
    return Constants(path)


def test_a_product_of_integers_is_scaled_by_what_follows(tmp_path: Path) -> None:
    weight = np.array([[130, 120], [128, 138]], dtype=np.uint8)
    scale = np.array([0.5, 0.25], dtype=np.float32)
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "w", "z", "wz"], ["p"]),
        helper.make_node("Cast", ["p"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["s", "ws"], ["both"]),
        helper.make_node("Mul", ["f", "both"], ["y"]),
    ]
    constants = {"w": weight, "wz": np.array([128, 128], dtype=np.uint8), "ws": scale}
    found = _graph(nodes, constants, tmp_path / "g.onnx").product("y")
    np.testing.assert_allclose(found, [[1.0, -2.0], [0.0, 2.5]])


def test_a_dequantised_weight_is_read_with_its_axis(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["d"], axis=1),
        helper.make_node("Transpose", ["d"], ["t"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "t"], ["y"]),
    ]
    constants = {
        "w": np.array([[1, 2], [3, 4]], dtype=np.int8), "s": np.array([1.0, 10.0], dtype=np.float32),
        "z": np.array([0, 1], dtype=np.int8),
    }  # fmt: skip
    found = _graph(nodes, constants, tmp_path / "g.onnx").product("y")
    np.testing.assert_allclose(found, [[1.0, 3.0], [10.0, 30.0]])


def test_an_unknown_product_is_an_error_and_not_a_guess(tmp_path: Path) -> None:
    nodes = [helper.make_node("MatMulFpQ4", ["x", "w"], ["y"], domain="com.microsoft", name="odd")]
    found = _graph(nodes, {"w": np.zeros((2, 2), dtype=np.float32)}, tmp_path / "g.onnx")
    with pytest.raises(WeightError, match=r"'odd' \(MatMulFpQ4\).*--run"):
        found.product("y")


def test_packed_numbers_come_out_lowest_bits_first() -> None:
    packed = np.array([[0x21, 0x43]], dtype=np.uint8)
    assert unpacked(packed, 4).tolist() == [[1.0, 2.0, 3.0, 4.0]]
    assert unpacked(np.array([0b11100100], dtype=np.uint8), 2).tolist() == [0.0, 1.0, 2.0, 3.0]


def test_integers_stand_for_what_their_scale_and_zero_say() -> None:
    stored = np.array([[0, 255], [128, 130]], dtype=np.uint8)
    one = dequantized(stored, np.array([0.5]), np.array([128]), 1)
    rows = dequantized(stored, np.array([1.0, 2.0]), np.array([0, 128]), 0)
    np.testing.assert_allclose(one, [[-64.0, 63.5], [0.0, 1.0]])
    np.testing.assert_allclose(rows, [[0.0, 255.0], [0.0, 4.0]])


def test_reading_constants_needs_no_torch(tmp_path: Path) -> None:
    code = "import sys, nlu_models.emotion.onnx_constants; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "False"
    assert WORDS
