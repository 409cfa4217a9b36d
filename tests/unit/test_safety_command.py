"""`attune safety train` and `evaluate`: one readable line on bad input, figures and a card on good."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.cli import _safety_model
from bot.cli._safety_model import in_conversation
from nlu_models.reader import DEFAULT_WEIGHTS
from nlu_models.risk.model import CARD_FILE
from nlu_models.risk.weights import write_folder
from tests.unit.test_risk_model import model_for
from tests.unit.tiny_weights import make_weights

CASES = {
    "en": [
        {"text": "I want to kill myself", "level": "crisis", "kind": "self_harm", "wording": "direct"},
        {"text": "my deadline", "level": "high", "kind": "medical", "wording": "slang"},
        {"text": "the cat sleeps", "level": "none", "kind": None, "wording": "everyday"},
        {
            "text": "Yes. Tonight.",
            "level": "crisis",
            "kind": "self_harm",
            "wording": "multi_turn",
            "before": ["I want to kill myself"],
        },
    ],
    "zh": [{"text": "今天很好", "level": "none", "kind": None, "wording": "everyday"}],
}


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    folder = tmp_path / "cases"
    folder.mkdir()
    for language, rows in CASES.items():
        (folder / f"{language}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The danger model and the encoder it was fitted on, with little talk to read."""
    encoder = make_weights(tmp_path / "encoder")
    write_folder(tmp_path / "risk", model_for(encoder), {"sources": {}}, "# card\n")
    nlu = tmp_path / "nlu"
    for language, text in (("en", "hello there number"), ("zh", "你好")):
        (nlu / language).mkdir(parents=True)
        examples = "\n".join(f"    - {text} {number}" for number in range(40))
        (nlu / language / "a.yml").write_text(f"nlu:\n- intent: greet\n  examples: |\n{examples}\n")
    monkeypatch.setattr(_safety_model, "NLU", nlu)
    return tmp_path / "risk", encoder


def test_evaluate_prints_figures_and_writes_the_card(
    cases: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    weights, encoder = folders
    card = weights / CARD_FILE
    words = [
        "safety",
        "evaluate",
        "--cases",
        str(cases),
        "--weights",
        str(weights),
        "--encoder",
        str(encoder),
    ]

    assert main([*words, "--json", "--into", str(card)]) == 0

    report = json.loads(capsys.readouterr().out)
    danger = {name: found["overall"]["danger"] for name, found in report["variants"].items()}
    assert danger["patterns"]["recall"]["hits"] == 2  # the plain one, and the one in its conversation
    assert danger["joined"]["recall"]["hits"] == 3
    assert danger["joined"]["false_alarms"]["hits"] == 0
    assert report["multi_turn_text_alone"]["danger"]["recall"]["hits"] == 0
    assert set(report["everyday"]) == {"own talk, en", "own talk, zh"}
    text = card.read_text(encoding="utf-8")
    assert "**joined**" in text
    assert "the goal is at least 98 %" in text
    assert "I want to kill myself" not in text

    assert main(words) == 0
    assert "balanced precision" in capsys.readouterr().out


def test_a_danger_in_two_turns_is_read_with_its_reason() -> None:
    dark = {"level": "high", "score": 0.7, "kind": "self_harm", "evidence": ["dying"]}
    calm = {"level": "none", "score": 0.0, "kind": None, "evidence": []}
    found = in_conversation([("I think about dying", dark, None), ("Yes. Tonight.", calm, None)])
    assert found["level"] == "crisis"
    assert "dying" in found["evidence"][0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "--cases", "{}/nowhere"], "holds no cases"),
        (["evaluate", "--cases", "{}/cases", "--weights", "{}/nowhere"], "can't be read"),
        (["evaluate", "--cases", "{}/cases", "--weights", "{}/risk"], "safety train"),
        (["train"], "required"),
    ],
)
def test_bad_input_is_one_readable_line(
    tmp_path: Path,
    cases: Path,
    folders: tuple[Path, Path],
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not DEFAULT_WEIGHTS.is_dir():
        pytest.skip("the shipped emotion weight is missing")
    try:
        status = main(["safety", *(word.replace("{}", str(tmp_path)) for word in words)])
    except SystemExit as end:
        status = int(str(end.code))
    assert status == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1


def test_training_from_a_missing_collection_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = str(tmp_path / "nowhere")
    names = ("goemotions", "clinc", "bitext", "moderation", "psyguard")
    given = [word for name in names for word in (f"--{name}", gone)]

    assert main(["safety", "train", *given, "--output", str(tmp_path / "made")]) == 2

    assert "nowhere" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
