"""A run's folder: everything to repeat it, to go on after a kill, and to export from.

    arguments.json      settings, data files, teachers and the command line
    labels.txt          one a line, in the order of the model's outputs
    tokenizer/          as the base has it
    model.pt            {"config", "state"} of the best epoch
    metrics.json        measures after each epoch, arguments, commit, hash of the data
    tensorboard/        curves
    state.pt            where training stands; gone once it has finished

Files appear whole or not at all: each is written beside its place, then renamed.
"""

from __future__ import annotations

import json
import pickle
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from nlu_models.emotion.tables import read_labels, read_text
from nlu_models.emotion.whole_files import replacing, write_text
from nlu_models.errors import InputError, NluModelError, WeightError

MODEL_FILE = "model.pt"
STATE_FILE = "state.pt"
METRICS_FILE = "metrics.json"
ARGUMENTS_FILE = "arguments.json"
LABELS_FILE = "labels.txt"
TOKENIZER_FOLDER = "tokenizer"
CURVES_FOLDER = "tensorboard"
BASE_EMBEDDINGS_FILE = "base_embeddings.npy"
TEACHER_LOGITS_FILE = "teacher_logits.npz"

# What torch raises on a file that is truncated, of another form, or would run code.
UNREADABLE = (OSError, RuntimeError, KeyError, ValueError, TypeError, EOFError, pickle.UnpicklingError)


class RunFolder:
    """The files of one run.

    Args:
        path: of the folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """A folder for a new run; what is left there of one that died before its first state goes.

        Raises:
            InputError: the folder already holds one, or can't be made.
        """
        for name in (MODEL_FILE, STATE_FILE):
            if (path / name).exists():
                raise InputError(f"{path} holds a run already; --resume it, or name another folder")
        run = cls(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            if run.file(ARGUMENTS_FILE).is_file():
                run.forget_preparations()
        except OSError as error:
            raise InputError(f"{path} can't be made: {error.strerror}") from error
        return run

    def forget_preparations(self) -> None:
        """Removes what is made of the data, the base and the teachers before the first step."""
        for name in (BASE_EMBEDDINGS_FILE, TEACHER_LOGITS_FILE, LABELS_FILE):
            self.file(name).unlink(missing_ok=True)
        if self.file(TOKENIZER_FOLDER).is_dir():
            shutil.rmtree(self.file(TOKENIZER_FOLDER))

    @property
    def is_finished(self) -> bool:
        """Whether the run has come to its end."""
        return self.file(METRICS_FILE).is_file() and not self.file(STATE_FILE).exists()

    def file(self, name: str) -> Path:
        """The path of a file of the run."""
        return self.path / name

    def write_json(self, name: str, value: Any) -> None:
        """Writes a JSON file."""
        write_text(self.file(name), json.dumps(value, indent=1) + "\n")

    def read_json(self, name: str) -> dict[str, Any]:
        """The contents of a JSON file.

        Raises:
            WeightError: it is missing or damaged.
        """
        path = self.file(name)
        if not path.is_file():
            raise WeightError(f"{path} is missing; {self.path} is no run of `attune emotion train`")
        try:
            value = json.loads(read_text(path))
        except ValueError as error:
            raise WeightError(f"{path} is damaged: {error}") from error
        if not isinstance(value, dict):
            raise WeightError(f"{path} is damaged: expected an object")
        return value

    def write_labels(self, labels: tuple[str, ...]) -> None:
        """Writes the label names."""
        write_text(self.file(LABELS_FILE), "".join(f"{label}\n" for label in labels))

    def labels(self) -> tuple[str, ...] | None:
        """The label names; None in a run from before they were written down."""
        path = self.file(LABELS_FILE)
        return read_labels(path) if path.is_file() else None

    def save_tokenizer(self, tokenizer: Any) -> None:
        """Writes the tokenizer's folder, unless it is there from before the run was interrupted.

        Raises:
            NluModelError: it can't be written.
        """
        path = self.file(TOKENIZER_FOLDER)
        if path.is_dir():
            return
        try:
            with tempfile.TemporaryDirectory(dir=self.path, prefix=f".{TOKENIZER_FOLDER}.") as scratch:
                written = Path(scratch) / TOKENIZER_FOLDER
                tokenizer.save_pretrained(str(written))
                written.replace(path)
        except Exception as error:  # the tokenizers package raises bare Exception on a full disk
            raise NluModelError(f"{path} can't be written: {error}") from error

    def save_model(self, config: Mapping[str, Any], state: Mapping[str, torch.Tensor]) -> None:
        """Writes the checkpoint that export, average and quantize read."""
        save_torch(self.file(MODEL_FILE), {"config": dict(config), "state": dict(state)})

    def save_state(self, state: Mapping[str, Any]) -> None:
        """Writes where training stands."""
        save_torch(self.file(STATE_FILE), dict(state))

    def load_state(self) -> dict[str, Any] | None:
        """Where training stood; None where nothing was saved yet.

        Raises:
            WeightError: the file is damaged.
        """
        path = self.file(STATE_FILE)
        if not path.exists():
            return None
        return load_torch(path)

    def finish(self) -> None:
        """Removes what only a resumed run needs."""
        for name in (STATE_FILE, BASE_EMBEDDINGS_FILE):
            self.file(name).unlink(missing_ok=True)


def load_torch(path: Path) -> dict[str, Any]:
    """A dictionary of tensors and plain values that `save_torch` wrote.

    Raises:
        WeightError: it is missing, truncated or holds something else.
    """
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise WeightError(f"{path} is missing; `attune emotion train` writes it") from error
    except UNREADABLE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightError(f"{path} is truncated or no checkpoint: {reason}") from error
    if not isinstance(loaded, dict):
        raise WeightError(f"{path} is no checkpoint: it holds a {type(loaded).__name__}")
    return loaded


def save_torch(path: Path, value: Mapping[str, Any]) -> None:
    """Writes a dictionary of tensors and plain values, whole or not at all.

    Raises:
        NluModelError: it can't be written, for instance because the disk is full.
    """
    with replacing(path) as target:
        torch.save(dict(value), target)
