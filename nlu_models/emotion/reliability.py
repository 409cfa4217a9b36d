"""Whether probabilities come true: calibration errors, Brier scores and reliability diagrams."""

from __future__ import annotations

from typing import Any

import numpy as np

from nlu_models.emotion.calibration import Bools, Floats

BINS = 15


def calibration_error(
    probabilities: Floats, happened: Bools, bins: int = BINS, equal_mass: bool = False
) -> float:
    """Expected calibration error (Guo et al., ICML 2017), in [0, 1].

    Args:
        probabilities: (rows,) in [0, 1].
        happened: (rows,).
        bins: how many.
        equal_mass: bins of equally many rows instead of equal width ("adaptive" calibration error;
            Nixon et al., CVPR Workshops 2019). Where most probabilities are near 0 it sees them better.
    """
    return sum(
        row["share"] * abs(row["probability"] - row["frequency"])
        for row in reliability_bins(probabilities, happened, bins, equal_mass)
    )


def reliability_bins(
    probabilities: Floats, happened: Bools, bins: int = BINS, equal_mass: bool = False
) -> list[dict[str, float]]:
    """The points of a reliability diagram, from the lowest probability to the highest; empty bins left out.

    Returns:
        Of each bin: `probability` (mean), `frequency` (how often it happened), `share` of the rows, `rows`.
    """
    if equal_mass:
        parts = np.array_split(np.argsort(probabilities, kind="stable"), bins)
    else:
        place = np.minimum((np.asarray(probabilities) * bins).astype(int), bins - 1)
        order = np.argsort(place, kind="stable")
        parts = np.split(order, np.searchsorted(place[order], np.arange(1, bins)))
    return [
        {
            "probability": float(np.mean(probabilities[part], dtype=np.float64)),
            "frequency": float(happened[part].mean()),
            "share": len(part) / len(probabilities),
            "rows": len(part),
        }
        for part in parts
        if len(part)
    ]


def brier(probabilities: Floats, happened: Bools) -> float:
    """The mean squared difference (Brier, 1950), in [0, 1]."""
    return float(np.square(np.asarray(probabilities, dtype=np.float64) - happened).mean())


def label_errors(truth: Bools, probabilities: Floats) -> dict[str, float]:
    """Calibration and Brier, each taken per label and averaged over the labels that any text holds.

    A label that no text holds would make the average look better the more such labels there are.

    Args:
        truth: (texts, labels), at least one of them true.
        probabilities: (texts, labels) in [0, 1].
    """
    present = truth.any(axis=0)
    per_label = label_reliability(truth[:, present], probabilities[:, present])
    return {name: float(np.mean([row[name] for row in per_label])) for name in per_label[0]}


def label_reliability(truth: Bools, probabilities: Floats) -> list[dict[str, Any]]:
    """Of each label: `ece` (equal width), `adaptive_ece` (equal mass) and `brier`."""
    return [
        {
            "ece": calibration_error(probabilities[:, label], truth[:, label]),
            "adaptive_ece": calibration_error(probabilities[:, label], truth[:, label], equal_mass=True),
            "brier": brier(probabilities[:, label], truth[:, label]),
        }
        for label in range(truth.shape[1])
    ]
