"""Refuses a model that corrections made worse, by paired bootstrap over texts both models read.

On corrections it has not seen the new model may not say fewer right labels, and must find the right ones
likelier than the old one did. On the original dev set no measure may have fallen by more than its margin: the
lower end of the 95 % interval of the difference must stay above it (a test of non-inferiority; the paired
bootstrap is Berg-Kirkpatrick et al., EMNLP 2012, https://aclanthology.org/D12-1091/). A difference that only
might be too large refuses the model as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion.crossfit import HeldOut, hold_out
from nlu_models.emotion.fitting import fit
from nlu_models.emotion.groups import group_truth, memberships
from nlu_models.errors import InputError

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

DRAWS = 1000
CHUNK = 100  # draws at once, to keep memory small
TAIL = 0.05  # one-sided
BINS = 15  # of the calibration error
FOLDS = 5  # each text is judged by calibration and thresholds that the other folds were fitted to
FEWEST_HELD_OUT = 4
ROUNDING = 1e-9  # of means
LEAST_CHANCE = 1e-7
MARGINS: Mapping[str, float] = {
    "macro_f1": 0.010,
    "ekman_macro_f1": 0.010,
    "calibration_error": 0.010,
}


@dataclass(frozen=True)
class Read:
    """Texts with their true labels, as one model reads them.

    Attributes:
        truth: (texts, labels).
        probabilities: (texts, labels).
    """

    truth: Bools
    probabilities: Floats


@dataclass(frozen=True)
class Check:
    """One measure before and after.

    Attributes:
        name: of the measure.
        before: of the model that was started from.
        after: of the one that was trained.
        change: after - before, for the better when positive.
        low: the lower end of the change's one-sided 95 % interval.
        margin: how far it may fall; below 0 where it must rise.
        passed: whether it is good enough.
    """

    name: str
    before: float
    after: float
    change: float
    low: float
    margin: float
    passed: bool

    def sentence(self) -> str:
        """The check in words."""
        verdict = "good" if self.passed else "REFUSED"
        rule = f"may fall by {self.margin:g}" if self.margin > 0 else "may not fall"
        rule = "must rise" if self.margin < 0 else rule
        return (
            f"{self.name}: {self.before:.4f} -> {self.after:.4f} "
            f"(change for the better {self.change:+.4f}, at least {self.low:+.4f}; {rule}): {verdict}"
        )


def compare(
    dev_before: Read,
    dev_after: Read,
    held_before: Read,
    held_after: Read,
    labels: tuple[str, ...],
    margins: Mapping[str, float] = MARGINS,
    seed: int = 0,
) -> list[Check]:
    """All checks of a new model against the one it was trained from.

    Args:
        dev_before: the original dev set, read by the old model.
        dev_after: the same texts, read by the new one.
        held_before: corrections that were not trained on, read by the old model.
        held_after: the same texts, read by the new one.
        labels: their names.
        margins: how far each measure on dev may fall.
        seed: of the bootstrap.

    Raises:
        InputError: there are too few corrections to judge by, or the texts differ.
    """
    for old, new in ((dev_before, dev_after), (held_before, held_after)):
        if old.truth.shape != new.truth.shape or (old.truth != new.truth).any():
            raise InputError("both models must have read the same texts")
    if len(held_before.truth) < FEWEST_HELD_OUT:
        raise InputError(
            f"{len(held_before.truth)} corrections are held out, at least {FEWEST_HELD_OUT} are needed to "
            "judge by; add more corrections"
        )
    groupings = memberships(labels)
    before, after = (
        hold_out(read.truth, read.probabilities, groupings, FOLDS) for read in (dev_before, dev_after)
    )
    truth = dev_before.truth
    agreements = _agreement(dev_before, held_before, groupings), _agreement(dev_after, held_after, groupings)
    likelihoods = _log_likelihood(held_before), _log_likelihood(held_after)
    checks = [
        _held_check(f"held_out_f1 ({len(held_before.truth)})", *agreements, seed, -ROUNDING),
        _held_check("held_out_log_likelihood", *likelihoods, seed, ROUNDING),
        _check("macro_f1", macro_f1_by_draws, truth, _predicted(before, after), margins, seed),
    ]
    if "ekman" in groupings:
        groups = group_truth(truth, groupings["ekman"])
        said = before.groups["ekman"], after.groups["ekman"]
        checks.append(_check("ekman_macro_f1", macro_f1_by_draws, groups, said, margins, seed))
    chances = before.probabilities, after.probabilities
    measure = calibration_error_by_draws
    checks.append(_check("calibration_error", measure, truth, chances, margins, seed, sign=-1.0))
    return checks


def macro_f1_by_draws(weights: Floats, truth: Bools, decided: Bools) -> Floats:
    """Macro-F1 of each draw: (draws,).

    Args:
        weights: (draws, texts) how often each text is in each draw.
        truth: (texts, labels).
        decided: (texts, labels).
    """
    hits = weights @ (truth & decided).astype(np.float32)
    total = weights @ (truth.astype(np.float32) + decided.astype(np.float32))
    return np.asarray(np.where(total > 0, 2.0 * hits / np.maximum(total, 1.0), 0.0).mean(axis=1))


def calibration_error_by_draws(weights: Floats, truth: Bools, probabilities: Floats) -> Floats:
    """Expected calibration error over all (text, label) decisions of each draw: (draws,).

    Naeini et al., AAAI 2015: decisions in bins of equal width by probability, and the mean distance between
    a bin's mean probability and how often its labels held, weighted by how many decisions it has.

    Args:
        weights: (draws, texts) how often each text is in each draw.
        truth: (texts, labels).
        probabilities: (texts, labels) in [0, 1].
    """
    place = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    apart = np.zeros((len(truth), BINS), dtype=np.float64)
    rows = np.repeat(np.arange(len(truth)), truth.shape[1])
    np.add.at(apart, (rows, place.ravel()), (probabilities - truth).ravel())
    decisions = weights.sum(axis=1) * truth.shape[1]
    return np.asarray(np.abs(weights @ apart).sum(axis=1) / np.maximum(decisions, 1.0))


def _predicted(before: HeldOut, after: HeldOut) -> tuple[Bools, Bools]:
    return before.predicted, after.predicted


def _check(
    name: str,
    measure: Callable[[Floats, Bools, Any], Floats],
    truth: Bools,
    said: tuple[Any, Any],
    margins: Mapping[str, float],
    seed: int,
    sign: float = 1.0,
) -> Check:
    """Compares what two models say of the same texts; `sign` is -1 for a measure of which less is better."""
    once = np.ones((1, len(truth)), dtype=np.float32)
    before, after = (float(measure(once, truth, each)[0]) for each in said)
    changes = []
    random = np.random.default_rng(seed)
    for _ in range(DRAWS // CHUNK):
        weights = _draws(random, len(truth))
        changes.append(sign * (measure(weights, truth, said[1]) - measure(weights, truth, said[0])))
    low = float(np.quantile(np.concatenate(changes), TAIL))
    return Check(name, before, after, sign * (after - before), low, margins[name], low >= -margins[name])


def _held_check(name: str, before: Floats, after: Floats, seed: int, least: float) -> Check:
    """The means over held-out corrections, whose change must be `least` or more.

    They are few, so that an interval would refuse every model: here the means themselves are compared.
    """
    weights = np.random.default_rng(seed).multinomial(
        len(before), np.full(len(before), 1.0 / len(before)), size=DRAWS
    )
    low = float(np.quantile(weights @ (after - before) / len(before), TAIL))
    change = float((after - before).mean())
    return Check(
        name, float(before.mean()), float(after.mean()), change, low, min(-least, 0.0), change >= least
    )


def _agreement(dev: Read, held: Read, groupings: Mapping[str, Bools]) -> Floats:
    """F1 of each held-out text's labels, judged by what dev is fitted to: (texts,).

    The reported label counts as said where no label is over its threshold, as in a reading.
    """
    judged = fit(dev.truth, dev.probabilities, groupings).judge(held.probabilities, groupings)
    said = np.array(judged.predicted, dtype=bool)
    said[np.arange(len(said)), judged.top] = True
    hits = (said & held.truth).sum(axis=1)
    return np.asarray(2.0 * hits / np.maximum(said.sum(axis=1) + held.truth.sum(axis=1), 1))


def _log_likelihood(read: Read) -> Floats:
    """How likely each text's labels were found, the mean over labels, as a logarithm: (texts,)."""
    chance = np.clip(read.probabilities, LEAST_CHANCE, 1.0 - LEAST_CHANCE)
    return np.asarray(np.where(read.truth, np.log(chance), np.log1p(-chance)).mean(axis=1))


def _draws(random: np.random.Generator, count: int) -> Floats:
    """(CHUNK, texts) how often each text is in each draw."""
    chosen = random.integers(0, count, size=(CHUNK, count))
    weights = np.zeros((CHUNK, count), dtype=np.float32)
    for row, places in enumerate(chosen):
        weights[row] = np.bincount(places, minlength=count)
    return weights
