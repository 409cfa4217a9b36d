"""Averages the weights of runs that share a base: better than either, at the cost of one.

    python -m nlu_models.emotion.average --runs runs/en runs/en2 --output runs/en-average

Uniform model soup (Wortsman et al., ICML 2022, https://arxiv.org/abs/2203.05482).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from nlu_models.errors import InputError, NluModelError, WeightError


def average(runs: list[Path], output: Path) -> None:
    """Writes a run folder whose weights are the mean of several runs'.

    Args:
        runs: at least two run folders of the same architecture.
        output: run folder to write: `model.pt`, `tokenizer/`, and the last run's `metrics.json`.

    Raises:
        InputError: fewer than two runs were given.
        WeightError: a checkpoint is missing, or the architectures differ.
    """
    if len(runs) < 2:
        raise InputError(f"an average needs at least two runs, got {len(runs)}")
    checkpoints = [_load(run / "model.pt") for run in runs]
    first = checkpoints[0]
    for run, checkpoint in zip(runs, checkpoints, strict=True):
        if checkpoint["config"] != first["config"] or checkpoint["state"].keys() != first["state"].keys():
            raise WeightError(f"{run} has another architecture than {runs[0]}")
    state = {
        name: torch.stack([checkpoint["state"][name].float() for checkpoint in checkpoints]).mean(dim=0)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in first["state"].items()
    }
    output.mkdir(parents=True, exist_ok=True)
    torch.save({"config": first["config"], "state": state}, output / "model.pt")
    shutil.copytree(runs[0] / "tokenizer", output / "tokenizer", dirs_exist_ok=True)
    report = json.loads((runs[-1] / "metrics.json").read_text(encoding="utf-8"))
    (output / "metrics.json").write_text(
        json.dumps({**report, "average_of": [str(run) for run in runs]}, indent=1) + "\n", encoding="utf-8"
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, UnpicklingError) as error:
        raise WeightError(f"{path} can't be read: {error}") from error
    return checkpoint


def main() -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m nlu_models.emotion.average", description="Average the weights of training runs."
    )
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="run folders, two or more")
    parser.add_argument("--output", type=Path, required=True, help="run folder to write")
    options = parser.parse_args()
    try:
        average(options.runs, options.output)
    except NluModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
