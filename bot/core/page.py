"""Calling a human to somebody in danger: where a page stands."""

from __future__ import annotations

from enum import Enum


class PageState(str, Enum):
    """Where a page stands.

    waiting ──▶ acknowledged ──▶ lapsed     (nobody took the handoff over: a new page is opened)
       │             │
       ├─────────────┴─────────▶ ended      (the handoff was taken or handed back)
       └─────────────┴─────────▶ raised     (the danger rose: a page of the higher level took its place)
    """

    WAITING = "waiting"
    ACKNOWLEDGED = "acknowledged"
    LAPSED = "lapsed"
    ENDED = "ended"
    RAISED = "raised"

    @property
    def is_live(self) -> bool:
        """Whether the page still stands for a person who waits."""
        return self in (PageState.WAITING, PageState.ACKNOWLEDGED)


class SendState(str, Enum):
    """Where one message of a page stands."""

    DUE = "due"  # to be sent, for the first time or again
    SENT = "sent"
    FAILED = "failed"  # given up; the next person is called
