"""The actions that say a piece of reviewed guidance: one per strategy."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions import resources
from bot.core.entries import Choice, choose_entry
from bot.core.strategy import Strategy
from bot.core.turn import PersonTurn
from bot.storage import guidance as shown_guidance

logger = logging.getLogger(__name__)

EARLIER_TURNS = 3  # whose candidates still count


class Guidance:
    """Says the entry of its strategy that fits the person's turn best.

    Not itself an `Action`, since rasa-sdk would register it.
    """

    strategy: Strategy

    def name(self) -> str:
        """The action's name in the domain."""
        return self.strategy.action_name

    def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Chooses and says one entry; says nothing when the library holds none that may be said."""
        message = tracker.latest_message or {}
        turn = PersonTurn.from_parse_data(message, at=0.0, metadata=_metadata(tracker))
        choice = self._choose(tracker, turn)
        if choice is None:
            logger.warning("guidance.none strategy=%s language=%s", self.strategy.value, turn.language)
            return []
        dispatcher.utter_message(
            text=choice.entry.text[turn.reply_language],
            guidance_id=choice.entry.id,
            strategy=choice.entry.strategy.value,
            similarity=choice.similarity,
            fits=choice.fits,
        )
        return []

    def _choose(self, tracker: Tracker, turn: PersonTurn) -> Choice | None:
        entries = resources.entries()
        with resources.database().session() as session:
            shown = shown_guidance.shown_ids(session, tracker.sender_id)
        return choose_entry(entries, self.strategy, turn, _earlier_candidates(tracker), shown)


class QuestionAction(Guidance, Action):  # type: ignore[misc]
    """An open question."""

    strategy = Strategy.QUESTION


class RestatementAction(Guidance, Action):  # type: ignore[misc]
    """What the person said, in plain words."""

    strategy = Strategy.RESTATEMENT


class ReflectionAction(Guidance, Action):  # type: ignore[misc]
    """The feeling, named tentatively."""

    strategy = Strategy.REFLECTION


class AffirmationAction(Guidance, Action):  # type: ignore[misc]
    """Affirmation and reassurance."""

    strategy = Strategy.AFFIRMATION


class SuggestionAction(Guidance, Action):  # type: ignore[misc]
    """One small thing to try."""

    strategy = Strategy.SUGGESTION


class InformationAction(Guidance, Action):  # type: ignore[misc]
    """One useful fact."""

    strategy = Strategy.INFORMATION


def _earlier_candidates(tracker: Tracker) -> list[Mapping[str, Mapping[str, float]]]:
    """The candidates of the person's turns before this one, newest first."""
    found = [
        (event.get("parse_data") or {}).get("guidance") or {}
        for event in tracker.events
        if event.get("event") == "user"
    ]
    return found[-2 : -2 - EARLIER_TURNS : -1]


def _metadata(tracker: Tracker) -> Mapping[str, Any]:
    for event in reversed(tracker.events):
        if event.get("event") == "user":
            return event.get("metadata") or {}
    return {}
