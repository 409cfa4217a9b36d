"""`attune emotion learn train`, from its arguments to what is written."""

from __future__ import annotations

import dataclasses
import errno
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from bot.core.correction import CorrectionStatus  # noqa: E402
from bot.storage import corrections  # noqa: E402
from bot.storage.database import Database  # noqa: E402
from nlu_models.emotion.data import LabelledText  # noqa: E402
from nlu_models.emotion.labels import GOEMOTIONS  # noqa: E402
from nlu_models.emotion.learn import finetune  # noqa: E402
from nlu_models.emotion.learn.finetune import LearningArguments, Lesson, is_steady, split  # noqa: E402
from nlu_models.emotion.learn.guard import Check  # noqa: E402
from nlu_models.emotion.learn.start import start_from_run, start_from_weights  # noqa: E402
from nlu_models.emotion.learn.write import write_run  # noqa: E402
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder, load_tokenizer  # noqa: E402
from nlu_models.errors import InputError, NluModelError  # noqa: E402
from tests.unit.learn.commands import kept, learn  # noqa: E402
from tests.unit.tiny_bases import WORDS, make_base  # noqa: E402
from tests.unit.tiny_weights import make_weights  # noqa: E402

ANGER, JOY, SADNESS, NEUTRAL = (GOEMOTIONS.index(name) for name in ("anger", "joy", "sadness", "neutral"))
MEANING = {"happy": JOY, "sad": SADNESS, "deadline": ANGER, "cat": NEUTRAL}


def labelled(rows: int, seed: int) -> list[LabelledText]:
    """Texts in which a word decides: "happy", "sad", "deadline" (anger) or none; none is furious."""
    draw = random.Random(seed)
    words = [word for word in WORDS[:-1] if word != "furious" and word not in MEANING]
    found = []
    for row in range(rows):
        telling = tuple(MEANING)[row % len(MEANING)]
        chosen = [telling, *(draw.choice(words) for _ in range(draw.randint(2, 6)))]
        draw.shuffle(chosen)
        found.append(LabelledText(" ".join(chosen), (MEANING[telling],)))
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of a small model that reads such texts, and takes "furious" for a plain word."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    folder.mkdir()
    base = make_base(folder.parent / "base")
    (folder / "tokenizer").mkdir()
    for path in base.glob("*token*"):
        (folder / "tokenizer" / path.name).write_bytes(path.read_bytes())
    model = MultiTaskEncoder(EncoderConfig(base=str(base)))
    torch.nn.init.normal_(
        model.encoder.get_input_embeddings().weight
    )  # apart, so that they are soon told apart
    torch.nn.init.constant_(model.emotion.bias, -3.0)
    tokenizer = load_tokenizer(str(base))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(40):
        rows = labelled(24, 1000 + step)
        read = tokenizer([row.text for row in rows], padding=True, return_tensors="pt")
        target = torch.zeros(len(rows), len(GOEMOTIONS))
        target[torch.arange(len(rows)), [row.label_ids[0] for row in rows]] = 1.0
        outputs = model(read["input_ids"], read["attention_mask"])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(outputs.emotion, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save({"config": dataclasses.asdict(model.config), "state": model.state_dict()}, folder / "model.pt")
    report = {"arguments": {"base": str(base), "max_tokens": 24, "dropout": 0.1}, "labels": list(GOEMOTIONS)}
    (folder / "metrics.json").write_text(json.dumps(report))
    return folder


@pytest.fixture(scope="module")
def goemotions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such texts in GoEmotions' form."""
    folder = tmp_path_factory.mktemp("goemotions")
    (folder / "labels.txt").write_text("\n".join(GOEMOTIONS))
    for part, rows, seed in (("train", 300, 1), ("dev", 150, 2)):
        lines = [f"{row.text}\t{row.label_ids[0]}\tid\n" for row in labelled(rows, seed)]
        (folder / f"{part}.tsv").write_text("".join(lines))
    return folder


def corrected(rows: int = 30, label: int = ANGER) -> list[LabelledText]:
    draw = random.Random(3)
    plain = [word for word in WORDS[:-1] if word not in MEANING]
    return [
        LabelledText(f"furious {' '.join(draw.choice(plain) for _ in range(4))} {row}", (label,))
        for row in range(rows)
    ]


class TestTraining:
    """Learning from corrections, and refusing to."""

    def flags(self, run: Path, goemotions: Path, output: Path, *more: str) -> tuple[str, ...]:
        return (
            "train", "--run", str(run), "--goemotions", str(goemotions), "--output", str(output),
            "--replayed", "60", "--epochs", "6", "--batch-size", "8", "--learning-rate", "0.003", *more,
        )  # fmt: skip

    def keep(self, database: Database, rows: list[LabelledText]) -> None:
        database.migrate()
        with database.session() as session:
            for row in rows:
                labels = [GOEMOTIONS[label] for label in row.label_ids]
                corrections.add(
                    session, row.text, labels, corrections.CorrectionSource.AGENT, CorrectionStatus.NEW, 1.0
                )

    def test_a_better_model_becomes_a_run_and_its_corrections_are_used(
        self, database: Database, run: Path, goemotions: Path, tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        self.keep(database, corrected())
        output = tmp_path / "learnt"
        assert learn(*self.flags(run, goemotions, output, "--json")) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["written"]
        assert report["checks"][0]["after"] > report["checks"][0]["before"] + 0.5
        learnt = json.loads((output / "metrics.json").read_text())["learnt"]
        assert learnt[0]["corrections"] + learnt[0]["held_out"] == 30
        from nlu_models.emotion.quantize import load_checkpoint

        model, old = load_checkpoint(output), load_checkpoint(run)
        assert not torch.equal(model.emotion.weight, old.emotion.weight)
        assert torch.equal(model.risk.weight, old.risk.weight)
        assert {found.status.value for found in kept(database)} == {"used"}
        assert {found.used_in for found in kept(database)} == {(str(output),)}
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
        assert learn(*self.flags(run, goemotions, tmp_path / "again")) == 2
        assert "no new corrections" in capsys.readouterr().err

    def test_used_corrections_can_be_trained_on_again(
        self, database: Database, run: Path, goemotions: Path, tmp_path: Path,
        capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        monkeypatch.setattr("nlu_models.emotion.learn.finetune.compare", _agree)
        self.keep(database, corrected())
        outputs = [tmp_path / "first", tmp_path / "second"]
        assert learn(*self.flags(run, goemotions, outputs[0], "--epochs", "1")) == 0
        assert learn(*self.flags(run, goemotions, outputs[1], "--epochs", "1")) == 2
        assert "--again trains on those that were used" in capsys.readouterr().err
        assert learn(*self.flags(run, goemotions, outputs[1], "--epochs", "1", "--again")) == 0
        assert {found.used_in for found in kept(database)} == {tuple(map(str, outputs))}

    def test_what_is_relabelled_during_the_training_stays_to_be_learnt(
        self, database: Database, run: Path, goemotions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def relabel(*given: Any) -> None:
            assert learn("confirm", "7", "--labels", "joy") == 0

        self.keep(database, corrected())
        monkeypatch.setattr(finetune, "_train", relabel)
        monkeypatch.setattr(finetune, "compare", _agree)
        assert learn(*self.flags(run, goemotions, tmp_path / "learnt")) == 0
        found = {each.id: each for each in kept(database)}
        assert (found[7].status.value, found[7].labels, found[7].used_in) == ("new", ("joy",), ())
        assert {each.status.value for each in found.values() if each.id != 7} == {"used"}

    def test_a_learnt_run_says_what_it_was_made_of_and_with(
        self, run: Path, goemotions: Path, tmp_path: Path
    ) -> None:
        from nlu_models.emotion.provenance import training_commands

        first = tmp_path / "averaged"
        shutil.copytree(run, first)
        report = json.loads((run / "metrics.json").read_text())
        report |= {"average_of": ["runs/one", "runs/two"], "trained_heads": ["emotion"]}
        (first / "metrics.json").write_text(json.dumps(report))
        (first / "arguments.json").write_text(json.dumps({"data": {"goemotions": "/g"}, "settings": {}}))
        outputs = [tmp_path / "learnt", tmp_path / "more"]
        for source, output in zip((first, outputs[0]), outputs, strict=True):
            start = start_from_run(source)
            lesson = Lesson(start.model, [], 0.5, 20, 5, 60, True)
            write_run(output, start, lesson, LearningArguments(epochs=3, seed=4), ["--again"])
        written = json.loads((outputs[1] / "metrics.json").read_text())
        assert "average_of" not in written
        assert written["trained_heads"] == ["emotion"]
        assert [learnt["from"] for learnt in written["learnt"]] == ["run averaged", "run learnt"]
        told = "--goemotions DIR --again --epochs 3 --seed 4 --output"
        assert written["commands"] == training_commands(outputs[1]) == [
            "attune emotion average --runs runs/one runs/two --output runs/averaged",
            f"attune emotion learn train --run runs/averaged {told} runs/learnt",
            f"attune emotion learn train --run runs/learnt {told} runs/more",
        ]  # fmt: skip
        for output in outputs:
            assert json.loads((output / "arguments.json").read_text()) == {
                "data": {"goemotions": "/g"},
                "settings": {},
            }

    def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(
        self, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*given: Any) -> None:
            raise Exception("No space left on device (os error 28)")  # as the tokenizers package does

        start = start_from_run(run)
        monkeypatch.setattr(type(start.tokenizer), "save_pretrained", fail)
        with pytest.raises(NluModelError, match="can't be written: No space left"):
            write_run(
                tmp_path / "learnt", start, Lesson(start.model, [], 1.0, 20, 5, 60, True), LearningArguments()
            )
        assert list(tmp_path.iterdir()) == []

    def test_a_full_disk_is_no_bad_input(
        self, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*given: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        start = start_from_run(run)
        monkeypatch.setattr(Path, "rename", fail)
        with pytest.raises(NluModelError, match="No space left") as caught:
            write_run(
                tmp_path / "learnt", start, Lesson(start.model, [], 1.0, 20, 5, 60, True), LearningArguments()
            )
        assert not isinstance(caught.value, InputError)
        assert list(tmp_path.iterdir()) == []

    def test_a_worse_model_is_refused_with_its_reasons_and_nothing_is_written(
        self, database: Database, run: Path, goemotions: Path, tmp_path: Path,
        capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        self.keep(database, corrected())
        monkeypatch.setattr(finetune, "_train", _spoil)
        output = tmp_path / "learnt"
        assert learn(*self.flags(run, goemotions, output)) == 3
        shown = capsys.readouterr()
        assert "REFUSED" in shown.out
        assert "nothing was written" in shown.err
        assert not output.exists()
        assert {found.status.value for found in kept(database)} == {"new"}

    def test_an_interrupted_training_leaves_nothing_behind(
        self, database: Database, run: Path, goemotions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*given: Any) -> None:
            raise KeyboardInterrupt

        self.keep(database, corrected())
        monkeypatch.setattr(finetune, "_train", interrupt)
        assert learn(*self.flags(run, goemotions, tmp_path / "learnt")) == 130
        assert {path.name for path in tmp_path.iterdir()} == {"var", "weights"}
        assert {found.status.value for found in kept(database)} == {"new"}

    @pytest.mark.parametrize(
        ("more", "reason"),
        [
            (("--epochs", "0"), "epochs is 0"),
            (("--learning-rate", "nan"), "learning_rate is nan"),
            (("--corrections", "/nowhere.jsonl"), "can't be read"),
        ],
    )
    def test_bad_settings_are_refused_before_any_work(
        self, database: Database, run: Path, goemotions: Path, tmp_path: Path,
        capsys: pytest.CaptureFixture[str], more: tuple[str, ...], reason: str,
    ) -> None:  # fmt: skip
        assert learn(*self.flags(run, goemotions, tmp_path / "learnt", *more)) == 2
        assert reason in capsys.readouterr().err

    def test_a_place_that_is_taken_is_refused(
        self, database: Database, run: Path, goemotions: Path, tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        assert learn(*self.flags(run, goemotions, run)) == 2
        assert "is there already" in capsys.readouterr().err
        assert learn(*self.flags(run, goemotions, tmp_path / "no" / "learnt")) == 2
        assert "is no folder" in capsys.readouterr().err

    def test_a_weight_can_be_gone_on_from_too(self, run: Path, goemotions: Path, tmp_path: Path) -> None:
        """The model of a graph, put back onto its base, reads as the graph does."""
        from nlu_models.emotion.dequantize import both_logits
        from nlu_models.emotion.quantize import choose_method, load_checkpoint, write_graph

        weights = make_weights(tmp_path / "weights")
        model = load_checkpoint(run)
        write_graph(model, weights / "model.onnx", choose_method("row", model), 24)
        shutil.copy(run / "tokenizer" / "tokenizer.json", weights / "tokenizer.json")
        training = json.loads((run / "metrics.json").read_text())
        commands = ["attune emotion train --goemotions DIR --output runs/first"]
        (weights / "metrics.json").write_text(
            json.dumps({"training": training, "training_commands": commands})
        )
        start = start_from_weights(weights)
        served, ours = both_logits(start.model, weights / "model.onnx", [[2, 5, 6, 3], [2, 7, 8, 9, 3]])
        assert abs(served - ours).max() < 0.1 * served.std()
        assert (start.max_tokens, start.labels) == (24, start_from_run(run).labels)
        assert start.commands == tuple(commands)
        assert start.flag == "--weights nlu_models/weights/tiny"
        assert set(start.report["trained_heads"]) == {"emotion", "vad", "embedding"}

    @pytest.mark.parametrize(("passing", "share", "tried"), [(1, 1.0, 1), (2, 0.75, 2), (9, 1.0, 3)])
    def test_a_model_that_went_too_far_is_taken_part_of_the_way_back(
        self, run: Path, monkeypatch: pytest.MonkeyPatch, passing: int, share: float, tried: int
    ) -> None:
        seen = []

        def verdict(*given: Any, **named: Any) -> list[Check]:
            seen.append(given)
            return [Check("macro_f1", 0.0, 0.0, 0.0, 0.0, 0.0, len(seen) == passing)]

        monkeypatch.setattr(finetune, "compare", verdict)
        start = start_from_run(run)
        arguments = LearningArguments(epochs=1, replayed=20, learning_rate=0.003)
        lesson = finetune.learn(start, corrected(), labelled(40, 5), labelled(20, 6), arguments)
        assert (lesson.share, lesson.is_better, len(seen)) == (share, passing < 9, tried)
        assert not torch.equal(lesson.model.emotion.weight, start.model.emotion.weight)

    def test_weights_between_two_models_lie_on_the_line(self, run: Path) -> None:
        from nlu_models.emotion.quantize import load_checkpoint

        old, new = load_checkpoint(run), load_checkpoint(run)
        with torch.no_grad():
            new.emotion.weight.add_(1.0)
        found = finetune._between(old, new, 0.25)
        assert torch.allclose(found.emotion.weight, old.emotion.weight + 0.25, atol=1e-6)
        assert torch.equal(found.vad.weight, old.vad.weight)

    def test_the_same_texts_are_always_held_out(self) -> None:
        rows = corrected(60)
        trained, held = split(rows, 0.2)
        more_trained, more_held = split(
            [*rows, *[LabelledText(f"new {row}", (1,)) for row in range(60)]], 0.2
        )
        assert {row.text for row in held} <= {row.text for row in more_held}
        assert {row.text for row in trained} <= {row.text for row in more_trained}
        assert len(trained) + len(held) == 60

    def test_few_held_out_texts_are_said_to_be_unsteady(self) -> None:
        rows = corrected(200)
        lots = sorted(rows, key=lambda row: finetune._lot(row.text))
        below = [row for row in lots if finetune._lot(row.text) < 0.2]
        trained, held = split([*below[:3], *lots[-17:]], 0.2)
        assert (len(trained), len(held)) == (16, 4)
        assert not is_steady(held, 0.2)
        _, held = split([*below[:4], *lots[-17:]], 0.2)
        assert {row.text for row in held} == {row.text for row in below[:4]}
        assert is_steady(held, 0.2)

    @pytest.mark.parametrize(
        ("corrections", "original", "replayed"),
        [(100, 43_410, 3000), (3750, 43_410, 21_250), (10_000, 43_410, 43_410), (5, 40, 40)],
    )
    def test_many_corrections_are_among_more_replayed_texts(
        self, corrections: int, original: int, replayed: int
    ) -> None:
        assert finetune._replayed(corrections, original, LearningArguments()) == replayed

    def test_the_last_word_on_a_text_counts(self) -> None:
        rows = [LabelledText(f"text {row}", (0,)) for row in range(20)]
        trained, held = split([*rows, LabelledText("TEXT 3", (5,))], 0.2)
        assert [row.label_ids for row in [*trained, *held] if row.text.lower() == "text 3"] == [(5,)]
        assert len(trained) + len(held) == 20

    def test_too_few_corrections_are_refused(self) -> None:
        with pytest.raises(InputError, match="11 corrected texts, at least 12"):
            split(corrected(11), 0.2)
        _, held = split(corrected(12), 0.05)
        assert len(held) >= 4

    def test_arguments_are_checked(self) -> None:
        with pytest.raises(InputError, match="correction_share is 2"):
            LearningArguments(correction_share=2.0)


def _agree(*given: Any, **named: Any) -> list[Check]:
    """A guard that lets everything pass."""
    return [Check("macro_f1", 0.0, 0.0, 0.0, 0.0, 0.0, True)]


def _spoil(model: Any, *given: Any) -> None:
    """A training that ruins the model: every label's head points the other way."""
    with torch.no_grad():
        model.emotion.weight.normal_(std=5.0)
        model.emotion.bias[ANGER] = -100.0
