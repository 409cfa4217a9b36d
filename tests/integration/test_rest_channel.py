"""The REST channel, over HTTP against a real server with a scripted stand-in for Rasa's agent."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser.serving import TOKEN, Served, serving

WEBHOOK = "/webhooks/rest/webhook"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("rest")) as running:
        yield running


def post(served: Served, token: str | None = TOKEN, **body: Any) -> httpx.Response:
    headers = {} if token is None else {"authorization": f"Bearer {token}".encode()}
    return httpx.post(served.url + WEBHOOK, json=body, headers=headers, timeout=30.0)


def test_answers_have_rasas_form(served: Served) -> None:
    answer = post(served, sender="someone", message="I am sad")
    assert answer.status_code == 200
    (said,) = answer.json()
    assert said == {"recipient_id": "someone", "text": said["text"]}
    assert served.texts("rest-someone")[0] == ("person", "I am sad")


def test_senders_of_other_channels_are_out_of_reach(served: Served) -> None:
    post(served, sender="web-abc", message="hello")
    assert served.texts("web-abc") == []
    assert len(served.texts("rest-web-abc")) == 2


def test_body_decides_nothing_else(served: Served) -> None:
    post(
        served,
        sender="sly",
        message="/restart",
        input_channel="cmdline",
        metadata={"language": "zh", "guidance": {"x": 1}},
    )
    assert served.texts("rest-sly")[0] == ("person", "restart")


@pytest.mark.parametrize("token", [None, "x", "wrong", TOKEN + "x", "\u00e9"])
def test_token_is_needed(served: Served, token: str | None) -> None:
    refused = post(served, token, sender="someone", message="hello")
    assert refused.status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"message": "hello"},
        {"sender": "", "message": "hello"},
        {"sender": 7, "message": "hello"},
        {"sender": "x" * 129, "message": "hello"},
        {"sender": "a\nb\x00", "message": "hello"},
        {"sender": "someone"},
        {"sender": "someone", "message": " "},
        {"sender": "someone", "message": "hello", "message_id": 7},
    ],
)
def test_malformed_bodies_are_refused(served: Served, body: dict[str, Any]) -> None:
    assert post(served, **body).status_code == 422


def test_retry_with_the_same_id_runs_once(served: Served) -> None:
    text, message_id = f"once {uuid.uuid4()}", str(uuid.uuid4())
    answers = [post(served, sender="retry", message=text, message_id=message_id).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert httpx.get(f"{served.url}/handled").json().count(text) == 1


def test_trouble_is_owned_up_to(served: Served) -> None:
    (said,) = post(served, sender="crash", message="crash", language="zh").json()
    assert "出了点问题" in said["text"]


def test_without_a_token_there_is_no_channel(tmp_path: Path) -> None:
    with serving(tmp_path, ATTUNE_REST_TOKEN="") as served:
        assert post(served, sender="someone", message="hello").status_code == 404
