"""Chooses from which probabilities the model may change what the patterns read.

Recall comes first: of all settings that keep false alarms rare on everyday talk and precision up on the
development cases, the one is taken that finds most danger. Nothing here looks at the test cases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nlu_models.risk.cases import DANGER, Case
from nlu_models.risk.join import join
from nlu_models.risk.measures import binary
from nlu_models.risk.model import Scores, Thresholds
from nlu_models.risk.words import CONCERN, NONE

NEVER = 1.01  # no probability reaches it
# Of held-out harmless texts that the model may read as danger. Half of those from Reddit hold a word of
# danger, so this stays under the goal of 1/200 on talk as it comes; GoEmotions' dev, unused here, shows it.
MOST_ALARMS = 1 / 150
MOST_FLAGGED = 1 / 40  # of everyday talk that it may flag
LEAST_PRECISION = 0.87  # on the development cases, at equal shares; the goal is 0.85
LEAST_CRISIS_PRECISION = 0.8  # of crises among all that the model alone calls one
KIND_BELIEVED = 0.6  # probability from which a kind of the model counts more than a concern's
MOST_CONCERNS_LOST = 0.01  # of the flagged development cases, by lowering concerns

Reading = Mapping[str, Any]
GRID = tuple(np.round(np.concatenate([np.arange(0.05, 0.95, 0.01), np.arange(0.95, 0.9991, 0.0025)]), 4))


def choose(
    cases: Sequence[Case],
    read: Sequence[Reading],
    scores: Sequence[Scores],
    everyday: Sequence[tuple[Reading, Scores]],
) -> Thresholds:
    """The thresholds of one language.

    Args:
        cases: the development cases of that language, without those whose danger lies in earlier turns.
        read: the patterns' readings of the cases.
        scores: the model's of the cases.
        everyday: both, of harmless texts kept out of the fit.
    """
    high = _high(cases, read, scores, everyday)
    concern = _lowest(lambda value: _share_flagged(everyday, value) <= MOST_FLAGGED)
    concern = max(concern, _best_f1(cases, read, scores, high))
    return Thresholds(
        lower_below=_lower(cases, read, scores, concern),
        concern=concern,
        high=high,
        crisis=_crisis(cases, scores, high),
        kind=KIND_BELIEVED,
    )


def _high(
    cases: Sequence[Case],
    read: Sequence[Reading],
    scores: Sequence[Scores],
    everyday: Sequence[tuple[Reading, Scores]],
) -> float:
    """The lowest threshold that keeps alarms rare and precision up; the most recall lies there."""
    truth = [case.is_danger for case in cases]

    def precision(value: float) -> float:
        said = [
            reading["level"] in DANGER or found.danger >= value
            for reading, found in zip(read, scores, strict=True)
        ]
        found = binary(truth, said)["balanced_precision"]
        return 1.0 if found is None else float(found)

    # Where the patterns alone are less precise than that, the model may not make it worse.
    least = min(LEAST_PRECISION, precision(NEVER))

    def is_good(value: float) -> bool:
        added = sum(reading["level"] not in DANGER and found.danger >= value for reading, found in everyday)
        return added <= MOST_ALARMS * len(everyday) and precision(value) >= least

    return _lowest(is_good)


def _best_f1(cases: Sequence[Case], read: Sequence[Reading], scores: Sequence[Scores], high: float) -> float:
    """The threshold of concern with the best F1 of flagging."""
    truth = [case.is_flagged for case in cases]

    def f1(value: float) -> float:
        limits = Thresholds(0.0, value, high, NEVER, KIND_BELIEVED)
        said = [
            join(reading, found, limits)["level"] != NONE for reading, found in zip(read, scores, strict=True)
        ]
        return float(binary(truth, said)["f1"] or 0.0)

    return float(max(GRID, key=lambda value: (f1(value), value)))


def _lower(cases: Sequence[Case], read: Sequence[Reading], scores: Sequence[Scores], concern: float) -> float:
    """The highest threshold of lowering that loses hardly any case that is worth flagging."""
    most = MOST_CONCERNS_LOST * sum(case.is_flagged for case in cases)
    chosen = 0.0
    for value in GRID:
        lost = sum(
            case.is_flagged and reading["level"] == CONCERN and found.flagged < value
            for case, reading, found in zip(cases, read, scores, strict=True)
        )
        if lost > most or value > concern:
            break
        chosen = float(value)
    return chosen


def _crisis(cases: Sequence[Case], scores: Sequence[Scores], high: float) -> float:
    """The lowest threshold from which what the model calls a crisis mostly is one."""

    def is_good(value: float) -> bool:
        called = [
            case.level == "crisis"
            for case, found in zip(cases, scores, strict=True)
            if found.danger >= high and found.crisis >= value
        ]
        return bool(called) and sum(called) >= LEAST_CRISIS_PRECISION * len(called)

    return _lowest(is_good)


def _share_flagged(everyday: Sequence[tuple[Reading, Scores]], value: float) -> float:
    added = sum(reading["level"] == NONE and found.flagged >= value for reading, found in everyday)
    return added / len(everyday) if everyday else 0.0


def _lowest(is_good: Callable[[float], bool]) -> float:
    """The lowest good value of the grid; NEVER where none is."""
    return next((float(value) for value in GRID if is_good(float(value))), NEVER)
