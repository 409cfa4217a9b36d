"""Fits a finished weight folder's decisions to labelled texts again; the graph stays as it is.

For a weight that serves other texts than it was tuned on, or that shall be wrong less often where it commits
itself. The folder is replaced as a whole, or not at all.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from nlu_models.emotion.card import write_card
from nlu_models.emotion.confidence import MAX_ABSTAINED, TARGET_ERROR
from nlu_models.emotion.crossfit import REPEATS
from nlu_models.emotion.evaluate import fitted_config, label_measures, read_labelled
from nlu_models.emotion.infer import EmotionEncoder
from nlu_models.emotion.labelled import Labelled
from nlu_models.emotion.subjects import encode_with_progress, is_run
from nlu_models.emotion.tables import read_text
from nlu_models.emotion.weights import CARD_FILE, CONFIG_FILE, METRICS_FILE, WeightConfig
from nlu_models.emotion.whole_folders import put_in_place, scratch_beside
from nlu_models.errors import DataError, InputError, WeightError

FEWEST_TRUE_ROWS = 200  # (text, label) pairs altogether
MEASURES = "int8"  # under which metrics.json has what label_measures gives


def recalibrate(
    weights: Path,
    goemotions: Path | None = None,
    table: Path | None = None,
    *,
    split: str = "dev",
    target_error: float = TARGET_ERROR,
    max_abstained: float = MAX_ABSTAINED,
    repeats: int = REPEATS,
    version: str | None = None,
    output: Path | None = None,
) -> dict[str, Any]:
    """Calibrates a weight folder.

    Args:
        weights: the weight folder; it is replaced, unless `output` names another.
        goemotions: folder of GoEmotions; either this or `table`.
        table: labelled CSV, TSV or JSONL of one's own.
        split: of GoEmotions.
        target_error: how often the label may be wrong where the reader commits itself, in (0, 1).
        max_abstained: at most this share of texts is abstained on, in [0, 1).
        repeats: of the cross-fitting that is reported.
        version: of the new weight; None keeps the old one's.
        output: where to write; must not exist.

    Returns:
        `before` and `after`: the measures on these texts; `model`, `output`, `data`, `warnings`.

    Raises:
        InputError: a number is out of range, or the output is there already.
        DataError: the data is malformed, too little, or has labels that the weight doesn't have.
        WeightError: the weight can't be used.
        NluModelError: the folder can't be written.
    """
    _check(weights, target_error, max_abstained, output)
    encoder = EmotionEncoder(weights)
    texts = read_labelled([weights], encoder.config, goemotions, table, split)
    _check_rows(texts)
    probabilities = encode_with_progress(encoder, texts.texts, texts.name).probabilities
    config = fitted_config(encoder.config, texts.truth, probabilities, target_error, max_abstained)
    config = replace(config, version=version or config.version)
    before = label_measures(texts.truth, probabilities, encoder.config, repeats=1)
    after = label_measures(texts.truth, probabilities, config, repeats)
    target = output or weights
    _write(weights, target, config, after, texts)
    return {
        "model": config.model,
        "output": str(target),
        "data": {"name": texts.name, "sha256": texts.sha256},
        "warnings": list(texts.warnings),
        "before": before,
        "after": after,
    }


def _check(weights: Path, target_error: float, max_abstained: float, output: Path | None) -> None:
    if not 0.0 < target_error < 1.0:
        raise InputError(f"the target error is {target_error}, expected between 0 and 1, such as 0.33")
    if not 0.0 <= max_abstained < 1.0:
        raise InputError(f"the share abstained on is {max_abstained}, expected 0 or more and under 1")
    if is_run(weights):
        raise WeightError(f"{weights} is a training run; export it first, which calibrates it too")
    if output is not None and output.exists():
        raise InputError(f"{output} is there already; name a folder that isn't")


def _check_rows(texts: Labelled) -> None:
    found = int(texts.truth.sum())
    if found < FEWEST_TRUE_ROWS:
        raise DataError(
            f"{texts.name} has {found} labels on {len(texts.texts)} texts, expected at least "
            f"{FEWEST_TRUE_ROWS} to calibrate on; with fewer the present calibration is the better one"
        )


def _write(
    weights: Path, target: Path, config: WeightConfig, measures: dict[str, Any], texts: Labelled
) -> None:
    """Puts a copy of the folder with the new configuration, measures and card at its place."""
    with scratch_beside(target) as scratch:
        folder = scratch / "weight"
        shutil.copytree(weights, folder, copy_function=_link_or_copy)
        for name in (CONFIG_FILE, METRICS_FILE, CARD_FILE):
            # A link would be written through into the old folder.
            (folder / name).unlink(missing_ok=True)
        config.save(folder)
        _write_measures(weights, folder, config, measures, texts)
        put_in_place(folder, target, scratch)


def _write_measures(
    weights: Path, folder: Path, config: WeightConfig, measures: dict[str, Any], texts: Labelled
) -> None:
    report: dict[str, Any] = {}
    if (weights / METRICS_FILE).is_file():
        try:
            report = json.loads(read_text(weights / METRICS_FILE))
        except ValueError as error:
            raise WeightError(f"{weights / METRICS_FILE} is damaged: {error}") from error
    axes = {"axes": report[MEASURES]["axes"]} if "axes" in report.get(MEASURES, {}) else {}
    report |= {
        "model": config.model,
        MEASURES: {**measures, **axes},
        "calibrated_on": {"name": texts.name, "sha256": texts.sha256},
    }
    (folder / METRICS_FILE).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if (weights / CARD_FILE).is_file():
        write_card(folder, config, report)


def _link_or_copy(source: str, target: str) -> None:
    """A second name for a file of tens of megabytes where the file system has that, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
