"""Rolls a finished conversation through the context model, turn by turn, as serving would.

For fitting and judging the model, and for reading stored conversations anew: the state a turn meets is
the one its conversation had built up by then, under that very model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.core.context import ContextModel, read_in_context
from bot.core.moment import Moment, moment_of
from bot.core.reading import EmotionReading
from bot.core.state import ConversationState
from bot.core.strategy import Strategy
from bot.core.turn import Decision, PersonTurn

START_S = 1_000_000_000.0  # of a conversation of which only the pauses are known


@dataclass(frozen=True)
class Said:
    """One turn of a conversation that is over.

    Attributes:
        text: as written.
        gap_s: seconds since the turn before.
        reading: of a person's turn, from its words alone; None for the bot's.
        strategy: of the bot's turn, if it followed one.
    """

    text: str
    gap_s: float
    reading: EmotionReading | None = None
    strategy: Strategy | None = None


@dataclass(frozen=True)
class Rolled:
    """What the model met and made of one turn of the person.

    Attributes:
        moment: the numbers it weighed.
        reading: with the reading in context, where there is one.
        state: of the conversation after the turn.
    """

    moment: Moment
    reading: EmotionReading
    state: ConversationState


def roll(model: ContextModel, turns: Sequence[Said]) -> list[Rolled]:
    """What the model makes of each of the person's turns, in order."""
    state, at = ConversationState(), START_S
    rolled = []
    for said in turns:
        at += said.gap_s
        if said.reading is None:
            if said.strategy is not None:
                answer = Decision(said.strategy.action_name, "", "", strategy=said.strategy.value)
                state = state.after_decision(answer)
            continue
        moment = moment_of(model.groups, state.emotion, said.reading, said.text, at, state.last_stage)
        reading = read_in_context(model, state, said.reading, said.text, at)
        state = state.after_person(PersonTurn(said.text, at, reading=reading))
        rolled.append(Rolled(moment, reading, state))
    return rolled
