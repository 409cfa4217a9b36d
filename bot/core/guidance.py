"""Which strategy helps a person now: one pure function.

The strategy follows Hill's stages as ESConv's annotators used them: explore first, comfort once a
feeling is clear, and suggest only when the person asks for it or has been heard. The stages are soft:
each strategy gathers grounds for and against, and the best wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.core.entries import fits_from, near_entries
from bot.core.state import COMPLAINT_INTENT, NOT_HELPED_INTENT, SURE_YES, ConversationState
from bot.core.strategy import Stage, Strategy
from bot.core.turn import LANGUAGES, UNKNOWN_LANGUAGE, Decision, PersonTurn, in_context

POLICY = "GuidancePolicy"
DISTRESS_VALENCE = -0.42  # from here down, comfort comes before questions
RISING = 0.15  # a change of valence that counts as better or worse
UNSURE_INTENT = 0.5  # confidence under which a stock answer would be a guess
OVERRIDABLE_INTENTS = ("greet", "goodbye", "thanks", "small_talk", "out_of_scope", "service_request")
HEARD_TURNS = 3  # turns of sharing after which a suggestion is in place
UNHELPED_TURNS = 2  # "that didn't help" in a row, after which a person is offered
FIT_GROUND = 1.0  # for a strategy that has a fitting entry, and against one that has none
FIT_SLOPE = 3.0  # more of it, per unit of similarity above what fits
COMPLAINT_ANGER = 0.3  # share of anger below which a "complaint" amid shared feelings is none


def overrides_rules(state: ConversationState, turn: PersonTurn) -> str | None:
    """Why a turn wants guidance although a rule would answer it, or None.

    "hi, my mother died yesterday" is no greeting, "nobody asks about it anymore" no complaint about a
    service, and an intent the classifier isn't sure of no reason for a stock answer.

    Args:
        state: of the conversation, with this turn already in it.
        turn: the person's turn.
    """
    if turn.intent in OVERRIDABLE_INTENTS:
        felt = turn.felt
        if felt is not None and felt.is_negative and felt.valence <= DISTRESS_VALENCE:
            distress = f"({felt.label}, valence {felt.valence:+.2f})"
            return f"{turn.intent} said in distress {distress}{in_context(turn)}"
        if turn.intent_confidence < UNSURE_INTENT:
            return f"unsure that this is {turn.intent} ({turn.intent_confidence:.2f})"
    if turn.intent in ("affirm", "deny") and turn.intent_confidence < SURE_YES:
        return f"unsure that this is {turn.intent} ({turn.intent_confidence:.2f})"
    if turn.intent == COMPLAINT_INTENT and state.sharing_turns and turn.felt is not None:
        # The context of what was shared before may add anger, but hides none that is in the words.
        anger = max(one.ekman.get("anger", 0.0) for one in (turn.reading, turn.felt) if one is not None)
        if turn.felt.is_trusted and anger < COMPLAINT_ANGER:
            return f"a complaint without anger ({anger:.2f}) amid shared feelings"
    return None


@dataclass
class _Grounds:
    score: dict[Strategy, float] = field(default_factory=lambda: dict.fromkeys(Strategy, 0.0))
    reasons: dict[Strategy, list[str]] = field(default_factory=lambda: {s: [] for s in Strategy})

    def add(self, weight: float, reason: str, *strategies: Strategy) -> None:
        for strategy in strategies:
            self.score[strategy] += weight
            self.reasons[strategy].append(f"{weight:+.1f} {reason}")


def decide_strategy(state: ConversationState, turn: PersonTurn) -> Decision:
    """The strategy for the answer to this turn, with its grounds.

    A language Attune doesn't speak gets an honest line instead, and help that keeps missing the offer
    of a person.

    Args:
        state: of the conversation, with this turn already in it.
        turn: the person's turn.
    """
    if turn.language not in (*LANGUAGES, UNKNOWN_LANGUAGE):
        return Decision("utter_language", POLICY, "language", (f"written in {turn.language}",))
    if turn.intent == NOT_HELPED_INTENT and state.unhelped >= UNHELPED_TURNS:
        ground = f"{state.unhelped} answers in a row didn't help"
        return Decision("utter_offer_human", POLICY, "not_helped", (ground,), level="offer")
    grounds = _Grounds()
    _from_intent(grounds, turn)
    _from_stage(grounds, state)
    _from_emotion(grounds, state, turn)
    _from_tried(grounds, state.tried)
    _from_library(grounds, turn)
    best = max(Strategy, key=lambda strategy: grounds.score[strategy])
    total = sum(max(score, 0.0) for score in grounds.score.values())
    share = grounds.score[best] / total if total > 0 else 0.0
    return Decision(
        action=best.action_name,
        policy=POLICY,
        reason=best.stage.value,
        evidence=tuple(grounds.reasons[best]),
        strategy=best.value,
        confidence=round(min(max(share, 0.0), 1.0), 4),
    )


def _from_intent(grounds: _Grounds, turn: PersonTurn) -> None:
    if turn.intent == "ask_help":
        grounds.add(3.0, "asked for something to try", Strategy.SUGGESTION)
        grounds.add(1.5, "asked for help", Strategy.INFORMATION)
    elif turn.intent == "not_helped":
        grounds.add(2.0, "the last answer missed", Strategy.QUESTION)
        grounds.add(1.0, "the last answer missed", Strategy.REFLECTION)
        grounds.add(-1.0, "the last answer missed", Strategy.SUGGESTION, Strategy.INFORMATION)
    elif turn.intent == "correct_reading":
        grounds.add(2.0, "corrected what was read", Strategy.QUESTION)
    elif turn.intent == "affirm":
        grounds.add(1.0, "agreed to go on", Strategy.SUGGESTION, Strategy.QUESTION)
    elif turn.intent == "deny":
        grounds.add(1.5, "said no", Strategy.QUESTION)
    elif turn.intent == "share_good_news":
        grounds.add(3.0, "told good news", Strategy.AFFIRMATION)
        grounds.add(1.0, "told good news", Strategy.QUESTION)


def _from_stage(grounds: _Grounds, state: ConversationState) -> None:
    heard = state.sharing_turns
    if heard <= 1:
        grounds.add(1.5, "has only begun to tell", *_of(Stage.EXPLORATION))
        grounds.add(1.0, "has only begun to tell", Strategy.REFLECTION)
        grounds.add(-1.0, "has only begun to tell", *_of(Stage.ACTION))
    elif heard < HEARD_TURNS:
        grounds.add(1.0, "is still being heard", *_of(Stage.COMFORTING), Strategy.RESTATEMENT)
    else:
        grounds.add(1.0, f"has been heard for {heard} turns", *_of(Stage.ACTION))
        grounds.add(0.5, f"has been heard for {heard} turns", Strategy.AFFIRMATION)


def _from_emotion(grounds: _Grounds, state: ConversationState, turn: PersonTurn) -> None:
    reading = turn.felt
    if reading is None or not reading.is_trusted:
        grounds.add(1.0, "how they feel could not be read", Strategy.QUESTION)
        grounds.add(-1.0, "how they feel could not be read", Strategy.REFLECTION)
        return
    if reading.is_negative and reading.valence <= DISTRESS_VALENCE:
        grounds.add(1.0, f"in distress (valence {reading.valence:+.2f})", *_of(Stage.COMFORTING))
    if reading.is_negative and reading.label != "neutral":
        clear = f"{reading.label} is clear ({reading.confidence:.2f}){in_context(turn)}"
        grounds.add(0.8, clear, Strategy.REFLECTION)
    if reading.label in ("remorse", "embarrassment", "grief"):
        grounds.add(0.8, f"{reading.label} wants comfort", Strategy.AFFIRMATION)
    if state.emotion.relieved:
        grounds.add(0.8, f"relieved after a hard time ({reading.label})", Strategy.AFFIRMATION)
    if state.emotion.readings > 1 and state.emotion.trend <= -RISING:
        grounds.add(0.8, f"getting worse ({state.emotion.trend:+.2f})", *_of(Stage.COMFORTING))
        grounds.add(-0.5, f"getting worse ({state.emotion.trend:+.2f})", Strategy.SUGGESTION)
    elif state.emotion.readings > 1 and state.emotion.trend >= RISING:
        grounds.add(0.4, f"getting better ({state.emotion.trend:+.2f})", *_of(Stage.ACTION))


def _from_tried(grounds: _Grounds, tried: Sequence[Strategy]) -> None:
    for age, strategy in enumerate(reversed(tried)):
        if age == 0:
            grounds.add(-2.0, "was the last answer's", strategy)
        elif age < 3:
            grounds.add(-0.6, "was tried lately", strategy)


def _from_library(grounds: _Grounds, turn: PersonTurn) -> None:
    """For a strategy that has an entry about what the person said, against one that has none."""
    near = near_entries(turn)
    if not near:
        return
    for strategy in Strategy:
        best = max(
            (near.get(entry_id, 0.0) for entry_id in turn.candidates.get(strategy.value, ())), default=0.0
        )
        if best > 0.0:
            gain = FIT_GROUND + FIT_SLOPE * (best - fits_from(strategy, turn.language))
            grounds.add(round(gain, 2), f"an entry fits ({best:.2f})", strategy)
        else:
            grounds.add(-FIT_GROUND, "no entry fits", strategy)


def _of(stage: Stage) -> tuple[Strategy, ...]:
    return tuple(strategy for strategy in Strategy if strategy.stage is stage)
