"""Reading requests and writing answers over HTTP, the same way in every public channel."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any

from sanic.exceptions import PayloadTooLarge
from sanic.request import Request
from sanic.response import HTTPResponse

from bot.channels.assets import ASKED_ANEW, KEPT_FOR_GOOD, NEVER_KEPT, SECURITY_HEADERS, Asset
from bot.channels.intake import IntakeError
from bot.channels.limits import TokenBuckets, address_key
from bot.channels.lines import line
from bot.core.turn import CHINESE, ENGLISH, LANGUAGES

BODY_WITHIN_S = 30.0


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The body of a request to a streaming route, never holding more than `limit_bytes` and a chunk.

    Raises:
        IntakeError: 413, too long; 408, too slow.
    """
    stream: Any = request.stream
    stream.request_max_size = limit_bytes

    async def collect() -> bytes:
        body = bytearray()
        async for chunk in stream:
            body += chunk
        return bytes(body)

    try:
        return await asyncio.wait_for(collect(), BODY_WITHIN_S)
    except PayloadTooLarge as error:
        raise IntakeError("body_too_long", 413) from error
    except asyncio.TimeoutError as error:
        raise IntakeError("bad_request", 408) from error


def check_rate(buckets: TokenBuckets, key: str, now_s: float) -> None:
    """Takes a token.

    Raises:
        IntakeError: 429, there was none.
    """
    wait_s = buckets.take(key, now_s)
    if wait_s > 0.0:
        raise IntakeError("too_fast", 429, seconds=math.ceil(wait_s))


def address_of(request: Request) -> str:
    """The key of the sender's address: what a trusted proxy says, where the operator named one."""
    return address_key(request.remote_addr or request.ip)


def language_of(request: Request, data: Mapping[str, Any] | None = None) -> str:
    """The language to answer a request in: what it says, else what its browser prefers, else English."""
    said = (data or {}).get("language")
    if said in LANGUAGES:
        return str(said)
    preferred = str(request.headers.get("accept-language", "")).lower()
    return CHINESE if preferred.startswith(CHINESE) else ENGLISH


def json_reply(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HTTPResponse:
    """A JSON answer that nobody keeps."""
    return HTTPResponse(
        json.dumps(data, ensure_ascii=False, separators=(",", ":")),
        status=status,
        headers={**SECURITY_HEADERS, **NEVER_KEPT, **(headers or {})},
        content_type="application/json",
    )


def error_reply(error: IntakeError, language: str, care: str | None = None) -> HTTPResponse:
    """The answer to a request that isn't let in: a stable code, and a sentence for the person.

    Args:
        error: why it isn't let in.
        language: of the sentence.
        care: what the person has to be shown all the same, since there is or may be danger.
    """
    body: dict[str, Any] = {
        "code": error.code,
        "message": line(f"errors.{error.code}", language, **error.values),
    }
    if care is not None:
        body["care"] = care
    headers = {}
    if "seconds" in error.values:
        body["retry_after_s"] = error.values["seconds"]
        headers["Retry-After"] = str(error.values["seconds"])
    return json_reply({"error": body}, error.status, headers)


def asset_reply(request: Request, asset: Asset, is_kept: bool) -> HTTPResponse:
    """A file, or "304 Not Modified" to a browser that has it.

    Args:
        request: what was asked.
        asset: the file.
        is_kept: whether its address changes with its content, so that it may be kept for good.
    """
    keeping = KEPT_FOR_GOOD if is_kept else ASKED_ANEW
    headers = {**SECURITY_HEADERS, **keeping, "ETag": asset.etag}
    known = str(request.headers.get("if-none-match", ""))
    if asset.etag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
        return HTTPResponse(status=304, headers=headers)
    return HTTPResponse(asset.body, headers=headers, content_type=asset.content_type)
