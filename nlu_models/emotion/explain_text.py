"""Shows an explanation in a terminal: words in colour by sign and strength, or with plain signs."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from nlu_models.emotion.explain import Explanation, WordScore

MOST_WORDS = 12  # in the list under the text
LEAST_SHARE = 0.1  # of the strongest score; words below it are left plain
# 256-colour codes, faint to strong. Orange and blue differ to colour-blind eyes too.
FOR = (180, 214, 208)
AGAINST = (110, 75, 33)
RESET = "\x1b[0m"


def render(explanation: Explanation, colour: bool) -> str:
    """The explanation as lines for a terminal.

    Args:
        explanation: to show.
        colour: whether escape codes may be used; else strong words carry their score in brackets.
    """
    body = "".join(_pieces(explanation, colour))
    return "\n".join([head(explanation), "", body, "", *_listed(explanation), "", *notes(explanation)])


def head(explanation: Explanation) -> str:
    """What is explained, in one line."""
    found = explanation
    if found.is_axis:
        return f"{found.target} {found.value:+.2f} (on -1 to 1), by {found.model}"
    kind = "the reported label" if found.is_reported else "asked for; not the reported label"
    return f"{found.target} {found.probability:.0%} ({kind}), by {found.model}"


def notes(explanation: Explanation) -> list[str]:
    """What the scores are, and what is to be kept in mind."""
    found = explanation
    unit = "on the axis" if found.is_axis else "log-odds"
    lines = [
        f"Scores lead from {found.baseline:+.2f}, for the text without its words, to {found.value:+.2f} "
        f"({unit}); error {found.error:+.3f} after {found.steps} steps."
    ]
    if not found.has_converged:
        lines.append("The error is large: take the scores as rough, or give more --steps.")
    if found.cut_at is not None:
        left = len(found.text) - found.cut_at
        lines.append(
            f"The text was cut where the reader cuts it: the last {left:,} characters were not read."
        )
    return lines


def strength(word: WordScore, strongest: float) -> int:
    """0 for a word that hardly counts, to 3 for the strongest."""
    share = abs(word.score) / strongest if strongest > 0 else 0.0
    return 0 if share < LEAST_SHARE else 1 + (share >= 0.33) + (share >= 0.66)


def printable(text: str) -> str:
    """The text with nothing in it that a terminal would obey."""
    return "".join(
        character
        if character == "\n" or unicodedata.category(character) not in ("Cc", "Cf", "Cs")
        else "\ufffd"
        for character in text
    )


def _pieces(explanation: Explanation, colour: bool) -> Iterator[str]:
    strongest = max((abs(word.score) for word in explanation.words), default=0.0)
    at = 0
    for word in explanation.words:
        yield printable(explanation.text[at : word.start])
        at = word.end
        shown, level = printable(word.word), strength(word, strongest)
        if not level:
            yield shown
        elif colour:
            code = (FOR if word.score > 0 else AGAINST)[level - 1]
            yield f"\x1b[{'1;' if level == 3 else ''}38;5;{code}m{shown}{RESET}"
        else:
            yield f"{shown}[{'+' if word.score > 0 else '-'}{abs(word.score):.2f}]"
    rest = explanation.text[at : explanation.cut_at]
    yield printable(rest) + (" [...]" if explanation.cut_at is not None else "")


def _listed(explanation: Explanation) -> list[str]:
    ranked = sorted(explanation.words, key=lambda word: -abs(word.score))[:MOST_WORDS]
    strongest = abs(ranked[0].score) if ranked else 0.0
    lines = []
    for word in ranked:
        bar = ("+" if word.score > 0 else "-") * round(20 * abs(word.score) / strongest if strongest else 0)
        if bar:
            lines.append(f"{word.score:+7.2f}  {printable(word.word)[:30]:<30}  {bar}")
    return lines
