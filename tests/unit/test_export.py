"""A run folder becomes a weight folder that serves what the torch model says."""

from __future__ import annotations

import errno
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from nlu_models.emotion.weights import CARD_FILE, METRICS_FILE, MODEL_FILE, WeightConfig
from nlu_models.errors import InputError, NluModelError, WeightError

pytest.importorskip("torch")

from bot.__main__ import main
from nlu_models.emotion import export
from nlu_models.emotion.confidence import MAX_ABSTAINED
from nlu_models.emotion.infer import EmotionEncoder
from nlu_models.emotion.provenance import training_commands
from tests.unit.tiny_runs import make_corpora, make_run, save_model
from tests.unit.tiny_weights import make_weights


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("run") / "tiny")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpora(tmp_path_factory.mktemp("corpora"))


@pytest.fixture(scope="module")
def weights(run: Path, corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("out") / "tiny-en"
    export.export(run, output, corpora, corpora, corpora, name="tiny-en", version="7", repeats=1)
    return output


def test_the_folder_is_complete_and_loads(weights: Path) -> None:
    assert {path.name for path in weights.iterdir()} == {
        "model.onnx", "tokenizer.json", "config.json", "metrics.json", "MODEL_CARD.md",
    }  # fmt: skip
    config = WeightConfig.load(weights)
    assert (config.model, config.languages, config.max_tokens) == ("tiny-en@7", ("en",), 32)
    encoded = EmotionEncoder(weights).encode(["i am sad", "furious " * 100, ""])
    assert encoded.probabilities.shape == (3, 28)
    assert encoded.risk_logits is not None
    assert encoded.risk_logits.shape == (3, 1)
    np.testing.assert_allclose(np.linalg.norm(encoded.embeddings, axis=1), 1.0, atol=1e-3)


def test_the_measures_are_those_of_the_written_weight(weights: Path, corpora: Path) -> None:
    from nlu_models.emotion.evaluate import evaluate

    report = json.loads((weights / METRICS_FILE).read_text(encoding="utf-8"))
    again = evaluate(weights, corpora, corpora, repeats=1)
    assert again["macro_f1"] == report["int8"]["macro_f1"]
    assert report["int8"]["confidence"]["abstained_share"] <= MAX_ABSTAINED
    assert set(report["float32"]) <= set(report["int8"])


def test_the_card_has_credits_measures_and_no_gaps(weights: Path) -> None:
    card = (weights / CARD_FILE).read_text(encoding="utf-8")
    for needed in ("CC BY 4.0", "CC BY-SA 4.0", "CC BY 3.0", "tiny-en@7", "| grief |"):
        assert needed in card
    assert "{" not in card


def test_exporting_again_replaces_the_folder(run: Path, corpora: Path, weights: Path) -> None:
    (weights / "stray").write_text("x")
    export.export(run, weights, corpora, corpora, name="tiny-en", version="8", repeats=1)
    assert WeightConfig.load(weights).version == "8"
    assert not (weights / "stray").exists()
    assert list(weights.parent.iterdir()) == [weights]


def test_nothing_but_a_weight_is_replaced(
    run: Path, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_: Path) -> None:
        raise AssertionError("the run is read before the output is checked")

    monkeypatch.setattr(export, "load_checkpoint", read)
    mine = shutil.copytree(run, tmp_path / "runs" / "mine")
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "diary.txt").write_text("kept")
    before = sorted(tmp_path.rglob("*"))
    for output in (mine, mine.parent, mine / ".." / "mine", tmp_path):
        with pytest.raises(InputError, match="holds the run itself"):
            export.export(mine, output, corpora)
    for output in (notes, run):
        with pytest.raises(InputError, match="no weight folder"):
            export.export(mine, output, corpora)
    with pytest.raises(InputError, match="is a file"):
        export.export(mine, notes / "diary.txt", corpora)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_failed_export_leaves_the_old_folder(
    run: Path, corpora: Path, weights: Path, tmp_path: Path
) -> None:
    before = (weights / MODEL_FILE).read_bytes()
    broken = tmp_path / "run"
    broken.mkdir()
    with pytest.raises(WeightError, match=r"model\.pt"):
        export.export(broken, weights, corpora, corpora, repeats=1)
    (broken / "model.pt").write_bytes(b"no checkpoint")
    with pytest.raises(WeightError):
        export.export(broken, weights, corpora, corpora, repeats=1)
    assert (weights / MODEL_FILE).read_bytes() == before
    assert list(weights.parent.iterdir()) == [weights]


def test_a_reading_does_not_depend_on_what_is_read_beside_it(weights: Path) -> None:
    texts = ["i am sad", "", "furious " * 40, "my boss and my work and my sleep", "the cat .", "😭"] * 5
    for threads in (1, 2):
        encoder = EmotionEncoder(weights, threads=threads)
        together = encoder.encode(texts)
        for row, text in enumerate(texts):
            alone = encoder.encode([text])
            np.testing.assert_array_equal(alone.probabilities[0], together.probabilities[row])
            np.testing.assert_array_equal(alone.embeddings[0], together.embeddings[row])


def test_a_weight_without_a_risk_head_has_no_risk_logits(tmp_path: Path) -> None:
    assert EmotionEncoder(make_weights(tmp_path / "w")).encode(["i am sad"]).risk_logits is None


def test_a_device_that_is_not_there_is_refused(weights: Path) -> None:
    with pytest.raises(InputError, match="tpu"):
        EmotionEncoder(weights, device="tpu")
    assert EmotionEncoder(weights, device="auto").encode(["i"]).vad.shape == (1, 3)


def test_nothing_of_this_machine_is_written_down(weights: Path) -> None:
    text = (weights / METRICS_FILE).read_text(encoding="utf-8")
    assert not re.search(r'"/', text)


@pytest.mark.parametrize("method", ["float32", "dynamic", "row", "static-mse", "block4"])
def test_each_method_makes_a_weight(run: Path, corpora: Path, tmp_path: Path, method: str) -> None:
    (tmp_path / "w").mkdir()  # an empty folder is nobody's loss
    report = export.export(run, tmp_path / "w", corpora, method=method, repeats=1)
    assert report["method"]["name"] == method
    assert EmotionEncoder(tmp_path / "w").encode(["i am sad"]).probabilities.shape == (1, 28)
    assert report["int8"]["axes"] == {}


def test_a_run_with_labels_of_its_own_is_measured_on_its_own_data(tmp_path: Path) -> None:
    from nlu_models.emotion.arguments import DataPaths, TrainingArguments
    from nlu_models.emotion.train import train
    from tests.unit.tiny_bases import make_base, make_table

    base, table = make_base(tmp_path / "base", "distilbert"), make_table(tmp_path / "feelings.csv")
    settings = TrainingArguments(base=str(base), epochs=1, max_tokens=16, embedding_weight=0.0)
    train(settings, DataPaths(data=table), tmp_path / "run", cpu=True)
    report = export.export(tmp_path / "run", tmp_path / "w", name="mine", repeats=1)
    config = WeightConfig.load(tmp_path / "w")
    assert set(config.labels) == {"anger", "joy", "sorrow"}
    assert config.trained_heads == ("emotion",)
    assert report["method"]["name"] == "dynamic"
    assert training_commands(tmp_path / "run")[0].startswith("attune emotion train --data FILE")
    assert EmotionEncoder(tmp_path / "w").encode(["so sad", "happy"]).probabilities.shape == (2, 3)


def test_too_large_a_graph_is_refused(run: Path, corpora: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightError, match="10,000"):
        export.export(run, tmp_path / "w", corpora, max_bytes=10_000, repeats=1)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_folder(
    run: Path, corpora: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in weights.iterdir()}

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(export, "write_card", fail)
    with pytest.raises(NluModelError, match="No space left"):
        export.export(run, weights, corpora, corpora, repeats=1)
    assert {path.name: path.read_bytes() for path in weights.iterdir()} == before
    assert list(weights.parent.iterdir()) == [weights]


def test_a_truncated_checkpoint_is_refused(run: Path, corpora: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(run, tmp_path / "run")
    content = (broken / "model.pt").read_bytes()
    (broken / "model.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightError, match="truncated"):
        export.export(broken, tmp_path / "w", corpora, repeats=1)


def test_data_with_other_labels_is_refused(run: Path, corpora: Path, tmp_path: Path) -> None:
    from nlu_models.encoder import EncoderConfig, MultiTaskEncoder

    other = shutil.copytree(run, tmp_path / "run")
    save_model(other, MultiTaskEncoder(EncoderConfig(base=str(run / "base"), n_labels=5)))
    with pytest.raises(WeightError, match="5 labels"):
        export.export(other, tmp_path / "w", corpora, repeats=1)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--method", "int3"], "int3"),
        (["--goemotions", "nowhere"], "nowhere"),
        (["--max-mb", "0"], "max-mb"),
        (["--run", "nowhere"], "nowhere"),
        ([], "--goemotions"),
    ],
)
def test_bad_input_gives_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str], said: str
) -> None:
    assert main(["emotion", "export", "--run", str(run), "--output", str(tmp_path / "w"), *extra]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("attune emotion export: ")
    assert said in last
    assert not list(tmp_path.iterdir())


def test_the_commands_of_a_student_begin_with_its_teachers(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    texts = Path(export.__file__).parents[2] / "data" / "augment" / "en"
    made: dict[str, tuple[dict[str, str], list[Path], dict[str, str]]] = {
        "large": ({"base": str(tmp_path / "all-large")}, [], {"goemotions": "/somewhere/goemotions"}),
        "small": (
            {"base": "package:small"},
            [runs / "large"],
            {"data": str(texts), "dev": "/somewhere/dev.csv"},
        ),
    }
    for name, (arguments, teachers, data) in made.items():
        (runs / name).mkdir(parents=True)
        weights = [0.6 for _ in teachers]
        taught = {"runs": [str(run) for run in teachers], "weights": weights, "logits": None}
        report = {"arguments": {**arguments, "max_tokens": 96}, "teachers": taught if teachers else None}
        (runs / name / "metrics.json").write_text(json.dumps(report))
        (runs / name / "arguments.json").write_text(json.dumps({"data": data, "settings": {}}))
    assert training_commands(runs / "small") == [
        "attune emotion train --goemotions DIR --base all-large --output runs/large",
        "attune emotion distil --teachers runs/large --teacher-weights 0.6 --data data/augment/en --dev FILE "
        "--base package:small --output runs/small",
    ]


def test_the_word_attack_finds_the_words_of_what_is_exported(run: Path, weights: Path) -> None:
    from nlu_models.emotion.onnx_constants import Constants
    from nlu_models.emotion.run_folder import load_torch
    from nlu_models.emotion.textfooler import WordTable

    state = load_torch(run / "model.pt")["state"]
    (words,) = (value.numpy() for name, value in state.items() if name.endswith("word_embeddings.weight"))
    stored = Constants(weights / MODEL_FILE).word_embeddings()
    assert stored is not None
    assert stored.shape == words.shape
    np.testing.assert_allclose(stored, words, atol=np.abs(words).max() / 100)
    WordTable.load(weights)  # raises WeightError where there is no such table
