"""A conversation raises the danger of a turn, says why, and forgets with time."""

from __future__ import annotations

import json

import pytest

from bot.core.reading import EmotionReading, RiskKind, RiskLevel, RiskReading
from bot.core.risk_signs import signs_of
from bot.core.risk_state import RiskState, raised

START = 1_000_000_000.0
DARK = ("I keep thinking about dying", "high", "self_harm")
HOPELESS = ("there is no point to any of this", "concern", "self_harm")


def said(text: str, level: str = "none", kind: str | None = None) -> tuple[str, RiskReading]:
    if kind is None:
        return text, RiskReading()
    return text, RiskReading(RiskLevel(level), 0.4, RiskKind(kind), (text,))


def told(*turns: tuple[str, ...], gap_s: float = 60.0) -> tuple[RiskReading, RiskState]:
    """The last turn's reading and the state after it."""
    state, risk, at = RiskState(), RiskReading(), START
    for turn in turns:
        text, read = said(*turn)
        risk = raised(read, state, text, at)
        state = state.after(risk, None, text, at)
        at += gap_s
    return risk, state


@pytest.mark.parametrize(
    ("turns", "level"),
    [
        ([DARK, ("Yes. Tonight.",)], RiskLevel.CRISIS),
        ([("我想了很久，还是死了好", "high", "self_harm"), ("对，就是今天。",)], RiskLevel.CRISIS),
        ([HOPELESS, ("thank you for everything, you were kind",)], RiskLevel.HIGH),
        ([("看不到希望", "concern", "self_harm"), ("谢谢你一直陪我",)], RiskLevel.HIGH),
        ([HOPELESS, ("gave my guitar away to my nephew",)], RiskLevel.HIGH),
        ([HOPELESS, ("sold the van",), ("I feel lighter now that I've decided",)], RiskLevel.CRISIS),
        ([DARK, ("it is strange, I feel so calm",)], RiskLevel.HIGH),
        ([HOPELESS, HOPELESS, HOPELESS], RiskLevel.HIGH),
    ],
)
def test_what_came_before_raises_a_turn(turns: list[tuple[str, ...]], level: RiskLevel) -> None:
    risk, _ = told(*turns)

    assert risk.level is level
    assert risk.kind is RiskKind.SELF_HARM
    assert any("after" in why or "add up" in why for why in risk.evidence)


@pytest.mark.parametrize(
    "turns",
    [
        [("my sister is picking me up with the van",), ("Tonight. And I'm not coming back, ha!",)],
        [("sold the van today",), ("I feel lighter now that I've decided",)],
        [("the course was lovely",), ("thank you for everything, goodbye",)],
        [DARK, ("no, not tonight, I promise",)],
        [DARK, ("I will watch a film with my sister tonight",)],
        [HOPELESS, ("what should I cook",)],
        [HOPELESS, HOPELESS, ("the cat is asleep",)],
    ],
)
def test_harmless_turns_stay_harmless(turns: list[tuple[str, ...]]) -> None:
    risk, _ = told(*turns)

    assert risk == RiskReading()


def test_a_reading_is_never_lowered_or_rewritten() -> None:
    state = told(DARK, DARK)[1]
    for level in RiskLevel:
        text, read = said("yes", level.value, None if level is RiskLevel.NONE else "abuse")
        found = raised(read, state, text, START + 200)
        assert list(RiskLevel).index(found.level) >= list(RiskLevel).index(level)
    crisis = said("now", "crisis", "medical")[1]
    assert raised(crisis, state, "now", START + 200) is crisis


def test_what_was_said_long_ago_weighs_nothing() -> None:
    for turns in ([DARK, ("Yes. Tonight.",)], [HOPELESS, ("thanks for everything",)], [HOPELESS] * 3):
        risk, _ = told(*turns, gap_s=3 * 86400.0)
        assert not risk.level.needs_human


def test_clocks_that_go_backwards_do_no_harm() -> None:
    state = told(DARK)[1]
    assert state.after(RiskReading(), None, "hello", START - 1e6).despair <= 1.0
    assert state.faded(START - 1e6).despair == state.despair


def test_sadness_alone_never_makes_dark_thoughts() -> None:
    reading = EmotionReading(
        "sadness", ("sadness",), {"sadness": 0.9}, {"sadness": 0.9}, valence=-0.8, confidence=0.9
    )
    state = RiskState()
    for turn in range(50):
        state = state.after(RiskReading(), reading, "I am so sad", START + turn)
    assert 0.0 < state.sadness <= 0.36
    assert state.despair == 0.0
    assert not raised(RiskReading(), state, "Yes. Tonight.", START + 60).level.needs_human


def test_a_state_has_one_size_and_survives_json() -> None:
    state = RiskState()
    sizes = []
    for turn in range(300):
        text, read = said("I can't go on " * 40, "concern", "self_harm")
        state = state.after(read, None, text, START + turn)
        sizes.append(len(json.dumps(state.to_dict())))
    assert max(sizes) < 600
    assert RiskState.from_dict(json.loads(json.dumps(state.to_dict()))) == state


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"unknown": 1},
        {"despair": "much", "kind": "other", "settling": 3, "danger_at": [], "readings": None},
        {"despair": float("inf"), "last_words": None, "worry": True},
    ],
)
def test_odd_stored_states_are_read(data: dict[str, object] | None) -> None:
    assert RiskState.from_dict(data) == RiskState()


def test_numbers_of_a_stored_state_keep_their_type() -> None:
    state = RiskState.from_dict({"readings": 3, "despair": 1, "kind": "abuse", "danger_at": 5})
    assert (state.readings, state.despair, state.kind, state.danger_at) == (3, 1.0, "abuse", 5.0)


@pytest.mark.parametrize("text", ["", "\ud83d", "a" * 100_000, "把" * 5000, "thank you for " * 5000, "\x00"])
def test_signs_of_odd_texts_are_looked_for(text: str) -> None:
    assert signs_of(text).n_chars <= 2000
