"""Modules that only training needs are put off, and become real when somebody uses them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.launch import deferred


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package with one heavy module, put in the place of Rasa's."""
    root = tmp_path / "deferredpack"
    root.mkdir()
    (root / "__init__.py").write_text("", encoding="utf-8")
    (root / "heavy.py").write_text(
        "import deferredflow\nclass Batches:\n    SIZE = 4\n    def __init__(self, n):\n        self.n = n\n",
        encoding="utf-8",
    )
    (tmp_path / "deferredflow.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(deferred, "TRAINING_ONLY", {"deferredpack.heavy": ("Batches",)})
    monkeypatch.setattr(deferred, "_AWAITED", "deferredflow")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield "deferredpack.heavy"
    for name in [name for name in sys.modules if name.startswith("deferred") or name == "deferredflow"]:
        del sys.modules[name]


def test_importing_a_deferred_module_does_not_run_it(package: str) -> None:
    assert deferred.install()
    module = importlib.import_module(package)
    assert isinstance(module.Batches, type)
    assert "deferredflow" not in sys.modules


def test_a_deferred_class_becomes_the_real_one_when_called(package: str) -> None:
    deferred.install()
    batches = importlib.import_module(package).Batches
    made = batches(7)
    assert (made.n, batches.SIZE) == (7, 4)
    assert isinstance(made, batches)
    assert "deferredflow" in sys.modules


def test_whoever_imports_the_awaited_package_gets_the_real_modules(package: str) -> None:
    deferred.install()
    importlib.import_module(package)
    importlib.import_module("deferredflow")
    real = importlib.import_module(package)
    assert real.Batches(1).n == 1
    assert not isinstance(real.Batches, deferred.DeferredClass)
    assert not any(isinstance(finder, deferred.TrainingOnlyFinder) for finder in sys.meta_path)


def test_nothing_is_deferred_once_the_awaited_package_is_there(package: str) -> None:
    importlib.import_module("deferredflow")
    assert not deferred.install()


def test_a_missing_attribute_is_an_attribute_error(package: str) -> None:
    deferred.install()
    batches = importlib.import_module(package).Batches
    with pytest.raises(AttributeError):
        _ = batches.nothing_of_the_kind
