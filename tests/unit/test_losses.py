"""Losses against plain, slow references."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from nlu_models.emotion.arguments import TrainingArguments  # noqa: E402
from nlu_models.emotion.corpus import Batch, Corpus  # noqa: E402
from nlu_models.emotion.losses import (  # noqa: E402
    correlation_loss,
    divergence,
    label_loss,
    make_objective,
    soft_label_loss,
)
from nlu_models.encoder import Outputs  # noqa: E402

LOGITS = torch.tensor([[0.3, -1.2, 2.0], [-3.0, 0.0, 1.0]])
LABELS = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])


def sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value))


def reference(kind: str, positive_gamma: float, negative_gamma: float, margin: float) -> list[float]:
    weights = [1.0, 2.0, 0.5]
    losses = []
    for logits, labels in zip(LOGITS.tolist(), LABELS.tolist(), strict=True):
        total = 0.0
        for logit, label, weight in zip(logits, labels, weights, strict=True):
            chance = sigmoid(logit)
            if label:
                total -= weight * (1 - chance) ** positive_gamma * math.log(chance)
            else:
                shifted = max(chance - margin, 0.0)
                total -= shifted**negative_gamma * math.log(1 - shifted)
        losses.append(total / 3)
    return losses


@pytest.mark.parametrize(
    ("kind", "settings", "gammas"),
    [
        ("bce", {}, (0.0, 0.0, 0.0)),
        ("focal", {"focal_gamma": 1.5}, (1.5, 1.5, 0.0)),
        (
            "asymmetric",
            {"positive_gamma": 1.0, "negative_gamma": 3.0, "negative_margin": 0.1},
            (1.0, 3.0, 0.1),
        ),
    ],
)
def test_label_losses_follow_their_papers(
    kind: str, settings: dict[str, Any], gammas: tuple[float, float, float]
) -> None:
    arguments = TrainingArguments(loss=kind, **settings)
    found = label_loss(LOGITS, LABELS, arguments, torch.tensor([1.0, 2.0, 0.5]))
    np.testing.assert_allclose(found.numpy(), reference(kind, *gammas), rtol=1e-5)


def test_bce_stays_finite_where_probabilities_saturate() -> None:
    loss = label_loss(
        torch.tensor([[200.0, -200.0]]), torch.tensor([[0.0, 1.0]]), TrainingArguments(), torch.ones(2)
    )
    assert loss.item() == pytest.approx(200.0)


def test_soft_loss_is_least_at_the_teacher_and_keeps_its_gradient_at_any_temperature() -> None:
    teacher = torch.tensor([[1.5, -2.0, 0.1]])
    for temperature in (1.0, 4.0):
        own = teacher.clone().requires_grad_()
        soft_label_loss(own, teacher, temperature).sum().backward()
        np.testing.assert_allclose(own.grad.numpy(), 0.0, atol=1e-7)
    small = torch.tensor([[0.01, -0.02, 0.03]])
    gradients = []
    for temperature in (1.0, 8.0):
        own = torch.zeros(1, 3, requires_grad=True)
        soft_label_loss(own, small, temperature).sum().backward()
        gradients.append(own.grad)
    # For small logits sigmoid(z / T) - 1/2 is z / 4T, and T² / T leaves the gradient as it was.
    np.testing.assert_allclose(gradients[0].numpy(), gradients[1].numpy(), rtol=1e-3)


def test_correlation_loss_is_the_mean_over_pairs() -> None:
    expected = []
    for logits, labels in zip(LOGITS.tolist(), LABELS.tolist(), strict=True):
        pairs = [
            math.exp(sigmoid(logits[absent]) - sigmoid(logits[present]))
            for present in range(3) if labels[present] for absent in range(3) if not labels[absent]
        ]  # fmt: skip
        expected.append(sum(pairs) / len(pairs))
    np.testing.assert_allclose(correlation_loss(LOGITS, LABELS).numpy(), expected, rtol=1e-6)
    assert correlation_loss(LOGITS, torch.zeros(2, 3)).tolist() == [0.0, 0.0]


def test_divergence_is_the_symmetric_kl_of_bernoullis() -> None:
    other = LOGITS + torch.tensor([[0.5, -0.3, 0.0], [0.1, 0.2, -1.0]])
    total = 0.0
    for a, b in zip(LOGITS.flatten().tolist(), other.flatten().tolist(), strict=True):
        p, q = sigmoid(a), sigmoid(b)
        total += 0.5 * (p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q)))
        total += 0.5 * (q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p)))
    assert divergence(LOGITS, other).item() == pytest.approx(total / 6, rel=1e-5)


def make_corpus(soft: bool) -> Corpus:
    """Three texts: one with labels, one with labels and axes known, one with axes only."""
    return Corpus(
        texts=["a", "b", "c"],
        token_ids=[[2], [3], [4]],
        labels=torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]),
        has_labels=torch.tensor([1.0, 1.0, 0.0]),
        vad=torch.tensor([[0.0, 0.0, 0.0], [0.2, -0.4, 0.1], [0.6, 0.0, 0.3]]),
        has_vad=torch.tensor([0.0, 1.0, 1.0]),
        has_soft=torch.tensor([0.0, 1.0, 1.0]) if soft else torch.zeros(3),
        soft=torch.tensor([[0.0, 0.0], [2.0, -1.0], [-1.0, 0.5]]) if soft else None,
    )


def read(corpus: Corpus) -> tuple[Outputs, Batch]:
    batch = corpus.batch([0, 1, 2], 0, torch.device("cpu"))
    logits = torch.tensor([[0.5, -0.5], [1.0, 0.0], [-2.0, 3.0]])
    vad = torch.tensor([[0.9, 0.9, 0.9], [0.0, 0.0, 0.0], [0.5, 0.1, -0.1]])
    return Outputs(logits, vad, torch.zeros(3, 4), torch.zeros(3, 1)), batch


def test_axes_are_judged_in_standard_deviations_of_the_rated_texts() -> None:
    corpus = make_corpus(soft=False)
    outputs, batch = read(corpus)
    objective = make_objective(TrainingArguments(), corpus, torch.device("cpu"))
    std = corpus.vad[1:].numpy().std(axis=0, ddof=1)
    error = (outputs.vad[1:].numpy() - corpus.vad[1:].numpy()) / std
    assert objective.vad(outputs.vad, batch).item() == pytest.approx(float((error**2).mean()), rel=1e-5)


def test_soft_and_hard_labels_are_mixed_where_a_text_has_both() -> None:
    corpus = make_corpus(soft=True)
    outputs, batch = read(corpus)
    arguments = TrainingArguments(soft_share=0.25, temperature=2.0)
    objective = make_objective(arguments, corpus, torch.device("cpu"))
    hard = label_loss(outputs.emotion, batch.labels, arguments, torch.ones(2)).tolist()
    soft = soft_label_loss(outputs.emotion, batch.soft, 2.0).tolist()
    expected = (hard[0] + 0.75 * hard[1] + 0.25 * soft[1] + soft[2]) / 3
    assert objective.emotion(outputs.emotion, batch).item() == pytest.approx(expected, rel=1e-6)


def test_a_batch_without_a_target_costs_nothing_and_still_has_a_gradient() -> None:
    corpus = make_corpus(soft=False)
    objective = make_objective(TrainingArguments(), corpus, torch.device("cpu"))
    logits = torch.ones(1, 2, requires_grad=True)
    loss = objective.emotion(logits, corpus.batch([2], 0, torch.device("cpu")))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad.tolist() == [[0.0, 0.0]]


def test_rare_positives_weigh_more_and_smoothing_goes_towards_the_rates() -> None:
    corpus = Corpus(
        [""] * 8, [[1]] * 8, torch.tensor([[1.0, 1.0]] + [[1.0, 0.0]] * 3 + [[0.0, 0.0]] * 4), torch.ones(8),
        torch.zeros(8, 3), torch.zeros(8), torch.zeros(8),
    )  # fmt: skip
    objective = make_objective(TrainingArguments(rare_label_boost=0.5), corpus, torch.device("cpu"))
    np.testing.assert_allclose(objective.positive_weights.numpy(), [1.0, 7**0.5])
    smooth = make_objective(TrainingArguments(label_smoothing=0.2), corpus, torch.device("cpu"))
    batch = corpus.batch([0], 0, torch.device("cpu"))
    logits = torch.tensor([[0.4, -0.7]])
    target = torch.tensor([[0.8 + 0.2 * 0.5, 0.8 + 0.2 * 0.125]])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
    assert smooth.emotion(logits, batch).item() == pytest.approx(expected.item(), rel=1e-6)
