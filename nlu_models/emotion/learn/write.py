"""Writes what was learnt as a run folder, whole or not at all."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nlu_models.emotion.learn.finetune import LearningArguments, Lesson
from nlu_models.emotion.learn.start import Start
from nlu_models.emotion.run_folder import METRICS_FILE, TOKENIZER_FOLDER, RunFolder
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


def write_run(output: Path, start: Start, lesson: Lesson, arguments: LearningArguments) -> dict[str, Any]:
    """Writes the run folder.

    Args:
        output: of the run.
        start: what was trained on.
        lesson: what came of it.
        arguments: how.

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
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as scratch:
            run = RunFolder(Path(scratch) / "run")
            run.path.mkdir()
            start.tokenizer.save_pretrained(str(run.file(TOKENIZER_FOLDER)))
            run.write_labels(start.labels)
            run.save_model(dataclasses.asdict(start.model.config), lesson.model.state_dict())
            run.write_json(METRICS_FILE, {**start.report, "labels": list(start.labels), "learnt": earlier})
            if output.is_dir():
                output.rmdir()
            shutil.move(str(run.path), str(output))
    except OSError as error:
        raise InputError(f"{output} can't be written: {error.strerror or error}") from error
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
