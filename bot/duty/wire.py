"""One bounded HTTP request: no redirect is followed, little of the answer is read, and the clock is ours.

`urllib.request` would follow a redirect wherever it leads, and its timeout begins anew with every byte.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.core.errors import SettingsError
from bot.duty.senders import Deadline, SendError

READ_BYTES = 2048  # of an answer; the rest is never read
LONGEST_WAIT_S = 600.0  # that an answer may ask for
LOOPBACK = ("127.0.0.1", "localhost", "::1")
AGAIN = (408, 425, 429)  # client errors that pass by themselves


@dataclass(frozen=True)
class Answer:
    """What came back: the status, and the beginning of the body."""

    status: int
    body: str
    again_after_s: float | None

    def check(self) -> None:
        """Returns when the status says that the message was taken.

        Raises:
            SendError: it wasn't.
        """
        if 200 <= self.status < 300:
            return
        if 300 <= self.status < 400:
            raise SendError(f"answered {self.status}; redirects are not followed", is_final=True)
        is_final = 400 <= self.status < 500 and self.status not in AGAIN
        raise SendError(f"answered {self.status}", is_final=is_final, again_after_s=self.again_after_s)


def check_url(url: str, allow_plain: bool) -> None:
    """Returns when pages may be sent to a URL.

    Raises:
        SettingsError: it is no HTTP address, holds a password, or would send in the clear over a network. The
            URL isn't quoted, since it may be a secret.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError("url can't be read, expected https://host/path") from error
    if parts.scheme not in ("http", "https") or not host:
        raise SettingsError(f"url is of kind {parts.scheme!r}, expected https://host/path")
    if not url.isascii() or any(character <= " " for character in url):
        raise SettingsError("url has characters that must be escaped")
    if parts.username is not None or parts.password is not None:
        raise SettingsError("url holds a user name or password; give a `secret` instead")
    if parts.scheme == "http" and host not in LOOPBACK and not allow_plain:
        raise SettingsError(
            "url is http://, which anybody on the way can read; use https://, or say allow_plain: true"
        )


def post(url: str, body: bytes, headers: Mapping[str, str], timeout_s: float, ca_file: str = "") -> Answer:
    """Posts a body.

    Args:
        url: checked with `check_url`.
        body: JSON in UTF-8.
        headers: besides those every message has.
        timeout_s: for all of it, from connecting to the end of the answer's beginning.
        ca_file: certificates to trust instead of the system's, or "".

    Raises:
        SendError: there was no answer.
    """
    parts = urlsplit(url)
    connection = _connection(url, timeout_s, ca_file)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    everything = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Attune", **headers}
    try:
        with Deadline(lambda: connection.sock).after(timeout_s):
            try:
                connection.request("POST", path, body, {**everything, "Connection": "close"})
                answer = connection.getresponse()
                beginning = answer.read(READ_BYTES)
            except http.client.HTTPException as error:
                raise SendError(f"answered something that is not HTTP ({type(error).__name__})") from error
    finally:
        connection.close()
    return Answer(answer.status, beginning.decode("utf-8", "replace"), _wait_s(answer))


def connect(url: str, timeout_s: float, ca_file: str = "") -> None:
    """Connects, over TLS where the URL says so, and sends nothing.

    Raises:
        SendError: it can't be reached.
    """
    connection = _connection(url, timeout_s, ca_file)
    try:
        with Deadline(lambda: connection.sock).after(timeout_s):
            connection.connect()
    finally:
        connection.close()


def tls_context(ca_file: str) -> ssl.SSLContext:
    """A context that checks certificates.

    Raises:
        SettingsError: the file of certificates can't be used.
    """
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"ca_file {ca_file!r} can't be used: {error}") from error


def _connection(url: str, timeout_s: float, ca_file: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=tls_context(ca_file))
    return http.client.HTTPConnection(host, port, timeout=timeout_s)


def _wait_s(answer: http.client.HTTPResponse) -> float | None:
    """The seconds of a Retry-After, within reason; dates are not understood."""
    text = (answer.headers.get("Retry-After") or "").strip()
    if not text.isdecimal() or len(text) > 9:
        return None
    return min(float(text), LONGEST_WAIT_S)
