"""A training run is read as the weight that would be exported from it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.emotion.weights import CONFIG_FILE
from nlu_models.errors import WeightError
from tests.unit.tiny_weights import WORDS, make_weights

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from nlu_models.emotion import subjects  # noqa: E402
from nlu_models.emotion.evaluate import evaluate  # noqa: E402
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder  # noqa: E402

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS[2:]]
TEXTS = ["i am so furious", "grateful", "", "my cat and my boss . " * 40]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of a randomly initialised encoder."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    base = folder / "base"
    base.mkdir(parents=True)
    (base / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64, initializer_range=0.5,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(base)
    transformers.BertTokenizerFast(vocab=str(base / "vocab.txt")).save_pretrained(folder / "tokenizer")
    model = MultiTaskEncoder(EncoderConfig(base=str(base)))
    torch.save({"config": dataclasses.asdict(model.config), "state": model.state_dict()}, folder / "model.pt")
    report = {"arguments": {"max_tokens": 32}, "best": {"r_valence": 0.1}}
    (folder / "metrics.json").write_text(json.dumps(report), encoding="utf-8")
    return folder


def test_a_run_reads_each_text_as_it_would_alone(run: Path) -> None:
    reader = subjects.open_reader(run)
    together = reader.encode(TEXTS)
    for row, text in enumerate(TEXTS):
        alone = reader.encode([text])
        np.testing.assert_allclose(together.probabilities[row], alone.probabilities[0], atol=1e-5)
        np.testing.assert_allclose(together.embeddings[row], alone.embeddings[0], atol=1e-5)
    assert (reader.config.labels, reader.config.max_tokens) == (GOEMOTIONS, 32)
    assert reader.config.model == "small@run"
    assert reader.encode([]).probabilities.shape == (0, 28)


def test_a_run_is_measured_with_thresholds_fitted_on_the_texts(run: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "labels.txt").write_text("\n".join(GOEMOTIONS), encoding="utf-8")
    rows = [f"{' '.join(random.choice(WORDS[2:], 4))}\t{random.integers(28)}\t{index}" for index in range(80)]
    (tmp_path / "dev.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    report = evaluate(run, tmp_path, repeats=1)
    assert report["thresholds"] == "fitted on these texts"
    assert report["bytes"] == (run / "model.pt").stat().st_size
    assert report["macro_f1"] > report["macro_f1_crossfit"]


def test_progress_keeps_the_order_of_the_texts(tmp_path: Path) -> None:
    reader = subjects.open_reader(make_weights(tmp_path / "w"))
    texts = ["i am so furious today", "cat", "grateful", "you"] * 100
    expected = reader.encode(texts).probabilities
    found = subjects.encode_with_progress(reader, texts, "test").probabilities
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert subjects.encode_with_progress(reader, [], "none").probabilities.shape == (0, 28)


def test_other_folders_are_refused(tmp_path: Path, run: Path) -> None:
    with pytest.raises(WeightError, match="neither"):
        subjects.open_reader(tmp_path)
    (tmp_path / "model.pt").write_bytes(b"no checkpoint")
    with pytest.raises(WeightError, match=r"model\.pt"):
        subjects.open_reader(tmp_path)
    assert subjects.is_run(run)
    assert not (run / CONFIG_FILE).exists()
