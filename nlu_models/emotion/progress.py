"""Progress bars: lively on a terminal, a line now and then in a log file."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

TERMINAL_SECONDS = 0.1
LOG_SECONDS = 30.0


def progress_bar(
    items: Iterable[Any] | None = None,
    title: str | None = None,
    unit: str = "batch",
    total: int | None = None,
    done: int = 0,
) -> Any:
    """A bar on stderr, over items or to be updated by hand.

    Args:
        items: to go through.
        title: before the bar; None shows no bar.
        unit: of what is counted.
        total: how many there are, where there are no items.
        done: how many were done before.
    """
    interval = TERMINAL_SECONDS if sys.stderr.isatty() else LOG_SECONDS
    return tqdm(
        items,
        desc=title,
        unit=unit,
        total=total,
        initial=done,
        mininterval=interval,
        disable=title is None,
    )
