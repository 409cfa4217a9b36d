"""Steps of a handoff."""

import pytest

from bot.core.errors import HandoffError
from bot.core.handoff import HandoffState, check_step

ALLOWED = [
    ("bot", "waiting"),
    ("waiting", "human"),
    ("waiting", "returned"),
    ("human", "returned"),
    ("returned", "waiting"),
]


@pytest.mark.parametrize("current", list(HandoffState))
@pytest.mark.parametrize("wanted", list(HandoffState))
def test_only_the_drawn_steps_are_possible(current: HandoffState, wanted: HandoffState) -> None:
    if (current.value, wanted.value) in ALLOWED:
        check_step(current, wanted)
    else:
        with pytest.raises(HandoffError, match=current.value):
            check_step(current, wanted)


def test_the_bot_speaks_only_on_its_turn() -> None:
    assert [state.is_bots_turn for state in HandoffState] == [True, False, False, True]
