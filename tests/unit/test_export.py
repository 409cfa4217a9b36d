"""A run folder becomes a weight folder that serves what the torch model says."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.emotion.weights import CARD_FILE, METRICS_FILE, MODEL_FILE, WeightConfig
from nlu_models.errors import WeightError
from tests.unit.tiny_weights import WORDS

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from nlu_models.emotion import export, quantize  # noqa: E402
from nlu_models.emotion.infer import EmotionEncoder  # noqa: E402
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder  # noqa: E402

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS[2:]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of a randomly initialised two-layer encoder."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    base = folder / "base"
    base.mkdir()
    vocabulary = base / "vocab.txt"
    vocabulary.write_text("\n".join(VOCABULARY), encoding="utf-8")
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=64, initializer_range=0.5,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(base)
    transformers.BertTokenizerFast(vocab=str(vocabulary)).save_pretrained(folder / "tokenizer")
    model = MultiTaskEncoder(EncoderConfig(base=str(base)))
    torch.nn.init.normal_(model.emotion.weight, std=0.5)
    state = {"config": dataclasses.asdict(model.config), "state": model.state_dict()}
    torch.save(state, folder / "model.pt")
    report = {
        "arguments": {
            "base": str(base), "max_tokens": 32, "clinc_rows": 0, "epochs": 1, "batch_size": 4,
            "learning_rate": 1e-4, "seed": 1, "dropout": 0.1,
        },
        "commit": None, "data_sha256": "0", "device": "cpu",
    }  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps(report), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GoEmotions and EmoBank dev splits with random labels, in one folder."""
    folder = tmp_path_factory.mktemp("corpora")
    random = np.random.default_rng(1)
    (folder / "labels.txt").write_text("\n".join(GOEMOTIONS), encoding="utf-8")
    sentences = [" ".join(random.choice(WORDS[2:], size=random.integers(2, 12))) for _ in range(120)]
    rows = [f"{text}\t{random.integers(0, 28)}\tid{index}" for index, text in enumerate(sentences)]
    (folder / "dev.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    axes = [f"{i},{random.uniform(1, 5):.2f},3.0,2.5,{text}" for i, text in enumerate(sentences[:40])]
    (folder / "dev.csv").write_text("id,V,A,D,text\n" + "\n".join(axes) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def weights(run: Path, corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("out") / "tiny-en"
    export.export(run, corpora, corpora, output, name="tiny-en", version="7")
    return output


def test_float_graph_gives_what_torch_gives(run: Path, tmp_path: Path) -> None:
    import onnxruntime

    model = quantize.load_checkpoint(run)
    quantize.write_float(model, tmp_path / "float.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "float.onnx"))
    ids = torch.randint(5, len(VOCABULARY), (3, 21))
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    with torch.no_grad():
        expected = model(ids, mask)[:3]
    found = session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=2e-5)


def test_int8_graph_stays_close_to_float(run: Path, tmp_path: Path) -> None:
    import onnxruntime

    model = quantize.load_checkpoint(run)
    quantize.write_float(model, tmp_path / "float.onnx")
    quantize.write_int8(model, tmp_path / "int8.onnx")
    ids = np.random.default_rng(0).integers(5, len(VOCABULARY), (4, 15))
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    graphs = ("float.onnx", "int8.onnx")
    float_out, int8_out = (
        onnxruntime.InferenceSession(str(tmp_path / name)).run(None, feed) for name in graphs
    )
    # Numbers of a random model; a trained one's loss is measured by the export itself.
    assert np.corrcoef(float_out[0].ravel(), int8_out[0].ravel())[0, 1] > 0.98
    assert (float_out[2] * int8_out[2]).sum(axis=1) == pytest.approx(np.ones(4), abs=0.05)


def test_writing_int8_leaves_the_model_as_it_was(run: Path, tmp_path: Path) -> None:
    model = quantize.load_checkpoint(run)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    quantize.write_int8(model, tmp_path / "int8.onnx")
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_embedding_rows_have_their_own_scale() -> None:
    table = torch.tensor([[0.001, -0.002], [100.0, 50.0], [0.0, 0.0]])
    rows = quantize.Int8Embedding(table)(torch.tensor([[0, 1, 2]]))
    np.testing.assert_allclose(rows[0].numpy(), table.numpy(), rtol=0.01)


def test_the_folder_is_complete_and_loads(weights: Path) -> None:
    assert {path.name for path in weights.iterdir()} == {
        "model.onnx", "tokenizer.json", "config.json", "metrics.json", "MODEL_CARD.md",
    }  # fmt: skip
    config = WeightConfig.load(weights)
    assert (config.model, config.languages, config.max_tokens) == ("tiny-en@7", ("en",), 32)
    encoded = EmotionEncoder(weights).encode(["i am sad", "furious " * 100, ""])
    assert encoded.probabilities.shape == (3, 28)
    np.testing.assert_allclose(np.linalg.norm(encoded.embeddings, axis=1), 1.0, atol=1e-3)


def test_the_measures_are_those_of_the_written_weight(weights: Path, corpora: Path) -> None:
    from nlu_models.emotion.evaluate import evaluate

    report = json.loads((weights / METRICS_FILE).read_text(encoding="utf-8"))
    again = evaluate(weights, corpora, corpora)
    assert again["macro_f1"] == pytest.approx(report["int8"]["macro_f1"], abs=0.03)
    assert report["int8"]["confidence"]["abstained_share"] <= export.MAX_ABSTAINED
    assert set(report["float32"]) <= set(report["int8"])


def test_the_card_has_credits_measures_and_no_gaps(weights: Path) -> None:
    card = (weights / CARD_FILE).read_text(encoding="utf-8")
    for needed in ("CC BY 4.0", "CC BY-SA 4.0", "CC BY 3.0", "Apache-2.0", "tiny-en@7", "| grief |"):
        assert needed in card
    assert "{" not in card


def test_exporting_again_replaces_the_folder(run: Path, corpora: Path, weights: Path) -> None:
    (weights / "stray").write_text("x")
    export.export(run, corpora, corpora, weights, name="tiny-en", version="8")
    assert WeightConfig.load(weights).version == "8"
    assert not (weights / "stray").exists()
    assert list(weights.parent.iterdir()) == [weights]


def test_a_failed_export_leaves_the_old_folder(
    run: Path, corpora: Path, weights: Path, tmp_path: Path
) -> None:
    before = (weights / MODEL_FILE).read_bytes()
    broken = tmp_path / "run"
    broken.mkdir()
    with pytest.raises(WeightError, match=r"model\.pt"):
        export.export(broken, corpora, corpora, weights)
    (broken / "model.pt").write_bytes(b"no checkpoint")
    with pytest.raises(WeightError):
        export.export(broken, corpora, corpora, weights)
    assert (weights / MODEL_FILE).read_bytes() == before
    assert list(weights.parent.iterdir()) == [weights]


def test_abstention_reaches_the_target_error_or_keeps_to_the_share() -> None:
    confidence = np.arange(100) / 100
    correct = confidence >= 0.05
    assert export.abstention_point(confidence, correct, target_error=0.02) == pytest.approx(0.04)
    assert export.abstention_point(confidence, correct, target_error=0.06) == 0.0
    never = np.zeros(100, dtype=bool)
    assert export.abstention_point(confidence, never, max_share=0.1) == pytest.approx(0.1)
