"""Averages the weights of runs that share a base: better than either, at the cost of one.

Uniform model soup (Wortsman et al., ICML 2022, https://arxiv.org/abs/2203.05482).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from nlu_models.emotion.run_folder import (
    ARGUMENTS_FILE,
    LABELS_FILE,
    METRICS_FILE,
    MODEL_FILE,
    TOKENIZER_FOLDER,
    RunFolder,
    load_torch,
)
from nlu_models.emotion.whole_files import write_text
from nlu_models.errors import InputError, NluModelError, WeightError


def average(runs: list[Path], output: Path) -> dict[str, Any]:
    """Writes a run folder whose weights are the mean of several runs'.

    Args:
        runs: at least two run folders of the same architecture and labels.
        output: run folder to write: `model.pt`, `tokenizer/`, the labels, the last run's `metrics.json`, and
            `arguments.json` where all runs were trained and measured on the same labelled texts.

    Returns:
        The metrics, as written.

    Raises:
        InputError: fewer than two runs were given, or the output is one of them or holds a run already.
        WeightError: a checkpoint is missing, or the architectures differ.
        NluModelError: a file can't be written.
    """
    if len(runs) < 2:
        raise InputError(f"an average needs at least two runs, got {len(runs)}")
    first = load_torch(runs[0] / MODEL_FILE)
    sums = _state_of(runs[0], first)
    for run in runs[1:]:
        checkpoint = load_torch(run / MODEL_FILE)
        state = _state_of(run, checkpoint)
        if checkpoint.get("config") != first.get("config") or _shapes(state) != _shapes(sums):
            raise WeightError(f"{run} has another architecture than {runs[0]}")
        if RunFolder(run).labels() != RunFolder(runs[0]).labels():
            raise WeightError(f"{run} has other labels than {runs[0]}")
        for name, tensor in state.items():
            # Counters and ids are the same everywhere; the first run's are kept.
            if tensor.is_floating_point():
                sums[name] = sums[name].double() + tensor.double()
    for run in runs:
        if not (run / TOKENIZER_FOLDER).is_dir():
            raise WeightError(f"{run / TOKENIZER_FOLDER} is missing; `attune emotion train` writes it")
    reports = [RunFolder(run).read_json(METRICS_FILE) for run in runs]
    report = {**reports[-1], "average_of": [str(run) for run in runs]}
    report.pop("commands", None)  # those of the last run alone
    if all("trained_heads" in one for one in reports):
        taught = set.intersection(*(set(one["trained_heads"]) for one in reports))
        report["trained_heads"] = [name for name in reports[-1]["trained_heads"] if name in taught]
    folder = RunFolder.create(output)
    copied = [TOKENIZER_FOLDER, LABELS_FILE, *([ARGUMENTS_FILE] if _hold_out_the_same(runs) else [])]
    try:
        for name in copied:
            if (runs[0] / name).is_dir():
                shutil.copytree(runs[0] / name, output / name, dirs_exist_ok=True)
            elif (runs[0] / name).is_file():
                shutil.copy(runs[0] / name, output / name)
    except OSError as error:  # shutil.Error is one
        raise NluModelError(f"{output} can't be written: {error.strerror or error}") from error
    write_text(folder.file(METRICS_FILE), json.dumps(report, indent=1) + "\n")
    mean = {
        name: (tensor / len(runs)).float() if tensor.is_floating_point() else tensor
        for name, tensor in sums.items()
    }
    # Last, so that a folder with a model is whole.
    folder.save_model(first["config"], mean)
    return report


def _hold_out_the_same(runs: Sequence[Path]) -> bool:
    """Whether the runs say that they were trained on the same labelled texts, and measured on the same."""
    asked = [
        RunFolder(run).read_json(ARGUMENTS_FILE) if (run / ARGUMENTS_FILE).is_file() else {} for run in runs
    ]
    kept = [
        {
            **{name: one.get("data", {}).get(name) for name in ("data", "labels", "dev", "goemotions")},
            "dev_share": one.get("settings", {}).get("dev_share"),
        }
        for one in asked
    ]
    return all(asked) and all(one == kept[0] for one in kept)


def _state_of(run: Path, checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    state = checkpoint.get("state")
    if not isinstance(state, dict) or "config" not in checkpoint:
        raise WeightError(f"{run / MODEL_FILE} is no checkpoint of `attune emotion train`")
    return dict(state)


def _shapes(state: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in state.items()}
