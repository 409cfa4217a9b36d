"""Processes that start, are watched and end together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from bot.core.settings import ROOT
from bot.launch.checks import free_port

PREAMBLE = """
import os, signal, sys, time
from pathlib import Path
from bot.launch.children import Family, Program, say_on_stderr
def program(name, code, **more):
    return Program(name, [sys.executable, "-c", code, "{lifeline}"], **more)
WAITS = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(60)"
DEAF = ("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('deaf', flush=True); time.sleep(60)")
TIED = ("import sys; from bot.launch import lifeline; lifeline.watch(int(sys.argv[1])); "
        "import os, time; print(os.getpid(), flush=True); time.sleep(60)")
def run(*programs, **options):
    sys.exit(Family(Path.cwd(), dict(os.environ), say_on_stderr).run(programs, **options))
"""


def _start(body: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(body)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _read_until(process: subprocess.Popen[str], fragment: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if fragment in line:
            return line
    raise AssertionError(f"{fragment!r} was not printed")


def _wait_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.05)


def test_the_output_of_a_child_carries_its_name() -> None:
    process = _start("run(program('web', \"print('up'); import time; time.sleep(60)\"), program('x', WAITS))")
    # The child's own buffering is what PYTHONUNBUFFERED in child_environment is for.
    process.send_signal(signal.SIGTERM) if _read_until(process, "x ") else None
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "stopping" in rest


def test_a_child_that_ends_brings_the_others_down() -> None:
    process = _start(
        "run(program('web', WAITS), program('actions', 'import time; time.sleep(1); raise SystemExit(3)'))"
    )
    pid = int(_read_until(process, "web").rpartition("|")[2])
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "actions: ended with status 3" in rest
    _wait_gone(pid)


def test_a_killed_child_is_named_with_its_signal() -> None:
    process = _start("run(program('web', WAITS), program('actions', WAITS))")
    os.kill(int(_read_until(process, "actions").rpartition("|")[2]), signal.SIGKILL)
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "actions: was ended by SIGKILL" in rest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_ends_every_child_and_counts_as_success(number: signal.Signals) -> None:
    process = _start("run(program('web', WAITS))")
    pid = int(_read_until(process, "web").rpartition("|")[2])
    process.send_signal(number)
    assert process.wait(timeout=30) == 0
    _wait_gone(pid)


def test_a_child_that_does_not_stop_is_killed_after_the_grace() -> None:
    process = _start("run(program('web', DEAF), grace_s=0.5)")
    _read_until(process, "deaf")
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=30)
    assert "did not stop, killing" in rest


def test_what_was_started_last_is_stopped_first() -> None:
    slow = "import signal, sys, time\n"
    slow += "def end(*_): time.sleep(0.3); print('ended', flush=True); sys.exit()\n"
    slow += "signal.signal(signal.SIGTERM, end); print('up', flush=True); time.sleep(60)"
    process = _start(f"run(program('actions', {slow!r}), program('web', {slow!r}))")
    _read_until(process, "up")
    _read_until(process, "up")
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 0
    assert rest.index("web     | ended") < rest.index("actions | ended")


def test_one_wish_that_arrives_twice_does_not_cut_the_grace_short() -> None:
    late = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit())); "
    )
    late += "print('up', flush=True); time.sleep(60)"
    process = _start(f"run(program('web', {late!r}))")
    _read_until(process, "up")
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGHUP)
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "killing" not in rest


def test_children_end_when_their_parent_is_killed() -> None:
    process = _start("run(program('web', TIED))")
    pid = int(_read_until(process, "web").rpartition("|")[2])
    process.kill()
    process.wait()
    _wait_gone(pid)


def test_ready_is_announced_once_every_program_answers() -> None:
    port = free_port()
    handler = "h.SimpleHTTPRequestHandler"
    server = f"import http.server as h; h.HTTPServer(('127.0.0.1', {port}), {handler}).serve_forever()"
    process = _start(
        f"run(program('web', {server!r}, ready_url='http://127.0.0.1:{port}/'), program('other', WAITS),"
        " on_ready=lambda: say_on_stderr('all ready'))"
    )
    _read_until(process, "all ready")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


def test_a_program_that_never_answers_is_given_up() -> None:
    process = _start(
        f"run(program('web', WAITS, ready_url='http://127.0.0.1:{free_port()}/'), start_limit_s=0.5)"
    )
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "giving up" in rest


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (3, 1)])
def test_a_foreground_program_decides_how_it_ends(tmp_path: Path, status: int, expected: int) -> None:
    process = _start(
        f"run(program('actions', WAITS), program('shell', 'raise SystemExit({status})', foreground=True))"
    )
    process.communicate(timeout=30)
    assert process.returncode == expected


def test_a_child_that_is_not_vital_is_started_again_and_the_others_go_on() -> None:
    process = _start(
        "import bot.launch.children as c; c.RESTART_AFTER_S = 0.2\n"
        "run(program('web', WAITS), program('duty', WAITS, is_vital=False))"
    )
    first = int(_read_until(process, "duty ").rpartition("|")[2])
    os.kill(first, signal.SIGKILL)
    assert "duty: was ended by SIGKILL; starting it again" in _read_until(process, "again")
    second = int(_read_until(process, "duty ").rpartition("|")[2])
    assert second != first
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    _wait_gone(second)
