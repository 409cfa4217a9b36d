"""A day of conversations of different courses, kept through the storage functions that live turns use."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from bot.core.escalation import decide_escalation, decision_of_rule
from bot.core.guidance import decide_strategy
from bot.core.reading import EmotionReading, RiskKind, RiskLevel, RiskReading
from bot.core.state import ConversationState
from bot.core.thresholds import EscalationThresholds
from bot.core.turn import Decision, PersonTurn
from bot.storage import conversations, decisions, handoffs, readings, turns
from bot.storage.database import Database

DAY = 1_714_521_600.0  # 2024-05-01, seconds since 1970 UTC
DAY_TEXT = "2024-05-01"
TURN_S = 40.0  # between a person's turns
ANSWER_S = 2.0
COURSES = 200
STOCK_ANSWERS = {
    "complaint": "utter_complaint",
    "service_request": "utter_service_request",
    "deny": "utter_deny",
}

NO_RISK = RiskReading()


@dataclass(frozen=True)
class Said:
    """What a person writes at a turn, with what is read from it."""

    text: str
    intent: str = "share_feeling"
    confidence: float = 0.9
    anger: float = 0.05
    valence: float = -0.1
    sure: float = 0.8
    abstained: bool = False
    risk: RiskReading = NO_RISK
    language: str = "en"

    @property
    def reading(self) -> EmotionReading:
        """The emotion, with all that is stored of one."""
        label = "anger" if self.anger > 0.4 else "joy" if self.valence > 0.1 else "sadness"
        rest = 1.0 - self.anger
        return EmotionReading(
            label=label,
            labels=(label,),
            scores={label: self.sure},
            ekman={"anger": self.anger, "sadness": round(rest / 2, 4), "neutral": round(rest / 2, 4)},
            sentiment={"negative": 0.6, "neutral": 0.4},
            valence=self.valence,
            arousal=0.2,
            dominance=-0.1,
            confidence=self.sure,
            abstained=self.abstained,
            model="emotion-test@1",
        )


CALM = Said("the week went by and I kept thinking about it")
ANGRY = Said("this is getting ridiculous", anger=0.85, valence=-0.6)
CROSS = Said("that is rather annoying of you", anger=0.4, valence=-0.3)
COMPLAINT = Said("the thing I bought stopped working", "complaint", anger=0.1, valence=-0.3)
MISSED = Said("that did nothing for me", "not_helped", valence=-0.3)
ASKS = Said("can I talk to somebody real", "ask_human")
YES = Said("yes please, go ahead", "affirm", 0.95, valence=0.1)
MURKY = Said("the thing with the other thing is so", "small_talk", 0.2, sure=0.2, abstained=True)
MINOR = Said("I'm 14 and things at school are bad", valence=-0.4)
MINOR_ZH = Said("我今年十四岁，在学校很难受", valence=-0.4, language="zh", sure=0.0, abstained=True)
DANGER = Said(
    "I want to end my life",
    valence=-0.8,
    risk=RiskReading(RiskLevel.CRISIS, 1.0, RiskKind.SELF_HARM, ("end my life",)),
)
HURT = Said(
    "he gets rough with me sometimes",
    valence=-0.5,
    risk=RiskReading(RiskLevel.CONCERN, 0.4, RiskKind.ABUSE, ("rough with me",)),
)


def courses(seed: int) -> list[list[Said]]:
    """A day's conversations of 3 to 12 turns, the same for the same seed."""
    chance = random.Random(seed)
    kinds: list[Callable[[], list[Said]]] = [
        lambda: [],
        lambda: [],
        lambda: [],
        lambda: [ANGRY] * chance.randint(1, 4),
        lambda: [ANGRY, CALM, ANGRY],
        lambda: [CROSS, CROSS, ANGRY],
        lambda: [COMPLAINT] * chance.randint(1, 3),
        lambda: [COMPLAINT, YES],
        lambda: [MISSED, CALM, MISSED, CALM, MISSED],
        lambda: [ASKS],
        lambda: [MURKY] * chance.randint(3, 7),
        lambda: [MINOR, CALM, ANGRY],
        lambda: [MINOR_ZH, CALM],
        lambda: [DANGER, CALM],
        lambda: [HURT, CALM, HURT],
    ]
    made = []
    for number in range(COURSES):
        core = kinds[number % len(kinds)]()
        length = max(chance.randint(3, 12), len(core))
        before = chance.randint(0, length - len(core))
        made.append([CALM] * before + core + [CALM] * (length - len(core) - before))
    return made


def keep_day(database: Database, thresholds: EscalationThresholds, seed: int = 1) -> int:
    """Keeps a day and gives the number of the person's turns."""
    count = 0
    for number, said in enumerate(courses(seed)):
        with database.session(exclusive=True) as session:
            keep_conversation(session, f"web-{number}", said, thresholds, DAY + 60.0 * number, number)
        count += len(said)
    return count


def keep_conversation(
    session: Session,
    sender: str,
    said: list[Said],
    thresholds: EscalationThresholds,
    at: float,
    number: int = 0,
) -> int:
    """Keeps a conversation as it goes with these thresholds, and gives its id.

    Every fourth one that waits for a human is taken, and every eighth given back two turns later.
    """
    conversation = conversations.open_conversation(session, sender, "web", "en", at=at)
    waited = 0
    for turn_number, one in enumerate(said):
        now = at + turn_number * TURN_S
        open_handoff = handoffs.open_for(session, conversation.id)
        if open_handoff is not None:
            waited += 1
            if waited == 2 and number % 4 == 0:
                handoffs.take(session, open_handoff.id, "Ann", now - 20.0)
            elif waited == 4 and number % 8 == 0:
                handoffs.give_back(session, open_handoff.id, "Ann", now - 10.0)
        keep_turn(session, conversation.id, sender, one, thresholds, now, f"m{turn_number}")
    return conversation.id


def keep_turn(
    session: Session,
    conversation_id: int,
    sender: str,
    said: Said,
    thresholds: EscalationThresholds,
    at: float,
    message_id: str,
) -> Decision | None:
    """Keeps a turn with what it was read as and answered with; gives what escalated."""
    state = conversations.get(session, conversation_id).state
    turn = PersonTurn(
        said.text, at, said.language, said.language, said.intent, said.confidence, said.reading, said.risk
    )
    arrived = turns.arrive(session, sender, "web", said.text, message_id, said.language, at)
    turns.set_read(session, arrived.id, said.language, said.intent, said.confidence)
    readings.add(session, arrived.id, turn.reading, turn.risk)
    state = state.after_person(turn)
    escalation = decide_escalation(state, turn, thresholds)
    answer = escalation if escalation is not None else _answer(state, turn)
    if answer is not None:
        decisions.add(session, conversation_id, [(arrived.id, answer, at + ANSWER_S)])
        if answer.action != "action_listen":
            state = state.after_decision(answer)
            turns.add_bot(session, conversation_id, "…", at + ANSWER_S, action=answer.action)
        if answer.level == "handoff":
            opened = handoffs.open_handoff(
                session, conversation_id, answer.reason, said.risk.level.value, answer.evidence, at + ANSWER_S
            )
            state = replace(state, handoff=opened.state)
    conversations.set_values(session, conversation_id, {"state": state.to_dict()})
    return escalation


def _answer(state: ConversationState, turn: PersonTurn) -> Decision | None:
    """What the other policies say where nothing escalates."""
    if not state.handoff.is_bots_turn:
        return None
    if turn.intent in STOCK_ANSWERS:
        return decision_of_rule(STOCK_ANSWERS[turn.intent], "RulePolicy", 1.0)
    return decide_strategy(state, turn)
