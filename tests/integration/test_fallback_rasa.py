"""Danger over a channel with a real Rasa behind it: without its action server, broken, or not loaded."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from rasa.core.agent import Agent
from rasa.core.channels.channel import UserMessage

from bot.channels.exchange import Exchange
from bot.channels.fallback import PHRASES, Fallback
from bot.channels.intake import Incoming
from bot.channels.pool import StoragePool
from bot.channels.spool import Spool
from nlu_models.risk.words import RiskWords
from tests.integration.conftest import Stack, _free_port

DANGER = {"en": "I'm going to kill myself tonight", "zh": "我今晚要自杀"}
HONEST = {"en": "I have to be honest", "zh": "跟你说实话"}
ANSWER_WITHIN_S = 60.0

Handler = Callable[[UserMessage], Awaitable[Any]]
Say = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def say(stack: Stack, tmp_path: Path) -> AsyncIterator[Say]:
    """Sends one message over a channel, to whatever handler is given."""
    pool = StoragePool(stack.database)
    fallback = Fallback("web", pool, Spool(tmp_path), b"k" * 32, RiskWords(PHRASES).read)
    opened: list[Exchange] = []

    async def send(handler: Handler, language: str, within_s: float = ANSWER_WITHIN_S) -> dict[str, Any]:
        exchange = Exchange("web", pool, handler, fallback, answer_within_s=within_s)
        opened.append(exchange)
        incoming = Incoming(DANGER[language], uuid.uuid4().hex, language, {"country": "GB"})
        return await exchange.deliver(f"web-{uuid.uuid4().hex}", incoming)

    yield send
    for exchange in opened:
        await exchange.close()
    await fallback.close()


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_without_the_action_server_rasa_answers_and_the_channel_adds_nothing(
    load: Callable[..., Awaitable[Agent]], agent_cache: dict[str, Agent], say: Say, language: str
) -> None:
    if "no actions" not in agent_cache:
        agent_cache["no actions"] = await load(actions_port=_free_port())
    answer = await say(agent_cache["no actions"].handle_message, language)
    (said,) = answer["turns"]
    assert HONEST[language] not in said["text"]
    assert answer["handoff"]["state"] == "waiting"


@pytest.mark.parametrize("way", ["raises", "hangs"])
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_with_a_broken_model_the_channel_answers(
    agent: Agent, say: Say, monkeypatch: pytest.MonkeyPatch, language: str, way: str
) -> None:
    async def broken(*_: object, **__: object) -> None:
        if way == "hangs":
            await asyncio.sleep(3600.0)
        raise RuntimeError("a component of the model is broken")

    assert agent.processor is not None
    monkeypatch.setattr(agent.processor, "parse_message", broken)
    answer = await say(agent.handle_message, language, 0.5 if way == "hangs" else ANSWER_WITHIN_S)
    (said,) = answer["turns"]
    assert HONEST[language] in said["text"]
    assert answer["handoff"]["state"] == "waiting"


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_before_a_model_is_loaded_the_channel_answers(say: Say, language: str) -> None:
    (said,) = (await say(Agent().handle_message, language))["turns"]
    assert HONEST[language] in said["text"]
