"""Acts on what is overdue, from a thread of its own: for when the event loop itself is blocked.

Rasa reads a message in the server's own thread. A component that blocks there stops every timer of asyncio,
so that nothing on the loop can notice it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK_EVERY_S = 1.0

logger = logging.getLogger(__name__)


class Watch:
    """Calls whatever isn't done in time, once.

    Args:
        look_every_s: seconds between two looks.
    """

    def __init__(self, look_every_s: float = LOOK_EVERY_S) -> None:
        self._look_every_s = look_every_s
        self._lock = threading.Lock()
        self._due: dict[object, tuple[float, Callable[[], None]]] = {}
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, within_s: float, act: Callable[[], None]) -> Iterator[None]:
        """Calls `act` in the thread if the block takes longer than `within_s` seconds."""
        token = object()
        with self._lock:
            self._due[token] = (time.monotonic() + within_s, act)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="channel-watch", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._due.pop(token, None)

    def close(self) -> None:
        """Ends the thread; it isn't waited for."""
        self._stopped.set()

    def _look(self) -> None:
        while not self._stopped.wait(self._look_every_s):
            now_s = time.monotonic()
            with self._lock:
                late = [(token, act) for token, (at_s, act) in self._due.items() if at_s <= now_s]
                for token, _ in late:
                    del self._due[token]
            for _, act in late:
                try:
                    act()
                except Exception as error:
                    logger.critical("watch.failed error=%s", type(error).__name__)
