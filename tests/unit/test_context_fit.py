"""Fitting the context model: it finds what is there, and counts as serving counts."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from bot.cli._emotion_context import Corpus
from bot.core.context import ContextModel, labels_within, shares_of, valence_of
from bot.core.reading import EmotionReading
from bot.core.rolling import Said, roll
from nlu_models.emotion.context import fit as fitting
from nlu_models.emotion.context.conversations import Conversation, Felt, Turn
from nlu_models.emotion.context.measures import (
    GROUPS,
    Predicted,
    Truth,
    best_smoothing,
    compare,
    measure,
    smoothed,
)
from nlu_models.emotion.context.rows import rows_of
from nlu_models.emotion.labels import EKMAN, GOEMOTIONS
from nlu_models.errors import DataError, InputError

from .context_models import config

FEELINGS = {"anger": ("anger", -0.75), "sadness": ("sadness", -0.5), "joy": ("joy", 0.75)}


def reading(label: str, valence: float) -> EmotionReading:
    scores = {**dict.fromkeys(GOEMOTIONS, 0.02), label: 0.7}
    group = next(name for name, labels in EKMAN.items() if label in labels)
    shares = {name: 0.76 if name == group else 0.04 for name in EKMAN}
    return EmotionReading(
        label=label, labels=(label,), scores=scores, ekman=shares, valence=valence, confidence=0.7
    )


def corpus(count: int = 24) -> Corpus:
    """Conversations in which a feeling is said once and "ok" goes on with it."""
    source = random.Random(1)
    conversations, said = [], []
    for number in range(count):
        label, valence = FEELINGS[source.choice(sorted(FEELINGS))]
        felt = Felt(label, frozenset([label]), label, valence)
        spoken = [("I want to tell you something", reading(label, valence / 2))]
        spoken += [("ok", reading("neutral", 0.0))] * 2
        turns = tuple(Turn("person", text, 20.0, felt) for text, _ in spoken)
        conversations.append(Conversation(f"t-{number}", "t", f"topic {number % 6}", "train", turns))
        said.append([Said(text, 20.0, one) for text, one in spoken])
    return Corpus(conversations, said)


def penalties() -> fitting.Penalties:
    return fitting.Penalties()


def test_a_fit_learns_that_ok_goes_on_with_what_was_felt() -> None:
    train = corpus()
    fitted = fitting.fit(train.rows, train.topics, config(), penalties())
    truth = train.truth()
    predicted = np.array([GOEMOTIONS.index(one["label"]) for one in train.in_context(fitted.config)])
    assert truth.accepted[np.arange(len(predicted)), predicted].mean() == 1.0
    valence = np.array([one["valence"] for one in train.in_context(fitted.config)])
    assert np.abs(valence - truth.valence).mean() < 0.15


def test_without_a_past_the_same_turns_can_not_be_told_apart() -> None:
    alone = Corpus(corpus().conversations, corpus().said, apart=True)
    fitted = fitting.fit(alone.rows, alone.topics, config(), penalties())
    read = [one["ekman"] for one in alone.in_context(fitted.config)]
    assert read[1] == read[2] == read[4]  # every "ok" is the same


def test_a_fit_gives_the_same_numbers_every_time() -> None:
    train = corpus(12)
    first, second = (fitting.fit(train.rows, train.topics, config(), penalties()) for _ in range(2))
    assert first.config == second.config


def test_what_is_fitted_is_what_is_served() -> None:
    """The arrays and the pure Python of serving give the same shares, labels and valences."""
    train = corpus(6)
    numbers = fitting.fit(train.rows, train.topics, config(), penalties()).config
    model = ContextModel.from_dict(numbers)
    moments = [[one.moment for one in turns] for turns in train.rolled(model)]
    rows = rows_of(
        moments, [[turn.felt for turn in one.person_turns if turn.felt] for one in train.conversations]
    )
    shares = fitting.shares(rows, numbers)
    flat = [moment for turns in moments for moment in turns]
    for row, moment in enumerate(flat):
        served = shares_of(model, moment)
        assert shares[row] == pytest.approx([served[group] for group in GROUPS])
        inputs = {**moment.valence, **served}
        linear = sum(weight * inputs[name] for name, weight in numbers["valence"].items())
        linear += sum(numbers["valence_hints"][label] * hint for label, hint in moment.hints.items())
        assert valence_of(model, moment, served) == pytest.approx(min(max(linear, -1.0), 1.0))
        assert sum(labels_within(model, moment, "joy").values()) == pytest.approx(1.0)


def test_strong_penalties_keep_the_numbers_at_their_priors() -> None:
    train = corpus(12)
    strong = fitting.Penalties(1e6, 1e6, 1e6, 1e6, 1e6)
    fitted = fitting.fit(train.rows, train.topics, config(), strong).config
    assert fitted["own"] == pytest.approx(config()["own"], abs=1e-3)
    assert fitted["before"] == pytest.approx(config()["before"], abs=1e-3)
    assert fitted["valence"] == pytest.approx(config()["valence"], abs=1e-3)


def test_no_conversation_is_judged_by_a_model_fitted_to_its_topic() -> None:
    train = corpus(12)
    seen: list[tuple[int, ...]] = []

    def watched(numbers: dict[str, Any], indices: Any) -> Any:
        seen.append(tuple(indices))
        return train.rows(numbers, indices)

    fitted = fitting.fit(watched, train.topics, config(), penalties())
    topics = [{train.topics[index] for index in fold} for fold, _ in fitted.folds]
    assert sorted(index for fold, _ in fitted.folds for index in fold) == list(range(12))
    assert all(not one & other for one in topics for other in topics if one is not other)
    assert set(seen) == {fold for fold, _ in fitted.folds}


def test_one_topic_is_too_few() -> None:
    with pytest.raises(DataError, match="two topics"):
        fitting.folds_of(["parcel", "parcel"])


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), 1e9])
def test_a_penalty_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="signs"):
        fitting.Penalties(signs=value)


def test_confidence_follows_how_often_the_label_is_right() -> None:
    source = np.random.default_rng(0)
    chance = source.uniform(0.05, 0.95, 2000)
    curve = fitting.fit_confidence(
        [(float(one), bool(hit)) for one, hit in zip(chance, source.random(2000) < chance, strict=True)]
    )
    assert curve["confidence"]["slope"] == pytest.approx(1.0, abs=0.15)
    assert curve["confidence"]["intercept"] == pytest.approx(0.0, abs=0.15)
    assert 0.0 < curve["abstain_below"] < 0.6
    sure = fitting.fit_confidence([(0.9, True)] * 50)
    assert sure["abstain_below"] == 0.0


def test_the_loss_of_the_shares_has_the_gradient_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.optimize import check_grad

    worst: list[float] = []

    def checked(loss: Any, start: Any) -> Any:
        point = start + np.random.default_rng(0).normal(0, 0.1, len(start))
        worst.append(check_grad(lambda x: loss(x)[0], lambda x: loss(x)[1], point, epsilon=1e-6))
        return start

    monkeypatch.setattr(fitting, "_minimize", checked)
    train = corpus(4)
    fitting.fit_rows(train.rows(config(), range(4)), config(), penalties())
    assert len(worst) == 2
    assert max(worst) < 0.05  # over hundreds of numbers, of a loss in the tens


def truth(group: list[str], valence: list[float], conversation: list[int]) -> Truth:
    accepted = np.array([[label == one for label in GOEMOTIONS] for one in group])
    index = np.array([GROUPS.index(one) for one in group])
    ambiguous = np.array([turn % 2 == 1 for turn in range(len(group))])
    return Truth(np.array(conversation), accepted, index, np.array(valence), ambiguous)


def said_of(labels: list[str], valence: list[float]) -> Predicted:
    shares = np.array([[float(one == group) for group in GROUPS] for one in labels])
    return Predicted(np.array([GOEMOTIONS.index(one) for one in labels]), shares, np.array(valence))


def test_measures_by_hand() -> None:
    right = truth(["anger", "anger", "joy", "sadness"], [-0.5, -0.5, 0.5, -0.5], [0, 0, 1, 1])
    found = measure(said_of(["anger", "joy", "joy", "sadness"], [-0.5, 0.0, 0.5, -0.25]), right)
    assert found["accuracy"] == found["ekman_accuracy"] == 0.75
    assert found["ekman_macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 1.0) / 3)
    assert found["valence_mae"] == pytest.approx(0.75 / 4)


def test_smoothing_by_hand() -> None:
    readings = [
        {"label": "joy", "scores": {"joy": 1.0}, "ekman": {"joy": 1.0}, "valence": 1.0},
        {"label": "anger", "scores": {"anger": 1.0}, "ekman": {"anger": 1.0}, "valence": -1.0},
        {"label": "anger", "scores": {"anger": 1.0}, "ekman": {"anger": 1.0}, "valence": -1.0},
    ]
    found = smoothed(readings, np.array([0, 0, 1]), 0.25)
    assert found.valence.tolist() == [1.0, 0.5, -1.0]  # the last opens another conversation
    assert found.shares[1, GROUPS.index("joy")] == 0.75
    assert GOEMOTIONS[found.label[1]] == "joy"
    assert best_smoothing(readings, truth(["joy", "anger", "anger"], [1, -1, -1], [0, 0, 1])) == 1.0


def test_a_better_method_is_ahead_and_its_interval_holds_the_value() -> None:
    group = ["anger", "joy"] * 20
    right = truth(group, [-0.5, 0.5] * 20, [turn // 4 for turn in range(40)])
    worse = said_of(["anger"] * 40, [0.0] * 40)
    report = compare(
        {"alone": worse, "context": said_of(group, [-0.5, 0.5] * 20)}, right, ["alone"], "context"
    )
    assert report["all"]["methods"]["alone"]["accuracy"]["value"] == 0.5
    assert report["all"]["ahead"]["alone"]["accuracy"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert report["all"]["ahead"]["alone"]["valence_mae"]["value"] == pytest.approx(0.5)
    assert report["ambiguous"]["turns"] == 20
    for values in report["all"]["methods"].values():
        for one in values.values():
            assert one["low"] <= one["value"] <= one["high"]


def test_rolling_one_conversation_alone_is_rolling_it_among_others() -> None:
    train = corpus(6)
    model = ContextModel.from_dict(config())
    assert train.rolled(model)[3] == roll(model, train.said[3])
