"""Tokenised texts with their targets, and the batches they are trained in.

A text has some of four targets: labels, valence-arousal-dominance, a teacher's logits for either, and the
base model's embedding. A mask says which; one loss (`losses`) covers them all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from nlu_models.emotion.datasets import Source
from nlu_models.emotion.labels import VAD
from nlu_models.emotion.wording import normalize_wording

BUCKET_BATCHES = 50  # batches are cut from chunks of this many, sorted by length, to save padding

Variant = Callable[[int], "list[int] | None"]


class Batch(NamedTuple):
    """What one pass reads and is measured by; the masks are float32, 1 where there is a target.

    Attributes:
        input_ids: (batch, tokens) int64.
        attention_mask: (batch, tokens) int64.
        labels: (batch, labels) float32, 0 or 1.
        has_labels: (batch,).
        vad: (batch, 3) in [-1, 1].
        has_vad: (batch,).
        soft: (batch, labels) a teacher's logits; None where the corpus has none.
        soft_vad: (batch, 3) a teacher's axes; None where the corpus has none.
        has_soft: (batch,).
        has_soft_vad: (batch,).
        embedding: (batch, width) of length 1; None where the corpus has none.
    """

    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor
    has_labels: Tensor
    vad: Tensor
    has_vad: Tensor
    soft: Tensor | None
    soft_vad: Tensor | None
    has_soft: Tensor
    has_soft_vad: Tensor
    embedding: Tensor | None


@dataclass(frozen=True)
class Corpus:
    """Texts as token ids, with targets and the masks that say who has which.

    Attributes:
        texts: as they were written, for typing noise.
        token_ids: of each text.
        labels: (texts, labels) float32.
        has_labels: (texts,) float32, 0 or 1.
        vad: (texts, 3) float32.
        has_vad: (texts,) float32.
        soft: (texts, labels) float32 logits of teachers, or None.
        soft_vad: (texts, 3) float32, or None.
        has_soft: (texts,) float32.
        has_soft_vad: (texts,) float32, or None where all that have a teacher's labels have its axes.
        embedding: (texts, width) float32 of length 1, or None.
    """

    texts: list[str]
    token_ids: list[list[int]]
    labels: Tensor
    has_labels: Tensor
    vad: Tensor
    has_vad: Tensor
    has_soft: Tensor
    soft: Tensor | None = None
    soft_vad: Tensor | None = None
    has_soft_vad: Tensor | None = None
    embedding: Tensor | None = None

    def __len__(self) -> int:
        return len(self.token_ids)

    @property
    def with_soft_vad(self) -> Tensor:
        """(texts,) 1 where a teacher's axes are known."""
        return self.has_soft if self.has_soft_vad is None else self.has_soft_vad

    def batch(
        self, rows: Sequence[int], pad_id: int, device: torch.device, variant: Variant | None = None
    ) -> Batch:
        """The texts of some rows, padded, with their targets.

        Args:
            rows: indices.
            pad_id: the tokenizer's own padding token; it isn't 0 everywhere.
            device: where the tensors go.
            variant: gives other token ids for a row, or None to read it as it is.
        """
        chosen = [(variant(row) if variant else None) or self.token_ids[row] for row in rows]
        longest = max(1, *(len(tokens) for tokens in chosen))
        ids = torch.tensor([tokens + [pad_id] * (longest - len(tokens)) for tokens in chosen])
        mask = torch.tensor([[1] * len(tokens) + [0] * (longest - len(tokens)) for tokens in chosen])
        index = torch.tensor(rows)

        def pick(values: Tensor | None) -> Tensor | None:
            return None if values is None else values[index].to(device)

        return Batch(
            ids.to(device),
            mask.to(device),
            self.labels[index].to(device),
            self.has_labels[index].to(device),
            self.vad[index].to(device),
            self.has_vad[index].to(device),
            pick(self.soft),
            pick(self.soft_vad),
            self.has_soft[index].to(device),
            self.with_soft_vad[index].to(device),
            pick(self.embedding),
        )


def make_corpus(
    tokenizer: PreTrainedTokenizerBase, max_tokens: int, n_labels: int, sources: Sequence[Source]
) -> Corpus:
    """Tokenises sources into one corpus, in the order they are given.

    Texts are brought into the wording that serving reads (`wording`) before they are tokenised.
    """
    texts = [text for source in sources for text in source.texts]
    labels = torch.zeros(len(texts), n_labels)
    vad = torch.zeros(len(texts), len(VAD))
    has_labels, has_vad = torch.zeros(len(texts)), torch.zeros(len(texts))
    start = 0
    for source in sources:
        end = start + len(source.texts)
        if source.label_ids is not None:
            has_labels[start:end] = 1.0
            for row, ids in enumerate(source.label_ids, start):
                labels[row, list(ids)] = 1.0
        if source.vad is not None:
            has_vad[start:end] = 1.0
            vad[start:end] = torch.tensor(source.vad)
        start = end
    token_ids = tokenize(tokenizer, texts, max_tokens)
    return Corpus(texts, token_ids, labels, has_labels, vad, has_vad, torch.zeros(len(texts)))


def tokenize(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
    """The token ids of texts as serving would read them, at most `max_tokens` each."""
    if not texts:
        return []
    # Half an emoji (a lone surrogate, which JSON can hold) is no UTF-8, which the tokenizer insists on.
    read = [normalize_wording(text).encode("utf-8", "replace").decode("utf-8") for text in texts]
    ids: list[list[int]] = tokenizer(read, truncation=True, max_length=max_tokens)["input_ids"]
    return ids


def shuffled_batches(lengths: Sequence[int], batch_size: int, order: random.Random) -> list[list[int]]:
    """Batches of rows of similar length, in random order; each row comes once.

    Args:
        lengths: tokens of each row.
        batch_size: rows.
        order: decides everything that is random here.
    """
    rows = list(range(len(lengths)))
    order.shuffle(rows)
    batches = []
    span = batch_size * BUCKET_BATCHES
    for start in range(0, len(rows), span):
        chunk = sorted(rows[start : start + span], key=lambda row: lengths[row])
        batches += [chunk[at : at + batch_size] for at in range(0, len(chunk), batch_size)]
    order.shuffle(batches)
    return batches


def sorted_batches(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Batches of rows from the shortest to the longest, for reading without training."""
    rows = sorted(range(len(lengths)), key=lambda row: lengths[row])
    return [rows[at : at + batch_size] for at in range(0, len(rows), batch_size)]
