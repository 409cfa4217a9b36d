"""Small context models made by hand, for tests."""

from __future__ import annotations

from typing import Any

from bot.core.context import ContextModel
from bot.core.moment import GATES, SIGNS, VALENCES
from nlu_models.emotion.context.fit import prior


def config(**changes: Any) -> dict[str, Any]:
    """The numbers that a fit starts from: believe the words, and what came before when they say nothing."""
    return {"name": "context-test", "version": "1", **prior(GATES, SIGNS, VALENCES), **changes}


def model(**changes: Any) -> ContextModel:
    """The model of `config`."""
    return ContextModel.from_dict(config(**changes))


def steadfast() -> ContextModel:
    """A model that carries the past wholly through turns that say nothing, and believes all others."""
    numbers = config()
    numbers["own"] = {**dict.fromkeys(GATES, 0.0), "always": 1.0, "filler": -1.0}
    numbers["plain"] = dict.fromkeys(GATES, 0.0)
    numbers["before"] = {**dict.fromkeys(GATES, 0.0), "filler": 1.0}
    numbers["valence"] = {
        **dict.fromkeys(VALENCES, 0.0), "valence": 1.0, "own_filler": -1.0, "before_filler": 1.0,
    }  # fmt: skip
    return ContextModel.from_dict(numbers)
