"""When a human has to be asked in: one pure function, so that it can be tested and replayed.

Looked at in order of weight: danger, the person's own wish, anger that repeats, a complaint that
goes on, help that keeps missing. Every escalation carries the words and readings it rests on.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from bot.core.errors import SettingsError
from bot.core.handoff import HandoffState
from bot.core.reading import RiskKind
from bot.core.state import SURE_YES, ConversationState, is_angry
from bot.core.turn import Decision, PersonTurn, in_context

POLICY = "EscalationPolicy"
ASK_HUMAN_INTENT = "ask_human"
QUOTED_CHARS = 120  # of the person's own words in the evidence

RESPONSE_BY_RISK = {
    RiskKind.SELF_HARM: "utter_crisis",
    RiskKind.HARM_TO_OTHERS: "utter_crisis_harm_others",
    RiskKind.ABUSE: "utter_abuse",
    RiskKind.MEDICAL: "utter_medical_emergency",
}
OFFERING_ACTIONS = ("utter_offer_human", "utter_complaint", "utter_service_request", "utter_trouble")
HANDOFF_ACTIONS = (*RESPONSE_BY_RISK.values(), "utter_handoff", "utter_handoff_anger")


@dataclass(frozen=True)
class EscalationThresholds:
    """From where on a human is asked in.

    Attributes:
        anger_turns: angry turns in a row, 1 to 20.
        complaint_turns: complaints in a row, "that didn't help" going on with one, 1 to 20.
        ask_human_confidence: of the intent, [0, 1].
    """

    anger_turns: int = 2
    complaint_turns: int = 2
    ask_human_confidence: float = 0.4

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            high = 1.0 if field.type == "float" else 20
            low = 0.0 if field.type == "float" else 1
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise SettingsError(f"{POLICY}: {field.name} is {value!r}, expected {low} to {high}")


def decide_escalation(
    state: ConversationState, turn: PersonTurn, thresholds: EscalationThresholds
) -> Decision | None:
    """The handoff this turn calls for, or None.

    Args:
        state: of the conversation, with this turn already in it (`ConversationState.after_person`).
        turn: the person's turn.
        thresholds: from where on.
    """
    words = _quoted(turn.text)
    answered = state.handoff is HandoffState.HUMAN or state.risk_answered
    if not state.handoff.is_bots_turn and (answered or not turn.risk.level.needs_human):
        return None  # a human has been asked in: only danger that nobody has answered yet is answered now
    if turn.risk.level.needs_human and turn.risk.kind is not None:
        found = ", ".join(f'"{words}"' for words in turn.risk.evidence)
        return _handoff(
            RESPONSE_BY_RISK[turn.risk.kind],
            f"risk_{turn.risk.kind.value}",
            f"risk level {turn.risk.level.value} ({turn.risk.kind.value}), from the words {found}",
            words,
            confidence=1.0,
        )
    if turn.intent == ASK_HUMAN_INTENT and turn.intent_confidence >= thresholds.ask_human_confidence:
        return _handoff(
            "utter_handoff",
            "asked_for_human",
            f"asked for a person (intent confidence {turn.intent_confidence:.2f})",
            words,
            confidence=turn.intent_confidence,
        )
    if turn.intent == "affirm" and turn.intent_confidence >= SURE_YES and state.offered_human:
        return _handoff(
            "utter_handoff",
            "accepted_offer",
            "said yes when a person was offered",
            words,
            confidence=turn.intent_confidence,
        )
    emotion = state.emotion
    felt = turn.felt
    if felt is not None and is_angry(turn) and emotion.anger_streak >= thresholds.anger_turns:
        return _handoff(
            "utter_handoff_anger",
            "anger_repeated",
            f"{emotion.anger_streak} angry turns in a row; this one: {felt.label}, "
            f"anger {felt.ekman.get('anger', 0.0):.2f}, valence {felt.valence:+.2f}{in_context(turn)}",
            words,
            confidence=felt.confidence,
        )
    if state.complaints >= thresholds.complaint_turns:
        return _handoff(
            "utter_handoff_anger",
            "complaint_unsolved",
            f"{state.complaints} complaints in a row without a solution",
            words,
            confidence=turn.intent_confidence,
        )
    return None


def decision_of_rule(action: str, policy: str, confidence: float) -> Decision:
    """The decision that an action of one of Rasa's own policies amounts to.

    Rules know no levels, but an answer that offers a person or asks one in must count as that whoever
    chose it.
    """
    level = "none"
    if action in HANDOFF_ACTIONS:
        level = "handoff"
    elif action in OFFERING_ACTIONS:
        level = "offer"
    return Decision(action, policy, "rule", level=level, confidence=min(max(confidence, 0.0), 1.0))


def _handoff(action: str, reason: str, ground: str, words: str, confidence: float) -> Decision:
    return Decision(
        action=action,
        policy=POLICY,
        reason=reason,
        evidence=(ground, f"the person wrote: {words}"),
        level="handoff",
        confidence=round(min(max(confidence, 0.0), 1.0), 4),
    )


def _quoted(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= QUOTED_CHARS else flat[: QUOTED_CHARS - 1] + "…"
