"""Decides which texts an encoder reads together, so that little time goes into padding and none is idle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST_TOKENS = 4096  # of one pass, padding included: bounds memory
LEAST_TOKENS = 96  # of one pass, roughly: below, matrix products lose speed


@dataclass(frozen=True)
class Pass:
    """Texts that are read together.

    Attributes:
        rows: their indices.
        tokens: what each is padded to.
    """

    rows: tuple[int, ...]
    tokens: int


def plan(lengths: Sequence[int], pad_to: int | None, threads: int, max_tokens: int) -> list[Pass]:
    """The passes that read some texts, the longest passes first, so that threads finish together.

    A text is always padded to the next multiple of `pad_to`, or to `max_tokens` where that is less: how long
    depends on the text alone.

    Args:
        lengths: tokens of each text.
        pad_to: None gives each text a pass of its own, without padding.
        threads: how many passes run side by side.
        max_tokens: no text is longer.
    """
    order = sorted(range(len(lengths)), key=lambda row: (lengths[row], row), reverse=True)
    if pad_to is None:
        return [Pass((row,), lengths[row]) for row in order]
    buckets: dict[int, list[int]] = {}
    for row in order:
        padded = min(-(-max(lengths[row], 1) // pad_to) * pad_to, max_tokens)
        buckets.setdefault(padded, []).append(row)
    work = sum(tokens * len(rows) for tokens, rows in buckets.items())
    # One pass where there is one thread; else pieces small enough to be shared out evenly.
    piece = MOST_TOKENS if threads == 1 else min(MOST_TOKENS, max(LEAST_TOKENS, work // (2 * threads)))
    return [one for tokens, rows in buckets.items() for one in _cut(rows, tokens, piece)]


def _cut(rows: Sequence[int], tokens: int, piece: int) -> list[Pass]:
    """Texts of one bucket in passes of about equal size, of at most `piece` tokens or of one text."""
    most = max(1, piece // tokens)
    parts = -(-len(rows) // most)
    size = -(-len(rows) // parts)
    return [Pass(tuple(rows[start : start + size]), tokens) for start in range(0, len(rows), size)]
