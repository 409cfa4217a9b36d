"""The table of ways to compress: each is made, measured and timed, and bad input is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")

from bot.__main__ import main
from nlu_models.emotion import compress, export
from nlu_models.emotion.candidates import DEFAULTS, parse
from nlu_models.emotion.compress import Plan
from nlu_models.emotion.evaluate import evaluate
from nlu_models.emotion.infer import EmotionEncoder
from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.emotion.weights import CARD_FILE, METRICS_FILE, WeightConfig
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder
from nlu_models.errors import InputError, WeightError
from tests.unit.tiny_runs import make_corpora, make_run, save_model
from tests.unit.tiny_weights import make_weights


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpora(tmp_path_factory.mktemp("corpora"))


def test_every_row_has_its_measures(run: Path, corpora: Path, tmp_path: Path) -> None:
    names = ("float32", "smooth", "heads-50", "layers-1", "units-25+recovery")
    plan = Plan(names, (run,), recovery_steps=2, repeats=1, clinc=corpora)
    lines: list[str] = []
    report = compress.compress(run, plan, corpora, corpora, tmp_path / "table.json", tell=lines.append)
    rows = {row["name"]: row for row in report["rows"]}
    assert list(rows) == [*names, f"student:{run.name}"]
    for row in rows.values():
        for key in ("macro_f1", "ekman_macro_f1", "r_valence", "p_at_1"):
            assert -1.0 <= row[key] <= 1.0
        assert min(row["ms_per_text"], row["texts_per_s"], row["times_faster_batch"]) > 0
    assert rows["smooth"]["megabytes"] < rows["float32"]["megabytes"]
    assert rows["layers-1"]["million_parameters"] < rows["smooth"]["million_parameters"]
    assert rows["heads-50"]["megabytes"] <= rows["smooth"]["megabytes"]
    same = [key for key in rows["smooth"] if key.endswith("macro_f1")]
    assert {key: rows[f"student:{run.name}"][key] for key in same} == {
        key: rows["smooth"][key] for key in same
    }
    assert json.loads((tmp_path / "table.json").read_text()) == report
    assert report["is_complete"]
    assert len(lines) == 1 + len(rows)
    assert all(line.startswith(name) for line, name in zip(lines[1:], rows, strict=True))


def test_the_table_goes_into_a_weight(run: Path, corpora: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    export.export(run, weights, corpora, corpora, name="tiny-en", repeats=1)
    before = json.loads((weights / METRICS_FILE).read_text())
    compress.compress(run, Plan(("row",), repeats=1), corpora, into=weights)
    after = json.loads((weights / METRICS_FILE).read_text())
    assert [row["name"] for row in after["compression"]["rows"]] == ["row"]
    assert {key: after[key] for key in before} == before
    assert "scale per token" in (weights / CARD_FILE).read_text()


def test_what_was_measured_before_a_failure_is_kept(run: Path, corpora: Path, tmp_path: Path) -> None:
    plan = Plan(("row", "layers-2"), repeats=1)
    with pytest.raises(InputError, match="2 layers"):
        compress.compress(run, plan, corpora, output=tmp_path / "table.json")
    table = json.loads((tmp_path / "table.json").read_text())
    assert [row["name"] for row in table["rows"]] == ["row"]
    assert not table["is_complete"]


def damage_labels(student: Path) -> None:
    (student / "labels.txt").write_text("\n".join(reversed(GOEMOTIONS)), encoding="utf-8")


def damage_heads(student: Path) -> None:
    config = EncoderConfig(base=str(student / "base"), n_labels=5)
    save_model(student, MultiTaskEncoder(config))


def damage_model(student: Path) -> None:
    (student / "model.pt").write_bytes(b"nothing")


def damage_tokenizer(student: Path) -> None:
    shutil.rmtree(student / "tokenizer")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damage_labels, "in the same order"),
        (damage_heads, "reads 5 labels"),
        (damage_model, r"model\.pt"),
        (damage_tokenizer, r"tokenizer\.json is missing"),
        (shutil.rmtree, "is missing"),
    ],
)
def test_a_student_that_can_not_be_measured_is_refused_before_anything_is_tried(
    run: Path, corpora: Path, tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    student = shutil.copytree(run, tmp_path / "student")
    damage(student)
    lines: list[str] = []
    with pytest.raises(WeightError, match=said):
        compress.compress(run, Plan(("row",), (student,), repeats=1), corpora, tell=lines.append)
    assert not lines


def test_each_student_reads_as_many_tokens_as_it_was_trained_on(
    run: Path, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = shutil.copytree(run, tmp_path / "student")
    report = json.loads((run / METRICS_FILE).read_text())
    report["arguments"]["max_tokens"] = 8
    (student / METRICS_FILE).write_text(json.dumps(report))
    lengths = []

    def read(folder: Path) -> EmotionEncoder:
        lengths.append((folder.name, WeightConfig.load(folder).max_tokens))
        return EmotionEncoder(folder)

    monkeypatch.setattr(compress, "EmotionEncoder", read)
    namesake = shutil.copytree(student, tmp_path / "other" / "student")
    compress.compress(run, Plan(("row",), (student, namesake), repeats=1), corpora)
    assert set(lengths) == {("reference", 32), ("0", 32), ("student-0", 8), ("student-1", 8)}


@pytest.mark.parametrize("field", ["int8", "bytes"])
def test_a_weight_that_can_not_take_the_table_is_refused_before_anything_is_tried(
    run: Path, corpora: Path, tmp_path: Path, field: str
) -> None:
    weights = make_weights(tmp_path / "weights")
    report = {"bytes": 1, "int8": evaluate(weights, corpora, repeats=1)}
    (weights / METRICS_FILE).write_text(json.dumps({**report, field: {}}))
    lines: list[str] = []
    with pytest.raises(WeightError, match="model card"):
        compress.compress(run, Plan(("row",)), corpora, into=weights, tell=lines.append)
    assert not lines


def test_names_say_what_is_done() -> None:
    for name in DEFAULTS:
        assert parse(name).name == name
        assert parse(name).title
    candidate = parse("layers-3-alternate+recovery")
    assert (candidate.part, candidate.amount, candidate.is_alternate, candidate.is_recovered) == (
        "layers", 3, True, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "name", ["int3", "heads", "heads-0", "heads-100", "heads-20-alternate", "smooth+recovery"]
)
def test_unknown_ways_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=name.replace("+", r"\+")):
        Plan((name,))


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--methods", "int3"], "int3"),
        (["--methods", "row", "--into", "nowhere"], "nowhere"),
        (["--methods", "row", "--output", "no/where/t.json"], "no/where"),
        (["--methods", "layers-2", "--repeats", "1"], "2 layers"),
        (["--methods", "row", "--goemotions", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_gives_one_line(
    run: Path, corpora: Path, capsys: pytest.CaptureFixture[str], extra: list[str], said: str
) -> None:
    given = ["emotion", "compress", "--run", str(run), "--goemotions", str(corpora), *extra]
    assert main(given) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("attune emotion compress: ")
    assert said in last
