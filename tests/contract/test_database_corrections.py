"""Corrections on every supported database: kept once, found again, gone with the turn they speak of."""

from __future__ import annotations

import multiprocessing

import pytest
import sqlalchemy as sa

from bot.core.correction import CorrectionSource, CorrectionStatus
from bot.core.errors import StorageError
from bot.core.reading import EmotionReading, RiskReading
from bot.storage import corrections, readings, tables, turns
from bot.storage.database import Database

AGENT, NEW = CorrectionSource.AGENT, CorrectionStatus.NEW
PROPOSED, REJECTED, USED = CorrectionStatus.PROPOSED, CorrectionStatus.REJECTED, CorrectionStatus.USED


def test_a_correction_comes_back_as_it_was_kept(database: Database) -> None:
    with database.session() as session:
        kept, before = corrections.add(
            session, "I could scream\x00", ["anger", "annoyance"], AGENT, NEW, 100.0, author="Ann",
            model="tiny@1", reading={"label": "joy", "confidence": float("nan")}, note="sarcastic",
        )  # fmt: skip
    with database.session() as session:
        found = corrections.get(session, kept.id)
    assert before is None
    assert found == kept
    assert (found.text, found.labels, found.author) == ("I could scream\ufffd", ("anger", "annoyance"), "Ann")
    assert (found.source, found.status, found.note) == (AGENT, NEW, "sarcastic")
    assert found.reading == {"label": "joy", "confidence": None}
    assert (found.turn_id, found.used_in, found.decided_at) == (None, (), 100.0)


def test_the_same_correction_is_kept_once_and_another_beside_it(database: Database) -> None:
    with database.session() as session:
        first, _ = corrections.add(session, "so  it goes", ["grief", "sadness"], AGENT, NEW, 100.0)
        again, before = corrections.add(session, "so it goes", ["sadness", "grief"], AGENT, NEW, 200.0)
        other, nothing = corrections.add(session, "so it goes", ["neutral"], AGENT, NEW, 300.0)
    assert (again.id, before) == (first.id, first)
    assert (again.created_at, again.decided_at) == (100.0, 200.0)
    assert other.id != first.id
    assert nothing is None


def test_what_is_said_again_is_the_last_word(database: Database) -> None:
    with database.session() as session:
        anger, _ = corrections.add(session, "oh great", ["anger"], AGENT, NEW, 100.0, author="Ann")
        sadness, _ = corrections.add(session, "oh great", ["sadness"], AGENT, NEW, 101.0)
        assert [found.id for found in corrections.listing(session, [NEW])] == [anger.id, sadness.id]
        again, _ = corrections.add(session, "oh great", ["anger"], AGENT, NEW, 102.0, author="Bea")
        assert [found.id for found in corrections.listing(session, [NEW])] == [sadness.id, anger.id]
        assert (again.author, again.decided_at) == ("Bea", 102.0)


def test_a_confirmed_proposal_is_a_later_word_than_what_was_added_before(database: Database) -> None:
    with database.session() as session:
        proposed, _ = corrections.add(session, "oh great", ["joy"], CorrectionSource.PERSON, PROPOSED, 100.0)
        added, _ = corrections.add(session, "oh great", ["anger"], AGENT, NEW, 101.0)
        corrections.decide(session, proposed.id, NEW, 102.0)
        assert [found.id for found in corrections.listing(session, [NEW])] == [added.id, proposed.id]


def test_what_was_rejected_or_relabelled_counts_again_when_it_is_said_again(database: Database) -> None:
    with database.session() as session:
        first, _ = corrections.add(session, "a", ["joy"], AGENT, NEW, 100.0)
        second, _ = corrections.add(session, "b", ["joy"], AGENT, NEW, 100.0)
        corrections.decide(session, first.id, REJECTED, 101.0)
        corrections.decide(session, second.id, NEW, 101.0, labels=["fear"])
        for text, earlier in (("a", (REJECTED, ("joy",))), ("b", (NEW, ("fear",)))):
            again, before = corrections.add(session, text, ["joy"], CorrectionSource.IMPORT, NEW, 102.0)
            assert before is not None
            assert (before.status, before.labels) == earlier
            assert (again.status, again.labels) == (NEW, ("joy",))


def test_what_a_person_said_is_kept_once_whatever_its_labels_become(database: Database) -> None:
    with database.session() as session:
        turn = turns.arrive(session, "web-1", "web", "oh great", "m1", "en", 100.0)
        said = turns.arrive(session, "web-1", "web", "I'm not happy, I'm sad", "m2", "en", 101.0)
        person = CorrectionSource.PERSON
        first, _ = corrections.add(
            session, turn.text, ["sadness"], person, PROPOSED, 102.0, turn_id=turn.id, said_by=said.id
        )
        decided = corrections.decide(session, first.id, NEW, 102.5, labels=["disappointment"], author="Ann")
        again, before = corrections.add(
            session, turn.text, ["grief"], person, PROPOSED, 103.0, turn_id=turn.id, said_by=said.id
        )
    assert again == before == decided
    assert (again.labels, again.status, again.author) == (("disappointment",), NEW, "Ann")


def test_listing_is_by_status_and_the_last_decided_with_a_limit(database: Database) -> None:
    with database.session() as session:
        ids = [
            corrections.add(session, str(number), ["joy"], AGENT, NEW, 100.0 + number)[0].id
            for number in range(5)
        ]
        corrections.decide(session, ids[0], REJECTED, 200.0, note="a test")
        assert [found.id for found in corrections.listing(session, [NEW])] == ids[1:]
        assert [found.id for found in corrections.listing(session, [NEW], limit=2)] == ids[3:]
        assert [found.id for found in corrections.listing(session, list(CorrectionStatus))] == [
            *ids[1:],
            ids[0],
        ]
        assert corrections.counts(session) == {"proposed": 0, "new": 4, "used": 0, "rejected": 1}


def test_marking_used_leaves_rejected_ones_alone(database: Database) -> None:
    with database.session() as session:
        first, _ = corrections.add(session, "a", ["joy"], AGENT, NEW, 100.0)
        second, _ = corrections.add(session, "b", ["joy"], AGENT, NEW, 101.0)
        corrections.decide(session, second.id, REJECTED, 102.0)
        many = [first.id, second.id, *range(10_000, 12_000)]
        assert corrections.mark_used(session, many, "runs/two", 103.0) == 1
    with database.session() as session:
        found = corrections.get(session, first.id)
        assert (found.status, found.used_in) == (USED, ("runs/two",))
        assert corrections.get(session, second.id).status is REJECTED


def test_every_run_that_used_a_correction_is_named(database: Database) -> None:
    with database.session() as session:
        kept, _ = corrections.add(session, "a", ["joy"], AGENT, NEW, 100.0)
        for run in ("runs/one", "runs/two, the second", "runs/two, the second"):
            corrections.mark_used(session, [kept.id], run, 101.0)
        assert corrections.get(session, kept.id).used_in == ("runs/one", "runs/two, the second")


def test_what_was_decided_during_a_training_was_not_trained_on(database: Database) -> None:
    with database.session() as session:
        kept, _ = corrections.add(session, "a", ["joy"], AGENT, NEW, 100.0)
        corrections.decide(session, kept.id, NEW, 102.0, labels=["anger"])  # the run has read "joy"
        assert corrections.mark_used(session, [kept.id], "runs/one", 101.0) == 0
        found = corrections.get(session, kept.id)
    assert (found.status, found.labels, found.used_in) == (NEW, ("anger",), ())


def test_corrections_from_before_count_from_when_they_were_kept(database_url: str) -> None:
    from alembic import command

    from bot.storage import schema

    database = Database(database_url)
    old = {"created_at": 7.0, "fingerprint": "x", "text": "a", "labels": '["joy"]', "source": "agent"}
    old |= {"status": "used", "used_in": "runs/one"}
    with database.engine.begin() as connection:
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        names = ", ".join(old)
        values = ", ".join(f":{name}" for name in old)
        connection.execute(sa.text(f"INSERT INTO corrections ({names}) VALUES ({values})"), old)
    database.migrate()
    with database.session() as session:
        (found,) = corrections.listing(session, [USED])
    database.close()
    assert (found.decided_at, found.labels, found.used_in) == (7.0, ("joy",), ("runs/one",))


def test_deleting_a_turn_deletes_what_was_said_of_it(database: Database) -> None:
    with database.session() as session:
        turn = turns.arrive(session, "web-1", "web", "oh great", "m1", "en", 100.0)
        kept, _ = corrections.add(session, turn.text, ["anger"], AGENT, NEW, 101.0, turn_id=turn.id)
        loose, _ = corrections.add(session, "elsewhere", ["anger"], AGENT, NEW, 102.0)
    with database.session() as session:
        session.execute(tables.turns.delete().where(tables.turns.c.id == turn.id))
    with database.session() as session:
        with pytest.raises(StorageError, match=f"no correction {kept.id}"):
            corrections.get(session, kept.id)
        assert corrections.get(session, loose.id) == loose


def test_a_turn_that_is_not_there_can_not_be_corrected(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError), database.session() as session:
        corrections.add(session, "x", ["joy"], AGENT, NEW, 100.0, turn_id=999)


def test_contradictions_pair_a_turn_with_what_was_said_of_it(database: Database) -> None:
    emotion = EmotionReading("joy", labels=("joy",), confidence=0.7, model="tiny@1")
    with database.session() as session:
        said = {}
        for sender in ("web-1", "web-2"):
            turns.arrive(session, sender, "web", "hello", f"{sender}-0", "en", 99.0)
            said[sender] = turns.arrive(
                session, sender, "web", f"oh great {sender}", f"{sender}-1", "en", 100.0
            )
        conversation = said["web-1"].conversation_id
        readings.add(session, said["web-1"].id, emotion, RiskReading())
        turns.add_bot(session, conversation, "You seem happy.", 101.0)
        denial = turns.arrive(session, "web-1", "web", "no, I'm sad", "m9", "en", 102.0)
        turns.set_read(session, denial.id, "en", "correct_reading", 0.9)
        lonely = turns.arrive(session, "web-3", "web", "wrong", "m1", "en", 103.0)
        turns.set_read(session, lonely.id, "en", "correct_reading", 0.9)  # speaks of nothing before it
    with database.session() as session:
        (found,) = corrections.contradictions(session)
        assert corrections.contradictions(session, after=denial.id) == []
    assert (found.turn.text, found.said_by.text) == ("oh great web-1", "no, I'm sad")
    assert found.reading is not None
    assert found.reading.emotion == emotion


def test_who_denies_a_reading_twice_speaks_of_the_same_turn(database: Database) -> None:
    with database.session() as session:
        turn = turns.arrive(session, "web-1", "web", "oh great", "m1", "en", 100.0)
        denials = []
        for at, text in enumerate(("that's not it", "no, I'm sad"), 101):
            denials.append(turns.arrive(session, "web-1", "web", text, f"m{at}", "en", float(at)))
            turns.set_read(session, denials[-1].id, "en", "correct_reading", 0.9)
        found = corrections.contradictions(session)
    assert [(each.turn.id, each.said_by.id) for each in found] == [
        (turn.id, denials[0].id),
        (turn.id, denials[1].id),
    ]


def test_turns_to_ask_about_are_the_newest_of_people_without_a_correction(database: Database) -> None:
    with database.session() as session:
        first = turns.arrive(session, "web-1", "web", "one", "m1", "en", 100.0)
        turns.add_bot(session, first.conversation_id, "I see.", 100.5)
        second = turns.arrive(session, "web-1", "web", "two", "m2", "en", 101.0)
        third = turns.arrive(session, "web-1", "web", "three", "m3", "en", 102.0)
        corrections.add(session, "two", ["joy"], AGENT, NEW, 103.0, turn_id=second.id)
        corrections.add(session, "no turn", ["joy"], AGENT, NEW, 103.0)
        assert [turn.id for turn in corrections.uncorrected_turns(session, 10)] == [third.id, first.id]
        assert [turn.id for turn in corrections.uncorrected_turns(session, 1)] == [third.id]


def test_several_processes_add_at_once(database_url: str) -> None:
    Database(database_url).migrate()
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_add_many, args=(database_url, number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    with Database(database_url).session() as session:
        texts = [found.text for found in corrections.listing(session, [NEW])]
    own = [f"own {number} {at}" for number in range(3) for at in range(10)]
    assert sorted(texts) == sorted([f"shared {at}" for at in range(10)] + own)


def _add_many(url: str, number: int) -> None:
    database = Database(url)
    for at in range(10):
        for text in (f"shared {at}", f"own {number} {at}"):
            with database.session(exclusive=True) as session:
                corrections.add(session, text, ["joy"], AGENT, NEW, 100.0)
