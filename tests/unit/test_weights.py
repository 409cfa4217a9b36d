"""A weight's configuration: any labels, nothing malformed, and older folders still load."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.core.reading import EmotionReading
from nlu_models.emotion.calibration import Calibration
from nlu_models.emotion.infer import EmotionEncoder
from nlu_models.emotion.labels import EKMAN, GOEMOTIONS, SENTIMENT, group_scores
from nlu_models.emotion.reading import confidence_of, make_reading
from nlu_models.emotion.weights import CONFIG_FILE, WeightConfig
from nlu_models.errors import WeightError
from tests.unit.tiny_weights import make_weights

AXES = np.array([-0.5, 0.25, 0.1])


def config_of(labels: tuple[str, ...], **changes: Any) -> WeightConfig:
    config = WeightConfig(
        name="tiny",
        version="0",
        languages=("en",),
        labels=labels,
        thresholds=(0.4,) * len(labels),
        confidence={"slope": 1.0, "intercept": 0.0},
        abstain_below=0.3,
        max_tokens=24,
        embedding_width=16,
    )
    return replace(config, **changes)


def test_a_configuration_survives_its_file(tmp_path: Path) -> None:
    config = config_of(
        ("joy", "sadness", "surprise", "neutral"),
        calibration=Calibration((0.9,) * 4, (-0.1,) * 4, (0.2,) * 4),
        group_thresholds={"sentiment": {"positive": 0.3, "negative": 0.3, "ambiguous": 0.2, "neutral": 0.4}},
        target_error=0.25,
        max_abstained=0.0,
        trained_heads=("emotion", "risk"),
    )
    config.save(tmp_path)
    assert WeightConfig.load(tmp_path) == config


def test_a_folder_from_before_calibration_loads(tmp_path: Path) -> None:
    folder = make_weights(tmp_path / "w")
    fields = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    for name in ("calibration", "group_thresholds", "target_error", "max_abstained", "trained_heads"):
        del fields[name]
    (folder / CONFIG_FILE).write_text(json.dumps(fields), encoding="utf-8")
    config = WeightConfig.load(folder)
    assert (config.calibration, config.group_thresholds, config.target_error) == (None, {}, None)
    assert config.max_abstained is None
    assert config.trained_heads == ("emotion", "vad", "embedding")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": ()}, "at least one"),
        ({"labels": ("a", " ")}, "at least one"),
        ({"labels": ("a", "a")}, "twice"),
        ({"thresholds": (0.4,)}, "per label"),
        ({"thresholds": (0.4, 1.0)}, "per label"),
        ({"calibration": Calibration((1.0,), (0.0,), (0.0,))}, "one per label"),
        ({"group_thresholds": {"ekman": {"joy": 0.5}}}, "can't be grouped"),
        ({"target_error": 1.5}, "target_error"),
        ({"max_abstained": 1.0}, "max_abstained"),
        ({"trained_heads": ("emotion", "tail")}, "'tail'"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(WeightError, match=said):
        replace(config_of(("urgent", "calm")), **changes)


def test_group_thresholds_need_every_group() -> None:
    with pytest.raises(WeightError, match="per group"):
        config_of(GOEMOTIONS, group_thresholds={"sentiment": {"positive": 0.5}})


@pytest.mark.parametrize(
    "damage", [{"calibration": {"slope": [1.0]}}, {"group_thresholds": [1]}, {"labels": 3}]
)
def test_a_damaged_file_is_said_to_be_one(tmp_path: Path, damage: dict[str, Any]) -> None:
    folder = make_weights(tmp_path / "w")
    fields = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    (folder / CONFIG_FILE).write_text(json.dumps({**fields, **damage}), encoding="utf-8")
    with pytest.raises(WeightError):
        WeightConfig.load(folder)


def test_an_uncalibrated_reading_is_what_it_always_was() -> None:
    scores = np.random.default_rng(0).uniform(size=28).astype(np.float32) ** 3
    reading = make_reading(scores, AXES, config_of(GOEMOTIONS))
    named = {label: float(score) for label, score in zip(GOEMOTIONS, scores, strict=True)}
    held = sorted((label for label in GOEMOTIONS if named[label] >= 0.4), key=lambda label: -named[label])
    assert list(reading) == [
        "label", "labels", "scores", "ekman", "sentiment", "valence", "arousal", "dominance", "confidence",
        "abstained", "degraded", "modalities", "model",
    ]  # fmt: skip
    assert reading["scores"] == {label: round(value, 4) for label, value in named.items()}
    assert (reading["label"], reading["labels"]) == (held[0], held)
    assert reading["ekman"] == {key: round(value, 4) for key, value in group_scores(named, EKMAN).items()}
    assert reading["sentiment"] == {
        key: round(value, 4) for key, value in group_scores(named, SENTIMENT).items()
    }
    assert reading["confidence"] == round(named[held[0]], 4)


def test_a_reading_goes_by_calibrated_probabilities() -> None:
    curves = Calibration((0.5,) * 28, (0.0,) * 28, (-1.0,) * 28)
    config = config_of(GOEMOTIONS, calibration=curves, confidence={"slope": 2.0, "intercept": 0.5})
    scores = np.full(28, 0.01)
    scores[GOEMOTIONS.index("anger")] = 0.9
    reading = make_reading(scores, AXES, config)
    calibrated = 1 / (1 + np.exp(-(0.5 * np.log(9.0) - 1.0)))
    assert reading["scores"]["anger"] == pytest.approx(calibrated, abs=1e-4)
    assert reading["confidence"] == pytest.approx(confidence_of(calibrated, 2.0, 0.5), abs=1e-4)
    assert reading["labels"] == ["anger"]


def test_other_labels_are_read_without_groups(tmp_path: Path) -> None:
    labels = ("urgent", "calm", "billing")
    encoder = EmotionEncoder(make_weights(tmp_path / "w", labels=labels))
    encoded = encoder.encode(["so furious today"])
    reading = make_reading(encoded.probabilities[0], encoded.vad[0], encoder.config)
    assert tuple(reading["scores"]) == labels
    assert (reading["ekman"], reading["sentiment"]) == ({}, {})
    assert EmotionReading.from_dict(reading).label in labels


def test_ekmans_own_labels_are_grouped() -> None:
    labels = tuple(EKMAN)
    reading = make_reading(np.array([0.8, 0.1, 0.1, 0.05, 0.1, 0.1, 0.1]), AXES, config_of(labels))
    assert max(reading["ekman"], key=reading["ekman"].__getitem__) == "anger"
    assert max(reading["sentiment"], key=reading["sentiment"].__getitem__) == "negative"


def test_axes_nobody_trained_are_zero() -> None:
    config = config_of(GOEMOTIONS, trained_heads=("emotion", "embedding"))
    reading = make_reading(np.full(28, 0.1), AXES, config)
    assert (reading["valence"], reading["arousal"], reading["dominance"]) == (0.0, 0.0, 0.0)
