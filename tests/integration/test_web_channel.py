"""The chat page's API, over HTTP against a real server with a scripted stand-in for Rasa's agent."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.channels.sessions import COOKIE
from tests.browser.serving import Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("web"), ATTUNE_MAX_MESSAGE_CHARS="500") as running:
        yield running


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=30.0) as opened:
        assert opened.post("/chat/session", json={"language": "en"}).status_code == 200
        yield opened


def send(client: httpx.Client, text: Any, **fields: Any) -> httpx.Response:
    body = {"text": text, "message_id": str(uuid.uuid4()), "language": "en", **fields}
    return client.post("/chat/messages", content=json.dumps(body).encode())


def sender_id(client: httpx.Client) -> str:
    return "web-" + str(client.cookies[COOKIE]).partition(".")[0]


class Events:
    """An open event stream, read in a thread."""

    def __init__(self, client: httpx.Client, path: str = "/chat/events", **headers: str) -> None:
        self.seen: list[tuple[str, str | None, Any]] = []
        self.has_ended = False
        self._stop = False
        self._client = httpx.Client(base_url=client.base_url, cookies=client.cookies, timeout=30.0)
        self._thread = threading.Thread(target=self._read, args=(path, headers), daemon=True)
        self._thread.start()

    def __enter__(self) -> Events:
        self.wait("handoff")
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop = True
        self._client.close()

    def of(self, kind: str) -> list[Any]:
        return [data for name, _, data in self.seen if name == kind]

    def wait(self, kind: str, count: int = 1) -> list[Any]:
        deadline_s = time.monotonic() + 20.0
        while len(self.of(kind)) < count:
            if time.monotonic() > deadline_s:
                raise AssertionError(f"no {count} x {kind}, only {self.seen}")
            time.sleep(0.02)
        return self.of(kind)

    def _read(self, path: str, headers: dict[str, str]) -> None:
        fields: dict[str, str] = {}
        try:
            with self._client.stream("GET", path, headers=headers) as response:
                for text in response.iter_lines():
                    if text:
                        name, _, value = text.partition(": ")
                        fields[name] = value
                    elif "event" in fields:
                        self.seen.append((fields["event"], fields.get("id"), json.loads(fields["data"])))
                        fields = {}
        except Exception:
            if not self._stop:
                raise
        self.has_ended = True


def test_page_is_served_at_the_root_with_its_guards(served: Served) -> None:
    page = httpx.get(served.url)
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "<script>" not in page.text
    assert "style=" not in page.text
    again = httpx.get(served.url, headers={"if-none-match": page.headers["etag"]})
    assert again.status_code == 304


def test_static_files_may_be_kept_and_nothing_else_is_reached(served: Served) -> None:
    page = httpx.get(served.url).text
    address = page.split('src="')[1].split('"')[0]
    script = httpx.get(f"{served.url}/{address}")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    assert httpx.get(f"{served.url}/chat/static/js/app.js").headers["cache-control"] == "no-cache"
    for path in (
        "../web.py",
        "%2e%2e/web.py",
        "..%2fweb.py",
        "index.html",
        "/etc/passwd",
        "js",
        "",
        "js/%00",
    ):
        assert httpx.get(f"{served.url}/chat/static/{path}").status_code in (400, 404)


def test_message_is_kept_answered_and_read(served: Served, client: httpx.Client) -> None:
    answer = send(client, "I am so angry about this.").json()
    assert [turn["author"] for turn in answer["turns"]] == ["bot"]
    assert answer["turn"]["reading"]["label"] == "anger"
    assert answer["handoff"] == {"state": "bot", "name": None}
    history = client.get("/chat/history").json()
    assert [turn["author"] for turn in history["turns"]] == ["person", "bot"]


def test_session_cookie_is_guarded(client: httpx.Client) -> None:
    cookie = client.post("/chat/session", json={}).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    secure = client.post("/chat/session", json={}, headers={"origin": str(client.base_url)})
    assert "Secure" not in secure.headers["set-cookie"]


def test_people_see_only_their_own_conversation(served: Served, client: httpx.Client) -> None:
    send(client, "between us")
    with httpx.Client(base_url=served.url) as other:
        assert other.get("/chat/history").status_code == 401
        assert send(other, "hello").status_code == 401
        other.post("/chat/session")
        assert other.get("/chat/history").json()["turns"] == []
        forged = str(client.cookies[COOKIE]).partition(".")[0] + "." + "0" * 64
        assert httpx.get(f"{served.url}/chat/history", cookies={COOKIE: forged}).status_code == 401


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("", 422, "nothing_readable"),
        ("\u200b", 422, "nothing_readable"),
        (None, 422, "bad_request"),
        (["a"], 422, "bad_request"),
        ("x" * 501, 413, "too_long"),
        ("x" * 100_000, 413, "body_too_long"),
    ],
)
def test_unfit_messages_are_refused_in_words(
    client: httpx.Client, text: object, status: int, code: str
) -> None:
    for language in ("en", "zh"):
        refused = send(client, text, language=language)
        assert refused.status_code == status
        error = refused.json()["error"]
        assert error["code"] == code
        if code != "body_too_long":  # which is refused before its language is known
            assert any("\u4e00" <= char <= "\u9fff" for char in error["message"]) == (language == "zh")
    assert client.get("/chat/history").json()["turns"] == []


@pytest.mark.parametrize("body", [b"\xff\xfe", b"{", b"[]", b'"text"', b"null"])
def test_broken_bodies_are_refused(client: httpx.Client, body: bytes) -> None:
    assert client.post("/chat/messages", content=body).status_code in (400, 422)


def test_endless_body_is_cut_off(client: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(2000):
            yield b"x" * 10_000

    with suppress(httpx.TransportError):  # the server may hang up while it is still being sent to
        assert client.post("/chat/messages", content=chunks()).status_code == 413
    assert client.get("/chat/history").status_code == 200


@pytest.mark.parametrize("text", ["/restart", "😭😭😭", "مرحبا كيف حالك", "a\x00b\ud800c", "<b>bold</b>"])
def test_unusual_messages_are_answered(served: Served, client: httpx.Client, text: str) -> None:
    answer = send(client, text).json()
    assert [turn["author"] for turn in answer["turns"]] == ["bot"]
    assert not httpx.get(f"{served.url}/handled").json()[-1].startswith("/")


def test_other_sites_are_kept_out(client: httpx.Client) -> None:
    evil = {"origin": "https://evil.example"}
    body = {"text": "hello", "message_id": str(uuid.uuid4())}
    assert client.post("/chat/messages", json=body, headers=evil).status_code == 403
    assert client.post("/chat/human", headers=evil).status_code == 403
    assert client.get("/chat/history", headers=evil).status_code == 403
    own = {"origin": str(client.base_url).rstrip("/")}
    assert client.post("/chat/messages", json=body, headers=own).status_code == 200


def test_same_message_runs_once(served: Served, client: httpx.Client) -> None:
    text, message_id = f"slow {uuid.uuid4()}", str(uuid.uuid4())
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: send(client, text, message_id=message_id).json(), range(4)))
    answers.append(send(client, text, message_id=message_id).json())
    assert all(answer == answers[0] for answer in answers)
    assert httpx.get(f"{served.url}/handled").json().count(text) == 1
    assert len(client.get("/chat/history").json()["turns"]) == 2


def test_messages_of_two_people_may_share_an_id(served: Served, client: httpx.Client) -> None:
    message_id = str(uuid.uuid4())
    send(client, "mine", message_id=message_id)
    with httpx.Client(base_url=served.url) as other:
        other.post("/chat/session")
        answer = send(other, "theirs", message_id=message_id).json()
    assert answer["turn"]["text"] == "theirs"


@pytest.mark.parametrize("text", ["crash", "silent", "hang"])
@pytest.mark.parametrize(("language", "word"), [("en", "isn't working"), ("zh", "出了点问题")])
def test_trouble_is_owned_up_to(client: httpx.Client, text: str, language: str, word: str) -> None:
    answer = send(client, text, language=language).json()
    (apology,) = answer["turns"]
    assert word in apology["text"]
    assert apology["offers_human"]
    assert client.get("/chat/history").json()["turns"][-1] == apology


def test_handoff_that_nothing_was_said_about_is_told(client: httpx.Client) -> None:
    answer = send(client, "mute handoff").json()
    assert answer["handoff"]["state"] == "waiting"
    assert "asked a person" in answer["turns"][0]["text"]
    assert send(client, "hello?").json()["turns"] == []


def test_closed_tab_loses_nothing(served: Served, client: httpx.Client) -> None:
    with pytest.raises(httpx.ReadTimeout):
        client.post(
            "/chat/messages",
            json={"text": "slow and angry", "message_id": str(uuid.uuid4())},
            timeout=httpx.Timeout(10.0, read=0.3),
        )
    deadline_s = time.monotonic() + 20.0
    while time.monotonic() < deadline_s:
        turns = client.get("/chat/history").json()["turns"]
        if len(turns) == 2 and turns[0]["reading"]:
            break
        time.sleep(0.1)
    assert [turn["author"] for turn in turns] == ["person", "bot"]


@pytest.mark.parametrize(("language", "word"), [("en", "asked a person"), ("zh", "请团队里的一位真人")])
def test_button_asks_a_human_in_once(client: httpx.Client, language: str, word: str) -> None:
    first = client.post("/chat/human", json={"language": language}).json()
    assert first["handoff"] == {"state": "waiting", "name": None}
    assert word in first["turns"][0]["text"]
    again = client.post("/chat/human", json={"language": language}).json()
    assert len(again["turns"]) == 1


def test_bot_is_silent_while_a_human_has_the_conversation(served: Served, client: httpx.Client) -> None:
    client.post("/chat/human")
    for text in ("hello?", "crash", "hang"):
        answer = send(client, text).json()
        assert answer["turns"] == []
    served.answer_as_human("Anna", "I'm here.")
    answer = send(client, "crash").json()
    assert answer["turns"] == []
    assert answer["handoff"] == {"state": "human", "name": "Anna"}
    served.give_back()
    assert [turn["author"] for turn in send(client, "thanks").json()["turns"]] == ["bot"]


def test_stream_waits_for_a_conversation(client: httpx.Client) -> None:
    assert client.get("/chat/events").status_code == 204


def test_stream_tells_every_tab_what_happens(served: Served, client: httpx.Client) -> None:
    send(client, "one")
    last = client.get("/chat/history").json()["turns"][-1]["id"]
    with Events(client, f"/chat/events?after={last}") as one, Events(client) as other:
        assert len(other.wait("turn", 2)) == 2
        send(client, "so angry")
        assert [turn["author"] for turn in one.wait("turn", 2)] == ["person", "bot"]
        other.wait("turn", 4)
        readings = [turn["reading"] for turn in one.of("turn") + one.of("reading") if turn["reading"]]
        assert readings[0]["label"] == "anger"
        client.post("/chat/human")
        served.answer_as_human("Anna", "Live from another process.")
        for tab in (one, other):
            deadline_s = time.monotonic() + 20.0
            while tab.of("handoff")[-1]["state"] != "human" and time.monotonic() < deadline_s:
                time.sleep(0.05)
            assert tab.of("handoff")[-1] == {"state": "human", "name": "Anna"}
            assert tab.of("turn")[-1]["text"] == "Live from another process."


def test_stream_resumes_without_gaps_or_repeats(client: httpx.Client) -> None:
    for number in range(3):
        send(client, f"message {number}")
    turns = client.get("/chat/history").json()["turns"]
    with Events(client, "/chat/events?after=0", **{"last-event-id": str(turns[3]["id"])}) as events:
        assert events.wait("turn", 2) == turns[4:]
        assert [event_id for name, event_id, _ in events.seen if name == "turn"] == [
            str(turn["id"]) for turn in turns[4:]
        ]


def test_fifth_tab_takes_the_place_of_the_first(client: httpx.Client) -> None:
    send(client, "hello")
    tabs = [Events(client) for _ in range(1)]
    tabs[0].wait("handoff")
    for _ in range(4):
        tabs.append(Events(client))
        tabs[-1].wait("handoff")
    tabs[0].wait("elsewhere")
    assert not tabs[1].of("elsewhere")
    for tab in tabs:
        tab.__exit__()


def test_too_many_messages_are_held_back(tmp_path: Path) -> None:
    with (
        serving(tmp_path, ATTUNE_MESSAGES_PER_MINUTE="3") as served,
        httpx.Client(base_url=served.url) as client,
    ):
        client.post("/chat/session")
        statuses = [send(client, "hello").status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        refused = send(client, "hello", language="zh")
        assert int(refused.headers["retry-after"]) == refused.json()["error"]["retry_after_s"] > 0
        assert "请等" in refused.json()["error"]["message"]


def test_sessions_and_conversations_survive_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path) as served, httpx.Client(base_url=served.url) as client:
        client.post("/chat/session")
        send(client, "remember this")
        served.stop()
        served.start()
        assert client.get("/chat/history").json()["turns"][0]["text"] == "remember this"


def test_broken_database_is_owned_up_to(tmp_path: Path) -> None:
    with serving(tmp_path) as served, httpx.Client(base_url=served.url) as client:
        client.post("/chat/session")
        with sqlite3.connect(tmp_path / "attune.db") as database:
            database.execute("ALTER TABLE turns RENAME TO lost")
            database.execute("DELETE FROM attune_schema")
        refused = send(client, "hello", language="zh")
        assert refused.status_code == 503
        assert "再试一次" in refused.json()["error"]["message"]
        time.sleep(1.1)  # a health that was seen a moment ago is believed
        health = client.get("/chat/health")
        assert health.status_code == 503
        assert health.json()["status"] == "degraded"
        assert "no_database" in health.json()["problems"]


def test_server_on_a_store_that_loses_data_does_not_start(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match=r"Attune can't start: .*memory"),
        serving(tmp_path, STANDIN_STORE="memory"),
    ):
        pass
