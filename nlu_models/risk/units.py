"""Cuts a text into the units that phrases are made of: one per Latin word, one per Han character.

Both languages so go through one search, and a mixed message is read whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from nlu_models.risk.phrases import PhraseTrie
from nlu_models.text import normalize

SENTENCE_ENDS = frozenset(".!?;。！？；")  # no phrase goes on beyond one
HARD_STOPS = SENTENCE_ENDS | {"\n"}  # nothing beyond one says how a phrase is meant
STOPS = HARD_STOPS | frozenset(",:，：、…")  # nothing beyond one denies what follows
QUOTES = frozenset('"“”「」『』')
TITLE_OPENS, TITLE_ENDS = "《", "》"
FEWEST_WORDS = 2  # of a sentence: "I. Want. To. Die." is one

_SIGNS = (STOPS - SENTENCE_ENDS) | QUOTES | {TITLE_OPENS, TITLE_ENDS}
# Han first: it is what a long Chinese text consists of, and alternatives are tried in order. A point
# inside a word ends no sentence, nor do several.
_TOKEN = re.compile(
    r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+(?:'[^\W_\u3400-\u9fff]+)*"
    r"|[。！？；;\n,:，：、…\"“”「」『』《》]|(?<!\.)[.!?](?![^\s\"'”’)])"
)


@dataclass(frozen=True)
class Units:
    """A text as units.

    Attributes:
        text: normalised.
        tokens: all words and Han characters, without apostrophes, and the signs between them.
        words: the units: the tokens without signs and fillers, but with what ends a sentence.
        places: where in `tokens` each unit is.
    """

    text: str
    tokens: Sequence[str]
    words: Sequence[str]
    places: Sequence[int]

    def quote(self, start: int, end: int) -> str:
        """What the person wrote where the units from `start` up to, not including, `end` are."""
        return self.text[self._spans[self.places[start]][0] : self._spans[self.places[end - 1]][1]]

    def key(self, start: int, end: int) -> tuple[str, ...]:
        """What is the same for phrases of the same units."""
        return tuple(self.words[start:end])

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        """Of every token, the place in `text`; made only where something is quoted."""
        return [found.span() for found in _TOKEN.finditer(self.text)]

    def is_after_stop(self, unit: int) -> bool:
        """Whether a stop is between a unit and the one before it."""
        before = self.places[unit - 1] if unit else -1
        return any(token in STOPS for token in self.tokens[before + 1 : self.places[unit]])


class Splitter:
    """Cuts texts into units.

    Args:
        fillers: words that are skipped wherever they stand, as units.
        spelling: misspelt word to the word that is meant.
    """

    def __init__(self, fillers: Sequence[Sequence[str]] = (), spelling: Mapping[str, str] | None = None):
        self._spelling = dict(spelling or {})
        self._skipped = _SIGNS | {filler[0] for filler in fillers if len(filler) == 1}
        self._long_fillers = PhraseTrie()
        for filler in fillers:
            if len(filler) > 1:
                self._long_fillers.add(filler, True)
        self._long_first = frozenset(filler[0] for filler in fillers if len(filler) > 1)

    def split(self, text: str) -> Units:
        """The units of a text of any length."""
        clean = normalize(text)
        tokens: list[str] = _TOKEN.findall(clean)
        if "'" in clean:
            tokens = [token.replace("'", "") for token in tokens]
        if not self._spelling.keys().isdisjoint(tokens):
            spelling = self._spelling
            tokens = [spelling.get(token, token) for token in tokens]
        skipped = self._skipped
        places = [place for place, token in enumerate(tokens) if token not in skipped]
        if not self._long_first.isdisjoint(tokens):
            inside: set[int] = set()
            for match in self._long_fillers.find(tokens):
                inside.update(range(match.start, match.end))
            if inside:
                places = [place for place in places if place not in inside]
        places = _sentences(tokens, places)
        return Units(clean, tokens, [tokens[place] for place in places], places)


def _sentences(tokens: Sequence[str], places: list[int]) -> list[int]:
    """The places without the ends of sentences of hardly any words."""
    if SENTENCE_ENDS.isdisjoint(tokens):
        return places
    ends = [index for index, place in enumerate(places) if tokens[place] in SENTENCE_ENDS]
    short = {end for before, end in pairwise([-1, *ends]) if end - before <= FEWEST_WORDS}
    return [place for index, place in enumerate(places) if index not in short] if short else places
