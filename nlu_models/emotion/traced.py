"""Writes any encoder as an ONNX graph with torch's exporter: slower graphs than `graph`'s, for any model."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from nlu_models.emotion.graph import INT8_MAX, OPSET
from nlu_models.emotion.infer import OUTPUTS
from nlu_models.encoder import MultiTaskEncoder
from nlu_models.errors import WeightError

FLOAT_TENSOR = 1  # onnx.TensorProto.FLOAT: fused nodes are beyond onnx's own type inference
INPUTS = ("input_ids", "attention_mask")


class Int8Embedding(nn.Module):  # type: ignore[misc]
    """An embedding table as int8 rows, each with its own scale.

    Args:
        table: (tokens, width) float32.
    """

    rows: Tensor
    scales: Tensor

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        scales = table.abs().amax(dim=1, keepdim=True).clamp(min=1e-8) / INT8_MAX
        self.register_buffer("rows", torch.round(table / scales).to(torch.int8))
        self.register_buffer("scales", scales)

    def forward(self, ids: Tensor) -> Tensor:
        """The rows of `ids`: (..., width) float32."""
        rows: Tensor = self.rows[ids].to(torch.float32) * self.scales[ids]
        return rows


def traced_graph(model: MultiTaskEncoder, is_int8: bool) -> onnx.ModelProto:
    """The graph of an encoder of any kind; its int8 form scales activations by the pass they are in.

    Args:
        model: in eval mode; left as it is.
        is_int8: quantise the matrix products of the encoder and the word embeddings.

    Raises:
        WeightError: torch's exporter doesn't know what the encoder does.
    """
    encoder: Any = model.encoder
    words = encoder.get_input_embeddings()
    attention = encoder.config._attn_implementation
    encoder.set_attn_implementation("eager")
    if is_int8:
        encoder.set_input_embeddings(Int8Embedding(words.weight.detach()))
    try:
        with tempfile.TemporaryDirectory() as folder, _quiet():
            path = Path(folder) / "graph.onnx"
            _export(model, path)
            if is_int8:
                _quantize(path)
            return onnx.load(str(path))
    finally:
        encoder.set_input_embeddings(words)
        encoder.set_attn_implementation(attention)


def _export(model: MultiTaskEncoder, path: Path) -> None:
    ids = torch.ones((2, 9), dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    axes: dict[str, dict[int, str]] = {name: {0: "batch", 1: "tokens"} for name in INPUTS}
    axes |= {name: {0: "batch"} for name in OUTPUTS}
    try:
        with torch.no_grad():
            torch.onnx.export(
                model,
                (ids, mask),
                str(path),
                input_names=list(INPUTS),
                output_names=list(OUTPUTS),
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,  # the newer exporter needs onnxscript
            )
    except (RuntimeError, ValueError, TypeError) as error:
        kind = model.encoder.config.model_type
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightError(f"torch can't export a {kind} encoder: {reason}") from error


def _quantize(path: Path) -> None:
    """Quantises a graph's matrix products in place, but for the heads'."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(str(path), str(path), skip_symbolic_shape=True)
    graph = onnx.load(str(path)).graph
    # The heads read one row per text: int8 saves nothing there.
    kept = [node.name for node in graph.node if node.op_type == "Gemm"]
    quantize_dynamic(
        str(path),
        str(path),
        op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=kept + [f"{name}_MatMul" for name in kept],  # it splits each in two
        extra_options={"MatMulConstBOnly": True, "DefaultTensorType": FLOAT_TENSOR},
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporters' notes about their own internals off the terminal."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
