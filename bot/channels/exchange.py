"""One message and its answer: kept first, run once, and never left without a word.

The person's turn is kept before Rasa sees it. Then Rasa runs in a task of its own, so that a tab that is
closed half-way loses neither the answer nor what was read (a danger above all). Whatever goes wrong, the
person is told so, unless a human has the conversation; and danger in a message is then answered here
(`bot.channels.fallback`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from rasa.core.channels.channel import (  # type: ignore[import-untyped]
    CollectingOutputChannel,
    UserMessage,
)

from bot.channels import danger_record, record
from bot.channels.danger_record import Care
from bot.channels.fallback import Fallback
from bot.channels.intake import Incoming
from bot.channels.live import Hub
from bot.channels.pool import BusyError, StoragePool

ANSWER_WITHIN_S = 20.0  # then the person is told that something isn't working
GIVE_UP_AFTER_S = 60.0  # then Rasa is stopped; until then it may still keep what it read
KEEP_WITHIN_S = 3.0  # how much longer an answer to danger waits for the database
REPEAT_LOOK_S = 0.5
SILENT = "silent"  # Rasa ran and had nothing to say
MAX_RUNNING = 400  # messages in hand at once, per process

logger = logging.getLogger(__name__)

OnNewMessage = Callable[[UserMessage], Awaitable[Any]]


class Exchange:
    """Takes a channel's messages to Rasa and brings back the answers.

    Args:
        channel: its name in the record, such as "web".
        pool: for storage calls.
        on_new_message: Rasa's handler.
        fallback: reads danger, and answers it when nothing else does.
        make_output: the output channel of one message.
        hub: who is listening, if anybody can.
        answer_within_s: how long Rasa may take before the person is told, seconds.
        give_up_after_s: how long Rasa may take at all, seconds.
    """

    def __init__(
        self,
        channel: str,
        pool: StoragePool,
        on_new_message: OnNewMessage,
        fallback: Fallback,
        make_output: Callable[[], CollectingOutputChannel] = CollectingOutputChannel,
        hub: Hub | None = None,
        answer_within_s: float = ANSWER_WITHIN_S,
        give_up_after_s: float = GIVE_UP_AFTER_S,
    ) -> None:
        self._channel = channel
        self._pool = pool
        self._on_new_message = on_new_message
        self._fallback = fallback
        fallback.in_hand = lambda sender_id, message_id: (sender_id, message_id) in self._running
        self._make_output = make_output
        self._hub = hub
        self._answer_within_s = answer_within_s
        self._give_up_after_s = give_up_after_s
        self._running: dict[tuple[str, str], asyncio.Task[dict[str, Any]]] = {}
        self._works: set[asyncio.Task[Any]] = set()

    async def deliver(self, sender_id: str, incoming: Incoming) -> dict[str, Any]:
        """The answer to a message, as `record.answer` gives it; the same for the same message id.

        Raises:
            BusyError: too many messages are in hand.
            StorageError: the message couldn't be kept.
            UnkeptAnswer: one of these, or the database hangs, and there is, or may be, danger in the message.
        """
        care = await self._fallback.read(incoming)
        within_s = None if care is None else self._answer_within_s + KEEP_WITHIN_S
        try:
            with self._fallback.watched(sender_id, incoming, care, within_s):
                task = self._begun(sender_id, incoming, care)
                return await asyncio.wait_for(asyncio.shield(task), within_s)
        except Exception as error:
            unkept = await self._fallback.unkept(sender_id, incoming, care)
            if unkept is None:
                raise
            raise unkept from error

    def _begun(self, sender_id: str, incoming: Incoming, care: Care | None) -> asyncio.Task[dict[str, Any]]:
        """The task that takes a message through, one for all who ask for it."""
        key = (sender_id, incoming.message_id)
        task = self._running.get(key)
        if task is None:
            if len(self._running) >= MAX_RUNNING:
                raise BusyError(f"{len(self._running)} messages are in hand")
            task = asyncio.create_task(self._take_through(sender_id, incoming, care))
            self._running[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        return task

    async def close(self) -> None:
        """Lets running messages end for a moment, then stops them."""
        tasks = [*self._running.values(), *self._works]
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=5.0)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _take_through(self, sender_id: str, incoming: Incoming, care: Care | None) -> dict[str, Any]:
        arrival = await self._pool.write(record.arrive, sender_id, self._channel, incoming, time.time())
        self._wake(arrival)
        trouble = None
        if arrival.is_new or not await self._settles(arrival):
            trouble = await self._run(sender_id, incoming, arrival)
        if care is not None:
            await self._make_sure(sender_id, arrival, care, trouble)
        elif trouble is not None:
            await self._own_up(sender_id, incoming, arrival, trouble)
        self._wake(arrival)
        return await self._pool.run(record.answer, arrival)

    async def _settles(self, arrival: record.Arrival) -> bool:
        """Whether a message that came before is being, or was, dealt with: by another process, perhaps."""
        while not await self._pool.run(record.is_settled, arrival):
            if time.time() - arrival.at > self._answer_within_s + 5.0:
                return False  # whoever had it in hand is gone
            await asyncio.sleep(REPEAT_LOOK_S)
        return True

    async def _make_sure(
        self, sender_id: str, arrival: record.Arrival, care: Care, trouble: str | None
    ) -> None:
        """Answers a danger that Rasa didn't answer, or answered as if there were none."""
        why = await self._pool.write(danger_record.answer, arrival, care, trouble, time.time())
        if why is not None:
            self._fallback.note_trouble()
            logger.critical(
                "channel.danger_answered channel=%s sender=%s level=%s trouble=%s",
                self._channel,
                _hashed(sender_id),
                care.turn.risk.level.value,
                why,
            )

    async def _own_up(
        self, sender_id: str, incoming: Incoming, arrival: record.Arrival, trouble: str
    ) -> None:
        """Tells the person that no answer came; while a human has the conversation, silence is right."""
        words = (self._fallback.apology(incoming), self._fallback.staying(incoming))
        told = await self._pool.write(record.own_up, arrival, incoming.language, time.time(), *words)
        if told or trouble != SILENT:
            self._fallback.note_trouble()
            logger.error(
                "channel.no_answer channel=%s sender=%s trouble=%s told=%s",
                self._channel,
                _hashed(sender_id),
                trouble,
                told,
            )

    async def _run(self, sender_id: str, incoming: Incoming, arrival: record.Arrival) -> str | None:
        """Lets Rasa answer; gives the trouble there was, in a word, or None."""
        output = self._make_output()
        message = UserMessage(
            incoming.text,
            output,
            sender_id,
            input_channel=self._channel,
            message_id=incoming.message_id,
            metadata={"language": incoming.language, **incoming.place},
        )
        work = asyncio.ensure_future(self._on_new_message(message))
        self._works.add(work)
        work.add_done_callback(self._works.discard)
        await asyncio.wait({work}, timeout=self._answer_within_s)
        if not work.done():
            asyncio.get_running_loop().call_later(
                max(0.0, self._give_up_after_s - self._answer_within_s), work.cancel
            )
            work.add_done_callback(_log_late)
            work.add_done_callback(lambda _: self._wake(arrival))
            return "slow"
        if work.cancelled():
            return "cancelled"
        error = work.exception()
        if error is not None:
            logger.error("channel.rasa_failed channel=%s", self._channel, exc_info=error)
            return type(error).__name__
        return None if output.messages else SILENT

    def _wake(self, arrival: record.Arrival) -> None:
        if self._hub is not None:
            self._hub.wake(arrival.conversation_id)

    def _finished(self, key: tuple[str, str], task: asyncio.Task[dict[str, Any]]) -> None:
        self._running.pop(key, None)
        if not task.cancelled() and task.exception() is not None:
            # The one who asked gets it too; when nobody asks any more, this is its only trace.
            logger.error("channel.message_failed channel=%s error=%s", self._channel, task.exception())


def _log_late(task: asyncio.Future[Any]) -> None:
    if task.cancelled():
        logger.error("channel.rasa_given_up")
    elif task.exception() is not None:
        logger.error("channel.rasa_failed_late", exc_info=task.exception())


def _hashed(sender_id: str) -> str:
    return hashlib.sha256(sender_id.encode()).hexdigest()[:12]
