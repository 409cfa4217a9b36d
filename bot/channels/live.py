"""Who is listening to which conversation, and waking them when something was said in it.

One poller per server process looks for new turns, and only while somebody listens: a human's answer is
written by another process. What this process writes wakes its listeners at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.channels.record import Changes
from bot.core.errors import AttuneError

POLL_S = 0.5
POLL_FAILED_S = 2.0
MAX_STREAMS = 1000  # per process
MAX_STREAMS_PER_SESSION = 4  # browsers open six connections to a server over HTTP/1.1, for all tabs together

Key = TypeVar("Key", int, str)

logger = logging.getLogger(__name__)


class CrowdedError(AttuneError):
    """This process carries as many streams as it may."""


class Listener:
    """One open stream.

    Attributes:
        sender_id: whose session it belongs to.
        conversation_id: which conversation it follows.
        is_closed: whether it has to end.
        is_replaced: whether that is because another tab took its place.
    """

    def __init__(self, sender_id: str, conversation_id: int) -> None:
        self.sender_id = sender_id
        self.conversation_id = conversation_id
        self.is_closed = False
        self.is_replaced = False
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Lets the stream look for news."""
        self._news.set()

    def close(self, is_replaced: bool = False) -> None:
        """Lets the stream end."""
        self.is_closed = True
        self.is_replaced = is_replaced
        self._news.set()

    async def wait(self, timeout_s: float) -> bool:
        """Whether there may be news, after at most `timeout_s` seconds."""
        try:
            await asyncio.wait_for(self._news.wait(), timeout_s)
        except asyncio.TimeoutError:
            return False
        self._news.clear()
        return True


class Hub:
    """The listeners of one server process.

    Args:
        changes: looks for what is new since it was called last, given the conversations listened to.
        poll_s: seconds between two looks.
        max_streams: listeners at once.
        max_per_session: listeners of one session; a further one takes the place of the oldest.
    """

    def __init__(
        self,
        changes: Callable[[Changes | None, frozenset[int]], Awaitable[Changes]],
        poll_s: float = POLL_S,
        max_streams: int = MAX_STREAMS,
        max_per_session: int = MAX_STREAMS_PER_SESSION,
    ) -> None:
        self._changes = changes
        self._poll_s = poll_s
        self._max_streams = max_streams
        self._max_per_session = max_per_session
        self._by_conversation: dict[int, list[Listener]] = {}
        self._by_session: dict[str, list[Listener]] = {}
        self._poller: asyncio.Task[None] | None = None
        self._is_closed = False

    def attach(self, sender_id: str, conversation_id: int) -> Listener:
        """A listener to a conversation; hand it back with `detach`.

        Raises:
            CrowdedError: the process carries as many as it may, or is stopping.
        """
        mine = self._by_session.get(sender_id, [])
        for oldest in mine[: max(0, len(mine) + 1 - self._max_per_session)]:
            self.detach(oldest)
            oldest.close(is_replaced=True)
        if self._is_closed or len(self) >= self._max_streams:
            raise CrowdedError(f"{len(self)} streams are open")
        listener = Listener(sender_id, conversation_id)
        self._by_session.setdefault(sender_id, []).append(listener)
        self._by_conversation.setdefault(conversation_id, []).append(listener)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll(), name="channel-poller")
        return listener

    def detach(self, listener: Listener) -> None:
        """Forgets a listener; twice is as good as once."""
        _remove(self._by_session, listener.sender_id, listener)
        _remove(self._by_conversation, listener.conversation_id, listener)

    def wake(self, conversation_id: int) -> None:
        """Lets everybody who follows a conversation look for news."""
        for listener in self._by_conversation.get(conversation_id, ()):
            listener.wake()

    async def close(self) -> None:
        """Ends every stream and the poller."""
        self._is_closed = True
        for listeners in list(self._by_conversation.values()):
            for listener in list(listeners):
                listener.close()
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)

    def __len__(self) -> int:
        return sum(len(listeners) for listeners in self._by_session.values())

    async def _poll(self) -> None:
        seen: Changes | None = None
        has_failed = False
        while self._by_conversation:
            try:
                seen = await self._changes(seen, frozenset(self._by_conversation))
            except Exception as error:
                # A database that is away for a moment must not end the streams for good.
                if not has_failed:
                    level = logging.WARNING if isinstance(error, AttuneError) else logging.ERROR
                    logger.log(level, "channel.poll_failed error=%s", error)
                has_failed = True
                await asyncio.sleep(POLL_FAILED_S)
                continue
            if has_failed:
                logger.info("channel.poll_recovered")
                has_failed = False
                for conversation_id in list(self._by_conversation):
                    self.wake(conversation_id)
            for conversation_id in seen.changed:
                self.wake(conversation_id)
            await asyncio.sleep(self._poll_s)


def _remove(places: dict[Key, list[Listener]], key: Key, listener: Listener) -> None:
    listeners = places.get(key, [])
    if listener in listeners:
        listeners.remove(listener)
    if not listeners:
        places.pop(key, None)
