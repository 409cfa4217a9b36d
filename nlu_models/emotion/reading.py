"""Turns an encoder's numbers into the emotion reading of `docs/contracts.md`. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion.groups import group_shares, memberships
from nlu_models.emotion.labels import GOEMOTIONS, GROUPINGS, VAD, group_scores, groupings_of
from nlu_models.emotion.weights import WeightConfig

DECIMALS = 4
NO_MODEL = "none"  # what a reading names when no weight was there to read it


def decide(scores: NDArray[np.floating[Any]], thresholds: Sequence[float]) -> tuple[int, list[int]]:
    """The label to report and all labels that hold.

    Args:
        scores: (labels,) calibrated probabilities.
        thresholds: per label.

    Returns:
        The index of the label: the most probable of those that hold, else the most probable of all;
        and the indices of those that hold, most probable first.
    """
    return _decide(scores, np.flatnonzero(scores >= np.asarray(thresholds)))


def _decide(scores: NDArray[np.floating[Any]], holding: NDArray[np.int64]) -> tuple[int, list[int]]:
    held = sorted(holding.tolist(), key=lambda index: -scores[index])
    return (held[0] if held else int(np.argmax(scores))), held


def confidence_of(probability: float, slope: float, intercept: float) -> float:
    """The chance, in [0, 1], that a label reported with this calibrated probability is right."""
    clipped = min(max(probability, 1e-6), 1.0 - 1e-6)
    odds = slope * math.log(clipped / (1.0 - clipped)) + intercept
    return 1.0 / (1.0 + math.exp(-min(max(odds, -50.0), 50.0)))


def make_reading(
    scores: NDArray[np.floating[Any]], axes: NDArray[np.floating[Any]], config: WeightConfig
) -> dict[str, Any]:
    """The reading of one text that was read.

    Args:
        scores: (labels,) probabilities, as the encoder gives them.
        axes: (3,) valence, arousal, dominance in [-1, 1].
        config: of the weight that read it.
    """
    return make_readings(scores[None, :], axes[None, :], config)[0]


def make_readings(
    scores: NDArray[np.floating[Any]], axes: NDArray[np.floating[Any]], config: WeightConfig
) -> list[dict[str, Any]]:
    """The readings of texts that were read; together, since what numpy does once takes as long as for one.

    Args:
        scores: (texts, labels) probabilities, as the encoder gives them.
        axes: (texts, 3) valence, arousal, dominance in [-1, 1].
        config: of the weight that read them.
    """
    plain = np.asarray(scores, dtype=np.float64)
    calibrated = plain if config.calibration is None else config.calibration.apply(plain)
    if "vad" not in config.trained_heads:
        axes = np.zeros_like(axes)
    held = calibrated >= np.array(config.thresholds)
    shares = {
        name: (list(GROUPINGS[name]), group_shares(calibrated, members).round(DECIMALS).tolist())
        for name, members in _members_of(config.labels).items()
    }
    rounded = calibrated.round(DECIMALS).tolist()
    places = np.asarray(axes, dtype=np.float64).round(DECIMALS).tolist()
    readings = []
    for row, numbers in enumerate(rounded):
        top, holding = _decide(calibrated[row], np.flatnonzero(held[row]))
        confidence = confidence_of(float(calibrated[row, top]), **config.confidence)
        groups = {name: dict(zip(names, of[row], strict=True)) for name, (names, of) in shares.items()}
        readings.append(
            {
                "label": config.labels[top],
                "labels": [config.labels[index] for index in holding],
                "scores": dict(zip(config.labels, numbers, strict=True)),
                "ekman": groups.get("ekman", {}),
                "sentiment": groups.get("sentiment", {}),
                **dict(zip(VAD, places[row], strict=True)),
                "confidence": round(confidence, DECIMALS),
                "abstained": confidence < config.abstain_below,
                "degraded": False,
                "modalities": ["text"],
                "model": config.model,
            }
        )
    return readings


def unread(model: str, degraded: bool) -> dict[str, Any]:
    """The reading of a text that no model read: neutral, abstained, confidence 0.

    Args:
        model: the weight that declined, or `NO_MODEL`.
        degraded: whether that is because the weight could not be loaded or run.
    """
    scores = dict.fromkeys(GOEMOTIONS, 0.0)
    groups = groupings_of(GOEMOTIONS)
    return {
        "label": "neutral",
        "labels": [],
        "scores": scores,
        "ekman": _rounded(group_scores(scores, groups["ekman"])),
        "sentiment": _rounded(group_scores(scores, groups["sentiment"])),
        **dict.fromkeys(VAD, 0.0),
        "confidence": 0.0,
        "abstained": True,
        "degraded": degraded,
        "modalities": ["text"],
        "model": model,
    }


@lru_cache(maxsize=8)
def _members_of(labels: tuple[str, ...]) -> Mapping[str, NDArray[np.bool_]]:
    """Which label is of which group; the same for every reading of a weight."""
    return memberships(labels)


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {key: round(value, DECIMALS) for key, value in values.items()}
