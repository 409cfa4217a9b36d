"""Set-up on machines of several kinds, with stand-ins for uv and Python."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.core.settings import ROOT

TOOLS = ("sh", "cat", "cksum", "mkdir", "rm", "sleep", "dirname", "id", "env")
RUNS_3_10 = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
FAILS = '#!/bin/sh\necho "the shim has no such version" >&2\nexit 127\n'
UV = """#!/bin/sh
echo "$@" >> "$UV_LOG"
case "$1 $2" in
  "--version "*) echo uv 1.0 ;;
  "python find") [ -n "${UV_FINDS:-}" ] && echo "$UV_FINDS" || exit 1 ;;
  "python install") exit 1 ;;
  "venv --quiet") for last; do :; done; mkdir -p "$last/bin"; cat "$MADE_PYTHON" > "$last/bin/python"
                  chmod +x "$last/bin/python" ;;
  "pip install") [ -z "${UV_SLOW:-}" ] || { echo started > "$UV_LOG.started"; sleep 30; }
                 exit "${UV_FAILS:-0}" ;;
esac
"""


class Machine:
    """A checkout with a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.path = folder / "bin"
        self.log = folder / "uv.log"
        (self.checkout / "scripts").mkdir(parents=True)
        self.path.mkdir()
        shutil.copy(ROOT / "scripts" / "setup.sh", self.checkout / "scripts")
        for name in ("requirements.txt", "pyproject.toml", "scripts/warm_imports.py"):
            (self.checkout / name).write_text("", encoding="utf-8")
        for tool in (*TOOLS, "chmod"):
            (self.path / tool).symlink_to(shutil.which(tool) or tool)
        made = folder / "made-python"
        made.write_text(RUNS_3_10, encoding="utf-8")
        self.environment = {
            "PATH": str(self.path),
            "HOME": str(folder),
            "UV_LOG": str(self.log),
            "MADE_PYTHON": str(made),
        }

    def has(self, name: str, script: str) -> None:
        program = self.path / name
        program.write_text(script, encoding="utf-8")
        program.chmod(0o755)

    def start(self, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.path / "sh"), "scripts/setup.sh"],
            cwd=self.checkout,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=_mind_interrupts,
            start_new_session=True,
        )

    def setup(self, **environment: str) -> tuple[int, str]:
        process = self.start(**environment)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    @property
    def calls(self) -> str:
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    @property
    def stamp(self) -> Path:
        return self.checkout / ".venv" / ".attune-stamp"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.has("uv", UV)
    machine.has("python3.10", RUNS_3_10)
    return machine


def test_set_up_installs_with_hashes_and_adds_the_project_without_network(machine: Machine) -> None:
    status, output = machine.setup()
    assert status == 0, output
    assert "--require-hashes -r requirements.txt" in machine.calls
    assert re.search("--offline --no-deps --no-build-isolation .*--editable", machine.calls)
    assert machine.stamp.is_file()
    assert not (machine.checkout / ".setup-lock").exists()


def test_a_second_set_up_does_nothing(machine: Machine) -> None:
    machine.setup()
    machine.log.unlink()
    assert machine.setup() == (0, "")
    assert machine.calls == ""


def test_changed_pins_are_installed_into_the_same_venv(machine: Machine) -> None:
    machine.setup()
    kept = machine.checkout / ".venv" / "kept"
    kept.write_text("", encoding="utf-8")
    machine.log.unlink()
    (machine.checkout / "requirements.txt").write_text("# another\n", encoding="utf-8")
    assert machine.setup()[0] == 0
    assert "pip install" in machine.calls
    assert kept.exists()


def test_a_shim_that_fails_is_passed_over(machine: Machine, tmp_path: Path) -> None:
    machine.has("python3.10", FAILS)
    version = tmp_path / ".pyenv" / "versions" / "3.10.99" / "bin"
    version.mkdir(parents=True)
    (version / "python").write_text(RUNS_3_10, encoding="utf-8")
    (version / "python").chmod(0o755)
    status, output = machine.setup()
    assert status == 0, output
    assert str(version / "python") in machine.calls


def test_uv_provides_python_where_there_is_none(machine: Machine) -> None:
    machine.has("python3.10", FAILS)
    status, output = machine.setup(UV_FINDS=sys.executable)
    assert status == 0, output
    assert f"--python {sys.executable}" in machine.calls


def test_without_any_python_3_10_it_says_what_to_install(machine: Machine) -> None:
    machine.has("python3.10", FAILS)
    status, output = machine.setup()
    assert status == 1
    assert "python3.10-venv" in output
    assert not machine.stamp.exists()


def test_a_failed_installation_is_tried_again(machine: Machine) -> None:
    assert machine.setup(UV_FAILS="2")[0] != 0
    assert not machine.stamp.exists()
    assert machine.setup()[0] == 0


def test_an_interrupted_set_up_leaves_no_lock_and_goes_on_later(machine: Machine) -> None:
    process = machine.start(UV_SLOW="yes")
    started = machine.log.with_name(machine.log.name + ".started")
    while not started.exists():
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert not (machine.checkout / ".setup-lock").exists()
    assert not machine.stamp.exists()
    assert machine.setup()[0] == 0


def test_the_lock_of_a_process_that_has_ended_is_cleared(machine: Machine) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    lock = machine.checkout / ".setup-lock"
    lock.mkdir()
    (lock / "pid").write_text(f"{ended.pid}\n", encoding="utf-8")
    status, output = machine.setup()
    assert status == 0
    assert "has ended" in output


def test_a_second_set_up_waits_for_the_first(machine: Machine) -> None:
    lock = machine.checkout / ".setup-lock"
    lock.mkdir()
    (lock / "pid").write_text(f"{os.getpid()}\n", encoding="utf-8")
    process = machine.start()
    assert process.stdout is not None
    assert "waiting for process" in process.stdout.readline()
    shutil.rmtree(lock)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output


def test_the_pins_have_hashes_and_name_no_index() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "://" not in text
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in block, block[:80]


def _mind_interrupts() -> None:
    """A shell that was started with SIGINT ignored, as background jobs are, can't be interrupted."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
