"""The policy that chooses what kind of answer helps a person now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.core.trackers import DialogueStateTracker

from bot.core.guidance import POLICY, decide_strategy, overrides_rules
from bot.core.strategy import Strategy
from policies.base import DecisionPolicy, Stand, conversation_state, listen, person_turn, since_person

RULE_STRENGTH = 1.0  # of a rule; the higher priority then lets guidance override it
LANGUAGE_RESPONSE = "utter_language"
OWN_RESPONSES = (LANGUAGE_RESPONSE, "utter_offer_human")
DEFAULT_STRENGTH = 0.6  # below them, above a fallback


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=True)
class GuidancePolicy(DecisionPolicy):
    """Stands for the strategy that `bot.core.guidance.decide_strategy` picks."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """A priority between Rasa's rules (6) and `EscalationPolicy` (10)."""
        return {"priority": 8}

    def decide(self, tracker: DialogueStateTracker) -> Optional[Stand]:
        """A strategy for turns that want guidance, silence after it was given, or no opinion."""
        turn = person_turn(tracker)
        if turn is None:
            return None
        done, _ = since_person(tracker)
        if done:
            own = done[-1] in OWN_RESPONSES or Strategy.of_action(done[-1]) is not None
            return listen(POLICY, "answered") if own else None
        state = conversation_state(tracker).after_person(turn)
        decision = decide_strategy(state, turn)
        if decision.action == LANGUAGE_RESPONSE:
            return Stand(decision, RULE_STRENGTH)
        override = overrides_rules(state, turn)
        if override is None:
            return Stand(decision, DEFAULT_STRENGTH)
        return Stand(replace(decision, evidence=(override, *decision.evidence)), RULE_STRENGTH)
