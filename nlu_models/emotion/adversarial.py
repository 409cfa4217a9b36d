"""Training against small perturbations of the word embeddings, chosen to hurt.

The perturbation is added to what the embedding table yields, by a hook, so that it works for every
encoder, frozen tables included, and leaves no trace in the weights. Its length is given as a share of the
length of the text's own embeddings, because the size of those differs between bases by an order of magnitude.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

Backward = Callable[[float], None]

EPSILON = 1e-12


class Perturbation:
    """A hook on an encoder's table of word embeddings.

    Attributes:
        added: (batch, tokens, width), added to what the table yields; None adds nothing.
        seen: what the table yielded in the last pass, with its gradient once there was a backward pass.
    """

    def __init__(self, encoder: nn.Module) -> None:
        self._table: nn.Module = encoder.get_input_embeddings()
        self.added: Tensor | None = None
        self.seen: Tensor | None = None

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Adds and sees only while inside."""
        handle: Any = self._table.register_forward_hook(self._hook)
        try:
            yield
        finally:
            handle.remove()
            self.added = self.seen = None

    def _hook(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        if not output.requires_grad:  # a frozen table
            output = output.detach().requires_grad_()
        output.retain_grad()
        self.seen = output
        return output if self.added is None else output + self.added


def fgm(perturbation: Perturbation, backward: Backward, mask: Tensor, radius: float, weight: float) -> None:
    """A plain pass, then one with the embeddings moved along the gradient; both leave their gradients.

    Fast gradient method on embeddings (Miyato et al., ICLR 2017, https://arxiv.org/abs/1605.07725).

    Args:
        perturbation: of the encoder.
        backward: runs a pass and its backward pass, the loss times the number it is given.
        mask: (batch, tokens), 1 for tokens: padding isn't moved.
        radius: length of the move over that of the text's embeddings.
        weight: of the perturbed loss.
    """
    with perturbation.attached():
        backward(1.0)
        if perturbation.seen is None or perturbation.seen.grad is None:
            return
        limit = radius * _lengths(perturbation.seen.detach() * mask.unsqueeze(-1))
        perturbation.added = limit * _unit(perturbation.seen.grad * mask.unsqueeze(-1))
        backward(weight)


def freelb(perturbation: Perturbation, backward: Backward, mask: Tensor, radius: float, steps: int) -> None:
    """Several passes uphill from a random perturbation; the gradients of all are averaged.

    FreeLB (Zhu et al., ICLR 2020, https://arxiv.org/abs/1909.11764).

    Args:
        perturbation: of the encoder.
        backward: runs a pass and its backward pass, the loss times the number it is given.
        mask: (batch, tokens), 1 for tokens.
        radius: longest move over the length of the text's embeddings.
        steps: passes.
    """
    kept = mask.unsqueeze(-1)
    with perturbation.attached():
        for step in range(steps):
            backward(1.0 / steps)
            if step == steps - 1 or perturbation.seen is None or perturbation.seen.grad is None:
                return
            seen = perturbation.seen.detach()
            limit = radius * _lengths(seen * kept)
            moved = perturbation.added
            if moved is None:  # the plain pass comes first; the ball is entered at a random point
                moved = limit * _unit(torch.randn_like(seen) * kept) / 2.0
            moved = moved + limit / max(steps - 1, 1) * _unit(perturbation.seen.grad * kept)
            perturbation.added = moved * (limit / _lengths(moved).clamp(min=EPSILON)).clamp(max=1.0)


def _lengths(values: Tensor) -> Tensor:
    """The length of each text's values taken as one vector: (batch, 1, 1)."""
    return values.flatten(1).norm(dim=1).view(-1, 1, 1)


def _unit(values: Tensor) -> Tensor:
    """Each text's values scaled to length 1; zeros stay zeros."""
    return values / _lengths(values).clamp(min=EPSILON)
