"""The measures that the emotion reader is judged by, and the thresholds tuned on them."""

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
LOG_ODDS_GRID = np.linspace(-4.5, 3.0, 151)
SMOOTHING_STEPS = 9  # of that grid, about 0.4 in log-odds


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


def tune_thresholds_smoothly(truth: Bools, probabilities: Floats) -> Floats:
    """The threshold per label in the middle of the widest good stretch: what a weight is shipped with.

    F1 as a function of the threshold is jagged where a label is rare, and its highest tooth is luck.
    Averaging it over neighbouring thresholds (in log-odds) before taking the best gives thresholds that
    hold better on rows they were not tuned on.

    Args:
        truth: (texts, labels).
        probabilities: (texts, labels) in [0, 1].

    Returns:
        (labels,) thresholds from `LOG_ODDS_GRID`; 0.5 for a label with no true row.
    """
    thresholds = np.full(truth.shape[1], DEFAULT_THRESHOLD)
    grid = 1.0 / (1.0 + np.exp(-LOG_ODDS_GRID))
    for label in np.flatnonzero(truth.any(axis=0)):
        order = np.argsort(probabilities[:, label], kind="stable")
        hits_below = np.concatenate([[0], np.cumsum(truth[order, label])])
        cut = np.searchsorted(probabilities[order, label], grid, side="left")
        said = len(truth) - cut
        scores = 2.0 * (hits_below[-1] - hits_below[cut]) / (said + hits_below[-1])
        padded = np.pad(scores, SMOOTHING_STEPS // 2, mode="edge")
        smooth = np.convolve(padded, np.full(SMOOTHING_STEPS, 1.0 / SMOOTHING_STEPS), "valid")
        best = np.flatnonzero(smooth >= smooth.max() - 1e-9)
        thresholds[label] = grid[best[len(best) // 2]]
    return thresholds


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


def fit_confidence(top_probability: Floats, correct: Bools, steps: int = 200) -> tuple[float, float]:
    """A logistic curve from the top label's log-odds to the chance that the label is right.

    Platt scaling (Platt, 1999) on the winning label, fitted by Newton's method.

    Args:
        top_probability: (texts,) the probability of the reported label.
        correct: (texts,) whether that label was among the annotators'.
        steps: at most this many Newton steps.

    Returns:
        Slope and intercept: confidence = sigmoid(slope * logit(p) + intercept).
    """
    clipped = np.clip(top_probability.astype(np.float64), 1e-6, 1 - 1e-6)
    design = np.stack([np.log(clipped / (1 - clipped)), np.ones_like(clipped)], axis=1)
    weights = np.zeros(2)
    for _ in range(steps):
        chance = 1.0 / (1.0 + np.exp(-design @ weights))
        gradient = design.T @ (correct - chance) - 1e-3 * weights
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + 1e-3 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights += step
        if np.abs(step).max() < 1e-9:
            break
    return float(weights[0]), float(weights[1])
