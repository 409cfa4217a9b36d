"""Regression cases of the risk phrases, each as a person might write it. Add one for every mistake found."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.core.reading import RiskReading
from nlu_models.risk.words import LEVELS, RiskWords

FOLDER = Path(__file__).resolve().parents[2] / "data" / "risk"


@pytest.fixture(scope="module")
def words() -> RiskWords:
    return RiskWords(FOLDER)


CRISIS = [
    ("my best friend wants to kill herself", "self_harm"),
    ("我朋友说想自杀", "self_harm"),
    ("I want to die", "self_harm"),
    ("i just wanna die tbh", "self_harm"),
    ("I really, honestly want to kill myself", "self_harm"),
    ("I’m gonna end it all tonight", "self_harm"),
    ("I don't want to live anymore", "self_harm"),
    ("i dont want to be here anymore", "self_harm"),
    ("I wish I was never born", "self_harm"),
    ("i've been thinking about suicide", "self_harm"),
    ("I can't stop wanting to die", "self_harm"),
    ("I WANT TO KILL MYSELF!!!", "self_harm"),
    ("k\u200bill my\u200bself", "self_harm"),
    ("ｋｉｌｌ ｍｙｓｅｌｆ", "self_harm"),
    ("I have no reason to live", "self_harm"),
    ("I'm not ok. I want to die.", "self_harm"),
    ("I took all my pills", "self_harm"),
    ("I feel suicidal", "self_harm"),
    ("I am going to stab my boss", "harm_to_others"),
    ("I'm bringing a gun to school", "harm_to_others"),
    ("my husband is trying to kill me", "abuse"),
    ("he pulled a knife on me", "abuse"),
    ("I think I'm having a heart attack", "medical"),
    ("she won't wake up and she's not breathing", "medical"),
    ("我想死", "self_harm"),
    ("我真的好想去死", "self_harm"),
    ("不想活了", "self_harm"),
    ("我活不下去了", "self_harm"),
    ("活着不如死了算了", "self_harm"),
    ("我准备自杀", "self_harm"),
    ("没有活下去的勇气", "self_harm"),
    ("忍不住想死", "self_harm"),
    ("我不開心，想自殺", "self_harm"),
    ("遗书都写好了", "self_harm"),
    ("我要杀了他", "harm_to_others"),
    ("我想跟他们同归于尽", "harm_to_others"),
    ("我老公拿刀威胁我", "abuse"),
    ("他掐着我脖子", "abuse"),
    ("我妈昏迷了叫不醒", "medical"),
    ("I feel so 绝望 我想死", "self_harm"),
]

HIGH = [
    ("they'd all be better off without me", "self_harm"),
    ("I've been hurting myself again", "self_harm"),
    ("I started cutting again last week", "self_harm"),
    ("life isn't worth living", "self_harm"),
    ("nobody would care if I died", "self_harm"),
    ("I'm scared I might hurt my baby", "harm_to_others"),
    ("I want to kill my boss", "harm_to_others"),
    ("my husband hits me when he drinks", "abuse"),
    ("he beats me at night", "abuse"),
    ("I was raped", "abuse"),
    ("I'm afraid to go home", "abuse"),
    ("I've got chest pain", "medical"),
    ("I'm hearing voices", "medical"),
    ("我又自残了", "self_harm"),
    ("活着没意思", "self_harm"),
    ("我死了也没人在乎", "self_harm"),
    ("我爸又打我", "abuse"),
    ("我被家暴了", "abuse"),
    ("我不敢回家", "abuse"),
    ("我妈打断了我的腿，他经常打我", "abuse"),
    ("我最近总是幻听", "medical"),
]

CONCERN = [
    "I don't want to die",
    "I do not want to kill myself",
    "I'm not suicidal",
    "I never wanted to kill myself",
    "I can't take it anymore",
    "I feel worthless",
    "I just want to disappear",
    "my mom is going to kill me if I fail this exam",
    "kms lol",
    "my uncle died by suicide",
    "我不想死",
    "我没有想过自杀",
    "我撑不下去了",
    "我觉得自己是个累赘，我没用",
    "他天天骂我",
    "最近压力大，喘不过气",
]

NONE = [
    "this job is killing me",
    "I'm dying to see that film",
    "that cake is to die for",
    "I'm dead tired",
    "I nearly died laughing",
    "I want to die laughing",
    "I could kill for a coffee",
    "my feet are killing me",
    "the suspense is killing me",
    "I bored myself to death",
    "we watched Suicide Squad last night",
    "hit me up later",
    "she beat me at chess",
    "what hit me was how kind he was",
    "I shot him an email",
    "I killed him in the game",
    "I cut myself some slack",
    "I hurt myself at the gym",
    "it's a dead end job",
    "I overdosed on chocolate",
    "I feel sad about my exam",
    "hello",
    "",
    "the deadline is tomorrow",
    "that is an alarm I do not want to wake up to",
    "the home side are about to beat them again",
    "these old laptops just need to die",
    "he kicked me out of the group",
    "笑死我了",
    "累死了",
    "热死了",
    "想死你了",
    "饿死我了",
    "我累得要死",
    "烦死了",
    "吓死我了",
    "尴尬死了",
    "自杀率在上升",
    "我爸打我电话",
    "游戏里杀了他三次",
    "我们去坐跳楼机吧",
    "笑得喘不过气",
    "忙得喘不过气",
    "被打断了思路",
    "今天天气不错",
    "他想打他的电话问问",
]


@pytest.mark.parametrize(("text", "kind"), CRISIS)
def test_crisis(words: RiskWords, text: str, kind: str) -> None:
    reading = words.read(text)
    assert (reading["level"], reading["kind"]) == ("crisis", kind)


@pytest.mark.parametrize(("text", "kind"), HIGH)
def test_high(words: RiskWords, text: str, kind: str) -> None:
    reading = words.read(text)
    assert (reading["level"], reading["kind"]) == ("high", kind)


@pytest.mark.parametrize("text", CONCERN)
def test_concern(words: RiskWords, text: str) -> None:
    assert words.read(text)["level"] == "concern"


@pytest.mark.parametrize("text", NONE)
def test_none(words: RiskWords, text: str) -> None:
    assert words.read(text) == {"level": "none", "score": 0.0, "kind": None, "evidence": []}


@pytest.mark.parametrize("text", [text for text, _ in CRISIS + HIGH] + CONCERN)
def test_readings_keep_the_contract_and_quote_the_text(words: RiskWords, text: str) -> None:
    reading = words.read(text)
    assert RiskReading.from_dict(reading).to_dict() == reading
    assert 0.0 < reading["score"] <= 1.0
    assert 1 <= len(reading["evidence"]) <= 5


def test_danger_is_found_anywhere_in_a_long_text(words: RiskWords) -> None:
    padding = "Nothing much happened today. " * 3000
    reading = words.read(padding + "I want to die. " + padding)
    assert reading["level"] == "crisis"
    assert reading["evidence"] == ["want to die"]


def test_higher_levels_score_higher(words: RiskWords) -> None:
    scores = dict.fromkeys(LEVELS, 0.0)
    for text in [text for text, _ in CRISIS + HIGH] + CONCERN:
        reading = words.read(text)
        scores[reading["level"]] = max(scores[reading["level"]], reading["score"])
    assert scores["concern"] < scores["high"] < scores["crisis"] <= 1.0


def test_more_evidence_never_scores_less(words: RiskWords) -> None:
    assert words.read("I want to die. I took all my pills.")["score"] > words.read("I want to die")["score"]
