"""How a run came to be: what it reports of itself, and the commands that make it again."""

from __future__ import annotations

import dataclasses
from pathlib import Path, PurePosixPath
from typing import Any

from nlu_models.emotion.arguments import TrainingArguments
from nlu_models.emotion.run_folder import ARGUMENTS_FILE, METRICS_FILE, RunFolder
from nlu_models.errors import WeightError

RUNS = "runs"  # the folder that runs are named in, wherever they lie
PROJECT = Path(__file__).resolve().parents[2]
FILE_FLAGS = ("data", "labels", "dev", "unlabelled")  # files of one's own; the rest are folders
USUAL_DATA = ("goemotions", "emobank", "clinc")  # of runs from before the data was recorded


def training_report(run: Path) -> dict[str, Any]:
    """The run's `metrics.json`.

    Raises:
        WeightError: it is missing or malformed, which also means that the run didn't finish.
    """
    report = RunFolder(run).read_json(METRICS_FILE)
    arguments = report.get("arguments")
    if not isinstance(arguments, dict) or not {"max_tokens", "base"} <= set(arguments):
        raise WeightError(f"{run / METRICS_FILE} has no arguments; has the training run finished?")
    return report


def public_report(run: Path) -> dict[str, Any]:
    """The run's report without this machine's paths, for a weight folder."""
    report = {name: value for name, value in training_report(run).items() if name != "command"}
    shown: dict[str, Any] = _without_paths(report)
    return shown


def training_commands(run: Path) -> list[str]:
    """The commands that made a run, those of the runs it rests on first; data folders read as DIR."""
    report = training_report(run)
    if isinstance(known := report.get("commands"), list):
        return [str(line) for line in known]
    merged = [Path(folder) for folder in report.get("average_of", ())]
    if merged:
        names = " ".join(_named(folder) for folder in merged)
        command = f"attune emotion average --runs {names} --output {_named(run)}"
        commands = [line for folder in merged for line in _commands_before(folder)]
        return [*dict.fromkeys(commands), command]
    arguments = report["arguments"]
    usual = dataclasses.asdict(TrainingArguments())
    flags = "".join(
        f" --{name.replace('_', '-')} {_without_paths(value)}"
        for name, value in arguments.items()
        if name in usual and value != usual[name]
    )
    rests_on = [*_teachers(report), *([Path(arguments["init"]).parent] if arguments.get("init") else [])]
    before = dict.fromkeys(line for folder in rests_on for line in _commands_before(folder))
    return [*before, f"attune emotion {_action(report)}{_data_flags(run)}{flags} --output {_named(run)}"]


def _commands_before(run: Path) -> list[str]:
    """The commands of a run that another rests on; none where it is gone, which its user may want."""
    return training_commands(run) if (run / METRICS_FILE).is_file() else []


def _action(report: dict[str, Any]) -> str:
    teachers = report.get("teachers")
    if not teachers:
        return "train"
    if teachers.get("logits"):
        return f"distil --logits {Path(teachers['logits']).name}"
    shares = " ".join(f"{share:g}" for share in teachers.get("weights") or ())
    weighed = f" --teacher-weights {shares}" if shares else ""
    return "distil --teachers " + " ".join(_named(run) for run in _teachers(report)) + weighed


def _teachers(report: dict[str, Any]) -> list[Path]:
    return [Path(name) for name in (report.get("teachers") or {}).get("runs", ())]


def _data_flags(run: Path) -> str:
    folder = RunFolder(run)
    given: dict[str, str] = dict.fromkeys(USUAL_DATA, "")
    if folder.file(ARGUMENTS_FILE).is_file():
        given = folder.read_json(ARGUMENTS_FILE).get("data", {})
    return "".join(f" --{name} {_data_name(name, Path(path))}" for name, path in given.items())


def _data_name(flag: str, path: Path) -> str:
    """Where data that comes with the project lies; of other data, only what kind of thing it is."""
    if path.is_absolute() and PROJECT in path.parents:
        return path.relative_to(PROJECT).as_posix()
    return "FILE" if flag in FILE_FLAGS else "DIR"


def _named(run: Path) -> str:
    return f"{RUNS}/{run.name}"


def _without_paths(value: Any) -> Any:
    """The value with each absolute path cut to what follows the folder of runs, or to its last part."""
    if isinstance(value, dict):
        return {name: _without_paths(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_paths(part) for part in value]
    if isinstance(value, str) and PurePosixPath(value).is_absolute():
        parts = PurePosixPath(value).parts
        return "/".join(parts[parts.index(RUNS) :]) if RUNS in parts else parts[-1]
    return value
