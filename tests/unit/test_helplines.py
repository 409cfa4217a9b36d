"""Whom a person in danger is told to call: the choice, the words, and every line of the table."""

from __future__ import annotations

import itertools
import json
import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.core.country import country_of
from bot.core.errors import ContractError
from bot.core.helplines import (
    DIRECTORIES,
    LANGUAGE_NAMES,
    MOST_LINES,
    Country,
    Emergency,
    Helpline,
    Helplines,
    last_resort,
)
from bot.core.reading import RiskKind
from bot.core.turn import LANGUAGES
from bot.core.zones import COUNTRIES
from bot.helplines import FOLDER, from_the_future, load_helplines, overdue

DAY = date(2026, 11, 20)
CHINESE_SPEAKING = ("CN", "HK", "TW", "SG", "MY")
ENTRY = """
countries:
  - country: GB
    name: {en: the United Kingdom, zh: 英国}
    emergency: {any: '999'}
    source: https://example.org/numbers
    reviewed: 2026-11-20
    lines:
      - id: gb-one
        kinds: [self_harm]
        name: {en: One, zh: 一}
        phone: '116 123'
        always: true
        languages: [en]
        source: https://example.org/one
        reviewed: 2026-11-20
"""


@pytest.fixture(scope="module")
def table() -> Helplines:
    return load_helplines()


def line(line_id: str, **more: object) -> Helpline:
    values: dict[str, object] = {
        "id": line_id,
        "country": "GB",
        "kinds": (RiskKind.SELF_HARM,),
        "name": {"en": line_id, "zh": line_id},
        "phone": "116 123",
        "text": "",
        "text_word": "",
        "whatsapp": "",
        "chat": "",
        "is_always_open": True,
        "hours": {},
        "audience": {},
        "languages": ("en",),
        "source": "https://example.org",
        "also": (),
        "reviewed": DAY,
        "notes": "",
    }
    return Helpline(**{**values, **more})  # type: ignore[arg-type]


NINES = Emergency(any="999")


def country(*lines: Helpline, emergency: Emergency = NINES, code: str = "GB") -> Country:
    name = {"en": "the United Kingdom", "zh": "英国"}
    return Country(code, name, emergency, "https://example.org", DAY, lines)


def chosen(*lines: Helpline, language: str = "en", kind: RiskKind = RiskKind.SELF_HARM) -> list[str]:
    return [one.id for one in Helplines([country(*lines)]).for_person("GB", language, kind)]


# The choice.


def test_a_line_in_the_persons_language_comes_first() -> None:
    assert chosen(line("german", languages=("de",)), line("english")) == ["english", "german"]


def test_cantonese_counts_as_chinese_and_not_as_english() -> None:
    lines = (line("english"), line("cantonese", languages=("yue",)))
    assert chosen(*lines, language="zh") == ["cantonese", "english"]
    assert chosen(*lines) == ["english", "cantonese"]


def test_a_line_made_for_this_danger_comes_before_one_that_also_takes_it() -> None:
    both = line("both", kinds=(RiskKind.ABUSE, RiskKind.SELF_HARM))
    assert chosen(both, line("own")) == ["own", "both"]


def test_a_line_for_everybody_comes_before_one_for_some() -> None:
    young = line("young", audience={"en": "for young people", "zh": "面向青少年"})
    assert chosen(young, line("all", is_always_open=False, hours={"en": "days", "zh": "白天"})) == [
        "all",
        "young",
    ]


def test_an_open_line_comes_before_one_with_hours() -> None:
    day = line("day", is_always_open=False, hours={"en": "days", "zh": "白天"})
    assert chosen(day, line("open")) == ["open", "day"]


def test_no_line_for_another_danger_and_no_more_than_three_are_named() -> None:
    many = [line(f"n{number}") for number in range(5)]
    assert len(chosen(*many)) == MOST_LINES
    assert chosen(*many, kind=RiskKind.MEDICAL) == []


def test_an_unknown_country_has_no_lines_and_no_number() -> None:
    empty = Helplines()
    for code in (None, "", "XX", "GB"):
        assert empty.for_person(code, "en", RiskKind.SELF_HARM) == []
        assert empty.emergency(code) is None
        assert empty.describe(code, "en", RiskKind.SELF_HARM) == last_resort("en", RiskKind.SELF_HARM)


# The words.


def test_a_number_for_calls_and_texts_is_said_once() -> None:
    assert line("988", text="116 123").describe("en") == "988: call or text 116 123 (24/7)"


def test_a_row_says_every_way_whom_for_when_and_in_what_language() -> None:
    full = line(
        "Full",
        text="85258",
        text_word="START",
        whatsapp="9151 1767",
        chat="https://example.org",
        audience={"en": "for women", "zh": "面向女性"},
        is_always_open=False,
        hours={"en": "8 am to midnight", "zh": "每天 8:00 至 24:00"},
        languages=("de",),
    )
    assert full.describe("en") == (
        "Full: call 116 123, text START to 85258, WhatsApp 9151 1767, chat at https://example.org "
        "(for women; 8 am to midnight; in German)"
    )
    assert full.describe("zh") == (
        "Full：拨打 116 123，发短信 START 到 85258，WhatsApp 9151 1767，在线聊天 https://example.org"
        "（面向女性；每天 8:00 至 24:00；德语服务）"
    )


def test_separate_numbers_are_told_with_the_more_fitting_one_first() -> None:
    split = Helplines([country(emergency=Emergency(police="110", ambulance="120"))])
    assert split.emergency("GB") == "120 / 110"
    assert split.emergency("GB", RiskKind.MEDICAL) == "120"
    assert split.emergency("GB", RiskKind.HARM_TO_OTHERS) == "110 / 120"
    assert split.describe("GB", "en", RiskKind.ABUSE).endswith(": 110 (police) or 120 (ambulance)")
    assert split.describe("GB", "zh", RiskKind.SELF_HARM).endswith("：120（急救）、110（报警）")
    assert split.describe("GB", "en", RiskKind.MEDICAL).endswith(": 120")


def test_the_directories_stand_in_where_a_country_has_no_line_for_it() -> None:
    text = Helplines([country()]).describe("GB", "en", RiskKind.ABUSE)
    assert all(address in text for address in DIRECTORIES)
    assert text.endswith("999")


@pytest.mark.parametrize("kind", [None, *RiskKind])
@pytest.mark.parametrize("language", ["en", "zh", "fr", "und", ""])
def test_the_last_resort_always_has_something_to_say(language: str, kind: RiskKind | None) -> None:
    rows = last_resort(language, kind).splitlines()
    assert 1 < len(rows) <= 4
    assert all(address in rows[-1] for address in DIRECTORIES)
    assert ("拨打" in "".join(rows)) is (language == "zh")


# Where somebody is.


@pytest.mark.parametrize(
    ("metadata", "default", "expected"),
    [
        ({"country": "GB", "timezone": "Asia/Shanghai"}, "US", "GB"),
        ({"country": "gb"}, None, "GB"),
        ({"country": "XX", "timezone": "Asia/Shanghai"}, None, "CN"),
        ({"timezone": "Asia/Urumqi", "locale": "en-GB"}, None, "CN"),
        ({"timezone": "Asia/Calcutta"}, None, "IN"),
        ({"timezone": "Europe/Kiev"}, None, "UA"),
        ({"timezone": "US/Pacific"}, None, "US"),
        ({"timezone": "Etc/UTC", "locale": "en-GB"}, None, "GB"),
        ({"timezone": "Mars/Olympus", "locale": "zh-Hant-TW"}, None, "TW"),
        ({"locale": "zh_CN.UTF-8"}, None, "CN"),
        ({"locale": "en"}, "IE", "IE"),
        ({"locale": "en-US"}, "IE", "IE"),
        ({"locale": "en-US"}, None, None),
        ({"locale": "en-US", "timezone": "America/Chicago"}, None, "US"),
        ({"country": 44, "timezone": ["Europe/London"], "locale": {"a": 1}}, "DE", "DE"),
        ({}, "", None),
        (None, "SG", "SG"),
    ],
)
def test_the_country_is_taken_from_what_says_most(
    metadata: dict[str, object] | None, default: str | None, expected: str | None
) -> None:
    assert country_of(metadata, default) == expected


# The table that is shipped.


def test_every_country_of_the_table_is_one_and_has_an_emergency_number(table: Helplines) -> None:
    assert set(table.countries) <= COUNTRIES
    for code, kind in itertools.product(table.countries, RiskKind):
        number = table.emergency(code, kind)
        assert number, code
        assert re.fullmatch(r"\d{2,5}( / \d{2,5})?", number), code


def test_the_countries_that_matter_most_have_a_crisis_line(table: Helplines) -> None:
    with_line = {one.country for one in table.lines() if RiskKind.SELF_HARM in one.kinds}
    assert len(with_line) >= 12
    assert with_line >= {*CHINESE_SPEAKING, "US", "CA", "GB", "IE", "AU", "NZ", "IN"}
    assert len(table.countries) >= 100


@pytest.mark.parametrize(
    ("code", "number"),
    [("US", "988"), ("CA", "988"), ("GB", "116 123"), ("IE", "116 123"), ("CN", "12356")],
)
def test_the_best_known_lines_are_named_first(table: Helplines, code: str, number: str) -> None:
    language = "zh" if code == "CN" else "en"
    assert table.for_person(code, language, RiskKind.SELF_HARM)[0].phone == number


def test_every_line_says_in_both_languages_how_and_when_to_reach_it(table: Helplines) -> None:
    for one in table.lines():
        english, chinese = one.describe("en"), one.describe("zh")
        for way in filter(None, (one.phone, one.text, one.whatsapp, one.chat)):
            assert way in english, one.id
            assert way in chinese, one.id
        assert ("24/7" in english) is one.is_always_open, one.id
        assert ("全天 24 小时）" in chinese or "全天 24 小时；" in chinese) or not one.is_always_open, one.id
        assert set(one.languages) <= set(LANGUAGE_NAMES), one.id
        assert one.source.startswith("http"), one.id
        assert not re.search("[\u4e00-\u9fff]", one.name["en"] + one.hours.get("en", "")), one.id


def test_every_line_has_two_sources_or_an_official_one(table: Helplines) -> None:
    official = re.compile(r"https?://([a-z0-9-]+\.)*(gov\.[a-z]{2}|[a-z]+\.gov|gov)/")
    for one in table.lines():
        hosts = {address.split("/")[2] for address in (one.source, *one.also)}
        assert (
            len(hosts) >= 2
            or official.match(one.source)
            or one.source.split("/")[2].endswith(("gov.mo", "gov.hk", "hrsa.gov"))
        ), one.id


def test_every_answer_has_at_most_four_rows_and_the_emergency_number_in_its_place(table: Helplines) -> None:
    for code, language, kind in itertools.product(sorted(COUNTRIES), LANGUAGES, RiskKind):
        rows = table.describe(code, language, kind).splitlines()
        assert 1 <= len(rows) <= 4
        if code in table.countries:
            found = table.countries[code].emergency
            row = rows[0 if kind is RiskKind.MEDICAL else -1]  # an ambulance comes before all else
            assert (found.any or found.ambulance) in row, code
            assert table.countries[code].name[language] in row, code
        else:
            assert all(address in rows[-1] for address in DIRECTORIES)


def test_whoever_writes_chinese_is_not_told_of_a_foreign_language_first_where_one_speaks_it(
    table: Helplines,
) -> None:
    for code, found in table.countries.items():
        lines = table.for_person(code, "zh", RiskKind.SELF_HARM)
        if any(one.speaks("zh") for one in found.lines if RiskKind.SELF_HARM in one.kinds):
            assert lines[0].speaks("zh"), code


# Reading and checking.


def write(folder: Path, text: str, name: str = "europe.yml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_an_entry_is_read_as_it_was_written(tmp_path: Path) -> None:
    (one,) = load_helplines(write(tmp_path, ENTRY)).lines()
    assert (one.id, one.country, one.phone, one.reviewed) == ("gb-one", "GB", "116 123", DAY)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("phone: '116 123'", "phone: '+44 116 123'", "phone is"),
        ("phone: '116 123'", "phone: 116123", "phone is"),
        ("phone: '116 123'", "phone: '1'", "phone is"),
        ("phone: '116 123'", "text_word: HELLO", "has none of phone"),
        ("phone: '116 123'", "chat: http://example.org", "chat is"),
        ("phone: '116 123'", "phone: '116 123'\n        text_word: HELLO", "text_word must"),
        ("any: '999'", "police: '999'", "emergency needs"),
        ("any: '999'", "any: 999", "emergency.any is"),
        ("always: true", "always: maybe", "always must"),
        ("always: true", "always: false", "needs either always"),
        ("always: true", "hours: {en: days}", "hours needs exactly"),
        ("name: {en: One, zh: 一}", "name: {en: One}", "name needs exactly"),
        ("name: {en: One, zh: 一}", "name: {en: '', zh: 一}", "name must be a text"),
        ("kinds: [self_harm]", "kinds: [boredom]", "kinds has boredom"),
        ("kinds: [self_harm]", "kinds: []", "kinds must be a list"),
        ("languages: [en]", "languages: [xx]", "languages has xx"),
        ("languages: [en]", "languages: [no]", "languages has False"),
        ("source: https://example.org/one", "source: a friend", "no web address"),
        ("id: gb-one", "id: us-one", "must be kebab-case and start with gb-"),
        ("id: gb-one", "id: gb-one\n        fax: '1'", "unknown field fax"),
        ("        languages: [en]\n", "", "lacks languages"),
        ("country: GB", "country: UK", "no ISO 3166-1"),
        ("reviewed: 2026-11-20\n    lines", "reviewed: lately\n    lines", "reviewed is"),
        ("reviewed: 2026-11-20\n    lines", "reviewed: 2026-11-20 10:00:00\n    lines", "reviewed is"),
        ("countries:", "numbers:", "expected the key countries"),
        ("countries:", "countries: [", "can't be read"),
    ],
)
def test_a_malformed_entry_is_refused_with_its_file(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in ENTRY
    with pytest.raises(ContractError, match=re.escape(problem)) as caught:
        load_helplines(write(tmp_path, ENTRY.replace(old, new)))
    assert "europe.yml" in str(caught.value)


def test_a_country_an_id_or_a_number_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, ENTRY)
    with pytest.raises(ContractError) as caught:
        load_helplines(write(tmp_path, ENTRY, "more.yml"))
    for problem in ("is there twice", "the id is used twice", "phone 116 123 is in another line too"):
        assert problem in str(caught.value)


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="holds no helplines"):
        load_helplines(tmp_path)


def test_what_was_read_long_ago_is_overdue_and_the_oldest_comes_first() -> None:
    old = line("gb-old", reviewed=DAY - timedelta(days=200))
    older = line("gb-older", reviewed=DAY - timedelta(days=300))
    table = Helplines([country(line("gb-new"), old, older)])
    assert [name for name, _, _ in overdue(table, DAY, 180)] == ["gb-older", "gb-old"]
    assert overdue(table, DAY, 300) == []
    assert len(overdue(table, DAY + timedelta(days=301), 300)) == 4


def test_a_review_of_tomorrow_is_told_but_does_not_take_the_numbers_away(tmp_path: Path) -> None:
    table = load_helplines(write(tmp_path, ENTRY.replace("2026-11-20", "2999-01-01")))
    assert len(from_the_future(table, DAY)) == 2
    assert table.emergency("GB") == "999"


# The command.


@pytest.fixture(autouse=True)
def _no_country_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATTUNE_COUNTRY", raising=False)


def test_show_prints_what_a_person_would_be_shown(
    table: Helplines, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["helplines", "show", "--country", "gb", "--language", "zh", "--kind", "abuse"]) == 0
    assert capsys.readouterr().out == table.describe("GB", "zh", RiskKind.ABUSE) + "\n"


def test_show_falls_back_on_the_operators_country(
    table: Helplines, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTUNE_COUNTRY", "NZ")
    assert main(["helplines", "show", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["country"] == "NZ"
    assert shown["text"] == table.describe("NZ", "en", RiskKind.SELF_HARM)
    assert main(["helplines", "show", "--timezone", "Asia/Singapore", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["emergency"] == "995 / 999"


def test_check_tells_what_is_overdue_by_its_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    today = date.today()
    for age, status in ((10, 0), (11, 1)):
        write(tmp_path, ENTRY.replace("2026-11-20", str(today - timedelta(days=age))))
        assert main(["helplines", "check", "--days", "10", "--folder", str(tmp_path)]) == status
    out = capsys.readouterr().out
    assert "overdue: gb-one" in out
    assert "https://example.org/one" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "--country", "UK"],
        ["check", "--days", "0"],
        ["check", "--folder", "/nowhere"],
        ["show", "--kind", "boredom"],
    ],
)
def test_bad_input_ends_with_status_2_and_a_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(["helplines", *arguments])
    except SystemExit as stop:
        status = int(stop.code or 0)
    assert status == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_check_refuses_a_review_of_tomorrow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, ENTRY.replace("2026-11-20", "2999-01-01"))
    assert main(["helplines", "check", "--folder", str(tmp_path)]) == 2
    assert "not yet" in capsys.readouterr().err


def test_the_folder_of_the_table_is_part_of_the_checkout() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.yml")) == [
        "africa", "americas", "asia", "europe", "oceania",
    ]  # fmt: skip
