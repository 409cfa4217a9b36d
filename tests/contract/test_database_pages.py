"""What storage promises of pages, on every supported database."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from bot.core.errors import PageError
from bot.core.page import PageState, SendState
from bot.core.reading import RiskKind, RiskLevel, RiskReading
from bot.storage import audit, beats, handoffs, page_sends, pages, readings, turns
from bot.storage.database import Database
from bot.storage.page_sends import PageSend


def ask(
    database: Database,
    level: str = "high",
    reason: str = "risk_abuse",
    sender_id: str = "web-1",
    at: float = 100.0,
) -> int:
    with database.session(exclusive=True) as session:
        turn = turns.arrive(session, sender_id, "web", "hi", "m1", "en", at)
        return handoffs.open_handoff(session, turn.conversation_id, reason, level, ["words"], at).id


def states(database: Database, handoff_id: int) -> list[tuple[str, str]]:
    with database.session() as session:
        return [(page.level, page.state.value) for page in pages.of_handoff(session, handoff_id)]


def call(database: Database, *recipients: tuple[str, str], at: float = 100.0) -> list[PageSend]:
    """Calls the first person of the only due page."""
    with database.session(exclusive=True) as session:
        (page,) = pages.due(session, at)
        assert page_sends.advance(session, page.id, page.step, recipients, at, at + 300.0)
        return page_sends.of_page(session, page.id)


def at_once(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_page_is_there_if_and_only_if_its_handoff_is(database: Database) -> None:
    def end_in_the_middle_of_the_turn() -> None:
        with database.session(exclusive=True) as session:
            turn = turns.arrive(session, "web-1", "web", "hi", "m1", "en", 100.0)
            handoffs.open_handoff(session, turn.conversation_id, "risk_abuse", "high", [], 100.0)
            assert len(pages.live(session)) == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        end_in_the_middle_of_the_turn()
    with database.session() as session:
        assert pages.live(session) == []
    handoff = ask(database)
    with database.session() as session:
        (page,) = pages.live(session)
    assert (page.handoff_id, page.level, page.kind, page.waiting_since) == (handoff, "high", "abuse", 100.0)


@pytest.mark.parametrize("level", ["none", "concern"])
def test_what_is_no_danger_opens_no_page(database: Database, level: str) -> None:
    assert states(database, ask(database, level)) == []


def test_a_page_follows_its_handoff(database: Database) -> None:
    handoff = ask(database, "none", "asked_for_human")
    assert ask(database, "high") == handoff
    assert states(database, handoff) == [("high", "waiting")]
    ask(database, "high")
    ask(database, "crisis")
    assert states(database, handoff) == [("high", "raised"), ("crisis", "waiting")]
    with database.session() as session:
        handoffs.take(session, handoff, "Ann", 110.0)
        page = pages.of_handoff(session, handoff)[-1]
    assert (page.state, page.acknowledged_by, page.closed_at) == (PageState.ENDED, "Ann", 110.0)
    with database.session() as session:
        handoffs.give_back(session, handoff, "Bob", 120.0)
    again = ask(database, "high", at=130.0)
    assert again != handoff
    assert states(database, again) == [("high", "waiting")]


def test_danger_calls_again_where_the_human_who_took_it_has_left(database: Database) -> None:
    handoff = ask(database)
    with database.session(exclusive=True) as session:
        handoffs.take(session, handoff, "Ann", 200.0)
    assert ask(database, level="crisis", at=300.0) == handoff  # Ann is there
    assert [state for _, state in states(database, handoff)] == ["ended"]
    with database.session(exclusive=True) as session:
        conversation_id = handoffs.get(session, handoff).conversation_id
        turns.add_human(session, conversation_id, "I'm here", "Ann", 4000.0)
    ask(database, level="crisis", at=4100.0)
    assert len(states(database, handoff)) == 1
    ask(database, level="crisis", at=9000.0)
    assert states(database, handoff)[-1] == ("crisis", "waiting")
    ask(database, level="crisis", at=9100.0)
    assert len(states(database, handoff)) == 2  # once


def test_a_handoff_handed_back_unseen_ends_its_page(database: Database) -> None:
    handoff = ask(database)
    with database.session() as session:
        handoffs.give_back(session, handoff, "Ann", 110.0)
    assert states(database, handoff) == [("high", "ended")]


def test_the_kind_comes_from_the_reading_where_the_reason_does_not_tell(database: Database) -> None:
    with database.session(exclusive=True) as session:
        turn = turns.arrive(session, "web-1", "web", "hi", "m1", "en", 100.0)
        readings.add(session, turn.id, None, RiskReading(RiskLevel.CRISIS, 0.9, RiskKind.MEDICAL, ("words",)))
        handoffs.open_handoff(session, turn.conversation_id, "anger_repeated", "crisis", [], 100.0)
        (page,) = pages.live(session)
    assert page.kind == "medical"


def test_crisis_is_due_first_and_then_the_newest(database: Database) -> None:
    ask(database, "high", sender_id="a", at=100.0)
    ask(database, "high", sender_id="b", at=102.0)
    ask(database, "crisis", sender_id="c", at=101.0)
    with database.session() as session:
        assert [page.waiting_since for page in pages.due(session, 200.0)] == [101.0, 102.0, 100.0]
        assert [page.waiting_since for page in pages.live(session)] == [101.0, 100.0, 102.0]
        assert pages.due(session, 99.0) == []


def test_of_several_who_acknowledge_the_first_counts(database: Database) -> None:
    ask(database)
    with database.session() as session:
        (page,) = pages.live(session)

    def acknowledge(number: int) -> None:
        with database.session(exclusive=True) as session:
            seen.append(pages.acknowledge(session, page.id, f"person {number}", 110.0).acknowledged_by)

    seen: list[str | None] = []
    at_once(4, acknowledge)
    assert len(set(seen)) == 1
    with pytest.raises(PageError, match="no page 99"), database.session() as session:
        pages.acknowledge(session, 99, "Ann", 110.0)


def test_of_several_workers_one_makes_the_step_and_one_has_the_message(database: Database) -> None:
    ask(database)
    with database.session() as session:
        (page,) = pages.live(session)
    made: list[int] = []
    claimed: list[int] = []

    def step(number: int) -> None:
        with database.session(exclusive=True) as session:
            if page_sends.advance(session, page.id, 0, [("Ann", "mail")], 100.0, 400.0):
                made.append(number)

    at_once(4, step)
    assert len(made) == 1
    with database.session() as session:
        (message,) = page_sends.due(session, 100.0, ["mail"], 10)

    def claim(number: int) -> None:
        with database.session(exclusive=True) as session:
            if page_sends.claim(session, message.id, 100.0, 130.0):
                claimed.append(number)

    at_once(4, claim)
    assert len(claimed) == 1
    with database.session() as session:
        assert page_sends.due(session, 129.0, ["mail"], 10) == []
        assert page_sends.due(session, 130.0, ["phone"], 10) == []
        assert [one.attempts for one in page_sends.due(session, 130.0, ["mail"], 10)] == [1]
        assert [one.sender for one in page_sends.due_elsewhere(session, 130.0, ["phone"])] == ["mail"]


def test_of_several_workers_one_opens_a_missing_page(database: Database) -> None:
    handoff = ask(database)
    with database.session() as session:
        session.execute(pages.pages.delete())
        assert pages.needs_upkeep(session, 0.0)
    opened: list[int] = []

    def adopt(_number: int) -> None:
        with database.session(exclusive=True) as session:
            opened.extend(pages.adopt(session, 200.0))

    at_once(4, adopt)
    assert len(opened) == 1
    assert states(database, handoff) == [("high", "waiting")]
    with database.session() as session:
        assert not pages.needs_upkeep(session, float("-inf"))


def test_an_acknowledged_page_lapses_only_while_its_handoff_waits(database: Database) -> None:
    waits, taken = ask(database, sender_id="a"), ask(database, sender_id="b")
    with database.session() as session:
        for page in pages.live(session):
            pages.acknowledge(session, page.id, "Ann", 110.0)
        handoffs.take(session, taken, "Ann", 111.0)
    with database.session(exclusive=True) as session:
        assert pages.lapse(session, 109.0, 200.0) == 0
        assert pages.lapse(session, 110.0, 200.0) == 1
        assert len(pages.adopt(session, 200.0)) == 1
    assert states(database, waits) == [("high", "lapsed"), ("high", "waiting")]
    assert states(database, taken) == [("high", "ended")]


def test_a_message_that_went_out_stays_so(database: Database) -> None:
    ask(database)
    (message,) = call(database, ("Ann", "mail"))
    with database.session() as session:
        page_sends.note_sent(session, message, 101.0)
        page_sends.note_failure(session, message, 102.0, "answered 500", 110.0)
        assert not page_sends.give_up(session, message, 103.0, "answered 500", 104.0)
        (kept,) = page_sends.of_page(session, message.page_id)
        assert page_sends.reached(session, [message.page_id]) == {message.page_id}
    assert (kept.state, kept.result) == (SendState.SENT, "sent")


def test_the_next_call_comes_forward_only_when_every_message_is_lost(database: Database) -> None:
    ask(database)
    first, second = call(database, ("Ann", "mail"), ("Ann", "phone"))
    with database.session() as session:
        assert not page_sends.give_up(session, first, 101.0, "answered 404", 101.0)
        assert pages.get(session, first.page_id).due_at == 400.0
        assert page_sends.give_up(session, second, 102.0, "answered 404", 102.0)
        assert pages.get(session, first.page_id).due_at == 102.0


def test_messages_of_a_page_that_was_seen_are_not_sent(database: Database) -> None:
    ask(database)
    (message,) = call(database, ("Ann", "mail"))
    with database.session() as session:
        pages.acknowledge(session, message.page_id, "Bob", 101.0)
        assert page_sends.due(session, 200.0, ["mail"], 10) == []
        assert not page_sends.claim(session, message.id, 200.0, 230.0)
        assert not page_sends.advance(session, message.page_id, 1, [("Bob", "mail")], 500.0, 800.0)


def test_signs_of_life_are_kept_and_given_to_one_at_a_time(database: Database) -> None:
    with database.session() as session:
        beats.beat(session, "worker", 100.0)
        beats.beat(session, "worker", 110.0, "the roster is gone")
        (kept,) = beats.all_beats(session).values()
    assert (kept.at, kept.ok_at, kept.trouble) == (110.0, 100.0, "the roster is gone")
    claimed: list[int] = []

    def claim(number: int) -> None:
        with database.session(exclusive=True) as session:
            if beats.claim(session, "sender:mail", 200.0, 60.0):
                claimed.append(number)

    at_once(4, claim)
    assert len(claimed) == 1
    with database.session(exclusive=True) as session:
        assert not beats.claim(session, "sender:mail", 259.0, 60.0)
        assert beats.claim(session, "sender:mail", 260.0, 60.0)


def test_a_handoff_takes_its_pages_along_when_it_is_deleted(database: Database) -> None:
    handoff = ask(database)
    (message,) = call(database, ("Ann", "mail"))
    with database.session() as session:
        session.execute(handoffs.handoffs.delete())
    assert states(database, handoff) == []
    with database.session() as session:
        assert page_sends.of_page(session, message.page_id) == []


def test_what_became_of_a_page_is_on_the_audit_trail(database: Database) -> None:
    ask(database)
    first, second = call(database, ("Ann", "mail"), ("Ann", "phone"))
    with database.session(exclusive=True) as session:
        page_sends.note_sent(session, first, 101.0)
        page_sends.note_sent(session, first, 102.0)  # a claim that had run out: nothing new
    with database.session(exclusive=True) as session:
        page_sends.give_up(session, second, 103.0, "answered 404", 103.0)
    with database.session(exclusive=True) as session:
        page_sends.advance(session, first.page_id, 1, [("Bob", "mail")], 400.0, 700.0)
    for name in ("Bob", "Ann"):
        with database.session(exclusive=True) as session:
            conversation = pages.acknowledge(session, first.page_id, name, 410.0).conversation_id
    with database.session() as session:
        rows = [row for row in audit.of_conversation(session, conversation) if row.event.startswith("page_")]
    assert [(row.event, row.actor) for row in rows] == [
        ("page_sent", "attune"),
        ("page_failed", "attune"),
        ("page_escalated", "attune"),
        ("page_acknowledged", "Bob"),
    ]
    said = [row.to_dict() for row in rows]
    assert said[1]["facts"]["result"] == "answered 404"
    assert (said[1]["facts"]["person"], said[2]["facts"]["call"]) == ("Ann", 2)
    assert all(one["facts"]["page_id"] == first.page_id for one in said)


def test_two_that_fail_at_the_same_moment_bring_the_next_call_forward(database: Database) -> None:
    ask(database)
    messages = call(database, ("Ann", "mail"), ("Ann", "phone"))
    lost: list[bool] = []

    def fail(number: int) -> None:
        with database.session(exclusive=True) as session:
            lost.append(page_sends.give_up(session, messages[number], 101.0, "answered 404", 101.0))

    at_once(2, fail)
    assert sorted(lost) == [False, True]
    with database.session() as session:
        assert pages.get(session, messages[0].page_id).due_at == 101.0
