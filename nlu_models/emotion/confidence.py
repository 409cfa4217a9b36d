"""How sure a reading is of its label, how well that ranks the errors, and when the reader abstains.

Confidence is a logistic curve over the reported label's calibrated log-odds (Platt, 1999): one number per
text that says how often labels like this one are right. The margin to the second label, the entropy, the
length of the text and the share of unknown tokens were tried beside it and rank errors no better
(docs/training.md has the figures).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion.calibration import Bools, Doubles, Floats, fit_curves, log_odds, sigmoid

PRIOR_SD = (10.0, 10.0)  # two numbers from thousands of rows: hardly a prior
TARGET_ERROR = 0.33  # of the label, among turns the reader commits itself on
MAX_ABSTAINED = 0.15  # share of turns


def top_labels(probabilities: Floats, thresholds: Sequence[float] | Floats) -> NDArray[np.int64]:
    """The label reported for each text, (texts,).

    Args:
        probabilities: (texts, labels), calibrated.
        thresholds: (labels,).

    Returns:
        The most probable of the labels that hold, else the most probable of all; the first of equals.
    """
    held = probabilities >= np.asarray(thresholds)
    among_held = np.where(held, probabilities, -1.0).argmax(axis=1)
    return np.where(held.any(axis=1), among_held, probabilities.argmax(axis=1))


def fit_confidence(top_probability: Floats, correct: Bools) -> tuple[float, float]:
    """Slope and intercept of confidence = sigmoid(slope * log-odds + intercept).

    Args:
        top_probability: (texts,) of the reported label, calibrated.
        correct: (texts,) whether that label was among the annotators'.
    """
    odds = log_odds(top_probability)[:, None]
    features = [odds, np.ones_like(odds)]
    (curve,) = fit_curves(correct[:, None], features, np.array([1.0, 0.0]), PRIOR_SD)
    return float(curve[0]), float(curve[1])


def confidences(top_probability: Floats, slope: float, intercept: float) -> Doubles:
    """The chance that each reported label is right, (texts,)."""
    return sigmoid(slope * log_odds(top_probability) + intercept)


def abstention_point(
    confidence: Floats,
    correct: Bools,
    target_error: float = TARGET_ERROR,
    max_share: float = MAX_ABSTAINED,
) -> float:
    """The confidence under which the reader should not commit itself.

    Args:
        confidence: (texts,) in [0, 1].
        correct: (texts,) whether the reported label was right.
        target_error: how often it may be wrong on the rest.
        max_share: at most this share of texts may be abstained on, even if the error stays higher.

    Returns:
        The lowest confidence that reaches the target error within the share, else the highest that
        keeps to the share.
    """
    order = np.argsort(confidence, kind="stable")
    ordered = confidence[order]
    allowed = min(int(max_share * len(ordered)), len(ordered) - 1)
    points = ordered[: allowed + 1]
    first = np.searchsorted(ordered, points)  # texts of one confidence are kept or dropped together
    right = np.cumsum(correct[order][::-1], dtype=np.int64)[::-1]  # among a text and all surer ones
    reached = np.flatnonzero(1.0 - right[first] / (len(ordered) - first) <= target_error)
    if not len(reached):
        return float(points[-1])
    return float(points[reached[0]]) if reached[0] else 0.0


def risk_coverage(confidence: Floats, correct: Bools) -> tuple[Doubles, Doubles]:
    """The error among the surest texts, for each number of them (Geifman & El-Yaniv, NeurIPS 2017).

    Returns:
        Coverage and error, both (texts,): the error when the reader commits itself on that share of texts.
        Texts of one confidence are taken in expectation, not in the order they happen to come in.
    """
    order = np.argsort(-np.asarray(confidence), kind="stable")
    wrong = (~correct[order]).astype(np.float64)
    _, group = np.unique(-np.asarray(confidence)[order], return_inverse=True)
    wrong = (np.bincount(group, wrong) / np.bincount(group))[group]
    count = np.arange(1, len(wrong) + 1)
    return count / len(wrong), np.cumsum(wrong) / count


def aurc(confidence: Floats, correct: Bools) -> float:
    """The area under the risk-coverage curve, in [0, 1]; lower is better."""
    return float(risk_coverage(confidence, correct)[1].mean())


def excess_aurc(confidence: Floats, correct: Bools) -> float:
    """AURC above that of a confidence that ranks every error last (Geifman et al., ICLR 2019)."""
    return aurc(confidence, correct) - aurc(correct.astype(np.float64), correct)


def floor_to(value: float, decimals: int) -> float:
    """Rounded down, so that no more texts are abstained on than was allowed."""
    scale: int = 10**decimals
    return math.floor(value * scale) / scale
