"""Writes what was learnt as a run folder, whole or not at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nlu_models.emotion.learn.finetune import LearningArguments, Lesson
from nlu_models.emotion.learn.start import Start
from nlu_models.emotion.provenance import RUNS
from nlu_models.emotion.run_folder import ARGUMENTS_FILE, METRICS_FILE, RunFolder
from nlu_models.emotion.whole_folders import put_in_place, scratch_beside
from nlu_models.errors import InputError


def check_output(output: Path) -> None:
    """Refuses a place where a run can't be written, before any work is done.

    Raises:
        InputError: something is there already, or its folder is missing.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output} is there already; name another folder")
    if not output.parent.is_dir():
        raise InputError(f"{output.parent} is no folder to write {output.name} into")


def write_run(
    output: Path,
    start: Start,
    lesson: Lesson,
    arguments: LearningArguments,
    other_flags: Sequence[str] = (),
) -> dict[str, Any]:
    """Writes the run folder.

    Its `metrics.json` is the start's, with the commands that made both instead of what the start was averaged
    from, and with what was learnt.

    Args:
        output: of the run.
        start: what was trained on.
        lesson: what came of it.
        arguments: how.
        other_flags: of the command line, besides the start, the settings and the folders.

    Returns:
        What `metrics.json` says was learnt.

    Raises:
        NluModelError: it can't be written.
    """
    learnt = {
        "from": start.name,
        "corrections": lesson.trained_on,
        "held_out": lesson.held_out,
        "replayed": lesson.replayed,
        "share": lesson.share,
        "arguments": dataclasses.asdict(arguments),
        "checks": describe(lesson.checks),
    }
    earlier = [*start.report.get("learnt", ()), learnt]
    report = {name: value for name, value in start.report.items() if name != "average_of"}
    report |= {
        "labels": list(start.labels),
        "commands": [*start.commands, _command(output, start, arguments, other_flags)],
        "learnt": earlier,
    }
    with scratch_beside(output) as scratch:
        run = RunFolder(scratch / "run")
        run.path.mkdir()
        run.save_tokenizer(start.tokenizer)
        run.write_labels(start.labels)
        if start.asked is not None:
            run.write_json(ARGUMENTS_FILE, start.asked)
        run.save_model(dataclasses.asdict(start.model.config), lesson.model.state_dict())
        run.write_json(METRICS_FILE, report)
        put_in_place(run.path, output, scratch)
    return learnt


def describe(checks: Sequence[Any]) -> list[dict[str, Any]]:
    """The guard's checks, as JSON."""
    return [
        {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in dataclasses.asdict(check).items()
        }
        for check in checks
    ]


def _command(output: Path, start: Start, arguments: LearningArguments, other_flags: Sequence[str]) -> str:
    """The command that makes the run again; the folder of GoEmotions reads as DIR."""
    usual = dataclasses.asdict(LearningArguments())
    settings = [
        f"--{name.replace('_', '-')} {value}"
        for name, value in dataclasses.asdict(arguments).items()
        if value != usual[name]
    ]
    words = [
        start.flag,
        "--goemotions DIR",
        *other_flags,
        *settings,
        f"--output {RUNS}/{output.resolve().name}",
    ]
    return f"attune emotion learn train {' '.join(words)}"
