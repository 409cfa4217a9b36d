"""Readers side by side on the same texts, with how sure the differences are.

Every reader is judged cross-fitted on the same folds, so that none gains from thresholds tuned on the texts.
Differences come with intervals from the paired bootstrap: texts are drawn anew with replacement, the same for
both readers (Efron & Tibshirani, 1993; Berg-Kirkpatrick et al., EMNLP 2012). Intervals tell what other texts
of the kind might change; not what another training run would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nlu_models.emotion import data
from nlu_models.emotion.calibration import Bools, Doubles, Floats
from nlu_models.emotion.crossfit import hold_out
from nlu_models.emotion.evaluate import read_labelled
from nlu_models.emotion.groups import group_truth, memberships
from nlu_models.emotion.labels import VAD
from nlu_models.emotion.speed import measure_speed
from nlu_models.emotion.subjects import Reader, encode_with_progress, model_bytes, open_reader
from nlu_models.errors import InputError

DRAWS = 2000
CHUNK = 200  # draws at once, to keep memory small
REPEATS = 3  # of the cross-fitting
TAIL = 0.025
DECIMALS = 4


@dataclass(frozen=True)
class Tally:
    """What a measure is computed from, per text, so that drawing texts anew is a weighted sum.

    Attributes:
        columns: (texts, k); k is 0 for a measure that needs the texts' weights themselves.
        score: from (draws, k) sums, or (draws, texts) weights, to (draws,) or (draws, labels) scores.
    """

    columns: Doubles
    score: Callable[[Doubles], Doubles]


def compare(
    folders: Sequence[Path],
    goemotions: Path | None = None,
    table: Path | None = None,
    *,
    split: str = "dev",
    emobank: Path | None = None,
    repeats: int = REPEATS,
    draws: int = DRAWS,
    seed: int = 0,
    with_speed: bool = False,
) -> dict[str, Any]:
    """The measures of several weight folders or training runs, and their differences from the first.

    Args:
        folders: of the weights or runs, at least two.
        goemotions: folder of GoEmotions; either this or `table`.
        table: labelled CSV, TSV or JSONL of one's own.
        split: of GoEmotions.
        emobank: folder of EmoBank, or None to leave the axes out.
        repeats: of the cross-fitting.
        draws: of the bootstrap.
        seed: of the bootstrap.
        with_speed: whether to time the readers.

    Returns:
        `models`; `measures` and `labels`, each with a value per model, and `differences` from the first model
        with `change`, `low`, `high` (95 %) and two-sided `p`.

    Raises:
        InputError: fewer than two folders, one twice, or readers of other labels.
        NluModelError: a reader or the data can't be used.
    """
    if len(folders) < 2:
        raise InputError(f"there is {len(folders)} to compare, expected at least two folders")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise InputError("the same folder is given twice")
    readers = [open_reader(folder) for folder in folders]
    labels = readers[0].config.labels
    for folder, reader in zip(folders, readers, strict=True):
        if reader.config.labels != labels:
            raise InputError(
                f"{folder} reads {len(reader.config.labels)} labels, {folders[0]} {len(labels)} others; "
                "only readers of the same labels in the same order can be compared"
            )
    texts = read_labelled(folders, readers[0].config, goemotions, table, split)
    names = _names(folders, readers)
    tallies, models = [], []
    for folder, reader, name in zip(folders, readers, names, strict=True):
        probabilities = encode_with_progress(reader, texts.texts, name).probabilities
        tallies.append(label_tallies(texts.truth, probabilities, memberships(labels), repeats))
        models.append(
            {
                "model": name,
                "bytes": model_bytes(folder),
                **({"speed": measure_speed(reader, texts.texts)} if with_speed else {}),
            }
        )
    found = compare_tallies(tallies, draws, seed)
    per_label = found.pop("f1_per_label")
    if emobank is not None:
        found |= compare_tallies([_axis_tallies(reader, emobank) for reader in readers], draws, seed)
    return {
        "data": {"name": texts.name, "sha256": texts.sha256},
        "warnings": list(texts.warnings),
        "texts": len(texts.texts),
        "draws": draws,
        "repeats": repeats,
        "models": models,
        "measures": found,
        "labels": {
            label: [value[index] for value in per_label["values"]] for index, label in enumerate(labels)
        },
        "label_differences": {
            label: [_at(difference, index) for difference in per_label["differences"]]
            for index, label in enumerate(labels)
        },
    }


def label_tallies(
    truth: Bools, probabilities: Floats, groupings: Mapping[str, Bools], repeats: int
) -> dict[str, list[Tally]]:
    """Of each measure, what it is computed from, once per repeat of the cross-fitting."""
    found: dict[str, list[Tally]] = {}
    present = truth.any(axis=0)
    held_groups = {name: group_truth(truth, members) for name, members in groupings.items()}
    for seed in range(repeats):
        held = hold_out(truth, probabilities, groupings, seed=seed)
        brier = np.square(held.probabilities - truth)[:, present].mean(axis=1, keepdims=True)
        one = {
            "macro_f1": _f1_tally(truth[:, present], held.predicted[:, present], _mean_over_labels),
            "micro_f1": _f1_tally(
                truth.reshape(len(truth), -1), held.predicted.reshape(len(truth), -1), None, pooled=True
            ),
            **{
                f"{name}_macro_f1": _f1_tally(
                    true[:, true.any(axis=0)], held.groups[name][:, true.any(axis=0)], _mean_over_labels
                )
                for name, true in held_groups.items()
            },
            "top_label_accuracy": _mean_tally(held.correct[:, None].astype(np.float64)),
            "brier": _mean_tally(brier),
            "aurc": _aurc_tally(held.confidence, held.correct),
            "f1_per_label": _f1_tally(truth, held.predicted, None),
        }
        for name, tally in one.items():
            found.setdefault(name, []).append(tally)
    return found


def compare_tallies(tallies: Sequence[Mapping[str, list[Tally]]], draws: int, seed: int) -> dict[str, Any]:
    """Of each measure the readers' values, and the differences from the first with their intervals.

    Args:
        tallies: of each reader, over the same texts in the same order.
        draws: of the bootstrap.
        seed: of the bootstrap.
    """
    texts = len(next(iter(tallies[0].values()))[0].columns)
    drawn: dict[str, list[list[Doubles]]] = {name: [[] for _ in tallies] for name in tallies[0]}
    for weights in draw_weights(texts, draws, seed):
        for name, parts in drawn.items():
            for reader, part in zip(tallies, parts, strict=True):
                part.append(_score(reader[name], weights))
    whole = np.ones((1, texts))
    found = {}
    for name, parts in drawn.items():
        values = [_score(reader[name], whole)[0] for reader in tallies]
        scores = [np.concatenate(part) for part in parts]
        found[name] = {
            "values": [_rounded(value) for value in values],
            "differences": [
                difference(np.asarray(value - values[0]), score - scores[0])
                for value, score in zip(values[1:], scores[1:], strict=True)
            ],
        }
    return found


def difference(change: Doubles, drawn: Doubles) -> dict[str, Any]:
    """A difference with its 95 % interval and two-sided p-value.

    Args:
        change: on the texts themselves; a number, or (labels,).
        drawn: the same for each draw of texts, (draws,) or (draws, labels).
    """
    below = ((drawn <= 0.0).sum(axis=0) + 1) / (len(drawn) + 1)
    above = ((drawn >= 0.0).sum(axis=0) + 1) / (len(drawn) + 1)
    return {
        "change": _rounded(change),
        "low": _rounded(np.quantile(drawn, TAIL, axis=0)),
        "high": _rounded(np.quantile(drawn, 1.0 - TAIL, axis=0)),
        "p": _rounded(np.minimum(2.0 * np.minimum(below, above), 1.0)),
    }


def draw_weights(texts: int, draws: int, seed: int) -> Iterator[Doubles]:
    """How often each text is in each draw: parts of (draws, texts)."""
    random = np.random.default_rng(seed)
    shares = np.full(texts, 1.0 / texts)
    for start in range(0, draws, CHUNK):
        yield random.multinomial(texts, shares, size=min(CHUNK, draws - start)).astype(np.float64)


def _score(tallies: Sequence[Tally], weights: Doubles) -> Doubles:
    """The measure under each draw, averaged over repeats of the cross-fitting."""
    return np.asarray(np.mean([tally.score(_summed(tally, weights)) for tally in tallies], axis=0))


def _summed(tally: Tally, weights: Doubles) -> Doubles:
    return weights if tally.columns.shape[1] == 0 else weights @ tally.columns


def _f1_tally(
    truth: Bools, said: Bools, then: Callable[[Doubles], Doubles] | None, pooled: bool = False
) -> Tally:
    """F1 from the sums of hits and of what is true or said."""
    hits, total = np.logical_and(truth, said).astype(np.float64), truth.astype(np.float64) + said
    if pooled:
        hits, total = hits.sum(axis=1, keepdims=True), total.sum(axis=1, keepdims=True)
    width = hits.shape[1]

    def score(sums: Doubles) -> Doubles:
        scores = np.asarray(2.0 * sums[:, :width] / np.maximum(sums[:, width:], 1.0))
        if pooled:
            return scores[:, 0]
        return scores if then is None else then(scores)

    return Tally(np.concatenate([hits, total], axis=1), score)


def _mean_tally(values: Doubles) -> Tally:
    columns = np.concatenate([values, np.ones_like(values)], axis=1)
    return Tally(columns, lambda sums: np.asarray(sums[:, 0] / sums[:, 1]))


def _aurc_tally(confidence: Doubles, correct: Bools) -> Tally:
    """Needs the order of the texts, so it takes the weights themselves."""
    order = np.argsort(-confidence, kind="stable")
    wrong = (~correct[order]).astype(np.float64)

    def score(weights: Doubles) -> Doubles:
        ordered = weights[:, order]
        count = np.cumsum(ordered, axis=1)
        error = np.cumsum(ordered * wrong, axis=1) / np.maximum(count, 1.0)
        return np.asarray((error * ordered).sum(axis=1) / count[:, -1])

    return Tally(np.zeros((len(wrong), 0)), score)


def _axis_tallies(reader: Reader, emobank: Path) -> dict[str, list[Tally]]:
    rows = data.read_emobank(emobank, "dev")
    read = encode_with_progress(reader, [row.text for row in rows], "EmoBank dev").vad.astype(np.float64)
    truth = np.array([row.vad for row in rows])
    return {f"r_{name}": [_pearson_tally(read[:, axis], truth[:, axis])] for axis, name in enumerate(VAD)}


def _pearson_tally(a: Doubles, b: Doubles) -> Tally:
    def score(sums: Doubles) -> Doubles:
        n, mean_a, mean_b = sums[:, 0], sums[:, 1] / sums[:, 0], sums[:, 2] / sums[:, 0]
        together: Doubles = sums[:, 3] / n - mean_a * mean_b
        spread = (sums[:, 4] / n - mean_a**2) * (sums[:, 5] / n - mean_b**2)
        return np.asarray(together / np.sqrt(np.maximum(spread, 1e-12)))

    return Tally(np.stack([np.ones_like(a), a, b, a * b, a * a, b * b], axis=1), score)


def _mean_over_labels(scores: Doubles) -> Doubles:
    return np.asarray(scores.mean(axis=1))


def _names(folders: Sequence[Path], readers: Sequence[Reader]) -> list[str]:
    """What the models are called; by their folders where two share a name."""
    names = [reader.config.model for reader in readers]
    return [
        f"{folder.parent.name}/{folder.name}" if names.count(name) > 1 else name
        for folder, name in zip(folders, names, strict=True)
    ]


def _at(found: Mapping[str, Any], index: int) -> dict[str, float]:
    return {name: values[index] for name, values in found.items()}


def _rounded(value: Any) -> Any:
    return np.round(np.asarray(value, dtype=np.float64), DECIMALS).tolist()
