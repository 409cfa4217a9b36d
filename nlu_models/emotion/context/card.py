"""Writes the model card of a context model from its configuration and measures."""

# ruff: noqa: E501 - a Markdown table's row is one line

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

METHOD_TEXT = {
    "alone": "the turn alone, as the reader gives it",
    "alone_fitted": "the turn alone, fitted to the same conversations",
    "smoothed": "exponential smoothing",
    "context": "**in context (this weight)**",
}
MEASURE_TEXT = {
    "accuracy": "label defensible",
    "ekman_accuracy": "Ekman group right",
    "ekman_macro_f1": "Ekman macro-F1",
    "valence_mae": "valence, mean error",
    "valence_r": "valence, r",
}
SUBSET_TEXT = {
    "all": "All turns",
    "ambiguous": 'Turns that say little by themselves (at most three words, or "fine.", "...")',
}

CARD = """# {model}

Reads a turn again in the context of its conversation: a conditional logit over the seven Ekman groups, a softmax over the
labels of the winning one, and a linear blend of valences; {numbers} numbers in `config.json`. It sees the reading of
the turn's words, the conversation's state before it (levels that fade with time, streaks), the form of the turn
(length, punctuation, capitals, repeated words) and the pause. It is evaluated in pure Python (`bot/core/context.py`).

## Made from

Conversations written for this project (`data/conversations/en`), labelled in context; no other data.

| part | conversations | turns of the person | authors |
| --- | --- | --- | --- |
| fitted on | {train_conversations} | {train_turns} | {train_authors} |
| held out | {held_out_conversations} | {held_out_turns} | {held_out_authors} |

No author wrote for both parts. SHA-256 of the conversations `{data_sha256}`; readings of the words by `{reader}`.
A change of that weight calls for a new fit:

    attune emotion context fit --conversations data/conversations/en --weights nlu_models/weights/emotion-en
    attune emotion context evaluate --conversations data/conversations/en --weights nlu_models/weights/emotion-en

## Measures on the held-out conversations

95 % intervals in brackets, from drawing whole conversations with replacement 1,000 times.

{tables}
{calibration}

## Limits

- The held-out figures are not untouched: they were looked at for eight states of the model while it was being shaped
  (never the conversations themselves), and several of its features were changed in between. Expect a little less.
- The conversations were written, not collected: people who write to a bot in earnest may be plainer or odder than
  this. They are short, in English, and few.
- "Defensible" and "right" are one careful reader's judgement per conversation, not several people's.
- A turn in a language the reader's weight does not know gets no reading in context, unless it says nothing by
  itself ("...").
- The danger check does not depend on this model and is not changed by it.
"""


def make_card(config: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """The text of `MODEL_CARD.md`."""
    data, held_out = metrics["data"], metrics.get("held_out")
    values = {f"{part}_{key}": value for part, one in data["parts"].items() for key, value in one.items()}
    return CARD.format(
        model=f"{config['name']}@{config['version']}",
        numbers=_count({key: value for key, value in config.items() if key != "alone"}),
        tables=tables(held_out) if held_out else "There were no held-out conversations.\n",
        calibration=_calibration(metrics),
        data_sha256=data["sha256"],
        reader=metrics["reader"],
        **values,
    )


def tables(report: Mapping[str, Any]) -> str:
    """The measures as Markdown tables, one per subset of the turns."""
    parts = []
    for subset, found in report.items():
        heading = f"{SUBSET_TEXT[subset]}: {found['turns']} in {found['conversations']} conversations."
        lines = [
            heading,
            "",
            "| | " + " | ".join(MEASURE_TEXT.values()) + " |",
            "| --- |" + " --- |" * len(MEASURE_TEXT),
        ]
        for name, values in found["methods"].items():
            cells = " | ".join(_cell(values[key]) for key in MEASURE_TEXT)
            lines.append(f"| {METHOD_TEXT[name]} | {cells} |")
        for name, values in found["ahead"].items():
            cells = " | ".join(_cell(values[key], signed=True) for key in MEASURE_TEXT)
            lines.append(f"| better than {METHOD_TEXT[name]} by | {cells} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _cell(value: Mapping[str, float], signed: bool = False) -> str:
    form = "+.3f" if signed else ".3f"
    return f"{value['value']:{form}} [{value['low']:{form}}, {value['high']:{form}}]"


def _calibration(metrics: Mapping[str, Any]) -> str:
    found = metrics.get("confidence")
    if not found:
        return ""
    return (
        f"**Confidence.** Held out, the mean confidence is {found['mean']:.3f} and the label is defensible for "
        f"{found['accuracy']:.3f} of the turns; expected calibration error {found['calibration_error']:.3f}. It abstains on "
        f"{found['abstained_share']:.1%} of them."
    )


def _count(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(_count(inner) for inner in value.values())
    return int(isinstance(value, float))
