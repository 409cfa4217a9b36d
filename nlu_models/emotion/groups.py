"""Decides which groups of labels (Ekman's six, sentiments) a text holds.

A group's share is the chance that any of its labels holds, over the sum of that of all groups, which is
what a reading carries. A group holds from its own threshold on that share. Measured on GoEmotions' dev
split with everything fitted in the folds, that beats asking whether any label of the group is over its
threshold, the unscaled chance, the largest and the summed probability, and a logistic layer over all labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nlu_models.emotion.calibration import Bools, Doubles, Floats, fit_curves, log_odds, sigmoid
from nlu_models.emotion.labels import groupings_of
from nlu_models.emotion.thresholds import BOUNDS, fit_thresholds

PRIOR_SD = (1.0, 3.0)  # of a group's slope and intercept: groups have rows enough
LOWEST_SLOPE = 0.05


def memberships(labels: Sequence[str]) -> dict[str, Bools]:
    """Of each grouping that these labels allow, which label is of which group: (groups, labels)."""
    return {name: membership(labels, groups) for name, groups in groupings_of(labels).items()}


def membership(labels: Sequence[str], groups: Mapping[str, tuple[str, ...]]) -> Bools:
    """(groups, labels): whether the label is of the group."""
    return np.array([[label in members for label in labels] for members in groups.values()], dtype=bool)


def group_truth(truth: Bools, members: Bools) -> Bools:
    """(texts, groups): a text is in the groups of its labels."""
    return np.stack([truth[:, group].any(axis=1) for group in members], axis=1)


def group_shares(probabilities: Floats, members: Bools) -> Doubles:
    """The share of each group, (texts, groups); each text's sum to 1.

    Args:
        probabilities: (texts, labels) in [0, 1], calibrated.
        members: as from `membership`.
    """
    absent = 1.0 - np.asarray(probabilities, dtype=np.float64)[:, None, :]
    held = 1.0 - np.where(members, absent, 1.0).prod(axis=2)
    total = held.sum(axis=1, keepdims=True)
    equal = np.full_like(held, 1.0 / len(members))
    return np.where(total > 0.0, held / np.where(total > 0.0, total, 1.0), equal)


def fit_group_thresholds(truth: Bools, shares: Floats) -> Doubles:
    """The share from which each group holds; (groups,) in (0, 1).

    The shares are calibrated for this (they are no probabilities), and the thresholds carried back.

    Args:
        truth: (texts, groups).
        shares: (texts, groups).
    """
    odds = log_odds(shares)
    curves = fit_curves(truth, [odds, np.ones_like(odds)], np.array([1.0, 0.0]), PRIOR_SD)
    slope = np.maximum(curves[:, 0], LOWEST_SLOPE)
    calibrated = sigmoid(slope * odds + curves[:, 1])
    thresholds = fit_thresholds(truth, calibrated)
    return np.clip(sigmoid((log_odds(thresholds) - curves[:, 1]) / slope), *BOUNDS)
