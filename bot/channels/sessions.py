"""Web sessions: a random id, signed so that nobody can speak as somebody else."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from bot.core.secret import SECRET_FILE, signing_secret
from bot.core.settings import Settings

__all__ = ["COOKIE", "LIFE_S", "SECRET_FILE", "SENDER_PREFIX", "Sessions"]

COOKIE = "attune_session"
LIFE_S = 30 * 24 * 3600  # of the cookie; renewed whenever the page opens
SENDER_PREFIX = "web-"

_ID_BYTES = 16
_FORM = re.compile(r"([0-9A-Za-z_-]{22})\.([0-9a-f]{64})")


class Sessions:
    """Makes and checks session cookies.

    Args:
        secret: the signing key. Whoever has it can open anybody's conversation.
    """

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"attune web session\0" + secret.encode()).digest()

    @classmethod
    def load(cls, settings: Settings) -> Sessions:
        """Sessions signed with the operator's secret, or with one generated once in `var_dir`.

        Raises:
            SettingsError: the secret can't be read or written.
        """
        return cls(signing_secret(settings))

    def new(self) -> tuple[str, str]:
        """A new session as (sender id, cookie value)."""
        session_id = secrets.token_urlsafe(_ID_BYTES)
        return SENDER_PREFIX + session_id, f"{session_id}.{self._signature(session_id)}"

    def sender_id(self, cookie: str | None) -> str | None:
        """The sender id of a cookie, or None when there is none or it wasn't signed here."""
        match = _FORM.fullmatch(cookie or "")
        if match is None:
            return None
        session_id, signature = match.groups()
        if not hmac.compare_digest(signature, self._signature(session_id)):
            return None
        return SENDER_PREFIX + session_id

    def _signature(self, session_id: str) -> str:
        return hmac.new(self._key, session_id.encode(), hashlib.sha256).hexdigest()
