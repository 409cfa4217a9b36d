"""What tampering a walk along the audit trail finds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from bot.storage import audit, audit_check
from bot.storage.audit import Head
from bot.storage.audit_check import Finding
from bot.storage.database import Database

from .chains import OTHER_HASH, ROWS, check, head_of, tamper


def test_an_untouched_chain_is_whole(chain: Database) -> None:
    head = head_of(chain)
    assert check(chain) == check(chain, head) == Finding(head)
    assert head.seq == ROWS


def test_an_empty_chain_is_whole(database: Database) -> None:
    assert check(database) == Finding(Head(0, "0" * 64))
    assert check(database, head_of(database)).trouble is None


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", "at + 0.000001"),
        ("event", "'crisis_answered'"),
        ("conversation_id", "3"),
        ("conversation_id", "NULL"),
        ("turn_id", "99"),
        ("turn_id", "NULL"),
        ("actor", "'Mallory'"),
        ("facts", "replace(facts, 'crisis', 'none')"),
        ("facts", "facts || ' '"),
        ("personal_hash", f"'{OTHER_HASH}'"),
        ("personal_hash", "NULL"),
        ("previous_hash", f"'{OTHER_HASH}'"),
        ("hash", f"'{OTHER_HASH}'"),
    ],
)
@pytest.mark.parametrize("row", [1, 4, ROWS])
def test_a_change_of_any_field_names_the_row(chain: Database, column: str, value: str, row: int) -> None:
    if row == ROWS and (column, value) == ("personal_hash", "NULL"):
        value = f"'{OTHER_HASH}'"  # it has none to take away
    tamper(chain, f"UPDATE audit_log SET {column} = {value} WHERE seq = {row}")
    found = check(chain)
    assert (found.row, found.head.seq) == (row, row - 1)
    assert found.trouble == f"row {row} was changed: its hash is not that of what it says"


def test_a_changed_row_whose_hash_was_computed_anew_shows_in_the_next(chain: Database) -> None:
    with chain.session() as session:
        row = asdict(audit.after(session, 3, 1)[0])
    new = audit.digest({**row, "facts": "{}"})
    tamper(chain, f"UPDATE audit_log SET facts = '{{}}', hash = '{new}' WHERE seq = 4")
    found = check(chain)
    assert found.row == 5
    assert "row 5 does not follow row 4" in str(found.trouble)


def test_a_whole_tail_written_anew_shows_by_a_head_that_was_kept(chain: Database) -> None:
    kept = head_of(chain)
    with chain.session() as session:
        rows = [asdict(row) for row in audit.after(session, 3, ROWS)]
    rows[0]["facts"] = "{}"
    statements = []
    for before, row in zip([None, *rows], rows, strict=False):
        row["previous_hash"] = before["hash"] if before else row["previous_hash"]
        row["hash"] = audit.digest(row)
        statements.append(
            f"UPDATE audit_log SET facts = '{row['facts']}', previous_hash = '{row['previous_hash']}', "
            f"hash = '{row['hash']}' WHERE seq = {row['seq']}"
        )
    tamper(chain, *statements, f"UPDATE audit_head SET hash = '{rows[-1]['hash']}'")
    assert check(chain).trouble is None  # by itself nothing shows
    found = check(chain, kept)
    assert found.row == ROWS
    assert "is not the one of the head that was kept" in str(found.trouble)


@pytest.mark.parametrize(
    ("gone", "named", "words"),
    [
        ("seq = 1", 1, "row 1 is missing: after row 0 comes row 2"),
        ("seq = 4", 4, "row 4 is missing: after row 3 comes row 5"),
        ("seq IN (3, 4, 5)", 3, "rows 3 to 5 are missing: after row 2 comes row 6"),
    ],
)
def test_a_deleted_row_is_named(chain: Database, gone: str, named: int, words: str) -> None:
    tamper(chain, f"DELETE FROM audit_personal WHERE {gone}", f"DELETE FROM audit_log WHERE {gone}")
    found = check(chain)
    assert (found.row, found.trouble) == (named, words)


def test_a_deleted_row_is_found_when_the_rest_moved_up(chain: Database) -> None:
    with chain.session() as session:
        for conversation_id in (1, 2):  # what is personal points at its row, and would give it away
            audit.erase(session, conversation_id, actor="Ann", at=2000.0, reason="request")
    tamper(
        chain,
        "DELETE FROM audit_log WHERE seq = 4",
        *(f"UPDATE audit_log SET seq = seq - 1 WHERE seq = {number}" for number in range(5, 10)),
        "UPDATE audit_head SET seq = 8",
    )
    found = check(chain)
    assert found.row == 4
    assert "row 4 is out of order: it was written as row 5" in str(found.trouble)


def test_an_inserted_row_is_found(chain: Database) -> None:
    with chain.session() as session:
        row = audit.after(session, 3, 1)[0]
    forged = {**asdict(row), "facts": "{}", "personal_hash": None}
    forged["hash"] = audit.digest(forged)
    moved = [f"UPDATE audit_log SET seq = seq + 1 WHERE seq = {number}" for number in (7, 6, 5, 4)]
    moved += [f"UPDATE audit_personal SET seq = seq + 1 WHERE seq = {number}" for number in (6, 5, 4)]
    columns = ("seq", "at", "event", "conversation_id", "turn_id", "actor", "facts", "previous_hash", "hash")
    values = ", ".join(repr(forged[name]) for name in columns)
    insert = f"INSERT INTO audit_log ({', '.join(columns)}) VALUES ({values})"
    tamper(chain, *moved, insert, "UPDATE audit_head SET seq = 8")
    found = check(chain)
    assert found.row == 5
    assert "row 5 is out of order: it was written as row 4" in str(found.trouble)


def test_rows_that_changed_places_are_found(chain: Database) -> None:
    swap = [
        f"UPDATE {table} SET seq = {new} WHERE seq = {old}"
        for table in ("audit_log", "audit_personal")
        for old, new in ((3, 99), (5, 3), (99, 5))
    ]
    tamper(chain, *swap)
    found = check(chain)
    assert found.row == 3
    assert "row 3 is out of order: it was written as row 5" in str(found.trouble)


@pytest.mark.parametrize("left", [0, 3, 6])
def test_a_tail_cut_off_shows_by_the_head_in_the_database(chain: Database, left: int) -> None:
    tamper(
        chain,
        f"DELETE FROM audit_personal WHERE seq > {left}",
        f"DELETE FROM audit_log WHERE seq > {left}",
    )
    found = check(chain)
    assert (found.row, found.head.seq) == (left + 1, left)
    assert found.trouble == f"the chain is cut off: it ends with row {left}, but its head is row {ROWS}"


def test_a_tail_cut_off_with_its_head_shows_by_a_head_that_was_kept(chain: Database) -> None:
    kept = head_of(chain)
    with chain.session() as session:
        last = audit.after(session, 2, 1)[0]
    tamper(
        chain,
        "DELETE FROM audit_personal WHERE seq > 3",
        "DELETE FROM audit_log WHERE seq > 3",
        f"UPDATE audit_head SET seq = 3, hash = '{last.hash}'",
    )
    assert check(chain).trouble is None  # by itself nothing shows
    found = check(chain, kept)
    assert found.trouble == "the chain is cut off: it ends with row 3, but the head kept is row 7"


def test_details_left_of_a_tail_that_was_cut_off_give_it_away(chain: Database) -> None:
    with chain.session() as session:
        last = audit.after(session, 2, 1)[0]
    tamper(
        chain,
        "DELETE FROM audit_log WHERE seq > 3",
        f"UPDATE audit_head SET seq = 3, hash = '{last.hash}'",
    )
    assert "but there are details of row 4" in str(check(chain).trouble)


def test_a_head_set_back_or_altered_is_found(chain: Database) -> None:
    tamper(chain, "UPDATE audit_head SET seq = 5")
    assert "row 6 was put in behind the head" in str(check(chain).trouble)
    tamper(chain, f"UPDATE audit_head SET seq = 7, hash = '{OTHER_HASH}'")
    assert "head's hash is not that of row 7" in str(check(chain).trouble)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE audit_personal SET personal = '{}' WHERE seq = 4", "details of row 4 were changed"),
        ("UPDATE audit_personal SET salt = 'zz' WHERE seq = 4", "details of row 4 were changed"),
        ("DELETE FROM audit_personal WHERE seq = 4", "details of row 4 are gone, and no row says"),
        (
            "INSERT INTO audit_personal (seq, salt, personal) VALUES (7, 'aa', '{}')",
            "row 7 was given personal details",
        ),
    ],
)
def test_details_that_were_touched_are_found(chain: Database, statement: str, words: str) -> None:
    tamper(chain, statement)
    assert words in str(check(chain).trouble)


def test_a_chain_is_walked_while_others_write(chain: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_check, "BLOCK_ROWS", 2)
    real_head = audit.head
    added = []

    def head_after_another_row(session: Any) -> Head:
        if not added:
            with chain.session() as other:
                added.append(audit.record(other, audit.PAGE_SENT, at=5.0))
        return real_head(session)

    monkeypatch.setattr(audit, "head", head_after_another_row)
    found = check(chain)
    assert (found.trouble, found.head.seq) == (None, ROWS + 1)


def test_blocks_do_not_matter(chain: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with chain.session() as session:
        audit.erase(session, 2, actor="Ann", at=2.0, reason="request")
    whole = check(chain)
    for block in (1, 2, 3, ROWS):
        monkeypatch.setattr(audit_check, "BLOCK_ROWS", block)
        assert check(chain) == whole
