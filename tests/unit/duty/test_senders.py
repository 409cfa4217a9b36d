"""Webhook, Slack and mail, against real servers, also ones that mean harm."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import hmac
import json
import socket
import ssl
import time
from pathlib import Path

import pytest

from bot.core.errors import SettingsError
from bot.duty import wire
from bot.duty.mail import Mail
from bot.duty.notice import Event, Notice
from bot.duty.senders import SendError
from bot.duty.slack import Slack
from bot.duty.webhook import Webhook
from bot.launch.checks import free_port

from .servers import MailBox, certificate, drip, flood, mail_server, raw_server, receiver

NOTICE = Notice(
    Event.PAGE,
    page=7,
    handoff=3,
    conversation=12,
    level="crisis",
    kind="self_harm",
    waiting_minutes=4,
    call=2,
    person="Ann",
    link="https://chat.example/duty/page/abc",
    command="attune handoff show 3",
)
SECRET = "sixteen-characters-or-more"


def test_a_webhook_gets_signed_json_under_its_key() -> None:
    with receiver() as box:
        Webhook(box.url, SECRET).send(NOTICE, "desk-1", "key-1")
    (got,) = box.got
    said = json.loads(got.body)
    assert {name: said[name] for name in ("event", "level", "kind", "conversation", "waiting_minutes")} == {
        "event": "page",
        "level": "crisis",
        "kind": "self_harm",
        "conversation": 12,
        "waiting_minutes": 4,
    }
    assert (said["to"], said["key"], got.headers["Idempotency-Key"]) == ("desk-1", "key-1", "key-1")
    at, signed = (part.split("=")[1] for part in got.headers["X-Attune-Signature"].split(","))
    expected = hmac.new(SECRET.encode(), at.encode() + b"." + got.body, hashlib.sha256).hexdigest()
    assert signed == expected


@pytest.mark.parametrize(
    ("status", "is_final"), [(500, False), (503, False), (429, False), (408, False), (401, True), (404, True)]
)
def test_a_refusal_says_whether_trying_again_helps(status: int, is_final: bool) -> None:
    with receiver() as box:
        box.fail(status, Retry_After="7")
        with pytest.raises(SendError, match=f"^answered {status}$") as caught:
            Webhook(box.url).send(NOTICE, "", "k")
    assert (caught.value.is_final, caught.value.again_after_s) == (is_final, 7.0)


@pytest.mark.parametrize("place", ["file:///etc/passwd", "http://127.0.0.1:1/", "gopher://x/"])
def test_redirects_are_not_followed(place: str) -> None:
    with receiver() as box:
        box.answers.append((302, {"Location": place}, b""))
        with pytest.raises(SendError, match="redirects are not followed") as caught:
            Webhook(box.url).send(NOTICE, "", "k")
    assert caught.value.is_final
    assert len(box.got) == 1


def test_an_answer_without_end_is_cut_short() -> None:
    sent: list[int] = []
    with raw_server(flood(sent)) as port:
        Webhook(f"http://127.0.0.1:{port}/", timeout_s=5.0).send(NOTICE, "", "k")
    assert sum(sent) < 64 << 20  # what the system buffers, not the gigabyte on offer


def test_an_answer_that_drips_ends_at_the_deadline() -> None:
    with raw_server(drip) as port, pytest.raises(SendError, match=r"no answer within 0\.4 s"):
        Webhook(f"http://127.0.0.1:{port}/", timeout_s=0.4).send(NOTICE, "", "k")


def test_a_server_that_says_nothing_or_nonsense_is_named_plainly() -> None:
    def silent(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    def nonsense(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"\x16\x03 secret-in-the-answer\r\n\r\n")

    with raw_server(silent) as port, pytest.raises(SendError, match=r"no answer within 0\.4 s"):
        Webhook(f"http://127.0.0.1:{port}/", timeout_s=0.4).send(NOTICE, "", "k")
    with raw_server(nonsense) as port, pytest.raises(SendError, match="not HTTP") as caught:
        Webhook(f"http://127.0.0.1:{port}/").send(NOTICE, "", "k")
    assert "secret" not in str(caught.value)


def test_a_refused_connection_does_not_name_the_address() -> None:
    sender = Webhook(f"http://127.0.0.1:{free_port()}/token-in-the-path")
    for use in (sender.ping, lambda: sender.send(NOTICE, "", "k")):
        with pytest.raises(SendError, match=r"^connection refused$"):
            use()


def test_tls_is_checked(tmp_path: Path) -> None:
    trusted, context = certificate(tmp_path)
    with receiver(context) as box:
        with pytest.raises(SendError, match="certificate is not trusted"):
            Webhook(box.url).send(NOTICE, "", "k")
        Webhook(box.url, ca_file=str(trusted)).send(NOTICE, "", "k")
        Webhook(box.url, ca_file=str(trusted)).ping()
    assert len(box.got) == 1


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://h/x",
        "https:///path",
        "http://pager.example/x",
        "https://u:hunter2@h/x",
        "https://h:port/x",
        "https://h/a b",
        "https://h/\r\nX: y",
    ],
)
def test_urls_that_will_not_do_are_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(SettingsError, match="url") as caught:
        wire.check_url(url, allow_plain=False)
    assert "hunter2" not in str(caught.value)
    assert "passwd" not in str(caught.value)


def test_plain_http_is_for_this_machine_or_by_wish() -> None:
    wire.check_url("http://localhost:8080/x", allow_plain=False)
    wire.check_url("http://pager/x", allow_plain=True)


def test_slack_gets_text_that_can_not_mention_anybody_else() -> None:
    with receiver() as box:
        Slack(box.url).send(Notice(**{**vars(NOTICE), "person": "<!channel> & Co"}), "U123", "k")
    text = json.loads(box.got[0].body)["text"]
    assert text.startswith("<@U123> *[Attune] CRISIS, self-harm")
    assert "&lt;!channel&gt; &amp; Co" in text
    assert "<!channel>" not in text


@pytest.mark.parametrize(
    ("status", "body", "trouble"),
    [
        (400, b"no_text", None),
        (400, b"invalid_payload", None),
        (403, b"invalid_token", "answered 403; the webhook was removed"),
        (404, b"no_service", "answered 404; the webhook was removed"),
        (500, b"", "answered 500"),
    ],
)
def test_slacks_health_shows_without_writing(status: int, body: bytes, trouble: str | None) -> None:
    with receiver() as box:
        box.answers.append((status, {}, body))
        if trouble is None:
            Slack(box.url).ping()
        else:
            with pytest.raises(SendError, match=trouble):
                Slack(box.url).ping()
    assert json.loads(box.got[0].body) == {"text": ""}


def test_a_webhooks_heartbeat_is_posted_where_it_is_wanted() -> None:
    with receiver() as box:
        Webhook(box.url, SECRET, ping_by="connect").ping()
        assert box.got == []
        Webhook(box.url, SECRET, ping_by="post").ping()
    assert box.got[0].headers["X-Attune-Event"] == "heartbeat"


def test_a_mail_is_sent_over_tls_after_logging_in(tmp_path: Path) -> None:
    trusted, context = certificate(tmp_path)
    with mail_server(MailBox(context=context)) as box:
        mail = Mail("localhost", "attune@example.org", box.port, "starttls", "me", "pw", ca_file=str(trusted))
        mail.send(NOTICE, "ann@example.org", "key-1")
        mail.send(NOTICE, "ann@example.org", "key-1")
    sent_by, to, content = box.mails[0]
    assert (sent_by, to) == ("attune@example.org", "ann@example.org")
    assert base64.b64decode(box.logins[0]) == b"\0me\0pw"
    assert "AUTH" in box.tls_verbs
    parsed = email.message_from_string(content, policy=email.policy.default)
    assert parsed["Subject"] == "[Attune] CRISIS, self-harm: a person is waiting (page 7)"
    assert parsed["Auto-Submitted"] == "auto-generated"
    text = parsed.get_content()
    assert NOTICE.link in text
    assert "attune duty acknowledge 7" in text
    again = email.message_from_string(box.mails[1][2], policy=email.policy.default)
    assert parsed["Message-ID"] == again["Message-ID"]


def test_nothing_is_said_before_tls_where_it_is_wanted() -> None:
    with mail_server(MailBox()) as box:  # which doesn't offer it
        mail = Mail("localhost", "a@example.org", box.port, "starttls", "me", "pw")
        with pytest.raises(SendError, match="does not offer") as caught:
            mail.ping()
    assert caught.value.is_final
    assert box.logins == []


def test_tls_from_the_first_byte(tmp_path: Path) -> None:
    trusted, context = certificate(tmp_path)

    def over_tls(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inner:
            inner.sendall(b"220 hello\r\n")
            while line := inner.recv(1000):
                inner.sendall(b"250 ok\r\n" if line[:4].upper() in (b"EHLO", b"NOOP") else b"502 no\r\n")

    with raw_server(over_tls) as port:
        Mail("localhost", "a@example.org", port, "tls", ca_file=str(trusted)).ping()
        with pytest.raises(SendError, match="certificate is not trusted"):
            Mail("localhost", "a@example.org", port, "tls").ping()


@pytest.mark.parametrize(
    ("verb", "reply", "meaning", "is_final"),
    [
        ("AUTH", "535 5.7.8 wrong: secret-words", r"refused the log-in \(535\)", True),
        ("RCPT", "550 no such user secret-words", r"refused the recipient \(550\)", True),
        ("RCPT", "450 later", r"refused the recipient \(450\)", False),
        ("MAIL", "451 later", "answered 451", False),
        ("DATA", "554 secret-words", "answered 554", True),
    ],
)
def test_a_mail_servers_refusal_in_plain_words(verb: str, reply: str, meaning: str, is_final: bool) -> None:
    with mail_server(MailBox(replies={verb: reply})) as box:
        mail = Mail("127.0.0.1", "a@example.org", box.port, "none", "me", "pw")
        with pytest.raises(SendError, match=meaning) as caught:
            mail.send(NOTICE, "ann@example.org", "k")
    assert caught.value.is_final is is_final
    assert "secret" not in str(caught.value)
    assert box.mails == []


def test_a_mail_server_that_drips_or_greets_for_ever_ends_at_the_deadline() -> None:
    def greet(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"220-hello\r\n")
            time.sleep(0.05)

    with raw_server(greet) as port, pytest.raises(SendError, match=r"no answer within 0\.4 s"):
        Mail("127.0.0.1", "a@example.org", port, "none", timeout_s=0.4).ping()


def test_a_hanging_tls_handshake_ends_at_the_deadline() -> None:
    def hang(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    with raw_server(hang) as port, pytest.raises(SendError, match=r"no answer within 0\.4 s"):
        Webhook(f"https://localhost:{port}/", timeout_s=0.4).ping()


def test_no_sender_shows_its_secrets() -> None:
    senders = (
        Webhook("https://h/token-one", "secret-two-secret"),
        Slack("https://h/token-three"),
        Mail("h", "a@b", user="u", password="secret-four"),
    )
    shown = repr(senders)
    assert not any(part in shown for part in ("token-one", "secret-two", "token-three", "secret-four"))
    assert ssl.create_default_context().check_hostname


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", ["self_harm", "harm_to_others", "abuse", "medical", None])
def test_every_page_can_be_put_into_words(language: str, kind: str | None) -> None:
    notice = Notice(**{**vars(NOTICE), "language": language, "kind": kind})
    assert "{" not in notice.subject + notice.text
    assert notice.link in notice.text
    assert "4" in notice.text
    test = Notice(Event.TEST, person="Ann", language=language)
    assert ("TEST" in test.text) or ("测试" in test.text)
