"""What the form of a turn tells beside its words' meaning: how long, how loud, whether it says anything.

"fine.", "k" and "..." say nothing of how somebody is; what they mean is decided by what came before. The
word lists are short on purpose: whole turns are compared, so a word missing from them costs a turn its
inheritance, while a word too many would silence one that speaks for itself.
"""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections.abc import Collection
from dataclasses import dataclass, fields

MAX_CHARS = 2000  # of a turn are looked at
FILLER_WORDS = 5  # a longer turn says something
FILLER_CHARS = 60  # likewise
SHORT_WORDS = 3
LONG_WORDS = 40  # from here on a turn counts as long as any
REMEMBERED_WORDS = 16  # of a turn, as hashes, to notice when it is said again
FEWEST_TO_REPEAT = 2  # words that come again before it counts as repeating oneself
CAPITALS_FROM = 3  # letters; "OK" and "I" are no shouting

# A turn made of nothing but these says nothing of a feeling; one per "|".
_FILLER_TEXT = """
fine|ok|okay|okey|oki|k|kk|kay|alright|all right|whatever|whatevs|sure|right|yeah|yea|yes|yep|yup|ya|no|nope
nah|hm|hmm|mm|mmm|mhm|uh huh|uh|um|eh|meh|ah|oh|oh well|well|so|i see|see|got it|noted|understood|i guess
guess so|i guess so|suppose|i suppose|i suppose so|maybe|perhaps|if you say so|you say so|fair enough
never mind|nevermind|nvm|idk|i dont know|dont know|dunno|no idea|not really|kind of|sort of|it is what it is
its fine|it is fine|im fine|i am fine|thats fine|its ok|its okay|im ok|im okay|same|same as before|same here
nothing|nothing much|not much|doesnt matter|it doesnt matter|forget it|skip it|go on|go ahead|then|and|anyway
just|really|if you like|up to you|dont care|as you like|leave it|done
好|好吧|好的|行|行吧|哦|噢|喔|嗯|嗯嗯|随便|随便吧|算了|没事|没什么|还行|还好|知道了|是吗|是|对|不知道|就这样|就这样吧|呵呵
"""
_FILLERS = frozenset(filler for line in _FILLER_TEXT.split("\n") for filler in line.split("|") if filler)
_LONGEST_FILLER = max(len(filler.split()) for filler in _FILLERS)

# Words that thank or praise; said in few words after trouble, they may be meant otherwise.
_PRAISE = """great perfect wonderful brilliant fantastic amazing awesome lovely nice super excellent cool
    thanks thank thx cheers congrats congratulations bravo classy helpful impressive"""
_PERSISTING = """still again already always every another never constantly keep keeps same yet nobody endless
    hours weeks months"""
_EASING = """finally phew better worked works working sorted solved fixed relieved relief calmer lighter
    helped helps thankfully weight easier eased glad"""
_TURNING = "but though although however except"
_DENYING = """not no dont cant wont didnt doesnt isnt wasnt wouldnt couldnt shouldnt havent hasnt arent aint
    nothing nobody none never without cannot"""
_LAUGHING = "lol haha hahaha hehe lmao rofl"
_SELF = "i im ive id ill me my mine myself"
_SWEARING = "damn hell shit fuck fucking fucked crap bloody bullshit wtf ffs omfg ass idiot idiots"
_WORD_LISTS = {
    "praise": frozenset(_PRAISE.split()),
    "persists": frozenset(_PERSISTING.split()),
    "eases": frozenset(_EASING.split()),
    "turns": frozenset(_TURNING.split()),
    "denies": frozenset(_DENYING.split()),
    "laughs": frozenset(_LAUGHING.split()),
    "about_self": frozenset(_SELF.split()),
    "swears": frozenset(_SWEARING.split()),
}

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_SMALL = re.compile(r"[a-zà-öø-ÿ]")
_CAPITAL = re.compile(r"[A-ZÀ-ÖØ-Þ]")
_HAN = re.compile(r"[\u3400-\u9fff]")
_STRETCHED = re.compile(r"([^\W\d_])\1\1")
_DOTS = re.compile(r"(\.\.+|…|。。+)\s*$")
_SMILE = re.compile(
    r"[:;=]-?[)D]|\^\^|<3|[\u2764\u263a\U0001f600-\U0001f60d\U0001f929\U0001f973\U0001f389\U0001f495]"
)
_FROWN = re.compile(
    r"[:=]'?-?\(|:/(?!/)|[\u2639\U0001f614-\U0001f616\U0001f61e-\U0001f62d\U0001f494\U0001f97a]"
)
_ONLY_DOTS = re.compile(r"[\s.…。,，\-–—~_]+")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})


@dataclass(frozen=True)
class Cues:
    """The form of one turn; every value lies in [0, 1].

    Attributes:
        filler: it says nothing of a feeling by itself, as "fine." or "...".
        short: at most three words.
        length: how long it is, on a logarithmic scale; 1 from 40 words on.
        capitals: share of capitals among its letters, where there are enough letters.
        exclaims: it has an exclamation mark; 1 with two or more.
        asks: it has a question mark.
        trails: it ends in dots.
        clipped: at most three words, closed with a full stop.
        stretched: a letter is drawn out, as in "sooo".
        repeats: share of its words that the person's turn before had too.
        praise: it thanks or praises.
        praise_short: it does so in at most three words.
        persists: it says that something goes on or happens again.
        eases: it says that something works or got better.
        turns: it sets something against something, with "but".
        denies: it has a "not" or the like.
        laughs: it has a "haha" or the like.
        about_self: it speaks of the person themselves.
        swears: it swears.
        smiles: it has a smile, as ":)".
        frowns: it has a frown or tears, as ":(".
    """

    filler: float = 0.0
    short: float = 0.0
    length: float = 0.0
    capitals: float = 0.0
    exclaims: float = 0.0
    asks: float = 0.0
    trails: float = 0.0
    clipped: float = 0.0
    stretched: float = 0.0
    repeats: float = 0.0
    praise: float = 0.0
    praise_short: float = 0.0
    persists: float = 0.0
    eases: float = 0.0
    turns: float = 0.0
    denies: float = 0.0
    laughs: float = 0.0
    about_self: float = 0.0
    swears: float = 0.0
    smiles: float = 0.0
    frowns: float = 0.0

    @property
    def is_filler(self) -> bool:
        """Whether the turn says nothing of a feeling by itself."""
        return self.filler > 0.0


CUES = tuple(cue.name for cue in fields(Cues))


def cues_of(text: str, said_before: Collection[int] = ()) -> Cues:
    """The cues of a turn.

    Args:
        text: as the person wrote it.
        said_before: hashes of the words of their turn before (`word_hashes`).
    """
    clipped = text[:MAX_CHARS]
    words = _words(clipped)
    han = len(_HAN.findall(clipped))
    count = sum(word.isascii() or _HAN.search(word) is None for word in words) + han / 2
    hashes = _hashes(words)
    again = sum(one in said_before for one in hashes)
    known = frozenset(word.replace("'", "") for word in words)
    has = {name: float(not known.isdisjoint(listed)) for name, listed in _WORD_LISTS.items()}
    short = 0 < count <= SHORT_WORDS
    return Cues(
        filler=float(is_filler(clipped)),
        short=float(short or count == 0),
        length=min(math.log1p(count) / math.log1p(LONG_WORDS), 1.0),
        capitals=_capitals(clipped),
        exclaims=min(sum(clipped.count(mark) for mark in "!！") / 2, 1.0),
        asks=float("?" in clipped or "？" in clipped),
        trails=float(_DOTS.search(clipped) is not None),
        clipped=float(short and clipped.rstrip().endswith((".", "。")) and not _DOTS.search(clipped)),
        stretched=float(_STRETCHED.search(clipped) is not None),
        repeats=again / len(hashes) if again >= FEWEST_TO_REPEAT else 0.0,
        praise_short=has["praise"] * short,
        smiles=float(_SMILE.search(clipped) is not None),
        frowns=float(_FROWN.search(clipped) is not None),
        **has,
    )


def is_filler(text: str) -> bool:
    """Whether a turn says nothing of a feeling by itself: "fine.", "k", "...", "ok, whatever".

    "FINE!!!" and "fine?" say more than that.
    """
    clipped = text.strip()
    if not clipped or len(clipped) > FILLER_CHARS:
        return False
    if _ONLY_DOTS.fullmatch(clipped):
        return True
    if any(mark in clipped for mark in "!！?？") or _capitals(clipped) > 0.5:
        return False
    words = [re.sub(r"([^\W\d_])\1\1+", r"\1", word).replace("'", "") for word in _words(clipped)]
    return 0 < len(words) <= FILLER_WORDS and _made_of_fillers(words) and not _has_symbols(clipped)


def word_hashes(text: str) -> tuple[int, ...]:
    """Short hashes of a turn's longer words, each once: enough to notice them again, not to read them."""
    return _hashes(_words(text[:MAX_CHARS]))


def _hashes(words: list[str]) -> tuple[int, ...]:
    seen = dict.fromkeys(word for word in words if len(word) > 3 or not word.isascii())
    return tuple(zlib.crc32(word.encode("utf-8", "replace")) for word in list(seen)[:REMEMBERED_WORDS])


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).translate(_QUOTES).casefold())


def _made_of_fillers(words: list[str]) -> bool:
    """Whether the words are fillers one after the other, the longest first."""
    at = 0
    while at < len(words):
        for size in range(min(_LONGEST_FILLER, len(words) - at), 0, -1):
            if " ".join(words[at : at + size]) in _FILLERS:
                at += size
                break
        else:
            return False
    return True


def _capitals(text: str) -> float:
    small, capital = len(_SMALL.findall(text)), len(_CAPITAL.findall(text))
    return capital / (small + capital) if small + capital >= CAPITALS_FROM else 0.0


def _has_symbols(text: str) -> bool:
    """Whether there is an emoji or the like, which may speak for itself."""
    return any(unicodedata.category(character) in ("So", "Sk", "Cs") for character in text)
