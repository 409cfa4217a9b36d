"""How fast a weight reads here, and what it takes: latency, throughput, size and memory."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nlu_models.emotion.subjects import Reader

SINGLE_TEXTS = 200
WARM_UP = 20
BATCH = 32
BATCHES = 8
KIB = 1024


def measure_speed(reader: Reader, texts: Sequence[str]) -> dict[str, Any]:
    """Times some of the texts one by one, and in batches.

    Args:
        reader: loaded.
        texts: at least one; the first few hundred are used.

    Returns:
        `single_median_ms` and `single_p95_ms` of one text; `batch_texts_per_s` in batches of 32;
        `resident_mb` of this process now and `peak_mb` since its start, where the system tells; `cores`.
    """
    single = list(texts[:SINGLE_TEXTS])
    for text in single[:WARM_UP]:
        reader.encode([text])
    spent = []
    for text in single:
        start = time.perf_counter()
        reader.encode([text])
        spent.append(time.perf_counter() - start)
    batches = [
        list(texts[start : start + BATCH]) for start in range(0, min(len(texts), BATCH * BATCHES), BATCH)
    ]
    start = time.perf_counter()
    for batch in batches:
        reader.encode(batch)
    elapsed = time.perf_counter() - start
    return {
        "single_median_ms": round(1000 * float(np.median(spent)), 2),
        "single_p95_ms": round(1000 * float(np.percentile(spent, 95)), 2),
        "batch_texts_per_s": round(sum(map(len, batches)) / elapsed, 1),
        "cores": os.cpu_count(),
        **_memory(),
    }


def _memory() -> dict[str, float]:
    """Resident and peak memory of this process in MB; nothing where /proc doesn't say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    names = {"resident_mb": "VmRSS", "peak_mb": "VmHWM"}
    return {
        name: round(int(fields[field].split()[0]) * KIB / 1e6, 1)
        for name, field in names.items()
        if field in fields
    }
