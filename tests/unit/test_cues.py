"""What the form of a turn tells, whatever its words mean."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.cues import CUES, REMEMBERED_WORDS, cues_of, is_filler, word_hashes


@pytest.mark.parametrize(
    "text",
    ["fine.", "ok", "OK", "k", "whatever", "...", "…", ". . .", "okayyyy", "Hmmm", "I guess so.",
     "ok, whatever",     "yeah, no", "it's fine", "I’m fine", "好吧。", "随便", "。。。"],
)  # fmt: skip
def test_a_turn_that_says_nothing_is_known_as_such(text: str) -> None:
    assert is_filler(text)


@pytest.mark.parametrize(
    "text",
    ["FINE", "fine!", "fine?", "ok 😡", "great.", "thanks", "still waiting", "I am not fine", "", "   ", "?",
     "!!!",     "ok ok ok ok ok ok", "fine " * 100],
)  # fmt: skip
def test_a_turn_that_says_something_is_not(text: str) -> None:
    assert not is_filler(text)


def test_cues_of_a_curt_answer() -> None:
    cues = cues_of("Still broken.")
    assert (cues.short, cues.clipped, cues.persists, cues.filler) == (1.0, 1.0, 1.0, 0.0)
    assert cues.length == pytest.approx(math.log(3) / math.log(41))


def test_cues_of_a_shout() -> None:
    cues = cues_of("WHY is it sooo SLOW?!!")
    assert cues.capitals == pytest.approx(7 / 15)  # WHY and SLOW, of fifteen letters
    assert (cues.exclaims, cues.asks, cues.stretched) == (1.0, 1.0, 1.0)


def test_one_exclamation_mark_is_half_a_shout() -> None:
    assert cues_of("no!").exclaims == 0.5


def test_praise_relief_and_objection_are_noticed() -> None:
    assert cues_of("great.").praise_short == 1.0
    assert (cues_of("thanks a lot for the help").praise, cues_of("thanks a lot for it").praise_short) == (
        1.0,
        0.0,
    )
    assert cues_of("it works now").eases == 1.0
    assert cues_of("nice, but no").turns == 1.0


def test_denial_laughter_oaths_and_faces_are_noticed() -> None:
    cues = cues_of("I can't believe it haha :)")
    assert (cues.denies, cues.laughs, cues.about_self, cues.smiles, cues.frowns) == (1.0, 1.0, 1.0, 1.0, 0.0)
    assert (cues_of("wtf :(").swears, cues_of("wtf :(").frowns) == (1.0, 1.0)
    assert cues_of("see https://example.org").frowns == 0.0


def test_words_that_come_again_are_noticed() -> None:
    before = word_hashes("Where is my parcel?")
    assert cues_of("my parcel, where is it", before).repeats == 1.0  # "where" and "parcel"
    assert cues_of("parcel", before).repeats == 0.0  # one word is no repetition
    assert cues_of("something else entirely", before).repeats == 0.0


def test_chinese_counts_two_characters_a_word() -> None:
    assert cues_of("我很难过").length == pytest.approx(math.log(3) / math.log(41))


def test_hashes_are_few_whatever_the_length() -> None:
    many = " ".join(f"word{number}" for number in range(500))
    assert len(word_hashes(many)) == REMEMBERED_WORDS


@given(st.text(max_size=300))
def test_every_cue_of_any_text_lies_between_0_and_1(text: str) -> None:
    cues = cues_of(text, word_hashes(text))
    assert all(0.0 <= getattr(cues, name) <= 1.0 for name in CUES)
