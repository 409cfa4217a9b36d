"""Rebuilds the torch model of a weight folder from its ONNX graph, for what needs gradients.

A graph is quantised and fused, but what it adds keeps its name: biases and layer norms. So each linear layer
is found from its bias: back from the node that adds it to the product, whose integers, scales and zero
points give the matrix (`onnx_constants`). The rebuilt model rounds its weights as the graph does, but not
its activations: it is the graph without the noise of quantised activations.

Two ways of naming are known: that of a traced graph, which has torch's own names, and that of `graph`, which
numbers its products by layer and site.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from nlu_models.emotion.onnx_constants import Array, Constants, Floats
from nlu_models.emotion.weights import MODEL_FILE, WeightConfig
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder
from nlu_models.errors import WeightError

ANCHOR = "encoder.embeddings.LayerNorm.weight"  # every BERT graph has it; what precedes is the prefix
EMBEDDINGS = "encoder.embeddings."
NORMS = ("attention.output.LayerNorm", "output.LayerNorm")
# A layer's linear layers: torch's name, the site that `graph` gives it, and which third of it.
SITES = (
    ("attention.self.query", "qkv", 0), ("attention.self.key", "qkv", 1), ("attention.self.value", "qkv", 2),
    ("attention.output.dense", "mixed", None), ("intermediate.dense", "hidden", None),
    ("output.dense", "wide", None),
)  # fmt: skip
HEADS = ("emotion", "vad", "embedding", "risk")
ATTENTION_NODES = ("Attention", "QAttention", "MultiHeadAttention")
PROBE_SHAPE = (2, 12)  # texts of random tokens that both models read
LEAST_AGREEMENT = 0.95  # Pearson's r of the emotion logits over the probe; below, the rebuilding failed
INSTEAD = "use the run that the weight was exported from (--run)"


def load_weights(weights: Path, *, check: bool = True) -> MultiTaskEncoder:
    """The torch model that a weight folder's graph stands for, in eval mode.

    Args:
        weights: a weight folder.
        check: whether to read one text with both and refuse a model that reads it differently.

    Raises:
        WeightError: the folder is incomplete, or its graph is of a form that can't be turned back.
    """
    config = WeightConfig.load(weights)
    model = rebuild(Constants(weights / MODEL_FILE))
    if model.config.n_labels != len(config.labels):
        raise WeightError(
            f"{weights} names {len(config.labels)} labels, but its graph has {model.config.n_labels}"
        )
    if check:
        size = model.encoder.get_input_embeddings().weight.shape[0]
        probe = np.random.default_rng(0).integers(0, size, PROBE_SHAPE)
        served, ours = both_logits(
            model, weights / MODEL_FILE, [[int(token) for token in row] for row in probe]
        )
        agreement = float(np.corrcoef(served.ravel(), ours.ravel())[0, 1])
        if not agreement >= LEAST_AGREEMENT:
            raise WeightError(
                f"the model rebuilt from {weights / MODEL_FILE} reads differently (r = {agreement:.2f}); "
                f"{INSTEAD}"
            )
    return model


@torch.no_grad()  # type: ignore[untyped-decorator]
def both_logits(model: MultiTaskEncoder, graph: Path, rows: Sequence[Sequence[int]]) -> tuple[Floats, Floats]:
    """Emotion logits of a graph as onnxruntime runs it, and of a torch model: each (texts, labels).

    Args:
        model: in eval mode.
        graph: an ONNX file.
        rows: token ids of each text, each of which is a pass of its own.

    Raises:
        WeightError: the graph can't be run.
    """
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no public base class
        raise WeightError(f"{graph} can't be loaded: {str(error).splitlines()[0]}") from error
    served, ours = [], []
    for row in rows:
        ids = np.array([row], dtype=np.int64)
        served.append(session.run(["emotion"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0][0])
        tokens = torch.from_numpy(ids)
        ours.append(model(tokens, torch.ones_like(tokens)).emotion[0].numpy())
    return np.stack(served), np.stack(ours)


def rebuild(constants: Constants) -> MultiTaskEncoder:
    """The torch model of a BERT encoder's graph.

    Raises:
        WeightError: the graph isn't one that this project writes, or uses forms that can't be turned back.
    """
    prefix = _prefix(constants)
    state = _embeddings(constants, prefix)
    n_layers = _count_layers(constants, prefix)
    for number in range(n_layers):
        state |= _layer(constants, prefix, number)
    for head in HEADS:
        if head != "risk" or f"{prefix}risk.bias" in constants.names:
            state |= _linear(constants, head, f"{prefix}{head}.bias")
    words = state[f"{EMBEDDINGS}word_embeddings.weight"]
    heads = _attention_heads(constants, prefix, n_layers)
    first = int(state["encoder.encoder.layer.0.attention.self.query.bias"].shape[0])
    bert = BertConfig(
        vocab_size=words.shape[0],
        hidden_size=words.shape[1],
        num_hidden_layers=n_layers,
        num_attention_heads=heads[0] * words.shape[1] // first,
        intermediate_size=state["encoder.encoder.layer.0.intermediate.dense.bias"].shape[0],
        max_position_embeddings=state[f"{EMBEDDINGS}position_embeddings.weight"].shape[0],
        type_vocab_size=state[f"{EMBEDDINGS}token_type_embeddings.weight"].shape[0],
        hidden_act=_activation(constants),
        layer_norm_eps=_epsilon(constants),
    )
    widths = {name: state[f"{name}.bias"].shape[0] for name in HEADS if f"{name}.bias" in state}
    config = EncoderConfig(
        base="", n_labels=widths["emotion"], n_vad=widths["vad"], n_risk=widths.get("risk", 1)
    )
    model = MultiTaskEncoder(config, BertModel(bert, add_pooling_layer=False))
    _resize(model, state, heads)
    try:
        model.load_state(state)
    except RuntimeError as error:
        raise WeightError(f"{constants.path} is not the graph of a BERT encoder: {error}") from error
    model.eval()
    return model


def _prefix(constants: Constants) -> str:
    found = [name for name in constants.names if name.endswith(ANCHOR)]
    if not found:
        raise WeightError(
            f"{constants.path} is not the graph of a BERT encoder written by `attune emotion export` (it has "
            f"no {ANCHOR}); {INSTEAD}"
        )
    return found[0].removesuffix(ANCHOR)


def _count_layers(constants: Constants, prefix: str) -> int:
    start = f"{prefix}encoder.encoder.layer."
    numbers = [name.removeprefix(start).split(".")[0] for name in constants.names if name.startswith(start)]
    if not numbers:
        raise WeightError(f"{constants.path} has no transformer layers under the names of BERT's; {INSTEAD}")
    return 1 + max(int(number) for number in numbers)


def _embeddings(constants: Constants, prefix: str) -> dict[str, Tensor]:
    """The three tables and the layer norm after them."""
    state = {
        f"{EMBEDDINGS}LayerNorm.{part}": _float(constants, f"{prefix}{EMBEDDINGS}LayerNorm.{part}")
        for part in ("weight", "bias")
    }
    width = int(state[f"{EMBEDDINGS}LayerNorm.bias"].shape[0])
    positions, kinds = f"{EMBEDDINGS}position_embeddings.weight", f"{EMBEDDINGS}token_type_embeddings.weight"
    if "positions" in constants.names:  # of `graph`: the only kind of token is added to each position
        state[positions] = _float(constants, "positions")
        state[kinds] = torch.zeros(1, width)
    else:
        state[positions] = _float(constants, f"{prefix}{positions}")
        state[kinds] = _float(constants, f"{prefix}{kinds}")
    state[f"{EMBEDDINGS}word_embeddings.weight"] = _tensor(_words(constants, width))
    return state


def _words(constants: Constants, width: int) -> Array:
    table = constants.word_embeddings()
    if table is None or table.shape[1] != width:
        raise WeightError(
            f"{constants.path}: no table of word embeddings (rows of {width}) was found; {INSTEAD}"
        )
    return table


def _layer(constants: Constants, prefix: str, number: int) -> dict[str, Tensor]:
    layer = f"encoder.encoder.layer.{number}."
    state = {
        f"{layer}{norm}.{part}": _float(constants, f"{prefix}{layer}{norm}.{part}")
        for norm in NORMS
        for part in ("weight", "bias")
    }
    packed = [node for node in constants.nodes if node.op_type in ("Attention", "QAttention")]
    for linear, site, third in SITES:
        name = f"{layer}{linear}"
        if f"{prefix}{name}.bias" in constants.names:
            state |= _linear(constants, name, f"{prefix}{name}.bias")
        elif f"{number}.{site}.bias" in constants.names:
            state |= _linear(constants, name, f"{number}.{site}.bias", third)
        elif third is not None and number < len(packed):
            matrix, bias = constants.weight(packed[number]), constants.value(packed[number].input[2])
            if matrix is None or bias is None:
                raise constants.unknown(packed[number], "its weight or bias is no constant")
            state |= _parts(name, matrix, bias, third)
        else:
            raise WeightError(f"{constants.path}: the bias of {name} was not found; {INSTEAD}")
    return state


def _linear(constants: Constants, name: str, bias_name: str, third: int | None = None) -> dict[str, Tensor]:
    """Weight (out, in) and bias of the linear layer that torch calls `name`.

    Args:
        constants: of the graph.
        name: torch's.
        bias_name: the graph's.
        third: which, of a layer that is the third part of a wider one.
    """
    bias = _float(constants, bias_name).numpy()
    for node in _readers_of(constants, bias_name):
        inputs = [place for place in node.input if place and place not in constants.names]
        candidates = [constants.weight(node), *(constants.product(place) for place in inputs)]
        for matrix in candidates:
            if matrix is not None and matrix.shape[1] == bias.shape[0]:
                return _parts(name, matrix, bias, third)
    raise WeightError(
        f"{constants.path}: no constant of {bias.shape[0]} columns is multiplied with before {bias_name} is "
        f"added; {INSTEAD}"
    )


def _parts(name: str, matrix: Array, bias: Array, third: int | None) -> dict[str, Tensor]:
    if third is not None:
        if len(bias) % 3:
            raise WeightError(f"{name} should be a third of {len(bias)} columns; {INSTEAD}")
        matrix, bias = np.split(matrix, 3, axis=1)[third], np.split(bias, 3)[third]
    return {f"{name}.weight": _tensor(matrix.T), f"{name}.bias": _tensor(bias)}


def _attention_heads(constants: Constants, prefix: str, n_layers: int) -> list[int]:
    """The number of attention heads of each layer."""
    nodes = [node for node in constants.nodes if node.op_type in ATTENTION_NODES]
    if nodes:
        if len(nodes) != n_layers:
            raise WeightError(
                f"{constants.path} has {n_layers} layers but {len(nodes)} attention nodes (were all heads of "
                f"a layer pruned?); {INSTEAD}"
            )
        return [int(constants.attributes(node)["num_heads"]) for node in nodes]
    return [_split_heads(constants, prefix, number) for number in range(n_layers)]


def _split_heads(constants: Constants, prefix: str, number: int) -> int:
    """Of a spelled-out attention: how many heads the query is reshaped to."""
    names = [f"{prefix}encoder.encoder.layer.{number}.attention.self.query.bias"]
    width = int(_float(constants, names[0]).shape[0])
    for _ in range(6):  # forward from the bias to the reshaping that splits the heads
        nodes = [node for name in names for node in constants.users(name)]
        for node in nodes:
            sizes = _sizes(constants, node) if node.op_type == "Reshape" else []
            if len(sizes) == 4 and (sizes[2] > 0 or sizes[3] > 0):
                return sizes[2] if sizes[2] > 0 else width // sizes[3]
        names = [name for node in nodes for name in node.output]
    raise WeightError(f"{constants.path}: the attention heads of layer {number} were not found; {INSTEAD}")


def _sizes(constants: Constants, node: Any) -> list[int]:
    """The sizes that a node reshapes to; 0 or less for those that depend on the input."""
    shape = constants.value(node.input[1])
    if shape is not None:
        return [int(size) for size in shape]
    maker = constants.maker(node.input[1])
    if maker is None or maker.op_type != "Concat":
        return []
    parts = [constants.value(name) for name in maker.input]
    return [0 if part is None else int(part.ravel()[0]) for part in parts]


def _activation(constants: Constants) -> str:
    kinds = {node.op_type for node in constants.nodes}
    rough = [node for node in constants.nodes if node.op_type == "Gelu"]
    if "FastGelu" in kinds or any(constants.attributes(node).get("approximate") == b"tanh" for node in rough):
        return "gelu_pytorch_tanh"
    if kinds & {"BiasGelu", "Gelu", "Erf"}:
        return "gelu"
    if "Relu" in kinds:
        return "relu"
    raise WeightError(f"{constants.path}: the activation of the wide layers is none of GELU and ReLU")


def _epsilon(constants: Constants) -> float:
    """Of the first layer norm that names it."""
    for node in constants.nodes:
        given = constants.attributes(node)
        if "LayerNorm" in node.op_type and "epsilon" in given:
            return float(given["epsilon"])
    return 1e-12


def _resize(model: MultiTaskEncoder, state: dict[str, Tensor], heads: list[int]) -> None:
    """Makes room for layers that were pruned to widths of their own."""
    for name, module in list(model.named_modules()):
        wanted = state.get(f"{name}.weight")
        if isinstance(module, nn.Linear) and wanted is not None and wanted.shape != module.weight.shape:
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, nn.Linear(wanted.shape[1], wanted.shape[0]))
    encoder: Any = model.encoder
    for layer, count in zip(encoder.encoder.layer, heads, strict=True):
        attention = layer.attention.self
        attention.num_attention_heads = count
        attention.all_head_size = attention.query.out_features
        attention.attention_head_size = attention.all_head_size // count


def _readers_of(constants: Constants, name: str) -> list[Any]:
    """The nodes that read a constant, also after it was dequantised or cast."""
    found = []
    for node in constants.users(name):
        passed = node.op_type in ("DequantizeLinear", "Cast", "Identity")
        found += _readers_of(constants, node.output[0]) if passed else [node]
    return found


def _float(constants: Constants, name: str) -> Tensor:
    """A constant by its name, also where it is stored in half precision or as integers."""
    stored = constants.value(name)
    if stored is None:
        raise WeightError(f"{constants.path}: {name} was not found; is it the graph of a BERT encoder?")
    if not np.issubdtype(stored.dtype, np.floating):
        made = [constants.value(node.output[0]) for node in constants.users(name)]
        floats = [value for value in made if value is not None and np.issubdtype(value.dtype, np.floating)]
        if not floats:
            raise WeightError(f"{constants.path}: {name} is stored as {stored.dtype} without a scale")
        stored = floats[0]
    return _tensor(stored)


def _tensor(values: Array) -> Tensor:
    return torch.tensor(np.asarray(values, dtype=np.float32))
