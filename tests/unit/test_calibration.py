"""Calibrated probabilities come true, rare labels borrow from common ones, errors are measured rightly."""

from __future__ import annotations

import numpy as np
import pytest

from nlu_models.emotion import reliability
from nlu_models.emotion.calibration import (
    Calibration,
    fit_calibration,
    fit_curves,
    log_odds,
    rival_log_odds,
    sigmoid,
)
from nlu_models.errors import WeightError

SLOPE, INTERCEPT = 0.7, -0.5


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    """40,000 texts whose probabilities are too bold by a known curve; the last label is rare."""
    random = np.random.default_rng(2)
    odds = random.normal([-1.0, -2.0, -1.5, -7.0], 1.5, size=(40_000, 4))
    return random.random(odds.shape) < sigmoid(SLOPE * odds + INTERCEPT), sigmoid(odds)


def test_the_curve_that_made_the_labels_is_found(rows: tuple[np.ndarray, np.ndarray]) -> None:
    found = fit_calibration(*rows)
    assert found.slope[:3] == pytest.approx([SLOPE] * 3, abs=0.05)
    assert found.rivals == pytest.approx([0.0] * 4, abs=0.06)
    assert found.intercept[:3] == pytest.approx([INTERCEPT] * 3, abs=0.1)


def test_calibrated_probabilities_come_true(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = rows
    half = len(truth) // 2
    calibrated = fit_calibration(truth[:half], probabilities[:half]).apply(probabilities[half:])
    before = reliability.label_errors(truth[half:], probabilities[half:])
    after = reliability.label_errors(truth[half:], calibrated)
    assert after["ece"] < 0.01 < before["ece"]
    assert after["adaptive_ece"] < 0.01 < before["adaptive_ece"]
    assert after["brier"] < before["brier"]


def test_labels_without_rows_do_not_make_the_average_look_better(
    rows: tuple[np.ndarray, np.ndarray],
) -> None:
    truth, probabilities = rows[0][:500], rows[1][:500]
    absent = np.zeros((500, 3), dtype=bool)
    wider = np.concatenate([truth, absent], axis=1), np.concatenate([probabilities, absent * 0.0], axis=1)
    assert reliability.label_errors(*wider) == reliability.label_errors(truth, probabilities)


def test_competition_between_labels_is_seen() -> None:
    random = np.random.default_rng(4)
    odds = random.normal(0.0, 2.0, size=(20_000, 2))
    first = random.random(20_000) < sigmoid(odds[:, 0] - 0.5 * odds[:, 1])
    truth = np.stack([first, random.random(20_000) < sigmoid(odds[:, 1])], axis=1)
    assert fit_calibration(truth, sigmoid(odds)).rivals[0] < -0.3


def test_rare_labels_borrow_from_common_ones() -> None:
    random = np.random.default_rng(6)
    odds = random.normal([-1.0] * 4 + [-6.0] * 8, 1.5, size=(1500, 12))
    truth = random.random(odds.shape) < sigmoid(SLOPE * odds + INTERCEPT)
    rare = slice(4, 12)
    alone = fit_curves(truth, [odds, np.ones_like(odds)], np.array([1.0, 0.0]), (100.0, 100.0))
    together = fit_calibration(truth, sigmoid(odds))
    off_alone = np.abs(alone[rare, 0] - SLOPE).mean()
    assert np.abs(np.array(together.slope[rare]) - SLOPE).mean() < 0.8 * off_alone


def test_a_label_without_true_rows_becomes_no_more_probable(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = (part[:2000].copy() for part in rows)
    truth[:, 3] = False
    calibrated = fit_calibration(truth, probabilities).apply(probabilities)
    assert calibrated[:, 3].mean() < probabilities[:, 3].mean()


def test_rival_odds_agree_with_a_naive_reference() -> None:
    probabilities = np.random.default_rng(1).uniform(0.01, 0.99, size=(50, 5))
    found = rival_log_odds(log_odds(probabilities))
    for text in range(50):
        for label in range(5):
            none = np.prod([1 - p for other, p in enumerate(probabilities[text]) if other != label])
            assert found[text, label] == pytest.approx(np.log((1 - none) / none), rel=1e-6)


def test_a_single_label_has_no_rivals() -> None:
    probabilities = np.array([[0.2], [0.9]])
    assert (rival_log_odds(log_odds(probabilities)) == 0.0).all()
    assert Calibration((1.0,), (5.0,), (0.0,)).apply(probabilities) == pytest.approx(probabilities)


def test_certain_probabilities_stay_finite() -> None:
    curves = Calibration((1.3, 0.4), (-0.2, 0.1), (0.5, -0.5))
    found = curves.apply(np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]))
    assert np.isfinite(found).all()
    assert ((found > 0.0) & (found < 1.0)).all()


def test_malformed_curves_are_refused() -> None:
    with pytest.raises(WeightError, match="one per label"):
        Calibration((1.0, 1.0), (0.0,), (0.0,))
    with pytest.raises(WeightError, match="finite"):
        Calibration((float("nan"),), (0.0,), (0.0,))


@pytest.mark.parametrize("equal_mass", [False, True])
def test_calibration_error_agrees_with_a_naive_reference(equal_mass: bool) -> None:
    random = np.random.default_rng(9)
    probabilities = np.sort(random.beta(0.5, 3.0, size=997))
    happened = random.random(997) < probabilities**1.3
    if equal_mass:
        parts = np.array_split(np.arange(997), 10)
    else:
        parts = [np.flatnonzero((probabilities * 10).astype(int) == index) for index in range(10)]
    expected = sum(
        len(part) / 997 * abs(probabilities[part].mean() - happened[part].mean())
        for part in parts
        if len(part)
    )
    found = reliability.calibration_error(probabilities, happened, 10, equal_mass)
    assert found == pytest.approx(expected)


def test_reliability_bins_hold_every_row_once() -> None:
    probabilities = np.array([0.0, 0.1, 0.5, 0.99, 1.0])
    bins = reliability.reliability_bins(probabilities, probabilities > 0.4, 4)
    assert sum(row["rows"] for row in bins) == 5
    assert sum(row["share"] for row in bins) == pytest.approx(1.0)
    assert bins[-1] == {"probability": pytest.approx(0.995), "frequency": 1.0, "share": 0.4, "rows": 2}
