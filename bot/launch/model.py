"""The trained Rasa model: where it lies, whether it still fits its sources, and how it is made.

Rasa can tell by itself whether training is needed, but takes some ten seconds of imports to do so. A
hash of everything a model is made from, kept beside it, answers in milliseconds.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from bot.core.errors import AttuneError
from bot.launch.environment import child_environment

NAME = "attune"
SOURCE_FILES = ("config.yml", "domain.yml")
SOURCE_FOLDERS = (
    "data",
    "domain",
    "policies",
    "bot/components",
    "nlu_models/retrieval",
    "nlu_models/intents",
)
SOURCE_SUFFIXES = (".yml", ".yaml", ".json", ".jsonl", ".txt", ".csv", ".md", ".py")
PACKAGES = ("rasa", "scikit-learn", "numpy")
_LAST_LINES = 15
_SCRATCH = ".training-"
_STEP = re.compile(r"Starting to train component '(\w+)'")


class TrainingError(AttuneError):
    """The Rasa model could not be trained."""


@dataclass(frozen=True)
class RasaModel:
    """The one model that Attune serves from a project.

    Attributes:
        project: folder with config.yml, domain.yml and data.
        weights: folder of the emotion reader's weights, whose config.json counts as a source.
    """

    project: Path
    weights: Path

    @property
    def archive(self) -> Path:
        """The model file."""
        return self.project / "models" / f"{NAME}.tar.gz"

    @property
    def record(self) -> Path:
        """What the model was made from, as JSON."""
        return self.project / "models" / f"{NAME}.json"

    def fingerprint(self) -> str:
        """A hash, in hexadecimal, of everything the model is made from."""
        digest = hashlib.sha256()
        for path in self._sources():
            name = path.relative_to(self.project) if path.is_relative_to(self.project) else path.name
            digest.update(f"{name}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
        for package in PACKAGES:
            digest.update(f"{package}=={metadata.version(package)}\0".encode())
        return digest.hexdigest()

    def why_stale(self) -> str | None:
        """Why the model has to be trained, as a phrase, or None when it is up to date."""
        if not self.archive.is_file():
            return "there is no trained model"
        try:
            recorded = json.loads(self.record.read_text(encoding="utf-8"))["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError):
            return f"{self.record.name} does not say what the model was made from"
        if recorded != self.fingerprint():
            return "its configuration, data or code has changed since it was trained"
        return None

    def train(self, say: Callable[[str], None]) -> float:
        """Trains the model, or waits while another process does.

        The new model takes the old one's place only once it is complete.

        Args:
            say: takes lines of progress.

        Returns:
            seconds it took; 0.0 when another process had just trained it.

        Raises:
            TrainingError: Rasa refused the data or failed.
        """
        self.archive.parent.mkdir(parents=True, exist_ok=True)
        with self._alone(say) as waited:
            if waited and self.why_stale() is None:
                return 0.0
            began = time.monotonic()
            fingerprint = self.fingerprint()
            for abandoned in self.archive.parent.glob(f"{_SCRATCH}*"):
                shutil.rmtree(abandoned, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=self.archive.parent, prefix=_SCRATCH) as folder:
                self._run_rasa(Path(folder), say)
                made = Path(folder) / self.archive.name
                if not made.is_file():
                    raise TrainingError("rasa train ended well but left no model")
                self.record.unlink(missing_ok=True)
                shutil.move(made, self.archive)
            seconds = time.monotonic() - began
            self.record.write_text(
                json.dumps(
                    {"fingerprint": fingerprint, "trained_at": time.time(), "seconds": round(seconds, 1)}
                )
                + "\n",
                encoding="utf-8",
            )
            return seconds

    def _sources(self) -> list[Path]:
        files = [self.project / name for name in SOURCE_FILES]
        for folder in SOURCE_FOLDERS:
            files += (path for path in (self.project / folder).rglob("*") if path.suffix in SOURCE_SUFFIXES)
        files.append(self.weights / "config.json")
        return sorted(path for path in files if path.is_file())

    @contextlib.contextmanager
    def _alone(self, say: Callable[[str], None]) -> Iterator[bool]:
        """Holds the training lock; yields whether it had to wait for it."""
        with (self.archive.parent / ".lock").open("w") as lock:
            waited = False
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waited = True
                say("another process is training the model, waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield waited

    def _run_rasa(self, folder: Path, say: Callable[[str], None]) -> None:
        command = [sys.executable, "-m", "rasa", "train", "--fixed-model-name", NAME, "--out", str(folder)]
        began = time.monotonic()
        last: deque[str] = deque(maxlen=_LAST_LINES)
        log_path = self.archive.with_name("train.log")
        with (
            log_path.open("w", encoding="utf-8") as log,
            subprocess.Popen(
                command,
                cwd=self.project,
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
            ) as process,
        ):
            try:
                for line in process.stdout or ():
                    # Progress bars overwrite themselves; only what they ended on is worth keeping.
                    last.append(line.rstrip().rpartition("\r")[2])
                    log.write(last[-1] + "\n")
                    if step := _STEP.search(line):
                        say(f"training: {step[1]} ({time.monotonic() - began:.0f} s)")
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            tail = "\n".join(last)
            raise TrainingError(
                f"rasa train ended with status {process.returncode}; {log_path} has its whole output, "
                f"which ends with:\n{tail}"
            )
