"""The weight folder of a context model: `config.json`, `metrics.json` and `MODEL_CARD.md`."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nlu_models.emotion.context.card import make_card
from nlu_models.emotion.weights import CARD_FILE, CONFIG_FILE, METRICS_FILE
from nlu_models.errors import InputError, WeightError

FORMAT = 1  # of config.json; another one is refused


def read_config(folder: Path) -> dict[str, Any]:
    """The numbers of a weight folder.

    Raises:
        WeightError: the folder or its `config.json` is missing, damaged or of another format.
    """
    path = folder / CONFIG_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WeightError(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise WeightError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else None
        raise WeightError(f"{path} has the format {found!r}, expected {FORMAT}; fit it again")
    return data


def write_folder(folder: Path, config: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """Writes a weight folder; what was there before is replaced only once the new one is complete.

    Raises:
        InputError: it can't be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        try:
            _write(made / CONFIG_FILE, json.dumps({"format": FORMAT, **config}, indent=1) + "\n")
            _write(made / METRICS_FILE, json.dumps(metrics, indent=1) + "\n")
            _write(made / CARD_FILE, make_card(config, metrics))
            made.chmod(0o755)
            folder.mkdir(exist_ok=True)
            for name in (CARD_FILE, METRICS_FILE, CONFIG_FILE):
                (made / name).replace(folder / name)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{folder} can't be written: {error.strerror or error}") from error


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
