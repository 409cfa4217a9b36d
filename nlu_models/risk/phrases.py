"""Finds many phrases at once, in one pass over a text's units.

Time is linear in the text: at each unit the trie is followed for at most as many steps as the longest
phrase has units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

END = ""  # the key of a phrase's payload in a trie node; no unit is empty

Node = dict[str, Any]  # unit to the next node; `END` to the payload of the phrase that ends here


class Match(NamedTuple):
    """A phrase that was found: units `start` up to, not including, `end`, and its payload."""

    start: int
    end: int
    payload: Any


class PhraseTrie:
    """Phrases with payloads, found longest first at every unit.

    Args:
        root: nodes made elsewhere; by default there are no phrases yet.
    """

    def __init__(self, root: Node | None = None) -> None:
        self._root: Node = {} if root is None else root

    def add(self, units: Sequence[str], payload: Any) -> None:
        """Adds a phrase; of two payloads for one phrase the first stays."""
        node = self._root
        for unit in units:
            node = node.setdefault(unit, {})
        node.setdefault(END, payload)

    def holds(self, words: Sequence[str], start: int, end: int) -> bool:
        """Whether the units from `start` up to, not including, `end` are a phrase."""
        node: Node | None = self._root
        for position in range(start, end):
            node = node.get(words[position]) if node is not None else None
        return node is not None and END in node

    def find(self, words: Sequence[str]) -> list[Match]:
        """The longest phrase at every unit where one begins."""
        found: list[Match] = []
        root, last = self._root, len(words) - 1
        for start, word in enumerate(words):
            node = root.get(word)
            if node is None:
                continue
            # Most units that can begin a phrase begin none: this keeps them from costing a call.
            if END in node or (start < last and words[start + 1] in node):
                match = _longest(node, words, start)
                if match is not None:
                    found.append(match)
        return found


def _longest(node: Node | None, words: Sequence[str], start: int) -> Match | None:
    """The longest phrase at `start`, whose first unit leads to `node`."""
    found, end, position, n_words = None, 0, start + 1, len(words)
    while node is not None:
        if END in node:
            found, end = node[END], position
        node = node.get(words[position]) if position < n_words else None
        position += 1
    return Match(start, end, found) if end else None
