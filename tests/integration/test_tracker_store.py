"""The tracker store through real Rasa trackers and events, on the database it shares with everything."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from rasa.core.tracker_store import check_if_tracker_store_async
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import (
    ActionExecuted,
    ActiveLoop,
    ConversationPaused,
    Restarted,
    SessionStarted,
    SlotSet,
    UserUttered,
)
from rasa.shared.core.trackers import DialogueStateTracker

from bot.core.errors import StorageError
from bot.core.handoff import HandoffState
from bot.storage import conversations, guidance, handoffs, tables, turns, views
from bot.storage.database import Database
from bot.stores import tracker_store as module
from bot.stores.tracker_store import AttuneTrackerStore

from .rasa_turns import DOMAIN, SENDER, SLOTS, answer, count, decided, log, opened, said, talk


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """A migrated database."""
    made = Database(f"sqlite:///{tmp_path / 'attune.db'}")
    made.migrate()
    return made


@pytest.fixture
def store(database: Database) -> AttuneTrackerStore:
    """A store with a small window."""
    return AttuneTrackerStore(DOMAIN, database=database, window_events=20)


async def test_a_turn_is_kept_whole(store: AttuneTrackerStore, database: Database) -> None:
    await talk(store, 1)
    with database.session() as session:
        conversation = conversations.find(session, SENDER)
        assert conversation is not None
        whole = views.conversation_json(session, conversation)
        assert guidance.shown_ids(session, SENDER) == {"g1"}
    person, bot = whole["turns"]
    assert (person["text"], person["intent"], person["language"]) == ("I feel low", "share_feeling", "en")
    assert (person["reading"]["label"], person["reading"]["confidence"]) == ("sadness", 0.8)
    assert (bot["text"], bot["action"], bot["policy"]) == (
        "What happened?",
        "action_guidance_question",
        "GuidancePolicy",
    )
    assert [(made["turn_id"], made["strategy"]) for made in whole["decisions"]] == [
        (person["id"], "question")
    ]
    assert (conversation.channel, conversation.language) == ("web", "en")
    assert (conversation.state.turns, conversation.state.emotion.valence) == (1, -0.6)
    assert [strategy.value for strategy in conversation.state.tried] == ["question"]


async def test_a_turn_that_had_arrived_keeps_its_own_text(
    store: AttuneTrackerStore, database: Database
) -> None:
    with database.session() as session:
        turn = turns.arrive(session, SENDER, "web", "/I feel low\x00", "m1", "zh", 100.0)
    tracker = await opened(store)
    assert tracker.slots["attune"].value["turns"] == 0
    log(tracker, said(1), *answer(1))
    await store.save(tracker)
    with database.session() as session:
        person, _ = turns.history(session, turn.conversation_id)
    assert (person.id, person.text, person.at) == (turn.id, "/I feel low\ufffd", 100.0)
    assert (person.language, person.intent, person.intent_confidence) == ("en", "share_feeling", 0.9)


async def test_the_same_save_twice_writes_once(store: AttuneTrackerStore, database: Database) -> None:
    tracker = await talk(store, 1)
    before = [count(database, table) for table in tables.metadata.sorted_tables]
    await store.save(tracker)
    await store.save(tracker.copy())
    assert [count(database, table) for table in tables.metadata.sorted_tables] == before


async def test_a_message_delivered_twice_counts_once(store: AttuneTrackerStore, database: Database) -> None:
    await talk(store, 1, 1)
    with database.session() as session:
        conversation = conversations.find(session, SENDER)
        assert conversation is not None
        found = turns.history(session, conversation.id)
    assert [turn.author.value for turn in found] == ["person", "bot", "bot"]
    assert conversation.state.turns == 1


async def test_the_window_does_not_grow_and_begins_listening(
    store: AttuneTrackerStore, database: Database
) -> None:
    await talk(store, *range(30))
    fresh = AttuneTrackerStore(DOMAIN, database=database, window_events=20)
    tracker = await fresh.retrieve(SENDER)
    assert tracker is not None
    first, second = list(tracker.events)[:2]
    assert len(tracker.events) <= 20
    assert isinstance(first, ActionExecuted)
    assert first.action_name == "action_listen"
    assert isinstance(second, UserUttered)
    assert tracker.latest_action_name == "action_listen"
    assert tracker.latest_message.message_id == "m29"
    full = await store.retrieve_full_tracker(SENDER)
    assert full is not None
    assert len(full.events) == 3 + 4 * 30
    assert tracker.slots["attune"].value["turns"] == 30


async def test_live_trackers_are_the_stored_ones(
    store: AttuneTrackerStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a tracker was kept alive or is loaded anew makes no difference to what is stored."""
    await talk(store, *range(20))
    monkeypatch.setattr(module, "KEPT_TRACKERS", 0)
    other = Database(str(database.url).replace("attune.db", "other.db"))
    await talk(AttuneTrackerStore(DOMAIN, database=other, window_events=20), *range(20))
    for table in (
        tables.tracker_events,
        tables.turns,
        tables.decisions,
        tables.readings,
        tables.guidance_shown,
    ):
        assert count(database, table) == count(other, table)
    states = []
    for used in (database, other):
        with used.session() as session:
            conversation = conversations.find(session, SENDER)
            assert conversation is not None
            states.append(conversation.state)
    assert states[0].tried == states[1].tried
    assert states[0].turns == states[1].turns == 20


async def test_what_lies_before_the_window_is_not_forgotten(
    store: AttuneTrackerStore, database: Database
) -> None:
    tracker = await opened(store)
    log(tracker, SlotSet("topic", "work"), ActiveLoop("form"), ConversationPaused(), said(0), *answer(0))
    await store.save(tracker)
    await talk(store, *range(1, 12))
    events = count(database, tables.tracker_events)
    fresh = AttuneTrackerStore(DOMAIN, database=database, window_events=20)
    tracker = await fresh.retrieve(SENDER)
    assert tracker is not None
    assert not any(event.type_name == "session_started" for event in tracker.events)
    assert (tracker.get_slot("topic"), tracker.is_paused(), tracker.active_loop_name) == (
        "work",
        True,
        "form",
    )
    await fresh.save(tracker)
    assert count(database, tables.tracker_events) == events  # what was restored isn't stored again


async def test_a_failed_turn_leaves_nothing_behind(store: AttuneTrackerStore, database: Database) -> None:
    await talk(store, 1)
    failed = await opened(store)
    log(failed, said(2), decided("action_guidance_question"))  # and then the turn breaks off
    tracker = await opened(store)
    assert tracker is not failed
    assert tracker.latest_message.message_id == "m1"
    log(tracker, said(3), *answer(3))
    await store.save(tracker)
    full = await store.retrieve_full_tracker(SENDER)
    assert full is not None
    ids = [event.message_id for event in full.events if isinstance(event, UserUttered)]
    assert ids == ["m1", "m3"]


async def test_a_save_that_fails_can_be_repeated(
    store: AttuneTrackerStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = await opened(store)
    log(tracker, said(1), *answer(1))
    with monkeypatch.context() as patch:
        patch.setattr("bot.stores.recorder.keep", lambda *_: (_ for _ in ()).throw(StorageError("full")))
        with pytest.raises(StorageError, match="full"):
            await store.save(tracker)
    assert count(database, tables.tracker_events) == count(database, tables.turns) == 0
    await store.save(tracker)
    assert (count(database, tables.tracker_events), count(database, tables.turns)) == (7, 2)


async def test_two_workers_see_each_others_turns(store: AttuneTrackerStore, database: Database) -> None:
    other = AttuneTrackerStore(DOMAIN, database=Database(str(database.url)), window_events=20)
    for number in range(6):
        tracker = await talk((store, other)[number % 2], number)
    full = await store.retrieve_full_tracker(SENDER)
    assert full is not None
    ids = [event.message_id for event in full.events if isinstance(event, UserUttered)]
    assert ids == [f"m{number}" for number in range(6)]
    assert tracker.slots["attune"].value["turns"] == 6


async def test_two_workers_at_once_lose_nothing(store: AttuneTrackerStore, database: Database) -> None:
    other = AttuneTrackerStore(DOMAIN, database=Database(str(database.url)), window_events=20)
    first, second = await opened(store), await opened(other)
    log(first, said(1), *answer(1))
    log(second, said(2), *answer(2))
    await asyncio.gather(store.save(first), other.save(second))
    with database.session() as session:
        conversation = conversations.find(session, SENDER)
    assert conversation is not None
    assert conversation.state.turns == 2
    tracker = await store.retrieve(SENDER)  # the live one lacks the other's turn
    assert tracker is not None
    assert {event.message_id for event in tracker.events if isinstance(event, UserUttered)} <= {"m1", "m2"}
    assert count(database, tables.turns) == 4


async def test_the_state_outlives_session_starts_copies_and_restarts(
    store: AttuneTrackerStore, database: Database
) -> None:
    await talk(store, 1)
    tracker = await opened(store)
    log(tracker, ActionExecuted("action_session_start"), SessionStarted(), ActionExecuted("action_listen"))
    assert tracker.slots["attune"].value["turns"] == 1
    assert tracker.copy().slots["attune"].value["turns"] == 1
    log(tracker, said(2), *answer(2))
    await store.save(tracker)
    fresh = AttuneTrackerStore(DOMAIN, database=database, window_events=20)
    tracker = await opened(fresh)
    assert isinstance(tracker.events[0], SessionStarted)
    assert tracker.slots["attune"].value["turns"] == 2
    log(tracker, said(3), ActionExecuted("action_restart"), Restarted())
    await fresh.save(tracker)
    assert tracker.slots["attune"].value["turns"] == 0
    assert len((await fresh.retrieve(SENDER)).applied_events()) == 0


async def test_a_decision_to_hand_over_opens_a_handoff(store: AttuneTrackerStore, database: Database) -> None:
    tracker = await opened(store)
    risk = {"level": "high", "score": 0.9, "kind": "self_harm", "evidence": ["end it"]}
    decision = decided("action_handoff", level="handoff", reason="risk_high", evidence=["said: end it"])
    log(tracker, said(1, risk=risk), decision, ActionExecuted("action_listen"))
    await store.save(tracker)
    assert tracker.slots["attune"].value["handoff"] == "waiting"
    with database.session() as session:
        (handoff,) = handoffs.listing(session, [HandoffState.WAITING])
        handoffs.take(session, handoff.id, "Ann", 1.0)
    assert (handoff.reason, handoff.level, handoff.evidence) == ("risk_high", "high", ("said: end it",))
    tracker = await opened(store)
    assert tracker.slots["attune"].value["handoff"] == "human"


async def test_a_conversation_without_the_slot_works(database: Database) -> None:
    store = AttuneTrackerStore(None, database=database)
    await talk(store, 1, 2)
    tracker = await store.retrieve(SENDER)
    assert tracker is not None
    assert "attune" not in tracker.slots
    assert count(database, tables.turns) == 4


async def test_a_new_sender_starts_with_a_fresh_state(store: AttuneTrackerStore, database: Database) -> None:
    assert await store.retrieve(SENDER) is None
    assert not await store.exists(SENDER)
    tracker = await store.get_or_create_tracker(SENDER)
    assert tracker.slots["attune"].value["handoff"] == "bot"
    assert await store.exists(SENDER)
    assert list(await store.keys()) == [SENDER]
    assert count(database, tables.conversations) == 0  # nobody said anything


async def test_a_tracker_from_elsewhere_adds_what_is_missing(
    store: AttuneTrackerStore, database: Database
) -> None:
    tracker = await talk(store, 1)
    dump = [event.as_dict() for event in tracker.events]
    copied = DialogueStateTracker.from_dict(SENDER, dump, DOMAIN.slots)
    log(copied, said(2), *answer(2))
    await store.save(copied)
    full = await store.retrieve_full_tracker(SENDER)
    assert full is not None
    assert len(full.events) == 3 + 4 * 2
    assert count(database, tables.turns) == 4


async def test_a_short_event_history_loses_nothing(store: AttuneTrackerStore, database: Database) -> None:
    for number in range(4):
        tracker = await store.get_or_create_tracker(SENDER, max_event_history=6, append_action_listen=False)
        log(tracker, said(number), *answer(number))
        await store.save(tracker)
        assert len(tracker.events) <= 6
    assert count(database, tables.tracker_events) == 16


async def test_a_cancelled_save_is_finished_first(store: AttuneTrackerStore, database: Database) -> None:
    tracker = await opened(store)
    log(tracker, said(1), *answer(1))
    saving = asyncio.create_task(store.save(tracker))
    await asyncio.sleep(0)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert count(database, tables.turns) == 2


async def test_events_are_published_once(database: Database) -> None:
    published: list[dict[str, Any]] = []

    class Broker:
        def publish(self, event: dict[str, Any]) -> None:
            published.append(event)

    store = AttuneTrackerStore(DOMAIN, Broker(), database=database)
    await talk(store, 1, 2)
    assert [event["event"] for event in published].count("user") == 2
    assert len(published) == 3 + 4 * 2


async def test_another_domain_starts_from_what_is_stored(store: AttuneTrackerStore) -> None:
    await talk(store, 1)
    assert check_if_tracker_store_async(store)
    store.domain = Domain.from_dict({"version": "3.1", "slots": {"attune": SLOTS["attune"]}})
    tracker = await store.retrieve(SENDER)
    assert tracker is not None
    assert set(tracker.slots) >= {"attune"}
    assert "topic" not in tracker.slots
