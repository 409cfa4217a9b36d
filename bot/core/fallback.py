"""What a channel says by itself to somebody in danger, when nothing behind it answers.

Pure, and with no file behind it: these words are for when the model, the action server or the database is
down. They do what the crisis protocol's opening does (`bot.core.protocol`), in general words: take it up,
ask, name the lines, offer a human; and they say that something isn't working here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bot.core.crisis import OPENINGS
from bot.core.crisis_themes import Theme, theme_of
from bot.core.handoff import HandoffState
from bot.core.protocol import SILENCE, quoted
from bot.core.reading import RiskKind
from bot.core.turn import CHINESE, ENGLISH, Decision, PersonTurn

if TYPE_CHECKING:
    from bot.core.helplines import Helplines

POLICY = "Channel"

logger = logging.getLogger(__name__)

_TOLD: Mapping[str, Mapping[Theme, str]] = {
    ENGLISH: {
        Theme.DIE: "You wrote about dying, and I take it seriously. It was right to say it.",
        Theme.INJURY: "You wrote about hurting yourself, and I take it seriously.",
        Theme.BURDEN: "You feel the others would be better off without you. I take that seriously.",
        Theme.GOODBYE: "What you wrote reads like a goodbye, and I don't want to pass over it.",
        Theme.SELF: "What you wrote sounds very hard, and I take it seriously.",
        Theme.OTHER: "You're worried about someone's life, and it's good that you don't look away.",
        Theme.ABUSE: "What you describe should not be done to you, and it isn't your fault.",
        Theme.OTHER_ABUSE: "Somebody is being hurt, and you're not looking away.",
        Theme.HARM: "You wrote about hurting somebody. I take it seriously; saying it leaves room to stop.",
        Theme.MEDICAL: "This may be an emergency, and I can't send help myself. Please call now.",
    },
    CHINESE: {
        Theme.DIE: "你写到了死，我会认真对待。能说出来，已经很不容易。",
        Theme.INJURY: "你提到伤害自己，我会认真对待。",
        Theme.BURDEN: "听起来，你觉得没有你，别人会过得更好。我会认真对待。",
        Theme.GOODBYE: "你写的这些像是在告别，我不想就这么略过去。",
        Theme.SELF: "你写的这些，听得出来很难熬，我会认真对待。",
        Theme.OTHER: "你在担心一个人的生命安全，没有装作没看见，这很重要。",
        Theme.ABUSE: "别人不该这样对你，错不在你。",
        Theme.OTHER_ABUSE: "有人正在受到伤害，而你没有袖手旁观。",
        Theme.HARM: "你写到想伤害别人，我会认真对待。肯说出来，就还有停下来的余地。",
        Theme.MEDICAL: "这可能是急症，而我没办法替你叫救护车。请现在就打电话。",
    },
}
_OWN_LIFE = {
    ENGLISH: "Are you thinking of ending your life, or of hurting yourself?",
    CHINESE: "你现在有结束生命或者伤害自己的想法吗？",
}
_ASKED: Mapping[str, Mapping[Theme, str]] = {
    ENGLISH: {
        Theme.OTHER: "Do you think they may do it today? Then please don't leave them alone, and call.",
        Theme.ABUSE: "Are you safe right now?",
        Theme.OTHER_ABUSE: "Is everybody safe right now?",
        Theme.HARM: "Could it happen now? Then please first go where they aren't.",
        Theme.MEDICAL: "Is help there, or on its way?",
    },
    CHINESE: {
        Theme.OTHER: "你觉得对方今天就可能出事吗？如果是，请尽量陪着对方，并打电话求助。",
        Theme.ABUSE: "你现在安全吗？",
        Theme.OTHER_ABUSE: "现在大家都安全吗？",
        Theme.HARM: "现在就可能发生吗？如果是，请先离开对方在的地方。",
        Theme.MEDICAL: "救护人员到了吗，或者已经在路上了吗？",
    },
}
_TROUBLE = {
    ENGLISH: "I have to be honest: something on my side isn't working right now, so I can't answer you as I "
    "should. These people can:",
    CHINESE: "得跟你说实话：我这边现在出了故障，没法好好回答你。下面这些人可以帮到你：",
}
_HUMAN_ASKED = {
    ENGLISH: "A person of the team has been asked to join. I can't say how soon they will be here; you can "
    "go on writing to me.",
    CHINESE: "已经请了一位真人加入。他们什么时候到，我说不准；你可以继续写给我。",
}
_HUMAN_TRIED = {
    ENGLISH: "I'm trying to reach a person of the team for you and won't stop trying, but I can't promise "
    "that it works right now. Please don't wait for it: call, or go to somebody near you.",
    CHINESE: "我正在想办法替你联系团队里的真人，会一直试下去，但不能保证现在就联系得上。请不要干等："
    "先打电话，或者去找身边的人。",
}
_STAYING = {
    ENGLISH: "I have to be honest: something on my side still isn't working, so I can't answer this as I "
    "should. That doesn't make what you told me any smaller. Please don't stay alone with it; these people "
    "can talk now:",
    CHINESE: "得跟你说实话：我这边还没有恢复，没法好好回答你这句话。但你说过的事一样要紧。请不要一个人扛着，"
    "下面这些人现在就能陪你说话：",
}
_IN_DOUBT = {
    ENGLISH: "If you or somebody else is in danger:",
    CHINESE: "如果你或身边的人有危险：",
}
# For when not even the helplines' own module can be used.
_DIRECTORIES = {
    ENGLISH: "In immediate danger, call your local emergency number (112 across Europe, 911 in North "
    "America).\nTo find a line near you: https://findahelpline.com or https://befrienders.org",
    CHINESE: "有紧急危险时，请马上拨打当地紧急电话（中国大陆 110、120，欧洲多为 112，北美 911）。\n"
    "查找当地的求助热线：https://findahelpline.com 或 https://befrienders.org",
}


def care_text(turn: PersonTurn, lines: str, is_human_asked: bool) -> str:
    """The answer to somebody in danger, in their language.

    Args:
        turn: the person's, with the danger that was read in it.
        lines: whom they can call (`helplines_text`).
        is_human_asked: whether a human has been asked in; otherwise it still has to be tried.
    """
    language = _language(turn.reply_language)
    theme = theme_of(turn.risk, turn.text) or Theme.SELF
    question = _OWN_LIFE[language] if theme.is_own_life else _ASKED[language][theme]
    human = (_HUMAN_ASKED if is_human_asked else _HUMAN_TRIED)[language]
    gap = "" if language == CHINESE else " "
    return "\n\n".join((_TOLD[language][theme] + gap + question, _TROUBLE[language], lines, human))


def staying_text(language: str, lines: str) -> str:
    """The answer to what somebody in danger writes next, be it only "yes"."""
    return f"{_STAYING[_language(language)]}\n\n{lines}"


def with_lines(sentence: str, language: str, lines: str) -> str:
    """A sentence that owns up to trouble, for when it can't be told whether there is danger."""
    return "\n\n".join((sentence, f"{_IN_DOUBT[_language(language)]}\n{lines}"))


def helplines_text(table: Helplines | None, country: str | None, language: str, kind: RiskKind | None) -> str:
    """Whom to call: the lines of a country, or what can be said without knowing one; it never fails.

    Args:
        table: of the helplines; None where it couldn't be read.
        country: ISO 3166-1 alpha-2, or None.
        language: "en" or "zh".
        kind: of the danger, or None where it isn't known.
    """
    try:
        if table is not None:
            return table.describe(country, language, kind or RiskKind.SELF_HARM)
        from bot.core.helplines import last_resort

        return last_resort(language, kind)
    except Exception as error:  # whatever is wrong with it, somebody in danger gets something to call
        logger.error("fallback.no_helplines error=%s", type(error).__name__)
        return _DIRECTORIES[_language(language)]


def decide(turn: PersonTurn, handoff: HandoffState, trouble: str) -> Decision:
    """The channel's own decision about a turn in danger: to answer it, or to be silent before a human.

    Args:
        turn: the person's, with the danger.
        handoff: whose turn it is.
        trouble: why nothing else answered, in a word.
    """
    theme = theme_of(turn.risk, turn.text) or Theme.SELF
    kind = turn.risk.kind or RiskKind.SELF_HARM
    found = ", ".join(f'"{words}"' for words in turn.risk.evidence)
    grounds = [
        f"risk level {turn.risk.level.value} ({kind.value})" + (f", from the words {found}" if found else "")
    ]
    grounds.append(f"the channel answered by itself, since nothing else did ({trouble})")
    grounds.append(
        f"the person wrote: {quoted(turn.text)}" if turn.text else "what the person wrote was not kept"
    )
    return Decision(
        action=SILENCE if handoff is HandoffState.HUMAN else OPENINGS[theme],
        policy=POLICY,
        reason=f"risk_{kind.value}",
        evidence=tuple(grounds),
        level="handoff",
    )


def _language(language: str) -> str:
    return CHINESE if language == CHINESE else ENGLISH
