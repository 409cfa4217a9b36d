"""A real server with the real channels and storage, and a scripted stand-in where Rasa's agent would be.

The stand-in writes the same rows as Attune's tracker store does once Rasa is through with a message, so
that the channels and the page can be driven without a trained model. What a message says decides what
happens: "crash" raises, "hang" never ends, "silent" says nothing, "mute handoff" asks a human in without a
word, "slow" takes a second, "offer" offers a
human; anything else is answered and read.

    python -m tests.browser.standin PORT      (settings come from the environment, as always)
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from bot.launch import deferred  # noqa: E402

deferred.install()  # the stand-in needs nothing of TensorFlow

from rasa.core.channels.channel import UserMessage, register  # noqa: E402
from rasa.core.tracker_store import InMemoryTrackerStore  # noqa: E402
from rasa.shared.core.domain import Domain  # noqa: E402
from sanic import Sanic, response  # noqa: E402

from bot.channels.duty import DutyInput  # noqa: E402
from bot.channels.rest import RestInput  # noqa: E402
from bot.channels.web import WebInput  # noqa: E402
from bot.core.reading import EmotionReading, RiskReading  # noqa: E402
from bot.core.settings import Settings  # noqa: E402
from bot.storage import conversations, handoffs, readings, turns  # noqa: E402
from bot.storage.database import Database  # noqa: E402

# word: (label, confidence, valence, arousal)
FEELINGS = {
    "angry": ("anger", 0.88, -0.72, 0.64),
    "sad": ("sadness", 0.81, -0.66, -0.35),
    "afraid": ("fear", 0.62, -0.58, 0.52),
    "tired": ("disappointment", 0.44, -0.4, -0.55),
    "hope": ("optimism", 0.71, 0.45, 0.12),
    "relief": ("relief", 0.9, 0.62, -0.48),
    "happy": ("joy", 0.93, 0.8, 0.5),
}


class ScriptedAgent:
    """Stands where Rasa's agent does.

    Args:
        database: where to write what the tracker store would.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.tracker_store: Any = SimpleNamespace(kept="in the database")  # has to be no store in memory
        self.processor = None
        self.handled: list[str] = []

    def is_ready(self) -> bool:
        """Whether there is a model; always."""
        return True

    async def handle_message(self, message: UserMessage) -> None:
        """Answers a message as its words ask for."""
        text = message.text or ""
        self.handled.append(text)
        if "hang" in text:
            await asyncio.sleep(3600)
        if "slow" in text:
            await asyncio.sleep(1.0)
        if "crash" in text:
            raise RuntimeError("the stand-in was told to crash")
        said = await asyncio.get_running_loop().run_in_executor(None, self.save, message, text)
        if said:
            await message.output_channel.send_text_message(message.sender_id, said)

    def save(self, message: UserMessage, text: str) -> str | None:
        """Writes the reading and the answer; gives the answer."""
        with self.database.session(exclusive=True) as session:
            conversation = conversations.find(session, message.sender_id, lock=True)
            if conversation is None:
                raise RuntimeError("the channel hasn't kept the message")
            turn = turns.by_message(session, conversation.id, [message.message_id])[message.message_id]
            language = "zh" if any("\u4e00" <= char <= "\u9fff" for char in text) else "en"
            if "bonjour" in text:
                language = "fr"
            readings.add(session, turn.id, _reading(text, language), RiskReading())
            turns.set_read(session, turn.id, language, "share_feeling", 0.9)
            if "mute handoff" in text:
                handoffs.open_handoff(session, conversation.id, "crisis", "crisis", ["stand-in"], time.time())
            if not conversation.handoff_state.is_bots_turn or "silent" in text or "mute" in text:
                return None
            said = _answer(text, language)
            action = "utter_offer_human" if "offer" in text else "action_guidance_reflection"
            turns.add_bot(session, conversation.id, said, time.time(), language=language, action=action)
            return said


def main(port: int) -> None:
    """Serves until the process is ended."""
    settings = Settings.from_environment()
    database = Database(settings.effective_database_url)
    database.migrate()
    app = Sanic("standin", configure_logging=False)
    app.ctx.agent = ScriptedAgent(database)
    if os.environ.get("STANDIN_STORE") == "memory":
        app.ctx.agent.tracker_store = InMemoryTrackerStore(Domain.empty())

    @app.get("/")
    async def hello(_request: Any) -> Any:
        return response.text("Hello from Rasa")

    @app.get("/handled")
    async def handled(_request: Any) -> Any:
        return response.json(app.ctx.agent.handled)

    channels = [WebInput(settings, answer_within_s=2.0, give_up_after_s=4.0)]
    channels += [RestInput(settings, answer_within_s=2.0, give_up_after_s=4.0), DutyInput(settings)]
    register(channels, app, "/webhooks/")
    app.run(host="127.0.0.1", port=port, access_log=False)


def _reading(text: str, language: str) -> EmotionReading:
    if language != "en":
        return EmotionReading(label="neutral", abstained=True, model="stand-in")
    for word, (label, confidence, valence, arousal) in FEELINGS.items():
        if word in text:
            return EmotionReading(
                label=label,
                labels=(label,),
                valence=valence,
                arousal=arousal,
                confidence=confidence,
                degraded="degraded" in text,
                model="stand-in",
            )
    is_degraded = "degraded" in text
    confidence = 0.0 if is_degraded else 0.3
    return EmotionReading(
        label="neutral", confidence=confidence, abstained=True, degraded=is_degraded, model="stand-in"
    )


def _answer(text: str, language: str) -> str:
    if "offer" in text:
        return "It sounds as if talking to someone could help. Shall I ask a person to join?"
    if "helpline" in text:
        return "You can call or text 988 at any time, or look at https://988lifeline.org/chat."
    if language == "zh":
        return "听起来这段时间你很不容易。愿意多说一点吗？"
    return "That sounds hard to carry. What has weighed on you most?"


if __name__ == "__main__":
    main(int(sys.argv[1]))
