"""The ways a graph can do its matrix products: in float32, in 8 bits by several kinds of scales, or 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion.graph import INT8_MAX, Floats, Graph

UINT8_MAX = 255
UINT8_MIDDLE = 128
LEAST_SCALE = 1e-8
INT8_ACTIVATIONS = 4  # MatMulNBits' accuracy level: what is read is quantised to 8 bits, block by block


@dataclass(frozen=True)
class Scale:
    """How a matrix product's input is brought to 8 bits, as found by calibration.

    Attributes:
        low: what becomes 0; at most 0.
        high: what becomes 255; more than `low`, at least 0.
        smooth: (inputs,) what each input is divided by first, and its weights multiplied with; None for
            nothing. The range is that of the divided inputs.
    """

    low: float
    high: float
    smooth: Floats | None = None

    def uint8(self) -> tuple[np.float32, np.uint8]:
        """The step and the zero point."""
        step = max((self.high - self.low) / UINT8_MAX, LEAST_SCALE)
        return np.float32(step), np.uint8(np.clip(round(-self.low / step), 0, UINT8_MAX))


def float_linear(graph: Graph, site: str, read: str, weight: Floats, bias: Floats) -> str:
    """In float32."""
    product = graph.add("MatMul", read, graph.constant(f"{site}.weight", weight))
    return graph.add("Add", product, graph.constant(f"{site}.bias", bias))


def dynamic_linear(graph: Graph, site: str, read: str, weight: Floats, bias: Floats) -> str:
    """In 8 bits, with one scale for all that is read, taken from it: neighbours matter."""
    integers, scales = int8_columns(weight)
    return graph.add(
        "DynamicQuantizeMatMul",
        read,
        graph.constant(f"{site}.weight", integers),
        graph.constant(f"{site}.scale", scales),
        graph.constant(f"{site}.zero", np.zeros_like(scales, dtype=np.int8)),
        graph.constant(f"{site}.bias", bias),
        fused=True,
    )


def row_linear(graph: Graph, site: str, read: str, weight: Floats, bias: Floats) -> str:
    """In 8 bits, with a scale per token, taken from the token: neighbours don't matter."""
    least = graph.constant("least_scale", np.array([LEAST_SCALE], dtype=np.float32))
    largest = graph.add("ReduceMax", graph.add("Abs", read), axes=[-1], keepdims=1)
    largest = graph.add("Max", largest, least)
    step = graph.constant("unit_step", np.array(1.0 / INT8_MAX, dtype=np.float32))
    zero = graph.constant("unit_zero", np.array(UINT8_MIDDLE, dtype=np.uint8))
    whole = graph.add("QuantizeLinear", graph.add("Div", read, largest), step, zero)
    product = _integer_product(graph, site, whole, step, zero, weight, None)
    return graph.add("Add", graph.add("Mul", product, largest), graph.constant(f"{site}.bias", bias))


@dataclass(frozen=True)
class StaticLinear:
    """In 8 bits, with scales fixed by calibration: neighbours don't matter.

    Attributes:
        scales: per site; a site without one stays in float32.
    """

    scales: Mapping[str, Scale]

    def __call__(self, graph: Graph, site: str, read: str, weight: Floats, bias: Floats) -> str:
        """See `nlu_models.emotion.graph.Linear`."""
        if site not in self.scales:
            return float_linear(graph, site, read, weight, bias)
        scale = self.scales[site]
        if scale.smooth is not None:
            read = graph.add("Mul", read, graph.constant(f"{site}.smooth", 1.0 / scale.smooth))
            weight = weight * scale.smooth[:, None]
        step, zero = scale.uint8()
        names = (
            graph.constant(f"{site}.read_scale", np.array(step)),
            graph.constant(f"{site}.read_zero", np.array(zero)),
        )
        return _integer_product(graph, site, graph.add("QuantizeLinear", read, *names), *names, weight, bias)


@dataclass(frozen=True)
class BlockLinear:
    """Weights in 4 or 8 bits with a scale per block, and what is read in 8 bits with a scale per block.

    Attributes:
        bits: 4 or 8.
        block: how many inputs share a scale: 16, 32, 64, 128 or 256.
    """

    bits: int
    block: int

    def __call__(self, graph: Graph, site: str, read: str, weight: Floats, bias: Floats) -> str:
        """See `nlu_models.emotion.graph.Linear`."""
        integers, scales = block_columns(weight, self.bits, self.block)
        return graph.add(
            "MatMulNBits",
            read,
            graph.constant(f"{site}.weight", integers),
            graph.constant(f"{site}.scale", scales),
            "",
            "",
            graph.constant(f"{site}.bias", bias),
            fused=True, K=weight.shape[0], N=weight.shape[1], bits=self.bits, block_size=self.block,
            accuracy_level=INT8_ACTIVATIONS,
        )  # fmt: skip


def int8_columns(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """A weight as int8 with a scale per output.

    Args:
        weight: (inputs, outputs).

    Returns:
        Integers (inputs, outputs) and scales (outputs,).
    """
    scales = np.maximum(np.abs(weight).max(axis=0), LEAST_SCALE) / INT8_MAX
    return np.round(weight / scales).astype(np.int8), scales.astype(np.float32)


def block_columns(weight: Floats, bits: int, block: int) -> tuple[NDArray[np.uint8], Floats]:
    """A weight in blocks along the inputs, in the form of onnxruntime's `MatMulNBits`.

    Args:
        weight: (inputs, outputs); inputs are filled up to whole blocks with zeros.
        bits: 4 or 8; the middle of the range, 8 or 128, stands for 0.
        block: inputs per scale.

    Returns:
        Integers (outputs, blocks, block * bits / 8), two to a byte for 4 bits, and scales
        (outputs * blocks,).
    """
    inputs, outputs = weight.shape
    blocks = -(-inputs // block)
    filled = np.zeros((outputs, blocks * block), dtype=np.float32)
    filled[:, :inputs] = weight.T
    split = filled.reshape(outputs, blocks, block)
    middle = 1 << (bits - 1)
    # The extreme value lands on the range's far end, which has one step more than the near one.
    extreme = np.take_along_axis(split, np.abs(split).argmax(axis=2)[..., None], axis=2)
    scales = np.where(extreme == 0, 1.0, extreme / -middle)
    integers = np.clip(np.round(split / scales) + middle, 0, 2 * middle - 1).astype(np.uint8)
    if bits == 4:
        integers = integers[..., 0::2] | (integers[..., 1::2] << 4)
    return integers, scales.astype(np.float32).reshape(-1)


def _integer_product(
    graph: Graph, site: str, whole: str, step: str, zero: str, weight: Floats, bias: Floats | None
) -> str:
    integers, scales = int8_columns(weight)
    inputs = [
        whole,
        graph.constant(f"{site}.weight", integers),
        step,
        graph.constant(f"{site}.scale", scales),
        zero,
        graph.constant(f"{site}.zero", np.zeros_like(scales, dtype=np.int8)),
    ]
    if bias is not None:
        inputs.append(graph.constant(f"{site}.bias", bias))
    return graph.add("MatMulIntegerToFloat", *inputs, fused=True)
