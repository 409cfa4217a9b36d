"""Rasa's tracker store over Attune's database: Rasa's events and Attune's rows in one transaction.

A retrieve and a save cost the same at turn 10 and at turn 10,000: the tracker is a window of the newest
events. Each stored event object carries a mark, so that a save knows what is new however the tracker came
about, was copied or was cut; the marks are set once the transaction is through, so a failed save can be
repeated and a repeated one writes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from rasa.core.brokers.broker import EventBroker
from rasa.core.tracker_store import TrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import BotUttered, Event, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from sqlalchemy.orm import Session

from bot.core.settings import Settings
from bot.core.state import ConversationState
from bot.storage import conversations, tracker_events, turns
from bot.storage.database import Database
from bot.stores import recorder, window
from bot.stores.window import STATE_SLOT

logger = logging.getLogger(__name__)

WINDOW_EVENTS = 60
KEPT_TRACKERS = 64  # live ones, each of a few hundred KB at most
THREADS = 4
UNKNOWN_CHANNEL = "unknown"

Result = TypeVar("Result")


@dataclass(frozen=True)
class _Saved:
    """A finished save: the state after it, and the newest event's id if the tracker holds all of them."""

    state: ConversationState
    events: list[Event]
    newest_id: int | None


class AttuneTrackerStore(TrackerStore):
    """Keeps trackers in Attune's database.

    In `endpoints.yml`: `tracker_store: {type: bot.stores.tracker_store.AttuneTrackerStore}`.
    """

    def __init__(
        self,
        domain: Domain | None = None,
        event_broker: EventBroker | None = None,
        host: str | None = None,
        window_events: int = WINDOW_EVENTS,
        database: Database | None = None,
        **kwargs: Any,
    ) -> None:
        """Opens the database and brings its schema up to date.

        Args:
            domain: of the model.
            event_broker: that new events are published to, if any.
            host: not used; the database is that of `ATTUNE_DATABASE_URL`.
            window_events: how many events a tracker starts from, at least 10.
            database: instead of the one in the settings.
            kwargs: not used.

        Raises:
            StorageError: the database can't be used.
        """
        self._kept: OrderedDict[str, DialogueStateTracker] = OrderedDict()
        super().__init__(domain, event_broker, **kwargs)
        self._window_events = max(10, int(window_events))
        self._database = database or Database(Settings.from_environment().effective_database_url)
        self._database.migrate()
        self._database.check()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tracker-store")

    @property
    def domain(self) -> Domain:
        """The domain that new trackers take their slots from."""
        return self._domain

    @domain.setter
    def domain(self, domain: Domain | None) -> None:
        self._domain = domain or Domain.empty()
        self._kept.clear()  # their slots are the old domain's

    async def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        """The tracker of a sender's newest events, or None when nothing is known of them."""
        kept = self._kept.pop(sender_id, None)  # given out once: a turn that fails leaves it dirty
        return await self._in_thread(self._load, sender_id, kept, self._window_events)

    async def retrieve_full_tracker(self, conversation_id: str) -> DialogueStateTracker | None:
        """The tracker of everything a sender's conversation ever held, or None."""
        return await self._in_thread(self._load, conversation_id, None, None)

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Writes what is new in a tracker."""
        self._kept.pop(tracker.sender_id, None)
        saved = await self._in_thread(self._write, tracker)
        if saved is None:
            return
        _attach(tracker, saved.state)
        if saved.newest_id is not None and len(tracker.events) <= 1.5 * self._window_events:
            tracker.attune_newest_id = saved.newest_id
            self._kept[tracker.sender_id] = tracker
            while len(self._kept) > KEPT_TRACKERS:
                self._kept.popitem(last=False)
        if self.event_broker is not None:
            await self._stream_new_events(self.event_broker, saved.events, tracker.sender_id)

    async def exists(self, conversation_id: str) -> bool:
        """Whether the sender has events."""
        return await self._in_thread(self._newest_id, conversation_id) > 0

    async def keys(self) -> Iterable[str]:
        """Every sender that has events."""
        return await self._in_thread(self._senders)

    def init_tracker(self, sender_id: str) -> DialogueStateTracker:
        """An empty tracker with the state of a new conversation."""
        tracker = super().init_tracker(sender_id)
        _attach(tracker, ConversationState())
        return tracker

    def _load(
        self, sender_id: str, kept: DialogueStateTracker | None, limit: int | None
    ) -> DialogueStateTracker | None:
        with self._database.session() as session:
            conversation = conversations.find(session, sender_id)
            newest_id = tracker_events.newest_id(session, sender_id)
            if conversation is None and newest_id == 0:
                return None
            tracker = kept if self._is_current(kept, newest_id) else None
            if tracker is None:
                rows = tracker_events.newest(session, sender_id, limit) if newest_id else []
                newest_id = rows[-1].id if rows else 0
                memory = conversation.memory if conversation else None
                if limit is None:
                    events = window.load_all(rows)
                else:
                    events = window.load(rows, len(rows) == limit, memory)
                tracker = super().init_tracker(sender_id)
                for event in events:
                    tracker.update(event)
                    _mark(event, sender_id)
                tracker.attune_newest_id = newest_id
            _attach(tracker, conversation.state if conversation else ConversationState())
            return tracker

    def _is_current(self, kept: DialogueStateTracker | None, newest_id: int) -> bool:
        """Whether a live tracker still is what the database holds: another worker may have written."""
        return (
            kept is not None
            and getattr(kept, "attune_newest_id", None) == newest_id
            and kept._max_event_history == self.max_event_history
        )

    def _write(self, tracker: DialogueStateTracker) -> _Saved | None:
        sender_id = tracker.sender_id
        events = [event for event in tracker.events if not _is_marked(event, sender_id)]
        if not events:
            return None
        with self._database.session(exclusive=True) as session:
            conversation = conversations.find(session, sender_id, lock=True)
            if conversation is None and any(isinstance(event, (UserUttered, BotUttered)) for event in events):
                channel = tracker.get_latest_input_channel() or UNKNOWN_CHANNEL
                conversations.open_conversation(session, sender_id, channel)
                conversation = conversations.find(session, sender_id, lock=True)
            newest_id = tracker_events.newest_id(session, sender_id)
            loaded_id = getattr(tracker, "attune_newest_id", None)
            if loaded_id is None and newest_id:
                events = _without_stored(session, sender_id, events)
            state = conversation.state if conversation else ConversationState()
            last_id = newest_id
            if events:
                last_id = tracker_events.append(session, sender_id, [window.dump(event) for event in events])
                if conversation is not None:
                    arrived = turns.by_message(session, conversation.id, recorder.message_ids(events))
                    counted = frozenset(
                        key for key, turn in arrived.items() if turn.intent_confidence is not None
                    )
                    recording = recorder.record(events, state, counted)
                    memory = window.memory_of(tracker)
                    state = recorder.keep(session, conversation, recording, arrived, memory)
        for event in tracker.events:
            _mark(event, sender_id)
        return _Saved(state, events, last_id if newest_id == (loaded_id or 0) else None)

    def _newest_id(self, sender_id: str) -> int:
        with self._database.session() as session:
            return tracker_events.newest_id(session, sender_id)

    def _senders(self) -> list[str]:
        with self._database.session() as session:
            return tracker_events.senders(session)

    async def _in_thread(self, function: Callable[..., Result], *args: Any) -> Result:
        """Runs a function off the event loop, and to its end even when the turn is cancelled.

        Otherwise the conversation's lock would be handed on while its events are still being written.
        """
        future = asyncio.get_running_loop().run_in_executor(self._threads, function, *args)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise


def _attach(tracker: DialogueStateTracker, state: ConversationState) -> None:
    """Puts the state into its slot, as the initial value too: that outlives session starts and copies."""
    if STATE_SLOT in tracker.slots:
        slot = tracker.slots[STATE_SLOT]
        slot.value = slot.initial_value = state.to_dict()


def _mark(event: Event, sender_id: str) -> None:
    event.attune_stored_for = sender_id


def _is_marked(event: Event, sender_id: str) -> bool:
    return getattr(event, "attune_stored_for", None) == sender_id


def _without_stored(session: Session, sender_id: str, events: Sequence[Event]) -> list[Event]:
    """The events that the database doesn't have, for a tracker that didn't come from it."""
    stored = tracker_events.stamps(session, sender_id, len(events) + WINDOW_EVENTS)
    new = []
    for event in events:
        stamp = (event.type_name, event.timestamp)
        if stored[stamp] > 0:
            stored[stamp] -= 1
        else:
            new.append(event)
    return new
