"""Web sessions, the origins that may use them, and who is woken when something was said."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from bot.channels.lines import line
from bot.channels.live import CrowdedError, Hub
from bot.channels.origins import Origins
from bot.channels.record import Changes
from bot.channels.sessions import SECRET_FILE, Sessions
from bot.core.errors import ContractError, SettingsError
from bot.core.settings import Settings


def test_signed_cookie_names_its_sender() -> None:
    sessions = Sessions("s" * 32)
    sender_id, cookie = sessions.new()
    assert sender_id.startswith("web-")
    assert sessions.sender_id(cookie) == sender_id


def test_two_sessions_differ() -> None:
    sessions = Sessions("s" * 32)
    assert sessions.new() != sessions.new()


@pytest.mark.parametrize("change", ["", "x", ".", "\u00e9"])
def test_altered_cookies_name_nobody(change: str) -> None:
    sessions = Sessions("s" * 32)
    _, cookie = sessions.new()
    assert sessions.sender_id(change + cookie[1:]) is None
    assert sessions.sender_id(cookie[:-1] + change) is None
    assert sessions.sender_id(None) is None


def test_cookies_of_another_secret_name_nobody() -> None:
    _, cookie = Sessions("s" * 32).new()
    assert Sessions("t" * 32).sender_id(cookie) is None


def test_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    settings = Settings(var_dir=str(tmp_path / "var"))
    sender_id, cookie = Sessions.load(settings).new()
    secret = tmp_path / "var" / SECRET_FILE
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert Sessions.load(settings).sender_id(cookie) == sender_id
    assert [path.name for path in secret.parent.iterdir()] == [SECRET_FILE]


def test_unusable_secret_is_reported(tmp_path: Path) -> None:
    (tmp_path / SECRET_FILE).write_text("short")
    with pytest.raises(SettingsError, match="no usable secret"):
        Sessions.load(Settings(var_dir=str(tmp_path)))


def test_unwritable_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="ATTUNE_SECRET"):
        Sessions.load(Settings(var_dir=os.fspath(tmp_path / "file" / "var")))


@pytest.mark.parametrize(
    ("origin", "host", "is_permitted"),
    [
        (None, "chat.example.org", True),
        ("https://chat.example.org", "chat.example.org", True),
        ("https://chat.example.org", "chat.example.org:443", True),
        ("http://localhost:5005", "localhost:5005", True),
        ("https://CHAT.example.org", "chat.example.org", True),
        ("https://www.example.org", "chat.example.org", True),
        ("https://evil.example", "chat.example.org", False),
        ("https://chat.example.org.evil.example", "chat.example.org", False),
        ("http://localhost:5006", "localhost:5005", False),
        ("null", "chat.example.org", False),
        ("file://", "chat.example.org", False),
        ("https://[broken", "chat.example.org", False),
        ("https://chat.example.org:99999999", "chat.example.org", False),
    ],
)
def test_origins(origin: str | None, host: str, is_permitted: bool) -> None:
    assert Origins("https://www.example.org/, ").permits(origin, host) is is_permitted


def test_both_languages_have_the_same_sentences() -> None:
    from bot.channels.lines import _strings

    def keys(part: object, lead: str = "") -> set[str]:
        if not isinstance(part, dict):
            return {lead}
        return {key for name, inner in part.items() for key in keys(inner, f"{lead}.{name}")}

    strings = _strings()
    assert keys(strings["en"]) == keys(strings["zh"])
    assert len(strings["en"]["emotions"]) == 28


def test_sentences_are_filled_in() -> None:
    assert "4000" in line("errors.too_long", "zh", max_chars=4000)
    assert line("server.apology", "fr") == line("server.apology", "en")
    with pytest.raises(ContractError):
        line("errors.nonsense", "en")


class Looks:
    """Stands where the database's changes are looked up."""

    def __init__(self) -> None:
        self.count = 0
        self.fails = False
        self.changed: frozenset[int] = frozenset()

    async def __call__(self, before: Changes | None, listened: frozenset[int]) -> Changes:
        self.count += 1
        if self.fails:
            raise RuntimeError("the database is away")
        return Changes(1, frozenset(), {}, self.changed)


async def test_only_listeners_of_a_conversation_are_woken() -> None:
    hub = Hub(Looks(), poll_s=60.0)
    one, other = hub.attach("web-a", 1), hub.attach("web-b", 2)
    hub.wake(1)
    assert await one.wait(1.0)
    assert not await other.wait(0.05)
    await hub.close()


async def test_nothing_is_looked_up_while_nobody_listens() -> None:
    looks = Looks()
    hub = Hub(looks, poll_s=0.01)
    listener = hub.attach("web-a", 1)
    looks.changed = frozenset({1})
    assert await listener.wait(1.0)
    hub.detach(listener)
    hub.detach(listener)
    await asyncio.sleep(0.05)
    seen = looks.count
    await asyncio.sleep(0.05)
    assert (looks.count, len(hub)) == (seen, 0)
    assert hub.attach("web-a", 1) is not listener
    await asyncio.sleep(0.05)
    assert looks.count > seen
    await hub.close()


async def test_poller_outlives_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.channels.live.POLL_FAILED_S", 0.01)
    looks = Looks()
    looks.fails = True
    hub = Hub(looks, poll_s=0.01)
    listener = hub.attach("web-a", 1)
    await asyncio.sleep(0.05)
    looks.fails = False
    assert await listener.wait(1.0)
    await hub.close()


async def test_newest_streams_of_a_session_win() -> None:
    hub = Hub(Looks(), poll_s=60.0, max_per_session=2)
    first, second, third = (hub.attach("web-a", 1) for _ in range(3))
    assert first.is_closed
    assert first.is_replaced
    assert not second.is_closed
    assert not third.is_closed
    assert len(hub) == 2
    await hub.close()
    assert third.is_closed
    assert not third.is_replaced


async def test_streams_are_bounded() -> None:
    hub = Hub(Looks(), poll_s=60.0, max_streams=2)
    hub.attach("web-a", 1)
    hub.attach("web-b", 2)
    with pytest.raises(CrowdedError):
        hub.attach("web-c", 3)
    await hub.close()
