"""The policies' predictions on real Rasa trackers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rasa.core.policies.policy import PolicyPrediction
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, BotUttered, Event, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from bot.core.errors import SettingsError
from bot.core.settings import ROOT
from bot.core.state import ConversationState
from policies.base import person_turn
from policies.escalation import EscalationPolicy
from policies.guidance import GuidancePolicy

READING = {
    "label": "sadness",
    "labels": ["sadness"],
    "scores": {},
    "ekman": {"sadness": 0.9},
    "sentiment": {"negative": 0.9},
    "valence": -0.5,
    "arousal": 0.0,
    "dominance": 0.0,
    "confidence": 0.8,
    "abstained": False,
    "degraded": False,
    "modalities": ["text"],
    "model": "test@1",
}
ANGRY = {**READING, "label": "anger", "labels": ["anger"], "ekman": {"anger": 0.9}}


@pytest.fixture(scope="module")
def domain() -> Domain:
    return Domain.load(str(ROOT / "domain.yml"))


def make(kind: type, tmp_path: Path, **config: Any) -> Any:
    storage = LocalModelStorage.create(tmp_path)
    return kind.create(
        {**kind.get_default_config(), **config},
        storage,
        Resource("policy"),
        ExecutionContext(GraphSchema({})),
    )


def user(text: str, intent: str, emotion: dict[str, Any] | None = None, **more: Any) -> UserUttered:
    parse_data = {
        "text": text,
        "intent": {"name": intent, "confidence": 0.95},
        "entities": [],
        "language": "en",
        "emotion": emotion,
        **more,
    }
    return UserUttered(text, parse_data["intent"], [], parse_data)


def tracker(domain: Domain, *events: Event, slot: dict[str, Any] | None = None) -> DialogueStateTracker:
    made = DialogueStateTracker.from_events("p", [ActionExecuted("action_listen"), *events], domain.slots)
    made.slots["attune"].value = slot
    return made


def predicted(prediction: PolicyPrediction, domain: Domain) -> tuple[str | None, float]:
    best = max(prediction.probabilities)
    if best == 0:
        return None, 0.0
    return domain.action_names_or_texts[prediction.probabilities.index(best)], best


def run(policy: Any, made: DialogueStateTracker, domain: Domain) -> tuple[str | None, float]:
    return predicted(policy.predict_action_probabilities(made, domain), domain)


def test_guidance_stands_below_rules_and_carries_its_grounds(domain: Domain, tmp_path: Path) -> None:
    policy = make(GuidancePolicy, tmp_path)
    made = tracker(domain, user("I feel down", "share_feeling", READING))
    prediction = policy.predict_action_probabilities(made, domain)
    name, strength = predicted(prediction, domain)
    assert name == "action_guidance_reflection"
    assert strength < 1.0
    assert prediction.action_metadata["decision"]["evidence"]


def test_guidance_outranks_the_rule_for_a_greeting_in_distress(domain: Domain, tmp_path: Path) -> None:
    policy = make(GuidancePolicy, tmp_path)
    name, strength = run(policy, tracker(domain, user("hi, my dad died", "greet", READING)), domain)
    assert name is not None
    assert name.startswith("action_guidance_")
    assert strength == 1.0


def test_guidance_listens_once_it_has_answered(domain: Domain, tmp_path: Path) -> None:
    policy = make(GuidancePolicy, tmp_path)
    made = tracker(
        domain,
        user("I feel down", "share_feeling", READING),
        ActionExecuted("action_guidance_reflection"),
        BotUttered("…"),
    )
    assert run(policy, made, domain) == ("action_listen", 1.0)


def test_a_repeated_prediction_is_the_same(domain: Domain, tmp_path: Path) -> None:
    policy = make(EscalationPolicy, tmp_path)
    slot = {"emotion": {"readings": 1, "valence": -0.5, "anger_streak": 1, "at": 0.0}, "turns": 1}
    made = tracker(domain, user("again!", "complaint", ANGRY), slot=slot)
    assert run(policy, made, domain) == run(policy, made, domain) == ("utter_handoff_anger", 1.0)


def test_thresholds_come_from_the_configuration(domain: Domain, tmp_path: Path) -> None:
    policy = make(EscalationPolicy, tmp_path, anger_turns=1)
    assert run(policy, tracker(domain, user("grr", "complaint", ANGRY)), domain)[0] == "utter_handoff_anger"
    with pytest.raises(SettingsError):
        make(EscalationPolicy, tmp_path / "other", anger_turns=0)


@pytest.mark.parametrize("state", ["waiting", "human"])
def test_the_bot_is_silent_while_it_is_not_its_turn(domain: Domain, tmp_path: Path, state: str) -> None:
    policy = make(EscalationPolicy, tmp_path)
    made = tracker(domain, user("hello?", "greet", READING), slot={"handoff": state})
    assert run(policy, made, domain) == ("action_listen", 1.0)


def test_an_action_that_said_nothing_is_followed_by_an_honest_line(domain: Domain, tmp_path: Path) -> None:
    policy = make(EscalationPolicy, tmp_path)
    turn = user("I feel down", "share_feeling", READING)
    live = ConversationState().to_dict()
    made = tracker(domain, turn, ActionExecuted("action_guidance_reflection"), slot=live)
    assert run(policy, made, domain) == ("utter_trouble", 1.0)
    again = tracker(
        domain, turn, ActionExecuted("action_guidance_reflection"), ActionExecuted("utter_trouble"), slot=live
    )
    assert run(policy, again, domain) == ("action_listen", 1.0)


def test_a_malformed_reading_does_not_stop_the_conversation(domain: Domain, tmp_path: Path) -> None:
    broken = {**READING, "valence": 7}
    made = tracker(domain, user("I feel down", "share_feeling", broken, risk={"level": "odd"}))
    assert run(make(GuidancePolicy, tmp_path), made, domain)[0] == "action_guidance_question"
    assert run(make(EscalationPolicy, tmp_path / "e"), made, domain)[0] is None


def in_context(label: str, valence: float, **shares: float) -> dict[str, Any]:
    """A calm reading of the words alone that the conversation turns into another."""
    context = {
        "label": label,
        "ekman": shares,
        "valence": valence,
        "confidence": 0.7,
        "abstained": False,
        "changed": True,
        "because": ["the turns before: anger 0.85"],
        "model": "context-test@1",
    }
    return {**READING, "label": "neutral", "labels": ["neutral"], "valence": 0.05, "ekman": {"neutral": 0.9},
            "context": context}  # fmt: skip


def test_fine_said_in_anger_gets_guidance_and_no_stock_answer(domain: Domain, tmp_path: Path) -> None:
    policy = make(GuidancePolicy, tmp_path)
    slot = ConversationState().to_dict()
    sour = user("fine.", "small_talk", in_context("annoyance", -0.5, anger=0.8))
    prediction = policy.predict_action_probabilities(tracker(domain, sour, slot=slot), domain)
    name, strength = predicted(prediction, domain)
    assert name is not None
    assert (name.startswith("action_guidance_"), strength) == (True, 1.0)
    assert "in context" in prediction.action_metadata["decision"]["evidence"][0]
    calm = user("fine.", "small_talk", {**in_context("annoyance", -0.5), "context": None})
    assert run(policy, tracker(domain, calm, slot=slot), domain)[1] < 1.0


def test_anger_behind_fine_still_reaches_a_human(domain: Domain, tmp_path: Path) -> None:
    policy = make(EscalationPolicy, tmp_path)
    state = ConversationState()
    for event in (
        user("useless!", "share_feeling", ANGRY),
        user("fine.", "affirm", in_context("anger", -0.5, anger=0.8)),
    ):
        turn = person_turn(tracker(domain, event))
        assert turn is not None
        assert run(policy, tracker(domain, event, slot=state.to_dict()), domain)[0] is None
        state = state.after_person(turn)
    again = user("no it is not", "share_feeling", ANGRY)
    assert run(policy, tracker(domain, again, slot=state.to_dict()), domain)[0] == "utter_handoff_anger"
