"""Pages as messages of a Slack channel, through an incoming webhook (api.slack.com/messaging/webhooks)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from bot.duty import wire
from bot.duty.notice import Notice
from bot.duty.senders import TIMEOUT_S, SendError
from bot.duty.webhook import KEY_HEADER

# What Slack answers with 400 to a message without text; only a webhook that works gets that far.
EMPTY_REFUSED = ("no_text", "missing_text_or_fallback_or_attachments", "invalid_payload")


@dataclass(frozen=True)
class Slack:
    """Posts pages to a Slack incoming webhook, or what understands the same form (Mattermost).

    Attributes:
        url: of the webhook; whoever has it can post.
        timeout_s: for one message, 1 to 60 seconds.
        ca_file: certificates to trust instead of the system's, or "".
    """

    url: str = field(repr=False)
    timeout_s: float = TIMEOUT_S
    ca_file: str = ""

    def send(self, notice: Notice, to: str, key: str) -> None:
        """Posts the message; see `Sender.send`.

        Args:
            notice: what it says.
            to: a member id such as "U024BE7LH", who is then mentioned, or "".
            key: in a header, which Slack itself does not look at.
        """
        mention = f"<@{to}> " if to else ""
        text = f"{mention}*{_escaped(notice.subject)}*\n{_escaped(notice.text)}"
        body = json.dumps({"text": text, "unfurl_links": False}, ensure_ascii=False).encode()
        wire.post(self.url, body, {KEY_HEADER: key}, self.timeout_s, self.ca_file).check()

    def ping(self) -> None:
        """Posts a message without text, which a working webhook refuses by saying so; see `Sender.ping`."""
        answer = wire.post(self.url, b'{"text": ""}', {}, self.timeout_s, self.ca_file)
        if answer.status == 400 and any(word in answer.body for word in EMPTY_REFUSED):
            return
        if answer.status == 200:
            return
        if 400 <= answer.status < 500:
            raise SendError(f"answered {answer.status}; the webhook was removed or is another", is_final=True)
        answer.check()


def _escaped(text: str) -> str:
    """The text with Slack's three control characters escaped; links stay as they are."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
