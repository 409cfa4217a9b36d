"""Cross-fitting judges no row by itself."""

from __future__ import annotations

import numpy as np
import pytest

from nlu_models.emotion import metrics
from nlu_models.emotion.calibration import sigmoid
from nlu_models.emotion.crossfit import crossfit_measures, hold_out
from nlu_models.emotion.fitting import fit

GROUPS = {"halves": np.array([[True, True, False, False], [False, False, True, True]])}


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(11)
    odds = random.normal([-0.5, -1.0, -2.0, -3.5], 1.5, size=(400, 4))
    return random.random(odds.shape) < sigmoid(0.8 * odds), sigmoid(odds)


def test_a_rows_labels_do_not_touch_its_own_judgement(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = rows
    before = hold_out(truth, probabilities, GROUPS, folds=5, seed=3)
    inside = np.random.default_rng(3).permutation(len(truth)) % 5 == 2
    changed = truth.copy()
    changed[inside] = ~changed[inside]
    after = hold_out(changed, probabilities, GROUPS, folds=5, seed=3)
    np.testing.assert_array_equal(before.probabilities[inside], after.probabilities[inside])
    np.testing.assert_array_equal(before.predicted[inside], after.predicted[inside])
    np.testing.assert_array_equal(before.groups["halves"][inside], after.groups["halves"][inside])
    np.testing.assert_array_equal(before.confidence[inside], after.confidence[inside])
    assert (before.probabilities[~inside] != after.probabilities[~inside]).any()


def test_it_is_the_mean_over_seeds(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = rows
    found = crossfit_measures(truth, probabilities, GROUPS, folds=4, repeats=3)
    scores = [
        metrics.macro_f1(truth, hold_out(truth, probabilities, GROUPS, 4, seed).predicted)
        for seed in range(3)
    ]
    assert found["macro_f1"] == pytest.approx(np.mean(scores), abs=1e-4)
    assert found["sd"]["macro_f1"] == pytest.approx(np.std(scores), abs=1e-4)
    assert found["macro_f1"] == pytest.approx(np.mean(found["f1_per_label"]), abs=1e-3)
    assert "3 repeats of 4-fold" in found["method"]
    assert 0.0 < found["halves_macro_f1"] <= 1.0


def test_it_does_not_flatter(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = rows
    tuned = metrics.macro_f1(truth, probabilities >= metrics.tune_thresholds(truth, probabilities))
    assert crossfit_measures(truth, probabilities, {}, repeats=2)["macro_f1"] < tuned


def test_labels_without_rows_are_left_out(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = (part.copy() for part in rows)
    truth[:, 3] = False
    found = crossfit_measures(truth, probabilities, {}, repeats=1)
    assert found["macro_f1"] == pytest.approx(np.mean(found["f1_per_label"][:3]), abs=1e-3)


def test_groups_without_rows_are_left_out(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = (part.copy() for part in rows)
    truth[:, 2:] = False
    found = crossfit_measures(truth, probabilities, GROUPS, repeats=1)
    held = hold_out(truth, probabilities, GROUPS, seed=0)
    first = metrics.f1_per_label(truth[:, :2].any(axis=1, keepdims=True), held.groups["halves"][:, :1])
    assert found["halves_macro_f1"] == pytest.approx(first[0], abs=1e-4)
    assert found["halves_macro_f1"] > 0.5


def test_what_is_fitted_abstains_no_more_than_allowed(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = rows
    fitted = fit(truth, probabilities, GROUPS, target_error=0.01, max_abstained=0.2)
    assert fitted.judge(probabilities, GROUPS).abstained.mean() <= 0.2
