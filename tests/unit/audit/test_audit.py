"""The audit trail: one chain that only grows, and words in it that can be erased."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.core.errors import ContractError
from bot.storage import audit, tables
from bot.storage.audit import Head
from bot.storage.database import Database

from .chains import OTHER_HASH, ROWS, check, head_of, tamper


def test_an_outsider_can_compute_every_hash(chain: Database) -> None:
    with chain.session() as session:
        rows = session.execute(sa.text("SELECT * FROM audit_log ORDER BY seq")).mappings().all()
        kept = {
            row["seq"]: row for row in session.execute(sa.text("SELECT * FROM audit_personal")).mappings()
        }
    previous = "0" * 64
    for row in rows:
        members = {
            "actor": row["actor"],
            "at": f"{row['at']:.6f}",
            "conversation_id": row["conversation_id"],
            "event": row["event"],
            "facts": row["facts"],
            "personal": row["personal_hash"],
            "previous": previous,
            "sequence": row["seq"],
            "turn_id": row["turn_id"],
            "version": 1,
        }
        text = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
        assert row["hash"] == hashlib.sha256(text.encode()).hexdigest()
        assert row["previous_hash"] == previous
        previous = row["hash"]
        if row["personal_hash"] is not None:
            key, said = bytes.fromhex(kept[row["seq"]]["salt"]), kept[row["seq"]]["personal"]
            assert len(key) == 32
            assert row["personal_hash"] == hmac.new(key, said.encode(), "sha256").hexdigest()
    assert len(kept) == ROWS - 1


def test_a_head_that_was_taken_away_costs_no_crisis_its_record(chain: Database) -> None:
    tamper(chain, "DELETE FROM audit_head")
    with chain.session() as session:
        assert audit.record(session, audit.PAGE_SENT, at=2.0).seq == ROWS + 1
    assert check(chain).trouble is None


def test_erasing_takes_the_words_and_leaves_the_chain_whole(chain: Database) -> None:
    kept = head_of(chain)
    with chain.session() as session:
        assert audit.erase(session, 1, actor="Ann", at=2000.0, reason="request") == 3
    with chain.session() as session:
        assert audit.erase(session, 1, actor="Ann", at=2001.0, reason="request") == 0  # nothing is left
        rows = list(audit.of_conversation(session, 1))
        assert [row.is_erased for row in rows] == [True, True, True, False]
        assert (rows[-1].event, rows[-1].actor) == (audit.ERASED, "Ann")
        assert json.loads(rows[-1].facts) == {"rows": [2, 4, 6], "reason": "request"}
        assert not any(row.is_erased for row in audit.of_conversation(session, 2))
    found = check(chain, kept)
    assert (found.trouble, found.erased, found.head.seq) == (None, 3, ROWS + 1)


def test_erased_words_are_gone_from_the_file(chain: Database, tmp_path: Path) -> None:
    with chain.session() as session:
        audit.record(session, "danger_read", at=1.0, conversation_id=9, personal={"e": "rather unmistakable"})
        audit.erase(session, 9, actor="Ann", at=2.0, reason="request")
    with chain.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    chain.close()
    assert b"rather unmistakable" not in (tmp_path / "attune.db").read_bytes()


def test_what_is_erased_does_not_cover_what_comes_later(chain: Database) -> None:
    with chain.session() as session:
        audit.erase(session, 1, actor="Ann", at=2000.0, reason="request")
        later = audit.record(session, audit.DANGER_READ, at=3.0, conversation_id=1, personal={"evidence": []})
    tamper(chain, f"DELETE FROM audit_personal WHERE seq = {later.seq}")
    assert check(chain).row == later.seq


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET actor = 'x' WHERE seq = 2",
        "UPDATE audit_log SET hash = hash",
        "DELETE FROM audit_log WHERE seq = 7",
        "INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log WHERE seq = 7",
        "INSERT INTO audit_log SELECT 8, at, event, conversation_id, turn_id, actor, facts, NULL, "
        f"'{OTHER_HASH}', hash FROM audit_log WHERE seq = 7",
        "INSERT INTO audit_log SELECT 9, at, event, conversation_id, turn_id, actor, facts, NULL, "
        "hash, hash FROM audit_log WHERE seq = 7",
        "UPDATE audit_head SET seq = 3",
        "UPDATE audit_head SET seq = 8",
        f"UPDATE audit_head SET hash = '{OTHER_HASH}'",
        "DELETE FROM audit_head",
        "UPDATE audit_personal SET personal = '{}'",
        "DELETE FROM audit_personal WHERE seq = 2",
    ],
)
def test_the_database_refuses_everything_but_the_next_row(chain: Database, statement: str) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), chain.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    assert check(chain).trouble is None


def test_writers_from_threads_keep_one_chain(database: Database) -> None:
    def write(number: int) -> None:
        for step in range(15):
            with database.session(exclusive=number % 2 == 0) as session:
                session.execute(sa.select(tables.people)).all()  # a read before, as real writers do
                audit.record(session, audit.PAGE_SENT, at=float(step), facts={"writer": number})

    _in_threads(write, 6)
    found = check(database)
    assert (found.trouble, found.head.seq) == (None, 90)


def test_what_fails_leaves_no_row(chain: Database) -> None:
    def fail() -> None:
        with chain.session() as session:
            audit.record(session, audit.PAGE_SENT, at=1.0)
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert check(chain).head.seq == ROWS


def test_events_and_personal_details_must_have_their_form(database: Database) -> None:
    with database.session() as session:
        for event in ("", "Page Sent", "x" * 41, "page_sent\n"):
            with pytest.raises(ContractError, match="lower-case"):
                audit.record(session, event, at=1.0)
        with pytest.raises(ContractError, match="needs its conversation"):
            audit.record(session, audit.PAGE_SENT, at=1.0, personal={"note": "x"})
    assert head_of(database).seq == 0


@pytest.mark.parametrize(
    "text", ["", "5", "5:abc", f"-1:{OTHER_HASH}", f"01:{OTHER_HASH}", f"5:{OTHER_HASH}0"]
)
def test_heads_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ContractError, match="expected N:HASH"):
        Head.parse(text)
    assert Head.parse(f" 5:{OTHER_HASH.upper()}\n") == Head(5, OTHER_HASH)


def _in_threads(work: Callable[[int], None], count: int) -> None:
    failed: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
