"""Fits the context model: a strongly regularised conditional logit, a softmax and a ridge regression.

All three are convex and have a few hundred numbers at most, drawn towards values under which the model
does what anybody would: believe the words, and when they say nothing, what came before. So a fit takes
seconds, gives the same numbers every time, and can't run away from a few hundred labelled turns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion.context.rows import GROUPS, Floats, Rows, joined
from nlu_models.emotion.labels import EKMAN, GOEMOTIONS
from nlu_models.errors import DataError, InputError

# What the numbers are drawn towards; all others are drawn towards 0.
OWN_PRIOR = {"always": 1.0, "filler": -0.5}
PLAIN_PRIOR = {"always": 1.5, "filler": -1.5}
BEFORE_PRIOR = {"always": 0.2, "filler": 0.8}
VALENCE_PRIOR = {"valence": 1.0, "before": 0.2, "own_filler": -0.5, "before_filler": 0.5}
LABEL_OWN_PRIOR = 1.0
LABEL_CARRIED_PRIOR = 0.3
ROUNDS = 3  # of rolling the conversations with the model so far and fitting it to what it then sees
FOLDS = 5
SEED = 7
MAX_STEPS = 300
CONFIDENCE_PENALTY = 1.0
MAX_ABSTAINED = 0.15  # share of turns
MAX_WRONG = 1.0 / 3.0  # share of the turns on which the model commits itself

Config = dict[str, Any]
Roll = Callable[[Config, Sequence[int]], Rows]


@dataclass(frozen=True)
class Penalties:
    """How strongly the numbers are drawn to their priors: half the penalty times the squared distance.

    Attributes:
        gates: of what words and past count.
        signs: of what speaks for single groups.
        hints: of what single labels' own probabilities say of the groups and of valence.
        labels: of the labels within their group.
        valence: of the blend of valences.
    """

    gates: float = 4.0
    signs: float = 1.0
    hints: float = 2.0
    labels: float = 2.0
    valence: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0.0 < value <= 1e6:
                raise InputError(f"the penalty {field.name} is {value}, expected more than 0, to 1e6")


def prior(gates: tuple[str, ...], signs: tuple[str, ...], valences: tuple[str, ...]) -> Config:
    """The model before it has seen anything: what the fit starts from and is drawn towards."""
    return {
        "groups": {group: list(labels) for group, labels in EKMAN.items()},
        "own": {gate: OWN_PRIOR.get(gate, 0.0) for gate in gates},
        "plain": {gate: PLAIN_PRIOR.get(gate, 0.0) for gate in gates},
        "before": {gate: BEFORE_PRIOR.get(gate, 0.0) for gate in gates},
        "signs": {sign: dict.fromkeys(GROUPS, 0.0) for sign in signs},
        "hints": {label: dict.fromkeys(GROUPS, 0.0) for label in GOEMOTIONS},
        "label_own": LABEL_OWN_PRIOR,
        "label_carried": LABEL_CARRIED_PRIOR,
        "label_carried_filler": 0.0,
        "label_bias": dict.fromkeys(GOEMOTIONS, 0.0),
        "valence": {name: VALENCE_PRIOR.get(name, 0.0) for name in valences},
        "valence_hints": dict.fromkeys(GOEMOTIONS, 0.0),
        "confidence": {"slope": 1.0, "intercept": 0.0},
        "abstain_below": 0.0,
    }


@dataclass(frozen=True)
class Fitted:
    """A fitted model, and those that stand for it where it must be judged on what it was fitted to.

    Attributes:
        config: fitted to all conversations.
        folds: per fold, the indices of its conversations, and the model fitted to all the others.
    """

    config: Config
    folds: tuple[tuple[tuple[int, ...], Config], ...]


def fit(roll: Roll, topics: Sequence[str], start: Config, penalties: Penalties) -> Fitted:
    """The fitted model, without its confidence curve.

    What a turn sees of the past depends on how the model read the turns before it, so rolling and fitting
    take turns (as in Ross et al., AISTATS 2011). Each conversation is rolled by a model that was fitted
    without its topic: otherwise the past would look clearer than it does when serving, and be believed
    too much.

    Args:
        roll: gives the rows that a model sees, from the conversations with these indices.
        topics: of the conversations to fit on, in their order; a topic stays within a fold.
        start: from `prior`.
        penalties: how strongly to regularise.
    """
    folds = folds_of(topics)
    seen = [roll(start, fold) for fold in folds]
    configs: list[Config] = []
    for round_ in range(ROUNDS):
        configs = [
            fit_rows(joined([part for other, part in enumerate(seen) if other != fold]), start, penalties)
            for fold in range(len(folds))
        ]
        if round_ < ROUNDS - 1:
            seen = [roll(config, fold) for config, fold in zip(configs, folds, strict=True)]
    return Fitted(fit_rows(joined(seen), start, penalties), tuple(zip(folds, configs, strict=True)))


def folds_of(topics: Sequence[str]) -> list[tuple[int, ...]]:
    """The indices of the conversations of each fold.

    Raises:
        DataError: all are of one topic.
    """
    names = sorted(set(topics))
    if len(names) < 2:
        raise DataError(f"all {len(topics)} conversations are on {names}; a fit needs two topics at least")
    order = np.random.default_rng(SEED).permutation(len(names))
    fold_of = {name: int(place) % min(FOLDS, len(names)) for name, place in zip(names, order, strict=True)}
    return [
        tuple(index for index, topic in enumerate(topics) if fold_of[topic] == fold)
        for fold in range(min(FOLDS, len(names)))
    ]


def fit_rows(rows: Rows, start: Config, penalties: Penalties) -> Config:
    """The model fitted to rows as they are."""
    config = {**start, **_fit_shares(rows, start, penalties), **_fit_labels(rows, start, penalties)}
    return {**config, **_fit_valence(rows, shares(rows, config), start, penalties)}


def fit_confidence(chances: Sequence[tuple[float, bool]]) -> Config:
    """The confidence curve and the abstaining threshold.

    Args:
        chances: per turn, what a model not fitted to it gives the label, and whether that is accepted.

    Returns:
        "confidence" and "abstain_below" of the model.
    """
    probability = np.array([chance for chance, _ in chances])
    correct = np.array([is_right for _, is_right in chances])
    slope, intercept = _platt(probability, correct)
    confidence = 1.0 / (1.0 + np.exp(-(slope * _log_odds(probability) + intercept)))
    return {
        "confidence": {"slope": slope, "intercept": intercept},
        "abstain_below": _abstain_below(confidence, correct),
    }


def shares(rows: Rows, config: Config) -> Floats:
    """The shares (turns, 7) of the Ekman groups; `bot.core.context.shares_of` for many turns at once."""
    own: Floats = rows.gates @ np.array([config["own"][name] for name in rows.gate_names])
    plain: Floats = rows.gates @ np.array([config["plain"][name] for name in rows.gate_names])
    before: Floats = rows.gates @ np.array([config["before"][name] for name in rows.gate_names])
    signs = np.array([[config["signs"][name][group] for group in GROUPS] for name in rows.sign_names])
    hints = np.array([[config["hints"][label][group] for group in GROUPS] for label in GOEMOTIONS])
    scores: Floats = own[:, None] * rows.own + plain[:, None] * rows.plain + before[:, None] * rows.before
    return _softmax(scores + rows.signs @ signs + rows.hints @ hints)


def rounded(config: Config, decimals: int = 4) -> Config:
    """The same model with every number rounded, so that a weight is readable and its diffs are small."""

    def walk(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: walk(inner) for key, inner in value.items()}
        return round(float(value), decimals) if isinstance(value, float) else value

    return dict(walk(config))


def _fit_shares(rows: Rows, start: Config, penalties: Penalties) -> Config:
    gates, signs, groups = len(rows.gate_names), len(rows.sign_names), len(GROUPS)
    weighed = (rows.own, rows.plain, rows.before)
    features = np.concatenate([rows.signs, rows.hints], axis=1)
    mean = np.concatenate(
        [
            *([start[key][name] for name in rows.gate_names] for key in ("own", "plain", "before")),
            np.zeros(features.shape[1] * groups),
        ]
    )
    strength = np.repeat(
        [penalties.gates, penalties.signs, penalties.hints],
        [3 * gates, signs * groups, rows.hints.shape[1] * groups],
    )

    def loss(theta: Floats) -> tuple[float, Floats]:
        gated: Floats = rows.gates @ theta[: 3 * gates].reshape(3, gates).T
        scores: Floats = features @ theta[3 * gates :].reshape(-1, groups)
        for kind, values in enumerate(weighed):
            scores = scores + gated[:, kind, None] * values
        chance = _softmax(scores)
        away = theta - mean
        value = -(rows.groups * np.log(chance + 1e-12)).sum() + 0.5 * (strength * away**2).sum()
        error = chance - rows.groups
        gradient = np.concatenate(
            [
                *(rows.gates.T @ (error * values).sum(axis=1) for values in weighed),
                (features.T @ error).ravel(),
            ]
        )
        return float(value), gradient + strength * away

    theta = _minimize(loss, mean)
    own, plain, before = theta[: 3 * gates].reshape(3, gates).tolist()
    table = theta[3 * gates :].reshape(-1, groups).tolist()
    return {
        "own": dict(zip(rows.gate_names, own, strict=True)),
        "plain": dict(zip(rows.gate_names, plain, strict=True)),
        "before": dict(zip(rows.gate_names, before, strict=True)),
        "signs": _named(rows.sign_names, table[:signs]),
        "hints": _named(GOEMOTIONS, table[signs:]),
    }


def _named(names: Sequence[str], table: Sequence[Sequence[float]]) -> dict[str, dict[str, float]]:
    return {name: dict(zip(GROUPS, row, strict=True)) for name, row in zip(names, table, strict=True)}


def _fit_labels(rows: Rows, start: Config, penalties: Penalties) -> Config:
    filler = rows.gates[:, rows.gate_names.index("filler")]
    mean = np.concatenate([[start["label_own"], start["label_carried"], 0.0], np.zeros(len(GOEMOTIONS))])
    group_of = [np.array([GOEMOTIONS.index(label) for label in EKMAN[group]]) for group in GROUPS]

    def loss(theta: Floats) -> tuple[float, Floats]:
        carried = theta[1] + theta[2] * filler
        scores = theta[0] * rows.scores + carried[:, None] * rows.carried + theta[3:]
        away = theta - mean
        value, gradient = 0.5 * penalties.labels * (away**2).sum(), penalties.labels * away
        for members in group_of:
            target = rows.labels[:, members]
            chance = _softmax(scores[:, members])
            value -= (target * np.log(chance + 1e-12)).sum()
            error = target.sum(axis=1, keepdims=True) * chance - target
            by_carried = (error * rows.carried[:, members]).sum(axis=1)
            gradient[0] += (error * rows.scores[:, members]).sum()
            gradient[1] += by_carried.sum()
            gradient[2] += (by_carried * filler).sum()
            gradient[3 + members] += error.sum(axis=0)
        return float(value), gradient

    theta = _minimize(loss, mean)
    return {
        "label_own": float(theta[0]),
        "label_carried": float(theta[1]),
        "label_carried_filler": float(theta[2]),
        "label_bias": dict(zip(GOEMOTIONS, theta[3:].tolist(), strict=True)),
    }


def _fit_valence(rows: Rows, felt_shares: Floats, start: Config, penalties: Penalties) -> Config:
    groups = [group for group in GROUPS if group in start["valence"]]
    names = [*rows.valence_names, *groups]
    table = np.concatenate(
        [rows.valence, felt_shares[:, [GROUPS.index(group) for group in groups]], rows.hints], axis=1
    )
    mean = np.array([*(start["valence"][name] for name in names), *([0.0] * len(GOEMOTIONS))])
    strength = np.repeat([penalties.valence, penalties.hints], [len(names), len(GOEMOTIONS)])
    away = np.linalg.solve(table.T @ table + np.diag(strength), table.T @ (rows.felt_valence - table @ mean))
    found = (mean + away).tolist()
    return {
        "valence": dict(zip(names, found[: len(names)], strict=True)),
        "valence_hints": dict(zip(GOEMOTIONS, found[len(names) :], strict=True)),
    }


def _minimize(loss: Callable[[Floats], tuple[float, Floats]], start: Floats) -> Floats:
    from scipy.optimize import minimize

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": MAX_STEPS})
    return np.asarray(found.x, dtype=np.float64)


def _platt(probability: Floats, correct: NDArray[np.bool_]) -> tuple[float, float]:
    """A logistic curve over log-odds (Platt, 1999), drawn towards "as it is"."""
    design = np.stack([_log_odds(probability), np.ones_like(probability)], axis=1)
    mean = np.array([1.0, 0.0])

    def loss(theta: Floats) -> tuple[float, Floats]:
        odds = design @ theta
        away = theta - mean
        value = (
            np.logaddexp(0.0, -np.where(correct, odds, -odds)).sum() + 0.5 * CONFIDENCE_PENALTY * away @ away
        )
        error = 1.0 / (1.0 + np.exp(-odds)) - correct
        return float(value), design.T @ error + CONFIDENCE_PENALTY * away

    slope, intercept = _minimize(loss, mean)
    return float(slope), float(intercept)


def _abstain_below(confidence: Floats, correct: NDArray[np.bool_]) -> float:
    """The lowest confidence at which at most a third of the other turns are wrong, abstaining on few."""
    for threshold in np.concatenate([[0.0], np.sort(confidence)]):
        left = confidence >= threshold
        if 1.0 - left.mean() > MAX_ABSTAINED:
            break
        if left.any() and 1.0 - correct[left].mean() <= MAX_WRONG:
            return float(threshold)
    return float(np.quantile(confidence, MAX_ABSTAINED))


def _log_odds(probability: Floats) -> Floats:
    clipped = np.clip(probability, 1e-6, 1.0 - 1e-6)
    return np.log(clipped / (1.0 - clipped))


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def settings_of(penalties: Penalties) -> dict[str, Any]:
    """What a weight says it was fitted with."""
    return {
        "penalties": asdict(penalties),
        "rounds": ROUNDS,
        "folds": FOLDS,
        "seed": SEED,
        "own_prior": OWN_PRIOR,
        "plain_prior": PLAIN_PRIOR,
        "before_prior": BEFORE_PRIOR,
        "valence_prior": VALENCE_PRIOR,
    }
