"""Reads and checks the labelled conversations that the context model is fitted and judged on.

`data/conversations/<language>/<author>-<topic>.jsonl`, one conversation per line; the form is in the
README beside them. The split is by author: whoever wrote the held-out conversations wrote none of those
that are fitted on, so that one writer's habits can't pass for context.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlu_models.emotion.labels import EKMAN, GOEMOTIONS
from nlu_models.errors import DataError

TRAIN = "train"
HELD_OUT = "held_out"
SPLITS = (TRAIN, HELD_OUT)
PERSON = "person"
BOT = "bot"
VALENCE_STEP = 0.25  # valences are given coarsely: no reader of a chat tells finer
STRATEGIES = ("question", "restatement", "reflection", "affirmation", "suggestion", "information")
LONGEST_GAP_S = 30 * 24 * 3600.0  # a conversation that rests for longer is another one
MAX_TURN_CHARS = 4000
FILE_NAME = re.compile(r"([a-z]+)-([a-z0-9-]+)\.jsonl")
_GROUP_OF = {label: group for group, labels in EKMAN.items() for label in labels}


@dataclass(frozen=True)
class Felt:
    """What a careful reader of the conversation so far says the person feels at a turn.

    Attributes:
        label: the GoEmotions label that fits best.
        accept: every label a reader could defend, `label` among them.
        ekman: the Ekman group of `label`.
        valence: [-1, 1] in steps of 0.25.
    """

    label: str
    accept: frozenset[str]
    ekman: str
    valence: float


@dataclass(frozen=True)
class Turn:
    """One turn; `felt` is None for the bot's, `strategy` for the person's.

    Attributes:
        who: "person" or "bot".
        text: as written.
        gap_s: seconds since the turn before; 0 for the first.
        felt: of a person's turn.
        strategy: that the bot's turn followed, where it is known.
    """

    who: str
    text: str
    gap_s: float
    felt: Felt | None = None
    strategy: str | None = None


@dataclass(frozen=True)
class Conversation:
    """A labelled conversation.

    Attributes:
        id: unique over all files.
        author: who wrote it: the file name up to its first hyphen.
        topic: what it is about.
        split: "train" or "held_out".
        turns: in order, at least two of them a person's.
    """

    id: str
    author: str
    topic: str
    split: str
    turns: tuple[Turn, ...]

    @property
    def person_turns(self) -> tuple[Turn, ...]:
        """The turns that have a label."""
        return tuple(turn for turn in self.turns if turn.felt is not None)


def read_conversations(folder: Path) -> list[Conversation]:
    """Every conversation of a folder's `*.jsonl`, in the order of file names and lines.

    Raises:
        DataError: the folder holds none, a line breaks the form, an id comes twice, or an author's
            conversations are in both splits.
    """
    paths = conversation_files(folder)
    conversations = [one for path in paths for one in read_file(path)]
    _check_unique(conversations)
    _check_authors(conversations)
    return conversations


def conversation_files(folder: Path) -> list[Path]:
    """The files that conversations are read from.

    Raises:
        DataError: the folder is missing or holds none.
    """
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise DataError(f"{folder} holds no conversations; expected files <author>-<topic>.jsonl")
    return paths


def read_file(path: Path) -> list[Conversation]:
    """The conversations of one file.

    Raises:
        DataError: the name or a line breaks the form; the message names the line.
    """
    named = FILE_NAME.fullmatch(path.name)
    if named is None:
        raise DataError(f"{path} is not named <author>-<topic>.jsonl in small letters")
    found = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} can't be read as UTF-8: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(parse_conversation(json.loads(line), named.group(1)))
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number}: not JSON: {error}") from error
        except DataError as error:
            raise DataError(f"{path}, line {number}: {error}") from error
    if not found:
        raise DataError(f"{path} holds no conversation")
    return found


def parse_conversation(data: Any, author: str) -> Conversation:
    """The conversation that a line describes.

    Raises:
        DataError: a field is missing, unknown or out of range.
    """
    fields = _fields(data, ("id", "topic", "split", "turns"), (), "a conversation")
    _expect(bool(_text(fields, "id")), "id is empty")
    split = fields["split"]
    _expect(split in SPLITS, f"split is {split!r}, expected one of {', '.join(SPLITS)}")
    _expect(isinstance(fields["turns"], list), "turns is not a list")
    turns = []
    for number, turn in enumerate(fields["turns"], 1):
        try:
            turns.append(_turn(turn, is_first=number == 1))
        except DataError as error:
            raise DataError(f"{fields['id']}, turn {number}: {error}") from error
    people = sum(turn.who == PERSON for turn in turns)
    _expect(people >= 2, f"{fields['id']}: {people} turns of the person, expected at least 2")
    return Conversation(fields["id"], author, _text(fields, "topic"), split, tuple(turns))


def of_split(conversations: Iterable[Conversation], split: str) -> list[Conversation]:
    """The conversations of one split.

    Raises:
        DataError: there are none.
    """
    found = [one for one in conversations if one.split == split]
    if not found:
        raise DataError(f"no conversation has the split {split!r}; fitting and judging need both splits")
    return found


def digest(folder: Path) -> str:
    """SHA-256 of the files' names and bytes: what a fitted weight says it was made from."""
    found = hashlib.sha256()
    for path in conversation_files(folder):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def _turn(data: Any, is_first: bool) -> Turn:
    fields = _fields(data, ("who", "text", "gap_s"), ("emotion", "strategy"), "a turn")
    who, text, gap_s = fields["who"], _text(fields, "text"), fields["gap_s"]
    _expect(who in (PERSON, BOT), f"who is {who!r}, expected {PERSON} or {BOT}")
    _expect(bool(text.strip()), "text is empty")
    _expect(len(text) <= MAX_TURN_CHARS, f"text has {len(text)} characters, at most {MAX_TURN_CHARS}")
    is_number = isinstance(gap_s, (int, float)) and not isinstance(gap_s, bool)
    _expect(
        is_number and 0.0 <= gap_s <= LONGEST_GAP_S,
        f"gap_s is {gap_s!r}, expected 0 to {LONGEST_GAP_S:.0f} seconds",
    )
    _expect(not is_first or gap_s == 0, f"gap_s of the first turn is {gap_s!r}, expected 0")
    strategy = fields.get("strategy")
    _expect(
        strategy is None or (who == BOT and strategy in STRATEGIES),
        f"strategy is {strategy!r}; only the bot's turns have one, of {', '.join(STRATEGIES)}",
    )
    has_emotion = fields.get("emotion") is not None
    _expect(has_emotion == (who == PERSON), "exactly the person's turns have an emotion")
    return Turn(who, text, float(gap_s), _felt(fields["emotion"]) if has_emotion else None, strategy)


def _felt(data: Any) -> Felt:
    fields = _fields(data, ("label", "accept", "ekman", "valence"), (), "an emotion")
    label, accept, ekman, valence = (fields[key] for key in ("label", "accept", "ekman", "valence"))
    _expect(isinstance(accept, list), "accept is not a list")
    for name in (label, *accept):
        _expect(name in GOEMOTIONS, f"{name!r} is not a label of GoEmotions")
    _expect(ekman == _GROUP_OF[label], f"ekman is {ekman!r}, but {label} belongs to {_GROUP_OF[label]}")
    is_number = isinstance(valence, (int, float)) and not isinstance(valence, bool)
    _expect(
        is_number and -1.0 <= valence <= 1.0 and math.isclose(valence % VALENCE_STEP, 0.0),
        f"valence is {valence!r}, expected -1 to 1 in steps of {VALENCE_STEP}",
    )
    return Felt(label, frozenset((label, *accept)), ekman, float(valence))


def _fields(data: Any, needed: Sequence[str], allowed: Sequence[str], what: str) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise DataError(f"{what} is a {type(data).__name__}, expected an object")
    missing = [key for key in needed if key not in data]
    _expect(not missing, f"{what} has no {', '.join(missing)}")
    unknown = sorted(set(data) - {*needed, *allowed})
    _expect(not unknown, f"{what} has unknown fields: {', '.join(unknown)}")
    return data


def _text(fields: Mapping[str, Any], key: str) -> str:
    _expect(isinstance(fields[key], str), f"{key} is {fields[key]!r}, expected a text")
    return str(fields[key])


def _check_unique(conversations: Iterable[Conversation]) -> None:
    seen: set[str] = set()
    for one in conversations:
        _expect(one.id not in seen, f"the id {one.id!r} comes twice")
        seen.add(one.id)


def _check_authors(conversations: Iterable[Conversation]) -> None:
    splits: dict[str, str] = {}
    for one in conversations:
        first = splits.setdefault(one.author, one.split)
        _expect(
            first == one.split,
            f"author {one.author!r} has conversations in both splits ({one.id} is {one.split}); "
            "a held-out author must not be fitted on",
        )


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DataError(otherwise)
