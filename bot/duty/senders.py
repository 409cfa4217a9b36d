"""What every way of sending a page has in common, and a limit that no other side can stretch.

SendError   a message did not go out; `is_final` when trying again would change nothing

A sender is a frozen dataclass with its settings: `Webhook`, `Slack`, `Mail`. Secrets are left out of its
`repr`, and a `SendError` never quotes a URL, an address or what the other side wrote, since its text is kept
in SQL and logged.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

from bot.core.errors import AttuneError
from bot.duty.notice import Notice

TIMEOUT_S = 10.0
CUT_AGAIN_S = 0.2


class SendError(AttuneError):
    """A message did not go out.

    Attributes:
        is_final: trying again would change nothing.
        again_after_s: how long the other side asks to wait, or None.
    """

    def __init__(self, text: str, *, is_final: bool = False, again_after_s: float | None = None) -> None:
        super().__init__(text)
        self.is_final = is_final
        self.again_after_s = again_after_s


class Sender(Protocol):
    """A way to reach people."""

    @property
    def timeout_s(self) -> float:
        """Within which `send` and `ping` end, in seconds."""

    def send(self, notice: Notice, to: str, key: str) -> None:
        """Sends a message.

        Args:
            notice: what it says.
            to: the address on the roster; "" where the sender needs none.
            key: the same for every attempt at one message, so that the receiver can tell a repetition.

        Raises:
            SendError: it did not go out, or nothing says that it did.
        """

    def ping(self) -> None:
        """Looks whether messages would go out, without calling anybody.

        Raises:
            SendError: they would not.
        """


class Deadline:
    """Ends a conversation with another side that takes too long, however slowly it keeps talking.

    A socket's own timeout begins anew with every byte; this one does not.
    """

    def __init__(self, find_socket: Callable[[], socket.socket | None]) -> None:
        """Prepares it.

        Args:
            find_socket: the socket of the moment, or None while there is none.
        """
        self._find_socket = find_socket
        self.has_passed = False

    @contextlib.contextmanager
    def after(self, seconds: float) -> Iterator[None]:
        """Cuts the connection when the block takes longer.

        Raises:
            SendError: whatever the block raised, in plain words.
        """
        is_done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(is_done, seconds), daemon=True)
        watch.start()
        try:
            with plain_words(lambda: self.has_passed, seconds):
                yield
                if self.has_passed:  # what was cut can look like an end
                    raise SendError("cut")
        finally:
            is_done.set()

    def _watch(self, is_done: threading.Event, seconds: float) -> None:
        wait_s = seconds
        while not is_done.wait(wait_s):
            self.has_passed = True
            connection = self._find_socket()
            if connection is not None:
                with contextlib.suppress(OSError):
                    # Past TLS, whose own shutdown would wait for the other side.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
            wait_s = CUT_AGAIN_S  # there may have been no socket yet, or TLS was about to take it over


@contextlib.contextmanager
def plain_words(has_timed_out: Callable[[], bool], seconds: float) -> Iterator[None]:
    """Turns what sockets raise into a `SendError` that holds no address.

    Raises:
        SendError: see above.
    """
    late = partial(SendError, f"no answer within {seconds:g} s")
    try:
        yield
    except SendError:
        if has_timed_out():
            raise late() from None
        raise
    except TimeoutError as error:
        raise late() from error
    except ssl.SSLCertVerificationError as error:
        raise SendError(f"its certificate is not trusted ({error.verify_message})") from error
    except ssl.SSLError as error:
        raise (late() if has_timed_out() else SendError("no TLS connection")) from error
    except socket.gaierror as error:
        raise SendError("its host name is not known here") from error
    except ConnectionRefusedError as error:
        raise SendError("connection refused") from error
    except (OSError, ValueError) as error:
        if has_timed_out():
            raise late() from error
        raise SendError(f"connection failed ({type(error).__name__})") from error
