"""What follows a turn while somebody is in danger: one pure function over `bot.core.crisis.CrisisState`.

It takes the danger up in the person's own terms, asks about it directly, names the lines for where they
are and asks a human in; it then stays, one short answer with a next step a turn, until the danger was
clearly denied twice or a human has given the conversation back. The words are the responses
`utter_crisis_*` of `domain.yml`.

Asking directly does no harm (Dazzi et al., "Does asking about suicide and related behaviours induce suicidal
ideation?", Psychological Medicine 2014); the steps to get through the next hours follow the safety planning
intervention (Stanley & Brown, Cognitive and Behavioral Practice 2012).
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.core.crisis import CRISIS_PREFIX, DENIALS_NEEDED, OPENINGS, CrisisState, Stage, steps_of
from bot.core.crisis_themes import Theme
from bot.core.crisis_words import Answer
from bot.core.handoff import HandoffState
from bot.core.reading import RiskReading
from bot.core.state import ConversationState
from bot.core.turn import Decision, PersonTurn

POLICY = "EscalationPolicy"
SILENCE = "action_listen"
QUOTED_CHARS = 120  # of the person's own words in the evidence

_MOVES: Mapping[Answer, str] = {
    Answer.NO: "again",
    Answer.UNSURE: "unsure",
    Answer.FINE: "fine",
    Answer.SOMEONE: "someone",
    Answer.ALONE: "alone",
    Answer.THANKS: "thanks",
    Answer.GOODBYE: "bye",
    Answer.HUMAN: "human",
    Answer.IDENTITY: "identity",
    Answer.SECRET: "secret",
    Answer.NO_CALL: "no_call",
    Answer.SUBJECT: "subject",
}
_QUESTION_OF = {theme: "life" if theme.is_own_life else theme.value for theme in Theme} | {
    Theme.INJURY: "injury"
}


def decide_protocol(state: ConversationState, turn: PersonTurn) -> Decision | None:
    """What the crisis protocol says to a turn, or None where it leaves the turn to others.

    Args:
        state: of the conversation, with this turn already in it (`ConversationState.after_person`).
        turn: the person's turn.
    """
    crisis = state.crisis
    if crisis.danger is None or crisis.stage is Stage.NONE:
        return None
    if state.handoff is HandoffState.HUMAN:
        return _silent_alarm(state, turn) if crisis.answer is Answer.DANGER else None
    move = _move(crisis, state.handoff)
    if move is None:
        return None
    action = CRISIS_PREFIX + move
    if action == crisis.said and crisis.stage is Stage.OPEN:  # never the same words twice in a row
        action = _next_step(crisis)
    return Decision(
        action=action,
        policy=POLICY,
        reason=_reason(crisis, action),
        evidence=(_ground(crisis, state.danger(turn)), f"the person wrote: {quoted(turn.text)}"),
        level="handoff" if _asks_human_in(crisis, state.handoff) else "none",
    )


def is_crisis_action(action: str) -> bool:
    """Whether an action is one of the protocol's answers."""
    return action.startswith(CRISIS_PREFIX)


def parts_of(theme: Theme) -> dict[str, str]:
    """The responses that stand for the placeholders of the others, by placeholder."""
    question = _QUESTION_OF[theme]
    return {
        "question": f"{CRISIS_PREFIX}part_question_{question}",
        "again": f"{CRISIS_PREFIX}part_again_{question}",
        "told": f"{CRISIS_PREFIX}part_told_{theme.value}",
    }


def actions() -> frozenset[str]:
    """Every answer the protocol may give."""
    moves = (*_MOVES.values(), "also", "return", "check_back", "eased", "hold", "closed")
    steps = (action for theme in Theme for action in steps_of(theme))
    return frozenset((*OPENINGS.values(), *steps, *(CRISIS_PREFIX + move for move in moves)))


def quoted(text: str) -> str:
    """The beginning of a person's words, as evidence holds them."""
    flat = " ".join(text.split())
    return flat if len(flat) <= QUOTED_CHARS else flat[: QUOTED_CHARS - 1] + "…"


def _move(crisis: CrisisState, handoff: HandoffState) -> str | None:
    """What kind of answer this is, as the end of its action's name; None leaves the turn to others."""
    danger, answer = crisis.danger, crisis.answer or Answer.SUBJECT
    if danger is None:
        return None
    if crisis.stage is Stage.CLOSING:
        return "closed"
    if crisis.stage is Stage.WATCH:
        if answer is Answer.NO and crisis.quiet_turns == 0:
            return "eased"
        return "hold" if handoff is HandoffState.WAITING else None
    if crisis.came_back and answer is not Answer.DANGER:
        return "return"
    if crisis.stage is Stage.CHECK:
        return _MOVES[answer] if crisis.said and answer in _KEPT_ANSWERS else "check_back"
    if answer is Answer.DANGER and not danger.is_told:
        return OPENINGS[danger.theme].removeprefix(CRISIS_PREFIX)
    if answer in (Answer.DANGER, Answer.YES):
        return _next_step(crisis).removeprefix(CRISIS_PREFIX)
    if answer is Answer.NO and danger.denials == 0:
        return "also"  # another danger was denied before; this one is still open
    if danger.theme is Theme.MEDICAL and answer in (Answer.NO_CALL, Answer.GOODBYE):
        return _next_step(crisis).removeprefix(CRISIS_PREFIX)
    return _MOVES[answer]


# What is answered for itself while it is asked once more, and doesn't count as an answer to that.
_KEPT_ANSWERS = (
    Answer.THANKS,
    Answer.GOODBYE,
    Answer.HUMAN,
    Answer.IDENTITY,
    Answer.SECRET,
    Answer.NO_CALL,
)


def _next_step(crisis: CrisisState) -> str:
    """The answer with steps to take whose turn it is, and never the last answer again."""
    danger = crisis.danger
    steps = steps_of(danger.theme if danger is not None else Theme.SELF)
    first = crisis.steps % len(steps)
    order = (*steps[first:], *steps[:first])
    return next(step for step in order if step != crisis.said)


def _asks_human_in(crisis: CrisisState, handoff: HandoffState) -> bool:
    """Whether this answer asks a human in: at danger, at a wish for one, and where none was asked in yet."""
    if crisis.answer in (Answer.DANGER, Answer.YES):
        return True
    if crisis.stage is not Stage.OPEN and crisis.answer is not Answer.HUMAN:
        return False
    return handoff is HandoffState.BOT or (handoff is HandoffState.RETURNED and crisis.answer is Answer.HUMAN)


def _silent_alarm(state: ConversationState, turn: PersonTurn) -> Decision:
    """New danger while a human has the conversation: nothing is said, but it is kept and the human told."""
    return Decision(
        action=SILENCE,
        policy=POLICY,
        reason=_reason(state.crisis, SILENCE),
        evidence=(_ground(state.crisis, state.danger(turn)), f"the person wrote: {quoted(turn.text)}"),
        level="handoff",
    )


def _reason(crisis: CrisisState, action: str) -> str:
    if crisis.answer in (Answer.DANGER, Answer.YES) and crisis.danger is not None:
        return f"risk_{crisis.danger.kind.value}"
    return f"crisis_{action.removeprefix(CRISIS_PREFIX)}"


def _ground(crisis: CrisisState, risk: RiskReading) -> str:
    """What the answer rests on, for an operator."""
    danger = crisis.danger
    if danger is None:
        return ""
    if crisis.answer is Answer.DANGER:
        found = ", ".join(f'"{words}"' for words in risk.evidence)
        return f"risk level {risk.level.value} ({danger.kind.value}), from the words {found}"
    stand = f"danger is open ({danger.kind.value}, {danger.theme.value}, level {danger.level.value})"
    if crisis.came_back:
        return f"{stand}; the person came back after a long silence"
    read = crisis.answer.value if crisis.answer else "nothing"
    return f"{stand}; this turn was taken as '{read}', denials {danger.denials} of {DENIALS_NEEDED}"
