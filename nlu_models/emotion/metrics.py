"""The measures of decisions about labels that the emotion reader is judged by.

Also the thresholds that are best on the very rows they are tuned on, which training compares epochs by;
what a weight is shipped with comes from `thresholds`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

# Finer at the low end, where the probabilities of the rarest labels lie.
THRESHOLD_GRID = np.round(np.concatenate([np.arange(0.01, 0.1, 0.0025), np.arange(0.1, 0.95, 0.01)]), 4)
DEFAULT_THRESHOLD = 0.5


def f1_per_label(truth: Bools, predicted: Bools) -> Floats:
    """F1 of each label; 0 where a label is neither true nor predicted.

    Args:
        truth: (texts, labels).
        predicted: (texts, labels).

    Returns:
        (labels,) in [0, 1].
    """
    hits = np.logical_and(truth, predicted).sum(axis=0)
    total = truth.sum(axis=0) + predicted.sum(axis=0)
    return np.where(total > 0, 2.0 * hits / np.maximum(total, 1), 0.0)


def macro_f1(truth: Bools, predicted: Bools) -> float:
    """The unweighted mean of the labels' F1, in [0, 1]."""
    return float(f1_per_label(truth, predicted).mean())


def micro_f1(truth: Bools, predicted: Bools) -> float:
    """F1 over all (text, label) decisions pooled, in [0, 1]."""
    total = int(truth.sum() + predicted.sum())
    return 2.0 * int(np.logical_and(truth, predicted).sum()) / total if total else 0.0


def tune_thresholds(truth: Bools, probabilities: Floats) -> Floats:
    """The threshold per label with the best F1 on these rows.

    Each label's F1 depends on its own threshold alone, so the macro-F1 is maximised label by label.
    Ties go to the middle of the best run of the grid, which generalises better than its edge.

    Args:
        truth: (texts, labels).
        probabilities: (texts, labels) in [0, 1].

    Returns:
        (labels,) thresholds from `THRESHOLD_GRID`; 0.5 for a label with no true row.
    """
    thresholds = np.full(truth.shape[1], DEFAULT_THRESHOLD)
    for label in range(truth.shape[1]):
        if not truth[:, label].any():
            continue
        predicted = probabilities[:, label, None] >= THRESHOLD_GRID[None, :]
        scores = f1_per_label(np.repeat(truth[:, label, None], len(THRESHOLD_GRID), 1), predicted)
        best = np.flatnonzero(scores >= scores.max() - 1e-9)
        thresholds[label] = THRESHOLD_GRID[best[len(best) // 2]]
    return thresholds


def averages(truth: Bools, predicted: Bools, probabilities: Floats) -> dict[str, dict[str, float]]:
    """Precision, recall, F1, ROC-AUC and average precision: macro, micro and weighted.

    Labels without a true row, or with nothing else, are left out: nothing can be said of them.

    Args:
        truth: (texts, labels).
        predicted: (texts, labels).
        probabilities: (texts, labels) in [0, 1].
    """
    from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score

    kept = truth.any(axis=0) & ~truth.all(axis=0)
    if not kept.any():
        return {}
    truth, predicted, probabilities = truth[:, kept], predicted[:, kept], probabilities[:, kept]
    found = {}
    for average in ("macro", "micro", "weighted"):
        precision, recall, f1, _ = precision_recall_fscore_support(
            truth, predicted, average=average, zero_division=0
        )
        found[average] = {
            "precision": float(precision),
            "recall": float(recall),
            "f1": float(f1),
            "roc_auc": float(roc_auc_score(truth, probabilities, average=average)),
            "average_precision": float(average_precision_score(truth, probabilities, average=average)),
        }
    return found


def per_label(truth: Bools, predicted: Bools, probabilities: Floats) -> list[dict[str, float | None]]:
    """Precision, recall, F1, accuracy, ROC-AUC and average precision of each label.

    The last two are None for a label that every text holds, or none.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    hits = np.logical_and(truth, predicted).sum(axis=0)
    f1 = f1_per_label(truth, predicted)
    rows: list[dict[str, float | None]] = []
    for label in range(truth.shape[1]):
        held, said = truth[:, label], predicted[:, label]
        is_ranked = held.any() and not held.all()
        rows.append(
            {
                "precision": hits[label] / max(int(said.sum()), 1),
                "recall": hits[label] / max(int(held.sum()), 1),
                "f1": float(f1[label]),
                "accuracy": float((held == said).mean()),
                "roc_auc": float(roc_auc_score(held, probabilities[:, label])) if is_ranked else None,
                "average_precision": (
                    float(average_precision_score(held, probabilities[:, label])) if is_ranked else None
                ),
            }
        )
    return rows


def crossfit_macro_f1(
    truth: Bools,
    probabilities: Floats,
    folds: int = 5,
    seed: int = 0,
    tune: Callable[[Bools, Floats], Floats] = tune_thresholds,
) -> float:
    """Macro-F1 with each row judged by thresholds tuned on the other folds only.

    Args:
        truth: (texts, labels).
        probabilities: (texts, labels) in [0, 1].
        folds: how many parts the rows are split into.
        seed: of the shuffle.
        tune: how thresholds are found.

    Returns:
        Macro-F1 in [0, 1], not flattered by tuning on the rows it is measured on.
    """
    fold_of = np.random.default_rng(seed).permutation(len(truth)) % folds
    predicted = np.zeros_like(truth)
    for fold in range(folds):
        held_out = fold_of == fold
        thresholds = tune(truth[~held_out], probabilities[~held_out])
        predicted[held_out] = probabilities[held_out] >= thresholds
    return macro_f1(truth, predicted)


def pearson(a: Floats, b: Floats) -> float:
    """Pearson's r of two vectors; 0 when either is constant."""
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
