"""Corrections of readings: who may say what a feeling really was, and what becomes of it."""

from __future__ import annotations

from enum import Enum


class CorrectionSource(Enum):
    """Who says what the feeling was."""

    AGENT = "agent"  # somebody who works with Attune
    PERSON = "person"  # whose feeling it is, in the conversation
    IMPORT = "import"  # a file


class CorrectionStatus(Enum):
    """Where a correction stands."""

    PROPOSED = "proposed"  # gathered from a conversation; an agent has to confirm it
    NEW = "new"  # may be trained on
    USED = "used"  # a model was trained on it
    REJECTED = "rejected"  # an agent found it wrong
