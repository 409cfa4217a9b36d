"""Turns an encoder's numbers into the emotion reading of `docs/contracts.md`. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion.labels import EKMAN, GOEMOTIONS, SENTIMENT, VAD, group_scores
from nlu_models.emotion.weights import WeightConfig

DECIMALS = 4
NO_MODEL = "none"  # what a reading names when no weight was there to read it


def decide(scores: NDArray[np.floating[Any]], thresholds: Sequence[float]) -> tuple[int, list[int]]:
    """The label to report and all labels that hold.

    Args:
        scores: (labels,) probabilities.
        thresholds: per label.

    Returns:
        The index of the label: the most probable of those that hold, else the most probable of all;
        and the indices of those that hold, most probable first.
    """
    held = [int(index) for index in np.argsort(-scores, kind="stable") if scores[index] >= thresholds[index]]
    return (held[0] if held else int(np.argmax(scores))), held


def confidence_of(probability: float, slope: float, intercept: float) -> float:
    """The chance, in [0, 1], that a label reported with this probability is right."""
    clipped = min(max(probability, 1e-6), 1.0 - 1e-6)
    odds = slope * float(np.log(clipped / (1.0 - clipped))) + intercept
    return 1.0 / (1.0 + float(np.exp(-np.clip(odds, -50.0, 50.0))))


def make_reading(
    scores: NDArray[np.floating[Any]], axes: NDArray[np.floating[Any]], config: WeightConfig
) -> dict[str, Any]:
    """The reading of one text that was read.

    Args:
        scores: (labels,) probabilities.
        axes: (3,) valence, arousal, dominance in [-1, 1].
        config: of the weight that read it.
    """
    top, held = decide(scores, config.thresholds)
    confidence = confidence_of(float(scores[top]), **config.confidence)
    return _assemble(
        label=config.labels[top],
        labels=[config.labels[index] for index in held],
        scores={label: float(score) for label, score in zip(config.labels, scores, strict=True)},
        axes=[float(value) for value in axes],
        confidence=confidence,
        abstained=confidence < config.abstain_below,
        degraded=False,
        model=config.model,
    )


def unread(model: str, degraded: bool) -> dict[str, Any]:
    """The reading of a text that no model read: neutral, abstained, confidence 0.

    Args:
        model: the weight that declined, or `NO_MODEL`.
        degraded: whether that is because the weight could not be loaded or run.
    """
    return _assemble(
        label="neutral",
        labels=[],
        scores=dict.fromkeys(GOEMOTIONS, 0.0),
        axes=[0.0] * len(VAD),
        confidence=0.0,
        abstained=True,
        degraded=degraded,
        model=model,
    )


def _assemble(
    label: str,
    labels: list[str],
    scores: dict[str, float],
    axes: list[float],
    confidence: float,
    abstained: bool,
    degraded: bool,
    model: str,
) -> dict[str, Any]:
    return {
        "label": label,
        "labels": labels,
        "scores": _rounded(scores),
        "ekman": _rounded(group_scores(scores, EKMAN)),
        "sentiment": _rounded(group_scores(scores, SENTIMENT)),
        **_rounded(dict(zip(VAD, axes, strict=True))),
        "confidence": round(confidence, DECIMALS),
        "abstained": abstained,
        "degraded": degraded,
        "modalities": ["text"],
        "model": model,
    }


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {key: round(value, DECIMALS) for key, value in values.items()}
