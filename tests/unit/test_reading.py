"""Readings keep their contract."""

import pytest

from bot.core.errors import ContractError
from bot.core.reading import EmotionReading, RiskKind, RiskLevel, RiskReading

EXAMPLE = {
    "label": "anger",
    "labels": ["anger", "annoyance"],
    "scores": {"anger": 0.9},
    "ekman": {"anger": 0.91},
    "sentiment": {"negative": 0.95},
    "valence": -0.72,
    "arousal": 0.64,
    "dominance": 0.21,
    "confidence": 0.88,
    "abstained": False,
    "degraded": False,
    "modalities": ["text"],
    "model": "emotion-en@1",
}


def test_an_emotion_reading_survives_its_json_form() -> None:
    assert EmotionReading.from_dict(EXAMPLE).to_dict() == EXAMPLE


@pytest.mark.parametrize(
    "change",
    [{"valence": 1.5}, {"confidence": -0.1}, {"unknown": 1}, {"labels": None}, {"arousal": float("nan")}],
)
def test_a_malformed_emotion_reading_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ContractError):
        EmotionReading.from_dict({**EXAMPLE, **change})


def test_a_reading_that_lacks_its_label_is_refused() -> None:
    with pytest.raises(ContractError):
        EmotionReading.from_dict({key: value for key, value in EXAMPLE.items() if key != "label"})


def test_anger_counts_only_where_the_reading_is_trusted() -> None:
    assert EmotionReading.from_dict(EXAMPLE).is_angry
    assert not EmotionReading.from_dict({**EXAMPLE, "abstained": True}).is_angry
    assert not EmotionReading.from_dict({**EXAMPLE, "degraded": True}).is_angry


def test_a_risk_reading_survives_its_json_form() -> None:
    risk = RiskReading(RiskLevel.HIGH, 0.8, RiskKind.ABUSE, ("he hits me",))
    assert RiskReading.from_dict(risk.to_dict()) == risk
    assert RiskReading.from_dict(RiskReading().to_dict()) == RiskReading()


@pytest.mark.parametrize("data", [{}, {"level": "huge", "score": 0, "kind": None, "evidence": []}])
def test_a_malformed_risk_reading_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ContractError):
        RiskReading.from_dict(data)
