"""Trains an emotion reader: puts data, model and settings together and hands them to the trainer.

Four targets share each batch: labels (GoEmotions or one's own), EmoBank's three axes, for every text the
cosine distance between the embedding head and the frozen base model's embedding (so that retrieval and
intents keep a general-purpose space; Reimers & Gurevych, EMNLP 2020), and, when teachers are given, what they
say about each text.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from transformers import PreTrainedTokenizerBase

from nlu_models.emotion import data
from nlu_models.emotion.arguments import DataPaths, TrainingArguments
from nlu_models.emotion.attacks import KINDS
from nlu_models.emotion.corpus import Corpus, make_corpus
from nlu_models.emotion.datasets import Dataset, read_dataset
from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.emotion.noise import TypingNoise
from nlu_models.emotion.optimizer import choose_trained
from nlu_models.emotion.predictions import dev_scores, embed
from nlu_models.emotion.run_folder import (
    ARGUMENTS_FILE,
    BASE_EMBEDDINGS_FILE,
    LABELS_FILE,
    METRICS_FILE,
    STATE_FILE,
    TEACHER_LOGITS_FILE,
    UNREADABLE,
    RunFolder,
    load_torch,
)
from nlu_models.emotion.shapes import fit_to_state
from nlu_models.emotion.tables import read_labels
from nlu_models.emotion.teachers import SoftTargets, Teaching, ask_teachers, load_targets, save_targets
from nlu_models.emotion.trainer import CHOSEN_BY, STATE_STEPS, Trainer
from nlu_models.emotion.whole_files import replacing
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder, load_base, load_tokenizer
from nlu_models.errors import DataError, InputError, WeightError

__all__ = ["TrainingArguments", "resume", "train"]

logger = logging.getLogger(__name__)

RANK_SEEDS = 1000  # the processes' dropout seeds lie this far apart


@dataclass(frozen=True)
class Request:
    """What a run was asked to do; written into its folder, from which it can be resumed."""

    arguments: TrainingArguments
    paths: DataPaths
    teaching: Teaching | None
    command: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "settings": dataclasses.asdict(self.arguments),
            "data": self.paths.to_json(),
            "teachers": None if self.teaching is None else self.teaching.to_json(),
            "command": list(self.command),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Request:
        """What `to_json` gave.

        Raises:
            KeyError, TypeError: something is missing or of another form.
            InputError: a setting can't be used.
        """
        teachers = values["teachers"]
        return cls(
            TrainingArguments.from_json(values["settings"]),
            DataPaths.from_json(values["data"]),
            None if teachers is None else Teaching.from_json(teachers),
            tuple(values["command"]),
        )


def train(
    arguments: TrainingArguments,
    paths: DataPaths,
    output: Path,
    teaching: Teaching | None = None,
    cpu: bool = False,
    command: Sequence[str] = (),
    state_steps: int = STATE_STEPS,
) -> dict[str, Any]:
    """Trains, keeps the epoch with the best dev macro-F1 (cross-fitted), and writes the run folder.

    Args:
        arguments: the recipe.
        paths: the data.
        output: run folder to write (`run_folder` says what it holds).
        teaching: teachers to imitate, or None.
        cpu: whether to leave a GPU alone.
        command: the command line, for the record.
        state_steps: the state for resuming is saved every so many steps.

    Returns:
        The metrics, as written.

    Raises:
        InputError: the folder holds a run already, or a setting doesn't fit the model.
        DataError: a corpus is missing or malformed.
        WeightError: the base encoder, the checkpoint to go on from or a teacher can't be used.
        InterruptedRun: the process was asked to stop.
        NluModelError: the loss is no longer finite, or a file can't be written.
    """
    request = Request(_anywhere(arguments), paths, teaching, tuple(command))
    accelerator = Accelerator(cpu=cpu)
    if accelerator.is_main_process:
        run = RunFolder.create(output)
        run.write_json(ARGUMENTS_FILE, request.to_json())
    accelerator.wait_for_everyone()
    return _run(RunFolder(output), request, accelerator, state_steps)


def resume(output: Path, cpu: bool = False, state_steps: int = STATE_STEPS) -> dict[str, Any]:
    """Goes on with a run that was interrupted; one that is finished is left as it is.

    Args:
        output: its folder.
        cpu: whether to leave a GPU alone.
        state_steps: the state is saved every so many steps.

    Returns:
        The metrics, as written.

    Raises:
        WeightError: the folder holds no run, or its state is damaged or of other data.
        NluModelError: as for `train`.
    """
    run = RunFolder(output)
    if run.is_finished:
        logger.warning("%s has finished already; nothing was done", output)
        return run.read_json(METRICS_FILE)
    try:
        request = Request.from_json(run.read_json(ARGUMENTS_FILE))
    except (KeyError, TypeError, InputError) as error:
        raise WeightError(f"{run.file(ARGUMENTS_FILE)} is damaged: {error}") from error
    accelerator = Accelerator(cpu=cpu)
    if accelerator.is_main_process and not run.file(STATE_FILE).is_file():
        run.forget_preparations()  # with no state to compare with, the data may be other data by now
    accelerator.wait_for_everyone()
    return _run(run, request, accelerator, state_steps)


def _run(run: RunFolder, request: Request, accelerator: Accelerator, state_steps: int) -> dict[str, Any]:
    arguments = request.arguments
    dataset = read_dataset(request.paths, arguments)
    if accelerator.is_main_process:
        for warning in dataset.warnings:
            print(f"warning: {warning}", file=sys.stderr)
    device = accelerator.device
    tokenizer = load_tokenizer(arguments.base)
    base = load_base(arguments.base).to(device)
    _check_length(arguments, base)
    config = EncoderConfig(base=arguments.base, n_labels=len(dataset.labels), dropout=arguments.dropout)
    corpus = make_corpus(tokenizer, arguments.max_tokens, len(dataset.labels), dataset.train)
    dev, vad_dev = _dev_corpora(tokenizer, arguments, dataset)
    if accelerator.is_main_process:
        run.write_labels(dataset.labels)
        run.save_tokenizer(tokenizer)
        if arguments.embedding_weight and not run.file(BASE_EMBEDDINGS_FILE).is_file():
            embeddings = embed(base, corpus, tokenizer.pad_token_id, device, "base embeddings")
            with replacing(run.file(BASE_EMBEDDINGS_FILE)) as target:
                np.save(target, embeddings)
        if request.teaching is not None and not run.file(TEACHER_LOGITS_FILE).is_file():
            _collect_targets(request.teaching, dataset, run, device)
    accelerator.wait_for_everyone()
    corpus = _with_targets(corpus, dataset, run, arguments, request.teaching is not None)

    # Seeded here, so that fresh heads are the same whatever was loaded, or found in the folder, before.
    _seed_everything(arguments.seed)
    model = MultiTaskEncoder(config, base)
    if arguments.init:
        _load_init(model, Path(arguments.init), dataset.labels)
    model.to(device)
    rated = bool(corpus.has_vad.any()) or corpus.soft_vad is not None
    choose_trained(model, arguments, rated)
    heads = {"emotion": True, "vad": rated and arguments.vad_weight > 0}
    heads["embedding"] = arguments.embedding_weight > 0
    torch.manual_seed(arguments.seed + RANK_SEEDS * accelerator.process_index)
    pad_id = tokenizer.pad_token_id
    data_sha256 = data.hash_files(dataset.files)
    trainer = Trainer(
        arguments,
        model,
        corpus,
        pad_id,
        lambda trained: dev_scores(trained, dev, vad_dev, pad_id, device),
        run,
        accelerator,
        _fingerprint(request, dataset.labels, data_sha256),
        _noise(arguments, tokenizer),
        state_steps,
    )
    history = trainer.fit()
    report = {
        "best": history[-1] if arguments.keep == "last" else max(history, key=lambda row: row[CHOSEN_BY]),
        "history": history,
        "arguments": dataclasses.asdict(arguments),
        "labels": list(dataset.labels),
        "trained_heads": [name for name, is_taught in heads.items() if is_taught],
        "texts": {source.name: len(source.texts) for source in dataset.train},
        "teachers": None if request.teaching is None else request.teaching.to_json(),
        "command": list(request.command),
        "commit": _commit(),
        "data_sha256": data_sha256,
        "torch": torch.__version__,
        "device": str(device),
        "processes": accelerator.num_processes,
    }
    if accelerator.is_main_process:
        run.write_json(METRICS_FILE, report)
        run.finish()
    accelerator.wait_for_everyone()
    return report


def _dev_corpora(
    tokenizer: PreTrainedTokenizerBase, arguments: TrainingArguments, dataset: Dataset
) -> tuple[Corpus, Corpus | None]:
    count = len(dataset.labels)
    dev = make_corpus(tokenizer, arguments.max_tokens, count, dataset.dev)
    if dataset.vad_dev is None:
        return dev, None
    return dev, make_corpus(tokenizer, arguments.max_tokens, count, [dataset.vad_dev])


def _collect_targets(teaching: Teaching, dataset: Dataset, run: RunFolder, device: torch.device) -> None:
    """Puts the teachers' logits into the run folder, where they stay: they are part of what made it."""
    if teaching.logits is not None:
        targets = load_targets(teaching.logits, dataset.train, dataset.labels)
    else:
        targets = ask_teachers(teaching, dataset.train, dataset.labels, device)
    known = [source for source in dataset.train if source.name in targets]
    save_targets(run.file(TEACHER_LOGITS_FILE), targets, known, dataset.labels)


def _with_targets(
    corpus: Corpus, dataset: Dataset, run: RunFolder, arguments: TrainingArguments, taught: bool
) -> Corpus:
    """The corpus with the base's embeddings and the teachers' logits from the run folder."""
    if arguments.embedding_weight:
        path = run.file(BASE_EMBEDDINGS_FILE)
        try:
            embeddings = np.load(path)
        except (OSError, ValueError) as error:
            raise WeightError(f"{path} is damaged; delete it, and it is made again: {error}") from error
        if len(embeddings) != len(corpus):
            raise DataError(
                f"{path} is of {len(embeddings)} texts, the data has {len(corpus)}; start a new run"
            )
        corpus = dataclasses.replace(corpus, embedding=torch.from_numpy(embeddings))
    if not taught:
        return corpus
    targets = load_targets(run.file(TEACHER_LOGITS_FILE), dataset.train, dataset.labels)
    return with_soft(corpus, dataset, targets)


def with_soft(corpus: Corpus, dataset: Dataset, targets: Mapping[str, SoftTargets]) -> Corpus:
    """The corpus with what the teachers say of its texts; what they don't say of a text isn't learnt."""
    soft = torch.zeros_like(corpus.labels)
    soft_vad = torch.zeros_like(corpus.vad)
    has_soft, has_soft_vad = torch.zeros(len(corpus)), torch.zeros(len(corpus))
    start = 0
    for source in dataset.train:
        end = start + len(source.texts)
        found = targets.get(source.name)
        if found is None:
            print(f"warning: the teachers' logits don't cover {source.name}", file=sys.stderr)
        else:
            logits = torch.from_numpy(found.logits)
            read = logits.isfinite().all(dim=1)
            has_soft[start:end] = read.float()
            soft[start:end] = logits.nan_to_num(0.0)
            if found.vad is not None:
                axes = torch.from_numpy(found.vad)
                has_soft_vad[start:end] = axes.isfinite().all(dim=1).float()
                soft_vad[start:end] = axes.nan_to_num(0.0)
        start = end
    return dataclasses.replace(
        corpus,
        soft=soft,
        has_soft=has_soft,
        soft_vad=soft_vad if has_soft_vad.any() else None,
        has_soft_vad=has_soft_vad,
    )


def _load_init(model: MultiTaskEncoder, path: Path, labels: tuple[str, ...]) -> None:
    """Takes over a checkpoint, also a pruned one; of other labels, the outputs that both have, by name."""
    saved = load_torch(path)
    try:
        state = dict(saved["state"])
        theirs = _labels_beside(path, int(state["emotion.weight"].shape[0]))
        if theirs != labels:
            kept = [(labels.index(name), theirs.index(name)) for name in theirs if name in labels]
            print(f"warning: {path} knows {len(kept)} of the {len(labels)} labels by name", file=sys.stderr)
            for part in ("emotion.weight", "emotion.bias"):
                fresh = model.state_dict()[part].clone()
                for ours, other in kept:
                    fresh[ours] = state[part][other]
                state[part] = fresh
        fit_to_state(model, state)  # it may have been pruned
        model.load_state(state)
    except UNREADABLE as error:
        reason = str(error).splitlines()[0]
        raise WeightError(
            f"{path} doesn't fit the base {model.config.base!r}; give the --base it was made from: {reason}"
        ) from error


def _labels_beside(path: Path, count: int) -> tuple[str, ...]:
    beside = path.parent / LABELS_FILE
    labels = read_labels(beside) if beside.is_file() else GOEMOTIONS
    if len(labels) != count:
        raise WeightError(f"{path} has {count} labels and no {LABELS_FILE} of as many beside it to name them")
    return labels


def _check_length(arguments: TrainingArguments, base: Any) -> None:
    """Refuses texts longer than the base has positions for."""
    positions = int(getattr(base.config, "max_position_embeddings", arguments.max_tokens))
    pad_id = getattr(base.config, "pad_token_id", 0) or 0
    if getattr(base.config, "model_type", "") in ("roberta", "xlm-roberta", "mpnet", "camembert"):
        positions -= pad_id + 1  # these count positions from behind the padding token
    if arguments.max_tokens > positions:
        raise InputError(
            f"max_tokens is {arguments.max_tokens}, but {arguments.base} reads at most {positions}"
        )


def _noise(arguments: TrainingArguments, tokenizer: PreTrainedTokenizerBase) -> TypingNoise | None:
    if not arguments.noise:
        return None
    return TypingNoise(arguments.noise, arguments.seed, KINDS, tokenizer, arguments.max_tokens)


def _fingerprint(request: Request, labels: Sequence[str], data_sha256: str) -> str:
    asked = request.to_json()
    kept = {"settings": asked["settings"], "teachers": asked["teachers"], "data": data_sha256}
    kept["labels"] = list(labels)
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _anywhere(arguments: TrainingArguments) -> TrainingArguments:
    """The arguments with whole paths, so that a run can be resumed from another folder."""
    init = str(Path(arguments.init).absolute()) if arguments.init else ""
    base = str(Path(arguments.base).absolute()) if Path(arguments.base).is_dir() else arguments.base
    return dataclasses.replace(arguments, init=init, base=base)


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _commit() -> str | None:
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    except OSError:  # no git on this machine
        return None
    return done.stdout.strip() or None
