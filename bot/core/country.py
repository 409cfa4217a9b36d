"""Which country a person is in, as far as their message tells: one pure function.

Emergency numbers and helplines depend on where somebody is, not on what they speak. A device's time zone
says that far better than its language does: most browsers that say "en-US" are not in the United States.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bot.core.zones import COUNTRIES, COUNTRY_BY_ZONE

# Browsers and systems come set to this and stay so all over the world.
SAYS_NOTHING = "en-US"

_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z]{4})?-(?P<country>[A-Za-z]{2})(?:-[A-Za-z0-9-]*)?")


def is_country(code: object) -> bool:
    """Whether it is the ISO 3166-1 alpha-2 code of a country or territory, in capitals."""
    return isinstance(code, str) and code in COUNTRIES


def country_of(metadata: Mapping[str, Any] | None, default: str | None = None) -> str | None:
    """The country a message comes from.

    Args:
        metadata: of the message; "country" (ISO 3166-1 alpha-2) counts before "timezone" (an IANA zone),
            and that before "locale" (such as "en-GB"). Whatever is malformed is passed over.
        default: the operator's own country, for when the message tells nothing.

    Returns:
        An ISO 3166-1 alpha-2 code in capitals, or None.
    """
    said = metadata or {}
    country = said.get("country")
    if isinstance(country, str) and is_country(country.upper()):
        return country.upper()
    zone = said.get("timezone")
    if isinstance(zone, str) and zone in COUNTRY_BY_ZONE:
        return COUNTRY_BY_ZONE[zone]
    return _country_of_locale(said.get("locale")) or default or None


def _country_of_locale(locale: object) -> str | None:
    if not isinstance(locale, str):
        return None
    tag = locale.partition(".")[0].replace("_", "-")
    found = _LOCALE.fullmatch(tag)
    if found is None or tag.casefold() == SAYS_NOTHING.casefold():
        return None
    country = found["country"].upper()
    return country if is_country(country) else None
