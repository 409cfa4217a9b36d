"""Brings a message into plain wording before it is tokenised, in training and in serving alike.

An uncased WordPiece tokenizer knows neither emoji nor "h4te", "s o   s a d" or Cyrillic letters dressed up
as Latin ones. Here they become words it knows; ordinary text passes through byte for byte. What is done is
in `docs/robustness.md`. Training and serving both call this, and nothing besides: otherwise what was learnt
and what is served would drift apart.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from itertools import pairwise

from nlu_models.emotion.emoji_names import spell_emoji
from nlu_models.emotion.lookalikes import fold_lookalikes
from nlu_models.emotion.plain_words import GLUE_WORDS, PLAIN_WORDS, REBUS

CHARS_PER_TOKEN = 40  # texts are cut to max_tokens times this before tokenising, which is far more than fits
LINK = "link"
MAIL = "email"
USER = "user"
CODE = "code"
MOST_PASSES = 4  # what one pass uncovers the next may fold; two are enough for all but contrived texts

# An ampersand escaped any number of times counts once.
_ENTITY = re.compile(
    r"&(?:amp;|#0{0,4}38;|#[xX]0{0,4}26;)*"
    r"((?:lt|gt|quot|apos|nbsp|hellip|mdash|ndash|[lr][sd]quo|#\d{1,7}|#[xX][\da-fA-F]{1,6});)?"
)
_INLINE_CODE = re.compile(r"`([^`\n]{1,400})`")
_CODE_SIGN = re.compile(r"[{}()\[\];=<>_/\\|$#]|\b(?:def|return|import|function|const|null|void)\b")
_CODE_SHARE = 0.06  # signs per character from which fenced text is code rather than prose
_MARKDOWN_LINK = re.compile(r"\[([^\[\]\n]{1,200})\]\((?:https?://|www\.)[^\s()]{1,2000}\)")
_URL = re.compile(r"(?:https?://|\bwww\.)[!#-;=?-~]+", re.IGNORECASE)
_AFTER_URL = ".,!?;:')]}*"
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z\d-]{1,64}(?:\.[A-Za-z\d-]{1,24}){1,4}")
_MENTION = re.compile(r"(?<![\w@/.])@(?!(?:me|you|us|him|her|them|all|here)\b)[A-Za-z_][\w.-]{1,38}\w")
_REDDIT_USER = re.compile(r"(?<![\w/])/?u/[A-Za-z\d_-]{3,24}")

# The hints begin with what is rare, and so cost little where there is nothing to do.
_SPACED_HINT = re.compile(r" [A-Za-z] +[A-Za-z](?![^\W_])")
_DOTTED_HINT = re.compile(r"[._*|·-][A-Za-z][._*|·-][A-Za-z]")
_SPACED = re.compile(r"(?<![^\W_])(?<!['’.])[A-Za-z](?: +[A-Za-z](?![^\W_]|['’])){2,}")
_DOTTED = re.compile(r"(?<![^\W_])[A-Za-z]([._*|·-])[A-Za-z](?:\1[A-Za-z](?![^\W_]))+")
_LETTER = re.compile(r"[A-Za-z]")
_FEW_LETTERS = 4  # fewer letters apart are joined only into words that are listed
_MOST_LETTERS = 400  # more are no message
_ACRONYM = 5  # so many dotted capitals are an abbreviation, more are a shout
_LISTED = PLAIN_WORDS | GLUE_WORDS
_LONGEST_LISTED = max(map(len, _LISTED))
_NO_WORDS = 1 << 60
_SHORTHAND = frozenset("rukyncbiaomxdj")  # letters that stand for words: "r u k"
_GRADES = frozenset("abcdef")

_WHITE = re.compile(r"\s\s+")
_LEET_SIGN = re.compile(r"[0-9@$]")
_LEET_WORD = re.compile(r"(?<![\w@$#'])[A-Za-z0-9@$]{2,24}(?![\w@$])")
_LEET = str.maketrans("0134578@$", "oieastbas")
_LEET_VOWEL = re.compile(r"(?<=[b-df-hj-np-tv-z])([0134@])\1?(?=[a-z])")
_SHORTEST_LEET = 4  # characters; shorter words with a digit are names of things, unless they are listed
_PRODUCT = re.compile(r"(?:ps|mp|tv|gt|ip)\d")  # "ps4pro" is no "psapro"
_WORD = re.compile(r"[A-Za-z]+")
_TRIPLE = re.compile(r"([a-z])\1\1")
_SHORTEST_WHOLE = 3  # "sooo" keeps an o too many: it says how much
_STRETCH = re.compile(r"([a-z])\1{2,}", re.IGNORECASE)
_FACE = re.compile(r"([:;=])(?<![:;=].)(?<!\w=)(['’]?)[-^]?([()\[\]{}DPp/\\|])\3*(?![\w(\[])")
_MOUTHS = str.maketrans("[{]}\\", "(())/")
_HEART = re.compile(r"(<|</)3{1,}(?!\d)")
_SIGNS = re.compile(r"([!-/:-@\[-^`{-~])(?:(?<=[!?])[!?]{3,}|\1{3,})")


def normalize_wording(text: str) -> str:
    """The text in plain words, as emotion readers are trained on it and given it.

    A pure function that never raises and takes time in proportion to the text's length. Texts of ordinary
    wording are returned unchanged, and what it returns it leaves as it is.

    Args:
        text: of any length and script; may be empty, and may hold lone surrogates.
    """
    for _ in range(MOST_PASSES):
        plain = _pass(text)
        if plain == text:
            break
        text = plain
    return text


def as_read(text: str, max_tokens: int, reword: Callable[[str], str] = normalize_wording) -> str:
    """A text as a tokenizer is given it: cut, in plain words, and without halves of an emoji.

    Args:
        text: of any length and script; may be empty, and may hold lone surrogates.
        max_tokens: how many tokens are read; the text is cut to far more characters than these can take.
        reword: brings it into plain words; `str` leaves its wording as it is.
    """
    longest = max_tokens * CHARS_PER_TOKEN
    plain = reword(text[:longest])[:longest]  # cut again, since names of emoji are longer than emoji
    # A lone surrogate (half an emoji) can't be UTF-8, which tokenizers insist on.
    return plain.encode("utf-8", "replace").decode("utf-8")


def _pass(text: str) -> str:
    if "&" in text and ";" in text:
        text = _ENTITY.sub(_unescape, text)
    if not text.isascii():
        text = fold_lookalikes(spell_emoji(text))
    if "`" in text:
        text = _fold_code(text)
    text = _fold_addresses(text.replace("\t", " "))
    if _SPACED_HINT.search(text):
        text = _SPACED.sub(_join_spaced, text)
    if _DOTTED_HINT.search(text):
        text = _DOTTED.sub(_join_dotted, text)
    text = _WHITE.sub(lambda found: "\n" if "\n" in found[0] else " ", text)
    if _LEET_SIGN.search(text):
        text = _LEET_WORD.sub(_read_leet, text)
    if _TRIPLE.search(text.lower()):  # half the time of ignoring case
        text = _WORD.sub(_shorten, text)
    if "<" in text:
        text = _HEART.sub(lambda found: "<3" if found[1] == "<" else "heartbroken", text)
    text = _FACE.sub(_plain_face, text)
    return _SIGNS.sub(_shorten_signs, text)


def _unescape(entity: re.Match[str]) -> str:
    return html.unescape(f"&{entity[1]}") if entity[1] else "&"


def _fold_code(text: str) -> str:
    """Code becomes one word; prose between backticks stays, since people quote with them."""
    parts = text.split("```")
    fenced = range(1, len(parts) - 1, 2)
    for place in fenced:
        parts[place] = f" {CODE} " if _is_code(parts[place]) else f" {parts[place]} "
    text = "".join(parts) if len(parts) % 2 else "".join(parts[:-1]) + "```" + parts[-1]
    return _INLINE_CODE.sub(lambda found: CODE if _is_code(found[1]) else found[1], text)


def _is_code(text: str) -> bool:
    signs = sum(1 for _ in _CODE_SIGN.finditer(text))
    return signs >= 1 and signs >= _CODE_SHARE * len(text)


def _fold_addresses(text: str) -> str:
    """Links, mail addresses and user names become words: their letters say nothing of a feeling."""
    if "://" in text or "www." in text.lower():
        text = _MARKDOWN_LINK.sub(r"\1", text)
        text = _URL.sub(lambda found: LINK + found[0][len(found[0].rstrip(_AFTER_URL)) :], text)
    if "@" in text:
        text = _MENTION.sub(USER, _MAIL.sub(MAIL, text))
    if "u/" in text:
        text = _REDDIT_USER.sub(USER, text)
    return text


def _join_spaced(found: re.Match[str]) -> str:
    """ "s o   s a d" as "so sad"; letters that may be a list or shorthand stay apart."""
    letters = _LETTER.findall(found[0])
    gaps = [len(gap) for gap in _LETTER.split(found[0])[1:-1]]
    wide = min(gaps)
    groups = "".join(
        letter if gap == wide else f" {letter}" for letter, gap in zip(letters, [wide, *gaps], strict=True)
    ).split(" ")
    words = [_segment(group) for group in groups]
    if all(words):
        return " ".join(word for word in words if word)
    joined = "".join(letters)
    kinds = set(joined.lower())
    is_text = len(letters) >= _FEW_LETTERS and not _is_list(joined) and not kinds <= _SHORTHAND
    if not is_text or kinds <= _GRADES:
        return found[0]
    return " ".join(word or group for word, group in zip(words, groups, strict=True))


def _join_dotted(found: re.Match[str]) -> str:
    """ "h.e.l.p" and "s-a-d" joined; abbreviations and lists stay."""
    joined = "".join(_LETTER.findall(found[0]))
    is_acronym = joined.isupper() and len(joined) <= _ACRONYM
    if joined.lower() in PLAIN_WORDS:
        return joined
    return found[0] if is_acronym or _is_list(joined) else _segment(joined) or joined


def _is_list(letters: str) -> bool:
    """Whether letters are in alphabetical order ("a b c") or one and the same ("T-T-T")."""
    low = letters.lower()
    return all(first <= second for first, second in pairwise(low))


def _segment(letters: str) -> str | None:
    """Letters as the fewest listed words, or None where they are none; at least one says something."""
    if len(letters) > _MOST_LETTERS:
        return None
    low = letters.lower()
    counts, starts = [0], [0]  # of the best words up to each letter, and where the last of them begins
    for end in range(1, len(low) + 1):
        begins = [
            start
            for start in range(max(0, end - _LONGEST_LISTED), end)
            if counts[start] < _NO_WORDS and low[start:end] in _LISTED
        ]
        best = min(begins, key=counts.__getitem__, default=-1)
        counts.append(counts[best] + 1 if begins else _NO_WORDS)
        starts.append(best)
    if counts[-1] == _NO_WORDS:
        return None
    words, end = [], len(low)
    while end:
        words.append(letters[starts[end] : end])
        end = starts[end]
    return " ".join(reversed(words)) if any(word.lower() in PLAIN_WORDS for word in words) else None


def _read_leet(found: re.Match[str]) -> str:
    """ "h4te" and "$ad" in letters; product names, sums and codes stay."""
    word, low = found[0], found[0].lower()
    if low in REBUS:
        return REBUS[low]
    letters = sum(map(str.isalpha, low))
    if letters == len(low) or letters < len(low) - letters:
        return word
    plain = low.translate(_LEET)
    for guess in (plain, plain.replace("i", "l") if "1" in low else plain, _STRETCH.sub(r"\1", plain)):
        if guess in PLAIN_WORDS or (guess in GLUE_WORDS and len(guess) >= _SHORTEST_LEET):
            return guess.upper() if word.isupper() and len(word) > 1 else guess
    if word[1:] != low[1:] or len(word) < _SHORTEST_LEET or _PRODUCT.match(low):
        return word
    plain = _LEET_VOWEL.sub(lambda sign: sign[0].translate(_LEET), word)
    return plain if plain.isalpha() else word


def _shorten(found: re.Match[str]) -> str:
    """ "loooove" as "love", "sooooo" as "soo": a stretched word keeps a trace of it unless it is listed."""
    word = found[0]
    if not _STRETCH.search(word):
        return word
    if len(set(word.lower())) == 1:
        return word[:3]  # "III", "xxx" and "zzz" are words
    double = _STRETCH.sub(lambda run: run[0][:2], word)
    single = _STRETCH.sub(r"\1", word)
    if double.lower() in PLAIN_WORDS or single.lower() not in _LISTED or len(single) < _SHORTEST_WHOLE:
        return double
    return single


def _plain_face(found: re.Match[str]) -> str:
    """An emoticon without nose and with one mouth: ":-(((" as ":("."""
    eyes = ":" if found[1] == "=" else found[1]
    return eyes + ("'" if found[2] else "") + found[3].translate(_MOUTHS)


def _shorten_signs(found: re.Match[str]) -> str:
    return "?!" if len(set(found[0])) > 1 else found[0][:3]
