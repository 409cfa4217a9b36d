"""Turns patterns into one trie, without spelling out the thousands of phrases that each stands for.

A pattern is `{a|b|}` for alternatives, which may be empty or nested, and `<name>` for a group of them. All
patterns become one network of units, and its subset construction (Rabin and Scott, 1959) the trie: phrases
that go on alike share what follows, so that its size grows with the patterns and not with their phrases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nlu_models.errors import DataError
from nlu_models.risk.phrases import END, Node, PhraseTrie

MOST_NODES = 400_000  # of a trie: far more than reviewed patterns need, and a stop for one that explodes

Cut = Callable[[str], Sequence[str]]  # a text to its units

_TOKEN = re.compile(r"<[a-z_]+>|[{}|]|[^{}|<]+|<")
_BROKEN_WORD = re.compile(r"[A-Za-z0-9][{<][A-Za-z0-9]|[A-Za-z0-9][}>][A-Za-z0-9]")


class PatternNet:
    """Patterns, to be made one trie.

    Args:
        cut: cuts a piece of a pattern into units.
    """

    def __init__(self, cut: Cut) -> None:
        self._cut = cut
        self._steps: list[dict[str, list[int]]] = [{}]  # of each state: unit to the states it leads to
        self._skips: list[list[int]] = [[]]  # of each state: states that are reached without a unit
        self._ends: dict[int, int] = {}  # state in which a pattern ends to the pattern's number
        self._payloads: list[Any] = []

    def add(self, pattern: str, payload: Any, groups: Mapping[str, Sequence[str]]) -> None:
        """Adds a pattern; of two payloads for one phrase the first stays.

        Raises:
            DataError: a group isn't known, a brace isn't closed, a word is broken by one, or the pattern
                stands for nothing.
        """
        if _BROKEN_WORD.search(pattern):
            raise DataError(
                f"the pattern {pattern!r} has a brace inside a word: alternatives are whole words"
            )
        tokens = _TOKEN.findall(pattern)
        start = self._state()
        end, at = self._sequence(tokens, 0, start, groups)
        if at != len(tokens):
            raise DataError(f"the pattern {pattern!r} has {tokens[at]!r} where none can stand")
        if end in self._reach([start]):
            raise DataError(f"the pattern {pattern!r} stands for nothing but fillers")
        self._skips[0].append(start)
        self._ends[end] = len(self._payloads)
        self._payloads.append(payload)

    def trie(self) -> PhraseTrie:
        """All patterns as one trie.

        Raises:
            DataError: it would be too large.
        """
        root: Node = {}
        first = self._busy([0])
        nodes: dict[frozenset[int], Node] = {first: root}
        waiting = [first]
        while waiting:
            states = waiting.pop()
            node = nodes[states]
            ends = [self._ends[state] for state in states if state in self._ends]
            if ends:
                node[END] = self._payloads[min(ends)]
            steps: dict[str, list[int]] = {}
            for state in states:
                for unit, targets in self._steps[state].items():
                    steps.setdefault(unit, []).extend(targets)
            for unit, targets in steps.items():
                reached = self._busy(targets)
                if reached not in nodes:
                    nodes[reached] = {}
                    waiting.append(reached)
                node[unit] = nodes[reached]
            if len(nodes) > MOST_NODES:
                raise DataError(
                    f"the patterns make more than {MOST_NODES} nodes: some are too alike and too long"
                )
        return PhraseTrie(root)

    def _state(self) -> int:
        self._steps.append({})
        self._skips.append([])
        return len(self._steps) - 1

    def _busy(self, states: Sequence[int]) -> frozenset[int]:
        """The states reached without a unit from which a unit leads on or in which a pattern ends."""
        return frozenset(state for state in self._reach(states) if self._steps[state] or state in self._ends)

    def _reach(self, states: Sequence[int]) -> frozenset[int]:
        """The states reached without a unit."""
        seen, waiting = set(states), list(states)
        while waiting:
            for state in self._skips[waiting.pop()]:
                if state not in seen:
                    seen.add(state)
                    waiting.append(state)
        return frozenset(seen)

    def _chain(self, text: str, state: int) -> int:
        for unit in self._cut(text):
            following = self._state()
            self._steps[state].setdefault(unit, []).append(following)
            state = following
        return state

    def _sequence(
        self, tokens: Sequence[str], at: int, state: int, groups: Mapping[str, Sequence[str]]
    ) -> tuple[int, int]:
        """Adds the tokens up to the end, a "|" or a "}"; the state they lead to, and where that is."""
        while at < len(tokens) and tokens[at] not in ("|", "}"):
            if tokens[at] == "{":
                state, at = self._alternatives(tokens, at + 1, state, groups)
            elif tokens[at].startswith("<"):
                state, at = self._group(tokens[at][1:-1], state, groups), at + 1
            else:
                state, at = self._chain(tokens[at], state), at + 1
        return state, at

    def _alternatives(
        self, tokens: Sequence[str], at: int, state: int, groups: Mapping[str, Sequence[str]]
    ) -> tuple[int, int]:
        end = self._state()
        is_optional, needless = False, None
        while True:
            last, after = self._sequence(tokens, at, state, groups)
            self._skips[last].append(end)
            if after == len(tokens):
                raise DataError(f"the pattern {''.join(tokens)!r} has a brace that isn't closed")
            if after == at:
                is_optional = True
            elif not tokens[at].isspace() and last in self._reach([state]):
                needless = tokens[at]
            at = after + 1
            if tokens[after] == "}":
                break
        if needless is not None and not is_optional:
            pattern = "".join(tokens)
            raise DataError(
                f"the pattern {pattern!r} has the alternative {needless!r}, which is nothing but fillers"
            )
        return end, at

    def _group(self, name: str, state: int, groups: Mapping[str, Sequence[str]]) -> int:
        if name not in groups:
            raise DataError(f"the group <{name}> isn't defined; there are {', '.join(sorted(groups))}")
        end = self._state()
        for phrase in groups[name]:
            self._skips[self._chain(phrase, state)].append(end)
        return end
