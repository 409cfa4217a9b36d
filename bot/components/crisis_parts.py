"""What stands for the placeholders of the crisis wording: the helplines, and what the danger is about."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from rasa.shared.core.trackers import DialogueStateTracker

from bot.core.crisis_themes import Theme
from bot.core.errors import ContractError
from bot.core.helplines import Helplines, country_of, last_resort
from bot.core.protocol import parts_of
from bot.core.reading import RiskKind
from bot.core.state import ConversationState
from bot.core.turn import PersonTurn

logger = logging.getLogger(__name__)

STATE_SLOT = "attune"


class CrisisParts:
    """Fills the crisis wording in for one person.

    Args:
        table: of the helplines; None names what is the same everywhere.
        country: of the operator, for messages that tell nothing of theirs.
    """

    def __init__(self, table: Optional[Helplines], country: Optional[str] = None) -> None:
        self._table = table
        self._country = country

    def values(
        self,
        tracker: DialogueStateTracker,
        language: str,
        responses: Mapping[str, Sequence[Mapping[str, Any]]],
    ) -> dict[str, str]:
        """The text for each placeholder.

        Args:
            tracker: with the person's turn and the state before it.
            language: to write in, "en" or "zh".
            responses: of the domain, which hold the parts.
        """
        theme, kind = _danger_of(tracker)
        country = country_of(_metadata(tracker), self._country)
        lines, line = self._lines(country, language, kind)
        parts = {
            name: _text_of(responses.get(response) or (), language)
            for name, response in parts_of(theme).items()
        }
        return {"lines": lines, "line": line, **parts}

    def helplines(self, tracker: DialogueStateTracker, language: str) -> list[str]:
        """The ids of the helplines that are named, for the record; empty where none is known."""
        if self._table is None:
            return []
        country = country_of(_metadata(tracker), self._country)
        return [line.id for line in self._table.for_person(country, language, _danger_of(tracker)[1])]

    def _lines(self, country: Optional[str], language: str, kind: RiskKind) -> tuple[str, str]:
        """All rows, and the few that go under every answer."""
        if self._table is None:
            rows = last_resort(language, kind)
            return rows, rows
        rows = self._table.describe(country, language, kind)
        if self._table.emergency(country) is None:
            return rows, rows  # each row is for another part of the world
        first, last = rows.splitlines()[0], rows.splitlines()[-1]
        return rows, first if first == last else f"{first}\n{last}"


def _danger_of(tracker: DialogueStateTracker) -> tuple[Theme, RiskKind]:
    """What the danger is about, as the protocol has it; of the turn alone where there is no state."""
    turn = _turn(tracker)
    slot = tracker.slots.get(STATE_SLOT)
    state = ConversationState.from_dict(slot.value if slot is not None else None)
    danger = state.after_person(turn).crisis.danger or state.crisis.danger
    if danger is None:
        return Theme.SELF, RiskKind.SELF_HARM
    return danger.theme, danger.kind


def _turn(tracker: DialogueStateTracker) -> PersonTurn:
    message = tracker.latest_message
    if message is None:
        return PersonTurn("", 0.0)
    try:
        return PersonTurn.from_parse_data(
            message.parse_data or {}, message.timestamp or 0.0, message.metadata
        )
    except ContractError as error:
        logger.error("crisis.reading.malformed error=%s", error)
        return PersonTurn(message.text or "", message.timestamp or 0.0)


def _metadata(tracker: DialogueStateTracker) -> Mapping[str, Any]:
    message = tracker.latest_message
    return (message.metadata or {}) if message is not None else {}


def _text_of(variations: Sequence[Mapping[str, Any]], language: str) -> str:
    for variation in variations:
        if (variation.get("metadata") or {}).get("language") == language:
            return str(variation.get("text") or "")
    return ""
