"""Fits the layers of the danger model: logistic regressions, calibrated on rows held out of the fit.

Deterministic: the folds are drawn by a hash of the text, the solver starts at zero, and nothing is shuffled.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.errors import DataError
from nlu_models.risk.features import PLACES, Floats, gram_matrix
from nlu_models.risk.materials import UNKNOWN, Row
from nlu_models.risk.model import OUTPUTS, Linear

FOLDS = 5
REGULARISATION_C = {"en": 1.0, "zh": 2.0}  # chosen on the development cases
FEWEST_ROWS = 20  # of either answer, for an output to be fitted
LARGEST_INT8 = 127
SOLVER_STEPS = 400

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Fitted:
    """A layer, and how well it does on rows it wasn't fitted on.

    Attributes:
        layer: fitted on all rows.
        held_out: per output, log loss and accuracy over the folds at equal shares of both answers.
    """

    layer: Linear
    held_out: dict[str, dict[str, float]]


def fit_layer(rows: Sequence[Row], plains: Sequence[str], columns: Floats | None, language: str) -> Fitted:
    """The layer of one language.

    Args:
        rows: of that language.
        plains: their texts in plain words.
        columns: (rows, width) from the encoder; None where it doesn't read the language.
        language: how texts are cut.

    Raises:
        DataError: an output has too few rows of either answer.
    """
    from scipy.sparse import csr_matrix, hstack

    grams = gram_matrix(plains, language)
    features = grams if columns is None else hstack([grams, csr_matrix(columns)]).tocsr()
    targets = np.array([row.targets for row in rows])
    weights = np.array([row.weight for row in rows])
    folds = np.array([zlib.crc32(row.text.encode("utf-8", "replace")) // 7 % FOLDS for row in rows])
    coefficients, bias, curves, held_out = [], [], [], {}
    for place, name in enumerate(OUTPUTS):
        known = targets[:, place] != UNKNOWN
        answers = targets[known, place]
        if min(np.sum(answers == 0), np.sum(answers == 1)) < FEWEST_ROWS:
            raise DataError(f"{language}: fewer than {FEWEST_ROWS} rows of either answer for {name!r}")
        fitting = _Fitting(features[known], answers, weights[known], folds[known], language)
        weight, intercept = fitting.whole()
        curve, held_out[name] = fitting.calibrated()
        coefficients.append(weight)
        bias.append(intercept)
        curves.append(curve)
    table = np.array(coefficients).T
    int8, scale = quantized(table[:PLACES])
    layer = Linear(
        grams=int8,
        scale=scale,
        columns=table[PLACES:].astype(np.float32),
        bias=np.array(bias, dtype=np.float32),
        slope=np.array([slope for slope, _ in curves], dtype=np.float32),
        intercept=np.array([intercept for _, intercept in curves], dtype=np.float32),
    )
    return Fitted(layer, held_out)


def quantized(table: Doubles) -> tuple[NDArray[np.int8], Floats]:
    """A table as int8 and the scale of each of its columns; off by half a step at most."""
    scale = np.maximum(np.abs(table).max(axis=0), 1e-9) / LARGEST_INT8
    return np.rint(table / scale).astype(np.int8), scale.astype(np.float32)


def platt(logits: Doubles, answers: NDArray[Any], weights: Doubles) -> tuple[float, float]:
    """Slope and intercept of the logistic curve from logits to answers, both answers weighing the same.

    Platt (1999), with his targets for few examples.
    """
    from scipy.optimize import minimize

    weights = balanced(answers, weights)
    n_yes, n_no = float(np.sum(answers == 1)), float(np.sum(answers == 0))
    wanted = np.where(answers == 1, (n_yes + 1.0) / (n_yes + 2.0), 1.0 / (n_no + 2.0))
    middle, spread = float(np.mean(logits)), float(np.std(logits)) or 1.0
    design = np.stack([(logits - middle) / spread, np.ones_like(logits)], axis=1)

    def loss(curve: Doubles) -> tuple[float, Doubles]:
        odds = design @ curve
        chance = 1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0)))
        value = float(weights @ (np.logaddexp(0.0, odds) - wanted * odds))
        return value, design.T @ (weights * (chance - wanted))

    slope, intercept = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B").x
    return float(slope / spread), float(intercept - slope * middle / spread)


def balanced(answers: NDArray[Any], weights: Doubles) -> Doubles:
    """Weights scaled so that both answers weigh a half."""
    shares = np.where(answers == 1, weights[answers == 1].sum(), weights[answers == 0].sum())
    return weights / (2.0 * shares)


@dataclass(frozen=True)
class _Fitting:
    """One output's rows: features (rows, n) sparse, answers 0 or 1, weights, and the fold of each."""

    features: Any
    answers: NDArray[Any]
    weights: Doubles
    folds: NDArray[Any]
    language: str

    def whole(self) -> tuple[Doubles, float]:
        """The coefficients and the intercept, fitted on all rows."""
        return self._fit(np.ones(len(self.answers), dtype=bool))

    def calibrated(self) -> tuple[tuple[float, float], dict[str, float]]:
        """The calibrating curve, and the measures of what it makes of rows held out of the fit."""
        logits = np.zeros(len(self.answers))
        for fold in range(FOLDS):
            held = self.folds == fold
            if len(set(self.answers[~held])) < 2 or not held.any():
                continue
            weight, intercept = self._fit(~held)
            logits[held] = self.features[held] @ weight + intercept
        slope, intercept = platt(logits, self.answers, self.weights)
        chance = 1.0 / (1.0 + np.exp(-np.clip(slope * logits + intercept, -30.0, 30.0)))
        weights = balanced(self.answers, self.weights)
        right = (chance >= 0.5) == (self.answers == 1)
        loss = -np.log(np.where(self.answers == 1, chance, 1.0 - chance))
        measures = {"log_loss": float(weights @ loss), "accuracy": float(weights @ right)}
        return (slope, intercept), {name: round(value, 4) for name, value in measures.items()}

    def _fit(self, chosen: NDArray[np.bool_]) -> tuple[Doubles, float]:
        from sklearn.linear_model import LogisticRegression

        machine = LogisticRegression(
            C=REGULARISATION_C.get(self.language, 1.0), solver="lbfgs", max_iter=SOLVER_STEPS, tol=1e-4
        )
        machine.fit(self.features[chosen], self.answers[chosen], sample_weight=self.weights[chosen])
        return machine.coef_[0], float(machine.intercept_[0])
