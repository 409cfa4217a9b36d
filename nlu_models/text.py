"""Brings a text into the one form in which phrases and n-grams are compared."""

from __future__ import annotations

import re
import unicodedata

_QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "´": "'", "`": "'"})
# Characters that show nothing, for a character class; put between letters, they get past word lists.
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff"
)
_INVISIBLE = re.compile(f"[{INVISIBLE}]")


def normalize(text: str) -> str:
    """NFKC, case-folded, with straight apostrophes and nothing invisible."""
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text).translate(_QUOTES).casefold())
