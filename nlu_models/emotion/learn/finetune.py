"""Trains a model on corrections without letting it forget: original texts are replayed among them.

Corrections alone would bend a model until it knows little else (catastrophic forgetting). So most of what it
reads are texts of the original training set, as far as that goes, with their labels and with what the model
said of them before (rehearsal with soft targets; Li & Hoiem, TPAMI 2018, https://arxiv.org/abs/1606.09282).
What it said of axes and embeddings is held as well, since neither corrections nor GoEmotions say anything
about them.

A model that the guard refuses may have gone too far in a good direction. So points on the way back to the old
weights are tried as well (WiSE-FT; Wortsman et al., CVPR 2022, https://arxiv.org/abs/2109.01903), and the
furthest that passes is taken.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from nlu_models.emotion.arguments import TrainingArguments
from nlu_models.emotion.corpus import Corpus, make_corpus, shuffled_batches, sorted_batches
from nlu_models.emotion.data import LabelledText
from nlu_models.emotion.datasets import Source
from nlu_models.emotion.learn.guard import FEWEST_HELD_OUT, Check, Read, compare
from nlu_models.emotion.learn.start import Start
from nlu_models.emotion.losses import make_objective
from nlu_models.emotion.schedules import rate_factor
from nlu_models.encoder import MultiTaskEncoder
from nlu_models.errors import InputError, NluModelError
from nlu_models.text import normalize

MAX_GRADIENT_NORM = 1.0
READ_ROWS = 64  # texts in one pass that only reads
FEWEST_CORRECTIONS = 3 * FEWEST_HELD_OUT
MOST_REPEATS = 20  # of a correction in one epoch
STEPS_BACK = (1.0, 0.75, 0.5)  # shares of the way from the old weights to the new


@dataclass(frozen=True)
class LearningArguments:
    """Everything a fine-tuning depends on besides its texts; saved beside its weights.

    Raises:
        InputError: a value is out of its range.
    """

    epochs: int = 2
    batch_size: int = 16  # texts
    learning_rate: float = 1e-5
    replayed: int = 3000  # original texts, drawn once; more where corrections would pass their share
    correction_share: float = 0.15  # of the texts of an epoch; corrections are repeated to reach it
    held_out_share: float = 0.2  # of the corrections, to judge by
    soft_share: float = 0.8  # of the old model's opinion in what replayed texts are trained towards
    seed: int = 13

    def __post_init__(self) -> None:
        for name, low, high in (
            ("epochs", 1, 100),
            ("batch_size", 1, 1024),
            ("learning_rate", 1e-8, 1e-2),
            ("replayed", 1, 1_000_000),
            ("correction_share", 0.01, 0.9),
            ("held_out_share", 0.05, 0.5),
            ("soft_share", 0.0, 1.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} is {value}, expected {low} to {high}")


@dataclass(frozen=True)
class Lesson:
    """What came of a fine-tuning.

    Attributes:
        model: in eval mode.
        checks: all of the guard's.
        share: of the way from the old weights to the new.
        trained_on: how many corrections.
        held_out: how many corrections.
        replayed: how many original texts.
        is_steady: whether what is held out stays so, whatever corrections come or go.
    """

    model: MultiTaskEncoder
    checks: list[Check]
    share: float
    trained_on: int
    held_out: int
    replayed: int
    is_steady: bool

    @property
    def is_better(self) -> bool:
        """Whether every check was passed."""
        return all(check.passed for check in self.checks)


def learn(
    start: Start,
    corrections: Sequence[LabelledText],
    original: Sequence[LabelledText],
    dev: Sequence[LabelledText],
    arguments: LearningArguments,
) -> Lesson:
    """Trains a copy of a model on corrections, and compares the two.

    Args:
        start: the model; it is left as it is.
        corrections: the right labels of texts; of several for one text the last counts.
        original: rows of the training set it is not to forget.
        dev: rows of the dev set it is judged on.
        arguments: the recipe.

    Raises:
        InputError: there are too few corrections.
        NluModelError: the loss is no longer finite.
    """
    trained_on, held_out = split(corrections, arguments.held_out_share)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    old = start.model.to(device).eval()
    model = copy.deepcopy(old)
    chance = random.Random(arguments.seed)
    replayed = chance.sample(list(original), _replayed(len(trained_on), len(original), arguments))
    corpus = _corpus(start, old, trained_on, replayed, arguments, device)
    _train(model, corpus, start, arguments, device)
    before = [_read(old, start, rows, device, "old model") for rows in (dev, held_out)]
    tried: list[tuple[MultiTaskEncoder, list[Check], float]] = []
    for share in STEPS_BACK:
        mixed = _between(old, model, share)
        after = [_read(mixed, start, rows, device, f"{share:.0%} of the new") for rows in (dev, held_out)]
        checks = compare(before[0], after[0], before[1], after[1], start.labels, seed=arguments.seed)
        tried.append((mixed, checks, share))
        if all(check.passed for check in checks):
            break
    # Where none passed, the reasons told are those against the whole of what was learnt.
    chosen = tried[-1] if all(check.passed for check in tried[-1][1]) else tried[0]
    return Lesson(
        chosen[0].cpu().eval(), chosen[1], chosen[2], len(trained_on), len(held_out), len(replayed),
        is_steady(held_out, arguments.held_out_share),
    )  # fmt: skip


def split(corrections: Sequence[LabelledText], share: float) -> tuple[list[LabelledText], list[LabelledText]]:
    """Corrections to train on and to judge by.

    A text's own lot decides, so that it is on the same side in every run: a model that goes on from a learnt
    one is judged by what neither has seen. With few corrections (below about 40) fewer than
    `FEWEST_HELD_OUT` lots may lie within the share. Then the lowest lots are held out, and what comes or
    goes among the corrections can move a text to the other side.

    Args:
        corrections: of several for one text the last counts.
        share: of those to judge by.

    Raises:
        InputError: there are too few.
    """
    latest = {normalize(row.text).strip(): row for row in corrections}
    if len(latest) < FEWEST_CORRECTIONS:
        raise InputError(
            f"there are {len(latest)} corrected texts, at least {FEWEST_CORRECTIONS} are needed to learn "
            "from some and judge by others"
        )
    ranked = sorted((_lot(text), text) for text in latest)
    count = max(sum(lot < share for lot, _ in ranked), FEWEST_HELD_OUT)
    judged = {text for _, text in ranked[:count]}
    return (
        [row for text, row in latest.items() if text not in judged],
        [row for text, row in latest.items() if text in judged],
    )


def is_steady(held_out: Sequence[LabelledText], share: float) -> bool:
    """Whether what `split` held out stays held out, whatever corrections come or go."""
    return all(_lot(normalize(row.text).strip()) < share for row in held_out)


def _replayed(corrections: int, original: int, arguments: LearningArguments) -> int:
    """How many original texts hold corrections to their share, at least as many as were asked for."""
    share = arguments.correction_share
    return min(max(arguments.replayed, math.ceil((1.0 - share) / share * corrections)), original)


def _between(old: MultiTaskEncoder, new: MultiTaskEncoder, share: float) -> MultiTaskEncoder:
    """A model whose weights lie so far from the old ones towards the new."""
    if share == 1.0:
        return new
    mixed = copy.deepcopy(new)
    theirs, ours = old.state_dict(), new.state_dict()
    mixed.load_state_dict(
        {
            name: torch.lerp(theirs[name], tensor, share) if tensor.is_floating_point() else tensor
            for name, tensor in ours.items()
        }
    )
    return mixed


def _lot(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:7], "big") / 256**7


def _corpus(
    start: Start,
    old: MultiTaskEncoder,
    trained_on: Sequence[LabelledText],
    replayed: Sequence[LabelledText],
    arguments: LearningArguments,
    device: torch.device,
) -> Corpus:
    """Corrections, repeated, and replayed texts with what the old model says of them."""
    wanted = arguments.correction_share / (1.0 - arguments.correction_share) * len(replayed)
    repeats = min(max(round(wanted / len(trained_on)), 1), MOST_REPEATS)
    rows = [*list(trained_on) * repeats, *replayed]
    corpus = _texts(start, rows)
    logits, axes, embeddings = _outputs(old, corpus, start, device, "old model on what is learnt")
    is_replayed = torch.zeros(len(rows))
    is_replayed[len(rows) - len(replayed) :] = 1.0
    return dataclasses.replace(corpus, soft=logits, soft_vad=axes, has_soft=is_replayed, embedding=embeddings)


def _texts(start: Start, rows: Sequence[LabelledText]) -> Corpus:
    source = Source("corrections", [row.text for row in rows], [row.label_ids for row in rows])
    return make_corpus(start.tokenizer, start.max_tokens, len(start.labels), [source])


def _train(
    model: MultiTaskEncoder,
    corpus: Corpus,
    start: Start,
    arguments: LearningArguments,
    device: torch.device,
) -> None:
    recipe = TrainingArguments(
        soft_share=arguments.soft_share, temperature=1.0, seed=arguments.seed, max_tokens=start.max_tokens
    )
    torch.manual_seed(arguments.seed)
    objective = make_objective(recipe, corpus, device)
    lengths = [len(tokens) for tokens in corpus.token_ids]
    steps = arguments.epochs * math.ceil(len(corpus) / arguments.batch_size)
    model.risk.requires_grad_(False)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=arguments.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate_factor("linear", steps, 0.1))
    model.train()
    with tqdm(total=steps, unit="step", desc="learning", file=sys.stderr) as progress:
        for epoch in range(arguments.epochs):
            order = random.Random(arguments.seed + epoch)
            for rows in shuffled_batches(lengths, arguments.batch_size, order):
                batch = corpus.batch(rows, start.tokenizer.pad_token_id, device)
                loss, _ = objective(model(batch.input_ids, batch.attention_mask), batch)
                if not torch.isfinite(loss):
                    raise NluModelError(
                        f"the loss became {loss.item()}; lower --learning-rate; nothing was written"
                    )
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(weights, MAX_GRADIENT_NORM)
                optimizer.step()
                schedule.step()
                progress.update()
                progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    model.eval()


def _read(
    model: MultiTaskEncoder, start: Start, rows: Sequence[LabelledText], device: torch.device, title: str
) -> Read:
    corpus = _texts(start, rows)
    logits, _, _ = _outputs(model, corpus, start, device, title)
    return Read(corpus.labels.numpy().astype(bool), torch.sigmoid(logits).numpy().astype(np.float64))


@torch.no_grad()  # type: ignore[untyped-decorator]
def _outputs(
    model: MultiTaskEncoder, corpus: Corpus, start: Start, device: torch.device, title: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (texts, labels), axes (texts, 3) and embeddings (texts, width), float32, on the CPU."""
    model.eval()
    found: list[Any] = [None] * len(corpus)
    batches = sorted_batches([len(tokens) for tokens in corpus.token_ids], READ_ROWS)
    for rows in tqdm(batches, unit="batch", desc=title, file=sys.stderr):
        batch = corpus.batch(rows, start.tokenizer.pad_token_id, device)
        outputs = model(batch.input_ids, batch.attention_mask)
        parts = zip(outputs.emotion.cpu(), outputs.vad.cpu(), outputs.embedding.cpu(), strict=True)
        for row, part in zip(rows, parts, strict=True):
            found[row] = part
    logits, axes, embeddings = (torch.stack(list(column)) for column in zip(*found, strict=True))
    return logits, axes, embeddings
