"""Languages are told from scripts and small words; one-word chat does not go astray."""

from __future__ import annotations

import pytest

from nlu_models.language import MAX_CHARS, detect


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I feel so alone lately", "en"),
        ("ok", "en"),
        ("hi", "en"),
        ("thx", "en"),
        ("LOL", "en"),
        ("hmm", "en"),
        ("asdf qwer", "en"),
        ("no", "en"),
        ("That'll cost ya.", "en"),
        ("Treat yo self!", "en"),
        ("Oh la la", "en"),
        ("我今天很难过", "zh"),
        ("今天很累 ok", "zh"),
        ("我很鬱悶", "zh"),
        ("私は悲しいです", "ja"),
        ("너무 슬퍼요", "ko"),
        ("мне очень грустно", "ru"),
        ("мені дуже сумно", "uk"),
        ("أنا حزين جدا", "ar"),
        ("من خیلی ناراحتم چرا", "fa"),
        ("אני עצוב", "he"),
        ("मैं दुखी हूँ", "hi"),
        ("ฉันเศร้ามาก", "th"),
        ("estoy muy triste hoy", "es"),
        ("quiero morir", "es"),
        ("me duele todo", "es"),
        ("hola", "es"),
        ("je suis très triste", "fr"),
        ("je ne veux plus vivre", "fr"),
        ("merci", "fr"),
        ("ich bin so traurig heute", "de"),
        ("danke", "de"),
        ("estou muito triste hoje", "pt"),
        ("obrigado", "pt"),
        ("sono molto triste", "it"),
        ("grazie", "it"),
        ("ik ben heel verdrietig", "nl"),
        ("bedankt", "nl"),
    ],
)
def test_language_is_told(text: str, language: str) -> None:
    assert detect(text) == language


@pytest.mark.parametrize("text", ["", "   ", "12345", "😭😭😭", "?!…", "❤️ 100%", "\x00\x07"])
def test_text_without_letters_is_undetermined(text: str) -> None:
    assert detect(text) == "und"


@pytest.mark.parametrize(
    "text",
    [
        "The décor had a certain je ne sais quoi",
        "C’est la vie, I guess",
        "I had the worst déjà vu at the café",
        'My boss said "vamos" and left',
        "naïve",
        "I love Pokémon",
        "my abuela died and I miss her",
    ],
)
def test_english_with_a_foreign_phrase_stays_english(text: str) -> None:
    assert detect(text) == "en"


def test_mixed_text_goes_to_the_language_it_mostly_is() -> None:
    assert detect("我老板真的 annoying 死了") == "zh"
    assert detect("my 老板 is so annoying today") == "en"


def test_only_the_beginning_of_a_long_text_is_looked_at() -> None:
    assert detect("I am so tired. " * 1000 + "我很累" * 50_000) == "en"
    assert detect("😭" * MAX_CHARS + "I am here") == "und"


def test_case_and_curly_apostrophes_make_no_difference() -> None:
    assert detect("JE SUIS TRÈS TRISTE") == "fr"
    assert detect("I’m fine, don’t worry") == "en"
