"""Storage calls off the event loop: a small bounded executor with one database session per call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from bot.core.errors import AttuneError
from bot.storage.database import Database

WORKERS = 4  # threads; the embedded database has one writer anyway
MAX_WAITING = 256  # calls in hand before further ones are turned away

P = ParamSpec("P")
T = TypeVar("T")


class BusyError(AttuneError):
    """More is waiting for the database than can be worked off soon."""


class StoragePool:
    """Runs functions of a database session in threads.

    Args:
        database: where the sessions come from; closed with the pool.
        workers: threads.
        max_waiting: calls that may be running or waiting at once.
    """

    def __init__(self, database: Database, workers: int = WORKERS, max_waiting: int = MAX_WAITING) -> None:
        self._database = database
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="channel-storage")
        self._max_waiting = max_waiting
        self._in_hand = 0

    async def run(self, function: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function(session, ...)` reads.

        Raises:
            BusyError: too many calls are waiting.
            StorageError: the database can't be used.
        """
        return await self._submit(partial(self._call, False, function, *args, **kwargs))

    async def write(self, function: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function(session, ...)` returns; what it wrote is committed, all or nothing.

        Raises:
            BusyError: too many calls are waiting.
            StorageError: the database can't be used.
        """
        return await self._submit(partial(self._call, True, function, *args, **kwargs))

    def write_here(self, function: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `write`, in the calling thread, which must not be the event loop's.

        Raises:
            StorageError: the database can't be used.
        """
        return self._call(True, function, *args, **kwargs)

    async def check(self) -> None:
        """Returns when the database can be used.

        Raises:
            StorageError: it can't, in plain words.
            BusyError: too many calls are waiting.
        """
        await self._submit(self._database.check)

    async def close(self) -> None:
        """Lets running calls end, then closes the database."""
        await asyncio.get_running_loop().run_in_executor(None, self._shut)

    async def _submit(self, call: Callable[[], T]) -> T:
        if self._in_hand >= self._max_waiting:
            raise BusyError(f"{self._in_hand} storage calls are waiting")
        self._in_hand += 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, call)
        # Counted until the thread is done with it, also when the one who asked has gone.
        future.add_done_callback(self._released)
        return await asyncio.shield(future)

    def _call(self, exclusive: bool, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        with self._database.session(exclusive=exclusive) as session:
            return function(session, *args, **kwargs)

    def _released(self, future: asyncio.Future[Any]) -> None:
        self._in_hand -= 1
        if not future.cancelled():
            future.exception()  # read, so that a call nobody waits for any more isn't reported as lost

    def _shut(self) -> None:
        self._executor.shutdown(wait=True)
        self._database.close()
