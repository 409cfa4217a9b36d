"""The intent of a turn, from character n-grams, words and the sentence embedding.

A linear support vector machine (Fan et al., LIBLINEAR, 2008) on TF-IDF features: words and character
n-grams of what is written in Latin letters, characters of everything else (Chinese has no spaces to
split at), and, where the encoder knows the language, the sentence embedding. Its margins become
probabilities by a softmax whose temperature is fitted on held-out folds (Guo et al., ICML 2017).
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from nlu_models.errors import InputError, WeightError

Floats = NDArray[np.floating[Any]]

EMBEDDING_SCALE = 2.0  # against n-gram features of length 1; chosen by cross-validation
REGULARISATION_C = 1.0
FOLDS = 3  # that the temperature is fitted on
TEMPERATURES = (0.05, 5.0)
FILE_NAME = "intents.joblib"
# What reading a truncated or foreign pickle raises.
DAMAGED = (
    *(OSError, EOFError, pickle.UnpicklingError, ImportError),
    *(LookupError, TypeError, ValueError, AttributeError),
)
MAX_CHARS = 2000  # of a text that are looked at; a longer one tells its intent before that

_LATIN = r"[a-zA-Z']+|[?!]"
_GAP = re.compile(r"[\s，。！？、…~,.!?\"“”‘’：:；;()（）]+")


class IntentModel:
    """A trained intent classifier.

    Attributes:
        intents: the names it tells apart, in the order of its probabilities.
    """

    def __init__(self, vectorizers: list[TfidfVectorizer], machine: LinearSVC, temperature: float) -> None:
        self._vectorizers = vectorizers
        self._machine = machine
        self._temperature = temperature
        self.intents: list[str] = [str(name) for name in machine.classes_]

    @classmethod
    def fit(
        cls, texts: Sequence[str], embeddings: Floats, intents: Sequence[str], seed: int = 0
    ) -> IntentModel:
        """Learns from labelled texts.

        Args:
            texts: the examples.
            embeddings: (texts, width) float32; rows of zeros where the encoder doesn't know the language.
            intents: the intent of each text; at least two different ones.
            seed: of the folds.

        Raises:
            InputError: the lengths differ or there are fewer than two intents.
        """
        if not len(texts) == len(embeddings) == len(intents):
            raise InputError(
                f"{len(texts)} texts, {len(embeddings)} embeddings and {len(intents)} intents don't match"
            )
        if len(set(intents)) < 2:
            raise InputError("an intent classifier needs examples of at least two intents")
        texts = [clean(text) for text in texts]
        vectorizers = _new_vectorizers()
        for vectorizer in vectorizers:
            vectorizer.fit(texts)
        features = _features(vectorizers, texts, embeddings)
        labels = np.asarray(intents)
        machine = _new_machine(seed).fit(features, labels)
        return cls(vectorizers, machine, _fit_temperature(features, labels, seed))

    def predict(self, texts: Sequence[str], embeddings: Floats) -> Floats:
        """The probability of each intent: (texts, intents), rows summing to 1."""
        features = _features(self._vectorizers, [clean(text) for text in texts], embeddings)
        return _softmax(_margins(self._machine, features) / self._temperature)

    def save(self, folder: Path) -> None:
        """Writes the model into a folder."""
        joblib.dump((self._vectorizers, self._machine, self._temperature), folder / FILE_NAME, compress=3)

    @classmethod
    def load(cls, folder: Path) -> IntentModel:
        """The model that `save` wrote.

        Raises:
            WeightError: the file is missing or of another form.
        """
        try:
            return cls(*joblib.load(folder / FILE_NAME))
        except DAMAGED as error:
            raise WeightError(f"{folder / FILE_NAME} holds no intent model: {error!r}") from error


def clean(text: str) -> str:
    """A text as the classifier sees it: lower case, without quote variants, not endless."""
    return text[:MAX_CHARS].lower().replace("’", "'")


def _outside_latin(text: str) -> str:
    kept = "".join(char for char in _GAP.sub(" ", text) if char == " " or not char.isascii())
    kept = " ".join(kept.split())
    return f"^{kept}$" if kept else ""


def _latin(text: str) -> str:
    return " ".join(re.findall(_LATIN, text))


def _new_vectorizers() -> list[TfidfVectorizer]:
    return [
        TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, preprocessor=_outside_latin),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, preprocessor=_latin),
        TfidfVectorizer(analyzer="word", ngram_range=(1, 2), sublinear_tf=True, token_pattern=_LATIN),
    ]


def _new_machine(seed: int) -> LinearSVC:
    return LinearSVC(C=REGULARISATION_C, random_state=seed)


def _features(
    vectorizers: Sequence[TfidfVectorizer], texts: Sequence[str], embeddings: Floats
) -> scipy.sparse.csr_matrix:
    parts = [vectorizer.transform(texts) for vectorizer in vectorizers]
    parts.append(scipy.sparse.csr_matrix(np.asarray(embeddings) * EMBEDDING_SCALE))
    return scipy.sparse.hstack(parts).tocsr()


def _margins(machine: LinearSVC, features: scipy.sparse.csr_matrix) -> Floats:
    margins = machine.decision_function(features)
    return np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins


def _fit_temperature(features: scipy.sparse.csr_matrix, labels: NDArray[Any], seed: int) -> float:
    """The temperature with the least negative log-likelihood on folds the machine hasn't seen."""
    smallest = min(np.unique(labels, return_counts=True)[1])
    if smallest < FOLDS:
        return 1.0
    names = np.unique(labels)
    held_out = np.zeros((len(labels), len(names)))
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(labels, labels):
        machine = _new_machine(seed).fit(features[train], labels[train])
        held_out[test] = _margins(machine, features[test])
    truth = np.searchsorted(names, labels)

    def loss(temperature: float) -> float:
        chosen = _softmax(held_out / temperature)[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(chosen, 1e-12)).mean())

    return float(minimize_scalar(loss, bounds=TEMPERATURES, method="bounded").x)


def _softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = raised / raised.sum(axis=1, keepdims=True)
    return probabilities
