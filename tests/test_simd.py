"""Lane vectors, operation by operation: compiled, on NumPy, and by integers of Python."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from helpers import run_python
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import dct
from pyjpegml._jit import kernel
from pyjpegml._simd_numpy import NumpyVector
from pyjpegml.simd import Vector, concatenate, interleave, pack, transpose, vector_function

BYTES = 512  # of each operand: 64 lanes of 64 bits
ROOM = BYTES + 64  # for each result, and bytes behind it that stay as they are
Lanes = list[int]


def wrap(value: int, bits: int) -> int:
    """The signed number that `bits` bits hold."""
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def unsigned(value: int, bits: int) -> int:
    return value % (1 << bits)


def limit(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


@dataclass
class Operation:
    """What a vector function says, and what it should be."""

    name: str
    bits: int  # of the operands
    lanes: int
    made: Callable[..., Vector]
    expected: Callable[[Lanes, Lanes], Lanes]
    result: int  # bits of a lane of the result


def lanewise(
    name: str, bits: int, lanes: int, made: Callable[..., Vector],
    each: Callable[[int, int], int], result: int = 0,
) -> Operation:  # fmt: skip
    def expected(a: Lanes, b: Lanes) -> Lanes:
        return [wrap(each(x, y), result or bits) for x, y in zip(a, b, strict=True)]

    return Operation(f"{name} {lanes}x{bits}", bits, lanes, made, expected, result or bits)


def zeros_above(value: int, bits: int) -> int:
    return bits - unsigned(value, bits).bit_length()


def zeros_below(value: int, bits: int) -> int:
    value = unsigned(value, bits)
    return (value & -value).bit_length() - 1 if value else bits


def swapped(value: int, bits: int) -> int:
    return int.from_bytes(unsigned(value, bits).to_bytes(bits // 8, "little"), "big")


def simple_operations(bits: int, lanes: int) -> list[Operation]:
    """Those that any width has."""
    shift = bits - 3
    made = [
        lanewise("add", bits, lanes, lambda a, b: a + b, lambda x, y: x + y),
        lanewise("sub", bits, lanes, lambda a, b: a - b, lambda x, y: x - y),
        lanewise("from", bits, lanes, lambda a, b: 100 - a, lambda x, y: 100 - x),
        lanewise("negative", bits, lanes, lambda a, b: -a, lambda x, y: -x),
        lanewise("mul", bits, lanes, lambda a, b: a * b, lambda x, y: x * y),
        lanewise("and", bits, lanes, lambda a, b: a & b, lambda x, y: x & y),
        lanewise("or", bits, lanes, lambda a, b: a | b, lambda x, y: x | y),
        lanewise("xor", bits, lanes, lambda a, b: a ^ b, lambda x, y: x ^ y),
        lanewise("left", bits, lanes, lambda a, b: a << 3, lambda x, y: x << 3),
        lanewise("right", bits, lanes, lambda a, b: a >> 3, lambda x, y: x >> 3),
        lanewise(
            "right, by lanes", bits, lanes, lambda a, b: a >> (b & shift), lambda x, y: x >> (y & shift)
        ),
        lanewise(
            "left, by lanes", bits, lanes, lambda a, b: a << (b & shift), lambda x, y: x << (y & shift)
        ),
        lanewise(
            "right, zeros", bits, lanes,
            lambda a, b: a.shift_right(3), lambda x, y: unsigned(x, bits) >> 3,
        ),
        lanewise(
            "right, zeros, by lanes", bits, lanes,
            lambda a, b: a.shift_right(b & shift), lambda x, y: unsigned(x, bits) >> (y & shift),
        ),
        lanewise("minimum", bits, lanes, lambda a, b: a.minimum(b), min),
        lanewise("maximum", bits, lanes, lambda a, b: a.maximum(b), max),
        lanewise("ones", bits, lanes, lambda a, b: a.ones(), lambda x, y: unsigned(x, bits).bit_count()),
        lanewise(
            "leading", bits, lanes,
            lambda a, b: a.leading_zeros(), lambda x, y: zeros_above(x, bits),
        ),
        lanewise(
            "trailing", bits, lanes,
            lambda a, b: a.trailing_zeros(), lambda x, y: zeros_below(x, bits),
        ),
        lanewise(
            "zeros of zero", bits, lanes,
            lambda a, b: (a & 0).leading_zeros() + (a & 0).trailing_zeros(), lambda x, y: 2 * bits,
        ),
        lanewise("equals", bits, lanes, lambda a, b: (a & 3).equals(b & 3).select(a, b),
                 lambda x, y: x if x & 3 == y & 3 else y),
        lanewise("differs", bits, lanes, lambda a, b: a.differs(7).select(a, b),
                 lambda x, y: x if x != 7 else y),
        lanewise("exceeds", bits, lanes, lambda a, b: a.exceeds(b).select(a, b), max),
    ]  # fmt: skip
    if bits > 8:
        made.append(
            lanewise(
                "swap", bits, lanes, lambda a, b: a.swap_bytes(), lambda x, y: swapped(x, bits)
            )
        )
    for wider in (16, 32, 64):
        if wider > bits:
            made += [
                lanewise(f"sext {wider}", bits, lanes, lambda a, b, w=wider: a.sext(w), lambda x, y: x, wider),
                lanewise(
                    f"zext {wider}", bits, lanes, lambda a, b, w=wider: a.zext(w),
                    lambda x, y: unsigned(x, bits), wider,
                ),
                lanewise(f"trunc {bits}", wider, lanes, lambda a, b: a.trunc(bits), lambda x, y: x, bits),
            ]  # fmt: skip
    if lanes > 1:
        values = [1, -2, 3, 200][: min(lanes, 4)]
        made += [
            Operation(
                f"sequence {lanes}x{bits}", bits, lanes, lambda a, b: a + values,
                lambda a, b: [wrap(x + values[k % len(values)], bits) for k, x in enumerate(a)], bits,
            ),
            Operation(
                f"reverse {lanes}x{bits}", bits, lanes,
                lambda a, b: a.shuffle(range(2 * lanes - 1, -1, -2), b),
                lambda a, b: (a + b)[::-2], bits,
            ),
            Operation(
                f"concatenate {lanes}x{bits}", bits, lanes, lambda a, b: concatenate(*b.halves()),
                lambda a, b: b, bits,
            ),
            Operation(
                f"one lane {lanes}x{bits}", bits, lanes, lambda a, b: a.shuffle([lanes - 1]),
                lambda a, b: a[-1:], bits,
            ),
            Operation(
                f"mask {lanes}x{bits}", bits, lanes, lambda a, b: a.exceeds(b).mask(),
                lambda a, b: [wrap(sum((x > y) << k for k, (x, y) in enumerate(zip(a, b, strict=True))), 64)],
                64,
            ),
            Operation(
                f"from mask {lanes}x{bits}", bits, lanes,
                lambda a, b: a.exceeds(b).mask().from_mask(lanes).select(a, b),
                lambda a, b: [max(pair) for pair in zip(a, b, strict=True)], bits,
            ),
        ]  # fmt: skip
    return made


def rows(a: Lanes, size: int) -> list[Lanes]:
    return [a[k : k + size] for k in range(0, len(a), size)]


def interleaved(a: Lanes, b: Lanes, bits: int, part: int) -> Lanes:
    half = 64 // bits
    return [
        lane
        for x, y in zip(rows(a, 2 * half), rows(b, 2 * half), strict=True)
        for pair in zip(x[part * half :][:half], y[part * half :][:half], strict=True)
        for lane in pair
    ]


def packed(a: Lanes, b: Lanes) -> Lanes:
    return [
        limit(lane, -32768, 32767)
        for x, y in zip(rows(a, 4), rows(b, 4), strict=True)
        for lane in x + y
    ]


def products(a: Lanes, b: Lanes) -> Lanes:
    pairs = zip(rows(a, 2), rows(b, 2), strict=True)
    return [wrap(x * u + y * v, 32) for (x, y), (u, v) in pairs]


def high(x: int, y: int) -> int:
    return unsigned(x, 16) * unsigned(y, 16) >> 16


def as_bytes(a: Lanes, bits: int) -> bytes:
    return b"".join(unsigned(x, bits).to_bytes(bits // 8, "little") for x in a)


def from_bytes(data: bytes, bits: int) -> Lanes:
    size = bits // 8
    return [
        int.from_bytes(data[k : k + size], "little", signed=True) for k in range(0, len(data), size)
    ]


def operations() -> list[Operation]:
    made = []
    for bits in (8, 16, 32, 64):
        for lanes in (1, 4, 128 // bits, 512 // bits):
            if bits != 8 or lanes <= 64:
                made += simple_operations(bits, lanes)
    for lanes in (8, 16, 32, 64):
        made += [
            Operation(f"madd {lanes}", 16, lanes, lambda a, b: a.madd(b), products, 32),
            Operation(
                f"madd, lowest {lanes}", 16, lanes, lambda a, b: ((a & 0) - 32768).madd(-32768),
                lambda a, b: [-(2**31)] * (len(a) // 2), 32,
            ),
            Operation(
                f"madd, factors {lanes}", 16, lanes, lambda a, b: a.madd((25172, -32768)),
                lambda a, b: products(a, [25172, -32768] * (len(a) // 2)), 32,
            ),
            lanewise("high", 16, lanes, lambda a, b: a.multiply_high(b), high),
            lanewise("to uint8", 16, lanes, lambda a, b: a.to_uint8(), lambda x, y: limit(x, 0, 255), 8),
            lanewise("to int8", 16, lanes, lambda a, b: a.to_int8(), lambda x, y: limit(x, -128, 127), 8),
        ]  # fmt: skip
    for lanes in (4, 8, 16, 32):
        made += [
            Operation(f"pack {lanes}", 32, lanes, lambda a, b: pack(a >> 12, b >> 14),
                      lambda a, b: packed([x >> 12 for x in a], [x >> 14 for x in b]), 16),
            lanewise("to int16", 32, lanes, lambda a, b: (a >> 12).to_int16(),
                     lambda x, y: limit(x >> 12, -32768, 32767), 16),
        ]  # fmt: skip
    for bits, lanes in ((8, 16), (8, 64), (16, 8), (16, 32), (32, 4), (32, 16)):
        for part in (0, 1):
            made.append(
                Operation(
                    f"interleave {lanes}x{bits}, {part}", bits, lanes,
                    lambda a, b, part=part: interleave(a, b)[part],
                    lambda a, b, bits=bits, part=part: interleaved(a, b, bits, part), bits,
                )
            )  # fmt: skip
        for other in (8, 16, 32, 64):
            made.append(
                Operation(
                    f"view {lanes}x{bits} as {other}", bits, lanes, lambda a, b, w=other: a.view(w),
                    lambda a, b, bits=bits, w=other: from_bytes(as_bytes(a, bits), w), other,
                )
            )  # fmt: skip
    return made


OPERATIONS = operations()
PLACES = np.cumsum([0] + [ROOM] * len(OPERATIONS)).tolist()


@vector_function
def all_operations(a, b, out):
    """Each operation on the first bytes of `a` and `b`, to its place in `out`."""
    for operation, place in zip(OPERATIONS, PLACES, strict=False):
        x, y = (p.load(operation.lanes, 0, operation.bits) for p in (a, b))
        result = operation.made(x, y)
        assert result.bits == operation.result
        out.store(result, place)


@kernel
def run(a, b, out):
    """Compiled."""
    all_operations(a, b, out)


def check(a: bytes, b: bytes) -> None:
    """Compiled, on NumPy, and as it should be; nothing else is written."""
    x, y = (np.frombuffer(bytearray(data), np.uint8) for data in (a, b))
    compiled, interpreted = (np.full(PLACES[-1], 0xAA, np.uint8) for _ in range(2))
    run(x, y, compiled)
    all_operations(x, y, interpreted)
    for operation, place in zip(OPERATIONS, PLACES, strict=False):
        size = operation.lanes * operation.bits // 8
        p, q = (from_bytes(data[:size], operation.bits) for data in (a, b))
        expected = as_bytes(operation.expected(p, q), operation.result)
        expected += b"\xaa" * (ROOM - len(expected))
        for way in (compiled, interpreted):
            found = way[place : place + ROOM].tobytes()
            assert found == expected, f"{operation.name}: {p}, {q}"


def test_every_operation_compiles() -> None:
    check(bytes(BYTES), bytes(k % 256 for k in range(BYTES)))


EXTREMES = [b"\0\0", b"\xff\xff", b"\x7f\x7f", b"\x80\x80", b"\0\x80", b"\xff\x7f", b"\1\0"]


def operand(seed: int, kind: str) -> bytes:
    """Any bytes, or those that make extreme numbers of all widths."""
    rng = np.random.default_rng(seed)
    if kind == "any":
        return rng.bytes(BYTES)
    pieces = [EXTREMES[k] for k in rng.integers(0, len(EXTREMES), BYTES // 2)]
    repeat = 1 if kind == "short extremes" else 4
    return b"".join(piece * repeat for piece in pieces)[:BYTES]


KINDS = ["any", "short extremes", "long extremes"]
operands = st.builds(operand, st.integers(0, 2**32 - 1), st.sampled_from(KINDS))


@given(operands, operands)
def test_every_operation(a: bytes, b: bytes) -> None:
    check(a, b)


CPUS = {
    "nehalem": "+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt",
    "haswell": "+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+bmi,+bmi2,+lzcnt,+fma,+movbe",
}


@pytest.mark.parametrize("cpu", CPUS)
def test_every_operation_on_older_cpus(cpu: str) -> None:
    """Their vectors are shorter, and instructions are missing that this CPU may have."""
    script = """
import sys
sys.path.insert(0, sys.argv[1])
import test_simd
from pyjpegml import _simd_llvm
for seed in range(12):
    for kind in test_simd.KINDS:
        test_simd.check(test_simd.operand(seed, kind), test_simd.operand(seed + 100, "any"))
        test_simd.check(test_simd.operand(seed, "any"), test_simd.operand(seed + 100, kind))
print(_simd_llvm.x86_width())
"""
    done = run_python(
        script, str(Path(__file__).parent), NUMBA_CPU_NAME=cpu, NUMBA_CPU_FEATURES=CPUS[cpu]
    )
    assert done.stdout.strip() in ({"nehalem": "128", "haswell": "256"}[cpu], "0")


@kernel
def move(source, start, out, position):
    """One load and one store."""
    copy_16(source, start, out, position)


@vector_function
def copy_16(source, start, out, position):
    """16 bytes."""
    out.store(source.load(16, start), position)


@kernel
def call_first_bit(x):
    """An integer in, an integer out."""
    return first_bit(x)


@vector_function
def first_bit(x) -> int:
    """Index of the lowest bit."""
    return x.trailing_zeros()


@pytest.mark.parametrize("kind", [np.int64, np.uint64, np.int32, np.uint8])
def test_integers(kind: type) -> None:
    for value in (0, 1, 64, 96):
        assert call_first_bit(kind(value)) == first_bit(kind(value)) == zeros_below(value, 64)
    top = np.uint64(1 << 63)
    assert call_first_bit(top) == first_bit(top) == 63


@pytest.mark.parametrize("start", [0, 1, 16])
def test_loads_and_stores_touch_nothing_else(start: int) -> None:
    source = np.arange(32, dtype=np.uint8)
    out = np.full(64, 0xAA, np.uint8)
    move(source, start, out, 24)
    assert (out[24:40] == source[start : start + 16]).all()
    assert (np.delete(out, range(24, 40)) == 0xAA).all()


@pytest.mark.parametrize(("start", "position"), [(-1, 0), (17, 0), (0, -1), (0, 49), (2**40, 0)])
def test_numpy_checks_bounds(start: int, position: int) -> None:
    with pytest.raises(IndexError):
        copy_16(np.zeros(32, np.uint8), start, np.zeros(64, np.uint8), position)


def test_compiled_bounds_are_checked_if_numba_does() -> None:
    script = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np, test_simd
raised = 0
for start, position in [(0, 0), (16, 48), (-1, 0), (17, 0), (0, -1), (0, 49)]:
    try:
        test_simd.move(np.zeros(32, np.uint8), start, np.zeros(64, np.uint8), position)
    except IndexError:
        raised += 1
print(raised)
"""
    done = run_python(script, str(Path(__file__).parent), NUMBA_BOUNDSCHECK="1")
    assert done.stdout.strip() == "4"


def test_arrays_are_contiguous() -> None:
    with pytest.raises(ValueError, match="contiguous"):
        copy_16(np.zeros(64, np.uint8)[::2], 0, np.zeros(64, np.uint8), 0)


def test_shapes_must_agree() -> None:
    a, b = NumpyVector(np.zeros(8, np.int16)), NumpyVector(np.zeros(4, np.int16))
    with pytest.raises(ValueError, match="4 x 16 bits with 8 x 16"):
        a + b
    three = (1, 2, 3)
    with pytest.raises(ValueError, match="3 values do not fill 8 lanes"):
        a + three


def vectors(values: npt.NDArray[np.int16]) -> list[NumpyVector]:
    return [NumpyVector(row) for row in values]


def test_transpose() -> None:
    """Eight rows of four blocks: each block is transposed where it is."""
    values = np.arange(256, dtype=np.int16).reshape(8, 4, 8)
    found = np.array([v.values for v in transpose(vectors(values.reshape(8, 32)))])
    assert np.array_equal(found.reshape(8, 4, 8), values.transpose(2, 1, 0))


def test_blocks_and_rows() -> None:
    values = np.arange(256, dtype=np.int16).reshape(8, 4, 8)
    blocks = dct.blocks_of_rows(vectors(values.reshape(8, 32)))
    for k, block in enumerate(blocks):
        assert np.array_equal(block.values.reshape(8, 8), values[:, k])
    again = dct.rows_of_blocks(blocks)
    assert np.array_equal(np.array([row.values for row in again]).reshape(8, 4, 8), values)


@given(st.lists(st.tuples(st.integers(-128, 127), st.booleans()), min_size=64, max_size=64))
def test_compress(lanes: list[tuple[int, bool]]) -> None:
    """As the encoder uses it; where the CPU cannot, only NumPy is looked at."""
    values, chosen = (np.array(each) for each in zip(*lanes, strict=True))
    front = [value for value, take in lanes if take]
    expected = front + [0] * (64 - len(front))
    vector = NumpyVector(values.astype(np.int8))
    assert vector.compress(NumpyVector(chosen.astype(bool))).values.tolist() == expected
    mask = int(np.packbits(chosen.astype(np.uint8), bitorder="little").view(np.int64)[0])
    out = np.zeros(64, np.int8)
    if call_compressed(values.astype(np.int8), mask, out):
        assert out.tolist() == expected


@kernel
def call_compressed(values, mask, out):
    """Compiled."""
    return compressed(values, mask, out)


@vector_function
def compressed(values, mask, out) -> int:
    """Whether the CPU can."""
    if not mask.can_compress:
        return mask & 0
    out.store(values.load(64).compress(mask.from_mask(64)))
    return (mask & 0) + 1


def test_importing_the_layer_is_light() -> None:
    script = "import sys, pyjpegml.simd; print('numba' in sys.modules, 'llvmlite' in sys.modules)"
    assert run_python(script).stdout.split() == ["False", "False"]


def test_no_jit() -> None:
    """Without Numba, kernels run the same functions on NumPy."""
    script = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np, test_simd
rng = np.random.default_rng(0)
test_simd.check(*(rng.integers(0, 256, test_simd.BYTES, np.uint8).tobytes() for _ in range(2)))
print("numba" in sys.modules)
"""
    done = run_python(
        script, str(Path(__file__).parent), options=("-W", "error"), NUMBA_DISABLE_JIT="1"
    )
    assert done.stdout.strip() == "False"


assert sys.byteorder == "little"  # as all CPUs that Numba compiles for
