"""Lane vectors: one source for the stages that work on many samples at once.

A CPU adds 16, 32 or 64 small numbers in one instruction, if somebody tells it to. Numba leaves
that to LLVM, which guesses: an interleaved load, a 16-bit product, a shuffle it rarely finds. Here
the programmer says it. A stage is a plain Python function over :class:`Vector` values, with
operators::

    @vector_function
    def mean_rows(source, offset, stride, out):
        a = source.load(32, offset).zext(16)  # 32 uint8 samples as 16-bit lanes
        b = source.load(32, offset + stride).zext(16)
        out.store(((a + b + 1) >> 1).trunc(8))

and is called inside a kernel like any other function. It runs in two ways. *Compiled*, it runs
once, when the kernel around it is compiled: each operator then emits one LLVM vector instruction
into that kernel (:mod:`pyjpegml._simd_llvm`), so Python's loops, lists and function calls cost
nothing and leave no trace. *On NumPy* (:mod:`pyjpegml._simd_numpy`), with ``NUMBA_DISABLE_JIT=1``
or called outside of a kernel, each operator computes at once, with the same result lane for lane; a
student can print every vector on the way.

*Values.* A vector has ``lanes`` integers of ``bits`` bits: 8, 16, 32 or 64, or 1 for the outcome of
a comparison. They have no sign of their own; arithmetic wraps, and an operation that cares says
what it takes them for: ``>>`` keeps the sign, ``shift_right`` brings in zeros, ``sext`` and
``zext`` widen. Shift counts are below ``bits``. The other operand may be a vector of the same
shape, an integer (the same in all lanes) or a sequence (repeated to fill the lanes). An integer
argument arrives as a vector of one lane of 64 bits.

*Rows.* Instructions for shuffling and packing are cheap within 128 bits, so :func:`interleave`,
:func:`pack` and :func:`transpose` work on each such *row* by itself. A row of 16-bit lanes is one
row of an 8x8 block, and wider vectors hold several blocks side by side, whatever the CPU: LLVM
splits vectors that are wider than its registers.

*Instructions.* Nearly all are LLVM's portable ones. :meth:`Vector.madd` and :func:`pack` use x86's
own, of 128, 256 or 512 bits by the features of the CPU that Numba compiles for, because LLVM does
not always recognise them; elsewhere portable ones do the same. The features are part of the key of
the compiled code (:func:`pyjpegml._jit.cache_facts`).

*Memory.* An array argument arrives as a pointer to its first element, with offsets in elements; it
must be C-contiguous. Nothing checks a compiled load or store, so the code around each must say why
it is in range. On NumPy, and compiled under ``NUMBA_BOUNDSCHECK=1``, all are checked: IndexError.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Union

import numpy as np

from ._jit import Kernel

Operand = Union["Vector", int, Sequence[int]]


class Vector:
    """Lanes of integers, by whichever way they are computed.

    Attributes
    ----------
    lanes, bits : int
    """

    lanes: int
    bits: int

    # What the two ways do for themselves

    def _constant(self, values: Sequence[int]) -> Any:
        raise NotImplementedError

    def _binary(self, name: str, other: Operand) -> Any:
        raise NotImplementedError

    def _unary(self, name: str) -> Any:
        raise NotImplementedError

    def _resize(self, name: str, bits: int) -> Any:
        raise NotImplementedError

    def _x86(self, name: str, other: Any, lanes: int, bits: int) -> Any:
        raise NotImplementedError

    def _x86_width(self) -> int:
        """Bits of the widest instructions of x86 that may be used, 0 for none."""
        return 0

    def view(self, bits: int) -> Any:
        """The same bits as lanes of another width, the lowest first."""
        raise NotImplementedError

    def shuffle(self, indices: Sequence[int], other: Any = None) -> Any:
        """The lanes of the given indices; those from ``lanes`` on are `other`'s."""
        raise NotImplementedError

    def select(self, yes: Any, no: Any) -> Any:
        """Lanes of `yes` where this comparison holds, else of `no`."""
        raise NotImplementedError

    def mask(self) -> Any:
        """A comparison of up to 64 lanes as one 64-bit integer, lane k in bit k."""
        raise NotImplementedError

    def from_mask(self, lanes: int) -> Any:
        """The inverse of :meth:`mask`: the low bits of one 64-bit integer as a comparison."""
        raise NotImplementedError

    @property
    def can_compress(self) -> bool:
        """Whether :meth:`compress` is there: on NumPy, and with AVX-512 VBMI2."""
        raise NotImplementedError

    def compress(self, chosen: Any) -> Any:
        """The lanes where a comparison holds, moved to the front; zeros behind them."""
        raise NotImplementedError

    def _operand(self, other: Operand) -> Any:
        """The other operand as a vector of this shape."""
        if not isinstance(other, Vector):
            values = [other] if isinstance(other, (int, np.integer)) else [int(v) for v in other]
            if self.lanes % len(values):
                raise ValueError(f"{len(values)} values do not fill {self.lanes} lanes")
            half, whole = 1 << self.bits >> 1, 1 << self.bits
            wrapped = [(int(value) + half) % whole - half for value in values]
            return self._constant(wrapped * (self.lanes // len(values)))
        if (other.lanes, other.bits) != (self.lanes, self.bits):
            raise ValueError(f"{other.lanes} x {other.bits} bits with {self.lanes} x {self.bits}")
        return other

    def __add__(self, other: Operand) -> Any:
        return self._binary("add", other)

    def __sub__(self, other: Operand) -> Any:
        return self._binary("sub", other)

    def __mul__(self, other: Operand) -> Any:
        return self._binary("mul", other)

    def __and__(self, other: Operand) -> Any:
        return self._binary("and_", other)

    def __or__(self, other: Operand) -> Any:
        return self._binary("or_", other)

    def __xor__(self, other: Operand) -> Any:
        return self._binary("xor", other)

    def __lshift__(self, other: Operand) -> Any:
        return self._binary("shl", other)

    def __rshift__(self, other: Operand) -> Any:
        return self._binary("ashr", other)

    def __rsub__(self, other: Operand) -> Any:
        return self._operand(other) - self

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Any:
        return 0 - self

    def shift_right(self, other: Operand) -> Any:
        """Shift that brings in zeros, as of unsigned numbers."""
        return self._binary("lshr", other)

    def minimum(self, other: Operand) -> Any:
        """The smaller of two signed numbers."""
        return self._binary("smin", other)

    def maximum(self, other: Operand) -> Any:
        """The larger of two signed numbers."""
        return self._binary("smax", other)

    def equals(self, other: Operand) -> Any:
        """Comparison, to be used by :meth:`select` and :meth:`mask`."""
        return self._binary("==", other)

    def differs(self, other: Operand) -> Any:
        """Comparison; see :meth:`equals`."""
        return self._binary("!=", other)

    def exceeds(self, other: Operand) -> Any:
        """Comparison of signed numbers; see :meth:`equals`."""
        return self._binary(">", other)

    def sext(self, bits: int) -> Any:
        """Widen signed numbers."""
        return self._resize("sext", bits)

    def zext(self, bits: int) -> Any:
        """Widen unsigned numbers."""
        return self._resize("zext", bits)

    def trunc(self, bits: int) -> Any:
        """Keep the low bits."""
        return self._resize("trunc", bits)

    def to_int16(self) -> Any:
        """Signed numbers limited to [-32768, 32767], as 16-bit lanes."""
        return self.maximum(-32768).minimum(32767).trunc(16)

    def to_int8(self) -> Any:
        """Signed numbers limited to [-128, 127], as 8-bit lanes."""
        return self.maximum(-128).minimum(127).trunc(8)

    def to_uint8(self) -> Any:
        """Signed numbers limited to [0, 255], as 8-bit lanes."""
        return self.maximum(0).minimum(255).trunc(8)

    def leading_zeros(self) -> Any:
        """Zero bits above the highest one; ``bits`` for 0."""
        return self._unary("ctlz")

    def trailing_zeros(self) -> Any:
        """Zero bits below the lowest one; ``bits`` for 0."""
        return self._unary("cttz")

    def swap_bytes(self) -> Any:
        """Each lane with its bytes in reverse order: JPEG is big-endian."""
        return self._unary("bswap")

    def ones(self) -> Any:
        """How many bits are 1."""
        return self._unary("ctpop")

    def multiply_high(self, other: Operand) -> Any:
        """High half of the product of unsigned 16-bit numbers."""
        product = self.zext(32) * self._operand(other).zext(32)
        return product.shift_right(16).trunc(16)

    def madd(self, factors: Operand) -> Any:
        """Multiply signed 16-bit lanes and add neighbours, as 32-bit lanes (x86 ``pmaddwd``).

        Lane k of the result is ``self[2 k] * factors[2 k] + self[2 k + 1] * factors[2 k + 1]``.
        """
        other = self._operand(factors)
        width = self._x86_width()
        if 16 * self.lanes > width > 0:
            low, high = self.halves()
            first, second = other.halves()
            return concatenate(low.madd(first), high.madd(second))
        name = {128: "sse2.pmadd.wd", 256: "avx2.pmadd.wd", 512: "avx512.pmaddw.d.512"}
        if 16 * self.lanes in name and width > 0:
            return self._x86(name[16 * self.lanes], other, self.lanes // 2, 32)
        even, odd = range(0, self.lanes, 2), range(1, self.lanes, 2)
        return self.shuffle(even).sext(32) * other.shuffle(even).sext(32) + (
            self.shuffle(odd).sext(32) * other.shuffle(odd).sext(32)
        )

    def halves(self) -> tuple[Any, Any]:
        """The lower and the upper half of the lanes."""
        middle = self.lanes // 2
        return self.shuffle(range(middle)), self.shuffle(range(middle, self.lanes))


def concatenate(first: Any, second: Any) -> Any:
    """The lanes of two vectors one behind the other."""
    return first.shuffle(range(2 * first.lanes), second)


def interleave(a: Any, b: Any) -> tuple[Any, Any]:
    """``a0 b0 a1 b1 ...`` in each row of 128 bits: of the rows' lower halves, then of the upper."""
    half = 64 // a.bits
    starts = range(0, a.lanes, 2 * half)
    low = [lane for s in starts for k in range(s, s + half) for lane in (k, a.lanes + k)]
    return a.shuffle(low, b), a.shuffle([lane + half for lane in low], b)


def pack(low: Any, high: Any) -> Any:
    """32-bit lanes to 16 bits, limited to [-32768, 32767].

    Of each row of 128 bits `low`'s four and then `high`'s: so ``pack(*pairs)`` undoes the order of
    ``pairs = interleave(a, b)``.
    """
    width = low._x86_width()
    if 32 * low.lanes > width > 0:
        (a, b), (c, d) = low.halves(), high.halves()
        return concatenate(pack(a, c), pack(b, d))
    name = {128: "sse2.packssdw.128", 256: "avx2.packssdw", 512: "avx512.packssdw.512"}
    if 32 * low.lanes in name and width > 0:
        return low._x86(name[32 * low.lanes], high, 2 * low.lanes, 16)
    starts = range(0, low.lanes, 4)
    order = [n + s + k for s in starts for n in (0, low.lanes) for k in range(4)]
    return low.shuffle(order, high).to_int16()


def transpose(rows: Sequence[Any]) -> list[Any]:
    """Eight vectors of 16-bit lanes as the rows of 8x8 blocks side by side: each block transposed.

    Interleaving row k with row k + 4 moves one bit of the row's number to the column's; three times
    exchange them all.
    """
    for _ in range(3):
        rows = [v for k in range(4) for v in interleave(rows[k], rows[k + 4])]
    return list(rows)


class VectorFunction(Kernel):
    """A function over lane vectors; see the head of this module.

    Its arguments are arrays and integers. With the annotation ``-> int`` it returns a vector of one
    lane of 64 bits, which its caller sees as an int64; else nothing.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function, inline=True)
        self.returns = function.__annotations__.get("return") in (int, "int")
        self._numba_type: Any = None

    def _first_call(self, *args: Any) -> Any:
        from ._simd_numpy import NumpyPointer, NumpyVector

        arguments = [
            NumpyPointer(arg)
            if isinstance(arg, np.ndarray)
            else NumpyVector(np.array([int(arg) % 2**64], np.uint64).view(np.int64))
            for arg in args
        ]
        result = self.py_func(*arguments)
        return result.values[0] if self.returns else None

    @property
    def numba_type(self) -> Any:
        """The type by which Numba knows this function: that of an intrinsic that builds it."""
        if self._numba_type is None:
            from ._simd_llvm import intrinsic_type

            self._numba_type = intrinsic_type(self)
        return self._numba_type


def vector_function(function: Callable[..., Any]) -> VectorFunction:
    """Decorator: make a function over lane vectors one that kernels can call."""
    return VectorFunction(function)
