"""A server that would lose what people write doesn't start: the check, and ending with a failure."""

from __future__ import annotations

import logging
import multiprocessing
from typing import Any, NoReturn

from sanic import Sanic
from sanic.blueprints import Blueprint

from bot.channels.pool import StoragePool
from bot.core.errors import AttuneError
from bot.stores.guard import require_durable_store

FAILURE_CODE = 1


class StartCheck:
    """Refuses to serve on a store that loses data, in one line and with a failing exit status.

    The flag is shared memory, since with several workers it is a child that finds out and the parent
    whose exit status counts.
    """

    def __init__(self) -> None:
        self._has_refused = multiprocessing.RawValue("b", 0)

    def install(self, blueprint: Blueprint) -> None:
        """Lets the parent of several workers fail when they did."""
        blueprint.listener("main_process_stop")(self._exit)

    async def check(self, app: Sanic, pool: StoragePool) -> None:
        """Returns when the server may serve.

        Raises:
            SystemExit: it may not; the text says why.
        """
        try:
            require_durable_store(getattr(app.ctx, "agent", None))
            await pool.check()
        except AttuneError as error:
            self.refuse(error)

    def refuse(self, error: AttuneError) -> NoReturn:
        """Ends the process: Python prints the text of a SystemExit and exits with 1.

        Raises:
            SystemExit: always.
        """
        self._has_refused.value = 1
        logging.getLogger("sanic.error").addFilter(_is_no_exit)
        raise SystemExit(f"Attune can't start: {' '.join(str(error).split())}") from error

    async def _exit(self, _app: Sanic, _loop: Any) -> None:
        if self._has_refused.value:
            logging.getLogger("sanic.error").addFilter(_is_no_exit)
            raise SystemExit(FAILURE_CODE)


def _is_no_exit(record: logging.LogRecord) -> bool:
    """Whether a log record is anything but sanic's traceback of an exit that is meant."""
    return not (record.exc_info and record.exc_info[0] is SystemExit)
