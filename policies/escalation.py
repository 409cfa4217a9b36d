"""The policy that comes before all others: silence while a human has the turn, and asking one in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Optional

from rasa.core.featurizers.tracker_featurizers import TrackerFeaturizer
from rasa.engine.graph import ExecutionContext
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.core.trackers import DialogueStateTracker

from bot.core.escalation import POLICY, EscalationThresholds, decide_escalation, ends_the_turn
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
    """Asks a human in when `bot.core.escalation` says so, and keeps the bot quiet meanwhile.

    Danger goes through the crisis protocol (`bot.core.protocol`) until it is over, whatever else would
    answer.
    """

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """The thresholds of `EscalationThresholds`, and a priority above Rasa's own policies."""
        return {"priority": 10, **asdict(EscalationThresholds())}

    def __init__(
        self,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        featurizer: Optional[TrackerFeaturizer] = None,
    ) -> None:
        super().__init__(config, model_storage, resource, execution_context, featurizer)
        names = EscalationThresholds.names()
        self.thresholds = EscalationThresholds.from_config({name: config[name] for name in names})

    def decide(self, tracker: DialogueStateTracker) -> Optional[Stand]:
        """What the crisis protocol or a rule says, silence, an apology when no answer came, or no opinion."""
        turn = person_turn(tracker)
        if turn is None:
            return None
        state = conversation_state(tracker).after_person(turn)
        done, said = since_person(tracker)
        if any(ends_the_turn(action) for action in done):
            return listen(POLICY, "answered")
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
