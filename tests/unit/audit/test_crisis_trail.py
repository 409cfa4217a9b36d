"""What turns and handoffs in danger put on the audit trail."""

from __future__ import annotations

import hashlib
import json

import pytest

from bot.core.handoff import HandoffState
from bot.core.reading import RiskKind, RiskLevel, RiskReading
from bot.core.turn import Decision, PersonTurn
from bot.storage import audit, handoffs, readings, turns
from bot.storage.crisis_trail import CrisisTrail
from bot.storage.database import Database

from .chains import head_of

DANGER = RiskReading(RiskLevel.CRISIS, 0.9, RiskKind.SELF_HARM, ("end it",))
HANDING = Decision(
    "utter_crisis", "EscalationPolicy", "risk_self_harm", ("the person wrote: all of it",), "handoff"
)
LISTENING = Decision("action_listen", "EscalationPolicy", "handoff_human")


def put(
    database: Database,
    risk: RiskReading = DANGER,
    made: tuple[Decision, ...] = (HANDING,),
    said: tuple[str, ...] = ("I'm here.",),
    message: str = "m1",
    handoff: HandoffState = HandoffState.BOT,
) -> int:
    """Keeps one turn of a person, with what followed, and gives its id."""
    with database.session() as session:
        turn = turns.arrive(session, "web-1", "web", "all of it, end it", message, "en", 100.0)
        readings.add(session, turn.id, None, risk)
        trail = CrisisTrail()
        trail.read(turn.id, PersonTurn("all of it, end it", 100.0, risk=risk))
        for decision in made:
            trail.decided(decision, 100.5)
        for number, text in enumerate(said):
            trail.said(900 + number, text, 101.25, "utter_crisis", ["us-988"])
        trail.keep(session, turn.conversation_id, handoff)
    return turn.id


def events_of(database: Database) -> list[str]:
    with database.session() as session:
        return [row.event for row in audit.of_conversation(session, 1)]


def test_a_turn_in_danger_is_recorded_with_its_answer(database: Database) -> None:
    turn_id = put(database)
    with database.session() as session:
        read, answered, offered = (row.to_dict() for row in audit.of_conversation(session, 1))
    assert (read["event"], read["turn_id"], read["at"], read["actor"]) == (
        "danger_read",
        turn_id,
        100.0,
        "attune",
    )
    assert read["facts"] == {
        "level": "crisis",
        "kind": "self_harm",
        "score": 0.9,
        "level_of_words": "crisis",
        "language": "en",
        "handoff": "bot",
    }
    assert read["personal"] == {"evidence": ["end it"]}
    assert answered["facts"]["decisions"] == [
        {
            "action": "utter_crisis",
            "policy": "EscalationPolicy",
            "reason": "risk_self_harm",
            "level": "handoff",
            "confidence": 1.0,
        }
    ]
    assert answered["facts"]["helplines"] == ["us-988"]
    assert (answered["facts"]["turns"], answered["facts"]["after_s"]) == ([900], 1.25)
    assert answered["personal"] == {"sha256": [hashlib.sha256(b"I'm here.").hexdigest()]}
    assert (offered["event"], offered["facts"]["level"]) == ("human_offered", "handoff")
    assert "all of it" not in json.dumps([read, answered, offered])  # no more words than the evidence


@pytest.mark.parametrize("level", [RiskLevel.NONE, RiskLevel.CONCERN])
def test_a_turn_without_danger_is_not(database: Database, level: RiskLevel) -> None:
    put(database, RiskReading(level, 0.3, None, ("sad",)))
    assert events_of(database) == []


def test_an_answer_of_the_crisis_protocol_is_recorded_also_where_no_danger_was_read(
    database: Database,
) -> None:
    staying = Decision("utter_crisis_subject", "EscalationPolicy", "crisis_subject")
    put(database, RiskReading(), made=(staying,))
    assert events_of(database) == ["crisis_answered"]


def test_danger_that_the_conversation_speaks_of_is_recorded_as_such(database: Database) -> None:
    with database.session() as session:
        turn = turns.arrive(session, "web-1", "web", "yes. tonight.", "m1", "en", 100.0)
        trail = CrisisTrail()
        trail.read(turn.id, PersonTurn("yes. tonight.", 100.0), DANGER)
        trail.keep(session, turn.conversation_id, HandoffState.BOT)
        (read, _) = (row.to_dict() for row in audit.of_conversation(session, 1))
    assert (read["facts"]["level"], read["facts"]["level_of_words"]) == ("crisis", "none")


def test_the_same_turn_saved_again_is_recorded_once(database: Database) -> None:
    put(database)
    put(database)
    assert events_of(database) == ["danger_read", "crisis_answered", "human_offered"]


def test_silence_is_recorded_and_a_later_answer_too(database: Database) -> None:
    turn_id = put(database, made=(LISTENING,), said=(), handoff=HandoffState.WAITING)
    assert events_of(database) == ["danger_read", "crisis_unanswered"]
    with database.session() as session:
        trail = CrisisTrail()
        trail.said(901, "Still here.", 130.0)
        trail.keep(session, 1, HandoffState.WAITING)
    with database.session() as session:
        last = list(audit.of_conversation(session, 1))[-1].to_dict()
    assert (last["event"], last["turn_id"], last["facts"]["after_s"]) == ("crisis_answered", turn_id, 30.0)


def test_the_steps_of_a_handoff_in_danger_are_recorded_with_who(database: Database) -> None:
    with database.session() as session:
        turn = turns.arrive(session, "web-1", "web", "x", "m1", "en", 100.0)
        opened = handoffs.open_handoff(session, turn.conversation_id, "anger_repeated", "none", [], 101.0)
        handoffs.open_handoff(session, turn.conversation_id, "risk_abuse", "high", [], 102.0)
        handoffs.open_handoff(session, turn.conversation_id, "risk_abuse", "high", [], 103.0)
        handoffs.open_handoff(session, turn.conversation_id, "risk_abuse", "crisis", [], 104.0)
        handoffs.take(session, opened.id, "Ann", 111.0)
        handoffs.give_back(session, opened.id, "Bob", 112.0)
        rows = [row.to_dict() for row in audit.of_conversation(session, 1)]
    told = [(row["event"], row["at"], row["actor"]) for row in rows if row["event"].startswith("handoff")]
    assert told == [
        ("handoff_raised", 102.0, "attune"),
        ("handoff_raised", 104.0, "attune"),
        ("handoff_taken", 111.0, "Ann"),
        ("handoff_returned", 112.0, "Bob"),
    ]
    taken = next(row for row in rows if row["event"] == "handoff_taken")
    assert taken["facts"]["waited_s"] == 10.0


def test_a_handoff_without_danger_leaves_no_row(database: Database) -> None:
    with database.session() as session:
        turn = turns.arrive(session, "web-1", "web", "x", "m1", "en", 100.0)
        opened = handoffs.open_handoff(session, turn.conversation_id, "asked_for_human", "none", [], 101.0)
        handoffs.take(session, opened.id, "Ann", 102.0)
        handoffs.give_back(session, opened.id, "Ann", 103.0)
    assert head_of(database).seq == 0
