"""The strategies of emotional support that an answer can follow.

Hill's three stages (Hill, Helping Skills, 2009) as operationalised by ESConv (Liu et al., ACL 2021,
https://aclanthology.org/2021.acl-long.269/): exploration, comforting, action. Self-disclosure is
left out, since a program has no self to disclose.
"""

from __future__ import annotations

from enum import Enum


class Stage(str, Enum):
    """Hill's stages, in the order a conversation goes through them."""

    EXPLORATION = "exploration"
    COMFORTING = "comforting"
    ACTION = "action"


class Strategy(str, Enum):
    """What kind of answer helps now."""

    QUESTION = "question"
    RESTATEMENT = "restatement"
    REFLECTION = "reflection"
    AFFIRMATION = "affirmation"
    SUGGESTION = "suggestion"
    INFORMATION = "information"

    @property
    def stage(self) -> Stage:
        """The stage a strategy belongs to."""
        if self in (Strategy.QUESTION, Strategy.RESTATEMENT):
            return Stage.EXPLORATION
        if self in (Strategy.REFLECTION, Strategy.AFFIRMATION):
            return Stage.COMFORTING
        return Stage.ACTION

    @property
    def action_name(self) -> str:
        """The Rasa action that carries it out."""
        return f"action_guidance_{self.value}"

    @classmethod
    def of_action(cls, action_name: str) -> Strategy | None:
        """The strategy a Rasa action carries out, or None for any other action."""
        prefix = "action_guidance_"
        if not action_name.startswith(prefix):
            return None
        return cls(action_name.removeprefix(prefix))
