"""What is let in of public text, and how fast."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.intake import IntakeError, clean_text, has_readable, read_message, read_object
from bot.channels.limits import TokenBuckets, address_key

MESSAGE_ID = "3f0c1a52-6f0e-4b52-9a3e-2f6d1f1f0a11"


def message(text: object, **fields: object) -> dict[str, object]:
    return {"text": text, "message_id": MESSAGE_ID, "language": "en", **fields}


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("/restart", "restart"),
        ("  // /restart now", "restart now"),
        ("\x00/restart", "restart"),
        ("\ufeff/restart", "restart"),
        ("\u202e/restart", "restart"),
        ("/\x07/restart", "restart"),
        ("a\x00b\x08c\x1bd", "abcd"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("broken \ud83d pair", "broken  pair"),
        ("\u202dtrick\u202c", "trick"),
        ("cafe\u0301", "café"),
        ("a\n\n\n\n\n\nb", "a\n\n\nb"),
        ("and/or", "and/or"),
        ("👩‍👧‍👦", "👩‍👧‍👦"),
        ("שלום \u200fעולם", "שלום \u200fעולם"),
        ("///", ""),
    ],
)
def test_text_is_cleaned(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


@given(st.text(alphabet=st.characters(), max_size=200))
def test_clean_text_is_never_a_command_and_always_storable(text: str) -> None:
    cleaned = clean_text(text)
    assert not cleaned.strip().startswith("/")
    assert "\x00" not in cleaned
    cleaned.encode("utf-8")
    assert clean_text(cleaned) == cleaned


@pytest.mark.parametrize("text", ["😭😭", "مرحبا", "?", "你好", "7", "…"])
def test_readable_text_is_let_in(text: str) -> None:
    assert read_message(message(text), 100).text == text


@pytest.mark.parametrize("text", ["", "   \n ", "\u200b\u200d\u2060", "\u3164\u2800", "///", "\ufe0f\u0301"])
def test_text_with_nothing_to_read_is_refused(text: str) -> None:
    assert not has_readable(clean_text(text))
    with pytest.raises(IntakeError) as refused:
        read_message(message(text), 100)
    assert (refused.value.code, refused.value.status) == ("nothing_readable", 422)


def test_length_counts_characters_after_cleaning() -> None:
    assert len(read_message(message("😀" * 100 + "\x00" * 50), 100).text) == 100
    with pytest.raises(IntakeError) as refused:
        read_message(message("😀" * 101), 100)
    assert (refused.value.code, refused.value.status) == ("too_long", 413)


@pytest.mark.parametrize(
    "data",
    [
        message(None),
        message(["hello"]),
        message({"text": "hello"}),
        message("hello", message_id=None),
        message("hello", message_id="short"),
        message("hello", message_id="x" * 65),
        message("hello", message_id="../../../etc"),
    ],
)
def test_malformed_messages_are_refused(data: dict[str, object]) -> None:
    with pytest.raises(IntakeError) as refused:
        read_message(data, 100)
    assert refused.value.status == 422


@pytest.mark.parametrize("language", [None, "fr", 7, "EN"])
def test_unknown_page_language_becomes_english(language: object) -> None:
    assert read_message(message("hello", language=language), 100).language == "en"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\xff\xfe{}", "bad_encoding"),
        (b'{"text": "\xc3\x28"}', "bad_encoding"),
        (b"{", "bad_request"),
        (b"[]", "bad_request"),
        (b"[" * 100_000, "bad_request"),
    ],
)
def test_bodies_that_are_no_object_are_refused(body: bytes, code: str) -> None:
    with pytest.raises(IntakeError) as refused:
        read_object(body)
    assert (refused.value.code, refused.value.status) == (code, 400)


def test_lone_surrogates_in_json_escapes_are_dropped() -> None:
    data = read_object(json.dumps(message("a\ud800b")).encode())
    assert read_message(data, 100).text == "ab"


def test_bucket_empties_and_refills() -> None:
    buckets = TokenBuckets(per_minute=60, burst=2)
    assert [buckets.take("a", 0.0) for _ in range(2)] == [0.0, 0.0]
    assert buckets.take("a", 0.0) == pytest.approx(1.0)
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.take("a", 1.0) == 0.0
    assert buckets.take("a", 1.5) == pytest.approx(0.5)


def test_buckets_are_bounded() -> None:
    buckets = TokenBuckets(per_minute=60, max_keys=10)
    for number in range(1000):
        buckets.take(str(number), float(number))
    assert len(buckets) == 10


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("10.0.0.1", "10.0.0.2", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("nonsense", "nonsense", True),
    ],
)
def test_addresses_of_one_network_share_a_bucket(one: str, other: str, are_same: bool) -> None:
    assert (address_key(one) == address_key(other)) is are_same


def test_place_of_a_message_is_read_and_never_a_ground_to_refuse_it() -> None:
    said = message("hello", country="GB", timezone="Europe/London", locale=7, language="zh")
    assert read_message(said, 100).place == {"country": "GB", "timezone": "Europe/London"}
    assert read_message(message("hello", country="", timezone="x" * 65, locale=["en"]), 100).place == {}
