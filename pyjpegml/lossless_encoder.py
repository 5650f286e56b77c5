"""The lossless process, written: samples to differences, to Huffman codes (T.81 Annex H).

The counterpart of :mod:`pyjpegml.lossless`, which has the predictors and the rules at the edges. An
encoder has all samples from the start, so nothing waits for anything: the differences of a line are
made at once, in the order of the scan, in which the samples of a pixel follow one another. Then
each is coded by itself: a code for its category, and as many raw bits (Table H.2). Category 16 is
the one difference 32768, which needs none.

Lines are gone through twice, to count categories and to code them, as Annex K's tables know none
above 11. All components share one table, since none of them is chroma.

Arrays: a picture is (h, n w), the rows of an (h, w, n) array laid flat, uint8 or uint16, and
read-only; differences are int32 from -32767 to 32768.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import numpy.typing as npt

from . import markers, symbols
from ._jit import inlined, kernel
from .huffman import HuffmanTable, optimal_table
from .simd import vector_function
from .symbols import BITS, COUNT, POSITION, finish, new_writer, size_of

#: Samples that are coded between two passes of stuffing.
PIECE_SAMPLES = 1 << 16

#: Bytes that a sample takes at most: a code of 16 bits, and 15 raw bits.
SAMPLE_BYTES = 4


@inlined
def _differences(picture, y, n, predictor, shift, start, first, differences):
    """Differences of line `y`, with the rules at the edges (T.81 H.1.2.1).

    `first` says that no line above counts. Views begin at the second pixel: no index is negative.
    """
    size = picture.shape[1]
    line = picture[y]
    if first:
        for i in range(n):
            differences[i] = (np.int32(line[i]) >> shift) - start
    else:
        above = picture[y - 1]
        for i in range(n):
            differences[i] = (np.int32(line[i]) >> shift) - (np.int32(above[i]) >> shift)
    x, a, out = line[n:], line[: size - n], differences[n:size]
    if first or predictor == 1:
        for i in range(out.size):
            out[i] = (np.int32(x[i]) >> shift) - (np.int32(a[i]) >> shift)
        return
    above = picture[y - 1]
    b, c = above[n:], above[: size - n]
    if predictor == 2:
        for i in range(out.size):
            out[i] = (np.int32(x[i]) >> shift) - (np.int32(b[i]) >> shift)
    elif predictor == 3:
        for i in range(out.size):
            out[i] = (np.int32(x[i]) >> shift) - (np.int32(c[i]) >> shift)
    elif predictor == 4:
        for i in range(out.size):
            plane = np.int32(
                np.int32((np.int32(a[i]) >> shift) + (np.int32(b[i]) >> shift))
                - (np.int32(c[i]) >> shift)
            )
            out[i] = (np.int32(x[i]) >> shift) - plane
    elif predictor == 5:
        for i in range(out.size):
            slope = np.int32((np.int32(b[i]) >> shift) - (np.int32(c[i]) >> shift)) >> np.int32(1)
            out[i] = np.int32((np.int32(x[i]) >> shift) - (np.int32(a[i]) >> shift)) - slope
    elif predictor == 6:
        for i in range(out.size):
            slope = np.int32((np.int32(a[i]) >> shift) - (np.int32(c[i]) >> shift)) >> np.int32(1)
            out[i] = np.int32((np.int32(x[i]) >> shift) - (np.int32(b[i]) >> shift)) - slope
    else:
        for i in range(out.size):
            mean = np.int32((np.int32(a[i]) >> shift) + (np.int32(b[i]) >> shift)) >> np.int32(1)
            out[i] = (np.int32(x[i]) >> shift) - mean


@inlined
def _wrapped(difference):
    """A difference modulo 2**16, from -32767 to 32768 (T.81 H.1.2.2)."""
    return ((np.int64(difference) + 32767) & 0xFFFF) - 32767


@kernel
def count_categories(
    picture, n, first, last, interval, predictor, shift, start, differences, counts
):
    """Count the categories of the differences of some lines.

    Parameters
    ----------
    picture : (h, n w) uint8 or uint16
        Read-only.
    n : int
        Samples of a pixel.
    first, last : int
        Lines.
    interval : int
        Lines between restart markers; 0 for none.
    predictor : int, 1 to 7
    shift : int
        Bits of the point transform.
    start : int
        Prediction of the first sample: ``2 ** (precision - shift - 1)``.
    differences : (n w,) int32
        Scratch.
    counts : (256,) int64
        By category; added to.
    """
    for y in range(first, last):
        begins = y == 0 or (interval > 0 and y % interval == 0)
        _differences(
            picture, y, n, predictor, np.int32(shift), np.int32(start), begins, differences
        )
        for i in range(differences.size):
            counts[size_of(_wrapped(differences[i]))] += 1


@vector_function
def _put_bytes(raw, position, bits):
    """Store eight bytes, the first from the highest bits."""
    raw.store(bits.swap_bytes(), position)


@kernel
def code_lines(
    picture, n, first, last, interval, predictor, shift, start, codes, differences, writer, written
):
    """Code the differences of some lines, of one restart interval (T.81 H.1.2.2, F.1.2.1).

    Parameters
    ----------
    picture, n, first, last, interval, predictor, shift, start, differences
        As for :func:`count_categories`.
    codes : (17,) int64
        Of each category, ``code << 5 | length``.
    writer : Writer
        Has room in `raw` for SAMPLE_BYTES a sample.
    written : int
        Bytes of its `out` that are filled.

    Returns
    -------
    int
        Bytes of `out` that are filled now; fewer than 8 bits are left in the state.

    Notes
    -----
    A code and its raw bits have at most 31 bits, and fewer than 8 are pending: 64 bits hold them.
    Categories are at most 16.
    """
    state, raw = writer.state, writer.raw
    accumulator, pending = np.uint64(state[BITS]), np.uint64(state[COUNT])
    position = state[POSITION]
    for y in range(first, last):
        begins = y == 0 or (interval > 0 and y % interval == 0)
        _differences(
            picture, y, n, predictor, np.int32(shift), np.int32(start), begins, differences
        )
        for i in range(differences.size):
            value = _wrapped(differences[i])
            category = size_of(value)
            entry = codes[category]
            bits = category & 15  # none for category 16
            length = np.uint64((entry & 31) + bits)
            coded = (entry >> 5) << bits | ((value + (value >> 63)) & ((1 << bits) - 1))
            accumulator = accumulator << length | np.uint64(coded)
            pending += length
            _put_bytes(raw, position, np.int64(accumulator << (np.uint64(64) - pending)))
            position += np.int64(pending >> np.uint64(3))
            pending &= np.uint64(7)
    state[BITS], state[COUNT] = np.int64(accumulator), np.int64(pending)
    state[POSITION] = position
    ends = last == picture.shape[0] or (interval > 0 and last % interval == 0)
    return finish(writer, written, 0, 0, ends)


def _codes(table: HuffmanTable) -> npt.NDArray[np.int64]:
    """What :func:`code_lines` looks codes up in."""
    codes = np.zeros(17, np.int64)
    for symbol, code, length in zip(
        table.symbols, table.codes(), table.code_lengths(), strict=True
    ):
        codes[symbol] = code << 5 | length
    return codes


def _coded_bits(counts: npt.NDArray[np.int64], table: HuffmanTable) -> int:
    """Bits of differences whose categories have these counts: codes, and raw bits."""
    return sum(
        int(counts[symbol]) * (length + symbol % 16)
        for symbol, length in zip(table.symbols, table.code_lengths(), strict=True)
    )


def _pieces(height: int, interval: int, rows: int) -> list[tuple[int, int]]:
    """Lines that are coded in one go: at most so many, of one restart interval."""
    pieces, first = [], 0
    while first < height:
        last = min(first + rows, height)
        if interval:
            last = min(last, (first // interval + 1) * interval)
        pieces.append((first, last))
        first = last
    return pieces


def encode_lossless(
    image: npt.NDArray[np.uint8] | npt.NDArray[np.uint16],
    components: Sequence[markers.FrameComponent],
    segments: bytes,
    precision: int,
    predictor: int | None,
    point_transform: int,
    restart_rows: int,
) -> bytes:
    """A lossless file of the components of an image, as they are.

    Parameters
    ----------
    image : (h, w) or (h, w, n) array
    components : sequence of FrameComponent
        All with sampling factors 1x1.
    segments : bytes
        APPn and COM segments.
    precision : int
        Bits of a sample.
    predictor : int or None
        1 to 7; None for the one that makes the file smallest.
    point_transform : int
        Bits that are dropped.
    restart_rows : int
        Lines between restart markers; 0 for none.
    """
    height, width, n = *image.shape[:2], len(components)
    picture = np.ascontiguousarray(image).reshape(height, n * width).view()
    picture.flags.writeable = False
    differences = np.empty(n * width, np.int32)
    start = 1 << (precision - point_transform - 1)

    best: tuple[int, int, HuffmanTable] | None = None
    for candidate in range(1, 8) if predictor is None else [predictor]:
        counts = np.zeros(256, np.int64)
        count_categories(
            picture, n, 0, height, restart_rows, candidate, point_transform, start, differences,
            counts,
        )  # fmt: skip
        table = optimal_table(counts)
        bits = _coded_bits(counts, table)
        if best is None or bits < best[0]:
            best = bits, candidate, table
    assert best is not None
    _, predictor, table = best
    frame = markers.Frame(3, precision, height, width, tuple(components))
    slots = [(component.identifier, 0, 0) for component in components]
    file = BytesIO()
    file.write(b"\xff\xd8" + segments + markers.frame_bytes(frame))
    file.write(markers.huffman_table_bytes(0, table))
    if restart_rows:
        file.write(markers.restart_interval_bytes(restart_rows * width))
    file.write(markers.scan_bytes(slots, predictor, 0, point_transform))
    rows = max(1, PIECE_SAMPLES // (n * width))
    writer = new_writer(-(-rows * n * width * SAMPLE_BYTES // symbols.BLOCK_BYTES))
    codes = _codes(table)
    for first, last in _pieces(height, restart_rows, rows):
        written = code_lines(
            picture, n, first, last, restart_rows, predictor, point_transform, start, codes,
            differences, writer, 0,
        )  # fmt: skip
        file.write(writer.out[:written].tobytes())
        if restart_rows and last % restart_rows == 0 and last < height:
            file.write(bytes([0xFF, 0xD0 + (last // restart_rows - 1) % 8]))
    file.write(b"\xff\xd9")
    return file.getvalue()
