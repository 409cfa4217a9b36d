"""Replacing words: which words are tried, when the attack stops, and what it may not do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from nlu_models.emotion.infer import EmotionEncoder, Encoded
from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.emotion.textfooler import WordAttack, WordTable
from nlu_models.emotion.weights import WeightConfig
from nlu_models.errors import WeightError
from tests.unit.tiny_weights import make_weights

ANGER, NEUTRAL = GOEMOTIONS.index("anger"), GOEMOTIONS.index("neutral")
# word: (how much anger it adds, valence alone)
LEXICON = {
    "furious": (0.6, -0.8),
    "livid": (0.1, -0.7),
    "calm": (-0.5, 0.8),
    "boss": (0.2, 0.0),
    "chief": (0.1, 0.0),
}
ANGLES = {"furious": 0.0, "livid": 0.3, "calm": 0.4, "boss": 2.0, "chief": 2.2, "tree": 4.0, "the": 0.1}


class WordReader:
    """Reads anger as the sum of what the words add; texts are alike but for `unlike` words."""

    def __init__(self, unlike: Sequence[str] = ()) -> None:
        self.config = WeightConfig(
            "words", "0", ("en",), GOEMOTIONS, (0.5,) * 28, {"slope": 1.0, "intercept": 0.0}, 0.1, 24, 2
        )
        self.read: list[str] = []
        self._unlike = set(unlike)

    def encode(self, texts: Sequence[str]) -> Encoded:
        self.read += texts
        out = Encoded(*(np.zeros((len(texts), width), dtype=np.float32) for width in (28, 3, 2)))
        for row, text in enumerate(texts):
            words = text.lower().split()
            anger = sum(LEXICON.get(word, (0.0, 0.0))[0] for word in words)
            out.probabilities[row, ANGER], out.probabilities[row, NEUTRAL] = min(anger, 1.0), 0.45
            out.vad[row, 0] = LEXICON.get(words[0], (0.0, 0.0))[1] if words else 0.0
            out.embeddings[row] = (0.0, 1.0) if self._unlike & set(words) else (1.0, 0.0)
        return out


def table() -> WordTable:
    return WordTable(list(ANGLES), np.array([(np.cos(angle), np.sin(angle)) for angle in ANGLES.values()]))


def test_nearest_words_come_first_without_stop_words_and_the_word_itself() -> None:
    assert table().nearest("furious") == ["livid", "calm"]
    assert table().nearest("chief") == ["boss"]
    assert table().nearest("unknown") == []


def test_words_of_another_form_do_not_stand_in() -> None:
    words = WordTable(["loved", "adored", "adores", "adore"], np.ones((4, 2)))
    assert words.nearest("loved") == ["adored"]


def test_the_word_the_reading_hangs_on_is_replaced_first() -> None:
    result = WordAttack(WordReader(), table()).attack("My boss is Furious today", ["anger"])
    assert (result.text, result.label) == ("My boss is Livid today", "neutral")
    assert (result.attempted, result.succeeded, result.changed, result.words) == (True, True, 1, 5)


def test_a_word_of_the_opposite_feeling_is_no_synonym() -> None:
    reader = WordReader()
    WordAttack(reader, table()).attack("My boss is furious today", ["anger"])
    assert "My boss is calm today" not in reader.read


def test_a_text_that_would_say_something_else_is_not_used() -> None:
    result = WordAttack(WordReader(unlike=["livid"]), table()).attack("so furious today", ["anger"])
    assert (result.text, result.succeeded, result.changed) == ("so furious today", False, 0)


def test_no_more_words_are_replaced_than_allowed() -> None:
    text = "furious furious furious boss"  # far above the threshold: one of four words is not enough
    result = WordAttack(WordReader(), table()).attack(text, ["anger"])
    assert not result.succeeded
    assert result.changed <= 2
    assert sum(a != b for a, b in zip(text.split(), result.text.split(), strict=True)) == result.changed


def test_another_right_label_is_no_success() -> None:
    result = WordAttack(WordReader(), table()).attack("My boss is furious today", ["anger", "neutral"])
    assert not result.succeeded


@pytest.mark.parametrize("text", ["a tree", "", "😭", "the of and"])
def test_a_text_that_is_not_read_rightly_is_left_alone(text: str) -> None:
    result = WordAttack(WordReader(), table()).attack(text, ["anger"])
    assert (result.text, result.attempted, result.succeeded, result.changed) == (text, False, False, 0)


def test_passes_are_counted() -> None:
    reader = WordReader()
    attack = WordAttack(reader, table())
    results = [attack.attack(text, ["anger"]) for text in ("so furious today", "My boss is furious")]
    assert sum(result.passes for result in results) == len(reader.read)


def test_the_table_of_a_weight_folder_has_its_words(tmp_path: Path) -> None:
    weights = make_weights(tmp_path / "weights")
    assert WordTable.load(weights).nearest("furious", most=3) is not None
    result = WordAttack(EmotionEncoder(weights), WordTable.load(weights)).attack("I am furious", ["anger"])
    assert result.attempted


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightError, match=r"tokenizer\.json is missing"):
        WordTable.load(tmp_path)
