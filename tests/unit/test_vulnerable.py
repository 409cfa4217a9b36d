"""Who says of themselves that they are a minor, pregnant or disabled, and who only seems to."""

from __future__ import annotations

import pytest

from bot.core.vulnerable import READ_CHARS, Vulnerability, number_of, vulnerable_cues

MINORS = [
    "I'm 13",
    "im 13 and my parents are fighting again",
    "I’m 14 years old.",
    "i am thirteen",
    "I'm only twelve, I can't just leave",
    "I'm a 15-year-old girl from Leeds",
    "Hi, I'm 16 y/o and I feel awful",
    "i'm 17 btw",
    "I am almost 18 but they won't let me",
    "I'm not even 18",
    "I just turned 14 last week",
    "I turn 16 next month",
    "I (14f) had a fight with my dad",
    "As a 13 year old, I don't get a say",
    "I'm in 8th grade",
    "I'm in year 9 and everyone hates me",
    "i'm in middle school",
    "I'm a high school student",
    "im a freshman in high school",
    "I'm an 8th grader",
    "I'm a minor.",
    "I'm underage",
    "I'm just a kid, what can I do",
    "my teacher says I should talk to someone. I'm 12.",
    "我今年14岁",
    "我14岁",
    "我14岁，在学校被欺负",
    "我今年十四岁，爸妈要离婚",
    "我才十三岁",
    "我刚满十五岁了",
    "我今年十四，不想上学",
    "我是一个16岁的女生",
    "我是个13岁的孩子",
    "我快17岁了",
    "我还没满18岁",
    "我是初中生",
    "我现在读高一",
    "我上初二，压力很大",
    "我初三了",
    "我还没成年",
    "我是一位十三岁的女生",
    "初三女生，睡不着",
    "高二了，作业多得做不完",
    "准高一，有点慌",
    "今年14岁，女生",
    "本人17岁",
    "我１５岁",
]
NOT_MINORS = [
    "I'm 10-15 minutes late",
    "I'm 6-7 weeks pregnant",
    "im 13-0 up in the game",
    "I'm 12, 15 and 20 for my kids",
    "my son is 13",
    "My daughter is thirteen and she won't talk to me",
    "I'm 13 minutes late",
    "I'm 13 weeks pregnant",
    "I'm 12 hours into my shift",
    "I'm 15 pounds over",
    "I'm 16 points behind",
    "I'm 14th in line",
    "I'm 13 and a half minutes late",
    "I'm 10% sure",
    "im 6.5k short of it",
    "I'm 35",
    "I'm 18",
    "I'm twenty",
    "when I was 13 my father left",
    "I was 13 back then",
    "he treats me like I'm 12",
    "I feel as if I'm 13 again",
    "everyone thinks I'm 16",
    'she wrote "I\'m 13" on her page',
    "I turned 13 pages and gave up",
    "I turn 40 next month",
    "I (34f) had a fight with my dad",
    "As a 40 year old, I should know better",
    "I'm in year 10 of this marriage",
    "I'm in 8th grade math class as a helper",
    "I'm a high school teacher",
    "I teach, so I'm in high school every day",
    "I'm a minor celebrity in this town",
    "I'm a child of divorce",
    "I'm an only child",
    "I'm junior staff",
    "my student says she is 14",
    "the ticket says 13",
    "我儿子13岁",
    "我女儿今年十四岁",
    "我14岁的儿子不肯上学",
    "我14岁的时候爸爸走了",
    "我14岁那年出了事",
    "我今年35岁",
    "我今年四十岁",
    "那个时候，我已经15岁了",
    "当时我才14岁",
    "我18岁",
    "今年14岁的儿子不肯上学",
    "高三老师，压力很大",
    "高三那年出了事",
    "为什么高三了还有人睡觉",
    "我比他大14岁",
    "我迟到了13分钟",
    "我是14岁孩子的妈妈",
    "我等了14天",
    "我是初中老师",
    "我是高三老师，压力很大",
    "我上高中的时候",
    "我高中同学",
    "我初中毕业就工作了",
    "他把我当14岁",
    "我们14岁认识的",
    "我工作12年了",
]


def kinds(text: str) -> set[Vulnerability]:
    return {cue.kind for cue in vulnerable_cues(text)}


@pytest.mark.parametrize("text", MINORS)
def test_who_says_to_be_a_minor_is_taken_for_one(text: str) -> None:
    assert Vulnerability.MINOR in kinds(text)


@pytest.mark.parametrize("text", NOT_MINORS)
def test_other_peoples_ages_and_other_numbers_make_no_minor(text: str) -> None:
    assert Vulnerability.MINOR not in kinds(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("I'm pregnant and he pushed me", Vulnerability.PREGNANT),
        ("I'm five months pregnant", Vulnerability.PREGNANT),
        ("I'm 13 weeks pregnant", Vulnerability.PREGNANT),
        ("我怀孕了，他还打我", Vulnerability.PREGNANT),
        ("I'm in a wheelchair and she locks me in", Vulnerability.DISABLED),
        ("I have cerebral palsy", Vulnerability.DISABLED),
        ("I'm deaf, so I can't call", Vulnerability.DISABLED),
        ("我是残疾人，他不给我吃饭", Vulnerability.DISABLED),
        ("我坐轮椅", Vulnerability.DISABLED),
    ],
)
def test_pregnancy_and_disability_of_the_writer_are_read(text: str, kind: Vulnerability) -> None:
    assert kinds(text) == {kind}


@pytest.mark.parametrize(
    "text",
    [
        "my wife is pregnant",
        "I'm not pregnant",
        "there was a pregnant pause",
        "我老婆怀孕了",
        "I'm blind to his faults",
        "I'm deaf to excuses",
        "my brother is disabled",
        "my account is disabled",
        "我妈妈是残疾人",
    ],
)
def test_others_and_figures_of_speech_are_not(text: str) -> None:
    assert kinds(text) == set()


def test_the_words_are_given_as_evidence() -> None:
    (cue,) = vulnerable_cues("Hello. I'm 13 and I can't sleep.")
    assert cue.words == "i'm 13"
    (cue,) = vulnerable_cues("你好，我今年十四岁，睡不着")
    assert cue.words == "我今年十四岁"


def test_only_the_beginning_of_a_long_turn_is_read() -> None:
    assert kinds("x " * READ_CHARS + "I'm 13") == set()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("13", 13),
        ("thirteen", 13),
        ("十", 10),
        ("十四", 14),
        ("四十", 40),
        ("三十五", 35),
        ("九", 9),
        ("", None),
        ("百", None),
        ("forty", None),
    ],
)
def test_numerals_are_read(text: str, number: int | None) -> None:
    assert number_of(text) == number
