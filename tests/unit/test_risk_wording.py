"""How disguised, mistyped, denied, told and past danger is read, and how patterns are put together."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlu_models.errors import DataError
from nlu_models.risk.patterns import PatternNet
from nlu_models.risk.phrases import PhraseTrie
from nlu_models.risk.spelling import Unmasker, one_edit, spelling_table
from nlu_models.risk.units import Splitter
from nlu_models.risk.words import RiskWords

FOLDER = Path(__file__).resolve().parents[2] / "data" / "risk"
DANGER = ("high", "crisis")


@pytest.fixture(scope="module")
def words() -> RiskWords:
    return RiskWords(FOLDER)


DISGUISED = [
    "k i l l  m y s e l f", "i want to k.i.l.l myself", "thinking about s.u.i.c.i.d.e", "su1c1dal again",
    "i feel su*c*dal", "he r@p3d me", "i'll k!ll th3m all", "i want to dieeeee", "I wаnt tо kіll mуsеlf",
    "𝓀𝒾𝓁𝓁 myself", "want to un@live myself", "自·杀的念头", "不 想 活 了", "我想自鲨", "我想zs", "我想紫砂",
    "wo bu xiang huo le", "我想亖", "又忍不住🔪自己了", "💊💊 bye",
]  # fmt: skip

MISTYPED = [
    "i wnat to dei", "im goign to kil mysefl", "ive been haveing sucidal thougts", "i took an overdoze",
    "cnat do this anymroe, endign it all tonihgt", "my boyfrend hits me", "i wont to hert my self",
]  # fmt: skip

DENIED = [
    ("I'm not going to kill myself", "concern"),
    ("I would never do anything like kill myself", "concern"),
    ("I have no plans to end my life", "concern"),
    ("I don't have any suicidal thoughts", "concern"),
    ("我没有想过要自杀", "concern"),
    ("我不会去自杀的", "concern"),
    ("he never hits me", "none"),
    ("I can't say I don't want to die", "crisis"),
    ("I can't promise I won't hurt myself", "high"),
    ("it's not like I don't want to die", "crisis"),
    ("I don't just want to die, I want to vanish", "crisis"),
    ("I don't think I want to live", "crisis"),
    ("I'm not okay. I want to die", "crisis"),
    ("过得不好，想死", "crisis"),
    ("没有一天不想死", "crisis"),
    ("我不能保证不会自杀", "high"),
    ("要不死了算了", "crisis"),
]

TOLD = [
    ("in the movie he tries to kill himself", "none"),
    ('that song called "I want to die" is great', "none"),
    ("the character kills himself in the last episode", "none"),
    ("电影里男主自杀了", "none"),
    ("《想死的人》好看吗", "none"),
    ("I watched that movie and now I want to kill myself", "crisis"),
    ("after the film my friend said he wants to kill himself", "crisis"),
    ("看完这个电影我想死", "crisis"),
    ('my brother texted me "I want to die"', "crisis"),
    ("we watched a movie and she stopped breathing", "crisis"),
]

PAST = [
    ("I tried to kill myself when I was fifteen", "concern"),
    ("I used to cut myself", "concern"),
    ("I was raped years ago", "concern"),
    ("以前想过自杀", "concern"),
    ("I tried to kill myself last night", "crisis"),
    ("I tried to kill myself years ago and the thoughts are back again", "high"),
    ("years ago it was the same and I want to die", "crisis"),
    ("小时候我就想死，现在还是想死", "crisis"),
    ("kms lol", "concern"),
]

OTHERS = [
    "my daughter says she wants to die",
    "a student of mine is suicidal", "she tried to kill herself last night",
    "my brother locked himself in and is threatening to kill himself", "我女儿说不想活了", "网友说要自杀",
]  # fmt: skip

EVERYDAY = [
    "I was cut off while on the phone", "that allergic reaction article was long",
    "text katy and tell her i love her",
    "does bill's house of chop suey take bookings", "how many z's are in zombie",
    "what's the point balance on my card",
    "I'm saying goodbye now", "it'll be over soon, then we can eat", "kill the process that holds the port",
    "I'll strangle him if he leaves wet towels on the bed", "hate them or love them", "Drs hate him!",
    "干活没有劲", "我一直没有意识到这一点", "要给狗狗安乐死吗", "无语的要死", "好想给前任发消息",
    "多肉是不是要死了",
    "想给爸妈放一部电影", "过年都不敢回家", "对我没用", "紫砂壶怎么养", "睡过去的火车",
]  # fmt: skip


@pytest.mark.parametrize("text", DISGUISED + MISTYPED + OTHERS)
def test_danger_is_seen_through_disguise_slips_and_other_people(words: RiskWords, text: str) -> None:
    assert words.read(text)["level"] in DANGER


@pytest.mark.parametrize(("text", "level"), DENIED + TOLD + PAST)
def test_what_stands_around_a_phrase_decides_its_level(words: RiskWords, text: str, level: str) -> None:
    assert words.read(text)["level"] == level


@pytest.mark.parametrize("text", EVERYDAY)
def test_everyday_talk_is_no_danger(words: RiskWords, text: str) -> None:
    assert words.read(text)["level"] == "none"


def test_a_sign_far_away_or_in_another_sentence_counts_for_nothing(words: RiskWords) -> None:
    assert words.read("I saw a movie. He wants to kill himself.")["level"] in DANGER
    assert words.read("a movie " + "word " * 60 + "he wants to kill himself")["level"] in DANGER


def test_no_phrase_goes_on_beyond_a_sentence(words: RiskWords) -> None:
    assert words.read("I never tried. To kill myself is no option")["evidence"] != ["tried. to kill myself"]
    assert words.read("I. Want. To. Die.")["level"] == "crisis"
    assert words.read("I just want to... die")["level"] == "crisis"


@pytest.mark.parametrize(
    "text",
    ["kill myself ", "想死", "i want to ", "dont ", "not ", "'", "{", "\u200b", "a", "不", "su*c*de ",
     "k i l l ", "movie i want to die ", "."],
)  # fmt: skip
def test_work_grows_with_the_length_only(
    words: RiskWords, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0
    scoped = type(words._scope.over(words._splitter.split("x")))
    level, holds = scoped.level, PhraseTrie.holds

    def counted(call):  # type: ignore[no-untyped-def]
        def wrapper(*arguments: object) -> object:
            nonlocal steps
            steps += 1
            return call(*arguments)

        return wrapper

    monkeypatch.setattr(scoped, "level", counted(level))
    monkeypatch.setattr(PhraseTrie, "holds", counted(holds))
    words.read((text * 100_000)[:100_000])
    assert steps <= 100_000 * 2


def _cut(text: str) -> list[str]:
    return text.split()


def _trie(*patterns: str) -> PhraseTrie:
    net = PatternNet(_cut)
    for pattern in patterns:
        net.add(pattern, pattern, {"me": ["myself", "my self"]})
    return net.trie()


def test_a_pattern_stands_for_all_its_phrases_and_no_other() -> None:
    trie = _trie("{kill|end {it|this}|} <me> {now|}")
    for text in ("kill myself", "end it my self now", "end this myself", "my self", "myself now"):
        assert trie.holds(text.split(), 0, len(text.split())), text
    for text in ("kill", "end myself", "kill my", "now", "kill this myself"):
        assert not trie.holds(text.split(), 0, len(text.split())), text


def test_patterns_that_share_words_keep_their_own_payloads() -> None:
    trie = _trie("{a|b} c", "b {c|d} e", "b c")
    found = {
        text: [match.payload for match in trie.find(text.split())]
        for text in ("a c", "b c", "b c e", "b d e")
    }
    assert found == {"a c": ["{a|b} c"], "b c": ["{a|b} c"], "b c e": ["b {c|d} e"], "b d e": ["b {c|d} e"]}


def test_a_trie_grows_with_its_patterns_and_not_with_their_phrases() -> None:
    alternatives = "{" + "|".join(f"w{number}" for number in range(50)) + "}"
    trie = _trie(" ".join([alternatives] * 6))  # 50 to the power of 6 phrases
    assert trie.holds(["w0", "w9", "w1", "w8", "w2", "w49"], 0, 6)


@pytest.mark.parametrize("pattern", ["{a|b", "a|b", "a}", "<nobody> x", "kill{s|ed} it", "{|}"])
def test_malformed_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(DataError):
        _trie(pattern)


def test_an_alternative_of_fillers_alone_is_refused() -> None:
    net = PatternNet(lambda text: [word for word in text.split() if word != "so"])
    with pytest.raises(DataError, match="'so', which is nothing but fillers"):
        net.add("{so|very} sad", True, {})
    net.add("{so|} sad", True, {})


def test_one_slip_is_undone_in_guarded_words_only() -> None:
    table = spelling_table(["suicide", "hopeless"], ["homeless"], {"want": ["wnat"]})
    assert {table["sucide"], table["suicdie"], table["suicxde"], table["suiicide"]} == {"suicide"}
    assert table["wnat"] == "want"
    assert not {"homeless", "hopeless", "want"} & set(table)
    assert "suicide" not in one_edit("suicide")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("su*c*de", "suicide"), ("S!cide, no", "S!cide, no"), ("k!ll me", "kill me"), ("r@p3d", "raped"),
        ("s*****e", "suicide"), ("wow!great", "wow!great"), ("*kill*", "*kill*"), ("a*b", "a*b"),
    ],
)  # fmt: skip
def test_masked_words_are_looked_up(text: str, plain: str) -> None:
    assert Unmasker(["suicide", "kill", "raped"]).unmask(text) == plain


def test_units_are_words_characters_and_ends_of_sentences() -> None:
    units = Splitter([["so"], ["真", "的"]]).split("I'm so tired, 我真的累 today. Why not")
    assert list(units.words) == ["im", "tired", "我", "累", "today", ".", "why", "not"]
    assert units.quote(0, 2) == "i'm so tired"
    assert [units.is_after_stop(unit) for unit in (2, 3)] == [True, False]


HEAD = "{fillers: [], spelling: {}, context: {}, groups: {}, idioms: [], "


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("- a", "exactly the keys"),
        ("fillers: [", "can't be read"),
        (HEAD + "kinds: {theft: {high: [x]}}}", "theft"),
        (HEAD + "kinds: {abuse: {worst: [x]}}}", "worst"),
        (HEAD + "kinds: {abuse: {high: ['{x']}}}", "isn't closed"),
        (HEAD + "kinds: {abuse: {high: [233]}}}", "233 isn't text"),
        (HEAD.replace("context: {}", "context: {tenses: [x]}") + "kinds: {}}", "tenses"),
        (HEAD.replace("spelling: {}", "spelling: {typos: [x]}") + "kinds: {}}", "typos"),
        (HEAD.replace("fillers: []", "fillers: [so]") + "kinds: {abuse: {high: [so]}}}", "fillers"),
        (HEAD.replace("fillers: []", "fillers: a") + "kinds: {}}", "fillers is str"),
    ],
)
def test_a_malformed_file_is_named(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "en.yml").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=rf"en\.yml.*{problem}"):
        RiskWords(tmp_path)


def test_a_folder_without_phrases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no risk phrases"):
        RiskWords(tmp_path)
