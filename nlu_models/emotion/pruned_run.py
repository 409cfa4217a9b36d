"""Makes a run smaller: what matters least is cut out, `attune emotion distil --init` trains the rest.

`attune emotion compress` shows beforehand what each cut costs.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlu_models.emotion.candidates import Candidate, parse
from nlu_models.emotion.exam import dataset_of, labelled
from nlu_models.emotion.infer import load_tokenizer
from nlu_models.emotion.labelled import truth_of
from nlu_models.emotion.provenance import training_commands, training_report
from nlu_models.emotion.prune import count_parameters, measure_importance
from nlu_models.emotion.quantize import load_checkpoint
from nlu_models.emotion.recovery import padded
from nlu_models.emotion.run_folder import (
    ARGUMENTS_FILE,
    LABELS_FILE,
    METRICS_FILE,
    TOKENIZER_FOLDER,
    RunFolder,
)
from nlu_models.emotion.weights import TOKENIZER_FILE
from nlu_models.emotion.whole_files import write_text
from nlu_models.emotion.wording import as_read
from nlu_models.errors import InputError, NluModelError

IMPORTANCE_TEXTS = 512
IMPORTANCE_BATCH = 16


def prune_run(run: Path, cuts: Sequence[str], output: Path, goemotions: Path | None = None) -> dict[str, Any]:
    """Writes a run folder with a pruned model.

    Importance is measured once, on the first 512 labelled training texts, before anything is cut.

    Args:
        run: folder of the run; a BERT.
        cuts: of `candidates`, such as "units-50" or "heads-25"; one each of heads, units and layers at most.
        output: run folder to write.
        goemotions: folder of GoEmotions; None for the data that the run was trained on.

    Returns:
        The metrics, as written: those of the run, without its scores, and what was cut.

    Raises:
        InputError: a cut is none, the encoder is no BERT, or the output holds a run already.
        NluModelError: the run or the data can't be used, or a file can't be written.
    """
    candidates = _cuts(cuts)
    model = load_checkpoint(run)
    before = count_parameters(model)
    tokens, truth = _training_texts(run, goemotions)
    importance = measure_importance(model, labelled_batches(tokens, truth))
    for candidate in candidates:
        model = candidate.cut(model, importance)
    report = {
        **{name: value for name, value in training_report(run).items() if name not in ("best", "history")},
        "pruned_from": str(run),
        "cuts": list(cuts),
        "million_parameters": [round(before / 1e6, 2), round(count_parameters(model) / 1e6, 2)],
    }
    report["commands"] = [
        *training_commands(run),
        f"attune emotion prune --run runs/{run.name} --cut {' '.join(cuts)} --output runs/{output.name}",
    ]
    folder = RunFolder.create(output)
    try:
        shutil.copytree(run / TOKENIZER_FOLDER, output / TOKENIZER_FOLDER, dirs_exist_ok=True)
        for name in (LABELS_FILE, ARGUMENTS_FILE):
            if (run / name).is_file():
                shutil.copy(run / name, output / name)
    except OSError as error:  # shutil.Error is one
        raise NluModelError(f"{output} can't be written: {error.strerror or error}") from error
    write_text(folder.file(METRICS_FILE), json.dumps(report, indent=1) + "\n")
    folder.save_model(dataclasses.asdict(model.config), model.state_dict())  # last: now the folder is whole
    return report


def labelled_batches(
    tokens: Sequence[Sequence[int]], truth: NDArray[np.bool_]
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """What importance is measured on: the first 512 texts, in batches of 16.

    Args:
        tokens: ids of each text.
        truth: (texts, labels).

    Yields:
        Token ids and mask, (16, tokens), and labels, (16, labels).
    """
    labels = torch.from_numpy(truth[:IMPORTANCE_TEXTS]).float()
    for start in range(0, len(labels), IMPORTANCE_BATCH):
        end = min(start + IMPORTANCE_BATCH, len(labels))
        yield (*padded(tokens[start:end]), labels[start:end])


def _cuts(names: Sequence[str]) -> list[Candidate]:
    """What is cut, layers last: importance is measured with all of them there."""
    candidates = [parse(name) for name in names]
    parts = [candidate.part for candidate in candidates]
    for candidate in candidates:
        if candidate.part is None or candidate.is_recovered:
            raise InputError(f"{candidate.name!r} isn't only a cut; expected heads-25, units-25, layers-2 …")
    if not parts or len(set(parts)) < len(parts):
        raise InputError(f"the cuts are {list(names)}; expected one each of heads, units and layers at most")
    return sorted(candidates, key=lambda candidate: candidate.part == "layers")


def _training_texts(run: Path, goemotions: Path | None) -> tuple[list[list[int]], NDArray[np.bool_]]:
    dataset = dataset_of(run, goemotions)
    rows = labelled(dataset.train)[:IMPORTANCE_TEXTS]
    length = int(training_report(run)["arguments"]["max_tokens"])
    tokenizer = load_tokenizer(run / TOKENIZER_FOLDER / TOKENIZER_FILE, length)
    tokens = [list(tokenizer.encode(as_read(text, length)).ids) for text, _ in rows]
    return tokens, truth_of([ids for _, ids in rows], len(dataset.labels))
