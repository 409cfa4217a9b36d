"""Whether a person says of themselves that they are a minor, pregnant or disabled.

Read narrowly: only what is said in the first person and of now counts, since a person is treated differently
from then on. "My son is 13", "when I was 13" and "I'm 13 minutes late" tell of nobody's age who writes here.
Pregnancy and disability alone change nothing; they count beside danger (`bot.core.course`).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum

READ_CHARS = 2000  # of a turn
YOUNGEST = 6  # years; who is younger doesn't write here
ADULT_AGE = 18  # years, from which somebody is no minor


class Vulnerability(str, Enum):
    """What makes a person vulnerable."""

    MINOR = "minor"
    PREGNANT = "pregnant"
    DISABLED = "disabled"


@dataclass(frozen=True)
class VulnerableCue:
    """What a person said of themselves, and the words it was read from."""

    kind: Vulnerability
    words: str


_ENGLISH = {
    word: number
    for number, word in enumerate(
        (
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
        ),
        start=6,
    )
}
_ENGLISH_NUMBER = r"\d{1,2}|" + "|".join(sorted(_ENGLISH, key=len, reverse=True))
_CHINESE_DIGITS = {digit: number for number, digit in enumerate("零一二三四五六七八九")} | {"两": 2}

_I_AM = r"\b(?:i'?m|i am|im)\s+"
_ADVERBS = (
    r"(?:(?:only|just|still|actually|literally|like|already|a|an|now|currently|about to (?:be|turn))\s+)*"
)
# After a number of years: the end of the clause, or a word that can't belong to the number.
_AFTER_AGE = (
    r"(?=\s*(?:$|[.,](?!\s*\d)|[;!?)…\n。，！？]|-(?!\s*\d)"
    r"|(?:and|but|so|&|with|now|today|lol|btw|female|male|girl|boy|f|m)\b(?!\s+a half)"
    r"|in (?:grade|year|(?:middle|high|secondary|primary|elementary) school|\w+ grade)\b))"
)
_YEARS_OLD = r"[\s-]*(?:years?|yrs?)[\s-]*old\b|\s*y/?o\b"
_ENGLISH_AGE = re.compile(
    rf"{_I_AM}{_ADVERBS}(?P<almost>(?:almost|nearly|not even|not yet|under)\s+)?(?P<age>{_ENGLISH_NUMBER})"
    rf"(?:(?:{_YEARS_OLD})|{_AFTER_AGE})"
)
_ENGLISH_TURNED = re.compile(
    rf"\bi (?:just |only just |recently )?(?:turned|turn|will be|'ll be)\s+(?P<age>{_ENGLISH_NUMBER})"
    r"(?=\s*(?:$|[.,;!?]|last (?:week|month)|yesterday|today|this (?:week|month|year)|next (?:week|month)"
    r"|tomorrow))"
)
_ENGLISH_BRACKET = re.compile(
    r"\bi[ ,]*[(\[]\s*(?:(?P<age>\d{1,2})\s*[fm]|[fm]\s*(?P<later>\d{1,2}))\s*[)\]]"
)
_AS_A_MINOR = re.compile(
    rf"\bas an? (?P<age>{_ENGLISH_NUMBER})(?:{_YEARS_OLD})[^.!?]{{0,30}}\b(?:i|i'm|my)\b"
)
_GRADE = (
    r"(?:[1-9]|1[0-2])(?:st|nd|rd|th)|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth"
    r"|eleventh|twelfth"
)
_ENGLISH_SCHOOL = re.compile(
    rf"{_I_AM}(?:only |just |still |currently )*(?:"
    rf"in (?:the )?(?:{_GRADE}) grade\b(?! (?:math|class)\w*)"
    r"|in (?:grade (?:[1-9]|1[0-2])|year (?:[3-9]|1[0-3]))\b(?! of\b)"
    r"|in (?:my )?(?:(?:first|second|third|last|final|senior|junior|freshman|sophomore) year (?:of|in) )?"
    r"(?:middle|elementary|primary|secondary|junior high|high) ?school\b(?! (?:teach|admin|education))"
    rf"|an? (?:{_GRADE})[ -]grader\b"
    r"|an? (?:middle|high|secondary)[ -]?school(?:er\b|[ -](?:student|kid|girl|boy|freshman|senior))"
    r"|an? (?:freshman|sophomore|junior|senior) in high ?school\b"
    r"|an? (?:minor|kid|child|teen|teenager|schoolgirl|schoolboy)(?=\s*(?:$|[.,;!?]|and\b|but\b|so\b))"
    r"|under ?age\b)"
)
_TEACHES = re.compile(r"\bi(?:'?m| am) (?:an? )?(?:\w+ )?teach|\bi teach\b|\bteaching\b")
# Before "I'm 13": somebody else's belief, a comparison, another time. A quotation mark makes it another's.
_NOT_MEANT = re.compile(
    r"(?:\b(?:like|as if|as though|thinks?|thought|thinking|believes?|assumes?|pretend\w*|wish|imagine|if"
    r"|when|whenever|until|till|once|by the time|said|says|claimed|wrote|lied|lying|song|lyrics?)"
    r"(?:\s+(?:that|says?))?\s*[:,]?\s*|\w.*[\"“]\s*)$"
)

_CHINESE_NUMBER = r"\d{1,2}|[一二三四五六七八九]?十[一二三四五六七八九]?|[六七八九两]"
_NOW = (
    r"今年|现在|目前|才|只有|还只有|刚满|刚刚|刚|快|马上|快满|还|已经|也|就|是个|是一个|是一名|是一位|是名|是位|是|，|,"
    r"|不到|未满|没满|还没满|还没到|没到"
)
_CHINESE_AGE = re.compile(
    rf"(?:我|本人|俺|^(?=今年))(?P<now>(?:{_NOW})*)(?P<age>{_CHINESE_NUMBER})(?:周?岁|(?=\s*(?:$|[，。！？,.!?；;\n])))(?P<rest>.{{0,8}})"
)
_OF_NOW = ("今年", "现在", "目前", "才", "只有", "刚", "还", "快", "马上")
_UNDER = ("不到", "未满", "没满", "没到")
_OWN_NOUN = (
    r"的?(?:女生|男生|女孩|男孩|女学生|男学生|学生|初中生|高中生|中学生|小学生|小孩|少年|少女"
    r"|孩子(?!的?(?:妈|爸|家长|父|母|爷|奶|老师)))"
)
_STILL_NOW = re.compile(rf"\s*(?:$|[，。！？,.!?；;、\n]|了|啊|呀|呢|而已|{_OWN_NOUN}|还没|就要|被|很|好)")
_OTHERS = re.compile(
    r"\s*(?:的(?!女|男|学|初|高|中|小|少|孩)|时|的时候|那|以前|之前|起|开始|以后|之后|生日那)"
)
_CHINESE_SCHOOL = re.compile(
    r"(?:我|本人|俺)(?:(?:今年|现在|目前|才|还|刚|刚刚|也|，)*)(?:"
    r"(?:是个?|是一个|是一名|是一位|一个|一名|只是个?)(?:小学生|初中生|高中生|中学生|未成年人?|[初高][一二三]的?学?生?"
    r"|[一二三四五六七八九]年级的?(?:小?学生)?)"
    r"|(?:上|读|念|在读|在上|在念|是)(?:小学|初中|高中|中学|[初高][一二三]|[一二三四五六七八九]年级)"
    r"|[初高][一二三](?=\s*(?:$|[，。！？,.!?]|了|学生|生))"
    r"|(?:还)?(?:没有?成年|未成年|没满十八|未满十八|未满18|没满18|不到18岁|不到十八岁))(?P<rest>.{0,6})"
)
# A turn that begins with the school year tells of the writer: "初三女生，睡不着".
_CHINESE_BEGINS = re.compile(
    r"\s*准?[初高][一二三](?:了|的?(?:女生|男生|女孩|男孩|学生)|(?=\s*[，,。 ]))(?P<rest>.{0,6})"
)
_NOT_A_PUPIL = re.compile(
    r"\s*(?:的?(?:老师|教师|班主任|同学|家长|妈|爸|父|母|朋友)|的?时候?|时|那[年会时]|毕业|以后|之后|以前|之前|教)"
)
_CHINESE_NOT_MEANT = re.compile(
    r"(?:像|好像|如果|假如|要是|以为|觉得|当成|当|说|骗|那个?时候?[，,]?|当时[，,]?|那年[，,]?|那会儿?[，,]?|装作|假装|梦见|“|\"|「|儿子|女儿|孩子|妹妹|弟弟)$"
)

_PREGNANT = re.compile(
    rf"{_I_AM}(?:(?:also|now|currently|already|heavily|(?:\d{{1,2}}|\w+) (?:weeks?|months?))\s+)*"
    r"(?:pregnant\b|expecting (?:a baby|a child|my|our|twins)\b|carrying (?:his|a|my|our) (?:baby|child)\b)"
    r"|我(?:现在|已经|刚|还|正)*(?:怀孕|怀了|有了身孕|有身孕|是个?孕妇)(?!的?(?:时候|那时|以前|之前))"
)
_DISABLED = re.compile(
    rf"{_I_AM}(?:also |physically |severely |now )?"
    r"(?:disabled|in a wheelchair|wheelchair[ -]bound|paraly[sz]ed|bedridden"
    r"|(?:deaf|blind)(?=\s*(?:$|[.,;!?]|and\b|but\b|so\b)))"
    r"|\bi (?:use|need) (?:a|my) wheelchair\b|\bi(?:'ve| have) (?:got )?(?:an? )?(?:\w+ )?"
    r"(?:disability|cerebral palsy|muscular dystrophy|down'?s? syndrome)\b"
    r"|我(?:是个?|是一个|是一名)?(?:残疾人|残障人士?|聋人|盲人|聋哑人|截瘫|高位截瘫|脑瘫)(?!的?(?:老师|医生|朋友|护工))"
    r"|我(?:现在|只能|一直)*坐(?:着)?轮椅"
)
_QUOTES = str.maketrans({"’": "'", "‘": "'", "＇": "'"})


def vulnerable_cues(text: str) -> tuple[VulnerableCue, ...]:
    """What a turn says of its writer, each kind once.

    Args:
        text: as it was read; its first 2,000 characters are looked at.
    """
    plain = unicodedata.normalize("NFKC", text[:READ_CHARS]).translate(_QUOTES).casefold()
    found = [
        (Vulnerability.MINOR, _minor(plain)),
        (Vulnerability.PREGNANT, _first(_PREGNANT, plain)),
        (Vulnerability.DISABLED, _first(_DISABLED, plain)),
    ]
    return tuple(VulnerableCue(kind, words) for kind, words in found if words)


def number_of(text: str) -> int | None:
    """The number that a numeral says, "13", "thirteen" or "十三"; None for anything else.

    English words are read from 6 to 18, Chinese numerals to 99.
    """
    if text.isdecimal():
        return int(text)
    if text in _ENGLISH:
        return _ENGLISH[text]
    tens, ten, ones = text.partition("十")
    if not text or any(part not in _CHINESE_DIGITS for part in (tens, ones) if part):
        return None
    if not ten:
        return _CHINESE_DIGITS[tens]
    return (_CHINESE_DIGITS[tens] if tens else 1) * 10 + (_CHINESE_DIGITS[ones] if ones else 0)


def _minor(text: str) -> str | None:
    """The words by which somebody says that they are a minor, or None."""
    return _english_minor(text) or _chinese_minor(text)


def _english_minor(text: str) -> str | None:
    for pattern in (_ENGLISH_AGE, _ENGLISH_TURNED, _ENGLISH_BRACKET, _AS_A_MINOR):
        for match in pattern.finditer(text):
            groups = match.groupdict()
            age = number_of(groups["age"] or groups.get("later") or "")
            is_under = _is_minors(age) or (age == ADULT_AGE and bool(groups.get("almost")))
            if is_under and not _NOT_MEANT.search(text[: match.start()][-40:]):
                return match.group().strip()
    for match in _ENGLISH_SCHOOL.finditer(text):
        if not _NOT_MEANT.search(text[: match.start()][-40:]) and not _TEACHES.search(text):
            return match.group().strip()
    return None


def _chinese_minor(text: str) -> str | None:
    for match in _CHINESE_AGE.finditer(text):
        if _CHINESE_NOT_MEANT.search(text[: match.start()][-8:]) or _OTHERS.match(match["rest"]):
            continue
        age, now = number_of(match["age"]), match["now"]
        told = text[match.start() : match.start("rest")]
        is_now = any(word in now for word in _OF_NOW)
        is_under = age == ADULT_AGE and any(word in now for word in _UNDER)
        # "我14。" is a number, "我今年14。" an age.
        if (is_now or is_under or ("岁" in told and _STILL_NOW.match(match["rest"]))) and (
            _is_minors(age) or is_under
        ):
            return told.strip()
    begins = _CHINESE_BEGINS.match(text)
    if begins is not None and not _NOT_A_PUPIL.match(begins["rest"]):
        return begins.group()[: begins.start("rest")].strip()
    for match in _CHINESE_SCHOOL.finditer(text):
        if not _CHINESE_NOT_MEANT.search(text[: match.start()][-8:]) and not _NOT_A_PUPIL.match(
            match["rest"]
        ):
            return text[match.start() : match.start("rest")].strip()
    return None


def _is_minors(age: int | None) -> bool:
    return age is not None and YOUNGEST <= age < ADULT_AGE


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    if match is None or _NOT_MEANT.search(text[: match.start()][-40:]):
        return None
    return match.group().strip()
