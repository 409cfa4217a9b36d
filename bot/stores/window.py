"""The part of a conversation that Rasa's tracker is made of: its newest events, cut where it can begin.

A tracker of everything ever said would make each message slower than the one before. What a tracker needs
from before its window (slots, a pause, an active form) is kept as its `memory` and put in front again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rasa.shared.core.constants import ACTION_LISTEN_NAME
from rasa.shared.core.events import (
    ActionExecuted,
    ActiveLoop,
    ConversationPaused,
    ConversationResumed,
    Event,
    SessionStarted,
    SlotSet,
)
from rasa.shared.core.trackers import DialogueStateTracker

from bot.storage.tracker_events import StoredEvent

STATE_SLOT = "attune"


def load(rows: Sequence[StoredEvent], is_cut: bool, memory: Mapping[str, Any] | None) -> list[Event]:
    """The events a tracker starts from.

    Args:
        rows: the newest events, oldest first.
        is_cut: whether there are older ones.
        memory: of the tracker when it was last saved.

    Returns:
        Events of the current session that begin at a session start or with the bot listening.
    """
    start = _last(rows, SessionStarted.type_name)
    if start is None and not is_cut:
        start = 0
    if start is not None:
        return _events(rows[start:])
    events = _events(rows)
    listening = next((at for at, event in enumerate(events) if _is_listening(event)), None)
    if listening is None:
        first = events[0].timestamp if events else None
        events = [ActionExecuted(ACTION_LISTEN_NAME, timestamp=first), *events]
    else:
        events = events[listening:]
    return [events[0], *_from_memory(memory or {}, events), *events[1:]]


def load_all(rows: Sequence[StoredEvent]) -> list[Event]:
    """Every event, for a tracker of the whole conversation."""
    return _events(rows)


def memory_of(tracker: DialogueStateTracker) -> dict[str, Any]:
    """What a tracker knows that its window may have to be told again."""
    slots = {
        name: slot.value
        for name, slot in tracker.slots.items()
        if name != STATE_SLOT and slot.value != slot.initial_value
    }
    return {"slots": slots, "paused": tracker.is_paused(), "loop": tracker.active_loop_name}


def dump(event: Event) -> StoredEvent:
    """An event as it is stored."""
    data = json.dumps(event.as_dict(), ensure_ascii=False, default=_plain)
    return StoredEvent(event.type_name, event.timestamp, data)


def _events(rows: Sequence[StoredEvent]) -> list[Event]:
    events = (Event.from_parameters(json.loads(row.data)) for row in rows)
    return [event for event in events if event is not None]


def _from_memory(memory: Mapping[str, Any], window: Sequence[Event]) -> list[Event]:
    """Events that restore what was set before the window and not touched inside it."""
    at = window[0].timestamp
    restored: list[Event] = []
    touched = {event.key for event in window if isinstance(event, SlotSet)}
    for name, value in (memory.get("slots") or {}).items():
        if name not in touched:
            restored.append(SlotSet(name, value, timestamp=at))
    if memory.get("loop") and not _has(window, ActiveLoop):
        restored.append(ActiveLoop(memory["loop"], timestamp=at))
    if memory.get("paused") and not _has(window, (ConversationPaused, ConversationResumed)):
        restored.append(ConversationPaused(timestamp=at))
    return restored


def _has(events: Sequence[Event], kinds: Any) -> bool:
    return any(isinstance(event, kinds) for event in events)


def _is_listening(event: Event) -> bool:
    return isinstance(event, ActionExecuted) and event.action_name == ACTION_LISTEN_NAME


def _last(rows: Sequence[StoredEvent], type_name: str) -> int | None:
    return next((at for at in range(len(rows) - 1, -1, -1) if rows[at].type_name == type_name), None)


def _plain(value: Any) -> Any:
    """A JSON value for what `json` doesn't know: numpy's numbers and arrays, else its text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
