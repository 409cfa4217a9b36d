"""Answers from the domain in the language the person writes.

A response's variations carry `metadata: {language: en}` or `zh`; the person's own language decides
among them, and the page's language where the message gives no sign ("ok", an emoji).
"""

from __future__ import annotations

from typing import Any, Optional

from rasa.core.nlg import TemplatedNaturalLanguageGenerator
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig

from bot.components.action_validation import compile_action_validation
from bot.core.turn import reply_language


class BilingualNlg(TemplatedNaturalLanguageGenerator):
    """Rasa's templated generator, with the variations sorted by language."""

    def __init__(self, endpoint_config: EndpointConfig, domain: Domain) -> None:
        super().__init__(domain.responses)
        compile_action_validation()

    async def generate(
        self,
        utter_action: str,
        tracker: DialogueStateTracker,
        output_channel: str,
        **kwargs: Any,
    ) -> Optional[dict[str, Any]]:
        """The response in the language of the person's last turn."""
        message = tracker.latest_message
        parse_data = (message.parse_data or {}) if message else {}
        metadata = (message.metadata or {}) if message else {}
        language = reply_language(parse_data.get("language"), metadata.get("language"))
        # Rasa replaces `responses` whenever it loads a model, so they are looked up on each call.
        variations = {utter_action: in_language(self.responses.get(utter_action, []), language)}
        generator = TemplatedNaturalLanguageGenerator(variations)
        return await generator.generate(utter_action, tracker, output_channel, **kwargs)


def in_language(variations: list[dict[str, Any]], language: str) -> list[dict[str, Any]]:
    """The variations in a language, with those that name none; all of them when there is neither."""
    fitting = [v for v in variations if (v.get("metadata") or {}).get("language") in (language, None)]
    return fitting or variations
