"""The NLU component that names each message's intent, in English and Chinese."""

from __future__ import annotations

from typing import Any, List, Optional, Type

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.components.turn_annotator import EMBEDDING, TurnAnnotator, source_digest
from nlu_models.intents.classifier import IntentModel


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class BilingualIntentClassifier(IntentClassifier, GraphComponent):
    """Sets "intent" and "intent_ranking", as Rasa's own classifiers do."""

    @classmethod
    def required_components(cls) -> List[Type]:
        """The embedding comes from `TurnAnnotator`."""
        return [TurnAnnotator]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`ranking_length`: how many intents are reported, 1 to 100."""
        return {"ranking_length": 5}

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> BilingualIntentClassifier:
        """A classifier that has to be trained."""
        return cls(config, model_storage, resource, None)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> BilingualIntentClassifier:
        """The classifier that training stored."""
        with model_storage.read_from(resource) as folder:
            return cls(config, model_storage, resource, IntentModel.load(folder))

    def __init__(
        self,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        model: Optional[IntentModel],
    ) -> None:
        self._config = config
        self._model_storage = model_storage
        self._resource = resource
        self._model = model

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> Optional[str]:
        """Changes when the weights or the classifier's code do, so that Rasa trains again."""
        weights = TurnAnnotator.fingerprint_addon(config) or ""
        return weights + source_digest("nlu_models/intents")

    def train(self, training_data: TrainingData) -> Resource:
        """Learns the intents of the examples and stores the model."""
        examples = [example for example in training_data.intent_examples if example.get(TEXT)]
        self._model = IntentModel.fit(
            [example.get(TEXT) for example in examples],
            np.stack([example.get(EMBEDDING) for example in examples]),
            [example.get(INTENT) for example in examples],
        )
        with self._model_storage.write_to(self._resource) as folder:
            self._model.save(folder)
        return self._resource

    def process(self, messages: List[Message]) -> List[Message]:
        """Names the intents of the messages; a message without text has none."""
        spoken = [message for message in messages if message.get(TEXT)]
        if self._model is None or not spoken:
            return messages
        probabilities = self._model.predict(
            [message.get(TEXT) for message in spoken],
            np.stack([message.get(EMBEDDING) for message in spoken]),
        )
        for message, row in zip(spoken, probabilities, strict=True):
            best = np.argsort(-row)[: self._config["ranking_length"]]
            ranking = [
                {"name": self._model.intents[index], "confidence": round(float(row[index]), 4)}
                for index in best
            ]
            message.set("intent", ranking[0], add_to_output=True)
            message.set("intent_ranking", ranking, add_to_output=True)
        return messages
