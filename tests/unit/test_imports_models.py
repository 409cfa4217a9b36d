"""Serving code keeps training frameworks, Rasa, the database and the bot out of its process."""

from __future__ import annotations

import subprocess
import sys

import pytest

FORBIDDEN = ("rasa", "rasa_sdk", "torch", "transformers", "tensorflow", "sqlalchemy", "bot", "sklearn")


@pytest.mark.parametrize(
    "module",
    [
        "nlu_models.reader",
        "nlu_models.language",
        "nlu_models.risk.words",
        "nlu_models.retrieval.index",
        "nlu_models.retrieval.library",
        "nlu_models.emotion.infer",
        "nlu_models.emotion.context.weights",
    ],
)
def test_import_brings_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(sorted(name for name in {FORBIDDEN!r} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
