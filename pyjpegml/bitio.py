"""Bits and bytes of an entropy-coded segment.

Codes are packed into bytes from the most significant bit on (T.81 F.1.4.3). A byte FF would look
like a marker, so a zero byte is *stuffed* behind it (B.1.1.5); the last byte is filled with ones
(F.1.2.3). Markers, restart markers included, stand on byte borders.

Both ways the stuffing is a pass of its own. The writer collects bits in a 64-bit accumulator that
gives off four bytes at a time, with no look at their values; :func:`stuff` copies them and inserts
the zeros. The reader first runs :func:`destuff` over the scan, which also finds the restart
markers; decoding then never meets a marker, and a read past the end is noticed by counting.

Accumulators are uint64. The writer's holds ``n < 32`` bits at its low end; the reader's holds ``n``
bits at its high end, and below them more bits of the same stream or zeros.
"""

from __future__ import annotations

import numpy as np

from ._jit import inlined, kernel
from .simd import vector_function

#: Zero bytes behind destuffed data: a decoder that has run past its end within one MCU (ten blocks
#: of 64 codes of at most 16 + 16 bits) still reads inside the array, 8 bytes ahead of 8 at a time.
PADDING = 10 * 64 * 4 + 16


@vector_function
def _copy_64(raw, i, out, position) -> int:
    """Copy 64 bytes; returns which of them are FF, the first in the lowest bit."""
    part = raw.load(64, i)
    out.store(part, position)
    return part.equals(0xFF).mask()


@vector_function
def _lowest(mask) -> int:
    """Index of the lowest bit that is set; 64 if none is."""
    return mask.trailing_zeros()


@kernel
def stuff(raw, count, out, position):
    """Copy `count` bytes of `raw` to `out`, from `position` on, with a zero behind every FF
    (T.81 B.1.1.5).

    Returns the position behind the last byte written, at most ``position + 2 * count``, for which
    `out` must have room.

    64 bytes at a time are copied as they are, and kept up to the first FF. Loads end at ``i + 64 <=
    count``; stores too are in range, since i bytes so far have become at most 2 i, and 64 more end
    at ``2 i + 64 < 2 count``.
    """
    i = 0
    while i + 64 <= count:
        marks = _copy_64(raw, i, out, position)
        kept = 64
        if marks != 0:
            kept = _lowest(marks) + 1
            out[position + kept] = 0
            position += 1
        i += kept
        position += kept
    while i < count:
        byte = raw[i]
        out[position] = byte
        position += 1
        if byte == 255:
            out[position] = 0
            position += 1
        i += 1
    return position


@kernel
def destuff(data, start, out, ends, markers, offsets):
    """Undo the stuffing of a scan and find its restart markers.

    Parameters
    ----------
    data : (n,) uint8
    start : int
        First byte of entropy-coded data in `data`.
    out : (>= n - start + PADDING,) uint8
        Bytes without stuffing, the restart intervals one behind the other, then zeros.
    ends : (m,) int64
        End of each interval in `out`.
    markers : (m,) int64
        Number 0 to 7 of the restart marker behind each interval; -1 behind the last.
    offsets : (m,) int64
        Byte offset in `data` of the marker behind each interval.

    Returns
    -------
    intervals : int
        How many were found, at most m; if m are filled the scan may go on.
    end : int
        Offset in `data` of the marker that ends the scan, or n if there is none.

    Notes
    -----
    64 bytes at a time are copied as they are, and kept up to the first FF.
    """
    size = data.size
    i, position, found = start, 0, 0
    while i < size:
        if i + 64 <= size:
            # position <= i - start, so the store too is in range, by the PADDING
            kept = _lowest(_copy_64(data, i, out, position))
            i += kept
            position += kept
            if kept == 64:
                continue
        elif data[i] != 255:
            out[position] = data[i]
            position += 1
            i += 1
            continue
        j = i + 1
        while j < size and data[j] == 255:  # fill bytes (T.81 B.1.1.2)
            j += 1
        if j == size:
            break
        code = np.int64(data[j])
        if code == 0:
            out[position] = 255
            position += 1
            i = j + 1
        elif 0xD0 <= code <= 0xD7:
            ends[found] = position
            markers[found] = code - 0xD0
            offsets[found] = j - 1
            found += 1
            i = j + 1
            if found == ends.size:
                break
        else:
            i = j - 1
            break
    else:
        i = size
    if found < ends.size:
        ends[found] = position
        markers[found] = -1
        offsets[found] = i
        found += 1
    out[position : position + PADDING] = 0
    return found, i


@vector_function
def _load_word(data, position) -> int:
    """Eight bytes as a number, the first byte the highest."""
    return data.load(1, position, 64).swap_bytes()


@inlined
def refill(accumulator, n, position, data):
    """Top the accumulator up to 56 bits or more.

    `accumulator` and `position` are uint64; the low six bits of `n` say how many bits there are,
    so that a reader need not mask what it subtracts. `data` must hold 8 bytes from `position` on:
    :func:`pyjpegml.scan.decode_mcus` says why it does. No loop and no branch: eight bytes are put
    behind the n bits that there are, as many as fit whole are counted, and the rest of them, which
    is there again at the next time, does no harm.
    """
    n &= 63
    accumulator |= np.uint64(_load_word(data, position)) >> np.uint64(n)
    return accumulator, n | 56, position + np.uint64((63 - n) >> 3)
