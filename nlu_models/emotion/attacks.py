"""Typing noise and disguises: what people do to a text without changing what it says.

Used to measure how much a reading depends on the spelling (`robustness`) and to train it not to (`noise`).
Slips of the hand are those of "Synthetic and Natural Noise Both Break Neural Machine Translation" (Belinkov
& Bisk, ICLR 2018) and stay inside the word, which keeps it readable (Pruthi et al., ACL 2019); disguises are
those seen where words are filtered. Links, user names, placeholders, emoticons, emoji and words of other
scripts are never touched, and neither are words that turn a sentence round.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable
from itertools import pairwise

from nlu_models.emotion.lookalikes import DISGUISES
from nlu_models.errors import InputError

DEFAULT_STRENGTH = 0.25  # of the words
SHORTEST_WORD = 4  # shorter words have no inside to slip in
MOST_REPEATS = 5

# A slip in one of these would change what is said.
KEPT_WORDS: frozenset[str] = frozenset({
    "not", "no", "never", "none", "nothing", "nobody", "nowhere", "neither", "nor", "cannot", "cant", "can't",
    "dont", "don't", "wont", "won't", "isnt", "isn't", "wasnt", "wasn't", "arent", "aren't", "didnt",
    "didn't", "doesnt", "doesn't", "couldnt", "couldn't", "wouldnt", "wouldn't", "shouldnt", "shouldn't",
    "without", "hardly", "barely",
})  # fmt: skip

_NEIGHBOURS = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl",
    "p": "ol", "a": "qsz", "s": "adwx", "d": "sfec", "f": "dgrv", "g": "fhtb", "h": "gjyn", "j": "hkum",
    "k": "jlim", "l": "kop", "z": "xas", "x": "zcsd", "c": "xvdf", "v": "cbfg", "b": "vngh", "n": "bmhj",
    "m": "nkj",
}  # fmt: skip
_SIGNS_OF_LETTERS = {"a": "4@", "e": "3", "i": "1", "o": "0", "s": "5$", "t": "7"}
_INVISIBLE = "\u200b\u200c\u2060\u00ad"
_SPACERS = (" ", ".", "-", "*")
_PAUSES = (",", "...", ".", "!!!!", ";")
# What is left alone as a whole, then the words that may be changed.
_PIECE = re.compile(
    r"(?P<kept>(?:https?://|www\.)\S+|\S*@\S+|/?\b[ur]/\w+|\[[^\[\]\s]{1,20}\]|[:;=xX]['-]?[()DPpO3/\\|]+(?!\w))"
    r"|(?<![\w'])(?P<word>[A-Za-z]+(?:'[A-Za-z]+)?)(?![\w'])"
)

Change = Callable[[str, random.Random], str]


def perturb(text: str, kind: str, rng: random.Random, strength: float = DEFAULT_STRENGTH) -> str:
    """The text with noise of one kind; it says the same, so that its labels hold.

    Args:
        text: to be changed; one without a word to change comes back as it is.
        kind: one of `KINDS`.
        rng: decides everything; one of the same state gives the same noise.
        strength: share of the words that are changed, in (0, 1]; at least one is.

    Raises:
        InputError: no such kind, or a strength out of range.
    """
    if kind not in KINDS:
        raise InputError(f"noise of the kind {kind!r} is unknown; known are {', '.join(KINDS)}")
    if not 0.0 < strength <= 1.0:
        raise InputError(f"strength is {strength}, expected more than 0 and at most 1")
    if kind == "case":
        return _change_case(text, rng, strength)
    if kind == "punctuation":
        return _change_punctuation(text, rng, strength)
    if kind == "whitespace":
        return _change_whitespace(text, rng, strength)
    return _change_words(text, rng, strength, _CHANGES[kind])


def _change_words(
    text: str, rng: random.Random, strength: float, change: Change, shortest: int = SHORTEST_WORD
) -> str:
    """Changes a share of the words, each where it stands."""
    spans = [span for span in _words(text) if span[1] - span[0] >= shortest]
    if not spans:
        return text
    parts, last = [], 0
    for start, end in sorted(rng.sample(spans, _share(len(spans), strength))):
        parts += [text[last:start], change(text[start:end], rng)]
        last = end
    return "".join([*parts, text[last:]])


def _words(text: str) -> list[tuple[int, int]]:
    """Where the words stand that may be changed."""
    return [
        found.span()
        for found in _PIECE.finditer(text)
        if found["word"] and found["word"].lower() not in KEPT_WORDS
    ]


def _share(count: int, strength: float) -> int:
    return min(count, max(1, round(count * strength)))


def _inside(word: str, rng: random.Random) -> int:
    """The place of a letter that is neither the first nor the last."""
    return rng.randrange(1, len(word) - 1)


def _swap(word: str, rng: random.Random) -> str:
    # Swapping two letters that are the same would change nothing.
    places = [place for place in range(1, len(word) - 2) if word[place] != word[place + 1]]
    if not places:
        return word
    place = rng.choice(places)
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _drop(word: str, rng: random.Random) -> str:
    place = _inside(word, rng)
    return word[:place] + word[place + 1 :]


def _insert(word: str, rng: random.Random) -> str:
    place = _inside(word, rng)
    return word[:place] + rng.choice(string.ascii_lowercase) + word[place:]


def _keyboard(word: str, rng: random.Random) -> str:
    place = _inside(word, rng)
    letter = word[place]
    near = rng.choice(_NEIGHBOURS.get(letter.lower(), letter))
    return word[:place] + (near.upper() if letter.isupper() else near) + word[place + 1 :]


def _repeat(word: str, rng: random.Random) -> str:
    vowels = [place for place, letter in enumerate(word) if letter.lower() in "aeiouy"]
    place = rng.choice(vowels) if vowels else len(word) - 1
    return word[:place] + word[place] * rng.randint(3, MOST_REPEATS) + word[place + 1 :]


def _disguise(word: str, rng: random.Random) -> str:
    places = [place for place, letter in enumerate(word) if letter in DISGUISES]
    if not places:
        return word
    chosen = set(rng.sample(places, rng.randint(1, len(places))))
    return "".join(DISGUISES[letter] if place in chosen else letter for place, letter in enumerate(word))


def _hide(word: str, rng: random.Random) -> str:
    place = rng.randrange(1, len(word))
    return word[:place] + rng.choice(_INVISIBLE) + word[place:]


def _leet(word: str, rng: random.Random) -> str:
    places = [place for place, letter in enumerate(word) if letter.lower() in _SIGNS_OF_LETTERS]
    if not places:
        return word
    chosen = set(rng.sample(places, rng.randint(1, min(2, len(places)))))
    return "".join(
        rng.choice(_SIGNS_OF_LETTERS[letter.lower()]) if place in chosen else letter
        for place, letter in enumerate(word)
    )


def _slip(word: str, rng: random.Random) -> str:
    return rng.choice((_swap, _drop, _insert, _keyboard))(word, rng)


def _split(word: str, rng: random.Random) -> str:
    place = rng.randrange(2, len(word) - 1)
    return f"{word[:place]} {word[place:]}"


def _space_out(word: str, rng: random.Random) -> str:
    return rng.choice(_SPACERS).join(word)


def _change_whitespace(text: str, rng: random.Random, strength: float) -> str:
    """Splits words, spaces their letters out, or runs words together."""
    way = rng.choice(("split", "space_out", "join"))
    if way != "join":
        return _change_words(text, rng, strength, _split if way == "split" else _space_out)
    spans = _words(text)
    gaps = [end for (_, end), (start, _) in pairwise(spans) if text[end:start] == " "]
    if not gaps:
        return text
    closed = set(rng.sample(gaps, _share(len(gaps), strength)))
    return "".join(letter for place, letter in enumerate(text) if place not in closed)


def _change_case(text: str, rng: random.Random, strength: float) -> str:
    way = rng.choice(("upper", "lower", "some"))
    if way == "some":
        return _change_words(
            text,
            rng,
            strength,
            lambda word, draw: "".join(draw.choice((str.upper, str.lower))(c) for c in word),
            1,
        )
    change = str.upper if way == "upper" else str.lower
    return _change_words(text, rng, 1.0, lambda word, _: change(word), 1)


def _change_punctuation(text: str, rng: random.Random, strength: float) -> str:
    """Leaves commas and full stops out, or puts pauses behind words."""
    if rng.random() < 0.5:
        bare = re.sub(r"(?<=[A-Za-z])[.,;]+(?=\s|$)", "", text)
        if bare != text:
            return bare
    return _change_words(text, rng, strength, lambda word, draw: word + draw.choice(_PAUSES))


_CHANGES: dict[str, Change] = {
    "swap": _swap,
    "drop": _drop,
    "insert": _insert,
    "keyboard": _keyboard,
    "repeat": _repeat,
    "homoglyph": _disguise,
    "zero_width": _hide,
    "leet": _leet,
    "typo_mix": _slip,
}
KINDS: tuple[str, ...] = (
    "swap", "drop", "insert", "keyboard", "repeat", "homoglyph", "zero_width", "whitespace", "case",
    "punctuation", "leet", "typo_mix",
)  # fmt: skip
