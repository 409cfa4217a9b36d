"""Finds the name that somebody meant: labels are typed by hand, and typed wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from nlu_models.errors import InputError

MOST_SUGGESTIONS = 3


def pick(name: str, known: Sequence[str], kind: str) -> str:
    """The known name that was given, whatever its case.

    Args:
        name: as it was typed.
        known: the names there are.
        kind: what they name, for the message.

    Raises:
        InputError: there is no such name; says which ones are close, or all of them.
    """
    typed = name.strip().lower()
    found = {candidate.lower(): candidate for candidate in reversed(known)}
    if typed in found:
        return found[typed]
    close = [found[match] for match in get_close_matches(typed, list(found), MOST_SUGGESTIONS)]
    hint = f"did you mean {' or '.join(close)}?" if close else f"expected one of {', '.join(known)}"
    raise InputError(f"there is no {kind} {name[:60]!r}; {hint}")
