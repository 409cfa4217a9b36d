"""Groups are decided on the shares that readings carry."""

from __future__ import annotations

import numpy as np
import pytest

from nlu_models.emotion import groups
from nlu_models.emotion.labels import EKMAN, GOEMOTIONS, SENTIMENT, group_scores, groupings_of
from nlu_models.emotion.metrics import macro_f1


def test_shares_are_those_of_readings() -> None:
    probabilities = np.random.default_rng(0).uniform(size=(20, 28)) ** 4
    for grouping in (EKMAN, SENTIMENT):
        found = groups.group_shares(probabilities, groups.membership(GOEMOTIONS, grouping))
        for row, scores in zip(found, probabilities, strict=True):
            expected = group_scores(dict(zip(GOEMOTIONS, scores, strict=True)), grouping)
            assert row == pytest.approx(list(expected.values()))


def test_shares_of_nothing_are_equal() -> None:
    members = groups.membership(GOEMOTIONS, SENTIMENT)
    assert groups.group_shares(np.zeros((2, 28)), members) == pytest.approx(np.full((2, 4), 0.25))


def test_labels_group_where_none_is_left_over_and_none_is_missing() -> None:
    assert list(groupings_of(GOEMOTIONS)) == ["ekman", "sentiment"]
    assert list(groupings_of(tuple(EKMAN))) == ["ekman", "sentiment"]
    assert groupings_of(("urgent", "calm")) == {}
    assert groupings_of((*GOEMOTIONS, "boredom")) == {}
    assert groupings_of(("joy", "sadness", "surprise", "neutral")).keys() == {"sentiment"}


def test_a_text_is_in_the_groups_of_its_labels() -> None:
    truth = np.zeros((1, 28), dtype=bool)
    truth[0, [GOEMOTIONS.index("joy"), GOEMOTIONS.index("grief")]] = True
    found = groups.group_truth(truth, groups.membership(GOEMOTIONS, SENTIMENT))
    assert dict(zip(SENTIMENT, found[0], strict=True)) == {
        "positive": True, "negative": True, "ambiguous": False, "neutral": False,
    }  # fmt: skip


def test_thresholds_on_shares_beat_one_half() -> None:
    random = np.random.default_rng(7)
    strength = random.normal(size=(4000, 3)) - np.array([0.0, 1.0, 2.0])
    shares = np.exp(strength) / np.exp(strength).sum(axis=1, keepdims=True)
    truth = random.random(shares.shape) < shares**1.5
    found = groups.fit_group_thresholds(truth[:2000], shares[:2000])
    assert macro_f1(truth[2000:], shares[2000:] >= found) > macro_f1(truth[2000:], shares[2000:] >= 0.5)
