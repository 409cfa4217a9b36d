"""Measures how much readings depend on how a text is written: noise, disguises, and words replaced.

The texts are GoEmotions' dev split, or a sample of it; the reader is the one that serves. What is measured
goes under `attacks` in a weight's `metrics.json`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nlu_models.emotion import data, metrics
from nlu_models.emotion.attacks import DEFAULT_STRENGTH, KINDS, perturb
from nlu_models.emotion.infer import EmotionEncoder
from nlu_models.emotion.labels import GOEMOTIONS, SENTIMENT
from nlu_models.emotion.reading import make_reading
from nlu_models.emotion.textfooler import Attacked, Reader, WordAttack, WordTable
from nlu_models.emotion.wording import as_read
from nlu_models.errors import InputError

DECIMALS = 4
WORDS = "words"  # the word-substitution attack, beside the kinds of noise

Progress = Callable[[str], None]


class AsWritten(EmotionEncoder):
    """An encoder that reads texts without bringing them into plain wording first."""

    def _tokenize(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(as_read(text, self.config.max_tokens, reword=str)).ids)


def open_reader(weights: Path, *, normalizing: bool = True) -> EmotionEncoder:
    """The reader that serves, or one that leaves the wording alone, to see what the difference is worth.

    Raises:
        WeightError: the weight can't be used.
    """
    return EmotionEncoder(weights) if normalizing else AsWritten(weights)


def sample(folder: Path, rows: int, seed: int) -> list[data.LabelledText]:
    """So many texts of GoEmotions dev, always the same for a seed; all of them where there are fewer.

    Raises:
        InputError: less than one row is asked for.
        DataError: the corpus can't be read.
    """
    if rows < 1:
        raise InputError(f"rows is {rows}, expected at least 1")
    texts = data.read_goemotions(folder, "dev")
    return random.Random(seed).sample(texts, rows) if rows < len(texts) else texts


def measure(
    reader: Reader,
    rows: Sequence[data.LabelledText],
    kinds: Sequence[str] = KINDS,
    *,
    seed: int = 0,
    strength: float = DEFAULT_STRENGTH,
    table: WordTable | None = None,
    word_rows: int = 0,
    progress: Progress = lambda line: None,
) -> dict[str, Any]:
    """How well the rows are read as they are, under each kind of noise, and with words replaced.

    Args:
        reader: of the texts.
        rows: texts with their annotators' labels.
        kinds: of noise, out of `attacks.KINDS`.
        seed: of the noise; a kind's noise is the same whatever other kinds are measured.
        strength: share of the words that are changed, in (0, 1].
        table: of words to put in place of others; None leaves this attack out.
        word_rows: how many of the rows, from the first, have words replaced.
        progress: is told what is being measured.

    Returns:
        The measures; shares in [0, 1], as in `docs/robustness.md`.

    Raises:
        InputError: an unknown kind, a number out of range, or a weight of other labels.
    """
    if reader.config.labels != GOEMOTIONS:
        raise InputError(
            f"the weight has {len(reader.config.labels)} labels that are not GoEmotions' 28; "
            "attack a weight that has the texts' labels"
        )
    if word_rows < 0:
        raise InputError(f"word rows is {word_rows}, expected 0 or more")
    for kind in kinds:
        perturb("", kind, random.Random(0), strength)  # refused now rather than after minutes
    texts = [row.text for row in rows]
    progress(f"{len(texts)} texts as they are")
    clean = _read(reader, texts)
    report: dict[str, Any] = {
        "texts": len(rows),
        "seed": seed,
        "strength": strength,
        "clean": _scores(rows, clean),
        "noise": {},
    }
    for kind in kinds:
        progress(kind)
        noisy = [
            perturb(text, kind, random.Random(f"{seed} {kind} {row}"), strength)
            for row, text in enumerate(texts)
        ]
        read = _read(reader, noisy)
        report["noise"][kind] = {
            **_scores(rows, read),
            **_agreement(clean, read),
        }
    if table is not None and word_rows > 0:
        progress(f"{WORDS}: replacing words in {min(word_rows, len(rows))} texts")
        attack = WordAttack(reader, table)
        attacked = [attack.attack(row.text, _names(row)) for row in rows[:word_rows]]
        report[WORDS] = _word_scores(rows[:word_rows], attacked)
    return report


def lines_of(report: Mapping[str, Any]) -> list[str]:
    """The report as a table."""
    lines = [f"{'':14}{'right':>8}{'macro-F1':>10}{'abstained':>11}{'same label':>12}{'same sign':>11}"]
    for kind, scores in {"as written": report["clean"], **report["noise"]}.items():
        line = f"{kind:14}{scores['top_label_accuracy']:8.1%}{scores['macro_f1']:10.4f}"
        line += f"{scores['abstained_share']:11.1%}"
        if "same_label" in scores:
            line += f"{scores['same_label']:12.1%}{scores['same_sentiment']:11.1%}"
        lines.append(line)
    words = report.get(WORDS)
    if words:
        lines += [
            "",
            f"words replaced in {words['texts']} texts: right {words['accuracy_before']:.1%} before, "
            f"{words['accuracy_after']:.1%} after",
            f"  of the {words['attacked']} read rightly, {words['success_rate']:.1%} became wrong and "
            f"{words['sentiment_success_rate']:.1%} of another sentiment,",
            f"  with {words['mean_words_changed']:.2f} of {words['mean_words']:.1f} words changed and "
            f"{words['mean_passes']:.0f} passes of the reader each",
        ]
    return lines


def _read(reader: Reader, texts: Sequence[str]) -> list[dict[str, Any]]:
    encoded = reader.encode(texts)
    return [
        make_reading(encoded.probabilities[row], encoded.vad[row], reader.config) for row in range(len(texts))
    ]


def _scores(rows: Sequence[data.LabelledText], readings: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """How right readings are; the labels that none of the rows has are left out of the macro-F1."""
    truth, said = (np.zeros((len(rows), len(GOEMOTIONS)), dtype=bool) for _ in range(2))
    for index, (row, reading) in enumerate(zip(rows, readings, strict=True)):
        truth[index, list(row.label_ids)] = True
        said[index, [GOEMOTIONS.index(label) for label in reading["labels"]]] = True
    is_there = truth.any(axis=0)
    right = [reading["label"] in _names(row) for row, reading in zip(rows, readings, strict=True)]
    return {
        "top_label_accuracy": _mean(right),
        "macro_f1": round(metrics.macro_f1(truth[:, is_there], said[:, is_there]), DECIMALS),
        "abstained_share": _mean([reading["abstained"] for reading in readings]),
    }


def _agreement(clean: Sequence[Mapping[str, Any]], noisy: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """How often the reading is what it was."""
    pairs = [(before["label"], after["label"]) for before, after in zip(clean, noisy, strict=True)]
    return {
        "same_label": _mean([before == after for before, after in pairs]),
        "same_sentiment": _mean([_sentiment(before) == _sentiment(after) for before, after in pairs]),
    }


def _word_scores(rows: Sequence[data.LabelledText], attacked: Sequence[Attacked]) -> dict[str, float]:
    """What replacing words did; the success rate is of the texts that were read rightly before."""
    tried = [(row, result) for row, result in zip(rows, attacked, strict=True) if result.attempted]
    won = [result for _, result in tried if result.succeeded]
    turned = [
        result.succeeded and _sentiment(result.label) not in {_sentiment(label) for label in _names(row)}
        for row, result in tried
    ]
    return {
        "texts": len(rows),
        "attacked": len(tried),
        "accuracy_before": round(len(tried) / len(rows), DECIMALS),
        "accuracy_after": round((len(tried) - len(won)) / len(rows), DECIMALS),
        "success_rate": _mean([result.succeeded for _, result in tried]),
        "sentiment_success_rate": _mean(turned),
        "mean_words_changed": _mean([result.changed for result in won]),
        "mean_words": _mean([result.words for result in won]),
        "mean_passes": _mean([result.passes for _, result in tried]),
    }


def _names(row: data.LabelledText) -> list[str]:
    return [GOEMOTIONS[index] for index in row.label_ids]


def _sentiment(label: str) -> str:
    return next(group for group, labels in SENTIMENT.items() if label in labels)


def _mean(values: Sequence[float]) -> float:
    """The mean, 0 of nothing."""
    return round(sum(values) / len(values), DECIMALS) if values else 0.0
