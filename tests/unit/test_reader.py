"""The reader returns whole readings for any text, in any mode."""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from bot.core.reading import EmotionReading, RiskReading
from nlu_models.emotion.infer import EmotionEncoder
from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.emotion.weights import CONFIG_FILE, MODEL_FILE, TOKENIZER_FILE, WeightConfig
from nlu_models.errors import DataError, WeightError
from nlu_models.reader import TurnReader
from tests.unit.tiny_weights import WIDTH, make_weights

ODD_TEXTS = [
    "", " ", "\x00\x01\x07", "😭😭😭", "\ud83d", "I am sad \ud83d", "a" * 50_000, "furious " * 20_000,
    "\u200b\u202e",
    "<script>alert(1)</script>", "我很难过", "मैं दुखी हूँ", "\n\n\n", "🏳️‍🌈 I am happy", "0" * 50_000,
]  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_weights(tmp_path_factory.mktemp("weights") / "tiny")


@pytest.fixture(scope="module")
def reader(weights: Path) -> TurnReader:
    return TurnReader(weights, threads=1)


def test_a_reading_has_the_whole_contract(reader: TurnReader) -> None:
    reading = reader.read(["I am so furious"])[0]
    emotion = EmotionReading.from_dict(reading.emotion)
    assert emotion.to_dict() == reading.emotion
    assert (emotion.label, emotion.labels, emotion.model) == ("anger", ("anger",), "tiny@0")
    assert set(emotion.scores) == set(GOEMOTIONS)
    assert emotion.valence < 0 < emotion.arousal
    assert emotion.ekman["anger"] > 0.5
    assert sum(emotion.ekman.values()) == pytest.approx(1.0, abs=1e-3)
    assert emotion.is_angry
    assert json.loads(json.dumps(reading.emotion)) == reading.emotion
    assert RiskReading.from_dict(reading.risk).to_dict() == reading.risk
    assert reading.embedding.shape == (WIDTH,)
    assert reading.embedding.dtype == np.float32
    assert np.linalg.norm(reading.embedding) == pytest.approx(1.0, abs=1e-5)


def test_numbers_are_rounded_to_four_decimals(reader: TurnReader) -> None:
    emotion = reader.read(["I am so furious and grateful"])[0].emotion
    numbers = [
        *emotion["scores"].values(),
        *emotion["ekman"].values(),
        emotion["valence"],
        emotion["confidence"],
    ]
    assert all(round(number, 4) == number for number in numbers)


def test_label_is_the_most_probable_when_none_holds(reader: TurnReader) -> None:
    emotion = reader.read(["the cat"])[0].emotion
    assert emotion["labels"] == []
    assert emotion["scores"][emotion["label"]] == max(emotion["scores"].values())
    assert emotion["abstained"]


def test_label_is_among_those_that_hold_even_if_another_is_more_probable(tmp_path: Path) -> None:
    folder = make_weights(tmp_path / "w")
    config = json.loads((folder / CONFIG_FILE).read_text())
    config["thresholds"][GOEMOTIONS.index("anger")] = 0.9999
    (folder / CONFIG_FILE).write_text(json.dumps(config))
    emotion = TurnReader(folder).read(["furious grateful furious"])[0].emotion
    assert emotion["scores"]["anger"] > emotion["scores"]["gratitude"]
    assert emotion["label"] in emotion["labels"]


def test_batch_and_single_readings_agree_in_order(reader: TurnReader) -> None:
    texts = [
        "I am furious",
        "",
        "我很难过",
        "grateful " * 30,
        "the cat",
        "you are so grateful today",
        "😭",
    ] * 12
    together = reader.read(texts)
    for text, reading in zip(texts, together, strict=True):
        alone = reader.read([text])[0]
        assert reading.emotion == alone.emotion
        assert reading.risk == alone.risk
        np.testing.assert_allclose(reading.embedding, alone.embedding, atol=1e-6)


@pytest.mark.parametrize("text", ODD_TEXTS, ids=lambda text: repr(text[:12]))
def test_odd_texts_are_read(reader: TurnReader, text: str) -> None:
    reading = reader.read([text])[0]
    EmotionReading.from_dict(reading.emotion)
    assert np.isfinite(reading.embedding).all()


@pytest.mark.parametrize("text", ["", "我很难过", "😭😭", "estoy muy triste hoy"])
def test_other_languages_are_not_guessed_at(reader: TurnReader, text: str) -> None:
    reading = reader.read([text])[0]
    assert reading.emotion["abstained"]
    assert not reading.emotion["degraded"]
    assert reading.emotion["label"] == "neutral"
    assert reading.emotion["confidence"] == 0.0
    assert not any(reading.emotion["scores"].values())
    assert not reading.embedding.any()


def test_nothing_to_read_gives_nothing(reader: TurnReader) -> None:
    assert reader.read([]) == []
    assert reader.embed([]).shape == (0, WIDTH)


def test_long_texts_are_cut_before_tokenising(reader: TurnReader, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    tokenizer = reader._encoder._tokenizer  # type: ignore[union-attr]

    class Watched:
        def encode(self, text: str) -> object:
            seen.append(len(text))
            return tokenizer.encode(text)

    monkeypatch.setattr(reader._encoder, "_tokenizer", Watched())
    reader.read(["I am sad. " * 10_000])
    assert max(seen) <= 24 * 40


def test_threads_may_share_a_reader(reader: TurnReader) -> None:
    texts = ["I am furious", "you are grateful", "the cat is sad and tired today"]
    expected = [reading.emotion for reading in reader.read(texts)]
    failures: list[object] = []

    def work() -> None:
        for _ in range(30):
            if [reading.emotion for reading in reader.read(texts)] != expected:
                failures.append("differs")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_forked_process_opens_its_own_session(reader: TurnReader) -> None:
    encoder = reader._encoder
    assert encoder is not None
    before = encoder._session(1)
    encoder._process = os.getpid() + 1  # as if this were the child
    after = encoder._session(1)
    assert after is not before
    assert encoder._session(1) is after


@pytest.mark.parametrize("name", [MODEL_FILE, TOKENIZER_FILE, CONFIG_FILE])
@pytest.mark.parametrize("damage", ["missing", "truncated", "other"])
def test_unusable_weights_degrade_and_are_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, damage: str
) -> None:
    folder = make_weights(tmp_path / "weights")
    path = folder / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:100] if damage == "truncated" else b"{}")
    with pytest.raises(WeightError):
        EmotionEncoder(folder)
    with caplog.at_level(logging.ERROR):
        degraded = TurnReader(folder)
        for _ in range(3):
            reading = degraded.read(["I am so furious, I want to kill myself"])[0]
    assert degraded.is_degraded
    assert len(caplog.records) == 1
    assert reading.emotion["degraded"]
    assert reading.emotion["label"] == "neutral"
    assert reading.emotion["confidence"] == 0.0
    assert reading.risk["level"] == "crisis"  # danger is read without a model
    assert not reading.embedding.any()


def test_a_graph_of_another_width_is_refused(tmp_path: Path) -> None:
    folder = make_weights(tmp_path / "weights")
    config = json.loads((folder / CONFIG_FILE).read_text())
    (folder / CONFIG_FILE).write_text(json.dumps({**config, "embedding_width": 99}))
    with pytest.raises(WeightError, match="99"):
        EmotionEncoder(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels", ["joy"]),
        ("thresholds", [0.5]),
        ("thresholds", [0.0] * 28),
        ("confidence", {"slope": 1}),
        ("abstain_below", 2),
        ("max_tokens", 4),
        ("thresholds", None),
    ],
)
def test_a_wrong_configuration_is_refused(tmp_path: Path, key: str, value: object) -> None:
    folder = make_weights(tmp_path / "weights")
    config = json.loads((folder / CONFIG_FILE).read_text())
    (folder / CONFIG_FILE).write_text(json.dumps({**config, key: value}))
    with pytest.raises(WeightError):
        WeightConfig.load(folder)


@pytest.fixture
def breaking(tmp_path: Path) -> TurnReader:
    """A reader whose graph has no row for the word "broken": onnxruntime refuses a pass with it."""
    folder = make_weights(tmp_path / "breaking")
    tokenizer = json.loads((folder / TOKENIZER_FILE).read_text())
    tokenizer["model"]["vocab"]["broken"] = 999
    (folder / TOKENIZER_FILE).write_text(json.dumps(tokenizer))
    return TurnReader(folder, threads=1)


def test_a_failing_pass_degrades_what_it_read_and_nothing_else(
    breaking: TurnReader, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        failed, chinese = breaking.read(["I am broken, I want to kill myself", "我很难过"])
    assert (failed.language, failed.emotion["label"], failed.emotion["degraded"]) == ("en", "neutral", True)
    assert failed.risk["level"] == "crisis"
    assert not failed.embedding.any()
    assert not chinese.emotion["degraded"]
    assert len(caplog.records) == 1
    assert "kill" not in caplog.text
    assert breaking.read(["I am furious"])[0].emotion["label"] == "anger"
    assert not breaking.embed(["broken"]).any()


@pytest.mark.parametrize(
    "part",
    ["nlu_models.reader.normalize_wording", "nlu_models.reader.detect", "nlu_models.reader.make_readings"],
)
@pytest.mark.parametrize("error", [ValueError("odd"), MemoryError(), RecursionError()])
def test_danger_is_read_whatever_else_fails(
    reader: TurnReader, monkeypatch: pytest.MonkeyPatch, part: str, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(part, fail)
    reading = reader.read(["I want to kill myself"])[0]
    assert reading.risk["level"] == "crisis"
    assert reading.emotion["degraded"]
    EmotionReading.from_dict(reading.emotion)


def test_missing_risk_phrases_are_no_degraded_mode(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        TurnReader(weights, risk=tmp_path)


def test_disguised_letters_are_read_in_their_language(weights: Path) -> None:
    reading = TurnReader(weights).read(["Ι аm so furiоus today with уou"])[0]  # Greek and Cyrillic in it

    assert reading.language == "en"
    assert reading.emotion["label"] == "anger"
