"""Every weight under nlu_models/weights keeps the promises that serving rests on."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from nlu_models.emotion.infer import EmotionEncoder
from nlu_models.emotion.weights import CARD_FILE, METRICS_FILE, MODEL_FILE, WeightConfig

ROOT = Path(__file__).resolve().parents[2] / "nlu_models" / "weights"
FOLDERS = sorted(path.parent for path in ROOT.glob("emotion-*/config.json"))
MAX_BYTES = 30_000_000

pytestmark = pytest.mark.skipif(not FOLDERS, reason="no emotion weight is shipped in this checkout")


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name, scope="module")
def folder(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_folder_is_complete_and_small(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert {MODEL_FILE, "tokenizer.json", "config.json", METRICS_FILE, CARD_FILE} <= names
    assert (folder / MODEL_FILE).stat().st_size < MAX_BYTES


def test_outputs_have_the_agreed_shapes_and_ranges(folder: Path) -> None:
    encoder = EmotionEncoder(folder)
    encoded = encoder.encode(["I am so angry at you", "", "thank you so much, that helped", "a" * 10_000])
    assert encoded.probabilities.shape == (4, 28)
    assert encoded.embeddings.shape == (4, encoder.config.embedding_width)
    assert ((encoded.probabilities >= 0) & (encoded.probabilities <= 1)).all()
    assert (np.abs(encoded.vad) <= 1).all()
    np.testing.assert_allclose(np.linalg.norm(encoded.embeddings, axis=1), 1.0, atol=1e-3)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("thank you so much for your help", "gratitude"),
        ("I am so angry at you right now", "anger"),
        ("I'm really scared of what will happen", "fear"),
        ("I am so sad, I miss her every day", "sadness"),
        ("haha that is hilarious", "amusement"),
        ("I love you so much", "love"),
        ("I'm so sorry, it was all my fault", "remorse"),
        ("wow, I did not expect that at all", "surprise"),
    ],
)
def test_plain_sentences_read_as_what_they_say(folder: Path, text: str, label: str) -> None:
    encoder = EmotionEncoder(folder)
    scores = encoder.encode([text]).probabilities[0]
    thresholds = np.array(encoder.config.thresholds)
    index = encoder.config.labels.index(label)
    assert scores[index] >= thresholds[index]


def test_valence_tells_pleasant_from_unpleasant(folder: Path) -> None:
    vad = (
        EmotionEncoder(folder)
        .encode(["What a wonderful day, I am so happy!", "This is awful, I hate it."])
        .vad
    )
    assert vad[0, 0] > 0.05 > -0.05 > vad[1, 0]


def test_embedding_puts_paraphrases_closer_than_strangers(folder: Path) -> None:
    texts = ["my boss gives me too much work", "work is piling up and my manager adds more", "my cat died"]
    embeddings = EmotionEncoder(folder).encode(texts).embeddings
    assert embeddings[0] @ embeddings[1] > embeddings[0] @ embeddings[2] + 0.1


def test_card_and_measures_belong_to_this_weight(folder: Path) -> None:
    config = WeightConfig.load(folder)
    report = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
    card = (folder / CARD_FILE).read_text(encoding="utf-8")
    assert report["model"] == config.model
    assert report["bytes"] == (folder / MODEL_FILE).stat().st_size
    assert f"{report['int8']['macro_f1']:.4f}" in card
    for credit in ("CC BY 4.0", "CC BY-SA 4.0", "CC BY 3.0", "Apache-2.0"):
        assert credit in card


def test_nothing_private_is_in_the_folder(folder: Path) -> None:
    for name in (METRICS_FILE, CARD_FILE, "config.json"):
        text = (folder / name).read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users)/", text)


def test_int8_costs_next_to_nothing(folder: Path) -> None:
    report = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
    assert report["int8"]["macro_f1_best_thresholds"] >= report["float32"]["macro_f1_best_thresholds"] - 0.004
