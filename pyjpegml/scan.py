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
one component is never interleaved: its MCU is one block (A.2.2). A decoder that keeps a part of the
coefficients only (:mod:`pyjpegml.strips`) has a plan of the same kind for its buffer.

*Reading.* Most of the time of a decoder that has vectors for the rest goes into the chain from one
symbol to the next: shift, look up, shift. So one look-up gives run, value and length together
(:class:`pyjpegml.huffman.DecodingTables`), bits are refilled once for three symbols, and one test
``k >= 63`` ends a block, whether by its last coefficient, an end of block or an error.

*Bounds.* Plans come from :class:`pyjpegml.coefficients.Geometry`, whose arrays hold every block of
every MCU, dummies included. Runs, categories and codes come from the stream, and are checked where
they are read.
"""

from __future__ import annotations

import numpy as np

from ._jit import inlined, kernel
from .bitio import refill
from .constants import ZIGZAG
from .huffman import END_STEP, LOOK_AHEAD

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

# what decode_mcus returns
OK, ENDED_EARLY, BAD_CODE, RUN_TOO_LONG, BAD_CATEGORY = 0, 1, 2, 3, 4

# the decoder's state between calls: MCUs decoded, the interval it is in, MCUs that are left of this
# one, bits of the data that have been read, the whole bytes that intervals had more than their MCUs
# needed, and predictions of four components
MCU, INTERVAL, LEFT, BIT, UNREAD, READ_PREDICTIONS = 0, 1, 2, 3, 4, 5
READER_FIELDS = 9

ZERO_RUN = 0xF0
END_OF_BLOCK = 0x00

#: Place in a block of the k-th coefficient on the zigzag path, for all k that a decoder may step
#: to. Those beyond the path, where a block ends, share the place of DC, which is written last.
PLACES = np.zeros(END_STEP + 63, np.uint8)
PLACES[:64] = ZIGZAG
PLACES.flags.writeable = False


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
def wrapped(value):
    """The lowest 16 bits with their sign: a store does so by itself, but not in plain Python."""
    return ((value + 0x8000) & 0xFFFF) - 0x8000


@inlined
def block_start(block, mcu_row, mcu_column):
    """Index of a block's first coefficient, and whether it is real (else a dummy)."""
    row = mcu_row * block[V] + block[ROW]
    column = mcu_column * block[H] + block[COLUMN]
    start = block[OFFSET] + (row * block[STRIDE] + column) * 64
    return start, row < block[DOWN] and column < block[ACROSS]


@inlined
def _extend(value, size):
    """Signed value of `size` raw bits (T.81 F.2.2.1, Figure F.12)."""
    if value < (1 << size) >> 1:
        value += (-1 << size) + 1
    return value


@inlined
def _look_up(accumulator, table):
    """Entry of a slot's table for the LOOK_AHEAD bits at the head: there is one for each."""
    return np.int64(table[accumulator >> np.uint64(64 - LOOK_AHEAD)])


@inlined
def _take(accumulator, n, entry):
    """Step over the code and the raw bits of a short entry, and give the value they stand for.

    The bits of the entry above the length only change bits of n that do not count.
    """
    return accumulator << np.uint64(entry & 63), n - entry, entry >> 16


@inlined
def _take_long(accumulator, n, entry, slot, tail, tail_start):
    """The same for a code and raw bits that the look-up does not hold together.

    Returns accumulator, n, value, step, and a status.
    """
    if entry == 0:
        # look_up has 0 only for bits from the slot's first in `tail` on
        entry = np.int64(tail[tail_start[slot] + np.int64(accumulator >> np.uint64(48))])
    length, size, step = entry >> 24, (entry >> 16) & 255, (entry >> 8) & 255
    status = OK
    if entry == 0:
        status = BAD_CODE
    elif size > 15:
        status = BAD_CATEGORY
        size = 0
    accumulator <<= np.uint64(length)
    raw = np.int64(accumulator >> np.uint64(1) >> np.uint64(63 - size))
    accumulator <<= np.uint64(size)
    return accumulator, n - length - size, _extend(raw, size), step, status


@inlined
def _decode_block(
    accumulator, n, position, data, dc_slot, ac_slot, look_up, tail, tail_start, places,
    coefficients, start,
):  # fmt: skip
    """DC difference and AC coefficients of a block (T.81 F.2.2.1, F.2.2.2, Figure F.13).

    A refill gives 56 bits: enough for the longest DC code with its raw bits (31), or for two short
    AC entries and a long one (10 + 10 + 31). Returns the reader's state, the difference, the place
    k where the block ended, and a status.
    """
    accumulator, n, position = refill(accumulator, n, position, data)
    status = OK
    entry = _look_up(accumulator, look_up[dc_slot])
    if entry & 63 != 0:
        accumulator, n, difference = _take(accumulator, n, entry)
    else:
        accumulator, n, difference, _, status = _take_long(
            accumulator, n, entry, dc_slot, tail, tail_start
        )
    k = 0
    while k < 63 and status == OK:
        accumulator, n, position = refill(accumulator, n, position, data)
        entry = _look_up(accumulator, look_up[ac_slot])
        if entry & 63 != 0:
            accumulator, n, value = _take(accumulator, n, entry)
            k += (entry >> 8) & 255
            coefficients[start + np.uint64(places[np.uint64(k)])] = value
            if k >= 63:
                break
            entry = _look_up(accumulator, look_up[ac_slot])
            if entry & 63 != 0:
                accumulator, n, value = _take(accumulator, n, entry)
                k += (entry >> 8) & 255
                coefficients[start + np.uint64(places[np.uint64(k)])] = value
                if k >= 63:
                    break
                entry = _look_up(accumulator, look_up[ac_slot])
        if entry & 63 != 0:
            accumulator, n, value = _take(accumulator, n, entry)
            step = (entry >> 8) & 255
        else:
            accumulator, n, value, step, status = _take_long(
                accumulator, n, entry, ac_slot, tail, tail_start
            )
        k += step
        coefficients[start + np.uint64(places[np.uint64(k)])] = value
    if status == OK and 63 < k < END_STEP:
        status = RUN_TOO_LONG
    return accumulator, n, position, difference, k, status


@kernel
def decode_mcus(
    data, ends, restart_interval, mcus, plan, mcu_row, first, last, places,
    look_up, tail, tail_start, reader, coefficients, extents,
):  # fmt: skip
    """Decode MCUs of one row of a sequential scan (T.81 F.2.2, E.2.4).

    Parameters
    ----------
    data : (>= last end + bitio.PADDING,) uint8
        Bytes without stuffing, as :func:`pyjpegml.bitio.destuff` leaves them.
    ends : (intervals,) int64
        End of each interval in `data`, not decreasing.
    restart_interval : int
        In MCUs; 0 for none.
    mcus : int
        How many there are in all `intervals`.
    plan : (blocks of an MCU, PLAN_FIELDS) int64
        Where the blocks lie in `coefficients`, which need not be all of the picture.
    mcu_row, first, last : int
        Row in `coefficients`, and the columns from `first` to `last`.
    places : (END_STEP + 63,) uint8
        The array PLACES.
    look_up, tail, tail_start
        :class:`pyjpegml.huffman.DecodingTables`.
    reader : (READER_FIELDS,) int64
        Zeros at the start, kept from call to call; see the constants.
    coefficients : (n,) int16
        Zeros; the quantized coefficients are written, natural order.
    extents : (n / 64,) uint8
        For each block, the place on the zigzag path of its last coefficient or, at times, beyond.

    Returns
    -------
    int
        OK, ENDED_EARLY, BAD_CODE, RUN_TOO_LONG or BAD_CATEGORY. The MCU in which the data end early
        is decoded to its end; zeros behind them stand for the bits that are missing, as for
        libjpeg.

    Notes
    -----
    Bounds: before each MCU the reader has consumed at most `end` bytes, so its position is at most
    ``end + 8``; an MCU has ten blocks at most, of 64 * 31 bits = 248 bytes at most, and refilling
    looks 8 bytes ahead: all within PADDING. An AC symbol is met at
    k <= 62 and steps 16, or END_STEP: within `places`, whose values are below 64.
    """
    column = first
    while column < last:
        if reader[LEFT] == 0:
            interval = reader[MCU] // restart_interval if restart_interval > 0 else 0
            reader[INTERVAL] = interval
            reader[BIT] = 8 * ends[interval - 1] if interval > 0 else 0
            reader[LEFT] = mcus - reader[MCU]
            if restart_interval > 0:
                reader[LEFT] = min(reader[LEFT], restart_interval)
            reader[READ_PREDICTIONS:] = 0
        end = 8 * ends[reader[INTERVAL]]
        accumulator, n, position = refill(np.uint64(0), 0, np.uint64(reader[BIT] >> 3), data)
        accumulator <<= np.uint64(reader[BIT] & 7)
        n -= reader[BIT] & 7
        run = min(last - column, reader[LEFT])
        for _ in range(run):
            status = OK
            for b in range(plan.shape[0]):
                block = plan[b]
                start, _ = block_start(block, mcu_row, column)
                accumulator, n, position, difference, k, status = _decode_block(
                    accumulator, n, position, data,
                    block[DC_SLOT], block[AC_SLOT],
                    look_up, tail, tail_start, places, coefficients, np.uint64(start),
                )  # fmt: skip
                if status != OK:
                    break
                prediction = READ_PREDICTIONS + block[COMPONENT]
                reader[prediction] += difference
                coefficients[start] = wrapped(reader[prediction])
                extents[start >> 6] = k & (END_STEP - 1)
            past = 8 * np.int64(position) - (n & 63) > end
            if past or status != OK:
                reader[BIT] = 8 * np.int64(position) - (n & 63)
                return ENDED_EARLY if past else status
            column += 1
            reader[MCU] += 1
        reader[BIT] = 8 * np.int64(position) - (n & 63)
        reader[LEFT] -= run
        if reader[LEFT] == 0:
            reader[UNREAD] += (end - reader[BIT]) >> 3
    return OK


@kernel
def decode_scan(
    data, ends, restart_interval, mcus, last, plan, mcus_across, places,
    look_up, tail, tail_start, reader, coefficients, extents,
):  # fmt: skip
    """Decode MCUs of a sequential scan into the coefficients of a whole picture.

    Parameters
    ----------
    data, ends, restart_interval, mcus, plan, places, look_up, tail, tail_start, reader
        As for :func:`decode_mcus`; it begins with the reader's MCU.
    last : int
        Where it stops, at most `mcus`.
    mcus_across : int
        In a row of this scan.
    coefficients, extents
        As for :func:`decode_mcus`, and of the whole picture.

    Returns
    -------
    int
        As :func:`decode_mcus`.
    """
    while reader[MCU] < last:
        row, first = reader[MCU] // mcus_across, reader[MCU] % mcus_across
        end = min(mcus_across, first + last - reader[MCU])
        status = decode_mcus(
            data, ends, restart_interval, mcus, plan, row, first, end, places,
            look_up, tail, tail_start, reader, coefficients, extents,
        )  # fmt: skip
        if status != OK:
            return status
    return OK
