"""Whether the sentence embedding still tells intents apart: nearest neighbours on CLINC150."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion.subjects import Reader, encode_with_progress
from nlu_models.errors import DataError

NEIGHBOUR_ROWS = 512  # compared at a time
PER_INTENT = 20  # utterances of each part


def measure_intents(reader: Reader, clinc: Path) -> dict[str, Any]:
    """How often the nearest training utterance has the held-out utterance's intent.

    Args:
        reader: whose embedding is measured.
        clinc: folder of CLINC150.

    Returns:
        `p_at_1` in [0, 1], and how many utterances were used: `train`, `val`.
    """
    train_texts, train_intents = read_clinc_intents(clinc, "train", PER_INTENT)
    held_texts, held_intents = read_clinc_intents(clinc, "val", PER_INTENT)
    train = encode_with_progress(reader, train_texts, "CLINC150 train").embeddings
    held = encode_with_progress(reader, held_texts, "CLINC150 val").embeddings
    score = intent_neighbours(train, train_intents, held, held_intents)
    return {"p_at_1": round(score, 4), "train": len(train_texts), "val": len(held_texts)}


def intent_neighbours(
    train: NDArray[np.floating[Any]],
    train_intents: Sequence[str],
    held: NDArray[np.floating[Any]],
    held_intents: Sequence[str],
) -> float:
    """How often the nearest training utterance has the held-out utterance's intent (P@1), in [0, 1]."""
    intents = np.array(train_intents)
    hits = 0
    for start in range(0, len(held), NEIGHBOUR_ROWS):
        nearest = np.argmax(held[start : start + NEIGHBOUR_ROWS] @ train.T, axis=1)
        hits += int((intents[nearest] == np.array(held_intents[start : start + NEIGHBOUR_ROWS])).sum())
    return hits / len(held)


def read_clinc_intents(folder: Path, part: str, per_intent: int) -> tuple[list[str], list[str]]:
    """The first utterances of each intent in one part ("train" or "val") of CLINC150, and their intents.

    Raises:
        DataError: `data_full.json` is missing or of another form.
    """
    path = folder / "data_full.json"
    texts: list[str] = []
    intents: list[str] = []
    taken: Counter[str] = Counter()
    try:
        for text, intent in json.loads(path.read_text(encoding="utf-8"))[part]:
            if taken[intent] < per_intent:
                taken[intent] += 1
                texts.append(str(text))
                intents.append(str(intent))
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise DataError(f"{path} is not CLINC150's data_full.json: {error!r}") from error
    return texts, intents
