"""The REST channel, `bot.channels.rest.RestInput` in `credentials.yml`: for programs with the token.

POST /webhooks/rest/webhook takes `{"sender": ..., "message": ...}` and answers as Rasa's own channel does,
`[{"recipient_id": ..., "text": ...}]`. It is off without ATTUNE_REST_TOKEN, and unlike Rasa's it believes
nothing else that a body says: no metadata, no input channel, and senders have a name space of their own.
Some optional fields help a client: "message_id" makes a retry safe, "language" ("en" or "zh") is the one to
answer in when the message doesn't tell, and "country" (as in "GB"), "timezone" (as in "Europe/London") or
"locale" decides whose helplines are named.
"""

from __future__ import annotations

import hmac
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rasa.core.channels.channel import (  # type: ignore[import-untyped]
    CollectingOutputChannel,
    InputChannel,
    UserMessage,
)
from sanic import Sanic
from sanic.blueprints import Blueprint
from sanic.request import Request
from sanic.response import HTTPResponse

from bot.channels import replies
from bot.channels.exchange import GIVE_UP_AFTER_S, Exchange
from bot.channels.fallback import Fallback, UnkeptAnswer
from bot.channels.intake import (
    PLACE_FIELDS,
    IntakeError,
    body_limit_bytes,
    clean_text,
    read_message,
    read_object,
)
from bot.channels.limits import TokenBuckets
from bot.channels.pool import BusyError, StoragePool
from bot.channels.startup import StartCheck
from bot.core.errors import AttuneError
from bot.core.settings import Settings
from bot.storage.database import Database

CHANNEL = "rest"
SENDER_PREFIX = "rest-"
MAX_SENDER_CHARS = 128
POOL_WORKERS = 2

logger = logging.getLogger(__name__)


class RestOutput(CollectingOutputChannel):  # type: ignore[misc]
    """Collects Rasa's answers under the channel's name."""

    @classmethod
    def name(cls) -> str:
        """The channel's name, for responses that differ by channel."""
        return CHANNEL


class RestInput(InputChannel):  # type: ignore[misc]
    """Takes messages from programs that have the token.

    Args:
        settings: of this installation.
        answer_within_s: how long Rasa may take before the sender is told that something isn't working; by
            default as the settings say.
        give_up_after_s: how long Rasa may take at all.
    """

    pool: StoragePool
    exchange: Exchange
    fallback: Fallback

    def __init__(
        self,
        settings: Settings,
        answer_within_s: float | None = None,
        give_up_after_s: float = GIVE_UP_AFTER_S,
    ) -> None:
        self._settings = settings
        within_s = float(settings.answer_within_s) if answer_within_s is None else answer_within_s
        self._timeouts_s = (within_s, max(within_s, give_up_after_s))
        self._by_sender = TokenBuckets(settings.messages_per_minute)
        self._refused_by_address = TokenBuckets(settings.messages_per_minute)
        self._start = StartCheck()

    @classmethod
    def name(cls) -> str:
        """The channel's name in the record and in its address."""
        return CHANNEL

    @classmethod
    def from_credentials(cls, credentials: Mapping[str, Any] | None) -> RestInput:
        """The channel; its token is a setting, so that `credentials.yml` holds no secret."""
        return cls(Settings.from_environment())

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        """The webhook, or without a token no route at all."""
        blueprint = Blueprint("attune_rest")
        if not self._settings.rest_token:
            return blueprint

        async def open_resources(_app: Sanic, _loop: Any) -> None:
            try:
                database = Database(self._settings.effective_database_url)
                self.pool = StoragePool(database, workers=POOL_WORKERS)
                self.fallback = await Fallback.opened(self._settings, CHANNEL, self.pool)
            except AttuneError as error:
                self._start.refuse(error)
            self.exchange = Exchange(
                CHANNEL, self.pool, on_new_message, self.fallback, RestOutput, None, *self._timeouts_s
            )

        async def check(app: Sanic, _loop: Any) -> None:
            await self._start.check(app, self.pool)

        async def quieten(_app: Sanic, _loop: Any) -> None:
            await self.exchange.close()
            await self.fallback.close()

        async def close_resources(_app: Sanic, _loop: Any) -> None:
            await self.pool.close()

        @blueprint.get("/")
        async def root(_request: Request) -> HTTPResponse:
            return replies.json_reply({"status": "ok"})

        @blueprint.post("/webhook", stream=True)
        async def webhook(request: Request) -> HTTPResponse:
            return await self.answer(request)

        blueprint.listener("before_server_start")(open_resources)
        blueprint.listener("after_server_start")(check)
        blueprint.listener("before_server_stop")(quieten)
        blueprint.listener("after_server_stop")(close_resources)
        self._start.install(blueprint)
        return blueprint

    async def answer(self, request: Request) -> HTTPResponse:
        """Takes a message and answers with what the bot said to it."""
        data: dict[str, Any] = {}
        try:
            self._check_token(request)
            limit_bytes = body_limit_bytes(self._settings.max_message_chars)
            data = read_object(await replies.read_body(request, limit_bytes))
            sender = _read_sender(data.get("sender"))
            replies.check_rate(self._by_sender, sender, time.monotonic())
            incoming = read_message(
                {
                    "text": data.get("message"),
                    "message_id": data.get("message_id") or uuid.uuid4().hex,
                    "language": data.get("language"),
                    **{name: data.get(name) for name in PLACE_FIELDS},
                },
                self._settings.max_message_chars,
            )
            answer = await self.exchange.deliver(SENDER_PREFIX + sender, incoming)
        except IntakeError as error:
            return replies.error_reply(error, replies.language_of(request, data))
        except UnkeptAnswer as error:
            if error.is_danger:  # in the usual form, since a program may show nothing else to the person
                return replies.json_reply([{"recipient_id": sender, "text": error.text}])
            unavailable = IntakeError("unavailable", 503, seconds=5)
            return replies.error_reply(unavailable, replies.language_of(request, data), error.text)
        except BusyError as error:
            logger.warning("channel.busy error=%s", error)
            busy = IntakeError("busy", 503, seconds=5)
            return replies.error_reply(busy, replies.language_of(request, data))
        except AttuneError as error:
            logger.error("channel.request_failed error=%s", error)
            unavailable = IntakeError("unavailable", 503, seconds=5)
            return replies.error_reply(unavailable, replies.language_of(request, data))
        return replies.json_reply(
            [
                {"recipient_id": sender, "text": turn["text"]}
                for turn in answer["turns"]
                if turn["author"] != "person"
            ]
        )

    def _check_token(self, request: Request) -> None:
        """Returns when the request carries the token.

        Raises:
            IntakeError: 401, it doesn't; 429, it was wrong too often.
        """
        given = str(request.headers.get("authorization", ""))
        expected = f"Bearer {self._settings.rest_token}"
        if not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
            replies.check_rate(self._refused_by_address, replies.address_of(request), time.monotonic())
            raise IntakeError("no_token", 401)


def _read_sender(value: object) -> str:
    """The sender of a body.

    Raises:
        IntakeError: 422, none, or no usable one.
    """
    if not isinstance(value, str) or clean_text(value) != value or not 0 < len(value) <= MAX_SENDER_CHARS:
        raise IntakeError("bad_request", 422)
    return value
