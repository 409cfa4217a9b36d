"""Reads danger with all there is: the reviewed patterns always, the model where it can be used.

Whatever fails of the model (no weights, a damaged file, an encoder it was not fitted on, an error in a
pass), the patterns' reading stands. That is said once in the log when the reader is made.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nlu_models.errors import WeightError
from nlu_models.risk.features import Floats
from nlu_models.risk.join import join
from nlu_models.risk.model import DANGER, Linear, RiskModel, Scores, scores_of
from nlu_models.risk.sentences import MAX_CHARS, sentences, windows
from nlu_models.risk.words import RiskWords
from nlu_models.text import normalize

logger = logging.getLogger(__name__)

ENGLISH = "en"
NO_MODEL = "none"


class RiskReader:
    """Reads danger; several threads may use one at once.

    Args:
        phrases: folder of the reviewed patterns; `data/risk`.
        weights: folder of the model; None for patterns alone.
        encoder: the `model.onnx` that embeddings come from; None where there is no encoder.

    Raises:
        DataError: the patterns are missing or malformed: without them nothing may be answered.
    """

    def __init__(self, phrases: Path, weights: Path | None, encoder: Path | None) -> None:
        self._words = RiskWords(phrases)
        self._model: RiskModel | None = None
        self._layers: dict[str, Linear] = {}
        if weights is not None:
            self._load(weights, encoder)

    @classmethod
    def of(cls, words: RiskWords, model: RiskModel) -> RiskReader:
        """A reader of these very parts, whatever encoder the columns will come from."""
        reader = cls.__new__(cls)
        reader._words = words
        reader._model = model
        reader._layers = dict(model.layers)
        return reader

    @property
    def model(self) -> str:
        """The weight that adds to the patterns, "<name>@<version>", or "none"."""
        return f"{self._model.name}@{self._model.version}" if self._model and self._layers else NO_MODEL

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages in which the model can be used."""
        return tuple(sorted(self._layers))

    def parts(self, plain: str, language: str | None) -> list[str]:
        """The parts of a text that the encoder has to read besides the whole; none of a short one."""
        if language != ENGLISH or ENGLISH not in self._layers:
            return []
        found = windows(plain)
        return found if len(found) > 1 else []

    def patterns(self, text: str) -> dict[str, Any]:
        """The reading by the reviewed patterns alone."""
        return self._words.read(text)

    def read(
        self, text: str, plain: str, language: str | None, columns: Floats | None = None
    ) -> dict[str, Any]:
        """The risk reading of a text, as in `docs/contracts.md`.

        Args:
            text: as it was written, of any length.
            plain: in plain words (`normalize_wording`).
            language: ISO 639-1 code; None where it couldn't be told.
            columns: (1 + parts, width): what the encoder made of the whole text and then of each of its
                `parts`, as `encoder_columns` gives it; None where it wasn't read.
        """
        read = self._words.read(text)
        try:
            scores = self.scores(plain, language, columns)
            if scores is None or self._model is None or language is None:
                return read
            return join(read, scores, self._model.thresholds[language])
        except Exception as error:
            # Only its kind: what it says could quote the text. The patterns' reading stands.
            logger.error("risk_model_failed degraded=true kind=%s", type(error).__name__)
            return read

    def scores(self, plain: str, language: str | None, columns: Floats | None = None) -> Scores | None:
        """What the model makes of a text; None where it can't read it. Arguments as of `read`."""
        layer = self._layers.get(language or "")
        if layer is None or language is None or not plain.strip():
            return None
        if language == ENGLISH and columns is None:
            return None
        is_english = language == ENGLISH
        parts = [plain[:MAX_CHARS], *self.parts(plain, language)] if is_english else windows(plain)
        if columns is not None and len(columns) != len(parts):
            raise ValueError(f"{len(columns)} rows of columns for {len(parts)} parts")
        logits = [
            layer.logits(part, language, columns[row] if columns is not None else None)
            for row, part in enumerate(parts)
        ]
        best = max(range(len(parts)), key=lambda row: float(logits[row][DANGER]))
        found = scores_of(logits[best])
        limits = self._model.thresholds[language] if self._model else None
        if limits is None or (found.danger < limits.high and found.flagged < limits.concern):
            return found
        return scores_of(logits[best], _decisive(layer, parts[best], language))

    def _load(self, weights: Path, encoder: Path | None) -> None:
        """Loads the model as far as it can be used, and says so where it can't."""
        try:
            self._model = RiskModel.load(weights)
            self._layers = dict(self._model.layers)
            if encoder is None:
                self._layers.pop(ENGLISH, None)  # whoever found no encoder has said so
            elif ENGLISH in self._layers:
                check_encoder(self._model, encoder)
        except WeightError as error:
            self._layers.pop(ENGLISH, None)
            logger.warning(
                "risk_model_unusable degraded=true languages_left=%s reason=%s",
                ",".join(sorted(self._layers)) or "none",
                error,
            )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        WeightError: it can't be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise WeightError(f"{path} can't be read: {error.strerror}") from error


def check_encoder(model: RiskModel, encoder: Path) -> None:
    """Refuses embeddings of an encoder that the English layer has never seen.

    Raises:
        WeightError: it is another one.
    """
    found = file_sha256(encoder)
    if found != model.encoder_sha256:
        raise WeightError(
            f"{encoder} has the SHA-256 {found[:12]}, the danger model was fitted on "
            f"{model.encoder_sha256[:12]}; `attune safety train` fits it anew"
        )


def _decisive(layer: Linear, text: str, language: str) -> str:
    """The sentence whose words speak most for danger, normalised."""
    found: Sequence[str] = sentences(text) or [text]
    if len(found) > 1:
        found = [max(found, key=lambda sentence: layer.gram_danger(sentence, language))]
    return normalize(found[0]).strip()
