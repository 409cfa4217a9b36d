"""Every rule beyond danger: from where on, at which level, on what evidence, and which outranks which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.core.course import Course, certainty_of
from bot.core.escalation import decide_escalation, decision_of_rule, ends_the_turn
from bot.core.escalation_rules import OWN_OFFERS
from bot.core.handoff import HandoffState
from bot.core.reading import EmotionReading, RiskKind, RiskLevel, RiskReading
from bot.core.state import ConversationState
from bot.core.thresholds import CERTAINTIES_KEPT, EscalationThresholds
from bot.core.turn import Decision, PersonTurn

THRESHOLDS = EscalationThresholds()
GUIDANCE = Decision("action_guidance_reflection", "GuidancePolicy", "comforting", strategy="reflection")
HURT = RiskReading(RiskLevel.CONCERN, 0.4, RiskKind.ABUSE, ("gets rough",))
NONE = RiskReading()
APART_S = 8 * 3600.0  # so that concerns don't add up to danger
GLOOM = RiskReading(RiskLevel.CONCERN, 0.3, RiskKind.SELF_HARM, ("no point",))


def reading(anger: float, valence: float, abstained: bool = False) -> EmotionReading:
    label = "anger" if anger > 0.4 else "sadness"
    return EmotionReading(
        label, (label,), {label: 0.7}, {"anger": anger}, valence=valence, confidence=0.7, abstained=abstained
    )


def said(text: str = "and so it goes on", intent: str = "share_feeling", **more: object) -> PersonTurn:
    given: dict[str, object] = {"at": 0.0, "intent": intent, "intent_confidence": 0.9, **more}
    return PersonTurn(text, **given)  # type: ignore[arg-type]


def gone_through(
    turns: Sequence[PersonTurn], thresholds: EscalationThresholds = THRESHOLDS, gap_s: float = 20.0
) -> list[Decision | None]:
    """What escalates at each turn; every other turn is answered with guidance."""
    state, made = ConversationState(), []
    for number, turn in enumerate(turns):
        state = state.after_person(replace(turn, at=gap_s * number))
        decision = decide_escalation(state, turn, thresholds)
        made.append(decision)
        state = state.after_decision(decision or GUIDANCE)
        if decision is not None and decision.level == "handoff":
            state = replace(state, handoff=HandoffState.WAITING)
    return made


def essence(made: Sequence[Decision | None]) -> list[str | None]:
    return [None if one is None else f"{one.level} {one.reason}" for one in made]


def test_anger_that_gathers_is_met_with_an_offer_before_it_repeats() -> None:
    made = gone_through(
        [
            said(reading=reading(0.4, -0.2)),
            said(reading=reading(0.42, -0.3)),
            said(reading=reading(0.9, -0.7)),
        ]
    )
    assert essence(made) == [None, None, "offer anger_rising"]
    assert made[2] is not None
    assert "level 0.66" in made[2].evidence[0]
    assert "valence -0.25 a turn" in made[2].evidence[0]
    assert made[2].action == "utter_offer_human_anger"


def test_anger_out_of_calm_is_not_rising_yet() -> None:
    made = gone_through([said(reading=reading(0.02, 0.1)), said(reading=reading(0.9, -0.7))])
    assert essence(made) == [None, None]


def test_anger_that_eases_is_not_rising() -> None:
    made = gone_through([said(reading=reading(0.42, -0.9)), said(reading=reading(0.9, -0.3))])
    assert essence(made) == [None, None]


def test_an_unbroken_streak_outranks_rising_anger() -> None:
    made = gone_through([said(reading=reading(0.8, -0.4)), said(reading=reading(0.9, -0.8))])
    assert essence(made) == [None, "handoff anger_repeated"]


def test_rising_anger_follows_its_thresholds() -> None:
    turns = [said(reading=reading(0.4, -0.2)), said(reading=reading(0.9, -0.7))]
    assert essence(gone_through(turns))[-1] == "offer anger_rising"
    assert essence(gone_through(turns, EscalationThresholds(anger_level=0.7)))[-1] is None
    assert essence(gone_through(turns, EscalationThresholds(anger_trend=0.6)))[-1] is None


def test_three_answers_that_did_not_help_reach_a_human_also_with_turns_in_between() -> None:
    missed, other = said("that did nothing for me", "not_helped"), said("it began last year")
    made = gone_through([missed, other, missed, other, missed])
    assert essence(made) == [None, None, None, None, "handoff answers_missed"]
    assert made[4] is not None
    assert "3 answers didn't help" in made[4].evidence[0]


def test_an_answer_that_helped_forgives_those_that_did_not() -> None:
    missed, thanks = said("that did nothing for me", "not_helped"), said("that is a good one", "thanks")
    assert essence(gone_through([missed, missed, thanks, missed])) == [None] * 4


def test_turns_that_can_not_be_understood_lead_to_an_offer() -> None:
    murky = said("the thing with the other", "small_talk", intent_confidence=0.1)
    made = gone_through([murky] * 4)
    assert essence(made) == [None, None, None, "offer unsure_for_long"]
    assert made[3] is not None
    assert "4 turns in a row" in made[3].evidence[0]
    clear = said("my sister is ill")
    assert essence(gone_through([murky, murky, clear, murky, murky])) == [None] * 5


def test_a_reading_that_abstains_is_as_unsure_as_an_intent() -> None:
    unread = said("the thing with the other", reading=reading(0.1, -0.1, abstained=True))
    assert essence(gone_through([unread] * 4))[-1] == "offer unsure_for_long"


def test_a_language_the_weight_was_not_trained_on_is_not_unsure_by_itself() -> None:
    blank = EmotionReading("neutral", scores={"anger": 0.0}, abstained=True)
    turn = said("最近工作压力很大", language="zh", reply_language="zh", reading=blank)
    assert certainty_of(turn) == pytest.approx(0.9)
    assert essence(gone_through([turn] * 6)) == [None] * 6


def test_a_turn_that_says_nothing_by_itself_tells_nothing_about_being_understood() -> None:
    assert certainty_of(said("ok.", intent_confidence=0.1)) is None


def test_a_minor_is_offered_a_person_once() -> None:
    minor = said("I'm 13 and things are bad")
    made = gone_through([minor, *[said()] * 9, minor])
    assert essence(made) == ["offer vulnerable_minor", *[None] * 10]
    assert made[0] is not None
    assert made[0].action == "utter_offer_human_care"


@pytest.mark.parametrize("text", ["I'm pregnant and tired", "I'm disabled and tired"])
def test_pregnancy_and_disability_count_only_beside_danger(text: str) -> None:
    assert essence(gone_through([said(text), said()])) == [None, None]
    made = gone_through([said(text), said("there is no point", risk=GLOOM)])
    assert made[1] is not None
    assert made[1].reason in ("vulnerable_pregnant", "vulnerable_disabled")


def test_abuse_at_the_level_of_concern_is_met_with_an_offer_that_names_its_words() -> None:
    made = gone_through([said("he gets rough with me", risk=HURT), said()])
    assert essence(made) == ["offer abuse_concern", None]
    assert made[0] is not None
    assert '"gets rough"' in made[0].evidence[0]


def test_a_vulnerable_person_is_offered_somebody_a_turn_before_others_are_handed_over() -> None:
    minor, calm = said("I'm 13 and things are bad"), said()
    angry = said("stop this nonsense", reading=reading(0.8, -0.6))
    made = gone_through([minor, *[calm] * 6, angry])
    assert essence(made)[-1] == "offer vulnerable_sooner"
    assert made[-1] is not None
    assert "a minor" in made[-1].evidence[0]
    assert essence(gone_through([calm, *[calm] * 6, angry]))[-1] is None
    unlowered = EscalationThresholds(vulnerable_lowers=0)
    assert essence(gone_through([minor, *[calm] * 6, angry], unlowered))[-1] is None


def test_an_offer_is_not_made_again_before_its_time() -> None:
    hurt = said("he gets rough with me", risk=HURT)
    made = essence(gone_through([hurt] * 8, gap_s=APART_S))
    assert [number for number, one in enumerate(made) if one is not None] == [0, 6]
    often = essence(gone_through([hurt] * 4, EscalationThresholds(offer_again_turns=1), APART_S))
    assert often == ["offer abuse_concern"] * 4


def test_an_offer_of_a_rule_holds_back_the_next_one() -> None:
    state = ConversationState().after_decision(decision_of_rule("utter_service_request", "RulePolicy", 1.0))
    minor = said("I'm 13 and things are bad")
    assert decide_escalation(state.after_person(minor), minor, THRESHOLDS) is None


@pytest.mark.parametrize("intent", ["delete_data", "export_data", "ask_privacy", "ask_identity", "goodbye"])
def test_what_was_asked_for_comes_before_an_offer_which_then_follows(intent: str) -> None:
    made = gone_through([said("I'm 13, delete what I wrote", intent), said()])
    assert essence(made) == [None, "offer vulnerable_minor"]


def test_a_wish_outranks_every_grievance_and_an_offer() -> None:
    angry = said("let me talk to somebody", "ask_human", reading=reading(0.9, -0.7))
    assert essence(gone_through([angry])) == ["handoff asked_for_human"]
    minor = said("I'm 13, let me talk to somebody", "ask_human")
    assert essence(gone_through([minor])) == ["handoff asked_for_human"]


def test_a_yes_to_an_own_offer_brings_a_person() -> None:
    made = gone_through([said("I'm 13 and things are bad"), said("yes please", "affirm")])
    assert essence(made) == ["offer vulnerable_minor", "handoff accepted_offer"]
    strict = EscalationThresholds(accept_confidence=0.95)
    assert essence(gone_through([said("I'm 13, all is bad"), said("yes", "affirm")], strict))[-1] is None


@pytest.mark.parametrize("handoff", [HandoffState.WAITING, HandoffState.HUMAN])
def test_nothing_is_offered_while_a_human_is_asked_in(handoff: HandoffState) -> None:
    minor = said("I'm 13 and things are bad")
    state = ConversationState(handoff=handoff).after_person(minor)
    assert decide_escalation(state, minor, THRESHOLDS) is None


@pytest.mark.parametrize("action", OWN_OFFERS)
def test_an_own_offer_counts_as_one_and_ends_the_turn(action: str) -> None:
    assert decision_of_rule(action, "RulePolicy", 1.0).level == "offer"
    assert ends_the_turn(action)


def test_the_course_survives_its_json_form_and_stays_small() -> None:
    state = ConversationState()
    for number in range(15):
        text, risk = (
            ("I'm 13, I'm pregnant, he gets rough", HURT) if number == 0 else ("and so on it goes", NONE)
        )
        turn = said(text, risk=risk, intent_confidence=0.5)
        state = state.after_person(turn)
        state = state.after_decision(decide_escalation(state, turn, THRESHOLDS) or GUIDANCE)
    assert Course.from_dict(state.course.to_dict()) == state.course
    assert len(state.course.certainties) == CERTAINTIES_KEPT
    assert state.course.vulnerable == ("minor", "pregnant")
    assert ConversationState.from_dict(state.to_dict()) == state


@pytest.mark.parametrize("data", [None, 3, {}, {"vulnerable": ["heir"], "newer": 1}])
def test_a_course_of_another_version_is_read(data: object) -> None:
    assert Course.from_dict(data) == Course()
