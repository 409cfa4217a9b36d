"""A turn read in the context of its conversation: "fine." after three angry turns is not neutral.

A conditional logit (McFadden, 1974) over the seven Ekman groups: each group's score is a weighted sum of
what the turn's own words say of it and of what the conversation felt like before, where the weights
depend on how much the turn says by itself, plus a little for the form of the turn. Within the winning
group the label follows in the same way, and valence by a linear blend. All of it is pure Python over a
few dozen numbers that `attune emotion context fit` finds; nothing but the previous state is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.core.errors import ContractError
from bot.core.moment import GATES, SIGNS, VALENCES, Moment, moment_of
from bot.core.reading import ContextReading, EmotionReading
from bot.core.state import ConversationState

LEAST_LABEL = 0.005  # of a label's probability before its logarithm is taken
LEAST_CARRIED = 0.05  # of a label's level likewise
TOLD_GROUNDS = 3  # at most so many are named
LEAST_GROUND = 0.2  # of log-odds, below which a ground is not worth naming

GATE_TEXT = {"filler": "the turn says little by itself", "unsure": "its words leave it open"}
GROUND_TEXT = {
    "short": "the turn is short",
    "clipped_after_negative": "few words and a full stop after unpleasant turns",
    "capitals": "written in capitals",
    "exclaims": "exclamation marks",
    "asks": "asks",
    "trails": "trails off in dots",
    "stretched": "letters drawn out",
    "repeats": "says again what was said before",
    "praise": "thanks or praises",
    "praise_short": "thanks or praises in few words",
    "praise_after_anger": "praise straight after anger",
    "praise_after_negative": "praise straight after unpleasant turns",
    "persists": "says that it goes on or happens again",
    "eases": "says that something works or got better",
    "eases_after_negative": "something got better after unpleasant turns",
    "turns": "sets something against what was said",
    "angry_before": "the turns before were angry",
    "negative_before": "the turns before were unpleasant",
}


@dataclass(frozen=True)
class ContextModel:
    """The numbers of a fitted context model.

    Attributes:
        name: of the weight, such as "context-en".
        version: of the weight.
        groups: Ekman group to its labels.
        own: per gate, how much the logarithm of the words' own share of a group counts.
        plain: per gate, how much that share itself counts, which is large only for what is said outright.
        before: per gate, how much the group's level before counts.
        signs: per sign, per group, what it adds.
        hints: per label, per group, what the label's log-odds add.
        label_own: how much a label's own probability counts within its group.
        label_carried: how much its level before does.
        label_carried_filler: the same in addition, for a turn that says nothing by itself.
        label_bias: per label, what is added.
        valence: per input of `VALENCES`, its weight.
        valence_hints: per label, what its log-odds add.
        confidence: "slope" and "intercept" of the logistic curve over the label's log-odds.
        abstain_below: the confidence under which nothing may rest on the reading, [0, 1].
    """

    name: str
    version: str
    groups: Mapping[str, tuple[str, ...]]
    own: Mapping[str, float]
    plain: Mapping[str, float]
    before: Mapping[str, float]
    signs: Mapping[str, Mapping[str, float]]
    hints: Mapping[str, Mapping[str, float]]
    label_own: float
    label_carried: float
    label_carried_filler: float
    label_bias: Mapping[str, float]
    valence: Mapping[str, float]
    valence_hints: Mapping[str, float]
    confidence: Mapping[str, float]
    abstain_below: float

    @property
    def model(self) -> str:
        """How readings name it: "<name>@<version>"."""
        return f"{self.name}@{self.version}"

    @property
    def labels(self) -> frozenset[str]:
        """The labels it knows: those with a weight in `hints` and in `valence_hints`."""
        return frozenset(self.hints.keys() & self.valence_hints.keys())

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ContextModel:
        """The model that a weight's `config.json` describes; unknown keys are ignored.

        Raises:
            ContractError: something is missing, of another type or not finite.
        """
        try:
            made = cls(
                name=str(data["name"]),
                version=str(data["version"]),
                groups={str(group): tuple(labels) for group, labels in data["groups"].items()},
                own=_numbers(data["own"], GATES),
                plain=_numbers(data["plain"], GATES),
                before=_numbers(data["before"], GATES),
                signs={sign: _numbers(data["signs"][sign], tuple(data["groups"])) for sign in SIGNS},
                hints={
                    str(label): _numbers(weights, tuple(data["groups"]))
                    for label, weights in data["hints"].items()
                },
                label_own=_number(data["label_own"]),
                label_carried=_number(data["label_carried"]),
                label_carried_filler=_number(data["label_carried_filler"]),
                label_bias={str(label): _number(value) for label, value in data["label_bias"].items()},
                valence=_numbers(data["valence"], VALENCES),
                valence_hints={str(label): _number(value) for label, value in data["valence_hints"].items()},
                confidence=_numbers(data["confidence"], ("slope", "intercept")),
                abstain_below=_number(data["abstain_below"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ContractError(f"not a context model: {error!r}") from error
        if not 0.0 <= made.abstain_below <= 1.0:
            raise ContractError(f"abstain_below is {made.abstain_below}, expected 0 to 1")
        return made


def read_in_context(
    model: ContextModel, state: ConversationState, reading: EmotionReading, text: str, at: float
) -> EmotionReading:
    """The reading of a turn with its reading in context beside it.

    A turn whose words were not read, in a language the weight doesn't know or without a weight, gets none
    unless it says nothing anyway: "..." goes on with what was, an unread sentence may say anything. Nor does
    one whose weight has labels that the model was not fitted on: what these say of it is not known.

    Args:
        model: the fitted numbers.
        state: of the conversation before this turn.
        reading: of the turn's words alone.
        text: the turn's words.
        at: when it arrived, seconds since 1970 UTC.
    """
    if not reading.scores.keys() <= model.labels:
        return replace(reading, context=None)
    moment = moment_of(model.groups, state.emotion, reading, text, at, state.last_stage)
    if not moment.is_read and not (moment.cues.is_filler and state.emotion.readings):
        return replace(reading, context=None)
    return replace(reading, context=weigh(model, moment, reading))


def weigh(model: ContextModel, moment: Moment, reading: EmotionReading) -> ContextReading:
    """The reading in context that a model makes of a moment."""
    shares = shares_of(model, moment)
    best = max(shares, key=lambda group: shares[group])
    labels = labels_within(model, moment, best)
    label = max(labels, key=lambda one: labels[one])
    chance = min(max(shares[best] * labels[label], 1e-6), 1.0 - 1e-6)
    odds = model.confidence["slope"] * math.log(chance / (1.0 - chance)) + model.confidence["intercept"]
    confidence = 1.0 / (1.0 + math.exp(-min(max(odds, -50.0), 50.0)))
    alone = next((group for group, members in model.groups.items() if reading.label in members), best)
    changed = alone != best or not moment.is_read
    return ContextReading(
        label=label,
        ekman={group: round(share, 4) for group, share in shares.items()},
        valence=round(valence_of(model, moment, shares), 4),
        confidence=round(confidence, 4),
        abstained=confidence < model.abstain_below,
        changed=changed,
        because=_grounds(model, moment, best, alone) if changed else (),
        model=model.model,
    )


def shares_of(model: ContextModel, moment: Moment) -> dict[str, float]:
    """The share of each Ekman group, summing to 1."""
    own = sum(model.own[gate] * moment.gates[gate] for gate in GATES)
    plain = sum(model.plain[gate] * moment.gates[gate] for gate in GATES)
    before = sum(model.before[gate] * moment.gates[gate] for gate in GATES)
    return _softmax(
        {
            group: own * moment.own[group]
            + plain * moment.plain[group]
            + before * moment.before[group]
            + sum(model.signs[sign][group] * value for sign, value in moment.signs.items() if value)
            + sum(model.hints[label][group] * hint for label, hint in moment.hints.items())
            for group in model.groups
        }
    )


def labels_within(model: ContextModel, moment: Moment, group: str) -> dict[str, float]:
    """The chance of each label of a group, given that the group is right; they sum to 1."""
    carried = model.label_carried + model.label_carried_filler * moment.cues.filler
    return _softmax(
        {
            label: model.label_own * math.log(max(moment.scores.get(label, 0.0), LEAST_LABEL))
            + carried * math.log(LEAST_CARRIED + moment.carried.get(label, 0.0))
            + model.label_bias.get(label, 0.0)
            for label in model.groups[group]
        }
    )


def valence_of(model: ContextModel, moment: Moment, shares: Mapping[str, float]) -> float:
    """The valence in context, [-1, 1]."""
    inputs = {**moment.valence, **shares}
    value = sum(weight * inputs[name] for name, weight in model.valence.items())
    value += sum(model.valence_hints[label] * hint for label, hint in moment.hints.items())
    return min(max(value, -1.0), 1.0)


def _grounds(model: ContextModel, moment: Moment, best: str, alone: str) -> tuple[str, ...]:
    """What speaks for the group that won and against that of the words alone, the strongest first."""
    rival = alone if alone != best else min(moment.before, key=lambda group: moment.before[group])
    before = sum(model.before[gate] * moment.gates[gate] for gate in GATES)
    past = math.exp(moment.before[best])
    told = {f"the turns before: {best} {past:.2f}": before * (moment.before[best] - moment.before[rival])}
    for sign, text in GROUND_TEXT.items():
        weights = model.signs[sign]
        told[text] = (weights[best] - weights[rival]) * moment.signs[sign]
    for gate, text in GATE_TEXT.items():  # they take weight from the words and give it to the past
        lost = model.own[gate] * (moment.own[best] - moment.own[rival])
        told[text] = moment.gates[gate] * lost
    if moment.cues.is_filler:
        told[GATE_TEXT["filler"]] = max(LEAST_GROUND, told[GATE_TEXT["filler"]])
    strongest = sorted(told, key=lambda text: -told[text])[:TOLD_GROUNDS]
    return tuple(text for text in strongest if told[text] >= LEAST_GROUND)


def _softmax(scores: Mapping[str, float]) -> dict[str, float]:
    highest = max(scores.values())
    powers = {key: math.exp(score - highest) for key, score in scores.items()}
    total = sum(powers.values())
    return {key: power / total for key, power in powers.items()}


def _numbers(data: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, float]:
    return {name: _number(data[name]) for name in names}


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    return number
