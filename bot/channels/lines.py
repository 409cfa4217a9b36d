"""The channels' own sentences, in the reader's language, from the same files the page uses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bot.core.errors import ContractError
from bot.core.turn import LANGUAGES, reply_language

FOLDER = Path(__file__).resolve().parent / "static" / "i18n"


def line(key: str, language: str | None, **values: object) -> str:
    """The sentence under a dotted key, with its {placeholders} filled in.

    Args:
        key: as in "errors.too_long".
        language: "en" or "zh"; English for anything else.
        values: what the placeholders stand for.

    Raises:
        ContractError: the strings have no such sentence.
    """
    found: Any = _strings()[reply_language(language, None)]
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if not isinstance(found, str):
        raise ContractError(f"no sentence {key!r} in {FOLDER}")
    sentence: str = found
    for name, value in values.items():
        sentence = sentence.replace("{" + name + "}", str(value))
    return sentence


@cache
def _strings() -> dict[str, dict[str, Any]]:
    return {
        language: json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
        for language in LANGUAGES
    }
