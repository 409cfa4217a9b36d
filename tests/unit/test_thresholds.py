"""Thresholds are what they claim, and hold on rows they were not tuned on."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from nlu_models.emotion import metrics, thresholds
from nlu_models.emotion.calibration import sigmoid


def draw(random: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities and labels that follow them; the labels get ever rarer."""
    probabilities = sigmoid(random.normal([0.0, -2.0, -3.5, -5.0, -5.5], 1.6, size=(rows, 5)))
    return random.random(probabilities.shape) < probabilities, probabilities


def test_the_plug_in_maximises_expected_f1() -> None:
    probabilities = np.random.default_rng(0).uniform(size=(60, 1)) ** 3
    expected = {
        cut: 2
        * probabilities[probabilities >= cut].sum()
        / ((probabilities >= cut).sum() + probabilities.sum())
        for cut in probabilities[:, 0]
    }
    (found,) = thresholds.plug_in(probabilities)
    best = max(expected.values())
    assert found == pytest.approx(best / 2)
    said = probabilities >= found
    assert 2 * probabilities[said].sum() / (said.sum() + probabilities.sum()) == pytest.approx(best)


def test_curves_agree_with_a_naive_reference() -> None:
    truth, probabilities = draw(np.random.default_rng(1), 300)
    curves = thresholds.f1_curves(truth, probabilities)
    for place in range(70, len(thresholds.GRID), 70):
        said = probabilities >= sigmoid(thresholds.GRID[place])
        for label in range(5):
            expected = f1_score(truth[:, label], said[:, label], zero_division=0)
            assert curves[label, place] == pytest.approx(expected)


def test_a_label_without_a_true_row_keeps_the_default() -> None:
    truth, probabilities = draw(np.random.default_rng(2), 300)
    truth[:, 2] = False
    found = thresholds.fit_thresholds(truth, probabilities)
    assert found[2] == metrics.DEFAULT_THRESHOLD
    assert ((found > 0.0) & (found < 1.0)).all()


def test_they_hold_better_on_new_rows_than_the_best_ones() -> None:
    random = np.random.default_rng(3)
    new_truth, new_probabilities = draw(random, 40_000)
    best, fitted = [], []
    for _ in range(12):
        truth, probabilities = draw(random, 1500)
        for found, tune in ((best, metrics.tune_thresholds), (fitted, thresholds.fit_thresholds)):
            said = new_probabilities >= tune(truth, probabilities)
            found.append(metrics.f1_per_label(new_truth, said)[2:].mean())
    assert np.mean(fitted) > np.mean(best) + 0.005


def test_a_common_label_goes_by_its_own_curve() -> None:
    # Probabilities that are far off: expectation under them would say a threshold of about 0.45.
    random = np.random.default_rng(5)
    truth = random.random((20_000, 1)) < 0.5
    probabilities = np.where(truth, 0.98, 0.9) + random.normal(0, 0.005, truth.shape)
    (found,) = thresholds.fit_thresholds(truth, np.clip(probabilities, 0.01, 0.99))
    assert 0.9 < found < 0.98
