"""The key that signs what this installation hands out: web sessions, and links on pages."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

from bot.core.errors import SettingsError
from bot.core.settings import Settings

SECRET_FILE = "web_secret"
SECRET_BYTES = 48
SHORTEST_CHARS = 32

logger = logging.getLogger(__name__)


def signing_secret(settings: Settings) -> str:
    """The operator's secret, or the one generated once in `var_dir`.

    Whoever uses it derives a key of their own from it, so that a signature for one purpose is worth nothing
    for another.

    Raises:
        SettingsError: the secret can't be read or written.
    """
    return settings.secret or _generated(Path(settings.var_dir) / SECRET_FILE)


def _generated(path: Path) -> str:
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
                logger.debug("secret.made_elsewhere")
            finally:
                draft.unlink()
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the secret that signs sessions can't be kept in {path}: {error}; make the folder writable "
            "or set ATTUNE_SECRET"
        ) from error
    if len(secret) < SHORTEST_CHARS:
        raise SettingsError(f"{path} holds no usable secret; delete it to have a new one made")
    return secret
