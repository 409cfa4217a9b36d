"""How a person has been over a conversation: what the policies see besides the last turn.

Levels are exponential averages with a half-life in time, so that an angry turn an hour ago weighs
less than one a minute ago; streaks count turns in a row. Everything is updated in constant time from
the previous state, so a turn costs the same at turn 10 and at turn 10,000.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bot.core.handoff import HandoffState
from bot.core.reading import EmotionReading
from bot.core.strategy import Strategy
from bot.core.turn import Decision, PersonTurn

HALF_LIFE_S = 1800.0  # of the level: after half an hour of silence it counts half
NEW_TURN_WEIGHT = 0.5  # of a new reading against the level so far
COMPLAINT_ANGER_SHARE = 0.3  # of the Ekman shares, from which a complaint counts as an angry turn
TRIED_KEPT = 8  # how many of the last strategies are remembered

SHARING_INTENTS = ("share_feeling", "ask_help", "not_helped", "correct_reading")
COMPLAINT_INTENT = "complaint"
NOT_HELPED_INTENT = "not_helped"
SURE_YES = 0.8  # confidence from which a yes accepts, or a no declines, what was offered


@dataclass(frozen=True)
class EmotionState:
    """The emotion of a conversation so far.

    Attributes:
        readings: how many trusted readings went in.
        valence: smoothed level, [-1, 1].
        arousal: smoothed level, [-1, 1].
        trend: the last reading's valence against the level before it, [-2, 2]; below 0 is worsening.
        volatility: smoothed size of the changes of valence, [0, 2].
        anger_streak: angry turns in a row up to now.
        negative_streak: unpleasant turns in a row up to now.
        label: of the last trusted reading, or None.
        at: when the last trusted reading arrived, seconds since 1970 UTC.
    """

    readings: int = 0
    valence: float = 0.0
    arousal: float = 0.0
    trend: float = 0.0
    volatility: float = 0.0
    anger_streak: int = 0
    negative_streak: int = 0
    label: str | None = None
    at: float = 0.0

    def after(self, reading: EmotionReading | None, at: float, complains: bool = False) -> EmotionState:
        """The state once a reading has gone in; a reading that can't be trusted leaves the levels be.

        An untrusted turn ends neither streak: not knowing is no sign of calm.

        Args:
            reading: of the turn, if there is one.
            at: when it arrived, seconds since 1970 UTC.
            complains: whether the turn is a complaint, for which less anger in the words is enough.
        """
        if reading is None or not reading.is_trusted:
            return self
        keep = 0.0
        if self.readings:
            keep = (1.0 - NEW_TURN_WEIGHT) * 0.5 ** (max(0.0, at - self.at) / HALF_LIFE_S)
        change = reading.valence - self.valence if self.readings else 0.0
        return EmotionState(
            readings=self.readings + 1,
            valence=round(keep * self.valence + (1.0 - keep) * reading.valence, 4),
            arousal=round(keep * self.arousal + (1.0 - keep) * reading.arousal, 4),
            trend=round(change, 4),
            volatility=round(keep * self.volatility + (1.0 - keep) * abs(change), 4),
            anger_streak=self.anger_streak + 1 if is_angry(reading, complains) else 0,
            negative_streak=self.negative_streak + 1 if reading.is_negative else 0,
            label=reading.label,
            at=at,
        )


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
        risk_answered: whether danger was answered in the handoff that is now open.
    """

    handoff: HandoffState = HandoffState.BOT
    emotion: EmotionState = field(default_factory=EmotionState)
    turns: int = 0
    sharing_turns: int = 0
    complaints: int = 0
    unhelped: int = 0
    tried: tuple[Strategy, ...] = ()
    offered_human: bool = False
    risk_answered: bool = False

    def after_person(self, turn: PersonTurn) -> ConversationState:
        """The state once the person's turn has gone in."""
        complains = turn.intent == COMPLAINT_INTENT
        unhelped = turn.intent == NOT_HELPED_INTENT
        goes_on = complains or (unhelped and self.complaints > 0)
        return replace(
            self,
            emotion=self.emotion.after(turn.reading, turn.at, complains),
            turns=self.turns + 1,
            sharing_turns=self.sharing_turns + (turn.intent in SHARING_INTENTS),
            complaints=self.complaints + 1 if goes_on else 0,
            unhelped=self.unhelped + 1 if unhelped else 0,
            risk_answered=self.risk_answered and not self.handoff.is_bots_turn,
        )

    def after_decision(self, decision: Decision) -> ConversationState:
        """The state once the bot's answer has gone out."""
        tried = self.tried
        if decision.strategy is not None:
            tried = (*tried, Strategy(decision.strategy))[-TRIED_KEPT:]
        return replace(
            self,
            tried=tried,
            offered_human=decision.level == "offer",
            risk_answered=self.risk_answered or decision.reason.startswith("risk_"),
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | None) -> ConversationState:
        """The state that `data` describes; a fresh one for None. Unknown keys are ignored."""
        if not data:
            return cls()
        emotion = {key: value for key, value in (data.get("emotion") or {}).items() if key in _EMOTION_KEYS}
        return cls(
            handoff=HandoffState(data.get("handoff", "bot")),
            emotion=EmotionState(**emotion),
            turns=int(data.get("turns", 0)),
            sharing_turns=int(data.get("sharing_turns", 0)),
            complaints=int(data.get("complaints", 0)),
            unhelped=int(data.get("unhelped", 0)),
            tried=tuple(Strategy(name) for name in data.get("tried") or ()),
            offered_human=bool(data.get("offered_human", False)),
            risk_answered=bool(data.get("risk_answered", False)),
        )

    def to_dict(self) -> dict[str, Any]:
        """The state in its JSON form."""
        return {
            "handoff": self.handoff.value,
            "emotion": asdict(self.emotion),
            "turns": self.turns,
            "sharing_turns": self.sharing_turns,
            "complaints": self.complaints,
            "unhelped": self.unhelped,
            "tried": [strategy.value for strategy in self.tried],
            "offered_human": self.offered_human,
            "risk_answered": self.risk_answered,
        }


def is_angry(reading: EmotionReading | None, complains: bool) -> bool:
    """Whether a turn counts as angry: the words are, or it is a complaint with some anger in its words."""
    if reading is None or not reading.is_trusted:
        return False
    return reading.is_angry or (complains and reading.ekman.get("anger", 0.0) >= COMPLAINT_ANGER_SHARE)


_EMOTION_KEYS = frozenset(EmotionState.__dataclass_fields__)
