"""Joins what the reviewed patterns found with what the model makes of the same text.

The patterns decide, the model adds. It may raise any level; it may lower one thing only, a concern it is
sure is none. What the patterns read as high or crisis stays so whatever the model says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nlu_models.risk.model import Scores, Thresholds
from nlu_models.risk.words import CONCERN, KINDS, LEVEL_SCORE, MAX_EVIDENCE, NONE

HIGH = "high"
CRISIS = "crisis"
MAX_EVIDENCE_CHARS = 200  # of a sentence that is quoted


def join(read: Mapping[str, Any], scores: Scores, limits: Thresholds) -> dict[str, Any]:
    """The risk reading that the patterns and the model come to together.

    Args:
        read: of the patterns, as in `docs/contracts.md`.
        scores: of the model, for the same text.
        limits: of the text's language.

    Returns:
        A reading in the same form; where the model changed it, the sentence that did so is in its evidence.
    """
    level = read["level"]
    if level == CRISIS:
        return dict(read)
    if scores.danger >= limits.high and scores.crisis >= limits.crisis:
        return _raised(read, scores, limits, CRISIS)
    if level == HIGH:
        return dict(read)
    if scores.danger >= limits.high:
        return _raised(read, scores, limits, HIGH)
    if level == NONE and scores.flagged >= limits.concern:
        return _raised(read, scores, limits, CONCERN)
    if level == CONCERN and scores.flagged < limits.lower_below:
        return {"level": NONE, "score": LEVEL_SCORE[NONE], "kind": None, "evidence": []}
    return dict(read)


def _raised(read: Mapping[str, Any], scores: Scores, limits: Thresholds, level: str) -> dict[str, Any]:
    """The reading at a higher level, with the model's sentence first and the patterns' words after it."""
    kind = scores.kind
    if read["kind"] is not None and (level == CRISIS or scores.kinds[KINDS.index(kind)] < limits.kind):
        kind = read["kind"]
    evidence = [scores.evidence[:MAX_EVIDENCE_CHARS], *read["evidence"]]
    return {
        "level": level,
        "score": LEVEL_SCORE[level],
        "kind": kind,
        "evidence": [words for words in dict.fromkeys(evidence) if words][:MAX_EVIDENCE],
    }
