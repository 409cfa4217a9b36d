"""Writes a trained encoder as an int8 ONNX graph of under 30 MB.

The word embeddings are stored as int8 with one scale per token (one scale for all 30,522 rows, which is
what onnxruntime's own quantiser would use, costs accuracy); every matrix product is quantised by
onnxruntime, weights per output channel and activations per batch as they come.
"""

from __future__ import annotations

import logging
import math
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from nlu_models.emotion.infer import OUTPUTS
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder
from nlu_models.errors import WeightError

OPSET = 17
MASKED = -10000.0  # added to attention scores of padding
INT8_MAX = 127.0
FLOAT_TENSOR = 1  # onnx.TensorProto.FLOAT: fused nodes are beyond onnx's own type inference


@dataclass(frozen=True)
class Quantization:
    """How the matrix products are quantised.

    Attributes:
        per_channel: one scale per output channel instead of one per matrix.
        reduce_range: 7 bits instead of 8, for processors whose 16-bit sums would saturate.
        unsigned_weights: uint8 weights instead of int8. Measured here to lose nothing against float32 (int8
            lost 0.002 macro-F1), and exact on processors without VNNI, where int8 sums saturate.
        keep_heads: leave the three heads in float.
    """

    per_channel: bool = True
    reduce_range: bool = False
    unsigned_weights: bool = True
    keep_heads: bool = True


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


class Exported(nn.Module):  # type: ignore[misc]
    """The encoder as it is exported: an additive mask, and the heads named in `OUTPUTS`."""

    def __init__(self, model: MultiTaskEncoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Emotion logits (batch, labels), axes (batch, 3), embeddings (batch, width)."""
        encoder: Any = self.model.encoder
        added = (1.0 - attention_mask.unsqueeze(1).unsqueeze(2).to(torch.float32)) * MASKED
        hidden = encoder.embeddings(input_ids=input_ids)
        for layer in encoder.encoder.layer:
            attention, heads = layer.attention, encoder.config.num_attention_heads
            mixed = _attend(attention.self, heads, hidden, added)
            hidden = attention.output.LayerNorm(attention.output.dense(mixed) + hidden)
            wide = layer.intermediate.intermediate_act_fn(layer.intermediate.dense(hidden))
            hidden = layer.output.LayerNorm(layer.output.dense(wide) + hidden)
        kept = attention_mask.to(torch.float32).unsqueeze(-1)
        pooled = (hidden * kept).sum(dim=1) / kept.sum(dim=1)
        embedding = self.model.embedding(pooled)
        length = embedding.square().sum(dim=-1, keepdim=True).clamp(min=1e-24).sqrt()
        return self.model.emotion(pooled), torch.tanh(self.model.vad(pooled)), embedding / length


def load_checkpoint(run: Path) -> MultiTaskEncoder:
    """The model of a run folder, ready to infer.

    Raises:
        WeightError: `model.pt` is missing or not of this code.
    """
    path = run / "model.pt"
    if not path.is_file():
        raise WeightError(f"{path} is missing; nlu_models.emotion.train writes it")
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        model = MultiTaskEncoder(EncoderConfig(**saved["config"]))
        model.load_state(saved["state"])
    except (RuntimeError, KeyError, TypeError, OSError, EOFError, ValueError, UnpicklingError) as error:
        raise WeightError(f"{path} is not a checkpoint of this code: {error}") from error
    model.eval()
    return model


def write_float(model: MultiTaskEncoder, path: Path) -> None:
    """Writes the float32 graph, the measure for what quantising costs."""
    _export(Exported(model).eval(), path)


def write_int8(model: MultiTaskEncoder, path: Path, how: Quantization | None = None) -> None:
    """Writes the int8 graph; the model's word embeddings are replaced by their int8 form.

    Args:
        model: in eval mode.
        path: of the graph.
        how: by default `Quantization()`.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    how = how or Quantization()
    encoder: Any = model.encoder
    words = encoder.embeddings.word_embeddings
    encoder.embeddings.word_embeddings = Int8Embedding(words.weight.detach())
    try:
        with tempfile.TemporaryDirectory() as folder, _quiet():
            float_path = Path(folder) / "float.onnx"
            _export(Exported(model).eval(), float_path)
            _fuse(float_path)
            heads = _head_nodes(float_path) if how.keep_heads else []
            quantize_dynamic(
                float_path,
                path,
                op_types_to_quantize=["MatMul", "Gemm", "Attention"],
                per_channel=how.per_channel,
                reduce_range=how.reduce_range,
                weight_type=QuantType.QUInt8 if how.unsigned_weights else QuantType.QInt8,
                nodes_to_exclude=heads,
                extra_options={"MatMulConstBOnly": True, "DefaultTensorType": FLOAT_TENSOR},
            )
    finally:
        encoder.embeddings.word_embeddings = words


def _export(model: nn.Module, path: Path) -> None:
    ids = torch.ones((2, 9), dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    inputs = ("input_ids", "attention_mask")
    axes: dict[str, dict[int, str]] = {name: {0: "batch", 1: "tokens"} for name in inputs}
    axes |= {name: {0: "batch"} for name in OUTPUTS}
    with torch.no_grad(), _quiet():
        torch.onnx.export(
            model,
            (ids, mask),
            str(path),
            input_names=list(inputs),
            output_names=list(OUTPUTS),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,  # the newer exporter needs onnxscript
        )


def _fuse(path: Path) -> None:
    """Merges what belongs to one layer norm, one GELU and one attention into one node each, in place."""
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False  # it knows float tables only
    fused = optimize_model(str(path), model_type="bert", opt_level=0, optimization_options=options)
    fused.save_model_to_file(str(path))


def _head_nodes(path: Path) -> list[str]:
    """The nodes after pooling: they read one row per text, so int8 saves nothing there."""
    import onnx

    graph = onnx.load(str(path)).graph
    gemms = [node.name for node in graph.node if node.op_type == "Gemm"]
    return gemms + [f"{name}_MatMul" for name in gemms]  # the quantiser splits each into product and sum


def _attend(attention: Any, n_heads: int, hidden: Tensor, added: Tensor) -> Tensor:
    """Self-attention (batch, tokens, width), spelled the way onnxruntime knows how to fuse."""

    def split(mixed: Tensor) -> Tensor:
        return mixed.view(mixed.size(0), mixed.size(1), n_heads, -1).permute(0, 2, 1, 3)

    query, key, value = (split(part(hidden)) for part in (attention.query, attention.key, attention.value))
    scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(query.size(-1))
    read = torch.matmul(torch.softmax(scores + added, dim=-1), value)
    return read.permute(0, 2, 1, 3).contiguous().view(hidden.size(0), hidden.size(1), -1)


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
