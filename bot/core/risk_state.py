"""What a conversation adds to the danger of a single turn.

Some danger is in no one sentence: thanks for everything after an evening of hopelessness, sudden calm
after despair, affairs being settled, "yes, tonight" after dark thoughts, small worries that add up. The
state holds a few fading levels, so a turn costs the same at turn 10 and at turn 10,000, and what was said
an hour ago weighs less than what was said a minute ago. A conversation only ever raises a reading.

Leave-taking, settling affairs and sudden relief are among the warning signs of the American Association
of Suicidology (Rudd et al., "Warning signs for suicide", Suicide and Life-Threatening Behavior, 2006).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from bot.core.reading import EmotionReading, RiskKind, RiskLevel, RiskReading
from bot.core.risk_signs import Signs, signs_of

DESPAIR_HALF_LIFE_S = 6 * 3600.0  # despair outlasts the turn it was said in by hours
WORRY_HALF_LIFE_S = 2 * 3600.0  # concerns that add up have to be close together
MAX_GAP_S = 30 * 86400.0
BARE_TURN_CHARS = 32  # an answer such as "yes. tonight." is no longer
BARE_WITHIN_S = 1800.0  # and comes soon after what it answers

DESPAIR_FROM = 0.3  # level of despair from which signs in later turns are read in its light
SOME_DESPAIR = 0.1  # likewise, for calm after affairs were being settled
DARK_FROM = 0.7  # level of despair from which a bare "tonight" is an answer to it
WORRY_HIGH = 1.0  # sum of concerns from which a person has to be asked in
CONCERN_WORRY = 0.36  # of one concern: the third in a row adds up to a high
SETTLING_WORRY = 0.2  # of affairs being settled where nothing dark was said
SAD_DESPAIR = 0.12  # of a turn that is read as surely sad and unpleasant
MOST_SAD_DESPAIR = 0.36  # sadness alone never adds up to dark thoughts
MAX_WORDS_CHARS = 120  # of a turn that are kept as evidence
SAD_SHARE = 0.5  # of the Ekman shares
SAD_VALENCE = -0.3
_RANK: Mapping[RiskLevel, int] = {level: rank for rank, level in enumerate(RiskLevel)}
LEVEL_DESPAIR: Mapping[RiskLevel, float] = {
    RiskLevel.NONE: 0.0,
    RiskLevel.CONCERN: 0.4,
    RiskLevel.HIGH: 0.8,
    RiskLevel.CRISIS: 1.0,
}
INTENTS = (RiskKind.SELF_HARM.value, RiskKind.HARM_TO_OTHERS.value)  # kinds that a person may mean to do
LEVEL_SCORE: Mapping[RiskLevel, float] = {RiskLevel.HIGH: 0.7, RiskLevel.CRISIS: 0.9}


@dataclass(frozen=True)
class RiskState:
    """The danger of a conversation so far, in constant memory.

    Attributes:
        readings: how many turns went in.
        despair: fading level of hopelessness and talk of self-harm, [0, 1].
        worry: fading sum of concerns, [0, 4].
        sadness: fading part of `despair` that rests on emotions alone, [0, 1].
        settling: whether affairs were being settled in a turn that still counts.
        kind: of the last danger or concern, as in a risk reading; None before any.
        last_words: the beginning of the turn that added most to `despair`.
        last_level: of the last turn as it was raised.
        danger_at: when danger was last read, seconds since 1970 UTC; None before any.
        at: of the last turn, seconds since 1970 UTC.
    """

    readings: int = 0
    despair: float = 0.0
    worry: float = 0.0
    sadness: float = 0.0
    settling: bool = False
    kind: str | None = None
    last_words: str = ""
    last_level: str = RiskLevel.NONE.value
    danger_at: float | None = None
    at: float = 0.0

    def after(self, risk: RiskReading, reading: EmotionReading | None, text: str, at: float) -> RiskState:
        """The state once a turn has gone in.

        Args:
            risk: of the turn, as `raised` left it.
            reading: the emotion, or None.
            text: the turn's words.
            at: when it arrived, seconds since 1970 UTC.
        """
        faded = self.faded(at)
        is_intent = risk.kind is not None and risk.kind.value in INTENTS
        added = LEVEL_DESPAIR[risk.level] if is_intent else 0.0
        sadness = faded.sadness
        if added == 0.0 and reading is not None and _is_sad(reading):
            sadness = min(MOST_SAD_DESPAIR, sadness + SAD_DESPAIR)
        settles = bool(signs_of(text).settles)
        worry = faded.worry
        if risk.level is RiskLevel.CONCERN:
            worry += CONCERN_WORRY
        elif risk.level is RiskLevel.NONE and settles:
            worry += SETTLING_WORRY
        adds_most = added > 0.0 and added >= faded.despair
        return RiskState(
            readings=self.readings + 1,
            despair=round(min(1.0, max(faded.despair, added) + 0.1 * min(added, faded.despair)), 4),
            worry=round(min(4.0, worry), 4),
            sadness=round(sadness, 4),
            settling=settles or (faded.settling and faded.worry >= 0.05),
            kind=risk.kind.value if risk.kind is not None else self.kind,
            last_words=text.strip()[:MAX_WORDS_CHARS] if adds_most else self.last_words,
            last_level=risk.level.value,
            danger_at=at if risk.level.needs_human else self.danger_at,
            at=at,
        )

    def faded(self, at: float) -> RiskState:
        """The state as it weighs at a later time."""
        gap_s = min(max(0.0, at - self.at), MAX_GAP_S) if self.readings else 0.0
        return replace(
            self,
            despair=self.despair * _kept(gap_s, DESPAIR_HALF_LIFE_S),
            sadness=self.sadness * _kept(gap_s, DESPAIR_HALF_LIFE_S),
            worry=self.worry * _kept(gap_s, WORRY_HALF_LIFE_S),
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | None) -> RiskState:
        """The state that `data` describes, of this or another version; what isn't usable is left out."""
        known: dict[str, Any] = {}
        for key, default in asdict(cls()).items():
            value = (data or {}).get(key, default)
            if key == "danger_at":
                known[key] = float(value) if _is_number(value) else None
            elif key == "kind":
                known[key] = value if value in tuple(RiskKind) else None
            elif isinstance(default, (bool, str)):
                known[key] = value if isinstance(value, type(default)) else default
            else:
                known[key] = type(default)(value) if _is_number(value) else default
        return cls(**known)

    def to_dict(self) -> dict[str, Any]:
        """The state in its JSON form."""
        return asdict(self)


def raised(
    risk: RiskReading,
    state: RiskState,
    text: str,
    at: float,
) -> RiskReading:
    """The danger of a turn in the light of the conversation before it; never lower than it was read.

    Args:
        risk: of the turn alone.
        state: before the turn.
        text: the turn's words.
        at: when it arrived, seconds since 1970 UTC.

    Returns:
        The same reading where nothing speaks for more, else a higher one whose evidence says why.
    """
    if risk.level is RiskLevel.CRISIS or not state.readings:
        return risk
    before = state.faded(at)
    for level, why in _grounds(risk, before, signs_of(text), at):
        if _RANK[level] > _RANK[risk.level]:
            kind = risk.kind or (RiskKind(before.kind) if before.kind else RiskKind.SELF_HARM)
            return RiskReading(level, LEVEL_SCORE[level], kind, (why, *risk.evidence)[:5])
    return risk


def _grounds(risk: RiskReading, before: RiskState, signs: Signs, at: float) -> list[tuple[RiskLevel, str]]:
    """What the conversation speaks for, the gravest first, each with its reason."""
    found: list[tuple[RiskLevel, str]] = []
    despair = min(1.0, before.despair + before.sadness)
    is_dark = before.despair >= DARK_FROM and before.kind in INTENTS and not signs.denies
    words = f" (earlier: {before.last_words})" if before.last_words else ""
    is_bare = signs.n_chars <= BARE_TURN_CHARS and not signs.otherwise
    is_soon = before.danger_at is not None and at - before.danger_at <= BARE_WITHIN_S
    if is_dark and is_bare and is_soon and signs.when:
        found.append((RiskLevel.CRISIS, f'"{signs.when}" after talk of it{words}'))
    if despair >= DESPAIR_FROM and before.settling and signs.calm:
        found.append((RiskLevel.CRISIS, f'calm ("{signs.calm}") after despair and settling affairs{words}'))
    if despair >= DESPAIR_FROM and signs.leaves:
        found.append((RiskLevel.HIGH, f'taking leave ("{signs.leaves}") after hopelessness{words}'))
    if despair >= DESPAIR_FROM and signs.settles:
        found.append((RiskLevel.HIGH, f'settling affairs ("{signs.settles}") after hopelessness{words}'))
    if is_dark and signs.calm:
        found.append((RiskLevel.HIGH, f'sudden calm ("{signs.calm}") after despair{words}'))
    if before.settling and signs.calm and despair >= SOME_DESPAIR:
        found.append((RiskLevel.HIGH, f'calm ("{signs.calm}") after settling affairs'))
    worry = before.worry + CONCERN_WORRY
    if risk.level is RiskLevel.CONCERN and worry >= WORRY_HIGH:
        found.append((RiskLevel.HIGH, f"concerns that add up to {worry:.1f}{words}"))
    return found


def _is_sad(reading: EmotionReading) -> bool:
    felt = reading.felt
    return felt.is_trusted and felt.valence <= SAD_VALENCE and felt.ekman.get("sadness", 0.0) >= SAD_SHARE


def _kept(gap_s: float, half_life_s: float) -> float:
    """What is left after a time, (0, 1]."""
    return float(0.5 ** (gap_s / half_life_s))


def _is_number(value: Any) -> bool:
    """Whether a value of JSON is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15
