"""The actions that pass a privacy request to the people who run this Attune.

A program that deletes on a sentence it may have misread would be as wrong as one that ignores the
wish, so a human carries it out; the request is a handoff with its own reason, and can't get lost.
"""

from __future__ import annotations

import time
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions import resources
from bot.storage import conversations, handoffs


class PrivacyWish:
    """Opens a handoff for a privacy request and says so."""

    wish: str
    response: str

    def name(self) -> str:
        """The action's name in the domain."""
        return f"action_privacy_{self.wish}"

    def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Asks a human in for the request."""
        words = str((tracker.latest_message or {}).get("text") or "")
        with resources.database().session() as session:
            conversation = conversations.open_conversation(
                session, tracker.sender_id, tracker.get_latest_input_channel() or "unknown"
            )
            handoffs.open_handoff(
                session,
                conversation.id,
                reason=f"privacy_{self.wish}",
                level="handoff",
                evidence=[f"the person wrote: {words[:120]}"],
                at=time.time(),
            )
        dispatcher.utter_message(response=self.response)
        return []


class ExportAction(PrivacyWish, Action):  # type: ignore[misc]
    """The person wants a copy of what is kept about them."""

    wish = "export"
    response = "utter_privacy_export"


class DeleteAction(PrivacyWish, Action):  # type: ignore[misc]
    """The person wants what is kept about them deleted."""

    wish = "delete"
    response = "utter_privacy_delete"
