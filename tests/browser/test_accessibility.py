"""Checks of the page that need no eyes: names, labels, roles, sizes and contrast."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from tests.browser.serving import Served
from tests.browser.test_page import PHONE, expect_answers, say

SMALLEST_TARGET_PX = 24  # WCAG 2.2, 2.5.8
CONTRAST = 4.5  # WCAG 2.2, 1.4.3

UNNAMED = """
() => [...document.querySelectorAll('button, a[href], input, textarea, [role=img], [role=meter]')]
  .filter((element) => element.getClientRects().length)
  .filter((element) => {
    const label = element.id && document.querySelector(`label[for="${element.id}"]`);
    const name = element.getAttribute('aria-label') || (label && label.textContent) || element.textContent;
    return !name.trim();
  })
  .map((element) => element.outerHTML.slice(0, 120))
"""
SMALL = """
(smallest) => [...document.querySelectorAll('button, summary')]
  .filter((element) => element.getClientRects().length)
  .filter((element) => {
    const box = element.getBoundingClientRect();
    return box.width < smallest || box.height < smallest;
  })
  .map((element) => element.outerHTML.slice(0, 120))
"""
FAINT = """
(least) => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const curve = (part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const channel = (value) => curve(value / 255);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const over = (top, under) => {
    const alpha = top.length > 3 ? top[3] : 1;
    return [0, 1, 2].map((index) => top[index] * alpha + under[index] * (1 - alpha));
  };
  const groundOf = (element) => {
    if (!element) return [255, 255, 255];
    const colour = parse(getComputedStyle(element).backgroundColor);
    if (colour.length > 3 && colour[3] === 0) return groundOf(element.parentElement);
    return over(colour, groundOf(element.parentElement));
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.getClientRects().length) continue;
    if (element.closest('.hidden, .skip, noscript, svg, :disabled, .pending')) continue;
    const ground = groundOf(element);
    const ink = over(parse(getComputedStyle(element).color), ground);
    const [low, high] = [light(ink), light(ground)].sort((one, other) => one - other);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < least) faint.push(`${ratio.toFixed(2)} ${walker.currentNode.textContent.slice(0, 40)}`);
  }
  return faint;
}
"""

OpenPage = Callable[..., Page]


def fill(page: Page, served: Served) -> None:
    """Brings up everything that the page can show."""
    say(page, "I was angry, please offer")
    expect_answers(page, 1)
    say(page, "bonjour, degraded")
    expect_answers(page, 2)
    say(page, "\u3164")
    expect(page.locator(".turn.failed")).to_have_count(1)
    page.locator("#panel-toggle").click()
    page.locator("#map summary").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("options", [{}, PHONE], ids=["wide", "phone"])
def test_everything_is_named_large_enough_and_readable(
    open_page: OpenPage, served: Served, scheme: str, options: dict[str, object]
) -> None:
    page = open_page(color_scheme=scheme, reduced_motion="reduce", **options)
    fill(page, served)
    for state in ("bot", "waiting", "human"):
        if state == "waiting":
            page.locator("#ask-human").click()
        if state == "human":
            served.answer_as_human("Anna", "Hello.")
        expect(page.locator("#status")).to_have_attribute("data-state", state)
        assert page.evaluate(UNNAMED) == []
        assert page.evaluate(SMALL, SMALLEST_TARGET_PX) == []
        assert page.evaluate(FAINT, CONTRAST) == []


def test_structure_can_be_walked(open_page: OpenPage, served: Served) -> None:
    page = open_page()
    fill(page, served)
    assert page.locator("h1").count() == 1
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3')].map((element) => Number(element.tagName[1]))"
    )
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.locator("main").count() == 1
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids))
    for attribute in ("aria-labelledby", "aria-describedby", "aria-controls", "for"):
        wanted = page.evaluate(
            f"[...document.querySelectorAll('[{attribute}]')]"
            f".flatMap((element) => element.getAttribute('{attribute}').split(' '))"
        )
        assert set(wanted) <= set(ids)


def test_each_answer_is_announced_once(open_page: OpenPage) -> None:
    page = open_page()
    announcer = page.locator("#announcer")
    expect(announcer).to_have_attribute("role", "log")
    expect(announcer).to_have_attribute("aria-live", "polite")
    for count in (1, 2):
        say(page, f"message {count}")
        expect_answers(page, count)
        expect(announcer.locator("p")).to_have_count(count)
    page.locator("[data-language=zh]").click()
    expect(page.locator(".about")).to_contain_text("程序")
    expect(announcer.locator("p")).to_have_count(2)


def test_motion_stops_when_asked(open_page: OpenPage) -> None:
    page = open_page(reduced_motion="reduce")
    say(page, "slow")
    expect(page.locator("#writing")).to_be_visible()
    duration = page.locator(".dots i").first.evaluate(
        "(element) => getComputedStyle(element).animationDuration"
    )
    assert float(duration.rstrip("s")) < 0.001
