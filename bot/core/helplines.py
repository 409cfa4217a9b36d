"""Whom a person in danger can call: the lines of each country, and the words that name them.

Pure and without files: `bot.helplines` reads `data/helplines` into this. `last_resort` is for when that can't
be read; it holds no more than what has been the same for years, and can't fail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from bot.core.country import country_of
from bot.core.reading import RiskKind
from bot.core.turn import CHINESE, ENGLISH

__all__ = ["Country", "Emergency", "Helpline", "Helplines", "country_of", "last_resort"]

MOST_LINES = 3  # shown to a person; more is a list to search, not help
DIRECTORIES = ("https://findahelpline.com", "https://befrienders.org")

# A Cantonese line is for whoever writes Chinese; every other language is itself.
_SPOKEN_FOR = {CHINESE: ("zh", "yue")}
LANGUAGE_NAMES: Mapping[str, tuple[str, str]] = {
    "ar": ("Arabic", "阿拉伯语"),
    "bn": ("Bengali", "孟加拉语"),
    "da": ("Danish", "丹麦语"),
    "de": ("German", "德语"),
    "el": ("Greek", "希腊语"),
    "en": ("English", "英语"),
    "es": ("Spanish", "西班牙语"),
    "fi": ("Finnish", "芬兰语"),
    "fil": ("Filipino", "菲律宾语"),
    "fr": ("French", "法语"),
    "he": ("Hebrew", "希伯来语"),
    "hi": ("Hindi", "印地语"),
    "id": ("Indonesian", "印度尼西亚语"),
    "is": ("Icelandic", "冰岛语"),
    "it": ("Italian", "意大利语"),
    "ja": ("Japanese", "日语"),
    "ko": ("Korean", "韩语"),
    "ms": ("Malay", "马来语"),
    "nl": ("Dutch", "荷兰语"),
    "no": ("Norwegian", "挪威语"),
    "pl": ("Polish", "波兰语"),
    "pt": ("Portuguese", "葡萄牙语"),
    "ru": ("Russian", "俄语"),
    "sv": ("Swedish", "瑞典语"),
    "sw": ("Swahili", "斯瓦希里语"),
    "ta": ("Tamil", "泰米尔语"),
    "th": ("Thai", "泰语"),
    "tr": ("Turkish", "土耳其语"),
    "uk": ("Ukrainian", "乌克兰语"),
    "vi": ("Vietnamese", "越南语"),
    "yue": ("Cantonese", "粤语"),
    "zh": ("Mandarin", "普通话"),
}


@dataclass(frozen=True)
class Helpline:
    """One line.

    Attributes:
        id: unique in the table, starts with the country.
        country: ISO 3166-1 alpha-2.
        kinds: of danger it is for, the one it is made for first.
        name: per language, "en" and "zh".
        phone: as dialled inside the country; may be empty where there is a text number or a chat.
        text: number for text messages, or empty.
        text_word: what to write to it, where that matters.
        whatsapp: number for WhatsApp, or empty.
        chat: address of a chat, or empty.
        is_always_open: at any hour of every day.
        hours: when it is open, per language, where that isn't always.
        audience: whom it is for, per language, where that isn't everybody.
        languages: ISO 639 codes of what is spoken, the main one first.
        source: address of the page that says all this.
        also: addresses of further pages that say the same.
        reviewed: when that was last read.
        notes: for whoever reviews it next.
    """

    id: str
    country: str
    kinds: tuple[RiskKind, ...]
    name: Mapping[str, str]
    phone: str
    text: str
    text_word: str
    whatsapp: str
    chat: str
    is_always_open: bool
    hours: Mapping[str, str]
    audience: Mapping[str, str]
    languages: tuple[str, ...]
    source: str
    also: tuple[str, ...]
    reviewed: date
    notes: str

    def speaks(self, language: str) -> bool:
        """Whether somebody who writes this language can talk to them."""
        return any(spoken in self.languages for spoken in _SPOKEN_FOR.get(language, (language,)))

    def describe(self, language: str) -> str:
        """The line in one row of English or Chinese: its name, how to reach it, and when."""
        return _row_zh(self) if language == CHINESE else _row_en(self)


@dataclass(frozen=True)
class Emergency:
    """A country's emergency numbers: one for everything, or one each.

    Attributes:
        any: the number for everything, or empty.
        police: where there is no such number.
        ambulance: likewise.
    """

    any: str = ""
    police: str = ""
    ambulance: str = ""

    def numbers(self, kind: RiskKind | None = None) -> str:
        """What to dial, the more fitting number for this danger first."""
        if self.any:
            return self.any
        if kind is RiskKind.MEDICAL:
            return self.ambulance
        first_is_police = kind in (RiskKind.ABUSE, RiskKind.HARM_TO_OTHERS)
        both = (self.police, self.ambulance) if first_is_police else (self.ambulance, self.police)
        return " / ".join(both)


@dataclass(frozen=True)
class Country:
    """What is known of one country.

    Attributes:
        code: ISO 3166-1 alpha-2.
        name: per language, as it stands in a sentence ("the United Kingdom").
        emergency: its emergency numbers.
        source: address of the page that says those.
        reviewed: when that was last read.
        lines: its helplines, in the order of the file.
    """

    code: str
    name: Mapping[str, str]
    emergency: Emergency
    source: str
    reviewed: date
    lines: tuple[Helpline, ...] = ()


class Helplines:
    """The table of helplines.

    Args:
        countries: each code once.
    """

    def __init__(self, countries: Sequence[Country] = ()) -> None:
        self.countries: Mapping[str, Country] = {country.code: country for country in countries}

    def lines(self) -> list[Helpline]:
        """Every line of every country."""
        return [line for country in self.countries.values() for line in country.lines]

    def for_person(self, country: str | None, language: str, kind: RiskKind) -> list[Helpline]:
        """The lines to name to a person, best first, at most `MOST_LINES`.

        Args:
            country: where they are, or None when that isn't known.
            language: that they write, ISO 639-1.
            kind: the danger.

        Returns:
            Lines for this danger: those that speak the language first, then those made for this danger,
            then those for everybody, then those that are always open. Empty where none is known.
        """
        found = self.countries.get(country or "")
        if found is None:
            return []
        fitting = [line for line in found.lines if kind in line.kinds]
        fitting.sort(  # stable: the order of the file decides what this leaves open
            key=lambda line: (
                not line.speaks(language),
                line.kinds[0] is not kind,
                bool(line.audience),
                not line.is_always_open,
            )
        )
        return fitting[:MOST_LINES]

    def emergency(self, country: str | None, kind: RiskKind | None = None) -> str | None:
        """The country's emergency number, or numbers with " / " between; None where it isn't known."""
        found = self.countries.get(country or "")
        return found.emergency.numbers(kind) if found is not None else None

    def describe(self, country: str | None, language: str, kind: RiskKind) -> str:
        """The lines as a short text to put into a message.

        Args:
            country: where they are, or None when that isn't known.
            language: to write in, "en" or "zh"; anything else is answered in English.
            kind: the danger.

        Returns:
            At most four rows: one per line, or the directories where there is none; the emergency number
            last, or first in a medical emergency. `last_resort` where the country isn't known.
        """
        found = self.countries.get(country or "")
        if found is None:
            return last_resort(language, kind)
        chinese = language == CHINESE
        rows = [line.describe(language) for line in self.for_person(country, language, kind)]
        if not rows and kind is not RiskKind.MEDICAL:
            rows = [_DIRECTORY_ROW[CHINESE if chinese else ENGLISH]]
        # Whoever needs an ambulance must not read past another number first.
        rows.insert(0 if kind is RiskKind.MEDICAL else len(rows), _emergency_row(found, kind, chinese))
        return "\n".join(rows)


def last_resort(language: str, kind: RiskKind | None = None) -> str:
    """What can be said without a table, or without knowing where somebody is: at most four rows.

    Args:
        language: to write in, "en" or "zh"; anything else is answered in English.
        kind: the danger; None counts as self-harm.
    """
    rows = _EVERYWHERE[CHINESE if language == CHINESE else ENGLISH]
    is_talking = kind in (None, RiskKind.SELF_HARM, RiskKind.HARM_TO_OTHERS)
    return "\n".join(rows["talk" if is_talking else "urgent"])


_DIRECTORY_ROW = {
    ENGLISH: "To find a line near you: " + " or ".join(DIRECTORIES),
    CHINESE: "查找当地的求助热线：" + " 或 ".join(DIRECTORIES),
}
_EVERYWHERE: Mapping[str, Mapping[str, Sequence[str]]] = {
    ENGLISH: {
        "talk": (
            "In the US or Canada: call or text 988 (crisis line); in an emergency 911",
            "In the UK or Ireland: call 116 123 (Samaritans); in an emergency 999",
            "Elsewhere, in immediate danger: your local emergency number (112 across Europe)",
            _DIRECTORY_ROW[ENGLISH],
        ),
        "urgent": (
            "In immediate danger, call your local emergency number now:",
            "911 in the US and Canada, 999 in the UK and Ireland, 112 across Europe",
            _DIRECTORY_ROW[ENGLISH],
        ),
    },
    CHINESE: {
        "talk": (
            "中国大陆：心理援助热线 12356；紧急情况拨打 110（报警）或 120（急救）",
            "美国、加拿大：危机热线 988，紧急电话 911；英国、爱尔兰：倾诉热线 116 123，紧急电话 999",
            "其他国家和地区，有紧急危险时请拨打当地紧急电话（欧洲多为 112）",
            _DIRECTORY_ROW[CHINESE],
        ),
        "urgent": (
            "有紧急危险时，请马上拨打当地紧急电话：",
            "中国大陆 110（报警）、120（急救）；美国、加拿大 911；英国、爱尔兰 999；欧洲多为 112",
            _DIRECTORY_ROW[CHINESE],
        ),
    },
}


def _row_en(line: Helpline) -> str:
    ways = []
    if line.phone and line.phone == line.text and not line.text_word:
        ways.append(f"call or text {line.phone}")
    else:
        if line.phone:
            ways.append(f"call {line.phone}")
        if line.text:
            ways.append(f"text {line.text_word} to {line.text}" if line.text_word else f"text {line.text}")
    if line.whatsapp:
        ways.append(f"WhatsApp {line.whatsapp}")
    if line.chat:
        ways.append(f"chat at {line.chat}")
    about = [line.audience[ENGLISH]] if line.audience else []
    about.append("24/7" if line.is_always_open else line.hours[ENGLISH])
    if not line.speaks(ENGLISH):
        about.append(f"in {LANGUAGE_NAMES[line.languages[0]][0]}")
    return f"{line.name[ENGLISH]}: {', '.join(ways)} ({'; '.join(about)})"


def _row_zh(line: Helpline) -> str:
    ways = []
    if line.phone and line.phone == line.text and not line.text_word:
        ways.append(f"打电话或发短信到 {line.phone}")
    else:
        if line.phone:
            ways.append(f"拨打 {line.phone}")
        if line.text:
            ways.append(f"发短信{line.text_word and f' {line.text_word} '}到 {line.text}")
    if line.whatsapp:
        ways.append(f"WhatsApp {line.whatsapp}")
    if line.chat:
        ways.append(f"在线聊天 {line.chat}")
    about = [line.audience[CHINESE]] if line.audience else []
    about.append("全天 24 小时" if line.is_always_open else line.hours[CHINESE])
    if not line.speaks(CHINESE):
        about.append(LANGUAGE_NAMES[line.languages[0]][1] + "服务")
    return f"{line.name[CHINESE]}：{'，'.join(ways)}（{'；'.join(about)}）"


def _emergency_row(country: Country, kind: RiskKind, chinese: bool) -> str:
    numbers = country.emergency.numbers(kind)
    if not country.emergency.any and kind is not RiskKind.MEDICAL:
        words = ("急救", "报警") if chinese else ("ambulance", "police")
        told = [(country.emergency.ambulance, words[0]), (country.emergency.police, words[1])]
        if kind in (RiskKind.ABUSE, RiskKind.HARM_TO_OTHERS):
            told.reverse()
        form = "{}（{}）" if chinese else "{} ({})"
        numbers = ("、" if chinese else " or ").join(form.format(number, word) for number, word in told)
    if chinese:
        return f"此刻有危险，请马上拨打{country.name[CHINESE]}的紧急电话：{numbers}"
    return f"In immediate danger, call the emergency number of {country.name[ENGLISH]}: {numbers}"
