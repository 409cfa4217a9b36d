"""The shipped challenge sets are valid, balanced, and leak neither into each other nor into training."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from nlu_models.emotion.challenge import DEFAULT_DATA, PARTS, Item, load
from nlu_models.emotion.labels import GOEMOTIONS

AUGMENT = tuple(sorted((DEFAULT_DATA.parents[1] / "augment").glob(f"{DEFAULT_DATA.name}*")))
SETS = {
    "negation", "sarcasm", "emoji", "elongation", "typos", "slang", "code", "urls", "quoted", "mixed",
    "neutral_hard", "implicit",
}  # fmt: skip
MIN_TEXTS = 40
MAX_ALIKE_ACROSS_PARTS = 0.6
MAX_ALIKE_TO_TRAINING = 0.4
RARE = {"grief": 60, "pride": 60, "relief": 60, "nervousness": 60, "realization": 60}


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return load()


@pytest.fixture(scope="module")
def training() -> list[dict[str, object]]:
    files = [path for folder in AUGMENT for path in sorted(folder.glob("*.jsonl"))]
    lines = [line for path in files for line in path.read_text("utf-8").splitlines()]
    return [json.loads(line) for line in lines]


def five_grams(text: str) -> set[str]:
    plain = " ".join(text.casefold().split())
    return {plain[start : start + 5] for start in range(max(len(plain) - 4, 1))}


def find_alike(texts: list[str], others: list[str], limit: float) -> list[tuple[str, str]]:
    """The pairs whose five-grams have a Jaccard index over the limit."""
    grams = [five_grams(text) for text in others]
    holders: dict[str, list[int]] = {}
    for index, held in enumerate(grams):
        for gram in held:
            holders.setdefault(gram, []).append(index)
    alike = []
    for text in texts:
        own = five_grams(text)
        shared = Counter(index for gram in own for index in holders.get(gram, ()))
        for index, count in shared.items():
            if count / (len(own) + len(grams[index]) - count) > limit:
                alike.append((text, others[index]))
    return alike


def test_every_set_is_there_with_enough_texts(items: list[Item]) -> None:
    sizes = Counter(item.set for item in items if not item.is_plain)
    assert set(sizes) == SETS
    assert min(sizes.values()) >= MIN_TEXTS, sizes


def test_parts_are_halves(items: list[Item]) -> None:
    sizes = Counter((item.set, item.part) for item in items if not item.is_plain)
    for name in SETS:
        assert abs(sizes[name, "dev"] - sizes[name, "held_out"]) <= 2, name


def test_texts_differ(items: list[Item]) -> None:
    texts = [" ".join(item.text.casefold().split()) for item in items]
    assert [text for text, count in Counter(texts).items() if count > 1] == []


def test_no_text_is_nearly_in_both_parts(items: list[Item]) -> None:
    dev, held_out = ([item.text for item in items if item.part == part] for part in PARTS)
    assert find_alike(dev, held_out, MAX_ALIKE_ACROSS_PARTS) == []


def test_most_texts_have_a_trap_and_pairs_exist(items: list[Item]) -> None:
    hard = [item for item in items if not item.is_plain]
    assert sum(bool(item.reject) for item in hard) > 0.9 * len(hard)
    assert {item.set for item in hard if item.pair} == SETS


def test_training_texts_are_well_formed(training: list[dict[str, object]]) -> None:
    assert len(training) >= 400
    for row in training:
        assert set(row) == {"text", "labels"}
        labels = row["labels"]
        assert isinstance(row["text"], str)
        assert row["text"].strip()
        assert isinstance(labels, list)
        assert 1 <= len(labels) <= 3, row
        assert set(labels) <= set(GOEMOTIONS), row
        assert len(set(labels)) == len(labels), row
        assert "neutral" not in labels or len(labels) == 1, row
    texts = Counter(" ".join(str(row["text"]).casefold().split()) for row in training)
    assert [text for text, count in texts.items() if count > 1] == []


def test_training_texts_cover_the_rare_labels(training: list[dict[str, object]]) -> None:
    rows = Counter(label for row in training for label in row["labels"])  # type: ignore[attr-defined]
    assert {label: rows[label] for label, least in RARE.items() if rows[label] < least} == {}
    assert set(rows) == set(GOEMOTIONS)


def test_no_training_text_is_close_to_a_challenge(
    items: list[Item], training: list[dict[str, object]]
) -> None:
    challenges = [item.text for item in items]
    assert find_alike([str(row["text"]) for row in training], challenges, MAX_ALIKE_TO_TRAINING) == []


def test_no_two_training_texts_are_of_one_template(training: list[dict[str, object]]) -> None:
    texts = [str(row["text"]) for row in training]
    alike = [pair for pair in find_alike(texts, texts, MAX_ALIKE_TO_TRAINING) if pair[0] != pair[1]]
    assert alike == []


def test_the_check_sees_a_copy_and_counts_right() -> None:
    copy, original = "i kept  HER voicemail!", "I kept her voicemail."
    others = ["They closed the swimming pool on Sunday.", original]
    assert find_alike([copy], others, MAX_ALIKE_TO_TRAINING) == [(copy, original)]
    # 16 of 17 grams are shared, of 18 in both together.
    assert find_alike([copy], others, 16 / 18 - 1e-9) == [(copy, original)]
    assert find_alike([copy], others, 16 / 18) == []


def test_folders_hold_nothing_else() -> None:
    for folder in (DEFAULT_DATA, *AUGMENT):
        assert {path.suffix for path in Path(folder).iterdir()} == {".jsonl"}
