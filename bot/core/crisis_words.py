"""The words by which the crisis protocol follows a person: what a turn is as an answer to what was asked.

Word lists rather than a model: the protocol has to work when every model is missing, and has to be read and
corrected by whoever answers for it. Denials are read narrowly and everything else widely, since to take a
"no" for a "maybe" costs one more question.
"""

from __future__ import annotations

import re
from enum import Enum

from bot.core.crisis_themes import RELATIONS, ZH_RELATIONS, Theme, plain

READ_CHARS = 600  # of a turn's beginning that an answer is looked for in
SHORT_WORDS = 12  # up to which a turn counts as an answer rather than a story
SHORT_CJK_CHARS = 20
SURE_INTENT = 0.8  # confidence from which the intent alone says what a turn is
LIKELY_INTENT = 0.5


class Answer(str, Enum):
    """What a turn is, as an answer to what was asked."""

    DANGER = "danger"
    YES = "yes"
    NO = "no"  # a clear denial of the danger
    UNSURE = "unsure"
    FINE = "fine"  # "I'm okay now", "forget it": no denial
    SOMEONE = "someone"  # somebody is near
    ALONE = "alone"  # nobody is
    THANKS = "thanks"
    GOODBYE = "goodbye"
    HUMAN = "human"
    IDENTITY = "identity"
    SECRET = "secret"  # asks that nobody is told
    NO_CALL = "no_call"  # doesn't want to telephone
    SUBJECT = "subject"  # something else


class Question(str, Enum):
    """What the bot's last answer asked."""

    NONE = "none"
    DANGER = "danger"  # the direct question of the theme
    NEAR = "near"  # whether somebody is near


_BUT = re.compile(
    r"\b(but|though|although|except|however|yet|only if|unless|anymore i)\b|但是?|可是|不过|只是|除非"
)
_BARE_NO = re.compile(
    r"(?:oh |um |well |ok |okay )?(?:no+|nope|nah|never|absolutely not|of course not|not at all"
    r"|definitely not|god no"
    r"|no (?:im|i am) not|no i dont|no i do not|no i wont|no i never|im not|i am not|i dont|i do not|i wont"
    r"|no never"
    r"|no not at all)(?: (?:promise|really|honestly|anymore|any more|now|right now))*"
    r"|(?:真的|我|现在|当然|目前)*(?:没有?|不是|不会|没想|不想|没有想|没有的|没有这样想|没有这么想"
    r"|绝对不会)(?:了|啊|的|呢|吧)?"
)
_OWN_DEATH = (
    r"die|dying|be dead|(?:kill\w*|unalive) myself|end\w* my (?:own )?life|(?:commit\w* )?suicide"
    r"|tak\w* my (?:own )?life"
)
_OWN_INJURY = r"(?:hurt|harm|cut|burn|injur)\w* myself|self ?harm\w*"
_ANOTHER = r"(?:hurt|harm|kill|attack)\w* (?:him|her|them|anyone|anybody|someone|somebody)"
_ANYTHING = r"end\w* (?:it(?: all)?|things)|(?:do|doing) (?:it|that|anything(?: stupid| bad)?)|act on it"
_EXPLICIT_NO = re.compile(
    r"(?:no )?(?:(?:im|i am) (?:really |honestly |definitely )?not (?:going to|gonna|planning (?:to|on)"
    r"|thinking (?:of|about)"
    r"|considering|trying to|about to) |i (?:really |honestly |definitely )?(?:dont|do not) (?:want to"
    r"|wanna|plan to|intend to) "
    r"|i (?:wont|will not|would never|will never|am never going to) )(?:actually |really )?"
    rf"(?:(?P<death>{_OWN_DEATH})|(?P<injury>{_OWN_INJURY})|(?P<another>{_ANOTHER})|(?:{_ANYTHING}))"
    r"(?: (?:anymore|any more|now|right now|at all|i promise))*"
    r"|(?:no )?(?:im|i am) not (?P<death2>suicidal)(?: (?:anymore|any more|now|right now))?"
    r"|(?:我)?(?:现在|真的|目前|已经)*(?:没有?|不会|不想|没想过?|没打算|不打算)(?:真的|再|要|想|想过|打算"
    r"|想着)*去?"
    r"(?:(?P<death3>死|自杀|轻生|结束(?:自己的?)?生命)|(?P<injury2>伤害自己|自残)|(?P<another2>伤害(?:别人"
    r"|任何人|他|她)|动手)|做傻事)"
    r"(?:了|的|的念头|的想法)*"
)
# They look like denials: to be too tired for anything, and to have survived.
_NO_DENIAL = re.compile(
    rf".*\b(?:want to|wanna) (?:{_ANYTHING})\b.*|(?:我)?(?:现在|真的|目前|已经|还)*没有?死(?:了|的)*"
)
_SAFE = re.compile(
    r"(?:no |yes )?(?:im|i am|were|we are) (?:really |completely |totally )?safe(?: (?:now|right now|here"
    r"|tonight|and sound))*"
    r"|(?:no )?(?:nobody|no one|noone) is in danger(?: (?:now|right now|anymore))?"
    r"|(?:我们?)?(?:现在|目前|已经|这里)*(?:很|是)?安全(?:的|了|着呢)?|没有?人(?:有|会有)?(?:危险|受伤)了?"
)
_THEY_ARE_SAFE = re.compile(
    r"(?:no |yes )?(?:he|she|they)(?:s| is|re| are) (?:safe|out of danger|with (?:someone|us|me|family"
    r"|a doctor))(?: (?:now|right now))?"
    r"|(?:他们?|她们?)(?:现在|目前|已经)*(?:很|是)?安全(?:的|了)?"
)
_HELP_COMES = re.compile(
    r"(?:yes )?(?:the )?(?:ambulance|help|paramedics|doctors?|they)(?:s| is| are|re)? (?:on (?:the|its"
    r"|their) way|coming|here)(?: now)?"
    r"|(?:yes )?(?:i|we)(?:ve| have)? (?:already )?called(?: (?:them|911|999|112|an ambulance"
    r"|the ambulance))?"
    r"|(?:yes )?(?:im|i am|were|we are) (?:at|in) (?:the )?(?:hospital|er|emergency room|a and e)(?: now)?"
    r"|(?:是的?)?(?:已经)?(?:打了|叫了|打过|叫过)(?:120|救护车|电话)?(?:了)?|救护车(?:已经)?(?:在路上|来了"
    r"|到了)(?:了)?"
    r"|(?:已经|我们?)*(?:在|到)(?:医院|急诊)(?:了)?"
)
_YES = re.compile(
    r"(?:oh |um |well |honestly )?(?:y+e+s+|yeah+|yea|yep|yup|ya|y|i am|i do|i have|kind of|kinda|sort of"
    r"|sorta|a little|a bit"
    r"|sometimes|often|every day|all the time|i think so|i guess|i guess so|probably|of course|always|right"
    r"|true"
    r"|yes i am|yes i do|yeah i am|yeah i do)(?: (?:please|really|a lot|now|right now|today|tonight"
    r"|sometimes|it is))*"
    r"|(?:我)?(?:真的|一直|经常|有时候?|确实|应该)*(?:是|是的|对|对的|嗯+|恩+|有|有的|有点|有一点|有过|想"
    r"|想过|在想|会|会想|想的|算是|没错)(?:啊|吧|呢|了)?"
    r"|有时候?|经常|偶尔|一直"
)
_SURE_YES = re.compile(  # where a yes is the good answer
    r"(?:yes|yeah|yep|yup)(?: (?:i am|im safe|i am safe|we are|i did|it is|they are|thank you|thanks"
    r"|for now))*"
    r"|(?:是的?|对|安全|很安全|是安全的)(?:的|了)?"
)
_UNSURE = re.compile(
    r"\b(maybe|perhaps|idk|dunno|(?:dont|do not) know|not sure|unsure|not really|hard to say|cant say"
    r"|depends"
    r"|not right now|not yet|not today|not tonight)\b|不知道|不清楚|也许|可能|或许|说不清|说不准|不好说"
    r"|不确定|看情况|暂时(?:没有|不)|还没有?$"
)
_FINE = re.compile(
    r"\b((?:im|i am|ill be|i will be|its|everythings?|feel|feeling|am) (?:\w+ )?(?:fine|ok|okay|alright"
    r"|all right|good|better)"
    r"|better(?! off| dead| without)|never ?mind|forget (?:it|i said|about it)|just kidding|jk|was joking"
    r"|only joking"
    r"|dont worry|no worries|was just (?:upset|venting|tired)|didnt mean it)\b"
    r"|没事|好多了|好些了|好点了|还好|算了|开玩笑|别担心|不用担心|当我没说|随便说说|没什么"
)
_NOT_FINE = re.compile(
    r"\b(?:not|never|nothing|nobody|dont|doesnt|isnt|arent|wasnt|wont|cant) (?:\w+ ){0,3}?"
    r"(?:fine|ok|okay|alright|all right|good|better)|没有?(?:什么)?好|不(?:太|怎么)?好|都一样"
)
_TAIL = re.compile(  # what may stand beside a denial without taking it back
    r"(?:i )?(?:promise|swear|mean it)|really|honestly|not at all|(?:im|i am) (?:fine|ok|okay|safe)(?: now)?"
    r"|(?:thanks?|thank you)(?: .{0,20})?"
    r"|(?:(?:i|im|i am|i was|its|it was|ive|i have) )?(?:just|only) (?:\w+ ){0,4}"
    r"(?:tired|sad|upset|venting|angry|stressed|exhausted|overwhelmed|lonely|frustrated"
    r"|(?:bad|rough|long|hard) (?:day|week|night))"
    r"|我?保证|真的(?:没有)?|谢谢.{0,4}|(?:我|就是|只是|太|有点|真的)*(?:累|难过|烦|压力大|心情不好"
    r"|发泄)(?:了|而已|一下)*"
)
_SOMEONE = re.compile(
    r"\b(?:my (?:\w+ )?(?:"
    + RELATIONS
    + r"|family|parents|flatmates|roommates)|someone|somebody|neighbou?rs?|they)"
    r"(?:s| is| are|re)? (?:\w+ )?(?:here|home|at home|next door|near|nearby|with me|asleep|sleeping"
    r"|in the (?:next|other) room)\b"
    r"|(?:" + ZH_RELATIONS + r"|家人|有人|爸妈)(?:都|就|也)?(?:在|陪)"
)
_ALONE = re.compile(
    r"\b(?:(?:im|i am|all|home|live|living|am|here) alone|by myself|nobody|no one|noone|on my own)\b"
    r"|一个人|没有?人|独自|就我自己"
)
_THANKS = re.compile(
    r"\b(thanks?|thank you|thx|ty|cheers|appreciate (?:it|this|that|you))\b|谢谢|多谢|感谢|谢了"
)
_LEAVING = re.compile(
    r"\b(bye|goodbye|good bye|good night|goodnight|gn|see you|see ya|gotta go|got to go|have to go"
    r"|need to go|going to bed"
    r"|going to sleep|im off|ttyl|leaving now|talk later)\b|再见|拜拜|晚安|先走了|下线|我走了|去睡|睡了"
    r"|回头聊|不聊了|88$"
)
_HUMAN = re.compile(
    r"\b(?:talk|speak|write|chat) (?:to|with) (?:a |an |some |any )?(?:real |actual |living )?(?:person"
    r"|human|human being|someone real"
    r"|somebody real|people)\b|\breal (?:person|human)\b|\bwhen (?:is|will|does) (?:the|that|a"
    r"|this) (?:person|human|someone)\b"
    r"|真人|人工|活人|转接"
)
_IDENTITY = re.compile(
    r"\bare you (?:a |an |even |really |just a |just an )*(?:human|bot|robot|real|ai|machine|program"
    r"|person)\b|\bis this a bot\b"
    r"|你是(?:不是)?(?:真人|人|机器人|程序|ai)|你是谁"
)
_SECRET = re.compile(
    r"\b(?:(?:dont|do not|please dont|wont you) (?:tell|report|call|inform|contact) (?:anyone|anybody"
    r"|anything|my|the police|them|the cops"
    r"|on me|somebody|someone|him|her)|(?:keep|stay|stays) (?:this |it )?(?:a |our )?(?:secret|between us"
    r"|private|confidential)"
    r"|will you (?:tell|report)|who (?:will|can|else can) (?:see|read) this|promise (?:me )?(?:not"
    r"|you wont))\b"
    r"|别告诉|不要告诉|别跟.{0,6}说|不要报警|别报警|保密|替我瞒|会告诉谁|谁会看到|你会不会告诉"
)
_NO_CALL = re.compile(
    r"\b(?:(?:dont|do not|cant|cannot|wont|will not|wouldnt|not going to|im not|never|hate to|hate"
    r"|afraid to|scared to|too scared to)"
    r" (?:\w+ ){0,2}?(?:call|calling|phone|phoning|ring|talk on the phone|phone calls|hotlines?|helplines?"
    r"|dial)"
    r"|(?:hotlines?|helplines?|calling|they) (?:dont|do not|doesnt|never|didnt|wont) (?:help|work|answer"
    r"|pick up)|no (?:credit|phone)"
    r"|already called)\b|不想打|不敢打|不打电话|打不通|没法打|不会打电话|打了没用|热线没用|打电话没用"
    r"|没人接"
)


def answer_of(
    text: str,
    theme: Theme,
    question: Question,
    *,
    is_concern: bool = False,
    intent: str | None = None,
    confidence: float = 0.0,
) -> Answer:
    """What a turn without danger is, as an answer.

    Args:
        text: the turn's words.
        theme: what the danger is about, and with it what a yes means.
        question: what was asked last.
        is_concern: whether something in the turn is worrying; then only a full denial is clear.
        intent: of the turn, used where the words don't tell.
        confidence: of the intent, [0, 1].
    """
    words = plain(text)[:READ_CHARS]
    clauses = [clause for part in re.split(r"[,.;!?~\n，。；！？、…]+", words) if (clause := part.strip())]
    is_short = _is_short(words)
    is_whole = len(words) < READ_CHARS
    for answer, pattern in (
        (Answer.SECRET, _SECRET),
        (Answer.IDENTITY, _IDENTITY),
        (Answer.HUMAN, _HUMAN),
        (Answer.NO_CALL, _NO_CALL),
    ):
        if pattern.search(words):
            return answer
    asks_back = "?" in words or "？" in words
    hedged = asks_back or _BUT.search(words) is not None or _UNSURE.search(words) is not None
    if _denies(clauses, theme, question, is_concern) and is_whole and not hedged:
        return Answer.NO
    if question is Question.NEAR and is_short:
        if _ALONE.search(words) or (clauses and _BARE_NO.fullmatch(clauses[0])):
            return Answer.ALONE
        if _SOMEONE.search(words) or (clauses and _YES.fullmatch(clauses[0])):
            return Answer.SOMEONE
    if _UNSURE.search(words) and is_short:
        return Answer.UNSURE
    if question is Question.DANGER and clauses and _says_danger(clauses[0], theme):
        return Answer.YES
    return _other_answer(words, is_short, intent, confidence)


def _other_answer(words: str, is_short: bool, intent: str | None, confidence: float) -> Answer:
    """What a turn is that doesn't answer the question."""
    if is_short:
        for answer, pattern in (
            (Answer.GOODBYE, _LEAVING),
            (Answer.FINE, _FINE),
            (Answer.THANKS, _THANKS),
        ):
            if pattern.search(words) and not (answer is Answer.FINE and _NOT_FINE.search(words)):
                return answer
        if not re.search(r"\w", words):
            return Answer.UNSURE  # "...", an emoji
        if _BARE_NO.fullmatch(words) or _YES.fullmatch(words):
            return Answer.UNSURE  # to something that wasn't asked
    for name, answer, least in (
        ("ask_human", Answer.HUMAN, LIKELY_INTENT),
        ("ask_identity", Answer.IDENTITY, LIKELY_INTENT),
        ("goodbye", Answer.GOODBYE, SURE_INTENT),
        ("thanks", Answer.THANKS, SURE_INTENT),
    ):
        if intent == name and confidence >= least:
            return answer
    return Answer.SUBJECT


def _denies(clauses: list[str], theme: Theme, question: Question, is_concern: bool) -> bool:
    """Whether clauses deny the danger: a plain no to the direct question, or a full sentence at any time.

    Where something in the turn is worrying, only a turn that is nothing but full denials counts: "I don't
    want to die" is of concern itself.
    """
    if not clauses:
        return False
    bare = _SURE_YES if theme.asks_for_safety else _BARE_NO
    full = [_is_full_denial(clause, theme) for clause in clauses]
    plain_no = [bare.fullmatch(clause) is not None for clause in clauses]
    tails = [not is_concern and _TAIL.fullmatch(clause) is not None for clause in clauses]
    # "No. I already did it" denies nothing: all of the turn has to agree.
    if not all(map(any, zip(full, plain_no, tails, strict=True))):
        return False
    return any(full) or (not is_concern and question is Question.DANGER and plain_no[0])


def _is_full_denial(clause: str, theme: Theme) -> bool:
    """Whether a clause denies this danger by itself: "I'm safe" most of them, "I won't hurt anyone" one."""
    if theme in (Theme.OTHER, Theme.OTHER_ABUSE):
        return _THEY_ARE_SAFE.fullmatch(clause) is not None
    if theme is Theme.MEDICAL:
        return any(pattern.fullmatch(clause) for pattern in (_HELP_COMES, _SAFE))
    if _SAFE.fullmatch(clause):
        return True
    denial = None if theme is Theme.ABUSE else _EXPLICIT_NO.fullmatch(clause)
    if denial is None:
        return False
    if _NO_DENIAL.fullmatch(clause):
        return False
    named = {name.rstrip("23") for name, words in denial.groupdict().items() if words}
    meant = {Theme.HARM: {"another"}, Theme.INJURY: {"injury"}}.get(theme, {"death", "injury"})
    return named <= meant


def _says_danger(clause: str, theme: Theme) -> bool:
    """Whether an answer to the direct question is the bad one."""
    if theme.asks_for_safety:
        return (
            _BARE_NO.fullmatch(clause) is not None
            or re.fullmatch(r"(?:我)?不安全(?:的)?", clause) is not None
        )
    return _YES.fullmatch(clause) is not None


def _is_short(words: str) -> bool:
    cjk = sum("\u4e00" <= char <= "\u9fff" for char in words)
    return cjk <= SHORT_CJK_CHARS and len(words.split()) <= SHORT_WORDS
