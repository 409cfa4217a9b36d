"""Folds letters that only look Latin into the Latin letters they stand for.

Mathematical and full-width letters, small capitals, Cyrillic and Greek letters inside Latin words, piles
of combining marks, and characters that show nothing: to a person they are the same words, to a tokenizer
unknown ones. Text that really is in another script is left as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from nlu_models.text import INVISIBLE

# Blocks whose letters and digits are ASCII in another dress.
_DRESSED_BLOCKS = (
    (0x02B0, 0x02B8), (0x02E0, 0x02E3), (0x1D2C, 0x1D6A), (0x2070, 0x209C), (0x2100, 0x214F),
    (0x24B6, 0x24E9), (0xFB00, 0xFB06), (0xFF10, 0xFF5A), (0x1D400, 0x1D7FF), (0x1F130, 0x1F149),
)  # fmt: skip
# Enclosed letters that Unicode doesn't decompose: white on black, round and square.
_BLACK_BLOCKS = (0x1F150, 0x1F170)
_SMALL_CAPITALS = dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢɑɡı", "abcdefghijklmnoprstuvwyzagi", strict=True))

# The same shape as the Latin letter: folded in words that consist of nothing else, too.
_SAME = dict(
    zip(
        "аеорсухіѕјԁԛԝһӏАВЕКМНОРСТХУІЅЈԌԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧοօ",
        "aeopcyxisjdqwhlABEKMHOPCTXYISJGQWABEZHIKMNOPTYXoo",
        strict=True,
    )
)
# Near enough to be read as the Latin letter, but only beside Latin letters.
_NEAR = dict(zip("вкмнтпгґёїѵЁЇανικτυχερηωβγոսհ", "bkmhtnrreivEIaviktuxepnwbynuh", strict=True))

# The Cyrillic or Greek letter that looks like a Latin one, for those who want to disguise a text.
DISGUISES: Mapping[str, str] = {latin: other for other, latin in reversed(_SAME.items())}

_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_MARK = re.compile(f"[{_MARKS}]")
_PILE = re.compile(f"(?P<base>[^{_MARKS}])?(?P<marks>[{_MARKS}]+)")
_MOST_MARKS = 3  # on a letter of another script: polytonic Greek, decomposed, has as many
# Joiners and non-joiners spell words of Arabic, Indic and South-East Asian scripts.
_UNSEEN = re.compile(
    f"[{INVISIBLE}\U000e0000-\U000e007f](?:(?<![\u200c\u200d])|(?<![\u0590-\u1fff].))", re.DOTALL
)
_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u2800]")
_LINE_ENDS = re.compile("[\u0085\u2028\u2029]")
_APOSTROPHE = re.compile("(?<=[A-Za-z])[\u2019\u2018\u02bc\u00b4\uff07](?=[A-Za-z])")
_OTHER_ALPHABETS = "\u0370-\u03ff\u0400-\u052f\u0561-\u0587"
_FOREIGN_LETTER = re.compile(f"[{_OTHER_ALPHABETS}]")
_LETTERS = re.compile(f"[A-Za-z\u00c0-\u024f{_OTHER_ALPHABETS}]+")


def _dressed() -> dict[str, str]:
    table = dict(_SMALL_CAPITALS)
    for first, last in _DRESSED_BLOCKS:
        for code in range(first, last + 1):
            plain = unicodedata.normalize("NFKC", chr(code))
            is_ligature = first == 0xFB00
            if plain.isascii() and plain.isalnum() and (len(plain) == 1 or is_ligature):
                table[chr(code)] = plain
    for first in _BLACK_BLOCKS:
        table.update({chr(first + place): chr(ord("a") + place) for place in range(26)})
    return table


_DRESSED = _dressed()
# A few wide ranges: a class of a thousand single letters is searched one by one.
_DRESSED_LETTER = re.compile(
    "[\u0131\u0251-\u02e3\u1d00-\u1d6a\u2070-\u214f\u24b6-\u24e9\ua730\ua731\ufb00-\ufb06\uff10-\uff5a"
    "\U0001d400-\U0001d7ff\U0001f130-\U0001f189]"
)


def fold_lookalikes(text: str) -> str:
    """The text with Latin letters for what only looks like them, and nothing invisible.

    Emoji are expected to be gone: their joiners and selectors are invisible characters too.
    """
    text = _UNSEEN.sub("", text)
    text = _LINE_ENDS.sub("\n", _BLANKS.sub(" ", text))
    text = _DRESSED_LETTER.sub(lambda found: _DRESSED.get(found[0], found[0]), text)
    if _MARK.search(text):
        text = _PILE.sub(_flatten, text)
    if _FOREIGN_LETTER.search(text):
        text = _fold_words(text)
    return _APOSTROPHE.sub("'", text)


def _flatten(pile: re.Match[str]) -> str:
    """A character without the marks piled on it; an accent that is part of a letter stays."""
    base, marks = pile["base"] or "", pile["marks"]
    if not base or base.isspace():
        return base
    if not _is_latin(base):
        return base if len(marks) > _MOST_MARKS else pile[0]
    composed = unicodedata.normalize("NFC", base + marks) if len(marks) <= _MOST_MARKS else ""
    return composed if len(composed) == 1 else unicodedata.normalize("NFD", base)[0]


def _is_latin(letter: str) -> bool:
    return letter < "\u0250" or "\u1e00" <= letter < "\u1f00"


def _fold_words(text: str) -> str:
    """Folds Cyrillic and Greek look-alikes, if the text is otherwise a Latin one."""
    words = [found[0] for found in _LETTERS.finditer(text)]
    latin = sum(any(map(_is_latin, word)) for word in words)
    foreign = sum(any(_is_telling(letter) for letter in word) for word in words)
    if latin <= foreign:
        return text
    return _LETTERS.sub(lambda found: _fold_word(found[0], alone=foreign == 0), text)


def _is_telling(letter: str) -> bool:
    """Whether the letter shows that its word is of another script."""
    return not _is_latin(letter) and letter not in _SAME and letter not in _NEAR


def _fold_word(word: str, alone: bool) -> str:
    """One word, folded if it mixes scripts or, where `alone`, if it has no letter of its own script."""
    others = [letter for letter in word if not _is_latin(letter)]
    if not others or any(map(_is_telling, others)):
        return word
    if len(others) == len(word):
        is_fake = alone and all(letter in _SAME for letter in others)
        return "".join(_SAME[letter] for letter in word) if is_fake else word
    return "".join(_SAME.get(letter) or _NEAR.get(letter, letter) for letter in word)
