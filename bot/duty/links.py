"""Signed links by which somebody on duty says that they have seen a page."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass

from bot.core.errors import PageError
from bot.core.secret import signing_secret
from bot.core.settings import Settings

PATH = "/duty/page/"
LIFE_S = 7 * 24 * 3600.0
_FORM = re.compile(r"([0-9]{1,18})\.([0-9]{1,12})\.([0-9A-Za-z_-]{1,440})\.([0-9a-f]{64})")


@dataclass(frozen=True)
class Claim:
    """What a link says: which page, and who was called."""

    page_id: int
    person: str


class Links:
    """Makes and checks links.

    Args:
        secret: the installation's; a key for this purpose alone is derived from it.
    """

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"attune duty link\0" + secret.encode()).digest()

    @classmethod
    def load(cls, settings: Settings) -> Links:
        """Links signed with the secret of this installation.

        Raises:
            SettingsError: the secret can't be read or written.
        """
        return cls(signing_secret(settings))

    def make(self, base_url: str, claim: Claim, at: float) -> str:
        """The link for a person and a page, valid for a week; "" without a base URL."""
        if not base_url:
            return ""
        name = base64.urlsafe_b64encode(claim.person.encode()).decode().rstrip("=")
        said = f"{claim.page_id}.{int(at + LIFE_S)}.{name}"
        return f"{base_url}{PATH}{said}.{self._signature(said)}"

    def read(self, token: str, at: float) -> Claim:
        """What the last part of a link says.

        Raises:
            PageError: it wasn't made here, or is too old.
        """
        match = _FORM.fullmatch(token)
        if match is None:
            raise PageError("this is no link to a page")
        page_id, expires, name, signature = match.groups()
        if not hmac.compare_digest(signature, self._signature(f"{page_id}.{expires}.{name}")):
            raise PageError("this is no link to a page")
        if at > int(expires):
            raise PageError("this link is too old; `attune duty status` shows what waits")
        try:
            person = base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise PageError("this is no link to a page") from error
        return Claim(int(page_id), person)

    def _signature(self, said: str) -> str:
        return hmac.new(self._key, said.encode(), hashlib.sha256).hexdigest()
