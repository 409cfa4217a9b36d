"""Whole conversations through Rasa, and the rows they leave."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable

import pytest
from rasa.core.agent import Agent
from rasa.shared.core.domain import SessionConfig

from bot.storage import handoffs
from tests.integration.conftest import Chat, Stack, _free_port

CHINESE = re.compile(r"[\u4e00-\u9fff]")

TURNS = (
    "SELECT t.author, t.text, t.intent, t.action FROM turns t JOIN conversations c "
    "ON c.id = t.conversation_id WHERE c.sender_id = :sender ORDER BY t.id"
)
READINGS = (
    "SELECT r.* FROM readings r JOIN turns t ON t.id = r.turn_id JOIN conversations c "
    "ON c.id = t.conversation_id WHERE c.sender_id = :sender ORDER BY t.id"
)
DECISIONS = (
    "SELECT d.* FROM decisions d JOIN conversations c ON c.id = d.conversation_id "
    "WHERE c.sender_id = :sender ORDER BY d.id"
)
HANDOFFS = (
    "SELECT h.* FROM handoffs h JOIN conversations c ON c.id = h.conversation_id "
    "WHERE c.sender_id = :sender ORDER BY h.id"
)
SESSIONS = "SELECT id FROM tracker_events WHERE sender_id = :sender AND type_name = 'session_started'"
SHOWN = (
    "SELECT g.guidance_id FROM guidance_shown g JOIN conversations c ON c.id = g.conversation_id "
    "WHERE c.sender_id = :sender ORDER BY g.id"
)


async def test_a_turn_is_answered_read_and_kept(chat: Chat) -> None:
    answer = await chat.answer("I feel so lonely since my best friend moved away")
    assert answer
    person, bot = chat.rows(TURNS)
    assert (person.author, person.text) == ("person", "I feel so lonely since my best friend moved away")
    assert (bot.author, bot.text) == ("bot", answer)
    (reading,) = chat.rows(READINGS)
    assert reading.label == "sadness"
    assert reading.valence < 0 < reading.confidence
    (decision,) = chat.rows(DECISIONS)
    assert decision.policy == "GuidancePolicy"
    assert json.loads(decision.evidence)
    assert len(chat.rows(SHOWN)) == 1


async def test_the_emotion_changes_the_reply(agent: Agent, stack: Stack) -> None:
    sad, glad = Chat(agent, stack.database), Chat(agent, stack.database)
    assert await sad.answer("I failed my driving test and I feel awful") != await glad.answer(
        "I passed my driving test and I'm so happy!"
    )
    (worse,), (better,) = sad.rows(READINGS), glad.rows(READINGS)
    assert worse.valence < 0 < better.valence


async def test_guidance_is_never_repeated_in_a_conversation(chat: Chat) -> None:
    said = [
        "I can't sleep because of work",
        "my boss keeps shouting at me",
        "I don't know what to do",
        "I lie awake and think of everything that could go wrong",
        "it's been like this for weeks",
        "what can I try?",
        "that didn't help",
        "I feel so tired",
        "nobody at home understands it",
        "I'm scared I'll lose my job",
    ]
    answers = [await chat.answer(text) for text in said]
    shown = [row.guidance_id for row in chat.rows(SHOWN)]
    assert all(answers)
    assert len(shown) == len(set(shown)) >= 6


async def test_anger_twice_in_a_row_reaches_a_human_and_silences_the_bot(chat: Chat) -> None:
    assert await chat.answer("this is absolutely infuriating, I hate this stupid thing")
    assert not chat.rows(HANDOFFS)
    answer = await chat.answer("are you kidding me?! I'm furious, you useless piece of junk")
    (handoff,) = chat.rows(HANDOFFS)
    assert answer
    assert handoff.state == "waiting"
    assert "anger" in handoff.reason
    assert json.loads(handoff.evidence)
    assert await chat.answer("hello?") == ""
    assert chat.rows(TURNS)[-1].text == "hello?"


async def test_asking_for_a_person_brings_one_and_the_conversation_comes_back(
    chat: Chat, stack: Stack
) -> None:
    assert await chat.answer("I want to talk to a real person please")
    (handoff,) = chat.rows(HANDOFFS)
    with stack.database.session() as session:
        handoffs.take(session, handoff.id, "Anna", time.time())
    assert await chat.answer("hi Anna, thank you for coming") == ""
    with stack.database.session() as session:
        handoffs.give_back(session, handoff.id, "Anna", time.time())
    assert await chat.answer("hello again")
    assert chat.rows(HANDOFFS)[0].state == "returned"


async def test_the_pause_survives_session_expiry(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    await chat.answer("let me speak to a human being")
    domain = chat.agent.processor.domain
    monkeypatch.setattr(domain, "session_config", SessionConfig(1e-6, carry_over_slots=True))
    await asyncio.sleep(0.05)
    assert await chat.answer("hello? anyone there?") == ""
    assert len(chat.rows(SESSIONS)) == 2
    assert chat.rows(HANDOFFS)[0].state == "waiting"


async def test_danger_is_answered_first_and_leaves_its_words(chat: Chat) -> None:
    answer = await chat.answer("I want to kill myself")
    assert "988" in answer
    (handoff,) = chat.rows(HANDOFFS)
    assert handoff.reason == "risk_self_harm"
    assert "kill myself" in handoff.evidence
    (reading,) = chat.rows(READINGS)
    assert reading.risk_level in ("high", "crisis")


async def test_danger_stays_in_the_protocol_whatever_is_said_until_it_is_denied_twice(chat: Chat) -> None:
    said = [await chat.answer(text) for text in ("I want to kill myself", "tell me a joke", "thanks", "bye")]
    assert all("988" in answer for answer in said)
    assert len(set(said)) == 4
    for text in ("no", "no", "no"):
        said.append(await chat.answer(text))
    actions = [row.action for row in chat.rows(DECISIONS)]
    assert actions == [
        "utter_crisis_die",
        "utter_crisis_subject",
        "utter_crisis_thanks",
        "utter_crisis_bye",
        "utter_crisis_unsure",
        "utter_crisis_again",
        "utter_crisis_eased",
    ]
    assert len(chat.rows(HANDOFFS)) == 1
    assert chat.rows(HANDOFFS)[0].level == "crisis"


async def test_a_restart_by_the_person_does_not_end_the_protocol(chat: Chat) -> None:
    await chat.answer("I want to kill myself")
    await chat.answer("/restart")
    assert "988" in await chat.answer("hello")


async def test_the_protocol_survives_session_expiry(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    await chat.answer("I want to kill myself")
    domain = chat.agent.processor.domain
    monkeypatch.setattr(domain, "session_config", SessionConfig(1e-6, carry_over_slots=True))
    await asyncio.sleep(0.05)
    assert "988" in await chat.answer("what's the weather like")
    assert chat.rows(DECISIONS)[-1].action == "utter_crisis_subject"


async def test_danger_while_a_human_has_the_conversation_is_kept_and_answered_by_them(
    chat: Chat, stack: Stack
) -> None:
    await chat.answer("I want to talk to a real person please")
    (handoff,) = chat.rows(HANDOFFS)
    with stack.database.session() as session:
        handoffs.take(session, handoff.id, "Anna", time.time())
    assert await chat.answer("I want to kill myself") == ""
    last = chat.rows(DECISIONS)[-1]
    assert (last.action, last.reason, last.level) == ("action_listen", "risk_self_harm", "handoff")
    assert chat.rows(HANDOFFS)[0].level == "crisis"
    with stack.database.session() as session:
        handoffs.give_back(session, handoff.id, "Anna", time.time())
    await chat.answer("thanks, Anna was kind")
    assert chat.rows(DECISIONS)[-1].action == "utter_crisis_check_back"


async def test_danger_is_read_in_chinese_too(agent: Agent, stack: Stack) -> None:
    chat = Chat(agent, stack.database, language="zh")
    answer = await chat.answer("我真的不想活了")
    assert "12356" in answer
    assert chat.rows(HANDOFFS)[0].reason == "risk_self_harm"


async def test_chinese_is_answered_in_chinese_and_not_guessed_at(agent: Agent, stack: Stack) -> None:
    chat = Chat(agent, stack.database, language="zh")
    assert CHINESE.search(await chat.answer("最近工作压力特别大，晚上睡不着"))
    (reading,) = chat.rows(READINGS)
    assert reading.abstained
    assert reading.confidence == 0
    assert chat.rows(SHOWN)


async def test_two_messages_at_once_are_answered_in_turn(chat: Chat) -> None:
    first, second = await asyncio.gather(chat.answer("hello"), chat.answer("are you a robot?"))
    assert first
    assert second
    assert [row.author for row in chat.rows(TURNS)] == ["person", "bot", "person", "bot"]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_dead_action_server_gives_an_honest_line_and_offers_a_human(
    load: Callable[..., Awaitable[Agent]], stack: Stack, agent_cache: dict[str, Agent], language: str
) -> None:
    if "no actions" not in agent_cache:
        agent_cache["no actions"] = await load(actions_port=_free_port())
    chat = Chat(agent_cache["no actions"], stack.database, language)
    text = "I feel terrible about what I said" if language == "en" else "我心里特别难受"
    answer = await chat.answer(text)
    assert answer
    assert bool(CHINESE.search(answer)) == (language == "zh")
    assert any(row.action == "utter_trouble" for row in chat.rows(DECISIONS))


async def test_danger_reaches_a_human_without_the_action_server(
    load: Callable[..., Awaitable[Agent]], stack: Stack, agent_cache: dict[str, Agent]
) -> None:
    if "no actions" not in agent_cache:
        agent_cache["no actions"] = await load(actions_port=_free_port())
    chat = Chat(agent_cache["no actions"], stack.database)
    assert "988" in await chat.answer("I'm going to end my life tonight")
    assert chat.rows(HANDOFFS)[0].state == "waiting"


async def test_without_the_weights_the_bot_still_talks(
    load: Callable[..., Awaitable[Agent]],
    stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: object,
) -> None:
    monkeypatch.setenv("ATTUNE_EMOTION_WEIGHTS", str(tmp_path))
    chat = Chat(await load(), stack.database)
    assert await chat.answer("I feel so sad today")
    (reading,) = chat.rows(READINGS)
    assert reading.degraded
    assert "988" in await chat.answer("I want to kill myself")


@pytest.mark.parametrize(
    "text",
    [
        "😭😭😭",
        "אני מרגיש עצוב מאוד היום",
        "a" * 50_000,
        "help " * 10_000,
        "\u200b\u200d",
        "?",
        "1234567890",
        "<script>alert(1)</script>",
        "{{7*7}} ${HOME} %s %d {feeling}",
    ],
)
async def test_odd_text_is_answered(chat: Chat, text: str) -> None:
    assert await chat.answer(text)


async def test_an_accepted_offer_brings_a_person(chat: Chat) -> None:
    await chat.answer("your service is terrible, my order never arrived")
    answer = await chat.answer("yes please")
    assert answer
    assert chat.rows(HANDOFFS)[0].reason == "accepted_offer"


async def test_a_privacy_wish_reaches_a_human_once_confirmed(chat: Chat) -> None:
    await chat.answer("please delete all my data")
    assert not chat.rows(HANDOFFS)
    assert await chat.answer("yes")
    assert chat.rows(HANDOFFS)[0].reason == "privacy_delete"
