"""What a replay of many conversations comes to: counts, and how two sets of thresholds differ in one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from bot.core.replay import Agreement, ConversationReplay, Escalation


class Change(str, Enum):
    """What other thresholds would have meant for a conversation."""

    NEW = "newly asked in"
    GONE = "no longer asked in"
    EARLIER = "asked in earlier"
    LATER = "asked in later"
    REASON = "asked in for another reason"
    NEW_OFFER = "newly offered"
    GONE_OFFER = "no longer offered"
    OTHER_OFFER = "offered at another turn or for another reason"
    NONE = "the same"


@dataclass
class Tally:
    """Of one set of thresholds.

    Attributes:
        asked_in: conversations in which a human would have been asked in.
        offered: conversations in which one would only have been offered.
        by_reason: escalations, by level and reason.
    """

    asked_in: int = 0
    offered: int = 0
    by_reason: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, escalations: Sequence[Escalation]) -> None:
        """Adds a conversation."""
        levels = {one.decision.level for one in escalations}
        self.asked_in += "handoff" in levels
        self.offered += "offer" in levels and "handoff" not in levels
        self.by_reason.update((one.decision.level, one.decision.reason) for one in escalations)

    def to_dict(self) -> dict[str, Any]:
        """The counts in their JSON form."""
        ranked = sorted(self.by_reason.items(), key=lambda item: (-item[1], item[0]))
        return {
            "asked_in": self.asked_in,
            "offered": self.offered,
            "by_reason": [
                {"level": level, "reason": reason, "count": count} for (level, reason), count in ranked
            ],
        }


@dataclass
class ReplaySummary:
    """Of a whole replay.

    Attributes:
        conversations: with a turn of the person in the period.
        turns: of persons, in the period.
        tallies: of each set of thresholds.
        changes: conversations, by what the second set would have meant for them.
        agreement: of the first set with the stored decisions.
    """

    tallies: list[Tally]
    conversations: int = 0
    turns: int = 0
    changes: Counter[Change] = field(default_factory=Counter)
    agreement: Agreement = field(default_factory=Agreement)

    def add(self, replay: ConversationReplay, turns: int) -> Change:
        """Adds a conversation and says what the last set of thresholds would have changed in it.

        Args:
            replay: of the conversation, finished.
            turns: of the person, in the period.
        """
        self.conversations += 1
        self.turns += turns
        self.agreement.add(replay.agreement)
        for tally, escalations in zip(self.tallies, replay.escalations, strict=True):
            tally.add(escalations)
        change = change_between(replay.escalations[0], replay.escalations[-1])
        self.changes[change] += 1
        return change

    def to_dict(self) -> dict[str, Any]:
        """The summary in its JSON form."""
        agreement = self.agreement
        return {
            "conversations": self.conversations,
            "turns": self.turns,
            "current": self.tallies[0].to_dict(),
            "changed": self.tallies[1].to_dict() if len(self.tallies) > 1 else None,
            "changes": {change.name.lower(): self.changes[change] for change in Change},
            "agreement": {
                "compared": agreement.compared,
                "agreed": agreement.agreed,
                "share": None if agreement.share is None else round(agreement.share, 4),
                "escalations": agreement.escalations,
                "same_escalations": agreement.same_escalations,
                "differences": dict(agreement.differences),
                "not_compared": dict(agreement.skipped),
            },
        }


def change_between(current: Sequence[Escalation], changed: Sequence[Escalation]) -> Change:
    """What the second set of thresholds would have meant, by the first handoff, else by the offers."""
    before = next((one for one in current if one.decision.level == "handoff"), None)
    after = next((one for one in changed if one.decision.level == "handoff"), None)
    if before is None and after is not None:
        return Change.NEW
    if before is not None and after is None:
        return Change.GONE
    if before is not None and after is not None:
        if after.number != before.number:
            return Change.EARLIER if after.number < before.number else Change.LATER
        if after.decision.reason != before.decision.reason:
            return Change.REASON
    offers, others = _offers(current), _offers(changed)
    if offers == others:
        return Change.NONE
    if not offers or not others:
        return Change.NEW_OFFER if others else Change.GONE_OFFER
    return Change.OTHER_OFFER


def _offers(escalations: Sequence[Escalation]) -> list[tuple[int, str]]:
    return [(one.number, one.decision.reason) for one in escalations if one.decision.level == "offer"]
