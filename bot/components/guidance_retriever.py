"""The NLU component that finds the guidance entries nearest to a message, by FAISS.

It runs where the embedding already is, so that the action server needs no model: the few best
entries of each strategy travel with the message, and the action picks among them.
"""

from __future__ import annotations

import hashlib
from typing import Any, List, Optional, Type

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.components.turn_annotator import EMBEDDING, TurnAnnotator, source_digest, weights_folder
from bot.core.settings import ROOT
from nlu_models.reader import TurnReader
from nlu_models.retrieval.index import GuidanceIndex
from nlu_models.retrieval.library import Library


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=True)
class GuidanceRetriever(GraphComponent):
    """Sets "guidance" on each message: per strategy, the best few entries with their similarity."""

    @classmethod
    def required_components(cls) -> List[Type]:
        """The embedding comes from `TurnAnnotator`."""
        return [TurnAnnotator]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`library`: folder of the entries; `per_strategy`: how many of each; `weights`: of the reader."""
        return {"library": "data/guidance", "per_strategy": 5, "weights": None}

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> GuidanceRetriever:
        """A retriever that has to be trained."""
        return cls(config, model_storage, resource, None)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> GuidanceRetriever:
        """A retriever with the index that training stored."""
        with model_storage.read_from(resource) as folder:
            return cls(config, model_storage, resource, GuidanceIndex.load(folder))

    def __init__(
        self,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        index: Optional[GuidanceIndex],
    ) -> None:
        self._config = config
        self._model_storage = model_storage
        self._resource = resource
        self._index = index
        self._strategy_of = dict(zip(index.ids, index.strategies, strict=True)) if index else {}

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> Optional[str]:
        """Changes when the library, the weights or the index code do, so that Rasa builds the index again."""
        merged = {**cls.get_default_config(), **config}  # Rasa gives the bare configuration here
        digest = hashlib.sha256((TurnAnnotator.fingerprint_addon(merged) or "").encode())
        digest.update(source_digest("nlu_models/retrieval").encode())
        for path in sorted((ROOT / merged["library"]).glob("*.yml")):
            digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()

    def train(self, training_data: TrainingData) -> Resource:
        """Embeds the library's cues and stores the index with the model."""
        library = Library.load(ROOT / self._config["library"])
        reader = TurnReader(weights_folder(self._config))
        self._index = GuidanceIndex.build(library, reader.embed)
        with self._model_storage.write_to(self._resource) as folder:
            self._index.save(folder)
        return self._resource

    def process(self, messages: List[Message]) -> List[Message]:
        """Sets the candidates of each message; none when there is no index or no text."""
        for message in messages:
            message.set("guidance", self._search(message), add_to_output=True)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Training examples need no guidance."""
        return training_data

    def _search(self, message: Message) -> dict[str, dict[str, float]]:
        text = message.get(TEXT)
        if self._index is None or not text:
            return {}
        found = self._index.search(
            text, message.get(EMBEDDING), message.get("language"), per_strategy=self._config["per_strategy"]
        )
        candidates: dict[str, dict[str, float]] = {}
        for entry_id, similarity in found.items():
            candidates.setdefault(self._strategy_of[entry_id], {})[entry_id] = similarity
        return candidates
