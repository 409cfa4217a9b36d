"""What the worker does with pages, on a clock that is turned by hand and with real receivers."""

from __future__ import annotations

import json
import logging
import threading

import pytest

from bot.core.errors import StorageError
from bot.core.page import PageState, SendState
from bot.duty.notice import Notice
from bot.duty.roster import RosterError
from bot.duty.senders import SendError
from bot.duty.webhook import Webhook
from bot.duty.worker import MOST_ATTEMPTS, Schedule, Worker
from bot.launch.checks import free_port
from bot.storage import beats, page_sends

from .conftest import Bench
from .servers import Receiver, drip, raw_server, receiver


def pages_of(box: Receiver) -> list[dict[str, object]]:
    return [json.loads(got.body) for got in box.got]


class Recorder:
    """A sender that keeps what it was given."""

    timeout_s = 1.0

    def __init__(self, trouble: str | None = None, is_final: bool = False) -> None:
        self.sent: list[tuple[str, str]] = []  # (person, key)
        self.pings = 0
        self.trouble = trouble
        self.is_final = is_final

    def send(self, notice: Notice, to: str, key: str) -> None:
        self.sent.append((notice.person, key))
        if self.trouble is not None:
            raise SendError(self.trouble, is_final=self.is_final)

    def ping(self) -> None:
        self.pings += 1
        if self.trouble is not None:
            raise SendError(self.trouble)

    @property
    def people(self) -> list[str]:
        return [person for person, _ in self.sent]


def test_danger_pages_the_first_on_the_roster_without_a_word_of_the_person(bench: Bench) -> None:
    with receiver() as box:
        bench.people("Ann", "Bob", phone=Webhook(box.url))
        handoff = bench.danger("crisis")
        bench.step(120.0)
    (page,) = pages_of(box)
    assert (page["person"], page["level"], page["kind"], page["handoff"]) == (
        "Ann",
        "crisis",
        "self_harm",
        handoff,
    )
    assert page["waiting_minutes"] == 2
    assert str(page["link"]).startswith("https://chat.example/duty/page/")
    assert "nobody may see" not in str(box.got)
    (send,) = bench.sends(handoff)
    assert (send.state, send.result, send.attempts) == (SendState.SENT, "sent", 1)


def test_what_is_no_danger_pages_nobody(bench: Bench) -> None:
    phone = Recorder()
    bench.people("Ann", phone=phone)
    bench.danger("none", "asked_for_human")
    bench.danger("concern", "complaint", "web-2")
    bench.step()
    assert phone.sent == []


def test_the_next_person_is_called_when_nobody_acknowledges_and_then_all_again(bench: Bench) -> None:
    phone = Recorder()
    bench.people("Ann", "Bob", phone=phone)
    bench.danger()
    bench.step()
    bench.step(bench.roster.acknowledge_within_s - 1.0)
    assert phone.people == ["Ann"]
    bench.step(1.0)
    bench.step(bench.roster.acknowledge_within_s)
    bench.step(bench.roster.acknowledge_within_s)
    assert phone.people == ["Ann", "Bob", "Ann", "Bob"]
    keys = [key for _, key in phone.sent]
    assert len(set(keys)) == 4


def test_an_acknowledgement_stops_it_and_the_first_name_counts(bench: Bench) -> None:
    phone = Recorder()
    bench.people("Ann", "Bob", phone=phone)
    handoff = bench.danger()
    bench.step()
    assert bench.acknowledge(handoff, "Ann").acknowledged_by == "Ann"
    again = bench.acknowledge(handoff, "Bob")
    assert (again.state, again.acknowledged_by) == (PageState.ACKNOWLEDGED, "Ann")
    bench.step(bench.roster.acknowledge_within_s)
    assert phone.people == ["Ann"]


def test_an_acknowledgement_that_nobody_followed_up_calls_all_again(bench: Bench) -> None:
    phone = Recorder()
    bench.people("Ann", "Bob", phone=phone)
    handoff = bench.danger()
    bench.step()
    first = bench.acknowledge(handoff, "Ann")
    bench.step(bench.roster.take_within_s)
    second = bench.page(handoff)
    assert second.id != first.id
    assert phone.people == ["Ann", "Ann"]
    assert phone.sent[0][1] != phone.sent[1][1]


def test_taking_the_handoff_over_ends_the_page(bench: Bench) -> None:
    phone = Recorder()
    bench.people("Ann", "Bob", phone=phone)
    handoff = bench.danger()
    bench.step()
    bench.take(handoff, "Cem")
    page = bench.page(handoff)
    assert (page.state, page.acknowledged_by) == (PageState.ENDED, "Cem")
    bench.step(bench.roster.acknowledge_within_s * 10)
    assert phone.people == ["Ann"]


def test_a_rise_to_crisis_calls_from_the_first_again(bench: Bench) -> None:
    phone = Recorder()
    bench.people("Ann", "Bob", phone=phone)
    handoff = bench.danger("high")
    bench.step()
    bench.acknowledge(handoff, "Ann")
    bench.danger("crisis")
    bench.step(1.0)
    assert phone.people == ["Ann", "Ann"]
    assert (bench.page(handoff).level, bench.page(handoff).state) == ("crisis", PageState.WAITING)
    bench.danger("high")
    bench.danger("crisis")
    bench.step(1.0)
    assert phone.people == ["Ann", "Ann"]


def test_a_handoff_in_danger_without_a_page_is_found(bench: Bench) -> None:
    phone = Recorder()
    bench.people("Ann", phone=phone)
    handoff = bench.danger()
    with bench.database.session() as session:
        session.execute(page_sends.pages.delete())
    bench.step()
    assert phone.people == ["Ann"]
    assert bench.page(handoff).level == "high"


@pytest.mark.parametrize("statuses", [(500,), (503, 502), (429, 408, 500)])
def test_a_failure_that_may_pass_is_tried_again_later_under_the_same_key(
    bench: Bench, statuses: tuple[int, ...]
) -> None:
    with receiver() as box:
        bench.people("Ann", phone=Webhook(box.url))
        handoff = bench.danger()
        box.fail(*statuses)
        bench.step()
        bench.step(1.0)  # too early
        assert len(box.got) == 1
        for _ in statuses:
            bench.step(30.0)
        (send,) = bench.sends(handoff)
    assert send.state is SendState.SENT
    assert send.attempts == len(statuses) + 1 == len(box.got)
    assert len({got.headers["Idempotency-Key"] for got in box.got}) == 1


def test_a_sender_nobody_answers_at_gives_way_to_the_next_person_at_once(bench: Bench) -> None:
    bench.people("Ann", "Bob", phone=Webhook(f"http://127.0.0.1:{free_port()}/"))
    handoff = bench.danger()
    for _ in range(MOST_ATTEMPTS):
        bench.step(40.0)
    bench.step(0.0)
    sends = bench.sends(handoff)
    assert [(send.person, send.state) for send in sends] == [
        ("Ann", SendState.FAILED),
        ("Bob", SendState.DUE),
    ]
    assert sends[0].result == "connection refused"
    assert bench.now - bench.page(handoff).opened_at < bench.roster.acknowledge_within_s


def test_what_can_not_pass_is_given_up_at_once(bench: Bench) -> None:
    phone = Recorder("answered 404", is_final=True)
    bench.people("Ann", "Bob", phone=phone)
    handoff = bench.danger()
    bench.step()
    bench.step(1.0)
    assert phone.people == ["Ann", "Bob"]
    bench.step(1.0)
    assert phone.people == ["Ann", "Bob"]  # all were tried: not again at once, for ever
    bench.step(60.0)
    bench.step(1.0)
    assert phone.people == ["Ann", "Bob", "Ann", "Bob"]
    assert {send.state for send in bench.sends(handoff)} == {SendState.FAILED}


def test_one_way_that_works_is_enough_to_wait_for_an_answer(bench: Bench) -> None:
    phone, mail = Recorder("answered 404", is_final=True), Recorder()
    bench.people("Ann", "Bob", phone=phone, mail=mail)
    bench.danger()
    bench.step()
    bench.step(10.0)
    assert (phone.people, mail.people) == (["Ann"], ["Ann"])


def test_a_sender_that_hangs_holds_up_no_other(bench: Bench) -> None:
    mail = Recorder()
    with raw_server(drip) as port:
        bench.people("Ann", slow=Webhook(f"http://127.0.0.1:{port}/", timeout_s=1.5), mail=mail)
        worker = bench.worker()
        for number in range(6):
            bench.danger(sender_id=f"web-{number}")
        for _ in range(4):
            worker.step()
            for future in list(worker._in_hand["mail"]):
                future.result()
        assert len(mail.sent) == 6
        worker.drain()


def test_a_crash_between_sending_and_noting_sends_again_under_the_same_key(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = Recorder()
    bench.people("Ann", phone=phone)
    handoff = bench.danger()
    with monkeypatch.context() as patch:
        patch.setattr(Worker, "_note", lambda *_: None)  # the process ends here
        bench.step()
    other = bench.worker()
    bench.step(1.0, other)
    assert len(phone.sent) == 1  # the claim still holds
    bench.step(60.0, other)
    assert len(phone.sent) == 2
    assert len(set(phone.sent)) == 1
    assert bench.sends(handoff)[0].state is SendState.SENT


def test_several_workers_at_once_send_each_page_once(bench: Bench) -> None:
    phone = Recorder()
    bench.people("Ann", "Bob", phone=phone)
    for number in range(5):
        bench.danger(sender_id=f"web-{number}")
    workers = [bench.worker() for _ in range(4)]
    start = threading.Barrier(len(workers))

    def work(worker: Worker) -> None:
        start.wait()
        for _ in range(8):
            worker.step()
            worker.drain()

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(phone.sent) == 5
    assert len(set(phone.sent)) == 5
    assert phone.pings == 1


def test_somebody_who_left_the_roster_is_passed_over(bench: Bench) -> None:
    old, new = Recorder(), Recorder()
    bench.people("Ann", old=old)
    handoff = bench.danger()
    page = bench.page(handoff)
    with bench.database.session(exclusive=True) as session:
        page_sends.advance(session, page.id, 0, [("Ann", "old")], bench.now, bench.now + 300.0)
    bench.people("Bob", new=new)
    bench.step()
    bench.step(61.0)
    assert (old.people, new.people) == ([], ["Bob"])
    assert bench.sends(handoff)[0].result == "no longer on the roster"


def test_nothing_secret_or_said_is_in_the_log_or_in_rows(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with receiver() as box:
        url = box.url + "?token=hunter2"
        bench.people("Ann", phone=Webhook(url, "signing-secret-hunter3"))
        box.fail(500, 404)
        handoff = bench.danger()
        bench.step()
        bench.step(30.0)
    shown = caplog.text + str(bench.sends(handoff)) + str(bench.page(handoff))
    assert "duty.not_sent" in caplog.text
    assert not any(word in shown for word in ("hunter2", "hunter3", "/hook", "nobody may see"))


def test_senders_are_looked_at_on_an_interval_and_broken_ones_more_often(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    well, broken = Recorder(), Recorder("answered 500")
    bench.people("Ann", well=well, broken=broken)
    for _ in range(13):
        bench.step(300.0)
    assert (well.pings, broken.pings) == (2, 7)  # in an hour and 300 s
    assert "duty.sender_is_broken sender=broken error=answered 500" in caplog.text
    with bench.database.session() as session:
        seen = beats.all_beats(session)
    assert seen["sender:well"].trouble is None
    assert (seen["sender:broken"].trouble, seen["sender:broken"].ok_at) == ("answered 500", None)
    broken.trouble = None
    bench.step(600.0)
    with bench.database.session() as session:
        assert beats.all_beats(session)["sender:broken"].ok_at == bench.now


def test_a_sender_that_raises_what_it_should_not_is_a_failure_like_another(bench: Bench) -> None:
    class Odd(Recorder):
        def send(self, notice: Notice, to: str, key: str) -> None:
            raise KeyError("hunter2")

        ping = send  # type: ignore[assignment]  # called without arguments: a TypeError

    bench.people("Ann", odd=Odd())
    handoff = bench.danger()
    bench.step()
    (send,) = bench.sends(handoff)
    assert (send.state, send.result) == (SendState.DUE, "failed (KeyError)")


def test_the_worker_outlives_a_roster_and_a_database_that_fail(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    phone = Recorder()
    bench.people("Ann", phone=phone)
    bench.danger()
    stop = threading.Event()
    fails = iter([RosterError("gone"), StorageError("locked"), ValueError("odd: hunter2")])

    class Stubborn(Worker):
        def step(self) -> None:
            error = next(fails, None)
            if error is not None:
                raise error
            super().step()
            self.drain()
            stop.set()

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return stop.is_set()

        def is_set(self) -> bool:
            return stop.is_set()

    source = (bench.roster, None)
    worker = Stubborn(bench.database, lambda: source, bench.worker()._links, Schedule(now=lambda: bench.now))
    worker.run(Impatient())
    assert phone.people == ["Ann"]
    assert caplog.text.count("duty.paging_is_broken") == 2
    assert "duty.worker_failed error=ValueError" in caplog.text


def test_a_roster_that_can_not_be_read_shows_in_the_sign_of_life(bench: Bench) -> None:
    def broken() -> tuple[object, None]:
        raise RosterError("people is empty")

    worker = Worker(bench.database, broken, bench.worker()._links)  # type: ignore[arg-type]
    with pytest.raises(RosterError):
        worker.step()
    with bench.database.session() as session:
        assert "people is empty" in (beats.all_beats(session)["worker"].trouble or "")


def test_waits_after_failures_grow_and_have_a_limit() -> None:
    longest = [Schedule(jitter=lambda: 1.0).backoff_s(attempts, None) for attempts in range(1, 8)]
    assert longest == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0]
    assert Schedule(jitter=lambda: 0.0).backoff_s(2, None) == 5.0
    assert Schedule(jitter=lambda: 1.0).backoff_s(1, 30.0) == 30.0
    assert Schedule(jitter=lambda: 1.0).backoff_s(1, 1e9) == 60.0
