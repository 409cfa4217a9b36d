"""Fine-tunes the shared encoder on emotions, valence-arousal-dominance and its own old embedding.

    python -m nlu_models.emotion.train --goemotions DIR --emobank DIR --clinc DIR --output runs/en

Three tasks share each batch: binary cross-entropy over GoEmotions' 28 labels, mean squared error on
EmoBank's three axes, and, for every text, the cosine distance between the embedding head and the
frozen base model's embedding (distillation; Hinton et al., 2015, applied to embeddings as in
Reimers & Gurevych, EMNLP 2020), so that retrieval and intents keep a general-purpose space.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import pickle
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from nlu_models.emotion import data, metrics
from nlu_models.emotion.labels import GOEMOTIONS, VAD
from nlu_models.encoder import (
    BASE_PACKAGE,
    EncoderConfig,
    MultiTaskEncoder,
    load_base,
    load_tokenizer,
    mean_pool,
)
from nlu_models.errors import InputError, NluModelError, WeightError

BUCKET_BATCHES = 50  # batches are cut from chunks of this many, sorted by length, to save padding
MAX_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class TrainingArguments:
    """Everything a run depends on besides the data; saved beside its weights."""

    base: str = f"package:{BASE_PACKAGE}"
    epochs: int = 4
    batch_size: int = 32  # texts
    learning_rate: float = 1e-4
    warmup_share: float = 0.1  # of all steps
    weight_decay: float = 0.01
    max_tokens: int = 96
    dropout: float = 0.1
    emotion_weight: float = 1.0  # of the mean BCE over labels, which is about 0.09
    vad_weight: float = 0.1
    embedding_weight: float = 0.1
    rare_label_boost: float = 0.0  # a label's positives weigh (negatives / positives) ** this
    init: str = ""  # the model.pt of an earlier run to go on from, instead of the plain base
    clinc_rows: int = 6000
    seed: int = 13

    def __post_init__(self) -> None:
        for name, low, high in (
            ("epochs", 1, 100),
            ("batch_size", 1, 4096),
            ("learning_rate", 1e-8, 1.0),
            ("warmup_share", 0.0, 0.9),
            ("max_tokens", 8, 512),
            ("dropout", 0.0, 0.9),
            ("clinc_rows", 0, 20_000),
            ("rare_label_boost", 0.0, 1.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} is {value}, expected {low} to {high}")


@dataclass(frozen=True)
class Corpus:
    """Token ids with targets; a mask says which targets a text has."""

    token_ids: list[list[int]]
    labels: Tensor  # (texts, 28) float32
    has_labels: Tensor  # (texts,) bool
    vad: Tensor  # (texts, 3) float32
    has_vad: Tensor  # (texts,) bool
    teacher: Tensor | None  # (texts, hidden) float32, unit length; None where not needed

    def __len__(self) -> int:
        return len(self.token_ids)


def train(
    arguments: TrainingArguments, goemotions: Path, emobank: Path, clinc: Path | None, output: Path
) -> dict[str, object]:
    """Trains, keeps the epoch with the best dev macro-F1, and writes the run folder.

    Args:
        arguments: the recipe.
        goemotions: folder of GoEmotions.
        emobank: folder of EmoBank.
        clinc: folder of CLINC150, or None to leave it out.
        output: run folder; gets `model.pt`, `tokenizer/`, and `metrics.json` with the arguments.

    Returns:
        The metrics, as written.

    Raises:
        DataError: a corpus is missing or malformed.
        WeightError: the base encoder can't be loaded.
    """
    _seed_everything(arguments.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = load_tokenizer(arguments.base)
    base = load_base(arguments.base).to(device).eval()
    rows = data.read_goemotions(goemotions, "train")
    vad_rows = data.read_emobank(emobank, "train")
    plain = data.read_clinc_utterances(clinc) if clinc else []
    plain = random.Random(arguments.seed).sample(plain, min(arguments.clinc_rows, len(plain)))
    corpus = make_corpus(tokenizer, arguments.max_tokens, rows, vad_rows, plain)
    corpus = dataclasses.replace(corpus, teacher=_embed(base, corpus, device))
    dev = make_corpus(tokenizer, arguments.max_tokens, data.read_goemotions(goemotions, "dev"), [], [])
    vad_dev = make_corpus(tokenizer, arguments.max_tokens, [], data.read_emobank(emobank, "dev"), [])

    config = EncoderConfig(base=arguments.base, dropout=arguments.dropout)
    model = MultiTaskEncoder(config, base).to(device)
    if arguments.init:
        _load_state(model, Path(arguments.init))
    boost = _positive_weights(corpus, arguments.rare_label_boost).to(device)
    steps = arguments.epochs * math.ceil(len(corpus) / arguments.batch_size)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=arguments.learning_rate, weight_decay=arguments.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _warmup_then_linear(arguments, steps))
    output.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(output / "tokenizer")

    best = -1.0
    history = []
    started = time.monotonic()
    with tqdm(total=steps, unit="step", desc="training") as progress:
        for epoch in range(1, arguments.epochs + 1):
            model.train()
            order = random.Random(arguments.seed + epoch)
            for batch in _batches(corpus, arguments.batch_size, order):
                loss = _loss(model, corpus, batch, arguments, boost, device)
                if not torch.isfinite(loss):
                    raise NluModelError(
                        f"the loss became {loss.item()} in epoch {epoch}; lower the learning rate"
                    )
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
                optimizer.step()
                schedule.step()
                progress.update()
                progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
            scores = score(model, dev, vad_dev, device)
            history.append({"epoch": epoch, "seconds": round(time.monotonic() - started), **scores})
            print(json.dumps(history[-1]), file=sys.stderr, flush=True)
            if float(scores["macro_f1"]) > best:
                best = float(scores["macro_f1"])
                torch.save(
                    {"config": dataclasses.asdict(config), "state": model.state_dict()}, output / "model.pt"
                )
    report: dict[str, object] = {
        "best": max(history, key=lambda row: float(row["macro_f1"])),
        "history": history,
        "arguments": dataclasses.asdict(arguments),
        "commit": _commit(),
        "data_sha256": data.hash_files([goemotions / "train.tsv", emobank / "train.csv"]),
        "torch": torch.__version__,
        "device": str(device),
    }
    (output / "metrics.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def make_corpus(
    tokenizer: PreTrainedTokenizerBase,
    max_tokens: int,
    rows: list[data.LabelledText],
    vad_rows: list[data.VadText],
    plain: list[str],
) -> Corpus:
    """Tokenises the three kinds of text into one corpus, in the order they are given."""
    texts = [row.text for row in rows] + [row.text for row in vad_rows] + plain
    encoded = tokenizer(texts, truncation=True, max_length=max_tokens)["input_ids"]
    labels = torch.zeros(len(texts), len(GOEMOTIONS))
    for index, row in enumerate(rows):
        labels[index, list(row.label_ids)] = 1.0
    vad = torch.zeros(len(texts), len(VAD))
    for index, vad_row in enumerate(vad_rows, start=len(rows)):
        vad[index] = torch.tensor(vad_row.vad)
    position = torch.arange(len(texts))
    has_vad = (position >= len(rows)) & (position < len(rows) + len(vad_rows))
    return Corpus(encoded, labels, position < len(rows), vad, has_vad, None)


@torch.no_grad()  # type: ignore[untyped-decorator]
def predict(
    model: MultiTaskEncoder, corpus: Corpus, device: torch.device
) -> tuple[metrics.Floats, metrics.Floats]:
    """Emotion probabilities (texts, 28) and valence-arousal-dominance (texts, 3) of a corpus."""
    model.eval()
    probabilities = np.zeros((len(corpus), len(GOEMOTIONS)), dtype=np.float32)
    vad = np.zeros((len(corpus), len(VAD)), dtype=np.float32)
    for batch in _batches(corpus, 64, None):
        with torch.autocast(device.type, dtype=torch.bfloat16):
            logits, axes, _, _ = model(*_pad(corpus, batch, device))
        probabilities[batch] = torch.sigmoid(logits.float()).cpu().numpy()
        vad[batch] = axes.float().cpu().numpy()
    return probabilities, vad


def score(model: MultiTaskEncoder, dev: Corpus, vad_dev: Corpus, device: torch.device) -> dict[str, float]:
    """Dev macro-F1 (thresholds tuned on dev, and cross-fitted) and Pearson's r of each axis."""
    truth = dev.labels.numpy().astype(bool)
    probabilities, _ = predict(model, dev, device)
    thresholds = metrics.tune_thresholds(truth, probabilities)
    _, vad = predict(model, vad_dev, device)
    scores = {
        "macro_f1": metrics.macro_f1(truth, probabilities >= thresholds),
        "macro_f1_crossfit": metrics.crossfit_macro_f1(truth, probabilities),
        "micro_f1": metrics.micro_f1(truth, probabilities >= thresholds),
    }
    for axis, name in enumerate(VAD):
        scores[f"r_{name}"] = metrics.pearson(vad[:, axis], vad_dev.vad[:, axis].numpy())
    return {name: round(value, 4) for name, value in scores.items()}


def _loss(
    model: MultiTaskEncoder,
    corpus: Corpus,
    batch: list[int],
    arguments: TrainingArguments,
    boost: Tensor,
    device: torch.device,
) -> Tensor:
    if corpus.teacher is None:
        raise InputError("the corpus carries no embeddings of the base model to stay close to")
    with torch.autocast(device.type, dtype=torch.bfloat16):
        logits, vad, embedding, _ = model(*_pad(corpus, batch, device))
    closeness = (embedding.float() * corpus.teacher[batch].to(device)).sum(dim=-1)
    loss = arguments.embedding_weight * (1.0 - closeness).mean()
    labelled = corpus.has_labels[batch].to(device)
    if labelled.any():
        loss = loss + arguments.emotion_weight * nn.functional.binary_cross_entropy_with_logits(
            logits.float()[labelled], corpus.labels[batch].to(device)[labelled], pos_weight=boost
        )
    rated = corpus.has_vad[batch].to(device)
    if rated.any():
        loss = loss + arguments.vad_weight * nn.functional.mse_loss(
            vad.float()[rated], corpus.vad[batch].to(device)[rated]
        )
    return loss


@torch.no_grad()  # type: ignore[untyped-decorator]
def _embed(base: nn.Module, corpus: Corpus, device: torch.device) -> Tensor:
    rows = torch.zeros(len(corpus), base.config.hidden_size)
    for batch in tqdm(list(_batches(corpus, 64, None)), unit="batch", desc="base embeddings"):
        with torch.autocast(device.type, dtype=torch.bfloat16):
            pooled = mean_pool(base, *_pad(corpus, batch, device))
        rows[batch] = nn.functional.normalize(pooled.float(), dim=-1).cpu()
    return rows


def _batches(corpus: Corpus, batch_size: int, order: random.Random | None) -> Iterator[list[int]]:
    """Batches of indices of similar length; shuffled when an order is given."""
    indices = list(range(len(corpus)))
    if order is None:
        indices.sort(key=lambda index: len(corpus.token_ids[index]))
        batches = [indices[i : i + batch_size] for i in range(0, len(indices), batch_size)]
    else:
        order.shuffle(indices)
        batches = []
        span = batch_size * BUCKET_BATCHES
        for start in range(0, len(indices), span):
            chunk = sorted(indices[start : start + span], key=lambda index: len(corpus.token_ids[index]))
            batches += [chunk[i : i + batch_size] for i in range(0, len(chunk), batch_size)]
        order.shuffle(batches)
    yield from batches


def _pad(corpus: Corpus, batch: list[int], device: torch.device) -> tuple[Tensor, Tensor]:
    longest = max(len(corpus.token_ids[index]) for index in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.int64)
    mask = torch.zeros(len(batch), longest, dtype=torch.int64)
    for row, index in enumerate(batch):
        tokens = corpus.token_ids[index]
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
    return ids.to(device), mask.to(device)


def _positive_weights(corpus: Corpus, boost: float) -> Tensor:
    """(28,) weights of the labels' positives: (negatives / positives) ** boost, 1 for boost 0."""
    labels = corpus.labels[corpus.has_labels]
    positives = labels.sum(dim=0).clamp(min=1.0)
    return ((len(labels) - positives).clamp(min=1.0) / positives) ** boost


def _load_state(model: MultiTaskEncoder, path: Path) -> None:
    try:
        model.load_state(torch.load(path, map_location="cpu", weights_only=True)["state"])
    except (OSError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
        raise WeightError(f"{path} is no checkpoint of this architecture: {error}") from error


def _warmup_then_linear(arguments: TrainingArguments, steps: int):  # type: ignore[no-untyped-def]
    warmup = max(1, round(arguments.warmup_share * steps))
    return lambda step: min((step + 1) / warmup, max(0.0, (steps - step) / max(1, steps - warmup)))


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _commit() -> str | None:
    command = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    return done.stdout.strip() or None


def main() -> int:
    """The command line; returns the exit status."""
    defaults = TrainingArguments()
    parser = argparse.ArgumentParser(
        prog="python -m nlu_models.emotion.train",
        description="Fine-tune the emotion reader.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--goemotions", type=Path, required=True, help="folder of GoEmotions")
    parser.add_argument("--emobank", type=Path, required=True, help="folder of EmoBank")
    parser.add_argument("--clinc", type=Path, help="folder of CLINC150 (keeps the embedding general)")
    parser.add_argument("--output", type=Path, required=True, help="run folder to write")
    for field in dataclasses.fields(TrainingArguments):
        value = getattr(defaults, field.name)
        flag = "--" + field.name.replace("_", "-")
        parser.add_argument(flag, type=type(value), default=value, help=" ")
    options = vars(parser.parse_args())
    paths = [options.pop(name) for name in ("goemotions", "emobank", "clinc", "output")]
    try:
        report = train(TrainingArguments(**options), *paths)
    except NluModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report["best"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
