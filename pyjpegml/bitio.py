"""Bits and bytes of an entropy-coded segment.

Codes are packed into bytes from the most significant bit on (T.81 F.1.4.3). A byte FF would look
like a marker, so a zero byte is *stuffed* behind it (B.1.1.5); the last byte is filled with ones
(F.1.2.3). Markers, restart markers included, stand on byte borders.

Both ways the stuffing is a pass of its own. The writer collects bits in a 64-bit accumulator that
gives off four bytes at a time, with no look at their values; :func:`stuff` copies them and inserts
the zeros. The reader first runs :func:`destuff` over the scan, which also finds the restart
markers; decoding then never meets a marker, and a read past the end is noticed by counting.

Accumulators are uint64. The writer's holds ``n < 32`` bits at its low end; the reader's holds ``n``
bits at its high end and zeros below.
"""

from __future__ import annotations

import numpy as np

from ._jit import inlined, kernel

#: Zero bytes behind destuffed data: a decoder that has run past its end within one block (64 codes
#: of at most 16 + 16 bits) still reads inside the array.
PADDING = 512


@inlined
def put_bits(accumulator, n, position, raw, value, length):
    """Append the `length` low bits of `value` (at most 32) and give off whole words.

    Returns the new accumulator, bit count (below 32) and position in `raw`, which needs room for
    four bytes at `position`.
    """
    accumulator = (accumulator << np.uint64(length)) | np.uint64(value)
    n += length
    if n >= 32:
        n -= 32
        word = accumulator >> np.uint64(n)
        raw[position] = (word >> np.uint64(24)) & np.uint64(255)
        raw[position + 1] = (word >> np.uint64(16)) & np.uint64(255)
        raw[position + 2] = (word >> np.uint64(8)) & np.uint64(255)
        raw[position + 3] = word & np.uint64(255)
        position += 4
        accumulator &= (np.uint64(1) << np.uint64(n)) - np.uint64(1)
    return accumulator, n, position


@inlined
def pad_bits(accumulator, n, position, raw):
    """Write out what is left, the last byte filled with ones (T.81 F.1.2.3). Returns the position;
    `raw` needs room for four bytes.
    """
    accumulator = (accumulator << np.uint64(7)) | np.uint64(127)
    n += 7
    while n >= 8:
        n -= 8
        raw[position] = (accumulator >> np.uint64(n)) & np.uint64(255)
        position += 1
    return position


@kernel
def stuff(raw, count, out, position):
    """Copy `count` bytes of `raw` to ``out[position:]``, a zero behind every FF (T.81 B.1.1.5).

    Returns the position behind the last byte written, at most ``position + 2 * count``.
    """
    for i in range(count):
        byte = raw[i]
        out[position] = byte
        position += 1
        if byte == 255:
            out[position] = 0
            position += 1
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
    """
    size = data.size
    i, position, found = start, 0, 0
    while i < size:
        byte = data[i]
        if byte != 255:
            out[position] = byte
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
    for k in range(position, position + PADDING):
        out[k] = 0
    return found, i


@inlined
def refill(accumulator, n, position, data):
    """Top the accumulator up to 57 bits or more. `data` must hold 8 bytes from `position`."""
    while n <= 56:
        accumulator |= np.uint64(data[position]) << np.uint64(56 - n)
        position += 1
        n += 8
    return accumulator, n, position
