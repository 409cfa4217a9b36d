"""The audit trail on every supported database: one chain, whoever writes, and nothing is taken back."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from bot.core.errors import StorageError
from bot.core.reading import RiskKind, RiskLevel, RiskReading
from bot.storage import (
    audit,
    conversations,
    false_alarms,
    handoffs,
    page_sends,
    pages,
    readings,
    safety_figures,
    turns,
)
from bot.storage.audit_check import verify
from bot.storage.database import Database

WRITERS, EACH = 4, 12
REFUSED = [
    "UPDATE audit_log SET actor = 'x' WHERE seq = 1",
    "DELETE FROM audit_log",
    "DELETE FROM audit_head",
    "UPDATE audit_head SET seq = seq + 1",
    "UPDATE audit_head SET hash = 'x'",
    "UPDATE audit_personal SET personal = '{}'",
    "DELETE FROM audit_personal",
    "INSERT INTO audit_log SELECT seq + 1, at, event, conversation_id, turn_id, actor, facts, personal_hash, "
    "previous_hash, hash FROM audit_log WHERE seq = 2",
    "INSERT INTO audit_log SELECT seq + 2, at, event, conversation_id, turn_id, actor, facts, personal_hash, "
    "hash, hash FROM audit_log WHERE seq = 2",
]


def test_rows_come_back_as_they_were_written(database: Database) -> None:
    at = 1763632345.1234567
    with database.session() as session:
        row = audit.record(
            session,
            audit.DANGER_READ,
            at=at,
            conversation_id=5,
            turn_id=6,
            actor="Mei \ud83d\x00",
            facts={"score": 0.1 + 0.2, "nan": float("nan"), "名": ["é", 1e21, 1e-7]},
            personal={"evidence": ["活不下去了\x00"]},
        )
    with database.session() as session:
        (found,) = audit.of_conversation(session, 5)
        assert verify(session, [audit.head(session)]).trouble is None
    assert found == row
    assert found.at == round(at, 6)
    assert found.to_dict()["personal"] == {"evidence": ["活不下去了\ufffd"]}
    assert found.to_dict()["facts"]["nan"] is None


@pytest.mark.parametrize("statement", REFUSED)
def test_the_database_refuses_what_would_take_something_back(database: Database, statement: str) -> None:
    _write(database, 2)
    with (
        pytest.raises((StorageError, sa.exc.IntegrityError), match="append-only"),
        database.session() as session,
    ):
        session.execute(sa.text(statement))
    with database.session() as session:
        assert verify(session).head.seq == 2


def test_postgresql_refuses_to_empty_a_table(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has no TRUNCATE")
    _write(database, 2)
    for table in ("audit_log CASCADE", "audit_personal", "audit_head"):
        with pytest.raises(StorageError, match="append-only"), database.session() as session:
            session.execute(sa.text(f"TRUNCATE {table}"))


def test_writers_from_threads_keep_one_chain(database: Database) -> None:
    failed: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for _ in range(EACH):
                with database.session() as session:
                    conversations.find(session, "web-1")
                    audit.record(session, audit.PAGE_SENT, at=1.0, facts={"writer": number})
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with database.session() as session:
        found = verify(session)
    assert (found.trouble, found.head.seq) == (None, WRITERS * EACH)


def test_writers_from_processes_keep_one_chain(database_url: str) -> None:
    Database(database_url).migrate()
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write_to, args=(database_url,)) for _ in range(WRITERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * WRITERS
    database = Database(database_url)
    with database.session() as session:
        found = verify(session)
    database.close()
    assert (found.trouble, found.head.seq) == (None, WRITERS * EACH)


def test_erasing_and_tampering_on_every_database(database: Database) -> None:
    _write(database, 4)
    with database.session() as session:
        assert audit.erase(session, 1, actor="Ann", at=9.0, reason="request") == 4
    with database.session() as session:
        found = verify(session)
        assert (found.trouble, found.erased) == (None, 4)
        assert session.execute(sa.text("SELECT count(*) FROM audit_personal")).scalar() == 0
    with database.engine.begin() as connection:
        _drop_guard(connection, database.is_sqlite)
        connection.exec_driver_sql("UPDATE audit_log SET actor = 'Mallory' WHERE seq = 3")
    with database.session() as session:
        assert verify(session).row == 3


def test_a_crisis_from_its_reading_to_its_end_and_its_figures(database: Database) -> None:
    risk = RiskReading(RiskLevel.CRISIS, 0.9, RiskKind.SELF_HARM, ("end it",))
    with database.session(exclusive=True) as session:
        turn = turns.arrive(session, "web-1", "web", "I want to end it", "m1", "en", 100.0)
        readings.add(session, turn.id, None, risk)
        opened = handoffs.open_handoff(
            session, turn.conversation_id, "risk_self_harm", "crisis", ["x"], 101.0
        )
    with database.session(exclusive=True) as session:
        turns.add_human(session, turn.conversation_id, "I'm Ann, I'm here.", "Ann", 131.0)
    with database.session(exclusive=True) as session:
        handoffs.give_back(session, opened.id, "Ann", 500.0)
        false_alarms.mark(session, turn.id, by="Ann", at=600.0, note="a film")
    with database.session() as session:
        events = [(row.event, row.actor) for row in audit.of_conversation(session, turn.conversation_id)]
        figures = safety_figures.of_period(session, 0.0, 1000.0, 2000.0)
        nothing = safety_figures.of_period(session, 1000.0, 2000.0, 2000.0)
        assert verify(session).trouble is None
    assert [event for event in events if not event[0].startswith("page")] == [
        ("handoff_opened", "attune"),
        ("handoff_taken", "Ann"),
        ("handoff_returned", "Ann"),
        ("false_alarm_marked", "Ann"),
    ]
    assert figures["turns"]["by"] == [{"level": "crisis", "kind": "self_harm", "language": "en", "turns": 1}]
    assert figures["humans"]["seconds_to_human"] == {"median": 30.0, "p90": 30.0, "max": 30.0}
    assert figures["false_alarms"]["share_of_danger"] == 1.0
    assert (
        nothing["turns"]["person"] == nothing["humans"]["asked_for"] == nothing["false_alarms"]["marked"] == 0
    )


async def test_a_crisis_saved_by_the_tracker_store_is_on_the_trail_once(database_url: str) -> None:
    from rasa.shared.core.domain import Domain
    from rasa.shared.core.events import ActionExecuted, BotUttered, UserUttered

    from bot.stores.tracker_store import AttuneTrackerStore

    handing = {"action": "utter_crisis", "policy": "EscalationPolicy", "reason": "risk_self_harm"}
    handing |= {"level": "handoff", "evidence": ["the person wrote: I want to end it, says Sam"]}
    risk = {"level": "crisis", "score": 0.9, "kind": "self_harm", "evidence": ["want to end it"]}
    said = UserUttered("I want to end it, says Sam", input_channel="web", message_id="m1")
    said.parse_data = {"text": said.text, "language": "en", "intent": {}, "risk": risk}
    answer = BotUttered("I hear how bad it is.", metadata={"helplines": ["us-988", 7]})
    store = AttuneTrackerStore(Domain.empty(), database=Database(database_url))
    tracker = await store.get_or_create_tracker("web-1")
    for event in (said, ActionExecuted("utter_crisis", metadata={"decision": handing}), answer):
        tracker.update(event)
    await store.save(tracker)
    tracker.update(ActionExecuted("action_listen"))
    await store.save(tracker)
    with Database(database_url).session() as session:
        rows = [row.to_dict() for row in audit.of_conversation(session, 1)]
        assert verify(session).trouble is None
    assert [row["event"] for row in rows] == [
        "danger_read",
        "crisis_answered",
        "human_offered",
        "handoff_opened",
    ]
    assert rows[0]["personal"] == {"evidence": ["want to end it"]}
    assert rows[1]["facts"]["helplines"] == ["7", "us-988"]
    assert rows[1]["facts"]["decisions"][0]["reason"] == "risk_self_harm"
    assert "Sam" not in str(rows)  # no more of the person's words than the evidence


def test_crises_and_their_pages_do_not_lock_each_other_out(database: Database) -> None:
    failed: list[BaseException] = []

    def crisis(number: int) -> None:
        for step in range(EACH):
            with database.session(exclusive=True) as session:
                turn = turns.arrive(session, f"web-{number}", "web", "x", f"m{step}", "en", 1.0)
                handoffs.open_handoff(session, turn.conversation_id, "risk_abuse", "high", [], 1.0)
            with database.session(exclusive=True) as session:
                opened = handoffs.open_handoff(session, turn.conversation_id, "risk_abuse", "crisis", [], 2.0)
            with database.session(exclusive=True) as session:
                handoffs.take(session, opened.id, "Ann", 3.0)
                handoffs.give_back(session, opened.id, "Ann", 4.0)

    def duty(_number: int) -> None:
        for _ in range(EACH):
            with database.session() as session:
                due = pages.due(session, 9.0)
            for page in due:
                with database.session(exclusive=True) as session:
                    page_sends.advance(session, page.id, page.step, [("Bob", "mail")], 9.0, 9.0)
                with database.session() as session:
                    messages = page_sends.of_page(session, page.id)
                for message in messages:
                    with database.session(exclusive=True) as session:
                        page_sends.give_up(session, message, 9.0, "refused", 9.0)
                with database.session(exclusive=True) as session:
                    pages.acknowledge(session, page.id, "Bob", 9.0)

    def run(work: Callable[[int], None], number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failed.append(error)

    jobs = [(crisis, 0), (crisis, 1), (duty, 0), (duty, 1)]
    threads = [threading.Thread(target=run, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with database.session() as session:
        assert verify(session).trouble is None
        assert safety_figures.of_period(session, 0.0, 10.0, 10.0)["humans"]["asked_for"] == 2 * EACH


def test_the_trail_can_be_taken_down_and_made_anew(database: Database) -> None:
    from alembic import command

    from bot.storage import schema

    _write(database, 2)
    with database.engine.begin() as connection:
        config = schema._config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")
    database.migrate()
    _write(database, 3)
    with database.session() as session:
        assert verify(session).head.seq == 3


def _write(database: Database, count: int) -> None:
    with database.session() as session:
        for number in range(count):
            audit.record(
                session, audit.DANGER_READ, at=float(number), conversation_id=1, personal={"evidence": ["x"]}
            )


def _write_to(url: str) -> None:
    database = Database(url)
    for _ in range(EACH):
        with database.session() as session:
            audit.record(session, audit.PAGE_SENT, at=1.0)


def _drop_guard(connection: sa.engine.Connection, is_sqlite: bool) -> None:
    connection.exec_driver_sql(f"DROP TRIGGER audit_log_update{'' if is_sqlite else ' ON audit_log'}")
