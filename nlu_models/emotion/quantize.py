"""Writes a trained encoder as an ONNX graph, in float32 or in one of several 8- and 4-bit forms.

A BERT's graph is written node by node (`graph`), any other encoder's by torch's exporter (`traced`). The word
embeddings are stored as int8 with one scale per token, the heads in float32; a `Method` says how the matrix
products between them are done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlu_models.emotion.graph import PAD_MULTIPLE, Form, Graph, Linear, is_bert, write_bert
from nlu_models.emotion.infer import PAD_TO
from nlu_models.emotion.linears import BlockLinear, StaticLinear, dynamic_linear, float_linear, row_linear
from nlu_models.emotion.ranges import find_scales, watch
from nlu_models.emotion.run_folder import UNREADABLE, load_torch
from nlu_models.emotion.shapes import fit_to_state
from nlu_models.emotion.whole_files import replacing
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder
from nlu_models.errors import InputError, WeightError

DEFAULT_METHOD = "smooth"
SMOOTH_ALPHA = 0.8  # of SmoothQuant; 0.7 to 0.9 are alike


@dataclass(frozen=True)
class Method:
    """A way of writing a graph.

    Attributes:
        name: as it is chosen.
        title: what it is, for tables.
        linear: how matrix products are done; None where that takes calibration.
        range: which kind of range calibration looks for.
        alpha: of SmoothQuant, 0 for none.
        is_independent: whether a text's numbers are the same whatever is in its batch.
    """

    name: str
    title: str
    linear: Linear | None = None
    range: str = ""
    alpha: float = 0.0
    is_independent: bool = True

    @property
    def needs_texts(self) -> bool:
        """Whether it has to see texts to find its scales."""
        return self.linear is None


METHODS = {
    method.name: method
    for method in (
        Method("float32", "float32", float_linear),
        Method("dynamic", "int8, a scale per pass", dynamic_linear, is_independent=False),
        Method("row", "int8, a scale per token", row_linear),
        Method("static", "int8, fixed scales, whole range", range="minmax"),
        Method("static-percentile", "int8, fixed scales, 99.99 %", range="percentile"),
        Method("static-mse", "int8, fixed scales, least error", range="mse"),
        Method("smooth", "int8, fixed scales, SmoothQuant", range="minmax", alpha=SMOOTH_ALPHA),
        # A token alone takes another way through these than several, and differs in the last digits.
        Method("block8", "8-bit blocks of 128", BlockLinear(8, 128), is_independent=False),
        Method("block4", "4-bit blocks of 32", BlockLinear(4, 32), is_independent=False),
    )
}
TRACED_METHODS = ("float32", "dynamic")  # for encoders that are no BERT


def load_checkpoint(run: Path) -> MultiTaskEncoder:
    """The model of a run folder, ready to infer; it may have been pruned.

    Raises:
        WeightError: `model.pt` is missing or not of this code.
    """
    path = run / "model.pt"
    saved = load_torch(path)
    try:
        model = MultiTaskEncoder(EncoderConfig(**saved["config"]))
        fit_to_state(model, saved["state"])
        model.load_state(saved["state"])
    except UNREADABLE as error:
        raise WeightError(f"{path} is not a checkpoint of this code: {error}") from error
    model.eval()
    return model


def choose_method(name: str | None, model: MultiTaskEncoder) -> Method:
    """The method of a name, or the best one that the model's encoder allows.

    Raises:
        InputError: there is no such method, or not for this encoder.
    """
    allowed = list(METHODS) if is_bert(model.encoder) else list(TRACED_METHODS)
    chosen = name or (DEFAULT_METHOD if DEFAULT_METHOD in allowed else "dynamic")
    if chosen not in METHODS:
        raise InputError(f"the method is {chosen!r}, expected one of {', '.join(METHODS)}")
    if chosen not in allowed:
        kind = model.encoder.config.model_type
        raise InputError(f"the method {chosen!r} is for BERT; a {kind} takes {' or '.join(allowed)}")
    return METHODS[chosen]


def write_graph(
    model: MultiTaskEncoder,
    path: Path,
    method: Method,
    max_tokens: int,
    token_ids: Sequence[Sequence[int]] = (),
) -> int:
    """Writes a graph, whole or not at all.

    Args:
        model: in eval mode; left as it is.
        path: of the graph.
        method: how; one that `choose_method` allows.
        max_tokens: the longest text the graph is to read.
        token_ids: training texts, for methods that need them.

    Returns:
        The file's size in bytes.

    Raises:
        DataError: the method needs texts and there are none.
        NluModelError: the file can't be written.
    """
    if not is_bert(model.encoder):
        from nlu_models.emotion.traced import traced_graph

        proto: Any = traced_graph(model, is_int8=method.name != "float32")
    else:
        is_float = method.name == "float32"
        form = Form(max_tokens, int8_words=not is_float, approximate=not is_float)
        linear = method.linear or _calibrated(model, method, max_tokens, token_ids)
        proto = write_bert(model, linear, form)
        if method.is_independent:
            entry = proto.metadata_props.add()
            entry.key, entry.value = PAD_TO, str(PAD_MULTIPLE)
    content = proto.SerializeToString()
    with replacing(path) as target:
        target.write(content)
    return len(content)


def _calibrated(
    model: MultiTaskEncoder, method: Method, max_tokens: int, token_ids: Sequence[Sequence[int]]
) -> StaticLinear:
    weights: dict[str, Any] = {}

    def note(graph: Graph, site: str, read: str, weight: Any, bias: Any) -> str:
        weights[site] = weight
        return float_linear(graph, site, read, weight, bias)

    watched = watch(write_bert(model, note, Form(max_tokens, observe=True)), token_ids)
    return StaticLinear(find_scales(watched, weights, method.range, method.alpha))
