"""The label sets are GoEmotions', and group shares behave as shares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu_models.emotion.labels import EKMAN, GOEMOTIONS, SENTIMENT, group_scores


def test_there_are_28_different_labels_with_neutral_last() -> None:
    assert len(set(GOEMOTIONS)) == 28
    assert GOEMOTIONS[-1] == "neutral"


@pytest.mark.parametrize("groups", [EKMAN, SENTIMENT])
def test_groupings_hold_every_label_once(groups: dict[str, tuple[str, ...]]) -> None:
    members = [label for labels in groups.values() for label in labels]
    assert sorted(members) == sorted(GOEMOTIONS)


@given(st.dictionaries(st.sampled_from(GOEMOTIONS), st.floats(0, 1)))
def test_shares_sum_to_one(scores: dict[str, float]) -> None:
    shares = group_scores(scores, EKMAN)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert all(0.0 <= share <= 1.0 for share in shares.values())


def test_a_group_is_as_probable_as_any_of_its_labels() -> None:
    shares = group_scores({"anger": 0.5, "annoyance": 0.5}, {"anger": EKMAN["anger"], "fear": EKMAN["fear"]})
    assert shares == {"anger": 1.0, "fear": 0.0}
    both = group_scores({"anger": 0.5, "annoyance": 0.5, "fear": 0.75}, EKMAN)
    assert both["anger"] == pytest.approx(both["fear"])  # 1 - 0.5 * 0.5 = 0.75


def test_nothing_known_gives_equal_shares() -> None:
    assert set(group_scores({}, SENTIMENT).values()) == {0.25}
