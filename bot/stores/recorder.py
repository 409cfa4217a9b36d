"""Reads Attune's own rows out of Rasa's new events.

`record` is pure: events and the state before them go in, what there is to keep comes out. `keep` writes
it inside the tracker store's transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rasa.shared.core.constants import ACTION_LISTEN_NAME, DEFAULT_ACTION_NAMES, IS_EXTERNAL
from rasa.shared.core.events import ActionExecuted, BotUttered, Event, Restarted, UserUttered
from sqlalchemy.orm import Session

from bot.core.errors import ContractError
from bot.core.escalation import decision_of_rule
from bot.core.reading import RiskLevel, RiskReading
from bot.core.state import ConversationState
from bot.core.turn import Decision, PersonTurn
from bot.storage import conversations, decisions, guidance, handoffs, readings, turns
from bot.storage.crisis_trail import CrisisTrail
from bot.storage.records import Conversation, ShownGuidance, Turn

logger = logging.getLogger(__name__)

MALFORMED = (ContractError, ValueError, TypeError, AttributeError, KeyError)
_HINTS = ("intent", "guidance", "language")
# What is given up, step by step, until the rest of a malformed message can be read. The risk goes last:
# it must not be lost because something else beside it is broken.
GIVEN_UP = (
    (),
    ("emotion",),
    _HINTS,
    ("emotion", *_HINTS),
    ("risk",),
    ("risk", "emotion"),
    ("risk", *_HINTS),
)


@dataclass(frozen=True)
class PersonEntry:
    """A person's turn and what was read in it; `danger` is that of the turn in its conversation."""

    message_id: str | None
    channel: str | None
    turn: PersonTurn
    danger: RiskReading | None = None


@dataclass(frozen=True)
class DecisionEntry:
    """A decision; `risk` is that of the turn it is about, or of the danger that the turn said yes to."""

    decision: Decision
    at: float
    risk: RiskLevel


@dataclass(frozen=True)
class BotEntry:
    """A bot's turn, with what it showed of the guidance library."""

    text: str
    at: float
    action: str | None
    policy: str | None
    guidance_id: str | None = None
    strategy: str | None = None
    similarity: float | None = None
    helplines: tuple[str, ...] = ()


Entry = PersonEntry | DecisionEntry | BotEntry


@dataclass
class Recording:
    """What a batch of events holds, in its order, and the state after it."""

    state: ConversationState
    entries: list[Entry] = field(default_factory=list)

    @property
    def message_ids(self) -> list[str]:
        """The message ids of the person's turns."""
        return [entry.message_id for entry in self._people if entry.message_id]

    @property
    def channel(self) -> str | None:
        """The channel the person wrote on, if they did."""
        return next((entry.channel for entry in self._people if entry.channel), None)

    @property
    def _people(self) -> list[PersonEntry]:
        return [entry for entry in self.entries if isinstance(entry, PersonEntry)]


def message_ids(events: Iterable[Event]) -> list[str]:
    """The message ids of the persons' turns among events."""
    return [event.message_id for event in events if _is_person(event) and event.message_id]


def record(
    events: Iterable[Event], state: ConversationState, counted: frozenset[str] = frozenset()
) -> Recording:
    """What there is to keep of new events.

    Args:
        events: Rasa's events, oldest first.
        state: of the conversation before them.
        counted: message ids that went into the state before, as when a channel delivers one twice.
    """
    recording = Recording(state)
    action: ActionExecuted | None = None
    risk = RiskLevel.NONE
    for event in events:
        if _is_person(event):
            turn = read_turn(event)
            risk = turn.risk.level
            if event.message_id not in counted:
                recording.state = recording.state.after_person(turn)
            danger = recording.state.danger(turn)
            recording.entries.append(PersonEntry(event.message_id, event.input_channel, turn, danger))
        elif isinstance(event, ActionExecuted):
            action = event
            decision = _decision(event)
            if decision is not None:
                crisis = recording.state.crisis  # to ask for a human while danger is open is of that danger
                is_danger = decision.reason.startswith(("risk_", "crisis_")) and crisis.danger is not None
                level = crisis.level if is_danger else risk
                recording.entries.append(DecisionEntry(decision, event.timestamp, level))
                if event.action_name != ACTION_LISTEN_NAME:  # to listen is no answer
                    recording.state = recording.state.after_decision(decision)
        elif isinstance(event, BotUttered):
            entry = _bot_entry(event, action)
            if entry is not None:
                recording.entries.append(entry)
        elif isinstance(event, Restarted):
            # A person who starts anew is in no less danger for it.
            recording.state = ConversationState(
                handoff=recording.state.handoff,
                risk=recording.state.risk,
                crisis=recording.state.crisis,
                course=recording.state.course,
            )
    return recording


def keep(
    session: Session,
    conversation: Conversation,
    recording: Recording,
    arrived: Mapping[str, Turn],
    memory: Mapping[str, Any],
) -> ConversationState:
    """Writes a recording and gives the state of the conversation after it.

    Args:
        session: the open transaction, which holds the conversation's row.
        conversation: that the events belong to.
        recording: what there is to keep.
        arrived: turns that were written when they arrived, by message id.
        memory: what the tracker holds beyond its window.
    """
    made: list[tuple[int | None, Decision, float]] = []
    handoff_entry: DecisionEntry | None = None
    language = conversation.language
    person_turn: int | None = None
    last_at = conversation.last_turn_at
    trail = CrisisTrail()
    for entry in recording.entries:
        if isinstance(entry, PersonEntry):
            person_turn = _keep_person(session, conversation.id, entry, arrived)
            trail.read(person_turn, entry.turn, entry.danger)
            language = entry.turn.reply_language
            last_at = max(last_at, entry.turn.at)
        elif isinstance(entry, DecisionEntry):
            if person_turn is None:
                person_turn = turns.latest_of_person(session, conversation.id)
            made.append((person_turn, entry.decision, entry.at))
            trail.decided(entry.decision, entry.at)
            if entry.decision.level == "handoff":
                handoff_entry = entry
        else:
            turn_id = _keep_bot(session, conversation.id, entry, language)
            trail.said(turn_id, entry.text, entry.at, entry.action, entry.helplines)
            last_at = max(last_at, entry.at)
    decisions.add(session, conversation.id, made)
    state = recording.state

    def put_on_trail() -> None:
        trail.keep(session, conversation.id, conversation.handoff_state)

    if handoff_entry is None:
        put_on_trail()
    else:
        opened = handoffs.open_handoff(
            session,
            conversation.id,
            handoff_entry.decision.reason,
            handoff_entry.risk.value,
            handoff_entry.decision.evidence,
            handoff_entry.at,
            led_by=put_on_trail,
        )
        state = replace(state, handoff=opened.state)
    conversations.set_values(
        session,
        conversation.id,
        {
            "state": state.to_dict(),
            "memory": dict(memory),
            "language": language,
            "last_turn_at": last_at,
        },
    )
    return state


def read_turn(event: UserUttered) -> PersonTurn:
    """What is known of a person's turn; a malformed part is left out and logged, never the turn."""
    text, data = event.text or "", dict(event.parse_data)
    for given_up in GIVEN_UP:
        try:
            rest = {key: value for key, value in data.items() if key not in given_up}
            turn = PersonTurn.from_parse_data(rest, event.timestamp, event.metadata)
        except MALFORMED as error:
            logger.error(
                "recorder.malformed message_id=%s given_up=%s error=%s",
                event.message_id,
                ",".join(given_up) or "nothing",
                type(error).__name__,
            )
            continue
        return replace(turn, text=text)
    return PersonTurn(text=text, at=event.timestamp)


def _is_person(event: Event) -> bool:
    """Whether somebody wrote it; reminders and triggered intents look alike otherwise."""
    return isinstance(event, UserUttered) and not (event.metadata or {}).get(IS_EXTERNAL)


def _decision(event: ActionExecuted) -> Decision | None:
    data = (event.metadata or {}).get("decision")
    if data is None:
        return _rules_decision(event)
    try:
        decision = Decision.from_dict(data)
        ConversationState().after_decision(decision)  # an unknown strategy shows here
    except MALFORMED as error:
        logger.error("recorder.malformed_decision action=%s error=%s", event.action_name, error)
        return None
    return decision


def _rules_decision(event: ActionExecuted) -> Decision | None:
    """What one of Rasa's own policies decided; listening and Rasa's housekeeping are no decisions."""
    if event.policy is None or event.action_name is None or event.action_name in DEFAULT_ACTION_NAMES:
        return None
    policy = event.policy.rpartition("_")[2]  # Rasa puts the policy's place in the configuration first
    return decision_of_rule(event.action_name, policy, event.confidence or 0.0)


def _bot_entry(event: BotUttered, action: ActionExecuted | None) -> BotEntry | None:
    data = event.data or {}
    text = event.text or data.get("image") or data.get("attachment")
    if not text:
        return None
    entry = BotEntry(
        text=str(text),
        at=event.timestamp,
        action=action.action_name if action else None,
        policy=action.policy if action else None,
    )
    shown = event.metadata or {}
    lines = shown.get("helplines")
    if isinstance(lines, (list, tuple)):
        entry = replace(entry, helplines=tuple(str(line) for line in lines))
    if not shown.get("guidance_id"):
        return entry
    similarity = shown.get("similarity")
    return replace(
        entry,
        guidance_id=str(shown["guidance_id"]),
        strategy=shown.get("strategy"),
        similarity=float(similarity) if isinstance(similarity, (int, float)) else None,
    )


def _keep_person(
    session: Session, conversation_id: int, entry: PersonEntry, arrived: Mapping[str, Turn]
) -> int:
    turn = entry.turn
    earlier = arrived.get(entry.message_id or "")
    if earlier is None:
        earlier = turns.add_person(
            session,
            conversation_id,
            message_id=entry.message_id,
            text=turn.text,
            at=turn.at,
            language=turn.language,
            intent=turn.intent,
            intent_confidence=turn.intent_confidence,
        )
    elif earlier.intent_confidence is None:
        turns.set_read(session, earlier.id, turn.language, turn.intent, turn.intent_confidence)
    readings.add(session, earlier.id, turn.reading, turn.risk)
    return earlier.id


def _keep_bot(session: Session, conversation_id: int, entry: BotEntry, language: str | None) -> int:
    turn_id = turns.add_bot(
        session,
        conversation_id,
        entry.text,
        entry.at,
        language=language,
        action=entry.action,
        policy=entry.policy,
    )
    if entry.guidance_id is not None:
        shown = ShownGuidance(entry.guidance_id, turn_id, entry.strategy, entry.similarity, entry.at)
        guidance.add_shown(session, conversation_id, shown)
    return turn_id
