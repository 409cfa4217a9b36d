"""Answers from the domain in the language the person writes.

A response's variations carry `metadata: {language: en}` or `zh`; the person's own language decides
among them, and the page's language where the message gives no sign ("ok", an emoji). The wording for
danger has placeholders for the helplines and for what the danger is about, which are filled in here.
"""

from __future__ import annotations

import logging
from typing import Any, Optional

from rasa.core.nlg import TemplatedNaturalLanguageGenerator
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig

from bot.components.action_validation import compile_action_validation
from bot.components.crisis_parts import CrisisParts
from bot.core.errors import AttuneError
from bot.core.helplines import Helplines
from bot.core.protocol import is_crisis_action
from bot.core.settings import Settings
from bot.core.turn import reply_language
from bot.helplines import load_helplines

logger = logging.getLogger(__name__)


class BilingualNlg(TemplatedNaturalLanguageGenerator):
    """Rasa's templated generator, with the variations sorted by language."""

    def __init__(self, endpoint_config: EndpointConfig, domain: Domain) -> None:
        super().__init__(domain.responses)
        compile_action_validation()
        self._parts = CrisisParts(helplines(), Settings.from_environment().country or None)

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
        if not is_crisis_action(utter_action):
            return await generator.generate(utter_action, tracker, output_channel, **kwargs)
        values = self._parts.values(tracker, language, self.responses)
        said = await generator.generate(utter_action, tracker, output_channel, **{**kwargs, **values})
        return None if said is None else {**said, "helplines": self._parts.helplines(tracker, language)}


def helplines() -> Optional[Helplines]:
    """The table of helplines, or None where it can't be read: what is said in danger must not hang on it."""
    try:
        return load_helplines()
    except AttuneError as error:
        logger.error("nlg.no_helplines error=%s", error)
        return None


def in_language(variations: list[dict[str, Any]], language: str) -> list[dict[str, Any]]:
    """The variations in a language, with those that name none; all of them when there is neither."""
    fitting = [v for v in variations if (v.get("metadata") or {}).get("language") in (language, None)]
    return fitting or variations
