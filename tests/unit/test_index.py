"""Retrieval finds the entry that was meant, in both languages, and survives being saved."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nlu_models.errors import WeightError
from nlu_models.retrieval.index import META_FILE, GuidanceIndex
from nlu_models.retrieval.library import Entry, Library
from nlu_models.retrieval.ngrams import DIMENSIONS, NgramVectors

CUES = {
    "work-question-overload": (
        ["my boss keeps piling on more work", "too many deadlines this week"],
        ["老板一直给我加活", "这周截止日期太多"],
    ),
    "sleep-suggestion-awake": (["I lie awake at night", "I can't fall asleep"], ["晚上睡不着", "半夜总是醒"]),
    "grief-reflection-loss": (
        ["my mother died last month", "I miss my dad"],
        ["我妈妈上个月去世了", "想念爸爸"],
    ),
    "money-question-debt": (
        ["I can't pay my debts", "the rent is too high"],
        ["欠了很多钱", "房租太贵交不起"],
    ),
}


def embed(texts: list[str]) -> np.ndarray:
    """Stands in for the encoder: one direction per idea, so that synonyms meet."""
    ideas = (
        ("boss", "work", "deadline", "manager", "tasks"), ("awake", "asleep", "sleep", "insomnia"),
        ("died", "miss", "funeral", "passed"), ("debts", "rent", "broke", "bills"),
    )  # fmt: skip
    rows = np.array([[sum(word in text.lower() for word in idea) + 1e-3 for idea in ideas] for text in texts])
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def library() -> Library:
    entries = {
        name: Entry(
            name,
            name.split("-")[0],
            name.split("-")[1],
            (),
            {"en": tuple(en), "zh": tuple(zh)},
            {"en": "", "zh": ""},
            (),
        )
        for name, (en, zh) in CUES.items()
    }
    return Library(entries, "digest")


@pytest.fixture(scope="module")
def index(library: Library) -> GuidanceIndex:
    return GuidanceIndex.build(library, embed)  # type: ignore[arg-type]


def first(found: dict[str, float]) -> str:
    return next(iter(found))


def test_a_cue_finds_its_own_entry(index: GuidanceIndex) -> None:
    for name, (english, chinese) in CUES.items():
        for cue in english:
            assert first(index.search(cue, embed([cue])[0], "en")) == name
        for cue in chinese:
            assert first(index.search(cue, None, "zh")) == name


def test_meaning_finds_what_letters_do_not(index: GuidanceIndex) -> None:
    text = "insomnia again"
    assert first(index.search(text, embed([text])[0], "en")) == "sleep-suggestion-awake"


def test_letters_find_what_the_encoder_does_not(index: GuidanceIndex) -> None:
    text = "piling up, piling on"
    assert first(index.search(text, np.zeros(4, dtype=np.float32), "en")) == "work-question-overload"


def test_similarities_are_in_range_and_fall(index: GuidanceIndex) -> None:
    text = "my boss keeps piling on more work"
    values = list(index.search(text, embed([text])[0], "en").values())
    assert values == sorted(values, reverse=True)
    assert all(0.0 < value <= 1.0 for value in values)


def test_each_strategy_gets_its_share(index: GuidanceIndex) -> None:
    text = "boss died awake debts I can't"
    found = index.search(text, embed([text])[0], "en", per_strategy=1)
    strategies = [index.strategies[index.ids.index(name)] for name in found]
    assert len(strategies) == len(set(strategies))


@pytest.mark.parametrize("language", ["fr", "und", ""])
def test_other_languages_find_nothing(index: GuidanceIndex, language: str) -> None:
    assert index.search("bonjour", None, language) == {}


@pytest.mark.parametrize("text", ["", "😭😭", "\x00", "?!", "a" * 100_000, "\ud83d"])
def test_odd_texts_are_searched(index: GuidanceIndex, text: str) -> None:
    for language in ("en", "zh"):
        found = index.search(text, None, language)
        assert all(np.isfinite(value) for value in found.values())


def test_saved_index_finds_the_same(index: GuidanceIndex, tmp_path: Path) -> None:
    index.save(tmp_path / "index")
    again = GuidanceIndex.load(tmp_path / "index")
    assert again.digest == "digest"
    for text, language in (("too much work from my boss", "en"), ("晚上总是睡不着", "zh")):
        embedding = embed([text])[0] if language == "en" else None
        assert again.search(text, embedding, language) == index.search(text, embedding, language)


def test_index_without_an_encoder_goes_by_letters(library: Library, tmp_path: Path) -> None:
    for nothing in (None, lambda texts: np.zeros((len(texts), 4), dtype=np.float32)):
        index = GuidanceIndex.build(library, nothing)
        index.save(tmp_path / "index")
        found = GuidanceIndex.load(tmp_path / "index").search(
            "I can't fall asleep", embed(["sleep"])[0], "en"
        )
        assert first(found) == "sleep-suggestion-awake"


@pytest.mark.parametrize("damage", ["missing", "truncated", "format", "weights"])
def test_a_damaged_index_is_refused(index: GuidanceIndex, tmp_path: Path, damage: str) -> None:
    index.save(tmp_path)
    faiss_file = tmp_path / "zh-ngrams.npz"
    if damage == "missing":
        faiss_file.unlink()
    elif damage == "truncated":
        faiss_file.write_bytes(faiss_file.read_bytes()[:50])
    elif damage == "format":
        meta = json.loads((tmp_path / META_FILE).read_text())
        (tmp_path / META_FILE).write_text(json.dumps({**meta, "format": 99}))
    else:
        np.save(tmp_path / "en-weights.npy", np.zeros(3))
    with pytest.raises(WeightError):
        GuidanceIndex.load(tmp_path)


def test_ngram_vectors_are_of_length_one_and_weigh_rare_grams() -> None:
    texts = ["the dog", "the cat", "the bird"]
    ngrams = NgramVectors.fit("en", texts)
    vectors = ngrams.vectors([*texts, ""])
    assert vectors.shape == (4, DIMENSIONS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0], atol=1e-6)
    query = ngrams.vectors(["a dog"])[0]
    assert vectors[0] @ query > 0.3 > vectors[1] @ query


def test_ngrams_forgive_endings_case_and_width() -> None:
    ngrams = NgramVectors.fit("en", ["working late", "sleeping badly"])
    working, sleeping = ngrams.vectors(["working late", "sleeping badly"])
    query = ngrams.vectors(["ＷＯＲＫ work worked"])[0]
    assert working @ query > 0.2 > sleeping @ query
