"""Refuses to run on a tracker store that would lose what people say."""

from __future__ import annotations

from rasa.core.agent import Agent
from rasa.core.tracker_store import FailSafeTrackerStore, InMemoryTrackerStore, TrackerStore

from bot.core.errors import StorageError


def require_durable_store(agent: Agent) -> TrackerStore:
    """Makes an agent use its tracker store directly, and gives the store.

    Rasa wraps every store so that a failing database silently becomes a store in memory: the bot goes on,
    and everything said from then on is lost. Unwrapped, the failure reaches the channel, which can say so.

    Raises:
        StorageError: the store keeps nothing, as when `endpoints.yml` names one that can't be imported.
    """
    store = agent.tracker_store
    while isinstance(store, FailSafeTrackerStore):
        store = store._tracker_store
    if isinstance(store, InMemoryTrackerStore):
        raise StorageError(
            "conversations would be kept in memory only and lost at the next restart; endpoints.yml must "
            "have `tracker_store: {type: bot.stores.tracker_store.AttuneTrackerStore}`, and the log above "
            "says so if that could not be imported"
        )
    agent.tracker_store = store
    if agent.processor is not None:
        agent.processor.tracker_store = store
    return store
