"""Danger is answered by the channel itself when Rasa raises, is silent or slow, or nothing can be kept.

Every channel has one of these. It reads each message for danger with the reviewed patterns alone, which need
no model. While the database can be written, what it says is kept as any answer is (see
`bot.channels.danger_record`). While it can't, the person is answered all the same; the message is held in
memory, its bare facts go to a small file (`bot.channels.spool`), and both are taken in once the database is
back, so that a human is paged.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bot.channels import danger_record
from bot.channels.danger_record import Care
from bot.channels.intake import Incoming
from bot.channels.lines import line
from bot.channels.pool import StoragePool
from bot.channels.spool import Spool, SpooledDanger
from bot.channels.watch import Watch
from bot.core.country import country_of
from bot.core.errors import AttuneError
from bot.core.fallback import care_text, helplines_text, staying_text, with_lines
from bot.core.helplines import Helplines
from bot.core.reading import RiskKind, RiskReading
from bot.core.secret import signing_secret
from bot.core.settings import ROOT, Settings
from bot.core.turn import UNKNOWN_LANGUAGE, PersonTurn, reply_language

PHRASES = ROOT / "data" / "risk"
TAKE_IN_EVERY_S = 2.0
SPOOLED_WITHIN_S = 2.0  # the answer doesn't wait longer for the disk
TROUBLE_KEPT_S = 300.0  # how long a message without an answer counts against the channel's health
MAX_HELD = 500  # messages in memory; beyond that only their facts are in the file
BLOCKED_AFTER_S = 2.0  # beyond the time in which a danger would have been answered
LONG_CHARS = 4000  # from which a text is read off the event loop

logger = logging.getLogger(__name__)

Patterns = Callable[[str], Mapping[str, Any]]


class UnkeptAnswer(AttuneError):
    """A message got no answer and couldn't be kept; its text is for the person who wrote it.

    Attributes:
        is_danger: whether danger was read in it; otherwise that couldn't be told.
    """

    def __init__(self, text: str, is_danger: bool) -> None:
        super().__init__(text)
        self.text = text
        self.is_danger = is_danger


@dataclass
class _Held:
    """A message that was answered and couldn't be kept."""

    sender_id: str
    incoming: Incoming
    care: Care
    unkept: UnkeptAnswer


class Fallback:
    """Reads danger and answers it for one channel.

    Args:
        channel: its name in the record.
        pool: for storage calls.
        spool: for when those fail.
        key: that the spool's digests are made with.
        patterns: the reading of a text, as in `docs/contracts.md`; None while or where there is none.
        table: of the helplines; None where there is none.
        country: of the operator, for messages that tell nothing of theirs.
        wake: called with the id of a conversation in which something was said.

    Attributes:
        in_hand: whether a message, by its sender and its message id, is being answered at this moment.
    """

    def __init__(
        self,
        channel: str,
        pool: StoragePool,
        spool: Spool,
        key: bytes,
        patterns: Patterns | None = None,
        table: Helplines | None = None,
        country: str | None = None,
        wake: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._channel = channel
        self._pool = pool
        self._spool = spool
        self._key = key
        self.patterns = patterns
        self.table = table
        self._country = country
        self._wake = wake
        self.in_hand: Callable[[str, str], bool] = lambda _sender_id, _message_id: False
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._spooled: set[str] = set()
        self._trouble_at_s = float("-inf")
        self._is_failing = False
        self._is_fresh = True
        self._watch = Watch()
        self._worker: asyncio.Task[None] | None = None
        self._works: set[asyncio.Future[Any]] = set()

    @classmethod
    async def opened(
        cls, settings: Settings, channel: str, pool: StoragePool, wake: Callable[[int], None] = lambda _: None
    ) -> Fallback:
        """The fallback of an installation; it takes in what an earlier run left.

        Raises:
            SettingsError: the secret can't be read or written.
        """
        key = hashlib.sha256(b"attune danger spool\0" + signing_secret(settings).encode()).digest()
        spool = Spool(Path(settings.var_dir))
        country = settings.country or None
        fallback = cls(channel, pool, spool, key, country=country, wake=wake)
        fallback.patterns = await asyncio.to_thread(_load_patterns)
        fallback.table = await asyncio.to_thread(_load_helplines)
        fallback.start()
        return fallback

    def start(self) -> None:
        """Begins to take in what couldn't be kept."""
        self._worker = asyncio.create_task(self._keep_taking_in(), name=f"{self._channel}-take-in")

    async def close(self) -> None:
        """Ends; what is held in memory stays in the file."""
        tasks = [task for task in (self._worker, *self._works) if task is not None]
        if self._worker is not None:
            self._worker.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._watch.close()
        if self._held:
            logger.error("fallback.words_lost channel=%s messages=%d", self._channel, len(self._held))

    async def read(self, incoming: Incoming) -> Care | None:
        """The answer to a message if there is danger in it, else None; it never fails."""
        if self.patterns is None:
            return None
        try:
            if len(incoming.text) > LONG_CHARS:
                read = await asyncio.to_thread(self.patterns, incoming.text)
            else:
                read = self.patterns(incoming.text)
            risk = RiskReading.from_dict(read)
        except Exception as error:  # its kind alone: what it says could quote the text
            logger.error("fallback.unread channel=%s error=%s", self._channel, type(error).__name__)
            return None
        if not risk.level.needs_human:
            return None
        language = _language_of(incoming.text)
        turn = PersonTurn(
            text=incoming.text,
            at=time.time(),
            language=language,
            reply_language=reply_language(language, incoming.language),
            risk=risk,
        )
        ids = self._line_ids(incoming, turn)
        return Care(turn, care_text(turn, self._lines(incoming, turn), is_human_asked=True), ids)

    def apology(self, incoming: Incoming) -> str | None:
        """What to say to a message without an answer where danger can't be read; None where it can."""
        if self.patterns is not None:
            return None
        return self._blind(incoming, "server.apology")

    def staying(self, incoming: Incoming) -> str:
        """What to say to a message without an answer while danger is open in its conversation."""
        language = reply_language(_language_of(incoming.text), incoming.language)
        country = country_of(incoming.place, self._country)
        return staying_text(language, helplines_text(self.table, country, language, None))

    async def unkept(self, sender_id: str, incoming: Incoming, care: Care | None) -> UnkeptAnswer | None:
        """The answer to a message that nothing could be done with; None where its refusal says enough.

        The same for the same message. Danger in it is held, and on the disk, for when the database is back.
        """
        self.note_trouble()
        if care is None:
            if any(held.sender_id == sender_id for held in self._held.values()):
                return UnkeptAnswer(self.staying(incoming), is_danger=False)
            text = None if self.patterns is not None else self._blind(incoming, "errors.unavailable")
            return None if text is None else UnkeptAnswer(text, is_danger=False)
        key = self.digest(sender_id, incoming.message_id)
        known = self._held.get(key)
        if known is not None:
            return known.unkept
        text = care_text(care.turn, self._lines(incoming, care.turn), is_human_asked=False)
        unkept = UnkeptAnswer(text, is_danger=True)
        if len(self._held) < MAX_HELD:
            self._held[key] = _Held(sender_id, incoming, care, unkept)
        risk = care.turn.risk
        logger.critical("fallback.danger_unkept channel=%s level=%s", self._channel, risk.level.value)
        danger = self._spoolable(sender_id, incoming, care)
        if key not in self._spooled:
            self._spooled.add(key)
            work = asyncio.ensure_future(asyncio.to_thread(self._write, danger))
            self._works.add(work)
            work.add_done_callback(self._works.discard)
            await asyncio.wait({work}, timeout=SPOOLED_WITHIN_S)
        return unkept

    def watched(
        self, sender_id: str, incoming: Incoming, care: Care | None, within_s: float | None
    ) -> AbstractContextManager[None]:
        """While a danger is being answered: asks a human in should the server be blocked longer than that.

        Nothing can then be said to the person, who sees that the connection is lost.
        """
        if care is None or within_s is None:
            return nullcontext()
        found = care

        def act() -> None:
            logger.critical("fallback.server_blocked channel=%s", self._channel)
            self._trouble_at_s = time.monotonic()
            late = danger_record.answer_late
            try:
                self._pool.write_here(late, sender_id, self._channel, incoming, found)
            except Exception as error:
                logger.critical("fallback.danger_unkept error=%s", type(error).__name__)
                self._write(self._spoolable(sender_id, incoming, found))

        return self._watch.over(within_s + BLOCKED_AFTER_S, act)

    def note_trouble(self) -> None:
        """Notes that a message got no answer."""
        self._trouble_at_s = time.monotonic()

    def problems(self) -> list[str]:
        """What is wrong, in short stable words; empty when all is well."""
        found = {
            "no_risk_patterns": self.patterns is None,
            "no_helplines": self.table is None,
            "messages_without_answer": time.monotonic() - self._trouble_at_s < TROUBLE_KEPT_S,
            "danger_not_in_database": bool(self._held) or not self._spool.is_empty,
        }
        return [name for name, is_so in found.items() if is_so]

    def digest(self, *parts: str) -> str:
        """A digest of a sender id, or of a sender id and a message id, that nobody can guess back."""
        return hmac.new(self._key, "\0".join(parts).encode(), hashlib.sha256).hexdigest()[:32]

    async def take_in(self) -> None:
        """Writes what couldn't be kept into the database.

        Raises:
            StorageError: the database is still away; the rest stays for later.
            OSError: the file can't be read or written.
        """
        for key, held in list(self._held.items()):
            if self.in_hand(held.sender_id, held.incoming.message_id):
                continue  # sent again by now, and Rasa may answer it
            late = danger_record.answer_late
            try:
                conversation = await self._pool.write(
                    late, held.sender_id, self._channel, held.incoming, held.care
                )
            except AttuneError:
                raise
            except Exception as error:  # its facts are in the spool; it must not keep the others waiting
                logger.critical("fallback.words_not_taken_in error=%s", type(error).__name__)
                self._held.pop(key, None)
                continue
            self._held.pop(key, None)
            self._wake(conversation)
        if self._spool.is_empty:
            self._spooled.clear()
            self._is_fresh = False
            return
        contents = await asyncio.to_thread(self._spool.read)
        left = []
        for danger in contents.dangers:
            # Other channels have the words of theirs; at the start nobody has: they are an earlier run's.
            if danger.key in self._held or not (self._is_fresh or danger.channel == self._channel):
                left.append(danger)
                continue
            try:
                is_new = await self._pool.write(danger_record.take_in, danger, self.digest)
            except AttuneError:
                raise
            except Exception as error:  # one that can't be taken in must not keep the others waiting
                logger.critical("fallback.not_taken_in at=%.0f error=%s", danger.at, type(error).__name__)
                left.append(danger)
                continue
            logger.warning("fallback.taken_in channel=%s at=%.0f new=%s", danger.channel, danger.at, is_new)
        self._is_fresh = False
        if len(left) < len(contents.dangers) or not contents.dangers:
            await asyncio.to_thread(self._spool.drop, contents, left)

    async def _keep_taking_in(self) -> None:
        while True:
            try:
                await self.take_in()
                self._is_failing = False
            except Exception as error:
                # Said once: the database is away for a while, or it is said that it is back.
                level = logging.DEBUG if self._is_failing else logging.ERROR
                logger.log(
                    level, "fallback.still_waiting channel=%s error=%s", self._channel, type(error).__name__
                )
                self._is_failing = True
            await asyncio.sleep(TAKE_IN_EVERY_S)

    def _spoolable(self, sender_id: str, incoming: Incoming, care: Care) -> SpooledDanger:
        risk = care.turn.risk
        return SpooledDanger(
            key=self.digest(sender_id, incoming.message_id),
            sender=self.digest(sender_id),
            channel=self._channel,
            at=care.turn.at,
            level=risk.level,
            kind=risk.kind or RiskKind.SELF_HARM,
        )

    def _write(self, danger: SpooledDanger) -> None:
        try:
            if not self._spool.add(danger):
                logger.critical("fallback.spool_full path=%s", self._spool.path)
        except OSError as error:
            logger.critical(
                "fallback.spool_failed path=%s error=%s", self._spool.path, error.strerror or error
            )

    def _lines(self, incoming: Incoming, turn: PersonTurn) -> str:
        country = country_of(incoming.place, self._country)
        return helplines_text(self.table, country, turn.reply_language, turn.risk.kind)

    def _line_ids(self, incoming: Incoming, turn: PersonTurn) -> tuple[str, ...]:
        if self.table is None:
            return ()
        country = country_of(incoming.place, self._country)
        kind = turn.risk.kind or RiskKind.SELF_HARM
        return tuple(found.id for found in self.table.for_person(country, turn.reply_language, kind))

    def _blind(self, incoming: Incoming, sentence: str) -> str:
        language = reply_language(_language_of(incoming.text), incoming.language)
        country = country_of(incoming.place, self._country)
        return with_lines(
            line(sentence, language), language, helplines_text(self.table, country, language, None)
        )


@cache  # one for all channels of a process
def _load_patterns() -> Patterns | None:
    """The reviewed patterns; None where they can't be read, which is logged and shows in the health."""
    try:
        from nlu_models.risk.words import RiskWords

        return RiskWords(PHRASES).read
    except Exception as error:  # without them every apology names the helplines instead
        logger.critical("fallback.no_patterns error=%s", error)
        return None


@cache
def _load_helplines() -> Helplines | None:
    """The table of helplines; None where it can't be read, which is logged and shows in the health."""
    try:
        from bot.helplines import load_helplines

        return load_helplines()
    except Exception as error:  # what is the same everywhere is named instead
        logger.error("fallback.no_helplines_table error=%s", error)
        return None


def _language_of(text: str) -> str:
    try:
        from nlu_models.language import detect

        return detect(text)
    except Exception as error:
        logger.error("fallback.language_unknown error=%s", type(error).__name__)
        return UNKNOWN_LANGUAGE
