"""How well readings in context fit labelled conversations, with intervals over conversations.

Turns of one conversation are alike, so resampling turns would make every interval too narrow; whole
conversations are drawn instead (Efron & Tibshirani, An Introduction to the Bootstrap, 1993).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion.context.conversations import Felt
from nlu_models.emotion.labels import EKMAN, GOEMOTIONS
from nlu_models.emotion.metrics import pearson

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

GROUPS = tuple(EKMAN)
DRAWS = 1000
SEED = 11
INTERVAL = (2.5, 97.5)  # percentiles
HIGHER_IS_BETTER = {
    "accuracy": True,
    "ekman_accuracy": True,
    "ekman_macro_f1": True,
    "valence_mae": False,
    "valence_r": True,
}
SMOOTHING_GRID = np.round(np.arange(0.1, 1.01, 0.1), 2)


@dataclass(frozen=True)
class Truth:
    """What careful readers said of turns.

    Attributes:
        conversation: (turns,) which conversation each belongs to.
        accepted: (turns, 28) labels a reader could defend.
        group: (turns,) index of the Ekman group.
        valence: (turns,) in [-1, 1].
        ambiguous: (turns,) whether the turn says little by itself.
    """

    conversation: Ints
    accepted: Bools
    group: Ints
    valence: Floats
    ambiguous: Bools


@dataclass(frozen=True)
class Predicted:
    """What a method said of the same turns.

    Attributes:
        label: (turns,) index in `GOEMOTIONS`.
        shares: (turns, 7) of the Ekman groups.
        valence: (turns,) in [-1, 1].
    """

    label: Ints
    shares: Floats
    valence: Floats


def truth_of(felt: Sequence[Sequence[Felt]], ambiguous: Sequence[Sequence[bool]]) -> Truth:
    """The truth of conversations, turn by turn.

    Args:
        felt: per conversation, per turn of the person.
        ambiguous: the same, whether it says little by itself.
    """
    flat = [one for conversation in felt for one in conversation]
    return Truth(
        conversation=np.repeat(np.arange(len(felt)), [len(one) for one in felt]),
        accepted=np.array([[label in one.accept for label in GOEMOTIONS] for one in flat]),
        group=np.array([GROUPS.index(one.ekman) for one in flat]),
        valence=np.array([one.valence for one in flat]),
        ambiguous=np.array([one for conversation in ambiguous for one in conversation]),
    )


def predicted_of(readings: Sequence[Mapping[str, Any]]) -> Predicted:
    """What readings say, alone or in context; each has "label", "ekman" and "valence"."""
    return Predicted(
        label=np.array([GOEMOTIONS.index(reading["label"]) for reading in readings]),
        shares=np.array([[reading["ekman"].get(group, 0.0) for group in GROUPS] for reading in readings]),
        valence=np.array([reading["valence"] for reading in readings]),
    )


def smoothed(readings: Sequence[Mapping[str, Any]], conversation: Ints, weight: float) -> Predicted:
    """Exponential smoothing over the turns of each conversation: the usual way to make readings steadier.

    Args:
        readings: of the turns alone, with "scores", "ekman" and "valence".
        conversation: (turns,) which conversation each belongs to.
        weight: of the newest turn, (0, 1].
    """
    scores = np.array([[reading["scores"].get(label, 0.0) for label in GOEMOTIONS] for reading in readings])
    alone = predicted_of(readings)
    shares, valence = alone.shares.copy(), alone.valence.copy()
    for turn in range(1, len(readings)):
        if conversation[turn] == conversation[turn - 1]:
            for values in (scores, shares, valence):
                values[turn] = weight * values[turn] + (1.0 - weight) * values[turn - 1]
    return Predicted(scores.argmax(axis=1), shares, valence)


def best_smoothing(readings: Sequence[Mapping[str, Any]], truth: Truth) -> float:
    """The weight of the newest turn under which smoothing does best on these conversations."""

    def score(weight: float) -> float:
        found = measure(smoothed(readings, truth.conversation, weight), truth)
        return found["accuracy"] + found["ekman_accuracy"] - found["valence_mae"]

    return float(max(SMOOTHING_GRID, key=lambda weight: (score(float(weight)), weight)))


def measure(predicted: Predicted, truth: Truth, chosen: Ints | Bools | None = None) -> dict[str, float]:
    """The measures of a method.

    Args:
        predicted: what it said.
        truth: what was so.
        chosen: indices of the turns, or a mask (turns,); all by default.

    Returns:
        "accuracy": share of turns whose label a reader could defend; "ekman_accuracy": share whose group
        is the best label's; "ekman_macro_f1": over the groups that occur; "valence_mae" and "valence_r".
    """
    rows = np.arange(len(truth.group))[chosen] if chosen is not None else np.arange(len(truth.group))
    said, group = predicted.shares[rows].argmax(axis=1), truth.group[rows]
    valence, felt = predicted.valence[rows], truth.valence[rows]
    f1 = []
    for index in np.unique(group):
        hits = int(((said == index) & (group == index)).sum())
        f1.append(2.0 * hits / int((said == index).sum() + (group == index).sum()))
    return {
        "accuracy": float(truth.accepted[rows, predicted.label[rows]].mean()),
        "ekman_accuracy": float((said == group).mean()),
        "ekman_macro_f1": float(np.mean(f1)),
        "valence_mae": float(np.abs(valence - felt).mean()),
        "valence_r": pearson(valence, felt) if len(rows) > 1 else 0.0,
    }


def compare(
    methods: Mapping[str, Predicted], truth: Truth, baselines: Sequence[str], judged: str
) -> dict[str, Any]:
    """Every method's measures with 95 % intervals, and how far one of them is ahead of the baselines.

    Args:
        methods: name to what it said.
        truth: what was so.
        baselines: the methods that `judged` has to beat.
        judged: the method in question.

    Returns:
        For "all" turns and the "ambiguous" ones: "turns", "conversations", "methods" (name to measure to
        "value", "low", "high") and "ahead" (baseline to measure to the same, positive when better).
    """
    report = {}
    for subset, mask in (("all", np.ones_like(truth.ambiguous)), ("ambiguous", truth.ambiguous)):
        if not mask.any():
            continue
        draws = _draws(truth.conversation, mask)
        values = {name: _with_draws(predicted, truth, mask, draws) for name, predicted in methods.items()}
        report[subset] = {
            "turns": int(mask.sum()),
            "conversations": len(np.unique(truth.conversation[mask])),
            "methods": {
                name: {key: _interval(one[key]) for key in HIGHER_IS_BETTER} for name, one in values.items()
            },
            "ahead": {
                baseline: {
                    key: _interval((values[judged][key] - values[baseline][key]) * (1.0 if up else -1.0))
                    for key, up in HIGHER_IS_BETTER.items()
                }
                for baseline in baselines
            },
        }
    return report


def _with_draws(predicted: Predicted, truth: Truth, mask: Bools, draws: list[Ints]) -> dict[str, Floats]:
    """Per measure, its value followed by its values on the draws."""
    found = [measure(predicted, truth, mask), *(measure(predicted, truth, rows) for rows in draws)]
    return {key: np.array([one[key] for one in found]) for key in HIGHER_IS_BETTER}


def _draws(conversation: Ints, mask: Bools) -> list[Ints]:
    """Turns of conversations drawn with replacement, again and again."""
    random = np.random.default_rng(SEED)
    of_each = [np.flatnonzero((conversation == one) & mask) for one in np.unique(conversation[mask])]
    return [
        np.concatenate([of_each[index] for index in random.integers(len(of_each), size=len(of_each))])
        for _ in range(DRAWS)
    ]


def _interval(values: Floats) -> dict[str, float]:
    low, high = np.percentile(values[1:], INTERVAL)
    return {"value": round(float(values[0]), 4), "low": round(float(low), 4), "high": round(float(high), 4)}
