"""`attune emotion learn train`: trains on corrections, and refuses a worse model."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from bot.cli._emotion_learn import open_database

if TYPE_CHECKING:
    from bot.storage.records import Correction

REFUSED = 3


def run(options: argparse.Namespace) -> int:
    """Trains; returns 0, or 3 when the model was refused and nothing was written.

    Raises:
        NluModelError: the start, the data, the settings or the output won't do, or corrections are too few.
        AttuneError: the database won't do.
    """
    from transformers.utils import logging

    from nlu_models.emotion import data
    from nlu_models.emotion.learn.finetune import LearningArguments, learn
    from nlu_models.emotion.learn.start import start_from_run, start_from_weights
    from nlu_models.emotion.learn.write import check_output, describe, write_run

    names = ("epochs", "batch_size", "learning_rate", "replayed", "seed")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    arguments = LearningArguments(**given)
    logging.set_verbosity_error()  # the base's own report of what it loads is of no use here
    logging.disable_progress_bar()
    check_output(options.output)
    began = time.time()
    rows, ids = _corrections(options)
    dev = data.read_goemotions(options.goemotions, "dev")
    original = data.read_goemotions(options.goemotions, "train")
    start = start_from_run(options.run) if options.run is not None else start_from_weights(options.weights)
    lesson = learn(start, rows, original, dev, arguments)
    report: dict[str, Any] = {
        "written": lesson.is_better,
        "corrections": lesson.trained_on,
        "held_out": lesson.held_out,
        "share": lesson.share,
        "checks": describe(lesson.checks),
    }
    if lesson.is_better:
        write_run(options.output, start, lesson, arguments, _other_flags(options))
        if ids:
            _mark(ids, str(options.output), began)
    if not lesson.is_steady:
        print(
            f"warning: corrections are few, so which {lesson.held_out} are held out may change with the next "
            "ones; a model that goes on from this one may then be judged by texts this one was trained on",
            file=sys.stderr,
        )
    _tell(options, report, [check.sentence() for check in lesson.checks])
    return 0 if lesson.is_better else REFUSED


def _corrections(options: argparse.Namespace) -> tuple[list[Any], list[int]]:
    """What may be learnt from, the last decided last, and the ids of what is from the database."""
    from bot.core.correction import CorrectionStatus
    from bot.storage import corrections
    from nlu_models.emotion.data import LabelledText
    from nlu_models.emotion.labels import GOEMOTIONS
    from nlu_models.emotion.learn.rows import read_rows
    from nlu_models.errors import InputError

    def row(text: str, labels: Any) -> LabelledText:
        return LabelledText(text, tuple(sorted(GOEMOTIONS.index(label) for label in labels)))

    if options.corrections is not None:
        found, _ = read_rows(options.corrections, GOEMOTIONS)
        return [row(each.text, each.labels) for each in found], []
    database = open_database()
    try:
        with database.session() as session:
            kept = corrections.listing(session, [CorrectionStatus.NEW, CorrectionStatus.USED])
    finally:
        database.close()
    usable: list[Correction] = [each for each in kept if each.labels and set(each.labels) <= set(GOEMOTIONS)]
    if len(usable) < len(kept):
        print(f"warning: {len(kept) - len(usable)} corrections have other labels; left out", file=sys.stderr)
    if not (options.again or any(each.status is CorrectionStatus.NEW for each in usable)):
        raise InputError(
            "there are no new corrections; `attune emotion learn add` or `import` keeps some, and --again "
            "trains on those that were used"
        )
    return [row(each.text, each.labels) for each in usable], [each.id for each in usable]


def _other_flags(options: argparse.Namespace) -> list[str]:
    """What the command said besides its start, its settings and its folders."""
    if options.corrections is not None:
        return ["--corrections FILE"]
    return ["--again"] if options.again else []


def _mark(ids: list[int], run: str, began: float) -> None:
    from bot.storage import corrections

    database = open_database()
    try:
        with database.session(exclusive=True) as session:
            corrections.mark_used(session, ids, run, began)
    finally:
        database.close()


def _tell(options: argparse.Namespace, report: dict[str, Any], sentences: list[str]) -> None:
    from bot.cli._handoff_text import json_text

    if options.json:
        print(json_text(report))
    else:
        print("\n".join(sentences))
    if report["written"]:
        way = (
            "" if report["share"] == 1.0 else f" ({report['share']:.0%} of the way to what was learnt passed)"
        )
        print(
            f"wrote {options.output}{way}; `attune emotion export --run` makes a weight of it",
            file=sys.stderr,
        )
    else:
        print("the new model was refused; nothing was written", file=sys.stderr)
