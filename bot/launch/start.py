"""What `attune run` and `attune shell` share: checks, tables and model, then the programs to start."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from bot.core.errors import AttuneError
from bot.core.settings import ROOT, Settings
from bot.launch import checks
from bot.launch.children import Program, Say
from bot.launch.model import RasaModel

HEALTH_PATH = "/chat/health"


class NotReady(AttuneError):
    """Something that Attune needs to start is missing."""


def prepare(settings: Settings, say: Say, *, may_train: bool, needs_ports: bool) -> RasaModel:
    """Makes sure that Attune can start: checks, migrates the database, trains the model.

    Args:
        settings: what the operator set.
        say: takes lines of progress.
        may_train: whether a missing or stale model may be trained now.
        needs_ports: whether the configured ports have to be free.

    Returns:
        the model to serve.

    Raises:
        NotReady: a check failed; its text names every failure and its fix.
        StorageError: the database can't be used.
        TrainingError: the model could not be trained.
    """
    with _interruptible():
        return _prepare(settings, say, may_train=may_train, needs_ports=needs_ports)


def action_server(port: int, *, quiet: bool = False) -> Program:
    """The action server as a program to start."""
    command = [
        sys.executable,
        "-m",
        "bot.launch.action_server",
        "--port",
        str(port),
        "--lifeline",
        "{lifeline}",
    ]
    return Program("actions", command + ["--quiet"] * quiet, ready_url=f"http://127.0.0.1:{port}/health")


def web_server(settings: Settings, model: RasaModel) -> Program:
    """The web server as a program to start."""
    command = [*_server(model), "--port", str(settings.port), "--actions-port", str(settings.actions_port)]
    return Program("web", command, ready_url=address(settings) + HEALTH_PATH)


def duty_worker() -> Program:
    """The worker that pages people on duty as a program to start; without it people can still talk."""
    command = [sys.executable, "-m", "bot.duty.main", "--lifeline", "{lifeline}"]
    return Program("duty", command, is_vital=False)


def terminal_chat(model: RasaModel, port: int, actions_port: int) -> Program:
    """The conversation in this terminal as a program to start."""
    command = [*_server(model), "--shell", "--port", str(port), "--actions-port", str(actions_port)]
    return Program("shell", command, foreground=True)


def address(settings: Settings) -> str:
    """The web server's address as this machine can open it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _prepare(settings: Settings, say: Say, *, may_train: bool, needs_ports: bool) -> RasaModel:
    model = RasaModel(ROOT, Path(settings.emotion_weights))
    found = [
        checks.check_python(),
        checks.check_environment(os.environ),
        checks.check_var_dir(Path(settings.var_dir)),
    ]
    if needs_ports:
        found += checks.check_ports(settings)
    weights = checks.check_weights(Path(settings.emotion_weights))
    found.append(weights)
    duty = checks.check_duty(settings)
    found.append(duty)
    failures = [check for check in found if check.status == checks.FAIL]
    if failures:
        raise NotReady("can't start\n" + "\n".join(check.line() for check in failures))
    for check in (weights, duty):
        if check.status == checks.WARN:
            say(check.line())
    _migrate(settings)
    reason = model.why_stale()
    if reason and not may_train:
        raise NotReady(f"{reason}; run `make train`, or leave out --no-train")
    if reason:
        say(f"training the model: {reason}")
        say(f"trained in {model.train(say):.0f} s")
    return model


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Makes SIGTERM and SIGHUP end what is under way as Ctrl-C does, with its processes and files."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _server(model: RasaModel) -> list[str]:
    return [sys.executable, "-m", "bot.server", "--model", str(model.archive), "--lifeline", "{lifeline}"]


def _migrate(settings: Settings) -> None:
    from bot.storage.database import Database

    Path(settings.var_dir).mkdir(parents=True, exist_ok=True)
    database = Database(settings.effective_database_url)
    try:
        database.migrate()
        database.check()
    finally:
        database.close()
