"""Typing noise: it can be repeated, changes what it says it changes, and leaves the meaning alone."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu_models.emotion.attacks import KEPT_WORDS, KINDS, perturb
from nlu_models.emotion.wording import normalize_wording
from nlu_models.errors import InputError

TEXT = (
    "I really don't know what to do any more, [NAME] keeps shouting at me 😭 see https://a.example/bcd "
    "and it's so hopeless :( ask @somebody in r/advice"
)
KEPT = ("[NAME]", "😭", "https://a.example/bcd", ":(", "@somebody", "r/advice", "don't")
DISGUISES = ("homoglyph", "zero_width")  # of which nothing must be left after the wording pass


def noisy(kind: str, seed: int = 0, text: str = TEXT, strength: float = 0.5) -> str:
    return perturb(text, kind, random.Random(seed), strength)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_noise(kind: str) -> None:
    assert [noisy(kind, seed) for seed in range(20)] == [noisy(kind, seed) for seed in range(20)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_changes_the_text_and_seeds_differ(kind: str) -> None:
    results = {noisy(kind, seed) for seed in range(40)}
    assert len(results - {TEXT}) >= 2


@pytest.mark.parametrize("kind", KINDS)
def test_links_names_emoji_emoticons_and_negations_stay(kind: str) -> None:
    for seed in range(40):
        result = noisy(kind, seed, strength=1.0)
        assert [part for part in KEPT if part not in result] == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["", " ", "😭😭", "我很难过", "[NAME]", "no", "https://a.example"])
def test_a_text_without_words_to_change_stays(kind: str, text: str) -> None:
    assert all(noisy(kind, seed, text) == text for seed in range(10))


@pytest.mark.parametrize("kind", DISGUISES)
def test_the_wording_pass_undoes_disguises(kind: str) -> None:
    assert all(normalize_wording(noisy(kind, seed)) == normalize_wording(TEXT) for seed in range(40))


@pytest.mark.parametrize("kind", ["swap", "drop", "insert", "keyboard", "typo_mix"])
def test_slips_are_inside_words(kind: str) -> None:
    for seed in range(40):
        word = noisy(kind, seed, "hopeless", 1.0)
        assert (word[0], word[-1]) == ("h", "s")
        assert abs(len(word) - len("hopeless")) <= 1


def test_strength_is_the_share_of_words() -> None:
    text = " ".join(["wonderful"] * 20)
    for strength, expected in ((0.01, 1), (0.25, 5), (0.5, 10), (1.0, 20)):
        words = perturb(text, "insert", random.Random(0), strength).split()
        assert sum(word != "wonderful" for word in words) == expected


def test_case_changes_nothing_but_case() -> None:
    assert all(noisy("case", seed).lower() == TEXT.lower() for seed in range(20))


def test_whitespace_changes_no_letters() -> None:
    text = "everything feels completely hopeless today"
    letters = text.replace(" ", "")
    for seed in range(40):
        assert re.sub(r"[^a-z]", "", noisy("whitespace", seed, text)) == letters


@settings(max_examples=200, deadline=None)
@given(text=st.text(), kind=st.sampled_from(KINDS), seed=st.integers(0, 99), strength=st.floats(0.01, 1.0))
def test_no_text_is_too_odd(text: str, kind: str, seed: int, strength: float) -> None:
    first = perturb(text, kind, random.Random(seed), strength)
    assert perturb(text, kind, random.Random(seed), strength) == first


@pytest.mark.parametrize("word", sorted(KEPT_WORDS))
def test_words_that_turn_a_sentence_round_are_never_touched(word: str) -> None:
    assert all(noisy(kind, seed, f"{word} {word}") == f"{word} {word}" for kind in KINDS for seed in range(3))


@pytest.mark.parametrize("strength", [0.0, -1.0, 1.5, float("nan")])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    with pytest.raises(InputError, match="strength is"):
        perturb(TEXT, "swap", random.Random(0), strength)


def test_an_unknown_kind_is_refused_and_the_known_are_named() -> None:
    with pytest.raises(InputError, match=r"'typos' is unknown; known are swap, drop"):
        perturb(TEXT, "typos", random.Random(0))
