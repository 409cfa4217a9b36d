"""The crisis wording filled in: the lines for where the person is, and what the danger is about."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from rasa.core.nlg import TemplatedNaturalLanguageGenerator
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import UserUttered
from rasa.shared.core.slots import AnySlot
from rasa.shared.core.trackers import DialogueStateTracker

from bot.components.bilingual_nlg import BilingualNlg
from bot.components.crisis_parts import CrisisParts
from bot.core.helplines import Country, Emergency, Helpline, Helplines
from bot.core.protocol import actions
from bot.core.reading import RiskKind, RiskLevel, RiskReading
from bot.core.state import ConversationState
from bot.core.turn import PersonTurn

DOMAIN = Path(__file__).resolve().parents[2] / "domain.yml"
DIES = RiskReading(RiskLevel.CRISIS, 0.9, RiskKind.SELF_HARM, ("kill myself",))
FRIEND = RiskReading(RiskLevel.HIGH, 0.7, RiskKind.SELF_HARM, ("wants to die",))


def a_line(name: str) -> Helpline:
    return Helpline(
        id=f"nz-{name.lower()}",
        country="NZ",
        kinds=(RiskKind.SELF_HARM,),
        name={"en": name, "zh": name},
        phone="1737",
        text="",
        text_word="",
        whatsapp="",
        chat="",
        is_always_open=True,
        hours={},
        audience={},
        languages=("en",),
        source="https://example.org",
        also=(),
        reviewed=date(2026, 1, 1),
        notes="",
    )


TABLE = Helplines(
    [
        Country(
            "NZ",
            {"en": "New Zealand", "zh": "新西兰"},
            Emergency(any="111"),
            "https://example.org",
            date(2026, 1, 1),
            (a_line("First"), a_line("Second")),
        )
    ]
)


@pytest.fixture(scope="module")
def responses() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(DOMAIN.read_text("utf-8"))["responses"]
    return loaded


def tracker(
    text: str, risk: RiskReading | None = None, before: ConversationState | None = None, **metadata: str
) -> DialogueStateTracker:
    slot = AnySlot("attune", mappings=[], initial_value=(before or ConversationState()).to_dict())
    made = DialogueStateTracker.from_events("somebody", [], slots=[slot])
    parse_data: dict[str, Any] = {"text": text, "language": metadata.get("language", "en")}
    if risk is not None:
        parse_data["risk"] = risk.to_dict()
    made.update(UserUttered(text, parse_data=parse_data, timestamp=100.0, metadata=dict(metadata)))
    return made


def test_the_lines_are_those_of_the_persons_country(responses: dict[str, Any]) -> None:
    parts = CrisisParts(TABLE)
    values = parts.values(tracker("I want to kill myself", DIES, country="NZ"), "en", responses)
    assert values["lines"] == TABLE.describe("NZ", "en", RiskKind.SELF_HARM)
    assert [row.split(":")[0] for row in values["line"].splitlines()] == [
        "First",
        "In immediate danger, call the emergency number of New Zealand",
    ]
    assert parts.helplines(tracker("…", DIES, country="NZ"), "en") == ["nz-first", "nz-second"]


def test_without_a_table_or_a_country_the_directories_are_named(responses: dict[str, Any]) -> None:
    for parts in (CrisisParts(None), CrisisParts(TABLE)):
        for language in ("en", "zh"):
            values = parts.values(tracker("I want to kill myself", DIES), language, responses)
            assert "findahelpline.com" in values["lines"]
            assert "findahelpline.com" in values["line"]
        assert parts.helplines(tracker("…", DIES), "en") == []


def test_the_operators_country_counts_where_the_message_tells_none(responses: dict[str, Any]) -> None:
    values = CrisisParts(TABLE, "NZ").values(tracker("I want to kill myself", DIES), "en", responses)
    assert "First" in values["lines"]


def test_the_question_is_that_of_the_danger_spoken_of_before(responses: dict[str, Any]) -> None:
    said = PersonTurn("my friend says she wants to die", 50.0, risk=FRIEND)
    before = ConversationState().after_person(said)
    values = CrisisParts(None).values(tracker("hm", before=before), "en", responses)
    assert values["question"] == "Do you think they could hurt themselves today?"
    own = CrisisParts(None).values(tracker("I want to kill myself", DIES), "zh", responses)
    assert own["question"] == "你现在是在想结束自己的生命吗？"


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_answer_is_filled_in_whole(language: str) -> None:
    nlg = BilingualNlg(None, Domain.from_file(str(DOMAIN)))  # type: ignore[arg-type]
    spoken = tracker("I want to kill myself", DIES, language=language)
    for action in sorted(actions()):
        said = await nlg.generate(action, spoken, "test")
        assert said is not None
        assert not set("{}") & set(said["text"]), action
        assert isinstance(said["helplines"], list)


async def test_other_answers_are_left_as_they_are() -> None:
    nlg = BilingualNlg(None, Domain.from_file(str(DOMAIN)))  # type: ignore[arg-type]
    said = await nlg.generate("utter_handoff", tracker("a person please"), "test")
    plain = TemplatedNaturalLanguageGenerator(nlg.responses)
    texts = [one["text"] for one in plain.responses["utter_handoff"]]
    assert said is not None
    assert said["text"] in texts
    assert "helplines" not in said


async def test_a_table_that_cannot_be_read_does_not_silence_the_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("bot.components.bilingual_nlg.load_helplines.__defaults__", (tmp_path,))
    nlg = BilingualNlg(None, Domain.from_file(str(DOMAIN)))  # type: ignore[arg-type]
    said = await nlg.generate("utter_crisis_die", tracker("I want to kill myself", DIES), "test")
    assert said is not None
    assert "findahelpline.com" in said["text"]


def test_a_malformed_reading_still_gives_the_lines(responses: dict[str, Any]) -> None:
    broken = tracker("I want to kill myself")
    assert broken.latest_message is not None
    broken.latest_message.parse_data["risk"] = {"level": "?"}  # type: ignore[typeddict-unknown-key]
    assert "findahelpline.com" in CrisisParts(None).values(broken, "en", responses)["lines"]
