"""`attune emotion learn propose`: the texts whose labels would teach the reader most."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bot.cli._emotion_learn import open_database, weights_of

MOST_ASKED = 1000
MOST_POOLED = 200_000
READ_ROWS = 64
KNOWN_ROWS = 5000  # newest corrections that proposals keep away from


def run(options: argparse.Namespace) -> int:
    """Writes the proposals as JSONL.

    Raises:
        NluModelError: the file or the weights won't do.
        AttuneError: the database won't do.
    """
    from nlu_models.emotion.whole_files import write_text
    from nlu_models.errors import InputError

    for name, value, most in (("--count", options.count, MOST_ASKED), ("--pool", options.pool, MOST_POOLED)):
        if not 1 <= value <= most:
            raise InputError(f"{name} is {value}, expected 1 to {most:,}")
    candidates, known = _candidates(options)
    if not candidates:
        raise InputError(f"there are no texts to ask about in {options.source}")
    rows = propose(weights_of(options), candidates, known, options.count)
    if options.output is None:
        for row in rows:
            print(json.dumps(row, ensure_ascii=True))
    else:
        # Its owner's alone: it may hold what people confided.
        text = "".join(json.dumps(row, ensure_ascii=True) + "\n" for row in rows)
        write_text(options.output, text, mode=0o600)
    print(f"{len(rows)} proposed of {len(candidates)} texts; fill in labels, then import", file=sys.stderr)
    return 0


def propose(
    weights: Path, candidates: Sequence[tuple[str, int | None]], known: Sequence[str], count: int
) -> list[dict[str, Any]]:
    """The rows to ask about, the most telling first.

    Args:
        weights: of the reader.
        candidates: texts, and the turns they are from.
        known: texts whose labels are known already.
        count: at most so many.

    Raises:
        WeightError: the weights can't be used.
        InputError: none of the texts is in the reader's language.
    """
    import numpy as np
    from tqdm import tqdm

    from nlu_models.emotion.learn.selection import choose, doubt_of
    from nlu_models.emotion.weights import WeightConfig
    from nlu_models.errors import InputError, WeightError
    from nlu_models.reader import TurnReader

    config = WeightConfig.load(weights)
    reader = TurnReader(weights)
    if reader.is_degraded:
        raise WeightError(f"{weights} can't be used to read with")
    read = []
    with tqdm(total=len(candidates), unit="text", desc="reading", file=sys.stderr) as progress:
        for start in range(0, len(candidates), READ_ROWS):
            part = candidates[start : start + READ_ROWS]
            readings = reader.read([text for text, _ in part])
            read += list(zip(part, readings, strict=True))
            progress.update(len(part))
    # A text in another language wasn't read: nothing would be learnt of the reader by asking about it.
    read = [(candidate, found) for candidate, found in read if found.embedding.any()]
    if not read:
        raise InputError(f"none of the texts is in a language that {config.model} reads")
    doubts = [
        doubt_of(
            np.array([found.emotion["scores"][label] for label in config.labels]),
            config.thresholds, config.labels, found.emotion["confidence"], found.emotion["abstained"],
        )
        for _, found in read
    ]  # fmt: skip
    picks = choose(
        [text for (text, _), _ in read],
        np.stack([found.embedding for _, found in read]),
        doubts,
        count,
        known,
        reader.embed(list(known[-KNOWN_ROWS:])) if known else None,
    )
    return [_row(*read[pick.row], pick) for pick in picks]


def _row(candidate: tuple[str, int | None], found: Any, pick: Any) -> dict[str, Any]:
    text, turn_id = candidate
    read = {name: found.emotion[name] for name in ("label", "labels", "confidence", "model")}
    why = {
        "uncertainty": round(pick.doubt.uncertainty, 3),
        "distance": round(pick.distance, 3),
        "open_labels": list(pick.doubt.open_labels[:5]),
        "abstained": pick.doubt.abstained,
    }
    turn = {} if turn_id is None else {"turn_id": turn_id}
    return {"text": text, "labels": [], **turn, "read": read, "why": why}


def _candidates(options: argparse.Namespace) -> tuple[list[tuple[str, int | None]], list[str]]:
    """The texts to choose from, and those whose labels are known."""
    from bot.core.correction import CorrectionStatus
    from bot.storage import corrections
    from nlu_models.emotion.learn.rows import checked_text
    from nlu_models.errors import InputError

    database = open_database()
    try:
        with database.session() as session:
            known = [found.text for found in corrections.listing(session, list(CorrectionStatus))]
            turns = (
                corrections.uncorrected_turns(session, options.pool) if options.source == "database" else []
            )
    finally:
        database.close()
    found: list[tuple[str, int | None]] = [(turn.text, turn.id) for turn in turns]
    if options.source != "database":
        found = [(text, None) for text in _file_texts(Path(options.source), options.pool)]
    usable = []
    for text, turn_id in found:
        try:
            usable.append((checked_text(text), turn_id))
        except InputError:
            continue  # empty, endless or binary: nobody could be asked about it
    return usable, known


def _file_texts(path: Path, pool: int) -> list[str]:
    """The texts of a file, in any form that `attune annotate` reads."""
    from bot.cli.annotate import SUFFIXES, UnreadableInput, rows_of
    from nlu_models.errors import DataError

    try:
        with path.open("rb") as source:
            rows = list(islice(rows_of(source, SUFFIXES.get(path.suffix.lower(), "text")), pool))
    except UnreadableInput as error:
        raise DataError(f"{path}: {error}") from error
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}") from error
    bad = [row for row in rows if row.error is not None]
    if bad:
        print(
            f"warning: {len(bad)} rows of {path} can't be read, first line {bad[0].line}: {bad[0].error}",
            file=sys.stderr,
        )
    return [row.text for row in rows if row.error is None]
