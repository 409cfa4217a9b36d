"""What the recorder reads out of Rasa's events, also when they aren't as agreed."""

from __future__ import annotations

from typing import Any

import pytest
from rasa.shared.core.events import ActionExecuted, BotUttered, Event, Restarted, UserUttered

from bot.core.handoff import HandoffState
from bot.core.reading import RiskLevel
from bot.core.state import ConversationState
from bot.stores.recorder import BotEntry, DecisionEntry, PersonEntry, read_turn, record

RISK = {"level": "high", "score": 0.9, "kind": "self_harm", "evidence": ["end it"]}
EMOTION = {"label": "joy", "labels": [], "modalities": ["text"], "valence": 0.5, "confidence": 0.7}


def said(text: str = "hello", **parse_data: Any) -> UserUttered:
    data = {"language": "en", **parse_data}
    return UserUttered(text, {"name": "greet", "confidence": 0.9}, [], data, 100.0, "web", "m1")


def decided(**fields: Any) -> ActionExecuted:
    data = {"action": "a", "policy": "P", "reason": "r", **fields}
    return ActionExecuted(fields.get("action", "a"), "P", 1.0, 101.0, {"decision": data})


@pytest.mark.parametrize(
    ("parse_data", "kept"),
    [
        ({"emotion": EMOTION, "risk": RISK}, {"reading", "risk", "intent"}),
        ({"emotion": {"label": "joy"}, "risk": RISK}, {"risk", "intent"}),
        ({"emotion": "joy", "risk": RISK}, {"risk", "intent"}),
        ({"emotion": {**EMOTION, "valence": 7}, "risk": RISK}, {"risk", "intent"}),
        ({"emotion": EMOTION, "risk": {"level": "some"}}, {"reading", "intent"}),
        ({"emotion": EMOTION, "risk": RISK, "intent": "greet"}, {"reading", "risk"}),
        ({"emotion": [1], "risk": RISK, "intent": {"confidence": "much"}}, {"risk"}),
        ({"emotion": 5, "risk": 5, "intent": 5}, set()),
    ],
)
def test_a_malformed_part_costs_only_itself(parse_data: dict[str, Any], kept: set[str]) -> None:
    turn = read_turn(said("hello", **parse_data))
    assert turn.text == "hello"
    assert turn.at == 100.0
    found = {
        "reading": turn.reading is not None,
        "risk": turn.risk.level is RiskLevel.HIGH,
        "intent": turn.intent == "greet",
    }
    assert {name for name, there in found.items() if there} == kept


def test_entries_come_in_the_order_of_the_events() -> None:
    events: list[Event] = [
        said(risk=RISK),
        decided(level="handoff"),
        BotUttered("hi"),
        ActionExecuted("action_listen"),
    ]
    recording = record(events, ConversationState())
    assert [type(entry) for entry in recording.entries] == [PersonEntry, DecisionEntry, BotEntry]
    assert recording.entries[1].risk is RiskLevel.HIGH
    assert recording.entries[2].action == "a"


def test_a_message_that_was_counted_changes_no_state() -> None:
    assert record([said()], ConversationState(), frozenset({"m1"})).state.turns == 0
    assert record([said()], ConversationState()).state.turns == 1


def test_listening_is_no_answer() -> None:
    events = [decided(action="action_offer", level="offer"), decided(action="action_listen")]
    recording = record(events, ConversationState())
    assert recording.state.offered_human
    assert len(recording.entries) == 2


@pytest.mark.parametrize(
    "decision", ["no", {"action": "a"}, {"action": "a", "policy": "P", "reason": "r", "strategy": "?"}]
)
def test_a_malformed_decision_is_left_out(decision: Any) -> None:
    recording = record([said(), ActionExecuted("a", metadata={"decision": decision})], ConversationState())
    assert [type(entry) for entry in recording.entries] == [PersonEntry]


def test_what_nobody_said_is_no_turn() -> None:
    reminder = UserUttered.create_external("EXTERNAL_reminder")
    assert record([reminder, BotUttered("Still there?")], ConversationState()).state.turns == 0


def test_answers_without_text() -> None:
    events = [
        BotUttered(None, {"image": "https://x/y.png"}),
        BotUttered(None, {"buttons": []}),
        BotUttered(""),
    ]
    assert [entry.text for entry in record(events, ConversationState()).entries] == ["https://x/y.png"]


def test_a_restart_keeps_whose_turn_it_is_and_danger_and_nothing_else() -> None:
    before = ConversationState(handoff=HandoffState.HUMAN, turns=5)
    state = record([said(risk=RISK), Restarted()], before).state
    assert (state.handoff, state.turns, state.sharing_turns) == (HandoffState.HUMAN, 0, 0)
    assert state.crisis.danger is not None
    assert state.risk.danger_at == 100.0


def test_a_yes_to_danger_opens_the_handoff_at_its_level() -> None:
    asked = decided(action="utter_crisis_die", reason="risk_self_harm", level="handoff")
    state = record([said(risk=RISK), asked], ConversationState()).state
    yes = record([said("yes"), decided(reason="risk_self_harm", level="handoff")], state)
    (entry,) = [entry for entry in yes.entries if isinstance(entry, DecisionEntry)]
    assert entry.risk is RiskLevel.CRISIS


def test_danger_heard_in_silence_is_a_decision_and_no_answer() -> None:
    silent = decided(action="action_listen", reason="risk_self_harm", level="handoff")
    before = ConversationState(handoff=HandoffState.HUMAN, offered_human=True)
    recording = record([said(risk=RISK), silent], before)
    assert [entry.decision.level for entry in recording.entries if isinstance(entry, DecisionEntry)] == [
        "handoff"
    ]
    assert recording.state.offered_human  # nothing was said since
    assert recording.state.crisis.said == ""
