"""Judges the danger reading: patterns alone, the model alone, and both joined, on the same texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlu_models.emotion.data import read_goemotions
from nlu_models.emotion.infer import EmotionEncoder
from nlu_models.errors import DataError
from nlu_models.risk.cases import Case
from nlu_models.risk.encoding import Said, say
from nlu_models.risk.join import join
from nlu_models.risk.materials import is_held_out, own_talk, read_bitext
from nlu_models.risk.measures import calibration, everyday_figures, figures
from nlu_models.risk.model import RiskModel, Scores
from nlu_models.risk.reader import RiskReader
from nlu_models.risk.words import LEVEL_SCORE, NONE, RiskWords

PATTERNS, MODEL, JOINED = "patterns", "model", "joined"
VARIANTS = (PATTERNS, MODEL, JOINED)
NOTHING: Mapping[str, Any] = {"level": NONE, "score": LEVEL_SCORE[NONE], "kind": None, "evidence": []}

Reading = dict[str, Any]
# Readings of a person's turns, oldest first, with their emotions: how the last one is read in their light.
InConversation = Callable[[Sequence[tuple[str, Reading, dict[str, Any] | None]]], Reading]


@dataclass(frozen=True)
class Judged:
    """One text by every variant.

    Attributes:
        readings: variant to risk reading.
        scores: of the model; None where it doesn't read the text.
        emotion: as in `docs/contracts.md`; None likewise.
    """

    readings: Mapping[str, Reading]
    scores: Scores | None
    emotion: dict[str, Any] | None


class Judge:
    """Reads texts by every variant.

    Args:
        phrases: folder of the reviewed patterns.
        weights: folder of the model.
        encoder: weight folder of the encoder.

    Raises:
        DataError: the patterns can't be used.
        WeightError: the model or the encoder can't be used, or don't belong together.
    """

    def __init__(self, phrases: Path, weights: Path, encoder: Path) -> None:
        from nlu_models.emotion.weights import MODEL_FILE
        from nlu_models.risk.reader import check_encoder

        self.model = RiskModel.load(weights)
        check_encoder(self.model, encoder / MODEL_FILE)
        self._words = RiskWords(phrases)
        self._encoder = EmotionEncoder(encoder)
        self._reader = RiskReader.of(self._words, self.model)

    def judge(self, texts: Sequence[str], title: str) -> list[Judged]:
        """The texts by every variant, in order."""
        return [self._one(said) for said in say(texts, self._encoder, title)]

    def _one(self, said: Said) -> Judged:
        read = self._words.read(said.text)
        scores = self._reader.scores(said.plain, said.language, said.columns)
        if scores is None:
            return Judged({PATTERNS: read, MODEL: dict(NOTHING), JOINED: read}, None, said.emotion)
        limits = self.model.thresholds[said.language]
        readings = {PATTERNS: read, MODEL: join(NOTHING, scores, limits), JOINED: join(read, scores, limits)}
        return Judged(readings, scores, said.emotion)


def judge_cases(judge: Judge, cases: Sequence[Case], in_conversation: InConversation) -> dict[str, Any]:
    """The measures of every variant over cases; the conversation is read the same way for all.

    Args:
        judge: reads the texts.
        cases: to be judged on.
        in_conversation: reads the last of a person's turns in the light of the others.
    """
    turns = [text for case in cases for text in (*case.before, case.text)]
    judged = iter(judge.judge(turns, "cases"))
    told = [[next(judged) for _ in (*case.before, case.text)] for case in cases]
    report: dict[str, Any] = {"variants": {}}
    readings = {
        variant: [
            in_conversation(_turns(case, turns_of, variant))
            for case, turns_of in zip(cases, told, strict=True)
        ]
        for variant in VARIANTS
    }
    for variant in VARIANTS:
        report["variants"][variant] = figures(cases, readings[variant])
    lasting = [row for row, case in enumerate(cases) if case.before]
    if lasting:
        alone = [told[row][-1].readings[JOINED] for row in lasting]
        report["multi_turn_text_alone"] = figures([cases[row] for row in lasting], alone)["overall"]
    scored = [
        (turns_of[-1].scores, case)
        for case, turns_of in zip(cases, told, strict=True)
        if turns_of[-1].scores is not None and not case.before
    ]
    report["calibration"] = {
        language: calibration(
            [scores.danger for scores, case in scored if scores is not None and case.language == language],
            [case.is_danger for _, case in scored if case.language == language],
        )
        for language in sorted({case.language for case in cases})
    }
    report["mistakes"] = [
        {**_shown(case), "read": readings[JOINED][row]}
        for row, case in enumerate(cases)
        if (readings[JOINED][row]["level"] in ("high", "crisis")) != case.is_danger
    ]
    return report


def judge_everyday(judge: Judge, corpora: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """How often every variant raises an alarm on everyday talk: corpus to variant to measures."""
    found = {}
    for name, texts in corpora.items():
        judged = judge.judge(texts, name)
        found[name] = {
            variant: everyday_figures([one.readings[variant] for one in judged]) for variant in VARIANTS
        }
    return found


def everyday_corpora(
    goemotions: Path | None, clinc: Path | None, bitext: Path | None, nlu: Path, guidance: Path
) -> dict[str, list[str]]:
    """Everyday talk that the model was not fitted on, by name; of the collections that are there.

    Raises:
        DataError: a file is missing or malformed.
    """
    found: dict[str, list[str]] = {}
    if goemotions is not None:
        found["goemotions dev"] = [row.text for row in read_goemotions(goemotions, "dev")]
    if clinc is not None:
        found["clinc150 test"] = list(_clinc_test(clinc))
    if bitext is not None:
        found["bitext valid"] = read_bitext(bitext / "valid.csv")
    own = [(text, language) for text, language, _ in own_talk(nlu, guidance) if is_held_out(text)]
    for language in sorted({language for _, language in own}):
        found[f"own talk, {language}"] = [text for text, of in own if of == language]
    return found


def _clinc_test(folder: Path) -> Iterator[str]:
    path = folder / "data_full.json"
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))
        for part in ("test", "oos_test"):
            for row in parts[part]:
                yield str(row[0])
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise DataError(f"{path} is not CLINC150's data_full.json: {error!r}") from error


def _turns(
    case: Case, told: Sequence[Judged], variant: str
) -> list[tuple[str, Reading, dict[str, Any] | None]]:
    texts = (*case.before, case.text)
    return [(text, dict(one.readings[variant]), one.emotion) for text, one in zip(texts, told, strict=True)]


def _shown(case: Case) -> dict[str, Any]:
    return {
        "text": case.text,
        "before": list(case.before),
        "language": case.language,
        "wording": case.wording,
        "level": case.level,
        "kind": case.kind,
    }
