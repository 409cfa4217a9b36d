"""Times the encoder in torch and bfloat16 on a GPU: reading against a measured roofline, and training."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from nlu_models.emotion.corpus import shuffled_batches, sorted_batches, tokenize
from nlu_models.emotion.data import read_goemotions
from nlu_models.encoder import BASE_PACKAGE, EncoderConfig, MultiTaskEncoder, load_tokenizer
from nlu_models.errors import InputError

BASE = f"package:{BASE_PACKAGE}"
MAX_TOKENS = 96
READ_BATCH = 1024
TRAIN_BATCH = 128
TRAIN_STEPS = 60
WARM_UP = 5
ROOFLINE_SIZE = 8192
ROUNDS = 10


def measure_gpu(goemotions: Path) -> dict[str, Any]:
    """Texts a second, the share of the roofline, and seconds per epoch of GoEmotions' training split.

    Raises:
        InputError: torch sees no GPU.
        DataError: the data can't be read.
    """
    if not torch.cuda.is_available():
        raise InputError("torch sees no CUDA GPU here, so there is nothing to time; run without --gpu")
    device = torch.device("cuda")
    tokenizer = load_tokenizer(BASE)
    dev, train = (
        tokenize(tokenizer, [row.text for row in read_goemotions(goemotions, split)], MAX_TOKENS)
        for split in ("dev", "train")
    )
    model = MultiTaskEncoder(EncoderConfig(base=BASE)).to(device)
    products = sum(
        weight.numel() for name, weight in model.named_parameters() if weight.ndim == 2 and ".layer." in name
    )
    read_s = _reading(model, dev, tokenizer.pad_token_id)
    peak = _roofline(device)
    n_tokens = sum(len(ids) for ids in dev)
    step_s = _training(model, train, tokenizer.pad_token_id)
    return {
        "device": torch.cuda.get_device_name(device),
        "texts_per_s": round(len(dev) / read_s, 1),
        "roofline_tmac_s": round(peak / 1e12, 2),
        "reached_tmac_s": round(products * n_tokens / read_s / 1e12, 2),
        "share_of_roofline": round(products * n_tokens / read_s / peak, 3),
        "training_batch": TRAIN_BATCH,
        "seconds_per_step": round(step_s, 4),
        "seconds_per_epoch": round(step_s * len(train) / TRAIN_BATCH, 1),
    }


def _reading(model: MultiTaskEncoder, token_ids: Sequence[Sequence[int]], pad_id: int) -> float:
    """Seconds to read all texts, already on the GPU, at the best of some rounds."""
    model.eval()
    lengths = [len(ids) for ids in token_ids]
    batches = [_batch(token_ids, rows, pad_id) for rows in sorted_batches(lengths, READ_BATCH)]

    def read() -> None:
        with torch.inference_mode(), torch.autocast("cuda", dtype=torch.bfloat16):
            for ids, mask in batches:
                model(ids, mask)

    return _best(read)


def _training(model: MultiTaskEncoder, token_ids: Sequence[Sequence[int]], pad_id: int) -> float:
    """Median seconds of an optimiser step, copying included."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    batches = shuffled_batches([len(ids) for ids in token_ids], TRAIN_BATCH, random.Random(0))
    times = []
    for rows in batches[: TRAIN_STEPS + WARM_UP]:
        started, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        started.record()
        ids, mask = _batch(token_ids, rows, pad_id)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            logits = model(ids, mask).emotion
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            logits.float(), torch.zeros_like(logits, dtype=torch.float32)
        )
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        ended.record()
        ended.synchronize()
        times.append(started.elapsed_time(ended) / 1000.0)
    return statistics.median(times[WARM_UP:])


def _roofline(device: torch.device) -> float:
    """Multiplications a second of a large bfloat16 matrix product."""
    one = torch.randn(ROOFLINE_SIZE, ROOFLINE_SIZE, device=device, dtype=torch.bfloat16)
    return float(ROOFLINE_SIZE**3) / _best(lambda: one @ one)


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS + WARM_UP):
        started, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        started.record()
        work()
        ended.record()
        ended.synchronize()
        times.append(started.elapsed_time(ended) / 1000.0)
    return min(times[WARM_UP:])


def _batch(
    token_ids: Sequence[Sequence[int]], rows: Sequence[int], pad_id: int
) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(len(token_ids[row]) for row in rows)
    ids = torch.tensor([[*token_ids[row], *[pad_id] * (longest - len(token_ids[row]))] for row in rows])
    lengths = torch.tensor([len(token_ids[row]) for row in rows])
    mask = (torch.arange(longest)[None, :] < lengths[:, None]).long()
    return ids.to("cuda"), mask.to("cuda")
