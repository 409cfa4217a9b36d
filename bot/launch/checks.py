"""What has to be true before Attune starts, each as one check with its fix."""

from __future__ import annotations

import importlib.util
import os
import platform
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.core.errors import AttuneError, StorageError
from bot.core.settings import ROOT, Settings
from bot.launch.model import RasaModel

OK, WARN, FAIL = "ok", "warn", "fail"
WEIGHT_FILES = ("model.onnx", "tokenizer.json", "config.json")
# A weight file that is shorter than this is a pointer left by an incomplete checkout.
_SMALLEST_ONNX_BYTES = 1_000_000


@dataclass(frozen=True)
class Check:
    """The outcome of one check.

    Attributes:
        name: what was looked at.
        status: "ok", "warn" (Attune starts, but something is reduced or about to happen) or "fail".
        detail: what was found.
        fix: what to do about it; empty when nothing has to be done.
    """

    name: str
    status: str
    detail: str
    fix: str = ""

    def line(self) -> str:
        """The check in one or two lines for a terminal."""
        text = f"{self.status:<4}  {self.name:<11} {self.detail}"
        return f"{text}\n{'':<18}-> {self.fix}" if self.fix else text


def examine(project: Path = ROOT, *, serving: bool = False) -> list[Check]:
    """Runs every check.

    Args:
        project: folder with config.yml.
        serving: whether Attune is running as these checks are made, so that its ports are in use.

    Returns:
        the outcomes, in the order in which they matter. Only the first few when the settings are wrong.
    """
    checks = [check_python(), check_environment(os.environ)]
    try:
        settings = Settings.from_environment()
    except AttuneError as error:
        return [*checks, Check("settings", FAIL, str(error), "correct it in .env or in the environment")]
    checks.append(Check("settings", OK, _changed(settings)))
    checks.append(check_var_dir(Path(settings.var_dir)))
    checks.append(check_database(settings))
    checks.append(check_weights(Path(settings.emotion_weights)))
    checks.append(check_duty(settings))
    checks.append(check_model(RasaModel(project, Path(settings.emotion_weights))))
    if not serving:
        checks += check_ports(settings)
    checks.append(check_reach(settings))
    return checks


def check_python() -> Check:
    """Rasa 3.6 needs Python 3.10."""
    version = platform.python_version()
    if sys.version_info[:2] == (3, 10):
        return Check("python", OK, f"{version} in {sys.prefix}")
    return Check("python", FAIL, f"{version}, expected 3.10", "run `make setup` and use .venv/bin/python")


def check_environment(environment: Mapping[str, str]) -> Check:
    """Packages are there, and no variable asks for what can't be done."""
    missing = [name for name in ("rasa", "rasa_sdk", "onnxruntime", "faiss") if not _is_installed(name)]
    if missing:
        return Check("packages", FAIL, f"not installed: {', '.join(missing)}", "run `make setup`")
    workers = environment.get("SANIC_WORKERS", "1")
    if workers != "1":
        return Check(
            "packages",
            FAIL,
            f"SANIC_WORKERS is {workers}; messages of one person are kept in order within one process only",
            "unset SANIC_WORKERS",
        )
    return Check("packages", OK, "installed")


def check_var_dir(folder: Path) -> Check:
    """The folder for the database and the secret can be written."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        return Check("var folder", FAIL, f"{existing} is not a folder", "set ATTUNE_VAR_DIR to another one")
    if not os.access(existing, os.W_OK | os.X_OK):
        return Check(
            "var folder",
            FAIL,
            f"{existing} can't be written by this user",
            "change its owner, or set ATTUNE_VAR_DIR to a folder of your own",
        )
    return Check("var folder", OK, str(folder) if folder.exists() else f"{folder} will be made")


def check_database(settings: Settings) -> Check:
    """The database answers and has the tables that this code expects."""
    from bot.storage.database import Database

    url = settings.effective_database_url
    file = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and not file.exists():
        return Check("database", WARN, f"{file} does not exist yet", "nothing to do: `make run` makes it")
    try:
        database = Database(url)
        try:
            database.check()
        finally:
            database.close()
    except StorageError as error:
        return Check(
            "database",
            FAIL,
            str(error),
            "correct ATTUNE_DATABASE_URL; `make run` brings its tables up to date",
        )
    return Check("database", OK, "SQLite, " + str(file) if url.startswith("sqlite") else "PostgreSQL answers")


def check_weights(folder: Path) -> Check:
    """The emotion reader's weights are there in full; without them it runs degraded."""
    missing = [name for name in WEIGHT_FILES if not (folder / name).is_file()]
    fix = "restore the folder from the repository, or set ATTUNE_EMOTION_WEIGHTS"
    if missing:
        return Check("weights", WARN, f"{folder} lacks {', '.join(missing)}: no emotion is read", fix)
    size_bytes = (folder / "model.onnx").stat().st_size
    if size_bytes < _SMALLEST_ONNX_BYTES:
        return Check("weights", WARN, f"model.onnx has only {size_bytes} bytes: no emotion is read", fix)
    return Check("weights", OK, f"{folder.name}, {size_bytes / 1e6:.0f} MB")


def check_duty(settings: Settings) -> Check:
    """Somebody is paged when a person is in danger; a roster that is named but can't be used is a failure."""
    from bot.duty.health import NOT_SET
    from bot.duty.roster_file import load

    if not settings.duty_file:
        return Check("duty", WARN, NOT_SET, "name a roster, as docs/duty.md describes")
    try:
        roster = load(Path(settings.duty_file))
    except AttuneError as error:
        return Check("duty", FAIL, str(error), "correct it; `attune duty check` tries it out")
    return Check("duty", OK, f"{len(roster.people)} on the roster, {len(roster.senders)} ways to reach them")


def check_model(model: RasaModel) -> Check:
    """The Rasa model was trained from the present sources."""
    if not (model.project / "config.yml").is_file():
        return Check(
            "model", FAIL, f"there is no config.yml in {model.project}", "run it from a full checkout"
        )
    reason = model.why_stale()
    if reason:
        return Check("model", WARN, reason, "nothing to do: `make run` trains it, and so does `make train`")
    return Check("model", OK, f"{model.archive.name} fits its sources")


def check_ports(settings: Settings) -> list[Check]:
    """Both ports are free."""
    if settings.port == settings.actions_port:
        return [
            Check(
                "ports", FAIL, f"ATTUNE_PORT and ATTUNE_ACTIONS_PORT are both {settings.port}", "change one"
            )
        ]
    return [
        _check_port("web port", settings.host, settings.port, "ATTUNE_PORT"),
        _check_port("action port", "127.0.0.1", settings.actions_port, "ATTUNE_ACTIONS_PORT"),
    ]


def check_reach(settings: Settings) -> Check:
    """Says who can reach the web server."""
    if settings.host in ("127.0.0.1", "localhost", "::1"):
        return Check("reach", OK, "this machine only (ATTUNE_HOST)")
    return Check(
        "reach",
        WARN,
        f"everyone who can reach {settings.host}:{settings.port}, without encryption",
        "put a proxy with TLS in front, as docs/setup.md describes",
    )


def free_port() -> int:
    """A port on the loopback address that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _check_port(name: str, host: str, port: int, variable: str) -> Check:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            # Two sockets may be bound with SO_REUSEADDR; only one may listen.
            probe.listen(1)
    except socket.gaierror as error:
        return Check(
            name, FAIL, f"ATTUNE_HOST is {host!r}, which is no address here ({error.strerror})", "correct it"
        )
    except PermissionError:
        return Check(name, FAIL, f"{port} may only be used by root", f"set {variable} to 1024 or more")
    except OSError as error:
        owner = _listener(port)
        stop = f"stop {owner}, or set" if owner else "set"
        reason = f"{host}:{port} is in use" + (f" by {owner}" if owner else "")
        if "in use" not in os.strerror(error.errno or 0).lower():
            reason = f"{host}:{port}: {error.strerror}"
            return Check(name, FAIL, reason, "set ATTUNE_HOST to an address of this machine")
        return Check(name, FAIL, reason, f"{stop} {variable} to a free port")
    return Check(name, OK, f"{host}:{port} is free")


def _listener(port: int) -> str:
    """The program that listens on a port, such as "python3 (process 4711)"; empty if it can't be told."""
    if not _is_installed("psutil"):
        return ""
    import psutil

    for process in psutil.process_iter(["pid", "name"]):
        try:
            connections = process.net_connections(kind="tcp")
        except psutil.Error:
            continue
        if any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections):
            return f"{process.info['name']} (process {process.info['pid']})"
    return ""


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _changed(settings: Settings) -> str:
    """Which settings differ from their defaults; never their values, since some are secret."""
    defaults = Settings()
    names = [name for name in vars(settings) if getattr(settings, name) != getattr(defaults, name)]
    return "set: " + ", ".join(f"ATTUNE_{name.upper()}" for name in names) if names else "all defaults"


def worst(checks: list[Check]) -> str:
    """The most serious status among some checks."""
    order: Callable[[str], int] = (OK, WARN, FAIL).index
    return max((check.status for check in checks), key=order, default=OK)
