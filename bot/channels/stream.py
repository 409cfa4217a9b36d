"""The live stream of one conversation, as server-sent events.

Events: `turn` (its id is the turn's, so that a browser resumes where it was), `reading` (a turn sent
before, now with what was read from it; without an id), `handoff`, and `elsewhere` when another tab of the
same session took this one's place. Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from bot.channels import record
from bot.channels.live import Listener
from bot.channels.pool import StoragePool
from bot.core.turn import Author

HEARTBEAT_S = 15.0
RETRY_MS = 2000
UNREAD_KEPT = 8  # person's turns without a reading that are looked at again
MAX_TURN_ID = 2**63 - 1


async def events(
    pool: StoragePool, listener: Listener, after_id: int, heartbeat_s: float = HEARTBEAT_S
) -> AsyncIterator[str]:
    """The stream, event by event, until the listener is closed.

    Args:
        pool: for storage calls.
        listener: of the conversation.
        after_id: the last turn that the reader has.
        heartbeat_s: seconds of silence before a comment keeps the connection open.
    """
    yield f"retry: {RETRY_MS}\n\n"
    last_id = after_id
    unread: deque[int] = deque(maxlen=UNREAD_KEPT)
    handoff: dict[str, Any] | None = None
    while not listener.is_closed:
        news = await pool.run(record.news, listener.conversation_id, last_id, tuple(unread))
        for turn in news.readings:
            unread.remove(turn["id"])
            yield event("reading", turn)
        for turn in news.turns:
            last_id = turn["id"]  # turns of a conversation appear in the order of their ids
            if turn["author"] == Author.PERSON.value and turn["reading"] is None:
                unread.append(turn["id"])
            yield event("turn", turn, last_id)
        if news.handoff != handoff:
            handoff = news.handoff
            yield event("handoff", handoff)
        if len(news.turns) < record.PAGE_TURNS and not await listener.wait(heartbeat_s):
            yield ": still here\n\n"
    if listener.is_replaced:
        yield event("elsewhere", {})


def event(name: str, data: Any, event_id: int | None = None) -> str:
    """One event in its wire form."""
    lead = "" if event_id is None else f"id: {event_id}\n"
    return f"event: {name}\n{lead}data: {json.dumps(data, separators=(',', ':'))}\n\n"


def resume_id(header: str | None, query: str | None) -> int:
    """The last turn a reader has: from Last-Event-ID, else from the address, else 0 for none."""
    for value in (header, query):
        if value and value.isascii() and value.isdigit():
            return min(int(value[:19]), MAX_TURN_ID)
    return 0
