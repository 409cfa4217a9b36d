"""The turns of labelled conversations as arrays: what the context model is fitted on.

What a turn's numbers are is decided where they are computed at serving time; here they only become
columns, so that the fit can't see anything that serving doesn't.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion.context.conversations import Felt
from nlu_models.emotion.labels import EKMAN, GOEMOTIONS

Floats = NDArray[np.float64]

GROUPS = tuple(EKMAN)
PRIMARY_WEIGHT = 0.75  # of the best label in the target; the rest is spread over all that are accepted
LEAST_LABEL = 0.005  # as in `bot.core.context`
LEAST_CARRIED = 0.05


class MomentLike(Protocol):
    """A turn and what came before it, as `bot.core.moment.Moment` has it."""

    @property
    def own(self) -> Mapping[str, float]: ...
    @property
    def plain(self) -> Mapping[str, float]: ...
    @property
    def before(self) -> Mapping[str, float]: ...
    @property
    def gates(self) -> Mapping[str, float]: ...
    @property
    def signs(self) -> Mapping[str, float]: ...
    @property
    def scores(self) -> Mapping[str, float]: ...
    @property
    def hints(self) -> Mapping[str, float]: ...
    @property
    def carried(self) -> Mapping[str, float]: ...
    @property
    def valence(self) -> Mapping[str, float]: ...


@dataclass(frozen=True)
class Rows:
    """Labelled turns; every array has a row per turn.

    Attributes:
        own: (turns, 7) logarithms of the words' own shares.
        plain: (turns, 7) the words' own shares but neutral's.
        before: (turns, 7) logarithms of the levels before.
        gates: (turns, gates) in [0, 1].
        signs: (turns, signs).
        scores: (turns, 28) logarithms of the labels' own probabilities.
        hints: (turns, 28) the labels' log-odds as `Moment.hints` has them; 0 when nothing was read.
        carried: (turns, 28) logarithms of the labels' levels before.
        valence: (turns, inputs) without the groups' shares.
        groups: (turns, 7) target shares.
        labels: (turns, 28) target shares.
        accepted: (turns, 28) whether a reader could defend the label.
        felt_valence: (turns,) in [-1, 1].
        gate_names, sign_names, valence_names: of the columns.
    """

    own: Floats
    plain: Floats
    before: Floats
    gates: Floats
    signs: Floats
    scores: Floats
    hints: Floats
    carried: Floats
    valence: Floats
    groups: Floats
    labels: Floats
    accepted: NDArray[np.bool_]
    felt_valence: Floats
    gate_names: tuple[str, ...]
    sign_names: tuple[str, ...]
    valence_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.own)


def rows_of(moments: Sequence[Sequence[MomentLike]], felt: Sequence[Sequence[Felt]]) -> Rows:
    """The rows of conversations.

    Args:
        moments: per conversation, per turn of the person.
        felt: the labels of the same turns.
    """
    flat = [moment for conversation in moments for moment in conversation]
    targets = [one for conversation in felt for one in conversation]
    first = flat[0]
    gates, signs, valences = tuple(first.gates), tuple(first.signs), tuple(first.valence)
    soft = np.array([_soft_labels(one) for one in targets])
    member = np.array([[label in EKMAN[group] for group in GROUPS] for label in GOEMOTIONS], dtype=np.float64)
    return Rows(
        own=_table([moment.own for moment in flat], GROUPS),
        plain=_table([moment.plain for moment in flat], GROUPS),
        before=_table([moment.before for moment in flat], GROUPS),
        gates=_table([moment.gates for moment in flat], gates),
        signs=_table([moment.signs for moment in flat], signs),
        scores=np.log(np.maximum(_table([moment.scores for moment in flat], GOEMOTIONS), LEAST_LABEL)),
        hints=_table([moment.hints for moment in flat], GOEMOTIONS),
        carried=np.log(LEAST_CARRIED + _table([moment.carried for moment in flat], GOEMOTIONS)),
        valence=_table([moment.valence for moment in flat], valences),
        groups=soft @ member,
        labels=soft,
        accepted=np.array([[label in one.accept for label in GOEMOTIONS] for one in targets]),
        felt_valence=np.array([one.valence for one in targets]),
        gate_names=gates,
        sign_names=signs,
        valence_names=valences,
    )


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of several parts, one after the other."""
    values: dict[str, Any] = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(Rows)
        if isinstance(getattr(parts[0], field.name), np.ndarray)
    }
    return replace(parts[0], **values)


def _soft_labels(felt: Felt) -> Floats:
    target = np.array([label in felt.accept for label in GOEMOTIONS], dtype=np.float64)
    target *= (1.0 - PRIMARY_WEIGHT) / target.sum()
    target[GOEMOTIONS.index(felt.label)] += PRIMARY_WEIGHT
    return target


def _table(rows: Sequence[Mapping[str, float]], columns: Sequence[str]) -> Floats:
    return np.array([[row.get(column, 0.0) for column in columns] for row in rows], dtype=np.float64)
