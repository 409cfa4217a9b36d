"""The NLU component that reads a turn again, in the context of its conversation.

It stands after `TurnAnnotator` and puts what it finds beside the reading of the words, as
`emotion["context"]`: policies, actions and the record then all rest on the same reading. Where there is
no conversation (training, `rasa test`, a bare parse) or no usable weight, the words alone remain.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any, List, Optional, Type

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.components.turn_annotator import TurnAnnotator
from bot.core.context import ContextModel, read_in_context
from bot.core.errors import ContractError
from bot.core.reading import EmotionReading
from bot.core.settings import ROOT
from bot.core.state import ConversationState
from bot.stores.window import STATE_SLOT
from nlu_models.emotion.context.weights import read_config
from nlu_models.errors import WeightError

logger = logging.getLogger(__name__)


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class ContextReader(GraphComponent):
    """Sets `emotion["context"]` on the message of a live conversation."""

    @classmethod
    def required_components(cls) -> List[Type]:
        """The reading of the words comes from `TurnAnnotator`."""
        return [TurnAnnotator]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`weights`: folder of the context model, relative to the project's root."""
        return {"weights": "nlu_models/weights/context-en"}

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> ContextReader:
        """The component with its model loaded; without a usable one it changes nothing."""
        return cls(load_model(ROOT / config["weights"]))

    def __init__(self, model: Optional[ContextModel]) -> None:
        self._model = model

    def process(
        self, messages: List[Message], tracker: Optional[DialogueStateTracker] = None
    ) -> List[Message]:
        """Reads the message of a live conversation in its context.

        Args:
            messages: one, when there is a tracker.
            tracker: as the tracker store gave it: with the state before this message in its slot.
        """
        state = _state_of(tracker)
        if self._model is not None and state is not None:
            for message in messages:
                self._read(self._model, state, message)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Training examples have no conversation."""
        return training_data

    def _read(self, model: ContextModel, state: ConversationState, message: Message) -> None:
        emotion, text = message.get("emotion"), message.get(TEXT)
        if not emotion or not text:
            return
        try:
            reading = read_in_context(model, state, EmotionReading.from_dict(emotion), text, time.time())
        except ContractError as error:
            logger.error("context.reading.malformed error=%s", error)
            return
        if reading.context is not None:
            message.set("emotion", {**emotion, "context": reading.context.to_dict()}, add_to_output=True)


def load_model(folder: Path) -> Optional[ContextModel]:
    """The context model of a weight folder; None, with an error in the log, when it can't be used."""
    try:
        return ContextModel.from_dict(read_config(folder))
    except (WeightError, ContractError) as error:
        logger.error("context_weights_unusable degraded=true reason=%s", error)
        return None


def _state_of(tracker: Optional[DialogueStateTracker]) -> Optional[ConversationState]:
    """The state before this message, or None where no tracker store has filled the slot."""
    slot = tracker.slots.get(STATE_SLOT) if tracker is not None else None
    if slot is None or slot.value is None:
        return None
    return ConversationState.from_dict(slot.value)
