"""How the state of a conversation follows its turns."""

import pytest

from bot.core.handoff import HandoffState
from bot.core.reading import EmotionReading
from bot.core.state import HALF_LIFE_S, TRIED_KEPT, ConversationState, EmotionState
from bot.core.strategy import Strategy
from bot.core.turn import Decision, PersonTurn


def reading(valence: float, label: str = "sadness", anger: float = 0.0, **more: object) -> EmotionReading:
    return EmotionReading(
        label=label,
        labels=(label,),
        valence=valence,
        confidence=0.8,
        ekman={"anger": anger},
        **more,  # type: ignore[arg-type]
    )


def turn(intent: str = "share_feeling", at: float = 0.0, **more: object) -> PersonTurn:
    return PersonTurn("words", at, intent=intent, intent_confidence=0.9, **more)  # type: ignore[arg-type]


def test_first_reading_sets_the_level_as_it_is() -> None:
    state = EmotionState().after(reading(-0.6), at=10.0)
    assert (state.valence, state.trend, state.volatility, state.readings) == (-0.6, 0.0, 0.0, 1)


def test_trend_is_negative_when_the_person_gets_worse() -> None:
    state = EmotionState().after(reading(0.2), 0.0).after(reading(-0.4), 1.0)
    assert state.trend == pytest.approx(-0.6)
    assert state.volatility > 0


def test_old_levels_fade_with_their_half_life() -> None:
    soon = EmotionState().after(reading(-0.8), 0.0).after(reading(0.4), 1.0)
    later = EmotionState().after(reading(-0.8), 0.0).after(reading(0.4), HALF_LIFE_S)
    much_later = EmotionState().after(reading(-0.8), 0.0).after(reading(0.4), 40 * HALF_LIFE_S)
    assert soon.valence < later.valence < much_later.valence == pytest.approx(0.4, abs=1e-4)


def test_a_clock_that_goes_back_changes_no_sign() -> None:
    state = EmotionState().after(reading(-0.8), 100.0).after(reading(-0.8), 50.0)
    assert state.valence == pytest.approx(-0.8)


def test_anger_streak_counts_turns_in_a_row_and_ends_with_a_calm_one() -> None:
    angry = reading(-0.5, "anger", anger=0.9)
    state = EmotionState().after(angry, 0.0).after(angry, 1.0)
    assert state.anger_streak == 2
    assert state.after(reading(0.3, "gratitude"), 2.0).anger_streak == 0


@pytest.mark.parametrize("untrusted", [{"abstained": True}, {"degraded": True}])
def test_an_untrusted_reading_neither_counts_nor_ends_a_streak(untrusted: dict[str, bool]) -> None:
    before = EmotionState().after(reading(-0.5, "anger", anger=0.9), 0.0)
    assert before.after(reading(-0.9, "anger", anger=1.0, **untrusted), 1.0) == before
    assert before.after(None, 1.0) == before


def test_complaints_count_in_a_row() -> None:
    state = ConversationState()
    for intent in ("complaint", "not_helped", "complaint"):
        state = state.after_person(turn(intent))
    assert (state.complaints, state.unhelped) == (3, 0)
    assert state.after_person(turn("thanks")).complaints == 0


def test_what_did_not_help_alone_is_no_complaint() -> None:
    state = ConversationState().after_person(turn("not_helped")).after_person(turn("not_helped"))
    assert (state.complaints, state.unhelped) == (0, 2)


def test_a_complaint_counts_as_angry_with_less_anger_in_its_words() -> None:
    vexed = reading(-0.3, "annoyance", anger=0.4)
    assert EmotionState().after(vexed, 0.0, complains=True).anger_streak == 1
    assert EmotionState().after(vexed, 0.0, complains=False).anger_streak == 0


def test_only_the_last_strategies_are_remembered() -> None:
    state = ConversationState()
    for _ in range(TRIED_KEPT + 3):
        state = state.after_decision(Decision("a", "p", "r", strategy="question"))
    assert state.tried == (Strategy.QUESTION,) * TRIED_KEPT


def test_state_survives_its_json_form() -> None:
    state = (
        ConversationState(handoff=HandoffState.WAITING)
        .after_person(turn(reading=reading(-0.4)))
        .after_decision(Decision("a", "p", "risk_self_harm", level="offer", strategy="reflection"))
    )
    assert ConversationState.from_dict(state.to_dict()) == state
    assert ConversationState.from_dict(None) == ConversationState()


def test_unknown_keys_of_a_newer_version_are_ignored() -> None:
    data = {**ConversationState().to_dict(), "later": 1, "emotion": {"valence": 0.5, "later": 2}}
    assert ConversationState.from_dict(data).emotion.valence == 0.5
