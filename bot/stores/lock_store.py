"""One message of a conversation at a time, first come first served, within this process.

Rasa's own lock store in memory makes a waiting message look again once a second; here the next one starts
the moment the one before it is done.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from rasa.core.lock import TicketLock
from rasa.core.lock_store import LOCK_LIFETIME, LockError, LockStore

logger = logging.getLogger(__name__)


@dataclass
class _Queue:
    """Who waits for a conversation; the holder itself isn't in it."""

    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class AttuneLockStore(LockStore):
    """Locks of one process. For several, use PostgreSQL together with Rasa's Redis lock store."""

    def __init__(self, endpoint_config: Any = None) -> None:
        """Makes an empty store.

        Args:
            endpoint_config: from `endpoints.yml`; nothing in it is used.
        """
        super().__init__()
        self._held: dict[str, _Queue] = {}
        workers = os.environ.get("SANIC_WORKERS", "1")
        if workers != "1":
            logger.warning(
                "lock_store.one_process_only SANIC_WORKERS=%s: messages of one conversation may be handled "
                "at once by different workers; use `type: redis` for the lock store",
                workers,
            )

    @asynccontextmanager
    async def lock(
        self,
        conversation_id: str,
        lock_lifetime: float = LOCK_LIFETIME,
        wait_time_in_seconds: float = 1,
    ) -> AsyncGenerator[TicketLock, None]:
        """Holds a conversation.

        Args:
            conversation_id: Rasa's sender id.
            lock_lifetime: longest wait in seconds.
            wait_time_in_seconds: not used, nothing is polled.

        Raises:
            LockError: the wait was longer than `lock_lifetime`.
        """
        await self._acquire(conversation_id, lock_lifetime)
        try:
            yield TicketLock(conversation_id)
        finally:
            self._release(conversation_id)

    def is_someone_waiting(self, conversation_id: str) -> bool:
        """Whether a message waits behind the one being handled."""
        queue = self._held.get(conversation_id)
        return queue is not None and bool(queue.waiting)

    async def _acquire(self, conversation_id: str, longest_wait_s: float) -> None:
        queue = self._held.get(conversation_id)
        if queue is None:
            self._held[conversation_id] = _Queue()
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        queue.waiting.append(turn)
        expiry = loop.call_later(longest_wait_s, _expire, turn, conversation_id, longest_wait_s)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                # Cancelled in the very moment the lock was handed over: hand it on.
                self._release(conversation_id)
            elif turn in queue.waiting:
                queue.waiting.remove(turn)
            raise
        finally:
            expiry.cancel()

    def _release(self, conversation_id: str) -> None:
        queue = self._held[conversation_id]
        while queue.waiting:
            turn = queue.waiting.popleft()
            if not turn.done():
                turn.set_result(None)  # the lock stays held, by the next
                return
        del self._held[conversation_id]


def _expire(turn: asyncio.Future[None], conversation_id: str, waited_s: float) -> None:
    if not turn.done():
        turn.set_exception(
            LockError(f"Waited {waited_s:.0f} s for the message before this one in '{conversation_id}'.")
        )
