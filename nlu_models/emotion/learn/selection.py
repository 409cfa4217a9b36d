"""Chooses the texts whose labels would teach the reader most: unsure ones, and not all of one kind.

Batches of only the most uncertain texts are near-copies of each other (Sener & Savarese, ICLR 2018,
https://arxiv.org/abs/1708.00489, cover the embedding space instead; Ash et al., ICLR 2020,
https://arxiv.org/abs/1906.03671, trade both off). Here texts are picked greedily, each time the one with the
largest product of its uncertainty and its distance to all that is picked or known already. That is k-center
greedy with uncertainty as the weight, without randomness, so that asking twice gives the same list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.text import normalize

Floats = NDArray[np.floating[Any]]

SAME = 0.97  # cosine from which two texts say the same
MARGIN = 1.0  # log-odds around a threshold within which a label is open
ABSTAINED = 0.25  # what abstaining adds to uncertainty


@dataclass(frozen=True)
class Doubt:
    """Why a text is worth asking about.

    Attributes:
        uncertainty: all of it, [0, 1].
        confidence: that the reader had in its label.
        open_labels: labels whose probability lies near their threshold, the nearest first.
        abstained: whether the reader did not commit itself.
    """

    uncertainty: float
    confidence: float
    open_labels: tuple[str, ...]
    abstained: bool


@dataclass(frozen=True)
class Pick:
    """A text to ask about.

    Attributes:
        row: of the text.
        distance: to the nearest text that is picked or known already, 1 - cosine; 1 for the first.
        doubt: why.
    """

    row: int
    distance: float
    doubt: Doubt


def doubt_of(
    scores: Floats, thresholds: Sequence[float], labels: Sequence[str], confidence: float, abstained: bool
) -> Doubt:
    """How unsure a reading is: of its label, of labels on the edge, and by its own admission.

    Args:
        scores: (labels,) probabilities.
        thresholds: per label, in (0, 1).
        labels: their names.
        confidence: [0, 1].
        abstained: whether the reader did not commit itself.
    """
    clipped = np.clip(np.asarray(scores, dtype=np.float64), 1e-6, 1.0 - 1e-6)
    edge = np.clip(np.asarray(thresholds, dtype=np.float64), 1e-6, 1.0 - 1e-6)
    apart = np.abs(np.log(clipped / (1.0 - clipped)) - np.log(edge / (1.0 - edge)))
    order = [int(place) for place in np.argsort(apart, kind="stable") if apart[place] < MARGIN]
    nearness = float(np.clip(1.0 - apart.min() / MARGIN, 0.0, 1.0)) if len(apart) else 0.0
    unsure = 0.5 * (1.0 - confidence) + (0.5 - ABSTAINED) * nearness + ABSTAINED * abstained
    return Doubt(float(np.clip(unsure, 0.0, 1.0)), confidence, tuple(labels[at] for at in order), abstained)


def choose(
    texts: Sequence[str],
    embeddings: Floats,
    doubts: Sequence[Doubt],
    count: int,
    known_texts: Sequence[str] = (),
    known_embeddings: Floats | None = None,
) -> list[Pick]:
    """The texts to ask about, the most telling first.

    Texts that say the same as one that is picked or known already are left out.

    Args:
        texts: to choose from.
        embeddings: (texts, width) of length 1.
        doubts: one per text.
        count: at most so many are picked.
        known_texts: whose labels are known already.
        known_embeddings: (known texts, width).

    Returns:
        Fewer than `count` where not enough different texts are left.
    """
    seen = {_form(text) for text in known_texts}
    nearest = np.full(len(texts), -1.0)  # the highest cosine to what is picked or known
    if known_embeddings is not None and len(known_embeddings) and len(texts):
        nearest = (embeddings @ known_embeddings.T).max(axis=1)
    weights = np.array([doubt.uncertainty for doubt in doubts])
    forms = [_form(text) for text in texts]
    is_open = np.array([bool(form) and form not in seen for form in forms], dtype=bool)
    picks: list[Pick] = []
    while len(picks) < count:
        # All that point away count as equally far, so that uncertainty decides among them.
        distance = np.clip(1.0 - nearest, 0.0, 1.0)
        gain = np.where(is_open & (nearest < SAME), weights * distance, -1.0)
        best = int(np.argmax(gain)) if len(gain) else -1
        if best < 0 or gain[best] <= 0.0:
            break
        picks.append(Pick(best, float(distance[best]), doubts[best]))
        is_open &= np.array([form != forms[best] for form in forms])
        nearest = np.maximum(nearest, embeddings @ embeddings[best])
    return picks


def _form(text: str) -> str:
    """The text as duplicates are told by: without case, signs and spacing."""
    return "".join(character for character in normalize(text) if character.isalnum())
