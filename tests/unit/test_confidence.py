"""Confidence ranks errors, and abstention keeps what it promises."""

from __future__ import annotations

import numpy as np
import pytest

from nlu_models.emotion import confidence
from nlu_models.emotion.calibration import sigmoid
from nlu_models.emotion.reading import decide


def test_the_reported_label_is_the_one_readings_report() -> None:
    random = np.random.default_rng(0)
    probabilities = random.uniform(size=(200, 6)).round(1)  # with ties
    thresholds = random.uniform(0.3, 0.99, size=6)
    found = confidence.top_labels(probabilities, thresholds)
    assert found.tolist() == [decide(row, list(thresholds))[0] for row in probabilities]


def test_the_curve_that_made_the_errors_is_found() -> None:
    random = np.random.default_rng(5)
    probability = random.uniform(0.05, 0.95, 50_000)
    chance = sigmoid(0.8 * np.log(probability / (1 - probability)) + 0.4)
    slope, intercept = confidence.fit_confidence(probability, random.random(50_000) < chance)
    assert (slope, intercept) == pytest.approx((0.8, 0.4), abs=0.05)


def test_the_area_agrees_with_a_naive_reference() -> None:
    random = np.random.default_rng(1)
    sure, correct = random.permutation(50) / 50, random.random(50) < 0.6
    order = sorted(range(50), key=lambda row: -sure[row])
    errors = [np.mean([not correct[row] for row in order[: count + 1]]) for count in range(50)]
    assert confidence.aurc(sure, correct) == pytest.approx(np.mean(errors))


def test_a_perfect_ranking_has_no_excess_and_a_constant_one_the_overall_error() -> None:
    correct = np.array([True] * 30 + [False] * 10)
    assert confidence.excess_aurc(np.linspace(1, 0, 40), correct) == pytest.approx(0.0)
    for order in (np.arange(40), np.arange(40)[::-1]):
        assert confidence.aurc(np.full(40, 0.5), correct[order]) == pytest.approx(0.25)


def naive_abstention_point(
    sure: np.ndarray, correct: np.ndarray, target_error: float, max_share: float
) -> float:
    ordered = np.sort(sure)
    allowed = min(int(max_share * len(ordered)), len(ordered) - 1)
    for dropped in range(allowed + 1):
        point = float(ordered[dropped])
        if 1.0 - correct[sure >= point].mean() <= target_error:
            return point if dropped else 0.0
    return float(ordered[allowed])


@pytest.mark.parametrize("decimals", [1, 2, 9])  # few decimals make ties
def test_the_abstention_point_agrees_with_a_naive_reference(decimals: int) -> None:
    random = np.random.default_rng(decimals)
    found = set()
    for _ in range(200):
        rows = int(random.integers(1, 60))
        sure = random.random(rows).round(decimals)
        correct = random.random(rows) < 0.2 + 0.6 * sure
        target, share = random.uniform(0.1, 0.6), random.uniform(0.0, 0.99)
        point = confidence.abstention_point(sure, correct, target, share)
        assert point == naive_abstention_point(sure, correct, target, share)
        found.add(point)
    assert len(found) > 5


def test_abstention_reaches_the_target_error_or_keeps_to_the_share() -> None:
    sure = np.arange(100) / 100
    correct = sure >= 0.05
    assert confidence.abstention_point(sure, correct, target_error=0.02) == pytest.approx(0.04)
    assert confidence.abstention_point(sure, correct, target_error=0.06) == 0.0
    never = np.zeros(100, dtype=bool)
    assert confidence.abstention_point(sure, never, max_share=0.1) == pytest.approx(0.1)
    assert confidence.abstention_point(np.array([0.4]), np.array([False]), max_share=0.99) == 0.4
