"""What the diagrams of a report are drawn from; numbers only, no text of anybody's."""

from __future__ import annotations

from typing import Any

import numpy as np

from nlu_models.emotion.calibration import Bools, Floats, sigmoid
from nlu_models.emotion.confidence import risk_coverage
from nlu_models.emotion.confusion import confusion
from nlu_models.emotion.fitting import Judged
from nlu_models.emotion.groups import group_shares, group_truth, memberships
from nlu_models.emotion.labels import GROUPINGS
from nlu_models.emotion.reliability import reliability_bins
from nlu_models.emotion.thresholds import GRID, f1_curves
from nlu_models.emotion.weights import WeightConfig

RISK_POINTS = 100
RAREST = 6
CURVE_STEP = 5  # every fifth threshold of the grid
SURE_BINS = 10
DECIMALS = 4


def figures_of(truth: Bools, probabilities: Floats, config: WeightConfig, judged: Judged) -> dict[str, Any]:
    """The data of all diagrams that labels and confidence yield.

    Args:
        truth: (texts, labels).
        probabilities: (texts, labels) in [0, 1], as the encoder gives them.
        config: of the weight.
        judged: what it decides about the texts.
    """
    correct = truth[np.arange(len(truth)), judged.top]
    coverage, error = risk_coverage(judged.confidence, correct)
    points = np.unique(np.linspace(0, len(error) - 1, RISK_POINTS).astype(int))
    found: dict[str, Any] = {
        "label_reliability": reliability_bins(judged.probabilities.ravel(), truth.ravel()),
        "confidence_reliability": reliability_bins(judged.confidence, correct, SURE_BINS, equal_mass=True),
        "risk_coverage": {"coverage": coverage[points].tolist(), "error": error[points].tolist()},
        "thresholds": _threshold_curves(truth, judged, config),
        "confusion": {
            "labels": {"names": list(config.labels), "rows": confusion(truth, judged.top).tolist()}
        },
    }
    if config.calibration is not None:
        before = np.asarray(probabilities, dtype=np.float64).ravel()
        found["uncalibrated_reliability"] = reliability_bins(before, truth.ravel())
    for name, members in memberships(config.labels).items():
        largest = group_shares(judged.probabilities, members).argmax(axis=1)
        found["confusion"][name] = {
            "names": list(GROUPINGS[name]),
            "rows": confusion(group_truth(truth, members), largest).tolist(),
        }
    rounded: dict[str, Any] = _rounded(found)
    return rounded


def _threshold_curves(truth: Bools, judged: Judged, config: WeightConfig) -> list[dict[str, Any]]:
    """F1 against the threshold, for the labels with the fewest true rows."""
    count = truth.sum(axis=0)
    rarest = [int(label) for label in np.argsort(count, kind="stable") if count[label]][:RAREST]
    curves = f1_curves(truth[:, rarest], judged.probabilities[:, rarest])
    grid = sigmoid(GRID[::CURVE_STEP])
    return [
        {
            "label": config.labels[label],
            "rows": int(count[label]),
            "threshold": float(config.thresholds[label]),
            "grid": grid.tolist(),
            "f1": curves[place, ::CURVE_STEP].tolist(),
        }
        for place, label in enumerate(rarest)
    ]


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, DECIMALS) if isinstance(value, float) else value
