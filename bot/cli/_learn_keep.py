"""The steps of `attune emotion learn` that keep corrections: add, import, list, confirm, reject, harvest."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bot.cli._emotion_learn import open_database, weights_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bot.storage.records import Correction, Turn

LONGEST_NAME = 80
SHOWN_CHARS = 60


def run(options: argparse.Namespace) -> int:
    """Does one step and prints what came of it."""
    return _STEPS[options.learn_step](options)


def known_labels(options: argparse.Namespace) -> tuple[str, ...]:
    """The labels of the weight that serves; GoEmotions' where it can't be used."""
    from nlu_models.emotion.labels import GOEMOTIONS
    from nlu_models.emotion.weights import WeightConfig
    from nlu_models.errors import WeightError

    try:
        return tuple(WeightConfig.load(weights_of(options)).labels)
    except WeightError:
        return GOEMOTIONS


def _add(options: argparse.Namespace) -> int:
    from bot.core.correction import CorrectionSource, CorrectionStatus
    from bot.storage import corrections
    from nlu_models.emotion.learn.rows import checked_labels, checked_text
    from nlu_models.emotion.tables import SEPARATORS
    from nlu_models.errors import InputError

    labels = checked_labels(SEPARATORS.split(options.labels), known_labels(options))
    author, note = _name(options.author), _note(options.note)
    if options.text is None and options.turn is None:
        raise InputError("give a TEXT, or the turn it is from with --turn")
    if options.text is not None:
        checked_text(options.text)
    database = open_database()
    try:
        text = options.text
        if options.turn is not None:
            with database.session() as session:
                text = _turn_text(session, options.turn, text)
        ((model, reading),) = _read(options, [text])
        with database.session(exclusive=True) as session:
            kept, before = corrections.add(
                session, text, labels, CorrectionSource.AGENT, CorrectionStatus.NEW, time.time(),
                author=author, turn_id=options.turn, model=model, reading=reading, note=note,
            )  # fmt: skip
    finally:
        database.close()
    _print(options, correction_json(kept), _kept(kept, before))
    return 0


def _import(options: argparse.Namespace) -> int:
    from bot.core.correction import CorrectionSource, CorrectionStatus
    from bot.core.errors import StorageError
    from bot.storage import corrections
    from nlu_models.emotion.learn.rows import read_rows
    from nlu_models.errors import DataError, InputError

    author = _name(options.author)
    rows, left = read_rows(options.file, known_labels(options))
    read = _read(options, [row.text for row in rows])
    database = open_database()
    added = overruled = 0
    try:
        # One transaction: a file is taken over as a whole, or, interrupted or refused, not at all.
        with database.session(exclusive=True) as session:
            for row, (model, reading) in zip(rows, read, strict=True):
                text = row.text
                if row.turn_id is not None:
                    try:
                        text = _turn_text(session, row.turn_id, text)
                    except (StorageError, InputError) as error:
                        raise DataError(
                            f"{options.file}:{row.line}: {error}; nothing was taken over"
                        ) from error
                kept, before = corrections.add(
                    session, text, row.labels, CorrectionSource.IMPORT, CorrectionStatus.NEW, time.time(),
                    author=author, turn_id=row.turn_id, model=model, reading=reading, note=row.note,
                )  # fmt: skip
                added += before is None
                overruled += _is_overruled(kept, before)
    finally:
        database.close()
    same = len(rows) - added
    result = {"added": added, "known": same, "overruled": overruled, "left_out": left}
    told = f"{added} added, {same} known already, {left} without labels or agreement left out"
    if overruled:
        told += f"; {overruled} of those known were rejected or labelled otherwise, and count again"
    _print(options, result, told)
    return 0


def _list(options: argparse.Namespace) -> int:
    from bot.core.correction import CorrectionStatus
    from bot.storage import corrections
    from nlu_models.errors import InputError

    if not 0 <= options.limit <= 1_000_000:
        raise InputError(f"--limit is {options.limit}, expected 0 (all) to 1,000,000")
    wanted = options.status or ["proposed", "new", "used"]
    database = open_database()
    try:
        with database.session() as session:
            statuses = [CorrectionStatus(name) for name in wanted]
            found = corrections.listing(session, statuses, options.limit or None)
            counts = corrections.counts(session)
    finally:
        database.close()
    if options.json:
        for correction in found:
            print(json.dumps(correction_json(correction)))
        return 0
    lines = [_line(correction) for correction in found]
    total = ", ".join(f"{count} {name}" for name, count in counts.items())
    header = f"{'ID':>5}  {'STATUS':<8}  {'RIGHT':<24}  {'READ':<16}  TEXT"
    print("\n".join([header, *lines, total]))
    return 0


def _decide(options: argparse.Namespace) -> int:
    from bot.core.correction import CorrectionStatus
    from bot.storage import corrections
    from nlu_models.emotion.learn.rows import checked_labels
    from nlu_models.emotion.tables import SEPARATORS
    from nlu_models.errors import InputError

    if not 0 < options.id < 2**63:
        raise InputError(f"{options.id} is no number of a correction; `attune emotion learn list` shows them")
    is_confirmed = options.learn_step == "confirm"
    labels = None
    if is_confirmed and options.labels is not None:
        labels = checked_labels(SEPARATORS.split(options.labels), known_labels(options))
    status = CorrectionStatus.NEW if is_confirmed else CorrectionStatus.REJECTED
    author, note = _name(options.author), _note(options.note)
    database = open_database()
    try:
        with database.session(exclusive=True) as session:
            before = corrections.get(session, options.id)
            if is_confirmed and not (labels or before.labels):
                raise InputError(f"correction {options.id} names no feeling; give --labels")
            kept = corrections.decide(
                session, options.id, status, time.time(), labels=labels, author=author, note=note
            )
    finally:
        database.close()
    done = f"confirmed as {', '.join(kept.labels)}" if is_confirmed else "rejected"
    _print(options, correction_json(kept), f"Correction {kept.id} is {done}.")
    return 0


def _harvest(options: argparse.Namespace) -> int:
    from bot.core.correction import CorrectionSource, CorrectionStatus
    from bot.storage import corrections
    from nlu_models.emotion.learn.rows import checked_text
    from nlu_models.emotion.learn.said import feelings_said
    from nlu_models.errors import InputError

    known = known_labels(options)
    gathered = []
    database = open_database()
    try:
        with database.session(exclusive=True) as session:
            for found in corrections.contradictions(session):
                try:
                    text = checked_text(found.turn.text)
                except InputError:
                    continue  # an empty or endless turn teaches nothing
                emotion = found.reading.emotion if found.reading else None
                reading = None
                if emotion is not None:
                    reading = {
                        "label": emotion.label, "labels": list(emotion.labels),
                        "confidence": emotion.confidence,
                    }  # fmt: skip
                kept, before = corrections.add(
                    session, text, feelings_said(found.said_by.text, known), CorrectionSource.PERSON,
                    CorrectionStatus.PROPOSED, time.time(), turn_id=found.turn.id,
                    model=emotion.model if emotion else None, reading=reading, said_by=found.said_by.id,
                )  # fmt: skip
                if before is None:
                    gathered.append(kept)
    finally:
        database.close()
    told = [_line(correction) for correction in gathered]
    told.append(
        f"{len(gathered)} proposed; `attune emotion learn confirm ID` lets one be learnt from"
        if gathered
        else "nothing new was said about readings"
    )
    _print(options, [correction_json(correction) for correction in gathered], "\n".join(told))
    return 0


def correction_json(correction: Correction) -> dict[str, Any]:
    """A correction, as JSON."""
    values = asdict(correction)
    return {
        **values,
        "labels": list(correction.labels),
        "used_in": list(correction.used_in),
        "source": correction.source.value,
        "status": correction.status.value,
    }


def _read(
    options: argparse.Namespace, texts: Sequence[str]
) -> list[tuple[str | None, dict[str, Any] | None]]:
    """What the serving weight makes of texts, and its name; nothing where it can't read them."""
    from nlu_models.reader import TurnReader

    if not texts:
        return []
    reader = TurnReader(weights_of(options))
    if reader.is_degraded:
        print(
            "warning: the emotion weights can't be used; corrections are kept without a reading",
            file=sys.stderr,
        )
        return [(None, None)] * len(texts)
    kept = ("label", "labels", "confidence")
    return [
        (found.emotion["model"], {name: found.emotion[name] for name in kept})
        if found.embedding.any()
        else (None, None)  # of a language that the weight doesn't know
        for found in reader.read(texts)
    ]


def _turn_text(session: Session, turn_id: int, given: str | None) -> str:
    """The text of a person's turn.

    Raises:
        InputError: it is not a person's, or its text is another than the one given.
        StorageError: there is no such turn.
    """
    from bot.core.turn import Author
    from bot.storage import turns
    from nlu_models.emotion.learn.rows import checked_text
    from nlu_models.errors import InputError

    if not 0 < turn_id < 2**63:
        raise InputError(f"{turn_id} is no number of a turn")
    turn: Turn = turns.get(session, turn_id)
    if turn.author is not Author.PERSON:
        raise InputError(
            f"turn {turn_id} was written by the {turn.author.value}; only people's turns are read"
        )
    if given is not None and " ".join(given.split()) != " ".join(turn.text.split()):
        raise InputError(f"the text is not that of turn {turn_id}; leave one of them out")
    return checked_text(turn.text)


def _name(given: str | None) -> str | None:
    """The author's name.

    Raises:
        InputError: it is empty, too long or unprintable.
    """
    from nlu_models.errors import InputError

    if given is None:
        return None
    name = " ".join(given.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InputError(f"the name is {name[:20]!r}, expected 1 to {LONGEST_NAME} printable characters")
    return name


def _note(given: str | None) -> str | None:
    from nlu_models.emotion.learn.rows import MAX_NOTE_CHARS
    from nlu_models.errors import InputError

    if given is not None and len(given) > MAX_NOTE_CHARS:
        raise InputError(f"the note has {len(given):,} characters, at most {MAX_NOTE_CHARS:,} are possible")
    return given or None


def _line(correction: Correction) -> str:
    from bot.cli._handoff_text import one_line

    right = ",".join(correction.labels) or "?"
    read = str((correction.reading or {}).get("label", "-"))
    return (
        f"{correction.id:>5}  {correction.status.value:<8}  {right:<24}  {read:<16}  "
        f"{one_line(correction.text, SHOWN_CHARS)}"
    )


def _kept(correction: Correction, before: Correction | None) -> str:
    labels = ", ".join(correction.labels)
    if before is None:
        return f"Kept as correction {correction.id}: {labels}."
    now = f"; now it counts again, as {labels}" if _is_overruled(correction, before) else ", and counts anew"
    return f"This is correction {correction.id} already ({before.status.value}){now}."


def _is_overruled(correction: Correction, before: Correction | None) -> bool:
    """Whether something else was decided before."""
    from bot.core.correction import CorrectionStatus

    return before is not None and (
        before.status is CorrectionStatus.REJECTED or before.labels != correction.labels
    )


def _print(options: argparse.Namespace, result: Any, text: str) -> None:
    from bot.cli._handoff_text import json_text

    print(json_text(result) if options.json else text)


_STEPS = {
    "add": _add, "import": _import, "list": _list, "confirm": _decide, "reject": _decide, "harvest": _harvest,
}  # fmt: skip
