"""Who may import whom: each folder is imported in a fresh process and what came along is looked at."""

import subprocess
import sys

import pytest

from bot.core.settings import ROOT

HEAVY = ("rasa", "tensorflow", "torch", "transformers", "sentence_transformers")

RULES = {
    "bot.core.guidance, bot.core.escalation, bot.core.settings": (*HEAVY, "sqlalchemy", "numpy", "rasa_sdk"),
    "actions.guidance, actions.privacy": (*HEAVY, "whisper"),
    "bot.duty.main, bot.duty.health": (*HEAVY, "rasa_sdk", "numpy", "sanic"),
    "bot.__main__": (*HEAVY, "sqlalchemy", "numpy", "onnxruntime"),
    "policies.escalation, policies.guidance": ("torch", "transformers", "onnxruntime", "faiss"),
}


@pytest.mark.parametrize("modules", RULES)
def test_a_folder_brings_nothing_it_may_not_import(modules: str) -> None:
    code = f"import sys, {modules}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded.intersection(RULES[modules])


def test_the_domain_needs_the_standard_library_alone() -> None:
    code = (
        "import pkgutil, importlib, sys; before = set(sys.modules); import bot.core;"
        "names = [one.name for one in pkgutil.iter_modules(bot.core.__path__)];"
        "[importlib.import_module('bot.core.' + name) for name in names];"
        "print('\\n'.join({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - set(sys.stdlib_module_names) == {"bot"}


def test_nothing_is_said_to_fit_that_the_index_holds_unfit() -> None:
    from bot.core.entries import FITS_FROM
    from nlu_models.retrieval.index import MATCH_THRESHOLD

    assert FITS_FROM >= MATCH_THRESHOLD
