"""What somebody says they feel, when they say that they were read wrongly: "I'm not angry, I'm sad".

A proposal, no more: an agent confirms it before anything is learnt from it. Words of feeling that are denied
are left out; where nothing is named ("that's not it"), nothing is proposed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from nlu_models.text import normalize

# Labels and the words that name them, in English and Chinese. Only plain names of feelings: this reads
# statements about a feeling, not how one is expressed.
WORDS: dict[str, tuple[str, ...]] = {
    "amusement": ("amused", "joking", "kidding", "开玩笑", "逗"),
    "anger": ("angry", "anger", "mad", "furious", "pissed", "生气", "愤怒", "气"),
    "annoyance": ("annoyed", "irritated", "frustrated", "fed up", "烦"),
    "caring": ("worried about you", "caring", "心疼"),
    "confusion": ("confused", "lost", "困惑", "糊涂"),
    "curiosity": ("curious", "好奇"),
    "disappointment": ("disappointed", "let down", "失望", "委屈", "无奈"),
    "disgust": ("disgusted", "disgust", "恶心"),
    "embarrassment": ("embarrassed", "ashamed", "尴尬", "丢脸"),
    "excitement": ("excited", "thrilled", "兴奋", "激动"),
    "fear": ("afraid", "scared", "frightened", "terrified", "fear", "害怕", "恐惧", "怕"),
    "gratitude": ("grateful", "thankful", "感激", "感谢"),
    "grief": ("grieving", "grief", "mourning", "悲痛"),
    "joy": ("happy", "glad", "joyful", "高兴", "开心", "快乐"),
    "love": ("in love", "loving", "爱"),
    "nervousness": ("nervous", "anxious", "stressed", "worried", "tense", "焦虑", "紧张", "担心"),
    "neutral": ("fine", "okay", "ok", "neutral", "calm", "没事", "平静", "挺好"),
    "optimism": ("hopeful", "optimistic", "乐观"),
    "pride": ("proud", "自豪", "骄傲"),
    "relief": ("relieved", "relief", "松了口气"),
    "remorse": ("sorry", "guilty", "remorse", "内疚", "后悔"),
    "sadness": ("sad", "sadness", "unhappy", "upset", "hurt", "depressed", "难过", "伤心", "悲伤"),
    "surprise": ("surprised", "shocked", "惊讶", "吃惊"),
}  # fmt: skip

# A clause ends where a denial does: what follows "but" or a comma is said anew.
_CLAUSE = re.compile(
    r"[.,;!?\u2026\u3002\uff0c\uff1b\uff01\uff1f]|\b(?:but|just|only|more like|actually)\b"
    r"|就是|而是|只是|是因为"
)
# "more Y than X" and "Y rather than X" deny what comes last.
_THAN = re.compile(r"\b(?:than|rather than|instead of)\b")
_DENIAL = re.compile(
    r"\b(?:not|no|never|why|hardly|who said|you think|you thought|stop saying)\b"
    r"|\b(?:is|was|did|would|do|ai|have|has)n'?t\b|n't\b"
    r"|[没不非]|谁说|怎么觉得|什么时候说|与其说|谈不上"
)
_DENIAL_BEHIND = re.compile(r"\b(?:isn'?t|wasn'?t|is not)\b")
_UNHAPPY = re.compile(r"不高兴|不开心")


def feelings_said(text: str, known: Iterable[str]) -> tuple[str, ...]:
    """The labels that a statement claims, in the order they are named; empty where it claims none.

    Args:
        text: such as "no, I'm not angry, I'm sad"; English or Chinese.
        known: labels that may be proposed.
    """
    allowed = set(known)
    plain = _UNHAPPY.sub("难过", normalize(text))
    claimed: dict[str, None] = {}
    denied: set[str] = set()
    for clause in _CLAUSE.split(plain):
        head, *rest = _THAN.split(clause)
        denied |= {label for part in rest for label, _ in _named(part)}
        for label, place in _named(head):
            # A denial reaches what comes after it; English also puts it behind ("anxious isn't the word").
            before, after = head[:place], head[place:]
            if _DENIAL.search(before) or _DENIAL_BEHIND.search(after):
                denied.add(label)
            else:
                claimed[label] = None
    return tuple(label for label in claimed if label in allowed and label not in denied)


def _named(clause: str) -> list[tuple[str, int]]:
    """The feelings named in a clause and where, in their order; a longer name hides a shorter one in it."""
    found: list[tuple[int, int, str]] = []
    for label, words in WORDS.items():
        for word in words:
            pattern = rf"\b{re.escape(word)}\b" if word.isascii() else re.escape(word)
            found += [(match.start(), match.end(), label) for match in re.finditer(pattern, clause)]
    kept: list[tuple[int, int, str]] = []
    for start, end, label in sorted(found, key=lambda span: (span[0] - span[1], span[0])):
        if all(end <= other or start >= stop for other, stop, _ in kept):
            kept.append((start, end, label))
    return [(label, start) for start, _, label in sorted(kept)]
