"""How the state of a conversation follows its turns."""

import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.cues import REMEMBERED_WORDS
from bot.core.handoff import HandoffState
from bot.core.reading import ContextReading, EmotionReading
from bot.core.state import (
    EKMAN_HALF_LIFE_S,
    FILLER_HOLDS_S,
    HALF_LIFE_S,
    LABELS_KEPT,
    RECENT_KEPT,
    TRIED_KEPT,
    ConversationState,
    EmotionState,
    is_angry,
    slope,
)
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
def test_an_unread_turn_changes_nothing(untrusted: dict[str, bool]) -> None:
    before = EmotionState().after(reading(-0.5, "anger", anger=0.9), 0.0)
    assert before.after(reading(-0.9, "anger", anger=1.0, **untrusted), 1.0) == before
    assert before.after(None, 1.0) == before


def test_an_abstained_reading_counts_by_its_confidence_and_leaves_streaks() -> None:
    before = EmotionState().after(reading(-0.4, "anger", anger=0.9), 0.0)
    doubtful = EmotionReading(
        label="joy", scores={"joy": 0.3}, ekman={"joy": 0.5}, valence=0.4, confidence=0.3, abstained=True
    )
    after = before.after(doubtful, 0.0)
    # 0.3 of the half that a new turn weighs: -0.4 + 0.15 * 0.8
    assert after.valence == pytest.approx(-0.28)
    assert after.ekman["joy"] == pytest.approx(0.15 * 0.5)
    assert (after.anger_streak, after.negative_streak, after.label) == (1, 1, "anger")
    assert after.recent == before.recent


def test_a_turn_that_says_nothing_ends_no_streak_within_the_hour() -> None:
    angry = EmotionState().after(reading(-0.5, "anger", anger=0.9), 0.0, text="this is a disgrace")
    calm = reading(0.1, "neutral")
    soon = angry.after(calm, 60.0, text="fine.")
    assert (soon.anger_streak, soon.negative_streak, soon.valence) == (1, 1, -0.5)
    assert soon.after(reading(-0.5, "anger", anger=0.9), 90.0, text="no, it is not").anger_streak == 2
    assert angry.after(calm, FILLER_HOLDS_S + 1.0, text="fine.").anger_streak == 0
    assert angry.after(calm, 60.0, text="I see what you mean now").anger_streak == 0


def test_a_turn_that_says_nothing_counts_little_when_read_in_context() -> None:
    angry = EmotionState().after(reading(-0.5, "anger", anger=0.9), 0.0)
    context = ContextReading("annoyance", {"anger": 0.8}, valence=-0.4, confidence=0.6)
    after = angry.after(reading(0.1, "neutral", context=context), 0.0, text="fine.")
    assert after.valence == pytest.approx(-0.5 + 0.2 * 0.5 * 0.1)  # a fifth of what another turn would
    assert (after.anger_streak, after.label) == (1, "annoyance")


def test_what_counts_is_the_reading_in_context() -> None:
    context = ContextReading("anger", {"anger": 0.8}, valence=-0.6, confidence=0.7, changed=True)
    sour = reading(0.3, "admiration", context=context)
    state = EmotionState().after(sour, 0.0, text="oh well done, really")
    assert (state.valence, state.anger_streak, state.label) == (-0.6, 1, "anger")


def test_a_context_that_abstains_hides_no_anger_of_the_words() -> None:
    unsure = ContextReading("sadness", {"anger": 0.2}, valence=-0.2, confidence=0.3, abstained=True)
    angry = reading(-0.6, "anger", anger=0.9, context=unsure)
    state = EmotionState()
    for at in range(4):
        state = state.after(angry, float(at), text="this is a disgrace")
    assert (state.anger_streak, state.negative_streak, state.label) == (4, 0, None)
    assert state.after(angry, 4.0, text="fine.").anger_streak == 4
    calm = reading(0.1, "neutral", context=unsure)
    assert state.after(calm, 4.0, text="the parcel is blue").anger_streak == 4


def test_a_turn_that_says_nothing_is_not_angry_by_itself() -> None:
    context = ContextReading("anger", {"anger": 0.8}, valence=-0.6, confidence=0.7, changed=True)
    carried = reading(0.0, "neutral", context=context)
    assert not is_angry(PersonTurn("fine.", 0.0, reading=carried))
    assert is_angry(PersonTurn("fine, ruin it then", 0.0, reading=carried))


def test_levels_of_the_groups_by_hand() -> None:
    sad = EmotionReading(label="sadness", ekman={"sadness": 0.4, "anger": 0.2}, valence=-0.5, confidence=0.9)
    angry = EmotionReading(label="anger", ekman={"anger": 0.5, "sadness": 0.1}, valence=-0.5, confidence=0.9)
    state = EmotionState().after(sad, 0.0).after(angry, EKMAN_HALF_LIFE_S["anger"])
    assert state.ekman["anger"] == pytest.approx(0.25 * 0.2 + 0.75 * 0.5)  # half of a half is left
    kept = 0.5 * 0.5 ** (EKMAN_HALF_LIFE_S["anger"] / EKMAN_HALF_LIFE_S["sadness"])
    assert state.ekman["sadness"] == pytest.approx(kept * 0.4 + (1 - kept) * 0.1, abs=1e-4)


def test_sadness_outlasts_anger_and_anger_outlasts_surprise() -> None:
    state = EmotionState(readings=1, ekman={"sadness": 0.3, "anger": 0.3, "surprise": 0.3})
    later = state.faded(3600.0).ekman
    assert later["sadness"] > later["anger"] > later["surprise"]
    assert state.faded(EKMAN_HALF_LIFE_S["anger"]).ekman["anger"] == pytest.approx(0.15)


def test_one_turn_out_of_line_makes_no_trend() -> None:
    assert slope([]) == slope([0.4]) == 0.0
    assert slope([0.0, -0.1, -0.2, -0.3]) == pytest.approx(-0.1)
    assert slope([0.0, -0.1, 0.9, -0.3, -0.4]) == pytest.approx(-0.1)
    state = EmotionState()
    for at, valence in enumerate((0.4, 0.2, 0.0, -0.2)):
        state = state.after(reading(valence), float(at))
    assert state.trend == pytest.approx(-0.2)


def test_something_pleasant_after_a_hard_time_is_a_relief() -> None:
    low = EmotionState().after(reading(-0.6), 0.0).after(reading(-0.5), 60.0)
    glad = reading(0.4, "gratitude")
    assert low.after(glad, 120.0, text="it came, thank you").relieved
    assert not low.after(glad, 120.0, text="ok").relieved
    assert not low.after(reading(-0.3), 120.0).relieved
    assert not EmotionState().after(glad, 0.0).relieved
    assert not low.after(glad, 50 * HALF_LIFE_S).relieved  # by then the hard time is forgotten
    assert not low.after(glad, 120.0).after(None, 130.0, text="你好").relieved


def any_reading(source: random.Random) -> EmotionReading:
    shares = [source.random() for _ in EKMAN_HALF_LIFE_S]
    label = source.choice(["anger", "joy", "sadness", "fear", "neutral", "pride", "relief", "grief"])
    return EmotionReading(
        label=label,
        scores={label: 0.5},
        ekman={group: share / sum(shares) for group, share in zip(EKMAN_HALF_LIFE_S, shares, strict=True)},
        valence=source.uniform(-1, 1),
        arousal=source.uniform(-1, 1),
        confidence=source.random(),
        abstained=source.random() < 0.3,
    )


@pytest.mark.parametrize("seed", range(40))
def test_no_turns_at_any_times_leave_the_bounds(seed: int) -> None:
    source = random.Random(seed)
    state = EmotionState()
    for _ in range(20):
        at = source.choice(
            [source.uniform(0, 4e9), 0.0, 1e9, -1e18, 1e300, math.inf, -math.inf, math.nan, state.at + 5.0]
        )
        state = state.after(any_reading(source), at, text=source.choice(["fine.", "I am here", "...", ""]))
        assert -1.0 <= state.valence <= 1.0
        assert -1.0 <= state.arousal <= 1.0
        assert -2.0 <= state.trend <= 2.0
        assert 0.0 <= state.volatility <= 2.0
        assert all(0.0 <= level <= 1.0 for level in (*state.ekman.values(), *state.labels.values()))
        assert sum(state.ekman.values()) <= 1.001
        assert math.isfinite(state.at)
    json.dumps(state.to_dict(), allow_nan=False)


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.integers(0, 1000))
def test_the_longer_the_pause_the_less_is_left(one: float, other: float, seed: int) -> None:
    last = any_reading(random.Random(seed))
    state = EmotionState().after(reading(-0.8, "anger", anger=1.0), 0.0)
    sooner, later = sorted((one, other))
    assert abs(state.faded(later).valence) <= abs(state.faded(sooner).valence)
    assert state.faded(later).ekman["anger"] <= state.faded(sooner).ekman["anger"]
    base = EmotionState(readings=1)
    left = [abs(state.after(last, at).valence - base.after(last, at).valence) for at in (sooner, later)]
    assert left[1] <= left[0] + 2e-4  # levels are kept to four decimals


def test_the_state_is_as_small_after_ten_thousand_turns_as_after_ten() -> None:
    random_turns = random.Random(3)
    state, sizes = EmotionState(), []
    for number in range(10_000):
        label = random_turns.choice(["anger", "joy", "grief", "fear", "pride", "love", "relief", "disgust"])
        words = " ".join(f"word{random_turns.randrange(1000)}" for _ in range(30))
        state = state.after(reading(random_turns.uniform(-1, 1), label), 60.0 * number, text=words)
        if number in (9, 9_999):
            sizes.append(len(json.dumps(state.to_dict())))
    assert len(state.labels) <= LABELS_KEPT
    assert len(state.recent) == RECENT_KEPT
    assert len(state.words) == REMEMBERED_WORDS
    assert sizes[1] < sizes[0] + 100


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


def test_a_state_kept_by_an_older_version_is_read() -> None:
    old = {"readings": 3, "valence": -0.4, "arousal": 0.1, "trend": -0.2, "volatility": 0.3,
           "anger_streak": 1, "negative_streak": 2, "label": "anger", "at": 100.0}  # fmt: skip
    state = ConversationState.from_dict({"emotion": old}).emotion
    assert (state.valence, state.anger_streak, state.ekman, state.recent, state.words) == (
        -0.4,
        1,
        {},
        (),
        (),
    )
    assert state.after(reading(-0.4), 160.0).readings == 4


def test_unknown_keys_of_a_newer_version_are_ignored() -> None:
    data = {**ConversationState().to_dict(), "later": 1, "emotion": {"valence": 0.5, "later": 2}}
    assert ConversationState.from_dict(data).emotion.valence == 0.5


def test_strategies_of_a_newer_version_are_forgotten() -> None:
    data = {**ConversationState().to_dict(), "tried": ["question", "later", None, "suggestion"]}
    assert ConversationState.from_dict(data).tried == (Strategy.QUESTION, Strategy.SUGGESTION)


@pytest.mark.parametrize("handoff", ["later", None, "", 3, ["human"]])
def test_a_handoff_state_of_a_newer_version_is_not_the_bots_turn(handoff: object) -> None:
    state = ConversationState.from_dict({**ConversationState().to_dict(), "handoff": handoff})
    assert state.handoff is HandoffState.WAITING
    assert not state.handoff.is_bots_turn
