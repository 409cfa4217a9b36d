"""What storage promises of handoffs, on every supported database."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from bot.core.errors import HandoffError
from bot.core.handoff import HandoffState
from bot.core.turn import Author
from bot.storage import conversations, handoffs, turns
from bot.storage.database import Database


def test_a_handoff_goes_its_way(database: Database) -> None:
    with database.session() as session:
        turn = turns.arrive(session, "web-1", "web", "求助", "m1", "zh", 100.0)
        opened = handoffs.open_handoff(session, turn.conversation_id, "risk", "high", ["words"], 101.0)
        again = handoffs.open_handoff(session, turn.conversation_id, "anger", "none", [], 102.0)
        worse = handoffs.open_handoff(session, turn.conversation_id, "risk", "crisis", [], 103.0)
    assert (again.id, again.reason, again.level) == (opened.id, "risk", "high")
    assert (worse.id, worse.level) == (opened.id, "crisis")
    assert _handoff_state(database) is HandoffState.WAITING
    with database.session() as session:
        answer = turns.add_human(session, turn.conversation_id, "你好", "Mei", 104.0)
    assert (answer.author, answer.author_name) == (Author.HUMAN, "Mei")
    assert _handoff_state(database) is HandoffState.HUMAN
    with database.session() as session:
        returned = handoffs.give_back(session, opened.id, "Mei", 105.0)
        last = turns.history(session, turn.conversation_id)[-1]
        assert handoffs.open_for(session, turn.conversation_id) is None
    assert (returned.taken_by, returned.taken_at, returned.returned_by) == ("Mei", 104.0, "Mei")
    assert (last.author, last.text) == (Author.BOT, handoffs.BACK_TEXTS["zh"])
    assert _handoff_state(database) is HandoffState.RETURNED
    with database.session() as session:
        reopened = handoffs.open_handoff(session, turn.conversation_id, "asked", "none", [], 106.0)
    assert reopened.id != opened.id


def test_steps_that_are_not_possible_change_nothing(database: Database) -> None:
    with database.session() as session:
        turn = turns.arrive(session, "web-1", "web", "hi", "m1", "en", 100.0)
        with pytest.raises(HandoffError, match="nobody has asked"):
            turns.add_human(session, turn.conversation_id, "hello", "Ann", 101.0)
        opened = handoffs.open_handoff(session, turn.conversation_id, "asked", "none", [], 101.0)
        handoffs.take(session, opened.id, "Ann", 102.0)
    for step in (handoffs.take, lambda *args: handoffs.give_back(*args) and handoffs.give_back(*args)):
        with pytest.raises(HandoffError, match="can't go to"), database.session() as session:
            step(session, opened.id, "Bob", 103.0)
    with database.session() as session:
        assert handoffs.get(session, opened.id).taken_by == "Ann"
        with pytest.raises(HandoffError, match="no handoff 99"):
            handoffs.take(session, 99, "Ann", 104.0)
    assert _handoff_state(database) is HandoffState.HUMAN


def test_of_two_humans_one_takes_it(database: Database) -> None:
    with database.session() as session:
        turn = turns.arrive(session, "web-1", "web", "hi", "m1", "en", 100.0)
        opened = handoffs.open_handoff(session, turn.conversation_id, "asked", "none", [], 101.0)
    taken: list[str] = []

    def take(name: str) -> None:
        try:
            with database.session() as session:
                handoffs.take(session, opened.id, name, 102.0)
        except HandoffError:
            return
        taken.append(name)

    _in_threads(take, ["Ann", "Bob", "Cid", "Dee"])
    assert len(taken) == 1
    with database.session() as session:
        assert handoffs.get(session, opened.id).taken_by == taken[0]


def test_a_handoff_opened_at_once_is_one(database: Database) -> None:
    with database.session() as session:
        turn = turns.arrive(session, "web-1", "web", "hi", "m1", "en", 100.0)
    ids: list[int] = []

    def ask(reason: str) -> None:
        with database.session(exclusive=True) as session:
            ids.append(handoffs.open_handoff(session, turn.conversation_id, reason, "none", [], 101.0).id)

    _in_threads(ask, ["a", "b", "c", "d"])
    assert len(ids) == 4
    assert len(set(ids)) == 1


def test_the_list_begins_with_the_greatest_risk(database: Database) -> None:
    with database.session() as session:
        for number, level in enumerate(("none", "crisis", "high", "crisis")):
            turn = turns.arrive(session, f"web-{number}", "web", "hi", "m", "en", 100.0)
            handoffs.open_handoff(session, turn.conversation_id, "r", level, [], 101.0 + number)
        found = handoffs.listing(session, handoffs.OPEN)
        assert handoffs.listing(session, [HandoffState.RETURNED]) == []
    assert [(entry.level, entry.opened_at) for entry in found] == [
        ("crisis", 102.0),
        ("crisis", 104.0),
        ("high", 103.0),
        ("none", 101.0),
    ]


def _handoff_state(database: Database) -> HandoffState:
    with database.session() as session:
        conversation = conversations.find(session, "web-1")
        assert conversation is not None
        return conversation.handoff_state


def _in_threads(work: Callable[[str], None], names: list[str]) -> None:
    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
