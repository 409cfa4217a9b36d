"""Brings a fresh encoder into the shape of a pruned checkpoint: fewer layers, heads or hidden units.

A checkpoint names its base and has the tensors; how far each layer was cut can be read off their shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

LAYERS = "encoder.encoder.layer."


def fit_to_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Cuts a BERT's layers to what a state has; other encoders are left alone.

    Args:
        model: a `MultiTaskEncoder`, fresh.
        state: of a checkpoint of the same base, perhaps pruned.

    Raises:
        ValueError: it has more layers than the base, or a part of a head.
    """
    encoder: Any = model.encoder
    layers = getattr(getattr(encoder, "encoder", None), "layer", None)
    numbers = {int(name.split(".")[3]) for name in state if name.startswith(LAYERS)}
    if layers is None or not numbers:
        return
    if len(numbers) > len(layers):
        raise ValueError(f"it has {len(numbers)} layers, its base {len(layers)}")
    if len(numbers) < len(layers):
        encoder.encoder.layer = nn.ModuleList(list(layers)[: len(numbers)])
        encoder.config.num_hidden_layers = len(numbers)
    for number, layer in enumerate(encoder.encoder.layer):
        prefix = f"{LAYERS}{number}."
        resize_attention(layer, len(state[f"{prefix}attention.self.query.weight"]))
        resize_hidden(layer, len(state[f"{prefix}intermediate.dense.weight"]))


def resize_attention(layer: Any, width: int) -> None:
    """Gives a layer's attention as many heads as make up a width; their weights are fresh if that is new.

    Raises:
        ValueError: the width is no whole number of heads.
    """
    attention = layer.attention.self
    heads, rest = divmod(width, attention.attention_head_size)
    if rest or heads < 1:
        raise ValueError(f"attention of width {width} is no number of {attention.attention_head_size}s")
    if width == attention.all_head_size:
        return
    outside = attention.query.in_features
    attention.query, attention.key, attention.value = (nn.Linear(outside, width) for _ in range(3))
    layer.attention.output.dense = nn.Linear(width, outside)
    attention.num_attention_heads, attention.all_head_size = heads, width


def resize_hidden(layer: Any, units: int) -> None:
    """Gives a layer's feed-forward part so many hidden units; their weights are fresh if that is new."""
    outside = layer.intermediate.dense.in_features
    if units != layer.intermediate.dense.out_features:
        layer.intermediate.dense = nn.Linear(outside, units)
        layer.output.dense = nn.Linear(units, outside)
