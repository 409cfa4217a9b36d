"""The options that `train` and `distil` share, and how both end."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlu_models.emotion.arguments import DataPaths, TrainingArguments
from nlu_models.errors import InputError

if TYPE_CHECKING:
    from nlu_models.emotion.teachers import Teaching

INTERRUPTED = 128  # plus the signal's number
PATHS = {
    "data": "your own texts: a CSV, TSV or JSONL with text and labels (or label), or a folder of such files",
    "labels": "file with one label on each line; by default those of the data, sorted",
    "dev": "file like --data that measures each epoch; by default a share of --data is held out",
    "goemotions": "folder of GoEmotions",
    "emobank": "folder of EmoBank, for valence, arousal and dominance",
    "clinc": "folder of CLINC150, texts that keep the embedding general",
    "unlabelled": "texts without labels, one on each line or in a column text",
}
OWN_GROUPS = ("data", "run")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds where data comes from, where the run goes, and every training setting."""
    texts = parser.add_argument_group("data")
    for name, text in PATHS.items():
        texts.add_argument(f"--{name}", type=Path, metavar="PATH", help=text)
    run = parser.add_argument_group("run")
    run.add_argument("--output", type=Path, metavar="RUN", help="run folder to write")
    run.add_argument("--resume", type=Path, metavar="RUN", help="go on with a run that was interrupted")
    run.add_argument(
        "--state-steps", type=int, default=500, metavar="N", help="save the state every N steps (%(default)s)"
    )
    run.add_argument("--cpu", action="store_true", help="use the CPU even where there is a GPU")
    run.add_argument("--json", action="store_true", help="print the whole report as JSON")
    settings = parser.add_argument_group("settings", "Defaults are the best known recipe for a CPU.")
    for field in dataclasses.fields(TrainingArguments):
        known = field.metadata
        values = ", ".join(known["choices"]) + "; " if "choices" in known else ""
        if "low" in known:
            values = f"{known['low']:g} to {known['high']:g}; "
        settings.add_argument(
            "--" + field.name.replace("_", "-"),
            type=type(field.default),
            metavar={int: "N", float: "X", str: "WORD"}[type(field.default)],
            help=f"{known['help']} ({values}{field.default!s:.40})".replace("%", "%%"),
        )


def settings_of(options: argparse.Namespace) -> TrainingArguments:
    """The settings that were given, over the defaults.

    Raises:
        InputError: a value can't be used.
    """
    names = [field.name for field in dataclasses.fields(TrainingArguments)]
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return TrainingArguments(**given)


def paths_of(options: argparse.Namespace) -> DataPaths:
    """Where the data comes from.

    Raises:
        InputError: nothing to train on was given.
    """
    return DataPaths(**{name: getattr(options, name) for name in PATHS})


def check_run(options: argparse.Namespace) -> None:
    """Refuses what doesn't go together.

    Raises:
        InputError: neither or both of --output and --resume, or a new setting for an old run.
    """
    if (options.output is None) == (options.resume is None):
        raise InputError("give --output RUN for a new run, or --resume RUN to go on with one")
    if options.state_steps < 1:
        raise InputError(f"--state-steps is {options.state_steps}, expected at least 1")
    if options.resume is not None:
        names = [*PATHS, *(field.name for field in dataclasses.fields(TrainingArguments))]
        names += ["teachers", "teacher_weights", "logits"]
        extra = [name for name in names if getattr(options, name, None) is not None]
        if extra:
            raise InputError(
                f"--resume takes everything from the run; leave out --{extra[0].replace('_', '-')}"
            )


def execute_training(options: argparse.Namespace) -> int:
    """Trains or resumes what the options ask for; returns the exit status.

    Raises:
        InputError: options don't go together.
        NluModelError: what training raises, except an interruption.
    """
    check_run(options)
    if options.resume is not None:
        from nlu_models.emotion.train import resume

        return finish(options, lambda: resume(options.resume, options.cpu, options.state_steps))
    arguments, paths = settings_of(options), paths_of(options)
    from nlu_models.emotion.train import train

    return finish(
        options,
        lambda: train(
            arguments,
            paths,
            options.output,
            _teaching(options),
            cpu=options.cpu,
            command=sys.argv,
            state_steps=options.state_steps,
        ),
    )


def _teaching(options: argparse.Namespace) -> Teaching | None:
    """Who teaches, for the command that has teachers."""
    if not hasattr(options, "teachers"):
        return None
    from nlu_models.emotion.teachers import Teaching

    return Teaching(tuple(options.teachers or ()), tuple(options.teacher_weights or ()), options.logits)


def finish(options: argparse.Namespace, work: Callable[[], dict[str, Any]]) -> int:
    """Does the work, prints its report, and returns the exit status.

    Raises:
        NluModelError: what the work raises, except an interruption.
    """
    # A fork after the tokenizer's threads have started would warn; nothing here forks on purpose.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    from nlu_models.emotion.trainer import InterruptedRun

    try:
        report = work()
    except InterruptedRun as error:
        print(f"attune emotion {options.emotion_command}: {error}", file=sys.stderr)
        return INTERRUPTED + error.signal_number
    except KeyboardInterrupt:
        run = options.output or options.resume
        print(f"\ninterrupted; go on with: attune emotion train --resume {run}", file=sys.stderr)
        return INTERRUPTED + signal.SIGINT
    if int(os.environ.get("RANK", "0")) == 0:
        shown = report if options.json else report["best"]
        print(json.dumps(shown, indent=1))
    return 0
