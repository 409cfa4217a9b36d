"""The guidance library: reviewed answers by topic, strategy and language, read from `data/guidance`.

The format is described in `docs/contracts.md`. Whatever is wrong with an entry is reported with its file
and id, all problems at once, since the people who write entries are not programmers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.errors import DataError

STRATEGIES: tuple[str, ...] = (
    "question", "restatement", "reflection", "affirmation", "suggestion", "information",
)  # fmt: skip
LANGUAGES: tuple[str, ...] = ("en", "zh")
CONTEXTS: tuple[str, ...] = ("concern", "workplace", "education")  # that an entry can be unfit for
FIELDS = ("id", "strategy", "emotions", "cues", "text", "not_for")
CUES = (3, 8)  # per entry and language: fewest, most
LONGEST_TEXT: Mapping[str, int] = {"en": 60, "zh": 100}  # English words, Chinese characters

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+")
_FORBIDDEN: Mapping[str, re.Pattern[str]] = {
    "en": re.compile(
        r"\b(i know how you feel|i've been there|i feel|i can imagine|therapy|treatment|symptoms?|"
        r"time heals|everything happens for a reason|look on the bright side)\b",
        re.IGNORECASE,
    ),
    "zh": re.compile("我知道你的感受|我也经历过|我能想象|我感到|疗程|症状|时间会治愈一切|一切都是最好的安排"),
}


@dataclass(frozen=True)
class Entry:
    """One reviewed answer.

    Attributes:
        id: unique, starts with its topic.
        topic: the file it lies in.
        strategy: one of `STRATEGIES`.
        emotions: the GoEmotions labels it fits; empty for any.
        cues: per language, what a person might say for which this is the right answer.
        text: the answer, per language.
        not_for: GoEmotions labels and `CONTEXTS` that it must not be given for.
    """

    id: str
    topic: str
    strategy: str
    emotions: tuple[str, ...]
    cues: Mapping[str, tuple[str, ...]]
    text: Mapping[str, str]
    not_for: tuple[str, ...]


@dataclass(frozen=True)
class Library:
    """All entries, by id, in the order of their files.

    Attributes:
        entries: id to entry.
        digest: SHA-256 of the files, to tell whether an index still fits.
    """

    entries: Mapping[str, Entry]
    digest: str

    @classmethod
    def load(cls, folder: Path) -> Library:
        """The library in a folder.

        Raises:
            DataError: a file is missing or malformed; names every file and entry that is.
        """
        paths = sorted(folder.glob("*.yml"))
        if not paths:
            raise DataError(f"{folder} holds no guidance (*.yml)")
        entries: dict[str, Entry] = {}
        problems: list[str] = []
        for path in paths:
            for entry, found in _read(path):
                if entry is not None and entry.id in entries:
                    found = [*found, f"{path.name}: {entry.id}: the id is used twice"]
                problems += found
                if entry is not None and not found:
                    entries[entry.id] = entry
        if problems:
            raise DataError("\n".join(problems))
        digest = hashlib.sha256()
        for path in paths:
            digest.update(path.name.encode() + path.read_bytes())
        return cls(entries, digest.hexdigest())

    def counts(self) -> dict[str, int]:
        """How many entries each strategy has."""
        counts = dict.fromkeys(STRATEGIES, 0)
        for entry in self.entries.values():
            counts[entry.strategy] += 1
        return counts


def _read(path: Path) -> Iterator[tuple[Entry | None, list[str]]]:
    """The entries of a file, each with what is wrong with it."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        yield None, [f"{path.name}: can't be read: {error}"]
        return
    if not isinstance(data, dict) or not isinstance(data.get("entries"), list) or "topic" not in data:
        yield None, [f"{path.name}: expected the keys topic and entries"]
        return
    topic = str(data["topic"])
    if topic != path.stem:
        yield None, [f"{path.name}: the topic is {topic!r}, expected {path.stem!r}"]
    for number, raw in enumerate(data["entries"], 1):
        name = raw.get("id", f"entry {number}") if isinstance(raw, dict) else f"entry {number}"
        problems = [f"{path.name}: {name}: {problem}" for problem in _problems(raw, topic)]
        yield (None if problems else _entry(raw, topic)), problems


def _entry(raw: Mapping[str, Any], topic: str) -> Entry:
    return Entry(
        id=raw["id"],
        topic=topic,
        strategy=raw["strategy"],
        emotions=tuple(raw["emotions"]),
        cues={language: tuple(raw["cues"][language]) for language in LANGUAGES},
        text={language: raw["text"][language].strip() for language in LANGUAGES},
        not_for=tuple(raw["not_for"]),
    )


def _problems(raw: object, topic: str) -> Iterator[str]:
    if not isinstance(raw, dict):
        yield "is not a mapping"
        return
    missing = [field for field in FIELDS if field not in raw]
    unknown = [str(field) for field in raw if field not in FIELDS]
    if missing:
        yield f"lacks {', '.join(missing)}"
        return
    if unknown:
        yield f"has the unknown field {', '.join(unknown)}"
    start = topic.replace("_", "-") + "-"
    if not isinstance(raw["id"], str) or not _ID.fullmatch(raw["id"]) or not raw["id"].startswith(start):
        yield f"the id must be kebab-case and start with {start!r}"
    if raw["strategy"] not in STRATEGIES:
        yield f"the strategy {raw['strategy']!r} isn't one of {', '.join(STRATEGIES)}"
    for field, allowed in (("emotions", GOEMOTIONS), ("not_for", GOEMOTIONS + CONTEXTS)):
        values = raw[field]
        if not isinstance(values, list):
            yield f"{field} must be a list"
        elif set(map(str, values)) - set(allowed):
            yield f"{field} has {', '.join(sorted(set(map(str, values)) - set(allowed)))}, which isn't known"
    for field in ("cues", "text"):
        if not isinstance(raw[field], dict) or set(raw[field]) != set(LANGUAGES):
            yield f"{field} needs exactly the languages {', '.join(LANGUAGES)}"
            return
    for language in LANGUAGES:
        yield from _cue_problems(raw["cues"][language], language)
        yield from _text_problems(raw["text"][language], language)


def _cue_problems(cues: object, language: str) -> Iterator[str]:
    if not isinstance(cues, list) or not all(isinstance(cue, str) and cue.strip() for cue in cues):
        yield f"cues.{language} must be a list of texts"
    elif not CUES[0] <= len(cues) <= CUES[1]:
        yield f"cues.{language} has {len(cues)} texts, expected {CUES[0]} to {CUES[1]}"
    elif len(set(cues)) != len(cues):
        yield f"cues.{language} has a text twice"


def _text_problems(text: object, language: str) -> Iterator[str]:
    if not isinstance(text, str) or not text.strip():
        yield f"text.{language} must be a text"
        return
    length = len(text.split()) if language == "en" else len(text.strip())
    if length > LONGEST_TEXT[language]:
        unit = "words" if language == "en" else "characters"
        yield f"text.{language} has {length} {unit}, expected at most {LONGEST_TEXT[language]}"
    forbidden = _FORBIDDEN[language].search(text)
    if forbidden:
        yield f"text.{language} says {forbidden.group()!r}, which Attune never does"
