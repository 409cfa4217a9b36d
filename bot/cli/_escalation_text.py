"""How `attune escalation replay` shows conversations and its summary; nobody's words without --evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from bot.cli._handoff_text import printable
from bot.core import escalation_rules as rules
from bot.core.replay import WHY_DIFFERENT, WHY_NOT_COMPARED, ConversationReplay, Escalation
from bot.core.replay_summary import Change, ReplaySummary, Tally

if TYPE_CHECKING:
    from bot.storage.replay import StoredConversation

# Reasons whose first ground is made of figures alone; of the others nothing but the reason is shown.
_WORDLESS = (
    rules.ASKED, rules.ACCEPTED, rules.ANGER_REPEATED, rules.COMPLAINT_UNSOLVED, rules.ANSWERS_MISSED,
    rules.VULNERABLE_SOONER, rules.ANGER_RISING, rules.UNSURE_FOR_LONG, "not_helped",
)  # fmt: skip


def conversation_json(
    conversation: StoredConversation, replay: ConversationReplay, change: Change, evidence: bool
) -> dict[str, Any]:
    """A conversation with its escalations under each set of thresholds.

    Args:
        conversation: as stored.
        replay: of it.
        change: what the last set would have meant for it.
        evidence: whether to quote what the person wrote.
    """
    sets = [[_escalation_json(one, evidence) for one in found] for found in replay.escalations]
    told: dict[str, Any] = {"conversation": conversation.id, "channel": conversation.channel}
    if len(sets) > 1:
        told["change"] = change.name.lower()
        told["says"] = change.value
    told["current"] = sets[0]
    if len(sets) > 1:
        told["changed"] = sets[1]
        told["untold_turns"] = replay.untold[1]
    return told


def conversation_text(told: dict[str, Any], is_compared: bool) -> str:
    """The same in words, some lines."""
    head = f"conversation {told['conversation']} ({printable(told['channel'])})"
    if not is_compared:
        return "\n".join([head, *(f"  {line}" for line in _lines(told["current"]))])
    lines = [f"{head}: {told['says']}"]
    for name, found in (("now", told["current"]), ("with --set", told["changed"])):
        first, *rest = _lines(found) or ["nobody asked in or offered"]
        lines.append(f"  {name:<10}  {first}")
        lines.extend(f"  {'':<10}  {line}" for line in rest)
    if told["untold_turns"]:
        count = told["untold_turns"]
        lines.append(f"  {'':<10}  (not known for {count} later turns, which a human answered)")
    return "\n".join(lines)


def summary_text(summary: ReplaySummary) -> str:
    """The summary in words."""
    lines = [
        "",
        f"{summary.conversations} conversations, {summary.turns} turns of persons",
    ]
    for name, tally in zip(("now", "with --set"), summary.tallies, strict=False):
        lines.append(
            f"{name}: a human asked in in {tally.asked_in} conversations, only offered in {tally.offered}"
        )
        lines.extend(_reasons(tally))
    if len(summary.tallies) > 1:
        lines.append("changes, in conversations")
        lines.extend(
            f"  {summary.changes[change]:>6}  {change.value}" for change in Change if summary.changes[change]
        )
    return "\n".join([*lines, *_agreement(summary)])


def escape(text: str) -> str:
    """JSON without characters that a terminal would act on."""
    return "".join(
        character if character == "\n" or printable(character) == character else f"\\u{ord(character):04x}"
        for character in text
    )


def _escalation_json(escalation: Escalation, evidence: bool) -> dict[str, Any]:
    decision = escalation.decision
    if evidence:
        shown: Sequence[str] = decision.evidence
    else:
        shown = decision.evidence[:1] if decision.reason in _WORDLESS else ()
    return {
        "turn": escalation.number,
        "turn_id": escalation.turn_id,
        "at": escalation.at,
        "level": decision.level,
        "reason": decision.reason,
        "policy": decision.policy,
        "evidence": list(shown),
    }


def _lines(found: Sequence[dict[str, Any]]) -> list[str]:
    lines = []
    for one in found:
        at = datetime.fromtimestamp(one["at"], timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        line = f"turn {one['turn']}, {at}: {one['level']}, {one['reason']}"
        grounds = [printable(ground) for ground in one["evidence"]]
        lines.append(" - ".join([line, *grounds[:1]]))
        lines.extend(f"    {ground}" for ground in grounds[1:])
    return lines


def _reasons(tally: Tally) -> list[str]:
    ranked = sorted(tally.by_reason.items(), key=lambda item: (-item[1], item[0]))
    return [f"  {count:>6}  {level:<8} {printable(reason)}" for (level, reason), count in ranked]


def _agreement(summary: ReplaySummary) -> list[str]:
    agreement = summary.agreement
    if agreement.share is None:
        lines = ["agreement with what was decided then: no turn can be compared"]
    else:
        lines = [
            f"agreement with what was decided then: {agreement.share:.2%} of {agreement.compared} turns, "
            f"{agreement.same_escalations} of {agreement.escalations} escalations"
        ]
    counts: tuple[tuple[Counter[str], dict[str, str], str], ...] = (
        (agreement.differences, WHY_DIFFERENT, "differ"),
        (agreement.skipped, WHY_NOT_COMPARED, "not compared"),
    )
    for found, why, word in counts:
        lines.extend(f"  {count:>6}  {word}: {why[key]}" for key, count in found.most_common() if count)
    return lines
