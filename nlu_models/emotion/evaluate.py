"""Measures a reader of emotions on labelled texts, through the code that serves it.

`evaluate` is the whole of it, for `attune emotion evaluate`; `label_measures` is what export writes into a
weight's `metrics.json`. Numbers under a weight's own thresholds are flattered where those were tuned on the
same texts; what to expect on new texts stands under `crossfit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion import data, labelled, metrics, reliability
from nlu_models.emotion.calibration import Bools, Calibration, Doubles, Floats
from nlu_models.emotion.confidence import MAX_ABSTAINED, TARGET_ERROR, aurc, excess_aurc
from nlu_models.emotion.crossfit import REPEATS, crossfit_measures
from nlu_models.emotion.figures import figures_of
from nlu_models.emotion.fitting import Fitted, Judged, fit
from nlu_models.emotion.groups import group_shares, group_truth, memberships
from nlu_models.emotion.intents import measure_intents
from nlu_models.emotion.labelled import Labelled
from nlu_models.emotion.labels import GROUPINGS, VAD
from nlu_models.emotion.seen import unseen
from nlu_models.emotion.speed import measure_speed
from nlu_models.emotion.subjects import Reader, encode_with_progress, is_run, model_bytes, open_reader
from nlu_models.emotion.weights import WeightConfig

DECIMALS = 4


def evaluate(
    folder: Path,
    goemotions: Path | None = None,
    emobank: Path | None = None,
    *,
    table: Path | None = None,
    split: str = "dev",
    clinc: Path | None = None,
    challenge: Path | None = None,
    repeats: int = REPEATS,
    with_speed: bool = False,
) -> dict[str, Any]:
    """Every measure of a weight folder or a training run.

    Args:
        folder: of the weight or the run; a run's thresholds are fitted on the texts themselves.
        goemotions: folder of GoEmotions; either this or `table`.
        emobank: folder of EmoBank, or None to leave the axes out.
        table: labelled CSV, TSV or JSONL of one's own.
        split: of GoEmotions.
        clinc: folder of CLINC150, or None to leave the embedding out.
        challenge: folder of challenge sets, or None to leave them out; for weight folders.
        repeats: of the cross-fitting.
        with_speed: whether to time the reader.

    Returns:
        The measures, and under `figures` what diagrams are drawn from; `docs/training.md` explains both.

    Raises:
        NluModelError: the reader or a corpus can't be used.
    """
    reader = open_reader(folder)
    texts = read_labelled([folder], reader.config, goemotions, table, split)
    encoded = encode_with_progress(reader, texts.texts, texts.name)
    config, thresholds = reader.config, "the weight's own"
    if is_run(folder):
        config = fitted_config(config, texts.truth, encoded.probabilities)
        thresholds = "fitted on these texts"
    report: dict[str, Any] = {
        "model": config.model,
        "bytes": model_bytes(folder),
        "data": {"name": texts.name, "sha256": texts.sha256},
        "warnings": list(texts.warnings),
        "thresholds": thresholds,
        **label_measures(texts.truth, encoded.probabilities, config, repeats),
    }
    figures = figures_of(texts.truth, encoded.probabilities, config, judge(config, encoded.probabilities))
    if emobank is not None:
        report["axes"], figures["axes"] = _axes(reader, emobank)
    if clinc is not None:
        report["embedding"] = measure_intents(reader, clinc)
    if challenge is not None:
        from nlu_models.emotion.challenge import measure

        report["challenge"], _ = measure(folder, challenge)
    if with_speed:
        report["speed"] = measure_speed(reader, texts.texts)
    return {**report, "figures": figures}


def read_labelled(
    folders: Sequence[Path],
    config: WeightConfig,
    goemotions: Path | None,
    table: Path | None,
    split: str = "dev",
) -> Labelled:
    """The texts to measure on, without those of the table that a reader was trained on.

    Args:
        folders: of the weights or runs that are to be measured.
        config: theirs; they have the same labels.
        goemotions: folder of GoEmotions; either this or `table`.
        table: labelled CSV, TSV or JSONL of one's own.
        split: of GoEmotions.
    """
    if goemotions is not None:
        texts, table = labelled.read_goemotions(goemotions, config.labels, split), None
    elif table is not None:
        texts = labelled.read_table(table, config.labels)
    else:
        raise ValueError("expected a folder of GoEmotions or a table of labelled texts")
    for folder in folders:
        texts = unseen(texts, folder, table, split)
    return texts


def label_measures(
    truth: Bools, probabilities: Floats, config: WeightConfig, repeats: int = REPEATS
) -> dict[str, Any]:
    """How well the labels, their groups, the probabilities and the confidence hold.

    Args:
        truth: (texts, labels).
        probabilities: (texts, labels) in [0, 1], as the encoder gives them.
        config: its calibration, thresholds and confidence are used as they are.
        repeats: of the cross-fitting.
    """
    judged = judge(config, probabilities)
    members = memberships(config.labels)
    crossfit = crossfit_measures(
        truth,
        probabilities,
        members,
        repeats=repeats,
        target_error=TARGET_ERROR if config.target_error is None else config.target_error,
        max_abstained=MAX_ABSTAINED if config.max_abstained is None else config.max_abstained,
    )
    f1_crossfit = crossfit.pop("f1_per_label")
    present = truth.any(axis=0)
    best = judged.probabilities >= metrics.tune_thresholds(truth, judged.probabilities)
    rows = metrics.per_label(truth, judged.predicted, judged.probabilities)
    calibration = reliability.label_reliability(truth, judged.probabilities)
    return {
        "texts": len(truth),
        "macro_f1": _round(metrics.macro_f1(truth[:, present], judged.predicted[:, present])),
        "macro_f1_crossfit": crossfit["macro_f1"],
        "macro_f1_best_thresholds": _round(metrics.macro_f1(truth[:, present], best[:, present])),
        "micro_f1": _round(metrics.micro_f1(truth, judged.predicted)),
        "subset_accuracy": _round((truth == judged.predicted).all(axis=1).mean()),
        "label_accuracy": _round((truth == judged.predicted).mean()),
        "averages": _rounded(metrics.averages(truth, judged.predicted, judged.probabilities)),
        "crossfit": crossfit,
        **{name: _grouped(truth, judged, config, name) for name in members},
        "calibration": _rounded(reliability.label_errors(truth, judged.probabilities)),
        "confidence": _confidence(truth, judged, config),
        "labels": {
            label: {
                **_rounded(rows[index]),
                "f1_crossfit": f1_crossfit[index],
                "threshold": float(config.thresholds[index]),
                "rows": int(truth[:, index].sum()),
                **_rounded(calibration[index]),
            }
            for index, label in enumerate(config.labels)
        },
    }


def judge(config: WeightConfig, probabilities: Floats) -> Judged:
    """What a weight decides about texts.

    Args:
        config: of the weight.
        probabilities: (texts, labels) in [0, 1], as the encoder gives them.
    """
    members = memberships(config.labels)
    judged = _fitted(config).judge(probabilities, members)
    if config.calibration is None:
        # Not the identity curves: they clip what is nearly certain, and readings don't.
        plain = replace(judged, probabilities=np.asarray(probabilities, dtype=np.float64))
        judged = replace(plain, predicted=plain.probabilities >= np.array(config.thresholds))
    for name, matrix in members.items():
        if name not in judged.groups:
            judged.groups[name] = _any_member(judged, matrix)
    return judged


def fitted_config(
    config: WeightConfig,
    truth: Bools,
    probabilities: Floats,
    target_error: float = TARGET_ERROR,
    max_abstained: float = MAX_ABSTAINED,
) -> WeightConfig:
    """The configuration with calibration, thresholds, groups, confidence and abstention that fit these rows.

    Args:
        config: of the weight.
        truth: (texts, labels).
        probabilities: (texts, labels) in [0, 1], as the encoder gives them.
        target_error: how often the label may be wrong where the reader commits itself.
        max_abstained: at most this share of texts is abstained on, even if the error stays higher.
    """
    fitted = fit(truth, probabilities, memberships(config.labels), target_error, max_abstained)
    slope, intercept = fitted.confidence
    return replace(
        config,
        calibration=fitted.calibration,
        thresholds=tuple(float(value) for value in fitted.thresholds),
        group_thresholds={
            name: dict(zip(GROUPINGS[name], (float(value) for value in values), strict=True))
            for name, values in fitted.group_thresholds.items()
        },
        confidence={"slope": slope, "intercept": intercept},
        abstain_below=fitted.abstain_below,
        target_error=target_error,
        max_abstained=max_abstained,
    )


def _axes(reader: Reader, emobank: Path) -> tuple[dict[str, float], dict[str, Any]]:
    rows = data.read_emobank(emobank, "dev")
    read = encode_with_progress(reader, [row.text for row in rows], "EmoBank dev").vad
    truth = np.array([row.vad for row in rows])
    scores = {
        f"r_{name}": _round(metrics.pearson(read[:, axis], truth[:, axis])) for axis, name in enumerate(VAD)
    }
    points = {
        name: {"truth": truth[:, axis].round(3).tolist(), "read": read[:, axis].round(3).tolist()}
        for axis, name in enumerate(VAD)
    }
    return scores, points


def _fitted(config: WeightConfig) -> Fitted:
    count = len(config.labels)
    identity = Calibration((1.0,) * count, (0.0,) * count, (0.0,) * count)
    return Fitted(
        config.calibration or identity,
        np.array(config.thresholds),
        {
            name: np.array([thresholds[group] for group in GROUPINGS[name]])
            for name, thresholds in config.group_thresholds.items()
        },
        (config.confidence["slope"], config.confidence["intercept"]),
        config.abstain_below,
    )


def _any_member(judged: Judged, members: Bools) -> Bools:
    """The groups of the labels over threshold, or of the reported label: for a weight without thresholds
    for groups."""
    chosen = judged.predicted.copy()
    empty = np.flatnonzero(~chosen.any(axis=1))
    chosen[empty, judged.top[empty]] = True
    return group_truth(chosen, members)


def _grouped(truth: Bools, judged: Judged, config: WeightConfig, name: str) -> dict[str, Any]:
    members = memberships(config.labels)[name]
    held = group_truth(truth, members)
    present = held.any(axis=0)  # a group without a true row has no F1
    scores = metrics.f1_per_label(held, judged.groups[name])
    largest: NDArray[np.int64] = group_shares(judged.probabilities, members).argmax(axis=1)
    return {
        "macro_f1": _round(scores[present].mean()),
        "f1": {group: _round(scores[index]) for index, group in enumerate(GROUPINGS[name]) if present[index]},
        "largest_share_right": _round(held[np.arange(len(held)), largest].mean()),
    }


def _confidence(truth: Bools, judged: Judged, config: WeightConfig) -> dict[str, Any]:
    correct = truth[np.arange(len(truth)), judged.top]
    committed = ~judged.abstained
    return {
        "top_label_accuracy": _round(correct.mean()),
        "calibration_error": _round(reliability.calibration_error(judged.confidence, correct)),
        "aurc": _round(aurc(judged.confidence, correct)),
        "excess_aurc": _round(excess_aurc(judged.confidence, correct)),
        "abstain_below": config.abstain_below,
        "target_error": config.target_error,
        "max_abstained": config.max_abstained,
        "abstained_share": _round(judged.abstained.mean()),
        "error_when_committed": _round(1.0 - correct[committed].mean()) if committed.any() else None,
        "error_when_abstained": _round(1.0 - correct[~committed].mean()) if (~committed).any() else None,
    }


def _rounded(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _rounded(value) for key, value in values.items()}
    return None if values is None else _round(values)


def _round(value: float | Doubles) -> float:
    return round(float(value), DECIMALS)
