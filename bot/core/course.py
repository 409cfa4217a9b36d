"""What the course of a conversation says for asking a human in, beside its emotion: part of its state.

Counts and kinds only, no words: it is kept with the conversation, and its size doesn't grow with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.core.cues import is_filler
from bot.core.reading import RiskKind, RiskLevel, RiskReading
from bot.core.thresholds import CERTAINTIES_KEPT
from bot.core.turn import Decision, PersonTurn
from bot.core.vulnerable import Vulnerability, vulnerable_cues

HELPED_INTENTS = ("thanks", "share_good_news")  # after them, answers that missed before are forgiven
OFFERS_KEPT = 8  # reasons for which a person was offered; there are fewer


@dataclass(frozen=True)
class Course:
    """How a conversation has gone.

    Attributes:
        missed: answers that the person said didn't help, since one did or a human was asked in.
        certainties: how surely the last turns were understood, [0, 1], oldest first, at most ten.
        vulnerable: kinds of `Vulnerability` that the person said of themselves, sorted.
        concerned: whether a turn has spoken of danger, at whatever level.
        abused: whether one has spoken of the person being hurt by somebody.
        since_offer: turns of the person since a human was offered; None when none was.
        offered_for: reasons for which one was offered, oldest first.
    """

    missed: int = 0
    certainties: tuple[float, ...] = ()
    vulnerable: tuple[str, ...] = ()
    concerned: bool = False
    abused: bool = False
    since_offer: int | None = None
    offered_for: tuple[str, ...] = ()

    @property
    def vulnerability(self) -> str | None:
        """Why the person counts as vulnerable, as a short stable word, or None.

        A minor always does, somebody who is hurt by another does, and pregnancy or disability do once a turn
        has spoken of danger.
        """
        if Vulnerability.MINOR.value in self.vulnerable:
            return Vulnerability.MINOR.value
        if self.abused:
            return RiskKind.ABUSE.value
        return self.vulnerable[0] if self.concerned and self.vulnerable else None

    def unsure_turns(self, below: float) -> int:
        """Turns in a row, up to now, that were understood less surely than `below`, [0, 1]."""
        count = 0
        for certainty in reversed(self.certainties):
            if certainty >= below and certainty > 0.0:
                break
            count += 1
        return count

    def after_person(self, turn: PersonTurn, danger: RiskReading, unhelped: bool) -> Course:
        """The course once a turn has gone in.

        Args:
            turn: the person's turn.
            danger: of it, as decisions take it.
            unhelped: whether it says that the last answer didn't help.
        """
        missed = 0 if turn.intent in HELPED_INTENTS else self.missed + unhelped
        certainty = certainty_of(turn)
        certainties = self.certainties if certainty is None else (*self.certainties, certainty)
        told = (cue.kind.value for cue in vulnerable_cues(turn.text))
        is_concern = danger.level is not RiskLevel.NONE
        return replace(
            self,
            missed=missed,
            certainties=certainties[-CERTAINTIES_KEPT:],
            vulnerable=tuple(sorted({*self.vulnerable, *told})),
            concerned=self.concerned or is_concern,
            abused=self.abused or (is_concern and danger.kind is RiskKind.ABUSE),
            since_offer=None if self.since_offer is None else self.since_offer + 1,
        )

    def after_decision(self, decision: Decision) -> Course:
        """The course once the bot's answer has gone out."""
        if decision.level == "handoff":
            return replace(self, missed=0, certainties=(), since_offer=0)
        if decision.level != "offer":
            return self
        reasons = (*(one for one in self.offered_for if one != decision.reason), decision.reason)
        return replace(self, since_offer=0, offered_for=reasons[-OFFERS_KEPT:])

    @classmethod
    def from_dict(cls, data: Any) -> Course:
        """The course that `data` describes, of this or another version: what is unknown is ignored."""
        if not isinstance(data, Mapping):
            return cls()
        since = data.get("since_offer")
        kinds = tuple(kind.value for kind in Vulnerability)
        return cls(
            missed=int(data.get("missed") or 0),
            certainties=tuple(float(one) for one in data.get("certainties") or ())[-CERTAINTIES_KEPT:],
            vulnerable=tuple(kind for kind in data.get("vulnerable") or () if kind in kinds),
            concerned=bool(data.get("concerned", False)),
            abused=bool(data.get("abused", False)),
            since_offer=None if since is None else int(since),
            offered_for=tuple(str(one) for one in data.get("offered_for") or ())[-OFFERS_KEPT:],
        )

    def to_dict(self) -> dict[str, Any]:
        """The course in its JSON form."""
        return {
            "missed": self.missed,
            "certainties": list(self.certainties),
            "vulnerable": list(self.vulnerable),
            "concerned": self.concerned,
            "abused": self.abused,
            "since_offer": self.since_offer,
            "offered_for": list(self.offered_for),
        }


def certainty_of(turn: PersonTurn) -> float | None:
    """How surely a turn was understood, [0, 1]; None where that says nothing.

    It is the intent's confidence, and 0 where the words were read and the reading abstained in context too.
    A turn that says nothing by itself ("ok") is hard to read for anybody, and in a language that the weight
    wasn't trained on only the intent can tell.
    """
    if is_filler(turn.text):
        return None
    reading = turn.reading
    if reading is not None and any(reading.scores.values()) and reading.felt.abstained:
        return 0.0
    return round(turn.intent_confidence, 4)
