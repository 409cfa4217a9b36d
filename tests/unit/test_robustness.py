"""The robustness report: what is counted, that it can be repeated, what the command prints and refuses."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from nlu_models.emotion import robustness
from nlu_models.emotion.attacks import KINDS
from nlu_models.emotion.commands import attack as command
from nlu_models.emotion.data import LabelledText
from nlu_models.emotion.infer import Encoded
from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.emotion.robustness import AsWritten, lines_of, measure, open_reader, sample
from nlu_models.emotion.textfooler import WordTable
from nlu_models.errors import DataError, InputError
from tests.unit.tiny_weights import make_weights

ANGER, GRATITUDE, JOY = (GOEMOTIONS.index(label) for label in ("anger", "gratitude", "joy"))
ROWS = [
    LabelledText("I am so furious today", (ANGER,)),
    LabelledText("you grateful friend", (GRATITUDE,)),
    LabelledText("so furious my boss", (ANGER, JOY)),
    LabelledText("the cat and the deadline", (JOY,)),
]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_weights(tmp_path_factory.mktemp("robustness") / "weights")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "goemotions"
    folder.mkdir()
    (folder / "labels.txt").write_text("\n".join(GOEMOTIONS) + "\n", encoding="utf-8")
    lines = [f"{row.text}\t{','.join(map(str, row.label_ids))}\tid{place}" for place, row in enumerate(ROWS)]
    (folder / "dev.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


class Confused:
    """Reads as an encoder does, but "furious" in other letters as joy."""

    def __init__(self, weights: Path) -> None:
        self._encoder = AsWritten(weights)
        self.config = self._encoder.config

    def encode(self, texts: Sequence[str]) -> Encoded:
        encoded = self._encoder.encode(texts)
        for row, text in enumerate(texts):
            if "furious" not in text.split():
                encoded.probabilities[row] = np.eye(len(GOEMOTIONS))[JOY]
        return encoded


def test_scores_are_what_counting_by_hand_gives(weights: Path) -> None:
    report = measure(Confused(weights), ROWS, ["swap"], strength=1.0)
    # Read as anger, joy, anger, joy: the second is wrong. Of the labels there, anger has F1 1, joy 1 of 2
    # found and 1 of 2 said right, gratitude none.
    assert report["clean"]["top_label_accuracy"] == 0.75
    assert report["clean"]["macro_f1"] == pytest.approx((1.0 + 0.5 + 0.0) / 3, abs=1e-4)
    # With every word misspelt all are joy: right for the last two, as before for the second and the last.
    noisy = report["noise"]["swap"]
    assert (noisy["top_label_accuracy"], noisy["same_label"], noisy["same_sentiment"]) == (0.5, 0.5, 0.5)


def test_it_can_be_repeated_and_kinds_do_not_change_each_other(weights: Path) -> None:
    reader = AsWritten(weights)
    alone = measure(reader, ROWS, ["leet"], seed=3)
    among = measure(reader, ROWS, ["swap", "leet", "case"], seed=3)
    assert alone["noise"]["leet"] == among["noise"]["leet"]
    assert measure(reader, ROWS, KINDS, seed=3) == measure(reader, ROWS, KINDS, seed=3)


def test_case_is_nothing_to_an_uncased_reader(weights: Path) -> None:
    noise = measure(AsWritten(weights), ROWS, ["case"], strength=1.0)["noise"]["case"]
    assert (noise["same_label"], noise["same_sentiment"]) == (1.0, 1.0)


def test_replaced_words_are_reported_of_the_texts_read_rightly(weights: Path) -> None:
    words = measure(AsWritten(weights), ROWS, [], table=WordTable.load(weights), word_rows=3)["words"]
    assert (words["texts"], words["attacked"], words["accuracy_before"]) == (3, 3, 1.0)
    assert words["accuracy_after"] == pytest.approx(1.0 - words["success_rate"], abs=1e-3)


def test_nothing_read_rightly_leaves_no_rate_to_divide(weights: Path) -> None:
    rows = [LabelledText("the cat", (JOY,))]
    words = measure(AsWritten(weights), rows, [], table=WordTable.load(weights), word_rows=1)["words"]
    assert (words["attacked"], words["success_rate"], words["mean_words_changed"]) == (0, 0.0, 0.0)


def test_a_sample_is_the_same_for_a_seed(corpus: Path) -> None:
    assert sample(corpus, 2, 1) == sample(corpus, 2, 1)
    assert len(sample(corpus, 2, 1)) == 2
    assert sample(corpus, 99, 1) == ROWS


def test_bad_requests_are_refused(weights: Path, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="rows is 0"):
        sample(corpus, 0, 0)
    with pytest.raises(DataError, match="is missing"):
        sample(tmp_path / "nowhere", 5, 0)
    with pytest.raises(InputError, match="'typos' is unknown"):
        measure(AsWritten(weights), ROWS, ["typos"])


def test_without_normalizing_a_disguise_reads_differently(weights: Path) -> None:
    reader = open_reader(weights, normalizing=False)
    plain, disguised = reader.encode(["I am furious", "I am furіоus"]).probabilities
    assert plain[ANGER] > 0.5 > disguised[ANGER]


def test_with_normalizing_a_disguise_reads_as_what_it_hides(weights: Path) -> None:
    plain, disguised = open_reader(weights).encode(["I am furious", "I am furіоus"]).probabilities
    assert plain.tolist() == disguised.tolist()


def test_the_table_names_every_kind(weights: Path) -> None:
    report = measure(AsWritten(weights), ROWS, table=WordTable.load(weights), word_rows=2)
    text = "\n".join(lines_of(report))
    assert all(kind in text for kind in (*KINDS, "as written", "words replaced in 2 texts"))


def options(weights: Path, corpus: Path, *more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["attack", "--weights", str(weights), "--goemotions", str(corpus), *more])


def test_the_command_prints_json_for_metrics(
    weights: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = options(
        weights, corpus, "--json", "--kinds", "swap", "leet", "--word-rows", "2", "--no-normalizing"
    )
    assert given.execute(given) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert list(report) == ["model", "normalizing", "texts", "seed", "strength", "clean", "noise", "words"]
    assert (report["model"], report["normalizing"], list(report["noise"])) == (
        "tiny@0",
        False,
        ["swap", "leet"],
    )
    assert "swap" in printed.err


def test_the_command_prints_a_table(weights: Path, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = options(weights, corpus, "--kinds", "swap", "--word-rows", "0")
    assert given.execute(given) == 0
    out = capsys.readouterr().out
    assert out.startswith("tiny@0\n")
    assert "words replaced" not in out


@pytest.mark.parametrize(
    "more",
    [("--kinds", "typos"), ("--strength", "2"), ("--strength", "0"), ("--rows", "-1"), ("--word-rows", "-1")],
)
def test_the_command_refuses_bad_numbers(weights: Path, corpus: Path, more: tuple[str, ...]) -> None:
    given = options(weights, corpus, *more)
    with pytest.raises(InputError):
        given.execute(given)


def test_a_weight_of_other_labels_is_refused(weights: Path) -> None:
    class Other(Confused):
        def __init__(self) -> None:
            super().__init__(weights)
            object.__setattr__(self.config, "labels", GOEMOTIONS[:7])

    with pytest.raises(InputError, match="7 labels that are not GoEmotions' 28"):
        measure(Other(), ROWS, ["swap"])


def test_its_name_for_words_is_no_kind_of_noise() -> None:
    assert robustness.WORDS not in KINDS
