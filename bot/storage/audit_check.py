"""Walks the audit trail from its first row to its last and names the first that is wrong.

Constant memory: a block of rows at a time, and of the walk only the last row's number and hash. Rows that
are added meanwhile are walked too.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from bot.storage import audit
from bot.storage.audit import AuditRow, Head
from bot.storage.audit_tables import audit_log, audit_personal

BLOCK_ROWS = 500
SEARCHED_PLACES = 1000  # to either side, for the number a misplaced row was written under


@dataclass(frozen=True)
class Finding:
    """What a walk came to.

    Attributes:
        head: the last row that is right.
        erased: how many rows had something personal that was erased, with a row that says so.
        trouble: what is wrong first, in one line; None when nothing is.
        row: the number of the row that is wrong, or None.
    """

    head: Head
    erased: int = 0
    trouble: str | None = None
    row: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The finding in its JSON form."""
        return {
            "intact": self.trouble is None,
            "rows": self.head.seq,
            "head": str(self.head),
            "erased": self.erased,
            "row": self.row,
            "trouble": self.trouble,
        }


def verify(
    connection: Any, heads: Sequence[Head] = (), progress: Callable[[int], None] = lambda rows: None
) -> Finding:
    """Walks the trail.

    Args:
        connection: the open session or connection.
        heads: that were kept elsewhere; the chain must still hold each of them.
        progress: called with the number of rows walked, now and then.
    """
    wanted = {given.seq: given for given in heads}
    for given in heads:
        if wanted[given.seq] != given or (given.seq == 0 and given.hash != audit.GENESIS):
            return Finding(Head(0, audit.GENESIS), trouble=f"the head {given} fits no chain", row=given.seq)
    last, erased = Head(0, audit.GENESIS), 0
    while True:
        rows = audit.after(connection, last.seq, BLOCK_ROWS)
        if not rows:
            end = audit.head(connection)
            if end.seq > last.seq and audit.after(connection, last.seq, 1):
                continue  # written while the walk went on
            return _at_the_end(connection, last, erased, end, heads)
        said_erased = _erasures(connection, rows)
        for row in rows:
            trouble = _row_trouble(connection, row, last, said_erased) or _head_trouble(row, wanted)
            if trouble is not None:
                return Finding(last, erased, *trouble)
            last = Head(row.seq, row.hash)
            erased += row.is_erased
        progress(last.seq)


def _row_trouble(
    connection: Any, row: AuditRow, last: Head, said_erased: dict[int, int]
) -> tuple[str, int] | None:
    """What is wrong with a row after the last right one, and the number of the wrong row."""
    expected = last.seq + 1
    if row.seq != expected:
        gone = f"row {expected} is" if row.seq == expected + 1 else f"rows {expected} to {row.seq - 1} are"
        return f"{gone} missing: after row {last.seq} comes row {row.seq}", expected
    if audit.digest(asdict(row)) != row.hash:
        written = _written_as(row)
        if written is not None:
            return (
                f"row {row.seq} is out of order: it was written as row {written}, "
                "and rows were moved, put in or taken out",
                row.seq,
            )
        return f"row {row.seq} was changed: its hash is not that of what it says", row.seq
    if row.previous_hash != last.hash:
        return (
            f"row {row.seq} does not follow row {last.seq}: another row stood there when it was written",
            row.seq,
        )
    return _personal_trouble(connection, row, said_erased)


def _personal_trouble(connection: Any, row: AuditRow, said_erased: dict[int, int]) -> tuple[str, int] | None:
    if row.personal_hash is None:
        if row.personal is not None:
            return f"row {row.seq} was given personal details that it was written without", row.seq
        return None
    if row.personal is None or row.salt is None:
        if said_erased.get(row.conversation_id or 0, 0) > row.seq:
            return None
        if _is_erased(connection, row):
            return None
        return (
            f"the personal details of row {row.seq} are gone, and no row says that they were erased",
            row.seq,
        )
    try:
        fits = hmac.compare_digest(audit.personal_digest(row.salt, row.personal), row.personal_hash)
    except ValueError:  # the salt is no hexadecimal number any more
        fits = False
    return None if fits else (f"the personal details of row {row.seq} were changed", row.seq)


def _head_trouble(row: AuditRow, wanted: dict[int, Head]) -> tuple[str, int] | None:
    given = wanted.get(row.seq)
    if given is None or given.hash == row.hash:
        return None
    return (
        f"row {row.seq} is not the one of the head that was kept: "
        "this row or rows before it were written anew, with new hashes",
        row.seq,
    )


def _at_the_end(connection: Any, last: Head, erased: int, end: Head, heads: Sequence[Head]) -> Finding:
    for given in sorted(heads, key=lambda head: head.seq):
        if given.seq > last.seq:
            trouble = (
                f"the chain is cut off: it ends with row {last.seq}, but the head kept is row {given.seq}"
            )
            return Finding(last, erased, trouble, last.seq + 1)
    if end.seq != last.seq:
        trouble = f"the chain is cut off: it ends with row {last.seq}, but its head is row {end.seq}"
        if end.seq < last.seq:
            trouble = f"row {end.seq + 1} was put in behind the head, which is row {end.seq}"
        return Finding(last, erased, trouble, min(last.seq, end.seq) + 1)
    if end.hash != last.hash:
        return Finding(last, erased, f"the head's hash is not that of row {last.seq}", last.seq)
    strays = connection.execute(
        sa.select(sa.func.min(audit_personal.c.seq)).where(audit_personal.c.seq > last.seq)
    ).scalar()
    if strays is not None:
        trouble = f"the chain is cut off: it ends with row {last.seq}, but there are details of row {strays}"
        return Finding(last, erased, trouble, last.seq + 1)
    return Finding(last, erased)


def _erasures(connection: Any, rows: Sequence[AuditRow]) -> dict[int, int]:
    """The last erasure of each conversation that has rows with erased details among these."""
    found: dict[int, int] = {}
    concerned = {row.conversation_id for row in rows if row.is_erased and row.conversation_id is not None}
    if not concerned:
        return found
    newest = (
        sa.select(audit_log.c.conversation_id, sa.func.max(audit_log.c.seq))
        .where(audit_log.c.conversation_id.in_(concerned), audit_log.c.event == audit.ERASED)
        .group_by(audit_log.c.conversation_id)
    )
    for conversation_id, seq in connection.execute(newest):
        found[int(conversation_id)] = int(seq)
    return found


def _is_erased(connection: Any, row: AuditRow) -> bool:
    """Asked again, since an erasure may have come between reading the rows and looking for it."""
    return _erasures(connection, [row]).get(row.conversation_id or 0, 0) > row.seq


def _written_as(row: AuditRow) -> int | None:
    """The number near its own that a row was written under, if its hash tells."""
    values = asdict(row)
    nearest = sorted(range(-SEARCHED_PLACES, SEARCHED_PLACES + 1), key=abs)
    for step in nearest:
        if row.seq + step > 0 and audit.digest({**values, "seq": row.seq + step}) == row.hash:
            return row.seq + step
    return None
