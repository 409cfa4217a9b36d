"""Looks for a few words to replace so that a text reads differently though it says the same.

After TextFooler (Jin et al., "Is BERT Really Robust?", AAAI 2020, https://arxiv.org/abs/1907.11932): the
words that the reading hangs on most are replaced first, by words of similar meaning, as long as the sentence
stays close to what it was. It asks the reader only what anyone may ask, a black box; what the paper takes
from counter-fitted word vectors comes from the reader's own table of word embeddings, out of which words of
the opposite feeling are sorted by how the reader values them on their own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion.attacks import KEPT_WORDS
from nlu_models.emotion.infer import Encoded
from nlu_models.emotion.reading import make_reading
from nlu_models.emotion.weights import MODEL_FILE, TOKENIZER_FILE, WeightConfig
from nlu_models.errors import WeightError

Floats = NDArray[np.float32]

LEAST_WORD_SIMILARITY = 0.4  # cosine in the embedding table; WordPiece tables are less dense than word2vec's
LEAST_TEXT_SIMILARITY = 0.8  # cosine of the sentence embeddings
MOST_VALENCE_APART = 0.3  # of two words read alone, out of 2; further apart they are no synonyms
MOST_CANDIDATES = 10  # tried for each word
MOST_CHANGED = 0.3  # of a text's words
SHORTEST_WORD = 3

# Words that hold a sentence together: replacing them changes its grammar rather than its wording.
STOP_WORDS: frozenset[str] = KEPT_WORDS | frozenset({
    "a", "about", "after", "again", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be",
    "because", "been", "before", "being", "but", "by", "can", "could", "did", "do", "does", "doing",
    "each", "even", "few", "for", "from", "had", "has", "have", "having", "he", "her", "here", "hers",
    "him", "his", "how", "i", "if", "in", "into", "is", "it", "its", "just", "less", "many", "me",
    "more", "most", "my", "of", "off", "on", "once", "one", "only", "or", "other", "our", "out", "over",
    "own", "same", "she", "should", "so", "some", "such", "than", "that", "the", "their", "them",
    "then", "there", "these", "they", "this", "those", "through", "to", "too", "two", "under", "until",
    "up", "us", "very", "was", "we", "were", "what", "when", "where", "which", "while", "who", "whom",
    "why", "will", "with", "would", "you", "your", "yours", "name", "religion",
})  # fmt: skip
_WORD = re.compile(r"(?<![\w'/@\[])[A-Za-z]+(?![\w'\]])")
_NO_PLURALS = ("ss", "us", "is")  # "hopeless", "furious"
_ENDINGS = ("ing", "ed", "ly", "est", "er", "s")


class Reader(Protocol):
    """What the attack asks: an `EmotionEncoder`, or anything that reads texts like one."""

    config: WeightConfig

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Reads texts."""


@dataclass(frozen=True)
class Attacked:
    """What became of one text.

    Attributes:
        text: as it was last.
        label: then reported.
        attempted: whether it was read rightly before; else there was nothing to do.
        succeeded: whether the label is none of the right ones now.
        changed: how many words were replaced.
        words: how many words the text has.
        passes: how many texts the reader read for it.
    """

    text: str
    label: str
    attempted: bool
    succeeded: bool
    changed: int
    words: int
    passes: int


class WordTable:
    """Words and their embeddings, for finding the nearest.

    Args:
        words: lower case, without pieces of words.
        vectors: (words, width).
    """

    def __init__(self, words: Sequence[str], vectors: NDArray[np.floating[Any]]) -> None:
        self._words = list(words)
        self._place = {word: place for place, word in enumerate(self._words)}
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        self._vectors: Floats = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)

    @classmethod
    def load(cls, weights: Path) -> WordTable:
        """The table of a weight folder's graph, with the whole words of its tokenizer.

        Raises:
            WeightError: the folder is incomplete or its graph holds no such table.
        """
        from tokenizers import Tokenizer

        if not (weights / TOKENIZER_FILE).is_file():
            raise WeightError(f"{weights / TOKENIZER_FILE} is missing; docs/training.md says how it is made")
        vocabulary = Tokenizer.from_file(str(weights / TOKENIZER_FILE)).get_vocab()
        table = _embeddings(weights / MODEL_FILE, len(vocabulary))
        whole = sorted(
            (place, word)
            for word, place in vocabulary.items()
            if word.isascii() and word.isalpha() and word.islower() and len(word) >= SHORTEST_WORD
        )
        return cls([word for _, word in whole], table[[place for place, _ in whole]])

    def nearest(self, word: str, most: int = MOST_CANDIDATES) -> list[str]:
        """Words that may stand in for a word, the nearest first: of its form, and no stop words."""
        place = self._place.get(word)
        if place is None:
            return []
        similarity = self._vectors @ self._vectors[place]
        found: list[str] = []
        for other in np.argsort(-similarity, kind="stable"):
            if similarity[other] < LEAST_WORD_SIMILARITY or len(found) == most:
                break
            candidate = self._words[other]
            if other != place and candidate not in STOP_WORDS and _ending(candidate) == _ending(word):
                found.append(candidate)
        return found


class WordAttack:
    """Attacks texts one by one.

    Args:
        reader: whose readings are to change.
        table: where similar words come from.
    """

    def __init__(self, reader: Reader, table: WordTable) -> None:
        self._reader = reader
        self._table = table
        self._valences: dict[str, float] = {}
        self._passes = 0

    def attack(self, text: str, right: Collection[str]) -> Attacked:
        """Replaces words until the reported label is wrong, or too many would be replaced.

        Args:
            text: read rightly as it is, else nothing is tried.
            right: the labels that are right for it.
        """
        self._passes = 0
        spans = [found.span() for found in _WORD.finditer(text)]
        words = [text[start:end] for start, end in spans]
        clean = self._read([text])
        label = self._label(clean, 0)
        column = self._reader.config.labels.index(label)
        score, changed = float(clean.probabilities[0, column]), 0
        if label not in right:
            return Attacked(text, label, False, False, 0, len(words), self._passes)
        most = math.ceil(len(words) * MOST_CHANGED)
        for place in self._by_importance(text, spans, clean):
            if changed == most:
                break
            tries = [[*words[:place], word, *words[place + 1 :]] for word in self._candidates(words[place])]
            texts = [_with_words(text, spans, tried) for tried in tries]
            close = self._close(texts, clean.embeddings[0])
            if not close:
                continue
            flipped = [(row, similarity) for row, similarity, read, _ in close if read not in right]
            if flipped:
                row = max(flipped, key=lambda pair: pair[1])[0]
                read = next(entry[2] for entry in close if entry[0] == row)
                return Attacked(texts[row], read, True, True, changed + 1, len(words), self._passes)
            row, _, _, scores = min(close, key=lambda entry: float(entry[3][column]))
            if scores[column] < score:
                words, score, changed = tries[row], float(scores[column]), changed + 1
        return Attacked(
            _with_words(text, spans, words), label, True, False, changed, len(words), self._passes
        )

    def _by_importance(self, text: str, spans: Sequence[tuple[int, int]], clean: Encoded) -> list[int]:
        """Which words to replace, most important first: those whose absence changes the reading most."""
        places = [
            place
            for place, (start, end) in enumerate(spans)
            if end - start >= SHORTEST_WORD and text[start:end].lower() not in STOP_WORDS
        ]
        without = self._read([text[: spans[place][0]] + text[spans[place][1] :] for place in places])
        columns = self._reader.config.labels
        before, label = clean.probabilities[0], columns.index(self._label(clean, 0))
        importance = []
        for row in range(len(places)):
            after, other = without.probabilities[row], columns.index(self._label(without, row))
            lost = float(before[label] - after[label])
            gained = float(after[other] - before[other]) if other != label else 0.0
            importance.append(lost + gained)
        return [places[row] for row in sorted(range(len(places)), key=lambda row: -importance[row])]

    def _candidates(self, word: str) -> list[str]:
        """Words to put in a word's place, in its case."""
        low = word.lower()
        nearest = self._table.nearest(low)
        new = [known for known in (low, *nearest) if known not in self._valences]
        if nearest and new:
            valences = self._read(new).vad[:, 0]
            self._valences.update(zip(new, map(float, valences), strict=True))
        fitting = [
            other
            for other in nearest
            if abs(self._valences[other] - self._valences[low]) <= MOST_VALENCE_APART
        ]
        return [_in_case_of(word, other) for other in fitting]

    def _close(
        self, texts: Sequence[str], embedding: Floats
    ) -> list[tuple[int, float, str, NDArray[np.floating[Any]]]]:
        """The texts still close to the first: row, similarity, label and scores of each."""
        if not texts:
            return []
        encoded = self._read(texts)
        similarity = encoded.embeddings @ embedding
        return [
            (row, float(similarity[row]), self._label(encoded, row), encoded.probabilities[row])
            for row in range(len(texts))
            if similarity[row] >= LEAST_TEXT_SIMILARITY
        ]

    def _read(self, texts: Sequence[str]) -> Encoded:
        self._passes += len(texts)
        return self._reader.encode(texts)

    def _label(self, encoded: Encoded, row: int) -> str:
        reading = make_reading(encoded.probabilities[row], encoded.vad[row], self._reader.config)
        return str(reading["label"])


def _embeddings(graph: Path, rows: int) -> NDArray[np.floating[Any]]:
    """The table of floats that a graph looks its tokens up in, scaled as it is used."""
    from nlu_models.emotion.onnx_constants import Constants

    table = Constants(graph).word_embeddings()
    if table is None or len(table) < rows:
        raise WeightError(f"{graph}: no table of {rows} word embeddings was found; export the weight anew")
    return table


def _with_words(text: str, spans: Sequence[tuple[int, int]], words: Sequence[str]) -> str:
    """The text with other words at the places of its own."""
    parts, last = [], 0
    for (start, end), word in zip(spans, words, strict=True):
        parts += [text[last:start], word]
        last = end
    return "".join([*parts, text[last:]])


def _ending(word: str) -> str:
    """What shows a word's form; words of unlike form don't fit one another's place."""
    if word.endswith(_NO_PLURALS):
        return ""
    return next((ending for ending in _ENDINGS if word.endswith(ending) and len(word) > len(ending) + 2), "")


def _in_case_of(model: str, word: str) -> str:
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word.capitalize() if model[0].isupper() else word
