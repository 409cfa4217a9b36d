"""Reads the danger a message speaks of from reviewed phrases, with no model.

The phrases lie in `data/risk/<language>.yml`. Every message goes through all of them whatever its
language seems to be, since people mix languages most when they are upset. When in doubt the higher level
wins: a human who was asked in needlessly can go again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nlu_models.errors import DataError
from nlu_models.risk.phrases import Match, PhraseTrie, Units, expand, split

NONE = "none"
CONCERN = "concern"
LEVELS: tuple[str, ...] = (NONE, CONCERN, "high", "crisis")  # in rising order
KINDS: tuple[str, ...] = ("self_harm", "harm_to_others", "abuse", "medical")  # the first wins a tie
LEVEL_SCORE: Mapping[str, float] = {NONE: 0.0, CONCERN: 0.4, "high": 0.7, "crisis": 0.9}
FURTHER_EVIDENCE = 0.02  # is added per further phrase of the same level, up to 0.08
MAX_EVIDENCE = 5
NEGATION_UNITS = 6  # the longest negation that is looked for
NEARBY_IDIOMS = 8  # how many idioms a phrase is held against: more can't overlap it
INTENDED = ("self_harm", "harm_to_others")  # kinds of which even the denial is worth a careful answer


@dataclass(frozen=True)
class _Risk:
    kind: str
    level: str


class RiskWords:
    """The reviewed phrases, ready to be looked for.

    Args:
        folder: holds one `<language>.yml` per language; `data/risk`.

    Raises:
        DataError: the folder holds no phrases, or a file is malformed.
    """

    def __init__(self, folder: Path) -> None:
        self._fillers = PhraseTrie()
        self._negations = PhraseTrie()
        self._risks = PhraseTrie()
        self._idioms = PhraseTrie()
        paths = sorted(folder.glob("*.yml"))
        if not paths:
            raise DataError(f"{folder} holds no risk phrases (*.yml)")
        files = [(path, _read(path)) for path in paths]
        for _, data in files:  # all fillers first: phrases are stored without any of them
            for filler in data["fillers"]:
                self._fillers.add(split(filler).words, True)
        for path, data in files:
            try:
                self._add(data)
            except DataError as error:
                raise DataError(f"{path}: {error}") from error
        for trie in (self._risks, self._idioms):
            trie.share_endings()

    def read(self, text: str) -> dict[str, Any]:
        """The risk reading of a text of any length, as in `docs/contracts.md`."""
        units = split(text, self._fillers)
        levels = [
            (match, level) for match in self._matches(units) if (level := self._level(match, units)) != NONE
        ]
        if not levels:
            return {"level": NONE, "score": 0.0, "kind": None, "evidence": []}
        top = max((level for _, level in levels), key=LEVELS.index)
        decisive = [match for match, level in levels if level == top]
        kind = min((match.payload.kind for match in decisive), key=KINDS.index)
        decisive.sort(key=lambda match: match.payload.kind != kind)
        evidence = list(dict.fromkeys(_words_of(match, units) for match in decisive))
        bonus = FURTHER_EVIDENCE * min(len(evidence) - 1, 4)
        return {
            "level": top,
            "score": round(LEVEL_SCORE[top] + bonus, 4),
            "kind": kind,
            "evidence": evidence[:MAX_EVIDENCE],
        }

    def _matches(self, units: Units) -> list[Match]:
        """The phrases found that lie in no longer phrase and in no idiom."""
        idioms = list(self._idioms.find(units.words))
        kept: list[Match] = []
        reach = 0  # how far the phrases kept so far extend
        first_idiom = 0
        for match in self._risks.find(units.words):
            while first_idiom < len(idioms) and idioms[first_idiom].end <= match.start:
                first_idiom += 1
            nearby = idioms[first_idiom : first_idiom + NEARBY_IDIOMS]
            if match.end <= reach or any(_explains(idiom, match) for idiom in nearby):
                continue
            kept.append(match)
            reach = max(reach, match.end)
        return kept

    def _level(self, match: Match, units: Units) -> str:
        """The level of a phrase, lowered when it is denied."""
        risk: _Risk = match.payload
        if match.start in units.after_stop or not self._is_negated(match.start, units):
            return risk.level
        return CONCERN if risk.kind in INTENDED and risk.level != CONCERN else NONE

    def _is_negated(self, start: int, units: Units) -> bool:
        window = range(max(0, start - NEGATION_UNITS), start)
        return any(self._negations.holds(units.words, begin, start) for begin in window)

    def _add(self, data: Mapping[str, Any]) -> None:
        groups: Mapping[str, list[str]] = data["groups"]
        for negation in data["negations"]:
            self._negations.add(split(negation, self._fillers).words, True)
        for idiom in data["idioms"]:
            self._put(self._idioms, idiom, groups, True)
        for kind, levels in data["kinds"].items():
            if kind not in KINDS:
                raise DataError(f"the kind {kind!r} isn't one of {', '.join(KINDS)}")
            for level in sorted(levels, key=lambda name: -_rank(name)):
                for pattern in levels[level]:
                    self._put(self._risks, pattern, groups, _Risk(kind, level))

    def _put(self, trie: PhraseTrie, pattern: str, groups: Mapping[str, list[str]], payload: object) -> None:
        for phrase in expand(pattern, groups):
            units = split(phrase, self._fillers).words
            if not units:
                raise DataError(f"the pattern {pattern!r} stands for nothing but fillers")
            trie.add(units, payload)


def _explains(idiom: Match, match: Match) -> bool:
    """Whether an idiom holds a phrase, or begins inside it and gives its end another sense."""
    if idiom.start <= match.start:
        return idiom.end >= match.end
    return idiom.start < match.end < idiom.end


def _words_of(match: Match, units: Units) -> str:
    return units.text[units.spans[match.start][0] : units.spans[match.end - 1][1]]


def _rank(level: str) -> int:
    if level not in LEVELS[1:]:
        raise DataError(f"the level {level!r} isn't one of {', '.join(LEVELS[1:])}")
    return LEVELS.index(level)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path} can't be read: {error}") from error
    wanted = {"fillers": list, "negations": list, "groups": dict, "kinds": dict, "idioms": list}
    if not isinstance(data, dict) or set(data) != set(wanted):
        raise DataError(f"{path} needs exactly the keys {', '.join(wanted)}")
    for key, kind in wanted.items():
        if not isinstance(data[key], kind):
            raise DataError(f"{path}: {key} is {type(data[key]).__name__}, expected {kind.__name__}")
    return data
