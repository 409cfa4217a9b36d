"""Danger is answered over HTTP while Rasa is broken or hangs, and while the database is away."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.channels.sessions import COOKIE
from bot.channels.spool import FILE
from bot.core.handoff import HandoffState
from bot.storage import handoffs, pages
from tests.browser.serving import TOKEN, Served, serving

# With the word by which the stand-in for Rasa knows what to do (see `tests/browser/standin.py`).
DANGER = {"en": "{}. I want to kill myself", "zh": "{}。我想自杀"}
HARMLESS = {"en": "{}. my shoes are blue", "zh": "{}。我的鞋子是蓝色的"}
HONEST = {"en": "I have to be honest", "zh": "跟你说实话"}
BRITISH = {"country": "GB"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("fallback")) as running:
        yield running


def web(served: Served, text: str, **fields: Any) -> tuple[httpx.Client, httpx.Response]:
    client = httpx.Client(base_url=served.url, timeout=60.0)
    assert client.post("/chat/session", json={}).status_code == 200
    return client, send(client, text, **fields)


def send(client: httpx.Client, text: str, **fields: Any) -> httpx.Response:
    body = {"text": text, "message_id": str(uuid.uuid4()), "language": "en", **fields}
    return client.post("/chat/messages", json=body)


def rest(served: Served, text: str, sender: str, **fields: Any) -> httpx.Response:
    body = {"sender": sender, "message": text, **fields}
    headers = {"authorization": f"Bearer {TOKEN}"}
    return httpx.post(f"{served.url}/webhooks/rest/webhook", json=body, headers=headers, timeout=60.0)


def sender_id(client: httpx.Client) -> str:
    return "web-" + str(client.cookies[COOKIE]).partition(".")[0]


def paged(served: Served) -> list[tuple[str, str]]:
    """Level and reason of every handoff that has a page which calls somebody."""
    database = served.database
    try:
        with database.session() as session:
            live = {page.handoff_id for page in pages.live(session)}
            found = handoffs.listing(session, (HandoffState.WAITING,))
    finally:
        database.close()
    return [(handoff.level, handoff.reason) for handoff in found if handoff.id in live]


def eventually(look: Any) -> Any:
    """What `look` gives once it gives something, or at the end of half a minute."""
    for _ in range(300):
        found = look()
        if found:
            return found
        time.sleep(0.1)
    return look()


@pytest.mark.parametrize("word", ["crash", "hang", "silent"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_danger_is_answered_when_rasa_does_not(served: Served, word: str, language: str) -> None:
    before = len(paged(served))
    client, response = web(served, DANGER[language].format(word), language=language, **BRITISH)
    answer = response.json()
    (said,) = answer["turns"]
    assert HONEST[language] in said["text"]
    assert "999" in said["text"]
    assert answer["handoff"]["state"] == "waiting"
    assert len(paged(served)) == before + 1
    assert client.get("/chat/history").json()["turns"][-1] == said
    client.close()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_programs_get_it_in_the_usual_form(served: Served, language: str) -> None:
    sender = f"program-{language}"
    text = DANGER[language].format("crash")
    (said,) = rest(served, text, sender, language=language, timezone="Europe/London").json()
    assert HONEST[language] in said["text"]
    assert "999" in said["text"]
    assert said["recipient_id"] == sender


@pytest.mark.parametrize("language", ["en", "zh"])
def test_without_danger_there_is_an_apology_alone(served: Served, language: str) -> None:
    client, response = web(served, HARMLESS[language].format("crash"), language=language)
    (said,) = response.json()["turns"]
    assert HONEST[language] not in said["text"]
    assert "findahelpline" not in said["text"]
    assert response.json()["handoff"]["state"] == "bot"
    client.close()


def test_health_says_that_messages_had_no_answer(served: Served) -> None:
    client, _ = web(served, "crash")
    client.close()
    time.sleep(1.1)  # a health that was seen a moment ago is believed
    health = httpx.get(f"{served.url}/chat/health")
    assert health.status_code == 200
    assert health.json()["status"] == "degraded"
    assert "messages_without_answer" in health.json()["problems"]


def test_danger_is_answered_while_the_database_is_broken_and_taken_in_after(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        client, _ = web(served, "hello")
        message_id = str(uuid.uuid4())
        served.break_database()
        for _ in range(2):
            refused = send(client, DANGER["en"].format("well"), message_id=message_id, **BRITISH)
            assert refused.status_code == 503
            assert HONEST["en"] in refused.json()["error"]["care"]
            assert "999" in refused.json()["error"]["care"]
        reply = send(client, "嗯", language="zh").json()["error"]
        assert HONEST["zh"] in reply["care"]  # who was in danger a moment ago isn't left with an error alone
        somebody_else, harmless = web(served, HARMLESS["zh"].format("好"), language="zh")
        somebody_else.close()
        assert harmless.status_code == 503
        assert "care" not in harmless.json()["error"]
        (said,) = rest(served, DANGER["zh"].format("好"), "program", language="zh").json()
        assert HONEST["zh"] in said["text"]
        spool = tmp_path / FILE
        assert len(spool.read_bytes().splitlines()) == 2
        assert b"kill" not in spool.read_bytes()
        time.sleep(1.1)
        health = httpx.get(f"{served.url}/chat/health")
        assert health.status_code == 503
        assert {"no_database", "danger_not_in_database"} <= set(health.json()["problems"])
        served.mend_database()
        assert eventually(lambda: len(paged(served)) == 2)
        assert set(paged(served)) == {("crisis", "risk_self_harm")}
        assert eventually(lambda: spool.stat().st_size == 0)
        again = send(client, DANGER["en"].format("well"), message_id=message_id).json()
        assert again["handoff"]["state"] == "waiting"
        texts = served.texts(sender_id(client))
        assert texts.count(("person", DANGER["en"].format("well"))) == 1
        assert sum(HONEST["en"] in text for _, text in texts) == 1
        assert served.texts("rest-program")[0] == ("person", DANGER["zh"].format("好"))
        client.close()


def test_danger_outlasts_a_removed_database_and_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        client, _ = web(served, "hello")
        away = tmp_path / "away"
        away.mkdir()
        for path in tmp_path.glob("attune.db*"):
            path.replace(away / path.name)
        (tmp_path / "attune.db").mkdir()  # nothing can be opened or made in its place
        served.break_database(away)  # for the connections that are still open to it
        refused = send(client, DANGER["zh"].format("好"), language="zh")
        assert HONEST["zh"] in refused.json()["error"]["care"]
        served.stop()
        (tmp_path / "attune.db").rmdir()
        served.mend_database(away)
        for path in away.glob("attune.db*"):
            path.replace(tmp_path / path.name)
        served.start()
        assert eventually(lambda: paged(served)) == [("crisis", "risk_self_harm")]
        texts = [text for _, text in served.texts(sender_id(client))]
        assert "could not be kept" in texts[-2] or "没能保存" in texts[-2]
        client.close()
