"""How a person has been over a conversation: what the policies see besides the last turn.

Levels are exponential averages with a half-life in time, so that an angry turn an hour ago weighs
less than one a minute ago; streaks count turns in a row. Everything is updated in constant time from
the previous state, so a turn costs the same at turn 10 and at turn 10,000.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import median
from typing import Any

from bot.core.course import Course
from bot.core.crisis import CrisisState, Stage
from bot.core.crisis_words import Answer
from bot.core.cues import is_filler, word_hashes
from bot.core.errors import ContractError
from bot.core.handoff import HandoffState
from bot.core.reading import EmotionReading, RiskLevel, RiskReading
from bot.core.risk_state import DARK_FROM, RiskState, raised
from bot.core.stored import count_of, list_of, part_of
from bot.core.strategy import Strategy
from bot.core.turn import Decision, PersonTurn

HALF_LIFE_S = 1800.0  # of the level of valence: after half an hour of silence it counts half
AROUSAL_HALF_LIFE_S = 900.0  # excitement passes sooner
# Sadness outlasts joy and anger, which outlast fear, surprise and disgust (Verduyn & Lavrijsen, "Which
# emotions last longest and why", Motivation and Emotion 2015); the order is theirs, the times fit a chat.
EKMAN_HALF_LIFE_S: Mapping[str, float] = {
    "anger": 1800.0,
    "disgust": 900.0,
    "fear": 1200.0,
    "joy": 2400.0,
    "sadness": 5400.0,
    "surprise": 600.0,
    "neutral": 1800.0,
}
LABEL_HALF_LIFE_S = 1800.0
NEW_TURN_WEIGHT = 0.5  # of a new reading against the level so far
FILLER_TRUST = 0.2  # of what a turn like "fine." adds to the levels: it was read from them
FILLER_HOLDS_S = 3600.0  # how long a turn like "fine." still belongs to what came before
RECENT_KEPT = 5  # turns that the trend is taken over
LABELS_KEPT = 6  # labels that are remembered
LEAST_KEPT = 0.01  # of a label's level; below it is forgotten
RELIEF_FROM = -0.2  # level of valence below which something pleasant is a relief
RELIEF_TO = 0.1  # valence of a turn from which it is one
COMPLAINT_ANGER_SHARE = 0.3  # of the Ekman shares, from which a complaint counts as an angry turn
TRIED_KEPT = 8  # how many of the last strategies are remembered

SHARING_INTENTS = ("share_feeling", "ask_help", "not_helped", "correct_reading")
COMPLAINT_INTENT = "complaint"
NOT_HELPED_INTENT = "not_helped"
SURE_YES = 0.8  # confidence from which a yes accepts, or a no declines, what was offered


@dataclass(frozen=True)
class EmotionState:
    """The emotion of a conversation so far, in constant memory.

    Attributes:
        readings: how many readings went in.
        valence: smoothed level, [-1, 1].
        arousal: smoothed level, [-1, 1].
        ekman: smoothed level of each Ekman group, [0, 1], summing to 1 at most; what is missing is forgotten.
        labels: smoothed level of the labels felt last, [0, 1], at most six of them.
        trend: median slope of valence over the last five turns, a turn, [-2, 2]; below 0 is worsening.
        volatility: smoothed size of the changes of valence, [0, 2].
        anger_streak: angry turns in a row up to now.
        negative_streak: unpleasant turns in a row up to now.
        relieved: whether the last turn was pleasant after unpleasant ones.
        recent: valence of the last turns that say something, oldest first, at most five.
        words: hashes of the last turn's words, at most sixteen.
        label: of the last reading that decisions may rest on, or None.
        at: when the last reading arrived, seconds since 1970 UTC.
    """

    readings: int = 0
    valence: float = 0.0
    arousal: float = 0.0
    ekman: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, float] = field(default_factory=dict)
    trend: float = 0.0
    volatility: float = 0.0
    anger_streak: int = 0
    negative_streak: int = 0
    relieved: bool = False
    recent: tuple[float, ...] = ()
    words: tuple[int, ...] = ()
    label: str | None = None
    at: float = 0.0

    def after(
        self, reading: EmotionReading | None, at: float, complains: bool = False, text: str = ""
    ) -> EmotionState:
        """The state once a turn has gone in.

        A reading counts by how far it can be trusted: one that decisions may rest on wholly, one that
        abstained by its confidence, a turn that nothing was read from not at all. Neither of the latter
        two ends a streak, since not knowing is no sign of calm; nor does, within the hour, a turn that
        says nothing by itself ("fine.", "..."). Words that are surely angry add to the streak of anger even
        where the context abstains.

        Args:
            reading: of the turn, in context where that was read; None when there is none.
            at: when it arrived, seconds since 1970 UTC.
            complains: whether the turn is a complaint, for which less anger in the words is enough.
            text: the turn's words.
        """
        gap_s = self.gap_s(at)
        held = is_filler(text) and self.readings > 0 and gap_s <= FILLER_HOLDS_S
        trust = _trust(reading, held)
        if reading is None or trust <= 0.0:
            return replace(self, relieved=False, words=word_hashes(text)) if text else self
        felt = reading.felt
        counts = felt.is_trusted and not held
        angry = not held and _is_angry(reading, complains)
        change = felt.valence - self.valence if self.readings else 0.0
        recent = (*self.recent, round(felt.valence, 4))[-RECENT_KEPT:] if counts else self.recent
        mix = self._mix(trust, gap_s, HALF_LIFE_S)
        return EmotionState(
            readings=self.readings + 1,
            valence=self._level(self.valence, felt.valence, trust, gap_s, HALF_LIFE_S),
            arousal=self._level(self.arousal, felt.arousal, trust, gap_s, AROUSAL_HALF_LIFE_S),
            ekman=self._ekman_with(felt, trust, gap_s),
            labels=self._labels_with(felt, trust, gap_s),
            trend=round(slope(recent), 4),
            volatility=round((1.0 - mix) * self.volatility + mix * abs(change), 4),
            anger_streak=_streak(self.anger_streak, angry, counts or angry),
            negative_streak=_streak(self.negative_streak, felt.is_negative, counts),
            relieved=counts and self.faded(at).valence <= RELIEF_FROM and felt.valence >= RELIEF_TO,
            recent=recent,
            words=word_hashes(text),
            label=felt.label if felt.is_trusted else self.label,
            at=max(at, self.at) if math.isfinite(at) else self.at,
        )

    def gap_s(self, at: float) -> float:
        """Seconds since the last reading, [0, inf); 0 before the first and when the clock went back."""
        gap_s = at - self.at
        return max(0.0, gap_s) if self.readings and math.isfinite(gap_s) else 0.0

    def faded(self, at: float) -> EmotionState:
        """The same state with its levels as they have faded by `at`."""
        gap_s = self.gap_s(at)
        return replace(
            self,
            valence=self.valence * _kept(gap_s, HALF_LIFE_S),
            arousal=self.arousal * _kept(gap_s, AROUSAL_HALF_LIFE_S),
            ekman={
                group: level * _kept(gap_s, EKMAN_HALF_LIFE_S.get(group, HALF_LIFE_S))
                for group, level in self.ekman.items()
            },
            labels={label: level * _kept(gap_s, LABEL_HALF_LIFE_S) for label, level in self.labels.items()},
        )

    def _mix(self, trust: float, gap_s: float, half_life_s: float) -> float:
        """The share of a new value in a level, [0, 1]: the first wholly trusted one is the level."""
        keep = (1.0 - NEW_TURN_WEIGHT) * _kept(gap_s, half_life_s) if self.readings else 0.0
        return trust * (1.0 - keep)

    def _level(self, level: float, value: float, trust: float, gap_s: float, half_life_s: float) -> float:
        """A level with a new value in it; what is not replaced fades the more, the less is known anew."""
        mix = self._mix(trust, gap_s, half_life_s)
        faded = level * _kept(gap_s * (1.0 - trust), half_life_s)
        return round((1.0 - mix) * faded + mix * value, 4)

    def _ekman_with(self, felt: EmotionReading, trust: float, gap_s: float) -> dict[str, float]:
        levels = {
            group: self._level(self.ekman.get(group, 0.0), felt.ekman.get(group, 0.0), trust, gap_s, life_s)
            for group, life_s in EKMAN_HALF_LIFE_S.items()
        }
        total = sum(levels.values())  # above 1 when a slowly fading group has given way to a fast one
        return {group: round(level / total, 4) for group, level in levels.items()} if total > 1.0 else levels

    def _labels_with(self, felt: EmotionReading, trust: float, gap_s: float) -> dict[str, float]:
        levels = {
            label: self._level(
                self.labels.get(label, 0.0), float(label == felt.label), trust, gap_s, LABEL_HALF_LIFE_S
            )
            for label in {*self.labels, felt.label}
        }
        ranked = sorted(levels.items(), key=lambda item: (-item[1], item[0]))
        return {label: level for label, level in ranked[:LABELS_KEPT] if level >= LEAST_KEPT}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | None) -> EmotionState:
        """The state that `data` describes, of this or another version: unknown keys are ignored."""
        known = {key: value for key, value in (data or {}).items() if key in cls.__dataclass_fields__}
        for key in ("recent", "words"):
            known[key] = tuple(known.get(key) or ())
        for key in ("ekman", "labels"):
            known[key] = dict(known.get(key) or {})
        return cls(**known)

    def to_dict(self) -> dict[str, Any]:
        """The state in its JSON form."""
        return {**asdict(self), "recent": list(self.recent), "words": list(self.words)}


@dataclass(frozen=True)
class ConversationState:
    """Everything the policies know of a conversation besides the turn in front of them.

    Attributes:
        handoff: whose turn it is.
        emotion: the emotion so far.
        turns: how many turns the person has written.
        sharing_turns: how many of them told of a feeling or asked for help.
        complaints: complaints in a row; "that didn't help" goes on with one but starts none.
        unhelped: how often in a row the person said that an answer didn't help.
        tried: the last strategies, newest last.
        offered_human: whether the bot's last answer offered a human.
        risk: the danger of the conversation so far, which raises that of a turn.
        heard: the danger of the last turn, as decisions take it: as read, or raised by the conversation.
        crisis: where the conversation stands in the crisis protocol.
        course: what else speaks for asking a human in.
    """

    handoff: HandoffState = HandoffState.BOT
    emotion: EmotionState = field(default_factory=EmotionState)
    turns: int = 0
    sharing_turns: int = 0
    complaints: int = 0
    unhelped: int = 0
    tried: tuple[Strategy, ...] = ()
    offered_human: bool = False
    risk: RiskState = field(default_factory=RiskState)
    heard: RiskReading = field(default_factory=RiskReading)
    crisis: CrisisState = field(default_factory=CrisisState)
    course: Course = field(default_factory=Course)

    @property
    def last_stage(self) -> str | None:
        """Hill's stage of the last answer that followed a strategy, or None."""
        return self.tried[-1].stage.value if self.tried else None

    def danger(self, turn: PersonTurn) -> RiskReading:
        """The danger of a turn as decisions take it, once the turn has gone in; never less than was read."""
        return max(self.heard, turn.risk, key=lambda risk: list(RiskLevel).index(risk.level))

    def after_person(self, turn: PersonTurn) -> ConversationState:
        """The state once the person's turn has gone in."""
        complains = turn.intent == COMPLAINT_INTENT
        unhelped = turn.intent == NOT_HELPED_INTENT
        goes_on = complains or (unhelped and self.complaints > 0)
        found = raised(turn.risk, self._risk_before(), turn.text, turn.at)
        doubt = raised(turn.risk, self.risk, turn.text, turn.at).level.needs_human
        crisis = self.crisis.after_person(turn, found, self.handoff, doubt)
        danger = found if crisis.answer is Answer.DANGER else turn.risk
        return replace(
            self,
            emotion=self.emotion.after(turn.reading, turn.at, complains, turn.text),
            turns=self.turns + 1,
            sharing_turns=self.sharing_turns + (turn.intent in SHARING_INTENTS),
            complaints=self.complaints + 1 if goes_on else 0,
            unhelped=self.unhelped + 1 if unhelped else 0,
            risk=RiskState()
            if crisis.stage is Stage.CLOSING
            else self.risk.after(danger, turn.reading, turn.text, turn.at),
            heard=danger,
            crisis=crisis,
            course=self.course.after_person(turn, danger, unhelped),
        )

    def _risk_before(self) -> RiskState:
        """The danger so far, by which a turn is read.

        Dark thoughts leave a question open that "tonight" answers; what the protocol asks, it takes itself.
        """
        if self.crisis.stage is Stage.NONE:
            return self.risk
        return replace(self.risk, despair=min(self.risk.despair, DARK_FROM - 0.01))

    def after_decision(self, decision: Decision) -> ConversationState:
        """The state once the bot's answer has gone out."""
        tried = self.tried
        if decision.strategy is not None:
            tried = (*tried, Strategy(decision.strategy))[-TRIED_KEPT:]
        return replace(
            self,
            tried=tried,
            offered_human=decision.level == "offer",
            crisis=self.crisis.after_decision(decision),
            course=self.course.after_decision(decision),
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | None) -> ConversationState:
        """The state that `data` describes, of this or another version; a fresh one for None.

        Unknown keys and strategies are ignored. A handoff state that is not known counts as waiting for a
        human: whatever it means, the bot must not speak where it may not be its turn.
        """
        if not data:
            return cls()
        return cls(
            handoff=_handoff(data.get("handoff", HandoffState.BOT.value)),
            emotion=EmotionState.from_dict(part_of(data, "emotion")),
            turns=count_of(data.get("turns")),
            sharing_turns=count_of(data.get("sharing_turns")),
            complaints=count_of(data.get("complaints")),
            unhelped=count_of(data.get("unhelped")),
            tried=tuple(Strategy(name) for name in list_of(data, "tried") if name in tuple(Strategy)),
            offered_human=bool(data.get("offered_human", False)),
            risk=RiskState.from_dict(part_of(data, "risk")),
            heard=_risk_reading(data.get("heard")),
            crisis=CrisisState.from_dict(data.get("crisis")),
            course=Course.from_dict(part_of(data, "course")),
        )

    def to_dict(self) -> dict[str, Any]:
        """The state in its JSON form."""
        return {
            "handoff": self.handoff.value,
            "emotion": self.emotion.to_dict(),
            "turns": self.turns,
            "sharing_turns": self.sharing_turns,
            "complaints": self.complaints,
            "unhelped": self.unhelped,
            "tried": [strategy.value for strategy in self.tried],
            "offered_human": self.offered_human,
            "risk": self.risk.to_dict(),
            "heard": self.heard.to_dict(),
            "crisis": self.crisis.to_dict(),
            "course": self.course.to_dict(),
        }


def is_angry(turn: PersonTurn) -> bool:
    """Whether a turn counts as angry: it is read so, or is a complaint with some anger in its words.

    A turn that says nothing by itself goes on with anger but is none: "fine." alone calls nobody in.
    """
    return (
        turn.reading is not None
        and not is_filler(turn.text)
        and _is_angry(turn.reading, turn.intent == COMPLAINT_INTENT)
    )


def slope(values: Sequence[float]) -> float:
    """The median of the slopes between all pairs of values, a step; 0 for fewer than two.

    Theil's estimator (Theil, 1950; Sen, JASA 1968): one turn out of line does not make a trend.
    """
    pairs = [
        (values[later] - values[earlier]) / (later - earlier)
        for later in range(len(values))
        for earlier in range(later)
    ]
    return median(pairs) if pairs else 0.0


def _handoff(value: Any) -> HandoffState:
    """The handoff state of that value, or waiting for a human where this version knows none."""
    try:
        return HandoffState(value)
    except ValueError:
        return HandoffState.WAITING


def _risk_reading(data: Any) -> RiskReading:
    """The risk reading that `data` describes, or none where this version can't read it."""
    try:
        return RiskReading.from_dict(data) if data else RiskReading()
    except (ContractError, TypeError):
        return RiskReading()


def _is_angry(reading: EmotionReading, complains: bool) -> bool:
    """Whether a reading is angry in context or by its words alone: context adds anger and hides none."""
    readings = (reading, reading.felt)
    if any(one.is_angry for one in readings):
        return True
    return complains and any(
        one.is_trusted and one.ekman.get("anger", 0.0) >= COMPLAINT_ANGER_SHARE for one in readings
    )


def _trust(reading: EmotionReading | None, held: bool) -> float:
    """How far a reading counts, [0, 1]; `held` is a turn that says nothing and goes on with what was."""
    if reading is None or (reading.context is None and (held or reading.degraded)):
        return 0.0
    if reading.context is None and reading.abstained and not any(reading.scores.values()):
        return 0.0  # nothing was read: a language the weight does not know
    felt = reading.felt
    trust = 1.0 if felt.is_trusted else felt.confidence
    return min(trust, FILLER_TRUST) if held else trust


def _streak(so_far: int, goes_on: bool, counts: bool) -> int:
    if not counts:
        return so_far
    return so_far + 1 if goes_on else 0


def _kept(gap_s: float, half_life_s: float) -> float:
    """What is left after a time, (0, 1]."""
    return float(0.5 ** min(gap_s / half_life_s, 1000.0))
