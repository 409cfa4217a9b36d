"""A pipe that tells a child process that its parent is gone, however the parent went.

The parent keeps the writing end open for as long as it lives; nothing is ever written. When the reading
end reports end of file, the parent has ended, if need be by SIGKILL, and the child stops itself. This
works on every POSIX system, unlike Linux's parent-death signal.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

GRACE_S = 10.0


def watch(
    descriptor: int,
    terminate: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGTERM),
    grace_s: float = GRACE_S,
) -> threading.Thread:
    """Stops this process once the other end of a pipe is closed.

    Args:
        descriptor: reading end of the parent's pipe.
        terminate: asks this process to end.
        grace_s: seconds after which it is ended without asking.

    Returns:
        the watching thread, already started.
    """

    def wait() -> None:
        while os.read(descriptor, 1):
            pass
        terminate()
        time.sleep(grace_s)
        os._exit(1)

    thread = threading.Thread(target=wait, name="lifeline", daemon=True)
    thread.start()
    return thread
