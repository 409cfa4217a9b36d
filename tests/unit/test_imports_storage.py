"""Storage must stay usable where Rasa and the models aren't: action server, desk, command line."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import bot.storage

HEAVY = ("rasa", "rasa_sdk", "torch", "tensorflow", "transformers", "onnxruntime")


def loaded_by(code: str) -> set[str]:
    """The top-level packages a fresh process has loaded after some code."""
    script = f"{code}\nimport sys\nprint(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_storage_brings_no_heavy_package() -> None:
    modules = [f"bot.storage.{info.name}" for info in pkgutil.iter_modules(bot.storage.__path__)]
    assert "bot.storage.database" in modules
    assert not loaded_by("import " + ", ".join(modules)) & set(HEAVY)


def test_the_command_line_brings_no_heavy_package_for_its_help() -> None:
    code = (
        "import contextlib, bot.__main__\nwith contextlib.suppress(SystemExit): bot.__main__.main(['--help'])"
    )
    assert not loaded_by(code) & {*HEAVY, "sqlalchemy", "numpy"}
