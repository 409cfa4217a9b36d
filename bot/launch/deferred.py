"""Rasa modules that only training needs, put off until somebody really uses them.

Importing Rasa's server also imports TensorFlow, for two training callbacks and a batch generator, and
loading any model imports DIET and TED, because the model's record of how it was trained names a
validator that compares against them. Serving a model without neural Rasa components uses none of it.
`install` puts a finder in front of exactly those modules. It answers with stand-ins whose classes
become the real ones at first use, and it steps aside for good once anything imports TensorFlow itself.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

TRAINING_ONLY: dict[str, tuple[str, ...]] = {
    "rasa.utils.tensorflow.callback": ("RasaTrainingLogger", "RasaModelCheckpoint"),
    "rasa.utils.tensorflow.data_generator": ("RasaDataGenerator", "RasaBatchDataGenerator"),
    "rasa.graph_components.validators.default_recipe_validator": ("DefaultV1RecipeValidator",),
    "rasa.graph_components.validators.finetuning_validator": ("FinetuningValidator",),
}
_AWAITED = "tensorflow"


class DeferredClass(type):
    """A class that stands for another until it is called or an attribute of it is read."""

    _module_name: str
    _real: type | None = None

    def resolve(cls) -> type:
        """The real class; imports its module, and TensorFlow with it, the first time."""
        if cls._real is None:
            step_aside()
            cls._real = getattr(importlib.import_module(cls._module_name), cls.__name__)
        return cls._real

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls.resolve()(*args, **kwargs)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"{cls.__name__} has no attribute {name!r}")
        return getattr(cls.resolve(), name)

    def __instancecheck__(cls, instance: object) -> bool:
        return cls._real is not None and isinstance(instance, cls._real)


class TrainingOnlyFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers imports of the modules in `TRAINING_ONLY`; leaves every other import alone."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A stand-in's specification, or None so that the import goes its usual way."""
        if name == _AWAITED:
            step_aside()
            return None
        return importlib.machinery.ModuleSpec(name, self) if name in TRAINING_ONLY else None

    def exec_module(self, module: ModuleType) -> None:
        """Fills a stand-in with deferred classes."""
        for name in TRAINING_ONLY[module.__name__]:
            deferred = DeferredClass(name, (), {"_module_name": module.__name__})
            setattr(module, name, deferred)


def install() -> bool:
    """Puts the modules off.

    Returns:
        whether it did: False when TensorFlow or one of the modules is already imported.
    """
    if _AWAITED in sys.modules or any(name in sys.modules for name in TRAINING_ONLY):
        return False
    if not any(isinstance(finder, TrainingOnlyFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, TrainingOnlyFinder())
    return True


def step_aside() -> None:
    """Removes the finder and its stand-ins, so that later imports get the real modules."""
    # A new list: the import that called us may be walking the old one.
    sys.meta_path = [finder for finder in sys.meta_path if not isinstance(finder, TrainingOnlyFinder)]
    for name in TRAINING_ONLY:
        module = sys.modules.get(name)
        if module is not None and isinstance(module.__loader__, TrainingOnlyFinder):
            del sys.modules[name]
            parent, _, child = name.rpartition(".")
            if getattr(sys.modules.get(parent), child, None) is module:
                delattr(sys.modules[parent], child)
