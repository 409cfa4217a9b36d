"""For people on duty, `bot.channels.duty.DutyInput` in `credentials.yml`. It takes no messages.

GET  /duty/page/<token>   a page's facts, and a button
POST /duty/page/<token>   "I have seen this": nobody else is called
GET  /duty/health         200 when a page would reach somebody or nobody is to be paged, else 503

Looking acknowledges nothing, since mail scanners and chat programs open every link they see. While the server
runs, it also watches the worker that sends pages, and says in the log when that is silent or broken.
"""

from __future__ import annotations

import asyncio
import html
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rasa.core.channels.channel import InputChannel, UserMessage  # type: ignore[import-untyped]
from sanic import Sanic
from sanic.blueprints import Blueprint
from sanic.request import Request
from sanic.response import HTTPResponse

from bot.channels import replies
from bot.channels.assets import NEVER_KEPT, SECURITY_HEADERS
from bot.channels.intake import IntakeError
from bot.channels.limits import TokenBuckets
from bot.core.errors import AttuneError, PageError
from bot.core.page import PageState
from bot.core.settings import Settings
from bot.duty import health
from bot.duty.links import Links
from bot.storage import pages
from bot.storage.database import Database
from bot.storage.pages import Page

CHANNEL = "duty"
LOOKS_PER_ADDRESS = 60  # a minute
WATCH_S = 60.0  # between two looks at the worker
FIRST_LOOK_S = 90.0  # after the start, when the worker has had the time to look at its senders
HEALTH_KEPT_S = 5.0
# As everywhere, but for the one form, which posts to the same address.
HEADERS = {
    **SECURITY_HEADERS,
    **NEVER_KEPT,
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
}

logger = logging.getLogger(__name__)


class DutyInput(InputChannel):  # type: ignore[misc]
    """Serves the links on pages, and watches the worker.

    Args:
        settings: of this installation.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._looks = TokenBuckets(LOOKS_PER_ADDRESS)
        self._health: tuple[float, str] = (float("-inf"), "")
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    def name(cls) -> str:
        """The channel's name."""
        return CHANNEL

    @classmethod
    def from_credentials(cls, credentials: Mapping[str, Any] | None) -> DutyInput:
        """The channel; it needs no credentials."""
        return cls(Settings.from_environment())

    def url_prefix(self) -> str:
        """Absolute, so that Rasa doesn't put it under /webhooks/."""
        return "/duty"

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        """The routes; without a roster none at all."""
        blueprint = Blueprint("attune_duty")
        if not self._settings.duty_file:
            return blueprint
        self._links = Links.load(self._settings)

        @blueprint.route("/page/<token:str>", methods=["GET", "POST"])
        async def page(request: Request, token: str) -> HTTPResponse:
            return await self.page(request, token)

        @blueprint.get("/health")
        async def health(request: Request) -> HTTPResponse:
            return await self.health(request)

        blueprint.listener("before_server_start")(self._open)
        blueprint.listener("after_server_stop")(self._close)
        return blueprint

    async def page(self, request: Request, token: str) -> HTTPResponse:
        """A page's facts; a POST acknowledges it."""
        try:
            replies.check_rate(self._looks, replies.address_of(request), time.monotonic())
            claim = self._links.read(token, time.time())
            is_seen = request.method == "POST"
            found = await asyncio.to_thread(self._page, claim.page_id, claim.person if is_seen else None)
        except IntakeError as error:
            return _reply("Too many requests", "<p>Please wait a moment.</p>", error.status)
        except PageError as error:
            return _reply("No such page", f"<p>{html.escape(str(error))}</p>", 404)
        except AttuneError as error:
            logger.error("duty.link_failed error=%s", error)
            text = "<p>This did not work. Please use the command in the message instead.</p>"
            return _reply("Not available", text, 503)
        if is_seen:
            logger.info("duty.link_used page=%d state=%s", found.id, found.state.value)
        return _reply(f"Page {found.id}", _body(found, time.time()))

    async def health(self, request: Request) -> HTTPResponse:
        """Whether paging works; the reasons are in the log and in `attune duty status`."""
        now_s = time.monotonic()
        if now_s - self._health[0] > HEALTH_KEPT_S:
            status = await asyncio.to_thread(health.examine, self._settings, self._database)
            self._health = (now_s, status.status)
        status_word = self._health[1]
        return replies.json_reply({"status": status_word}, 200 if status_word == health.OK else 503)

    def _page(self, page_id: int, acknowledged_by: str | None) -> Page:
        with self._database.session(exclusive=acknowledged_by is not None) as session:
            if acknowledged_by is None:
                return pages.get(session, page_id)
            return pages.acknowledge(session, page_id, acknowledged_by, time.time())

    async def _open(self, _app: Sanic, _loop: Any) -> None:
        self._database = Database(self._settings.effective_database_url)
        self._watch = asyncio.create_task(self._keep_watch())

    async def _close(self, _app: Sanic, _loop: Any) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await asyncio.to_thread(self._database.close)

    async def _keep_watch(self) -> None:
        """Says so, again and again, while paging is broken; its worker could be the part that is."""
        await asyncio.sleep(FIRST_LOOK_S)
        while True:
            try:
                status = await asyncio.to_thread(health.examine, self._settings, self._database)
                for problem in status.problems:
                    logger.error("duty.paging_is_broken problem=%s", problem)
            except Exception as error:
                logger.error("duty.watch_failed error=%s", type(error).__name__)
            await asyncio.sleep(WATCH_S)


def _body(page: Page, now: float) -> str:
    waiting = int((now - page.waiting_since) // 60)
    kind = (page.kind or "kind not known").replace("_", " ")
    facts = (
        f"<p>{html.escape(page.level)}, {html.escape(kind)}. Conversation {page.conversation_id}, "
        f"handoff {page.handoff_id}. Asked for {waiting} min ago.</p>"
    )
    if page.state is PageState.WAITING:
        button = (
            '<form method="post"><button type="submit">I have seen this and take care of it</button></form>'
        )
        return f"{facts}<p>The person is waiting, and nobody has seen this yet.</p>{button}"
    by = html.escape(page.acknowledged_by or "somebody")
    if page.state is PageState.ACKNOWLEDGED:
        take = f'attune handoff take {page.handoff_id} --as "NAME"'
        return (
            f"{facts}<p><b>Seen by {by}.</b> The person is still waiting. Take the conversation over:</p>"
            f"<p><code>{html.escape(take)}</code></p>"
        )
    return f"{facts}<p>This page no longer calls anybody: it is {page.state.value} ({by}).</p>"


def _reply(title: str, body: str, status: int = 200) -> HTTPResponse:
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)} - Attune</title><main><h1>{html.escape(title)}</h1>{body}</main></html>"
    )
    return HTTPResponse(text, status=status, headers=HEADERS, content_type="text/html; charset=utf-8")
