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
from nlu_models.emotion.weights import MODEL_FILE, WeightConfig
from nlu_models.emotion.wording import normalize_wording
from nlu_models.errors import WeightError
from nlu_models.language import UNKNOWN, detect
from nlu_models.risk.features import encoder_columns
from nlu_models.risk.reader import RiskReader

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_WEIGHTS = ROOT / "nlu_models" / "weights" / "emotion-en"
RISK_FOLDER = ROOT / "data" / "risk"
RISK_WEIGHTS = ROOT / "nlu_models" / "weights" / "risk"
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
        risk_weights: folder of the model that adds to the risk phrases; the shipped one by default, None
            for phrases alone.

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
        risk_weights: Path | None = RISK_WEIGHTS,
    ) -> None:
        self._encoder: EmotionEncoder | None = None
        try:
            self._encoder = EmotionEncoder(weights, threads, device)
        except WeightError as error:
            logger.error("emotion_weights_unusable degraded=true reason=%s", error)
        self._risk = RiskReader(risk, risk_weights, weights / MODEL_FILE if self._encoder else None)

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
        said = [_said(text) for text in texts]
        known = self._encoder.config.languages if self._encoder else ()
        readable = [row for row, (_, language) in enumerate(said) if language in known]
        parts = [self._parts(*said[row]) for row in readable]
        wanted = [text for row, more in zip(readable, parts, strict=True) for text in (texts[row], *more)]
        sizes = [1 + len(more) for more in parts]
        made = self._made_of(wanted, lambda encoded, config: _read_pass(encoded, config, sizes))
        read = dict(zip(readable, made, strict=True)) if made is not None else {}
        readings = []
        for row, text in enumerate(texts):
            plain, language = said[row]
            columns = None
            if row in read:
                emotion, embedding, columns = read[row]
            else:
                is_failed = self.is_degraded or language is None or language in known
                emotion = unread(self.model, degraded=is_failed)
                embedding = np.zeros(self.embedding_width, dtype=np.float32)
            risk = self._risk.read(text, plain, language, columns)
            readings.append(TurnReading(language or UNKNOWN, emotion, risk, embedding))
        return readings

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings (texts, width) whatever the texts' language; zeros when degraded."""
        embeddings = self._made_of(list(texts), lambda encoded, _: encoded.embeddings)
        if embeddings is None:
            return np.zeros((len(texts), self.embedding_width), dtype=np.float32)
        return embeddings

    def _parts(self, plain: str, language: str | None) -> list[str]:
        """The parts of a long text that are read for danger besides the whole; none where that failed."""
        try:
            return self._risk.parts(plain, language)
        except Exception as error:
            logger.error("risk_parts_failed degraded=true kind=%s", type(error).__name__)
            return []

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


def _read_pass(
    encoded: Encoded, config: WeightConfig, sizes: Sequence[int]
) -> list[tuple[dict[str, Any], NDArray[np.float32], NDArray[np.float32]]]:
    """The emotion, the embedding and the danger model's columns of each text of a pass.

    Args:
        encoded: of each text and then of its parts, text after text.
        config: of the weight.
        sizes: how many rows each text has, itself included.
    """
    ends = np.cumsum(sizes)
    firsts = ends - np.array(sizes)
    emotions = make_readings(encoded.probabilities[firsts], encoded.vad[firsts], config)
    columns = encoder_columns(encoded.probabilities, encoded.vad, encoded.embeddings)
    return [
        (emotion, encoded.embeddings[first], columns[first:end])
        for emotion, first, end in zip(emotions, firsts, ends, strict=True)
    ]


def _said(text: str) -> tuple[str, str | None]:
    """A text in plain words, and its language.

    Where either failed it is the text as it is, and None: that must not keep danger from being read.
    """
    try:
        # Disguised letters are undone first: English in Cyrillic look-alikes would count as Russian.
        plain = normalize_wording(text)
        return plain, detect(plain)
    except Exception as error:
        # Only its kind: what it says could quote the text.
        logger.error("language_unknown degraded=true kind=%s", type(error).__name__)
        return text, None
