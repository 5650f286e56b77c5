"""The sequential scan: blocks to Huffman codes and back (T.81 F.1.2, F.2.2).

*Order.* An interleaved scan goes through the picture MCU by MCU (A.2.3), row after row. An MCU
holds H x V blocks of each component; in 4:2:0::

    Y0 Y1
    Y2 Y3   Cb   Cr      ->  Y0 Y1 Y2 Y3 Cb Cr

Blocks that an MCU has beyond the edge of its component are dummies: their DC is that of the block
coded before, all else zero, which is the cheapest thing to code.

*One block.* DC is coded as the difference to the last DC of its component (F.1.2.1), AC in zigzag
order as pairs of a run of zeros and a value (F.1.2.2). A value v is sent as its *category*, the
number of bits of abs(v), in the Huffman symbol, followed by that many raw bits: v itself if
positive, v - 1 if negative (Tables F.1, F.2)::

    symbol 16 * run + category;   0xF0 = sixteen zeros;   0x00 = end of block

*Restart intervals.* Every `restart_interval` MCUs the bits are padded, a marker RST0 to RST7 is
written and the predictions start from 0 (E.1.4): a damaged stream is lost only to the next marker.

*Memory.* The coefficients of all components lie in one flat int16 array, each block's 64 together
in natural order. The *plan* of a scan is an int64 array with one row for each block of an MCU, in
coding order (fields below); so each kernel has one signature, whatever the components. A scan of
one component is never interleaved: its MCU is one block (A.2.2).

*Bounds.* Plans come from :class:`pyjpegml.coefficients.Geometry`, whose arrays hold every block of
every MCU, dummies included. Runs, categories and codes come from the stream, and are checked where
they are read.
"""

from __future__ import annotations

import numpy as np

from ._jit import inlined, kernel
from .bitio import pad_bits, put_bits, refill, stuff
from .huffman import LOOK_AHEAD

# fields of a row of a plan
COMPONENT = 0  # which DC prediction
OFFSET = 1  # of the component's first coefficient in the flat array
STRIDE = 2  # blocks in a row of the component's array
ACROSS = 3  # real blocks across; those beyond are dummies
DOWN = 4  # real blocks down
H = 5  # blocks of the component in an MCU, across
V = 6  # and down
COLUMN = 7  # of this block in the MCU
ROW = 8
DC_SLOT = 9  # Huffman table slots
AC_SLOT = 10
PLAN_FIELDS = 11

#: Room for one block before stuffing: 64 codes of at most 16 + 16 bits.
BLOCK_BYTES = 256

# what decode_scan returns
OK, ENDED_EARLY, BAD_CODE, RUN_TOO_LONG, BAD_CATEGORY = 0, 1, 2, 3, 4

# and its report: where it stopped (MCU, position in the data, interval), and the whole bytes that
# intervals had more than their MCUs needed
MCU, POSITION, INTERVAL, UNREAD = 0, 1, 2, 3
REPORT_FIELDS = 4

# the encoder's state between calls: pending bits, their number, predictions of four components
BITS, COUNT, PREDICTIONS = 0, 1, 2
STATE_FIELDS = 6

ZERO_RUN = 0xF0
END_OF_BLOCK = 0x00


@inlined
def category(value):
    """Number of bits of abs(value): 0 for 0, 11 for 2047 (T.81 Table F.1)."""
    value = abs(value)
    bits = 0
    while value > 0:
        value >>= 1
        bits += 1
    return bits


@inlined
def block_start(block, mcu_row, mcu_column):
    """Index of a block's first coefficient, and whether it is real (else a dummy)."""
    row = mcu_row * block[V] + block[ROW]
    column = mcu_column * block[H] + block[COLUMN]
    start = block[OFFSET] + (row * block[STRIDE] + column) * 64
    return start, row < block[DOWN] and column < block[ACROSS]


@kernel
def count_symbols(
    coefficients, plan, mcus_across, mcus, restart_interval, zigzag, predictions, counts
):
    """Count the Huffman symbols of a scan: the first of two passes when tables are to be optimal.

    Parameters
    ----------
    coefficients : (n,) int16
    plan : (blocks of an MCU, PLAN_FIELDS) int64
    mcus_across, mcus : int
        MCUs in a row, and in all.
    restart_interval : int
        In MCUs; 0 for none.
    zigzag : (64,) uint8
    predictions : (4,) int64
        Scratch.
    counts : (8, 256) int64
        By table slot and symbol; added to.

    Returns
    -------
    int
        Raw bits that follow the symbols, in all.
    """
    raw_bits = 0
    predictions[:] = 0
    for mcu in range(mcus):
        if restart_interval > 0 and mcu % restart_interval == 0:
            predictions[:] = 0
        for b in range(plan.shape[0]):
            block = plan[b]
            dc_counts, ac_counts = counts[block[DC_SLOT]], counts[block[AC_SLOT]]
            start, real = block_start(block, mcu // mcus_across, mcu % mcus_across)
            if not real:
                dc_counts[0] += 1
                ac_counts[END_OF_BLOCK] += 1
                continue
            dc = np.int64(coefficients[start])
            size = category(dc - predictions[block[COMPONENT]])
            predictions[block[COMPONENT]] = dc
            dc_counts[size] += 1
            raw_bits += size
            run = 0
            for k in range(1, 64):
                value = np.int64(coefficients[start + zigzag[k]])
                if value == 0:
                    run += 1
                    continue
                ac_counts[ZERO_RUN] += run >> 4
                size = category(value)
                ac_counts[((run & 15) << 4) + size] += 1
                raw_bits += size
                run = 0
            if run > 0:
                ac_counts[END_OF_BLOCK] += 1
    return raw_bits


@inlined
def _put_value(accumulator, n, position, raw, code, length, value, size):
    """A Huffman code and the `size` raw bits of a value (T.81 F.1.2.1.1, Figure F.3)."""
    bits = (value + (value >> 63)) & ((1 << size) - 1)
    return put_bits(accumulator, n, position, raw, (np.int64(code) << size) | bits, length + size)


@kernel
def encode_mcus(
    coefficients, plan, mcus_across, first, last, mcus, restart_interval, zigzag,
    codes, lengths, state, raw, out,
):  # fmt: skip
    """Code the MCUs from `first` to `last` into bytes (T.81 F.1.2, E.1.4).

    Parameters
    ----------
    coefficients, plan, mcus_across, mcus, restart_interval, zigzag
        As for :func:`count_symbols`. Differences and values are below 2**15 in size.
    first, last : int
        The part to code now.
    codes : (8, 256) uint32
    lengths : (8, 256) uint8
        Every symbol that occurs must have a code.
    state : (STATE_FIELDS,) int64
        Zeros at the start, kept from call to call.
    raw : (>= blocks * BLOCK_BYTES + 8,) uint8
        Scratch for the bits of this part.
    out : (>= 2 * raw.size + 2 * (last - first),) uint8

    Returns
    -------
    int
        Bytes written to `out`.
    """
    accumulator, n = np.uint64(state[BITS]), state[COUNT]
    predictions = state[PREDICTIONS:]
    position, written = 0, 0
    for mcu in range(first, last):
        for b in range(plan.shape[0]):
            block = plan[b]
            dc_codes, dc_lengths = codes[block[DC_SLOT]], lengths[block[DC_SLOT]]
            ac_codes, ac_lengths = codes[block[AC_SLOT]], lengths[block[AC_SLOT]]
            start, real = block_start(block, mcu // mcus_across, mcu % mcus_across)
            difference = 0
            if real:
                dc = np.int64(coefficients[start])
                difference = dc - predictions[block[COMPONENT]]
                predictions[block[COMPONENT]] = dc
            size = category(difference)
            accumulator, n, position = _put_value(
                accumulator, n, position, raw, dc_codes[size], dc_lengths[size], difference, size
            )
            run = 0
            for k in range(1, 64 if real else 1):
                value = np.int64(coefficients[start + zigzag[k]])
                if value == 0:
                    run += 1
                    continue
                while run > 15:
                    accumulator, n, position = put_bits(
                        accumulator, n, position, raw, ac_codes[ZERO_RUN], ac_lengths[ZERO_RUN]
                    )
                    run -= 16
                size = category(value)
                symbol = (run << 4) + size
                accumulator, n, position = _put_value(
                    accumulator, n, position, raw, ac_codes[symbol], ac_lengths[symbol], value, size
                )
                run = 0
            if run > 0 or not real:
                accumulator, n, position = put_bits(
                    accumulator, n, position, raw, ac_codes[END_OF_BLOCK], ac_lengths[END_OF_BLOCK]
                )
        done = mcu + 1
        at_restart = restart_interval > 0 and done % restart_interval == 0 and done < mcus
        if at_restart or done == mcus:
            position = pad_bits(accumulator, n, position, raw)
            accumulator, n = np.uint64(0), 0
            written = stuff(raw, position, out, written)
            position = 0
        if at_restart:
            out[written] = 0xFF
            out[written + 1] = 0xD0 + (done // restart_interval - 1) % 8
            written += 2
            predictions[:] = 0
    written = stuff(raw, position, out, written)
    state[BITS], state[COUNT] = np.int64(accumulator), n
    return written


@inlined
def _extend(value, size):
    """Signed value of `size` raw bits (T.81 F.2.2.1, Figure F.12)."""
    if value < (1 << size) >> 1:
        value += (-1 << size) + 1
    return value


@inlined
def _decode_symbol(accumulator, look_up, largest, first, symbols):
    """The Huffman symbol at the head of the accumulator and the length of its code, 0 if these bits
    are no code (T.81 F.2.2.3, Figure F.16).
    """
    entry = np.int64(look_up[accumulator >> np.uint64(64 - LOOK_AHEAD)])
    if entry != 0:
        return entry & 255, entry >> 8
    for length in range(LOOK_AHEAD + 1, 17):
        code = np.int64(accumulator >> np.uint64(64 - length))
        if code <= largest[length]:
            return np.int64(symbols[(code + first[length]) & 255]), length
    return 0, 0


@inlined
def _decode_dc(accumulator, n, position, data, look_up, largest, first, symbols):
    """One DC difference (T.81 F.2.2.1). Returns the reader's state, the difference and a status."""
    accumulator, n, position = refill(accumulator, n, position, data)
    size, length = _decode_symbol(accumulator, look_up, largest, first, symbols)
    difference = 0
    status = OK
    if length == 0:
        status = BAD_CODE
    elif size > 15:
        status = BAD_CATEGORY
    else:
        accumulator <<= np.uint64(length)
        n -= length + size
        if size > 0:
            difference = _extend(np.int64(accumulator >> np.uint64(64 - size)), size)
            accumulator <<= np.uint64(size)
    return accumulator, n, position, difference, status


@inlined
def _decode_ac(
    accumulator, n, position, data, look_up, largest, first, symbols, zigzag, coefficients, start
):
    """The AC coefficients of a block (T.81 F.2.2.2, Figure F.13). Returns the reader's state and a
    status.
    """
    status = OK
    k = 1
    while k < 64:
        accumulator, n, position = refill(accumulator, n, position, data)
        symbol, length = _decode_symbol(accumulator, look_up, largest, first, symbols)
        if length == 0:
            status = BAD_CODE
            break
        run, size = symbol >> 4, symbol & 15
        accumulator <<= np.uint64(length)
        n -= length + size
        if size == 0 and run != 15:
            break  # end of block
        k += run  # a run of 15 with size 0 is sixteen zeros: the 16th is stepped over below
        if k > 63:
            status = RUN_TOO_LONG
            break
        if size > 0:
            bits = np.int64(accumulator >> np.uint64(64 - size))
            accumulator <<= np.uint64(size)
            coefficients[start + zigzag[k]] = _extend(bits, size)
        k += 1
    return accumulator, n, position, status


@inlined
def _decode_interval(
    data, start, end, plan, mcus_across, first, last, zigzag,
    look_up, largest, first_index, symbols, predictions, coefficients, report,
):  # fmt: skip
    """MCUs `first` to `last` from ``data[start:end]``; the rest as for :func:`decode_scan`."""
    predictions[:] = 0
    accumulator, n, position = np.uint64(0), 0, start
    status = OK
    mcu = first
    while mcu < last and status == OK:
        for b in range(plan.shape[0]):
            block = plan[b]
            where, _ = block_start(block, mcu // mcus_across, mcu % mcus_across)
            slot = block[DC_SLOT]
            accumulator, n, position, difference, status = _decode_dc(
                accumulator, n, position, data,
                look_up[slot], largest[slot], first_index[slot], symbols[slot],
            )  # fmt: skip
            if status == OK:
                predictions[block[COMPONENT]] += difference
                coefficients[where] = predictions[block[COMPONENT]]
                slot = block[AC_SLOT]
                accumulator, n, position, status = _decode_ac(
                    accumulator, n, position, data,
                    look_up[slot], largest[slot], first_index[slot], symbols[slot],
                    zigzag, coefficients, where,
                )  # fmt: skip
            if 8 * position - n > 8 * end:
                status = ENDED_EARLY
            if status != OK:
                break
        if status == OK:
            mcu += 1
    report[MCU] = mcu
    report[POSITION] = position - n // 8
    report[UNREAD] += max(0, end - (8 * position - n + 7) // 8)
    return status


@kernel
def decode_scan(
    data, ends, intervals, restart_interval, mcus, plan, mcus_across, zigzag,
    look_up, largest, first_index, symbols, predictions, coefficients, report,
):  # fmt: skip
    """Decode a sequential scan, interval by interval (T.81 F.2.2, E.2.4).

    Parameters
    ----------
    data : (>= ends[intervals - 1] + bitio.PADDING,) uint8
        Bytes without stuffing, as :func:`pyjpegml.bitio.destuff` leaves them.
    ends : (>= intervals,) int64
        End of each interval in `data`, not decreasing.
    intervals : int
        ``ceil(mcus / restart_interval)``, or 1.
    restart_interval, mcus, plan, mcus_across, zigzag
        As for :func:`count_symbols`.
    look_up, largest, first_index, symbols
        :class:`pyjpegml.huffman.DecodingTables`.
    predictions : (4,) int64
        Scratch.
    coefficients : (n,) int16
        Zeros; the quantized coefficients are written, natural order.
    report : (REPORT_FIELDS,) int64
        Zeros; see the constants.

    Returns
    -------
    int
        OK, ENDED_EARLY, BAD_CODE, RUN_TOO_LONG or BAD_CATEGORY.

    Notes
    -----
    Bounds: before each block the reader has consumed at most `end` bytes, or ENDED_EARLY would have
    been returned, so its position is at most ``end + 8``; a block consumes at most 64 * 32 bits =
    256 bytes, and refilling looks 8 bytes ahead: all within PADDING. ``k`` is checked against 63
    before it is an index into `zigzag`.
    """
    start = 0
    first = 0
    for i in range(intervals):
        last = mcus if restart_interval == 0 else min(mcus, first + restart_interval)
        report[INTERVAL] = i
        status = _decode_interval(
            data, start, ends[i], plan, mcus_across, first, last, zigzag,
            look_up, largest, first_index, symbols, predictions, coefficients, report,
        )  # fmt: skip
        if status != OK:
            return status
        start, first = ends[i], last
    return OK
