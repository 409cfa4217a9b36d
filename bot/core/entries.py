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
from bot.core.turn import PersonTurn

GENERAL_TOPIC = "general"

# Similarities on the index's scale, [0, 1].
FITS_FROM = 0.4  # from here a question is about what the person said (the index's own threshold)
CLAIM_FITS_FROM = 0.5  # from here anything that is not a question is
EMOTION_BONUS = 0.12  # of an entry that fits the emotion read
ON_TOPIC = 0.15  # of an entry on what was talked about before, so that a conversation holds together
OFF_TOPIC = -0.1  # of an entry on something else, once there is a topic
EARLIER_TURN_WEIGHT = 0.85  # of the candidates of the turn before, and again of the one before that

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


def fits_from(strategy: Strategy) -> float:
    """The similarity from which an entry of a strategy is about what the person said."""
    return FITS_FROM if strategy is Strategy.QUESTION else CLAIM_FITS_FROM


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
        The nearest entry of the strategy; where none fits, one of another strategy that does, though
        nothing to do for a person who wasn't to be given that; where none does, an unseen question of
        the general topic with `fits` False; None when the library holds nothing that may be said.
    """
    nearness = _Nearness(entries, turn, earlier)
    allowed = [
        entry
        for entry in entries.values()
        if entry.id not in shown and turn.reply_language in entry.text and not _barred(entry, turn, context)
    ]
    near = [entry for entry in allowed if nearness.of(entry) >= fits_from(entry.strategy)]
    for wanted in _in_place_of(strategy):
        fitting = [entry for entry in near if entry.strategy in wanted]
        if fitting:
            return nearness.choose(fitting, fits=True)
    general = [entry for entry in allowed if entry.topic == GENERAL_TOPIC]
    for wanted in ((Strategy.QUESTION,), (strategy,), tuple(Strategy)):
        fitting = [entry for entry in general if entry.strategy in wanted]
        if fitting:
            return nearness.choose(fitting, fits=False)
    return None


class _Nearness:
    """How near entries are to a turn, in the light of the turns before."""

    def __init__(self, entries: Mapping[str, Entry], turn: PersonTurn, earlier: Sequence[Candidates]) -> None:
        self._turn = turn
        self._similarity = _flat(turn.candidates)
        self._topics: dict[str, float] = {}
        weight = 1.0
        for candidates in earlier:
            weight *= EARLIER_TURN_WEIGHT
            for entry_id, similarity in _flat(candidates).items():
                entry = entries.get(entry_id)
                if entry is None or similarity < fits_from(entry.strategy):
                    continue
                self._similarity[entry_id] = max(self._similarity.get(entry_id, 0.0), weight * similarity)
                if entry.topic != GENERAL_TOPIC:
                    known = self._topics.get(entry.topic, 0.0)
                    self._topics[entry.topic] = max(known, weight * similarity)

    def of(self, entry: Entry) -> float:
        """The nearness of an entry, on the scale of `fits_from`; 0 when nothing speaks for it."""
        near = self._similarity.get(entry.id, 0.0)
        if entry.strategy.stage is Stage.ACTION:
            # "what can I do about it?" asks about what was talked about, whatever its own words.
            near = max(near, self._topics.get(entry.topic, 0.0))
        if near == 0.0 or not self._topics:
            return near
        return near + (ON_TOPIC if entry.topic in self._topics else OFF_TOPIC)

    def choose(self, fitting: Sequence[Entry], fits: bool) -> Choice:
        """The nearest of some entries, the emotion read deciding between close ones."""
        reading = self._turn.reading
        entry = max(fitting, key=lambda one: (self.of(one) + _emotion_bonus(one, reading), one.id))
        return Choice(entry, round(min(self._similarity.get(entry.id, 0.0), 1.0), 4), fits)


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
    reading = turn.reading
    return reading is not None and reading.is_trusted and reading.label in entry.not_for


def _emotion_bonus(entry: Entry, reading: EmotionReading | None) -> float:
    if reading is None or not reading.is_trusted or not entry.emotions:
        return 0.0
    felt = set(reading.labels) or {reading.label}
    return EMOTION_BONUS if entry.emotions & felt else -EMOTION_BONUS / 2
