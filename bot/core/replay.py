"""A conversation gone through again, turn by turn, to see when other thresholds would have asked a human in.

What people wrote doesn't change, and neither does what was read from it; what would have been said to them
instead isn't known, nor how they would have taken it. So a replay keeps to what happened as far as it can:
the state is built from the stored readings and answers, an offer that was never made can't be accepted, and
once a set of thresholds asks a human in, the bot is silent for it until a human gave the conversation back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot.core.escalation import decide_escalation
from bot.core.handoff import HandoffState
from bot.core.state import ConversationState
from bot.core.thresholds import POLICY, EscalationThresholds
from bot.core.turn import Decision, PersonTurn

SILENCE = "action_listen"
NO_ANSWER = "no_answer"  # an offer because an answer failed to come, which no threshold decides
DANGER = "risk_"  # how the crisis protocol's reasons begin
ESCALATIONS_KEPT = 100  # of a conversation; the first ones
LEVELS = ("offer", "handoff")

NOT_READ = "not_read"
WITH_HUMAN = "with_human"
NO_DECISION = "no_decision"
OTHER_DANGER = "danger"
RESTARTED = "restarted"
OLDER = "older_version"
OTHER = "other_thresholds"
WHY_NOT_COMPARED = {
    NOT_READ: "turns that nothing read, such as those written while the bot was down",
    WITH_HUMAN: "turns written while a human was asked in or had the conversation",
}
WHY_DIFFERENT = {
    NO_DECISION: "no decision was kept for the turn: the bot stopped before it answered",
    OTHER_DANGER: "the crisis protocol decided then or now, which no threshold governs",
    RESTARTED: "the conversation was restarted in between, which the turns don't tell",
    OLDER: "kept by a version of Attune that didn't have these rules",
    OTHER: "other thresholds were in force, or another version",
}


@dataclass(frozen=True)
class StoredTurn:
    """A person's turn as it is stored, with what was decided about it.

    Attributes:
        id: of the turn.
        turn: what is known of it.
        is_read: whether it went through the bot at all.
        handoff: whose turn it was when it arrived.
        returned: how many handoffs had been given back by then.
        decisions: made about it, in their order.
    """

    id: int
    turn: PersonTurn
    is_read: bool
    handoff: HandoffState
    returned: int
    decisions: tuple[Decision, ...]


@dataclass(frozen=True)
class Escalation:
    """A human offered or asked in.

    Attributes:
        number: of the person's turn in the conversation, from 1.
        turn_id: of the turn.
        at: when it arrived, seconds since 1970 UTC.
        decision: with its level, reason and evidence.
    """

    number: int
    turn_id: int
    at: float
    decision: Decision


@dataclass
class Agreement:
    """How far a replay with the thresholds of today comes to the stored decisions.

    Attributes:
        compared: turns that both could decide about.
        agreed: of them, those with the same level and reason, or with none.
        escalations: compared turns at which either escalated.
        same_escalations: of them, those that agree.
        skipped: turns left out, by why.
        differences: turns that differ, by why.
    """

    compared: int = 0
    agreed: int = 0
    escalations: int = 0
    same_escalations: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    differences: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float | None:
        """Of the compared turns that agree, [0, 1]; None without any."""
        return self.agreed / self.compared if self.compared else None

    def add(self, other: Agreement) -> None:
        """Adds the counts of another."""
        self.compared += other.compared
        self.agreed += other.agreed
        self.escalations += other.escalations
        self.same_escalations += other.same_escalations
        self.skipped.update(other.skipped)
        self.differences.update(other.differences)


class ConversationReplay:
    """One conversation under one or several sets of thresholds; the first is compared with what happened.

    Attributes:
        agreement: of the first set's decisions with the stored ones.
    """

    def __init__(self, thresholds: Sequence[EscalationThresholds]) -> None:
        """Starts at the beginning of a conversation.

        Args:
            thresholds: each replayed on its own; the first is also compared with the stored decisions.
        """
        self.agreement = Agreement()
        self._happened = ConversationState()
        self._courses = [_Course(one, self._happened) for one in thresholds]
        self._thresholds = thresholds[0]
        self._number = 0

    @property
    def escalations(self) -> list[list[Escalation]]:
        """Of each set of thresholds, in their order; at most the first hundred."""
        return [course.escalations for course in self._courses]

    @property
    def untold(self) -> list[int]:
        """Of each set, turns it can't tell about: with a human whom it would not have asked in."""
        return [course.untold for course in self._courses]

    @property
    def turns(self) -> int:
        """How many of the person's turns have been gone through."""
        return self._number

    def add(self, stored: StoredTurn, in_period: bool) -> None:
        """Goes through the person's next turn.

        Args:
            stored: the turn.
            in_period: whether it counts, or only leads up to those that do.
        """
        if not stored.is_read:
            self.agreement.skipped[NOT_READ] += in_period
            return
        self._number += 1
        before = replace(self._happened, handoff=stored.handoff)
        after = before.after_person(stored.turn)
        decision = decide_escalation(after, stored.turn, self._thresholds)
        if in_period:
            self._compare(stored, decision)
        following = _as_answered(after, stored.decisions)
        step = _Step(self._happened, stored.handoff, after, following, decision, self._thresholds)
        self._happened = following
        for course in self._courses:
            found = course.add(stored, step)
            if found is not None and in_period and len(course.escalations) < ESCALATIONS_KEPT:
                escalation = Escalation(self._number, stored.id, stored.turn.at, found)
                course.escalations.append(escalation)

    def finish(self, state_turns: int, is_older: bool) -> None:
        """Says of the differences whose reason isn't known yet what it is, once all turns are through.

        Args:
            state_turns: how many turns the stored state of the conversation counts.
            is_older: whether that state was written by a version without these rules.
        """
        unknown = self.agreement.differences.pop(OTHER, 0)
        if unknown:
            why = RESTARTED if self._number > state_turns else OLDER if is_older else OTHER
            self.agreement.differences[why] += unknown

    def _compare(self, stored: StoredTurn, decision: Decision | None) -> None:
        agreement = self.agreement
        if not stored.handoff.is_bots_turn:
            agreement.skipped[WITH_HUMAN] += 1
            return
        made, now = _essence(_own(stored.decisions)), _essence(decision)
        agreement.compared += 1
        agreement.agreed += made == now
        is_escalation = made is not None or now is not None
        agreement.escalations += is_escalation
        agreement.same_escalations += is_escalation and made == now
        if made != now:
            reasons = [one[1] for one in (made, now) if one is not None]
            if not stored.decisions:
                agreement.differences[NO_DECISION] += 1
            elif any(reason.startswith(DANGER) for reason in reasons):
                agreement.differences[OTHER_DANGER] += 1
            else:
                agreement.differences[OTHER] += 1  # `finish` looks further


@dataclass(frozen=True)
class _Step:
    """What happened at a turn: the state before, whose turn it was, the state with it and the one after."""

    before: ConversationState
    handoff: HandoffState
    after: ConversationState
    following: ConversationState
    decision: Decision | None  # of the first set of thresholds
    thresholds: EscalationThresholds


class _Course:
    """A conversation under one set of thresholds.

    As long as it comes to what happened, it goes on with the very same states, so that they are built once.
    """

    def __init__(self, thresholds: EscalationThresholds, state: ConversationState) -> None:
        self.escalations: list[Escalation] = []
        self.untold = 0
        self._thresholds = thresholds
        self._state = state
        self._asked_in_at: int | None = None  # number of handoffs given back when this one was opened

    def add(self, stored: StoredTurn, step: _Step) -> Decision | None:
        """The escalation at a turn, or None."""
        handoff = self._handoff(stored)
        if self._state is step.before and handoff is step.handoff:
            state = step.after
        else:
            state = replace(self._state, handoff=handoff).after_person(stored.turn)
        with_human = stored.handoff is HandoffState.HUMAN and self._asked_in_at is None
        self.untold += with_human
        if state is step.after and self._thresholds is step.thresholds and not with_human:
            decision = step.decision
        else:
            decision = None if with_human else decide_escalation(state, stored.turn, self._thresholds)
        made = _own(stored.decisions)
        if _essence(decision) == _essence(made) and state is step.after:
            self._state = step.following
        elif _essence(decision) == _essence(made):
            self._state = _as_answered(state, stored.decisions)
        else:
            other = state.after_decision(decision) if decision is not None else state
            # The person's next turn answers what was really said: only an offer made then can be accepted.
            offers = decision is not None and decision.level == "offer" and step.following.offered_human
            self._state = replace(other, offered_human=offers)
        if decision is None and made is None and handoff.is_bots_turn:
            decision = _by_others(stored.decisions)
        if decision is not None and decision.level == "handoff" and self._asked_in_at is None:
            self._asked_in_at = stored.returned
        return decision if decision is not None and decision.level in LEVELS else None

    def _handoff(self, stored: StoredTurn) -> HandoffState:
        """Whose turn it is, had these thresholds been in force."""
        if self._asked_in_at is not None and stored.returned > self._asked_in_at:
            self._asked_in_at = None  # a human had it and gave it back
        if self._asked_in_at is None:
            return HandoffState.RETURNED if stored.returned else HandoffState.BOT
        return HandoffState.WAITING if stored.handoff.is_bots_turn else stored.handoff


def _own(decisions: Sequence[Decision]) -> Decision | None:
    """What `decide_escalation` had decided, among the decisions about a turn."""
    return next((one for one in decisions if one.policy == POLICY and one.reason != NO_ANSWER), None)


def _by_others(decisions: Sequence[Decision]) -> Decision | None:
    """An escalation by another policy, or for want of an answer, which no threshold changes."""
    return next((one for one in decisions if one.level in LEVELS and one is not _own(decisions)), None)


def _essence(decision: Decision | None) -> tuple[str, str] | None:
    """Level and reason of an escalation; None for what escalates nothing."""
    return None if decision is None or decision.level not in LEVELS else (decision.level, decision.reason)


def _as_answered(state: ConversationState, decisions: Sequence[Decision]) -> ConversationState:
    """The state once the answers that were given have gone out, as the recorder keeps it."""
    for decision in decisions:
        if decision.action != SILENCE:  # to listen is no answer
            state = state.after_decision(decision)
    return state
