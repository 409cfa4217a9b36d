"""Reads the files of reviewed phrases, `data/risk/<language>.yml`; the form is in `docs/contracts.md`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from nlu_models.errors import DataError

KINDS: tuple[str, ...] = ("self_harm", "harm_to_others", "abuse", "medical")  # the first wins a tie
LEVELS: tuple[str, ...] = ("none", "concern", "high", "crisis")  # in rising order

_WANTED: Mapping[str, type] = {
    "fillers": list, "spelling": dict, "context": dict, "groups": dict, "kinds": dict, "idioms": list,
}  # fmt: skip
CONTEXT: tuple[str, ...] = (
    "negations", "links", "doubts", "past", "present", "lingering", "own", "fiction", "named", "jokes",
)  # fmt: skip
_SPELLING: tuple[str, ...] = ("guarded", "other_words", "slips", "masked")


def read_phrase_files(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Every language's phrases, checked, in the order of the files' names.

    Raises:
        DataError: the folder holds none, or a file is malformed.
    """
    paths = sorted(folder.glob("*.yml"))
    if not paths:
        raise DataError(f"{folder} holds no risk phrases (*.yml)")
    return [(path, _read(path)) for path in paths]


def _read(path: Path) -> dict[str, Any]:
    try:
        # The C loader takes a tenth of the time, and every start waits for it.
        data = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path} can't be read: {error}") from error
    if not isinstance(data, dict) or set(data) != set(_WANTED):
        raise DataError(f"{path} needs exactly the keys {', '.join(_WANTED)}")
    for key, kind in _WANTED.items():
        if not isinstance(data[key], kind):
            raise DataError(f"{path}: {key} is {type(data[key]).__name__}, expected {kind.__name__}")
    _check_keys(path, "context", data["context"], CONTEXT)
    _check_keys(path, "spelling", data["spelling"], _SPELLING)
    for kind_name, levels in data["kinds"].items():
        if kind_name not in KINDS:
            raise DataError(f"{path}: the kind {kind_name!r} isn't one of {', '.join(KINDS)}")
        for level in levels:
            if level not in LEVELS[1:]:
                raise DataError(f"{path}: the level {level!r} isn't one of {', '.join(LEVELS[1:])}")
    for text in _texts(data):
        if not isinstance(text, str):
            raise DataError(f"{path}: {text!r} isn't text; put it in quotation marks")
    return data


def _texts(part: object) -> Iterator[object]:
    """Everything in lists, which are all lists of texts."""
    if isinstance(part, dict):
        for inner in part.values():
            yield from _texts(inner)
    elif isinstance(part, list):
        yield from part


def _check_keys(path: Path, name: str, part: Mapping[str, object], known: tuple[str, ...]) -> None:
    """Parts may be left out, since a language may not need them; misspelt ones may not be there."""
    for key in part:
        if key not in known:
            raise DataError(f"{path}: {name} has {key!r}, which isn't one of {', '.join(known)}")
