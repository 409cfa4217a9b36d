"""The danger model adds to the patterns, can be lost without harm, and is what it was fitted to be."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.core.reading import RiskReading
from nlu_models.emotion.weights import MODEL_FILE
from nlu_models.errors import DataError, WeightError
from nlu_models.reader import RISK_FOLDER, RISK_WEIGHTS, TurnReader
from nlu_models.risk.cases import Case, read_cases
from nlu_models.risk.features import PLACES, encoder_columns, gram_matrix, places
from nlu_models.risk.fit import fit_layer, platt, quantized
from nlu_models.risk.join import join
from nlu_models.risk.materials import Row, targets_of
from nlu_models.risk.measures import binary, calibration, figures, wilson
from nlu_models.risk.model import (
    ARRAYS_FILE,
    CONFIG_FILE,
    DANGER,
    MAX_BYTES,
    OUTPUTS,
    Linear,
    RiskModel,
    Scores,
    Thresholds,
)
from nlu_models.risk.reader import file_sha256
from nlu_models.risk.sentences import MAX_WINDOWS, sentences, windows
from nlu_models.risk.thresholds import NEVER, choose
from nlu_models.risk.weights import write_folder
from nlu_models.risk.words import KINDS, LEVELS
from tests.unit.tiny_weights import WIDTH, make_weights

LIMITS = Thresholds(lower_below=0.1, concern=0.5, high=0.8, crisis=0.9, kind=0.6)
NONE = {"level": "none", "score": 0.0, "kind": None, "evidence": []}
CONCERN = {"level": "concern", "score": 0.4, "kind": "abuse", "evidence": ["screams at me"]}
HIGH = {"level": "high", "score": 0.7, "kind": "self_harm", "evidence": ["hurting myself"]}
CRISIS = {"level": "crisis", "score": 0.9, "kind": "self_harm", "evidence": ["kill myself"]}
COLUMNS = WIDTH + 28 + 3


def scores(flagged: float, danger: float, crisis: float = 0.0, kind: str = "self_harm") -> Scores:
    return Scores(flagged, danger, crisis, tuple(0.9 * (one == kind) for one in KINDS), "the sentence")


def layer_of(words: dict[str, float], language: str, bias: float = -4.0) -> Linear:
    """A layer in which each word speaks that much for everything."""
    table = np.zeros((PLACES, len(OUTPUTS)))
    for word, weight in words.items():
        table[places(word, language)] = weight
    int8, scale = quantized(table)
    ones = np.ones(len(OUTPUTS), dtype=np.float32)
    columns = np.zeros((COLUMNS if language == "en" else 0, len(OUTPUTS)), dtype=np.float32)
    return Linear(int8, scale, columns, bias * ones, ones, 0 * ones)


def model_for(encoder: Path | None) -> RiskModel:
    layers = {"en": layer_of({"deadline": 30.0}, "en"), "zh": layer_of({"猫": 30.0}, "zh")}
    sha256 = file_sha256(encoder / MODEL_FILE) if encoder else "0" * 64
    return RiskModel("tiny-risk", "0", sha256, layers, {"en": LIMITS, "zh": LIMITS})


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_weights(tmp_path_factory.mktemp("weights") / "tiny")


@pytest.fixture
def weights(tmp_path: Path, encoder: Path) -> Path:
    write_folder(tmp_path / "risk", model_for(encoder), {"sources": {}}, "# card\n")
    return tmp_path / "risk"


@pytest.mark.parametrize(
    ("read", "found", "level"),
    [
        (NONE, scores(0.2, 0.1), "none"),
        (NONE, scores(0.6, 0.1), "concern"),
        (NONE, scores(0.9, 0.85), "high"),
        (NONE, scores(0.9, 0.85, 0.95), "crisis"),
        (NONE, scores(0.9, 0.1, 0.95), "concern"),
        (CONCERN, scores(0.05, 0.0), "none"),
        (CONCERN, scores(0.2, 0.0), "concern"),
        (CONCERN, scores(0.9, 0.85), "high"),
        (HIGH, scores(0.0, 0.0), "high"),
        (HIGH, scores(0.9, 0.9, 0.95), "crisis"),
        (CRISIS, scores(0.0, 0.0), "crisis"),
    ],
)
def test_the_model_raises_and_lowers_nothing_but_a_concern(
    read: dict[str, object], found: Scores, level: str
) -> None:
    joined = join(read, found, LIMITS)
    assert joined["level"] == level
    assert RiskReading.from_dict(joined).to_dict() == joined
    if LEVELS.index(level) > LEVELS.index(str(read["level"])):
        assert joined["evidence"][0] == "the sentence"


def test_no_score_whatever_lowers_danger() -> None:
    random = np.random.default_rng(0)
    for _ in range(500):
        flagged, danger, crisis = random.random(3)
        for read in (HIGH, CRISIS):
            level = join(read, scores(flagged, danger, crisis), LIMITS)["level"]
            assert LEVELS.index(level) >= LEVELS.index(read["level"])


def test_a_kind_the_model_is_unsure_of_does_not_replace_a_concerns() -> None:
    unsure = Scores(0.9, 0.9, 0.0, (0.5, 0.1, 0.2, 0.1), "x")
    assert join(CONCERN, unsure, LIMITS)["kind"] == "abuse"
    assert join(CONCERN, scores(0.9, 0.9, kind="medical"), LIMITS)["kind"] == "medical"


def test_the_sentence_that_decided_is_the_evidence(weights: Path, encoder: Path) -> None:
    reader = TurnReader(encoder, threads=1, risk_weights=weights)
    english, chinese, harmless = reader.read(
        ["The cat sleeps. My deadline is today! I am fine.", "今天很好。楼下有猫。", "the cat sleeps"]
    )
    assert english.risk["evidence"] == ["my deadline is today!"]
    assert chinese.risk["evidence"] == ["楼下有猫。"]
    assert harmless.risk["level"] == "none"


def test_danger_in_the_middle_of_a_long_message_is_read(weights: Path, encoder: Path) -> None:
    reader = TurnReader(encoder, threads=1, risk_weights=weights)
    around = "we walked along the river and talked about the weather all day. " * 12
    reading = reader.read([f"{around}Deadline. {around}"])[0]
    assert reading.risk["level"] in ("high", "crisis")
    assert reading.risk["evidence"] == ["deadline."]


def test_reading_together_and_alone_agrees(weights: Path, encoder: Path) -> None:
    reader = TurnReader(encoder, threads=1, risk_weights=weights)
    texts = ["deadline", "", "我有猫", "so tired. " * 60, "I want to kill myself", "😭", "my boss. Deadline!"]
    for text, together in zip(texts, reader.read(texts), strict=True):
        assert reader.read([text])[0].risk == together.risk


@pytest.mark.parametrize("name", [ARRAYS_FILE, CONFIG_FILE])
@pytest.mark.parametrize("damage", ["missing", "truncated", "other"])
def test_without_a_usable_model_the_patterns_go_on(
    weights: Path, encoder: Path, caplog: pytest.LogCaptureFixture, name: str, damage: str
) -> None:
    path = weights / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:60] if damage == "truncated" else b"{}")
    with pytest.raises(WeightError):
        RiskModel.load(weights)
    with caplog.at_level(logging.WARNING):
        reader = TurnReader(encoder, threads=1, risk_weights=weights)
        read = [reader.read(["my deadline"])[0], reader.read(["I want to kill myself"])[0]]
    assert [one.risk["level"] for one in read] == ["none", "crisis"]
    assert [record.message.split()[0] for record in caplog.records] == ["risk_model_unusable"]


def test_another_encoder_switches_english_off_and_nothing_else(
    tmp_path: Path, encoder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_folder(tmp_path / "risk", model_for(None), {}, "")
    with caplog.at_level(logging.WARNING):
        reader = TurnReader(encoder, threads=1, risk_weights=tmp_path / "risk")
        english, chinese, danger = reader.read(["my deadline", "我有猫", "I want to kill myself"])
    assert (english.risk["level"], chinese.risk["level"], danger.risk["level"]) == (
        "none",
        "crisis",
        "crisis",
    )
    assert len(caplog.records) == 1
    assert "safety train" in caplog.text


def test_a_model_that_breaks_leaves_the_patterns_reading(
    weights: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reader = TurnReader(encoder, threads=1, risk_weights=weights)

    def fail(*_: object) -> None:
        raise MemoryError("I want to kill myself")

    for part in ("join", "windows", "scores_of"):
        with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
            patch.setattr(f"nlu_models.risk.reader.{part}", fail)
            assert reader.read(["I want to kill myself"])[0].risk["level"] == "crisis"
    assert "kill" not in caplog.text


def test_a_folder_that_is_loaded_is_what_was_written(weights: Path, encoder: Path) -> None:
    model, found = model_for(encoder), RiskModel.load(weights)
    assert found.thresholds == model.thresholds
    for name, array in model.arrays().items():
        np.testing.assert_array_equal(found.arrays()[name], array)
    again = weights.parent / "again"
    write_folder(again, model, {"sources": {}}, "# card\n")
    assert (again / ARRAYS_FILE).read_bytes() == (weights / ARRAYS_FILE).read_bytes()


def test_a_config_with_a_threshold_out_of_range_is_refused(weights: Path) -> None:
    config = json.loads((weights / CONFIG_FILE).read_text())
    config["thresholds"]["en"]["high"] = 7
    (weights / CONFIG_FILE).write_text(json.dumps(config))
    with pytest.raises(WeightError, match="high is 7"):
        RiskModel.load(weights)


def test_serving_and_fitting_see_the_same_features() -> None:
    text, language = "I can't, I can't go on tonight!", "en"
    layer = layer_of({"tonight": 3.0, "go on": 2.0}, language, bias=0.25)
    sparse = gram_matrix([text], language)
    columns = np.random.default_rng(0).normal(size=COLUMNS).astype(np.float32)
    layer = replace(layer, columns=np.tile(columns[:, None], (1, len(OUTPUTS))))
    naive = sparse @ (layer.grams.astype(np.float64) * layer.scale) + columns @ layer.columns + layer.bias
    np.testing.assert_allclose(layer.logits(text, language, columns), naive[0], rtol=1e-4)


def test_a_layer_learns_what_it_is_shown_and_the_same_every_time() -> None:
    rows, plains = [], []
    for number in range(240):
        kind = KINDS[number % 4]
        is_danger = number % 2 == 0
        level = ("crisis" if number % 4 == 0 else "high") if is_danger else "none"
        text = f"{kind} {level} {'danger' if is_danger else 'weather'} word{number}"
        case = Case(text, level, kind if is_danger else None, "en")
        rows.append(
            Row(
                text,
                "en",
                targets_of(replace(case, kind=KINDS[(number // 2) % 4] if is_danger else None)),
                1.0,
                "lines",
            )
        )
        plains.append(text)
    first, second = (fit_layer(rows, plains, None, "en") for _ in range(2))
    np.testing.assert_array_equal(first.layer.grams, second.layer.grams)
    assert first.held_out["danger"]["accuracy"] > 0.95
    assert first.layer.logits("danger", "en")[DANGER] > 0 > first.layer.logits("weather", "en")[DANGER]


def test_too_few_rows_are_refused() -> None:
    rows = [Row("a", "en", (0,) * len(OUTPUTS), 1.0, "lines")] * 30
    with pytest.raises(DataError, match="fewer than"):
        fit_layer(rows, ["a"] * 30, None, "en")


def test_calibration_finds_the_curve_answers_were_drawn_from() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(size=40_000)
    answers = (random.random(40_000) < 1.0 / (1.0 + np.exp(-(2.0 * logits)))).astype(int)
    slope, intercept = platt(logits, answers, np.ones(40_000))
    assert slope == pytest.approx(2.0, rel=0.05)
    assert intercept == pytest.approx(0.0, abs=0.05)


def test_thresholds_keep_alarms_rare_and_lower_no_danger() -> None:
    cases = [Case("x", "high", "abuse", "en")] * 40 + [Case("y", "none", None, "en")] * 40
    found = [scores(0.9, 0.7)] * 40 + [scores(0.2, 0.2)] * 40
    quiet = choose(cases, [NONE] * 80, found, [(NONE, scores(0.1, 0.1))] * 500)
    assert 0.2 < quiet.high <= 0.7
    loud = choose(cases, [NONE] * 80, found, [(NONE, scores(0.8, 0.8))] * 500)
    assert loud.high > 0.8
    hopeless = choose(cases, [NONE] * 80, [scores(0.5, 0.9)] * 80, [(NONE, scores(0.1, 0.1))] * 500)
    assert hopeless.high > 0.9
    assert NEVER > 1.0


def test_windows_hold_every_word_and_are_few() -> None:
    text = " ".join(f"word{number}" + ("." if number % 9 == 8 else "") for number in range(400))
    cut = windows(text)
    assert " ".join(cut).split() == text.split()
    assert 1 < len(cut) <= MAX_WINDOWS
    assert windows("short.") == ["short."]
    assert len(windows("word " * 50_000)) <= MAX_WINDOWS
    assert sentences(" a. b！c ") == ["a.", "b！", "c"]
    assert "".join(windows("我很难过。" * 60)).replace(" ", "") == "我很难过。" * 60


def test_wilson_agrees_with_the_published_example() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(81, 263)  # Newcombe (1998), table I
    assert (low, high) == (pytest.approx(0.2553, abs=1e-3), pytest.approx(0.3662, abs=1e-3))


def test_measures_count_by_hand() -> None:
    found = binary([True, True, True, False, False], [True, True, False, True, False])
    assert found["recall"]["value"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["precision"]["value"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["false_alarms"]["value"] == 0.5
    assert found["balanced_precision"] == pytest.approx((2 / 3) / (2 / 3 + 1 / 2), abs=1e-4)
    assert binary([], [])["f1"] is None
    assert calibration([0.0, 1.0], [False, True]) == {"brier": 0.0, "calibration_error": 0.0}
    cases = [Case("a", "crisis", "abuse", "en", "idiom"), Case("b", "none", None, "zh", "news")]
    report = figures(cases, [HIGH, NONE])
    assert report["by_kind"]["abuse"]["danger_recall"]["value"] == 1.0
    assert report["kind_right"]["value"] == 0.0
    assert set(report["by_wording"]) == {"idiom", "news"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1"),
        ("[]", "object"),
        ('{"text": "a", "level": "none"}', "kind"),
        ('{"text": "", "level": "none", "kind": null}', "text"),
        ('{"text": "a", "level": "bad", "kind": null}', "level"),
        ('{"text": "a", "level": "high", "kind": null}', "kind"),
        ('{"text": "a", "level": "none", "kind": null, "before": "b"}', "before"),
    ],
)
def test_malformed_cases_are_refused_with_their_line(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "en.jsonl").write_text(line)
    with pytest.raises(DataError, match=message):
        read_cases(tmp_path)


def test_encoder_columns_are_finite_at_the_edges() -> None:
    columns = encoder_columns(
        np.array([[0.0, 1.0]], dtype=np.float32), np.zeros((1, 3), np.float32), np.ones((1, 4), np.float32)
    )
    assert columns.shape == (1, 9)
    assert np.isfinite(columns).all()


def test_the_shipped_weight_is_small_and_whole() -> None:
    if not RISK_WEIGHTS.is_dir():
        pytest.skip("no danger model is shipped yet; `attune safety train` makes one")
    model = RiskModel.load(RISK_WEIGHTS)
    assert set(model.layers) == {"en", "zh"}
    assert sum(path.stat().st_size for path in RISK_WEIGHTS.iterdir()) < MAX_BYTES
    assert RISK_FOLDER.is_dir()


def test_training_lines_are_enough_and_differ_from_every_case() -> None:
    root = RISK_FOLDER.parent / "safety"
    lines = read_cases(root / "train")
    for language in ("en", "zh"):
        assert sum(case.language == language for case in lines) >= 250
    cases = [
        case
        for part in ("dev", "test")
        if (root / "cases" / part).is_dir()
        for case in read_cases(root / "cases" / part)
    ]
    shared = {case.text.casefold() for case in lines} & {case.text.casefold() for case in cases}
    assert not shared
