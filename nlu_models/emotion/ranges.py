"""Calibration: watches what the matrix products of a graph read, and fixes the scales of its 8-bit form.

Some inputs of a transformer are ten times the others, always the same few (Dettmers et al., NeurIPS 2022). A
scale that spans them is coarse for the rest. Dividing each input by a factor of its own, which its weights
are multiplied with, moves the difficulty to the weights: SmoothQuant (Xiao et al., ICML 2023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from nlu_models.emotion.graph import Floats
from nlu_models.emotion.linears import LEAST_SCALE, Scale
from nlu_models.errors import DataError, InputError

BATCH = 16  # texts a pass
SAMPLED_TOKENS = 2048  # per site, whose values are kept for percentiles and errors
SMOOTHED = ("qkv", "hidden", "wide")  # the mixed values have no large inputs
LEAST_INPUT = 1e-3  # an input that never moves is not blown up by more than this
HIGH_PERCENTILE = 99.99
SHARES = np.linspace(0.1, 1.0, 25)  # of the whole range, tried for the least squared error
KINDS = ("minmax", "percentile", "mse")


@dataclass
class Watched:
    """What one matrix product read.

    Attributes:
        low: (inputs,) the least of each.
        high: (inputs,) the largest of each.
        sample: (tokens, inputs) some of it.
    """

    low: Floats
    high: Floats
    sample: Floats


def watch(graph: onnx.ModelProto, token_ids: Sequence[Sequence[int]]) -> dict[str, Watched]:
    """What each matrix product of a graph reads, by site.

    Args:
        graph: written with `observe`.
        token_ids: the texts to calibrate on; a few hundred are enough.

    Raises:
        DataError: there are no texts.
    """
    from onnxruntime import InferenceSession, SessionOptions

    if not token_ids:
        raise DataError("there are no texts to calibrate on")
    options = SessionOptions()
    options.log_severity_level = 3
    session = InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    sites = [output.name for output in session.get_outputs() if "." in output.name]
    watched: dict[str, Watched] = {}
    order = sorted(range(len(token_ids)), key=lambda row: len(token_ids[row]))
    share = min(1.0, SAMPLED_TOKENS / sum(len(ids) for ids in token_ids))
    random = np.random.default_rng(0)
    for start in range(0, len(order), BATCH):
        feed = padded([token_ids[row] for row in order[start : start + BATCH]])
        kept = random.random(int(feed["attention_mask"].sum())) < share
        kept[0] = True
        for site, values in zip(sites, session.run(sites, feed), strict=True):
            new = Watched(values.min(axis=0), values.max(axis=0), values[kept])
            old = watched.get(site, new)
            sample = new.sample if old is new else np.concatenate([old.sample, new.sample])
            watched[site] = Watched(np.minimum(old.low, new.low), np.maximum(old.high, new.high), sample)
    return watched


def find_scales(
    watched: Mapping[str, Watched], weights: Mapping[str, Floats], kind: str = "minmax", alpha: float = 0.0
) -> dict[str, Scale]:
    """The scales that fit what was seen.

    Args:
        watched: by site.
        weights: (inputs, outputs) by site, what it is multiplied with.
        kind: of `KINDS`: the whole range; the range of all but one value in 5,000; or the range whose 8-bit
            form is nearest, by its squared error.
        alpha: of SmoothQuant: the share of the difficulty that moves to the weights, 0 for none.

    Raises:
        InputError: the kind is unknown, or alpha not in [0, 1].
    """
    if kind not in KINDS:
        raise InputError(f"the kind of range is {kind!r}, expected one of {', '.join(KINDS)}")
    if not 0.0 <= alpha <= 1.0:
        raise InputError(f"alpha is {alpha}, expected 0 to 1")
    scales = {}
    for site, seen in watched.items():
        smooth = None
        if alpha and site.rpartition(".")[2] in SMOOTHED:
            smooth = smoothing(np.maximum(-seen.low, seen.high), weights[site], alpha)
            seen = Watched(seen.low / smooth, seen.high / smooth, seen.sample / smooth)
        low, high = _range(seen, kind)
        scales[site] = Scale(min(low, 0.0), max(high, 0.0), smooth)
    return scales


def smoothing(largest: Floats, weight: Floats, alpha: float) -> Floats:
    """SmoothQuant's factors: large for the inputs that are large, (inputs,), 1 for the one in the middle.

    Args:
        largest: (inputs,) the largest magnitude of each.
        weight: (inputs, outputs).
        alpha: in (0, 1].
    """
    of_weight = np.maximum(np.abs(weight).max(axis=1), LEAST_INPUT * LEAST_INPUT)
    factors = np.maximum(largest, LEAST_INPUT) ** alpha / of_weight ** (1.0 - alpha)
    return np.asarray(factors / np.median(factors), dtype=np.float32)


def padded(token_ids: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Texts as a graph's inputs, `input_ids` and `attention_mask`, (texts, tokens of the longest) int64."""
    longest = max(len(ids) for ids in token_ids)
    inputs = np.zeros((len(token_ids), longest), dtype=np.int64)
    mask = np.zeros_like(inputs)
    for row, ids in enumerate(token_ids):
        inputs[row, : len(ids)] = ids
        mask[row, : len(ids)] = 1
    return {"input_ids": inputs, "attention_mask": mask}


def _range(seen: Watched, kind: str) -> tuple[float, float]:
    low, high = float(seen.low.min()), float(seen.high.max())
    if kind == "percentile":
        found = np.percentile(seen.sample, [100.0 - HIGH_PERCENTILE, HIGH_PERCENTILE])
        return float(found[0]), float(found[1])
    if kind == "mse":
        tried = [(low * a, high * b) for share in SHARES for a, b in ((share, share), (1.0, share))]
        errors = [_squared_error(seen.sample, *pair) for pair in tried]
        return tried[int(np.argmin(errors))]
    return low, high


def _squared_error(sample: Floats, low: float, high: float) -> float:
    """What rounding to 8 bits over a range costs, summed."""
    step, zero = Scale(min(low, 0.0), max(high, 0.0)).uint8()
    if step <= LEAST_SCALE:
        return float(np.square(sample).sum())
    whole = np.clip(np.rint(sample / step) + zero, 0, 255) - np.float32(zero)
    return float(np.square(whole * step - sample).sum())
