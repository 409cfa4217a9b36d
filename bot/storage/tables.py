"""The tables, as the newest migration leaves them. Times are seconds since 1970 UTC."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bot.storage.columns import CleanJSON, CleanText

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Row = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite only counts up INTEGER keys
Real = sa.Float(precision=53)


def _id() -> Any:
    return sa.Column("id", Row, primary_key=True, autoincrement=True)


def _conversation() -> Any:
    return sa.Column("conversation_id", Row, sa.ForeignKey("conversations.id"), nullable=False)


people = sa.Table(
    "people",
    metadata,
    _id(),
    sa.Column("channel", CleanText, nullable=False),
    sa.Column("external_id", CleanText, nullable=False),
    sa.Column("created_at", Real, nullable=False),
    sa.UniqueConstraint("channel", "external_id"),
)

conversations = sa.Table(
    "conversations",
    metadata,
    _id(),
    sa.Column("person_id", Row, sa.ForeignKey("people.id"), nullable=False, index=True),
    sa.Column("sender_id", CleanText, nullable=False),
    sa.Column("channel", CleanText, nullable=False),
    sa.Column("language", CleanText),
    sa.Column("state", CleanJSON, nullable=False),  # bot.core.state.ConversationState
    sa.Column("memory", CleanJSON),  # what lies before the tracker's window: slots, pause, loop
    sa.Column("handoff_state", CleanText, nullable=False, index=True),
    sa.Column("started_at", Real, nullable=False),
    sa.Column("last_turn_at", Real, nullable=False),
    sa.UniqueConstraint("sender_id"),
)

turns = sa.Table(
    "turns",
    metadata,
    _id(),
    _conversation(),
    sa.Column("message_id", CleanText),
    sa.Column("author", CleanText, nullable=False),
    sa.Column("author_name", CleanText),
    sa.Column("text", CleanText, nullable=False),
    sa.Column("language", CleanText),
    sa.Column("at", Real, nullable=False),
    sa.Column("intent", CleanText),
    sa.Column("intent_confidence", Real),  # null until the turn went through Rasa
    sa.Column("action", CleanText),
    sa.Column("policy", CleanText),
    sa.Index("ix_turns_conversation_id_id", "conversation_id", "id"),
    # Per conversation, since the ids come from outside: one person's must not hide another's turn.
    sa.UniqueConstraint("conversation_id", "message_id"),
    sqlite_autoincrement=True,  # ids are never used again, so a page may ask for all after one
)

readings = sa.Table(
    "readings",
    metadata,
    sa.Column("turn_id", Row, sa.ForeignKey("turns.id"), primary_key=True, autoincrement=False),
    sa.Column("label", CleanText),  # null when there is no emotion, only a risk
    sa.Column("labels", CleanJSON),
    sa.Column("scores", CleanJSON),
    sa.Column("ekman", CleanJSON),
    sa.Column("sentiment", CleanJSON),
    sa.Column("valence", Real),
    sa.Column("arousal", Real),
    sa.Column("dominance", Real),
    sa.Column("confidence", Real),
    sa.Column("abstained", sa.Boolean),
    sa.Column("degraded", sa.Boolean),
    sa.Column("modalities", CleanJSON),
    sa.Column("model", CleanText),
    sa.Column("context", CleanJSON),  # null where nothing read the turn in its conversation
    sa.Column("risk_level", CleanText, nullable=False),
    sa.Column("risk_kind", CleanText),
    sa.Column("risk_score", Real, nullable=False),
    sa.Column("risk_evidence", CleanJSON, nullable=False),
)

decisions = sa.Table(
    "decisions",
    metadata,
    _id(),
    _conversation(),
    sa.Column("turn_id", Row, sa.ForeignKey("turns.id"), index=True),
    sa.Column("action", CleanText, nullable=False),
    sa.Column("policy", CleanText, nullable=False),
    sa.Column("reason", CleanText, nullable=False),
    sa.Column("level", CleanText, nullable=False),
    sa.Column("strategy", CleanText),
    sa.Column("evidence", CleanJSON, nullable=False),
    sa.Column("confidence", Real, nullable=False),
    sa.Column("at", Real, nullable=False),
    sa.Index("ix_decisions_conversation_id_id", "conversation_id", "id"),
)

guidance_shown = sa.Table(
    "guidance_shown",
    metadata,
    _id(),
    _conversation(),
    sa.Column("turn_id", Row, sa.ForeignKey("turns.id"), nullable=False),  # the bot's turn
    sa.Column("guidance_id", CleanText, nullable=False),
    sa.Column("strategy", CleanText),
    sa.Column("similarity", Real),
    sa.Column("at", Real, nullable=False),
    sa.UniqueConstraint("conversation_id", "guidance_id"),
)

handoffs = sa.Table(
    "handoffs",
    metadata,
    _id(),
    _conversation(),
    sa.Column("state", CleanText, nullable=False, index=True),
    sa.Column("reason", CleanText, nullable=False),
    sa.Column("level", CleanText, nullable=False),  # the risk of the turn that led to it
    sa.Column("evidence", CleanJSON, nullable=False),
    sa.Column("opened_at", Real, nullable=False),
    sa.Column("taken_at", Real),
    sa.Column("taken_by", CleanText),
    sa.Column("returned_at", Real),
    sa.Column("returned_by", CleanText),
    sa.Index("ix_handoffs_conversation_id", "conversation_id"),
)

# At most one open handoff a conversation, whoever opens it first.
OPEN_HANDOFF = "state <> 'returned'"
sa.Index(
    "uq_handoffs_open",
    handoffs.c.conversation_id,
    unique=True,
    sqlite_where=sa.text(OPEN_HANDOFF),
    postgresql_where=sa.text(OPEN_HANDOFF),
)

corrections = sa.Table(
    "corrections",
    metadata,
    _id(),
    sa.Column("created_at", Real, nullable=False),
    sa.Column("decided_at", Real, nullable=False),  # when somebody last said so, or turned it down
    sa.Column("fingerprint", CleanText, nullable=False),  # of what was first said, so that it is kept once
    sa.Column("text", CleanText, nullable=False),
    sa.Column("labels", CleanJSON, nullable=False),  # empty while nobody has said which
    sa.Column("source", CleanText, nullable=False),
    sa.Column("author", CleanText),
    # Whoever deletes a person's turn deletes what was learnt to say of it.
    sa.Column("turn_id", Row, sa.ForeignKey("turns.id", ondelete="CASCADE"), index=True),
    sa.Column("model", CleanText),
    sa.Column("reading", CleanJSON),
    sa.Column("status", CleanText, nullable=False, index=True),
    sa.Column("used_in", CleanText),  # runs, one a line
    sa.Column("note", CleanText),
    sa.UniqueConstraint("fingerprint"),
)

tracker_events = sa.Table(
    "tracker_events",
    metadata,
    _id(),
    sa.Column("sender_id", CleanText, nullable=False),
    sa.Column("type_name", CleanText, nullable=False),
    sa.Column("timestamp", Real),
    sa.Column("data", CleanText, nullable=False),  # JSON of the event, as Rasa dumps it
    sa.Index("ix_tracker_events_sender_id_id", "sender_id", "id"),
    sqlite_autoincrement=True,
)
