"""Which reviewed entry of the guidance library says it: one pure function.

Retrieval brings the entries nearest to what the person wrote; this picks among them, minding what was
shown, what must not be said to this person, what they feel, and what the conversation is about. A
question that misses is a small thing; a sentence that claims to know a situation the person isn't in
is not, so it has to be nearer. When nothing is near enough, an honest open question comes back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bot.core.reading import EmotionReading, RiskLevel
from bot.core.strategy import Stage, Strategy
from bot.core.turn import ENGLISH, PersonTurn

GENERAL_TOPIC = "general"
FEELINGS_TOPIC = "feelings"
JOY_TOPIC = "joy"
WITHOUT_SITUATION = (GENERAL_TOPIC, FEELINGS_TOPIC)

# Similarities on the index's scale, [0, 1].
# The index holds that something fits from 0.4 on; a wrong guess at somebody's situation hurts more than an
# open question or an answer to the feeling alone, so more is asked for here.
FITS_FROM = 0.5  # from here a question is about what the person said
CLAIM_FITS_FROM = 0.55  # from here anything that is not a question is
LETTERS_FIT_FROM = 0.7  # from here a claim is, where retrieval had letters to go by and no meaning
OTHER_TOPIC_FITS_FROM = 0.66  # from here anything is, that leaves what was talked about before
MARGIN = 0.12  # how far below the nearest entry of all another may lie and still be about the same
EMOTION_BONUS = 0.12  # of an entry that fits the emotion read
TOPIC_BONUS = 0.08  # of an entry on what was talked about before
EARLIER_TURN_WEIGHT = 0.85  # of the turn before, and again of the one before that

# Turns whose own words say nothing of what they are about.
CONTENT_FREE_INTENTS = ("affirm", "deny", "not_helped")
ASK_HELP_INTENT = "ask_help"
GOOD_NEWS_INTENT = "share_good_news"

Candidates = Mapping[str, Mapping[str, float]]  # per strategy, entry id to similarity


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
    fits: bool  # False when nothing was near and an entry of the general topic stands in


def fits_from(strategy: Strategy, language: str = ENGLISH) -> float:
    """The similarity from which an entry of a strategy is about what the person said.

    Chinese is compared by its characters alone, since the encoder can't read it.
    """
    if strategy is Strategy.QUESTION:
        return FITS_FROM
    return CLAIM_FITS_FROM if language == ENGLISH else LETTERS_FIT_FROM


def choose_entry(
    entries: Mapping[str, Entry],
    strategy: Strategy,
    turn: PersonTurn,
    earlier: Sequence[Candidates],
    shown: Collection[str],
    context: str | None = None,
) -> Choice | None:
    """The best entry that this person hasn't seen and that isn't ruled out for them.

    Args:
        entries: the library by id.
        strategy: what kind of answer is wanted.
        turn: the person's turn, with the candidates retrieval found for it.
        earlier: candidates of the turns before, newest first; they help a turn like "yes, exactly".
        shown: ids already shown in this conversation; never chosen again.
        context: the deployment context, such as "workplace".

    Returns:
        The nearest entry of the strategy that is about this turn; else one of another strategy, though
        nothing to do for a person who wasn't to be given that; else the same for the turns before; else
        one that answers the feeling that was read, or an unseen question of the general topic, both with
        `fits` False; None when the library holds nothing that may be said.
    """
    allowed = [
        entry
        for entry in entries.values()
        if entry.id not in shown and turn.reply_language in entry.text and not _barred(entry, turn, context)
    ]
    topics, carried = _carried(entries, earlier, turn.language)
    near = near_entries(turn)
    if turn.intent == GOOD_NEWS_INTENT:
        # Good news is never met with an entry for a hard time that happens to use the same words.
        allowed = [entry for entry in allowed if entry.topic in (JOY_TOPIC, *WITHOUT_SITUATION)]
    if topics:
        # "what can I do about it?" asks about what was talked about, whatever its own words resemble.
        leaving = 1.0 if turn.intent == ASK_HELP_INTENT else OTHER_TOPIC_FITS_FROM
        near = {
            entry_id: value
            for entry_id, value in near.items()
            if value > leaving or (entry_id in entries and entries[entry_id].topic in topics)
        }

    def chosen(similarity: Mapping[str, float], fitting: list[Entry], fits: bool) -> Choice:
        entry = max(
            fitting,
            key=lambda one: (similarity.get(one.id, 0.0) + _bonus(one, turn.felt, topics), one.id),
        )
        return Choice(entry, round(similarity.get(entry.id, 0.0), 4), fits)

    for similarity in (near, carried):
        for wanted in _in_place_of(strategy):
            fitting = [entry for entry in allowed if entry.id in similarity and entry.strategy in wanted]
            if fitting:
                return chosen(similarity, fitting, fits=True)
    for wanted in ((strategy,), tuple(Strategy)):
        fitting = [entry for entry in allowed if _speaks_of(entry, turn.felt) and entry.strategy in wanted]
        if fitting and turn.intent not in CONTENT_FREE_INTENTS:
            return chosen(_flat(turn.candidates), fitting, fits=False)
    general = [entry for entry in allowed if entry.topic == GENERAL_TOPIC]
    for wanted in ((Strategy.QUESTION,), (strategy,), tuple(Strategy)):
        fitting = [entry for entry in general if entry.strategy in wanted]
        if fitting:
            return chosen(_flat(turn.candidates), fitting, fits=False)
    return None


def _speaks_of(entry: Entry, reading: EmotionReading | None) -> bool:
    """Whether an entry answers a feeling as such, whatever it is about, and it is the one that was read."""
    if entry.topic != FEELINGS_TOPIC or reading is None or not reading.is_trusted:
        return False
    return bool(entry.emotions & {reading.label, *reading.labels})


def near_entries(turn: PersonTurn) -> dict[str, float]:
    """The entries that are about what a turn says, with their similarity; none for a bare yes or no."""
    return {} if turn.intent in CONTENT_FREE_INTENTS else _fitting(turn.candidates, turn.language)


def _fitting(candidates: Candidates, language: str) -> dict[str, float]:
    """Near enough for their strategy, and not far behind the nearest of all."""
    floor = max(_flat(candidates).values(), default=0.0) - MARGIN
    return {
        entry_id: similarity
        for name, group in candidates.items()
        for entry_id, similarity in group.items()
        if similarity >= max(floor, fits_from(Strategy(name), language))
    }


def _about(
    entries: Mapping[str, Entry], candidates: Candidates, language: str
) -> tuple[str, dict[str, float]] | None:
    """The topic of the entry nearest to a turn, and the near entries on it; None when nothing is near."""
    near = {
        entry_id: value for entry_id, value in _fitting(candidates, language).items() if entry_id in entries
    }
    if not near:
        return None
    topic = entries[max(near, key=lambda entry_id: near[entry_id])].topic
    return topic, {entry_id: value for entry_id, value in near.items() if entries[entry_id].topic == topic}


def _carried(
    entries: Mapping[str, Entry], earlier: Sequence[Candidates], language: str
) -> tuple[frozenset[str], dict[str, float]]:
    """What the turns before were about: their topics, and the entries near to them, fading with every turn.

    Whatever there is to do or to know on a topic counts as near to it.
    """
    topics: set[str] = set()
    carried: dict[str, float] = {}
    weight = 1.0
    for candidates in earlier:
        weight *= EARLIER_TURN_WEIGHT
        about = _about(entries, candidates, language)
        if about is None or about[0] in WITHOUT_SITUATION:
            continue
        topic, near = about
        topics.add(topic)
        surest = max(near.values())
        for entry in entries.values():
            if entry.topic == topic and entry.strategy.stage is Stage.ACTION:
                near.setdefault(entry.id, surest)
        for entry_id, value in near.items():
            carried[entry_id] = max(carried.get(entry_id, 0.0), weight * value)
    return frozenset(topics), carried


def _in_place_of(strategy: Strategy) -> tuple[tuple[Strategy, ...], ...]:
    """The strategy, then what may stand in for it."""
    to_hear = tuple(one for one in Strategy if one.stage is not Stage.ACTION)
    if strategy.stage is Stage.ACTION:
        return (strategy,), (Strategy.SUGGESTION, Strategy.INFORMATION), to_hear
    return (strategy,), to_hear


def _flat(candidates: Candidates) -> dict[str, float]:
    return {entry_id: value for group in candidates.values() for entry_id, value in group.items()}


def _barred(entry: Entry, turn: PersonTurn, context: str | None) -> bool:
    if turn.risk.level.needs_human:
        return True
    if turn.risk.level is not RiskLevel.NONE and turn.risk.level.value in entry.not_for:
        return True
    if context is not None and context in entry.not_for:
        return True
    felt = turn.felt
    return felt is not None and felt.is_trusted and felt.label in entry.not_for


def _bonus(entry: Entry, reading: EmotionReading | None, topics: Collection[str]) -> float:
    bonus = TOPIC_BONUS if entry.topic in topics else 0.0
    if reading is None or not reading.is_trusted or not entry.emotions:
        return bonus
    felt = set(reading.labels) or {reading.label}
    return bonus + (EMOTION_BONUS if entry.emotions & felt else -EMOTION_BONUS / 2)
