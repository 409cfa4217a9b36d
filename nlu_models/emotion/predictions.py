"""What a torch model says about a corpus, without training it."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from nlu_models.emotion import metrics
from nlu_models.emotion.corpus import Corpus, sorted_batches
from nlu_models.emotion.labels import VAD
from nlu_models.emotion.progress import progress_bar
from nlu_models.encoder import MultiTaskEncoder, mean_pool

BATCH_SIZE = 64


@torch.no_grad()  # type: ignore[untyped-decorator]
def predict(
    model: MultiTaskEncoder, corpus: Corpus, pad_id: int, device: torch.device, title: str | None = None
) -> tuple[metrics.Floats, metrics.Floats]:
    """Emotion logits (texts, labels) and axes (texts, 3), both float32; the model is left in eval mode.

    Args:
        model: on the device.
        corpus: its texts.
        pad_id: the padding token of the model's tokenizer.
        device: where the model is.
        title: of a progress bar; None shows none.
    """
    model.eval()
    logits = np.zeros((len(corpus), model.config.n_labels), dtype=np.float32)
    axes = np.zeros((len(corpus), len(VAD)), dtype=np.float32)
    batches = sorted_batches([len(tokens) for tokens in corpus.token_ids], BATCH_SIZE)
    for rows in progress_bar(batches, title):
        batch = corpus.batch(rows, pad_id, device)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            outputs = model(batch.input_ids, batch.attention_mask)
        logits[rows] = outputs.emotion.float().cpu().numpy()
        axes[rows] = outputs.vad.float().cpu().numpy()
    return logits, axes


@torch.no_grad()  # type: ignore[untyped-decorator]
def embed(
    base: nn.Module, corpus: Corpus, pad_id: int, device: torch.device, title: str | None = None
) -> metrics.Floats:
    """The base model's embeddings of length 1: (texts, width) float32."""
    base.eval()
    embeddings = np.zeros((len(corpus), base.config.hidden_size), dtype=np.float32)
    batches = sorted_batches([len(tokens) for tokens in corpus.token_ids], BATCH_SIZE)
    for rows in progress_bar(batches, title):
        batch = corpus.batch(rows, pad_id, device)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            pooled = mean_pool(base, batch.input_ids, batch.attention_mask)
        embeddings[rows] = nn.functional.normalize(pooled.float(), dim=-1).cpu().numpy()
    return embeddings


def dev_scores(
    model: MultiTaskEncoder, dev: Corpus, vad_dev: Corpus | None, pad_id: int, device: torch.device
) -> dict[str, float]:
    """Dev macro-F1 (thresholds tuned on dev, and cross-fitted), micro-F1, and Pearson's r of each axis.

    Args:
        model: on the device.
        dev: labelled texts.
        vad_dev: rated texts; None leaves the axes out.
        pad_id: the padding token of the model's tokenizer.
        device: where the model is.
    """
    truth = dev.labels.numpy().astype(bool)
    logits, _ = predict(model, dev, pad_id, device)
    probabilities = 1.0 / (1.0 + np.exp(-np.clip(logits, -50.0, 50.0)))
    decided = probabilities >= metrics.tune_thresholds(truth, probabilities)
    scores = {
        "macro_f1": metrics.macro_f1(truth, decided),
        "macro_f1_crossfit": metrics.crossfit_macro_f1(truth, probabilities, folds=min(5, len(truth))),
        "micro_f1": metrics.micro_f1(truth, decided),
    }
    if vad_dev is not None:
        _, axes = predict(model, vad_dev, pad_id, device)
        for axis, name in enumerate(VAD):
            scores[f"r_{name}"] = metrics.pearson(axes[:, axis], vad_dev.vad[:, axis].numpy())
    return {name: round(float(value), 4) for name, value in scores.items()}
