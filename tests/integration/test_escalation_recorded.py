"""What a replay makes of conversations that the recorder kept from Rasa's own events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rasa.shared.core.events import ActionExecuted, BotUttered, Event, Restarted, UserUttered

from bot.core.escalation import decide_escalation
from bot.core.guidance import decide_strategy
from bot.core.replay import ConversationReplay
from bot.core.thresholds import EscalationThresholds
from bot.core.turn import PersonTurn
from bot.storage import conversations, turns
from bot.storage.database import Database
from bot.storage.replay import conversations_between
from bot.stores.recorder import keep, read_turn, record
from tests.unit import escalation_day as day

TODAY = EscalationThresholds()
LATENCY_S = 0.3  # between a turn's arrival and the event that Rasa makes of it


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(f"sqlite:///{tmp_path / 'attune.db'}")
    made.migrate()
    return made


def live(database: Database, sender: str, said: list[day.Said | None]) -> None:
    """Goes through a conversation as the channel, the policies and the tracker store do; None restarts it."""
    for number, one in enumerate(said):
        at = day.DAY + number * day.TURN_S
        if one is None:
            recorded(database, sender, [Restarted(timestamp=at)], {})
            continue
        message_id = f"m{number}"
        with database.session(exclusive=True) as session:
            arrived = turns.arrive(session, sender, "web", one.text, message_id, "en", at)
        parse_data = {
            "text": one.text,
            "language": one.language,
            "emotion": one.reading.to_dict(),
            "risk": one.risk.to_dict(),
        }
        intent = {"name": one.intent, "confidence": one.confidence}
        event = UserUttered(
            one.text, intent, [], {**parse_data, "intent": intent}, at + LATENCY_S, "web", message_id
        )
        with database.session() as session:
            state = conversations.get(session, arrived.conversation_id).state
        turn: PersonTurn = read_turn(event)
        state = state.after_person(turn)
        decision = decide_escalation(state, turn, TODAY)
        if decision is None and state.handoff.is_bots_turn:
            decision = decide_strategy(state, turn)
        events: list[Event] = [event]
        if decision is not None:
            metadata = {"decision": decision.to_dict()}
            done = ActionExecuted(decision.action, decision.policy, 1.0, at + 1.0, metadata)
            events += [done, BotUttered("…", timestamp=at + 1.1)]
        recorded(database, sender, events, {message_id: arrived})


def recorded(database: Database, sender: str, events: list[Event], arrived: dict[str, turns.Turn]) -> None:
    with database.session(exclusive=True) as session:
        conversation = conversations.open_conversation(session, sender, "web", "en")
        recording = record(events, conversation.state)
        if arrived:
            keep(session, conversation, recording, arrived, {})
        else:
            conversations.set_values(session, conversation.id, {"state": recording.state.to_dict()})


def replayed(database: Database) -> list[ConversationReplay]:
    made = []
    with database.session() as session:
        for conversation in conversations_between(session, 0.0, 2e9):
            replay = ConversationReplay([TODAY])
            for turn in conversation.turns:
                replay.add(turn, in_period=True)
            replay.finish(conversation.state_turns, conversation.is_older)
            made.append(replay)
    return made


def test_a_replay_comes_to_what_the_recorder_kept(database: Database) -> None:
    for number, said in enumerate(day.courses(3)[:30]):
        live(database, f"web-{number}", list(said))
    found = replayed(database)
    assert len(found) == 30
    assert sum(one.agreement.escalations for one in found) >= 15
    assert [dict(one.agreement.differences) for one in found] == [{}] * 30


def test_a_restart_that_the_turns_do_not_tell_is_named_as_the_reason(database: Database) -> None:
    live(database, "web-1", [day.ANGRY, None, replace(day.ANGRY, text="this is getting worse")])
    (found,) = replayed(database)
    assert dict(found.agreement.differences) == {"restarted": 1}
