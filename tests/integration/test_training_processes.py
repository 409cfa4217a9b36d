"""Training as a process: killed, interrupted, out of disk space, and several at once."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from nlu_models.emotion.arguments import DataPaths, TrainingArguments  # noqa: E402
from nlu_models.emotion.run_folder import load_torch  # noqa: E402
from nlu_models.emotion.train import resume, train  # noqa: E402
from nlu_models.errors import WeightError  # noqa: E402
from tests.unit.tiny_bases import make_base, make_table  # noqa: E402

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As in the child processes: sums of two threads round otherwise than those of one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_table(tmp_path_factory.mktemp("data") / "own.csv")


def settings(base: Path, **changes: Any) -> TrainingArguments:
    usual = TrainingArguments(
        base=str(base), epochs=2, batch_size=16, learning_rate=0.01, max_tokens=24, precision="float32",
        dev_share=0.2,
    )  # fmt: skip
    return dataclasses.replace(usual, **changes)


def same(one: Path, other: Path) -> bool:
    first, second = (load_torch(run / "model.pt")["state"] for run in (one, other))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def child(code: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True, text=True, timeout=240, cwd=REPOSITORY, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip


KILLED = """
import json, os, signal, sys
from pathlib import Path
from nlu_models.emotion.arguments import DataPaths, TrainingArguments
from nlu_models.emotion.train import train
from nlu_models.emotion.trainer import Trainer

number, step, state_steps = int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6])
whole = Trainer._step

def interrupted(self, *given):
    if self.position.step == step:
        os.kill(os.getpid(), number)
    return whole(self, *given)

Trainer._step = interrupted
arguments = TrainingArguments(**json.loads(sys.argv[1]))
from nlu_models.emotion.trainer import InterruptedRun
try:
    train(arguments, DataPaths(data=Path(sys.argv[2])), Path(sys.argv[3]), state_steps=state_steps)
except InterruptedRun as error:
    print(error)
    sys.exit(128 + error.signal_number)
"""


@pytest.mark.parametrize(
    "changes", [{"ema_decay": 0.9}, {"lora_rank": 4, "accumulation": 2}], ids=["ema", "lora"]
)
def test_a_run_killed_in_mid_epoch_goes_on_to_the_same_weights(
    base: Path, table: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    arguments = settings(base, **changes)
    train(arguments, DataPaths(data=table), tmp_path / "whole")
    given = json.dumps(dataclasses.asdict(arguments))
    steps_of_epoch = 12 if "ema_decay" in changes else 6
    killed_at = steps_of_epoch + 3  # in the second epoch, after a state in its middle
    words = (given, str(table), str(tmp_path / "run"), str(int(signal.SIGKILL)), str(killed_at), "2")
    done = child(KILLED, *words)
    assert done.returncode == -signal.SIGKILL, done.stderr
    state = load_torch(tmp_path / "run" / "state.pt")
    assert 0 < state["position"]["step_of_epoch"] < steps_of_epoch
    assert not (tmp_path / "run" / "metrics.json").exists()
    report = resume(tmp_path / "run")
    assert same(tmp_path / "whole", tmp_path / "run")
    whole = json.loads((tmp_path / "whole" / "metrics.json").read_text(encoding="utf-8"))
    for ours, theirs in zip(report["history"], whole["history"], strict=True):
        assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}
    assert not (tmp_path / "run" / "state.pt").exists()


def test_ctrl_c_saves_the_state_and_says_how_to_go_on(base: Path, table: Path, tmp_path: Path) -> None:
    given = json.dumps(dataclasses.asdict(settings(base)))
    # Far apart, so that the state there is was saved because of the signal.
    words = (given, str(table), str(tmp_path / "run"), str(int(signal.SIGINT)), "4", "1000")
    done = child(KILLED, *words)
    assert done.returncode == 130, done.stderr
    assert f"--resume {tmp_path / 'run'}" in done.stdout
    assert load_torch(tmp_path / "run" / "state.pt")["position"]["step"] == 5


def test_a_state_of_changed_data_or_a_damaged_one_is_refused(base: Path, tmp_path: Path) -> None:
    table = make_table(tmp_path / "own.csv")
    given = json.dumps(dataclasses.asdict(settings(base)))
    child(KILLED, given, str(table), str(tmp_path / "run"), str(int(signal.SIGINT)), "4", "1000")
    table.write_text(table.read_text(encoding="utf-8").replace("cat", "friend"), encoding="utf-8")
    with pytest.raises(WeightError, match="has changed"):
        resume(tmp_path / "run")
    state = tmp_path / "run" / "state.pt"
    state.write_bytes(state.read_bytes()[:5000])
    with pytest.raises(WeightError, match="truncated"):
        resume(tmp_path / "run")


FULL_DISK = """
import resource, sys
from bot.__main__ import main

# A file can't grow beyond this, as if the disk were full; the curves and the small files still fit.
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
sys.exit(main(sys.argv[1:]))
"""


def test_a_full_disk_is_said_in_a_line_and_leaves_no_half_file(
    base: Path, table: Path, tmp_path: Path
) -> None:
    words = ("emotion", "train", "--data", str(table), "--base", str(base), "--output", str(tmp_path / "run"))
    done = child(FULL_DISK, *words, "--epochs", "1", "--max-tokens", "24", "--cpu")
    assert done.returncode == 2, done.stderr
    assert "model.pt can't be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path.name for path in (tmp_path / "run").iterdir() if path.name.startswith((".", "model"))]


RANKS = """
import hashlib, json, os, sys
from pathlib import Path
from nlu_models.emotion.arguments import DataPaths, TrainingArguments
from nlu_models.emotion.train import train
from nlu_models.emotion.trainer import Trainer

fit = Trainer.fit

def told(self):
    history = fit(self)
    digest = hashlib.sha256()
    for weight in self._model.state_dict().values():
        digest.update(weight.numpy().tobytes())
    said = [digest.hexdigest(), history[-1]["macro_f1"]]
    Path(sys.argv[4], os.environ["RANK"]).write_text(json.dumps(said))
    return history

Trainer.fit = told
arguments = TrainingArguments(**json.loads(sys.argv[1]))
train(arguments, DataPaths(data=Path(sys.argv[2])), Path(sys.argv[3]), cpu=True)
"""


def test_two_processes_agree_and_write_one_run(base: Path, table: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(RANKS, encoding="utf-8")
    ranks = tmp_path / "ranks"
    ranks.mkdir()
    given = json.dumps(dataclasses.asdict(settings(base, epochs=4, batch_size=8)))
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script),
        given, str(table), str(tmp_path / "run"), str(ranks),
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, cwd=REPOSITORY, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (json.loads((ranks / rank).read_text(encoding="utf-8")) for rank in "01")
    assert first == second
    report = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert report["processes"] == 2
    assert report["best"]["macro_f1"] > 0.6
    assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 1
