"""A Chromium, and the page in it.

Chromium is found, or on a Debian where the tests run as root installed; without one the tests are skipped
and say why.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.browser.serving import Served, serving

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
WAIT_MS = 20_000
INSTALL_WITHIN_S = 600


# Per package, not per session: while Playwright's synchronous driver is open, no test with `async def` can
# run in the same process.
@pytest.fixture(scope="package")
def playwright_driver() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="package")
def browser(playwright_driver: Playwright) -> Iterator[Browser]:
    expect.set_options(timeout=WAIT_MS)
    executable = _find_chromium(playwright_driver)
    opened = playwright_driver.chromium.launch(executable_path=executable, args=ARGUMENTS)
    yield opened
    opened.close()


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("page"), ATTUNE_MAX_MESSAGE_CHARS="500") as running:
        yield running


@pytest.fixture
def open_page(browser: Browser, served: Served) -> Iterator[Callable[..., Page]]:
    """Opens the page in a context of its own; what it logs as an error or asks elsewhere fails the test."""
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def open_one(url: str | None = None, **options: object) -> Page:
        options.setdefault("locale", "en-GB")
        context = browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(f"error in the page: {error}"))
        home = url or served.url
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((home, "data:", "blob:"))
                else troubles.append(f"a request left the origin: {request.url}")
            ),
        )
        page.goto(home)
        expect(page.locator("[data-language][aria-pressed=true]")).to_be_visible()
        expect(page.locator("html")).to_have_attribute("data-ready", "yes")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert troubles == []


def _find_chromium(driver: Playwright) -> str:
    named = os.environ.get("CHROMIUM")
    if named:
        if not Path(named).exists():
            pytest.fail(f"CHROMIUM is {named!r}, where there is nothing")
        return named
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    own = driver.chromium.executable_path
    if Path(own).exists():
        return own
    return _install_chromium()


def _install_chromium() -> str:
    if not shutil.which("apt-get") or os.geteuid() != 0:
        pytest.skip("no Chromium: install it, run `playwright install chromium`, or set CHROMIUM to its path")
    for command in (
        ["apt-get", "update"],
        ["apt-get", "install", "-y", "--no-install-recommends", "chromium"],
    ):
        ran = subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
            timeout=INSTALL_WITHIN_S,
            check=False,
        )
        if ran.returncode != 0:
            pytest.skip(f"no Chromium, and `{' '.join(command)}` failed: {ran.stderr.strip()[-300:]}")
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no Chromium: Debian's package was installed, but there is no `chromium` on the PATH")
    return found
