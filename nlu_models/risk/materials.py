"""The texts the danger model is fitted on, each with what is known of it.

Not every source says everything: a collection about self-harm does not tell whether the danger is now, a
comment from Reddit that the patterns don't flag is taken as harmless though nobody checked. What isn't
known is left out of the fit of that output, and what was labelled by hand weighs more.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nlu_models.emotion.data import read_clinc_utterances, read_goemotions
from nlu_models.errors import DataError
from nlu_models.retrieval.library import Library
from nlu_models.risk.cases import Case, read_cases
from nlu_models.risk.model import OUTPUTS
from nlu_models.risk.words import KINDS, LEVELS, NONE

UNKNOWN = -1  # of a target: the source doesn't say
HAND_WEIGHT = 10.0  # of a line that was labelled by hand, against one that is only taken as harmless
LABELLED_WEIGHT = 2.0  # of a row of a published collection about danger
HELD_OUT_ONE_IN = 6  # harmless texts are kept out of the fit, to choose thresholds on
NEAR_ROWS, OTHER_ROWS = 2_000, 2_000  # of GoEmotions, with and without a word of danger in them
CLINC_ROWS, BITEXT_ROWS = 1_200, 500

# PsyGUARD's labels (Qiu et al., EMNLP 2024): its name to our kind, and whether danger is for sure.
PSYGUARD: Mapping[str, tuple[str, bool]] = {
    "自杀未遂": ("self_harm", True),
    "自杀准备行为": ("self_harm", True),
    "自杀计划": ("self_harm", True),
    "主动自杀意图": ("self_harm", True),
    "被动自杀意图": ("self_harm", True),
    "自伤行为": ("self_harm", True),
    "自伤意图": ("self_harm", True),
    "关于自杀的探索": ("self_harm", False),
    "用户攻击行为": ("harm_to_others", False),
    "他人攻击行为": ("abuse", False),
}
PSYGUARD_UNRELATED = "与自杀/自伤/攻击行为无关"

_NEAR = re.compile(
    r"\b(kill|die[sd]?|dying|dead|death|suicid|hurt|shoot|shot|stab|murder|knife|gun|abus|rape|beat|hit|attack"
    r"|overdos|pills?|hang|jump|bleed|blood|pain|end it|goodbye|hopeless|worthless|alone|cry|hate my)\w*",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"\[([^\]]+)\](?:\([^)]*\)|\{[^}]*\})")

Flags = Callable[[str], str]  # the patterns' level of a text


@dataclass(frozen=True)
class Row:
    """A text to learn from.

    Attributes:
        text: as written.
        language: "en" or "zh".
        targets: per output 0, 1 or UNKNOWN.
        weight: how much it counts.
        source: where it is from.
    """

    text: str
    language: str
    targets: tuple[int, ...]
    weight: float
    source: str


@dataclass(frozen=True)
class Sources:
    """Where the texts lie; None for a collection that isn't there.

    Attributes:
        lines: folder of the hand-written lines; `data/safety/train`.
        nlu: `data/nlu`.
        guidance: `data/guidance`.
        goemotions, clinc, bitext, moderation, psyguard: the published collections.
    """

    lines: Path
    nlu: Path
    guidance: Path
    goemotions: Path | None = None
    clinc: Path | None = None
    bitext: Path | None = None
    moderation: Path | None = None
    psyguard: Path | None = None


def read_rows(sources: Sources, level_of: Flags) -> list[Row]:
    """Everything to learn from, source by source, each text of a language once.

    Args:
        sources: where it lies.
        level_of: the patterns' level; what they flag is not taken as harmless unasked.

    Raises:
        DataError: a file is missing or malformed.
    """
    rows = [_row_of_case(case) for case in read_cases(sources.lines)]
    if sources.moderation is not None:
        rows += _moderation(sources.moderation, level_of)
    if sources.psyguard is not None:
        rows += _psyguard(sources.psyguard, level_of)
    harmless = [
        _harmless(text, language, source, level_of(text)) for text, language, source in everyday(sources)
    ]
    seen: set[tuple[str, str]] = set()
    unique = []
    for row in [*rows, *(row for row in harmless if row is not None)]:
        key = (row.language, row.text.strip().casefold())
        if key not in seen:
            seen.add(key)
            unique.append(row)
    return unique


def everyday(sources: Sources) -> Iterator[tuple[str, str, str]]:
    """Texts of everyday talk, customer service and the project's own examples: text, language, source."""
    if sources.goemotions is not None:
        texts = [row.text for row in read_goemotions(sources.goemotions, "train")]
        near = [text for text in texts if _NEAR.search(text)]
        other = [text for text in texts if not _NEAR.search(text)]
        for text in [*_drawn(near, NEAR_ROWS), *_drawn(other, OTHER_ROWS)]:
            yield text, "en", "goemotions"
    if sources.clinc is not None:
        for text in _drawn(read_clinc_utterances(sources.clinc), CLINC_ROWS):
            yield text, "en", "clinc"
    if sources.bitext is not None:
        for text in _drawn(read_bitext(sources.bitext / "train.csv"), BITEXT_ROWS):
            yield text, "en", "bitext"
    yield from own_talk(sources.nlu, sources.guidance)


def own_talk(nlu: Path, guidance: Path) -> Iterator[tuple[str, str, str]]:
    """The project's own examples of what people say: text, language, source."""
    for language in ("en", "zh"):
        for text in read_examples(nlu / language):
            yield text, language, "nlu"
    for entry in Library.load(guidance).entries.values():
        for language, cues in sorted(entry.cues.items()):
            for cue in cues:
                yield cue, language, "guidance"


def is_held_out(text: str) -> bool:
    """Whether a harmless text is kept out of the fit; the same in every run."""
    return zlib.crc32(text.encode("utf-8", "replace")) % HELD_OUT_ONE_IN == 0


def targets_of(case: Case) -> tuple[int, ...]:
    """What a hand-made label says of each output."""
    levels = (case.is_flagged, case.is_danger, case.level == LEVELS[-1])
    return tuple(int(value) for value in (*levels, *(case.kind == kind for kind in KINDS)))


def read_bitext(path: Path) -> list[str]:
    """The utterances of a Bitext file.

    Raises:
        DataError: it is missing or has no such column.
    """
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
        return [str(row["utterance"]) for row in reader]
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise DataError(f"{path} is not a Bitext file: {error!r}") from error


def read_examples(folder: Path) -> list[str]:
    """The example utterances of a folder of Rasa NLU files.

    Raises:
        DataError: there are none, or a file is malformed.
    """
    found = []
    for path in sorted(folder.glob("*.yml")):
        try:
            intents = yaml.safe_load(path.read_text(encoding="utf-8"))["nlu"]
            examples = "\n".join(str(entry.get("examples", "")) for entry in intents)
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path} is no NLU file: {error!r}") from error
        lines = (line.strip().removeprefix("- ").strip() for line in examples.splitlines())
        found += [_ENTITY.sub(r"\1", line) for line in lines if line]
    if not found:
        raise DataError(f"{folder} holds no NLU examples (*.yml)")
    return found


def _row_of_case(case: Case) -> Row:
    return Row(case.text, case.language, targets_of(case), HAND_WEIGHT, "lines")


def _harmless(text: str, language: str, source: str, level: str) -> Row | None:
    """A text that is taken as harmless since the patterns find nothing in it; else none."""
    if level != NONE or is_held_out(text):
        return None
    return Row(text, language, (0,) * len(OUTPUTS), 1.0, source)


def _moderation(path: Path, level_of: Flags) -> Iterator[Row]:
    """The moderation evaluation set (Markov et al., AAAI 2023): whether a text is about self-harm."""
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            data = json.loads(line)
            text, is_danger = str(data["text"]), bool(data["self_harm"])
            if is_danger:
                yield Row(text, "en", _targets({"self_harm"}, True), LABELLED_WEIGHT, "moderation")
            elif level_of(text) == NONE:
                yield Row(text, "en", (0,) * len(OUTPUTS), 1.0, "moderation")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not the moderation set: {error!r}") from error


def _psyguard(path: Path, level_of: Flags) -> Iterator[Row]:
    """PsyGUARD's Chinese posts and client turns (Qiu et al., EMNLP 2024)."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        for entry in data:
            text, labels = str(entry["text"]), set(entry["labels"])
            known = [PSYGUARD[label] for label in labels if label in PSYGUARD]
            if known:
                kinds = {kind for kind, _ in known}
                is_danger = True if any(sure for _, sure in known) else None
                yield Row(text, "zh", _targets(kinds, is_danger), LABELLED_WEIGHT, "psyguard")
            elif labels == {PSYGUARD_UNRELATED} and level_of(text) not in LEVELS[2:]:
                yield Row(text, "zh", _unrelated(), LABELLED_WEIGHT, "psyguard")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not PsyGUARD's file: {error!r}") from error


def _targets(kinds: set[str], is_danger: bool | None) -> tuple[int, ...]:
    """Flagged for sure; danger where it is told; whether it is now nobody said."""
    danger = UNKNOWN if is_danger is None else int(is_danger)
    return (1, danger, UNKNOWN, *(int(kind in kinds) for kind in KINDS))


def _unrelated() -> tuple[int, ...]:
    """No danger, but despair, which is a concern, may well be in it."""
    return (UNKNOWN, 0, 0, *(0 for _ in KINDS))


def _drawn(texts: Iterable[str], count: int) -> list[str]:
    """So many of the texts, the same in every run whatever their order."""
    return sorted(texts, key=lambda text: (zlib.crc32(text.encode("utf-8", "replace")), text))[:count]


def describe(rows: Iterable[Row]) -> dict[str, dict[str, Any]]:
    """Per language and source, how many rows there are and how many of them are danger."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        entry = found.setdefault(f"{row.language}/{row.source}", {"rows": 0, "danger": 0})
        entry["rows"] += 1
        entry["danger"] += row.targets[1] == 1
    return found
