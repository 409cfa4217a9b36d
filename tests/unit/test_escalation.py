"""When a human is asked in, and what the escalation rests on."""

import pytest

from bot.core.errors import SettingsError
from bot.core.escalation import EscalationThresholds, decide_escalation, decision_of_rule
from bot.core.handoff import HandoffState
from bot.core.reading import EmotionReading, RiskKind, RiskLevel, RiskReading
from bot.core.state import ConversationState
from bot.core.turn import Decision, PersonTurn

THRESHOLDS = EscalationThresholds()
ANGRY = EmotionReading(
    label="anger", labels=("anger",), ekman={"anger": 0.9}, valence=-0.6, confidence=0.85, arousal=0.5
)
CRISIS = RiskReading(RiskLevel.CRISIS, 1.0, RiskKind.SELF_HARM, ("end my life",))


def decide(state: ConversationState, turn: PersonTurn) -> Decision | None:
    return decide_escalation(state.after_person(turn), turn, THRESHOLDS)


def test_one_angry_turn_stays_with_the_bot() -> None:
    assert decide(ConversationState(), PersonTurn("this is useless", 0.0, reading=ANGRY)) is None


def test_two_angry_turns_in_a_row_reach_a_human_with_the_evidence() -> None:
    first = PersonTurn("this is useless", 0.0, reading=ANGRY)
    decision = decide(ConversationState().after_person(first), PersonTurn("STOP IT", 5.0, reading=ANGRY))
    assert decision is not None
    assert (decision.level, decision.reason, decision.action) == (
        "handoff",
        "anger_repeated",
        "utter_handoff_anger",
    )
    assert "2 angry turns in a row" in decision.evidence[0]
    assert "STOP IT" in decision.evidence[1]


def test_a_calm_turn_after_an_angry_one_is_no_escalation() -> None:
    state = ConversationState().after_person(PersonTurn("useless", 0.0, reading=ANGRY))
    calm = EmotionReading(label="gratitude", valence=0.5, confidence=0.8)
    assert decide(state, PersonTurn("ok thanks", 1.0, reading=calm)) is None


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        (RiskKind.SELF_HARM, "utter_crisis_self"),
        (RiskKind.HARM_TO_OTHERS, "utter_crisis_harm"),
        (RiskKind.ABUSE, "utter_crisis_abuse"),
        (RiskKind.MEDICAL, "utter_crisis_medical"),
    ],
)
def test_danger_comes_first_and_names_its_words(kind: RiskKind, action: str) -> None:
    risk = RiskReading(RiskLevel.HIGH, 0.9, kind, ("these words",))
    decision = decide(ConversationState(), PersonTurn("…", 0.0, intent="ask_human", risk=risk))
    assert decision is not None
    assert (decision.action, decision.reason) == (action, f"risk_{kind.value}")
    assert "these words" in decision.evidence[0]


def test_concern_alone_is_no_handoff() -> None:
    risk = RiskReading(RiskLevel.CONCERN, 0.3, RiskKind.SELF_HARM, ("hopeless",))
    assert decide(ConversationState(), PersonTurn("it all feels hopeless", 0.0, risk=risk)) is None


def test_asking_for_a_human_counts_from_its_confidence_on() -> None:
    sure = PersonTurn("a person please", 0.0, intent="ask_human", intent_confidence=0.9)
    unsure = PersonTurn("a person please", 0.0, intent="ask_human", intent_confidence=0.1)
    decision = decide(ConversationState(), sure)
    assert decision is not None
    assert decision.reason == "asked_for_human"
    assert decide(ConversationState(), unsure) is None


def test_a_complaint_that_goes_on_reaches_a_human() -> None:
    state = ConversationState()
    decisions = []
    for text in ("it broke", "still broken"):
        turn = PersonTurn(text, 0.0, intent="complaint", intent_confidence=0.8)
        decisions.append(decide(state, turn))
        state = state.after_person(turn)
    assert decisions[0] is None
    assert decisions[1] is not None
    assert decisions[1].reason == "complaint_unsolved"


def test_danger_while_waiting_is_answered_and_stays_in_the_protocol() -> None:
    waiting = ConversationState(handoff=HandoffState.WAITING)
    turn = PersonTurn("i want to end my life", 0.0, risk=CRISIS)
    decision = decide(waiting, turn)
    assert decision is not None
    assert decision.action == "utter_crisis_die"
    answered = waiting.after_person(turn).after_decision(decision)
    again = decide(answered, turn)
    assert again is not None
    assert again.action == "utter_crisis_plan"


def test_while_a_human_has_the_turn_nothing_is_said_but_danger_is_told() -> None:
    taken = ConversationState(handoff=HandoffState.HUMAN)
    decision = decide(taken, PersonTurn("i want to end my life", 0.0, risk=CRISIS))
    assert decision is not None
    assert (decision.action, decision.level) == ("action_listen", "handoff")
    assert decision.reason == "risk_self_harm"
    assert decide(taken, PersonTurn("a human!", 0.0, intent="ask_human", intent_confidence=1.0)) is None


def test_long_messages_are_quoted_short() -> None:
    turn = PersonTurn("help " * 500, 0.0, intent="ask_human", intent_confidence=1.0)
    decision = decide(ConversationState(), turn)
    assert decision is not None
    assert len(decision.evidence[1]) < 160


def test_a_yes_to_an_offered_person_brings_one() -> None:
    yes = PersonTurn("yes please", 0.0, intent="affirm", intent_confidence=0.9)
    offered = ConversationState().after_decision(decision_of_rule("utter_complaint", "RulePolicy", 1.0))
    decision = decide(offered, yes)
    assert decision is not None
    assert decision.reason == "accepted_offer"
    assert decide(ConversationState(), yes) is None
    maybe = PersonTurn("do you think I can do it?", 0.0, intent="affirm", intent_confidence=0.7)
    assert decide(offered, maybe) is None


def test_a_rule_that_asks_a_person_in_counts_as_a_handoff() -> None:
    assert decision_of_rule("utter_handoff", "RulePolicy", 1.0).level == "handoff"
    assert decision_of_rule("utter_greet", "RulePolicy", 1.0).level == "none"


@pytest.mark.parametrize(
    "bad", [{"anger_turns": 0}, {"complaint_turns": 21}, {"ask_human_confidence": 1.5}, {"anger_turns": "2"}]
)
def test_thresholds_out_of_range_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(bad))):
        EscalationThresholds(**bad)  # type: ignore[arg-type]
