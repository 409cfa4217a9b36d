"""Writes the weight folder of the danger model, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nlu_models.emotion.whole_folders import put_in_place, scratch_beside
from nlu_models.errors import DataError
from nlu_models.risk.model import (
    ARRAYS_FILE,
    CARD_FILE,
    CONFIG_FILE,
    FORMAT,
    MAX_BYTES,
    METRICS_FILE,
    OUTPUTS,
    RiskModel,
)


def write_folder(folder: Path, model: RiskModel, metrics: Mapping[str, Any], card: str) -> None:
    """Writes a model's folder; what was there is replaced only once the new one is complete.

    Raises:
        DataError: the arrays are larger than a shipped weight may be.
        NluModelError: it can't be written.
    """
    config = {
        "format": FORMAT,
        "name": model.name,
        "version": model.version,
        "languages": sorted(model.layers),
        "outputs": list(OUTPUTS),
        "encoder_sha256": model.encoder_sha256,
        "thresholds": {language: asdict(limits) for language, limits in sorted(model.thresholds.items())},
    }
    with scratch_beside(folder) as scratch:
        made = scratch / "made"
        made.mkdir()
        np.savez_compressed(made / ARRAYS_FILE, **model.arrays())
        size = (made / ARRAYS_FILE).stat().st_size
        if size > MAX_BYTES:
            raise DataError(f"the arrays take {size:,} bytes, at most {MAX_BYTES:,} are shipped")
        (made / CONFIG_FILE).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        (made / METRICS_FILE).write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
        (made / CARD_FILE).write_text(card, encoding="utf-8")
        put_in_place(made, folder, scratch)
