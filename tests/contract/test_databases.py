"""What storage promises, on every supported database."""

from __future__ import annotations

import logging
import math
import multiprocessing
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from bot.core.errors import StorageError
from bot.core.reading import EmotionReading, RiskKind, RiskLevel, RiskReading
from bot.core.turn import Author, Decision
from bot.storage import (
    conversations,
    decisions,
    guidance,
    handoffs,
    readings,
    tables,
    tracker_events,
    turns,
    views,
)
from bot.storage.database import Database
from bot.storage.records import ShownGuidance
from bot.storage.tracker_events import StoredEvent

from .conftest import LOCKED_PASSWORD, LOCKED_USER

EMOTION = EmotionReading(
    label="anger",
    labels=("anger",),
    scores={"anger": 0.9},
    ekman={"anger": 1.0},
    sentiment={"negative": 1.0},
    valence=-0.7,
    arousal=0.6,
    dominance=0.2,
    confidence=0.8,
)


def test_migrations_leave_the_tables_of_the_code(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "attune_schema"})
        found = compare_metadata(context, tables.metadata)
    own = [change for change in found if getattr(change[1], "name", "") != "sqlite_sequence"]  # SQLite's
    assert own == []


def test_a_migrated_database_passes_its_check_and_migrates_again(database: Database) -> None:
    database.check()
    database.migrate()
    database.check()


def test_migrating_leaves_logging_alone(database_url: str) -> None:
    before = (logging.root.level, list(logging.root.handlers), logging.getLogger("alembic").level)
    kept = logging.getLogger("bot.somewhere")
    Database(database_url).migrate()
    assert (logging.root.level, list(logging.root.handlers), logging.getLogger("alembic").level) == before
    assert not kept.disabled


def test_several_processes_migrate_at_once(database_url: str) -> None:
    assert _in_processes(_migrate, database_url) == [0, 0, 0]
    Database(database_url).check()


def test_an_empty_database_is_reported_as_not_set_up(database_url: str) -> None:
    with pytest.raises(StorageError, match="attune run"):
        Database(database_url).check()


def test_a_newer_schema_is_refused(database: Database) -> None:
    with database.session() as session:
        session.execute(sa.text("UPDATE attune_schema SET version_num = '9999'"))
    for use in (database.check, database.migrate):
        with pytest.raises(StorageError, match=r"newer schema \(9999\)"):
            use()


def test_a_turn_arrives_once(database: Database) -> None:
    with database.session() as session:
        first = turns.arrive(session, "web-1", "web", "hello", "m1", "en", 100.0)
    with database.session() as session:
        again = turns.arrive(session, "web-1", "web", "changed", "m1", "en", 200.0)
        conversation = conversations.find(session, "web-1")
    assert again == first
    assert first.author is Author.PERSON
    assert conversation is not None
    assert (conversation.channel, conversation.language) == ("web", "en")


def test_one_persons_message_id_is_not_anothers(database: Database) -> None:
    with database.session() as session:
        mine = turns.arrive(session, "web-1", "web", "mine", "m1", "en", 100.0)
        theirs = turns.arrive(session, "web-2", "web", "theirs", "m1", "en", 101.0)
    assert (mine.text, theirs.text) == ("mine", "theirs")
    assert mine.conversation_id != theirs.conversation_id


def test_turns_without_message_id_are_all_kept(database: Database) -> None:
    with database.session() as session:
        for _ in range(2):
            turns.arrive(session, "web-1", "web", "again", None, None, 100.0)
        assert turns.latest_id(session) == 2


def test_first_messages_at_once_open_one_conversation(database_url: str) -> None:
    Database(database_url).migrate()
    assert _in_processes(_arrive_many, database_url) == [0, 0, 0]
    database = Database(database_url)
    with database.session() as session:
        conversation = conversations.find(session, "web-1")
        assert conversation is not None
        found = turns.history(session, conversation.id)
    assert sorted(turn.text for turn in found) == sorted(f"{i}" for i in range(10))


def test_what_no_database_can_hold_is_replaced(database: Database) -> None:
    with database.session() as session:
        turn = turns.arrive(session, "web-\x00", "web", "a\x00b\ud83dc\ud83d\ude00", "m\x00", "en", 100.0)
        risk = RiskReading(RiskLevel.HIGH, 0.9, RiskKind.SELF_HARM, ("x\x00y",))
        odd = EmotionReading("joy", scores={"joy\x00": math.nan})
        readings.add(session, turn.id, odd, risk)
    with database.session() as session:
        assert conversations.find(session, "web-\x00") is not None
        read = readings.of_turns(session, [turn.id])[turn.id]
    assert turn.text == "a\ufffdb\ufffdc\U0001f600"
    assert read.risk.evidence == ("x\ufffdy",)
    assert read.emotion is not None
    assert read.emotion.scores == {"joy\ufffd": None}


def test_readings_come_back_as_they_were(database: Database) -> None:
    risk = RiskReading(RiskLevel.CRISIS, 0.97, RiskKind.SELF_HARM, ("end it",))
    with database.session() as session:
        turn = turns.arrive(session, "web-1", "web", "哎", "m1", "zh", 100.0)
        bare = turns.arrive(session, "web-1", "web", "?", "m2", "zh", 101.0)
        readings.add(session, turn.id, EMOTION, risk)
        readings.add(session, turn.id, None, RiskReading())  # the first one stays
        readings.add(session, bare.id, None, RiskReading())
    with database.session() as session:
        read = readings.of_turns(session, [turn.id, bare.id])
        shown = views.turns_json(session, [turn, bare])
    assert (read[turn.id].emotion, read[turn.id].risk) == (EMOTION, risk)
    assert read[bare.id].emotion is None
    assert shown[0]["reading"] == {
        "label": "anger",
        "confidence": 0.8,
        "valence": -0.7,
        "arousal": 0.6,
        "dominance": 0.2,
        "abstained": False,
        "degraded": False,
        "language": "zh",
    }
    assert shown[1]["reading"] is None


def test_history_is_the_newest_and_after_the_next(database: Database) -> None:
    with database.session() as session:
        for number in range(5):
            turns.arrive(session, "web-1", "web", str(number), f"m{number}", "en", 100.0 + number)
        other = turns.arrive(session, "web-2", "web", "other", "m", "en", 200.0)
        conversation = conversations.find(session, "web-1")
        assert conversation is not None
        assert [turn.text for turn in turns.history(session, conversation.id, limit=2)] == ["3", "4"]
        assert [turn.text for turn in turns.after(session, conversation.id, 2, limit=2)] == ["2", "3"]
        assert turns.latest_id(session) == other.id
        assert conversation.last_turn_at == 104.0


def test_decisions_and_guidance_are_kept(database: Database) -> None:
    decision = Decision(
        "action_guidance_question", "GuidancePolicy", "explore", ("says why",), strategy="question"
    )
    with database.session() as session:
        turn = turns.arrive(session, "web-1", "web", "hi", "m1", "en", 100.0)
        decisions.add(session, turn.conversation_id, [(turn.id, decision, 101.0), (None, decision, 102.0)])
        answer = turns.add_bot(session, turn.conversation_id, "What happened?", 103.0)
        for at in (103.0, 104.0):
            shown = ShownGuidance("breathing", answer, "question", 0.5, at)
            guidance.add_shown(session, turn.conversation_id, shown)
    with database.session() as session:
        made = decisions.of_conversation(session, turn.conversation_id)
        assert guidance.shown_ids(session, "web-1") == {"breathing"}
        assert guidance.shown_ids(session, "web-2") == set()
        assert [entry.at for entry in guidance.of_conversation(session, turn.conversation_id)] == [103.0]
    assert [(entry.turn_id, entry.decision) for entry in made] == [(turn.id, decision), (None, decision)]


def test_the_whole_picture_holds_everything(database: Database) -> None:
    decision = Decision("action_handoff", "EscalationPolicy", "risk", ("end it",), "handoff")
    with database.session() as session:
        turn = turns.arrive(session, "web-1", "web", "hi", "m1", "en", 100.0)
        readings.add(session, turn.id, EMOTION, RiskReading(RiskLevel.HIGH, 0.9, None, ("end it",)))
        decisions.add(session, turn.conversation_id, [(turn.id, decision, 101.0)])
        handoff = handoffs.open_handoff(session, turn.conversation_id, "risk", "high", ["end it"], 101.0)
        conversation = conversations.get(session, turn.conversation_id)
        whole = views.conversation_json(session, conversation, handoff)
        summary = views.summary_json(session, handoff)
    assert whole["person"] == {"channel": "web", "external_id": "web-1", "created_at": 100.0}
    assert whole["conversation"]["state"]["handoff"] == "waiting"
    assert whole["turns"][0]["risk"]["level"] == "high"
    assert whole["turns"][0]["reading"]["confidence"] == 0.8
    assert whole["decisions"][0]["evidence"] == ["end it"]
    assert (summary["sender_id"], summary["latest_turn"]["text"]) == ("web-1", "hi")


def test_tracker_events_are_kept_in_order(database: Database) -> None:
    def stored(at: float) -> StoredEvent:
        return StoredEvent("action", at, f'{{"at": {at}}}')

    at = 1763632345.1234567  # as precise as time.time()
    with database.session() as session:
        assert tracker_events.newest_id(session, "web-1") == 0
        tracker_events.append(session, "web-1", [stored(at), stored(at), stored(at + 1)])
        last = tracker_events.append(session, "web-1", [stored(at + 2)])
        tracker_events.append(session, "web-2", [stored(5.0)])
    with database.session() as session:
        assert tracker_events.newest_id(session, "web-1") == last
        newest = tracker_events.newest(session, "web-1", 2)
        assert len(tracker_events.newest(session, "web-1", None)) == 4
        assert tracker_events.stamps(session, "web-1", 10)["action", at] == 2
        assert sorted(tracker_events.senders(session)) == ["web-1", "web-2"]
    assert [event.timestamp for event in newest] == [at + 1, at + 2]


async def test_first_messages_at_once_through_two_tracker_stores(database_url: str) -> None:
    import asyncio

    from rasa.shared.core.domain import Domain
    from rasa.shared.core.events import ActionExecuted, BotUttered, UserUttered

    from bot.stores.tracker_store import AttuneTrackerStore

    handing = {"action": "a", "policy": "P", "reason": "asked", "level": "handoff", "evidence": ["\x00"]}
    stores = [AttuneTrackerStore(Domain.empty(), database=Database(database_url)) for _ in range(2)]
    trackers = [await store.get_or_create_tracker("web-1") for store in stores]
    for round_number in range(3):
        for number, tracker in enumerate(trackers):
            message_id = f"{round_number}-{number}"
            said = UserUttered("hi\x00", input_channel="web", message_id=message_id)
            action = ActionExecuted("a", metadata={"decision": handing})
            for event in (said, action, BotUttered("hello"), ActionExecuted("action_listen")):
                tracker.update(event)
        await asyncio.gather(*(store.save(tracker) for store, tracker in zip(stores, trackers, strict=True)))
    with Database(database_url).session() as session:
        conversation = conversations.find(session, "web-1")
        assert conversation is not None
        assert conversation.state.turns == 6
        assert len(turns.history(session, conversation.id)) == 12
        assert len(handoffs.listing(session, handoffs.OPEN)) == 1


def test_an_error_rolls_everything_back(database: Database) -> None:
    def fail() -> None:
        with database.session() as session:
            turns.arrive(session, "web-1", "web", "hi", "m1", "en", 100.0)
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    with database.session() as session:
        assert conversations.find(session, "web-1") is None


def test_a_password_that_is_wrong_is_never_shown(postgresql_url: str) -> None:
    url = sa.engine.make_url(postgresql_url).set(username=LOCKED_USER, password="wrong-and-secret")
    database = Database(str(url.render_as_string(hide_password=False)))
    with pytest.raises(StorageError, match="refused the password of user 'locked'") as caught:
        database.check()
    assert "secret" not in str(caught.value)


def test_a_user_that_may_only_read_is_reported(postgresql_url: str) -> None:
    Database(postgresql_url).migrate()
    url = sa.engine.make_url(postgresql_url).set(username=LOCKED_USER, password=LOCKED_PASSWORD)
    engine = sa.create_engine(postgresql_url, future=True)
    with engine.begin() as connection:
        connection.execute(sa.text(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {LOCKED_USER}"))
    engine.dispose()
    database = Database(url.render_as_string(hide_password=False))
    with pytest.raises(StorageError, match="may not write"):
        database.check()


def test_a_database_that_is_not_there_is_named(postgresql_url: str) -> None:
    url = sa.engine.make_url(postgresql_url).set(database="nowhere")
    with pytest.raises(StorageError, match="no database 'nowhere'"):
        Database(str(url)).migrate()


def _in_processes(work: Callable[[str], None], url: str) -> list[int | None]:
    processes = [multiprocessing.get_context("fork").Process(target=work, args=(url,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    return [process.exitcode for process in processes]


def _migrate(url: str) -> None:
    Database(url).migrate()


def _arrive_many(url: str) -> None:
    database = Database(url)
    for number in range(10):
        with database.session() as session:
            turns.arrive(session, "web-1", "web", str(number), f"m{number}", "en", 100.0)
