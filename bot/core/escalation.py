"""When a human has to be asked in: one pure function, so that it can be tested and replayed.

Danger comes first (`bot.core.protocol`), then everything else in order of weight
(`bot.core.escalation_rules`). Every escalation carries the words and readings it rests on.
"""

from __future__ import annotations

from bot.core.escalation_rules import HANDOFF_ACTION, HANDOFF_ANGER_ACTION, OWN_OFFERS, decide_beyond_danger
from bot.core.protocol import POLICY, decide_protocol, is_crisis_action, quoted
from bot.core.state import ConversationState
from bot.core.thresholds import EscalationThresholds
from bot.core.turn import Decision, PersonTurn

__all__ = ["POLICY", "EscalationThresholds", "decide_escalation", "decision_of_rule", "ends_the_turn"]

OFFERING_ACTIONS = (
    "utter_offer_human", "utter_complaint", "utter_service_request", "utter_trouble", *OWN_OFFERS,
)  # fmt: skip
HANDOFF_ACTIONS = (HANDOFF_ACTION, HANDOFF_ANGER_ACTION)


def decide_escalation(
    state: ConversationState, turn: PersonTurn, thresholds: EscalationThresholds
) -> Decision | None:
    """What the crisis protocol says to this turn, or the handoff or offer that it calls for, or None.

    Args:
        state: of the conversation, with this turn already in it (`ConversationState.after_person`).
        turn: the person's turn.
        thresholds: from where on.
    """
    crisis = decide_protocol(state, turn)
    if crisis is not None:
        return crisis  # danger comes first, and no handoff that is waiting silences it
    return decide_beyond_danger(state, turn, thresholds, quoted(turn.text))


def ends_the_turn(action: str) -> bool:
    """Whether nothing more is said once an action of this policy ran."""
    return action in (*HANDOFF_ACTIONS, *OWN_OFFERS) or is_crisis_action(action)


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
