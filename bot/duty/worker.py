"""The worker that calls people: it finds pages in SQL, sends their messages, and looks after the senders.

Everything it knows is in SQL, so it may be killed at any moment, and several may run at once: a step of a
page is made by one, a message is claimed by one. Each sender has threads of its own, so that one that hangs
holds up no other. A message counts as sent when the other side took it; whether anybody read it only the
acknowledgement tells, and without one the next person is called.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy.orm import Session

from bot.core.errors import AttuneError, StorageError
from bot.duty.links import Claim, Links
from bot.duty.notice import Event, Notice
from bot.duty.roster import Person, Reach, Roster
from bot.duty.senders import Sender, SendError
from bot.storage import beats, page_sends, pages
from bot.storage.database import Database
from bot.storage.page_sends import PageSend
from bot.storage.pages import Page

STEP_S = 2.0  # between two looks
BEAT_S = 15.0  # between two signs of life
THREADS_PER_SENDER = 2
MOST_ATTEMPTS = 4  # at one message, within about a minute; then the next person is called at once
BACKOFF_S = 5.0  # after the first failure; doubles
LONGEST_BACKOFF_S = 60.0
ROUND_PAUSE_S = 60.0  # before all are called again where nobody could be reached; grows by itself
DAY_S = 24 * 3600.0
HOURLY_S = 3600.0  # the least pause between calls, once a page is a day old
CLAIM_SLACK_S = 30.0  # on top of a sender's timeout, before somebody else may take over

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schedule:
    """When what is called again; a seam for tests, which have no hours to wait.

    Attributes:
        now: seconds since 1970 UTC.
        jitter: a number from 0 to 1, so that what failed together is not tried again together.
    """

    now: Callable[[], float] = time.time
    jitter: Callable[[], float] = random.random

    def backoff_s(self, attempts: int, asked_s: float | None) -> float:
        """The wait after a failure: doubling, half of it by chance, and no less than was asked for."""
        longest = min(BACKOFF_S * 2.0 ** (attempts - 1), LONGEST_BACKOFF_S)
        wait_s = longest * (0.5 + 0.5 * self.jitter())
        return max(wait_s, min(asked_s or 0.0, LONGEST_BACKOFF_S))


class Worker:
    """Calls the people of a roster.

    Args:
        database: where the pages are.
        roster: gives the roster as it is now, and what is wrong with its file if an older one is given;
            raises an AttuneError when there is none that works.
        links: signs what is put into messages.
        schedule: the clock.
    """

    def __init__(
        self,
        database: Database,
        roster: Callable[[], tuple[Roster, str | None]],
        links: Links,
        schedule: Schedule | None = None,
    ) -> None:
        self._database = database
        self._roster = roster
        self._links = links
        self._schedule = schedule or Schedule()
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._in_hand: dict[str, set[Future[None]]] = {}
        self._beat_at = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Works until it is told to stop; nothing but that ends it."""
        while not stop.is_set():
            try:
                self.step()
            except AttuneError as error:
                logger.error("duty.paging_is_broken error=%s", error)
            except Exception as error:
                # Its text could hold anything; a worker that ends would be worse than one that is puzzled.
                logger.error("duty.worker_failed error=%s", type(error).__name__)
                logger.debug("duty.worker_failed", exc_info=True)
            stop.wait(STEP_S)
        self.close()

    def step(self) -> None:
        """Does what is due now; messages go out in threads, which `drain` waits for.

        Raises:
            AttuneError: the database or the roster can't be used. Nothing is lost by that.
        """
        now = self._schedule.now()
        try:
            roster, trouble = self._roster()
        except AttuneError as error:
            self._sign_of_life(now, f"the roster can't be used: {error}")
            raise
        self._sign_of_life(now, trouble)
        self._call(roster, now)
        self._send(roster, now)
        self._look_after(roster, now)

    def drain(self) -> None:
        """Waits until what is being sent has ended."""
        for futures in list(self._in_hand.values()):
            for future in list(futures):
                future.result()

    def close(self) -> None:
        """Ends the threads; what they are sending ends within its timeout."""
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)  # what is claimed and not begun runs out
        self._pools.clear()
        self._in_hand.clear()

    def _sign_of_life(self, now: float, trouble: str | None) -> None:
        if now - self._beat_at < BEAT_S:
            return
        with self._database.session(exclusive=True) as session:
            beats.beat(session, beats.WORKER, now, trouble)
        self._beat_at = now

    def _call(self, roster: Roster, now: float) -> None:
        """Opens what is missing, and calls the next person of each page that is due."""
        with self._database.session() as session:
            needs_upkeep = pages.needs_upkeep(session, _lapsed_before(roster, now))
            due = pages.due(session, now)
        if needs_upkeep:
            with self._database.session(exclusive=True) as session:
                lapsed = pages.lapse(session, _lapsed_before(roster, now), now)
                opened = pages.adopt(session, now)
                due = pages.due(session, now)
            logger.warning("duty.called_anew lapsed=%d opened=%s", lapsed, opened)
        for page in due:
            order = roster.on_duty(now)
            person = order[page.step % len(order)]
            wait_s = roster.acknowledge_within_s
            if now - page.waiting_since > DAY_S:
                wait_s = max(wait_s, HOURLY_S)
            recipients = [(person.name, reach.sender) for reach in person.reach]
            with self._database.session(exclusive=True) as session:
                if page_sends.advance(session, page.id, page.step, recipients, now, now + wait_s):
                    logger.info("duty.calling page=%d level=%s call=%d", page.id, page.level, page.step + 1)

    def _send(self, roster: Roster, now: float) -> None:
        """Hands over as many messages as each sender has threads for; one that is slow starves no other."""
        for name, sender in roster.senders.items():
            room = self._room(name)
            if room:
                with self._database.session() as session:
                    due = page_sends.due(session, now, [name], room)
                for message in due:
                    self._hand_over(roster, message, sender, now)
        with self._database.session() as session:
            lost = page_sends.due_elsewhere(session, now, list(roster.senders))
        for message in lost:
            self._drop(roster, message, now)

    def _hand_over(self, roster: Roster, message: PageSend, sender: Sender, now: float) -> None:
        """Gives a message to its sender's threads, unless another worker was first."""
        person = roster.person(message.person)
        reach = next((one for one in person.reach if one.sender == message.sender), None) if person else None
        if person is None or reach is None:
            self._drop(roster, message, now)
            return
        lease_s = sender.timeout_s * 2.0 + CLAIM_SLACK_S
        with self._database.session(exclusive=True) as session:
            if not page_sends.claim(session, message.id, now, now + lease_s):
                return
            page = pages.get(session, message.page_id)
        self._start(message.sender, self._deliver, roster, page, message, person, reach, sender)

    def _drop(self, roster: Roster, message: PageSend, now: float) -> None:
        with self._database.session(exclusive=True) as session:
            is_mine = page_sends.claim(session, message.id, now, now + CLAIM_SLACK_S)
        if is_mine:
            self._give_up(roster, message, "no longer on the roster", now)

    def _deliver(
        self, roster: Roster, page: Page, message: PageSend, person: Person, reach: Reach, sender: Sender
    ) -> None:
        """Sends one message and notes what came of it."""
        notice = notice_of(page, message.step, person, roster, self._links, self._schedule.now())
        key = f"{page.key}-{message.step}-{message.sender}"
        try:
            sender.send(notice, reach.to, key)
        except SendError as error:
            self._note_failure(roster, message, error)
            return
        except Exception as error:
            self._note_failure(roster, message, SendError(f"failed ({type(error).__name__})"))
            return
        self._note(lambda session, now: page_sends.note_sent(session, message, now))
        logger.info("duty.sent page=%d call=%d sender=%s", page.id, message.step, message.sender)

    def _note_failure(self, roster: Roster, message: PageSend, error: SendError) -> None:
        attempts = message.attempts + 1
        result = str(error)
        logger.error(
            "duty.not_sent page=%d call=%d sender=%s attempt=%d error=%s",
            message.page_id,
            message.step,
            message.sender,
            attempts,
            result,
        )
        now = self._schedule.now()
        if error.is_final or attempts >= MOST_ATTEMPTS:
            self._give_up(roster, message, result, now)
            return
        again_at = now + self._schedule.backoff_s(attempts, error.again_after_s)
        self._note(lambda session, at: page_sends.note_failure(session, message, at, result, again_at))

    def _give_up(self, roster: Roster, message: PageSend, result: str, now: float) -> None:
        """Gives up a message, and calls the next person at once when it was this one's last."""
        rounds, rest = divmod(message.step, len(roster.on_duty(now)))
        pause_s = 0.0 if rest else min(ROUND_PAUSE_S * rounds, roster.acknowledge_within_s)

        def note(session: Session, at: float) -> None:
            nonlocal pause_s
            if not rest and now - pages.get(session, message.page_id).waiting_since > DAY_S:
                pause_s = max(pause_s, HOURLY_S)
            if page_sends.give_up(session, message, at, result, now + pause_s):
                logger.error("duty.person_not_reached page=%d call=%d", message.page_id, message.step)

        self._note(note)

    def _note(self, write: Callable[[Session, float], None]) -> None:
        """Writes a result; when that fails, the claim runs out and the message goes out once more."""
        try:
            with self._database.session(exclusive=True) as session:
                write(session, self._schedule.now())
        except StorageError as error:
            logger.error("duty.result_not_kept error=%s", error)

    def _look_after(self, roster: Roster, now: float) -> None:
        """Looks at each sender once an interval, whichever worker comes first."""
        with self._database.session() as session:
            seen = beats.all_beats(session)
        for name, sender in roster.senders.items():
            beat = seen.get(beats.of_sender(name))
            # What was broken is looked at more often, so that it is known soon when it works again.
            interval_s = roster.heartbeat_s if beat is None or not beat.trouble else roster.heartbeat_s / 6.0
            if (beat is not None and now - beat.at < interval_s) or not self._room(name):
                continue
            with self._database.session(exclusive=True) as session:
                is_mine = beats.claim(session, beats.of_sender(name), now, interval_s)
            if is_mine:
                self._start(name, self._ping, name, sender)

    def _ping(self, name: str, sender: Sender) -> None:
        trouble: str | None = None
        try:
            sender.ping()
        except SendError as error:
            trouble = str(error)
        except Exception as error:
            trouble = f"failed ({type(error).__name__})"
        if trouble is not None:
            logger.error("duty.sender_is_broken sender=%s error=%s", name, trouble)
        self._note(lambda session, now: beats.beat(session, beats.of_sender(name), now, trouble))

    def _room(self, name: str) -> int:
        """How many more messages a sender's threads can take."""
        futures = self._in_hand.setdefault(name, set())
        for future in [future for future in futures if future.done()]:
            futures.remove(future)
            error = future.exception() if not future.cancelled() else None
            if error is not None:
                logger.error("duty.sending_failed sender=%s error=%s", name, type(error).__name__)
        return THREADS_PER_SENDER - len(futures)

    def _start(self, name: str, task: Callable[..., None], *args: object) -> None:
        if name not in self._pools:
            self._pools[name] = ThreadPoolExecutor(THREADS_PER_SENDER, thread_name_prefix=f"duty-{name}")
        self._in_hand[name].add(self._pools[name].submit(task, *args))


def notice_of(page: Page, step: int, person: Person, roster: Roster, links: Links, now: float) -> Notice:
    """What a message of a page says to a person."""
    return Notice(
        event=Event.PAGE,
        page=page.id,
        handoff=page.handoff_id,
        conversation=page.conversation_id,
        level=page.level,
        kind=page.kind,
        waiting_minutes=max(0, int((now - page.waiting_since) // 60)),
        call=step,
        person=person.name,
        link=links.make(roster.base_url, Claim(page.id, person.name), now),
        desk=roster.desk_url.format(conversation=page.conversation_id, handoff=page.handoff_id),
        command=f"attune handoff show {page.handoff_id}",
        language=person.language,
    )


def _lapsed_before(roster: Roster, now: float) -> float:
    """The moment before which an acknowledgement without a human taking over has lapsed."""
    return now - roster.take_within_s if roster.take_within_s > 0 else float("-inf")
