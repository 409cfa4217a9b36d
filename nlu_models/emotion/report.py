"""The measures of a reader as one HTML file, which loads nothing and holds nobody's texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from nlu_models.emotion.card_sections import (
    CHALLENGE_COLUMNS,
    NOISE_COLUMNS,
    challenge_rows,
    noise_rows,
    percent,
    words_sentence,
)
from nlu_models.emotion.labels import VAD
from nlu_models.emotion.plots import Line, bars, chart, heat_map
from nlu_models.emotion.whole_files import write_text

TEMPLATE = Path(__file__).with_name("report.html")
LABEL_COLUMNS = (
    ("F1", "f1"),
    ("cross-fitted", "f1_crossfit"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("accuracy", "accuracy"),
    ("ROC-AUC", "roc_auc"),
    ("average precision", "average_precision"),
    ("ECE", "ece"),
    ("Brier", "brier"),
    ("threshold", "threshold"),
)
AVERAGE_COLUMNS = ("precision", "recall", "f1", "roc_auc", "average_precision")
AXIS_NAMES = dict(
    zip(VAD, ("unpleasant to pleasant", "calm to excited", "powerless to in control"), strict=True)
)


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Writes the report; the file appears whole or not at all.

    Args:
        path: of the HTML file.
        report: as `evaluate` gives it, with `figures`.

    Raises:
        NluModelError: it can't be written.
    """
    write_text(path, make_report(report))


def make_report(report: Mapping[str, Any]) -> str:
    """The report as HTML."""
    sections = [
        ("summary", "In short", _summary(report)),
        ("labels", "Labels", _labels(report)),
        ("thresholds", "Thresholds of the rarest labels", _thresholds(report)),
        ("calibration", "Do probabilities come true?", _calibration(report)),
        ("abstention", "Confidence and abstention", _abstention(report)),
        ("confusion", "What is taken for what", _confusion(report)),
    ]
    if "axes" in report["figures"]:
        sections.append(("axes", "Valence, arousal, dominance", _axes(report)))
    if report.get("challenge"):
        sections.append(("challenge", "Challenge sets", _challenge(report["challenge"])))
    if report.get("attacks"):
        sections.append(("attacks", "Under attack", _attacks(report["attacks"])))
    about = f"{report['texts']:,} texts of {report['data']['name']}; thresholds: {report['thresholds']}."
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"{report['model']}: measures"),
        heading=escape(report["model"]),
        about=escape(about),
        links="".join(f'<li><a href="#{name}">{escape(title)}</a></li>' for name, title, _ in sections),
        sections="\n".join(
            f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(title)}</h2>{body}</section>'
            for name, title, body in sections
        ),
        footer=f"Made by <code>attune emotion evaluate</code>. SHA-256 of the data: "
        f"<code>{escape(report['data']['sha256'][:16])}</code>…",
    )


def _summary(report: Mapping[str, Any]) -> str:
    crossfit, confidence = report["crossfit"], report["confidence"]
    tiles = [("macro-F1", f"{crossfit['macro_f1']:.4f}", f"± {crossfit['sd']['macro_f1']:.4f}")]
    tiles += [
        (
            f"{title} macro-F1",
            f"{crossfit[f'{name}_macro_f1']:.4f}",
            f"± {crossfit['sd'][f'{name}_macro_f1']:.4f}",
        )
        for name, title in (("ekman", "Ekman"), ("sentiment", "sentiment"))
        if name in report
    ]
    tiles += [
        (
            "calibration error per label",
            f"{crossfit['ece']:.4f}",
            f"equal mass {crossfit['adaptive_ece']:.4f}",
        ),
        (
            "wrong when committed",
            percent(crossfit["error_when_committed"]),
            f"abstains on {percent(crossfit['abstained_share'])}",
        ),
        (
            "area under risk-coverage",
            f"{crossfit['aurc']:.4f}",
            f"above the best {crossfit['excess_aurc']:.4f}",
        ),
    ]
    if "axes" in report:
        values = report["axes"]
        small = f"arousal {values['r_arousal']:.3f}, dominance {values['r_dominance']:.3f}"
        tiles.append(("r of valence", f"{values['r_valence']:.3f}", small))
    if "speed" in report:
        speed = report["speed"]
        small = (
            f"95 % under {speed['single_p95_ms']:.1f} ms; {speed['batch_texts_per_s']:.0f} texts/s in batches"
        )
        tiles.append(("one text", f"{speed['single_median_ms']:.1f} ms", small))
        tiles.append(("size", f"{report['bytes'] / 1e6:.1f} MB", _memory(speed)))
    averages = [
        [kind, *(f"{row[name]:.4f}" for name in AVERAGE_COLUMNS)] for kind, row in report["averages"].items()
    ]
    own = [
        ["macro-F1", f"{report['macro_f1']:.4f}"],
        ["macro-F1, each threshold at its best here", f"{report['macro_f1_best_thresholds']:.4f}"],
        ["micro-F1", f"{report['micro_f1']:.4f}"],
        ["all labels of a text right", percent(report["subset_accuracy"])],
        ["decisions right", percent(report["label_accuracy"])],
        ["reported label right", percent(confidence["top_label_accuracy"])],
    ]
    own += [
        [f"{name} macro-F1", f"{report[name]['macro_f1']:.4f}"]
        for name in ("ekman", "sentiment")
        if name in report
    ]
    heads = ["average", "precision", "recall", "F1", "ROC-AUC", "average precision"]
    return (
        f"<p>What to expect on new texts of this kind: {escape(crossfit['method'])}.</p>"
        + _tiles(tiles)
        + _table("With the thresholds as they are, on these very texts", ["measure", "value"], own)
        + _table("Averages over labels, with the same thresholds", heads, averages)
    )


def _labels(report: Mapping[str, Any]) -> str:
    rows = report["labels"]
    order = sorted(rows, key=lambda label: -rows[label]["rows"])
    drawn = bars(
        [f"{label} ({rows[label]['rows']:,})" for label in order],
        [rows[label]["f1_crossfit"] for label in order],
        [rows[label]["f1"] for label in order],
        f"F1 of {len(order)} labels, the most frequent first; the table below has the numbers",
    )
    cells = [
        [label, *(_number(rows[label][name]) for _, name in LABEL_COLUMNS), f"{rows[label]['rows']:,}"]
        for label in order
    ]
    return _figure(
        "F1 of each label, cross-fitted (bar) and with the thresholds as they are (tick); texts in brackets.",
        drawn,
        fit="grow",
    ) + _table(
        "Every label, the most frequent first",
        ["label", *(head for head, _ in LABEL_COLUMNS), "texts"],
        cells,
    )


def _thresholds(report: Mapping[str, Any]) -> str:
    drawn = [
        _figure(
            f"{escape(curve['label'])}: {curve['rows']} texts hold it.",
            chart(
                [Line(curve["grid"], curve["f1"])],
                f"F1 of {curve['label']} at each threshold; the threshold used is {curve['threshold']:.3f}",
                "threshold",
                "F1",
                verticals=[(curve["threshold"], f"{curve['threshold']:.3f}")],
                height=220,
            ),
        )
        for curve in report["figures"]["thresholds"]
    ]
    return (
        "<p>F1 against the threshold is jagged where few texts hold a label. The thresholds used (marked) "
        "are chosen to hold on new texts, not to hit the highest tooth.</p>" + _grid(drawn)
    )


def _calibration(report: Mapping[str, Any]) -> str:
    figures = report["figures"]
    drawn = [
        _figure(
            "Label probabilities against how often they came true, all labels together; a dot grows with its "
            "share of decisions."
            + (" Dashed: as the encoder gives them." if "uncalibrated_reliability" in figures else ""),
            _reliability(
                figures["label_reliability"],
                figures.get("uncalibrated_reliability"),
                "probability of a label",
            ),
        ),
        _figure(
            "Confidence against how often the reported label was right, in ten groups of equally many texts.",
            _reliability(figures["confidence_reliability"], None, "confidence"),
        ),
    ]
    errors, crossfit = report["calibration"], report["crossfit"]
    rows = [
        ["ECE, 15 bins of equal width", f"{errors['ece']:.4f}", f"{crossfit['ece']:.4f}"],
        ["ECE, 15 bins of equal mass", f"{errors['adaptive_ece']:.4f}", f"{crossfit['adaptive_ece']:.4f}"],
        ["Brier score", f"{errors['brier']:.4f}", f"{crossfit['brier']:.4f}"],
        [
            "ECE of the confidence",
            f"{report['confidence']['calibration_error']:.4f}",
            f"{crossfit['confidence_ece']:.4f}",
        ],
    ]
    heads = ["error, mean over labels", "as it is", "fitted on other texts"]
    return _grid(drawn) + _table("Calibration errors", heads, rows)


def _abstention(report: Mapping[str, Any]) -> str:
    curve, confidence = report["figures"]["risk_coverage"], report["confidence"]
    highest = max(0.2, -(-max(curve["error"]) * 10 // 1) / 10)
    drawn = chart(
        [Line(curve["coverage"], curve["error"])],
        f"Error against coverage: {curve['error'][-1]:.0%} when it always commits itself",
        "share of texts it commits itself on",
        "wrong",
        y_range=(0.0, highest),
        verticals=[(1.0 - confidence["abstained_share"], "as it is")],
    )
    target = "not stated" if confidence["target_error"] is None else percent(confidence["target_error"])
    rows = [
        ["confidence it abstains under", f"{confidence['abstain_below']:.3f}"],
        ["chosen for an error of", target],
        ["abstains on", percent(confidence["abstained_share"])],
        ["wrong where it commits itself", percent(confidence["error_when_committed"])],
        ["would be wrong where it abstains", percent(confidence["error_when_abstained"])],
        ["area under the curve (AURC)", f"{confidence['aurc']:.4f}"],
        ["above the best possible (E-AURC)", f"{confidence['excess_aurc']:.4f}"],
    ]
    return _grid(
        [
            _figure("How often the reported label is wrong among the texts it is surest of.", drawn),
            _table("Abstention with the thresholds as they are", ["measure", "value"], rows),
        ]
    )


def _confusion(report: Mapping[str, Any]) -> str:
    said = {
        "labels": "True label (rows) against reported label (columns), in shares of each row.",
        "ekman": "Ekman's groups: true group against the group with the largest share, in hundredths.",
        "sentiment": "Sentiment: true against the largest share, in hundredths.",
    }
    parts = []
    for name, matrix in report["figures"]["confusion"].items():
        is_small = len(matrix["names"]) <= 10
        drawn = heat_map(matrix["names"], matrix["rows"], said[name], with_numbers=is_small)
        parts.append(_figure(said[name], drawn, fit="scroll"))
    return (
        "<p>A text that was read rightly counts once, on the diagonal; one read wrongly counts in the row of "
        "each of its true labels, in equal parts.</p>" + "".join(parts)
    )


def _axes(report: Mapping[str, Any]) -> str:
    drawn = []
    for name, points in report["figures"]["axes"].items():
        score = report["axes"][f"r_{name}"]
        drawn.append(
            _figure(
                f"{name.capitalize()} ({AXIS_NAMES[name]}), r = {score:.3f}.",
                chart(
                    [
                        Line((-1.0, 1.0), (-1.0, 1.0), "muted", is_dashed=True),
                        Line(
                            points["truth"],
                            points["read"],
                            "first faint",
                            has_points=True,
                            is_joined=False,
                            sizes=[0.02] * len(points["truth"]),
                        ),
                    ],
                    f"{name} as read against as rated, {len(points['truth'])} sentences, r = {score:.3f}",
                    "as rated",
                    "as read",
                    (-1.0, 1.0),
                    (-1.0, 1.0),
                ),
            )
        )
    return _grid(drawn)


def _challenge(challenge: Mapping[str, Any]) -> str:
    heads = ["set", "part", "texts", *(head for head, _ in CHALLENGE_COLUMNS)]
    caption = "Hand-labelled texts of what readers stumble on: shares of texts"
    return _table(caption, heads, challenge_rows(challenge))


def _attacks(attacks: Mapping[str, Any]) -> str:
    heads = ["texts", "macro-F1", *(head for head, _ in NOISE_COLUMNS)]
    words = words_sentence(attacks)
    return _table(f"{attacks['texts']} texts, misspelt and disguised", heads, noise_rows(attacks)) + (
        f"<p>{escape(words)}</p>" if words else ""
    )


def _reliability(
    bins: Sequence[Mapping[str, float]], before: Sequence[Mapping[str, float]] | None, title: str
) -> str:
    def line(rows: Sequence[Mapping[str, float]], style: str, name: str, is_dashed: bool) -> Line:
        return Line(
            [row["probability"] for row in rows],
            [row["frequency"] for row in rows],
            style,
            name if before is not None else "",
            has_points=not is_dashed,
            is_dashed=is_dashed,
            sizes=[row["share"] for row in rows],
        )

    lines = [Line((0.0, 1.0), (0.0, 1.0), "muted")]
    if before is not None:
        lines.append(line(before, "second", "uncalibrated", True))
    lines.append(line(bins, "first", "as read", False))
    off = max(abs(row["probability"] - row["frequency"]) for row in bins)
    return chart(
        lines, f"How often it came true against the {title}; furthest off {off:.2f}", title, "came true"
    )


def _memory(speed: Mapping[str, Any]) -> str:
    return f"{speed['resident_mb']:.0f} MB of memory in use" if "resident_mb" in speed else ""


def _tiles(tiles: Sequence[tuple[str, str, str]]) -> str:
    return (
        '<dl class="tiles">'
        + "".join(
            f"<div><dt>{escape(title)}</dt><dd>{escape(value)}<small>{escape(small)}</small></dd></div>"
            for title, value, small in tiles
        )
        + "</dl>"
    )


def _grid(parts: Sequence[str]) -> str:
    return f'<div class="figures">{"".join(parts)}</div>'


def _figure(caption: str, drawn: str, fit: str = "shrink") -> str:
    """A diagram with its caption.

    Args:
        caption: what it shows, as HTML.
        drawn: the diagram.
        fit: "shrink" to a narrow page, "grow" with a wide one too, or "scroll", with the keyboard too.
    """
    if fit == "grow":
        drawn = f'<div class="grow">{drawn}</div>'
    if fit == "scroll":
        drawn = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">{drawn}</div>'
    return f"<figure><figcaption>{caption}</figcaption>{drawn}</figure>"


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        f'<figure><div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption><span>{escape(caption)}</span></caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></figure>"
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
