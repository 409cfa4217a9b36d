"""The measures agree with naive references, and tuned thresholds are what they claim."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support, roc_auc_score

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


def test_crossfitting_is_no_better_than_tuning_on_the_same_rows(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = rows
    tuned = metrics.macro_f1(truth, probabilities >= metrics.tune_thresholds(truth, probabilities))
    assert metrics.crossfit_macro_f1(truth, probabilities) <= tuned


def test_averages_agree_with_scikit_learn(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = rows
    predicted = probabilities >= 0.45
    found = metrics.averages(truth, predicted, probabilities)
    kept = truth[:, :5], predicted[:, :5]  # the last label has no true row
    for average, scores in found.items():
        assert scores["f1"] == pytest.approx(f1_score(*kept, average=average, zero_division=0))
        assert scores["roc_auc"] == pytest.approx(
            roc_auc_score(kept[0], probabilities[:, :5], average=average)
        )
    assert set(found) == {"macro", "micro", "weighted"}


def test_each_label_is_measured_by_itself(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = rows
    predicted = probabilities >= 0.45
    found = metrics.per_label(truth, predicted, probabilities)
    for label in range(5):
        precision, recall, f1, _ = precision_recall_fscore_support(
            truth[:, label], predicted[:, label], average="binary", zero_division=0
        )
        row = found[label]
        assert (row["precision"], row["recall"], row["f1"]) == pytest.approx((precision, recall, f1))
        assert row["accuracy"] == pytest.approx((truth[:, label] == predicted[:, label]).mean())
    assert found[5]["roc_auc"] is None
    assert found[5]["f1"] == 0.0


def test_nothing_is_averaged_where_no_label_is_there() -> None:
    empty = np.zeros((10, 3), dtype=bool)
    assert metrics.averages(empty, empty, np.full((10, 3), 0.2)) == {}


def test_pearson_of_a_constant_is_zero() -> None:
    assert metrics.pearson(np.ones(5), np.arange(5.0)) == 0.0
    assert metrics.pearson(np.arange(5.0), -2 * np.arange(5.0)) == pytest.approx(-1.0)
