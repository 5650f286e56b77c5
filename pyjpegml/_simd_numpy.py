"""Lane vectors, on NumPy: the meaning of every operation of :mod:`pyjpegml.simd`, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .simd import Operand, Vector


class NumpyVector(Vector):
    """Lanes in a NumPy array."""

    def __init__(self, values: Any) -> None:
        self.values = values
        self.lanes = len(values)
        self.bits = 1 if values.dtype == bool else 8 * values.itemsize

    def __index__(self) -> int:
        return int(self.values[0])

    def _constant(self, values: Sequence[int]) -> NumpyVector:
        return NumpyVector(np.array(values, self.values.dtype))

    def _unsigned(self) -> Any:
        return self.values.view(f"u{self.values.itemsize}")

    def _binary(self, name: str, other: Operand) -> NumpyVector:
        a, b = self.values, self._operand(other).values
        if name == "lshr":
            return NumpyVector((self._unsigned() >> b.view(f"u{a.itemsize}")).view(a.dtype))
        return NumpyVector(_NUMPY[name](a, b))

    def _unary(self, name: str) -> NumpyVector:
        if name == "bswap":
            return NumpyVector(self.values.byteswap())
        if name == "ctpop":
            return self._constant([int(value).bit_count() for value in self._unsigned()])
        texts = [f"{int(value):0{self.bits}b}" for value in self._unsigned()]
        kept = [t.lstrip("0") if name == "ctlz" else t.rstrip("0") for t in texts]
        return self._constant([self.bits - len(text) for text in kept])

    def _resize(self, name: str, bits: int) -> NumpyVector:
        values = self._unsigned() if name == "zext" else self.values
        return NumpyVector(values.astype(f"i{bits // 8}"))

    def view(self, bits: int) -> NumpyVector:
        return NumpyVector(self.values.view(f"i{bits // 8}"))

    def shuffle(self, indices: Sequence[int], other: Any = None) -> NumpyVector:
        values = self.values if other is None else np.concatenate([self.values, other.values])
        return NumpyVector(values[list(indices)])

    def select(self, yes: Any, no: Any) -> NumpyVector:
        return NumpyVector(np.where(self.values, yes.values, no.values))

    def mask(self) -> NumpyVector:
        bits = np.zeros(64, np.uint8)
        bits[: self.lanes] = self.values
        return NumpyVector(np.packbits(bits, bitorder="little").view(np.int64))

    def from_mask(self, lanes: int) -> NumpyVector:
        bits = np.unpackbits(self.values.view(np.uint8), bitorder="little")
        return NumpyVector(bits[:lanes].astype(bool))

    @property
    def can_compress(self) -> bool:
        return True

    def compress(self, chosen: Any) -> NumpyVector:
        front = self.values[chosen.values]
        return NumpyVector(np.append(front, np.zeros(self.lanes - len(front), front.dtype)))


_NUMPY: dict[str, Callable[..., Any]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply,
    "and_": np.bitwise_and, "or_": np.bitwise_or, "xor": np.bitwise_xor,
    "shl": np.left_shift, "ashr": np.right_shift, "smin": np.minimum, "smax": np.maximum,
    "==": np.equal, "!=": np.not_equal, ">": np.greater,
}  # fmt: skip


_swapping = threading.Lock()


class NumpyPointer:
    """An array argument on NumPy; offsets are checked."""

    def __init__(self, array: Any) -> None:
        if not array.flags.c_contiguous:
            raise ValueError("a vector function takes C-contiguous arrays")
        self.bytes = array.reshape(-1).view(np.uint8)
        self.itemsize = array.itemsize

    def _part(self, offset: Any, size: int) -> Any:
        start = int(offset) * self.itemsize
        if start < 0 or start + size > self.bytes.size:
            raise IndexError(f"bytes {start} to {start + size} of an array of {self.bytes.size}")
        return self.bytes[start : start + size]

    def load(self, lanes: int, offset: Any = 0, bits: int = 0) -> NumpyVector:
        """`lanes` numbers from element `offset` on; `bits` wide, or as wide as the elements."""
        size = bits // 8 or self.itemsize
        return NumpyVector(self._part(offset, lanes * size).copy().view(f"i{size}"))

    def store(self, vector: NumpyVector, offset: Any = 0) -> None:
        """Write all lanes from element `offset` on."""
        values = vector.values.view(np.uint8)
        self._part(offset, values.size)[:] = values

    def load_acquire(self, offset: Any) -> NumpyVector:
        """Element `offset` of an int64 array, seen with all that was written before its store."""
        return self.load(1, offset)

    def swap(self, value: NumpyVector, offset: Any) -> NumpyVector:
        """Write element `offset` of an int64 array, and say what it was; nobody comes between."""
        with _swapping:
            before = self.load(1, offset)
            self.store(value, offset)
        return before

    def store_release(self, value: NumpyVector, offset: Any) -> None:
        """Write element `offset`, for :meth:`load_acquire` in another thread."""
        self.store(value, offset)

    def prefetch(self, offset: Any) -> None:
        """Ask for the 64 bytes around element `offset`, which may lie outside of the array."""
