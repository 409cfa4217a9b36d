"""Fits everything that turns an encoder's numbers into decisions, all on the same labelled rows.

Calibration first, thresholds and groups on the calibrated probabilities, then the confidence in the label
that those report, and last the confidence under which the reader abstains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion.calibration import Bools, Calibration, Doubles, Floats, fit_calibration
from nlu_models.emotion.confidence import (
    MAX_ABSTAINED,
    TARGET_ERROR,
    abstention_point,
    confidences,
    fit_confidence,
    floor_to,
    top_labels,
)
from nlu_models.emotion.groups import fit_group_thresholds, group_shares, group_truth
from nlu_models.emotion.thresholds import fit_thresholds

DECIMALS = 4


@dataclass(frozen=True)
class Judged:
    """What is decided about texts.

    Attributes:
        probabilities: (texts, labels), calibrated.
        predicted: (texts, labels), over threshold.
        groups: of each grouping, (texts, groups): over threshold.
        top: (texts,) index of the reported label.
        confidence: (texts,).
        abstained: (texts,).
    """

    probabilities: Doubles
    predicted: Bools
    groups: dict[str, Bools]
    top: NDArray[np.int64]
    confidence: Doubles
    abstained: Bools


@dataclass(frozen=True)
class Fitted:
    """The numbers that decisions rest on.

    Attributes:
        calibration: the curve of each label.
        thresholds: (labels,) on the calibrated probability.
        group_thresholds: of each grouping, (groups,) on the share.
        confidence: slope and intercept over the reported label's calibrated log-odds.
        abstain_below: the confidence under which the reader does not commit itself.
    """

    calibration: Calibration
    thresholds: Doubles
    group_thresholds: dict[str, Doubles]
    confidence: tuple[float, float]
    abstain_below: float

    def judge(self, probabilities: Floats, groupings: Mapping[str, Bools]) -> Judged:
        """Decides about texts.

        Args:
            probabilities: (texts, labels) in [0, 1], as the encoder gives them.
            groupings: of each grouping, (groups, labels) membership.
        """
        calibrated = self.calibration.apply(probabilities)
        top = top_labels(calibrated, self.thresholds)
        confidence = confidences(calibrated[np.arange(len(top)), top], *self.confidence)
        return Judged(
            calibrated,
            calibrated >= self.thresholds,
            {
                name: group_shares(calibrated, members) >= self.group_thresholds[name]
                for name, members in groupings.items()
                if name in self.group_thresholds
            },
            top,
            confidence,
            confidence < self.abstain_below,
        )


def fit(
    truth: Bools,
    probabilities: Floats,
    groupings: Mapping[str, Bools],
    target_error: float = TARGET_ERROR,
    max_abstained: float = MAX_ABSTAINED,
) -> Fitted:
    """Fits all of it on these rows, rounded as it is written down.

    Args:
        truth: (texts, labels).
        probabilities: (texts, labels) in [0, 1], as the encoder gives them.
        groupings: of each grouping, (groups, labels) membership.
        target_error: how often the label may be wrong where the reader commits itself.
        max_abstained: at most this share of texts is abstained on, even if the error stays higher.
    """
    calibration = fit_calibration(truth, probabilities).rounded(DECIMALS)
    calibrated = calibration.apply(probabilities)
    thresholds = fit_thresholds(truth, calibrated).round(DECIMALS)
    group_thresholds = {
        name: fit_group_thresholds(group_truth(truth, members), group_shares(calibrated, members)).round(
            DECIMALS
        )
        for name, members in groupings.items()
    }
    top = top_labels(calibrated, thresholds)
    rows = np.arange(len(top))
    correct = truth[rows, top]
    slope, intercept = (round(value, DECIMALS) for value in fit_confidence(calibrated[rows, top], correct))
    confidence = confidences(calibrated[rows, top], slope, intercept)
    point = abstention_point(confidence, correct, target_error, max_abstained)
    return Fitted(calibration, thresholds, group_thresholds, (slope, intercept), floor_to(point, DECIMALS))
