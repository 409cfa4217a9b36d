"""Lets a pruned model find back to what it was: a short fine-tuning against the model it was cut from.

No labels are needed: the whole model says what each text is, labels, axes and embedding (self-distillation,
Hinton et al., 2015). For a long training with other data, use `attune emotion distil` with the pruned run.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from nlu_models.emotion.corpus import shuffled_batches
from nlu_models.emotion.interrupt import Interrupt
from nlu_models.emotion.progress import progress_bar
from nlu_models.encoder import MultiTaskEncoder, Outputs
from nlu_models.errors import InputError

BATCH_SIZE = 32
LEARNING_RATE = 1e-4
WARMUP_SHARE = 0.1
VAD_WEIGHT = 1.0  # of the axes' squared error
EMBEDDING_WEIGHT = 0.5  # of the cosine distance
MAX_GRADIENT_NORM = 1.0
SEED = 13


def recover(
    pruned: MultiTaskEncoder,
    whole: MultiTaskEncoder,
    token_ids: Sequence[Sequence[int]],
    steps: int,
    title: str | None = None,
) -> None:
    """Fine-tunes a pruned model in place, and leaves it in eval mode.

    Args:
        pruned: to be trained, on the device it is on.
        whole: what it was cut from, on the same device.
        token_ids: training texts; they are gone through as often as it takes.
        steps: batches of 32 texts.
        title: of a progress bar; None shows none.

    Raises:
        InputError: there are no texts, or a negative number of steps.
        KeyboardInterrupt: the process was asked to stop.
    """
    if steps < 0 or not token_ids:
        raise InputError(f"{steps} steps over {len(token_ids)} texts can't be trained")
    device = next(pruned.parameters()).device
    order = random.Random(SEED)
    torch.manual_seed(SEED)
    optimizer = torch.optim.AdamW(pruned.parameters(), lr=LEARNING_RATE)
    warmup = max(1, round(WARMUP_SHARE * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warmup, max(0.0, (steps - step) / max(1, steps - warmup))),
    )
    whole.eval()
    pruned.train()
    lengths = [len(ids) for ids in token_ids]
    batches: list[list[int]] = []
    with Interrupt() as interrupt:
        for _ in progress_bar(range(steps), title, "step"):
            batches = batches or shuffled_batches(lengths, BATCH_SIZE, order)
            ids, mask = padded([token_ids[row] for row in batches.pop()], device)
            with torch.no_grad():
                wanted = whole(ids, mask)
            loss = difference(pruned(ids, mask), wanted)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(pruned.parameters(), MAX_GRADIENT_NORM)
            optimizer.step()
            schedule.step()
            if interrupt.requested:
                raise KeyboardInterrupt
    pruned.eval()


def difference(found: Outputs, wanted: Outputs) -> Tensor:
    """How far a model's outputs are from another's: a scalar."""
    labels = functional.binary_cross_entropy_with_logits(found.emotion, torch.sigmoid(wanted.emotion))
    axes = functional.mse_loss(found.vad, wanted.vad)
    angle = (1.0 - (found.embedding * wanted.embedding).sum(dim=-1)).mean()
    return labels + VAD_WEIGHT * axes + EMBEDDING_WEIGHT * angle


def padded(token_ids: Sequence[Sequence[int]], device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Token ids and mask, both (texts, tokens of the longest) int64; padding is masked, so any id will do."""
    longest = max(1, *(len(ids) for ids in token_ids))
    ids = torch.tensor([[*one, *[0] * (longest - len(one))] for one in token_ids], dtype=torch.int64)
    mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in token_ids])
    return ids.to(device), mask.to(device)
