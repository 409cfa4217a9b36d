"""Tables of how the words that matter are misspelt and masked: looked up, never searched.

One slip of the finger (a letter lost, doubled, swapped or wrong) is undone only in words long and rare
enough that nothing else is meant; the reviewed lists are in `data/risk/<language>.yml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import combinations
from string import ascii_lowercase

SHORTEST_INNER = 5  # letters; of shorter words the first and the last say too little

MASKS = frozenset("*#!|@$%+")

_VOWELS = frozenset("aeiou")
_MASKED = re.compile(r"(?<![a-z0-9*])[a-z][a-z0-9*#!|@$%+]{1,14}[a-z](?![a-z0-9*])", re.IGNORECASE)
_MASK = re.compile(r"[0-9#!|@$%+]")
_MASK_WITHIN = re.compile(r"[A-Za-z0-9][*#!|@$%+]+[A-Za-z0-9]")


def one_edit(word: str) -> set[str]:
    """Every string one deletion, swap of neighbours, replacement or insertion away, of the letters a to z."""
    cuts = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    edits = {left + right[1:] for left, right in cuts if right}
    edits |= {left + right[1] + right[0] + right[2:] for left, right in cuts if len(right) > 1}
    edits |= {left + letter + right[1:] for left, right in cuts if right for letter in ascii_lowercase}
    edits |= {left + letter + right for left, right in cuts for letter in ascii_lowercase}
    return edits - {word}


def spelling_table(
    guarded: Iterable[str], other_words: Iterable[str], slips: Mapping[str, Iterable[str]]
) -> dict[str, str]:
    """Misspelt word to the word that is meant.

    Args:
        guarded: words that are recognised with one edit.
        other_words: words that are one edit away and mean something else.
        slips: word to misspellings of it that are no words.
    """
    guarded = list(guarded)
    kept = {*guarded, *other_words, *slips}
    table = {wrong: word for word in guarded for wrong in one_edit(word) if wrong not in kept}
    table.update({wrong: word for word, wrongs in slips.items() for wrong in wrongs})
    return table


class Unmasker:
    """Reads words whose letters are hidden behind signs, as in "su*cide".

    Args:
        words: what may be hidden; lower case.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._table: dict[str, str] = {}
        for word in words:
            for shape in _masked_shapes(word):
                self._table.setdefault(shape, word)

    def unmask(self, text: str) -> str:
        """The text with the words it masks; it takes time in proportion to the text's length."""
        if MASKS.isdisjoint(text) or not _MASK_WITHIN.search(text):
            return text
        return _MASKED.sub(self._word, text)

    def _word(self, found: re.Match[str]) -> str:
        shape = _MASK.sub("*", found[0].lower())
        return self._table.get(shape, found[0]) if "*" in shape else found[0]


def _masked_shapes(word: str) -> set[str]:
    """The word with any one letter, two neighbours, some or all vowels or all inner letters masked."""
    inner = range(1, len(word) - 1)
    shapes = {word[:place] + "*" + word[place + 1 :] for place in inner}
    shapes |= {word[:place] + "**" + word[place + 2 :] for place in inner if place + 2 < len(word)}
    vowels = [place for place in inner if word[place] in _VOWELS]
    for count in range(2, len(vowels) + 1):
        for masked in combinations(vowels, count):
            shapes.add("".join("*" if at in masked else letter for at, letter in enumerate(word)))
    if len(word) >= SHORTEST_INNER:
        shapes.add(word[0] + "*" * (len(word) - 2) + word[-1])
    return shapes
