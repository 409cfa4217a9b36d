"""`rasa test` over the conversations in this folder: every predicted step is the written one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bot.core.settings import ROOT, Settings
from bot.launch.environment import child_environment
from bot.launch.model import RasaModel

LIMIT_S = 280


def test_every_story_is_told_as_written(tmp_path: Path) -> None:
    model = RasaModel(ROOT, Path(Settings().emotion_weights))
    if model.why_stale():
        model.train(lambda line: print(line))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "rasa", "test", "core"),
            *("--model", str(model.archive), "--stories", "tests/stories", "--out", str(tmp_path)),
            "--fail-on-prediction-errors",
        ],
        cwd=ROOT,
        env=child_environment(ATTUNE_VAR_DIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    failed = (tmp_path / "failed_test_stories.yml").read_text(encoding="utf-8")
    assert "None of the test stories failed" in failed, failed
