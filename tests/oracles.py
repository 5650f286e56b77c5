"""Slow oracles: every stage once more, from the formulae of the standards, with no care for speed.

Nothing here imports pyjpegml. Where the standards leave rounding open, libjpeg's is written down as
a rule on exact numbers, not as its code. T.81 is ITU-T T.81 (JPEG), T.871 is ITU-T T.871 (JFIF).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

# --- colour (T.871 clause 7) ----------------------------------------------------------------------


def rgb_to_ycbcr(rgb: npt.ArrayLike) -> Floats:
    """(..., 3) RGB to YCbCr, real numbers, from the weights of luma alone."""
    r, g, b = np.moveaxis(np.asarray(rgb, float), -1, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return np.stack([y, (b - y) / 1.772 + 128, (r - y) / 1.402 + 128], axis=-1)


def ycbcr_to_rgb(ycbcr: npt.ArrayLike) -> Floats:
    """(..., 3) YCbCr to RGB, real numbers, not clipped."""
    y, cb, cr = np.moveaxis(np.asarray(ycbcr, float), -1, 0)
    r = y + 1.402 * (cr - 128)
    b = y + 1.772 * (cb - 128)
    return np.stack([r, (y - 0.299 * r - 0.114 * b) / 0.587, b], axis=-1)


def fixed(decimals: str) -> int:
    """A factor of five decimals in units of 2**-16, rounded to the nearest."""
    return math.floor(Fraction(decimals) * 2**16 + Fraction(1, 2))


def rgb_to_ycbcr_fixed(r: int, g: int, b: int, precision: int = 8) -> tuple[int, int, int]:
    """One pixel in libjpeg's fixed point: Y rounds halves up, Cb and Cr just below the half."""
    half = Fraction(1, 2)
    less = half - Fraction(1, 2**16)

    def weighted(*factors: int) -> Fraction:
        return Fraction(sum(f * s for f, s in zip(factors, (r, g, b), strict=True)), 2**16)

    y = weighted(fixed("0.29900"), fixed("0.58700"), fixed("0.11400"))
    cb = weighted(-fixed("0.16874"), -fixed("0.33126"), fixed("0.50000"))
    cr = weighted(fixed("0.50000"), -fixed("0.41869"), -fixed("0.08131"))
    centre = 2 ** (precision - 1) + less
    return math.floor(y + half), math.floor(cb + centre), math.floor(cr + centre)


def ycbcr_to_rgb_fixed(y: int, cb: int, cr: int, precision: int = 8) -> tuple[int, int, int]:
    """One pixel in libjpeg's fixed point; the two products of G are rounded together."""
    half = Fraction(1, 2)
    u, v = cb - 2 ** (precision - 1), cr - 2 ** (precision - 1)
    red = Fraction(fixed("1.40200") * v, 2**16)
    green = Fraction(-fixed("0.34414") * u - fixed("0.71414") * v, 2**16)
    blue = Fraction(fixed("1.77200") * u, 2**16)
    top = 2**precision - 1
    r, g, b = (min(max(y + math.floor(part + half), 0), top) for part in (red, green, blue))
    return r, g, b


# --- sampling -------------------------------------------------------------------------------------


def downsample(plane: npt.NDArray[Any], across: int, down: int) -> npt.NDArray[Any]:
    """Means of boxes of samples, with libjpeg's rounding.

    Half of one unit is rounded up. Where two columns are merged, and at most two rows, what is
    added to the mean before rounding down alternates along a row: 0, 1/2 for two samples, and 1/4,
    1/2 for four.
    """
    height, width = plane.shape[0] // down, plane.shape[1] // across
    out = np.zeros((height, width), plane.dtype)
    for row in range(height):
        for column in range(width):
            box = plane[row * down : (row + 1) * down, column * across : (column + 1) * across]
            mean = Fraction(int(box.sum(dtype=np.int64)), across * down)
            even = column % 2 == 0
            bias = {
                (1, 1): Fraction(0),
                (2, 1): Fraction(0) if even else Fraction(1, 2),
                (2, 2): Fraction(1, 4) if even else Fraction(1, 2),
            }.get((across, down), Fraction(1, 2))
            out[row, column] = math.floor(mean + bias)
    return out


def _interpolate(line: Floats, at: Floats) -> Floats:
    return np.interp(at, np.arange(line.size), line)


def triangle(plane: npt.NDArray[Any], across: int, down: int) -> Floats:
    """Linear interpolation between the centres of samples, the outermost ones repeated.

    All values are multiples of 1/16, which floats hold exactly.
    """
    out = plane.astype(float)
    for axis, factor in ((0, down), (1, across)):
        if factor == 2:
            size = out.shape[axis]
            centres = (np.arange(2 * size) + 0.5) / 2 - 0.5
            out = np.apply_along_axis(_interpolate, axis, out, centres)
    return out


def upsample(plane: npt.NDArray[Any], across: int, down: int) -> npt.NDArray[Any]:
    """The triangle filter with libjpeg's rounding; (down * h, across * w).

    What is added before rounding down alternates: along a row 1/4, 1/2 (rows not merged) or 8/16,
    7/16 (rows merged), else from row to row 1/4, 1/2. Components of one or two columns are repeated
    if columns were merged.
    """
    if across == 2 and plane.shape[1] <= 2:
        return plane.repeat(down, axis=0).repeat(2, axis=1)
    value = triangle(plane, across, down)
    even_column = np.arange(value.shape[1]) % 2 == 0
    even_row = np.arange(value.shape[0])[:, None] % 2 == 0
    bias = {
        (1, 1): np.zeros(1),
        (2, 1): np.where(even_column, 1 / 4, 2 / 4),
        (1, 2): np.where(even_row, 1 / 4, 2 / 4),
        (2, 2): np.where(even_column, 8 / 16, 7 / 16),
    }[across, down]
    return np.floor(value + bias).astype(plane.dtype)


# --- discrete cosine transform (T.81 A.3.3) -------------------------------------------------------


def _dct_pattern(v: int, u: int) -> Floats:
    """1/4 C(u) C(v) cos((2x+1) u pi / 16) cos((2y+1) v pi / 16) for all y, x."""
    pattern = np.empty((8, 8))
    for y in range(8):
        for x in range(8):
            pattern[y, x] = (
                (math.sqrt(0.5) if u == 0 else 1)
                * (math.sqrt(0.5) if v == 0 else 1)
                / 4
                * math.cos((2 * x + 1) * u * math.pi / 16)
                * math.cos((2 * y + 1) * v * math.pi / 16)
            )
    return pattern


#: PATTERNS[v, u, y, x]
PATTERNS = np.array([[_dct_pattern(v, u) for u in range(8)] for v in range(8)])


def forward_dct(block: npt.ArrayLike) -> Floats:
    """(..., 8, 8) samples, already level-shifted, to (..., 8, 8) coefficients by the double sum."""
    return np.einsum("vuyx,...yx->...vu", PATTERNS, np.asarray(block, float))


def inverse_dct(coefficients: npt.ArrayLike) -> Floats:
    """(..., 8, 8) coefficients to samples by the double sum, not level-shifted."""
    return np.einsum("vuyx,...vu->...yx", PATTERNS, np.asarray(coefficients, float))


# How far a fixed-point transform may be off. Its factors are rounded to 13 bits, so each is wrong
# by 2**-14 at most, and every entry of the 8x8 matrix of the flow graph sums at most 4 factors:
# each entry is wrong by 2**-12 at most. Passes are scaled by sqrt(8) each; between them 2 more bits
# are kept, and both results are rounded (0.5).
_ENTRY = 2.0**-12


def forward_dct_error(half: int = 128, extra: int = 2) -> float:
    """Bound of the error of a forward DCT in fixed point, for samples in [-half, half], and the
    extra bits between the passes.

    Rows of sqrt(8) times the matrix have absolute sums of at most 8.
    """
    scale = 2**extra
    first = scale * (8 * _ENTRY * half) + 0.5
    largest = scale * 8 * half + first
    eight_fold = (8 * first + 8 * _ENTRY * largest) / scale + 0.5
    return eight_fold / 8


def inverse_dct_error(coefficients: npt.ArrayLike, extra: int = 2) -> Floats:
    """Bound of the error of a sample after an inverse DCT in fixed point, rounding to an integer
    included; (..., 64) coefficients, and the extra bits between the passes.

    Entries of sqrt(8) times the matrix are sqrt(2) at most.
    """
    total = np.abs(np.asarray(coefficients, float)).sum(axis=-1)
    scale = 2**extra
    first = scale * _ENTRY * total + 8 * 0.5  # the errors of the eight values of a row, summed
    values = scale * math.sqrt(2) * total + first
    return (math.sqrt(2) * first + _ENTRY * values) / (8 * scale) + 0.5


# --- quantization (T.81 A.3.4) --------------------------------------------------------------------


def round_half_away(value: Fraction) -> int:
    """The nearest integer, halves away from zero."""
    size = math.floor(abs(value) + Fraction(1, 2))
    return size if value >= 0 else -size


def quantize(coefficient: Fraction, step: int) -> int:
    return round_half_away(coefficient / step)


def scaled_step(step: int, quality: int) -> int:
    """The step of an IJG quality: scaled by a whole percentage, limited to 1 to 255."""
    percent = math.floor(Fraction(5000, quality)) if quality < 50 else 200 - 2 * quality
    return min(max(math.floor(Fraction(step * percent, 100) + Fraction(1, 2)), 1), 255)


# --- Huffman (T.81 Annex C, K.2) ------------------------------------------------------------------


def canonical_codes(bits: Sequence[int], symbols: bytes) -> dict[int, str]:
    """Code of each symbol as a string of 0 and 1, counting upwards (Annex C)."""
    codes: dict[int, str] = {}
    last = ""
    left = iter(symbols)
    for length, count in enumerate(bits, 1):
        for _ in range(count):
            following = int(last, 2) + 1 if last else 0
            last = format(following, f"0{len(last)}b").ljust(length, "0") if last else "0" * length
            codes[next(left)] = last
    return codes


def is_prefix_free(codes: Iterable[str]) -> bool:
    ordered = sorted(codes)
    return not any(b.startswith(a) for a, b in pairwise(ordered))


def package_merge(weights: Sequence[int], limit: int) -> list[int]:
    """Lengths of a cheapest prefix code with no length above `limit` (Larmore, Hirschberg 1990).

    A package is a weight and how often each symbol is in it; the length of a symbol is how many of
    the 2 n - 2 cheapest packages of the last round hold it.
    """
    count = len(weights)
    if count == 1:
        return [1]
    assert count <= 2**limit
    single = sorted((w, (i,)) for i, w in enumerate(weights))
    packages = single
    for _ in range(limit - 1):
        pairs = [
            (a[0] + b[0], a[1] + b[1]) for a, b in zip(packages[0::2], packages[1::2], strict=False)
        ]
        packages = sorted(single + pairs)
    lengths = [0] * count
    for _, held in packages[: 2 * count - 2]:
        for i in held:
            lengths[i] += 1
    return lengths


# --- bytes of an entropy-coded segment (T.81 B.1.1.5, F.1.2.3) ------------------------------------


def pack(bits: str) -> bytes:
    """Bits to bytes, the last one filled with ones."""
    bits += "1" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def stuff(data: bytes) -> bytes:
    return data.replace(b"\xff", b"\xff\0")


def restart_intervals(data: bytes) -> list[bytes]:
    """Entropy-coded data split at RST0, RST1, ... with the stuffing undone."""
    intervals, current, i = [], bytearray(), 0
    while i < len(data):
        if data[i] != 0xFF:
            current.append(data[i])
            i += 1
        elif data[i + 1] == 0:
            current.append(0xFF)
            i += 2
        else:
            assert data[i + 1] == 0xD0 + len(intervals) % 8, "restart markers count modulo 8"
            intervals.append(bytes(current))
            current.clear()
            i += 2
    return [*intervals, bytes(current)]


# --- the sequential scan (T.81 A.1, A.2, F.1.2, F.2.2) --------------------------------------------

#: Natural index of each zigzag position: diagonals, turning at every border (Figure A.6).
ZIGZAG: list[int] = []


def _walk() -> None:
    v = u = 0
    up = True
    while len(ZIGZAG) < 64:
        ZIGZAG.append(8 * v + u)
        if up and (u == 7 or v == 0):
            v, u, up = (v + 1, u, False) if u == 7 else (v, u + 1, False)
        elif not up and (v == 7 or u == 0):
            v, u, up = (v, u + 1, True) if v == 7 else (v + 1, u, True)
        else:
            v, u = (v - 1, u + 1) if up else (v + 1, u - 1)


_walk()


def category(value: int) -> int:
    """Table F.1: the least n with abs(value) < 2**n."""
    n = 0
    while abs(value) >= 2**n:
        n += 1
    return n


def raw_bits(value: int) -> str:
    """The additional bits of a value: its own, or if it is negative those of abs(value) turned."""
    own = format(abs(value), "b") if value else ""
    return own if value > 0 else own.translate(str.maketrans("01", "10"))


def extend(bits: str) -> int:
    """The value that additional bits stand for; a leading 0 is a minus sign (Table F.5)."""
    if not bits:
        return 0
    return int(bits, 2) if bits[0] == "1" else int(bits, 2) - (2 ** len(bits) - 1)


Block = Sequence[int]  # 64 coefficients, natural order
#: An MCU: pairs of a component and its block, None for a dummy block.
Mcu = list[tuple[int, "Block | None"]]


def component_size(size: int, factor: int, largest: int) -> int:
    """Samples of a component along one axis (A.1.1)."""
    return math.ceil(Fraction(size * factor, largest))


def mcu_blocks(
    width: int, height: int, sampling: Sequence[tuple[int, int]]
) -> Iterator[list[tuple[int, int, int, bool]]]:
    """For each MCU of an interleaved scan the (component, block row, block column, real) of its
    blocks (A.2.3); real blocks hold at least one sample of the component."""
    h_max = max(h for h, _ in sampling)
    v_max = max(v for _, v in sampling)
    for top in range(0, height, 8 * v_max):
        for left in range(0, width, 8 * h_max):
            blocks = []
            for i, (h, v) in enumerate(sampling):
                w = component_size(width, h, h_max)
                t = component_size(height, v, v_max)
                for row in range(top // (8 * v_max) * v, top // (8 * v_max) * v + v):
                    for column in range(left // (8 * h_max) * h, left // (8 * h_max) * h + h):
                        blocks.append((i, row, column, 8 * row < t and 8 * column < w))
            yield blocks


def block_symbols(block: Block, prediction: int) -> Iterator[tuple[str, int, str]]:
    """What one block is coded as: ("DC" or "AC", Huffman symbol, additional bits) (F.1.2)."""
    difference = block[0] - prediction
    yield "DC", category(difference), raw_bits(difference)
    run = 0
    for k in range(1, 64):
        value = block[ZIGZAG[k]]
        if value == 0:
            run += 1
            continue
        for _ in range(run // 16):
            yield "AC", 0xF0, ""
        yield "AC", 16 * (run % 16) + category(value), raw_bits(value)
        run = 0
    if run:
        yield "AC", 0x00, ""


def scan_symbols(
    mcus: Sequence[Mcu], restart_interval: int = 0
) -> Iterator[tuple[int, int, str, int, str]]:
    """All symbols of a scan: (interval, component, "DC" or "AC", symbol, additional bits)."""
    predictions: dict[int, int] = {}
    for number, mcu in enumerate(mcus):
        interval = number // restart_interval if restart_interval else 0
        if restart_interval and number % restart_interval == 0:
            predictions = {}
        for component, block in mcu:
            prediction = predictions.get(component, 0)
            if block is None:
                block = [prediction] + [0] * 63
            for kind, symbol, extra in block_symbols(block, prediction):
                yield interval, component, kind, symbol, extra
            predictions[component] = block[0]


Codes = dict[tuple[int, str], dict[int, str]]  # by component and "DC" or "AC"


def encode_scan(mcus: Sequence[Mcu], codes: Codes, restart_interval: int = 0) -> bytes:
    """Entropy-coded data of a sequential scan, by way of one string of 0 and 1 an interval."""
    intervals: dict[int, list[str]] = {}
    for interval, component, kind, symbol, extra in scan_symbols(mcus, restart_interval):
        intervals.setdefault(interval, []).append(codes[component, kind][symbol] + extra)
    out = b""
    for interval, parts in intervals.items():
        if interval:
            out += bytes([0xFF, 0xD0 + (interval - 1) % 8])
        out += stuff(pack("".join(parts)))
    return out


class _Reader:
    """Bits of one interval, read from a string."""

    def __init__(self, data: bytes) -> None:
        self.bits = "".join(format(byte, "08b") for byte in data)
        self.position = 0

    def take(self, count: int) -> str:
        assert self.position + count <= len(self.bits), "no bits left"
        self.position += count
        return self.bits[self.position - count : self.position]

    def symbol(self, codes: dict[int, str]) -> int:
        symbols = {code: symbol for symbol, code in codes.items()}
        code = ""
        while code not in symbols:
            assert len(code) < 16, "bits that are no code"
            code += self.take(1)
        return symbols[code]


def decode_scan(
    data: bytes, layout: Sequence[Sequence[int]], codes: Codes, restart_interval: int = 0
) -> list[list[list[int]]]:
    """Blocks of a sequential scan, natural order; `layout` has the component of each block, MCU by
    MCU."""
    intervals = restart_intervals(data)
    reader, predictions = _Reader(intervals[0]), dict[int, int]()
    mcus = []
    for number, components in enumerate(layout):
        if restart_interval and number and number % restart_interval == 0:
            reader, predictions = _Reader(intervals[number // restart_interval]), {}
        mcu = []
        for component in components:
            block = [0] * 64
            difference = extend(reader.take(reader.symbol(codes[component, "DC"])))
            block[0] = predictions.get(component, 0) + difference
            predictions[component] = block[0]
            k = 1
            while k < 64:
                run, size = divmod(reader.symbol(codes[component, "AC"]), 16)
                if size == 0:
                    if run == 0:
                        break
                    assert run == 15, "a symbol without a meaning in a sequential scan"
                    k += 16
                    continue
                k += run
                block[ZIGZAG[k]] = extend(reader.take(size))
                k += 1
            mcu.append(block)
        mcus.append(mcu)
    return mcus


# --- files (T.81 Annex B) -------------------------------------------------------------------------


def file_parts(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Segments up to the first SOS as (code, parameters), and the entropy-coded data behind it.

    For sound files of one scan only.
    """
    assert data[:2] == b"\xff\xd8"
    assert data[-2:] == b"\xff\xd9"
    parts, i = [], 2
    while True:
        assert data[i] == 0xFF
        code, length = data[i + 1], 256 * data[i + 2] + data[i + 3]
        parts.append((code, data[i + 4 : i + 2 + length]))
        i += 2 + length
        if code == 0xDA:
            return parts, data[i:-2]


def file_huffman_tables(data: bytes) -> dict[int, tuple[tuple[int, ...], bytes]]:
    """Counts and symbols of all Huffman tables before the first scan, by class and slot byte."""
    tables = {}
    for code, payload in file_parts(data)[0]:
        while code == 0xC4 and payload:
            bits = tuple(payload[1:17])
            tables[payload[0]] = bits, payload[17 : 17 + sum(bits)]
            payload = payload[17 + sum(bits) :]
    return tables
