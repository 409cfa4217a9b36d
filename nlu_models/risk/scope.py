"""What the words around a phrase make of it: a denial, a tale, something long past, a joke.

A phrase speaks of danger only as it is said. "I'm not going to kill myself" is worth a careful answer, "he
kills himself in the film" is worth none, "when I was twelve" is long ago. Everything here looks at no more
than a window of words inside one sentence, and lowers a level only on a sign: in doubt it stays.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nlu_models.risk.phrases import Match, PhraseTrie
from nlu_models.risk.units import HARD_STOPS, QUOTES, TITLE_ENDS, TITLE_OPENS, Units

NONE = "none"
CONCERN = "concern"
INTENDED = ("self_harm", "harm_to_others")  # kinds of which even the denial is worth a careful answer
NEGATION_UNITS = 6  # the longest negation that is looked for
MOST_LINKS = 6  # words between a negation and what it denies
BEFORE, AFTER = 24, 14  # tokens on either side in which a sign counts
JOKE_AFTER = 3
MARKS = ("past", "lingering", "fiction", "jokes")  # roles of signs that count at a distance; the first wins
TITLE_TOKENS = 40  # the longest title between 《 and 》


@dataclass(frozen=True)
class Risk:
    """What a phrase speaks of: a kind and a level of `docs/contracts.md`."""

    kind: str
    level: str


class Scope:
    """Signs of what a phrase means where it stands.

    Args:
        signs: of every role in `phrase_file.CONTEXT`, phrases as units; roles may be missing.
    """

    def __init__(self, signs: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._negations = _trie(signs.get("negations", ()))
        self._doubts = _trie(signs.get("doubts", ()))
        self._links = _single(signs.get("links", ()))
        self._present = _single(signs.get("present", ()))
        self._own = _single(signs.get("own", ()))
        self._named = _single(signs.get("named", ()))
        self._marks = PhraseTrie()  # of all roles at once: every text with a phrase is gone through for them
        for role in MARKS:
            for phrase in signs.get(role, ()):
                self._marks.add(phrase, role)

    def over(self, units: Units) -> _Scoped:
        """The signs in one text, for `_Scoped.level`."""
        return _Scoped(self, units)


class _Scoped:
    def __init__(self, scope: Scope, units: Units) -> None:
        self._scope = scope
        self._units = units
        tokens = units.tokens
        self._marks: dict[str, list[int]] = {role: [] for role in MARKS}
        for match in scope._marks.find(tokens):
            self._marks[match.payload].append(match.start)
        self._stops = [place for place, token in enumerate(tokens) if token in HARD_STOPS]
        self._titles = [place for place, token in enumerate(tokens) if token == TITLE_OPENS]

    def level(self, match: Match) -> str:
        """The level of a phrase whose payload is a `Risk`, lowered where its surroundings say so."""
        risk: Risk = match.payload
        first, last = self._units.places[match.start], self._units.places[match.end - 1]
        if self._is_title(first) or (risk.kind != "medical" and self._is_told(first, last)):
            return NONE
        if self._is_negated(match.start):
            return CONCERN if risk.kind in INTENDED and risk.level != CONCERN else NONE
        if self._is_past(first, last) or self._is_joke(last):
            return CONCERN if risk.level != CONCERN else NONE
        return risk.level

    def _is_negated(self, start: int) -> bool:
        """Whether a negation stands before unit `start`, with nothing between but words that carry it on."""
        scope, units = self._scope, self._units
        position = start
        for _ in range(MOST_LINKS + 1):
            if units.is_after_stop(position):
                return False
            begins = range(max(0, position - NEGATION_UNITS), position)
            begin = next((at for at in begins if scope._negations.holds(units.words, at, position)), None)
            if begin is not None:
                return not self._is_undone(begin, position)
            if position == 0 or units.words[position - 1] not in scope._links:
                return False
            position -= 1
        return False

    def _is_undone(self, begin: int, position: int) -> bool:
        """Whether a negation is denied itself ("I can't say I don't") or is "not only"."""
        scope, units = self._scope, self._units
        between = units.tokens[units.places[position - 1] + 1 : units.places[position]]
        if not {"only", "just", "merely", "只", "仅"}.isdisjoint(between):
            return True
        begins = range(max(0, begin - NEGATION_UNITS), begin)
        return any(scope._doubts.holds(units.words, at, begin) for at in begins)

    def _sentence(self, first: int, last: int) -> tuple[int, int]:
        """The window around the tokens from `first` to `last` that lies in their sentence."""
        before = bisect_left(self._stops, first)
        after = bisect_right(self._stops, last)
        low = self._stops[before - 1] + 1 if before else 0
        high = self._stops[after] if after < len(self._stops) else len(self._units.tokens)
        return max(low, first - BEFORE), min(high, last + 1 + AFTER)

    def _last_of(self, role: str, low: int, high: int) -> int | None:
        """The last sign of a role that begins from `low` up to, not including, `high`."""
        marks = self._marks[role]
        place = bisect_left(marks, high) - 1
        return marks[place] if place >= 0 and marks[place] >= low else None

    def _is_past(self, first: int, last: int) -> bool:
        low, high = self._sentence(first, last)
        if self._last_of("past", low, high) is None or self._last_of("lingering", low, high) is not None:
            return False
        return self._units.tokens[first] not in self._scope._present

    def _is_joke(self, last: int) -> bool:
        return self._last_of("jokes", last + 1, last + 1 + JOKE_AFTER) is not None

    def _is_title(self, first: int) -> bool:
        place = bisect_left(self._titles, first) - 1
        if place < 0 or first - self._titles[place] > TITLE_TOKENS:
            return False
        return TITLE_ENDS not in self._units.tokens[self._titles[place] : first]

    def _is_told(self, first: int, last: int) -> bool:
        """Whether the phrase belongs to a film, a song, the news, and not to the person or their own."""
        low, high = self._sentence(first, last)
        fiction = self._last_of("fiction", low, high)
        if fiction is None:
            return False
        tokens, own = self._units.tokens, self._scope._own
        if not own.isdisjoint(tokens[first : last + 1]):
            return self._is_cited(first, last)
        before = self._last_of("fiction", low, first)
        if before is not None:
            return own.isdisjoint(tokens[before + 1 : first]) or self._is_cited(first, last)
        return own.isdisjoint(tokens[low:first]) and own.isdisjoint(tokens[last + 1 : high])

    def _is_cited(self, first: int, last: int) -> bool:
        """Whether the phrase stands in quotation marks or after "called", as a title or a line does."""
        tokens, own = self._units.tokens, self._scope._own
        place = first - 1
        while place >= 0 and (tokens[place] in own or tokens[place] in QUOTES or tokens[place] in ":：,"):
            place -= 1
        opened = not QUOTES.isdisjoint(tokens[place + 1 : first])
        closed = not QUOTES.isdisjoint(tokens[last + 1 : last + 1 + JOKE_AFTER])
        return (opened and closed) or (place >= 0 and tokens[place] in self._scope._named)


def _trie(phrases: Sequence[Sequence[str]]) -> PhraseTrie:
    trie = PhraseTrie()
    for phrase in phrases:
        trie.add(phrase, True)
    return trie


def _single(phrases: Sequence[Sequence[str]]) -> frozenset[str]:
    return frozenset(unit for phrase in phrases for unit in phrase)
