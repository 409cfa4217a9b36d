"""Learning-rate schedules."""

from __future__ import annotations

import math

import pytest

from nlu_models.emotion.schedules import rate_factor
from nlu_models.errors import InputError


def test_all_rise_over_the_warm_up() -> None:
    for schedule in ("linear", "cosine", "constant"):
        factor = rate_factor(schedule, 100, 0.1)
        assert [factor(step) for step in range(10)] == pytest.approx([(step + 1) / 10 for step in range(10)])


def test_they_fall_as_named() -> None:
    linear, cosine, constant = (rate_factor(name, 110, 1 / 11) for name in ("linear", "cosine", "constant"))
    assert [linear(10), linear(60), linear(110)] == pytest.approx([1.0, 0.5, 0.0])
    assert cosine(35) == pytest.approx(0.5 + 0.5 * math.cos(math.pi / 4))
    assert [cosine(60), cosine(110)] == pytest.approx([0.5, 0.0])
    assert [constant(60), constant(109)] == [1.0, 1.0]


def test_a_run_of_one_step_still_learns() -> None:
    assert rate_factor("linear", 1, 0.5)(0) == 1.0


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(InputError, match="'stairs'"):
        rate_factor("stairs", 10, 0.1)
