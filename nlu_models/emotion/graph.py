"""Writes a BERT-like encoder and its heads as an ONNX graph, node by node, for the speed of it.

A tracing exporter spells out what onnxruntime has one node for, and computes padding like real tokens. Here
every token of a batch stands in one long list without padding while the matrix products run, and the texts
are laid side by side, padded, for attention and pooling alone. How a matrix product is done (in float32, in
8 bits, by which scales) is a `Linear`'s affair: see `nlu_models.emotion.linears`.

Inputs: `input_ids`, `attention_mask`, both (batch, tokens) int64. Outputs: those of
`nlu_models.emotion.infer.OUTPUTS`. Nothing in the graph mixes texts, and wherever a sum's order could depend
on the neighbours it is fixed by the padded length, so that a text's numbers are the same in every batch that
is padded to the same length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Floats = NDArray[np.float32]

OPSET = 17
IR_VERSION = 8
FUSED = "com.microsoft"  # the domain of onnxruntime's fused nodes
MASKED = -10_000.0  # takes the place of attention scores of padding
INT8_MAX = 127.0
PAD_MULTIPLE = 16  # texts in one pass are padded to a multiple of this
# What a layer's four matrix products read: "qkv", "mixed" (after attention), "hidden", "wide" (after the
# activation). A site is "<layer>.<one of these>".
ACTIVATIONS = {"gelu": "Gelu", "gelu_new": "FastGelu", "gelu_pytorch_tanh": "FastGelu"}
APPROXIMATED = {"Gelu": "FastGelu"}  # differs by 0.0005 at most and takes half the time


class Graph:
    """An ONNX graph under construction: nodes in order, constants stored once."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, shape: Sequence[str | int], kind: int = TensorProto.INT64) -> str:
        """Declares an input; returns its name."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, list(shape)))
        return name

    def output(self, value: str, name: str, shape: Sequence[str | int]) -> None:
        """Declares that `value` is the float32 output `name`."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name=f"output_{name}"))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Stores a constant under its name; returns the name."""
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def ints(self, *values: int) -> str:
        """A small list of integers as a constant (one value: a list of one)."""
        return self.constant("ints_" + "_".join(map(str, values)), np.array(values, dtype=np.int64))

    def add(self, kind: str, *inputs: str, fused: bool = False, **attributes: Any) -> str:
        """Adds a node with one output; returns the output's name."""
        return self.add_many(kind, *inputs, n_outputs=1, fused=fused, **attributes)[0]

    def add_many(
        self, kind: str, *inputs: str, n_outputs: int, fused: bool = False, **attributes: Any
    ) -> list[str]:
        """Adds a node with several outputs; returns their names."""
        name = f"{kind}_{len(self._nodes)}"
        names = [f"{name}:{index}" for index in range(n_outputs)]
        domain = FUSED if fused else ""
        self._nodes.append(
            helper.make_node(kind, list(inputs), names, name=name, domain=domain, **attributes)
        )
        return names

    def model(self) -> onnx.ModelProto:
        """The finished graph."""
        graph = helper.make_graph(
            self._nodes, "encoder", self._inputs, self._outputs, list(self._constants.values())
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


class Linear(Protocol):
    """How one kind of graph does a matrix product."""

    def __call__(self, graph: Graph, site: str, read: str, weight: Floats, bias: Floats) -> str:
        """Adds read @ weight + bias to the graph.

        Args:
            graph: to add to.
            site: which product, "<layer>.<site>".
            read: the name of what is read, (tokens, inputs) float32.
            weight: (inputs, outputs).
            bias: (outputs,).

        Returns:
            The name of the product, (tokens, outputs) float32.
        """
        ...


class _Layout:
    """Takes the tokens of a batch out of their padding, and lays them back."""

    def __init__(self, graph: Graph, mask: str) -> None:
        self._graph = graph
        self.mask = graph.add("Cast", mask, to=TensorProto.INT32)
        self.shape = graph.add("Shape", mask)
        flat = graph.add("Reshape", mask, graph.ints(-1))
        self._kept = graph.add("Reshape", graph.add("NonZero", flat), graph.ints(-1))
        count = graph.add("CumSum", flat, graph.ints(0))
        # Padding is filled with any real token: attention and pooling don't look at it.
        self._place = graph.add("Max", graph.add("Sub", count, graph.ints(1)), graph.ints(0))
        tokens = graph.add("Gather", self.shape, graph.ints(1))
        self.columns = graph.add("Mod", self._kept, tokens)
        self._rows = graph.add("Concat", self.shape, graph.ints(-1), axis=0)

    def pack(self, padded: str, width: int) -> str:
        """(batch, tokens, ...) without its padding: (all tokens, width)."""
        flat = self._graph.add("Reshape", padded, self._graph.ints(*((-1, width) if width else (-1,))))
        return self._graph.add("Gather", flat, self._kept)

    def unpack(self, packed: str) -> str:
        """(all tokens, width) laid back into (batch, tokens, width)."""
        return self._graph.add("Reshape", self._graph.add("Gather", packed, self._place), self._rows)


@dataclass(frozen=True)
class Form:
    """What a graph is to be like.

    Attributes:
        max_tokens: the longest text it is to read; only so many positions are stored.
        int8_words: store the word embeddings as int8.
        approximate: use the tanh form of GELU.
        observe: also output what each matrix product reads, named as the sites.
    """

    max_tokens: int
    int8_words: bool = True
    approximate: bool = True
    observe: bool = False


def is_bert(encoder: Any) -> bool:
    """Whether a transformer is one that `write_bert` can write."""
    config = encoder.config
    return (
        config.model_type == "bert"
        and getattr(config, "position_embedding_type", "absolute") in ("absolute", None)
        and not getattr(config, "is_decoder", False)
        and config.hidden_act in ACTIVATIONS
    )


def write_bert(model: Any, linear: Linear, form: Form) -> onnx.ModelProto:
    """The graph of a `MultiTaskEncoder` over a BERT.

    Layers may have different numbers of heads and of hidden units, as after pruning.

    Args:
        model: in eval mode.
        linear: does the matrix products of the layers; the heads are always float32.
        form: of the graph.
    """
    graph = Graph()
    ids = graph.input("input_ids", ("batch", "tokens"))
    layout = _Layout(graph, graph.input("attention_mask", ("batch", "tokens")))
    state = {name: value.detach().float().cpu().numpy() for name, value in model.state_dict().items()}
    epsilon = float(model.encoder.config.layer_norm_eps)
    hidden = _embed(graph, layout, ids, state, form, epsilon)
    kind = ACTIVATIONS[model.encoder.config.hidden_act]
    activation = APPROXIMATED.get(kind, kind) if form.approximate else kind
    seen: dict[str, str] = {}
    for number, layer in enumerate(model.encoder.encoder.layer):
        part = _Layer(graph, layout, linear, state, number, epsilon, activation, seen)
        hidden = part.add(hidden, int(layer.attention.self.num_attention_heads))
    _add_heads(graph, layout, hidden, state)
    if form.observe:
        for site, value in seen.items():
            graph.output(value, site, ("all_tokens", "width"))
    return graph.model()


def _embed(
    graph: Graph, layout: _Layout, ids: str, state: dict[str, Floats], form: Form, epsilon: float
) -> str:
    """Word rows plus positions, normalised: (all tokens, width)."""
    prefix = "encoder.embeddings."
    table = state[f"{prefix}word_embeddings.weight"]
    kept = layout.pack(ids, 0)
    if form.int8_words:
        rows, scales = int8_rows(table)
        words = graph.add("Gather", graph.constant("words", rows), kept)
        words = graph.add("Cast", words, to=TensorProto.FLOAT)
        words = graph.add("Mul", words, graph.add("Gather", graph.constant("word_scales", scales), kept))
    else:
        words = graph.add("Gather", graph.constant("words", table), kept)
    positions = state[f"{prefix}position_embeddings.weight"][: form.max_tokens]
    kinds = state.get(f"{prefix}token_type_embeddings.weight")
    if kinds is not None:
        positions = positions + kinds[0]
    places = graph.add("Gather", graph.constant("positions", positions), layout.columns)
    return _normalize(graph, state, f"{prefix}LayerNorm", words, places, epsilon)


class _Layer:
    """Adds one transformer layer."""

    def __init__(
        self,
        graph: Graph,
        layout: _Layout,
        linear: Linear,
        state: dict[str, Floats],
        number: int,
        epsilon: float,
        activation: str,
        seen: dict[str, str],
    ) -> None:
        self._graph, self._layout, self._linear, self._state = graph, layout, linear, state
        self._number, self._epsilon, self._activation, self._seen = number, epsilon, activation, seen
        self._prefix = f"encoder.encoder.layer.{number}."

    def add(self, hidden: str, heads: int) -> str:
        """(all tokens, width) in and out."""
        read = self._product("mixed", self._attend(hidden, heads), "attention.output.dense")
        hidden = _normalize(
            self._graph, self._state, f"{self._prefix}attention.output.LayerNorm", read, hidden, self._epsilon
        )
        wide = self._product("hidden", hidden, "intermediate.dense")
        wide = self._graph.add(self._activation, wide, fused=True)
        narrow = self._product("wide", wide, "output.dense")
        return _normalize(
            self._graph, self._state, f"{self._prefix}output.LayerNorm", narrow, hidden, self._epsilon
        )

    def _attend(self, hidden: str, heads: int) -> str:
        parts = [f"attention.self.{part}" for part in ("query", "key", "value")]
        together = self._layout.unpack(self._product("qkv", hidden, *parts))
        query, key, value = self._graph.add_many("Split", together, n_outputs=3, axis=2)
        mixed = self._graph.add(
            "MultiHeadAttention", query, key, value, "", self._layout.mask,
            fused=True, num_heads=heads, mask_filter_value=MASKED,
        )  # fmt: skip
        width = self._state[f"{self._prefix}{parts[2]}.weight"].shape[0]
        return self._layout.pack(mixed, width)

    def _product(self, site: str, read: str, *parts: str) -> str:
        """One matrix product with the weights of one or several parts side by side."""
        weights = [self._state[f"{self._prefix}{part}.weight"].T for part in parts]
        biases = [self._state[f"{self._prefix}{part}.bias"] for part in parts]
        name = f"{self._number}.{site}"
        self._seen[name] = read
        return self._linear(self._graph, name, read, np.concatenate(weights, axis=1), np.concatenate(biases))


def _add_heads(graph: Graph, layout: _Layout, hidden: str, state: dict[str, Floats]) -> None:
    """Mean pooling and the heads, as the graph's outputs."""
    mask = graph.add("Cast", layout.mask, to=TensorProto.FLOAT)
    # A product with the mask sums each text by itself; a sum over an axis goes another way for one text.
    total = graph.add("MatMul", graph.add("Unsqueeze", mask, graph.ints(1)), layout.unpack(hidden))
    count = graph.add("ReduceSum", mask, graph.ints(1), keepdims=1)
    pooled = graph.add("Div", graph.add("Squeeze", total, graph.ints(1)), count)
    # A matrix of one row is multiplied in another order than one of many, which shows in the last digit:
    # with a row of zeros below it there are always many.
    width = state["embedding.weight"].shape[1]
    zeros = graph.constant("zeros", np.zeros((1, width), dtype=np.float32))
    pooled = graph.add("Concat", pooled, zeros, axis=0)

    def head(name: str) -> tuple[str, int]:
        weight = graph.constant(f"{name}.weight", state[f"{name}.weight"].T)
        bias = graph.constant(f"{name}.bias", state[f"{name}.bias"])
        product = graph.add("Gemm", pooled, weight, bias)
        return graph.add("Slice", product, graph.ints(0), graph.ints(-1)), len(state[f"{name}.bias"])

    emotion, n_labels = head("emotion")
    graph.output(emotion, "emotion", ("batch", n_labels))
    vad, n_vad = head("vad")
    graph.output(graph.add("Tanh", vad), "vad", ("batch", n_vad))
    embedding, width = head("embedding")
    length = graph.add("ReduceL2", embedding, axes=[-1], keepdims=1)
    least = graph.constant("least", np.float32(1e-12).reshape(1))
    graph.output(graph.add("Div", embedding, graph.add("Max", length, least)), "embedding", ("batch", width))
    risk, n_risk = head("risk")
    graph.output(risk, "risk", ("batch", n_risk))


def _normalize(
    graph: Graph, state: dict[str, Floats], name: str, read: str, residual: str, epsilon: float
) -> str:
    """Layer norm of a sum."""
    gain = graph.constant(f"{name}.weight", state[f"{name}.weight"])
    shift = graph.constant(f"{name}.bias", state[f"{name}.bias"])
    return graph.add("SkipLayerNormalization", read, residual, gain, shift, fused=True, epsilon=epsilon)


def int8_rows(table: Floats) -> tuple[NDArray[np.int8], Floats]:
    """An embedding table as int8 rows, each with its own scale.

    One scale for all rows, as onnxruntime's own quantiser would have it, costs accuracy.

    Args:
        table: (tokens, width).

    Returns:
        Rows (tokens, width) and scales (tokens, 1): table is about rows * scales.
    """
    scales = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-8) / INT8_MAX
    return np.round(table / scales).astype(np.int8), scales.astype(np.float32)
