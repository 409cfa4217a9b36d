"""Which pages may speak to the chat: its own, and those that the operator named."""

from __future__ import annotations

from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origins:
    """The origins that may open a chat.

    Args:
        allowed: comma-separated origins besides the page's own, as in "https://www.example.org".
    """

    def __init__(self, allowed: str = "") -> None:
        self._allowed = frozenset(
            part.strip().rstrip("/").lower() for part in allowed.split(",") if part.strip()
        )

    def permits(self, origin: str | None, host: str) -> bool:
        """Whether a request may go on.

        Args:
            origin: its Origin header. Browsers send one with everything that could change something from
                another site; without one it is no browser, or a page's own plain GET.
            host: its Host header. A proxy has to pass on the one that the browser sent.
        """
        if not origin:
            return True
        if origin.lower() in self._allowed:
            return True
        try:
            parts = urlsplit(origin.lower())
            default = _DEFAULT_PORTS.get(parts.scheme)
            own = urlsplit(f"//{host.lower()}")
            return (
                default is not None
                and parts.hostname is not None
                and (parts.hostname, parts.port or default) == (own.hostname, own.port or default)
            )
        except ValueError:
            return False
