"""What a page says. It never holds a word of what the person wrote: only that, where and for how long.

E-mail and chat services keep what they are sent, and show it on locked screens.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from bot.core.turn import CHINESE, ENGLISH


class Event(str, Enum):
    """Why a message is sent."""

    PAGE = "page"
    TEST = "test"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True)
class Notice:
    """One message to somebody on duty.

    Attributes:
        event: why it is sent.
        page: number of the page; 0 in a test.
        handoff: number of the handoff.
        conversation: number of the conversation.
        level: "high" or "crisis".
        kind: of the danger, or None when it isn't known.
        waiting_minutes: since the human was asked for.
        call: how many people were called before and with this one, from 1.
        person: who is called.
        link: where the page can be acknowledged, or "".
        desk: where the conversation can be seen, or "".
        command: shows the conversation.
        language: "en" or "zh": what the text is written in.
    """

    event: Event
    page: int = 0
    handoff: int = 0
    conversation: int = 0
    level: str = ""
    kind: str | None = None
    waiting_minutes: int = 0
    call: int = 1
    person: str = ""
    link: str = ""
    desk: str = ""
    command: str = ""
    language: str = ENGLISH

    def to_dict(self) -> dict[str, Any]:
        """The message in its JSON form, with the text ready to be shown."""
        data = {**asdict(self), "event": self.event.value}
        del data["language"]
        return {**data, "subject": self.subject, "text": self.text}

    @property
    def subject(self) -> str:
        """One line."""
        words = _WORDS[self.language]
        if self.event is not Event.PAGE:
            return words["test_subject"]
        return words["subject"].format(
            level=words[self.level], kind=words[self.kind or "unknown"], page=self.page
        )

    @property
    def text(self) -> str:
        """The whole message, a few lines."""
        words = _WORDS[self.language]
        if self.event is not Event.PAGE:
            return words["test"].format(person=self.person)
        lines = [
            words["text"].format(
                level=words[self.level],
                kind=words[self.kind or "unknown"],
                minutes=self.waiting_minutes,
                conversation=self.conversation,
                handoff=self.handoff,
                person=self.person,
                call=self.call,
            )
        ]
        if self.link:
            lines.append(words["link"].format(link=self.link))
        if self.desk:
            lines.append(words["desk"].format(desk=self.desk))
        lines.append(words["command"].format(command=self.command))
        lines.append(words["acknowledge"].format(page=self.page))
        return "\n".join(lines)


_WORDS = {
    ENGLISH: {
        "subject": "[Attune] {level}, {kind}: a person is waiting (page {page})",
        "text": "A person may be in danger and is waiting for a human.\n"
        "Level: {level}. Kind: {kind}. Waiting for {minutes} min.\n"
        "Conversation {conversation}, handoff {handoff}. Called: {person} (call {call}).",
        "link": "Say that you have seen this: {link}",
        "desk": "The conversation: {desk}",
        "command": "The conversation, on the server: {command}",
        "acknowledge": "Without the link: attune duty acknowledge {page} --by YOUR-NAME\n"
        "Somebody else is called until one of you does, or takes the conversation over.",
        "test_subject": "[Attune] TEST, nobody is waiting",
        "test": "This is a TEST of paging, for {person}. Nobody is waiting; nothing has to be done.",
        "high": "HIGH",
        "crisis": "CRISIS",
        "self_harm": "self-harm",
        "harm_to_others": "harm to others",
        "abuse": "abuse",
        "medical": "medical emergency",
        "unknown": "kind not known",
    },
    CHINESE: {
        "subject": "[Attune] {level}·{kind}：有人在等待(呼叫 {page})",
        "text": "有人可能处于危险之中，正在等待人工接待。\n"
        "级别：{level}。类型：{kind}。已等待 {minutes} 分钟。\n"
        "会话 {conversation}，转接 {handoff}。呼叫对象：{person}(第 {call} 次呼叫)。",
        "link": "点此确认您已看到：{link}",
        "desk": "会话页面：{desk}",
        "command": "在服务器上查看会话：{command}",
        "acknowledge": "没有链接时：attune duty acknowledge {page} --by 您的姓名\n"
        "在有人确认或接手之前，会继续呼叫其他值班人员。",
        "test_subject": "[Attune] 测试，没有人在等待",
        "test": "这是给{person}的呼叫测试。没有人在等待，您无需处理。",
        "high": "高危",
        "crisis": "危急",
        "self_harm": "自伤",
        "harm_to_others": "伤人",
        "abuse": "受虐待",
        "medical": "急症",
        "unknown": "类型不明",
    },
}
