"""Measures as lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SURE = 0.05  # p-values under this are marked


def lines_of(report: Mapping[str, Any]) -> list[str]:
    """What `evaluate` found, as a table."""
    crossfit, confidence = report["crossfit"], report["confidence"]
    lines = [
        f"{report['model']} on {report['texts']:,} texts of {report['data']['name']}; "
        f"thresholds: {report['thresholds']}",
        "",
        f"on new texts ({crossfit['repeats']} x {crossfit['folds']}-fold cross-fitted)",
        f"  macro-F1 {_with_sd(crossfit, 'macro_f1')}   micro-F1 {_with_sd(crossfit, 'micro_f1')}",
        *(
            f"  {name} macro-F1 {_with_sd(crossfit, f'{name}_macro_f1')}"
            for name in ("ekman", "sentiment")
            if name in report
        ),
        f"  calibration error per label {_with_sd(crossfit, 'ece')} "
        f"(equal mass {crossfit['adaptive_ece']:.4f}), Brier {crossfit['brier']:.4f}",
        f"  area under risk-coverage {_with_sd(crossfit, 'aurc')}; "
        f"wrong when committed {crossfit['error_when_committed']:.1%}, "
        f"abstains on {crossfit['abstained_share']:.1%}",
        "",
        "on these texts, with those thresholds",
        f"  macro-F1 {report['macro_f1']:.4f} "
        f"(thresholds at their best {report['macro_f1_best_thresholds']:.4f}), "
        f"micro-F1 {report['micro_f1']:.4f}, all labels right {report['subset_accuracy']:.1%}",
        f"  reported label right {confidence['top_label_accuracy']:.1%}, "
        f"its confidence off by {confidence['calibration_error']:.3f}; abstains on "
        f"{confidence['abstained_share']:.1%}; "
        f"wrong when committed {_share(confidence['error_when_committed'])}",
    ]
    for name in ("ekman", "sentiment"):
        if name in report:
            groups = ", ".join(f"{group} {value:.3f}" for group, value in report[name]["f1"].items())
            lines.append(f"  {name} macro-F1 {report[name]['macro_f1']:.4f}: {groups}")
    if "axes" in report:
        lines.append(
            "  EmoBank dev: " + ", ".join(f"{key} {value:.4f}" for key, value in report["axes"].items())
        )
    if "embedding" in report:
        lines.append(f"  intents found by the nearest utterance: {report['embedding']['p_at_1']:.1%}")
    if "speed" in report:
        speed = report["speed"]
        lines.append(
            f"  {report['bytes'] / 1e6:.1f} MB; one text {speed['single_median_ms']:.1f} ms "
            f"(95 % under {speed['single_p95_ms']:.1f}), {speed['batch_texts_per_s']:.0f} texts/s in batches"
        )
    heads = ("F1", "crossfit", "precision", "recall", "ROC-AUC", "AP", "ECE", "threshold", "rows")
    lines += ["", f"  {'label':16}" + "".join(f"{head:>10}" for head in heads)]
    lines += [f"  {label:16}" + _label_row(row) for label, row in report["labels"].items()]
    return lines


def calibration_lines(report: Mapping[str, Any]) -> list[str]:
    """What `calibrate` changed, as a table."""
    before, after = report["before"], report["after"]
    rows = (
        ("macro-F1", before["macro_f1"], after["macro_f1"]),
        ("micro-F1", before["micro_f1"], after["micro_f1"]),
        *(
            (f"{name} macro-F1", before[name]["macro_f1"], after[name]["macro_f1"])
            for name in ("ekman", "sentiment")
            if name in after
        ),
        ("calibration error per label", before["calibration"]["ece"], after["calibration"]["ece"]),
        ("Brier per label", before["calibration"]["brier"], after["calibration"]["brier"]),
        ("area under risk-coverage", before["confidence"]["aurc"], after["confidence"]["aurc"]),
        ("abstained", before["confidence"]["abstained_share"], after["confidence"]["abstained_share"]),
        (
            "wrong when committed",
            before["confidence"]["error_when_committed"],
            after["confidence"]["error_when_committed"],
        ),
    )
    crossfit = after["crossfit"]
    return [
        f"{report['model']} on {after['texts']:,} texts of {report['data']['name']}",
        f"  {'':30}{'before':>10}{'after':>10}",
        *(f"  {name:30}{_number(old):>10}{_number(new):>10}" for name, old, new in rows),
        "",
        f"after is fitted on these very texts; on new ones expect macro-F1 {crossfit['macro_f1']:.4f}, "
        f"calibration error {crossfit['ece']:.4f}, "
        f"wrong when committed {crossfit['error_when_committed']:.1%}",
    ]


def comparison_lines(report: Mapping[str, Any]) -> list[str]:
    """What `compare` found, as a table."""
    names = [row["model"] for row in report["models"]]
    width = max(14, *(len(name) + 2 for name in names))
    lines = [
        f"{report['texts']:,} texts of {report['data']['name']}; differences from {names[0]} with their "
        f"95 % intervals, {report['draws']:,} draws",
        "",
    ]
    for name, measure in report["measures"].items():
        values = "".join(f"{value:>{width}.4f}" for value in measure["values"])
        lines.append(f"  {name:24}{values}")
        for other, difference in zip(names[1:], measure["differences"], strict=True):
            mark = " *" if difference["p"] < SURE else ""
            lines.append(
                f"    {other}: {difference['change']:+.4f} ({difference['low']:+.4f} to "
                f"{difference['high']:+.4f}), p = {difference['p']:.3f}{mark}"
            )
    lines.insert(2, f"  {'':24}" + "".join(f"{name:>{width}}" for name in names))
    lines += ["", f"  {'F1 of':24}" + "".join(f"{name:>{width}}" for name in names)]
    for label, values in report["labels"].items():
        is_sure = ["", *(row["p"] < SURE for row in report["label_differences"][label])]
        cells = (f"{value:.4f}{' *' if sure else '  '}" for value, sure in zip(values, is_sure, strict=True))
        lines.append(f"  {label:24}" + "".join(f"{cell:>{width + 2}}"[2:] for cell in cells))
    lines.append(f"  * p < {SURE}; of {len(report['labels'])} labels, some are so by chance")
    return lines


def _with_sd(crossfit: Mapping[str, Any], name: str) -> str:
    return f"{crossfit[name]:.4f} ± {crossfit['sd'][name]:.4f}"


def _label_row(row: Mapping[str, Any]) -> str:
    names = ("f1", "f1_crossfit", "precision", "recall", "roc_auc", "average_precision", "ece", "threshold")
    return "".join(f"{_number(row[name]):>10}" for name in names) + f"{row['rows']:>10,}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _share(value: float | None) -> str:
    return "never" if value is None else f"{value:.1%}"
