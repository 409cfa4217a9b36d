"""Pages as signed JSON to a program of the operator's: a phone gateway, an on-call service, a script."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field

from bot.duty import wire
from bot.duty.notice import Event, Notice
from bot.duty.senders import TIMEOUT_S

SIGNATURE_HEADER = "X-Attune-Signature"
EVENT_HEADER = "X-Attune-Event"
KEY_HEADER = "Idempotency-Key"


@dataclass(frozen=True)
class Webhook:
    """Posts pages to a URL.

    Attributes:
        url: where to; it may hold a token.
        secret: signs what is posted, at least 16 characters; "" to leave the signature out.
        ping_by: "connect": a heartbeat only connects; "post": it posts an event "heartbeat".
        timeout_s: for one message, 1 to 60 seconds.
        ca_file: certificates to trust instead of the system's, or "".
    """

    url: str = field(repr=False)
    secret: str = field(default="", repr=False)
    ping_by: str = "connect"
    timeout_s: float = TIMEOUT_S
    ca_file: str = ""

    def send(self, notice: Notice, to: str, key: str) -> None:
        """Posts the message; see `Sender.send`."""
        self._post(notice.event, {**notice.to_dict(), "to": to, "key": key}, key)

    def ping(self) -> None:
        """Connects, or posts a heartbeat; see `Sender.ping`."""
        if self.ping_by == "connect":
            wire.connect(self.url, self.timeout_s, self.ca_file)
            return
        now = int(time.time())
        self._post(Event.HEARTBEAT, {"event": Event.HEARTBEAT.value, "at": now}, f"heartbeat-{now}")

    def _post(self, event: Event, data: dict[str, object], key: str) -> None:
        body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {EVENT_HEADER: event.value, KEY_HEADER: key}
        if self.secret:
            headers[SIGNATURE_HEADER] = signature(self.secret, body, int(time.time()))
        wire.post(self.url, body, headers, self.timeout_s, self.ca_file).check()


def signature(secret: str, body: bytes, at: int) -> str:
    """The signature of a body sent at a moment: "t=SECONDS,v1=HEX".

    HEX is HMAC-SHA256 (RFC 2104) over the seconds, a full stop and the body, so that a receiver can refuse
    what is old as well as what is forged.
    """
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"
