"""Figures of a danger reading: recall, precision, F1 and false alarms, with Wilson intervals.

A set of cases has as many dangerous texts as its authors wrote, so precision over it says little by itself.
`balanced_precision` is what precision would be if danger and harmless texts were equally frequent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from nlu_models.risk.cases import DANGER, Case
from nlu_models.risk.words import KINDS, NONE

Z_95 = 1.959964  # standard deviations either side of a 95 % interval
CALIBRATION_BINS = 10

Interval = tuple[float, float]


def wilson(hits: int, total: int) -> Interval:
    """The 95 % interval of a share (Wilson, JASA 1927); 0 to 1 for nothing."""
    if total == 0:
        return 0.0, 1.0
    share = hits / total
    spread = 1.0 + Z_95**2 / total
    middle = (share + Z_95**2 / (2 * total)) / spread
    half = Z_95 * math.sqrt(share * (1.0 - share) / total + Z_95**2 / (4 * total**2)) / spread
    return round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)


def share(hits: int, total: int) -> dict[str, Any]:
    """A share with its interval and counts; a value of None for nothing."""
    low, high = wilson(hits, total)
    return {
        "value": round(hits / total, 4) if total else None,
        "low": low,
        "high": high,
        "hits": hits,
        "of": total,
    }


def binary(truth: Sequence[bool], said: Sequence[bool]) -> dict[str, Any]:
    """The measures of a yes or no over the same texts.

    Returns:
        `recall`, `precision`, `false_alarms` with intervals; `f1`, `balanced_precision`; None where there
        is nothing to divide by.
    """
    pairs = list(zip(truth, said, strict=True))
    hits = sum(1 for true, yes in pairs if true and yes)
    alarms = sum(1 for true, yes in pairs if not true and yes)
    n_true, n_said = sum(truth), sum(said)
    recall, alarm_rate = _over(hits, n_true), _over(alarms, len(pairs) - n_true)
    f1 = _over(2 * hits, n_true + n_said)
    balanced = _over(recall, recall + alarm_rate) if recall is not None and alarm_rate is not None else None
    return {
        "recall": share(hits, n_true),
        "precision": share(hits, n_said),
        "false_alarms": share(alarms, len(pairs) - n_true),
        "f1": None if f1 is None else round(f1, 4),
        "balanced_precision": None if balanced is None else round(balanced, 4),
    }


def figures(cases: Sequence[Case], readings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The measures of readings over cases: overall, by language, by kind and by wording.

    For a kind, recall is over that kind's texts, whatever kind was read; `kind_right` is how often a text
    that was rightly read as danger also got its kind.
    """
    whole = range(len(cases))
    return {
        "cases": len(cases),
        "overall": _both(cases, readings, whole),
        "kind_right": _kind_right(cases, readings),
        "by_language": _grouped(cases, readings, lambda case: case.language),
        "by_kind": {kind: _of_kind(cases, readings, kind) for kind in KINDS},
        "by_wording": _grouped(cases, readings, lambda case: case.wording or "unsaid"),
    }


def calibration(chances: Sequence[float], truth: Sequence[bool]) -> dict[str, float]:
    """How far probabilities can be believed: Brier score and expected calibration error in ten bins."""
    if not chances:
        return {}
    bins: dict[int, list[tuple[float, bool]]] = {}
    for chance, true in zip(chances, truth, strict=True):
        place = min(int(chance * CALIBRATION_BINS), CALIBRATION_BINS - 1)
        bins.setdefault(place, []).append((chance, true))
    gaps = [abs(sum(chance - true for chance, true in entries)) for entries in bins.values()]
    brier = sum((chance - true) ** 2 for chance, true in zip(chances, truth, strict=True)) / len(chances)
    return {"brier": round(brier, 4), "calibration_error": round(sum(gaps) / len(chances), 4)}


def everyday_figures(readings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many of a corpus of everyday talk are read as danger, and how many are flagged at all."""
    danger = sum(reading["level"] in DANGER for reading in readings)
    flagged = sum(reading["level"] != NONE for reading in readings)
    return {"danger": share(danger, len(readings)), "flagged": share(flagged, len(readings))}


def _both(
    cases: Sequence[Case], readings: Sequence[Mapping[str, Any]], rows: Iterable[int]
) -> dict[str, Any]:
    rows = list(rows)
    return {
        "danger": binary(
            [cases[row].is_danger for row in rows], [readings[row]["level"] in DANGER for row in rows]
        ),
        "flagged": binary(
            [cases[row].is_flagged for row in rows], [readings[row]["level"] != NONE for row in rows]
        ),
    }


def _grouped(
    cases: Sequence[Case], readings: Sequence[Mapping[str, Any]], group: Callable[[Case], str]
) -> dict[str, Any]:
    groups: dict[str, list[int]] = {}
    for row, case in enumerate(cases):
        groups.setdefault(group(case), []).append(row)
    return {name: _both(cases, readings, rows) for name, rows in sorted(groups.items())}


def _of_kind(cases: Sequence[Case], readings: Sequence[Mapping[str, Any]], kind: str) -> dict[str, Any]:
    """Recall over the kind's texts, and how many of what is read as danger of this kind is danger."""
    own = [row for row, case in enumerate(cases) if case.kind == kind]
    danger = [row for row in own if cases[row].is_danger]
    said = [
        row for row, reading in enumerate(readings) if reading["kind"] == kind and reading["level"] in DANGER
    ]
    return {
        "danger_recall": share(sum(readings[row]["level"] in DANGER for row in danger), len(danger)),
        "flagged_recall": share(sum(readings[row]["level"] != NONE for row in own), len(own)),
        "danger_precision": share(sum(cases[row].is_danger for row in said), len(said)),
    }


def _kind_right(cases: Sequence[Case], readings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found = [
        reading["kind"] == case.kind
        for case, reading in zip(cases, readings, strict=True)
        if case.is_danger and reading["level"] in DANGER
    ]
    return share(sum(found), len(found))


def _over(part: float, whole: float) -> float | None:
    return part / whole if whole else None
