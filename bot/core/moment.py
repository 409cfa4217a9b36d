"""A turn and what came before it, as the numbers that the context model weighs.

The same function makes them for serving and for fitting, so that what was learnt is what is used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bot.core.cues import CUES, Cues, cues_of
from bot.core.reading import EmotionReading
from bot.core.state import EmotionState

LEAST_SHARE = 0.02  # of a group before its logarithm is taken
LEAST_ODDS = 0.003  # of a label, and of its absence, before their log-odds are taken
NEUTRAL = "neutral"
FULL_ODDS = 6.0  # log-odds that count as 1
FULL_STREAK = 3  # turns in a row from which a streak counts as long as any
FULL_GAP_S = 86_400.0  # from which a pause counts as long as any

# How strongly the words and the past count for every group alike: each is multiplied with "own",
# "plain" and "before".
GATES = ("always", "filler", "short", "unsure", "praise_short", "repeats")
FORM = tuple(name for name in CUES if name not in ("filler", "clipped"))
# What speaks for or against each group. The form of a turn that says nothing by itself is left out, and
# a full stop after few words counts only after unpleasant turns: neither is a sign of a feeling on its own,
# whatever the conversations fitted on happened to be about.
SIGNS = (
    "bias", *FORM, "angry_before", "negative_before", "level", "paused", "asked", "soothed", "advised",
    "praise_after_anger", "praise_after_negative", "clipped_after_negative", "eases_after_negative",
    "valence", "arousal", "dominance",
)  # fmt: skip
VALENCES = (
    *SIGNS, "before", "last", "own_filler", "before_filler", "own_short", "before_short", "own_unsure",
    "before_unsure", "anger", "disgust", "fear", "joy", "sadness", "surprise",
)  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """A turn and what came before it, as the numbers the model weighs.

    Attributes:
        cues: of the turn's form.
        own: per group, logarithm of the words' own share; all equal when nothing was read.
        plain: per group but neutral, the words' own share as it is: only what is said outright is near 1.
        before: per group, logarithm of its level before; all equal when nothing is known or left of it.
        gates: per name of `GATES`, [0, 1].
        signs: per name of `SIGNS`.
        scores: per label, its own probability; empty when nothing was read.
        hints: per label, the log-odds of its own probability, about [-1, 1]; empty when nothing was read.
        carried: per label, its level before.
        valence: per name of `VALENCES` but for those of the groups.
        is_read: whether the words were read at all.
    """

    cues: Cues
    own: Mapping[str, float]
    plain: Mapping[str, float]
    before: Mapping[str, float]
    gates: Mapping[str, float]
    signs: Mapping[str, float]
    scores: Mapping[str, float]
    hints: Mapping[str, float]
    carried: Mapping[str, float]
    valence: Mapping[str, float]
    is_read: bool


def moment_of(
    groups: Mapping[str, tuple[str, ...]],
    state: EmotionState,
    reading: EmotionReading,
    text: str,
    at: float,
    last_stage: str | None = None,
) -> Moment:
    """The numbers of a turn.

    Args:
        groups: Ekman group to its labels.
        state: of the emotion before this turn.
        reading: of the turn's words alone.
        text: the turn's words.
        at: when it arrived, seconds since 1970 UTC.
        last_stage: Hill's stage of the bot's last answer, if it followed a strategy.
    """
    cues = cues_of(text, state.words)
    past = state.faded(at)
    is_read = not reading.degraded and any(reading.scores.values())
    known = min(sum(past.ekman.values()), 1.0)
    angry = min(state.anger_streak / FULL_STREAK, 1.0)
    negative = max(0.0, -past.valence)
    own_valence = reading.valence if is_read else past.valence
    last = state.recent[-1] if state.recent else 0.0
    faded_last = last * (past.valence / state.valence if state.valence else 1.0)
    unsure = 1.0 - (reading.confidence if is_read else 0.0)
    gates = {
        "always": 1.0,
        "filler": cues.filler,
        "short": cues.short,
        "unsure": unsure,
        "praise_short": cues.praise_short,
        "repeats": cues.repeats,
    }
    signs = {
        "bias": float(is_read),  # it makes good for how words are read
        **{name: 0.0 if cues.is_filler else getattr(cues, name) for name in FORM},
        "angry_before": angry,
        "negative_before": min(state.negative_streak / FULL_STREAK, 1.0),
        "level": past.valence,
        "paused": min(math.log1p(state.gap_s(at)) / math.log1p(FULL_GAP_S), 1.0),
        "asked": float(last_stage == "exploration"),
        "soothed": float(last_stage == "comforting"),
        "advised": float(last_stage == "action"),
        "praise_after_anger": cues.praise * angry,
        "praise_after_negative": cues.praise * negative,
        "clipped_after_negative": cues.clipped * negative,
        "eases_after_negative": cues.eases * negative,
        "valence": own_valence,
        "arousal": reading.arousal,
        "dominance": reading.dominance,
    }
    valence = {
        **signs,
        "bias": 1.0,
        "before": past.valence,
        "last": faded_last,
        "own_filler": own_valence * cues.filler,
        "before_filler": past.valence * cues.filler,
        "own_short": own_valence * cues.short,
        "before_short": past.valence * cues.short,
        "own_unsure": own_valence * unsure,
        "before_unsure": past.valence * unsure,
    }
    return Moment(
        cues=cues,
        own={
            group: math.log(max(reading.ekman.get(group, 0.0), LEAST_SHARE)) if is_read else 0.0
            for group in groups
        },
        plain={
            group: reading.ekman.get(group, 0.0) if is_read and group != NEUTRAL else 0.0 for group in groups
        },
        before={
            group: math.log(max(past.ekman.get(group, 0.0) + (1.0 - known) / len(groups), LEAST_SHARE))
            for group in groups
        },
        gates=gates,
        signs=signs,
        scores=reading.scores if is_read else {},
        hints={label: _odds(score) for label, score in reading.scores.items()} if is_read else {},
        carried=past.labels,
        valence=valence,
        is_read=is_read,
    )


def _odds(probability: float) -> float:
    """Log-odds that no single certainty dominates, about [-1, 1]."""
    return math.log((probability + LEAST_ODDS) / (1.0 - probability + LEAST_ODDS)) / FULL_ODDS
