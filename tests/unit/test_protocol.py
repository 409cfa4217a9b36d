"""The crisis protocol as whole dialogues: what is said to each turn, until the danger is over."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.crisis import BACK_AFTER_S, CrisisState, Stage
from bot.core.crisis_themes import Theme, theme_of
from bot.core.crisis_words import Answer, Question, answer_of
from bot.core.escalation import EscalationThresholds, decide_escalation
from bot.core.handoff import HandoffState
from bot.core.protocol import actions, decide_protocol, parts_of
from bot.core.reading import RiskKind, RiskLevel, RiskReading
from bot.core.state import ConversationState
from bot.core.turn import Decision, PersonTurn

DAY_S = 86_400.0
SELF, HARM, ABUSE, MEDICAL = (
    RiskKind.SELF_HARM,
    RiskKind.HARM_TO_OTHERS,
    RiskKind.ABUSE,
    RiskKind.MEDICAL,
)


def danger(kind: RiskKind, *words: str, level: RiskLevel = RiskLevel.CRISIS) -> RiskReading:
    return RiskReading(level, 0.9, kind, words)


@dataclass
class Talk:
    """A conversation through the state's JSON form, as a server that restarts after every turn has it."""

    state: ConversationState = field(default_factory=ConversationState)
    at: float = 1_000_000.0

    def says(
        self,
        text: str,
        risk: RiskReading | None = None,
        after_s: float = 20.0,
        intent: str | None = None,
        confidence: float = 0.9,
    ) -> Decision | None:
        self.at += after_s
        turn = PersonTurn(
            text, self.at, intent=intent, intent_confidence=confidence, risk=risk or RiskReading()
        )
        self.state = self.restarted(self.state).after_person(turn)
        decision = decide_escalation(self.state, turn, EscalationThresholds())
        if decision is not None and decision.action != "action_listen":
            self.state = self.state.after_decision(decision)
        if decision is not None and decision.level == "handoff" and self.state.handoff.is_bots_turn:
            self.handoff(HandoffState.WAITING)
        return decision

    def move(self, text: str, risk: RiskReading | None = None, **turn: float) -> str | None:
        decision = self.says(text, risk, **turn)  # type: ignore[arg-type]
        return None if decision is None else decision.action.removeprefix("utter_crisis_")

    def handoff(self, state: HandoffState) -> None:
        self.state = replace(self.state, handoff=state)

    @staticmethod
    def restarted(state: ConversationState) -> ConversationState:
        return ConversationState.from_dict(json.loads(json.dumps(state.to_dict())))


WANTS_TO_DIE = ("I want to kill myself", danger(SELF, "kill myself"))
ZH_WANTS_TO_DIE = ("我不想活了", danger(SELF, "不想活"))


@pytest.mark.parametrize(
    "dialogue",
    [
        # A yes leads to steps, and each further turn to the next one.
        [
            (*WANTS_TO_DIE, "die"),
            ("yes", None, "plan"),
            ("no", None, "alone"),
            ("I don't know who", None, "unsure"),
            ("yes", None, "near"),
            ("my brother is here", None, "someone"),
        ],
        [
            (*ZH_WANTS_TO_DIE, "die"),
            ("是的", None, "plan"),
            ("没有", None, "alone"),
            ("不知道", None, "unsure"),
            ("想", None, "near"),
            ("我室友在", None, "someone"),
        ],
        # One no is not enough; two are, and it is asked about once more some turns later.
        [
            (*WANTS_TO_DIE, "die"),
            ("no", None, "again"),
            ("no", None, "eased"),
            ("my boss annoys me", None, "hold"),
            ("he really does", None, "hold"),
            ("every day", None, "check_back"),
            ("no, I'm not", None, "closed"),
            ("what about the weather", None, None),
        ],
        [
            (*ZH_WANTS_TO_DIE, "die"),
            ("没有", None, "again"),
            ("没有", None, "eased"),
            ("老板很烦", None, "hold"),
            ("天天加班", None, "hold"),
            ("没办法", None, "check_back"),
            ("没有了", None, "closed"),
            ("今天天气不错", None, None),
        ],
        # Whatever is said instead of an answer is taken up, and the question stays.
        [
            (*WANTS_TO_DIE, "die"),
            ("what's the weather tomorrow?", None, "subject"),
            ("thanks", None, "thanks"),
            ("I'm fine now", None, "fine"),
            ("maybe", None, "unsure"),
            ("are you human?", None, "identity"),
            ("please don't tell anyone", None, "secret"),
            ("I can't call anyone", None, "no_call"),
            ("can I talk to a real person", None, "human"),
            ("ok bye", None, "bye"),
        ],
        [
            (*ZH_WANTS_TO_DIE, "die"),
            ("明天天气怎么样？", None, "subject"),
            ("谢谢", None, "thanks"),
            ("我没事了", None, "fine"),
            ("也许吧", None, "unsure"),
            ("你是真人吗", None, "identity"),
            ("别告诉我妈", None, "secret"),
            ("我不敢打电话", None, "no_call"),
            ("帮我转人工", None, "human"),
            ("晚安", None, "bye"),
        ],
        # A no between does not add up with what takes it back.
        [
            (*WANTS_TO_DIE, "die"),
            ("no", None, "again"),
            ("sometimes", None, "plan"),
            ("no", None, "alone"),
            ("hm", None, "subject"),
            ("no", None, "again"),
            ("no", None, "eased"),
        ],
        # Danger spoken of again after two denials opens everything anew.
        [
            (*WANTS_TO_DIE, "die"),
            ("no", None, "again"),
            ("no", None, "eased"),
            (*WANTS_TO_DIE, "plan"),
            ("I'm okay", None, "fine"),
            ("no", None, "again"),
        ],
        # The danger of somebody else is asked about as theirs.
        [
            ("my friend says she wants to die", danger(SELF, "wants to die"), "other"),
            ("yes", None, "other_steps"),
            ("she won't answer her door", None, "subject"),
            ("she is safe now", None, "again"),
            ("no", None, "eased"),
        ],
        [
            ("我朋友说她不想活了", danger(SELF, "不想活"), "other"),
            ("会", None, "other_steps"),
            ("她现在很安全", None, "again"),
            ("没有", None, "eased"),
        ],
        # To "are you safe?" a yes is the denial.
        [
            ("my dad beats me", danger(ABUSE, "beats me"), "abuse"),
            ("no", None, "abuse_steps"),
            ("yes", None, "again"),
            ("yes", None, "eased"),
        ],
        [
            ("我老公打我", danger(ABUSE, "打我"), "abuse"),
            ("不安全", None, "abuse_steps"),
            ("安全", None, "again"),
            ("安全的", None, "eased"),
        ],
        # Two dangers are both asked about, however clearly one of them is denied.
        [
            (*WANTS_TO_DIE, "die"),
            ("he hits me", danger(ABUSE, "hits me"), "abuse"),
            ("yes", None, "again"),
            ("yes", None, "also"),
            ("no", None, "again"),
            ("no", None, "eased"),
        ],
        [
            ("I'm going to stab him", danger(HARM, "stab him"), "harm"),
            ("yes", None, "harm_steps"),
            ("I'm outside", None, "subject"),
            ("no", None, "again"),
        ],
        [
            ("my father isn't breathing", danger(MEDICAL, "isnt breathing"), "medical"),
            ("no", None, "medical_steps"),
            ("I can't call", None, "medical_more"),
            ("the ambulance is here", None, "again"),
        ],
        # Danger in other words is taken up in those, once.
        [
            ("I cut myself", danger(SELF, "cut myself", level=RiskLevel.HIGH), "injury"),
            (*WANTS_TO_DIE, "die"),
            (*WANTS_TO_DIE, "plan"),
            (*WANTS_TO_DIE, "near"),
        ],
    ],
)
def test_a_dialogue_goes_as_it_should(dialogue: list[tuple[str, RiskReading | None, str | None]]) -> None:
    talk = Talk()
    said = [(text, talk.move(text, risk)) for text, risk, _ in dialogue]
    assert said == [(text, move) for text, _, move in dialogue]


@pytest.mark.parametrize(
    ("risk", "text", "theme"),
    [
        (danger(SELF, "kill myself"), "I want to kill myself", Theme.DIE),
        (danger(SELF, "want to die"), "my brother died and I want to die", Theme.DIE),
        (danger(SELF, "want to die"), "my husband knows I want to die", Theme.DIE),
        (danger(SELF, "cutting"), "I started cutting again", Theme.INJURY),
        (danger(SELF, "a burden"), "I am a burden to them", Theme.BURDEN),
        (danger(SELF, "this is my last goodbye"), "this is my last goodbye", Theme.GOODBYE),
        (danger(SELF, "throwing up after meals"), "throwing up after meals", Theme.SELF),
        (danger(SELF, "wants to die"), "my friend told me he wants to die", Theme.OTHER),
        (danger(SELF, "kill himself"), "I fear he will kill himself", Theme.OTHER),
        (danger(SELF, "想自杀"), "我朋友想自杀", Theme.OTHER),
        (danger(SELF, "想自杀"), "我跟我妈说我想自杀", Theme.DIE),
        (danger(SELF, "遗书"), "我写好遗书了", Theme.GOODBYE),
        (danger(SELF, "拖累"), "我只会拖累大家", Theme.BURDEN),
        (danger(SELF, "割腕"), "我又割腕了", Theme.INJURY),
        (danger(ABUSE, "hits me"), "he hits me", Theme.ABUSE),
        (danger(ABUSE, "scared to go home"), "scared to go home", Theme.ABUSE),
        (danger(ABUSE, "beats my mom"), "my dad beats my mom", Theme.OTHER_ABUSE),
        (danger(HARM, "kill him"), "I will kill him", Theme.HARM),
        (danger(MEDICAL, "chest pain"), "chest pain", Theme.MEDICAL),
        (RiskReading(), "hello", None),
    ],
)
def test_the_danger_is_taken_up_in_the_persons_terms(
    risk: RiskReading, text: str, theme: Theme | None
) -> None:
    assert theme_of(risk, text) is theme


@pytest.mark.parametrize(
    "text",
    [
        "no", "No.", "nope", "NO!!", "no, I'm not", "not at all", "I don't want to die",
        "I'm not going to kill myself", "No. I just had a bad day", "I’m safe", "没有", "没有的", "不会",
        "我没有想死", "我不会自杀的", "不是，就是累了",
    ],
)  # fmt: skip
def test_a_clear_denial_is_one(text: str) -> None:
    assert answer_of(text, Theme.DIE, Question.DANGER) is Answer.NO


@pytest.mark.parametrize(
    "text",
    ["no, worse", "no. not tonight", "No, I already did it", "nope, tomorrow", "no, it's too late",
     "没有，还没", "不是，明天", "没有，已经晚了", "No. I already did it", "no, i took them already",
     "no! yes.",
     "no. tonight", "No. Goodbye everyone", "no, ive made up my mind", "没有，我已经决定了", "我没死",
     "I don't want to do anything anymore", "i dont want to do it anymore"],
)  # fmt: skip
def test_a_no_that_goes_on_about_it_is_no_denial(text: str) -> None:
    assert answer_of(text, Theme.DIE, Question.DANGER) is not Answer.NO


@pytest.mark.parametrize(
    "text", ["I'm not okay", "I am not feeling good", "its not fine", "I don't feel better", "没有好多了"]
)
def test_not_being_fine_is_not_being_fine(text: str) -> None:
    assert answer_of(text, Theme.DIE, Question.DANGER) not in (Answer.FINE, Answer.NO)


@pytest.mark.parametrize("text", ["no i live alone", "No, I live alone", "i'm alone", "没有人", "就我自己"])
def test_nobody_near_is_heard(text: str) -> None:
    assert answer_of(text, Theme.DIE, Question.NEAR) is Answer.ALONE


@pytest.mark.parametrize(
    "text",
    [
        "no one would care", "no idea", "not really", "no but I think of it", "not tonight", "no?",
        "no, maybe", "I don't want to live", "I don't want to be here", "I'm fine", "never mind", "no thanks",
        "i'm not safe", "not yet", "没有意义", "没人在乎", "没事", "我不想活", "不知道", "没有吧？",
        "暂时没有", "没有，但是很想", "", "...", "no more of this", "nothing matters", "I won't call",
        "I'm not okay", "no. " + "and then " * 200,
    ],
)  # fmt: skip
def test_nothing_less_than_a_clear_denial_is_one(text: str) -> None:
    assert answer_of(text, Theme.DIE, Question.DANGER) is not Answer.NO


def test_a_no_to_another_question_or_to_none_denies_nothing() -> None:
    for question in (Question.NEAR, Question.NONE):
        assert answer_of("no", Theme.DIE, question) is not Answer.NO
    assert answer_of("I don't want to die", Theme.DIE, Question.NONE) is Answer.NO


def test_a_denial_of_one_danger_denies_no_other() -> None:
    assert answer_of("I don't want to die", Theme.INJURY, Question.DANGER) is not Answer.NO
    assert answer_of("I don't want to die", Theme.ABUSE, Question.DANGER) is not Answer.NO
    assert answer_of("I'm not going to hurt him", Theme.DIE, Question.DANGER) is not Answer.NO
    assert answer_of("I'm safe", Theme.OTHER, Question.DANGER) is not Answer.NO


def test_a_worrying_turn_denies_only_if_it_is_nothing_else() -> None:
    assert answer_of("I don't want to die", Theme.DIE, Question.DANGER, is_concern=True) is Answer.NO
    mixed = "no, it is all hopeless"
    assert answer_of(mixed, Theme.DIE, Question.DANGER, is_concern=True) is not Answer.NO


def test_the_first_answer_asks_a_human_in_and_says_why() -> None:
    decision = Talk().says(*WANTS_TO_DIE)
    assert decision is not None
    assert (decision.level, decision.reason) == ("handoff", "risk_self_harm")
    assert "kill myself" in decision.evidence[0]
    assert "I want to kill myself" in decision.evidence[1]


def test_a_yes_counts_as_danger_though_no_word_in_it_does() -> None:
    talk = Talk()
    talk.says("I cut myself", danger(SELF, "cut myself", level=RiskLevel.HIGH))
    decision = talk.says("yes")
    assert decision is not None
    assert (decision.level, decision.reason) == ("handoff", "risk_self_harm")
    assert talk.state.crisis.level is RiskLevel.CRISIS


def test_who_comes_back_is_asked_first_once() -> None:
    talk = Talk()
    assert talk.move(*WANTS_TO_DIE) == "die"
    assert talk.move("no", after_s=2 * DAY_S) == "return"
    assert talk.state.crisis.dangers[0].denials == 0  # that no belonged to nothing that was asked
    assert talk.move("better, thanks") == "fine"
    assert talk.move("no") == "again"
    assert talk.state.crisis.follow_ups == 1


def test_who_denied_it_and_comes_back_is_asked_once_more() -> None:
    talk = Talk()
    for text in ("no", "no"):
        talk.says(*WANTS_TO_DIE) if talk.state.turns == 0 else None
        talk.says(text)
    assert talk.state.crisis.stage is Stage.WATCH
    talk.handoff(HandoffState.BOT)
    assert talk.move("hi", after_s=BACK_AFTER_S) == "return"
    assert talk.move("no") == "closed"
    assert talk.move("hello again", after_s=DAY_S) is None


def test_danger_after_days_is_taken_up_anew() -> None:
    talk = Talk()
    talk.says(*WANTS_TO_DIE)
    talk.says("yes")
    assert talk.move(*WANTS_TO_DIE, after_s=DAY_S) == "die"


def test_waiting_for_a_human_for_another_reason_does_not_silence_danger() -> None:
    talk = Talk(ConversationState(handoff=HandoffState.WAITING))
    assert talk.move("hello?") is None
    assert talk.move(*WANTS_TO_DIE) == "die"
    assert talk.move("hello?") == "subject"


def test_while_a_human_has_the_conversation_nothing_is_said_but_new_danger_is_told() -> None:
    talk = Talk()
    talk.says(*WANTS_TO_DIE)
    talk.handoff(HandoffState.HUMAN)
    assert talk.says("hi Anna") is None
    assert talk.says("no") is None
    decision = talk.says("I will do it tonight", danger(SELF, "do it tonight"))
    assert decision is not None
    assert (decision.action, decision.level, decision.reason) == (
        "action_listen",
        "handoff",
        "risk_self_harm",
    )
    assert talk.state.crisis.stage is Stage.OPEN


def test_a_human_who_gives_the_conversation_back_leads_to_one_more_question() -> None:
    talk = Talk()
    talk.says(*WANTS_TO_DIE)
    talk.handoff(HandoffState.HUMAN)
    talk.says("hi Anna")
    talk.handoff(HandoffState.RETURNED)
    assert talk.move("thanks for Anna") == "check_back"
    assert talk.move("no") == "closed"
    assert talk.move("now about my cat") is None


def test_danger_that_only_a_human_heard_is_asked_about_after_them() -> None:
    talk = Talk(ConversationState(handoff=HandoffState.HUMAN))
    assert talk.says(*WANTS_TO_DIE) is not None
    talk.handoff(HandoffState.RETURNED)
    assert talk.move("hello") == "check_back"


def test_danger_after_a_human_gave_it_back_asks_one_in_again() -> None:
    talk = Talk()
    talk.says(*WANTS_TO_DIE)
    talk.handoff(HandoffState.RETURNED)
    decision = talk.says(*WANTS_TO_DIE)
    assert decision is not None
    assert decision.level == "handoff"
    assert talk.move("what's for dinner") == "subject"


def test_no_answer_to_the_last_question_is_asked_about_again() -> None:
    talk = Talk()
    for text, risk in (WANTS_TO_DIE, ("no", None), ("no", None), ("a", None), ("b", None), ("c", None)):
        last = talk.move(text, risk)
    assert last == "check_back"
    assert talk.move("let's talk about cats") == "subject"
    assert talk.move("no") == "closed"


def test_each_danger_is_asked_about_before_it_is_over() -> None:
    talk = Talk()
    talk.says("my husband hits me", danger(ABUSE, "hits me"))
    talk.says(*WANTS_TO_DIE)
    talk.handoff(HandoffState.HUMAN)
    talk.says("hi Anna")
    talk.handoff(HandoffState.RETURNED)
    assert talk.move("hello") == "check_back"
    assert talk.move("no") == "also"
    assert talk.state.crisis.stage is Stage.OPEN
    assert talk.state.crisis.danger is not None
    assert talk.state.crisis.danger.theme is Theme.ABUSE


def test_being_fine_does_not_close_it() -> None:
    talk = Talk()
    talk.says(*WANTS_TO_DIE)
    talk.handoff(HandoffState.HUMAN)
    talk.says("hi Anna")
    talk.handoff(HandoffState.RETURNED)
    assert talk.move("hello") == "check_back"
    assert talk.move("I'm fine") == "fine"
    assert talk.move("no") == "closed"


@pytest.mark.parametrize("text", ["tonight.", "yes, tonight"])
def test_an_answer_that_may_be_about_it_is_a_reason_to_ask_again(text: str) -> None:
    talk = Talk()
    for said, risk in (WANTS_TO_DIE, ("no", None), ("no", None)):
        talk.move(said, risk)
    assert talk.state.crisis.stage is Stage.WATCH
    assert talk.move(text) == "check_back"


@pytest.mark.parametrize(
    "data", [{"turns": None}, {"tried": 3}, {"risk": []}, {"emotion": "x"}, {"course": 1}, {"crisis": []}]
)
def test_a_damaged_state_is_read(data: dict[str, object]) -> None:
    assert ConversationState.from_dict(data).turns == 0


def test_intents_and_stories_change_nothing_while_danger_is_open() -> None:
    talk = Talk()
    talk.says(*WANTS_TO_DIE)
    for intent in ("greet", "small_talk", "delete_data", "complaint", "share_good_news", "affirm", "deny"):
        decision = talk.says("let us talk of my garden", intent=intent, confidence=1.0)
        assert decision is not None
        assert decision.action in actions()


def test_the_same_words_are_never_said_twice_in_a_row() -> None:
    talk = Talk()
    said = [talk.move(*WANTS_TO_DIE)] + [talk.move("my garden is nice") for _ in range(8)]
    assert all(first != second for first, second in pairwise(said))


def test_concern_alone_opens_nothing() -> None:
    assert Talk().move("hopeless", danger(SELF, "hopeless", level=RiskLevel.CONCERN)) is None


TURNS = st.sampled_from(
    [
        *(
            (text, None)
            for text in ("no", "yes", "maybe", "fine now", "thanks", "bye", "cats", "没有", "是", "...")
        ),
        ("I don't want to die", None),
        ("I'm safe", None),
        WANTS_TO_DIE,
        ("he hits me", danger(ABUSE, "hits me")),
        ("my friend wants to die", danger(SELF, "wants to die")),
        ("I will stab him", danger(HARM, "stab him")),
        ("he is not breathing", danger(MEDICAL, "not breathing")),
    ]
)


def test_what_the_conversation_raises_reaches_the_protocol() -> None:
    talk = Talk()
    hopeless = danger(SELF, "hopeless", level=RiskLevel.CONCERN)
    assert talk.move("it all feels hopeless", hopeless) is None
    decision = talk.says("thank you for everything. goodbye")
    assert decision is not None
    assert (decision.action, decision.reason) == ("utter_crisis_goodbye", "risk_self_harm")
    assert "taking leave" in decision.evidence[0]


def test_denials_that_are_of_concern_themselves_do_not_add_up_to_danger() -> None:
    talk = Talk()
    concern = danger(SELF, "dont want to die", level=RiskLevel.CONCERN)
    assert talk.move("I cut myself", danger(SELF, "kill myself")) == "die"
    assert talk.move("it's hopeless", danger(SELF, "hopeless", level=RiskLevel.CONCERN)) == "subject"
    assert talk.move("all hopeless", danger(SELF, "hopeless", level=RiskLevel.CONCERN)) == "plan"
    assert talk.move("I don't want to die", concern) == "again"
    assert talk.move("I don't want to die", concern) == "eased"


def test_once_it_is_over_small_words_open_nothing() -> None:
    talk = Talk()
    for text, risk in (WANTS_TO_DIE, ("no", None), ("no", None), ("a", None), ("b", None), ("c", None)):
        talk.says(text, risk)
    assert talk.move("no") == "closed"
    talk.handoff(HandoffState.BOT)
    for text in ("yes", "what shall I cook tonight", "I am tired now"):
        assert talk.move(text) is None


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(TURNS, st.sampled_from([20.0, 3 * 3600.0])), max_size=40))
def test_no_turns_close_it_without_two_denials_of_each_danger(
    turns: list[tuple[tuple[str, RiskReading | None], float]],
) -> None:
    talk = Talk()
    denials: dict[
        str, int
    ] = {}  # counted beside the state, by group of danger, from what the turns were taken as
    for (text, risk), after_s in turns:
        before = talk.state.crisis
        decision = talk.says(text, risk, after_s=after_s)
        now = talk.state.crisis
        if now.answer in (Answer.DANGER, Answer.YES) and now.danger is not None:
            denials[now.danger.group] = 0
        elif now.answer is Answer.NO and before.danger is not None and not now.came_back:
            denials[before.danger.group] += 1
        is_over = now.stage in (Stage.NONE, Stage.WATCH, Stage.CLOSING)
        assert not is_over or all(count >= 2 for count in denials.values())
        if now.stage is Stage.OPEN:
            assert decision is not None  # nobody is met with silence
            assert decision.action in actions()


@settings(max_examples=100, deadline=None)
@given(st.lists(TURNS, max_size=60))
def test_the_state_stays_small_and_survives_its_json_form(
    turns: list[tuple[str, RiskReading | None]],
) -> None:
    talk = Talk()
    for text, risk in turns:
        talk.says(text, risk)
        crisis = talk.state.crisis
        assert CrisisState.from_dict(json.loads(json.dumps(crisis.to_dict()))) == crisis
        assert len(json.dumps(crisis.to_dict())) < 1_500


@pytest.mark.parametrize(
    "data",
    [
        {"stage": "later", "dangers": [{"theme": "new", "kind": "new", "level": "new"}], "what": 1},
        {"stage": "open"},
        {"stage": "open", "dangers": 5, "touched_at": "x", "steps": None, "answer": "new"},
        {"stage": "check", "dangers": ["x", {"theme": "die", "denials": -1}]},
    ],
)
def test_a_state_of_another_version_stays_careful(data: dict[str, object]) -> None:
    crisis = CrisisState.from_dict(data)
    assert crisis.danger is not None
    state = replace(ConversationState(), crisis=crisis)
    turn = PersonTurn("hello", 5.0)
    assert decide_protocol(state.after_person(turn), turn) is not None


@pytest.mark.parametrize("data", [None, {}, [], "open", {"stage": "none", "dangers": [{}]}])
def test_nothing_stored_is_no_danger(data: object) -> None:
    assert CrisisState.from_dict(data).stage is Stage.NONE  # type: ignore[arg-type]


# ---- the wording -------------------------------------------------------------------------------------------

RESPONSES = yaml.safe_load((Path(__file__).resolve().parents[2] / "domain.yml").read_text("utf-8"))[
    "responses"
]
PARTS = sorted({part for theme in Theme for part in parts_of(theme).values()})
FORBIDDEN = (
    "therapy", "therapist", "diagnos", "disorder", "depress", "i promise", "i understand",
    "i know how you feel", "exactly how", "you should", "you must", "selfish", "sinful", "cheer up",
    "commit suicide", "secret", "confidential", "pills", "rope", "bridge", "overdose", "as a human",
    "治疗", "诊断", "抑郁", "我保证", "我完全理解", "我懂你", "你应该", "你必须", "自私", "想开点",
    "保密", "跳楼",
    "安眠药", "绳", "加油",
)  # fmt: skip


def text_of(name: str, language: str) -> str:
    found = [one["text"] for one in RESPONSES[name] if one["metadata"]["language"] == language]
    assert len(found) == 1, f"{name} has {len(found)} variations in {language}"
    return str(found[0])


def test_every_answer_exists_and_none_is_left_over() -> None:
    assert {name for name in RESPONSES if name.startswith("utter_crisis_")} == {*actions(), *PARTS}


@pytest.mark.parametrize("name", sorted(actions()))
def test_wording_is_short_names_the_lines_and_says_nothing_harmful(name: str) -> None:
    english, chinese = text_of(name, "en"), text_of(name, "zh")
    assert len(english.split()) < 90
    assert len(chinese) < 200
    for text in (english, chinese):
        assert "{lines}" in text or "{line}" in text
        assert not any(word in text.casefold() for word in FORBIDDEN)
        assert not any(digit in text for digit in "0123456789")  # numbers come from the table alone
    assert set("{}") & set(english)
    placeholders = {
        part for part in ("{lines}", "{line}", "{question}", "{again}", "{told}") if part in english
    }
    assert placeholders == {
        part for part in ("{lines}", "{line}", "{question}", "{again}", "{told}") if part in chinese
    }


def test_what_counts_as_asked_is_asked() -> None:
    for name in actions():
        state = CrisisState.from_dict({"stage": "open", "said": name})
        text = text_of(name, "en")
        asks = "{question}" in text or "{again}" in text
        assert (state.question is Question.DANGER) == asks, name


@pytest.mark.parametrize("part", PARTS)
def test_parts_are_short_and_in_both_languages(part: str) -> None:
    assert len(text_of(part, "en").split()) <= 14
    assert len(text_of(part, "zh")) <= 30
    assert not any(word in text_of(part, "en").casefold() for word in FORBIDDEN)
