"""Reads labelled texts of the safety work: training lines, and cases that only measure.

One JSON object per line: `text`, `level` and `kind` as in a risk reading; cases also have `wording`
("idiom", "third_person", ...) and, where the danger lies in the conversation, `before`: the person's
earlier turns, oldest first.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlu_models.errors import DataError
from nlu_models.risk.words import KINDS, LEVELS, NONE

DANGER = ("high", "crisis")  # levels for which a human is asked in
MAX_CASE_CHARS = 100_000


@dataclass(frozen=True)
class Case:
    """A labelled text.

    Attributes:
        text: as a person would write it.
        level: one of LEVELS.
        kind: one of KINDS; None where the level is none.
        language: the file's, "en" or "zh".
        wording: how it is put, such as "idiom"; "" where nobody said.
        before: the person's earlier turns, oldest first.
    """

    text: str
    level: str
    kind: str | None
    language: str
    wording: str = ""
    before: tuple[str, ...] = ()

    @property
    def is_danger(self) -> bool:
        """Whether a human has to be asked in."""
        return self.level in DANGER

    @property
    def is_flagged(self) -> bool:
        """Whether it is worth at least a careful answer."""
        return self.level != NONE


def read_cases(folder: Path) -> list[Case]:
    """The cases of a folder's `<language>[_<topic>].jsonl` files, file by file in the order of their names.

    Raises:
        DataError: there is no such file, or a line is malformed; names it.
    """
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise DataError(f"{folder} holds no cases (<language>.jsonl)")
    return [case for path in paths for case in read_file(path)]


def read_file(path: Path) -> list[Case]:
    """The cases of one file, whose name begins with their language: `en.jsonl`, `en_slang.jsonl`.

    Raises:
        DataError: it can't be read, or a line is malformed; names it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} can't be read: {error}") from error
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(_case(json.loads(line), path.stem.partition("_")[0]))
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{path}, line {number}: {error}") from error
    return found


def digest(folder: Path) -> str:
    """SHA-256 over the files of a folder of cases, to tell what was measured on."""
    found = hashlib.sha256()
    for path in sorted(folder.glob("*.jsonl")):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


def _case(data: Any, language: str) -> Case:
    if not isinstance(data, dict):
        raise ValueError(f"expected an object, found {type(data).__name__}")
    missing = [key for key in ("text", "level", "kind") if key not in data]
    if missing:
        raise ValueError(f"the field {missing[0]!r} is missing")
    text, level, kind = data["text"], data["level"], data["kind"]
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_CASE_CHARS:
        raise ValueError(f"the text is {text!r:.40}, expected 1 to {MAX_CASE_CHARS} characters")
    if level not in LEVELS:
        raise ValueError(f"the level is {level!r}, expected one of {', '.join(LEVELS)}")
    if (kind is None) != (level == NONE) or (kind is not None and kind not in KINDS):
        raise ValueError(f"the kind is {kind!r} for the level {level}, expected one of {', '.join(KINDS)}")
    before = data.get("before") or []
    if not isinstance(before, list) or not all(isinstance(turn, str) for turn in before):
        raise ValueError(f"before is {before!r:.40}, expected a list of texts")
    return Case(text, level, kind, language, str(data.get("wording", "")), tuple(before))
