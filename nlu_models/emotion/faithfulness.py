"""Measures whether the words an explanation points at are those that the reading rests on.

Comprehensiveness and sufficiency (ERASER; DeYoung et al., ACL 2020, https://aclanthology.org/2020.acl-main.408/):
the label's probability must fall when the words with the highest scores are taken away, and must not fall
when only they are kept. Both are averaged over shares of the words (the area over the perturbation curve).
Random scores are the yardstick.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from nlu_models.emotion.explain import DEFAULT_STEPS, Explainer, ReadText
from nlu_models.errors import InputError

SHARES = (0.01, 0.05, 0.10, 0.20, 0.50)  # of the words, as ERASER has them; at least one word each


@dataclass(frozen=True)
class Faithfulness:
    """Means over texts; the figures of random scores stand beside them.

    Attributes:
        texts: that were explained.
        comprehensiveness: how far the probability falls without the highest words; more is better.
        sufficiency: how far it falls with them alone; less is better.
        random_comprehensiveness: of words chosen at random.
        random_sufficiency: of words chosen at random.
        converged: share of the explanations whose error was small.
    """

    texts: int
    comprehensiveness: float
    sufficiency: float
    random_comprehensiveness: float
    random_sufficiency: float
    converged: float


def measure(
    explainer: Explainer, texts: Sequence[str], blank: str, steps: int = DEFAULT_STEPS, seed: int = 0
) -> Faithfulness:
    """Explains texts, and takes words away from each.

    Args:
        explainer: of the model.
        texts: those of one word, where nothing can be taken away, are left out.
        blank: the token that explanations blank words with. Here words are deleted, so that no blank is
            judged by itself.
        steps: of the path.
        seed: of the random scores.

    Raises:
        InputError: no text has two words.
    """
    chance = random.Random(seed)
    rows = []
    for text in tqdm(texts, unit="text", desc="explaining"):
        try:
            read = explainer.tokenize(text)
        except InputError:
            continue
        if len(read.pairs) < 2:
            continue
        found = explainer.explain(text, steps=steps, blank=blank)
        scores = [word.score for word in found.words]
        label = explainer.labels.index(found.target)
        lots = [chance.random() for _ in scores]
        by_score, by_lot = falls(explainer, read, label, scores), falls(explainer, read, label, lots)
        rows.append((*by_score, *by_lot, float(found.has_converged)))
    if not rows:
        raise InputError("none of the texts has two words to compare")
    means = [round(float(value), 4) for value in np.mean(rows, axis=0)]
    return Faithfulness(len(rows), *means)


def falls(explainer: Explainer, read: ReadText, label: int, scores: Sequence[float]) -> tuple[float, float]:
    """How far a label's probability falls without the highest words, and with them alone.

    Args:
        explainer: of the model.
        read: the text.
        label: index.
        scores: of its words.
    """
    whole = _probability(explainer, read, label, set(range(len(scores))))
    order = sorted(range(len(scores)), key=lambda place: -scores[place])
    without, alone = [], []
    for count in sorted({max(1, round(share * len(scores))) for share in SHARES}):
        top = set(order[:count])
        without.append(whole - _probability(explainer, read, label, set(order) - top))
        alone.append(whole - _probability(explainer, read, label, top))
    return float(np.mean(without)), float(np.mean(alone))


def _probability(explainer: Explainer, read: ReadText, label: int, kept: set[int]) -> Any:
    ids = [
        token for token, place in zip(read.ids, read.places, strict=True) if place is None or place in kept
    ]
    return explainer.probabilities(ids)[label] if ids else 0.0
