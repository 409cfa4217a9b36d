"""Explanations point at the words a reading rests on, add up, and show nothing that they shouldn't."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("captum")

from tokenizers import Tokenizer  # noqa: E402

from bot.__main__ import main  # noqa: E402
from nlu_models.emotion import faithfulness  # noqa: E402
from nlu_models.emotion.commands import explain as command  # noqa: E402
from nlu_models.emotion.explain import Explainer, WordScore, load_from_run  # noqa: E402
from nlu_models.emotion.explain_html import page  # noqa: E402
from nlu_models.emotion.explain_text import render  # noqa: E402
from nlu_models.emotion.word_spans import align, place_of, words_of  # noqa: E402
from nlu_models.emotion.wording import as_read, normalize_wording  # noqa: E402
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder  # noqa: E402
from nlu_models.errors import InputError  # noqa: E402
from tests.unit.tiny_bases import make_base  # noqa: E402

LABELS = ("anger", "joy", "neutral")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def explainer(base: Path) -> Explainer:
    """A model in which "furious" alone decides about anger, and "happy" about joy."""
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    torch.manual_seed(0)
    model = MultiTaskEncoder(EncoderConfig(base=str(base), n_labels=len(LABELS))).eval()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    words = ["i", "am", "so", "furious", "grateful", "today", "you", "happy", "cat", "money", "work"]
    draw = torch.Generator().manual_seed(1)
    for _ in range(120):
        texts, targets = [], []
        for _ in range(16):
            chosen = [words[int(torch.randint(len(words), (1,), generator=draw))] for _ in range(5)]
            texts.append(" ".join(chosen))
            targets.append([float("furious" in chosen), float("happy" in chosen), 0.0])
        ids = torch.tensor([tokenizer.encode(text).ids for text in texts])
        outputs = model(ids, torch.ones_like(ids))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(outputs.emotion, torch.tensor(targets))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Explainer(model, tokenizer, LABELS, 24, "tiny")


def test_the_word_that_decides_gets_the_highest_score(explainer: Explainer) -> None:
    found = explainer.explain("you and the cat, i am furious today")
    assert (found.target, found.is_reported) == ("anger", True)
    best = max(found.words, key=lambda word: word.score)
    rest = sum(abs(word.score) for word in found.words if word is not best)
    assert best.word == "furious"
    assert best.score > rest


def test_scores_add_up_to_the_difference(explainer: Explainer) -> None:
    found = explainer.explain("happy you , furious cat", "joy", steps=64)
    total = sum(word.score for word in found.words)
    assert found.has_converged
    assert total == pytest.approx(found.value - found.baseline, abs=abs(found.error) + 1e-4)
    assert abs(found.error) <= max(0.05 * abs(found.value - found.baseline), 0.02)


def test_scores_are_those_of_a_plain_riemann_sum(explainer: Explainer) -> None:
    text, target = "so happy today", 1
    found = explainer.explain(text, LABELS[target], steps=400)
    read = explainer.tokenize(text)
    table = explainer.model.encoder.get_input_embeddings().weight
    end = table[list(read.ids)].detach()
    start = table[explainer.blanked(read, range(len(read.pairs)))].detach()
    total = torch.zeros_like(end)
    for step in range(400):
        point = (start + (end - start) * (step + 0.5) / 400).requires_grad_(True)
        hidden = explainer.model.encoder(inputs_embeds=point[None]).last_hidden_state.mean(dim=1)
        (gradient,) = torch.autograd.grad(explainer.model.read(hidden).emotion[0, target], point)
        total += gradient / 400
    naive = ((end - start) * total).sum(dim=-1)[1:-1].tolist()
    assert [word.score for word in found.words] == pytest.approx(naive, abs=0.02)


def test_more_steps_are_taken_while_the_error_is_large(
    explainer: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def rough(forward: Any, ids: Any, blank_ids: Any, steps: int) -> tuple[list[float], float]:
        taken.append(steps)
        return [0.0] * ids.shape[1], 80.0 / steps

    monkeypatch.setattr("nlu_models.emotion.explain._integrate", rough)
    found = explainer.explain("furious", steps=10)
    assert taken == [10, 20, 40, 80]
    assert (found.steps, found.has_converged) == (80, False)
    assert "rough" in render(found, colour=False)


def test_word_pieces_are_one_word_at_their_place_in_the_text(base: Path) -> None:
    vocabulary = {
        word: at
        for at, word in enumerate(
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##happi", "##ness", "don", "'", "t"]
        )
    }
    tokenizer = transformers.BertTokenizerFast(vocab=vocabulary)._tokenizer
    model = MultiTaskEncoder(EncoderConfig(base=str(base), n_labels=3))
    text = "  Unhappiness - don't"
    found = Explainer(model, tokenizer, LABELS, 24, "tiny").explain(text, "joy", steps=8)
    assert [(word.word, word.start, word.end) for word in found.words] == [
        ("Unhappiness", 2, 13),
        ("-", 14, 15),
        ("don't", 16, 21),
    ]
    assert all(text[word.start : word.end] == word.word for word in found.words)


def test_reworded_text_leads_back_to_what_was_written(explainer: Explainer) -> None:
    def reword(text: str) -> str:
        return text.replace("h a p p y", "happy").replace("4ngry", "furious").replace("😡", "so furious")

    reworded = Explainer(explainer.model, explainer.tokenizer, LABELS, 24, "tiny", reword=reword)
    found = reworded.explain("you, h a p p y cat", "joy", steps=16)
    assert [word.word for word in found.words] == ["you", ",", "h a p p y", "cat"]
    assert max(found.words, key=lambda word: word.score).word == "h a p p y"
    several = reworded.explain("i am 4ngry 😡", "anger", steps=16)
    assert [word.word for word in several.words] == ["i", "am", "4ngry 😡"]


def test_an_axis_can_be_explained_and_an_untrained_one_can_not(explainer: Explainer) -> None:
    found = explainer.explain("furious cat", "Valence")
    assert (found.target, found.is_axis, found.probability, found.is_reported) == (
        "valence",
        True,
        None,
        False,
    )
    assert -1.0 <= found.value <= 1.0
    bare = Explainer(explainer.model, explainer.tokenizer, LABELS, 24, "tiny", axes=())
    with pytest.raises(InputError, match="no label 'valence'"):
        bare.explain("furious cat", "valence")


@pytest.mark.parametrize(
    ("typed", "meant"), [("angr", "anger"), ("Neutal", "neutral"), ("valance", "valence")]
)
def test_an_unknown_label_is_answered_with_close_ones(explainer: Explainer, typed: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"did you mean {meant}"):
        explainer.explain("furious", typed)
    with pytest.raises(InputError, match="expected one of anger, joy"):
        explainer.explain("furious", "zzzz")


@pytest.mark.parametrize("text", ["", "   \n", "\u200b"])
def test_nothing_to_read_is_refused(explainer: Explainer, text: str) -> None:
    with pytest.raises(InputError, match=r"is empty|no words"):
        explainer.explain(text)


@pytest.mark.parametrize(("steps", "blank"), [(7, "[PAD]"), (1601, "[PAD]"), (50, "[CLS]")])
def test_steps_and_blank_are_checked(explainer: Explainer, steps: int, blank: str) -> None:
    with pytest.raises(InputError, match="expected"):
        explainer.explain("furious", steps=steps, blank=blank)


def test_a_long_text_is_cut_where_the_reader_cuts_it_and_says_so(explainer: Explainer) -> None:
    text = "furious " + "cat " * 50_000
    found = explainer.explain(text, steps=8)
    assert found.cut_at is not None
    assert len(found.words) == 22  # 24 tokens with the first and the last
    assert found.words[-1].end == found.cut_at
    assert f"the last {len(text) - found.cut_at:,} characters were not read" in render(found, colour=False)
    assert "[…]" in page(found)


def test_half_an_emoji_does_not_stop_it(explainer: Explainer) -> None:
    found = explainer.explain("furious \ud83d cat", steps=8)
    assert [word.word for word in found.words if word.word.isalpha()] == ["furious", "cat"]
    page(found).encode("utf-8", "replace")


def test_what_is_explained_is_what_serving_reads(explainer: Explainer) -> None:
    served = Explainer(explainer.model, explainer.tokenizer, LABELS, 24, "tiny", reword=normalize_wording)
    for text in ("so h a p p y", "happy" + "\ud83d" * 5, "cat" + "\ud83d" + "!" * 5):
        assert served.tokenize(text).ids == tuple(explainer.tokenizer.encode(as_read(text, 24)).ids)


def test_colour_is_by_sign_and_plain_text_has_none(explainer: Explainer) -> None:
    found = explainer.explain("happy furious \x1b[2J cat", "joy")
    coloured, plain = render(found, colour=True), render(found, colour=False)
    assert re.search(r"\x1b\[1?;?38;5;\d+mhappy\x1b\[0m", coloured)
    assert "\x1b" not in plain
    assert "\x1b[2J" not in coloured
    assert re.search(r"happy\[\+\d", plain)


def test_the_page_escapes_text_and_needs_nothing_else(explainer: Explainer) -> None:
    found = explainer.explain('furious <script>alert("x")</script> & cat', "anger")
    html = page(found)
    assert "<script" not in html
    assert "&lt;" in html
    assert "&amp;" in html
    assert not re.search(r"(?:src|href|url\()\s*=?\s*[\"']?http", html)
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html


def test_scores_point_at_what_the_reading_rests_on_and_random_ones_do_not(explainer: Explainer) -> None:
    texts = ["you cat money furious work", "happy work you cat today", "i am furious so grateful", "cat"]
    found = faithfulness.measure(explainer, texts, "[PAD]", steps=16)
    assert found.texts == 3
    assert found.comprehensiveness > found.random_comprehensiveness + 0.2
    assert found.sufficiency < found.random_sufficiency - 0.2
    with pytest.raises(InputError, match="two words"):
        faithfulness.measure(explainer, ["cat"], "[PAD]")


def test_falls_are_the_means_over_shares(explainer: Explainer) -> None:
    read = explainer.tokenize("cat furious")
    whole = explainer.probabilities(read.ids)[0]
    alone = explainer.probabilities([read.ids[0], read.ids[2], read.ids[3]])[0]
    rest = explainer.probabilities([read.ids[0], read.ids[1], read.ids[3]])[0]
    # With two words, every share up to a half is one word.
    assert faithfulness.falls(explainer, read, 0, [0.0, 1.0]) == pytest.approx((whole - rest, whole - alone))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I can't, really!!", ["I", "can't", ",", "really", "!!"]),
        ("我很难过。ok", ["我", "很", "难", "过", "。", "ok"]),
        ("cafe\u0301 👩‍💻!", ["cafe\u0301", "👩‍💻!"]),
        ("rock ’n’ roll don’t", ["rock", "’", "n", "’", "roll", "don’t"]),
        ("", []),
    ],
)
def test_words_are_found_in_scripts_with_and_without_spaces(text: str, words: list[str]) -> None:
    assert [text[span.start : span.end] for span in words_of(text)] == words


def test_alignment_pairs_each_read_word_with_what_was_written() -> None:
    def shown(written: str, read: str) -> list[tuple[str, str]]:
        return [
            (written[pair.written.start : pair.written.end], read[pair.read.start : pair.read.end])
            for pair in align(written, read)
        ]

    assert shown("i h4te this", "i hate this") == [("i", "i"), ("h4te", "hate"), ("this", "this")]
    assert shown("so s a d now", "so sad now") == [("so", "so"), ("s a d", "sad"), ("now", "now")]
    assert shown("gone ~~ now", "gone now") == [("gone", "gone"), ("~~", ""), ("now", "now")]
    assert shown("now", "now then") == [("now", "now then")]
    assert shown("now", "and now") == [("now", "and now")]
    assert place_of([], 0, 1) is None


class TestCommand:
    """`attune emotion explain`, from its arguments to what it prints."""

    @pytest.fixture
    def run(self, base: Path, explainer: Explainer, tmp_path: Path) -> Path:
        """A run folder of the model."""
        import dataclasses
        import shutil

        folder = tmp_path / "run"
        folder.mkdir()
        saved = {
            "config": dataclasses.asdict(explainer.model.config), "state": explainer.model.state_dict()
        }  # fmt: skip
        torch.save(saved, folder / "model.pt")
        (folder / "tokenizer").mkdir()
        shutil.copy(base / "tokenizer.json", folder / "tokenizer" / "tokenizer.json")
        report = {"arguments": {"base": str(base), "max_tokens": 24}, "labels": list(LABELS)}
        (folder / "metrics.json").write_text(json.dumps(report))
        return folder

    def test_prints_words_and_writes_the_page(
        self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        html = tmp_path / "why.html"
        assert main(["emotion", "explain", "i am furious", "--run", str(run), "--html", str(html)]) == 0
        shown = capsys.readouterr()
        assert "furious[+" in shown.out
        assert str(html) in shown.err
        assert "<mark" in html.read_text(encoding="utf-8")
        assert {path.name for path in tmp_path.iterdir()} == {"run", "why.html"}

    def test_prints_json(self, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["emotion", "explain", "i am happy", "--run", str(run), "--label", "joy", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["target"], found["unit"], found["converged"]) == ("joy", "log-odds", True)
        assert [(word["word"], word["start"]) for word in found["words"]] == [
            ("i", 0),
            ("am", 2),
            ("happy", 5),
        ]

    def test_measures_on_a_dev_split(
        self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from nlu_models.emotion.labels import GOEMOTIONS

        corpus = tmp_path / "goemotions"
        corpus.mkdir()
        (corpus / "labels.txt").write_text("\n".join(GOEMOTIONS))
        (corpus / "dev.tsv").write_text("i am furious\t2\ta\nyou happy cat\t17\tb\n")
        words = ["emotion", "explain", "--run", str(run), "--measure", str(corpus), "--steps", "8"]
        assert main(words) == 0
        assert "comprehensiveness" in capsys.readouterr().out
        assert main([*words, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["texts"] == 2

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            (["   "], "the text is empty"),
            ([], "give either a TEXT"),
            (["x", "--measure", "."], "give either a TEXT"),
            (["x", "--label", "hapiness"], "no label 'hapiness'"),
            (["x", "--steps", "2"], "steps is 2"),
            (["x", "--html", "/nowhere/at/all.html"], "can't be written"),
        ],
    )
    def test_bad_input_is_one_line(
        self, run: Path, words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["emotion", "explain", *words, "--run", str(run)]) == 2
        error = capsys.readouterr().err
        assert reason in error
        assert error.count("\n") == 1

    def test_a_run_that_is_not_there_is_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["emotion", "explain", "x", "--run", str(tmp_path / "no")]) == 2
        assert "model.pt" in capsys.readouterr().err

    def test_a_damaged_run_is_named(self, run: Path) -> None:
        (run / "metrics.json").write_text("{")
        from nlu_models.errors import WeightError

        with pytest.raises(WeightError, match=r"metrics\.json"):
            load_from_run(run)

    @pytest.mark.parametrize(
        ("tty", "environment", "coloured"),
        [
            (True, {}, True),
            (False, {}, False),
            (True, {"NO_COLOR": "1"}, False),
            (True, {"TERM": "dumb"}, False),
        ],
    )
    def test_colour_needs_a_terminal_that_wants_it(
        self, monkeypatch: pytest.MonkeyPatch, tty: bool, environment: dict[str, str], coloured: bool
    ) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.stdout.isatty", lambda: tty)
        assert command._has_colour() is coloured


def test_a_word_score_keeps_its_place() -> None:
    assert WordScore("cat", 2, 5, 0.1).end == 5
