"""Signs in a turn that mean danger only in the light of what came before it.

Each is harmless by itself: people say goodbye, sell a van and feel relieved every day. So they are looked
for here and weighed in `risk_state`, never read as danger on their own.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MAX_CHARS = 2000  # of a turn are looked at

# One alternative per line; English first, matched as whole words.
_LEAVING_EN = """
    good ?bye
    farewell
    so long (?:everyone|everybody|all)
    this is it
    (?:take care of|look after) (?:my|him|her|them|each|mum|mom|dad)
    thank(?:s| you)(?: \\w+)? for (?:everything|all|listening|being|trying|having)
    you (?:did|ve done|have done) (?:all|everything|what) you could
    tell (?:my|him|her|them|everyone)
    you wont (?:have to|need to) (?:worry|hear)
    wont (?:bother|be bothering) (?:you|anyone|anybody)
    last (?:message|time|thing)
    sorry for everything
    forgive me
    remember me
"""
_LEAVING_ZH = """
    再见了|永别|诀别|告别|原谅我|忘了我|别找我|来生|下辈子
    谢谢你们?(?:一直|这段|陪|听|为我)
    谢谢(?:大家|你们?)?的?(?:一切|照顾|陪伴)
    替我(?:照顾|跟|和|说|谢)
    照顾好(?:我|他|她|妈|爸|孩子|自己)
    不会再(?:打扰|麻烦|烦)
    最后一(?:次|条|句)
    对不起(?:大家|你们|爸|妈)
"""
_CALM_EN = """
    feel(?:ing)? (?:so |very |really |much |a lot )?(?:lighter|calm|calmer|peaceful|at peace|free|relieved)
    at peace(?: now)?
    (?:ive|i have|now that ive|finally) (?:decided|made (?:up my mind|my decision|peace))
    made up my mind
    (?:its|everything is|everythings|all is|alls) (?:ok|okay|fine|clear|settled|decided|sorted) now
    i know what (?:to|i have to|ill|i need to|im going to) do(?: now)?
    it doesnt (?:hurt|matter) (?:any ?more|now)
    (?:not|no longer) (?:scared|afraid)(?: any ?more)?
    it (?:will|ll) (?:all )?be over
    soon it(?:ll| will)
    not sad any ?more
    nothing hurts any ?more
    i can rest
"""
_CALM_ZH = """
    想通了|想开了|想好了|决定了|没什么好怕|可以休息了|无所谓了
    (?:平静|轻松|踏实|释然|安心)(?:了|多了|下来)
    不(?:难受|害怕|怕|痛|疼|纠结)了
    都(?:安排|准备|想|处理|交代)好了
    快(?:结束|解脱)了
"""
_SETTLING_EN = """
    (?:gave|given|giving) (?:away|my \\w+(?: \\w+)? (?:to|away))
    sold (?:the|my) \\w+
    sorted (?:out )?(?:the|my|all my) (?:papers?|paperwork|affairs|stuff|things|accounts?|finances)
    (?:wrote|written|writing) (?:(?:a|the|some|my) )?(?:goodbye )?(?:letters?|notes?|will)
    paid off (?:everything|my debts)
    found (?:a )?(?:home|someone) for (?:my|the) (?:dog|cat|pets?)
    cancel(?:l)?ed everything
    deleted (?:all )?(?:my|everything)
    put everything in order
    said (?:my )?goodbyes?
    passwords? (?:are|is) in
"""
_SETTLING_ZH = """
    (?:东西|猫|狗|房子|车子?|存款)[都也]?(?:送|托付|卖|分|留)[人给掉好了]
    后事|遗书|遗嘱
    (?:信|留言)[都也]?写好
    (?:账号|密码|手续|文件)[都也]?(?:整理|留|办|处理)
    [都全](?:安排|交代|处理|整理)[好完]了
    把.{1,8}托付
"""
_WHEN_EN = """
    tonight|today|right now|now|tomorrow|in an hour|soon|its time|time to go
    this (?:evening|night|weekend)
    yes|i am|i will|i do|im ready|ready|do it|doing it
"""
_WHEN_ZH = "今晚|今天|现在|就是|马上|明天|这个周末|到时候了|该走了|是的|嗯,?会|准备好了"
_OTHERWISE_EN = "but|although|party|film|movie|game|dinner|meeting|class|shift|lol|haha|thanks?"
_OTHERWISE_ZH = "哈哈"
_DENIAL_EN = "no|not|never|nope|dont|wont|didnt|safe|promise|joking|kidding"
_DENIAL_ZH = "不会|没有|不是|不想死|开玩笑|安全"

_PUNCTUATION = re.compile(r"[^\w\s\u3400-\u9fff]|_")
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True)
class Signs:
    """The signs in one turn: the words of each, "" where it isn't there.

    Attributes:
        leaves: takes leave in a way that sounds final.
        calm: is calm or resolved all at once.
        settles: puts affairs in order, gives things away.
        when: says yes, or when.
        otherwise: speaks of something else or lightly, so that `when` is no answer to dark thoughts.
        denies: says no.
        n_chars: how long the turn is.
    """

    leaves: str = ""
    calm: str = ""
    settles: str = ""
    when: str = ""
    otherwise: str = ""
    denies: str = ""
    n_chars: int = 0


def signs_of(text: str) -> Signs:
    """The signs in a turn of any length; the first MAX_CHARS characters are looked at."""
    clean = unicodedata.normalize("NFKC", text[:MAX_CHARS]).casefold().replace("'", "").replace("’", "")
    plain = _BLANKS.sub(" ", _PUNCTUATION.sub(" ", clean)).strip()
    found = {name: match.group() for name, sign in _SIGNS.items() if (match := sign.search(plain))}
    return Signs(**found, n_chars=len(plain))


def _sign(english: str, chinese: str) -> re.Pattern[str]:
    """A pattern for any of the lines of both texts."""
    parts = ["|".join(line.strip() for line in text.strip().splitlines()) for text in (english, chinese)]
    return re.compile(rf"\b(?:{parts[0]})\b|{parts[1]}")


_SIGNS = {
    "leaves": _sign(_LEAVING_EN, _LEAVING_ZH),
    "calm": _sign(_CALM_EN, _CALM_ZH),
    "settles": _sign(_SETTLING_EN, _SETTLING_ZH),
    "when": _sign(_WHEN_EN, _WHEN_ZH),
    "otherwise": _sign(_OTHERWISE_EN, _OTHERWISE_ZH),
    "denies": _sign(_DENIAL_EN, _DENIAL_ZH),
}
