"""The NLU component that reads every message: language, emotion, risk and sentence embedding.

One encoder pass serves all of it. The readings travel with the message into the parse data, the
tracker, the policies and the action server; the embedding stays with the message for the retriever
and the intent classifier, and as dense sentence features for any of Rasa's own components.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any, List, Optional, Type

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.core.settings import ROOT, Settings
from nlu_models.reader import TurnReader

logger = logging.getLogger(__name__)

EMBEDDING = "embedding"  # message property, for components further down; not part of the output


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class TurnAnnotator(GraphComponent):
    """Sets "language", "emotion" and "risk" on each message, and dense sentence features."""

    @classmethod
    def required_components(cls) -> List[Type]:
        """None: it reads the plain text."""
        return []

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`weights`: folder of the emotion reader; None for the setting ATTUNE_EMOTION_WEIGHTS."""
        return {"weights": None}

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> TurnAnnotator:
        """The component with its reader loaded; a missing weight gives a degraded reader, not an error."""
        return cls(execution_context.node_name, TurnReader(weights_folder(config)))

    def __init__(self, name: str, reader: TurnReader) -> None:
        self._name = name
        self._reader = reader

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> Optional[str]:
        """Changes when the weights do, so that Rasa trains again."""
        digest = hashlib.sha256()
        for path in sorted(weights_folder(config).glob("*.onnx")):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def process(self, messages: List[Message]) -> List[Message]:
        """Reads the messages in one batch and sets what was read."""
        readings = self._reader.read([message.get(TEXT) or "" for message in messages])
        for message, reading in zip(messages, readings, strict=True):
            message.set("language", reading.language, add_to_output=True)
            message.set("emotion", reading.emotion, add_to_output=True)
            message.set("risk", reading.risk, add_to_output=True)
            self._set_features(message, reading.embedding)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Adds the sentence features that the intent classifier learns on."""
        messages = [example for example in training_data.training_examples if example.get(TEXT)]
        readings = self._reader.read([message.get(TEXT) for message in messages])
        if readings and all(reading.emotion["degraded"] for reading in readings):
            logger.warning("annotator.training.degraded reason=no_usable_weights")
        for message, reading in zip(messages, readings, strict=True):
            self._set_features(message, reading.embedding)
        return training_data

    def _set_features(self, message: Message, embedding: np.ndarray) -> None:
        message.set(EMBEDDING, embedding)
        features = Features(embedding.reshape(1, -1), FEATURE_TYPE_SENTENCE, TEXT, self._name)
        message.add_features(features)


def weights_folder(config: dict[str, Any]) -> Path:
    """The folder that `weights` names, relative to the project's root, or that of the settings."""
    chosen = config.get("weights")
    return (ROOT / chosen) if chosen else Path(Settings.from_environment().emotion_weights)


def source_digest(folder: str) -> str:
    """A hash of the Python files in a folder of the project.

    Rasa takes a trained component from its cache as long as its fingerprint stays the same, and doesn't
    see when the code behind it writes another format.
    """
    digest = hashlib.sha256()
    for path in sorted((ROOT / folder).glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
