"""Trying a roster out, for `attune duty check`: does each sender answer, does a test message go out."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bot.core.errors import AttuneError
from bot.duty.notice import Event, Notice
from bot.duty.roster import Person, Reach, Roster
from bot.duty.senders import Sender


@dataclass(frozen=True)
class Trial:
    """What came of one trial.

    Attributes:
        sender: its name.
        person: who was written to, or None when nobody was.
        trouble: what is wrong, or None.
    """

    sender: str
    person: str | None
    trouble: str | None

    def to_dict(self) -> dict[str, Any]:
        """The trial in its JSON form."""
        return asdict(self)

    def line(self) -> str:
        """The trial in one line."""
        what = f"test message to {self.person}" if self.person else "connection"
        if self.trouble is None:
            return f"ok    {self.sender}: {what}"
        return f"fail  {self.sender}: {what}: {self.trouble}"


def ping(name: str, sender: Sender) -> Trial:
    """Whether a sender answers."""
    return Trial(name, None, _trouble(sender.ping))


def send_test(roster: Roster, person: Person, reach: Reach) -> Trial:
    """Sends a person a message that is marked as a test, one way."""
    notice = Notice(Event.TEST, person=person.name, language=person.language)
    key = f"test-{uuid.uuid4().hex}"
    sender = roster.senders[reach.sender]
    return Trial(reach.sender, person.name, _trouble(lambda: sender.send(notice, reach.to, key)))


def _trouble(action: Callable[[], None]) -> str | None:
    try:
        action()
    except AttuneError as error:
        return str(error)
    except Exception as error:  # its text could hold a secret
        return f"failed ({type(error).__name__})"
    return None
