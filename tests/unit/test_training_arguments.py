"""Settings are checked where they are made, and whatever is wrong is quoted."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nlu_models.emotion.arguments import DataPaths, TrainingArguments
from nlu_models.errors import InputError


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("epochs", 0, "epochs is 0, expected 1 to 1000"),
        ("learning_rate", float("nan"), "learning_rate is nan"),
        ("dropout", 0.95, "dropout is 0.95, expected 0 to 0.9"),
        ("schedule", "stairs", "'stairs', expected one of linear, cosine, constant"),
        ("batch_size", "32", "batch_size is '32', expected int"),
        ("batch_size", True, "batch_size is True, expected int"),
        ("frozen_layers", -2, "frozen_layers is -2"),
    ],
)
def test_a_bad_value_is_quoted_with_what_was_expected(name: str, value: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        TrainingArguments(**{name: value})


def test_what_excludes_each_other_is_refused() -> None:
    with pytest.raises(InputError, match="choose one"):
        TrainingArguments(ema_decay=0.99, averaged_share=0.5)
    with pytest.raises(InputError, match="frozen_layers"):
        TrainingArguments(lora_rank=4, frozen_layers=2)


def test_arguments_survive_json_and_strange_ones_are_refused() -> None:
    arguments = TrainingArguments(epochs=2, loss="focal")
    assert TrainingArguments.from_json(dataclasses.asdict(arguments)) == arguments
    with pytest.raises(InputError, match="unknown training settings speed"):
        TrainingArguments.from_json({"speed": 1})


def test_paths_are_kept_absolute_and_something_must_be_trained_on(tmp_path: Path) -> None:
    paths = DataPaths(data=Path("mine.csv"))
    assert paths.to_json() == {"data": str(Path("mine.csv").absolute())}
    assert DataPaths.from_json(paths.to_json()).data == Path("mine.csv").absolute()
    with pytest.raises(InputError, match="nothing to train on"):
        DataPaths(emobank=tmp_path)


def test_every_setting_explains_itself() -> None:
    for field in dataclasses.fields(TrainingArguments):
        assert field.metadata["help"], field.name


@pytest.mark.parametrize("command", ["train", "distil", "average"])
def test_the_commands_are_built_without_anything_heavy(command: str) -> None:
    code = (
        f"import sys, nlu_models.emotion.commands.{command}; "
        "print([name for name in ('torch', 'transformers', 'numpy', 'accelerate') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "--data", "x.csv"], "--output RUN"),
        (["train", "--resume", "run", "--epochs", "3"], "leave out --epochs"),
        (["train", "--output", "run"], "nothing to train on"),
        (["train", "--data", "x.csv", "--output", "run", "--dropout", "2"], "dropout is 2.0"),
        (["train", "--data", "x.csv", "--output", "run", "--state-steps", "0"], "--state-steps is 0"),
        (["distil", "--data", "x.csv", "--output", "run"], "--teachers RUN"),
        (
            ["distil", "--data", "x", "--output", "run", "--teachers", "a", "--logits", "b"],
            "either --teachers",
        ),
        (["average", "--runs", "one", "--output", "run"], "at least two runs"),
    ],
)
def test_bad_command_lines_end_in_one_line(
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("accelerate")
    from bot.__main__ import main

    monkeypatch.chdir(tmp_path)
    assert main(["emotion", *words]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert not list(tmp_path.iterdir())
