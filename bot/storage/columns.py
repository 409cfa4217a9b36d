"""Column types that only let through what every supported database can hold.

PostgreSQL refuses NUL in text and NaN in JSON, and no driver encodes a lone surrogate; each of them can
arrive in a message from the outside, and none may cost a person their turn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def storable_text(text: str) -> str:
    """The text with NUL and lone surrogates replaced by U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", REPLACEMENT)
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # Joins pairs that arrived as two escapes, then replaces what stayed single.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def storable_json(value: Any) -> Any:
    """The value with every text storable, no number but finite ones, and only JSON's own types."""
    if isinstance(value, str):
        return storable_text(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {storable_text(str(key)): storable_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [storable_json(item) for item in value]
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        return storable_json(value.tolist())
    return storable_text(str(value))


class CleanText(TypeDecorator):  # type: ignore[misc]  # SQLAlchemy 1.4 has no types
    """Text without a length limit, made storable on its way in, also where it is compared with."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        """The text to store."""
        return None if value is None else storable_text(value)


class CleanJSON(TypeDecorator):  # type: ignore[misc]  # SQLAlchemy 1.4 has no types
    """JSON, made storable on its way in."""

    impl = sa.JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        """The value to store."""
        return storable_json(value)
