"""Makes a label's probability mean what it says: of the texts given 0.3, three in ten hold the label.

A curve per label maps what the encoder says to a calibrated probability. Beside the label's own log-odds it
sees how likely it is that any other label holds: labels compete for a text, which an encoder trained on
each label by itself doesn't take into account.

    log-odds = slope * own + rivals * log-odds that another label holds + intercept

Slope and intercept are Platt's (1999). Rare labels have few rows to fit three numbers on, so each curve is
drawn towards the one that most labels agree on (a normal prior around the median; empirical Bayes, Efron &
Morris 1975).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.errors import WeightError

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]
Doubles = NDArray[np.float64]

CLIP = 1e-6  # probabilities nearer to 0 and 1 than this are as good as certain
FEATURES = ("slope", "rivals", "intercept")
IDENTITY = (1.0, 0.0, 0.0)
PRIOR_SD = (0.3, 0.15, 1.0)  # how far a label's numbers may easily lie from the common ones
ROUNDS = 2  # of finding the common curve
NEWTON_STEPS = 30
LONGEST_STEP = 1.0
CONVERGED = 1e-5


@dataclass(frozen=True)
class Calibration:
    """The curves of all labels, each field one number per label in their order.

    Raises:
        WeightError: the fields differ in length, or hold what is not a finite number.
    """

    slope: tuple[float, ...]
    rivals: tuple[float, ...]
    intercept: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.slope) == len(self.rivals) == len(self.intercept):
            lengths = [len(self.slope), len(self.rivals), len(self.intercept)]
            raise WeightError(f"calibration has {lengths} slopes, rivals, intercepts; expected one per label")
        if not np.isfinite([self.slope, self.rivals, self.intercept]).all():
            raise WeightError("calibration holds numbers that are not finite")

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Calibration:
        """The curves as a weight's `config.json` holds them.

        Raises:
            KeyError, TypeError, ValueError: a field is missing or not a list of numbers.
        """
        return cls(*(tuple(float(value) for value in fields[name]) for name in FEATURES))

    def apply(self, probabilities: Floats) -> Doubles:
        """Calibrated probabilities.

        Args:
            probabilities: (texts, labels) in [0, 1], as the encoder gives them.

        Returns:
            (texts, labels) in (0, 1).
        """
        own = log_odds(probabilities)
        odds = np.array(self.slope) * own + np.array(self.rivals) * rival_log_odds(own)
        return sigmoid(odds + np.array(self.intercept))

    def rounded(self, decimals: int = 4) -> Calibration:
        """The curves as they are written down."""
        return Calibration(
            *(tuple(round(value, decimals) for value in getattr(self, name)) for name in FEATURES)
        )


def fit_calibration(truth: Bools, probabilities: Floats) -> Calibration:
    """The curves under which these rows are most probable, each drawn towards the common one.

    Args:
        truth: (texts, labels).
        probabilities: (texts, labels) in [0, 1], as the encoder gives them.
    """
    own = log_odds(probabilities)
    features = [own, rival_log_odds(own), np.ones_like(own)]
    common = np.array(IDENTITY)
    curves = np.tile(common, (truth.shape[1], 1))
    for _ in range(ROUNDS):
        curves = fit_curves(truth, features, common, PRIOR_SD, start=curves)
        common = np.median(curves, axis=0)
    curves = fit_curves(truth, features, common, PRIOR_SD, start=curves)
    return Calibration(*(tuple(float(value) for value in column) for column in curves.T))


def fit_curves(
    truth: Bools,
    features: list[Doubles],
    common: Doubles,
    prior_sd: tuple[float, ...],
    start: Doubles | None = None,
) -> Doubles:
    """A logistic curve per label by Newton's method, all labels at once.

    Args:
        truth: (texts, labels).
        features: each (texts, labels).
        common: (features,) what the numbers are drawn towards.
        prior_sd: (features,) how strongly: the standard deviation of their prior.
        start: (labels, features) where to begin; where it ends doesn't depend on it.

    Returns:
        (labels, features).
    """
    pull = 1.0 / np.square(prior_sd)
    curves = np.tile(common, (truth.shape[1], 1)) if start is None else start.copy()
    for _ in range(NEWTON_STEPS):
        odds = sum(curves[:, index] * feature for index, feature in enumerate(features))
        chance = sigmoid(np.asarray(odds))
        rest, weight = truth - chance, chance * (1.0 - chance)
        gradient = np.stack([(rest * feature).sum(axis=0) for feature in features], axis=1)
        gradient -= pull * (curves - common)
        curvature = np.empty((truth.shape[1], len(features), len(features)))
        for row, left in enumerate(features):
            weighted = weight * left
            for column in range(row + 1):
                curvature[:, row, column] = (weighted * features[column]).sum(axis=0)
                curvature[:, column, row] = curvature[:, row, column]
        curvature += np.diag(pull)
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        curves += np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        if np.abs(step).max() < CONVERGED:
            break
    return curves


def rival_log_odds(own: Doubles) -> Doubles:
    """The log-odds that any other label holds, were labels independent.

    Args:
        own: (texts, labels) log-odds.

    Returns:
        (texts, labels); 0 where there is no other label.
    """
    if own.shape[1] < 2:
        return np.zeros_like(own)
    # Adding log(1 + odds) gives -log of the chance that none holds.
    surprise = np.logaddexp(0.0, own)
    others = np.maximum(surprise.sum(axis=1, keepdims=True) - surprise, CLIP)
    odds: Doubles = others + np.log(-np.expm1(-others))
    return odds


def log_odds(probabilities: Floats) -> Doubles:
    """log(p / (1 - p)), with probabilities kept off 0 and 1."""
    # Not np.clip, which takes ten times as long on the few numbers of one text.
    clipped: Doubles = np.minimum(np.maximum(np.asarray(probabilities, dtype=np.float64), CLIP), 1.0 - CLIP)
    odds: Doubles = np.log(clipped / (1.0 - clipped))
    return odds


def sigmoid(odds: Floats) -> Doubles:
    """The probability of log-odds; never overflows."""
    bounded = np.minimum(np.maximum(np.asarray(odds, dtype=np.float64), -50.0), 50.0)
    found: Doubles = 1.0 / (1.0 + np.exp(-bounded))
    return found
