"""What a pass is penalised for: labels, axes and the embedding, with hard targets and a teacher's soft ones.

Each loss is a mean over the texts that have its target. A batch without any gives 0 with a gradient of
0, so that several processes always have gradients of the same shape to average.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nlu_models.emotion.arguments import TrainingArguments
from nlu_models.emotion.corpus import Batch, Corpus
from nlu_models.encoder import Outputs

EPSILON = 1e-8
MIN_STD = 1e-3


@dataclass(frozen=True)
class Objective:
    """The loss of a pass.

    Attributes:
        arguments: the weights of the parts and which label loss.
        positive_weights: (labels,) how much a label's positives weigh.
        label_rates: (labels,) how often each label holds in the training texts.
        vad_std: (3,) standard deviations of the axes in the training texts.
    """

    arguments: TrainingArguments
    positive_weights: Tensor
    label_rates: Tensor
    vad_std: Tensor

    def __call__(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum, and its parts before weighting, each a scalar."""
        arguments = self.arguments
        parts = {"emotion": self.emotion(outputs.emotion.float(), batch)}
        total = arguments.emotion_weight * parts["emotion"]
        if arguments.correlation_weight:
            parts["correlation"] = _mean(
                correlation_loss(outputs.emotion.float(), batch.labels), batch.has_labels
            )
            total = total + arguments.correlation_weight * parts["correlation"]
        if arguments.vad_weight:
            parts["vad"] = self.vad(outputs.vad.float(), batch)
            total = total + arguments.vad_weight * parts["vad"]
        if arguments.embedding_weight and batch.embedding is not None:
            parts["embedding"] = (1.0 - (outputs.embedding.float() * batch.embedding).sum(dim=-1)).mean()
            total = total + arguments.embedding_weight * parts["embedding"]
        return total, parts

    def emotion(self, logits: Tensor, batch: Batch) -> Tensor:
        """The label loss: hard targets, soft ones, or `soft_share` of both where a text has both."""
        arguments = self.arguments
        labels = batch.labels
        if arguments.label_smoothing:
            labels = torch.lerp(labels, self.label_rates.expand_as(labels), arguments.label_smoothing)
        hard = label_loss(logits, labels, arguments, self.positive_weights)
        if batch.soft is None:
            return _mean(hard, batch.has_labels)
        soft = soft_label_loss(logits, batch.soft, arguments.temperature)
        return self._mix(hard, batch.has_labels, soft, batch.has_soft)

    def vad(self, axes: Tensor, batch: Batch) -> Tensor:
        """The axes' squared error in standard deviations, so that its size is 1 for a constant guess."""
        hard = ((axes - batch.vad) / self.vad_std).square().mean(dim=-1)
        if batch.soft_vad is None:
            return _mean(hard, batch.has_vad)
        soft = ((axes - batch.soft_vad) / self.vad_std).square().mean(dim=-1)
        return self._mix(hard, batch.has_vad, soft, batch.has_soft_vad)

    def _mix(self, hard: Tensor, has_hard: Tensor, soft: Tensor, has_soft: Tensor) -> Tensor:
        share = self.arguments.soft_share
        of_soft = has_soft * torch.where(has_hard > 0, share, 1.0)
        of_hard = has_hard * torch.where(has_soft > 0, 1.0 - share, 1.0)
        return _mean(of_soft * soft + of_hard * hard, torch.maximum(has_hard, has_soft))


def make_objective(arguments: TrainingArguments, corpus: Corpus, device: torch.device) -> Objective:
    """The objective with the rates and spreads of a corpus."""
    labels = corpus.labels[corpus.has_labels > 0]
    positives = labels.sum(dim=0)
    negatives = (len(labels) - positives).clamp(min=1.0)
    weights = (negatives / positives.clamp(min=1.0)) ** arguments.rare_label_boost
    rated = corpus.vad[corpus.has_vad > 0]
    if len(rated) < 2 and corpus.soft_vad is not None:
        rated = corpus.soft_vad[corpus.with_soft_vad > 0]
    std = rated.std(dim=0).clamp(min=MIN_STD) if len(rated) > 1 else torch.ones(corpus.vad.shape[1])
    rates = positives / max(len(labels), 1)
    return Objective(arguments, weights.to(device), rates.to(device), std.to(device))


def label_loss(
    logits: Tensor, labels: Tensor, arguments: TrainingArguments, positive_weights: Tensor
) -> Tensor:
    """The loss of each text against its labels: (texts,).

    `bce` is binary cross-entropy. `focal` scales each term down by how right it already is (Lin et al.,
    ICCV 2017, https://arxiv.org/abs/1708.02002). `asymmetric` does so with an exponent of its own for
    positives and negatives, and lets negatives under a margin cost nothing (Ben-Baruch et al., ICCV 2021,
    https://arxiv.org/abs/2009.14119).

    Args:
        logits: (texts, labels) float32.
        labels: (texts, labels) in [0, 1].
        arguments: `loss` and its exponents.
        positive_weights: (labels,).
    """
    positive = -functional.logsigmoid(logits)
    negative = -functional.logsigmoid(-logits)
    if arguments.loss != "bce":
        chance = torch.sigmoid(logits)
        if arguments.loss == "focal":
            positive = (1.0 - chance) ** arguments.focal_gamma * positive
            negative = chance**arguments.focal_gamma * negative
        else:
            shifted = (chance - arguments.negative_margin).clamp(min=0.0)
            positive = (1.0 - chance) ** arguments.positive_gamma * positive
            negative = -(shifted**arguments.negative_gamma) * torch.log((1.0 - shifted).clamp(min=EPSILON))
    return (labels * positive_weights * positive + (1.0 - labels) * negative).mean(dim=-1)


def soft_label_loss(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of each text against a teacher's probabilities: (texts,).

    Distillation (Hinton et al., 2015, https://arxiv.org/abs/1503.02531) with a sigmoid per label: both
    sides' logits are divided by the temperature, and the loss multiplied by its square, which keeps the
    gradient's size.

    Args:
        logits: (texts, labels) float32.
        teacher: (texts, labels) logits.
        temperature: above 1 softens.
    """
    targets = torch.sigmoid(teacher / temperature)
    each = functional.binary_cross_entropy_with_logits(logits / temperature, targets, reduction="none")
    return temperature**2 * each.mean(dim=-1)


def correlation_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """How far each text's absent labels reach over its present ones: (texts,).

    The label-correlation-aware loss of SpanEmo (Alhuzali & Ananiadou, EACL 2021,
    https://aclanthology.org/2021.eacl-main.135/): the mean over pairs of a present and an absent label
    of exp(p_absent - p_present), which factorises. 0 for a text whose labels are all present or all absent.

    Args:
        logits: (texts, labels) float32.
        labels: (texts, labels), 0 or 1.
    """
    chance = torch.sigmoid(logits)
    present, absent = labels.sum(dim=-1), (1.0 - labels).sum(dim=-1)
    over = ((1.0 - labels) * torch.exp(chance)).sum(dim=-1) / absent.clamp(min=1.0)
    under = (labels * torch.exp(-chance)).sum(dim=-1) / present.clamp(min=1.0)
    return over * under  # an empty side makes its factor 0


def divergence(first: Tensor, second: Tensor) -> Tensor:
    """How much two passes over the same texts, with other dropout, disagree: a scalar.

    R-Drop (Liang et al., NeurIPS 2021, https://arxiv.org/abs/2106.14448) with a Bernoulli per label: the
    symmetric Kullback-Leibler divergence, which for two logits is (p - q)(a - b) / 2.

    Args:
        first: (texts, labels) logits.
        second: (texts, labels) logits.
    """
    return ((torch.sigmoid(first) - torch.sigmoid(second)) * (first - second)).mean() / 2.0


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean of the values whose mask is 1; 0 where there are none."""
    return (values * mask).sum() / mask.sum().clamp(min=1.0)
