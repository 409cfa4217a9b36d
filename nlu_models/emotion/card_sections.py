"""The sections of a model card that depend on what else was measured, each from a field of `metrics.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

CHALLENGE_COLUMNS = (
    ("right", "right"),
    ("plainly wrong", "trapped"),
    ("Ekman right", "ekman"),
    ("sentiment right", "sentiment"),
    ("abstained", "abstained"),
    ("right where committed", "committed_right"),
)
NOISE_COLUMNS = (
    ("reported label right", "top_label_accuracy"),
    ("abstained", "abstained_share"),
    ("same label", "same_label"),
    ("same sentiment", "same_sentiment"),
)


def optional_sections(report: Mapping[str, Any]) -> list[str]:
    """The sections there is something to say in."""
    makers = (
        ("embedding", _embedding),
        ("challenge", _challenge),
        ("attacks", _attacks),
        ("compression", _compression),
        ("tries", _tries),
    )
    return [make(report[name]) for name, make in makers if report.get(name)]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def percent(share: float | None) -> str:
    """A share for people; "none" where there is no such text."""
    return "none" if share is None else f"{share:.1%}"


def records(value: Any) -> list[dict[str, Any]]:
    """Rows of a table that another command printed: a list of objects, or objects by name.

    Nested values are left out; they have no place in a cell.
    """
    if isinstance(value, Mapping):
        inner = value.get("rows", value)
        if isinstance(inner, Mapping):
            named = [{"": name, **row} for name, row in inner.items() if isinstance(row, Mapping)]
            return [_flat(row) for row in named]
        value = inner
    return [_flat(row) for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def record_table(value: Any) -> tuple[list[str], list[list[str]]]:
    """Headings and cells of `records`; columns in the order they first come in."""
    rows = records(value)
    heads = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[cell(row.get(name)) for name in heads] for row in rows]
    return [name.replace("_", " ") for name in heads], cells


def cell(value: Any) -> str:
    """A value for people."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def challenge_rows(challenge: Mapping[str, Any]) -> list[list[str]]:
    """A row for each challenge set and part: shares of texts."""
    return [
        [name, part, str(scored["right"]["of"]), *(_of(scored.get(key)) for _, key in CHALLENGE_COLUMNS)]
        for name, parts in challenge["sets"].items()
        for part, scored in parts.items()
    ]


def noise_rows(attacks: Mapping[str, Any]) -> list[list[str]]:
    """A row for the texts as written and one for each kind of noise."""
    kinds = {"as written": attacks["clean"], **attacks["noise"]}
    return [
        [
            kind,
            f"{scores['macro_f1']:.4f}",
            *(percent(scores[key]) if key in scores else "" for _, key in NOISE_COLUMNS),
        ]
        for kind, scores in kinds.items()
    ]


def words_sentence(attacks: Mapping[str, Any]) -> str:
    """What replacing words did; empty where it wasn't tried."""
    words = attacks.get("words")
    if not words:
        return ""
    return (
        f"Words replaced to make it err, in {words['texts']} texts: right {words['accuracy_before']:.1%} "
        f"before, {words['accuracy_after']:.1%} after; {words['success_rate']:.1%} of those read rightly "
        f"became wrong, {words['sentiment_success_rate']:.1%} of another sentiment, with "
        f"{words['mean_words_changed']:.1f} of {words['mean_words']:.1f} words changed."
    )


def _embedding(embedding: Mapping[str, Any]) -> str:
    base = embedding.get("base_p_at_1")
    compared = "" if base is None else f", {base:.4f} with the base model in float32"
    return (
        "**Embedding.** Nearest-neighbour intent accuracy (P@1) on CLINC150, "
        f"{embedding['val']:,} validation utterances against\n{embedding['train']:,} training utterances: "
        f"{embedding.get('shipped_p_at_1', embedding.get('p_at_1')):.4f} with this folder{compared}."
    )


def _challenge(challenge: Mapping[str, Any]) -> str:
    heads = ("set", "part", "texts", *(title for title, _ in CHALLENGE_COLUMNS))
    return "\n".join(
        [
            "## Challenge sets",
            "",
            "Hand-labelled texts of what readers stumble on (`data/challenge/`); the part `held_out` was "
            "never tuned on.\nFrom `attune emotion challenge`:",
            "",
            table(heads, challenge_rows(challenge)),
        ]
    )


def _attacks(attacks: Mapping[str, Any]) -> str:
    heads = ("texts", "macro-F1", *(title for title, _ in NOISE_COLUMNS))
    return "\n".join(
        [
            "## Under attack",
            "",
            f"{attacks['texts']} held-out texts, misspelt and disguised. From `attune emotion attack`; "
            "`docs/robustness.md` explains each kind.",
            "",
            table(heads, noise_rows(attacks)),
            "",
            words_sentence(attacks),
        ]
    )


def _compression(compression: Any) -> str:
    heads, rows = record_table(compression)
    return "## Compression\n\n" + table(heads, rows)


def _tries(tries: Any) -> str:
    heads, rows = record_table(tries)
    return "## What was tried\n\n" + table(heads, rows)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not isinstance(value, (Mapping, list))}


def _of(share: Mapping[str, Any] | None) -> str:
    return "" if share is None or share["share"] is None else f"{share['share']:.0%}"
