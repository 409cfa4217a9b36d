"""What a batch of turns adds to the audit trail: danger that was read, and what was done about it.

A turn belongs there when danger was read from it, or when the crisis protocol answered it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from bot.core.handoff import HandoffState
from bot.core.protocol import is_crisis_action
from bot.core.reading import RiskReading
from bot.core.turn import Decision, PersonTurn
from bot.storage import audit, turns

OFFERS = ("offer", "handoff")  # levels of a decision at which a human was offered


@dataclass(frozen=True)
class _Said:
    turn_id: int
    text: str
    at: float
    action: str | None
    helplines: tuple[str, ...]


@dataclass
class _Part:
    """A person's turn, or None for what goes on after an earlier one; with all that followed it."""

    turn_id: int | None = None
    turn: PersonTurn | None = None
    risk: RiskReading = field(default_factory=RiskReading)
    decisions: list[tuple[Decision, float]] = field(default_factory=list)
    said: list[_Said] = field(default_factory=list)

    @property
    def is_in_crisis(self) -> bool:
        """Whether the turn belongs on the trail."""
        return self.risk.level.needs_human or any(
            is_crisis_action(decision.action) for decision, _ in self.decisions
        )


class CrisisTrail:
    """Follows the entries of a batch in their order; `keep` then writes the rows of turns in danger."""

    def __init__(self) -> None:
        self._parts = [_Part()]

    def read(self, turn_id: int, turn: PersonTurn, danger: RiskReading | None = None) -> None:
        """A person's turn; `danger` is what its conversation made of the risk that was read from it."""
        self._parts.append(_Part(turn_id, turn, danger or turn.risk))

    def decided(self, decision: Decision, at: float) -> None:
        """A decision about the last turn, made at `at` (seconds since 1970 UTC)."""
        self._parts[-1].decisions.append((decision, at))

    def said(
        self, turn_id: int, text: str, at: float, action: str | None = None, helplines: Sequence[str] = ()
    ) -> None:
        """A bot's turn, said at `at` (seconds since 1970 UTC), with the ids of the helplines it gave."""
        self._parts[-1].said.append(_Said(turn_id, text, at, action, tuple(helplines)))

    def keep(self, session: Session, conversation_id: int, handoff: HandoffState) -> None:
        """Writes the rows of every turn in danger, once each.

        Args:
            session: the open transaction, which holds the conversation's row.
            conversation_id: where the batch belongs.
            handoff: whose turn it was when the batch began.
        """
        for part in self._parts:
            if part.turn is None:
                self._keep_rest(session, conversation_id, part, handoff)
            elif part.turn_id is not None and part.is_in_crisis:
                known = audit.of_turn(session, part.turn_id, audit.DANGER_READ)
                if part.risk.level.needs_human and not known:
                    _keep_reading(session, conversation_id, part.turn_id, part.turn, part.risk, handoff)
                _keep_answer(session, conversation_id, part.turn_id, part.turn.at, part, handoff)

    @staticmethod
    def _keep_rest(session: Session, conversation_id: int, part: _Part, handoff: HandoffState) -> None:
        """What was said in a batch of its own, after a turn in danger that had no answer yet."""
        if not part.said:
            return
        turn_id = turns.latest_of_person(session, conversation_id)
        known = audit.of_turn(session, turn_id, audit.DANGER_READ) if turn_id is not None else []
        if turn_id is not None and known:
            _keep_answer(session, conversation_id, turn_id, known[0].at, part, handoff)


def _keep_reading(
    session: Session,
    conversation_id: int,
    turn_id: int,
    turn: PersonTurn,
    risk: RiskReading,
    handoff: HandoffState,
) -> None:
    audit.record(
        session,
        audit.DANGER_READ,
        at=turn.at,
        conversation_id=conversation_id,
        turn_id=turn_id,
        facts={
            "level": risk.level.value,
            "kind": risk.kind.value if risk.kind else None,
            "score": risk.score,
            "level_of_words": turn.risk.level.value,
            "language": turn.language,
            "handoff": handoff.value,
        },
        personal={"evidence": list(risk.evidence)},
    )


def _keep_answer(
    session: Session, conversation_id: int, turn_id: int, read_at: float, part: _Part, handoff: HandoffState
) -> None:
    """Writes what was said and offered; nothing where there already is an answer."""
    if audit.of_turn(session, turn_id, audit.CRISIS_ANSWERED):
        return
    # Not the evidence of the decisions: it quotes more of the person than the reading rests on.
    decided = [_decision_json(decision) for decision, _ in part.decisions]
    common: dict[str, Any] = {"conversation_id": conversation_id, "turn_id": turn_id}
    if not part.said:
        if not audit.of_turn(session, turn_id, audit.CRISIS_UNANSWERED):
            facts = {"decisions": decided, "handoff": handoff.value}
            at = part.decisions[-1][1] if part.decisions else read_at
            audit.record(session, audit.CRISIS_UNANSWERED, at=at, facts=facts, **common)
        return
    first = part.said[0]
    audit.record(
        session,
        audit.CRISIS_ANSWERED,
        at=first.at,
        facts={
            "decisions": decided,
            "actions": [said.action for said in part.said],
            "helplines": sorted({line for said in part.said for line in said.helplines}),
            "turns": [said.turn_id for said in part.said],
            "after_s": round(max(first.at - read_at, 0.0), 3),
        },
        # Answers may take up the person's own words, so they are named by digest, where it can be erased.
        personal={"sha256": [hashlib.sha256(said.text.encode()).hexdigest() for said in part.said]},
        **common,
    )
    for decision, at in part.decisions:
        if decision.level in OFFERS:
            facts = {"level": decision.level, "action": decision.action, "reason": decision.reason}
            audit.record(session, audit.HUMAN_OFFERED, at=at, facts=facts, **common)
            break


def _decision_json(decision: Decision) -> dict[str, Any]:
    return {
        "action": decision.action,
        "policy": decision.policy,
        "reason": decision.reason,
        "level": decision.level,
        "confidence": decision.confidence,
    }
