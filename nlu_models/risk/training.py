"""Fits the danger model from its sources, in one deterministic go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nlu_models.emotion.infer import EmotionEncoder
from nlu_models.emotion.weights import MODEL_FILE
from nlu_models.errors import DataError
from nlu_models.risk.cases import Case, digest
from nlu_models.risk.encoding import Said, say
from nlu_models.risk.fit import fit_layer
from nlu_models.risk.materials import Row, Sources, describe, everyday, is_held_out, read_rows
from nlu_models.risk.model import RiskModel, Scores, Thresholds
from nlu_models.risk.reader import RiskReader, file_sha256
from nlu_models.risk.thresholds import choose
from nlu_models.risk.words import RiskWords

NAME = "risk"
LANGUAGES = ("en", "zh")
ENCODER_LANGUAGE = "en"
UNTUNED = Thresholds(lower_below=0.0, concern=0.0, high=0.0, crisis=0.0, kind=0.5)


@dataclass(frozen=True)
class Trained:
    """A fitted model and what is known of it.

    Attributes:
        model: with its thresholds chosen.
        metrics: rows per source, held-out measures per output, thresholds, hashes of the data.
    """

    model: RiskModel
    metrics: dict[str, Any]


def train(
    sources: Sources, phrases: Path, encoder_folder: Path, dev: Sequence[Case], version: str
) -> Trained:
    """Fits and tunes the model.

    Args:
        sources: of the texts.
        phrases: `data/risk`: what the patterns flag is not taken as harmless.
        encoder_folder: weight folder of the encoder whose embeddings English reads.
        dev: the development cases, which thresholds are chosen on.
        version: of the weight.

    Raises:
        DataError: a source is malformed or says too little.
        WeightError: the encoder can't be used.
    """
    words = RiskWords(phrases)
    encoder = EmotionEncoder(encoder_folder)
    rows = read_rows(sources, lambda text: str(words.read(text)["level"]))
    layers, held_out = {}, {}
    for language in LANGUAGES:
        own = [row for row in rows if row.language == language]
        if not own:
            raise DataError(f"there are no texts to learn {language!r} from in {sources.lines}")
        fitted = _fit(own, encoder, language)
        layers[language], held_out[language] = fitted.layer, fitted.held_out
    sha256 = file_sha256(encoder_folder / MODEL_FILE)
    untuned = RiskModel(NAME, version, sha256, layers, dict.fromkeys(LANGUAGES, UNTUNED))
    thresholds = _tuned(untuned, words, encoder, sources, dev)
    model = RiskModel(NAME, version, sha256, layers, thresholds)
    metrics = {
        "model": f"{NAME}@{version}",
        "encoder": encoder.config.model,
        "sources": describe(rows),
        "lines_sha256": digest(sources.lines),
        "held_out_folds": held_out,
    }
    return Trained(model, metrics)


def _fit(rows: Sequence[Row], encoder: EmotionEncoder, language: str) -> Any:
    said = say([row.text for row in rows], encoder, f"reading {language}", whole_only=True)
    if language != ENCODER_LANGUAGE:
        return fit_layer(rows, [one.plain for one in said], None, language)
    usable = [(row, one) for row, one in zip(rows, said, strict=True) if one.columns is not None]
    columns = np.stack([one.columns[0] for _, one in usable if one.columns is not None])
    return fit_layer([row for row, _ in usable], [one.plain for _, one in usable], columns, language)


def _tuned(
    model: RiskModel, words: RiskWords, encoder: EmotionEncoder, sources: Sources, dev: Sequence[Case]
) -> Mapping[str, Thresholds]:
    """The thresholds of each language, from the development cases and harmless texts kept out of the fit."""
    reader = RiskReader.of(words, model)
    found = {}
    harmless = [text for text in everyday(sources) if is_held_out(text[0])]
    for language in LANGUAGES:
        cases = [case for case in dev if case.language == language and not case.before]
        if not cases:
            raise DataError(f"there are no development cases in {language!r} to choose thresholds on")
        kept = [text for text, of, _ in harmless if of == language]
        said = say([*(case.text for case in cases), *kept], encoder, f"tuning {language}")
        scored = [(words.read(one.text), _scores(reader, one)) for one in said]
        own = [(case, *pair) for case, pair in zip(cases, scored, strict=False) if pair[1] is not None]
        found[language] = choose(
            [case for case, _, _ in own],
            [read for _, read, _ in own],
            [scores for _, _, scores in own if scores is not None],
            [(read, scores) for read, scores in scored[len(cases) :] if scores is not None],
        )
    return found


def _scores(reader: RiskReader, said: Said) -> Scores | None:
    return reader.scores(said.plain, said.language, said.columns)
