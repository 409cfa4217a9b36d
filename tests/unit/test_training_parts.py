"""Corpus and batches, what is frozen, perturbations of embeddings, typing noise, and writing files."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from nlu_models.emotion.adversarial import Perturbation, fgm, freelb  # noqa: E402
from nlu_models.emotion.arguments import TrainingArguments  # noqa: E402
from nlu_models.emotion.attacks import KINDS  # noqa: E402
from nlu_models.emotion.corpus import make_corpus, shuffled_batches, sorted_batches, tokenize  # noqa: E402
from nlu_models.emotion.datasets import Source  # noqa: E402
from nlu_models.emotion.noise import TypingNoise  # noqa: E402
from nlu_models.emotion.optimizer import choose_trained, depth, make_optimizer, merged_state  # noqa: E402
from nlu_models.emotion.run_folder import RunFolder  # noqa: E402
from nlu_models.emotion.whole_files import replacing, write_text  # noqa: E402
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder, load_tokenizer, mean_pool  # noqa: E402
from nlu_models.errors import InputError, NluModelError  # noqa: E402
from tests.unit.tiny_bases import FAMILIES, make_base  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bases")
    return {family: make_base(folder / family, family) for family in FAMILIES}


def make_model(base: Path) -> MultiTaskEncoder:
    torch.manual_seed(1)
    return MultiTaskEncoder(EncoderConfig(base=str(base), n_labels=3))


def test_sources_keep_their_order_and_masks_say_what_each_text_has(bases: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(str(bases["bert"]))
    sources = [
        Source("data", ["i am sad", "happy"], label_ids=[(2,), ()]),
        Source("emobank", ["the cat"], vad=[(0.5, -0.5, 0.0)]),
        Source("clinc", ["my work"]),
    ]
    corpus = make_corpus(tokenizer, 24, 3, sources)
    assert corpus.texts == ["i am sad", "happy", "the cat", "my work"]
    assert corpus.labels.tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert corpus.has_labels.tolist() == [1, 1, 0, 0]
    assert corpus.has_vad.tolist() == [0, 0, 1, 0]
    assert corpus.vad[2].tolist() == [0.5, -0.5, 0.0]


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_changes_nothing_for_any_family(bases: dict[str, Path], family: str) -> None:
    tokenizer = load_tokenizer(str(bases[family]))
    model = make_model(bases[family]).eval()
    texts = ["i am furious", "the cat and the friend sleep so happy today ."]
    corpus = make_corpus(tokenizer, 24, 3, [Source("data", texts)])
    with torch.no_grad():
        together = corpus.batch([0, 1], tokenizer.pad_token_id, CPU)
        both = model(together.input_ids, together.attention_mask)
        alone = corpus.batch([0], tokenizer.pad_token_id, CPU)
        one = model(alone.input_ids, alone.attention_mask)
    torch.testing.assert_close(both.emotion[:1], one.emotion, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(both.embedding[:1], one.embedding, atol=1e-5, rtol=1e-4)


def test_odd_texts_are_tokenised(bases: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(str(bases["bert"]))
    assert tokenize(tokenizer, [], 8) == []
    rows = tokenize(tokenizer, ["", "\ud83d broken", "sad " * 100], 8)
    assert [len(row) for row in rows[::2]] == [2, 8]


def test_each_row_comes_once_in_batches_of_like_length() -> None:
    lengths = [random.Random(0).randint(3, 90) for _ in range(1000)]
    batches = shuffled_batches(lengths, 16, random.Random(3))
    assert sorted(row for batch in batches for row in batch) == list(range(1000))
    padded = sum(max(lengths[row] for row in batch) * len(batch) for batch in batches)
    assert padded < 1.25 * sum(lengths)
    assert batches == shuffled_batches(lengths, 16, random.Random(3))
    assert batches != shuffled_batches(lengths, 16, random.Random(4))
    ordered = [row for batch in sorted_batches(lengths, 64) for row in batch]
    assert [lengths[row] for row in ordered] == sorted(lengths)


@pytest.mark.parametrize("family", FAMILIES)
def test_freezing_reaches_up_to_the_layer_that_is_named(bases: dict[str, Path], family: str) -> None:
    model = make_model(bases[family])
    choose_trained(model, TrainingArguments(frozen_layers=1), rated=False)
    trained = {name for name, weight in model.encoder.named_parameters() if weight.requires_grad}
    assert trained
    assert not any("embeddings" in name or ".0." in name or "relative" in name for name in trained)
    assert all(".1." in name or "pooler" in name for name in trained)
    assert model.emotion.weight.requires_grad
    assert not model.risk.weight.requires_grad
    assert not model.vad.weight.requires_grad
    with pytest.raises(InputError, match="at most 2"):
        choose_trained(make_model(bases[family]), TrainingArguments(frozen_layers=3), rated=True)


def test_lower_layers_and_heads_learn_at_their_own_rate(bases: dict[str, Path]) -> None:
    model = make_model(bases["bert"])
    arguments = TrainingArguments(learning_rate=0.1, layer_decay=0.5, head_rate_factor=3.0)
    choose_trained(model, arguments, rated=True)
    optimizer = make_optimizer(model, arguments)
    rate_of = {id(weight): group["lr"] for group in optimizer.param_groups for weight in group["params"]}
    encoder = model.encoder
    assert rate_of[id(model.emotion.weight)] == pytest.approx(0.3)
    assert rate_of[id(encoder.encoder.layer[1].output.dense.weight)] == pytest.approx(0.1)
    assert rate_of[id(encoder.encoder.layer[0].output.dense.weight)] == pytest.approx(0.05)
    assert rate_of[id(encoder.embeddings.word_embeddings.weight)] == pytest.approx(0.025)
    assert depth("transformer.layer.4.ffn.lin1.weight", 6) == 5


def test_adapters_merge_into_what_they_say(bases: dict[str, Path]) -> None:
    model = make_model(bases["mpnet"])
    choose_trained(model, TrainingArguments(lora_rank=2), rated=False)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    ids, mask = torch.tensor([[0, 7, 9, 2]]), torch.ones(1, 4, dtype=torch.int64)
    plain = make_model(bases["mpnet"]).eval()
    with torch.no_grad():
        before = plain(ids, mask).embedding
        plain.load_state_dict(merged_state(model))
        expected = model.eval()(ids, mask)
        torch.testing.assert_close(plain(ids, mask).emotion, expected.emotion, atol=1e-5, rtol=1e-4)
        assert not torch.allclose(expected.embedding, before, atol=1e-3)


@pytest.mark.parametrize("frozen", [False, True])
def test_fgm_moves_along_the_gradient_by_the_share_that_is_asked(
    bases: dict[str, Path], frozen: bool
) -> None:
    model = make_model(bases["bert"]).eval()
    table = model.encoder.get_input_embeddings()
    table.requires_grad_(not frozen)
    kept = table.weight.detach().clone()
    ids = torch.tensor([[2, 7, 9, 3], [2, 8, 3, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    perturbation = Perturbation(model.encoder)
    losses, moves = [], []

    def backward(weight: float) -> None:
        loss = model.emotion(mean_pool(model.encoder, ids, mask)).pow(2).sum()
        moves.append(perturbation.added)
        losses.append(loss.item())
        (weight * loss).backward()

    fgm(perturbation, backward, mask, 0.1, 1.0)
    assert losses[1] > losses[0]
    words = table(ids).detach() * mask.unsqueeze(-1)
    shares = moves[1].flatten(1).norm(dim=1) / words.flatten(1).norm(dim=1)
    np.testing.assert_allclose(shares.numpy(), 0.1, rtol=1e-5)
    assert moves[1][1, 3].abs().max().item() == 0.0  # padding
    assert torch.equal(table.weight, kept)
    backward(1.0)  # the hook is gone
    assert losses[2] == pytest.approx(losses[0], rel=1e-6)


def test_freelb_stays_in_its_ball_and_averages_its_gradients(bases: dict[str, Path]) -> None:
    model = make_model(bases["bert"]).eval()
    ids, mask = torch.tensor([[2, 7, 9, 3]]), torch.ones(1, 4, dtype=torch.int64)
    perturbation = Perturbation(model.encoder)
    weights, moves = [], []

    def backward(weight: float) -> None:
        weights.append(weight)
        moves.append(perturbation.added)
        (weight * model.emotion(mean_pool(model.encoder, ids, mask)).pow(2).sum()).backward()

    freelb(perturbation, backward, mask, 0.2, 4)
    assert weights == [0.25] * 4
    length = model.encoder.get_input_embeddings()(ids).detach().norm().item()
    assert moves[0] is None
    assert all(move.norm().item() <= 0.2 * length * 1.0001 for move in moves[1:])


def test_noise_is_drawn_anew_each_epoch_and_the_same_when_repeated(bases: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(str(bases["bert"]))
    noise = TypingNoise(0.5, 3, KINDS, tokenizer, 24)
    text = "furious grateful friend deadline lonely today"
    drawn = [[noise.token_ids(text, row, epoch) for row in range(40)] for epoch in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert 8 < sum(ids is not None for ids in drawn[0]) < 32


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")
    with suppress(KeyboardInterrupt), replacing(path) as target:
        target.write(b"half of the n")
        raise KeyboardInterrupt
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(NluModelError, match="can't be written"):
        write_text(tmp_path / "no" / "file", "x")


def test_a_new_run_takes_nothing_over_from_one_that_died(tmp_path: Path) -> None:
    """Another seed or teacher has other rows and other logits, though as many of them."""
    left = ("base_embeddings.npy", "teacher_logits.npz", "labels.txt", "arguments.json")
    for name in left:
        (tmp_path / name).write_text("old", encoding="utf-8")
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    RunFolder.create(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arguments.json", "notes.txt"]
    (tmp_path / "state.pt").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="holds a run already"):
        RunFolder.create(tmp_path)
