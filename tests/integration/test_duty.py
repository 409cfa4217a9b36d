"""Paging from the outside: the links on pages over HTTP, and the worker as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from bot.core.errors import StorageError
from bot.core.page import PageState
from bot.core.settings import ROOT, Settings
from bot.duty.links import Claim, Links
from bot.launch.environment import child_environment
from bot.storage import conversations, handoffs, page_sends, pages, turns
from bot.storage.database import Database
from bot.storage.pages import Page
from bot.stores.tracker_store import AttuneTrackerStore
from tests.browser.serving import Served, serving
from tests.unit.duty.servers import Receiver, receiver

from .rasa_turns import DOMAIN, decided, log, opened, said

WITHIN_S = 120.0


def write_roster(folder: Path, url: str) -> Path:
    path = folder / "duty.yml"
    roster = {
        "base_url": "https://chat.example",
        "senders": {"phone": {"kind": "webhook", "url": url}},
        "people": [{"name": "Ann <b>", "reach": [{"sender": "phone"}]}],
    }
    path.write_text(yaml.safe_dump(roster), encoding="utf-8")
    return path


def danger(database: Database, sender_id: str) -> Page:
    """Somebody in danger who waits for a human."""
    with database.session(exclusive=True) as session:
        turn = turns.arrive(session, sender_id, "web", "words nobody may see", "m", "en", time.time())
        handoff = handoffs.open_handoff(
            session, turn.conversation_id, "risk_self_harm", "crisis", ["words nobody may see"], time.time()
        )
        return pages.of_handoff(session, handoff.id)[-1]


def state(database: Database, page: Page) -> PageState:
    with database.session() as session:
        return pages.get(session, page.id).state


def wait_until(what: str, condition: object) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("duty")
    with serving(folder, ATTUNE_DUTY_FILE=str(write_roster(folder, "http://localhost:1/"))) as running:
        yield running


def link(served: Served, page: Page, name: str = "Ann <b>") -> str:
    made = Links.load(Settings(var_dir=str(served.var_dir))).make(
        served.url, Claim(page.id, name), time.time()
    )
    assert made.startswith(served.url)
    return made


def test_looking_at_a_page_acknowledges_nothing_and_the_button_does(served: Served) -> None:
    page = danger(served.database, "web-a")
    address = link(served, page)
    for _ in range(3):  # as mail scanners do
        shown = httpx.get(address)
    assert shown.status_code == 200
    assert '<form method="post">' in shown.text
    assert "nobody may see" not in shown.text
    assert state(served.database, page) is PageState.WAITING
    assert httpx.head(address).status_code in (405, 200)
    answer = httpx.post(address)
    assert "Seen by Ann &lt;b&gt;" in answer.text
    assert state(served.database, page) is PageState.ACKNOWLEDGED
    again = httpx.post(link(served, page, "Bob"))
    assert "Seen by Ann &lt;b&gt;" in again.text
    assert "<form" not in again.text


def test_a_page_may_not_be_framed_kept_or_run_anything(served: Served) -> None:
    headers = httpx.get(link(served, danger(served.database, "web-b"))).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"


def test_a_forged_link_shows_and_does_nothing(served: Served) -> None:
    page = danger(served.database, "web-c")
    forged = Links("another secret").make(served.url, Claim(page.id, "Mallory"), time.time())
    for address in (forged, served.url + "/duty/page/x", served.url + "/duty/page/%00"):
        for answer in (httpx.get(address), httpx.post(address)):
            assert answer.status_code == 404
            assert "Conversation" not in answer.text
    assert state(served.database, page) is PageState.WAITING
    lost = Links.load(Settings(var_dir=str(served.var_dir))).make(served.url, Claim(999, "Ann"), time.time())
    assert httpx.get(lost).status_code == 404


def test_health_tells_a_monitor_that_no_worker_runs(served: Served) -> None:
    answer = httpx.get(served.url + "/duty/health")
    assert (answer.status_code, answer.json()) == (503, {"status": "broken"})
    assert httpx.get(served.url + "/chat/health").status_code == 200


def test_without_a_roster_there_are_no_such_addresses(tmp_path: Path) -> None:
    with serving(tmp_path) as plain:
        assert httpx.get(plain.url + "/duty/health").status_code == 404
        assert httpx.get(plain.url + "/duty/page/x").status_code == 404


async def test_a_turn_in_danger_and_its_page_are_one_transaction(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = AttuneTrackerStore(DOMAIN, database=database)
    tracker = await opened(store)
    risk = {"level": "crisis", "score": 0.9, "kind": "self_harm", "evidence": ["words nobody may see"]}
    decision = decided("utter_crisis", level="handoff", reason="risk_self_harm", evidence=["words"])
    log(tracker, said(1, "words nobody may see", risk=risk), decision)

    def fail(*_: object) -> None:
        raise StorageError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(conversations, "set_values", fail)  # one of the last writes of a turn
        with pytest.raises(StorageError):
            await store.save(tracker)
    with database.session() as session:
        assert pages.live(session) == []
    await store.save(tracker)
    with database.session() as session:
        (page,) = pages.live(session)
    assert (page.level, page.kind, page.state) == ("crisis", "self_harm", PageState.WAITING)
    assert "nobody may see" not in str(page)


class Process:
    """The worker as `attune run` starts it."""

    def __init__(self, folder: Path, roster: Path) -> None:
        environment = child_environment(ATTUNE_VAR_DIR=str(folder), ATTUNE_DUTY_FILE=str(roster))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bot.duty.main"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, number: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=WITHIN_S)
        return self.process.returncode, output


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'attune.db'}")
    made.migrate()
    yield made
    made.close()


def bodies(box: Receiver) -> list[dict[str, object]]:
    return [json.loads(got.body) for got in box.got]


def test_the_process_pages_and_ends_when_it_is_told_to(tmp_path: Path, database: Database) -> None:
    page = danger(database, "web-1")
    with receiver() as box:
        worker = Process(tmp_path, write_roster(tmp_path, box.url))
        wait_until("a page", lambda: box.got)
        status, output = worker.end(signal.SIGTERM)
    assert status == 0, output
    (said,) = bodies(box)
    token = str(said["link"]).rpartition("/")[2]
    assert Links.load(Settings(var_dir=str(tmp_path))).read(token, time.time()) == Claim(page.id, "Ann <b>")
    assert "nobody may see" not in output + str(box.got)
    assert "Traceback" not in output


def test_a_page_survives_the_death_of_its_worker(tmp_path: Path, database: Database) -> None:
    with receiver() as box:
        box.fail(*[500] * 2)
        roster = write_roster(tmp_path, box.url)
        first = Process(tmp_path, roster)
        page = danger(database, "web-1")
        wait_until("a first attempt", lambda: box.got)
        first.end(signal.SIGKILL)
        with database.session(exclusive=True) as session:  # as if a minute went by
            session.execute(page_sends.page_sends.update().values(claimed_until=0.0, due_at=0.0))
        second = Process(tmp_path, roster)

        def is_sent() -> bool:
            with database.session(exclusive=True) as session:
                session.execute(
                    page_sends.page_sends.update()
                    .where(page_sends.page_sends.c.claimed_until == 0.0)
                    .values(due_at=0.0)
                )
                return page.id in page_sends.reached(session, [page.id])

        wait_until("a page that goes through", is_sent)
        assert second.end(signal.SIGTERM)[0] == 0
    assert len({got.headers["Idempotency-Key"] for got in box.got}) == 1


def test_the_process_ends_at_once_without_a_roster_that_works(tmp_path: Path, database: Database) -> None:
    roster = tmp_path / "duty.yml"
    roster.write_text("people: []", encoding="utf-8")
    worker = Process(tmp_path, roster)
    output, _ = worker.process.communicate(timeout=WITHIN_S)
    assert worker.process.returncode == 1
    assert "senders is missing" in output
    assert "Traceback" not in output
