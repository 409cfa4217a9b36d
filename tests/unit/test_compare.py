"""Comparisons: differences and their intervals are what drawing texts anew by hand gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from nlu_models.emotion import compare, metrics
from nlu_models.emotion.calibration import sigmoid
from nlu_models.emotion.confidence import aurc
from nlu_models.emotion.crossfit import hold_out
from nlu_models.errors import DataError, InputError
from tests.unit.tiny_weights import make_weights

GROUPS = {"halves": np.array([[True, True, False, False], [False, False, True, True]])}


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and the probabilities of a good reader and of one that sees half as well."""
    random = np.random.default_rng(8)
    odds = random.normal([-0.5, -1.0, -1.5, -2.5], 2.0, size=(600, 4))
    truth = random.random(odds.shape) < sigmoid(odds)
    return truth, sigmoid(odds), sigmoid(odds + random.normal(0, 2.5, odds.shape))


def test_scores_under_weights_are_those_of_the_repeated_texts(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    truth, probabilities, _ = rows
    tallies = compare.label_tallies(truth, probabilities, GROUPS, repeats=1)
    held = hold_out(truth, probabilities, GROUPS, seed=0)
    (weights,) = compare.draw_weights(len(truth), 3, seed=1)
    for draw in weights:
        repeated = np.repeat(np.arange(len(truth)), draw.astype(int))

        def score(name: str, weight: np.ndarray = draw) -> float:
            return float(compare._score(tallies[name], weight[None, :])[0])

        said, true = held.predicted[repeated], truth[repeated]
        assert score("macro_f1") == pytest.approx(f1_score(true, said, average="macro"))
        assert score("micro_f1") == pytest.approx(metrics.micro_f1(true, said))
        assert score("top_label_accuracy") == pytest.approx(held.correct[repeated].mean())
        expected = np.square(held.probabilities[repeated] - true).mean()
        assert score("brier") == pytest.approx(expected)
        assert score("aurc") == pytest.approx(
            aurc(held.confidence[repeated], held.correct[repeated]), abs=2e-3
        )


def test_labels_and_groups_without_rows_are_left_out(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    truth, probabilities = rows[0].copy(), rows[1]
    truth[:, 2:] = False
    tallies = compare.label_tallies(truth, probabilities, GROUPS, repeats=1)
    held = hold_out(truth, probabilities, GROUPS, seed=0)
    whole = np.ones((1, len(truth)))
    group = f1_score(truth[:, :2].any(axis=1), held.groups["halves"][:, 0])
    assert compare._score(tallies["halves_macro_f1"], whole)[0] == pytest.approx(group)
    errors = np.square(held.probabilities - truth)[:, :2].mean()
    assert compare._score(tallies["brier"], whole)[0] == pytest.approx(errors)


def test_a_reader_that_sees_worse_is_found_out(rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    truth, good, bad = rows
    tallies = [compare.label_tallies(truth, one, GROUPS, repeats=1) for one in (good, bad)]
    found = compare.compare_tallies(tallies, draws=300, seed=0)
    (change,) = found["macro_f1"]["differences"]
    assert change["low"] <= change["change"] <= change["high"] < 0.0
    assert change["p"] < 0.02
    assert change["change"] == pytest.approx(np.diff(found["macro_f1"]["values"])[0], abs=1e-3)
    assert len(found["f1_per_label"]["differences"][0]["p"]) == 4


def test_a_reader_does_not_differ_from_itself(rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    truth, good, _ = rows
    tallies = [compare.label_tallies(truth, good, GROUPS, repeats=1)] * 2
    (change,) = compare.compare_tallies(tallies, draws=50, seed=0)["macro_f1"]["differences"]
    assert change == {"change": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}


def test_intervals_hold_the_true_difference_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(12)
    held = 0
    for seed in range(60):
        values = random.normal([0.0, 0.1], 1.0, size=(200, 2))
        tallies = [{"mean": [compare._mean_tally(values[:, [one]])]} for one in (0, 1)]
        (change,) = compare.compare_tallies(tallies, draws=400, seed=seed)["mean"]["differences"]
        held += change["low"] <= 0.1 <= change["high"]
    assert 50 <= held <= 60


def test_axes_are_compared_by_pearsons_r() -> None:
    random = np.random.default_rng(2)
    a, b = random.normal(size=(2, 300))
    tally = compare._pearson_tally(a, a + b)
    assert compare._score([tally], np.ones((1, 300)))[0] == pytest.approx(np.corrcoef(a, a + b)[0, 1])


def test_readers_of_other_labels_are_refused(tmp_path: Path) -> None:
    first = make_weights(tmp_path / "first")
    other = make_weights(tmp_path / "other", labels=("urgent", "calm"))
    with pytest.raises(InputError, match="same labels"):
        compare.compare([first, other], table=tmp_path / "none.csv")
    with pytest.raises(InputError, match="at least two"):
        compare.compare([first], table=tmp_path / "none.csv")
    with pytest.raises(InputError, match="twice"):
        compare.compare([first, first], table=tmp_path / "none.csv")
    with pytest.raises(DataError, match="28"):
        compare.compare(
            [other, make_weights(tmp_path / "more", labels=("urgent", "calm"))], goemotions=tmp_path
        )
