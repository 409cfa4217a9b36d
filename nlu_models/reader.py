"""Reads a turn: its language, emotion, danger and embedding, from one encoder pass.

This is what the NLU component, `attune annotate` and the benchmarks call. It needs onnxruntime and
tokenizers only. Without usable weights it goes on in degraded mode: languages and danger are still read,
emotions come back neutral, with confidence 0 and marked as degraded. Danger is read whatever else fails.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion.infer import EmotionEncoder, Encoded
from nlu_models.emotion.reading import NO_MODEL, make_readings, unread
from nlu_models.emotion.weights import WeightConfig
from nlu_models.emotion.wording import normalize_wording
from nlu_models.errors import WeightError
from nlu_models.language import UNKNOWN, detect
from nlu_models.risk.words import RiskWords

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_WEIGHTS = ROOT / "nlu_models" / "weights" / "emotion-en"
RISK_FOLDER = ROOT / "data" / "risk"
EMBEDDING_WIDTH = 384  # of a degraded reader's zeros

Made = TypeVar("Made")


@dataclass(frozen=True)
class TurnReading:
    """What was read from one text.

    Attributes:
        language: ISO 639-1 code, or "und".
        emotion: as in `docs/contracts.md`.
        risk: as in `docs/contracts.md`.
        embedding: (width,) float32 of length 1; zeros when the language isn't the weight's or the
            reader is degraded.
    """

    language: str
    emotion: dict[str, Any]
    risk: dict[str, Any]
    embedding: NDArray[np.float32]


class TurnReader:
    """Reads turns; several threads may use one at once.

    Args:
        weights: a weight folder; the shipped English one by default.
        risk: folder of the risk phrases; the shipped one by default.
        threads: how many cores one encoder pass may use; by default two, or one on a single core.
        device: "cpu"; "cuda", where this onnxruntime has it; or "auto", the latter if there.

    Raises:
        InputError: there is no such device here.
        DataError: the risk phrases are missing or malformed: without them nothing may be answered.
    """

    def __init__(
        self,
        weights: Path = DEFAULT_WEIGHTS,
        risk: Path = RISK_FOLDER,
        threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        self._risk = RiskWords(risk)
        self._encoder: EmotionEncoder | None = None
        try:
            self._encoder = EmotionEncoder(weights, threads, device)
        except WeightError as error:
            logger.error("emotion_weights_unusable degraded=true reason=%s", error)

    @property
    def is_degraded(self) -> bool:
        """Whether emotions can't be read, since the weights can't be used."""
        return self._encoder is None

    @property
    def model(self) -> str:
        """The weight that reads emotions, "<name>@<version>", or "none"."""
        return self._encoder.config.model if self._encoder else NO_MODEL

    @property
    def embedding_width(self) -> int:
        """How long embeddings are."""
        return self._encoder.config.embedding_width if self._encoder else EMBEDDING_WIDTH

    def read(self, texts: Sequence[str]) -> list[TurnReading]:
        """Reads texts of any length and language, in order; those the weight knows in one pass."""
        languages = [_language_of(text) for text in texts]
        known = self._encoder.config.languages if self._encoder else ()
        readable = [row for row, language in enumerate(languages) if language in known]
        made = self._made_of([texts[row] for row in readable], _emotions)
        read = dict(zip(readable, made, strict=True)) if made is not None else {}
        readings = []
        for row, text in enumerate(texts):
            language = languages[row]
            if row in read:
                emotion, embedding = read[row]
            else:
                is_failed = self.is_degraded or language is None or language in known
                emotion = unread(self.model, degraded=is_failed)
                embedding = np.zeros(self.embedding_width, dtype=np.float32)
            readings.append(TurnReading(language or UNKNOWN, emotion, self._risk.read(text), embedding))
        return readings

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings (texts, width) whatever the texts' language; zeros when degraded."""
        embeddings = self._made_of(list(texts), lambda encoded, _: encoded.embeddings)
        if embeddings is None:
            return np.zeros((len(texts), self.embedding_width), dtype=np.float32)
        return embeddings

    def _made_of(self, texts: list[str], make: Callable[[Encoded, WeightConfig], Made]) -> Made | None:
        """What is made of one encoder pass; None without an encoder, or when any of it failed."""
        if self._encoder is None or not texts:
            return None
        try:
            return make(self._encoder.encode(texts), self._encoder.config)
        except Exception as error:  # onnxruntime's errors share no other base class
            # Not its repr, which could quote a text.
            logger.error("encoder_pass_failed degraded=true kind=%s reason=%s", type(error).__name__, error)
            return None


def _emotions(encoded: Encoded, config: WeightConfig) -> list[tuple[dict[str, Any], NDArray[np.float32]]]:
    """The emotion and the embedding of each text of a pass."""
    return list(
        zip(make_readings(encoded.probabilities, encoded.vad, config), encoded.embeddings, strict=True)
    )


def _language_of(text: str) -> str | None:
    """The language of a text, or None when telling it failed, which must not keep danger from being read."""
    try:
        # Disguised letters are undone first: English in Cyrillic look-alikes would count as Russian.
        return detect(normalize_wording(text))
    except Exception as error:
        # Only its kind: what it says could quote the text.
        logger.error("language_unknown degraded=true kind=%s", type(error).__name__)
        return None
