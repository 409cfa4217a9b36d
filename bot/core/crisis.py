"""Where a conversation stands in the crisis protocol: which dangers are open, and what was said about them.

    none ──danger──▶ open ──denied twice──▶ watch ──some turns, or a gap──▶ check ──no──▶ closing ──▶ none
                     ▲  └──a human gave it back──────────────────────────▶ │
                     └──danger, a yes, no answer───────────────────────────┘

A danger stays open until the person has clearly denied it in two turns, or a human of the team has had
the conversation and given it back; then it is asked about once more. Nothing else closes it: no story, no
change of subject, no time. The state is small, JSON, and rebuilt turn by turn, so that it can be replayed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

from bot.core.crisis_themes import Theme, theme_of
from bot.core.crisis_words import Answer, Question, answer_of
from bot.core.handoff import HandoffState
from bot.core.reading import RiskKind, RiskLevel, RiskReading
from bot.core.stored import count_of
from bot.core.turn import Decision, PersonTurn

CRISIS_PREFIX = "utter_crisis_"
DENIALS_NEEDED = 2  # clear ones, in turns of their own
CHECK_BACK_TURNS = 3  # of the person after they denied it, before it is asked about once more
BACK_AFTER_S = 7200.0  # of silence, from which somebody has come back rather than gone on

OPENINGS: Mapping[Theme, str] = {theme: f"{CRISIS_PREFIX}{theme.value}" for theme in Theme}
CHECKS = (f"{CRISIS_PREFIX}check_back", f"{CRISIS_PREFIX}return")
OWN_STEPS = tuple(f"{CRISIS_PREFIX}{step}" for step in ("plan", "near", "hour"))
NEAR_ACTIONS = (f"{CRISIS_PREFIX}plan", f"{CRISIS_PREFIX}near")
ASKING_ACTIONS = frozenset(
    (
        *OPENINGS.values(),
        *CHECKS,
        *(
            f"{CRISIS_PREFIX}{move}"
            for move in ("also", "again", "unsure", "fine", "subject", "hour", "thanks")
        ),
        *(f"{CRISIS_PREFIX}{theme.value}_more" for theme in Theme if not theme.is_own_life),
        *(f"{CRISIS_PREFIX}{theme.value}_steps" for theme in Theme if theme.asks_for_safety),
    )
)


class Stage(str, Enum):
    """How far the protocol has come; its values are kept in SQL."""

    NONE = "none"
    OPEN = "open"
    WATCH = "watch"  # denied twice: others answer again, and it is asked about once more later
    CHECK = "check"  # it is time to ask once more, or it was asked
    CLOSING = "closing"  # denied once more: said so, and done


_GROUPS = {theme: "self" if theme.is_own_life else theme.value for theme in Theme}


def steps_of(theme: Theme) -> tuple[str, ...]:
    """The answers with steps to take, which are given in turn."""
    if theme.is_own_life:
        return OWN_STEPS
    return tuple(f"{CRISIS_PREFIX}{theme.value}_{step}" for step in ("steps", "more"))


@dataclass(frozen=True)
class Danger:
    """One danger of a conversation.

    Attributes:
        theme: what it is about.
        kind: as the reading had it.
        level: the highest so far.
        denials: clear ones since it was last spoken of.
        is_told: whether it was taken up and asked about in its own terms.
    """

    theme: Theme
    kind: RiskKind
    level: RiskLevel
    denials: int = 0
    is_told: bool = False

    @property
    def group(self) -> str:
        """Dangers of one group are one danger in other words."""
        return _GROUPS[self.theme]


@dataclass(frozen=True)
class CrisisState:
    """The protocol's memory of a conversation, in constant space.

    Attributes:
        stage: how far it has come.
        dangers: the open ones, at most one per group; the last is the one that is spoken of.
        opened_at: seconds since 1970 UTC, as all times; 0 for never.
        danger_at: when danger was last spoken of.
        touched_at: when the person last wrote.
        closed_at: when the last crisis was closed.
        answer: what the person's last turn was.
        said: the protocol's last answer, as an action; "" when something else was said since.
        steps: how many answers with steps to take were given.
        quiet_turns: of the person since they denied it twice.
        came_back: whether the last turn followed a long silence.
        lines_given: whether helplines were named.
        human_asked: whether a human was asked in for it, and hasn't given the conversation back.
        follow_ups: how often it was asked about after a silence or a denial.
        checked: whether it was asked about once more after it was denied.
    """

    stage: Stage = Stage.NONE
    dangers: tuple[Danger, ...] = ()
    opened_at: float = 0.0
    danger_at: float = 0.0
    touched_at: float = 0.0
    closed_at: float = 0.0
    answer: Answer | None = None
    said: str = ""
    steps: int = 0
    quiet_turns: int = 0
    came_back: bool = False
    lines_given: bool = False
    human_asked: bool = False
    follow_ups: int = 0
    checked: bool = False

    @property
    def danger(self) -> Danger | None:
        """The danger that is spoken of, or None."""
        return self.dangers[-1] if self.dangers else None

    @property
    def level(self) -> RiskLevel:
        """The highest level of what is open."""
        return max((danger.level for danger in self.dangers), key=_rank, default=RiskLevel.NONE)

    @property
    def question(self) -> Question:
        """What the last answer asked."""
        if self.said in ASKING_ACTIONS:
            return Question.DANGER
        return Question.NEAR if self.said in NEAR_ACTIONS else Question.NONE

    def after_person(
        self, turn: PersonTurn, risk: RiskReading, handoff: HandoffState, is_in_doubt: bool = False
    ) -> CrisisState:
        """The state once the person's turn has gone in.

        Args:
            turn: the person's turn.
            risk: the danger in it, as the conversation lets it be read.
            handoff: whose turn it was.
            is_in_doubt: whether it may be about the danger that was denied ("tonight"); it is asked again.
        """
        at = max(turn.at, self.touched_at) if math.isfinite(turn.at) else self.touched_at
        came_back = self.touched_at > 0.0 and at - self.touched_at >= BACK_AFTER_S
        theme = theme_of(risk, turn.text) if risk.level.needs_human else None
        if theme is not None and risk.kind is not None and not self._is_denied_by(turn):
            human_asked = handoff is HandoffState.HUMAN or (
                self.human_asked and handoff is HandoffState.WAITING
            )
            found = Danger(theme, risk.kind, risk.level)
            return replace(self._endangered(found, at, came_back), human_asked=human_asked)
        if self.stage in (Stage.NONE, Stage.CLOSING) or self.danger is None:
            return self if self.stage is Stage.NONE else CrisisState(closed_at=at)
        now = replace(self, touched_at=at, came_back=came_back, answer=Answer.SUBJECT)
        if handoff is HandoffState.HUMAN:
            return replace(now, came_back=False, said="", human_asked=True)  # they are talking to the human
        if handoff is HandoffState.RETURNED and self.human_asked:
            return replace(now, stage=Stage.CHECK, human_asked=False, said="")
        if came_back:  # a "no" now belongs to nothing that was asked
            return replace(now, stage=Stage.CHECK if self.stage is Stage.WATCH else self.stage, said="")
        return now._answered(self._answer(turn), is_in_doubt)

    def after_decision(self, decision: Decision) -> CrisisState:
        """The state once the bot's answer has gone out."""
        if self.stage is Stage.NONE or self.danger is None:
            return self
        action = decision.action
        if not action.startswith(CRISIS_PREFIX):
            return replace(self, said="")
        danger = replace(self.danger, is_told=self.danger.is_told or action in OPENINGS.values())
        return replace(
            self,
            dangers=(*self.dangers[:-1], danger),
            said=action,
            steps=self.steps + (action in steps_of(danger.theme)),
            lines_given=True,
            human_asked=self.human_asked or decision.level == "handoff",
            follow_ups=self.follow_ups + (action in CHECKS),
        )

    def _endangered(self, new: Danger, at: float, came_back: bool) -> CrisisState:
        """The state once danger was spoken of: whatever was denied about it counts no more."""
        start = CrisisState(opened_at=at, closed_at=self.closed_at) if self._is_over else self
        before = next((danger for danger in start.dangers if danger.group == new.group), None)
        if before is not None:
            vague = new.theme is Theme.SELF
            same = vague or new.theme is before.theme
            new = replace(
                new,
                theme=before.theme if vague else new.theme,
                level=max(new.level, before.level, key=_rank),
                is_told=before.is_told and same and not came_back,
            )
        others = tuple(danger for danger in start.dangers if danger.group != new.group)
        return replace(
            start,
            stage=Stage.OPEN,
            dangers=(*others, new),
            danger_at=at,
            touched_at=at,
            answer=Answer.DANGER,
            quiet_turns=0,
            came_back=came_back and start is self,
            checked=False,
        )

    @property
    def _is_over(self) -> bool:
        return self.stage in (Stage.NONE, Stage.CLOSING) or not self.dangers

    def _is_denied_by(self, turn: PersonTurn) -> bool:
        """Whether what is worrying in a turn is the denial itself, as in "I don't want to die".

        Concerns that add up over a conversation must not turn a denial that was asked for into danger.
        """
        is_asked = self.stage in (Stage.OPEN, Stage.CHECK)
        return is_asked and turn.risk.level is RiskLevel.CONCERN and self._answer(turn) is Answer.NO

    def _answer(self, turn: PersonTurn) -> Answer:
        return answer_of(
            turn.text,
            self.dangers[-1].theme if self.dangers else Theme.SELF,
            self.question,
            is_concern=turn.risk.level is not RiskLevel.NONE,
            intent=turn.intent,
            confidence=turn.intent_confidence,
        )

    def _answered(self, answer: Answer, is_in_doubt: bool) -> CrisisState:
        now = replace(self, answer=answer)
        if answer is Answer.YES and self.stage is not Stage.WATCH:
            own = replace(self.dangers[-1], denials=0, level=RiskLevel.CRISIS)
            return replace(
                now, stage=Stage.OPEN, dangers=(*self.dangers[:-1], own), danger_at=self.touched_at
            )
        if self.stage is Stage.OPEN:
            return now._denied() if answer is Answer.NO else now
        if self.stage is Stage.WATCH:
            quiet = self.quiet_turns + 1
            is_due = is_in_doubt or quiet >= CHECK_BACK_TURNS
            return replace(now, quiet_turns=quiet, stage=Stage.CHECK if is_due else Stage.WATCH, said="")
        return now._checked_back() if self.question is Question.DANGER else now

    def _denied(self) -> CrisisState:
        """Counts a denial; the danger that is still open is spoken of next."""
        denied = replace(self.dangers[-1], denials=self.dangers[-1].denials + 1)
        dangers = (*self.dangers[:-1], denied)
        if denied.denials < DENIALS_NEEDED:
            return replace(self, dangers=dangers)
        left = [danger for danger in dangers if danger.denials < DENIALS_NEEDED]
        if left:
            return replace(self, dangers=(*(one for one in dangers if one is not left[-1]), left[-1]))
        return replace(
            self, dangers=dangers, stage=Stage.CLOSING if self.checked else Stage.WATCH, quiet_turns=0
        )

    def _checked_back(self) -> CrisisState:
        """What follows the answer to the question that was asked once more."""
        if self.answer is Answer.NO:
            own = replace(self.dangers[-1], denials=DENIALS_NEEDED)
            dangers = (*self.dangers[:-1], own)
            left = [danger for danger in dangers if danger.denials < DENIALS_NEEDED]
            if not left:
                return replace(self, stage=Stage.CLOSING)
            dangers = (*(one for one in dangers if one is not left[-1]), left[-1])
            return replace(self, stage=Stage.OPEN, dangers=dangers, checked=True)
        if self.answer in (Answer.UNSURE, Answer.SUBJECT, Answer.FINE):
            dangers = tuple(replace(danger, denials=DENIALS_NEEDED - 1) for danger in self.dangers)
            return replace(self, stage=Stage.OPEN, dangers=dangers, checked=True)
        return self

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | None) -> CrisisState:
        """The state that `data` describes, of this or another version.

        Unknown keys are ignored. A stage or a danger that this version doesn't know counts as open danger to
        oneself: what another version was careful about, this one is too.
        """
        data = data if isinstance(data, Mapping) else {}
        if data.get("stage", Stage.NONE.value) == Stage.NONE.value:
            return cls(closed_at=_time(data.get("closed_at")))
        stored = data.get("dangers")
        dangers = tuple(map(_danger_from, stored if isinstance(stored, list) and stored else [None]))
        answer = data.get("answer")
        return cls(
            stage=_one_of(Stage, data["stage"], Stage.OPEN),
            dangers=tuple({danger.group: danger for danger in dangers}.values()),
            opened_at=_time(data.get("opened_at")),
            danger_at=_time(data.get("danger_at")),
            touched_at=_time(data.get("touched_at")),
            closed_at=_time(data.get("closed_at")),
            answer=None if answer is None else _one_of(Answer, answer, Answer.SUBJECT),
            said=str(data.get("said") or ""),
            steps=count_of(data.get("steps")),
            quiet_turns=count_of(data.get("quiet_turns")),
            came_back=bool(data.get("came_back", False)),
            lines_given=bool(data.get("lines_given", False)),
            human_asked=bool(data.get("human_asked", False)),
            follow_ups=count_of(data.get("follow_ups")),
            checked=bool(data.get("checked", False)),
        )

    def to_dict(self) -> dict[str, Any]:
        """The state in its JSON form."""
        if self.stage is Stage.NONE:
            return {"stage": self.stage.value, "closed_at": self.closed_at}
        return {
            **asdict(self),
            "stage": self.stage.value,
            "dangers": [
                {
                    **asdict(danger),
                    "theme": danger.theme.value,
                    "kind": danger.kind.value,
                    "level": danger.level.value,
                }
                for danger in self.dangers
            ],
            "answer": self.answer.value if self.answer else None,
        }


def _danger_from(data: Any) -> Danger:
    data = data if isinstance(data, Mapping) else {}
    return Danger(
        theme=_one_of(Theme, data.get("theme"), Theme.SELF),
        kind=_one_of(RiskKind, data.get("kind"), RiskKind.SELF_HARM),
        level=_one_of(RiskLevel, data.get("level"), RiskLevel.HIGH),
        denials=count_of(data.get("denials")),
        is_told=bool(data.get("is_told", False)),
    )


def _one_of(kind: Any, value: Any, otherwise: Any) -> Any:
    """The member of an enumeration with a value, or another where this version has none."""
    try:
        return kind(value)
    except ValueError:
        return otherwise


def _time(value: Any) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else 0.0


def _rank(level: RiskLevel) -> int:
    return list(RiskLevel).index(level)
