"""Averages of a model's weights over the course of its training: often better than its last weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

WARMUP_OFFSET = 10  # the decay is at most n / (10 + n), so that early weights fade


class WeightAverage:
    """An average of the weights that are trained, kept beside the model.

    With a decay it is exponential: the average of recent weights, as in the weights' moving averages of
    Tarvainen & Valpola (NeurIPS 2017, https://arxiv.org/abs/1703.01780). Without one, all weights from
    `start` on count alike: stochastic weight averaging (Izmailov et al., UAI 2018,
    https://arxiv.org/abs/1803.05407).

    Args:
        model: whose trained weights are averaged.
        decay: in (0, 1), or 0 for the plain mean.
        start: the step from which weights are averaged.
    """

    def __init__(self, model: nn.Module, decay: float, start: int = 0) -> None:
        self._decay = decay
        self._start = start
        self._count = 0
        self._weights = {
            name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad
        }

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def update(self, model: nn.Module, step: int) -> None:
        """Takes in the weights after a step, counted from 1."""
        if step <= self._start:
            return
        self._count += 1
        share = 1.0 / self._count
        if self._decay:
            share = max(share, 1.0 - min(self._decay, self._count / (WARMUP_OFFSET + self._count)))
        current = [weight.detach() for name, weight in model.named_parameters() if name in self._weights]
        torch._foreach_lerp_(list(self._weights.values()), current, share)

    @contextmanager
    def in_place(self, model: nn.Module) -> Iterator[None]:
        """The model has the averaged weights while inside, and its own again after."""
        if not self._count:
            yield
            return
        own = {name: weight.detach().clone() for name, weight in model.named_parameters()}
        try:
            _put(model, self._weights)
            yield
        finally:
            _put(model, own)

    def state_dict(self) -> dict[str, object]:
        """What `load_state_dict` needs to go on."""
        return {"count": self._count, "weights": self._weights}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Goes on from a state of the same model."""
        weights = state["weights"]
        if not isinstance(weights, dict) or weights.keys() != self._weights.keys():
            raise KeyError("the averaged weights are those of another model")
        self._count = int(str(state["count"]))
        for name, weight in self._weights.items():
            weight.copy_(weights[name])


@torch.no_grad()  # type: ignore[untyped-decorator]
def _put(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    for name, weight in model.named_parameters():
        if name in weights:
            weight.copy_(weights[name])
