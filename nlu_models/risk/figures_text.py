"""The figures of the danger reading as Markdown tables, for the card and the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VARIANT_TEXT = {"patterns": "patterns alone", "model": "model alone", "joined": "**joined**"}
GOAL_RECALL = 0.98
GOAL_PRECISION = 0.85  # at equal shares of danger and harmless texts
GOAL_ALARMS = 1 / 200  # of everyday talk

HEAD = "| {} | n | recall | precision | balanced precision | F1 | false alarms |"
RULE = "| --- | --- | --- | --- | --- | --- | --- |"


def tables(report: Mapping[str, Any]) -> str:
    """All figures of an evaluation; shares in percent, 95 % Wilson intervals in brackets."""
    variants = report["variants"]
    blocks = []
    for question in ("danger", "flagged"):
        rows = {VARIANT_TEXT[name]: found["overall"][question] for name, found in variants.items()}
        blocks.append(_block(f"all cases, {question}", rows))
    joined = variants["joined"]
    for group in ("by_language", "by_wording"):
        for question in ("danger", "flagged"):
            rows = {name: found[question] for name, found in joined[group].items()}
            blocks.append(_block(f"joined, {question}, {group.replace('_', ' ')}", rows))
    blocks.append(_kinds(joined))
    if report.get("multi_turn_text_alone"):
        rows = {"text alone": report["multi_turn_text_alone"]["danger"]}
        rows["in the conversation"] = (
            joined["by_wording"].get("multi_turn", {}).get("danger", rows["text alone"])
        )
        blocks.append(_block("danger in several turns", rows))
    if report.get("everyday"):
        blocks.append(_everyday(report["everyday"]))
    if report.get("calibration"):
        blocks.append(_calibration(report["calibration"]))
    return "\n\n".join(blocks)


def verdict(report: Mapping[str, Any]) -> str:
    """In one line per goal, whether the joined reading reaches it."""
    danger = report["variants"]["joined"]["overall"]["danger"]
    lines = [
        _goal("recall of danger", danger["recall"]["value"], GOAL_RECALL, True),
        _goal("precision at equal shares", danger["balanced_precision"], GOAL_PRECISION, True),
    ]
    for name, found in report.get("everyday", {}).items():
        alarms = found["joined"]["danger"]["value"]
        lines.append(_goal(f"danger alarms on {name}", alarms, GOAL_ALARMS, False))
    return "\n".join(lines)


def _goal(name: str, value: float | None, goal: float, is_least: bool) -> str:
    wanted = f"{'at least' if is_least else 'at most'} {100 * goal:g} %"
    if value is None:
        return f"- {name}: nothing to measure on; the goal is {wanted}."
    is_met = value >= goal if is_least else value <= goal
    shown = f"{100 * value:.1f}" if is_least else f"{100 * value:.2f}"
    return f"- {name}: {shown} %, the goal is {wanted}: {'met' if is_met else '**not met**'}."


def _block(title: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [HEAD.format(title), RULE]
    for name, found in rows.items():
        balanced = found["balanced_precision"]
        total = found["recall"]["of"] + found["false_alarms"]["of"]
        lines.append(
            f"| {name} | {total} | {_share(found['recall'])} | {_share(found['precision'])} | "
            f"{_plain(balanced)} | {_plain(found['f1'])} | {_share(found['false_alarms'])} |"
        )
    return "\n".join(lines)


def _kinds(found: Mapping[str, Any]) -> str:
    lines = [
        "| joined, by kind | danger found | flagged | precision of danger |",
        "| --- | --- | --- | --- |",
    ]
    for kind, one in found["by_kind"].items():
        lines.append(
            f"| {kind} | {_share(one['danger_recall'])} | {_share(one['flagged_recall'])} | "
            f"{_share(one['danger_precision'])} |"
        )
    return "\n".join(
        [*lines, "", f"Danger that was found got its right kind: {_share(found['kind_right'])}."]
    )


def _everyday(found: Mapping[str, Any]) -> str:
    lines = ["| everyday talk | n | reading | danger | flagged |", "| --- | --- | --- | --- | --- |"]
    for name, variants in found.items():
        for variant, one in variants.items():
            lines.append(
                f"| {name} | {one['danger']['of']} | {VARIANT_TEXT[variant]} | {_rare(one['danger'])} | "
                f"{_rare(one['flagged'])} |"
            )
    return "\n".join(lines)


def _calibration(found: Mapping[str, Mapping[str, float]]) -> str:
    lines = ["| model's probability of danger | Brier score | calibration error |", "| --- | --- | --- |"]
    for language, one in found.items():
        lines.append(f"| {language} | {one.get('brier', '–')} | {one.get('calibration_error', '–')} |")
    return "\n".join(lines)


def _share(found: Mapping[str, Any]) -> str:
    if found["value"] is None:
        return "–"
    return f"{100 * found['value']:.1f} [{100 * found['low']:.1f}, {100 * found['high']:.1f}]"


def _rare(found: Mapping[str, Any]) -> str:
    if found["value"] is None:
        return "–"
    return (
        f"{found['hits']}: {100 * found['value']:.2f} [{100 * found['low']:.2f}, {100 * found['high']:.2f}]"
    )


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
