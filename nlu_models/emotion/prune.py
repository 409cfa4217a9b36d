"""Makes a BERT smaller by taking whole attention heads, hidden units or layers out of it.

What is taken out is gone: the matrices are smaller, or fewer, in torch and in the exported graph. Heads and
hidden units go by how much the loss would change without them, to first order (Michel et al., NeurIPS 2019;
Molchanov et al., CVPR 2019); layers go from the top, or every other one (Sajjad et al., 2020).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nlu_models.emotion.graph import is_bert
from nlu_models.emotion.shapes import resize_attention, resize_hidden
from nlu_models.encoder import MultiTaskEncoder
from nlu_models.errors import InputError

LAYER_ORDERS = ("top", "alternate")


@dataclass(frozen=True)
class Importance:
    """How much the loss hangs on each part.

    Attributes:
        heads: per layer, (heads,); each layer's has length 1, as Michel et al. found best.
        units: per layer, (hidden units,); the same.
    """

    heads: list[NDArray[np.float64]]
    units: list[NDArray[np.float64]]


def measure_importance(
    model: MultiTaskEncoder, batches: Iterable[tuple[Tensor, Tensor, Tensor]]
) -> Importance:
    """The importance of every head and hidden unit: the mean size of gate x gradient at gate 1.

    Args:
        model: left as it is, in eval mode.
        batches: token ids and mask (texts, tokens), and labels (texts, labels) as 0 and 1; a few hundred
            training texts are enough.

    Raises:
        InputError: the encoder is no BERT.
    """
    _check_bert(model)
    model.eval()
    layers = list(_layers(model))
    heads = [np.zeros(layer.attention.self.num_attention_heads) for layer in layers]
    units = [np.zeros(layer.intermediate.dense.out_features) for layer in layers]
    for ids, mask, labels in batches:
        with _Watch(layers) as watch:
            logits = model(ids, mask).emotion
            loss = nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum")
            loss.backward()
        kept = mask.bool()
        for number, layer in enumerate(layers):
            mixed = watch.products(number, "mixed")
            per_head = mixed.unflatten(-1, (layer.attention.self.num_attention_heads, -1)).sum(dim=-1)
            heads[number] += per_head[kept].abs().sum(dim=0).numpy()
            units[number] += watch.products(number, "wide")[kept].abs().sum(dim=0).numpy()
    model.zero_grad(set_to_none=True)
    return Importance([_of_length_one(one) for one in heads], [_of_length_one(one) for one in units])


def prune_heads(model: MultiTaskEncoder, importance: Importance, share: float) -> MultiTaskEncoder:
    """A copy without the least important heads of all layers together; each layer keeps one at least.

    Args:
        model: a BERT.
        importance: of its heads.
        share: of the heads that go, in [0, 1).
    """
    _check_share(share)
    small = copy.deepcopy(model)
    for layer, kept in zip(_layers(small), _kept(importance.heads, share), strict=True):
        size = layer.attention.self.attention_head_size
        _keep_heads(layer, np.concatenate([np.arange(head * size, (head + 1) * size) for head in kept]))
    return small


def prune_units(
    model: MultiTaskEncoder, importance: Importance, share: float, multiple: int = 16
) -> MultiTaskEncoder:
    """A copy without the least important hidden units of each layer.

    Args:
        model: a BERT.
        importance: of its hidden units.
        share: of the units that go, in [0, 1); alike in all layers.
        multiple: what is left is rounded up to this, since matrix products like it.
    """
    _check_share(share)
    small = copy.deepcopy(model)
    for layer, scores in zip(_layers(small), importance.units, strict=True):
        left = -(-round(len(scores) * (1.0 - share)) // multiple) * multiple
        kept = np.sort(np.argsort(-scores, kind="stable")[: max(1, min(left, len(scores)))])
        _keep_units(layer, kept)
    return small


def drop_layers(model: MultiTaskEncoder, count: int, order: str = "top") -> MultiTaskEncoder:
    """A copy with fewer layers.

    Args:
        model: a BERT.
        count: how many go; one is left at least.
        order: "top" takes the last ones, "alternate" every other one, from the last but one down.
    """
    _check_bert(model)
    layers = list(_layers(model))
    if not 0 <= count < len(layers):
        raise InputError(f"{count} layers can't go from {len(layers)}; expected 0 to {len(layers) - 1}")
    if order not in LAYER_ORDERS:
        raise InputError(f"the order is {order!r}, expected one of {', '.join(LAYER_ORDERS)}")
    if order == "top":
        gone = set(range(len(layers) - count, len(layers)))
    else:
        ranked = [*range(len(layers) - 2, -1, -2), *range(len(layers) - 1, -1, -2)]
        gone = set(ranked[:count])
    small = copy.deepcopy(model)
    stack: Any = small.encoder
    stack.encoder.layer = nn.ModuleList(
        [layer for number, layer in enumerate(stack.encoder.layer) if number not in gone]
    )
    stack.config.num_hidden_layers = len(stack.encoder.layer)
    return small


def count_parameters(model: nn.Module) -> int:
    """All numbers of a model."""
    return sum(parameter.numel() for parameter in model.parameters())


class _Watch:
    """While entered, keeps what the two narrowing products of each layer read, with their gradients."""

    def __init__(self, layers: Sequence[Any]) -> None:
        self._layers = layers
        self._seen: dict[tuple[int, str], Tensor] = {}
        self._hooks: list[Any] = []

    def __enter__(self) -> _Watch:
        for number, layer in enumerate(self._layers):
            for site, module in (("mixed", layer.attention.output.dense), ("wide", layer.output.dense)):
                self._hooks.append(module.register_forward_pre_hook(self._note(number, site)))
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _note(self, number: int, site: str) -> Any:
        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            inputs[0].retain_grad()
            self._seen[number, site] = inputs[0]

        return note

    def products(self, number: int, site: str) -> Tensor:
        """Value x gradient, (texts, tokens, width): the derivative by a gate in front of each value."""
        seen = self._seen[number, site]
        if seen.grad is None:
            return torch.zeros_like(seen)
        return (seen * seen.grad).detach()


def _keep_heads(layer: Any, columns: NDArray[np.int64]) -> None:
    attention, output = layer.attention.self, layer.attention.output
    old = {part: getattr(attention, part) for part in ("query", "key", "value")}
    narrow = output.dense
    resize_attention(layer, len(columns))
    rows = torch.from_numpy(columns)
    with torch.no_grad():
        for part, linear in old.items():
            getattr(attention, part).weight.copy_(linear.weight[rows])
            getattr(attention, part).bias.copy_(linear.bias[rows])
        output.dense.weight.copy_(narrow.weight[:, rows])
        output.dense.bias.copy_(narrow.bias)


def _keep_units(layer: Any, kept: NDArray[np.int64]) -> None:
    wide, narrow = layer.intermediate.dense, layer.output.dense
    resize_hidden(layer, len(kept))
    rows = torch.from_numpy(kept)
    with torch.no_grad():
        layer.intermediate.dense.weight.copy_(wide.weight[rows])
        layer.intermediate.dense.bias.copy_(wide.bias[rows])
        layer.output.dense.weight.copy_(narrow.weight[:, rows])
        layer.output.dense.bias.copy_(narrow.bias)


def _kept(scores: Sequence[NDArray[np.float64]], share: float) -> list[NDArray[np.int64]]:
    """Per layer, which parts stay when the least important of all go."""
    total = sum(len(one) for one in scores)
    ranked = sorted(
        (float(value), layer, part) for layer, one in enumerate(scores) for part, value in enumerate(one)
    )
    left = [set(range(len(one))) for one in scores]
    to_go = round(total * share)
    for _, layer, part in ranked:
        if to_go and len(left[layer]) > 1:
            left[layer].remove(part)
            to_go -= 1
    return [np.array(sorted(parts), dtype=np.int64) for parts in left]


def _layers(model: MultiTaskEncoder) -> Iterable[Any]:
    encoder: Any = model.encoder
    layers: Iterable[Any] = encoder.encoder.layer
    return layers


def _of_length_one(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values / max(float(np.linalg.norm(values)), 1e-12)


def _check_bert(model: MultiTaskEncoder) -> None:
    if not is_bert(model.encoder):
        kind = model.encoder.config.model_type
        raise InputError(f"only a BERT can be pruned, this encoder is a {kind}; distil it into a smaller one")


def _check_share(share: float) -> None:
    if not 0.0 <= share < 1.0:
        raise InputError(f"the share to prune is {share}, expected at least 0 and less than 1")
