"""Ranks guidance entries by how close what a person said is to the cues of each.

English is compared by meaning (the encoder's sentence embedding) and by letters (hashed n-grams) at once;
Chinese, which the shipped encoder can't read, by n-grams alone. Vectors lie in FAISS inner-product
indexes; an entry is as close as its closest cue. Measured by `python -m nlu_models.retrieval.evaluate`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.errors import WeightError
from nlu_models.retrieval.library import Library
from nlu_models.retrieval.ngrams import DIMENSIONS, NgramVectors

Floats = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Floats]

FORMAT = 1
META_FILE = "guidance.json"

# A similarity under this means that nothing in the library fits.
MATCH_THRESHOLD = 0.4
EMBEDDING_SHARE = 0.6  # of an English similarity; the rest comes from n-grams

# What the raw similarity is at the point where nothing fits any more, by how it was computed. The three
# are differently spread, so each is scaled for `MATCH_THRESHOLD` to mean the same.
RAW_THRESHOLD: Mapping[str, float] = {"blend": 0.4, "en": 0.2, "zh": 0.2}


@dataclass(frozen=True)
class _Cues:
    """The cues of one language: the entry each belongs to, and their vectors."""

    owners: NDArray[np.int64]  # (cues,) index of the entry
    ngrams: NgramVectors
    ngram_index: Any  # faiss.IndexFlatIP
    embedding_index: Any | None  # faiss.IndexFlatIP, where the encoder reads the language


class GuidanceIndex:
    """The library's cues as vectors. Made by `build` or `load`; safe to search from several threads."""

    def __init__(
        self, ids: Sequence[str], strategies: Sequence[str], languages: Mapping[str, _Cues], digest: str
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
        ids = list(library.entries)
        languages = {}
        for language in ("en", "zh"):
            cues = [
                (owner, cue)
                for owner, entry in enumerate(library.entries.values())
                for cue in entry.cues[language]
            ]
            texts = [cue for _, cue in cues]
            ngrams = NgramVectors.fit(language, texts)
            embedding_index = None
            if embed is not None and language == "en":
                embeddings = np.asarray(embed(texts), dtype=np.float32)
                if embeddings.any():
                    embedding_index = _flat_index(embeddings)
            owners = np.array([owner for owner, _ in cues], dtype=np.int64)
            languages[language] = _Cues(owners, ngrams, _flat_index(ngrams.vectors(texts)), embedding_index)
        strategies = [entry.strategy for entry in library.entries.values()]
        return cls(ids, strategies, languages, library.digest)

    def search(
        self, text: str, embedding: Floats | None, language: str, per_strategy: int = 5
    ) -> dict[str, float]:
        """The entries whose cues are closest to a text.

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
        cues = self._languages.get(language)
        if cues is None:
            return None
        raw = _scores(cues.ngram_index, cues.ngrams.vectors([text])[0])
        mode = language
        if cues.embedding_index is not None and embedding is not None and np.any(embedding):
            mode = "blend"
            close = _scores(cues.embedding_index, np.asarray(embedding, dtype=np.float32))
            raw = EMBEDDING_SHARE * close + (1.0 - EMBEDDING_SHARE) * raw
        best = np.zeros(len(self.ids), dtype=np.float32)
        np.maximum.at(best, cues.owners, raw)
        scaled: Floats = np.clip(best * (MATCH_THRESHOLD / RAW_THRESHOLD[mode]), 0.0, 1.0)
        return scaled

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
            "embedded": [],
        }
        for language, cues in self._languages.items():
            meta["owners"][language] = cues.owners.tolist()
            np.save(folder / f"{language}-weights.npy", cues.ngrams.weights)
            faiss.write_index(cues.ngram_index, str(folder / f"{language}-ngrams.faiss"))
            if cues.embedding_index is not None:
                meta["embedded"].append(language)
                faiss.write_index(cues.embedding_index, str(folder / f"{language}-embeddings.faiss"))
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
                languages[language] = _Cues(
                    np.array(owners, dtype=np.int64),
                    NgramVectors(language, weights),
                    faiss.read_index(str(folder / f"{language}-ngrams.faiss")),
                    embedding_index,
                )
            return cls(meta["ids"], meta["strategies"], languages, meta["digest"])
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise WeightError(f"{folder} holds no usable guidance index: {error}") from error


def _flat_index(vectors: Floats) -> Any:
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors, dtype=np.float32))
    return index


def _scores(index: Any, vector: Floats) -> Floats:
    """The inner product of a vector with every row of an index, in the order of the rows."""
    products, rows = index.search(vector[None, :], index.ntotal)
    scores = np.zeros(index.ntotal, dtype=np.float32)
    scores[rows[0]] = products[0]
    return scores
