"""Measures a weight folder: the exported graph itself, through the code that serves it.

python -m nlu_models.emotion.evaluate --weights nlu_models/weights/emotion-en --goemotions DIR
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion import data, metrics
from nlu_models.emotion.infer import EmotionEncoder
from nlu_models.emotion.labels import EKMAN, GOEMOTIONS, SENTIMENT, VAD
from nlu_models.emotion.reading import confidence_of, decide
from nlu_models.emotion.weights import WeightConfig
from nlu_models.errors import DataError, NluModelError

DECIMALS = 4
CLINC_BATCH = 512
CALIBRATION_BINS = 10


def evaluate(weights: Path, goemotions: Path, emobank: Path | None = None) -> dict[str, Any]:
    """The measures of a weight on the dev splits, in the form of its `metrics.json`.

    Args:
        weights: the weight folder.
        goemotions: folder of GoEmotions.
        emobank: folder of EmoBank, or None to leave the axes out.

    Raises:
        NluModelError: the weight or a corpus can't be used.
    """
    encoder = EmotionEncoder(weights)
    rows = data.read_goemotions(goemotions, "dev")
    encoded = encoder.encode([row.text for row in rows])
    report = label_measures(truth_of(rows), encoded.probabilities, encoder.config)
    if emobank is not None:
        report["axes"] = axis_measures(encoder, emobank)
    return {"model": encoder.config.model, **report}


def truth_of(rows: Sequence[data.LabelledText]) -> NDArray[np.bool_]:
    """The annotators' labels, (texts, 28)."""
    truth = np.zeros((len(rows), len(GOEMOTIONS)), dtype=bool)
    for index, row in enumerate(rows):
        truth[index, list(row.label_ids)] = True
    return truth


def label_measures(
    truth: NDArray[np.bool_], probabilities: NDArray[np.floating[Any]], config: WeightConfig
) -> dict[str, Any]:
    """How well the labels, their groups and the confidence hold, with the weight's own thresholds."""
    thresholds = np.array(config.thresholds)
    predicted = probabilities >= thresholds
    best = metrics.tune_thresholds(truth, probabilities)
    per_label = metrics.f1_per_label(truth, predicted)
    top, confidence = top_labels(probabilities, config)
    correct = truth[np.arange(len(truth)), top]
    abstained = confidence < config.abstain_below
    return {
        "texts": len(truth),
        "macro_f1": _round(metrics.macro_f1(truth, predicted)),
        "macro_f1_crossfit": _round(
            metrics.crossfit_macro_f1(truth, probabilities, tune=metrics.tune_thresholds_smoothly)
        ),
        "macro_f1_best_thresholds": _round(metrics.macro_f1(truth, probabilities >= best)),
        "micro_f1": _round(metrics.micro_f1(truth, predicted)),
        "ekman": _grouped(truth, predicted, top, EKMAN),
        "sentiment": _grouped(truth, predicted, top, SENTIMENT),
        "labels": {
            label: {
                "f1": _round(per_label[index]),
                "threshold": float(thresholds[index]),
                "rows": int(truth[:, index].sum()),
            }
            for index, label in enumerate(GOEMOTIONS)
        },
        "confidence": {
            "top_label_accuracy": _round(correct.mean()),
            "calibration_error": _round(calibration_error(confidence, correct)),
            "abstain_below": config.abstain_below,
            "abstained_share": _round(abstained.mean()),
            "error_when_committed": _round(1.0 - correct[~abstained].mean()),
            "error_when_abstained": _round(1.0 - correct[abstained].mean()) if abstained.any() else None,
        },
    }


def top_labels(
    probabilities: NDArray[np.floating[Any]], config: WeightConfig
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The label reported for each text, and the confidence in it; both (texts,)."""
    top = np.array([decide(row, config.thresholds)[0] for row in probabilities], dtype=np.int64)
    chosen = probabilities[np.arange(len(top)), top]
    return top, np.array([confidence_of(float(value), **config.confidence) for value in chosen])


def axis_measures(encoder: EmotionEncoder, emobank: Path) -> dict[str, float]:
    """Pearson's r of valence, arousal and dominance on EmoBank's dev split."""
    rows = data.read_emobank(emobank, "dev")
    vad = encoder.encode([row.text for row in rows]).vad
    truth = np.array([row.vad for row in rows])
    return {
        f"r_{name}": _round(metrics.pearson(vad[:, axis], truth[:, axis])) for axis, name in enumerate(VAD)
    }


def calibration_error(confidence: NDArray[np.floating[Any]], correct: NDArray[np.bool_]) -> float:
    """Expected calibration error over ten bins of equal width (Guo et al., ICML 2017), in [0, 1]."""
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    error = 0.0
    for index in range(CALIBRATION_BINS):
        inside = bins == index
        if inside.any():
            error += float(inside.mean() * abs(confidence[inside].mean() - correct[inside].mean()))
    return error


def intent_neighbours(
    train: NDArray[np.floating[Any]],
    train_intents: Sequence[str],
    held: NDArray[np.floating[Any]],
    held_intents: Sequence[str],
) -> float:
    """How often the nearest training utterance has the held-out utterance's intent (P@1), in [0, 1]."""
    intents = np.array(train_intents)
    hits = 0
    for start in range(0, len(held), CLINC_BATCH):
        nearest = np.argmax(held[start : start + CLINC_BATCH] @ train.T, axis=1)
        hits += int((intents[nearest] == np.array(held_intents[start : start + CLINC_BATCH])).sum())
    return hits / len(held)


def read_clinc_intents(folder: Path, part: str, per_intent: int) -> tuple[list[str], list[str]]:
    """The first utterances of each intent in one part ("train" or "val") of CLINC150, and their intents.

    Raises:
        DataError: `data_full.json` is missing or of another form.
    """
    path = folder / "data_full.json"
    texts: list[str] = []
    intents: list[str] = []
    taken: Counter[str] = Counter()
    try:
        for text, intent in json.loads(path.read_text(encoding="utf-8"))[part]:
            if taken[intent] < per_intent:
                taken[intent] += 1
                texts.append(str(text))
                intents.append(str(intent))
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise DataError(f"{path} is not CLINC150's data_full.json: {error!r}") from error
    return texts, intents


def table(report: Mapping[str, Any]) -> str:
    """The report as lines of text."""
    lines = [
        f"{report['model']} on {report['texts']} texts of GoEmotions dev",
        f"  macro-F1 {report['macro_f1']:.4f} (cross-fitted thresholds {report['macro_f1_crossfit']:.4f}), "
        f"micro-F1 {report['micro_f1']:.4f}",
        f"  Ekman macro-F1 {report['ekman']['macro_f1']:.4f}, "
        f"sentiment macro-F1 {report['sentiment']['macro_f1']:.4f}",
    ]
    confidence = report["confidence"]
    lines.append(
        f"  reported label right {confidence['top_label_accuracy']:.1%}; abstains on "
        f"{confidence['abstained_share']:.1%}; "
        f"wrong when committed {confidence['error_when_committed']:.1%}; "
        f"calibration error {confidence['calibration_error']:.3f}"
    )
    if "axes" in report:
        lines.append(
            "  EmoBank dev: " + ", ".join(f"{name} {value:.4f}" for name, value in report["axes"].items())
        )
    lines.append(f"  {'label':16}{'F1':>8}{'threshold':>11}{'rows':>7}")
    for label, row in report["labels"].items():
        lines.append(f"  {label:16}{row['f1']:8.4f}{row['threshold']:11.3f}{row['rows']:7}")
    return "\n".join(lines)


def _grouped(
    truth: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    top: NDArray[np.int64],
    groups: Mapping[str, tuple[str, ...]],
) -> dict[str, Any]:
    """F1 of each group; a text is in the groups of its labels over threshold, or of its top label."""
    members = np.array([[label in labels for label in GOEMOTIONS] for labels in groups.values()])
    chosen = predicted.copy()
    empty = ~predicted.any(axis=1)
    chosen[np.flatnonzero(empty), top[empty]] = True
    held, said = (
        np.stack([rows[:, group].any(axis=1) for group in members], axis=1) for rows in (truth, chosen)
    )
    scores = metrics.f1_per_label(held, said)
    return {
        "macro_f1": _round(scores.mean()),
        "f1": {name: _round(scores[index]) for index, name in enumerate(groups)},
    }


def _round(value: float) -> float:
    return round(float(value), DECIMALS)


def main() -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m nlu_models.emotion.evaluate",
        description="Measure a weight folder; a table on stderr, JSON on stdout.",
    )
    parser.add_argument("--weights", type=Path, required=True, help="weight folder")
    parser.add_argument("--goemotions", type=Path, required=True, help="folder of GoEmotions")
    parser.add_argument("--emobank", type=Path, help="folder of EmoBank")
    options = parser.parse_args()
    try:
        report = evaluate(options.weights, options.goemotions, options.emobank)
    except NluModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(table(report), file=sys.stderr)
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
