"""Imports what a start imports, so that Python keeps its compiled form.

Wheels come without compiled files, and compiling all of them takes minutes. Importing compiles what is
needed and nothing else.
"""

from __future__ import annotations

import importlib
import subprocess
import sys

# Each group in a process of its own: the first two are the servers, the third is training.
GROUPS = (
    ("rasa.core.run", "sklearn.svm", "onnxruntime", "tokenizers", "faiss", "alembic.command"),
    ("rasa_sdk.endpoint", "faiss"),
    ("rasa.__main__", "rasa.model_training", "rasa.engine.recipes.default_components"),
)


def main(names: list[str]) -> int:
    """Imports the named modules, or every group in parallel when none is named."""
    for name in names:
        importlib.import_module(name)
    if names:
        return 0
    running = [subprocess.Popen([sys.executable, "-W", "ignore", __file__, *group]) for group in GROUPS]
    return max(process.wait() for process in running)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
