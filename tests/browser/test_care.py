"""Somebody in danger is answered on the page while nothing they write can be kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.serving import serving
from tests.browser.test_page import say

OpenPage = Callable[..., Page]


def test_answer_to_danger_is_shown_once_and_the_message_is_sent_when_it_can_be(
    open_page: OpenPage, tmp_path: Path
) -> None:
    with serving(tmp_path) as served:
        page = open_page(served.url, timezone_id="Europe/London")
        say(page, "hello")
        expect(page.locator(".turn.bot")).to_have_count(1)
        served.break_database()
        say(page, "I want to kill myself")
        care = page.locator(".turn.bot", has_text="I have to be honest")
        expect(care).to_have_count(1)
        expect(care).to_contain_text("999")
        expect(page.locator("#announcer p", has_text="I have to be honest")).to_have_count(1)
        page.locator(".turn.pending").get_by_role("button", name="Try again").click()
        expect(page.locator(".turn.pending")).to_have_count(1)
        expect(care).to_have_count(1)
        page.reload()
        expect(care).to_have_count(1)
        served.mend_database()
        expect(page.locator(".turn.pending")).to_have_count(0, timeout=60_000)
        expect(page.locator(".turn.person")).to_have_count(2)
        expect(care).to_have_count(1)
