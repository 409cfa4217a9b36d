"""`attune run` from the outside: it starts, answers, and leaves nothing behind, however it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from bot.core.settings import ROOT, Settings
from bot.launch.checks import free_port
from bot.launch.environment import child_environment
from bot.launch.model import RasaModel

pytestmark = pytest.mark.timeout(600)
TOKEN = "a-token-for-this-test-only"


@dataclass
class Started:
    """A running `attune run`."""

    process: subprocess.Popen[str]
    port: int
    lines: list[str]

    def child(self, module: str) -> psutil.Process:
        """The child process that runs a module."""
        for child in psutil.Process(self.process.pid).children():
            if module in child.cmdline():
                return child
        raise AssertionError(f"no child runs {module}:\n" + "".join(self.lines))

    def ask(self, path: str, body: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Status and content of one request."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()

    def rest(self) -> str:
        """Everything it printed, once it has ended."""
        output, _ = self.process.communicate(timeout=60)
        return "".join(self.lines) + output


@pytest.fixture(scope="module")
def trained() -> RasaModel:
    """The project's own model, trained if need be."""
    model = RasaModel(ROOT, Path(Settings().emotion_weights))
    if model.why_stale():
        model.train(print)
    return model


@pytest.fixture
def started(trained: RasaModel, tmp_path: Path) -> Iterator[Started]:
    process, port, lines = _start(tmp_path)
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if "Attune is ready" in line:
            break
    else:
        raise AssertionError("attune run ended:\n" + "".join(lines))
    family = psutil.Process(process.pid).children(recursive=True)
    yield Started(process, port, lines)
    process.kill()
    process.wait()
    for member in family:
        if member.is_running():
            member.kill()


def _start(folder: Path, **environment: str) -> tuple[subprocess.Popen[str], int, list[str]]:
    port = free_port()
    settings = {
        "ATTUNE_VAR_DIR": str(folder),
        "ATTUNE_PORT": str(port),
        "ATTUNE_ACTIONS_PORT": str(free_port()),
        "ATTUNE_REST_TOKEN": TOKEN,
        **environment,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "run", "--no-train"],
        cwd=ROOT,
        env=child_environment(**settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    return process, port, []


def _wait_ended(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive, [process.cmdline() for process in alive]


def test_it_answers_and_stops_with_everything_it_started(started: Started) -> None:
    assert started.ask("/chat/health")[0] == 200
    status, answer = started.ask("/webhooks/rest/webhook", {"sender": "someone", "message": "hello"})
    assert status == 200
    assert json.loads(answer)[0]["text"]
    family = psutil.Process(started.process.pid).children(recursive=True)
    started.process.send_signal(signal.SIGINT)
    assert started.process.wait(timeout=30) == 0
    _wait_ended(family)
    assert "Traceback" not in started.rest()


def test_serving_does_not_load_tensorflow(started: Started) -> None:
    for module in ("bot.server", "bot.launch.action_server"):
        maps = Path(f"/proc/{started.child(module).pid}/maps")
        if not maps.exists():
            pytest.skip("only Linux tells which libraries a process has loaded")
        libraries = maps.read_text(encoding="utf-8")
        assert "tensorflow" not in libraries
        assert "libtorch" not in libraries


def test_a_web_server_that_dies_ends_the_rest_with_a_message(started: Started) -> None:
    family = psutil.Process(started.process.pid).children(recursive=True)
    started.child("bot.server").kill()
    output = started.rest()
    assert started.process.returncode == 1
    assert "web: was ended by SIGKILL while serving" in output
    _wait_ended(family)


def test_nothing_is_left_when_attune_itself_is_killed(started: Started) -> None:
    family = psutil.Process(started.process.pid).children(recursive=True)
    started.process.kill()
    _wait_ended(family)


def test_a_port_in_use_is_refused_before_anything_starts(started: Started, tmp_path: Path) -> None:
    process, _, _ = _start(tmp_path / "second", ATTUNE_PORT=str(started.port))
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "ATTUNE_PORT" in output
    assert "Traceback" not in output


def test_a_model_that_cannot_be_loaded_ends_the_start(tmp_path: Path) -> None:
    broken = tmp_path / "broken.tar.gz"
    broken.write_bytes(b"no archive")
    done = subprocess.run(
        [sys.executable, "-m", "bot.server", "--model", str(broken), "--port", str(free_port())],
        cwd=ROOT,
        env=child_environment(ATTUNE_VAR_DIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "could not be loaded" in done.stderr


def _in_fresh_process(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_rasas_server_can_be_imported_without_tensorflow() -> None:
    code = "import sys; from bot.launch import deferred; deferred.install(); import rasa.core.run"
    assert _in_fresh_process(f"{code}; print('tensorflow' in sys.modules)").strip() == "False"


def test_a_component_that_uses_tensorflow_still_gets_all_of_it() -> None:
    """The stand-ins must not reach DIET, nor training through modules that were imported before it."""
    code = """
from bot.launch import deferred
assert deferred.install()
import rasa.core.run
from rasa.utils import train_utils
stand_in = train_utils.RasaBatchDataGenerator
from rasa.nlu.classifiers.diet_classifier import DIETClassifier
import rasa.utils.tensorflow.models as models
import tensorflow as tf
assert issubclass(models.RasaBatchDataGenerator, tf.keras.utils.Sequence)
assert stand_in is not models.RasaBatchDataGenerator and stand_in.resolve() is models.RasaBatchDataGenerator
assert isinstance(train_utils.RasaTrainingLogger(1, silent=True), tf.keras.callbacks.Callback)
from rasa.graph_components.validators.default_recipe_validator import DefaultV1RecipeValidator
assert "required_components" in dir(DefaultV1RecipeValidator)
print("all there")
"""
    assert "all there" in _in_fresh_process(code)
