"""Matches many phrases at once, in one pass over a text.

A text is cut into units, one per Latin word and one per Han character, so that both languages go through
one trie and a mixed message is read whole. Time is linear in the text: at each unit the trie is followed
for at most as many steps as the longest phrase has units.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nlu_models.errors import DataError
from nlu_models.text import normalize

MAX_ALTERNATIVES = 20_000  # that one pattern may stand for

_UNIT = re.compile(r"[^\W_\u3400-\u9fff]+(?:'[^\W_\u3400-\u9fff]+)*|[\u3400-\u9fff]")
_STOP = re.compile(r"[.!?;:,\n。！？；：，、…]")
_TOKEN = re.compile(r"<[a-z_]+>|[{}|]|[^{}|<]+|<")

_END = ""  # the key of a phrase's payload in a trie node


@dataclass(frozen=True)
class Units:
    """A text as units.

    Attributes:
        text: normalised.
        words: the units, without apostrophes.
        spans: each unit's place in `text`.
        after_stop: the units that follow a punctuation mark.
    """

    text: str
    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    after_stop: frozenset[int]


@dataclass(frozen=True)
class Match:
    """A phrase that was found: units `start` up to, not including, `end`, and its payload."""

    start: int
    end: int
    payload: Any


class PhraseTrie:
    """Phrases with payloads, found longest first at every unit."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}

    def add(self, units: Sequence[str], payload: Any) -> None:
        """Adds a phrase; of two payloads for one phrase the first stays."""
        node = self._root
        for unit in units:
            node = node.setdefault(unit, {})
        node.setdefault(_END, payload)

    def share_endings(self) -> None:
        """Lets phrases that end alike share the nodes of their ending, which takes a tenth of the memory."""
        seen: dict[tuple[Any, ...], dict[str, Any]] = {}

        def shared(node: dict[str, Any]) -> dict[str, Any]:
            for key, child in node.items():
                if key != _END:
                    node[key] = shared(child)
            shape = tuple(sorted((key, child if key == _END else id(child)) for key, child in node.items()))
            return seen.setdefault(shape, node)

        self._root = shared(self._root)

    def holds(self, words: Sequence[str], start: int, end: int) -> bool:
        """Whether the units from `start` up to, not including, `end` are a phrase."""
        node: dict[str, Any] | None = self._root
        for position in range(start, end):
            node = node.get(words[position]) if node is not None else None
        return node is not None and _END in node

    def longest_at(self, words: Sequence[str], start: int) -> Match | None:
        """The longest phrase that begins at unit `start`."""
        node: dict[str, Any] | None = self._root
        found = None
        position = start
        while node is not None:
            if _END in node:
                found = Match(start, position, node[_END])
            node = node.get(words[position]) if position < len(words) else None
            position += 1
        return found

    def find(self, words: Sequence[str]) -> Iterator[Match]:
        """The longest phrase at every unit where one begins."""
        root = self._root
        for start, word in enumerate(words):
            if word in root:
                match = self.longest_at(words, start)
                if match is not None:
                    yield match


def split(text: str, fillers: PhraseTrie | None = None) -> Units:
    """The units of a text, without fillers.

    Args:
        text: of any length.
        fillers: words that are skipped wherever they stand.
    """
    clean = normalize(text)
    found = list(_UNIT.finditer(clean))
    words = [match.group().replace("'", "") for match in found]
    kept = list(range(len(words)))
    if fillers is not None:
        kept = []
        position = 0
        while position < len(words):
            filler = fillers.longest_at(words, position)
            if filler is not None:
                position = filler.end
            else:
                kept.append(position)
                position += 1
    after_stop = set()
    for place, index in enumerate(kept):
        before = found[kept[place - 1]].end() if place else 0
        if _STOP.search(clean, before, found[index].start()):
            after_stop.add(place)
    return Units(
        clean,
        tuple(words[index] for index in kept),
        tuple(found[index].span() for index in kept),
        frozenset(after_stop),
    )


def expand(pattern: str, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Every phrase that a pattern stands for.

    Args:
        pattern: with `{a|b|}` for alternatives, which may be empty or nested, and `<name>` for a group.
        groups: name to alternatives.

    Raises:
        DataError: a group isn't known, a brace isn't closed, or the pattern stands for too many.
    """
    tokens = _TOKEN.findall(pattern)
    phrases, end = _sequence(tokens, 0, groups)
    if end != len(tokens):
        raise DataError(f"the pattern {pattern!r} has {tokens[end]!r} where none can stand")
    return phrases


def _sequence(tokens: Sequence[str], at: int, groups: Mapping[str, Sequence[str]]) -> tuple[list[str], int]:
    """What the tokens from `at` up to the end, a "|" or a "}" stand for, and where that is."""
    phrases = [""]
    while at < len(tokens) and tokens[at] not in ("|", "}"):
        if tokens[at] == "{":
            parts, at = _alternatives(tokens, at + 1, groups)
        elif tokens[at].startswith("<"):
            parts, at = _group(tokens[at][1:-1], groups), at + 1
        else:
            parts, at = [tokens[at]], at + 1
        if len(phrases) * len(parts) > MAX_ALTERNATIVES:
            raise DataError(
                f"the pattern {''.join(tokens)!r} stands for more than {MAX_ALTERNATIVES} phrases"
            )
        phrases = [phrase + part for phrase in phrases for part in parts]
    return phrases, at


def _alternatives(
    tokens: Sequence[str], at: int, groups: Mapping[str, Sequence[str]]
) -> tuple[list[str], int]:
    found: list[str] = []
    while True:
        parts, at = _sequence(tokens, at, groups)
        found += parts
        if at == len(tokens):
            raise DataError(f"the pattern {''.join(tokens)!r} has a brace that isn't closed")
        at += 1
        if tokens[at - 1] == "}":
            return found, at


def _group(name: str, groups: Mapping[str, Sequence[str]]) -> list[str]:
    if name not in groups:
        raise DataError(f"the group <{name}> isn't defined; there are {', '.join(sorted(groups))}")
    return list(groups[name])
