"""Choosing what to ask, reading what was said, and refusing a worse model: the pure parts of learning."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.emotion.learn import guard
from nlu_models.emotion.learn.guard import Read, calibration_error_by_draws, compare, macro_f1_by_draws
from nlu_models.emotion.learn.rows import MAX_TEXT_CHARS, read_rows
from nlu_models.emotion.learn.said import feelings_said
from nlu_models.emotion.learn.selection import Doubt, choose, doubt_of
from nlu_models.emotion.metrics import macro_f1
from nlu_models.emotion.suggest import pick
from nlu_models.errors import DataError, InputError


def unit(rows: list[list[float]]) -> np.ndarray:
    found = np.array(rows, dtype=np.float64)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def doubt(uncertainty: float) -> Doubt:
    return Doubt(uncertainty, 1.0 - uncertainty, (), False)


class TestChoosing:
    """What to ask about next."""

    def test_the_most_uncertain_comes_first_and_its_neighbours_later(self) -> None:
        embeddings = unit([[1, 0], [0.9, 0.3], [0, 1], [-1, 0.1]])
        doubts = [doubt(value) for value in (0.9, 0.8, 0.5, 0.05)]
        picks = choose(["a", "b", "c", "d"], embeddings, doubts, 3)
        assert [found.row for found in picks] == [0, 2, 3]
        assert picks[0].distance == 1.0
        assert picks[1].distance == pytest.approx(1.0)

    def test_it_is_the_greedy_product_of_doubt_and_distance(self) -> None:
        random = np.random.default_rng(0)
        embeddings = unit(random.normal(size=(40, 5)).tolist())
        weights = random.uniform(0.1, 1.0, 40)
        picks = choose([str(row) for row in range(40)], embeddings, [doubt(value) for value in weights], 12)
        chosen: list[int] = []
        for _ in range(12):
            gains = []
            for row in range(40):
                near = max((float(embeddings[row] @ embeddings[other]) for other in chosen), default=-1.0)
                is_out = row in chosen or near >= 0.97
                gains.append(-1.0 if is_out else weights[row] * min(max(1.0 - near, 0.0), 1.0))
            chosen.append(int(np.argmax(gains)))
        assert [found.row for found in picks] == chosen

    def test_what_says_the_same_is_asked_once(self) -> None:
        texts = ["I am tired", "i am TIRED!!", "tired am I", "so tired", "   "]
        embeddings = unit([[1, 0], [0.5, 0.5], [1, 0.001], [0, 1], [-1, 0]])
        picks = choose(texts, embeddings, [doubt(0.5)] * 5, 5)
        assert [found.row for found in picks] == [0, 3]

    def test_what_is_known_is_not_asked(self) -> None:
        texts = ["I am tired", "so sad", "no idea"]
        embeddings = unit([[1, 0], [0, 1], [-1, 0]])
        picks = choose(texts, embeddings, [doubt(0.5)] * 3, 3, ["I AM TIRED."], unit([[0, 1]]))
        assert [found.row for found in picks] == [2]

    def test_nothing_to_choose_from_is_no_error(self) -> None:
        assert choose([], np.zeros((0, 4)), [], 5) == []

    def test_doubt_grows_with_open_labels_low_confidence_and_abstaining(self) -> None:
        labels, thresholds = ("anger", "joy"), (0.5, 0.5)
        sure = doubt_of(np.array([0.99, 0.01]), thresholds, labels, 0.95, False)
        edge = doubt_of(np.array([0.99, 0.49]), thresholds, labels, 0.95, False)
        low = doubt_of(np.array([0.99, 0.01]), thresholds, labels, 0.40, False)
        silent = doubt_of(np.array([0.99, 0.01]), thresholds, labels, 0.40, True)
        assert sure.uncertainty < edge.uncertainty
        assert sure.uncertainty < low.uncertainty < silent.uncertainty <= 1.0
        assert edge.open_labels == ("joy",)
        assert sure.open_labels == ()


class TestGuard:
    """Refusing a worse model."""

    LABELS = ("anger", "joy", "neutral")

    def reads(self, skill: float, rows: int, seed: int = 0) -> Read:
        """Texts read by a model of some skill; the same seed gives the same texts."""
        random = np.random.default_rng(seed)
        truth = np.zeros((rows, 3), dtype=bool)
        truth[np.arange(rows), random.integers(0, 3, rows)] = True
        noise = random.normal(size=(rows, 3))
        odds = skill * (2.0 * truth - 1.0) + noise
        return Read(truth, 1.0 / (1.0 + np.exp(-odds)))

    def test_a_better_model_passes(self) -> None:
        checks = compare(
            self.reads(1.0, 600),
            self.reads(1.2, 600),
            self.reads(0.5, 40, 1),
            self.reads(1.5, 40, 1),
            self.LABELS,
        )
        assert [check.name for check in checks] == [
            "held_out_f1 (40)", "held_out_log_likelihood", "macro_f1", "calibration_error"
        ]  # fmt: skip
        assert all(check.passed for check in checks)

    def test_a_model_that_forgot_is_refused(self) -> None:
        checks = compare(
            self.reads(1.2, 600),
            self.reads(0.9, 600),
            self.reads(0.5, 40, 1),
            self.reads(1.5, 40, 1),
            self.LABELS,
        )
        failed = {check.name for check in checks if not check.passed}
        assert "macro_f1" in failed
        assert "held_out_f1 (40)" not in failed
        assert "REFUSED" in next(check.sentence() for check in checks if not check.passed)

    def test_a_model_that_learnt_nothing_good_is_refused(self) -> None:
        checks = compare(
            self.reads(1.2, 600),
            self.reads(1.2, 600),
            self.reads(1.5, 40, 1),
            self.reads(0.2, 40, 1),
            self.LABELS,
        )
        assert [check.passed for check in checks] == [False, False, True, True]

    def test_a_model_that_learnt_nothing_is_refused_for_that_alone(self) -> None:
        dev, held = self.reads(1.0, 300), self.reads(1.0, 20, 1)
        checks = compare(dev, dev, held, held, self.LABELS)
        assert [check.name for check in checks if not check.passed] == ["held_out_log_likelihood"]
        assert all((check.change, check.low) == (0.0, 0.0) for check in checks)

    def test_a_difference_that_may_be_too_large_is_refused(self) -> None:
        # On few texts the mean hardly falls, but the interval is wide.
        before, after = self.reads(1.0, 60), self.reads(1.0, 60)
        shaken = Read(
            after.truth,
            np.clip(after.probabilities + np.random.default_rng(5).normal(0, 0.2, (60, 3)), 0.01, 0.99),
        )
        held = self.reads(1.0, 20, 1)
        checks = compare(
            before, shaken, held, held, self.LABELS, {"macro_f1": 1e-6, "calibration_error": 1.0}
        )
        assert not next(check for check in checks if check.name == "macro_f1").passed

    def test_ekmans_groups_are_checked_where_labels_have_them(self) -> None:
        random = np.random.default_rng(2)
        truth = np.zeros((400, 28), dtype=bool)
        truth[np.arange(400), random.integers(0, 28, 400)] = True
        dev = Read(truth, np.clip(0.1 + 0.6 * truth + random.uniform(0, 0.2, truth.shape), 0.0, 1.0))
        held = Read(truth[:10], dev.probabilities[:10])
        names = [check.name for check in compare(dev, dev, held, held, GOEMOTIONS)]
        assert "ekman_macro_f1" in names

    def test_too_few_or_different_texts_are_refused(self) -> None:
        dev, held = self.reads(1.0, 50), self.reads(1.0, 3, 1)
        with pytest.raises(InputError, match="3 corrections are held out"):
            compare(dev, dev, held, held, self.LABELS)
        with pytest.raises(InputError, match="same texts"):
            compare(dev, self.reads(1.0, 50, 9), dev, dev, self.LABELS)

    def test_measures_by_draws_are_those_of_the_drawn_rows(self) -> None:
        read = self.reads(0.7, 30)
        decided = read.probabilities >= 0.5
        chosen = np.random.default_rng(3).integers(0, 30, size=(4, 30))
        weights = np.stack([np.bincount(row, minlength=30) for row in chosen]).astype(np.float32)
        f1 = [macro_f1(read.truth[row], decided[row]) for row in chosen]
        assert macro_f1_by_draws(weights, read.truth, decided) == pytest.approx(f1)
        errors = [naive_calibration_error(read.truth[row], read.probabilities[row]) for row in chosen]
        assert calibration_error_by_draws(weights, read.truth, read.probabilities) == pytest.approx(errors)


def naive_calibration_error(truth: np.ndarray, probabilities: np.ndarray) -> float:
    total = 0.0
    for place in range(guard.BINS):
        low, high = place / guard.BINS, (place + 1) / guard.BINS
        inside = (probabilities >= low) & ((probabilities < high) | (place == guard.BINS - 1))
        if inside.any():
            total += inside.sum() * abs(probabilities[inside].mean() - truth[inside].mean())
    return total / probabilities.size


class TestRows:
    """Corrections from a file."""

    def write(self, folder: Path, rows: list[object], name: str = "rows.jsonl") -> Path:
        path = folder / name
        path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
        return path

    def test_what_propose_wrote_can_be_filled_in_bit_by_bit(self, tmp_path: Path) -> None:
        path = self.write(
            tmp_path,
            [
                {"text": "a", "labels": ["Anger", "anger"], "turn_id": 7, "read": {}, "why": {}},
                "",
                {"text": "b", "labels": []},
                {"text": "c", "labels": "joy; love", "note": "sure"},
            ],
        )
        rows, left = read_rows(path, GOEMOTIONS)
        assert [(row.text, row.labels, row.line, row.turn_id, row.note) for row in rows] == [
            ("a", ("anger",), 1, 7, None),
            ("c", ("joy", "love"), 4, None, "sure"),
        ]
        assert left == 1

    def test_what_no_agent_stands_by_is_left_out(self, tmp_path: Path) -> None:
        rows = [
            {"text": status, "labels": ["joy"], "status": status}
            for status in ("proposed", "new", "used", "rejected")
        ]
        found, left = read_rows(self.write(tmp_path, list(rows)), GOEMOTIONS)
        assert ([row.text for row in found], left) == (["new", "used"], 2)

    def test_csv_is_read_too(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, ["text,labels,turn_id", '"a, b",joy|love,', "c,,"], "rows.csv")
        rows, left = read_rows(path, GOEMOTIONS)
        assert [(row.text, row.labels, row.line) for row in rows] == [("a, b", ("joy", "love"), 2)]
        assert left == 1

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ("{", "not JSON"),
            ("[1]", "expected an object"),
            ({"text": "a"}, "there is no 'labels'"),
            ({"labels": ["joy"]}, "there is no 'text'"),
            ({"text": "a", "labels": ["joyy"]}, "did you mean joy"),
            ({"text": "a", "labels": ["zzz"]}, "expected one of admiration"),
            ({"text": "a", "labels": 5}, "expected a list of names"),
            ({"text": " ", "labels": ["joy"]}, "the text is empty"),
            ({"text": 5, "labels": ["joy"]}, "the text is int"),
            ({"text": "a\u0000b", "labels": ["joy"]}, "binary"),
            ({"text": "x" * (MAX_TEXT_CHARS + 1), "labels": ["joy"]}, "10,001 characters"),
            ({"text": "a", "labels": ["joy"], "turn_id": -1}, "turn_id is -1"),
            ({"text": "a", "labels": ["joy"], "turn_id": True}, "turn_id is True"),
            ({"text": "a", "labels": ["joy"], "note": 5}, "note"),
        ],
    )
    def test_a_bad_row_is_named_with_its_line_and_nothing_is_taken_over(
        self, tmp_path: Path, row: object, reason: str
    ) -> None:
        path = self.write(tmp_path, [{"text": "good", "labels": ["joy"]}, row])
        with pytest.raises(DataError, match=r"rows\.jsonl:2: ") as caught:
            read_rows(path, GOEMOTIONS)
        assert reason in str(caught.value)
        assert "nothing was taken over" in str(caught.value)

    def test_only_the_first_errors_are_told(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, ["{"] * 50)
        with pytest.raises(DataError) as caught:
            read_rows(path, GOEMOTIONS)
        assert str(caught.value).count("not JSON") == 5

    @pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfea\x00", b'{"text": "\xff", "labels": []}'])
    def test_an_unusable_file_is_named(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "rows.jsonl"
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"rows\.jsonl"):
            read_rows(path, GOEMOTIONS)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="can't be read"):
            read_rows(tmp_path / "no.jsonl", GOEMOTIONS)


@pytest.mark.parametrize(
    ("said", "labels"),
    [
        ("I'm not angry, I'm just hurt", ("sadness",)),
        ("no no, I'm not angry at all", ()),
        ("that is not how I feel", ()),
        ("more worried than sad", ("nervousness",)),
        ("I'd say excited, not nervous", ("excitement",)),
        ("anxious isn't the word", ()),
        ("why do you think I'm afraid?", ()),
        ("im not sad, im ashamed and angry", ("embarrassment", "anger")),
        ("I am not unhappy", ()),
        ("我没有生气，我是失望", ("disappointment",)),
        ("我不难过", ()),
        ("我不高兴", ("sadness",)),
        ("", ()),
    ],
)
def test_what_a_person_says_they_feel(said: str, labels: tuple[str, ...]) -> None:
    assert feelings_said(said, GOEMOTIONS) == labels


def test_only_known_labels_are_proposed() -> None:
    assert feelings_said("I'm furious and happy", ("joy",)) == ("joy",)


def test_a_name_is_found_whatever_its_case_and_suggested_when_mistyped() -> None:
    assert pick(" ANGER ", GOEMOTIONS, "label") == "anger"
    with pytest.raises(InputError, match="did you mean gratitude"):
        pick("gratitud", GOEMOTIONS, "label")
