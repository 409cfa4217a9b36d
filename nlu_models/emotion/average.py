"""Averages the weights of runs that share a base: better than either, at the cost of one.

Uniform model soup (Wortsman et al., ICML 2022, https://arxiv.org/abs/2203.05482).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from nlu_models.emotion.run_folder import (
    LABELS_FILE,
    METRICS_FILE,
    MODEL_FILE,
    TOKENIZER_FOLDER,
    RunFolder,
    load_torch,
)
from nlu_models.emotion.whole_files import write_text
from nlu_models.errors import InputError, WeightError


def average(runs: list[Path], output: Path) -> dict[str, Any]:
    """Writes a run folder whose weights are the mean of several runs'.

    Args:
        runs: at least two run folders of the same architecture and labels.
        output: run folder to write: `model.pt`, `tokenizer/`, the labels, and the last run's `metrics.json`.

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
    report = {**RunFolder(runs[-1]).read_json(METRICS_FILE), "average_of": [str(run) for run in runs]}
    folder = RunFolder.create(output)
    shutil.copytree(runs[0] / TOKENIZER_FOLDER, output / TOKENIZER_FOLDER, dirs_exist_ok=True)
    if (runs[0] / LABELS_FILE).is_file():
        shutil.copy(runs[0] / LABELS_FILE, output / LABELS_FILE)
    write_text(folder.file(METRICS_FILE), json.dumps(report, indent=1) + "\n")
    mean = {
        name: (tensor / len(runs)).float() if tensor.is_floating_point() else tensor
        for name, tensor in sums.items()
    }
    # Last, so that a folder with a model is whole.
    folder.save_model(first["config"], mean)
    return report


def _state_of(run: Path, checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    state = checkpoint.get("state")
    if not isinstance(state, dict) or "config" not in checkpoint:
        raise WeightError(f"{run / MODEL_FILE} is no checkpoint of `attune emotion train`")
    return dict(state)


def _shapes(state: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in state.items()}
