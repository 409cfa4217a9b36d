"""Token buckets: how fast one session or one address may send, in bounded memory."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

MAX_KEYS = 20_000  # buckets remembered; a bucket forgotten for lack of room starts full again
IPV6_HOST_BITS = 64  # one household usually holds a whole /64


class TokenBuckets:
    """One bucket per key: `burst` tokens, refilled at `per_minute`.

    Args:
        per_minute: tokens that come back in a minute.
        burst: tokens of a full bucket; as many as come back in a minute by default.
        max_keys: buckets remembered; the one unused for longest goes first.
    """

    def __init__(self, per_minute: float, burst: float | None = None, max_keys: int = MAX_KEYS) -> None:
        self._per_second = per_minute / 60.0
        self._burst = float(per_minute if burst is None else burst)
        self._max_keys = max_keys
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, now_s: float) -> float:
        """Takes a token.

        Args:
            key: whose bucket.
            now_s: a monotonic clock, seconds.

        Returns:
            0.0 when there was one, else the seconds until there is.
        """
        tokens, then_s = self._buckets.pop(key, (self._burst, now_s))
        tokens = min(self._burst, tokens + max(0.0, now_s - then_s) * self._per_second)
        wait_s = 0.0 if tokens >= 1.0 else (1.0 - tokens) / self._per_second
        self._buckets[key] = (tokens - 1.0 if wait_s == 0.0 else tokens, now_s)
        while len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)
        return wait_s

    def __len__(self) -> int:
        return len(self._buckets)


def address_key(address: str) -> str:
    """The key of an address: itself, or for IPv6 its /64 network, within which addresses are free to make."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, IPV6_HOST_BITS), strict=False))
    return str(parsed)
