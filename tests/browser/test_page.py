"""The chat page, as people use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.serving import Served, serving

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}

OpenPage = Callable[..., Page]


def say(page: Page, text: str) -> None:
    page.locator("#message").fill(text)
    page.locator("#message").press("Enter")


def expect_answers(page: Page, count: int) -> None:
    expect(page.locator(".turn.bot")).to_have_count(count)
    expect(page.locator("#writing")).to_be_hidden()


def test_first_card_says_what_this_is(open_page: OpenPage) -> None:
    card = open_page().locator(".about")
    for words in ("a program", "not a clinician", "read the emotion", "is kept by the team", "in danger"):
        expect(card).to_contain_text(words)


def test_message_is_answered(open_page: OpenPage) -> None:
    page = open_page()
    say(page, "I am so angry")
    expect(page.locator(".turn.person")).to_contain_text("I am so angry")
    expect_answers(page, 1)
    expect(page.locator(".turn.person time")).to_be_visible()
    expect(page.locator("#message")).to_have_value("")


def test_reload_keeps_everything(open_page: OpenPage) -> None:
    page = open_page()
    say(page, "remember me")
    expect_answers(page, 1)
    page.locator("#message").fill("half a thou")
    page.reload()
    expect_answers(page, 1)
    expect(page.locator(".turn.person")).to_contain_text("remember me")
    expect(page.locator("#message")).to_have_value("half a thou")
    expect(page.locator("#announcer p")).to_have_count(0)


def test_message_written_offline_survives_a_reload_and_is_sent(open_page: OpenPage, served: Served) -> None:
    page = open_page()
    say(page, "before")
    expect_answers(page, 1)
    page.context.set_offline(True)
    say(page, "written without a connection")
    waiting = page.locator(".turn.pending")
    expect(waiting).to_contain_text("Waiting for the connection")
    expect(page.locator("#banner")).to_be_visible()
    assert "written without a connection" in page.evaluate("localStorage.getItem('attune.outbox')")
    page.context.set_offline(False)
    page.reload()
    expect_answers(page, 2)
    expect(page.locator(".turn.person")).to_have_count(2)
    expect(page.locator(".turn.pending")).to_have_count(0)
    assert json.loads(page.evaluate("localStorage.getItem('attune.outbox')")) == []


def test_message_written_while_the_server_is_away_is_sent_once_it_is_back(
    open_page: OpenPage, tmp_path: Path
) -> None:
    with serving(tmp_path) as served:
        page = open_page(served.url)
        say(page, "one")
        expect_answers(page, 1)
        served.stop()
        say(page, "two")
        expect(page.locator(".turn.pending")).to_contain_text("Waiting for the connection")
        expect(page.locator("#banner")).to_contain_text("connection was lost")
        served.start()
        expect(page.locator(".turn.bot")).to_have_count(2, timeout=60_000)
        expect(page.locator("#banner")).to_be_hidden(timeout=60_000)
        expect(page.locator(".turn.person")).to_have_count(2)


def test_refused_message_stays_and_can_be_taken_back(open_page: OpenPage) -> None:
    page = open_page()
    page.locator("#message").fill("x" * 450)
    expect(page.locator("#count")).to_have_text("50 characters left")
    page.locator("#message").fill("x" * 501)
    expect(page.locator("#count")).to_have_text("1 characters too many")
    expect(page.locator("#send")).to_be_disabled()
    say(page, "\u3164")
    failed = page.locator(".turn.failed")
    expect(failed).to_contain_text("nothing readable")
    page.reload()
    expect(failed).to_contain_text("nothing readable")
    failed.get_by_role("button", name="Remove").click()
    expect(failed).to_have_count(0)
    expect(page.locator("#message")).to_have_value("\u3164")


def test_keyboard_is_enough(open_page: OpenPage) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    expect(page.locator(".skip").first).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_be_focused()
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    expect_answers(page, 1)
    assert page.locator(".turn.person .bubble").inner_text() == "one\ntwo"
    seen = []
    for _ in range(12):
        page.keyboard.press("Shift+Tab")
        seen.append(page.evaluate("document.activeElement.id"))
        if seen[-1] == "panel-toggle":
            break
    assert "ask-human" in seen
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#panel-heading")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    expect(page.locator("#panel-toggle")).to_be_focused()


def test_choosing_characters_does_not_send(open_page: OpenPage) -> None:
    page = open_page()
    page.locator("#message").fill("ni hao")
    for options in ("{key: 'Enter', isComposing: true", "{key: 'Enter', keyCode: 229"):
        page.evaluate(
            "document.getElementById('message').dispatchEvent("
            f"new KeyboardEvent('keydown', {options}, bubbles: true, cancelable: true}}))"
        )
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.locator("#message")).to_have_value("ni hao")


def test_chinese_throughout_and_remembered(open_page: OpenPage) -> None:
    page = open_page(locale="zh-CN")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator(".about")).to_contain_text("我是一个程序")
    say(page, "我最近特别累")
    expect(page.locator(".turn.bot")).to_contain_text("不容易")
    page.locator("#panel-toggle").click()
    expect(page.locator("#reading")).to_contain_text("还不支持这种语言")
    page.locator("[data-language=en]").click()
    expect(page.locator(".about")).to_contain_text("I'm a program")
    page.reload()
    expect(page.locator(".about")).to_contain_text("I'm a program")


def test_panel_shows_the_reading_and_the_path(open_page: OpenPage) -> None:
    page = open_page()
    page.locator("#panel-toggle").click()
    expect(page.locator("#reading")).to_contain_text("Nothing has been read yet")
    for count, text in enumerate(("so angry", "sad now", "a relief"), start=1):
        say(page, text)
        expect_answers(page, count)
    expect(page.locator(".reading-label")).to_have_text("relief")
    expect(page.locator(".sure")).to_contain_text("quite sure · 90%")
    expect(page.locator(".meter")).to_have_attribute("aria-valuenow", "90")
    expect(page.locator(".plane .point")).to_have_count(3)
    expect(page.locator(".plane line.path")).to_have_count(2)
    expect(page.locator(".plane .last")).to_have_text("relief")
    alternative = page.locator(".plane").get_attribute("aria-label") or ""
    assert "3 readings" in alternative
    assert alternative.endswith("relief, pleasant, calm.")
    page.locator("#map summary").click()
    expect(page.locator("#map tbody tr")).to_have_count(3)
    expect(page.locator("#map tbody tr").first).to_contain_text("62")


@pytest.mark.parametrize(
    ("text", "label", "note"),
    [
        ("hm, whatever", "I'm not sure", "several things"),
        ("bonjour", "Not read in this language", "French"),
        ("angry, degraded", "anger", "a simpler one stood in"),
        ("hm, degraded", "I'm not sure", "a simpler one stood in"),
    ],
)
def test_panel_says_what_it_does_not_know(open_page: OpenPage, text: str, label: str, note: str) -> None:
    page = open_page()
    say(page, text)
    expect_answers(page, 1)
    page.locator("#panel-toggle").click()
    expect(page.locator(".reading-label")).to_have_text(label)
    expect(page.locator("#reading")).to_contain_text(note)
    expect(page.locator(".plane")).to_have_count(0)


def test_human_comes_and_goes_without_a_reload(open_page: OpenPage, served: Served) -> None:
    page = open_page()
    say(page, "hello")
    expect_answers(page, 1)
    page.locator("#ask-human").click()
    state = page.locator("#handoff-state")
    expect(state).to_have_text("A person has been asked to join")
    expect(page.locator("#ask-human")).to_be_hidden()
    served.answer_as_human("Anna", "Hi, I'm Anna. <i>Here</i> for you.")
    human = page.locator(".turn.human")
    expect(human).to_contain_text("Anna · a person of the team")
    expect(human.locator(".bubble")).to_have_text("Hi, I'm Anna. <i>Here</i> for you.")
    expect(state).to_have_text("Anna is here")
    said = page.locator("#announcer p", has_text="Hi, I'm Anna.")
    expect(said).to_have_count(1)
    expect(said).to_have_text("Anna, a person: Hi, I'm Anna. <i>Here</i> for you.")
    say(page, "thank you")
    expect(page.locator(".turn.person time").last).to_be_visible()
    expect(page.locator("#writing")).to_be_hidden()
    served.give_back()
    expect(state).to_have_text("You are talking to Attune again")
    expect(page.locator("#ask-human")).to_be_visible()
    page.reload()
    expect(page.locator(".turn.human")).to_have_count(1)


def test_first_thing_may_be_asking_for_a_person(open_page: OpenPage, served: Served) -> None:
    page = open_page()
    page.locator("#ask-human").click()
    expect(page.locator("#handoff-state")).to_have_text("A person has been asked to join")
    expect(page.locator(".turn.bot")).to_contain_text("asked a person of the team")
    served.answer_as_human("Ben", "Hello.")
    expect(page.locator("#handoff-state")).to_have_text("Ben is here")


def test_trouble_is_owned_up_to_with_a_button(open_page: OpenPage) -> None:
    page = open_page()
    say(page, "crash")
    expect(page.locator(".turn.bot")).to_contain_text("Something on my side isn't working")
    page.locator(".turn.bot .offer").click()
    expect(page.locator("#handoff-state")).to_have_text("A person has been asked to join")
    expect(page.locator(".offer")).to_have_count(0)


def test_tabs_of_one_person_show_the_same(open_page: OpenPage) -> None:
    page = open_page()
    say(page, "hello")
    expect_answers(page, 1)
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator(".turn")).to_have_count(2)
    say(other, "from the other tab, angry")
    expect(page.locator(".turn")).to_have_count(4)
    page.locator("#panel-toggle").click()
    expect(page.locator(".reading-label")).to_have_text("anger")


def test_text_is_never_markup(open_page: OpenPage) -> None:
    page = open_page()
    attack = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    say(page, attack)
    expect_answers(page, 1)
    expect(page.locator(".turn.person .bubble")).to_have_text(attack)
    page.locator("#panel-toggle").click()
    expect(page.locator("#reading")).to_contain_text("<img")
    assert page.locator(".turn img, #panel img, .turn script").count() == 0
    assert page.title() == "Attune"


def test_numbers_and_addresses_can_be_tapped(open_page: OpenPage) -> None:
    page = open_page()
    say(page, "helpline")
    expect_answers(page, 1)
    links = page.locator(".turn.bot a")
    assert [link.get_attribute("href") for link in links.all()] == ["tel:988", "https://988lifeline.org/chat"]
    assert links.last.get_attribute("rel") == "noopener noreferrer"


def test_right_to_left_text_runs_its_own_way(open_page: OpenPage) -> None:
    page = open_page()
    say(page, "مرحبا كيف حالك")
    expect_answers(page, 1)
    bubbles = page.locator(".turn .bubble")
    assert bubbles.first.evaluate("element => getComputedStyle(element).direction") == "rtl"
    assert bubbles.last.evaluate("element => getComputedStyle(element).direction") == "ltr"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_phone_never_scrolls_sideways(open_page: OpenPage, scheme: str, locale: str) -> None:
    page = open_page(color_scheme=scheme, locale=locale, **PHONE)
    say(page, "W" * 300)
    expect_answers(page, 1)
    for font in ("100%", "200%"):
        page.evaluate(f"document.documentElement.style.fontSize = '{font}'")
        for _ in range(2):
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            assert page.evaluate("document.getElementById('log').scrollWidth") <= 360
            expect(page.locator("#ask-human")).to_be_in_viewport(ratio=0.99)
            page.locator("#panel-toggle").click()
        expect(page.locator("#panel")).to_be_hidden()
        expect(page.locator("#message")).to_be_in_viewport()
