"""What a turn is read as in the context of its conversation."""

import dataclasses
import json
import math
import random
from typing import Any

import pytest

from bot.core.context import (
    ContextModel,
    labels_within,
    read_in_context,
    shares_of,
    valence_of,
)
from bot.core.errors import ContractError
from bot.core.escalation import EscalationThresholds, decide_escalation
from bot.core.guidance import decide_strategy, overrides_rules
from bot.core.moment import Moment, moment_of
from bot.core.reading import ContextReading, EmotionReading
from bot.core.rolling import Said, roll
from bot.core.state import ConversationState, EmotionState
from bot.core.strategy import Strategy
from bot.core.turn import PersonTurn
from nlu_models.emotion.labels import EKMAN, GOEMOTIONS

from .context_models import config, model, steadfast

GROUPS = {group: tuple(labels) for group, labels in EKMAN.items()}


def reading(label: str, valence: float, share: float = 0.8, **more: Any) -> EmotionReading:
    """A reading that gives one label's group this share, and the other groups equal parts of the rest."""
    group = next(name for name, labels in EKMAN.items() if label in labels)
    shares = {name: share if name == group else (1 - share) / 6 for name in EKMAN}
    scores = {**dict.fromkeys(GOEMOTIONS, 0.01), label: share}
    return EmotionReading(
        **{
            "label": label, "labels": (label,), "scores": scores, "ekman": shares, "valence": valence,
            "confidence": 0.8, **more,
        }
    )  # fmt: skip


ANGRY = reading("anger", -0.6, 0.85)
NEUTRAL = reading("neutral", 0.05)
UNREAD = EmotionReading(
    label="neutral", scores=dict.fromkeys(GOEMOTIONS, 0.0), ekman=dict.fromkeys(EKMAN, 1 / 7), abstained=True
)


def after(
    model_: ContextModel, *turns: tuple[str, EmotionReading], every_s: float = 30.0
) -> ConversationState:
    """The state after turns of a person."""
    return roll(model_, [Said(text, every_s, one) for text, one in turns])[-1].state


def in_context(
    model_: ContextModel, state: ConversationState, text: str, one: EmotionReading, later_s: float = 30.0
) -> PersonTurn:
    """The person's next turn, read in context."""
    at = state.emotion.at + later_s
    return PersonTurn(
        text,
        at,
        intent="affirm",
        intent_confidence=0.9,
        reading=read_in_context(model_, state, one, text, at),
    )


def test_the_first_turn_is_read_as_its_words_are() -> None:
    read = read_in_context(steadfast(), ConversationState(), ANGRY, "this is a disgrace", 0.0)
    assert read.context is not None
    assert (read.context.label, read.context.changed, read.context.because) == ("anger", False, ())
    assert read.context.ekman["anger"] == pytest.approx(0.85, abs=1e-3)


def test_fine_after_angry_turns_stays_angry_and_says_why() -> None:
    state = after(steadfast(), ("you lost it", ANGRY), ("again", ANGRY), ("a disgrace", ANGRY))
    turn = in_context(steadfast(), state, "fine.", NEUTRAL)
    assert turn.reading is not None
    assert turn.reading.label == "neutral"  # what the words alone are read as stays as it was
    assert turn.felt is not None
    assert (turn.felt.label, turn.felt.is_negative) == ("anger", True)
    assert turn.felt.valence == pytest.approx(-0.6, abs=0.02)
    assert turn.reading.context is not None
    assert turn.reading.context.changed
    assert any("anger 0.8" in ground for ground in turn.reading.context.because)


def test_fine_after_pleasant_turns_is_not_angry() -> None:
    state = after(steadfast(), ("it came, thanks", reading("gratitude", 0.5)))
    turn = in_context(steadfast(), state, "fine.", NEUTRAL)
    assert turn.felt is not None
    assert turn.felt.ekman["anger"] < 0.1
    assert turn.felt.valence > 0.2


def test_what_was_felt_days_ago_does_not_colour_a_turn() -> None:
    state = after(steadfast(), ("you lost it", ANGRY), ("again", ANGRY))
    turn = in_context(steadfast(), state, "fine.", NEUTRAL, later_s=7 * 86_400.0)
    assert turn.felt is not None
    assert turn.felt.ekman["anger"] == pytest.approx(1 / 7, abs=0.01)
    assert turn.felt.valence == pytest.approx(0.0, abs=0.01)


def test_dots_that_could_not_be_read_go_on_with_what_was() -> None:
    state = after(steadfast(), ("you lost it", ANGRY))
    turn = in_context(steadfast(), state, "...", UNREAD)
    assert turn.felt is not None
    assert (turn.felt.label, turn.felt.is_trusted) == ("anger", True)


def test_labels_that_the_model_does_not_know_are_read_by_the_words_alone() -> None:
    state = after(steadfast(), ("you lost it", ANGRY))
    own = EmotionReading(label="fury", scores={"fury": 0.9, "calm": 0.1}, confidence=0.9, valence=-0.6)
    stale = dataclasses.replace(own, context=ContextReading("joy"))
    assert read_in_context(steadfast(), state, stale, "you lost it again", 60.0) == own
    mixed = dataclasses.replace(ANGRY, scores={**ANGRY.scores, "fury": 0.9})
    assert read_in_context(steadfast(), state, mixed, "you lost it again", 60.0).context is None


def test_fewer_labels_than_the_model_knows_are_read_in_context() -> None:
    few = dataclasses.replace(ANGRY, scores={"anger": 0.85, "joy": 0.1, "neutral": 0.1})
    assert read_in_context(steadfast(), ConversationState(), few, "you lost it", 0.0).context is not None


@pytest.mark.parametrize("more", [{}, {"degraded": True}])
def test_a_sentence_that_could_not_be_read_stays_unread(more: dict[str, bool]) -> None:
    state = after(steadfast(), ("you lost it", ANGRY))
    unread = dataclasses.replace(UNREAD, **more)
    turn = in_context(steadfast(), state, "ça suffit maintenant", unread)
    assert turn.reading is not None
    assert turn.reading.context is None
    assert not turn.reading.felt.is_trusted
    assert state.after_person(turn).emotion.anger_streak == 1  # nor does it end the anger


def test_dots_before_anything_else_are_not_read() -> None:
    turn = in_context(steadfast(), ConversationState(), "...", UNREAD)
    assert turn.reading is not None
    assert turn.reading.context is None


def test_anger_that_goes_on_behind_fine_reaches_a_human() -> None:
    state = ConversationState()
    reasons = []
    for text, one in (("you lost it", ANGRY), ("fine.", NEUTRAL), ("no it is not fine", ANGRY)):
        turn = in_context(steadfast(), state, text, one)
        turn = dataclasses.replace(turn, intent="share_feeling")
        state = state.after_person(turn)
        decision = decide_escalation(state, turn, EscalationThresholds())
        reasons.append(decision.reason if decision else None)
    assert reasons == [None, None, "anger_repeated"]


def test_anger_in_the_words_reaches_a_human_though_the_context_abstains() -> None:
    unsure = model(confidence={"slope": 0.0, "intercept": -5.0}, abstain_below=0.9)
    state = ConversationState()
    reasons = []
    for text in ("you lost it", "this is a disgrace"):
        turn = dataclasses.replace(in_context(unsure, state, text, ANGRY), intent="share_feeling")
        assert turn.felt is not None
        assert not turn.felt.is_trusted
        state = state.after_person(turn)
        decision = decide_escalation(state, turn, EscalationThresholds())
        reasons.append(decision.reason if decision else None)
    assert reasons == [None, "anger_repeated"]


def test_fine_said_in_anger_gets_no_stock_answer() -> None:
    before = after(steadfast(), ("you lost it", ANGRY), ("again", ANGRY))
    turn = dataclasses.replace(in_context(steadfast(), before, "fine.", NEUTRAL), intent="small_talk")
    alone = dataclasses.replace(turn, reading=NEUTRAL)
    ground = overrides_rules(before.after_person(turn), turn)
    assert ground is not None
    assert "in context; by its words alone neutral" in ground
    assert overrides_rules(before.after_person(alone), alone) is None


def test_the_strategy_rests_on_the_reading_in_context() -> None:
    before = after(steadfast(), ("she died", reading("grief", -0.7)), ("in may", reading("grief", -0.6)))
    turn = dataclasses.replace(in_context(steadfast(), before, "yeah", NEUTRAL), intent="share_feeling")
    decision = decide_strategy(before.after_person(turn), turn)
    assert any("in distress" in ground for ground in decision.evidence)
    assert decision.strategy in (Strategy.REFLECTION.value, Strategy.AFFIRMATION.value)


def test_shares_by_hand() -> None:
    """Two groups differ in one sign, one gate and the past; the rest is equal."""
    numbers = config()
    numbers["own"] = {**dict.fromkeys(numbers["own"], 0.0), "always": 0.5}
    numbers["plain"] = {**dict.fromkeys(numbers["plain"], 0.0), "short": 3.0}
    numbers["before"] = {**dict.fromkeys(numbers["before"], 0.0), "short": 2.0}
    numbers["signs"]["praise"] = {**dict.fromkeys(EKMAN, 0.0), "joy": 0.7}
    numbers["hints"]["neutral"] = {**dict.fromkeys(EKMAN, 0.0), "sadness": 0.5}
    past = EmotionState(readings=1, ekman={"anger": 0.6, "joy": 0.4})
    moment = moment_of(GROUPS, past, NEUTRAL, "thanks", 0.0)
    shares = shares_of(ContextModel.from_dict(numbers), moment)
    scores = {
        group: 0.5 * math.log(0.8 if group == "neutral" else 0.2 / 6)
        + 2.0 * math.log({"anger": 0.6, "joy": 0.4}.get(group, 0.02))
        + (0.0 if group == "neutral" else 3.0 * 0.2 / 6)
        + (0.7 if group == "joy" else 0.0)
        + (0.5 * math.log(0.803 / 0.203) / 6 if group == "sadness" else 0.0)
        for group in EKMAN
    }
    assert moment.hints["neutral"] == pytest.approx(math.log(0.803 / 0.203) / 6)
    total = sum(math.exp(score) for score in scores.values())
    assert shares == pytest.approx({group: math.exp(score) / total for group, score in scores.items()})


def test_labels_within_a_group_by_hand() -> None:
    numbers = config(label_own=1.0, label_carried=1.0, label_carried_filler=0.0)
    numbers["label_bias"] = {"annoyance": math.log(2)}
    past = EmotionState(readings=1, labels={"anger": 0.35})
    scores = {"anger": 0.2, "annoyance": 0.2, "disapproval": 0.1}
    moment = moment_of(GROUPS, past, reading("anger", -0.5, scores=scores), "this will not do", 0.0)
    weights = {"anger": 0.2 * 0.4, "annoyance": 0.2 * 0.05 * 2, "disapproval": 0.1 * 0.05}
    expected = {label: weight / sum(weights.values()) for label, weight in weights.items()}
    assert labels_within(ContextModel.from_dict(numbers), moment, "anger") == pytest.approx(expected)


def test_valence_by_hand_and_within_its_bounds() -> None:
    numbers = config()
    numbers["valence"] = {
        **dict.fromkeys(numbers["valence"], 0.0),
        "valence": 0.5,
        "before": 0.25,
        "anger": -0.4,
    }
    past = EmotionState(readings=1, valence=-0.8, recent=(-0.8,), at=0.0)
    moment = moment_of(GROUPS, past, NEUTRAL, "this will not do", 0.0)
    shares = {**dict.fromkeys(EKMAN, 0.0), "anger": 0.5}
    found = valence_of(ContextModel.from_dict(numbers), moment, shares)
    assert found == pytest.approx(0.5 * 0.05 + 0.25 * -0.8 - 0.4 * 0.5)
    numbers["valence"]["bias"] = -9.0
    assert valence_of(ContextModel.from_dict(numbers), moment, shares) == -1.0


def test_confidence_decides_whether_anything_may_rest_on_it() -> None:
    sure = config(confidence={"slope": 0.0, "intercept": 0.0}, abstain_below=0.5)
    assert not _context(ContextModel.from_dict(sure)).abstained
    unsure = config(confidence={"slope": 0.0, "intercept": -0.01}, abstain_below=0.5)
    assert _context(ContextModel.from_dict(unsure)).abstained


def _context(model_: ContextModel) -> ContextReading:
    read = read_in_context(model_, ConversationState(), ANGRY, "this is a disgrace", 0.0)
    assert read.context is not None
    return read.context


def test_a_reading_with_its_context_survives_its_json_form() -> None:
    read = read_in_context(model(), after(model(), ("no", ANGRY)), NEUTRAL, "fine.", 60.0)
    again = EmotionReading.from_dict(json.loads(json.dumps(read.to_dict(), allow_nan=False)))
    assert again.to_dict() == read.to_dict()
    assert "context" not in NEUTRAL.to_dict()


@pytest.mark.parametrize(
    "context",
    [
        {"label": "joy"},
        {"label": "joy", "because": [], "odd": 1},
        "joy",
        {"label": "joy", "because": [], "valence": 3},
    ],
)
def test_a_malformed_context_is_refused(context: Any) -> None:
    with pytest.raises(ContractError):
        EmotionReading.from_dict({**NEUTRAL.to_dict(), "context": context})


def test_a_context_of_another_kind_of_turn_is_made_anew() -> None:
    stale = dataclasses.replace(UNREAD, context=ContextReading("joy"))
    assert read_in_context(model(), ConversationState(), stale, "bonjour à tous", 0.0).context is None


@pytest.mark.parametrize("at", [math.nan, math.inf, -math.inf, 1e300, -1e18])
def test_no_time_makes_a_reading_that_is_no_number(at: float) -> None:
    state = after(model(), ("you lost it", ANGRY))
    for text in ("fine.", "it is what I said"):
        read = read_in_context(model(), state, NEUTRAL, text, at)
        json.dumps(read.to_dict(), allow_nan=False)
        assert read.context is not None
        assert sum(read.context.ekman.values()) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("seed", range(20))
def test_any_numbers_give_a_reading_within_its_bounds(seed: int) -> None:
    source = random.Random(seed)

    def shaken(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shaken(inner) for key, inner in value.items()}
        return value + source.gauss(0, 5) if isinstance(value, float) else value

    numbers = {**shaken(config()), "abstain_below": 0.3}
    texts = ["fine.", "GREAT", "no, that's not it at all!!", "...", "ok thanks", "你好"]
    said = [
        Said(source.choice(texts), source.choice([0, 5, 1e6]), source.choice([ANGRY, NEUTRAL]))
        for _ in range(12)
    ]
    for one in roll(ContextModel.from_dict(numbers), said):
        context = one.reading.context
        assert context is not None
        assert context.label in GOEMOTIONS
        assert sum(context.ekman.values()) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"abstain_below": 2.0}, "abstain_below"),
        ({"label_own": math.nan}, "finite"),
        ({"own": {}}, "always"),
        ({"signs": {}}, "bias"),
        ({"hints": {"joy": {}}}, "anger"),
        ({"groups": None}, "not a context model"),
        ({"label_bias": [1]}, "not a context model"),
    ],
)
def test_a_damaged_model_is_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ContractError, match=named):
        ContextModel.from_dict(config(**changes))


def test_a_rolled_conversation_meets_the_answers_strategy() -> None:
    said = [
        Said("she left", 0.0, ANGRY),
        Said("What happened?", 2.0, None, Strategy.QUESTION),
        Said("idk", 9.0, NEUTRAL),
    ]
    first, second = roll(model(), said)
    assert (first.moment.signs["asked"], second.moment.signs["asked"]) == (0.0, 1.0)
    assert second.state.emotion.at - first.state.emotion.at == pytest.approx(11.0)


def test_the_numbers_of_a_turn_by_hand() -> None:
    past = EmotionState(readings=3, valence=-0.4, ekman={"anger": 0.5}, anger_streak=1, negative_streak=2,
                        recent=(-0.2, -0.6), at=100.0)  # fmt: skip
    moment: Moment = moment_of(GROUPS, past, ANGRY, "still nothing.", 100.0)
    assert moment.signs["angry_before"] == pytest.approx(1 / 3)
    assert moment.signs["negative_before"] == pytest.approx(2 / 3)
    assert moment.signs["clipped_after_negative"] == pytest.approx(0.4)
    assert moment.valence["last"] == pytest.approx(-0.6)
    assert moment.before["anger"] == pytest.approx(math.log(0.5 + 0.5 / 7))
    assert moment.before["joy"] == pytest.approx(math.log(0.5 / 7))
    assert moment.gates["unsure"] == pytest.approx(0.2)
