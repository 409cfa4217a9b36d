"""What a danger is about, in the person's own terms, so that it can be taken up in those.

Whether somebody speaks of themselves is told by the subject nearest before the words of danger; in doubt
they do, since to ask somebody about a friend when they meant themselves is the worse mistake.
"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum

from bot.core.reading import RiskKind, RiskReading

SUBJECT_CHARS = 80  # before the words of danger, in which their subject is looked for

# Whom people speak of, as alternatives of a pattern.
RELATIONS = (
    r"friend|best friend|bestie|brother|sister|son|daughter|mom|mum|mother|dad|father|partner|husband|wife"
    r"|boyfriend|girlfriend|bf|gf|child|kid|roommate|flatmate|cousin|classmate|colleague|coworker|student"
    r"|neighbou?r"
    r"|uncle|aunt|grandma|grandpa|grandmother|grandfather|niece|nephew|ex|teacher|patient|client"
)
ZH_RELATIONS = (
    r"朋友|闺蜜|同学|室友|舍友|哥哥?|姐姐?|弟弟?|妹妹?|妈妈?|母亲|爸爸?|父亲|老公|丈夫|老婆|妻子|男友"
    r"|男朋友|女友|女朋友"
    r"|对象|孩子|儿子|女儿|同事|学生|邻居|表[哥姐弟妹]|堂[哥姐弟妹]|奶奶|爷爷|外婆|外公|网友|前任"
)


class Theme(str, Enum):
    """What the danger is about, in the terms in which it is taken up again."""

    DIE = "die"  # wanting to die
    INJURY = "injury"  # hurting oneself
    BURDEN = "burden"  # being a burden, others being better off
    GOODBYE = "goodbye"  # taking leave
    SELF = "self"  # of oneself, in words that don't say which
    OTHER = "other"  # somebody else may take their life
    ABUSE = "abuse"  # being hurt by somebody
    OTHER_ABUSE = "other_abuse"  # somebody else is being hurt
    HARM = "harm"  # wanting to hurt somebody
    MEDICAL = "medical"  # a body in danger

    @property
    def is_own_life(self) -> bool:
        """Whether the person may hurt themselves."""
        return self in (Theme.DIE, Theme.INJURY, Theme.BURDEN, Theme.GOODBYE, Theme.SELF)

    @property
    def asks_for_safety(self) -> bool:
        """Whether a yes to its question is the good answer ("are you safe?") rather than the bad one."""
        return self in (Theme.ABUSE, Theme.OTHER_ABUSE, Theme.MEDICAL)


_DEFAULT_THEME = {
    RiskKind.SELF_HARM: Theme.SELF,
    RiskKind.HARM_TO_OTHERS: Theme.HARM,
    RiskKind.ABUSE: Theme.ABUSE,
    RiskKind.MEDICAL: Theme.MEDICAL,
}

_INJURY = re.compile(
    r"\b(cut|cuts|cutting|hurt|hurting|harm|harming|harmed|burn|burning|injur\w+|punish\w*|starv\w+)\b"
    r"|selfharm|self harm|self injury|自残|自伤|自虐|割[腕手自]|划自己|伤害自己|弄伤自己|烫自己"
)
_DIE = re.compile(
    r"\b(die|dying|died|dead|death|kill\w*|suicid\w*|unalive|kms|end my|ending my|end it|ending it|take my"
    r"|taking my"
    r"|overdos\w*|alive|live|living|exist\w*|wake up)\b|死|自杀|轻生|不想活|活着|活不下去|结束生命|结束自己"
    r"|了结"
)
_GOODBYE = re.compile(
    r"\b(goodbye|good bye|farewell|taking leave|my last|final (message|words|goodbye)|note|wont be (here"
    r"|around))\b"
    r"|永别|遗书|遗言|告别|来世|下辈子|再也见不到"
)
_BURDEN = re.compile(
    r"\b(burden|better off|better without|happier without|fine without|without me|(would )?(miss"
    r"|notice)( me)?"
    r"|nobody would|no one would)\b|拖累|累赘|负担|没有我|没了我|少了我|多余"
)

_THIRD = rf"(?:my|a|our|this) (?:\w+ )?(?:{RELATIONS})\b|\b(?:he|she|they|hes|shes|theyre|someone|somebody)\b"
_ZH_THIRD = rf"(?:我们?的?|有个|一个|我有个)?(?:好)?(?:{ZH_RELATIONS})|他们?|她们?|有人|别人|\bta\b"
_FIRST = r"\b(?:i|im|ive|id|ill|me|my|myself|mine)\b|我|俺"
_SUBJECT = re.compile(rf"(?P<third>{_THIRD}|{_ZH_THIRD})|(?P<first>{_FIRST})")
_SELF_OF_OTHERS = re.compile(r"\b(himself|herself|themsel(?:f|ves)|him self|her self)\b|(?:他|她)自己")
_HURTS_OTHER = re.compile(
    rf"\b(?:hit\w*|beat\w*|hurt\w*|abus\w+|punch\w*|kick\w*|slap\w*|chok\w+|rap\w+|molest\w*|touch\w*)"
    rf" (?:her|him|them|my (?:\w+ )?(?:{RELATIONS})|(?:the|his|her|their) (?:kids?|child|children|baby))\b"
    rf"|(?:打|虐待|家暴|欺负|侵犯|猥亵)(?:了|着|过)?(?:他|她|(?:我的?|她的?|他的?)?(?:{ZH_RELATIONS}))"
)
_HURTS_ME = re.compile(r"\b(me|us|im|i)\b|我(?!的?(?:" + ZH_RELATIONS + r"))|我们")


def theme_of(risk: RiskReading, text: str) -> Theme | None:
    """What a danger is about; None when the reading names no kind.

    Args:
        risk: the danger.
        text: the turn it was read in.
    """
    if risk.kind is None:
        return None
    said = plain(" ; ".join(risk.evidence))
    words = plain(text)
    if (
        risk.kind is RiskKind.ABUSE
        and _HURTS_OTHER.search(said + " ; " + words)
        and not _HURTS_ME.search(said)
    ):
        return Theme.OTHER_ABUSE
    if risk.kind is not RiskKind.SELF_HARM:
        return _DEFAULT_THEME[risk.kind]
    if _is_of_another(risk.evidence, words):
        return Theme.OTHER
    if _GOODBYE.search(said):
        return Theme.GOODBYE
    if _BURDEN.search(said):
        return Theme.BURDEN
    if _INJURY.search(said):
        return Theme.INJURY
    return Theme.DIE if _DIE.search(said) else Theme.SELF


def plain(text: str) -> str:
    """A text as the lists are written: folded, without apostrophes and doubled spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"['’‘´`*_\"“”]", "", folded).split())


def _is_of_another(evidence: tuple[str, ...], words: str) -> bool:
    """Whether the words of danger have somebody else for their subject; in doubt they are the person's"
    " own."""
    if not evidence:
        return False
    own = False
    for said in map(plain, evidence):
        if "(" in said:  # what the conversation adds to the reading, with its reason
            own = True
            continue
        if _SELF_OF_OTHERS.search(said):
            continue
        at = words.find(said)
        before = words[max(0, at - SUBJECT_CHARS) : at] if at >= 0 else ""
        inside = next(_SUBJECT.finditer(said), None)
        found = inside or _last_subject(before)
        own = own or found is None or found.group("third") is None
    return not own


def _last_subject(before: str) -> re.Match[str] | None:
    found = list(_SUBJECT.finditer(before))
    return found[-1] if found else None
