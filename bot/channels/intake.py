"""What is let in of the text that the public sends: cleaned, bounded, and never a command.

Pure functions; the web and the REST channel put every message through `read_message` or `clean_text`
before anything else sees it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.core.errors import AttuneError
from bot.core.turn import ENGLISH, LANGUAGES

BYTES_PER_CHAR = 12  # a character outside the basic plane, written as two JSON escapes
BODY_OVERHEAD_BYTES = 4096  # for the other fields of a request
PLACE_FIELDS = ("country", "timezone", "locale")  # by which helplines are chosen (`bot.core.country`)
PLACE_CHARS = 64
MESSAGE_ID = re.compile(r"[0-9A-Za-z_-]{8,64}")  # no ":", which separates it from the sender when stored

# A message that starts with "/" is a command to Rasa ("/restart", "/intent{...}").
_COMMAND_LEAD = re.compile(r"^[\s/]+")
_LINE_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_MANY_LINES = re.compile(r"\n(?:[^\S\n]*\n){3,}")
# Embeddings, overrides and isolates reorder what a human agent reads; the plain marks are kept, since
# right-to-left text needs them.
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BYTE_ORDER_MARK = "\ufeff"
# Letters and symbols by category that show nothing: Hangul fillers and the empty braille cell.
_BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


class IntakeError(AttuneError):
    """A request that isn't let in.

    Attributes:
        code: a short stable word; the person's sentence is `errors.<code>` in the page's strings.
        status: the HTTP status to answer with.
        values: what the sentence's placeholders stand for.
    """

    def __init__(self, code: str, status: int, **values: object) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.values: Mapping[str, object] = values


@dataclass(frozen=True)
class Incoming:
    """A message that was let in.

    Attributes:
        text: cleaned, with something readable in it.
        message_id: made by the client, the same on every retry.
        language: of the page, "en" or "zh".
        place: what tells where it was written, by `PLACE_FIELDS`.
    """

    text: str
    message_id: str
    language: str
    place: Mapping[str, str] = field(default_factory=dict)


def clean_text(text: str) -> str:
    """The text without what can't be read, can't be stored or would be taken for a command.

    Control characters, NUL, lone surrogates and bidirectional overrides go, line breaks become "\\n",
    composed characters are put together (NFC), and leading slashes and blanks are stripped.
    """
    unbroken = _LINE_BREAKS.sub("\n", text)
    kept = "".join(char for char in unbroken if _is_kept(char))
    composed = unicodedata.normalize("NFC", kept)
    return _COMMAND_LEAD.sub("", _MANY_LINES.sub("\n\n\n", composed)).rstrip()


def has_readable(text: str) -> bool:
    """Whether there is anything to see in the text: a letter, digit, sign or symbol."""
    return any(unicodedata.category(char)[0] in "LNPS" and char not in _BLANKS for char in text)


def page_language(value: object) -> str:
    """The page's language where Attune answers in it, else English."""
    return value if isinstance(value, str) and value in LANGUAGES else ENGLISH


def body_limit_bytes(max_chars: int) -> int:
    """How long the body of a request may be for a text of `max_chars` characters, in bytes."""
    return max_chars * BYTES_PER_CHAR + BODY_OVERHEAD_BYTES


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a request's body; an empty body is an empty object.

    Raises:
        IntakeError: 400, not UTF-8, not JSON or not an object.
    """
    if not body:
        return {}
    try:
        data = json.loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise IntakeError("bad_encoding", 400) from error
    except (ValueError, RecursionError) as error:
        raise IntakeError("bad_request", 400) from error
    if not isinstance(data, dict):
        raise IntakeError("bad_request", 400)
    return data


def read_text(value: object, max_chars: int) -> str:
    """The cleaned text of a field.

    Raises:
        IntakeError: 422, not a text or nothing readable in it; 413, too long.
    """
    if not isinstance(value, str):
        raise IntakeError("bad_request", 422)
    text = clean_text(value)
    if len(text) > max_chars:
        raise IntakeError("too_long", 413, max_chars=max_chars, chars=len(text))
    if not has_readable(text):
        raise IntakeError("nothing_readable", 422)
    return text


def read_message(data: Mapping[str, Any], max_chars: int) -> Incoming:
    """The message in a request's object.

    Raises:
        IntakeError: the text isn't let in, or there is no usable "message_id".
    """
    text = read_text(data.get("text"), max_chars)
    message_id = data.get("message_id")
    if not isinstance(message_id, str) or not MESSAGE_ID.fullmatch(message_id):
        raise IntakeError("bad_request", 422)
    return Incoming(text, message_id, page_language(data.get("language")), _read_place(data))


def _read_place(data: Mapping[str, Any]) -> dict[str, str]:
    """What tells where a message was written; whatever isn't usable is left out."""
    said = {name: data.get(name) for name in PLACE_FIELDS}
    return {
        name: text for name, text in said.items() if isinstance(text, str) and 0 < len(text) <= PLACE_CHARS
    }


def _is_kept(char: str) -> bool:
    if char in "\n\t":
        return True
    if char in _BIDI_CONTROLS or char == _BYTE_ORDER_MARK:
        return False
    # Cc: controls; Cs: surrogates, of which a Python text only ever has lone ones.
    return unicodedata.category(char) not in ("Cc", "Cs") and not _is_noncharacter(char)


def _is_noncharacter(char: str) -> bool:
    point = ord(char)
    return 0xFDD0 <= point <= 0xFDEF or point & 0xFFFE == 0xFFFE
