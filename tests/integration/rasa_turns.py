"""Ordinary turns as Rasa's processor logs them, for the tests of the tracker store."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, BotUttered, Event, SessionStarted, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from bot.storage.database import Database
from bot.stores.tracker_store import AttuneTrackerStore

SLOTS = {
    name: {"type": "any", "influence_conversation": False, "mappings": [{"type": "custom"}]}
    for name in ("attune", "topic")
}
DOMAIN = Domain.from_dict({"version": "3.1", "intents": ["share_feeling"], "slots": SLOTS})
EMOTION = {
    "label": "sadness",
    "labels": ["sadness"],
    "scores": {"sadness": 0.9},
    "ekman": {"sadness": 1.0},
    "sentiment": {"negative": 1.0},
    "valence": -0.6,
    "arousal": -0.2,
    "dominance": -0.3,
    "confidence": 0.8,
    "abstained": False,
    "degraded": False,
    "modalities": ["text"],
    "model": "emotion-en@1",
}
SENDER = "web-1"


def said(number: int, text: str = "I feel low", **parse_data: Any) -> UserUttered:
    """What a person said, as Rasa logs it."""
    data = {"emotion": EMOTION, "language": "en", **parse_data}
    intent = {"name": "share_feeling", "confidence": 0.9}
    return UserUttered(text, intent, [], data, None, "web", f"m{number}", {"language": "en"})


def decided(action: str, **decision: Any) -> ActionExecuted:
    """An action one of our policies chose."""
    data = {
        "action": action,
        "policy": "GuidancePolicy",
        "reason": "explore",
        "evidence": ["why"],
        **decision,
    }
    return ActionExecuted(action, "GuidancePolicy", 0.9, metadata={"decision": data})


def answer(number: int) -> list[Event]:
    """The bot's part of an ordinary turn."""
    shown = {"guidance_id": f"g{number % 3}", "strategy": "question", "similarity": 0.5}
    return [
        decided("action_guidance_question", strategy="question"),
        BotUttered("What happened?", {}, shown),
        ActionExecuted("action_listen", "RulePolicy", 1.0),
    ]


async def opened(store: AttuneTrackerStore) -> DialogueStateTracker:
    """A tracker as Rasa's processor fetches it, with its session started."""
    tracker = await store.get_or_create_tracker(SENDER, append_action_listen=False)
    if not tracker.applied_events():
        listen = ActionExecuted("action_listen")
        log(tracker, ActionExecuted("action_session_start"), SessionStarted(), listen)
    return tracker


def log(tracker: DialogueStateTracker, *events: Event) -> None:
    """Adds events as the processor does."""
    for event in events:
        tracker.update(event, DOMAIN)


async def talk(store: AttuneTrackerStore, *numbers: int) -> DialogueStateTracker:
    """Ordinary turns, one after the other."""
    for number in numbers:
        tracker = await opened(store)
        log(tracker, said(number), *answer(number))
        await store.save(tracker)
    return tracker


def count(database: Database, table: Any) -> int:
    with database.session() as session:
        return int(session.execute(sa.select(sa.func.count()).select_from(table)).scalar())
