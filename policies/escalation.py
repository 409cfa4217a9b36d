"""The policy that comes before all others: silence while a human has the turn, and asking one in."""

from __future__ import annotations

from typing import Any, Optional

from rasa.core.featurizers.tracker_featurizers import TrackerFeaturizer
from rasa.engine.graph import ExecutionContext
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.core.trackers import DialogueStateTracker

from bot.core.escalation import HANDOFF_ACTIONS, POLICY, EscalationThresholds, decide_escalation
from bot.core.turn import Decision
from policies.base import (
    DecisionPolicy,
    Stand,
    conversation_state,
    is_live,
    listen,
    person_turn,
    since_person,
)

TROUBLE_ACTION = "utter_trouble"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=True)
class EscalationPolicy(DecisionPolicy):
    """Asks a human in when `bot.core.escalation` says so, and keeps the bot quiet meanwhile."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """The thresholds of `EscalationThresholds`, and a priority above Rasa's own policies."""
        return {
            "priority": 10,
            "anger_turns": EscalationThresholds.anger_turns,
            "complaint_turns": EscalationThresholds.complaint_turns,
            "ask_human_confidence": EscalationThresholds.ask_human_confidence,
        }

    def __init__(
        self,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        featurizer: Optional[TrackerFeaturizer] = None,
    ) -> None:
        super().__init__(config, model_storage, resource, execution_context, featurizer)
        self.thresholds = EscalationThresholds(
            anger_turns=config["anger_turns"],
            complaint_turns=config["complaint_turns"],
            ask_human_confidence=config["ask_human_confidence"],
        )

    def decide(self, tracker: DialogueStateTracker) -> Optional[Stand]:
        """A handoff, silence, an apology when an answer failed to come, or no opinion."""
        turn = person_turn(tracker)
        if turn is None:
            return None
        state = conversation_state(tracker).after_person(turn)
        done, said = since_person(tracker)
        if any(action in HANDOFF_ACTIONS for action in done):
            return listen(POLICY, "handed_off")
        escalation = None if done else decide_escalation(state, turn, self.thresholds)
        if escalation is not None:
            return Stand(escalation)
        if not state.handoff.is_bots_turn:
            return listen(POLICY, f"handoff_{state.handoff.value}")
        if done and not said and is_live(tracker):
            return _fail_open(done)
        return None


def _fail_open(done: list[str]) -> Stand:
    if TROUBLE_ACTION in done:
        return listen(POLICY, "no_answer")
    return Stand(
        Decision(
            action=TROUBLE_ACTION,
            policy=POLICY,
            reason="no_answer",
            evidence=(f"{done[-1]} ran and said nothing",),
            level="offer",
        )
    )
