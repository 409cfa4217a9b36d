"""Ranks guidance entries by how close what a person said is to each.

An entry is as close as its closest cue, its cues on average, the answer itself, and its topic are, since
a message rarely repeats a cue but usually shares the talk around it. English is compared by meaning (the
encoder's sentence embedding) with a little of its letters (hashed n-grams); Chinese, which the shipped
encoder can't read, by n-grams alone. Embeddings lie in a FAISS inner-product index, n-grams in a sparse
matrix. The constants below were
chosen with `python -m nlu_models.retrieval.evaluate`, which says what they reach.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from nlu_models.errors import WeightError
from nlu_models.retrieval.library import LANGUAGES, Library
from nlu_models.retrieval.ngrams import DIMENSIONS, NgramVectors

Floats = NDArray[np.float32]
Places = NDArray[np.int64]
Embed = Callable[[Sequence[str]], Floats]

FORMAT = 3
BELOW_ANY_SCORE = -2.0  # inner products of vectors of length 1 lie in [-1, 1]
META_FILE = "guidance.json"

# A similarity under this means that nothing in the library fits.
MATCH_THRESHOLD = 0.4
EMBEDDING_SHARE = 0.9  # of an English score; the rest comes from n-grams
NEAR_COPY = 0.7  # a cue at least this close decides alone, whatever the other cues are about


@dataclass(frozen=True)
class Scale:
    """How raw scores of one kind become similarities.

    Attributes:
        weights: of the closest cue, the mean cue, the mean cue of the topic, the entry's answer, and the
            mean answer of the topic.
        raw: scores that were measured, rising.
        similarity: what each stands for. The points are placed so that similarities of all kinds are
            exceeded about equally often by cues that were left out.
    """

    weights: tuple[float, ...]
    raw: tuple[float, ...]
    similarity: tuple[float, ...] = (0.0, 0.2, 0.3, MATCH_THRESHOLD, 0.5, 0.62, 0.75, 1.0)


MEANING = Scale((1.0, 1.0, 1.0, 1.0, 1.0), (0.0, 0.114, 0.2, 0.265, 0.345, 0.435, 0.493, 0.626))
LETTERS: Mapping[str, Scale] = {
    "en": Scale((1.0, 1.0, 1.0, 2.0, 2.0), (0.0, 0.09, 0.115, 0.128, 0.15, 0.18, 0.22, 0.34)),
    "zh": Scale((1.0, 1.0, 1.0, 2.0, 2.0), (0.0, 0.055, 0.071, 0.09, 0.119, 0.143, 0.169, 0.36)),
}


@dataclass(frozen=True)
class Structure:
    """Which entry each text belongs to, and which topic each entry.

    Attributes:
        owners: (cues,) index of the entry.
        topics: (entries,) index of the topic.
    """

    owners: Places
    topics: Places

    def combine(self, scores: Floats, weights: Sequence[float], left_out: int | None = None) -> Floats:
        """The raw score of every entry.

        Args:
            scores: (cues + entries,) of every cue, then of every answer.
            weights: as in `Scale`.
            left_out: a cue that is to be ignored.

        Returns:
            (entries,) weighted means.
        """
        n_cues, n_entries = len(self.owners), len(self.topics)
        counts = np.bincount(self.owners, minlength=n_entries).astype(np.float32)
        cues = scores[:n_cues].copy()
        if left_out is not None:
            counts[self.owners[left_out]] -= 1
            cues[left_out] = 0.0
        sums = np.bincount(self.owners, weights=cues, minlength=n_entries)
        closest = np.full(n_entries, -1.0, dtype=np.float32)
        if left_out is not None:
            cues[left_out] = -1.0
        np.maximum.at(closest, self.owners, cues)
        answers = scores[n_cues:]
        entries_of = np.bincount(self.topics)
        topic_cues = np.bincount(self.topics, weights=sums) / np.bincount(self.topics, weights=counts)
        topic_answers = np.bincount(self.topics, weights=answers) / entries_of
        parts = (
            closest,
            sums / np.maximum(counts, 1),
            topic_cues[self.topics],
            answers,
            topic_answers[self.topics],
        )
        total = sum(weight * part for weight, part in zip(weights, parts, strict=True))
        return np.asarray(total / sum(weights), dtype=np.float32)

    def closest(self, scores: Floats) -> Floats:
        """(entries,) the score of each entry's closest cue."""
        best = np.zeros(len(self.topics), dtype=np.float32)
        np.maximum.at(best, self.owners, scores[: len(self.owners)])
        return best


@dataclass(frozen=True)
class _Texts:
    """The cues and answers of one language as vectors."""

    structure: Structure
    ngrams: NgramVectors
    ngram_rows: Any  # scipy.sparse.csr_matrix (texts, DIMENSIONS) of float32: some 60 of 4,096 aren't 0
    embedding_index: Any | None  # faiss.IndexFlatIP, where the encoder reads the language


class GuidanceIndex:
    """The library as vectors. Made by `build` or `load`; safe to search from several threads."""

    def __init__(
        self, ids: Sequence[str], strategies: Sequence[str], languages: Mapping[str, _Texts], digest: str
    ) -> None:
        self.ids = tuple(ids)
        self.strategies = tuple(strategies)
        self.digest = digest  # of the library that was indexed
        self._languages = dict(languages)

    @classmethod
    def build(cls, library: Library, embed: Embed | None = None) -> GuidanceIndex:
        """Indexes a library.

        Args:
            library: what to index.
            embed: English texts to unit vectors (texts, width); None to do without embeddings.
        """
        languages = {}
        for language in LANGUAGES:
            structure, texts = texts_of(library, language)
            ngrams = NgramVectors.fit(language, texts)
            embedding_index = None
            if embed is not None and language == "en":
                embeddings = np.asarray(embed(texts), dtype=np.float32)
                if embeddings.any():
                    embedding_index = _flat_index(embeddings)
            ngram_rows = scipy.sparse.csr_matrix(ngrams.vectors(texts))
            languages[language] = _Texts(structure, ngrams, ngram_rows, embedding_index)
        strategies = [entry.strategy for entry in library.entries.values()]
        return cls(list(library.entries), strategies, languages, library.digest)

    def search(
        self, text: str, embedding: Floats | None, language: str, per_strategy: int = 5
    ) -> dict[str, float]:
        """The entries that are closest to a text.

        Args:
            text: what the person said.
            embedding: (width,) of the text, of length 1; None or zeros to go by n-grams alone.
            language: of the text; nothing is found for one that the library lacks.
            per_strategy: at most this many entries of each strategy.

        Returns:
            Entry id to similarity in [0, 1], closest first. Under `MATCH_THRESHOLD` nothing fits.
        """
        similarities = self.similarities(text, embedding, language)
        if similarities is None:
            return {}
        found: dict[str, float] = {}
        taken: dict[str, int] = {}
        for entry in np.argsort(-similarities, kind="stable"):
            strategy = self.strategies[entry]
            if similarities[entry] <= 0.0 or taken.get(strategy, 0) >= per_strategy:
                continue
            taken[strategy] = taken.get(strategy, 0) + 1
            found[self.ids[entry]] = round(float(similarities[entry]), 4)
        return found

    def similarities(self, text: str, embedding: Floats | None, language: str) -> Floats | None:
        """The similarity of every entry, (entries,) in [0, 1]; None for a language that isn't indexed."""
        texts = self._languages.get(language)
        if texts is None:
            return None
        vector = texts.ngrams.vectors([text])[0]
        has_meaning = texts.embedding_index is not None and embedding is not None and bool(np.any(embedding))
        if not has_meaning and not vector.any():
            return np.zeros(len(self.ids), dtype=np.float32)
        scores = texts.ngram_rows @ vector
        scale = LETTERS[language]
        if has_meaning:
            scale = MEANING
            close = _scores(texts.embedding_index, np.asarray(embedding, dtype=np.float32))
            scores = EMBEDDING_SHARE * close + (1.0 - EMBEDDING_SHARE) * scores
        raw = texts.structure.combine(scores, scale.weights)
        similarities = np.interp(raw, scale.raw, scale.similarity)
        closest = texts.structure.closest(scores)
        return np.clip(
            np.where(closest >= NEAR_COPY, np.maximum(similarities, closest), similarities), 0.0, 1.0
        ).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Writes the index into a folder, which is made if need be."""
        import faiss

        folder.mkdir(parents=True, exist_ok=True)
        meta: dict[str, Any] = {
            "format": FORMAT,
            "digest": self.digest,
            "ids": self.ids,
            "strategies": self.strategies,
            "owners": {},
            "topics": [],
            "embedded": [],
        }
        for language, texts in self._languages.items():
            meta["owners"][language] = texts.structure.owners.tolist()
            meta["topics"] = texts.structure.topics.tolist()
            np.save(folder / f"{language}-weights.npy", texts.ngrams.weights)
            scipy.sparse.save_npz(folder / f"{language}-ngrams.npz", texts.ngram_rows)
            if texts.embedding_index is not None:
                meta["embedded"].append(language)
                faiss.write_index(texts.embedding_index, str(folder / f"{language}-embeddings.faiss"))
        (folder / META_FILE).write_text(json.dumps(meta), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> GuidanceIndex:
        """The index that `save` wrote.

        Raises:
            WeightError: a file is missing, damaged or of another format.
        """
        import faiss

        try:
            meta = json.loads((folder / META_FILE).read_text(encoding="utf-8"))
            if meta["format"] != FORMAT:
                raise WeightError(
                    f"{folder} has index format {meta['format']}, expected {FORMAT}; train anew"
                )
            languages = {}
            for language, owners in meta["owners"].items():
                weights = np.load(folder / f"{language}-weights.npy")
                if weights.shape != (DIMENSIONS,):
                    raise WeightError(
                        f"{folder} has n-gram weights {weights.shape}, expected ({DIMENSIONS},)"
                    )
                embedding_index = None
                if language in meta["embedded"]:
                    embedding_index = faiss.read_index(str(folder / f"{language}-embeddings.faiss"))
                languages[language] = _Texts(
                    Structure(np.array(owners, dtype=np.int64), np.array(meta["topics"], dtype=np.int64)),
                    NgramVectors(language, weights),
                    scipy.sparse.load_npz(folder / f"{language}-ngrams.npz"),
                    embedding_index,
                )
            return cls(meta["ids"], meta["strategies"], languages, meta["digest"])
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile) as error:
            raise WeightError(f"{folder} holds no usable guidance index: {error}") from error


def texts_of(library: Library, language: str) -> tuple[Structure, list[str]]:
    """The texts of a language, every cue and then every answer, and how they belong together."""
    entries = list(library.entries.values())
    cues = [(owner, cue) for owner, entry in enumerate(entries) for cue in entry.cues[language]]
    names = sorted({entry.topic for entry in entries})
    structure = Structure(
        np.array([owner for owner, _ in cues], dtype=np.int64),
        np.array([names.index(entry.topic) for entry in entries], dtype=np.int64),
    )
    return structure, [cue for _, cue in cues] + [entry.text[language] for entry in entries]


def _flat_index(vectors: Floats) -> Any:
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors, dtype=np.float32))
    return index


def _scores(index: Any, vector: Floats) -> Floats:
    """The inner product of a vector with every row of an index, in the order of the rows."""
    # Every row is wanted, so nothing is gained by the ordering that a search for the nearest does.
    _, products, rows = index.range_search(vector[None, :], BELOW_ANY_SCORE)
    scores = np.zeros(index.ntotal, dtype=np.float32)
    scores[rows] = products
    return scores
