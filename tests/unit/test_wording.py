"""The wording pass: what becomes what, what stays, and that no text is too odd or too long for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu_models.emotion import data
from nlu_models.emotion.wording import CHARS_PER_TOKEN, as_read, normalize_wording

GOEMOTIONS = Path(__file__).resolve().parents[3] / "shared" / "data" / "goemotions"

ORDINARY = [
    "",
    " ",
    "I feel so tired today.",
    "Is it 10:30 or 3-4 pm? I don't know (yet); see you at 5.",
    "R&B, Q&A, C++, f(x) = y, a/b and 50%",
    "U.S. and U.S.A., e.g. or i.e., at 9 a.m.",
    "a b c d, x y z, A B B A and grades A B",
    "R u a dad or did ur dad leave u",
    "mp3 h1n1 y2k PS4 ps4pro 3rd 5k 80s covid19 AR3BT B2B",
    "III www xxx Hmm ahh",
    "w-w-what, T-T, X-ray, A-B-C",
    "> they said so\nbut I don't think so",
    "hm... well?! no!!!",
    ":) :( :D ;) :/ <3 :'( -_-",
    "naïve café, Zoë and Ærøskøbing, 5 €",
    "[NAME] told me r/AskReddit knows",
    "@me next time",
]
OTHER_SCRIPTS = [
    "我今天很难过，不知道该怎么办。你能帮我吗？！",
    "他说：“没事的……”——可是我不信。",
    "Мне сегодня очень грустно. Мама мыла раму, а папа спал.",
    "Рассказ о том, как я нашёл счастье",
    "Σήμερα είμαι πολύ λυπημένος και κουρασμένος.",
    "أنا حزين جدا اليوم",
    "मैं आज बहुत दुखी हूँ",
    "今日はとても悲しいです。どうすればいいですか？",
    "오늘 너무 슬퍼요",
    "Tôi buồn quá, ế ẩm và mệt mỏi",
    "می‌خواهم بخوابم",
]
FOLDED = [
    # dressed letters and invisible ones
    ("𝓈𝒶𝒹 𝐬𝐚𝐝 ｓａｄ ⓢⓐⓓ ꜱᴀᴅ 🅢🅐🅓", "sad sad sad sad sad sad"),
    ("s\u200ba\u00add \u202esorry\u202c \ufeffyou", "sad sorry you"),
    ("ѕо ѕаd аnd lоnеly", "so sad and lonely"),
    ("s\u0336a\u0336d\u0336 and z\u0335\u0321\u0362\u031ba\u0334lgo", "sad and zalgo"),
    ("I don’t and can´t", "I don't and can't"),
    # letters put apart
    ("s o   s a d", "so sad"),
    ("i w a n t t o d i e", "i want to die"),
    ("I feel s a d today", "I feel sad today"),
    ("h.e.l.p me, it h-u-r-t-s", "help me, it hurts"),
    ("T h i s   i s   b a d", "This is bad"),
    ("S P O I L E R ! !", "SPOILER ! !"),
    # stretched words and signs
    ("sooooo sad", "soo sad"),
    ("I looooove this, pleaseeee", "I love this, please"),
    ("gooood NOOOOO zzzzzz", "good NOO zzz"),
    ("wtf!!!!!!! why????? hm.......", "wtf!!! why??? hm..."),
    ("really?!?!?!", "really?!"),
    # digits and signs for letters
    ("I h4te it, so d3pressed and $ad", "I hate it, so depressed and sad"),
    ("k1ll m3? f33l t1red, gr8 m8", "kill m3? feel tired, great mate"),
    # addresses, code, entities
    ("see https://a.example/b?c=d&e=f, or www.example.org!", "see link, or link!"),
    ("[this](https://a.example) is it", "this is it"),
    ("@somebody ask u/some_one or a.b@example.org", "user ask user or email"),
    ("```\nfor x in y: print(x)\n``` fails again", " code fails again"),
    ("`f(x)` fails, I am `so done`", "code fails, I am so done"),
    ("&gt; no &amp;amp; &lt;3 &#39;so&#39;&#x200B;", "> no & <3 'so'"),
    # emoticons
    (":-((( :-) =) =( :[ :'-( :DDDD <333", ":( :) :) :( :( :'( :D <3"),
    ("</3", "heartbroken"),
    # spaces
    ("so  \t many\n\n\n spaces\u00a0\u2003here", "so many\nspaces here"),
]
EMOJI = [
    ("great😭", "great :'("),
    ("😂😂😂😂😂", "XD XD"),
    ("I miss her 💔.", "I miss her heartbroken."),
    ("thanks ❤️🧡", "thanks <3 <3"),
    ("no idea 🤷🏽‍♀️ sorry", "no idea shrug sorry"),
    ("👍🏿", "good"),
    ("from 🇫🇷 with 🏳️‍🌈", "from flag with pride flag"),
    ("us 👨‍👩‍👧", "us family"),
    ("my 🐶 and I", "my dog and I"),
    ("step 1️⃣", "step 1"),
    ("¯\\_(ツ)_/¯ whatever", " shrug whatever"),
    ("\U0001f3fd", ""),
    ("\U0001faff", "emoji"),
]


@pytest.mark.parametrize("text", ORDINARY + OTHER_SCRIPTS)
def test_ordinary_text_of_any_script_stays_as_it_is(text: str) -> None:
    assert normalize_wording(text) == text


@pytest.mark.parametrize(("text", "plain"), FOLDED + EMOJI)
def test_disguised_text_becomes_plain(text: str, plain: str) -> None:
    assert normalize_wording(text) == plain


def test_prose_in_a_fence_is_kept_because_somebody_says_it() -> None:
    assert normalize_wording("```I want to die```").strip() == "I want to die"


def test_lone_surrogates_and_binary_pass_through() -> None:
    assert normalize_wording("\ud83d hi") == "\ud83d hi"
    binary = bytes(range(256)).decode("latin-1")
    assert normalize_wording(normalize_wording(binary)) == normalize_wording(binary)


@pytest.mark.parametrize(
    "text", ["i am s a d", "", "\ud83d", "\ud83d" * 9 + "!!!!!", "😭" * 3000, "h4te " * 900]
)
def test_a_text_as_read_is_short_plain_and_encodable(text: str) -> None:
    longest = 16 * CHARS_PER_TOKEN
    found = as_read(text, 16)
    assert found == normalize_wording(text[:longest])[:longest].replace("\ud83d", "?")
    assert len(found) <= longest
    found.encode("utf-8")


def test_halves_of_emoji_are_replaced_once_the_wording_is_plain() -> None:
    assert as_read("hi" + "\ud83d" * 5, 16) == "hi?????"  # five signs of a kind would have become three


def test_a_text_may_be_read_as_it_was_written() -> None:
    assert as_read("I h4te \ud83d it!!!!!!", 16, reword=str) == "I h4te ? it!!!!!!"
    assert as_read("x" * 5000, 16, reword=str) == "x" * 640


# Letters that the rules look at, so that chance meets them often.
TRICKY_PARTS = [
    *"abdeiosuhtn \t\n.,!?-_*'`&;#<3@:()[]=/|1340$xX^~>аоѕяαé中！４ａ𝓈’…\u00a0\u3000ʖ\u2028\r\x00İß",
    *(
        "&amp;",
        "&lt;",
        "&#97;",
        "&#8203;",
        "http://",
        "www.",
        "u/",
        "```",
        "[a](http://b)",
        "@bob",
        "so",
        "sad",
    ),
    *("\u200b", "\u200d", "\ufe0f", "😭", "❤", "🏽", "🇫", "1️⃣", "¯\\_(ツ)_/¯", "\ud83d", "\u0301", "\u0336"),
]
TRICKY = st.lists(st.sampled_from(TRICKY_PARTS), max_size=16).map("".join)


@settings(max_examples=400, deadline=None)
@given(st.one_of(TRICKY, st.text(), st.text(st.characters(), max_size=40)))
def test_nothing_raises_and_a_second_pass_changes_nothing(text: str) -> None:
    once = normalize_wording(text)
    assert normalize_wording(once) == once


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from("我很难过你好吗今天不知道怎么办的了是在"), min_size=1, max_size=40).map("".join)
)
def test_chinese_stays(text: str) -> None:
    assert normalize_wording(text) == text


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("абвгдежзийклмнопрстуфхцчшщъыьэюя", min_size=1, max_size=9), min_size=1, max_size=9))
def test_russian_stays(words: list[str]) -> None:
    text = " ".join(["Грусть", *words])
    assert normalize_wording(text) == text


@contextmanager
def counted() -> Iterator[list[int]]:
    """Counts the lines of Python that are run inside."""
    lines = [0]

    def trace(frame: Any, event: str, _: Any) -> Any:
        lines[0] += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lines
    finally:
        sys.settrace(before)


UNITS = [
    "so sad ",
    "s o   s a d   ",
    "a.b.c.x ",
    "h4te ",
    "noooo ",
    "😭",
    "😭❤ ",
    "аb ",
    "a\u0301\u0336\u0337",
    "&amp;#39;",
]
UNITS += ["`a`", "```a ", "@bob ", "http://a.b ", "[a](", ":-( ", "!?!?", "<3", "\u200d", "🇫🇷"]


@pytest.mark.parametrize("unit", UNITS)
def test_twice_the_text_is_at_most_twice_the_steps(unit: str) -> None:
    normalize_wording(unit)  # fills the cache of emoji
    with counted() as short:
        normalize_wording(unit * 100)
    with counted() as long:
        normalize_wording(unit * 200)
    assert long[0] <= 2.2 * short[0] + 100


HOSTILE = [
    "a",
    " ",
    "a b ",
    "a.",
    "&",
    "&#1",
    "`",
    "@",
    "a@",
    "[",
    "[a](",
    "www.",
    ":-",
    "!?",
    "a4",
    "\u0301",
    "\u0316\u0301",
]


@pytest.mark.parametrize(
    "unit", [*HOSTILE, "\u200d", "😭", "😭\u200d", "🇫", "а", "\n ", "<3", "\ud83d", "1\ufe0f", "(("]
)
def test_hostile_repetition_comes_to_an_end(unit: str) -> None:
    text = unit * (200_000 // len(unit))  # quadratic time would run into the suite's time limit
    assert len(normalize_wording(text)) <= 8 * len(text)


def test_it_needs_the_standard_library_only() -> None:
    code = (
        "import sys, nlu_models.emotion.wording; "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'numpy', 'torch', 'tokenizers'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not GOEMOTIONS.is_dir(), reason="GoEmotions is not at ../shared/data/goemotions")
def test_most_of_a_real_corpus_stays_but_for_apostrophes() -> None:
    texts = [row.text for row in data.read_goemotions(GOEMOTIONS, "dev")]
    straight = [text.replace("’", "'") for text in texts]
    changed = [text for text in straight if normalize_wording(text) != text]
    assert len(changed) < 0.08 * len(texts)
