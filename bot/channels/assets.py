"""The page's files, read once and held in memory, and the headers that guard them.

Only what was found in the folder at the start can be asked for, so no path leads out of it. The files
carry the digest of all of them in their address and may be kept for good; the page itself may not.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "static"
PAGE = "index.html"
PLACE = "{{assets}}"  # in the page, for the address of the files
DIGEST_CHARS = 16
YEAR_S = 365 * 24 * 3600

CONTENT_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
NEVER_KEPT: Mapping[str, str] = {"Cache-Control": "no-store"}
ASKED_ANEW: Mapping[str, str] = {"Cache-Control": "no-cache"}
KEPT_FOR_GOOD: Mapping[str, str] = {"Cache-Control": f"public, max-age={YEAR_S}, immutable"}


@dataclass(frozen=True)
class Asset:
    """One file as it is sent."""

    body: bytes
    content_type: str
    etag: str


class Assets:
    """The files of a folder by their path within it, such as "js/app.js".

    Args:
        folder: read once, here.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        bodies = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }
        together = hashlib.sha256()
        for name, body in bodies.items():
            together.update(f"{name}\0{len(body)}\0".encode() + body)
        self.digest = together.hexdigest()[:DIGEST_CHARS]
        bodies[PAGE] = bodies[PAGE].replace(PLACE.encode(), f"chat/static/{self.digest}".encode())
        self._assets = {name: _asset(name, body) for name, body in bodies.items()}

    @property
    def page(self) -> Asset:
        """The chat page."""
        return self._assets[PAGE]

    def find(self, name: str) -> Asset | None:
        """The file of that path, or None; the page has its own address and isn't among them."""
        return None if name == PAGE else self._assets.get(name)


def _asset(name: str, body: bytes) -> Asset:
    content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if name.endswith(".js"):
        content_type = "text/javascript"  # some systems' tables say otherwise, and modules then don't load
    if content_type.startswith("text/") or content_type == "application/json":
        content_type += "; charset=utf-8"
    return Asset(body, content_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
