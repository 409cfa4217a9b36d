"""Turns a text into a vector of hashed character n-grams: the part of retrieval that needs no model.

Chinese is cut into runs of 1 to 3 characters. English is cut into runs of 3 to 5 characters inside each
word with its boundaries marked, so that "working" and "work" share most of theirs. Each n-gram is hashed
into one of a fixed number of dimensions (the hashing trick; Weinberger et al., ICML 2009), and weighed by
how rare it is among the texts the vectors are made for.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nlu_models.text import normalize

Floats = NDArray[np.float32]

DIMENSIONS = 4096
MAX_CHARS = 1000  # of a text are read
CHINESE_LENGTHS = (1, 3)  # shortest and longest n-gram, characters
ENGLISH_LENGTHS = (3, 5)

_ENGLISH_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_CHINESE_RUN = re.compile(r"[^\W_]+")


class NgramVectors:
    """Hashed n-gram vectors of one language, with weights learned from texts.

    Args:
        language: "zh" for Chinese; anything else is cut as English is.
        weights: (DIMENSIONS,) idf weights, as made by `fit`.
    """

    def __init__(self, language: str, weights: Floats) -> None:
        self.language = language
        self.weights = weights

    @classmethod
    def fit(cls, language: str, texts: Sequence[str]) -> NgramVectors:
        """Vectors whose weights are the inverse document frequencies among `texts`."""
        holding = np.zeros(DIMENSIONS, dtype=np.float32)
        for text in texts:
            holding[list({_place(gram) for gram in _grams(text, language)})] += 1
        weights = np.log((1.0 + len(texts)) / (1.0 + holding)) + 1.0
        return cls(language, weights.astype(np.float32))

    def vectors(self, texts: Iterable[str]) -> Floats:
        """One vector of length 1 per text (of length 0 for a text without letters).

        Returns:
            (texts, DIMENSIONS) float32.
        """
        rows: list[Floats] = [self._vector(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, DIMENSIONS), dtype=np.float32)

    def _vector(self, text: str) -> Floats:
        vector = np.zeros(DIMENSIONS, dtype=np.float32)
        for gram, count in Counter(_grams(text, self.language)).items():
            place = _place(gram)
            vector[place] += (1.0 + np.log(count)) * self.weights[place]
        length = float(np.linalg.norm(vector))
        return vector / length if length else vector


def _place(gram: str) -> int:
    return zlib.crc32(gram.encode("utf-8", "replace")) % DIMENSIONS


def _grams(text: str, language: str) -> Iterator[str]:
    clean = normalize(text[:MAX_CHARS])
    is_chinese = language == "zh"
    shortest, longest = CHINESE_LENGTHS if is_chinese else ENGLISH_LENGTHS
    for match in (_CHINESE_RUN if is_chinese else _ENGLISH_WORD).finditer(clean):
        run = match.group() if is_chinese else f" {match.group()} "
        for length in range(shortest, longest + 1):
            for start in range(len(run) - length + 1):
                yield run[start : start + length]
