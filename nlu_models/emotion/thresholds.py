"""From which probability on a label counts, found so that it holds on rows it was not tuned on.

The threshold with the best F1 on a few thousand rows is mostly luck where a label has twenty true ones. Two
better-behaved estimates are mixed, the first for common labels and the second for rare ones:

- the best of the F1 curve after smoothing it over neighbouring thresholds;
- the plug-in: what would be best in expectation if the calibrated probabilities were true. It uses every row
  and not only those that hold the label. Under it the best threshold is half the best F1 (Lipton, Elkan &
  Naryanaswamy, ECML-PKDD 2014).

How these were chosen, and against what: docs/training.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion.calibration import Bools, Doubles, Floats, log_odds, sigmoid
from nlu_models.emotion.metrics import DEFAULT_THRESHOLD

BOUNDS = (1e-3, 1.0 - 1e-3)
HALF_TRUSTED_ROWS = 50  # true rows at which both estimates weigh the same
GRID_STEP = 0.02
GRID = np.arange(-8.0, 6.0 + GRID_STEP / 2, GRID_STEP)  # thresholds tried, in log-odds
SMOOTHING_SD = 0.3  # of the Gaussian the F1 curve is smoothed with, in log-odds
DECIMALS = 4


def fit_thresholds(truth: Bools, probabilities: Floats) -> Doubles:
    """The threshold of each label that is expected to give the best F1 on new rows.

    Args:
        truth: (texts, labels).
        probabilities: (texts, labels) in [0, 1], calibrated on these rows.

    Returns:
        (labels,) in (0, 1); 0.5 for a label with no true row.
    """
    trues = truth.sum(axis=0)
    trust = trues / (trues + HALF_TRUSTED_ROWS)
    mixed = trust * smooth_best(truth, probabilities) + (1.0 - trust) * log_odds(plug_in(probabilities))
    return np.where(trues > 0, np.clip(sigmoid(mixed), *BOUNDS), DEFAULT_THRESHOLD)


def plug_in(probabilities: Floats) -> Doubles:
    """The threshold with the best F1 if each probability were the chance that the label holds; (labels,).

    Args:
        probabilities: (texts, labels) in [0, 1], calibrated.
    """
    ordered = -np.sort(-np.asarray(probabilities, dtype=np.float64), axis=0)
    hits = np.cumsum(ordered, axis=0)
    said = np.arange(1, len(ordered) + 1)[:, None]
    return np.asarray((hits / (said + hits[-1])).max(axis=0))  # half of the best expected F1


def smooth_best(truth: Bools, probabilities: Floats) -> Doubles:
    """The highest point of each label's smoothed F1 curve, in log-odds; (labels,)."""
    curves = f1_curves(truth, probabilities)
    reach = round(3 * SMOOTHING_SD / GRID_STEP)
    kernel = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) * GRID_STEP / SMOOTHING_SD))
    kernel /= kernel.sum()
    best = np.empty(len(curves))
    for label, curve in enumerate(curves):
        smooth = np.convolve(np.pad(curve, reach, mode="edge"), kernel, "valid")
        highest = np.flatnonzero(smooth >= smooth.max() - 1e-9)
        best[label] = GRID[highest[len(highest) // 2]]
    return best


def f1_curves(truth: Bools, probabilities: Floats) -> Doubles:
    """F1 of each label at each threshold of `GRID`: (labels, thresholds)."""
    place = np.floor((log_odds(probabilities) - GRID[0]) / GRID_STEP + 1e-9).astype(int)
    place = np.clip(place, 0, len(GRID) - 1)
    curves = np.empty((truth.shape[1], len(GRID)))
    for label in range(truth.shape[1]):
        holds = truth[:, label]
        said = _at_least(place[:, label])
        hits = _at_least(place[holds, label])
        curves[label] = 2.0 * hits / np.maximum(said + holds.sum(), 1)
    return curves


def _at_least(places: NDArray[np.int64]) -> Doubles:
    """How many of the places are at or beyond each point of the grid."""
    counts = np.bincount(places, minlength=len(GRID))
    return np.asarray(np.cumsum(counts[::-1])[::-1], dtype=np.float64)
