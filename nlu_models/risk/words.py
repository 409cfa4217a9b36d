"""Reads the danger a message speaks of from reviewed phrases, with no model.

The phrases lie in `data/risk/<language>.yml`. Every message goes through all of them whatever its
language seems to be, since people mix languages most when they are upset, and twice where letters are
disguised: as written, and in plain wording. When in doubt the higher level wins: a human who was asked in
needlessly can go again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nlu_models.emotion.wording import normalize_wording
from nlu_models.errors import DataError
from nlu_models.risk.patterns import PatternNet
from nlu_models.risk.phrase_file import CONTEXT, KINDS, LEVELS, read_phrase_files
from nlu_models.risk.phrases import Match
from nlu_models.risk.scope import CONCERN, NONE, Risk, Scope
from nlu_models.risk.spelling import MASKS, Unmasker, spelling_table
from nlu_models.risk.units import Splitter, Units

__all__ = ["CONCERN", "KINDS", "LEVELS", "LEVEL_SCORE", "NONE", "RiskWords"]

LEVEL_SCORE: Mapping[str, float] = {NONE: 0.0, CONCERN: 0.4, "high": 0.7, "crisis": 0.9}
FURTHER_EVIDENCE = 0.02  # is added per further phrase of the same level, up to 0.08
MAX_EVIDENCE = 5
NEARBY_IDIOMS = 8  # how many idioms a phrase is held against: more can't overlap it
MOST_DECISIVE = 24  # phrases of the highest level after which no more are looked at: enough is known

# Text of nothing but plain Han characters and their punctuation has no wording to make plain.
_PLAIN_HAN = re.compile("[\u4e00-\u9fff\\s，。！？、；：,.!?]*")

_Found = tuple[Match, str, Units]  # a phrase, its level where it stands, and the text it stands in


class RiskWords:
    """The reviewed phrases, ready to be looked for.

    Args:
        folder: holds one `<language>.yml` per language; `data/risk`.

    Raises:
        DataError: the folder holds no phrases, or a file is malformed.
    """

    def __init__(self, folder: Path) -> None:
        files = read_phrase_files(folder)
        bare = Splitter()
        spelling: dict[str, str] = {}
        for _, data in files:
            table = data["spelling"]
            spelling |= spelling_table(
                table.get("guarded", ()), table.get("other_words", ()), table.get("slips", {})
            )
        self._unmasker = Unmasker(word for _, data in files for word in data["spelling"].get("masked", ()))
        # All fillers first: phrases are stored without any of them.
        fillers = [bare.split(filler).words for _, data in files for filler in data["fillers"]]
        self._stored = Splitter(fillers)
        self._splitter = Splitter(fillers, spelling)
        risks, idioms = PatternNet(self._cut), PatternNet(self._cut)
        signs: dict[str, list[Sequence[str]]] = {role: [] for role in CONTEXT}
        for path, data in files:
            try:
                for role, phrases in data["context"].items():
                    # What surrounds a phrase is looked up with its fillers where they may matter.
                    cut = self._stored if role in ("negations", "doubts", "links") else bare
                    signs[role] += [cut.split(phrase).words for phrase in phrases]
                for idiom in data["idioms"]:
                    idioms.add(idiom, True, data["groups"])
                for kind, levels in data["kinds"].items():
                    for level in sorted(levels, key=lambda name: -LEVELS.index(name)):
                        for pattern in levels[level]:
                            risks.add(pattern, Risk(kind, level), data["groups"])
            except DataError as error:
                raise DataError(f"{path}: {error}") from error
        self._scope = Scope(signs)
        self._risks, self._idioms = risks.trie(), idioms.trie()

    def read(self, text: str) -> dict[str, Any]:
        """The risk reading of a text of any length, as in `docs/contracts.md`."""
        units = self._splitter.split(text)
        found = self._found(units)
        plain = self._plainly(text)
        if plain != text:
            reworded = self._splitter.split(plain)
            if reworded.words != units.words:
                found += self._found(reworded)
        if not found:
            return {"level": NONE, "score": 0.0, "kind": None, "evidence": []}
        top = max((level for _, level, _ in found), key=LEVELS.index)
        decisive = [(match, units) for match, level, units in found if level == top]
        kind = min((match.payload.kind for match, _ in decisive), key=KINDS.index)
        decisive.sort(key=lambda each: each[0].payload.kind != kind)
        distinct = {units.key(match.start, match.end): (match, units) for match, units in reversed(decisive)}
        shown = list(reversed(distinct.values()))[:MAX_EVIDENCE]
        evidence = list(dict.fromkeys(units.quote(match.start, match.end) for match, units in shown))
        bonus = FURTHER_EVIDENCE * min(len(evidence) - 1, 4)
        return {
            "level": top,
            "score": round(LEVEL_SCORE[top] + bonus, 4),
            "kind": kind,
            "evidence": evidence,
        }

    def _plainly(self, text: str) -> str:
        """The text without disguises: spaced, dotted, look-alike and masked letters, emoji as words."""
        if _PLAIN_HAN.fullmatch(text):
            return text
        if not MASKS.isdisjoint(text):
            text = self._unmasker.unmask(text)
        return normalize_wording(text)

    def _found(self, units: Units) -> list[_Found]:
        """The phrases in a text that speak of danger where they stand."""
        matches = self._matches(units)
        if not matches:
            return []
        scoped = self._scope.over(units)
        found: list[_Found] = []
        n_highest = 0
        for match in matches:
            level = scoped.level(match)
            if level != NONE:
                found.append((match, level, units))
            n_highest += level == LEVELS[-1]
            if n_highest == MOST_DECISIVE:
                break
        return found

    def _matches(self, units: Units) -> list[Match]:
        """The phrases found that lie in no longer phrase and in no idiom."""
        risks = self._risks.find(units.words)
        if not risks:
            return []
        idioms = self._idioms.find(units.words)
        kept: list[Match] = []
        reach = 0  # how far the phrases kept so far extend
        first_idiom = 0
        for match in risks:
            while first_idiom < len(idioms) and idioms[first_idiom].end <= match.start:
                first_idiom += 1
            nearby = idioms[first_idiom : first_idiom + NEARBY_IDIOMS]
            if match.end <= reach or any(_explains(idiom, match) for idiom in nearby):
                continue
            kept.append(match)
            reach = max(reach, match.end)
        return kept

    def _cut(self, text: str) -> Sequence[str]:
        return self._stored.split(text).words


def _explains(idiom: Match, match: Match) -> bool:
    """Whether an idiom holds a phrase, or begins inside it and gives its end another sense."""
    if idiom.start <= match.start:
        return idiom.end >= match.end
    return idiom.start < match.end < idiom.end
