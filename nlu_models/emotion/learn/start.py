"""What learning starts from: a run's checkpoint, or the model that a weight folder's graph stands for."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.emotion.provenance import RUNS, training_commands
from nlu_models.emotion.run_folder import ARGUMENTS_FILE, RunFolder
from nlu_models.emotion.shapes import fit_to_state
from nlu_models.emotion.weights import DEFAULT_HEADS, METRICS_FILE, TOKENIZER_FILE, WeightConfig
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder
from nlu_models.errors import InputError, WeightError

# Tables of which a graph keeps only the rows that it can look up.
SHORTENED = ("position_embeddings.weight", "token_type_embeddings.weight")


@dataclass(frozen=True)
class Start:
    """A model to go on training, with all that a run folder needs besides.

    Attributes:
        model: in eval mode.
        tokenizer: that it reads with.
        labels: in the order of its outputs.
        max_tokens: longer texts are cut.
        report: `metrics.json` of the run it is from.
        name: for the record.
        flag: of the command line, that names it.
        commands: that made it.
        asked: `arguments.json` of the run it is from, where there is one; export finds the data by it.
    """

    model: MultiTaskEncoder
    tokenizer: PreTrainedTokenizerBase
    labels: tuple[str, ...]
    max_tokens: int
    report: dict[str, Any]
    name: str
    flag: str
    commands: tuple[str, ...] = ()
    asked: dict[str, Any] | None = None


def start_from_run(run: Path) -> Start:
    """The model of a run folder.

    Raises:
        WeightError: the folder is incomplete.
    """
    from nlu_models.emotion.quantize import load_checkpoint

    model = load_checkpoint(run)
    report = _report(run / METRICS_FILE)
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(run / "tokenizer"), use_fast=True)
    except (OSError, ValueError) as error:
        raise WeightError(f"{run / 'tokenizer'} can't be loaded: {error}") from error
    start = _checked(model, tokenizer, report, f"run {run.name}", f"--run {RUNS}/{run.resolve().name}")
    folder = RunFolder(run)
    asked = folder.read_json(ARGUMENTS_FILE) if folder.file(ARGUMENTS_FILE).is_file() else None
    return replace(start, commands=tuple(training_commands(run)), asked=asked)


def start_from_weights(weights: Path) -> Start:
    """The model of a weight folder, put back onto the base it was trained from.

    Raises:
        WeightError: the folder is incomplete, or of an architecture that its base doesn't have.
    """
    from nlu_models.emotion.dequantize import load_weights

    config = WeightConfig.load(weights)
    report = _report(weights / METRICS_FILE)
    training = report.get("training")
    if not isinstance(training, dict):
        raise WeightError(f"{weights / METRICS_FILE} doesn't say what the weight was trained from; use --run")
    rebuilt = load_weights(weights)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(weights / TOKENIZER_FILE),
        pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip
    arguments = training.get("arguments", {})
    sizes = rebuilt.config
    model = MultiTaskEncoder(
        EncoderConfig(
            base=str(arguments.get("base", "")),
            n_labels=sizes.n_labels,
            n_vad=sizes.n_vad,
            n_risk=sizes.n_risk,
            dropout=float(arguments.get("dropout", sizes.dropout)),
        )
    )
    try:
        fit_to_state(model, rebuilt.state_dict())
    except ValueError as error:
        raise WeightError(
            f"{weights} doesn't fit its base {model.config.base!r}: {error}; use --run"
        ) from error
    _take_over(model, rebuilt.state_dict(), weights)
    heads = [head for head in config.trained_heads if head in DEFAULT_HEADS]
    training = {**training, "labels": list(config.labels), "trained_heads": heads}
    start = _checked(
        model.eval(), tokenizer, training, config.model, f"--weights nlu_models/weights/{config.name}"
    )
    return replace(start, commands=tuple(map(str, report.get("training_commands", ()))))


def _take_over(model: MultiTaskEncoder, state: dict[str, Tensor], weights: Path) -> None:
    """Puts rebuilt tensors into a model on its base; what the graph doesn't have stays the base's."""
    ours = model.state_dict()
    for name, tensor in state.items():
        if name not in ours:
            raise WeightError(f"{weights} has {name}, which its base {model.config.base!r} lacks; use --run")
        place = ours[name]
        if name.endswith(SHORTENED) and place.shape[1:] == tensor.shape[1:]:
            place[: len(tensor)] = tensor
        elif place.shape == tensor.shape:
            place.copy_(tensor)
        else:
            raise WeightError(
                f"{weights}: {name} is {tuple(tensor.shape)}, but {tuple(place.shape)} in its base "
                f"{model.config.base!r}; use --run"
            )
    model.load_state_dict(ours)


def _checked(
    model: MultiTaskEncoder,
    tokenizer: PreTrainedTokenizerBase,
    training: dict[str, Any],
    name: str,
    flag: str,
) -> Start:
    labels = tuple(training.get("labels", GOEMOTIONS))
    if labels != GOEMOTIONS or model.config.n_labels != len(labels):
        raise InputError(
            f"{name} has {model.config.n_labels} labels of its own; learning replays GoEmotions, whose 28 it "
            "needs"
        )
    try:
        max_tokens = int(training["arguments"]["max_tokens"])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightError(f"{name}: its {METRICS_FILE} doesn't say how many tokens it reads") from error
    if tokenizer.pad_token_id is None:
        raise WeightError(f"{name}: its tokenizer has no padding token")
    return Start(model, tokenizer, labels, max_tokens, training, name, flag)


def _report(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightError(f"{path} can't be used ({error!r}); has the training run finished?") from error
    if not isinstance(report, dict):
        raise WeightError(f"{path} is damaged: expected an object")
    return report
