"""When a human is asked in or offered without there being danger, each with its reason and evidence.

The rules are looked at in order of weight; the first that holds decides. Handoffs come first: the person's
own wish, then what can't wait. Offers follow, and leave it to the person: they are held back for some turns
after the last one, and where the turn asked for something else. Somebody vulnerable is offered a person when
they say so, and then whenever a handoff would come if it came a turn earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from bot.core.reading import RiskKind, RiskLevel
from bot.core.state import ConversationState, is_angry
from bot.core.thresholds import POLICY, EscalationThresholds
from bot.core.turn import Decision, PersonTurn, in_context

ASK_HUMAN_INTENT = "ask_human"
HANDOFF_ACTION = "utter_handoff"
HANDOFF_ANGER_ACTION = "utter_handoff_anger"
OFFER_ANGER_ACTION = "utter_offer_human_anger"
OFFER_UNSURE_ACTION = "utter_offer_human_unsure"
OFFER_CARE_ACTION = "utter_offer_human_care"
OWN_OFFERS = (OFFER_ANGER_ACTION, OFFER_UNSURE_ACTION, OFFER_CARE_ACTION)

ASKED = "asked_for_human"
ACCEPTED = "accepted_offer"
ANGER_REPEATED = "anger_repeated"
COMPLAINT_UNSOLVED = "complaint_unsolved"
ANSWERS_MISSED = "answers_missed"
ABUSE_CONCERN = "abuse_concern"
VULNERABLE = "vulnerable"  # with the kind behind it: "vulnerable_minor"
VULNERABLE_SOONER = "vulnerable_sooner"
ANGER_RISING = "anger_rising"
UNSURE_FOR_LONG = "unsure_for_long"

# Turns that ask for something else: an offer would stand in the place of what they asked for.
SERVED_INTENTS = (
    "affirm", "deny", "goodbye", "thanks", "ask_identity", "ask_capabilities", "ask_privacy", "delete_data",
    "export_data",
)  # fmt: skip
_KIND_TEXT = {
    "minor": "says that they are a minor",
    "pregnant": "says that they are pregnant, and danger was spoken of",
    "disabled": "says that they are disabled, and danger was spoken of",
    "abuse": "has spoken of being hurt by somebody",
}


@dataclass(frozen=True)
class _Ground:
    """What speaks for a step, and how surely."""

    reason: str
    action: str
    text: str
    confidence: float = 1.0


def decide_beyond_danger(
    state: ConversationState, turn: PersonTurn, thresholds: EscalationThresholds, words: str
) -> Decision | None:
    """The handoff or offer that this turn calls for, danger left aside, or None.

    Args:
        state: of the conversation, with this turn already in it (`ConversationState.after_person`).
        turn: the person's turn.
        thresholds: from where on.
        words: the person's own, as evidence quotes them.
    """
    if not state.handoff.is_bots_turn:
        return None
    for handoffs in (_wishes, _grievances):
        ground = next(handoffs(state, turn, thresholds), None)
        if ground is not None:
            return _decision(ground, "handoff", words)
    if turn.intent in SERVED_INTENTS or not may_offer(state, thresholds):
        return None
    for offers in _OFFERS:
        ground = offers(state, turn, thresholds)
        if ground is not None:
            return _decision(ground, "offer", words)
    return None


def may_offer(state: ConversationState, thresholds: EscalationThresholds) -> bool:
    """Whether enough turns have passed since a person was offered last."""
    since = state.course.since_offer
    return since is None or since >= thresholds.offer_again_turns


def _wishes(
    state: ConversationState, turn: PersonTurn, thresholds: EscalationThresholds
) -> Iterator[_Ground]:
    sure = turn.intent_confidence
    if turn.intent == ASK_HUMAN_INTENT and sure >= thresholds.ask_human_confidence:
        yield _Ground(ASKED, HANDOFF_ACTION, f"asked for a person (intent confidence {sure:.2f})", sure)
    if turn.intent == "affirm" and sure >= thresholds.accept_confidence and state.offered_human:
        yield _Ground(ACCEPTED, HANDOFF_ACTION, "said yes when a person was offered", sure)


def _grievances(
    state: ConversationState, turn: PersonTurn, thresholds: EscalationThresholds
) -> Iterator[_Ground]:
    felt, streak = turn.felt, state.emotion.anger_streak
    if felt is not None and streak >= thresholds.anger_turns and is_angry(turn):
        turns = f"{streak} angry turns in a row" if streak > 1 else "an angry turn"
        yield _Ground(ANGER_REPEATED, HANDOFF_ANGER_ACTION, f"{turns}; {_anger(turn)}", felt.confidence)
    if state.complaints >= thresholds.complaint_turns:
        told = f"{_counted(state.complaints, 'complaint')} in a row without a solution"
        yield _Ground(COMPLAINT_UNSOLVED, HANDOFF_ANGER_ACTION, told, turn.intent_confidence)
    missed = state.course.missed
    if state.unhelped and missed >= thresholds.missed_answers:
        told = f"{_counted(missed, 'answer')} didn't help, and none did in between"
        yield _Ground(ANSWERS_MISSED, HANDOFF_ANGER_ACTION, told, turn.intent_confidence)


def _abuse(state: ConversationState, turn: PersonTurn, _: EscalationThresholds) -> _Ground | None:
    risk = state.danger(turn)
    if risk.level is not RiskLevel.CONCERN or risk.kind is not RiskKind.ABUSE:
        return None
    found = ", ".join(f'"{words}"' for words in risk.evidence)
    told = f"may be hurt by somebody (risk level {risk.level.value})"
    return _Ground(ABUSE_CONCERN, OFFER_CARE_ACTION, f"{told}, from the words {found}" if found else told)


def _vulnerable(state: ConversationState, turn: PersonTurn, _: EscalationThresholds) -> _Ground | None:
    """Once a conversation for each kind: to be reminded of it again and again would be no kindness."""
    kind = state.course.vulnerability
    reason = f"{VULNERABLE}_{kind}"
    told_already = (reason, ABUSE_CONCERN) if kind == RiskKind.ABUSE.value else (reason,)
    if kind is None or any(one in state.course.offered_for for one in told_already):
        return None
    return _Ground(reason, OFFER_CARE_ACTION, _KIND_TEXT[kind])


def _sooner(state: ConversationState, turn: PersonTurn, thresholds: EscalationThresholds) -> _Ground | None:
    kind = state.course.vulnerability
    if kind is None:
        return None
    ground = next(_grievances(state, turn, thresholds.for_vulnerable()), None)
    if ground is None:
        return None
    told = f"{ground.text}; sooner than for others, since the person {_KIND_TEXT[kind]}"
    return replace(ground, reason=VULNERABLE_SOONER, action=OFFER_CARE_ACTION, text=told)


def _rising(state: ConversationState, turn: PersonTurn, thresholds: EscalationThresholds) -> _Ground | None:
    """Anger that gathers without an unbroken streak: its level is high and the mood still falling."""
    emotion, felt = state.emotion, turn.felt
    level = emotion.ekman.get("anger", 0.0)
    is_falling = len(emotion.recent) > 1 and emotion.trend <= -thresholds.anger_trend
    if felt is None or not is_falling or level < thresholds.anger_level or not is_angry(turn):
        return None
    told = f"anger is rising: level {level:.2f}, valence {emotion.trend:+.2f} a turn; {_anger(turn)}"
    return _Ground(ANGER_RISING, OFFER_ANGER_ACTION, told, felt.confidence)


def _unsure(state: ConversationState, turn: PersonTurn, thresholds: EscalationThresholds) -> _Ground | None:
    vulnerable = state.course.vulnerability is not None
    needed = (thresholds.for_vulnerable() if vulnerable else thresholds).unsure_turns
    unsure = state.course.unsure_turns(thresholds.unsure_confidence)
    if unsure < needed:
        return None
    told = f"{_counted(unsure, 'turn')} in a row that could hardly be understood"
    return _Ground(UNSURE_FOR_LONG, OFFER_UNSURE_ACTION, f"{told}; this one: {_certainty(turn)}")


_OFFERS: tuple[Callable[[ConversationState, PersonTurn, EscalationThresholds], _Ground | None], ...] = (
    _abuse,
    _vulnerable,
    _sooner,
    _rising,
    _unsure,
)


def _anger(turn: PersonTurn) -> str:
    felt = turn.felt
    if felt is None:
        return "how this one was meant could not be read"
    anger = felt.ekman.get("anger", 0.0)
    return f"this one: {felt.label}, anger {anger:.2f}, valence {felt.valence:+.2f}{in_context(turn)}"


def _certainty(turn: PersonTurn) -> str:
    intent = f"intent {turn.intent or 'none'} ({turn.intent_confidence:.2f})"
    felt = turn.felt
    return f"{intent}, emotion not sure" if felt is not None and felt.abstained else intent


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _decision(ground: _Ground, level: str, words: str) -> Decision:
    return Decision(
        action=ground.action,
        policy=POLICY,
        reason=ground.reason,
        evidence=(ground.text, f"the person wrote: {words}"),
        level=level,
        confidence=round(min(max(ground.confidence, 0.0), 1.0), 4),
    )
