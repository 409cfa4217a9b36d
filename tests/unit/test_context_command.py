"""`attune emotion context`, from labelled conversations to a weight folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.__main__ import main
from bot.cli._emotion_context import load_model
from bot.core.settings import ROOT
from nlu_models.emotion.context.weights import read_config, write_folder
from nlu_models.errors import InputError, WeightError

from .tiny_weights import make_weights

FELT = {
    "furious": {"label": "anger", "accept": [], "ekman": "anger", "valence": -0.75},
    "grateful": {"label": "gratitude", "accept": ["joy"], "ekman": "joy", "valence": 0.5},
}


def conversation(author: str, number: int) -> dict[str, Any]:
    word = ("furious", "grateful")[number % 2]
    turns = [
        {"who": "person", "text": f"I am so {word}", "gap_s": 0, "emotion": FELT[word]},
        {"who": "bot", "text": "What happened?", "gap_s": 2, "strategy": "question"},
        {"who": "person", "text": "ok.", "gap_s": 9, "emotion": FELT[word]},
    ]
    split = "held_out" if author == "b" else "train"
    return {"id": f"{author}-{number}", "topic": f"topic {number % 3}", "split": split, "turns": turns}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "conversations"
    folder.mkdir()
    for author, count in (("a", 12), ("b", 4)):
        lines = [json.dumps(conversation(author, number)) + "\n" for number in range(count)]
        (folder / f"{author}-mixed.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def arguments(action: str, data: Path, tmp_path: Path, *more: str) -> list[str]:
    weights = make_weights(tmp_path / "tiny")
    return ["emotion", "context", action, "--conversations", str(data), "--weights", str(weights), *more]


def test_a_fit_writes_a_weight_that_is_better_than_the_words_alone(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "context"
    assert main(arguments("fit", data, tmp_path, "--output", str(output), "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["held_out"]["ambiguous"]["ahead"]["alone"]["ekman_accuracy"]["value"] > 0.4
    assert report["data"]["parts"]["held_out"] == {"conversations": 4, "turns": 8, "authors": "b"}
    assert load_model(output).model == "context-en@1.0.0"
    assert json.loads((output / "metrics.json").read_text(encoding="utf-8")) == report
    assert "better than the turn alone" in (output / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["context", "conversations", "tiny"]

    again = arguments("evaluate", data, tmp_path, "--context", str(output), "--json", "--errors")
    assert main(again) == 0
    assert json.loads(capsys.readouterr().out)["held_out"] == report["held_out"]


def test_measures_are_printed_as_a_table(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments("fit", data, tmp_path, "--output", str(tmp_path / "context"))) == 0
    printed = capsys.readouterr()
    assert "context over smoothed" in printed.out
    assert "written in" in printed.err


def test_without_held_out_conversations_there_is_a_weight_but_no_measure(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "b-mixed.jsonl").unlink()
    output = tmp_path / "context"
    assert main(arguments("fit", data, tmp_path, "--output", str(output), "--json")) == 0
    assert "held_out" not in json.loads(capsys.readouterr().out)
    assert main(arguments("evaluate", data, tmp_path, "--context", str(output))) == 2
    assert "no conversation with the split 'held_out'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--signs-penalty", "0"), "penalty signs is 0"),
        (("--conversations", "/nowhere"), "/nowhere holds no conversations"),
        (("--weights", "/nowhere"), "/nowhere"),
    ],
)
def test_bad_input_ends_with_one_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], named: str
) -> None:
    output = tmp_path / "context"
    assert main([*arguments("fit", data, tmp_path, "--output", str(output)), *more]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert named in lines[0]
    assert not output.exists()


@pytest.mark.parametrize(
    ("text", "named"),
    [("{", "not JSON"), ("[]", "format None"), ('{"format": 99}', "format 99"), ('{"format": 1}', "name")],
)
def test_a_damaged_weight_is_refused(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(WeightError, match=named):
        load_model(tmp_path)
    with pytest.raises(WeightError, match="can't be read"):
        load_model(tmp_path / "nowhere")


def test_a_folder_that_can_not_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    metrics = {"data": {"parts": {}, "sha256": ""}, "reader": ""}
    with pytest.raises(InputError, match="can't be written"):
        write_folder(tmp_path / "file" / "context", {"name": "c", "version": "1"}, metrics)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_shipped_weight_fits_this_code_and_beats_the_words_alone() -> None:
    folder = ROOT / "nlu_models" / "weights" / "context-en"
    assert load_model(folder).groups["anger"] == ("anger", "annoyance", "disapproval")
    assert read_config(folder)["format"] == 1
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    ahead = metrics["held_out"]["all"]["ahead"]
    for baseline in ("alone", "smoothed"):
        assert ahead[baseline]["accuracy"]["low"] > 0.0
        assert ahead[baseline]["ekman_accuracy"]["low"] > 0.0
