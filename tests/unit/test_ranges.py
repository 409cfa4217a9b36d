"""Calibration sees what graphs read, and chooses ranges that do what they are for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from nlu_models.emotion import quantize
from nlu_models.emotion.graph import Form, write_bert
from nlu_models.emotion.linears import Scale, float_linear
from nlu_models.emotion.ranges import Watched, find_scales, smoothing, watch
from nlu_models.errors import DataError, InputError
from tests.unit.tiny_runs import MAX_TOKENS, make_run


def _error(sample: np.ndarray, scale: Scale) -> float:
    step, zero = scale.uint8()
    back = (np.clip(np.rint(sample / step) + zero, 0, 255) - zero) * step
    return float(np.square(back - sample).sum())


def _seen(sample: np.ndarray) -> Watched:
    return Watched(sample.min(axis=0), sample.max(axis=0), sample)


def test_what_the_first_product_reads_is_the_embeddings(tmp_path: Path) -> None:
    model = quantize.load_checkpoint(make_run(tmp_path / "run"))
    texts = [[5, 6, 7], [8, 9], [10], [11, 12, 13, 14, 15]]
    watched = watch(write_bert(model, float_linear, Form(MAX_TOKENS, int8_words=False, observe=True)), texts)
    assert set(watched) == {
        f"{layer}.{site}" for layer in (0, 1) for site in ("qkv", "mixed", "hidden", "wide")
    }
    import torch

    with torch.no_grad():
        expected = np.concatenate(
            [model.encoder.embeddings(torch.tensor([text]))[0].numpy() for text in texts]
        )
    np.testing.assert_allclose(watched["0.qkv"].low, expected.min(axis=0), atol=1e-5)
    np.testing.assert_allclose(watched["0.qkv"].high, expected.max(axis=0), atol=1e-5)
    assert len(watched["0.qkv"].sample) == 11  # so few tokens are all kept


def test_nothing_to_calibrate_on_is_an_error(tmp_path: Path) -> None:
    model = quantize.load_checkpoint(make_run(tmp_path / "run"))
    with pytest.raises(DataError, match="no texts"):
        quantize.write_graph(model, tmp_path / "x.onnx", quantize.METHODS["static"], MAX_TOKENS, [])


def test_ranges_hold_what_they_promise() -> None:
    random = np.random.default_rng(0)
    sample = random.normal(size=(2000, 16)).astype(np.float32)
    sample[0, 0] = 60.0
    watched, weights = {"0.hidden": _seen(sample)}, {"0.hidden": np.ones((16, 4), dtype=np.float32)}
    whole, most, nearest = (
        find_scales(watched, weights, kind)["0.hidden"] for kind in ("minmax", "percentile", "mse")
    )
    assert (whole.low, whole.high) == (float(sample.min()), 60.0)
    assert most.high < 10.0
    assert _error(sample, nearest) <= min(_error(sample, whole), _error(sample, most)) * 1.001


def test_a_range_always_holds_zero() -> None:
    sample = np.full((4, 2), 3.0, dtype=np.float32)
    scale = find_scales({"0.qkv": _seen(sample)}, {"0.qkv": np.ones((2, 2), dtype=np.float32)})["0.qkv"]
    step, zero = scale.uint8()
    assert (scale.low, zero) == (0.0, 0)
    assert 255 * step == pytest.approx(3.0)


def test_smoothing_evens_out_the_inputs() -> None:
    random = np.random.default_rng(0)
    sample = random.normal(size=(500, 32)).astype(np.float32)
    sample[:, 3] *= 40.0
    weight = random.normal(size=(32, 8)).astype(np.float32)
    watched = {"0.hidden": _seen(sample), "0.mixed": _seen(sample)}
    weights = {"0.hidden": weight, "0.mixed": weight}
    plain, smooth = (find_scales(watched, weights, "minmax", alpha) for alpha in (0.0, 0.8))
    factors = smooth["0.hidden"].smooth
    assert plain["0.hidden"].smooth is None
    assert factors is not None
    assert factors.argmax() == 3
    divided = sample / factors
    assert _error(divided, smooth["0.hidden"]) / np.square(divided).sum() < 0.1 * (
        _error(sample[:, :3], plain["0.hidden"]) / np.square(sample[:, :3]).sum()
    )
    assert smooth["0.mixed"].smooth is None


def test_inputs_that_never_move_are_left_alone() -> None:
    factors = smoothing(np.array([0.0, 1.0, 1.0]), np.array([[0.0], [1.0], [1.0]], dtype=np.float32), 0.8)
    assert np.isfinite(factors).all()
    assert (factors > 0).all()


@pytest.mark.parametrize(("kind", "alpha"), [("entropy", 0.0), ("minmax", 1.5), ("minmax", -0.1)])
def test_unknown_settings_are_refused(kind: str, alpha: float) -> None:
    with pytest.raises(InputError):
        find_scales({}, {}, kind, alpha)
