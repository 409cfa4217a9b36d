"""A handoff in words, for a terminal. What people wrote can't move the cursor or pose as our own lines."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

# Controls (C0 but line feed and tab, DEL, C1), line separators, and marks that turn the writing direction.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
# In JSON the first ones are escaped already; of the others only what a terminal acts on.
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def printable(text: object, *, indent: str = "") -> str:
    """The text with control characters shown as �, and later lines indented under the first."""
    safe = _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", str(text).replace("\r\n", "\n")).replace("\t", " ")
    return safe.replace("\n", f"\n{indent}")


def one_line(text: object, width: int) -> str:
    """The beginning of the text, on one line."""
    line = " ".join(printable(text).split())
    return line if len(line) <= width else line[: width - 1] + "…"


def json_text(value: Any) -> str:
    """JSON that a terminal shows as it is."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def listing(entries: Sequence[Mapping[str, Any]], now: float) -> str:
    """The handoffs, one a line."""
    if not entries:
        return "No handoffs."
    lines = [f"{'ID':>5}  {'STATE':<8}  {'RISK':<7}  {'OPENED':<9}  {'BY':<12}  {'REASON':<18}  LATEST"]
    for entry in entries:
        latest = entry["latest_turn"]
        lines.append(
            f"{entry['id']:>5}  {entry['state']:<8}  {one_line(entry['level'], 7):<7}  "
            f"{ago(now - entry['opened_at']):<9}  {one_line(entry['taken_by'] or '-', 12):<12}  "
            f"{one_line(entry['reason'], 18):<18}  {one_line(latest['text'], 60) if latest else '-'}"
        )
    return "\n".join(lines)


def picture(whole: Mapping[str, Any], now: float) -> str:
    """Everything a human needs to take over a conversation."""
    return "\n\n".join(
        part
        for part in (
            _handoff(whole["handoff"], now),
            _conversation(whole, now),
            _state(whole["conversation"]["state"]),
            _turns(whole),
            _guidance(whole["guidance_shown"]),
        )
        if part
    )


def ago(seconds: float) -> str:
    """How long ago, in the largest unit that says something."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def moment(at: float | None) -> str:
    """A time, in UTC."""
    return "-" if at is None else time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def _handoff(handoff: Mapping[str, Any], now: float) -> str:
    lines = [
        f"Handoff {handoff['id']}: {handoff['state']}, risk {printable(handoff['level'])}, "
        f"because of {one_line(handoff['reason'], 60)}",
        f"  opened   {moment(handoff['opened_at'])} ({ago(now - handoff['opened_at'])})",
    ]
    if handoff["taken_at"] is not None:
        lines.append(f"  taken    {moment(handoff['taken_at'])} by {one_line(handoff['taken_by'], 80)}")
    if handoff["returned_at"] is not None:
        lines.append(f"  returned {moment(handoff['returned_at'])} by {one_line(handoff['returned_by'], 80)}")
    lines += [f"  - {printable(item, indent='    ')}" for item in handoff["evidence"]]
    return "\n".join(lines)


def _conversation(whole: Mapping[str, Any], now: float) -> str:
    person, conversation = whole["person"], whole["conversation"]
    return "\n".join(
        (
            f"Person {one_line(person['external_id'], 80)} on {one_line(person['channel'], 40)}, "
            f"known since {moment(person['created_at'])}",
            f"  language {one_line(conversation['language'] or 'not known', 20)}, "
            f"latest turn {ago(now - conversation['last_turn_at'])}",
        )
    )


def _state(state: Mapping[str, Any]) -> str:
    emotion = state["emotion"]
    lines = [f"So far: {state['turns']} turns, {state['complaints']} complaints in a row"]
    if emotion["readings"]:
        lines.append(
            f"  mood {_signed(emotion['valence'])} (-1 unpleasant, +1 pleasant), "
            f"arousal {_signed(emotion['arousal'])}, trend {_signed(emotion['trend'])}; in a row: "
            f"{emotion['anger_streak']} angry, {emotion['negative_streak']} unpleasant"
        )
    if state["tried"]:
        lines.append("  tried: " + ", ".join(state["tried"]))
    return "\n".join(lines)


def _turns(whole: Mapping[str, Any]) -> str:
    decisions: dict[int | None, list[Mapping[str, Any]]] = {}
    for decision in whole["decisions"]:
        decisions.setdefault(decision["turn_id"], []).append(decision)
    lines = ["Turns:"]
    for turn in whole["turns"]:
        who = turn["author"] if turn["name"] is None else f"{turn['author']} {one_line(turn['name'], 40)}"
        lines.append(f"  [{moment(turn['at'])}] {who}: {printable(turn['text'], indent='      ')}")
        lines += [f"      {line}" for line in _read(turn)]
        for decision in decisions.pop(turn["id"], ()):
            lines += [f"      {line}" for line in _decided(decision)]
    for rest in decisions.values():
        for decision in rest:
            lines += [f"  {line}" for line in _decided(decision)]
    return "\n".join(lines)


def _read(turn: Mapping[str, Any]) -> list[str]:
    lines = []
    reading, risk = turn["reading"], turn["risk"]
    if reading is not None:
        doubt = "; the reader abstained" if reading["abstained"] else ""
        doubt += "; degraded, by a fallback" if reading["degraded"] else ""
        lines.append(
            f"emotion {one_line(reading['label'], 20)}, confidence {reading['confidence']:.0%}, "
            f"valence {_signed(reading['valence'])}, arousal {_signed(reading['arousal'])}, "
            f"dominance {_signed(reading['dominance'])}{doubt}"
        )
    elif turn["author"] == "person":
        lines.append("emotion not read")
    if risk is not None and risk["level"] != "none":
        words = ", ".join(one_line(word, 60) for word in risk["evidence"])
        lines.append(f"RISK {risk['level']} ({risk['kind']}), score {risk['score']:.2f}: {words}")
    return lines


def _decided(decision: Mapping[str, Any]) -> list[str]:
    head = (
        f"decided {one_line(decision['action'], 60)} by {one_line(decision['policy'], 40)}: "
        f"{one_line(decision['reason'], 60)}, confidence {decision['confidence']:.0%}"
    )
    if decision["level"] != "none":
        head += f", escalation: {one_line(decision['level'], 20)}"
    return [head, *(f"  - {printable(item, indent='          ')}" for item in decision["evidence"])]


def _guidance(shown: Sequence[Mapping[str, Any]]) -> str:
    if not shown:
        return "Guidance shown: none"
    lines = ["Guidance shown:"]
    for entry in shown:
        similarity = "" if entry["similarity"] is None else f", similarity {entry['similarity']:.2f}"
        lines.append(
            f"  {one_line(entry['guidance_id'], 60)} ({one_line(entry['strategy'] or '-', 20)}{similarity}) "
            f"{moment(entry['at'])}"
        )
    return "\n".join(lines)


def _signed(value: float) -> str:
    return f"{value:+.2f}"
