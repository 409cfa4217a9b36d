"""The thresholds of the escalation: their ranges, where they are set, and how they are shown."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.cli.escalation import CONFIG, thresholds_of
from bot.core.errors import SettingsError
from bot.core.thresholds import EscalationThresholds


@pytest.mark.parametrize("field", fields(EscalationThresholds), ids=lambda field: field.name)
def test_every_threshold_is_explained_and_refuses_what_is_out_of_its_range(field: object) -> None:
    name, low, high = field.name, field.metadata["low"], field.metadata["high"]  # type: ignore[attr-defined]
    assert field.metadata["meaning"]  # type: ignore[attr-defined]
    assert name in (EscalationThresholds.__doc__ or "")
    for good in (low, high):
        assert getattr(EscalationThresholds(**{name: good}), name) == good
    for bad in (low - 1, high + 1, float("nan"), "2", True, None):
        with pytest.raises(SettingsError, match=name):
            EscalationThresholds(**{name: bad})


def test_a_count_is_a_whole_number() -> None:
    with pytest.raises(SettingsError, match=r"anger_turns is 2\.5, expected a whole number from 1 to 20"):
        EscalationThresholds(anger_turns=2.5)  # type: ignore[arg-type]


def test_the_shipped_configuration_names_every_threshold() -> None:
    text = CONFIG.read_text(encoding="utf-8")
    assert thresholds_of(CONFIG) == EscalationThresholds()
    assert all(f"    {name}: " in text for name in EscalationThresholds.names())


def test_a_misspelt_threshold_is_refused() -> None:
    with pytest.raises(
        SettingsError, match=r"'angry_turns' is no threshold; the thresholds are .*anger_turns"
    ):
        EscalationThresholds.from_config({"angry_turns": 3})


def test_settings_change_what_they_name() -> None:
    changed = EscalationThresholds().changed(["anger_turns=3", " anger_level = 0.75 "])
    assert (changed.anger_turns, changed.anger_level, changed.complaint_turns) == (3, 0.75, 2)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("anger_turns", "sets no threshold"),
        ("nonsense=3", "sets no threshold"),
        ("anger_turns=many", "expected a whole number"),
        ("anger_turns=2.5", "expected a whole number"),
        ("anger_level=high", "expected a number"),
        ("anger_level=nan", "expected 0.0 to 1.0"),
        ("anger_turns=0", "expected a whole number from 1 to 20"),
    ],
)
def test_a_setting_that_will_not_do_is_named(setting: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        EscalationThresholds().changed([setting])


def test_counts_are_lowered_for_the_vulnerable_to_one_at_least() -> None:
    lowered = EscalationThresholds(anger_turns=3, complaint_turns=1, vulnerable_lowers=2).for_vulnerable()
    assert (lowered.anger_turns, lowered.complaint_turns, lowered.missed_answers) == (1, 1, 1)


def test_the_thresholds_are_shown_with_meaning_and_range(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["escalation", "thresholds"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in EscalationThresholds.names())
    assert main(["escalation", "thresholds", "--json"]) == 0
    (first, *_) = json.loads(capsys.readouterr().out)
    assert set(first) == {"name", "value", "default", "low", "high", "meaning"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("policies: []", "has no policy EscalationPolicy"),
        ("- a list", "has no policy EscalationPolicy"),
        ("policies: {", "is not a YAML configuration"),
        ("policies: [{name: policies.escalation.EscalationPolicy, anger_turns: 0}]", "anger_turns is 0"),
        ("policies: [{name: EscalationPolicy, anger_turn: 3}]", "'anger_turn' is no threshold"),
    ],
)
def test_a_configuration_that_will_not_do_ends_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    path = tmp_path / "config.yml"
    path.write_text(content)
    assert main(["escalation", "thresholds", "--config", str(path)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="can't read the configuration"):
        thresholds_of(tmp_path / "none.yml")
