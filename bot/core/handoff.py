"""Whose turn it is: the bot's, nobody's yet, or a human's."""

from __future__ import annotations

from enum import Enum

from bot.core.errors import HandoffError


class HandoffState(str, Enum):
    """Where a conversation stands between the bot and a human.

    bot ──▶ waiting ──▶ human ──▶ returned
                └──────────────────▲        (returned is the bot's turn again; a new handoff may open)
    """

    BOT = "bot"
    WAITING = "waiting"
    HUMAN = "human"
    RETURNED = "returned"

    @property
    def is_bots_turn(self) -> bool:
        """Whether the bot may speak."""
        return self in (HandoffState.BOT, HandoffState.RETURNED)


_STEPS = {
    HandoffState.BOT: {HandoffState.WAITING},
    HandoffState.WAITING: {HandoffState.HUMAN, HandoffState.RETURNED},
    HandoffState.HUMAN: {HandoffState.RETURNED},
    HandoffState.RETURNED: {HandoffState.WAITING},
}


def check_step(current: HandoffState, wanted: HandoffState) -> None:
    """Refuses a step that the states don't allow.

    Raises:
        HandoffError: `wanted` can't follow `current`.
    """
    if wanted not in _STEPS[current]:
        allowed = ", ".join(sorted(state.value for state in _STEPS[current]))
        raise HandoffError(
            f"this conversation is at '{current.value}' and can't go to '{wanted.value}'; possible: {allowed}"
        )
