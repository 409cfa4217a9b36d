"""What `attune doctor` finds, and what it says to do about it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bot.core.settings import ROOT, Settings
from bot.launch import checks
from bot.launch.checks import FAIL, OK, WARN, Check
from bot.launch.model import RasaModel


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {
        "config.yml": "recipe: default.v1\n",
        "domain.yml": "intents: [greet]\n",
        "data/nlu.yml": "nlu: []\n",
        "policies/escalation.py": "LIMIT = 2\n",
        "weights/config.json": '{"version": "1"}\n',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def model(project: Path) -> RasaModel:
    """A model that fits its sources."""
    model = RasaModel(project, project / "weights")
    model.archive.parent.mkdir()
    model.archive.write_bytes(b"a model")
    model.record.write_text(json.dumps({"fingerprint": model.fingerprint()}), encoding="utf-8")
    return model


def test_a_model_that_fits_its_sources_is_fresh(model: RasaModel) -> None:
    assert model.why_stale() is None
    assert checks.check_model(model).status == OK


@pytest.mark.parametrize(
    "changed", ["config.yml", "domain.yml", "data/nlu.yml", "policies/escalation.py", "weights/config.json"]
)
def test_a_changed_source_makes_the_model_stale(model: RasaModel, changed: str) -> None:
    (model.project / changed).write_text("something else\n", encoding="utf-8")
    assert "changed" in (model.why_stale() or "")


def test_a_new_or_renamed_data_file_makes_the_model_stale(model: RasaModel) -> None:
    (model.project / "data" / "nlu.yml").rename(model.project / "data" / "renamed.yml")
    assert model.why_stale() is not None


def test_compiled_files_do_not_make_the_model_stale(model: RasaModel) -> None:
    cache = model.project / "policies" / "__pycache__"
    cache.mkdir()
    (cache / "escalation.cpython-310.pyc").write_bytes(b"\0")
    assert model.why_stale() is None


@pytest.mark.parametrize("record", ["", "{}", "[]", "not json"])
def test_an_unreadable_record_makes_the_model_stale(model: RasaModel, record: str) -> None:
    model.record.write_text(record, encoding="utf-8")
    assert model.why_stale() is not None


def test_a_missing_model_is_only_a_warning_since_run_trains_it(project: Path) -> None:
    check = checks.check_model(RasaModel(project, project / "weights"))
    assert (check.status, "no trained model" in check.detail) == (WARN, True)
    assert "make train" in check.fix


def test_a_port_in_use_names_its_setting_and_its_owner() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        web, actions = checks.check_ports(Settings(port=port, actions_port=checks.free_port()))
    assert (web.status, actions.status) == (FAIL, OK)
    assert "ATTUNE_PORT" in web.fix
    assert f"process {os.getpid()}" in web.detail


def test_two_servers_on_one_port_are_refused() -> None:
    assert [check.status for check in checks.check_ports(Settings(port=6000, actions_port=6000))] == [FAIL]


def test_an_address_of_another_machine_names_its_setting() -> None:
    web, _ = checks.check_ports(
        Settings(host="192.0.2.1", port=checks.free_port(), actions_port=checks.free_port())
    )
    assert web.status == FAIL
    assert "ATTUNE_HOST" in web.fix


def test_incomplete_weights_are_a_warning_that_says_what_is_lost(tmp_path: Path) -> None:
    check = checks.check_weights(tmp_path)
    assert (check.status, "no emotion is read" in check.detail) == (WARN, True)
    for name in checks.WEIGHT_FILES:
        (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\n", encoding="utf-8")
    assert "bytes" in checks.check_weights(tmp_path).detail


def test_a_var_folder_that_is_a_file_fails(tmp_path: Path) -> None:
    file = tmp_path / "var"
    file.write_text("", encoding="utf-8")
    assert checks.check_var_dir(file).status == FAIL
    assert checks.check_var_dir(tmp_path / "new" / "deep").status == OK


def test_several_workers_are_refused() -> None:
    assert checks.check_environment({"SANIC_WORKERS": "4"}).status == FAIL
    assert checks.check_environment({}).status == OK


def test_a_database_that_cannot_be_used_fails_in_plain_words(tmp_path: Path) -> None:
    broken = tmp_path / "attune.db"
    broken.write_bytes(b"this is no database" * 100)
    check = checks.check_database(Settings(database_url=f"sqlite:///{broken}"))
    assert check.status == FAIL
    assert "Traceback" not in check.detail


def test_that_nobody_will_be_paged_is_pointed_out(tmp_path: Path) -> None:
    check = checks.check_duty(Settings())
    assert (check.status, "nobody will be paged" in check.detail) == (WARN, True)
    broken = tmp_path / "duty.yml"
    broken.write_text("people: []", encoding="utf-8")
    assert checks.check_duty(Settings(duty_file=str(broken))).status == FAIL
    broken.write_text(
        "senders: {phone: {kind: webhook, url: 'https://h/'}}\n"
        "people: [{name: Ann, reach: [{sender: phone}]}]",
        encoding="utf-8",
    )
    assert checks.check_duty(Settings(duty_file=str(broken))).status == OK


def test_an_open_address_is_pointed_out() -> None:
    assert checks.check_reach(Settings(host="0.0.0.0")).status == WARN
    assert checks.check_reach(Settings()).status == OK


def test_the_worst_status_counts() -> None:
    found = [Check("a", OK, ""), Check("b", FAIL, ""), Check("c", WARN, "")]
    assert checks.worst(found) == FAIL
    assert checks.worst(found[:1]) == OK


def _doctor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ATTUNE_")}
    return subprocess.run(
        [sys.executable, "-m", "bot", "doctor", *arguments],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_doctor_prints_json_without_secrets(tmp_path: Path) -> None:
    token = "a-token-nobody-may-see"
    done = _doctor("--json", "--running", ATTUNE_REST_TOKEN=token, ATTUNE_VAR_DIR=str(tmp_path))
    answer = json.loads(done.stdout)
    assert {"name", "status", "detail", "fix"} == set(answer["checks"][0])
    assert "ATTUNE_REST_TOKEN" in done.stdout
    assert token not in done.stdout + done.stderr


def test_doctor_ends_with_1_when_a_setting_is_misspelt() -> None:
    done = _doctor(ATTUNE_PROT="5006")
    assert done.returncode == 1
    assert "ATTUNE_PROT is not a setting" in done.stdout
