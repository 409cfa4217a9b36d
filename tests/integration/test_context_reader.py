"""The component that reads a message in the context of its conversation, on real Rasa trackers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.training_data.message import Message

from bot.components.context_reader import ContextReader, load_model
from bot.core.reading import EmotionReading
from bot.core.settings import ROOT
from bot.core.state import ConversationState
from bot.core.turn import PersonTurn
from nlu_models.emotion.labels import EKMAN, GOEMOTIONS


def emotion(label: str, valence: float) -> dict[str, Any]:
    group = next(name for name, labels in EKMAN.items() if label in labels)
    return EmotionReading(
        label=label,
        labels=(label,),
        scores={**dict.fromkeys(GOEMOTIONS, 0.01), label: 0.9},
        ekman={name: 0.88 if name == group else 0.02 for name in EKMAN},
        valence=valence,
        confidence=0.9,
    ).to_dict()


@pytest.fixture(scope="module")
def domain() -> Domain:
    return Domain.load(str(ROOT / "domain.yml"))


@pytest.fixture(scope="module")
def reader() -> ContextReader:
    return ContextReader(load_model(ROOT / "nlu_models" / "weights" / "context-en"))


def tracker(domain: Domain, state: ConversationState | None) -> DialogueStateTracker:
    made = DialogueStateTracker.from_events("p", [], domain.slots)
    made.slots["attune"].value = state.to_dict() if state is not None else None
    return made


def angry_state() -> ConversationState:
    import time

    state = ConversationState()
    for ago_s in (90, 60, 30):
        read = EmotionReading.from_dict(emotion("anger", -0.7))
        state = state.after_person(PersonTurn("this is a disgrace", time.time() - ago_s, reading=read))
    return state


def read(reader: ContextReader, made: DialogueStateTracker | None, text: str, one: Any) -> dict[str, Any]:
    message = Message({"text": text, "emotion": one})
    reader.process([message], made)
    return message.as_dict(only_output_properties=False)["emotion"]


def test_fine_after_angry_turns_is_read_as_anger(domain: Domain, reader: ContextReader) -> None:
    found = read(reader, tracker(domain, angry_state()), "fine.", emotion("neutral", 0.0))
    assert found["label"] == "neutral"
    assert found["context"]["label"] in EKMAN["anger"]
    assert found["context"]["valence"] < -0.3
    json.dumps(found, allow_nan=False)


def test_what_was_read_reaches_parse_data(domain: Domain, reader: ContextReader) -> None:
    message = Message({"text": "fine.", "emotion": emotion("neutral", 0.0)})
    reader.process([message], tracker(domain, angry_state()))
    assert "context" in message.as_dict(only_output_properties=True)["emotion"]


def test_where_there_is_no_conversation_the_words_remain(domain: Domain, reader: ContextReader) -> None:
    alone = emotion("neutral", 0.0)
    assert read(reader, None, "fine.", alone) == alone
    assert read(reader, tracker(domain, None), "fine.", alone) == alone
    assert read(ContextReader(None), tracker(domain, angry_state()), "fine.", alone) == alone


def test_a_malformed_reading_is_left_as_it_is(domain: Domain, reader: ContextReader) -> None:
    for broken in ({**emotion("neutral", 0.0), "valence": 7}, {"label": "joy"}):
        assert read(reader, tracker(domain, angry_state()), "fine.", broken) == broken


def test_labels_of_ones_own_are_left_to_the_words(domain: Domain, reader: ContextReader) -> None:
    own = {
        **emotion("anger", -0.7),
        "label": "fury",
        "labels": ["fury"],
        "scores": {"fury": 0.9, "calm": 0.1},
    }
    own |= {"ekman": {}, "sentiment": {}}
    assert read(reader, tracker(domain, angry_state()), "this is a disgrace", own) == own


def test_a_state_of_a_newer_version_stops_nothing(domain: Domain, reader: ContextReader) -> None:
    made = tracker(domain, angry_state())
    made.slots["attune"].value |= {"handoff": "later", "tried": ["later"], "later": 1}
    assert "context" in read(reader, made, "fine.", emotion("neutral", 0.0))


def test_a_missing_weight_changes_nothing(tmp_path: Path) -> None:
    assert load_model(tmp_path / "nowhere") is None
