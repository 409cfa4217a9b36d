"""The measures agree with naive references, and tuned thresholds are what they claim."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from nlu_models.emotion import metrics


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    truth = random.random((400, 6)) < np.array([0.4, 0.2, 0.1, 0.05, 0.02, 0.0])
    noisy = np.where(truth, 0.6, 0.3) + random.normal(0, 0.15, truth.shape)
    return truth, np.clip(noisy, 0.0, 1.0)


def test_f1_agrees_with_scikit_learn(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = rows
    predicted = probabilities >= 0.45
    assert metrics.macro_f1(truth, predicted) == pytest.approx(
        f1_score(truth, predicted, average="macro", zero_division=0)
    )
    assert metrics.micro_f1(truth, predicted) == pytest.approx(f1_score(truth, predicted, average="micro"))


def test_tuned_thresholds_are_the_best_of_the_grid(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = rows
    tuned = metrics.tune_thresholds(truth, probabilities)
    best = metrics.f1_per_label(truth, probabilities >= tuned)
    for threshold in metrics.THRESHOLD_GRID:
        assert (metrics.f1_per_label(truth, probabilities >= threshold) <= best + 1e-9).all()


def test_a_label_without_a_true_row_keeps_the_default(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = rows
    assert metrics.tune_thresholds(truth, probabilities)[5] == metrics.DEFAULT_THRESHOLD
    assert metrics.tune_thresholds_smoothly(truth, probabilities)[5] == metrics.DEFAULT_THRESHOLD


def test_smooth_thresholds_ignore_a_lucky_tooth() -> None:
    # One true row stands alone far above the rest: cutting just there is best by luck.
    probabilities = np.concatenate([np.linspace(0.1, 0.9, 80), [0.95]])[:, None]
    truth = np.concatenate([np.tile([False, True], 40), [True]])[:, None]
    smooth = metrics.tune_thresholds_smoothly(truth, probabilities)
    assert 0.0 < smooth[0] < 0.9


def test_smooth_thresholds_are_close_to_the_best_on_easy_data(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = rows
    best = metrics.macro_f1(truth, probabilities >= metrics.tune_thresholds(truth, probabilities))
    smooth = metrics.macro_f1(truth, probabilities >= metrics.tune_thresholds_smoothly(truth, probabilities))
    assert best - 0.08 <= smooth <= best + 1e-9


def test_crossfitting_is_no_better_than_tuning_on_the_same_rows(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = rows
    tuned = metrics.macro_f1(truth, probabilities >= metrics.tune_thresholds(truth, probabilities))
    assert metrics.crossfit_macro_f1(truth, probabilities) <= tuned


def test_confidence_curve_recovers_a_known_one() -> None:
    random = np.random.default_rng(5)
    probability = random.uniform(0.05, 0.95, 50_000)
    chance = 1 / (1 + np.exp(-(0.8 * np.log(probability / (1 - probability)) + 0.4)))
    slope, intercept = metrics.fit_confidence(probability, random.random(50_000) < chance)
    assert slope == pytest.approx(0.8, abs=0.05)
    assert intercept == pytest.approx(0.4, abs=0.05)


def test_pearson_of_a_constant_is_zero() -> None:
    assert metrics.pearson(np.ones(5), np.arange(5.0)) == 0.0
    assert metrics.pearson(np.arange(5.0), -2 * np.arange(5.0)) == pytest.approx(-1.0)
