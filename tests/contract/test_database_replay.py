"""What a replay reads, on every supported database."""

from __future__ import annotations

import pytest

from bot.core.errors import StorageError
from bot.core.replay import ConversationReplay
from bot.core.thresholds import EscalationThresholds
from bot.storage import conversations
from bot.storage.database import Database
from bot.storage.replay import conversations_between, read_only
from tests.unit import escalation_day as day

TODAY = EscalationThresholds()


@pytest.fixture
def hour(database: Database) -> list[list[day.Said]]:
    """Some conversations of a day, kept in the database."""
    said = day.courses(5)[:20]
    for number, one in enumerate(said):
        with database.session(exclusive=True) as session:
            day.keep_conversation(session, f"web-{number}", one, TODAY, day.DAY + number, number)
    return said


def test_a_replay_comes_to_what_was_decided(database: Database, hour: list[list[day.Said]]) -> None:
    differences, escalations, texts = [], 0, []
    with database.session() as session:
        read_only(session)
        for conversation in conversations_between(session, day.DAY, day.DAY + 86_400.0):
            replay = ConversationReplay([TODAY])
            own = []
            for turn in conversation.turns:
                replay.add(turn, in_period=True)
                own.append(turn.turn.text)
            replay.finish(conversation.state_turns, conversation.is_older)
            differences.append(dict(replay.agreement.differences))
            escalations += replay.agreement.escalations
            texts.append(own)
    assert texts == [[said.text for said in one] for one in hour]
    assert differences == [{}] * len(hour)
    assert escalations > 10


def test_the_transaction_of_a_replay_can_not_write(database: Database) -> None:
    with pytest.raises(StorageError, match=r"read-?only"):
        _write(database)


def _write(database: Database) -> None:
    with database.session() as session:
        read_only(session)
        conversations.open_conversation(session, "web-1", "web")
