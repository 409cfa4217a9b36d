"""What Attune's policies share: reading the tracker, and turning a decision into a prediction.

They learn nothing, so training returns at once; the decision itself, with its evidence, travels in
the action's metadata, where the tracker store finds it and writes it down.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from typing import Any, List, NamedTuple, Optional

from rasa.core.featurizers.tracker_featurizers import TrackerFeaturizer
from rasa.core.policies.policy import Policy, PolicyPrediction
from rasa.engine.graph import ExecutionContext
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.core.constants import ACTION_LISTEN_NAME
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, BotUttered, UserUttered
from rasa.shared.core.generator import TrackerWithCachedStates
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.training_data.features import Features

from bot.core.errors import ContractError
from bot.core.state import ConversationState
from bot.core.turn import Decision, PersonTurn

logger = logging.getLogger(__name__)

STATE_SLOT = "attune"


class Stand(NamedTuple):
    """A decision, and how strongly a policy stands for it against the others: (0, 1]."""

    decision: Decision
    strength: float = 1.0


class DecisionPolicy(Policy):
    """A policy whose prediction is one decision, made without any training."""

    def train(
        self,
        training_trackers: List[TrackerWithCachedStates],
        domain: Domain,
        **kwargs: Any,
    ) -> Resource:
        """Nothing is learnt."""
        return self._resource

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> DecisionPolicy:
        """The policy as configured; there is nothing stored."""
        return cls(config, model_storage, resource, execution_context)

    def _standard_featurizer(self) -> Optional[TrackerFeaturizer]:  # type: ignore[override]
        return None

    def predict_action_probabilities(
        self,
        tracker: DialogueStateTracker,
        domain: Domain,
        rule_only_data: Optional[dict[str, Any]] = None,
        precomputations: Optional[dict[str, List[Features]]] = None,
        **kwargs: Any,
    ) -> PolicyPrediction:
        """The action that `decide` asks for, or no opinion."""
        probabilities = self._default_predictions(domain)
        stand = self.decide(tracker)
        if stand is None:
            return self._prediction(probabilities)
        decision, strength = stand
        probabilities[domain.index_for_action(decision.action)] = strength
        is_silence = decision.action == ACTION_LISTEN_NAME and decision.level == "none"
        metadata = None if is_silence else {"decision": decision.to_dict()}
        return self._prediction(probabilities, action_metadata=metadata)

    @abstractmethod
    def decide(self, tracker: DialogueStateTracker) -> Optional[Stand]:
        """What to do next in this conversation, or None for no opinion."""


def listen(policy: str, reason: str) -> Stand:
    """Stands for waiting for the person."""
    return Stand(Decision(action=ACTION_LISTEN_NAME, policy=policy, reason=reason))


def person_turn(tracker: DialogueStateTracker) -> Optional[PersonTurn]:
    """The turn the person just wrote, or None when they have written nothing yet.

    A reading that breaks the contract is left out rather than stopping the conversation.
    """
    message = tracker.latest_message
    if message is None or message.text is None:
        return None
    parse_data = message.parse_data or {}
    at = message.timestamp or 0.0
    try:
        return PersonTurn.from_parse_data(parse_data, at, message.metadata)
    except ContractError as error:
        logger.error("policy.reading.malformed error=%s", error)
        plain = {key: value for key, value in parse_data.items() if key not in ("emotion", "risk")}
        return PersonTurn.from_parse_data(plain, at, message.metadata)


def conversation_state(tracker: DialogueStateTracker) -> ConversationState:
    """The state before the person's last turn, as the tracker store put it into the slot."""
    slot = tracker.slots.get(STATE_SLOT)
    return ConversationState.from_dict(slot.value if slot is not None else None)


def is_live(tracker: DialogueStateTracker) -> bool:
    """Whether a person is there: the tracker store fills the slot, and `rasa test` doesn't."""
    slot = tracker.slots.get(STATE_SLOT)
    return slot is not None and slot.value is not None


def since_person(tracker: DialogueStateTracker) -> tuple[list[str], bool]:
    """Which actions ran since the person's last turn, in order, and whether anything was said."""
    actions: list[str] = []
    said = False
    for event in reversed(tracker.events):
        if isinstance(event, UserUttered):
            break
        if isinstance(event, BotUttered):
            said = True
        elif isinstance(event, ActionExecuted) and event.action_name is not None:
            actions.append(event.action_name)
    return actions[::-1], said
