"""The audit trail of every crisis: what was read, what was answered, who was called in, in one chain.

Each row carries the hash of the row before it, so that none can be changed, taken out, put in or moved
without every later hash showing it. How an outsider checks a row, with SHA-256 and a JSON library:

1. Make a JSON object of ten members, all strings or numbers but for null where the column is:
   `version` (the number 1), `sequence` (`seq`), `at` (a string: seconds since 1970 UTC with six decimals),
   `event`, `conversation_id`, `turn_id`, `actor`, `facts` (a string: the column's text as it stands),
   `personal` (`personal_hash`) and `previous` (`previous_hash`).
2. Write it in the canonical form of RFC 8785: members sorted by name, no spaces, UTF-8.
3. Its SHA-256 in lower-case hexadecimal is `hash`; the next row's `previous_hash` is the same. The first
   row has the sequence number 1 and sixty-four zeros before it.

What could identify somebody (the words that a reading rests on, an agent's note) is not in the row but
in `audit_personal`; the row only has HMAC-SHA256 of its text, under 32 random bytes (`salt`, in
hexadecimal) that lie beside it. Erasing deletes text and salt, and says so in a row of its own: the chain
stays whole, and without the salt the digest can't be guessed back into words.

Rows are written in the transaction of what they speak of. The one row of `audit_head` is held until that
transaction ends, so writers queue and the chain stays one line; `record` therefore comes last in a
transaction, after whatever else has to be locked. Adding a row costs the same whatever came before.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.core.errors import ContractError, StorageError
from bot.storage.audit_tables import audit_head, audit_log, audit_personal
from bot.storage.columns import storable_json, storable_text

VERSION = 1
GENESIS = "0" * 64
SALT_BYTES = 32
ATTUNE = "attune"  # the actor of what no person did

DANGER_READ = "danger_read"
CRISIS_ANSWERED = "crisis_answered"
CRISIS_UNANSWERED = "crisis_unanswered"  # the bot was silent, as while a human has the conversation
HUMAN_OFFERED = "human_offered"
HANDOFF_OPENED = "handoff_opened"
HANDOFF_RAISED = "handoff_raised"  # one that was open became one of danger
HANDOFF_TAKEN = "handoff_taken"
HANDOFF_RETURNED = "handoff_returned"
PAGE_SENT = "page_sent"
PAGE_FAILED = "page_failed"
PAGE_ESCALATED = "page_escalated"  # nobody had answered: the next person was called
PAGE_ACKNOWLEDGED = "page_acknowledged"
FALSE_ALARM_MARKED = "false_alarm_marked"
FALSE_ALARM_WITHDRAWN = "false_alarm_withdrawn"
ERASED = "erased"

_EVENT = re.compile(r"[a-z][a-z_]{0,39}")
_HELD = audit_head.update().where(audit_head.c.id == 1).values(seq=audit_head.c.seq)
_END = sa.select(audit_head.c.seq, audit_head.c.hash).where(audit_head.c.id == 1)
_MOVED = (
    audit_head.update()
    .where(audit_head.c.id == 1)
    .values(seq=sa.bindparam("new_seq"), hash=sa.bindparam("new_hash"))
)
_ROWS = sa.select(audit_log, audit_personal.c.salt, audit_personal.c.personal).select_from(
    audit_log.outerjoin(audit_personal, audit_personal.c.seq == audit_log.c.seq)
)


@dataclass(frozen=True)
class AuditRow:
    """One row of the trail.

    Attributes:
        seq: 1, 2, 3, ...
        at: when it happened, seconds since 1970 UTC.
        event: what happened.
        conversation_id: where, or None.
        turn_id: the person's turn it is about, or None.
        actor: the person who did it, or "attune".
        facts: canonical JSON of what holds nothing personal.
        personal_hash: digest of what is personal, or None where nothing is.
        previous_hash: the hash of the row before.
        hash: of this row.
        salt: key of `personal_hash`; None where nothing is personal, or it was erased.
        personal: canonical JSON of what is personal; None like `salt`.
    """

    seq: int
    at: float
    event: str
    conversation_id: int | None
    turn_id: int | None
    actor: str
    facts: str
    personal_hash: str | None
    previous_hash: str
    hash: str
    salt: str | None = None
    personal: str | None = None

    @property
    def is_erased(self) -> bool:
        """Whether something personal was said and is no longer there."""
        return self.personal_hash is not None and self.personal is None

    def to_dict(self) -> dict[str, Any]:
        """The row in its JSON form, with its facts and what is personal spelt out."""
        return {
            "sequence": self.seq,
            "at": self.at,
            "event": self.event,
            "conversation_id": self.conversation_id,
            "turn_id": self.turn_id,
            "actor": self.actor,
            "facts": json.loads(self.facts),
            "personal": None if self.personal is None else json.loads(self.personal),
            "erased": self.is_erased,
            "previous_hash": self.previous_hash,
            "hash": self.hash,
        }


@dataclass(frozen=True)
class Head:
    """The end of the chain: how many rows there are, and the hash of the last."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """The head that `str(head)` wrote.

        Raises:
            ContractError: the text isn't a number, a colon and 64 hexadecimal digits.
        """
        found = re.fullmatch(r"(0|[1-9][0-9]{0,17}):([0-9a-f]{64})", text.strip().lower())
        if found is None:
            raise ContractError(f"the head is {text!r}, expected N:HASH as `attune audit head` prints it")
        return cls(int(found[1]), found[2])


def record(
    connection: Any,
    event: str,
    *,
    at: float,
    conversation_id: int | None = None,
    turn_id: int | None = None,
    actor: str = ATTUNE,
    facts: Mapping[str, Any] | None = None,
    personal: Mapping[str, Any] | None = None,
) -> AuditRow:
    """Adds a row to the trail, in the caller's transaction.

    Args:
        connection: the open session or connection.
        event: a short stable word, such as "page_sent".
        at: when it happened, seconds since 1970 UTC.
        conversation_id: where.
        turn_id: the person's turn it is about.
        actor: the name of the person who did it; Attune itself by default.
        facts: what was done and why, in words, numbers and lists; nothing that could identify somebody.
        personal: what could, and may have to be erased; needs a conversation.

    Raises:
        ContractError: the event isn't a word of lower-case letters and "_", or what is personal belongs
            to no conversation, so that nobody could ask for its erasure.
    """
    if not _EVENT.fullmatch(event):
        raise ContractError(f"the audit event is {event!r}, expected lower-case letters and '_'")
    if personal is not None and conversation_id is None:
        raise ContractError(f"what is personal of the audit event {event!r} needs its conversation")
    salt = personal_text = personal_hash = None
    if personal is not None:
        salt, personal_text = secrets.token_hex(SALT_BYTES), canonical(personal)
        personal_hash = personal_digest(salt, personal_text)
    before = _hold_end(connection)
    values: dict[str, Any] = {
        "seq": before.seq + 1,
        "at": round(float(at), 6),
        "event": event,
        "conversation_id": conversation_id,
        "turn_id": turn_id,
        "actor": storable_text(actor),
        "facts": canonical(facts or {}),
        "personal_hash": personal_hash,
        "previous_hash": before.hash,
    }
    row = AuditRow(**values, hash=digest(values), salt=salt, personal=personal_text)
    connection.execute(audit_log.insert(), {**values, "hash": row.hash})
    if personal is not None:
        connection.execute(audit_personal.insert(), {"seq": row.seq, "salt": salt, "personal": personal_text})
    connection.execute(_MOVED, {"new_seq": row.seq, "new_hash": row.hash})
    return row


def erase(session: Session, conversation_id: int, *, actor: str, at: float, reason: str) -> int:
    """Deletes what is personal in the rows of a conversation, and says so in the trail.

    Args:
        session: the open transaction.
        conversation_id: whose.
        actor: the name of the person who does it.
        at: seconds since 1970 UTC.
        reason: a short word, such as "request" or "retention".

    Returns:
        How many rows lost their personal part.
    """
    if session.get_bind().dialect.name == "sqlite":
        # Overwrites what is deleted; otherwise the words stay in the file's free pages.
        session.execute(sa.text("PRAGMA secure_delete=ON"))
    _hold_end(session)  # so that nothing is added between looking and deleting
    wanted = sa.select(audit_log.c.seq).where(audit_log.c.conversation_id == conversation_id)
    still_there = audit_personal.c.seq.in_(wanted)
    rows = [
        int(seq)
        for (seq,) in session.execute(
            sa.select(audit_personal.c.seq).where(still_there).order_by(audit_personal.c.seq)
        )
    ]
    if rows:
        facts = {"rows": rows, "reason": reason}
        record(session, ERASED, at=at, conversation_id=conversation_id, actor=actor, facts=facts)
        session.execute(audit_personal.delete().where(still_there))
    return len(rows)


def head(connection: Any) -> Head:
    """The end of the chain, to be kept where nobody who can write to the database can."""
    found = connection.execute(_END).one_or_none()
    return _last(connection) if found is None else Head(int(found[0]), str(found[1]))


def of_conversation(connection: Any, conversation_id: int) -> Iterator[AuditRow]:
    """The rows of a conversation, oldest first."""
    statement = _ROWS.where(audit_log.c.conversation_id == conversation_id).order_by(audit_log.c.seq)
    for row in connection.execute(statement).mappings():
        yield AuditRow(**row)


def of_turn(connection: Any, turn_id: int, *events: str) -> list[AuditRow]:
    """The rows about a turn that have one of the events, oldest first."""
    statement = _ROWS.where(audit_log.c.turn_id == turn_id, audit_log.c.event.in_(events))
    return [AuditRow(**row) for row in connection.execute(statement.order_by(audit_log.c.seq)).mappings()]


def after(connection: Any, seq: int, limit: int) -> list[AuditRow]:
    """The next rows after a sequence number, in their order."""
    statement = _ROWS.where(audit_log.c.seq > seq).order_by(audit_log.c.seq).limit(limit)
    return [AuditRow(**row) for row in connection.execute(statement).mappings()]


def canonical(value: Any) -> str:
    """Canonical JSON: members sorted by name, no spaces, nothing escaped that need not be."""
    return json.dumps(storable_json(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(values: Mapping[str, Any]) -> str:
    """The hash of a row, from its columns (see the top of this module)."""
    form = {
        "version": VERSION,
        "sequence": values["seq"],
        "at": f"{values['at']:.6f}",
        "event": values["event"],
        "conversation_id": values["conversation_id"],
        "turn_id": values["turn_id"],
        "actor": values["actor"],
        "facts": values["facts"],
        "personal": values["personal_hash"],
        "previous": values["previous_hash"],
    }
    return hashlib.sha256(canonical(form).encode()).hexdigest()


def personal_digest(salt: str, personal: str) -> str:
    """The digest that stands in the chain for what is personal."""
    return hmac.new(bytes.fromhex(salt), personal.encode(), hashlib.sha256).hexdigest()


def _hold_end(connection: Any) -> Head:
    """The end of the chain, held until the transaction ends.

    The update changes nothing: on PostgreSQL it locks the row and waits for whoever has it, on SQLite it
    takes the write lock before anything is read that could be out of date by then.
    """
    for _ in range(2):
        connection.execute(_HELD)
        found = connection.execute(_END).one_or_none()
        if found is not None:
            return Head(int(found[0]), str(found[1]))
        # Somebody took the row away. No crisis may go unrecorded for that: it is made anew, and only a
        # head that was kept elsewhere can tell what is missing before it.
        last = _last(connection)
        connection.execute(audit_head.insert(), {"id": 1, "seq": last.seq, "hash": last.hash})
    raise StorageError("the head of the audit trail can't be kept; is something deleting it?")


def _last(connection: Any) -> Head:
    found = connection.execute(
        sa.select(audit_log.c.seq, audit_log.c.hash).order_by(audit_log.c.seq.desc()).limit(1)
    ).one_or_none()
    return Head(0, GENESIS) if found is None else Head(int(found[0]), str(found[1]))
