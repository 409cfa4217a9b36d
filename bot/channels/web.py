"""The chat page and its API: a Rasa channel, `bot.channels.web.WebInput` in `credentials.yml`.

GET  /                 the page
POST /chat/session     makes or renews the session cookie
GET  /chat/history     the turns so far
POST /chat/messages    a message and its answer
POST /chat/human       asks a human in, also when Rasa is broken
GET  /chat/events      what comes after, live
GET  /chat/health      whether all of this works
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, cast

from rasa.core.channels.channel import (  # type: ignore[import-untyped]
    CollectingOutputChannel,
    InputChannel,
    UserMessage,
)
from sanic import Sanic
from sanic.blueprints import Blueprint
from sanic.request import Request
from sanic.response import HTTPResponse

from bot.channels import record, replies
from bot.channels.assets import NEVER_KEPT, SECURITY_HEADERS, Assets
from bot.channels.exchange import GIVE_UP_AFTER_S, Exchange
from bot.channels.fallback import Fallback, UnkeptAnswer
from bot.channels.intake import IntakeError, body_limit_bytes, read_message, read_object
from bot.channels.limits import TokenBuckets
from bot.channels.live import CrowdedError, Hub
from bot.channels.origins import Origins
from bot.channels.pool import BusyError, StoragePool
from bot.channels.sessions import COOKIE, LIFE_S, Sessions
from bot.channels.startup import StartCheck
from bot.channels.stream import events, resume_id
from bot.core.errors import AttuneError
from bot.core.settings import Settings
from bot.storage.database import Database

CHANNEL = "web"
SESSIONS_PER_ADDRESS = 60  # a minute: a class that opens the page together shares one address
MESSAGES_PER_ADDRESS = 10  # times what one person may send, for the same reason
LOOKS_PER_ADDRESS = 600  # a minute: histories and streams
HEALTH_KEPT_S = 1.0
HEALTH_WITHIN_S = 8.0  # for the database: longer than it waits for a lock

_UNFIT = frozenset({"no_model", "no_database"})  # problems with which messages can't be answered properly

logger = logging.getLogger(__name__)

Handler = Callable[..., Awaitable[HTTPResponse | None]]


class WebOutput(CollectingOutputChannel):  # type: ignore[misc]
    """Collects Rasa's answers; the page gets them from the record, where the tracker store writes them."""

    @classmethod
    def name(cls) -> str:
        """The channel's name, for responses that differ by channel."""
        return CHANNEL


class WebInput(InputChannel):  # type: ignore[misc]
    """Serves the chat page and its API.

    Args:
        settings: of this installation.
        answer_within_s: how long Rasa may take before the person is told that something isn't working; by
            default as the settings say.
        give_up_after_s: how long Rasa may take at all.
    """

    def __init__(
        self,
        settings: Settings,
        answer_within_s: float | None = None,
        give_up_after_s: float = GIVE_UP_AFTER_S,
    ) -> None:
        self._settings = settings
        within_s = float(settings.answer_within_s) if answer_within_s is None else answer_within_s
        self._timeouts_s = (within_s, max(within_s, give_up_after_s))

    @classmethod
    def name(cls) -> str:
        """The channel's name in the record."""
        return CHANNEL

    @classmethod
    def from_credentials(cls, credentials: Mapping[str, Any] | None) -> WebInput:
        """The channel; it needs no credentials, and its settings are Attune's own."""
        return cls(Settings.from_environment())

    def url_prefix(self) -> str:
        """Absolute, so that Rasa doesn't put it under /webhooks/."""
        return "/chat"

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        """The page's routes, and the resources behind them for as long as the server runs."""
        server = ChatServer(self._settings, on_new_message, *self._timeouts_s)
        return server.blueprint()


class PageBlueprint(Blueprint):
    """A blueprint that also answers "/", which Rasa's server has taken for itself."""

    def register(self, app: Sanic, options: dict[str, Any]) -> None:
        """Registers the routes, and a look at every request before Rasa's own routes."""
        super().register(app, options)  # type: ignore[no-untyped-call]
        app.register_middleware(self.ctx.page, "request")


class ChatServer:
    """The handlers of the page's API.

    Args:
        settings: of this installation.
        on_new_message: Rasa's handler.
        answer_within_s: see `Exchange`.
        give_up_after_s: see `Exchange`.
    """

    pool: StoragePool
    hub: Hub
    exchange: Exchange
    fallback: Fallback

    def __init__(
        self,
        settings: Settings,
        on_new_message: Callable[[UserMessage], Awaitable[Any]],
        answer_within_s: float,
        give_up_after_s: float,
    ) -> None:
        self._settings = settings
        self._on_new_message = on_new_message
        self._timeouts_s = (answer_within_s, give_up_after_s)
        self._sessions = Sessions.load(settings)
        self._origins = Origins(settings.allowed_origins)
        self._assets = Assets()
        self._start = StartCheck()
        per_minute = settings.messages_per_minute
        self._by_session = TokenBuckets(per_minute)
        self._by_address = TokenBuckets(per_minute * MESSAGES_PER_ADDRESS)
        self._opened_by_address = TokenBuckets(SESSIONS_PER_ADDRESS)
        self._looks_by_address = TokenBuckets(LOOKS_PER_ADDRESS)
        self._health: tuple[float, list[str]] = (float("-inf"), [])

    def blueprint(self) -> Blueprint:
        """All routes and listeners."""
        blueprint = PageBlueprint("attune_web")
        blueprint.ctx.page = self.page
        for method, path, handler in (
            ("POST", "/session", self.open_session),
            ("GET", "/history", self.history),
            ("POST", "/messages", self.message),
            ("POST", "/human", self.human),
            ("GET", "/events", self.stream),
            ("GET", "/health", self.health),
            ("GET", "/static/<name:path>", self.static),
        ):
            route = blueprint.route(path, methods=[method], stream=method == "POST", name=handler.__name__)
            route(self._guarded(cast(Handler, handler)))
        blueprint.listener("before_server_start")(self._open)
        blueprint.listener("after_server_start")(self._check)
        blueprint.listener("before_server_stop")(self._quieten)
        blueprint.listener("after_server_stop")(self._close)
        self._start.install(blueprint)
        return blueprint

    async def page(self, request: Request) -> HTTPResponse | None:
        """The page at "/"; None lets every other request go on."""
        if request.path != "/" or request.method != "GET":
            return None
        return replies.asset_reply(request, self._assets.page, is_kept=False)

    async def static(self, request: Request, name: str) -> HTTPResponse:
        """A file of the page, under the digest of them all or without."""
        digest, _, rest = name.partition("/")
        asset = self._assets.find(rest) or self._assets.find(name)
        if asset is None:
            return replies.json_reply({"error": {"code": "not_found"}}, 404)
        return replies.asset_reply(request, asset, is_kept=digest == self._assets.digest)

    async def open_session(self, request: Request) -> HTTPResponse:
        """Makes the session cookie or renews it, and tells the page what it has to know."""
        data = read_object(await replies.read_body(request, body_limit_bytes(0)))
        sender_id = self._sender(request)
        cookie = request.cookies.get(COOKIE)
        if sender_id is None:
            replies.check_rate(self._opened_by_address, replies.address_of(request), time.monotonic())
            sender_id, cookie = self._sessions.new()
        response = replies.json_reply(
            {
                "max_message_chars": self._settings.max_message_chars,
                "language": replies.language_of(request, data),
            }
        )
        response.cookies[COOKIE] = cookie
        response.cookies[COOKIE].update({"path": "/", "httponly": True, "samesite": "Lax", "max-age": LIFE_S})
        if _is_secure(request):
            response.cookies[COOKIE]["secure"] = True
        return response

    async def history(self, request: Request) -> HTTPResponse:
        """The latest turns and whose turn it is."""
        replies.check_rate(self._looks_by_address, replies.address_of(request), time.monotonic())
        return replies.json_reply(await self.pool.run(record.history, self._known(request)))

    async def message(self, request: Request) -> HTTPResponse:
        """Takes a message and answers with every turn after it."""
        sender_id = self._known(request)
        limit_bytes = body_limit_bytes(self._settings.max_message_chars)
        data = read_object(await replies.read_body(request, limit_bytes))
        request.ctx.data = data
        now_s = time.monotonic()
        replies.check_rate(self._by_address, replies.address_of(request), now_s)
        replies.check_rate(self._by_session, sender_id, now_s)
        incoming = read_message(data, self._settings.max_message_chars)
        return replies.json_reply(await self.exchange.deliver(sender_id, incoming))

    async def human(self, request: Request) -> HTTPResponse:
        """Asks a human in without Rasa, so that it works when nothing else does."""
        sender_id = self._known(request)
        data = read_object(await replies.read_body(request, body_limit_bytes(0)))
        request.ctx.data = data
        replies.check_rate(self._by_address, replies.address_of(request), time.monotonic())
        replies.check_rate(self._by_session, sender_id, time.monotonic())
        conversation = await self.pool.write(
            record.ask_human, sender_id, CHANNEL, replies.language_of(request, data), time.time()
        )
        self.hub.wake(conversation)
        return replies.json_reply(await self.pool.run(record.history, sender_id))

    async def stream(self, request: Request) -> HTTPResponse | None:
        """The live stream; 204, which stops a browser from asking again, while there is no conversation."""
        replies.check_rate(self._looks_by_address, replies.address_of(request), time.monotonic())
        sender_id = self._known(request)
        conversation = await self.pool.run(record.conversation_id, sender_id)
        if conversation is None:
            return HTTPResponse(status=204, headers={**SECURITY_HEADERS, **NEVER_KEPT})
        after_id = resume_id(request.headers.get("last-event-id"), request.args.get("after"))
        listener = self.hub.attach(sender_id, conversation)
        try:
            response = await request.respond(
                headers={**SECURITY_HEADERS, **NEVER_KEPT, "X-Accel-Buffering": "no"},
                content_type="text/event-stream; charset=utf-8",
            )
            async for event in events(self.pool, listener, after_id):
                await response.send(event)
            await response.eof()
        except AttuneError as error:
            logger.warning("channel.stream_ended error=%s", error)  # the browser opens it again
        finally:
            self.hub.detach(listener)
        return None

    async def health(self, request: Request) -> HTTPResponse:
        """200 when the model is loaded and the database can be used, else 503; with all that is wrong."""
        now_s = time.monotonic()
        if now_s - self._health[0] > HEALTH_KEPT_S:
            self._health = (now_s, await self._look_at_health(request.app))
        problems = self._health[1]
        is_serving = not _UNFIT.intersection(problems)
        status = "degraded" if problems else "ok"
        return replies.json_reply({"status": status, "problems": problems}, 200 if is_serving else 503)

    async def _look_at_health(self, app: Sanic) -> list[str]:
        problems = self.fallback.problems()
        agent = getattr(app.ctx, "agent", None)
        if agent is None or not agent.is_ready():
            problems.append("no_model")
        try:
            await asyncio.wait_for(self.pool.check(), HEALTH_WITHIN_S)
        except (AttuneError, asyncio.TimeoutError) as error:
            logger.warning("channel.unhealthy error=%s", error)
            problems.append("no_database")
        return problems

    def _guarded(self, handler: Handler) -> Handler:
        """The handler, with other sites kept out and every refusal told in the person's language."""

        @wraps(handler)
        async def guarded(request: Request, **parts: str) -> HTTPResponse | None:
            care: str | None = None
            try:
                if not self._origins.permits(request.headers.get("origin"), request.headers.get("host", "")):
                    raise IntakeError("other_site", 403)
                return await handler(request, **parts)
            except IntakeError as error:
                refusal = error
            except UnkeptAnswer as error:
                refusal, care = IntakeError("unavailable", 503, seconds=5), error.text
            except (BusyError, CrowdedError) as error:
                logger.warning("channel.busy error=%s", error)
                refusal = IntakeError("busy", 503, seconds=5)
            except Exception:
                logger.exception("channel.request_failed path=%s", request.path)
                refusal = IntakeError("unavailable", 503, seconds=5)
            language = replies.language_of(request, getattr(request.ctx, "data", None))
            return replies.error_reply(refusal, language, care)

        return guarded

    def _sender(self, request: Request) -> str | None:
        return self._sessions.sender_id(request.cookies.get(COOKIE))

    def _known(self, request: Request) -> str:
        sender_id = self._sender(request)
        if sender_id is None:
            raise IntakeError("no_session", 401)
        return sender_id

    async def _open(self, app: Sanic, _loop: Any) -> None:
        try:
            self.pool = StoragePool(Database(self._settings.effective_database_url))
            self.hub = Hub(self._changes)
            self.fallback = await Fallback.opened(self._settings, CHANNEL, self.pool, self.hub.wake)
        except AttuneError as error:
            self._start.refuse(error)
        self.exchange = Exchange(
            CHANNEL, self.pool, self._on_new_message, self.fallback, WebOutput, self.hub, *self._timeouts_s
        )

    async def _changes(self, before: record.Changes | None, listened: frozenset[int]) -> record.Changes:
        return await self.pool.run(record.changes, before, listened)

    async def _check(self, app: Sanic, _loop: Any) -> None:
        await self._start.check(app, self.pool)

    async def _quieten(self, _app: Sanic, _loop: Any) -> None:
        await self.hub.close()
        await self.exchange.close()
        await self.fallback.close()

    async def _close(self, _app: Sanic, _loop: Any) -> None:
        await self.pool.close()


def _is_secure(request: Request) -> bool:
    """Whether the page was opened over TLS, here or at a proxy in front."""
    return bool(request.scheme == "https" or request.headers.get("origin", "").startswith("https://"))
