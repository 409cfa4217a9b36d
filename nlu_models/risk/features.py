"""What the danger model looks at: hashed n-grams of a text, and what the encoder made of it.

English is cut into words and pairs of words, Chinese into runs of one to three characters. Each is hashed
into one of a fixed number of places (the hashing trick; Weinberger et al., ICML 2009), so that the model
has no word list to ship and a word it never saw costs nothing.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.text import normalize

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

PLACES = 1 << 15  # that n-grams are hashed into; a power of two
CHINESE_LENGTHS = (1, 2, 3)  # of an n-gram, characters
LEAST_PROBABILITY = 1e-4  # of the encoder's labels, before the logarithm
LABEL_SCALE = 0.1  # brings log-odds to the size of an embedding's numbers
GRAM_SCALE = 3.0  # of a text's n-grams, whose squares would sum to 1
EMBEDDING_SCALE = 2.0  # chosen with GRAM_SCALE on the development cases
CHINESE = "zh"

_ENGLISH_WORD = re.compile(r"[^\W\d_]+|\d+|[?!]")
_CHINESE_RUN = re.compile(r"[\u3400-\u9fff]+|[^\W_\u3400-\u9fff]+")
_APOSTROPHES = str.maketrans("", "", "'")


def places(text: str, language: str) -> list[int]:
    """The places of the n-grams of a text, each once, in no order that means anything.

    Args:
        text: in plain words already (`normalize_wording`).
        language: "zh" for Chinese; anything else is cut as English is.
    """
    grams = _chinese(text) if language == CHINESE else _english(text)
    crc32, last = zlib.crc32, PLACES - 1
    return list({crc32(gram.encode("utf-8", "replace")) & last for gram in grams})


def encoder_columns(probabilities: Floats, vad: Floats, embeddings: Floats) -> Floats:
    """What the encoder made of texts, as columns of like size.

    Args:
        probabilities: (texts, labels) in [0, 1].
        vad: (texts, 3) in [-1, 1].
        embeddings: (texts, width) of length 1.

    Returns:
        (texts, width + labels + 3) float32.
    """
    sure = np.minimum(np.maximum(probabilities, LEAST_PROBABILITY), 1.0 - LEAST_PROBABILITY)
    odds = LABEL_SCALE * np.log(sure / (1.0 - sure))
    columns: Floats = np.concatenate([EMBEDDING_SCALE * embeddings, odds, vad], axis=1, dtype=np.float32)
    return columns


def gram_matrix(texts: Sequence[str], language: str) -> Any:
    """The n-grams of texts: a sparse (texts, PLACES) whose rows have length GRAM_SCALE; needs scipy."""
    from scipy.sparse import csr_matrix

    rows = [places(text, language) for text in texts]
    counts = np.array([len(row) for row in rows], dtype=np.int64)
    columns = np.array([place for row in rows for place in sorted(row)], dtype=np.int64)
    values = np.repeat(GRAM_SCALE / np.sqrt(np.maximum(counts, 1)), counts)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return csr_matrix((values, columns, starts), shape=(len(rows), PLACES))


def _english(text: str) -> list[str]:
    words = _ENGLISH_WORD.findall(normalize(text).translate(_APOSTROPHES))
    return words + [f"{first} {second}" for first, second in pairwise(words)]


def _chinese(text: str) -> list[str]:
    grams: list[str] = []
    for run in _CHINESE_RUN.findall(normalize(text)):
        if run[0] < "\u3400":
            grams.append(run)
            continue
        for length in CHINESE_LENGTHS:
            grams += [run[start : start + length] for start in range(len(run) - length + 1)]
    return grams
