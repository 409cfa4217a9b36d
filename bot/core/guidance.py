"""Which strategy helps now, and which reviewed entry says it: two pure functions.

The strategy follows Hill's stages as ESConv's annotators used them: explore first, comfort once a
feeling is clear, and suggest only when the person asks for it or has been heard. The stages are soft:
each strategy gathers grounds for and against, and the best wins.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bot.core.reading import EmotionReading, RiskLevel
from bot.core.state import ConversationState
from bot.core.strategy import Stage, Strategy
from bot.core.turn import Decision, PersonTurn

POLICY = "GuidancePolicy"
GENERAL_TOPIC = "general"

DISTRESS_VALENCE = -0.35  # from here down, comfort comes before questions
RISING = 0.15  # a change of valence that counts as better or worse
UNSURE_INTENT = 0.3  # confidence under which a stock answer would be a guess
OVERRIDABLE_INTENTS = ("greet", "goodbye", "thanks", "small_talk", "out_of_scope", "service_request")
HEARD_TURNS = 3  # turns of sharing after which a suggestion is in place
EMOTION_BONUS = 0.12  # of an entry that fits the emotion read, on the similarity's scale
TOPIC_BONUS = 0.08  # of an entry on the topic of the last answer, so that a conversation holds together
EARLIER_TURN_WEIGHT = 0.7  # of the candidates of the turn before, and again of the one before that


@dataclass(frozen=True)
class Entry:
    """One reviewed piece of guidance.

    Attributes:
        id: unique in the library.
        strategy: what kind of answer it is.
        topic: the topic of its file.
        emotions: GoEmotions labels it fits; empty for any.
        not_for: GoEmotions labels, risk levels or deployment contexts it must not be used for.
        text: language to the words.
    """

    id: str
    strategy: Strategy
    topic: str
    emotions: frozenset[str]
    not_for: frozenset[str]
    text: Mapping[str, str]


@dataclass(frozen=True)
class Choice:
    """The entry chosen for a turn, and how well it fits."""

    entry: Entry
    similarity: float
    fits: bool  # False when nothing was near and a question of the general topic stands in


def overrides_rules(turn: PersonTurn) -> str | None:
    """Why a turn wants guidance although a rule would answer it, or None.

    "hi, my mother died yesterday" is no greeting, and an intent the classifier isn't sure of is no
    reason for a stock answer.
    """
    if turn.intent in OVERRIDABLE_INTENTS:
        reading = turn.reading
        if reading is not None and reading.is_negative and reading.valence <= DISTRESS_VALENCE:
            return f"{turn.intent} said in distress ({reading.label}, valence {reading.valence:+.2f})"
        if turn.intent_confidence < UNSURE_INTENT:
            return f"unsure that this is {turn.intent} ({turn.intent_confidence:.2f})"
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

    Args:
        state: of the conversation, with this turn already in it.
        turn: the person's turn.
    """
    grounds = _Grounds()
    _from_intent(grounds, turn)
    _from_stage(grounds, state)
    _from_emotion(grounds, state, turn.reading)
    _from_tried(grounds, state.tried)
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


def choose_entry(
    entries: Mapping[str, Entry],
    strategy: Strategy,
    turn: PersonTurn,
    earlier: Sequence[Mapping[str, float]],
    shown: Collection[str],
    threshold: float,
    last_topic: str | None = None,
    context: str | None = None,
) -> Choice | None:
    """The best entry of a strategy that this person hasn't seen and that isn't ruled out for them.

    Args:
        entries: the library by id.
        strategy: what kind of answer is wanted.
        turn: the person's turn, with the candidates retrieval found for it.
        earlier: candidates of the turns before, newest first; they help a turn like "yes, exactly".
        shown: ids already shown in this conversation; never chosen again.
        threshold: similarity from which an entry is about what the person said.
        last_topic: topic of the last answer.
        context: the deployment context, such as "workplace".

    Returns:
        The choice; when nothing of the strategy fits, an unseen question or other entry of the general
        topic with `fits` False; None when the library holds nothing that may be said.
    """
    similarity = _blend(turn.candidates, earlier)
    allowed = [
        entry
        for entry in entries.values()
        if entry.id not in shown and turn.reply_language in entry.text and not _barred(entry, turn, context)
    ]
    ranked = sorted(
        (
            (similarity[entry.id] + _bonus(entry, turn.reading, last_topic), entry)
            for entry in allowed
            if entry.strategy is strategy and similarity.get(entry.id, -1.0) >= threshold
        ),
        key=lambda pair: (-pair[0], pair[1].id),
    )
    if ranked:
        entry = ranked[0][1]
        return Choice(entry, round(similarity[entry.id], 4), fits=True)
    return _honest_question(allowed, strategy, turn, similarity, last_topic)


def _honest_question(
    allowed: Sequence[Entry],
    strategy: Strategy,
    turn: PersonTurn,
    similarity: Mapping[str, float],
    last_topic: str | None,
) -> Choice | None:
    general = [entry for entry in allowed if entry.topic == GENERAL_TOPIC]
    for wanted in (Strategy.QUESTION, strategy, None):
        fitting = [entry for entry in general if wanted is None or entry.strategy is wanted]
        if fitting:
            entry = max(
                fitting,
                key=lambda e: (similarity.get(e.id, 0.0) + _bonus(e, turn.reading, last_topic), e.id),
            )
            return Choice(entry, round(similarity.get(entry.id, 0.0), 4), fits=False)
    return None


def _blend(now: Mapping[str, float], earlier: Sequence[Mapping[str, float]]) -> dict[str, float]:
    blended = dict(now)
    weight = 1.0
    for candidates in earlier:
        weight *= EARLIER_TURN_WEIGHT
        for entry_id, value in candidates.items():
            blended[entry_id] = max(blended.get(entry_id, -1.0), weight * value)
    return blended


def _barred(entry: Entry, turn: PersonTurn, context: str | None) -> bool:
    if turn.risk.level.needs_human:
        return True
    if turn.risk.level is not RiskLevel.NONE and turn.risk.level.value in entry.not_for:
        return True
    if context is not None and context in entry.not_for:
        return True
    reading = turn.reading
    return reading is not None and reading.is_trusted and reading.label in entry.not_for


def _bonus(entry: Entry, reading: EmotionReading | None, last_topic: str | None) -> float:
    bonus = TOPIC_BONUS if last_topic is not None and entry.topic == last_topic else 0.0
    if reading is None or not reading.is_trusted:
        return bonus
    felt = set(reading.labels) or {reading.label}
    if entry.emotions & felt:
        bonus += EMOTION_BONUS
    elif entry.emotions:
        bonus -= EMOTION_BONUS / 2
    return bonus


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


def _from_emotion(grounds: _Grounds, state: ConversationState, reading: EmotionReading | None) -> None:
    if reading is None or not reading.is_trusted:
        grounds.add(1.0, "how they feel could not be read", Strategy.QUESTION)
        grounds.add(-1.0, "how they feel could not be read", Strategy.REFLECTION)
        return
    if reading.is_negative and reading.valence <= DISTRESS_VALENCE:
        grounds.add(1.0, f"in distress (valence {reading.valence:+.2f})", *_of(Stage.COMFORTING))
    if reading.is_negative and reading.label != "neutral":
        grounds.add(0.8, f"{reading.label} is clear ({reading.confidence:.2f})", Strategy.REFLECTION)
    if reading.label in ("remorse", "embarrassment", "grief"):
        grounds.add(0.8, f"{reading.label} wants comfort", Strategy.AFFIRMATION)
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


def _of(stage: Stage) -> tuple[Strategy, ...]:
    return tuple(strategy for strategy in Strategy if strategy.stage is stage)
