"""Averages of weights against a plain loop."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from nlu_models.emotion.moving_average import WeightAverage  # noqa: E402


def walk(model: torch.nn.Linear, average: WeightAverage, steps: int) -> list[float]:
    """Moves the weight to 1, 2, 3, … and returns where it was."""
    for step in range(1, steps + 1):
        with torch.no_grad():
            model.weight.fill_(float(step))
        average.update(model, step)
    return [float(step) for step in range(1, steps + 1)]


def test_the_plain_mean_starts_where_it_is_told() -> None:
    model = torch.nn.Linear(1, 1)
    average = WeightAverage(model, 0.0, start=4)
    values = walk(model, average, 10)
    with average.in_place(model):
        assert model.weight.item() == pytest.approx(sum(values[4:]) / 6)
    assert model.weight.item() == 10.0


def test_the_exponential_average_follows_its_recurrence() -> None:
    model = torch.nn.Linear(1, 1)
    average = WeightAverage(model, 0.5)
    values = walk(model, average, 30)
    expected = 0.0
    for count, value in enumerate(values, 1):
        share = max(1.0 / count, 1.0 - min(0.5, count / (10 + count)))
        expected += share * (value - expected)
    with average.in_place(model):
        assert model.weight.item() == pytest.approx(expected, rel=1e-5)


def test_frozen_weights_and_models_before_the_start_are_left_alone() -> None:
    model = torch.nn.Linear(1, 1)
    model.bias.requires_grad_(False)
    average = WeightAverage(model, 0.0, start=100)
    walk(model, average, 3)
    with average.in_place(model):
        assert model.weight.item() == 3.0
    assert set(average.state_dict()["weights"]) == {"weight"}


def test_a_state_goes_on_where_it_was_taken() -> None:
    model, other = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    average = WeightAverage(model, 0.9)
    walk(model, average, 5)
    again = WeightAverage(other, 0.9)
    again.load_state_dict(average.state_dict())
    for each in (average, again):
        each.update(model, 6)
    for kept, taken in zip(
        average.state_dict()["weights"].values(), again.state_dict()["weights"].values(), strict=True
    ):
        assert torch.equal(kept, taken)
    with pytest.raises(KeyError):
        again.load_state_dict({"count": 1, "weights": {"strange": torch.zeros(1)}})
