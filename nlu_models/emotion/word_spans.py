"""The words of a text with their places in it, and which words of a rewritten text they became.

A reader rewrites wording before it tokenises ("h4te" is read as "hate"), so a token's place is a place in
the rewritten text. Here it is led back to the text as it was written.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from difflib import SequenceMatcher

# One word: a character of a script without spaces; letters and digits with their apostrophes and combining
# accents; or a run of other signs, such as "?!" or an emoji with its modifiers.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_LETTER = rf"(?:(?![{_UNSPACED}])\w|[\u0300-\u036f])"
_WORD = re.compile(rf"[{_UNSPACED}]|{_LETTER}+(?:['’]{_LETTER}+)*|[^\w\s]+")


@dataclass(frozen=True)
class Span:
    """A piece of a text: [start, end) in characters."""

    start: int
    end: int


@dataclass(frozen=True)
class Pair:
    """A piece of the text as written, and the piece of the rewritten text that stands for it."""

    written: Span
    read: Span


def words_of(text: str) -> list[Span]:
    """The words of a text, in order; white space belongs to none."""
    return [Span(*found.span()) for found in _WORD.finditer(text)]


def align(written: str, read: str) -> list[Pair]:
    """Which words of the rewritten text the words of a text became.

    Words that are the same in both are paired one by one. Where several became one or one became several,
    they are one pair. A word that nothing became of has an empty piece.

    Args:
        written: the text as it was written.
        read: the text as it is tokenised.

    Returns:
        Pairs in the order of the text; each word of `read` is in one, unless `written` has no words.
    """
    ours, theirs = words_of(written), words_of(read)
    if written == read:
        return [Pair(span, span) for span in ours]
    pairs: list[Pair] = []
    left = [written[span.start : span.end] for span in ours]
    right = [read[span.start : span.end] for span in theirs]
    at = 0
    for kind, from_, to, begin, end in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if kind == "equal" or (kind == "replace" and to - from_ == end - begin):
            pairs += [Pair(ours[from_ + step], theirs[begin + step]) for step in range(to - from_)]
        elif kind == "replace":
            pairs.append(Pair(_around(ours[from_:to]), _around(theirs[begin:end])))
        elif kind == "delete":
            pairs += [Pair(span, Span(at, at)) for span in ours[from_:to]]
        elif pairs:  # words that nobody wrote belong to the word before them
            pairs[-1] = Pair(pairs[-1].written, Span(pairs[-1].read.start, theirs[end - 1].end))
        elif ours:
            pairs.append(Pair(ours[0], _around(theirs[begin:end])))
        at = theirs[end - 1].end if end else 0
    return _merged(pairs)


def place_of(pairs: list[Pair], start: int, end: int) -> int | None:
    """The pair that a token of the rewritten text belongs to most; None when there are no pairs.

    Args:
        pairs: from `align`.
        start: of the token.
        end: of the token.
    """
    if not pairs:
        return None
    near = bisect_right([pair.read.start for pair in pairs], start) - 1
    candidates = range(max(near - 1, 0), min(near + 3, len(pairs)))

    def shared(place: int) -> tuple[int, int]:
        read = pairs[place].read
        return min(end, read.end) - max(start, read.start), -place

    return max(candidates, key=shared)


def _around(spans: list[Span]) -> Span:
    return Span(spans[0].start, spans[-1].end)


def _merged(pairs: list[Pair]) -> list[Pair]:
    """Pairs with each written word once: two that name the same word become one."""
    merged: list[Pair] = []
    for pair in pairs:
        if merged and merged[-1].written == pair.written:
            last = merged[-1]
            merged[-1] = Pair(last.written, Span(last.read.start, max(last.read.end, pair.read.end)))
        else:
            merged.append(pair)
    return merged
