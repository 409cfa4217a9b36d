"""Reads the constants of an ONNX graph as the float matrices they stand for, however they were quantised.

`dequantize` rebuilds a torch model from them. Nothing is run: what a graph does to a table or to a weight
before multiplying with it (casting, scaling, shifting, dequantising) is repeated in numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.errors import WeightError

Array = NDArray[Any]
Floats = NDArray[np.float32]

MOST_STEPS = 12  # nodes between a product and what adds its bias, or between a constant and its use
TOKEN_IDS = "input_ids"  # the input that words are looked up by
# Nodes that hand an activation on, whatever they do to its numbers' form.
_PASSING = ("Cast", "Identity", "QuantizeLinear", "DequantizeLinear", "Reshape")
# Products whose result may still have to be multiplied with a scale.
INTEGER_PRODUCTS = ("MatMulInteger", "MatMulIntegerToFloat")
_ELEMENTWISE: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
}


class Constants:
    """The constants of a graph, and the products that its activations are multiplied in.

    Attributes:
        path: of the graph, for messages.
        nodes: in the order they run.
        names: of the initialisers.
        metadata: the model's `metadata_props`.
    """

    def __init__(self, path: Path) -> None:
        """Reads the graph.

        Raises:
            WeightError: the file is missing, truncated or no ONNX graph.
        """
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

        self.path = path
        try:
            model = onnx.load(str(path))
            self._stored: dict[str, Array] = {
                tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer
            }
        except FileNotFoundError as error:
            raise WeightError(f"{path} is missing; docs/training.md says how it is made") from error
        except (DecodeError, OSError, ValueError, TypeError, RuntimeError) as error:
            raise WeightError(f"{path} is truncated or no ONNX graph: {error}") from error
        self.nodes: list[Any] = list(model.graph.node)
        self.metadata: Mapping[str, str] = {prop.key: prop.value for prop in model.metadata_props}
        for node in self.nodes:
            if node.op_type == "Constant" and "value" in (given := self.attributes(node)):
                self._stored[node.output[0]] = onnx.numpy_helper.to_array(given["value"])
        self.names: frozenset[str] = frozenset(self._stored)
        self._made_by = {name: node for node in self.nodes for name in node.output}

    @staticmethod
    def attributes(node: Any) -> dict[str, Any]:
        """The attributes of a node, by name."""
        import onnx

        return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}

    def word_embeddings(self) -> Array | None:
        """The table that token ids look up, (words, width) floats, scaled as it is used; None without one.

        `graph` gives it a name. In other graphs a quantised table is cast and scaled on its way: it is the
        first one of floats that is added to something, or else the last one of floats.
        """
        table, scales = (self._stored.get(name) for name in ("words", "word_scales"))
        if table is not None and (scales is not None or np.issubdtype(table.dtype, np.floating)):
            return table if scales is None else table.astype(np.float32) * scales
        last = None
        for node in self.nodes:
            for name in node.output:
                table = self.value(name, looked_up_by=TOKEN_IDS)
                if table is None or table.ndim != 2 or not np.issubdtype(table.dtype, np.floating):
                    continue
                if {user.op_type for user in self.users(name)} & {"Add", "SkipLayerNormalization"}:
                    return table
                last = table
        return last

    def users(self, name: str) -> list[Any]:
        """The nodes that read a tensor."""
        return [node for node in self.nodes if name in node.input]

    def maker(self, name: str) -> Any | None:
        """The node that yields a tensor; None for inputs and initialisers."""
        return self._made_by.get(name)

    def value(self, name: str, *, looked_up_by: str = "", steps: int = MOST_STEPS) -> Array | None:
        """The constant that a tensor is, or None when it depends on the input.

        Args:
            name: of the tensor.
            looked_up_by: an input; looking rows up by it counts as taking the whole table, so that the
                value of an embedding is the table of all its rows.
            steps: at most so many nodes are followed.
        """
        if name in self._stored:
            return self._stored[name]
        node = self.maker(name)
        if node is None or steps == 0:
            return None

        def read(place: int) -> Array | None:
            if place >= len(node.input) or not node.input[place]:
                return None
            return self.value(node.input[place], looked_up_by=looked_up_by, steps=steps - 1)

        if node.op_type in ("Gather", "GatherBlockQuantized"):
            if not looked_up_by or not self._is_input(node.input[1], looked_up_by):
                return None
            return read(0) if node.op_type == "Gather" else self._block_rows(node, read)
        if node.op_type in ("Cast", "Identity"):
            found = read(0)
            return found if found is None or node.op_type == "Identity" else found.astype(np.float32)
        if node.op_type == "Transpose":
            found, order = read(0), self.attributes(node).get("perm")
            return None if found is None else np.transpose(found, order)
        if node.op_type == "DequantizeLinear":
            found, scale = read(0), read(1)
            axis = int(self.attributes(node).get("axis", 1))
            return None if found is None or scale is None else dequantized(found, scale, read(2), axis)
        if node.op_type in _ELEMENTWISE:
            left, right = read(0), read(1)
            return None if left is None or right is None else _ELEMENTWISE[node.op_type](left, right)
        return None

    def product(self, name: str) -> Floats | None:
        """The matrix (in, out) that an activation was multiplied with last, or None.

        Args:
            name: of the product's result, which may have been cast, rescaled or requantised since.

        Raises:
            WeightError: the product is of a form that this code doesn't know.
        """
        scale: Array = np.ones(1, dtype=np.float32)
        for _ in range(MOST_STEPS):
            node = self.maker(name)
            if node is None:
                return None
            if node.op_type == "Mul":
                rescaled = self._rescaled(node)
                if rescaled is None:
                    return None
                name, scale = rescaled[0], scale * rescaled[1]
            elif node.op_type in _PASSING:
                name = node.input[0]
            else:
                found = self.weight(node)
                return None if found is None else np.asarray(found * scale, dtype=np.float32)
        return None

    def weight(self, node: Any) -> Floats | None:
        """The matrix (in, out) of a node that multiplies with a constant; None for any other node.

        Inputs may be scaled one by one just before the product (SmoothQuant; Xiao et al., ICML 2023); the
        matrix is then the one for inputs before that.

        Raises:
            WeightError: the node is of a form that this code doesn't know.
        """
        found = self._stored_weight(node)
        if found is None:
            return None
        name = node.input[0]
        for _ in range(MOST_STEPS):
            maker = self.maker(name)
            if maker is None:
                break
            if maker.op_type == "Mul":
                factors = [value for value in map(self.value, maker.input) if value is not None]
                if len(factors) == 1 and factors[0].shape == (len(found),) and len(found) > 1:
                    return np.asarray(found * factors[0][:, None], dtype=np.float32)
            if maker.op_type not in (*_PASSING, "DynamicQuantizeLinear"):
                break
            name = maker.input[0]
        return found

    def _stored_weight(self, node: Any) -> Floats | None:
        kind = node.op_type
        if kind in ("MatMul", "Gemm"):
            found = self.value(node.input[1])
            if found is None or found.ndim != 2:
                return None
            given = self.attributes(node)
            matrix = found.T if given.get("transB") else found
            return np.asarray(matrix * given.get("alpha", 1.0), dtype=np.float32)
        if kind == "MatMulInteger":
            if len(node.input) > 2 and self.value(node.input[2]) is not None:
                raise self.unknown(node, "its activations have a constant zero point")
            return self._integers(node, 1, None, 3)
        if kind == "DynamicQuantizeMatMul":
            return self._integers(node, 1, 2, 3)
        if kind == "MatMulIntegerToFloat":
            return self._integers(node, 1, 3, 5)
        if kind == "QLinearMatMul":
            return self._integers(node, 3, 4, 5)
        if kind == "QGemm":
            found = self._integers(node, 3, 4, 5)
            return found.T if found is not None and self.attributes(node).get("transB") else found
        if kind == "QAttention":
            return self._integers(node, 1, 4, 7)
        if kind == "Attention":
            return self._integers(node, 1, None, None)
        if kind == "MatMulNBits":
            return self._small_blocks(node)
        if "MatMul" in kind or "Gemm" in kind:
            raise self.unknown(node, "it is no product that can be read back")
        return None

    def unknown(self, node: Any, reason: str) -> WeightError:
        """The error for a node that can't be read back."""
        return WeightError(
            f"{self.path}: the node {node.name!r} ({node.op_type}) can't be turned back into torch: "
            f"{reason}; use the run that the weight was exported from (--run)"
        )

    def _integers(self, node: Any, matrix: int, scale: int | None, zero: int | None) -> Floats | None:
        found = self.value(node.input[matrix])
        if found is None:
            return None
        scales = np.ones(1, dtype=np.float32)
        if scale is not None:
            given = self.value(node.input[scale])
            if given is None:
                raise self.unknown(node, "the scale of its weight is no constant")
            scales = given
        has_zero = zero is not None and len(node.input) > zero and node.input[zero]
        return dequantized(found, scales, self.value(node.input[zero]) if has_zero else None, 1)

    def _small_blocks(self, node: Any) -> Floats:
        """Weights of 2 to 8 bits in blocks, as onnxruntime's MatMulNBits has them."""
        given = self.attributes(node)
        rows, columns = int(given["N"]), int(given["K"])
        bits, size = int(given.get("bits", 4)), int(given["block_size"])
        packed, scales = self.value(node.input[1]), self.value(node.input[2])
        if packed is None or scales is None or bits not in (2, 4, 8):
            raise self.unknown(node, f"its weight has {bits} bits or is no constant")
        blocks = -(-columns // size)
        numbers = unpacked(packed.reshape(rows, blocks, -1), bits)
        zeros: Array = np.full((rows, blocks), 1 << (bits - 1), dtype=np.float32)
        if len(node.input) > 3 and node.input[3]:
            stored = self.value(node.input[3])
            if stored is None:
                raise self.unknown(node, "its zero points are no constant")
            is_packed = stored.dtype == np.uint8
            stored = stored.reshape(rows, -1)
            zeros = (unpacked(stored, bits) if is_packed else stored)[:, :blocks].astype(np.float32)
        scaled = (numbers - zeros[..., None]) * scales.reshape(rows, blocks, 1)
        return np.asarray(scaled.reshape(rows, -1)[:, :columns].T, dtype=np.float32)

    def _block_rows(self, node: Any, read: Callable[[int], Array | None]) -> Array:
        """The table of a GatherBlockQuantized node: small numbers in blocks along its rows."""
        given = self.attributes(node)
        bits, size = int(given.get("bits", 4)), int(given.get("block_size", 128))
        table, scales, zeros = read(0), read(2), read(3)
        if table is None or scales is None or table.ndim != 2 or given.get("gather_axis", 0) != 0:
            raise self.unknown(node, "its table is no constant of two axes, looked up by row")
        if given.get("quantize_axis", 1) not in (1, -1):
            raise self.unknown(node, "its blocks don't lie along the rows")
        is_packed = table.dtype == np.uint8 and bits < 8
        numbers = unpacked(table, bits) if is_packed else table.astype(np.float32)
        middle = float(1 << (bits - 1)) if table.dtype == np.uint8 else 0.0
        if zeros is not None:
            offset = unpacked(zeros, bits) if zeros.dtype == np.uint8 and bits < 8 else zeros
            shift: Array = np.repeat(offset[:, : scales.shape[1]].astype(np.float32), size, axis=1)
        else:
            shift = np.full((1, 1), middle, dtype=np.float32)
        width = numbers.shape[1]
        shifted = numbers - (shift[:, :width] if shift.shape[1] > 1 else shift)
        return np.asarray(shifted * np.repeat(scales, size, axis=1)[:, :width], dtype=np.float32)

    def _rescaled(self, node: Any) -> tuple[str, Array] | None:
        """Of a product times its scale: the product, and what of the scale belongs to the weight."""
        for place, other in ((0, 1), (1, 0)):
            if self._leads_to_product(node.input[place]):
                return node.input[place], self._constant_factor(node.input[other])
        return None

    def _leads_to_product(self, name: str) -> bool:
        for _ in range(MOST_STEPS):
            node = self.maker(name)
            if node is None:
                return False
            if node.op_type in INTEGER_PRODUCTS:
                return True
            if node.op_type not in _PASSING:
                return False
            name = node.input[0]
        return False

    def _constant_factor(self, name: str) -> Array:
        found = self.value(name)
        if found is not None:
            return found
        node = self.maker(name)
        if node is None or node.op_type != "Mul":
            return np.ones(1, dtype=np.float32)  # the activations' own scale, new in each pass
        return self._constant_factor(node.input[0]) * self._constant_factor(node.input[1])

    def _is_input(self, name: str, wanted: str) -> bool:
        node = self.maker(name)
        return name == wanted or (node is not None and node.op_type == "Cast" and node.input[0] == wanted)


def dequantized(stored: Array, scale: Array, zero: Array | None, axis: int) -> Floats:
    """The numbers that integers stand for: (stored − zero) · scale.

    Args:
        stored: integers of any width, or floats, which stay as they are but for the scale.
        scale: one number, or one per place on `axis`, or of the shape of `stored`.
        zero: like `scale`; None for 0.
        axis: along which scales differ.
    """

    def spread(values: Array) -> Array:
        if values.ndim != 1 or values.size == 1:
            return values.astype(np.float32)
        shape = [1] * stored.ndim
        shape[axis] = values.size
        return values.astype(np.float32).reshape(shape)

    shifted = stored.astype(np.float32) - (spread(zero) if zero is not None else np.float32(0.0))
    return np.asarray(shifted * spread(scale), dtype=np.float32)


def unpacked(bytes_: Array, bits: int) -> Floats:
    """Numbers of 2, 4 or 8 bits that lie in bytes, the lowest bits first, along the last axis."""
    each = 8 // bits
    parts = [(bytes_.astype(np.uint8) >> (bits * place)) & ((1 << bits) - 1) for place in range(each)]
    numbers = np.stack(parts, axis=-1).reshape(*bytes_.shape[:-1], -1)
    return np.asarray(numbers, dtype=np.float32)
