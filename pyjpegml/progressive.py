"""Progressive scans: a picture that is sent in passes over its coefficients (T.81 Annex G).

*Two ways to divide the work* (G.1.1.1). *Spectral selection*: a scan codes the coefficients from
``start`` to ``end`` of the zigzag path, its band. *Successive approximation*: the first scan of a
band sends the coefficients without their ``low`` lowest bits, and each further one, a *refinement*,
one bit more. DC is a band of its own, and only scans of DC may be interleaved. A usual file::

    scan   components   band    bits
     1     Y Cb Cr       0      without the lowest     DC, first
     2     Y            1-5     without the lowest two AC, first
     ...
     8     Y            1-63    lowest but one         AC, refinement
     9     Y Cb Cr       0      lowest                 DC, refinement
    10     Y            1-63    lowest                 AC, refinement

*Four kinds of scans*, a kernel for each:

- DC, first: differences as in a sequential scan, of DC shifted down with its sign (G.1.2.1).
- DC, refinement: one raw bit a block.
- AC, first: runs and values as in a sequential scan, of abs(value) shifted down; and besides the
  end of block there are ends of a *run of blocks*, ``EOBn`` with n raw bits, for 2**n to
  2**(n + 1) - 1 blocks of which nothing more comes (G.1.2.2, Figures G.3 to G.6)::

      symbol 16 * run + size;   0xF0 = sixteen zeros;   16 * n = EOBn, n < 15

- AC, refinement: a coefficient that has been nonzero before gets a raw *correction bit*; one that
  becomes nonzero now is 1 or -1, and comes as the run of *still zero* coefficients before it and a
  sign. Behind each such symbol stand the correction bits of the nonzero coefficients that it steps
  over, and behind an end of block those of the rest of the band, for all blocks of the run
  (G.1.2.3, Figures G.7 to G.9).

*History.* A refinement must know which coefficients are nonzero, and most are not. So the decoder
keeps a *mask* for each block, a uint64 with bit k set where the coefficient at place k of the
zigzag path (1 to 63) is nonzero. A block of zeros in a run then costs one look at its mask, and
neither zeros nor nonzero coefficients are searched for one by one: masks are made of bits, and a
CPU counts and finds them in one instruction. The masks tell the inverse DCT too where a block's
last coefficient is.

*Independent scans.* A scan of AC reads and writes the masks of its component and the coefficients
of its band; a scan of DC the DC of its components, and no masks. So scans of AC of different
components may run at once in different threads, and any scan of DC beside any of AC. Scans of AC of
one component must run in the order of the file, even if their bands do not meet, because they share
masks; and so must scans of DC that share a component. No result depends on which of two independent
scans runs first.

*Bounds.* Plans come from :class:`pyjpegml.coefficients.Geometry`, whose arrays hold every block of
every MCU. Bands, runs, sizes and codes come from the stream: bands are checked by
:class:`pyjpegml.progression.Progression`, the others where they are read. Each kernel takes a time
in proportion to the blocks of its scan, whatever the data say.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import scan
from ._jit import inlined, kernel
from .bitio import refill
from .constants import ZIGZAG
from .huffman import AC, END_STEP, HuffmanTable
from .progressive_codes import (
    AC_FIRST,
    AC_REFINEMENT,
    DC_FIRST,
    code_tables,
    look_ahead,
    take,
    take_long,
)
from .scan import (
    BIT,
    ENDED_EARLY,
    INTERVAL,
    LEFT,
    MCU,
    OK,
    READ_PREDICTIONS,
    RUN_TOO_LONG,
    UNREAD,
    block_start,
    wrapped,
)
from .simd import vector_function

#: What a scan may end with besides the statuses of :mod:`pyjpegml.scan`: a run of blocks without
#: further coefficients that goes beyond the last block of the restart interval.
EOB_RUN_TOO_LONG = 5

#: Blocks that are left of a run of blocks: AC scans have no predictions to keep there.
EOB_RUN = READ_PREDICTIONS


@vector_function
def _lowest(mask) -> int:
    """Index of the lowest bit that is set; 64 if none is."""
    return mask.trailing_zeros()


@vector_function
def _ones(mask) -> int:
    """How many bits are set."""
    return mask.ones()


@vector_function
def _rest(mask) -> int:
    return mask & (mask - 1)


@inlined
def _without_lowest(mask):
    """The mask without the lowest bit that is set; 0 stays 0."""
    return np.uint64(_rest(mask))


@inlined
def _open(data, ends, restart_interval, mcus, reader):
    """Start to read at the reader's place, which is in a new interval if none of one is left.

    Returns the accumulator, n, position in bytes, and the end of the interval in bits.
    """
    if reader[LEFT] == 0:
        interval = reader[MCU] // restart_interval if restart_interval > 0 else 0
        reader[INTERVAL] = interval
        reader[BIT] = 8 * ends[interval - 1] if interval > 0 else 0
        reader[LEFT] = mcus - reader[MCU]
        if restart_interval > 0:
            reader[LEFT] = min(reader[LEFT], restart_interval)
        reader[READ_PREDICTIONS:] = 0
    accumulator, n, position = refill(np.uint64(0), 0, np.uint64(reader[BIT] >> 3), data)
    skipped = reader[BIT] & 7
    end = 8 * ends[reader[INTERVAL]]
    return accumulator << np.uint64(skipped), n - skipped, position, end


@inlined
def _close(n, position, end, done, reader):
    """Note where reading stopped, `done` MCUs further on in the interval."""
    reader[BIT] = 8 * np.int64(position) - (n & 63)
    reader[MCU] += done
    reader[LEFT] -= done
    if reader[LEFT] == 0:
        reader[UNREAD] += (end - reader[BIT]) >> 3


@inlined
def _is_past(n, position, end):
    """Whether more bits were read than there are."""
    return 8 * np.int64(position) - (n & 63) > end


@inlined
def _stop(status, n, position, end, done, reader):
    """Note where reading stopped for an error, which at the end of the data is that they end."""
    _close(n, position, end, done, reader)
    return ENDED_EARLY if _is_past(n, position, end) else status


# --- the four kinds of scans ----------------------------------------------------------------------


@kernel
def decode_dc_first(
    data, ends, restart_interval, mcus, last, plan, mcus_across, shift,
    look_up, limits, offsets, forms, reader, coefficients,
):  # fmt: skip
    """First scan of DC (T.81 G.1.2.1): differences, as in a sequential scan (F.2.2.1).

    Parameters
    ----------
    data, ends, restart_interval, mcus, last, plan, mcus_across, reader, coefficients
        As for :func:`decode_scan`.
    shift : int
        Lowest bits that are not sent.
    look_up, limits, offsets, forms
        :class:`pyjpegml.progressive_codes.CodeTables` of slots 0 to 3.

    Notes
    -----
    Bounds: before each MCU the reader has consumed at most `end` bits; it has at most 10 blocks of
    31 bits, and refilling looks 8 bytes ahead: all within the PADDING.
    """
    while reader[MCU] < last:
        accumulator, n, position, end = _open(data, ends, restart_interval, mcus, reader)
        count = min(last - reader[MCU], reader[LEFT])
        row, column = reader[MCU] // mcus_across, reader[MCU] % mcus_across
        for done in range(count):
            for b in range(plan.shape[0]):
                block = plan[b]
                start, _ = block_start(block, row, column)
                accumulator, n, position = refill(accumulator, n, position, data)
                slot = block[scan.DC_SLOT]
                status = OK
                entry = look_ahead(accumulator, look_up[slot])
                if entry & 63 != 0:
                    accumulator, n, difference, _ = take(accumulator, n, entry)
                else:
                    accumulator, n, difference, _, status = take_long(
                        accumulator, n, entry, limits[slot], offsets[slot], forms[slot]
                    )
                if status != OK:
                    return _stop(status, n, position, end, done, reader)
                prediction = READ_PREDICTIONS + block[scan.COMPONENT]
                reader[prediction] += difference
                coefficients[start] = wrapped(reader[prediction] << shift)
            if _is_past(n, position, end):
                return _stop(OK, n, position, end, done, reader)
            column += 1
            if column == mcus_across:
                column = 0
                row += 1
        _close(n, position, end, count, reader)
    return OK


@kernel
def decode_dc_refinement(
    data, ends, restart_interval, mcus, last, plan, mcus_across, shift, reader, coefficients
):
    """Refinement of DC (T.81 G.1.2.1): the next bit of each block's two's complement.

    Parameters
    ----------
    data, ends, restart_interval, mcus, last, plan, mcus_across, reader, coefficients
        As for :func:`decode_scan`.
    shift : int
        Which bit.

    Notes
    -----
    Bounds: as for :func:`decode_dc_first`, with one bit a block.
    """
    while reader[MCU] < last:
        accumulator, n, position, end = _open(data, ends, restart_interval, mcus, reader)
        count = min(last - reader[MCU], reader[LEFT])
        row, column = reader[MCU] // mcus_across, reader[MCU] % mcus_across
        for done in range(count):
            for b in range(plan.shape[0]):
                start, _ = block_start(plan[b], row, column)
                accumulator, n, position = refill(accumulator, n, position, data)
                bit = np.int64(accumulator >> np.uint64(63))
                accumulator <<= np.uint64(1)
                n -= 1
                coefficients[start] = wrapped(np.int64(coefficients[start]) | bit << shift)
            if _is_past(n, position, end):
                return _stop(OK, n, position, end, done, reader)
            column += 1
            if column == mcus_across:
                column = 0
                row += 1
        _close(n, position, end, count, reader)
    return OK


@inlined
def _block_first(
    accumulator, n, position, data, first, last, shift, look_up, limits, offsets, forms, zigzag,
    coefficients, start,
):  # fmt: skip
    """One block of a first scan of AC (T.81 Figures G.3 to G.6, the decoder's side).

    A refill gives 56 bits: enough for two short entries and a long one (10 + 10 + 31). Returns the
    reader's state, the mask of coefficients that were sent, the blocks of an EOBn, and a status.
    """
    one = np.uint64(1)
    k, mask, blocks = first - 1, np.uint64(0), 0
    status = OK
    while True:
        accumulator, n, position = refill(accumulator, n, position, data)
        entry = look_ahead(accumulator, look_up)
        if entry & 63 != 0:
            accumulator, n, value, step = take(accumulator, n, entry)
            k += step
            if k >= last:
                break
            coefficients[start + np.uint64(zigzag[np.uint64(k)])] = wrapped(value << shift)
            mask |= one << np.uint64(k)
            entry = look_ahead(accumulator, look_up)
            if entry & 63 != 0:
                accumulator, n, value, step = take(accumulator, n, entry)
                k += step
                if k >= last:
                    break
                coefficients[start + np.uint64(zigzag[np.uint64(k)])] = wrapped(value << shift)
                mask |= one << np.uint64(k)
                entry = look_ahead(accumulator, look_up)
        if entry & 63 != 0:
            accumulator, n, value, step = take(accumulator, n, entry)
        else:
            accumulator, n, value, step, status = take_long(
                accumulator, n, entry, limits, offsets, forms
            )
            if status != OK:
                value = 0
                break
        k += step
        if k >= last:
            break
        if value != 0:  # not a run of zeros
            coefficients[start + np.uint64(zigzag[np.uint64(k)])] = wrapped(value << shift)
            mask |= one << np.uint64(k)
    if k == last:
        if value != 0:
            coefficients[start + np.uint64(zigzag[np.uint64(k)])] = wrapped(value << shift)
            mask |= one << np.uint64(k)
    elif k >= END_STEP:
        blocks = value
    elif status == OK:
        status = RUN_TOO_LONG
    return accumulator, n, position, mask, blocks, status


@kernel
def decode_ac_first(
    data, ends, restart_interval, mcus, last, block, first_k, last_k, shift,
    look_up, limits, offsets, forms, zigzag, reader, coefficients, masks,
):  # fmt: skip
    """First scan of a band of AC (T.81 G.1.2.2).

    Parameters
    ----------
    data, ends, restart_interval, mcus, last, reader, coefficients, masks
        As for :func:`decode_scan`.
    block : (PLAN_FIELDS,) int64
        The only row of the plan.
    first_k, last_k : int
        The band: 1 <= first_k <= last_k <= 63.
    shift : int
        Lowest bits that are not sent.
    look_up, limits, offsets, forms
        One row of :class:`pyjpegml.progressive_codes.CodeTables`.
    zigzag : (64,) uint8

    Notes
    -----
    Bounds: before each block the reader has consumed at most `end` bits; a block consumes at most
    64 * 31 bits, and refilling looks 8 bytes ahead: all within the PADDING. Places are stored to
    up to k = last_k only.
    """
    across, down_step = block[scan.ACROSS], block[scan.STRIDE] - block[scan.ACROSS]
    while reader[MCU] < last:
        accumulator, n, position, end = _open(data, ends, restart_interval, mcus, reader)
        count = min(last - reader[MCU], reader[LEFT])
        done = min(reader[EOB_RUN], count)
        eob_run = reader[EOB_RUN] - done
        while done < count:
            mcu = reader[MCU] + done
            row = mcu // across
            row_end = min(count, done + across - (mcu - row * across))
            index = (block[scan.OFFSET] >> 6) + mcu + row * down_step
            while done < row_end:
                accumulator, n, position, mask, blocks, status = _block_first(
                    accumulator, n, position, data, first_k, last_k, shift,
                    look_up, limits, offsets, forms, zigzag, coefficients, np.uint64(index << 6),
                )  # fmt: skip
                masks[index] |= mask
                if status != OK or _is_past(n, position, end):
                    return _stop(status, n, position, end, done, reader)
                blocks = max(blocks, 1)
                done += blocks
                index += blocks
        if done > count:
            eob_run = done - count
            done = count
        reader[EOB_RUN] = eob_run
        _close(n, position, end, done, reader)
        if reader[LEFT] == 0 and eob_run > 0:
            return EOB_RUN_TOO_LONG
    return OK


@inlined
def _collect(accumulator, n, position, data, history, queue):
    """Read a correction bit for each coefficient in `history`, and put them behind the `queue`.

    When it is called there may be as few as 25 bits left of a refill.
    """
    count = _ones(history)
    if count > 25:
        accumulator, n, position = refill(accumulator, n, position, data)
        if count > 56:
            queue = queue << np.uint64(32) | accumulator >> np.uint64(32)
            accumulator, n, position = refill(accumulator << np.uint64(32), n - 32, position, data)
            count -= 32
    queue = queue << np.uint64(count) | accumulator >> np.uint64(1) >> np.uint64(63 - count)
    return accumulator << np.uint64(count), n - count, position, queue


@inlined
def _skip(mask, count):
    """Clear the lowest `count` bits that are set, or all there are.

    Most runs are short: then it is a choice between masks that do not wait for the run, and no loop
    whose end is hard to predict.
    """
    without_1 = _without_lowest(mask)
    without_2 = _without_lowest(without_1)
    without_3 = _without_lowest(without_2)
    if count > 3:
        for _ in range(count - 3):
            without_3 = _without_lowest(without_3)
        return without_3
    even, odd = (without_2, without_3) if count & 2 else (mask, without_1)
    return odd if count & 1 else even


@inlined
def _correct(queue, history, shift, zigzag, coefficients, start):
    """Correct the coefficients in `history` by as many bits (T.81 G.1.2.3, Figure G.9).

    A bit of 1 makes abs(coefficient) larger by 1 << shift; as in libjpeg-turbo not so where that
    bit is set already, which only scans that say otherwise than those before can bring about.
    """
    queue <<= np.uint64(64 - _ones(history) & 63)
    while history != np.uint64(0):
        place = start + np.uint64(zigzag[np.uint64(_lowest(history))])
        history = _without_lowest(history)
        value = np.int64(coefficients[place])
        change = np.int64(queue >> np.uint64(63)) & ~(value >> shift)
        queue <<= np.uint64(1)
        coefficients[place] = wrapped(value + (((value >> 63 | 1) << shift) & -(change & 1)))


@kernel
def decode_ac_refinement(
    data, ends, restart_interval, mcus, last, block, first_k, last_k, shift,
    look_up, limits, offsets, forms, zigzag, reader, coefficients, masks,
):  # fmt: skip
    """Refinement of a band of AC (T.81 G.1.2.3, Figures G.7 to G.9, the decoder's side).

    Parameters
    ----------
    data, ends, restart_interval, mcus, last, reader, coefficients, masks
        As for :func:`decode_scan`.
    block, first_k, last_k, look_up, limits, offsets, forms, zigzag
        As for :func:`decode_ac_first`.
    shift : int
        Which bit.

    Notes
    -----
    Bounds: before each block the reader has consumed at most `end` bits; a block consumes at most
    64 * 31 bits of symbols and 63 correction bits, and refilling looks 8 bytes ahead: all within
    the PADDING. Places are those of bits of the band.
    """
    one, nothing = np.uint64(1), np.uint64(0)
    across, down_step = block[scan.ACROSS], block[scan.STRIDE] - block[scan.ACROSS]
    top = one << np.uint64(last_k)
    band = top + (top - one) - ((one << np.uint64(first_k)) - one)
    while reader[MCU] < last:
        accumulator, n, position, end = _open(data, ends, restart_interval, mcus, reader)
        count = min(last - reader[MCU], reader[LEFT])
        eob_run = reader[EOB_RUN]
        done = 0
        while done < count:
            mcu = reader[MCU] + done
            row = mcu // across
            row_end = min(count, done + across - (mcu - row * across))
            index = (block[scan.OFFSET] >> 6) + mcu + row * down_step
            while done < row_end:
                history, status, queue = masks[index] & band, OK, nothing
                start = np.uint64(index << 6)
                rest = history  # whose correction bits are still to come
                if eob_run == 0:
                    zeros, found = ~masks[index] & band, nothing
                    while True:
                        accumulator, n, position = refill(accumulator, n, position, data)
                        entry = look_ahead(accumulator, look_up)
                        if entry & 63 != 0:
                            accumulator, n, value, step = take(accumulator, n, entry)
                        else:
                            accumulator, n, value, step, status = take_long(
                                accumulator, n, entry, limits, offsets, forms
                            )
                            if status != OK:
                                break
                        if step == END_STEP:
                            eob_run = value
                            break
                        zeros = _skip(zeros, step - 1)
                        if zeros == nothing:
                            status = RUN_TOO_LONG
                            break
                        target = zeros & (~zeros + one)
                        zeros ^= target
                        accumulator, n, position, queue = _collect(
                            accumulator, n, position, data, rest & (target - one), queue
                        )
                        rest &= ~(target - one)
                        if value != 0:  # not a run of zeros
                            place = start + np.uint64(zigzag[np.uint64(_lowest(target))])
                            coefficients[place] = wrapped(value << shift)
                            found |= target
                        if target == top:
                            break
                    masks[index] |= found
                if eob_run > 0:
                    eob_run -= 1
                    if rest != nothing:
                        accumulator, n, position = refill(accumulator, n, position, data)
                        accumulator, n, position, queue = _collect(
                            accumulator, n, position, data, rest, queue
                        )
                        rest = nothing
                _correct(queue, history & ~rest, shift, zigzag, coefficients, start)
                if status != OK or _is_past(n, position, end):
                    return _stop(status, n, position, end, done, reader)
                done += 1
                index += 1
        reader[EOB_RUN] = eob_run
        _close(n, position, end, done, reader)
        if reader[LEFT] == 0 and eob_run > 0:
            return EOB_RUN_TOO_LONG
    return OK


def decode_scan(
    data: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
    restart_interval: int,
    mcus: int,
    plan: npt.NDArray[np.int64],
    mcus_across: int,
    band: tuple[int, int, int, int],
    tables: dict[int, HuffmanTable],
    reader: npt.NDArray[np.int64],
    coefficients: npt.NDArray[np.int16],
    masks: npt.NDArray[np.uint64],
    last: int | None = None,
) -> int:
    """Decode a progressive scan, or go on with one (T.81 G.2).

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
        Where the blocks lie in `coefficients` (:mod:`pyjpegml.scan`).
    mcus_across : int
        In a row of the scan.
    band : (start, end, high, low)
        Parameters that :meth:`pyjpegml.progression.Progression.begin` has accepted.
    tables : dict of int to HuffmanTable
        By slot. In one that is not there all bits are a bad code; a refinement of DC needs none.
    reader : (READER_FIELDS,) int64
        Zeros at the start, kept from call to call; see :mod:`pyjpegml.scan`. To go on behind an
        error, set MCU to the first of another restart interval, and LEFT to 0.
    coefficients : (n,) int16
        Zeros before the first scan of all.
    masks : (n / 64,) uint64
        Likewise. Bit k of a block's mask is set if the coefficient at place k of the zigzag path is
        not zero, k from 1 to 63.
    last : int, optional
        Stop before that MCU, at most `mcus`; all of them if not given.

    Returns
    -------
    int
        OK, ENDED_EARLY, BAD_CODE, RUN_TOO_LONG, BAD_CATEGORY or EOB_RUN_TOO_LONG; the reader says
        where. What was decoded before an error is in `coefficients`. At the end of all data that is
        the MCU in which they end too, with zeros for the bits that are missing, as for libjpeg.
    """
    start, end, high, low = band
    state = data, ends, restart_interval, mcus, mcus if last is None else last
    if start == 0:
        if high > 0:
            return int(decode_dc_refinement(*state, plan, mcus_across, low, reader, coefficients))
        coding = code_tables(tuple(tables.get(slot) for slot in range(AC)), DC_FIRST)
        return int(decode_dc_first(*state, plan, mcus_across, low, *coding, reader, coefficients))
    decode, kind = (decode_ac_refinement, AC_REFINEMENT) if high else (decode_ac_first, AC_FIRST)
    coding = code_tables((tables.get(int(plan[0, scan.AC_SLOT])),), kind)
    rows = (array[0] for array in coding)
    return int(decode(*state, plan[0], start, end, low, *rows, ZIGZAG, reader, coefficients, masks))
