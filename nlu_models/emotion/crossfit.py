"""What to expect on new texts: every text is judged by numbers fitted without it.

The rows are split into folds at random; calibration, thresholds, groups and confidence are fitted on all
folds but one and applied to that one. How the folds fall moves the result, so it is repeated and averaged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlu_models.emotion import metrics, reliability
from nlu_models.emotion.calibration import Bools, Floats
from nlu_models.emotion.confidence import MAX_ABSTAINED, TARGET_ERROR, aurc, excess_aurc
from nlu_models.emotion.fitting import Judged, fit
from nlu_models.emotion.groups import group_truth

FOLDS = 10
REPEATS = 20
DECIMALS = 4


@dataclass(frozen=True)
class HeldOut(Judged):
    """Every row as judged by what was fitted on the other folds.

    Attributes:
        correct: (texts,) whether the reported label was right.
    """

    correct: Bools


def hold_out(
    truth: Bools,
    probabilities: Floats,
    groupings: Mapping[str, Bools],
    folds: int = FOLDS,
    seed: int = 0,
    target_error: float = TARGET_ERROR,
    max_abstained: float = MAX_ABSTAINED,
) -> HeldOut:
    """Judges each fold by what was fitted on the others.

    Args:
        truth: (texts, labels).
        probabilities: (texts, labels) in [0, 1], as the encoder gives them.
        groupings: of each grouping, (groups, labels) membership.
        folds: how many parts; at most the number of texts.
        seed: of the split.
        target_error: as in `abstention_point`.
        max_abstained: as in `abstention_point`.
    """
    rows, labels = truth.shape
    fold_of = np.random.default_rng(seed).permutation(rows) % min(folds, rows)
    out = HeldOut(
        np.zeros((rows, labels)),
        np.zeros((rows, labels), dtype=bool),
        {name: np.zeros((rows, len(members)), dtype=bool) for name, members in groupings.items()},
        np.zeros(rows, dtype=np.int64),
        np.zeros(rows),
        np.zeros(rows, dtype=bool),
        np.zeros(rows, dtype=bool),
    )
    for fold in range(min(folds, rows)):
        held = fold_of == fold
        fitted = fit(truth[~held], probabilities[~held], groupings, target_error, max_abstained)
        judged = fitted.judge(probabilities[held], groupings)
        out.probabilities[held] = judged.probabilities
        out.predicted[held] = judged.predicted
        for name, decided in judged.groups.items():
            out.groups[name][held] = decided
        out.top[held] = judged.top
        out.confidence[held] = judged.confidence
        out.correct[held] = truth[held][np.arange(int(held.sum())), judged.top]
        out.abstained[held] = judged.abstained
    return out


def crossfit_measures(
    truth: Bools,
    probabilities: Floats,
    groupings: Mapping[str, Bools],
    folds: int = FOLDS,
    repeats: int = REPEATS,
    target_error: float = TARGET_ERROR,
    max_abstained: float = MAX_ABSTAINED,
) -> dict[str, Any]:
    """The measures that a weight is judged by, each the mean over repeats, with its standard deviation.

    Args:
        truth: (texts, labels).
        probabilities: (texts, labels) in [0, 1], as the encoder gives them.
        groupings: of each grouping, (groups, labels) membership.
        folds: how many parts.
        repeats: how many splits, with the seeds 0, 1, 2, …
        target_error: as in `abstention_point`.
        max_abstained: as in `abstention_point`.
    """
    found: dict[str, list[float]] = {}
    per_label = []
    present = truth.any(axis=0)  # a label without a true row has no F1, and nor has a group
    held_groups = {name: group_truth(truth, members) for name, members in groupings.items()}
    for seed in range(repeats):
        held = hold_out(truth, probabilities, groupings, folds, seed, target_error, max_abstained)
        per_label.append(metrics.f1_per_label(truth, held.predicted))
        values = {
            "macro_f1": float(per_label[-1][present].mean()),
            "micro_f1": metrics.micro_f1(truth, held.predicted),
        }
        for name, true in held_groups.items():
            there = true.any(axis=0)
            values[f"{name}_macro_f1"] = metrics.macro_f1(true[:, there], held.groups[name][:, there])
        values |= reliability.label_errors(truth, held.probabilities)
        values |= _confidence(held)
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    return {
        "method": f"mean of {repeats} repeats of {folds}-fold cross-fitting inside the texts; calibration, "
        "thresholds, groups and confidence are fitted in the folds",
        "folds": folds,
        "repeats": repeats,
        **{name: _round(np.mean(values)) for name, values in found.items()},
        "sd": {name: _round(np.std(values)) for name, values in found.items()},
        "f1_per_label": [_round(value) for value in np.mean(per_label, axis=0)],
    }


def _confidence(held: HeldOut) -> dict[str, float]:
    committed = ~held.abstained
    return {
        "top_label_accuracy": float(held.correct.mean()),
        "aurc": aurc(held.confidence, held.correct),
        "excess_aurc": excess_aurc(held.confidence, held.correct),
        "confidence_ece": reliability.calibration_error(held.confidence, held.correct),
        "abstained_share": float(held.abstained.mean()),
        "error_when_committed": float(1.0 - held.correct[committed].mean()) if committed.any() else 0.0,
    }


def _round(value: Any) -> float:
    return round(float(value), DECIMALS)
