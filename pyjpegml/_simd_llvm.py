"""Lane vectors, compiled: every operation of :mod:`pyjpegml.simd` as an LLVM instruction.

Numba compiles a kernel by building an LLVM function instruction by instruction, and lets
*intrinsics* add their own. A :class:`pyjpegml.simd.VectorFunction` is made one here: when a kernel
that calls it is compiled, the Python function runs over :class:`LlvmVector` values, which hold no
numbers but places in the LLVM function, and each operator adds an instruction there.

This is the one module besides the policy that imports Numba and llvmlite, and nothing imports it
before a kernel is compiled.
"""

from __future__ import annotations

import functools
import inspect
import platform
from collections.abc import Sequence
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.core.types.misc import unliteral
from numba.core.typing.templates import make_intrinsic_template

from .simd import Operand, Vector, VectorFunction


@functools.cache
def cpu_features() -> frozenset[str]:
    """Features of the x86 CPU that Numba compiles for, each with a ``+``; elsewhere none."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return frozenset()
    features = config.CPU_FEATURES
    if features is None:
        features = llvm.get_host_cpu_features().flatten()
    return frozenset(["+sse2", *features.split(",")])


def x86_width() -> int:
    """Bits of the widest integer vectors of the x86 CPU that Numba compiles for; 0 elsewhere."""
    widths = {"+avx512bw": 512, "+avx2": 256, "+sse2": 128}
    return next((width for name, width in widths.items() if name in cpu_features()), 0)


def _type(bits: int, lanes: int) -> Any:
    return ir.IntType(bits) if lanes == 1 else ir.VectorType(ir.IntType(bits), lanes)


class LlvmVector(Vector):
    """A value of the LLVM function that is being built; one lane is a plain integer there."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder = builder
        self.value = value
        self.lanes = getattr(value.type, "count", 1)
        self.bits = value.type.width if self.lanes == 1 else value.type.element.width

    def _new(self, value: Any) -> LlvmVector:
        return LlvmVector(self.builder, value)

    def _call(self, name: str, returned: Any, *arguments: Any) -> LlvmVector:
        signature = ir.FunctionType(returned, [a.type for a in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, signature, name)
        return self._new(self.builder.call(function, arguments))

    def _intrinsic(self, name: str, *arguments: Any) -> LlvmVector:
        kind = f"i{self.bits}" if self.lanes == 1 else f"v{self.lanes}i{self.bits}"
        return self._call(f"llvm.{name}.{kind}", self.value.type, self.value, *arguments)

    def _constant(self, values: Sequence[int]) -> LlvmVector:
        kind = _type(self.bits, self.lanes)
        if self.lanes == 1:
            return self._new(ir.Constant(kind, values[0]))
        return self._new(ir.Constant(kind, [ir.Constant(kind.element, v) for v in values]))

    def _binary(self, name: str, other: Operand) -> LlvmVector:
        value = self._operand(other).value
        if name in ("smin", "smax"):
            return self._intrinsic(name, value)
        if name in ("==", "!=", ">"):
            return self._new(self.builder.icmp_signed(name, self.value, value))
        return self._new(getattr(self.builder, name)(self.value, value))

    def _unary(self, name: str) -> LlvmVector:
        # the false: a count of zero is ``bits``, not undefined
        arguments = [] if name in ("bswap", "ctpop") else [ir.Constant(ir.IntType(1), 0)]
        return self._intrinsic(name, *arguments)

    def _resize(self, name: str, bits: int) -> LlvmVector:
        return self._new(getattr(self.builder, name)(self.value, _type(bits, self.lanes)))

    def _x86(self, name: str, other: Any, lanes: int, bits: int) -> LlvmVector:
        return self._call(f"llvm.x86.{name}", _type(bits, lanes), self.value, other.value)

    def _x86_width(self) -> int:
        return x86_width()

    def view(self, bits: int) -> LlvmVector:
        kind = _type(bits, self.lanes * self.bits // bits)
        return self._new(self.builder.bitcast(self.value, kind))

    def shuffle(self, indices: Sequence[int], other: Any = None) -> LlvmVector:
        order = [ir.IntType(32)(k) for k in indices]
        first, second = self.value, self.value if other is None else other.value
        if self.lanes == 1:  # two integers
            pair = ir.Constant(ir.VectorType(first.type, 2), ir.Undefined)
            pair = self.builder.insert_element(pair, first, ir.IntType(32)(0))
            first = second = self.builder.insert_element(pair, second, ir.IntType(32)(1))
        if len(order) == 1:
            return self._new(self.builder.extract_element(first, order[0]))
        lanes = ir.Constant(_type(32, len(order)), order)
        return self._new(self.builder.shuffle_vector(first, second, lanes))

    def select(self, yes: Any, no: Any) -> LlvmVector:
        return self._new(self.builder.select(self.value, yes.value, no.value))

    def mask(self) -> LlvmVector:
        bits = self.builder.bitcast(self.value, _type(self.lanes, 1))
        return self._new(bits if self.lanes == 64 else self.builder.zext(bits, _type(64, 1)))

    def from_mask(self, lanes: int) -> LlvmVector:
        bits = self.value if lanes == 64 else self.builder.trunc(self.value, _type(lanes, 1))
        return self._new(self.builder.bitcast(bits, _type(1, lanes)))

    @property
    def can_compress(self) -> bool:
        return x86_width() == 512 and "+avx512vbmi2" in cpu_features()

    def compress(self, chosen: LlvmVector) -> LlvmVector:
        kind, zeros = self.value.type, self._operand(0).value
        name = f"llvm.x86.avx512.mask.compress.v{self.lanes}i{self.bits}"
        return self._call(name, kind, self.value, zeros, chosen.value)


class LlvmPointer:
    """An array argument of the LLVM function that is being built."""

    def __init__(self, context: Any, builder: Any, array: Any) -> None:
        self.context = context
        self.builder = builder
        self.array = array
        self.itemsize = context.get_abi_sizeof(array.data.type.pointee)

    def _at(self, offset: Any, size: int, kind: Any) -> Any:
        zero = _type(64, 1)(0)
        start = offset.value if isinstance(offset, LlvmVector) else _type(64, 1)(int(offset))
        if config.BOUNDSCHECK:
            count = self.builder.sub(self.array.nitems, _type(64, 1)(-(-size // self.itemsize)))
            below = self.builder.icmp_signed("<", start, zero)
            above = self.builder.icmp_signed(">", start, count)
            with self.builder.if_then(self.builder.or_(below, above), likely=False):
                message = ("a vector is loaded or stored outside of its array",)
                self.context.call_conv.return_user_exc(self.builder, IndexError, message)
        where = self.builder.gep(self.array.data, [start])
        return self.builder.bitcast(where, kind.as_pointer())

    def load(self, lanes: int, offset: Any = 0, bits: int = 0) -> LlvmVector:
        """See :meth:`NumpyPointer.load`."""
        bits = bits or 8 * self.itemsize
        where = self._at(offset, lanes * bits // 8, _type(bits, lanes))
        return LlvmVector(self.builder, self.builder.load(where, align=1))

    def store(self, vector: LlvmVector, offset: Any = 0) -> None:
        """See :meth:`NumpyPointer.store`."""
        where = self._at(offset, vector.lanes * vector.bits // 8, vector.value.type)
        self.builder.store(vector.value, where, align=1)

    def load_acquire(self, offset: Any) -> LlvmVector:
        """See :meth:`NumpyPointer.load_acquire`."""
        where = self._at(offset, 8, _type(64, 1))
        return LlvmVector(self.builder, self.builder.load_atomic(where, "acquire", 8))

    def swap(self, value: LlvmVector, offset: Any) -> LlvmVector:
        """See :meth:`NumpyPointer.swap`."""
        where = self._at(offset, 8, _type(64, 1))
        return LlvmVector(
            self.builder, self.builder.atomic_rmw("xchg", where, value.value, "acq_rel")
        )

    def store_release(self, value: LlvmVector, offset: Any) -> None:
        """See :meth:`NumpyPointer.store_release`."""
        where = self._at(offset, 8, _type(64, 1))
        self.builder.store_atomic(value.value, where, "release", 8)

    def prefetch(self, offset: Any) -> None:
        """See :meth:`NumpyPointer.prefetch`."""
        start = self.builder.gep(self.array.data, [offset.value])
        where = self.builder.bitcast(start, ir.IntType(8).as_pointer())
        hints = [ir.IntType(32)(k) for k in (0, 3, 1)]  # to read, to keep, data
        kinds = [where.type, *(hint.type for hint in hints)]
        signature = ir.FunctionType(ir.VoidType(), kinds)
        name = "llvm.prefetch.p0" if "*" not in str(where.type) else "llvm.prefetch.p0i8"
        function = cgutils.get_or_insert_function(self.builder.module, signature, name)
        self.builder.call(function, [where, *hints])


def intrinsic_type(source: VectorFunction) -> Any:
    """The Numba type of a vector function: an intrinsic of arrays and integers."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        arguments: list[Any] = []
        for kind, value in zip(signature.args, values, strict=True):
            if isinstance(kind, types.Array):
                array = context.make_array(kind)(context, builder, value)
                arguments.append(LlvmPointer(context, builder, array))
            elif kind.bitwidth == 64:
                arguments.append(LlvmVector(builder, value))
            else:
                widen = builder.sext if kind.signed else builder.zext
                arguments.append(LlvmVector(builder, widen(value, _type(64, 1))))
        result = source.py_func(*arguments)
        return result.value if source.returns else context.get_dummy_value()

    def typing(context: Any, *kinds: Any) -> Any:
        for kind in kinds:
            if isinstance(kind, types.Array) and kind.layout != "C":
                return None
            if not isinstance(kind, (types.Array, types.Integer)):
                return None
        result = types.int64 if source.returns else types.none
        return result(*(unliteral(kind) for kind in kinds)), build

    own = inspect.signature(source.py_func)
    first = inspect.Parameter("context", inspect.Parameter.POSITIONAL_ONLY)
    names = [p.replace(annotation=inspect.Parameter.empty) for p in own.parameters.values()]
    typing.__signature__ = inspect.Signature([first, *names])  # type: ignore[attr-defined]
    return types.Function(make_intrinsic_template(source, typing, source.__name__))
