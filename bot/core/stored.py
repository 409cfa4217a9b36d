"""Reads parts of a stored state, whatever another version or a damaged row put there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def part_of(data: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The object under a name; None where there is none."""
    value = data.get(name)
    return value if isinstance(value, Mapping) else None


def list_of(data: Mapping[str, Any], name: str) -> list[Any]:
    """The list under a name; empty where there is none."""
    value = data.get(name)
    return value if isinstance(value, list) else []


def count_of(value: Any) -> int:
    """A stored count, [0, inf); 0 where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
