"""Web sessions: a random id, signed so that nobody can speak as somebody else."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
from pathlib import Path

from bot.core.errors import SettingsError
from bot.core.settings import Settings

COOKIE = "attune_session"
LIFE_S = 30 * 24 * 3600  # of the cookie; renewed whenever the page opens
SECRET_FILE = "web_secret"
SECRET_BYTES = 48
SENDER_PREFIX = "web-"

_ID_BYTES = 16
_FORM = re.compile(r"([0-9A-Za-z_-]{22})\.([0-9a-f]{64})")

logger = logging.getLogger(__name__)


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
        return cls(settings.secret or _generated_secret(Path(settings.var_dir) / SECRET_FILE))

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


def _generated_secret(path: Path) -> str:
    """The secret in a file only its owner can read, made when it isn't there.

    Several servers may start at once: the first to link its file wins, and everybody reads that one.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(SECRET_BYTES))
            try:
                os.link(draft, path)
            except FileExistsError:
                logger.debug("web_secret.made_elsewhere")
            finally:
                draft.unlink()
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the secret of the web sessions can't be kept in {path}: {error}; make the folder writable "
            "or set ATTUNE_SECRET"
        ) from error
    if len(secret) < 32:
        raise SettingsError(f"{path} holds no usable secret; delete it to have a new one made")
    return secret
