"""The intent classifier, on a handful of examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nlu_models.errors import InputError, WeightError
from nlu_models.intents.classifier import FILE_NAME, IntentModel

GREETINGS = ["hello", "hi there", "good morning", "hey", "你好", "早上好"]
THANKS = ["thank you", "thanks a lot", "many thanks", "thx", "谢谢你", "多谢"]
TEXTS = GREETINGS + THANKS
INTENTS = ["greet"] * len(GREETINGS) + ["thanks"] * len(THANKS)
NO_EMBEDDINGS = np.zeros((len(TEXTS), 4), dtype=np.float32)


@pytest.fixture(scope="module")
def model() -> IntentModel:
    return IntentModel.fit(TEXTS, NO_EMBEDDINGS, INTENTS)


def predict(model: IntentModel, text: str, embedding: tuple[float, ...] = (0, 0, 0, 0)) -> dict[str, float]:
    row = model.predict([text], np.array([embedding], dtype=np.float32))[0]
    return dict(zip(model.intents, row.tolist(), strict=True))


@pytest.mark.parametrize(("text", "intent"), [("Hello!", "greet"), ("THANKS", "thanks"), ("谢谢", "thanks")])
def test_both_languages_are_told_apart(model: IntentModel, text: str, intent: str) -> None:
    chances = predict(model, text)
    assert max(chances, key=lambda name: chances[name]) == intent
    assert sum(chances.values()) == pytest.approx(1.0)


def test_the_embedding_decides_where_the_letters_are_silent() -> None:
    embeddings = NO_EMBEDDINGS.copy()
    embeddings[: len(GREETINGS), 0] = 1.0
    embeddings[len(GREETINGS) :, 1] = 1.0
    model = IntentModel.fit(TEXTS, embeddings, INTENTS)
    assert predict(model, "zzz", (1, 0, 0, 0))["greet"] > 0.5
    assert predict(model, "zzz", (0, 1, 0, 0))["thanks"] > 0.5


@pytest.mark.parametrize("text", ["", "😭", "\x00", "a" * 100_000])
def test_odd_text_gets_probabilities(model: IntentModel, text: str) -> None:
    assert sum(predict(model, text).values()) == pytest.approx(1.0)


def test_a_saved_model_predicts_the_same(model: IntentModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    assert predict(IntentModel.load(tmp_path), "hello you") == predict(model, "hello you")


def test_what_can_not_be_learnt_from_is_refused() -> None:
    with pytest.raises(InputError, match="at least two intents"):
        IntentModel.fit(["a", "b"], np.zeros((2, 4)), ["greet", "greet"])
    with pytest.raises(InputError, match="don't match"):
        IntentModel.fit(["a"], np.zeros((2, 4)), ["greet"])


@pytest.mark.parametrize("content", [None, b"", b"not a model"])
def test_a_missing_or_damaged_model_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(WeightError):
        IntentModel.load(tmp_path)
