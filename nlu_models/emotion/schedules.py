"""How the learning rate rises and falls over a run."""

from __future__ import annotations

import math
from collections.abc import Callable

from nlu_models.errors import InputError


def rate_factor(schedule: str, steps: int, warmup_share: float) -> Callable[[int], float]:
    """The share of the highest learning rate that each step gets.

    All rise linearly over the warm-up; then `linear` falls to 0 in a line, `cosine` along half a cosine
    (Loshchilov & Hutter, ICLR 2017, https://arxiv.org/abs/1608.03983), and `constant` stays.

    Args:
        schedule: "linear", "cosine" or "constant".
        steps: of the whole run.
        warmup_share: of the steps, in [0, 1).

    Returns:
        From a step, counted from 0, to a factor in [0, 1].

    Raises:
        InputError: the schedule is unknown.
    """
    warmup = max(1, round(warmup_share * steps))

    def left(step: int) -> float:
        return max(0.0, min(1.0, (steps - step) / max(1, steps - warmup)))

    shapes: dict[str, Callable[[int], float]] = {
        "linear": left,
        "cosine": lambda step: 0.5 - 0.5 * math.cos(math.pi * left(step)),
        "constant": lambda step: 1.0,
    }
    if schedule not in shapes:
        raise InputError(f"schedule is {schedule!r}, expected one of {', '.join(shapes)}")
    shape = shapes[schedule]
    return lambda step: min((step + 1) / warmup, shape(step))
