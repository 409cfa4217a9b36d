"""Cuts a message into sentences, and a long one into windows short enough for one reading each.

Danger in the middle of a long message is lost in one reading of the whole: an average over two hundred
words says nothing of six of them. So the model reads windows, and names the sentence that decided.
"""

from __future__ import annotations

import re
from itertools import pairwise

MAX_CHARS = 8_000  # of a message the model looks at; the patterns see all of it
WINDOW_UNITS = 48  # words, or Han characters at HAN_PER_WORD each, from which a message is cut
HAN_PER_WORD = 1.5
MAX_WINDOWS = 16  # of one message, so that nobody can buy minutes of encoder time with one message

_SENTENCE = re.compile(r"[^.!?\n。！？；…]+[.!?\n。！？；…]*")
_UNIT = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+(?:'[^\W_\u3400-\u9fff]+)*")


def sentences(text: str) -> list[str]:
    """The sentences of a text with their stops, without the blanks around them; none of them empty."""
    return [found for match in _SENTENCE.finditer(text[:MAX_CHARS]) if (found := match.group().strip())]


def windows(text: str) -> list[str]:
    """Runs of whole sentences of at most WINDOW_UNITS words; the text itself where it is no longer.

    Args:
        text: of any length; of more than MAX_CHARS the first are read.

    Returns:
        At least one; at most MAX_WINDOWS, the last of which then holds what is left.
    """
    head = text[:MAX_CHARS]
    is_short = len(head) <= WINDOW_UNITS or (head.isascii() and len(head) <= 2 * WINDOW_UNITS)
    if is_short or _units(head) <= WINDOW_UNITS:
        return [head]
    found: list[str] = []
    held: list[str] = []
    n_held = 0.0
    for piece in _pieces(head):
        n_piece = _units(piece)
        if held and n_held + n_piece > WINDOW_UNITS and len(found) < MAX_WINDOWS - 1:
            found.append(" ".join(held))
            held, n_held = [], 0.0
        held.append(piece)
        n_held += n_piece
    if held:
        found.append(" ".join(held))
    return found or [head]


def _pieces(text: str) -> list[str]:
    """The sentences; one that is longer than a window is cut between units."""
    found = []
    for sentence in sentences(text):
        starts = [match.start() for match in _UNIT.finditer(sentence)]
        if len(starts) <= WINDOW_UNITS:
            found.append(sentence)
            continue
        cuts = [0, *starts[WINDOW_UNITS::WINDOW_UNITS], len(sentence)]
        found += [sentence[start:end].strip() for start, end in pairwise(cuts)]
    return found


def _units(text: str) -> float:
    """How many words a text has, Han characters counted as parts of one."""
    found = _UNIT.findall(text)
    han = sum("\u3400" <= unit[0] <= "\u9fff" for unit in found)
    return float(len(found) - han + han / HAN_PER_WORD)
