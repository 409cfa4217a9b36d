"""A weight is measured, reported, calibrated and compared by the commands; no text gets out."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.cli import emotion
from nlu_models.emotion import recalibration
from nlu_models.emotion.card import make_card, write_card
from nlu_models.emotion.evaluate import evaluate, label_measures
from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.emotion.report import make_report
from nlu_models.emotion.weights import CARD_FILE, CONFIG_FILE, METRICS_FILE, MODEL_FILE, WeightConfig
from tests.unit.tiny_weights import WORDS, make_weights

ROWS = 260
MARKER = "zebra"  # in every text; must never be in what is written


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GoEmotions and EmoBank dev splits in one folder, and a table of one's own; "furious" is anger."""
    folder = tmp_path_factory.mktemp("corpora")
    random = np.random.default_rng(1)
    (folder / "labels.txt").write_text("\n".join(GOEMOTIONS), encoding="utf-8")
    rows, table, axes = [], ["text,labels"], ["id,V,A,D,text"]
    for index in range(ROWS):
        words = [*random.choice(WORDS[2:], size=random.integers(2, 9)), MARKER]
        label = "anger" if "furious" in words else "gratitude" if "grateful" in words else "neutral"
        if random.random() < 0.1:
            label = str(random.choice(GOEMOTIONS))
        rows.append(f"{' '.join(words)}\t{GOEMOTIONS.index(label)}\tid{index}")
        table.append(f"{' '.join(words)},{'urgent' if label == 'anger' else 'calm'}")
        axes.append(f"{index},{random.uniform(1, 5):.2f},3.1,{random.uniform(2, 4):.2f},{' '.join(words)}")
    (folder / "dev.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "dev.csv").write_text("\n".join(axes) + "\n", encoding="utf-8")
    (folder / "own.csv").write_text("\n".join(table) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return make_weights(tmp_path / "weights")


def run(*words: object) -> int:
    """The exit status of `attune emotion ...`."""
    parser = argparse.ArgumentParser()
    emotion.add_parser(parser.add_subparsers())
    return emotion.run(parser.parse_args(["emotion", *map(str, words)]))


def test_everything_is_measured(weights: Path, corpora: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = weights.parent / "report.html"
    status = run(
        "evaluate", "--weights", weights, "--goemotions", corpora, "--emobank", corpora,
        "--repeats", 2, "--json", "--html", page,
    )  # fmt: skip
    report = json.loads(capsys.readouterr().out)
    assert status == 0
    assert set(report["labels"]) == set(GOEMOTIONS)
    assert set(report["averages"]) == {"macro", "micro", "weighted"}
    assert {"ece", "adaptive_ece", "brier"} <= set(report["calibration"])
    assert {"macro_f1", "ekman_macro_f1", "sentiment_macro_f1", "aurc", "ece"} <= set(report["crossfit"])
    assert {"r_valence", "r_arousal", "r_dominance"} == set(report["axes"])
    assert report["labels"]["anger"]["f1"] > 0.5
    assert report["macro_f1_crossfit"] == report["crossfit"]["macro_f1"]
    assert {"single_median_ms", "single_p95_ms", "batch_texts_per_s"} <= set(report["speed"])
    assert report["bytes"] == (weights / MODEL_FILE).stat().st_size
    for matrix in report["figures"]["confusion"].values():
        sums = np.array(matrix["rows"]).sum(axis=1)
        assert ((np.abs(sums - 1.0) < 1e-2) | (sums == 0.0)).all()
    assert report["figures"]["risk_coverage"]["coverage"][-1] == 1.0
    written = page.read_text(encoding="utf-8")
    assert MARKER not in json.dumps(report) + written
    assert "$" not in written


def test_the_report_loads_nothing(weights: Path, corpora: Path) -> None:
    page = make_report(evaluate(weights, corpora, corpora, repeats=1))
    for outside in ("http:", "https:", "src=", "@import", "url(", "<script", "<link"):
        assert outside not in page
    assert page.count("<svg") == page.count('role="img" aria-label=')
    for section in ("labels", "thresholds", "calibration", "abstention", "confusion", "axes"):
        assert f'href="#{section}"' in page
        assert f'<h2 id="{section}">' in page
    assert page.count("<table>") == page.count("<caption>")
    assert "prefers-color-scheme: dark" in page


def test_names_in_the_report_are_escaped(weights: Path, corpora: Path) -> None:
    report = evaluate(weights, corpora, repeats=1)
    page = make_report({**report, "model": "<b>&", "challenge": CHALLENGE, "attacks": ATTACKS})
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp;" in page
    assert "<i>set" not in page
    assert "Under attack" in page


def test_what_other_commands_printed_goes_into_the_report(
    weights: Path, corpora: Path, tmp_path: Path
) -> None:
    challenge, attacks, page = tmp_path / "c.json", tmp_path / "a.json", tmp_path / "r.html"
    challenge.write_text(json.dumps(CHALLENGE), encoding="utf-8")
    attacks.write_text(json.dumps(ATTACKS), encoding="utf-8")
    given = ("evaluate", "--weights", weights, "--goemotions", corpora, "--repeats", 1, "--no-speed")
    assert run(*given, "--challenge-json", challenge, "--attacks-json", attacks, "--html", page) == 0
    assert "leetspeak" in page.read_text(encoding="utf-8")
    assert run(*given, "--challenge-json", attacks) == 2


def test_own_texts_with_own_labels(tmp_path: Path, corpora: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = make_weights(tmp_path / "own", labels=("urgent", "calm"))
    page = tmp_path / "own.html"
    status = run(
        "evaluate", "--weights", weights, "--data", corpora / "own.csv", "--repeats", 1, "--html", page
    )
    assert status == 0
    assert "urgent" in capsys.readouterr().out
    assert page.is_file()
    assert "ekman" not in evaluate(weights, table=corpora / "own.csv", repeats=1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--goemotions", "corpora", "--split", "test"), "test.tsv"),
        (("--data", "corpora/own.csv"), "'calm'|'urgent'"),
        (("--data", "corpora/none.csv"), "none.csv"),
        (("--goemotions", "corpora", "--html", "nowhere/r.html"), "nowhere"),
    ],
)
def test_bad_input_is_one_line(
    given: tuple[str, ...],
    said: str,
    weights: Path,
    corpora: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [str(corpora / word[8:]) if word.startswith("corpora") else word for word in given]
    assert run("evaluate", "--weights", weights, *words, "--no-speed") == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("attune emotion")]
    assert any(part.strip("'") in line for part in said.split("|"))


def test_neither_a_weight_nor_a_run(
    tmp_path: Path, corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("evaluate", "--weights", tmp_path, "--goemotions", corpora) == 2
    assert "neither a weight folder" in capsys.readouterr().err


def test_calibrating_changes_decisions_and_nothing_else(
    weights: Path, corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = (weights / MODEL_FILE).read_bytes()
    assert run("calibrate", "--weights", weights, "--goemotions", corpora, "--repeats", 1) == 0
    assert "calibration error" in capsys.readouterr().out
    config = WeightConfig.load(weights)
    assert config.calibration is not None
    assert set(config.group_thresholds) == {"ekman", "sentiment"}
    assert config.target_error == 0.33
    assert (weights / MODEL_FILE).read_bytes() == graph
    report = json.loads((weights / METRICS_FILE).read_text(encoding="utf-8"))
    again = evaluate(weights, corpora, repeats=1)
    assert again["macro_f1"] == report["int8"]["macro_f1"]
    assert again["calibration"]["ece"] == report["int8"]["calibration"]["ece"]
    assert [path.name for path in weights.parent.iterdir()] == ["weights"]


def test_calibrating_elsewhere_leaves_the_folder(weights: Path, corpora: Path) -> None:
    before = {path.name: path.read_bytes() for path in weights.iterdir()}
    output = weights.parent / "new"
    given = ("calibrate", "--weights", weights, "--goemotions", corpora, "--repeats", 1, "--output", output)
    assert run(*given, "--version", "9", "--target-error", "0.2") == 0
    assert {path.name: path.read_bytes() for path in weights.iterdir()} == before
    assert (WeightConfig.load(output).version, WeightConfig.load(output).target_error) == ("9", 0.2)
    assert run(*given) == 2


def test_what_is_published_is_of_the_setting_that_was_chosen(weights: Path, corpora: Path) -> None:
    given = ("calibrate", "--weights", weights, "--goemotions", corpora, "--repeats", 1)
    chosen = ("--target-error", "0.01", "--max-abstained")
    shares = {}
    for share in ("0", "0.5"):
        assert run(*given, *chosen, share) == 0
        assert WeightConfig.load(weights).max_abstained == float(share)
        report = json.loads((weights / METRICS_FILE).read_text(encoding="utf-8"))["int8"]
        assert evaluate(weights, corpora, repeats=1)["crossfit"] == report["crossfit"]
        shares[share] = report["crossfit"]["abstained_share"]
    assert shares["0"] < 0.05 < shares["0.5"]


def test_the_card_says_what_abstention_was_chosen_for(weights: Path, corpora: Path) -> None:
    config = replace(WeightConfig.load(weights), target_error=0.2, max_abstained=0.35)
    report = {"bytes": 1, "int8": evaluate(weights, corpora, repeats=1)}
    card = make_card(config, report)
    assert "at most 20.0% of the other labels are wrong" in card
    assert "abstaining on at most 35.0% of texts allows" in card


def test_groups_that_no_text_holds_are_left_out() -> None:
    truth = np.zeros((4, len(GOEMOTIONS)), dtype=bool)
    truth[range(4), [GOEMOTIONS.index(name) for name in ("anger", "joy", "anger", "neutral")]] = True
    config = WeightConfig(
        "tiny", "0", ("en",), GOEMOTIONS, (0.5,) * len(GOEMOTIONS), {"slope": 1.0, "intercept": 0.0},
        0.0, 24, 16,
    )  # fmt: skip
    perfect = label_measures(truth, np.where(truth, 0.9, 0.01).astype(np.float32), config, repeats=1)
    assert perfect["ekman"]["macro_f1"] == 1.0
    assert set(perfect["ekman"]["f1"]) == {"anger", "joy", "neutral"}


def test_data_that_does_not_fit_changes_nothing(weights: Path, corpora: Path, tmp_path: Path) -> None:
    before = (weights / CONFIG_FILE).read_bytes()
    few = tmp_path / "few.csv"
    few.write_text("text,labels\n" + "i am furious,anger\n" * 30, encoding="utf-8")
    assert run("calibrate", "--weights", weights, "--data", few) == 2
    assert run("calibrate", "--weights", weights, "--data", corpora / "own.csv") == 2
    assert run("calibrate", "--weights", weights, "--goemotions", corpora, "--target-error", "1.5") == 2
    assert (weights / CONFIG_FILE).read_bytes() == before


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_calibration_leaves_the_old_folder(
    weights: Path, corpora: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    before = {path.name: path.read_bytes() for path in weights.iterdir()}

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(recalibration, "_write_measures", fail)
    given = ("calibrate", "--weights", weights, "--goemotions", corpora, "--repeats", 1)
    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            run(*given)
    else:
        assert run(*given) == 2
    assert {path.name: path.read_bytes() for path in weights.iterdir()} == before
    assert [path.name for path in weights.parent.iterdir()] == ["weights"]


def test_comparing_prints_differences(
    weights: Path, corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_weights(weights.parent / "other")
    given = ("compare", weights, other, "--goemotions", corpora, "--emobank", corpora, "--repeats", 1)
    assert run(*given, "--draws", 50, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["measures"]["macro_f1"]["differences"][0]["p"] == 1.0
    assert len({row["model"] for row in report["models"]}) == 2
    assert set(report["label_differences"]) == set(GOEMOTIONS)
    assert run(*given, "--draws", 50) == 0
    assert "anger" in capsys.readouterr().out


def test_a_card_has_a_section_for_all_that_was_measured(weights: Path, corpora: Path) -> None:
    measures = evaluate(weights, corpora, repeats=1)
    report = {
        "bytes": 1_000_000,
        "int8": measures,
        "training": {"arguments": {"base": "somebody/base", "learning_rate": 2e-5}, "device": "cpu"},
        "training_commands": ["attune emotion train --goemotions DIR --output runs/a"],
        "challenge": CHALLENGE,
        "attacks": ATTACKS,
        "compression": [{"method": "int8 | dynamic", "megabytes": 24.2, "macro_f1": 0.53}],
        "tries": {"another loss": {"macro_f1": 0.5, "adopted": False}},
        "embedding": {"train": 10, "val": 10, "shipped_p_at_1": 0.5, "base_p_at_1": 0.4},
    }
    write_card(weights, WeightConfig.load(weights), report)
    card = (weights / CARD_FILE).read_text(encoding="utf-8")
    for needed in (
        "## Challenge sets", "## Under attack", "## Compression", "## What was tried", "**Embedding.**",
        "cross-fitted", "somebody/base", "| grief |", "CC BY 4.0", "int8 \\| dynamic",
        "| another loss | 0.5 | no |",
        "attune emotion export --run runs/a --goemotions DIR",
    ):  # fmt: skip
        assert needed in card
    assert "CC BY-SA" not in card  # EmoBank was not used
    assert "{" not in card


def test_the_card_credits_what_teachers_and_corrections_were_made_of(weights: Path, corpora: Path) -> None:
    report = {
        "bytes": 1,
        "int8": evaluate(weights, corpora, repeats=1),
        "training": {"learnt": [{"from": "a", "corrections": 40}]},
        "training_commands": [
            "attune emotion train --goemotions DIR --emobank DIR --output runs/teacher",
            "attune emotion distil --teachers runs/teacher --goemotions DIR --output runs/student",
        ],
    }
    card = make_card(WeightConfig.load(weights), report)
    assert "offered under CC BY-SA 4.0" in card
    assert "| their owner's |" in card
    report["training"] = {}
    assert "their owner's" not in make_card(WeightConfig.load(weights), report)


SHARE = {"count": 1, "of": 4, "share": 0.25, "low": 0.0, "high": 0.6}
CHALLENGE = {
    "model": "tiny@0",
    "sets": {
        "<i>set": {
            "dev": dict.fromkeys(
                ("right", "trapped", "ekman", "sentiment", "abstained", "committed_right"), SHARE
            )
        }
    },
}
ATTACKS = {
    "texts": 5,
    "clean": {"macro_f1": 0.5, "top_label_accuracy": 0.6, "abstained_share": 0.1},
    "noise": {
        "leetspeak": {
            "macro_f1": 0.4,
            "top_label_accuracy": 0.5,
            "abstained_share": 0.2,
            "same_label": 0.8,
            "same_sentiment": 0.9,
        }
    },
    "words": {
        "texts": 5, "accuracy_before": 0.6, "accuracy_after": 0.2, "success_rate": 0.6,
        "sentiment_success_rate": 0.3, "mean_words_changed": 1.5, "mean_words": 9.0,
    },
}  # fmt: skip
