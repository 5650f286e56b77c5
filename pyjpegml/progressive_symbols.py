"""Progressive scans, written: blocks to symbols, symbols to bits (T.81 G.1.2).

What the four kinds of scans are is told in :mod:`pyjpegml.progressive`.

The best Huffman table of a scan is known when all its symbols are. So they are put down as
*records*, a uint32 each, beside being counted, and become bits when there are tables
(:mod:`pyjpegml.progressive_encoder`)::

    raw bits << 16 | number of raw bits << 11 | row << 8 | symbol

``row`` is that of the counts, and later of the codes, which the symbol belongs to: the component in
a scan of DC, 0 in one of AC. Correction bits that do not fit into the record of their symbol follow
in records of row RAW, which stand for no symbol. A record has at least one bit.

*Masks.* Scans of AC walk over the bit planes of a component (:mod:`pyjpegml.bit_planes`): from one
bit that is set to the next, so that zeros cost nothing. The run of zeros before a coefficient is
how many positions lie between, in a refinement how many *still zero* ones.

*Runs of blocks.* In a first scan the symbol for the end of the band, EOBn, is written when a run of
blocks ends. In a refinement it comes before the correction bits of the blocks of the run: there a
place is kept for its record when a run begins. Runs are as long as they can be, 32767 blocks:
unlike libjpeg, that ends them early when a buffer is full, nothing here limits correction bits.

*Bounds.* Masks are indexed by blocks of the scan. Each kernel says how many records it may write.
"""

from __future__ import annotations

import numpy as np

from ._jit import inlined, kernel
from .bit_planes import band_mask, lowest, ones_of, without_lowest
from .bitio import stuff
from .scan import COMPONENT, ZERO_RUN, block_start
from .simd import vector_function
from .symbols import size_of

#: Records that become bits in one go, each at most 4 bytes of raw bits and code.
BATCH = 2048

#: Row of records that have no symbol.
RAW = 4

#: Rows of counts.
ROWS = 4

#: The longest run of blocks: EOB14 with 14 raw bits (T.81 Table G.1).
LONGEST_RUN = 32767


@inlined
def _raw_bits(value, size):
    """The bits behind a value's symbol (T.81 F.1.2.1.1): of a negative one those of value - 1."""
    return (value + (value >> 63)) & ((1 << size) - 1)


@inlined
def _put(records, p, symbol, bits, count):
    """A record behind `p` others, with `count` raw bits, at most 16. Returns their new number."""
    records[p] = bits << 16 | count << 11 | symbol
    return p + 1


@inlined
def _begin(records, p, symbol, queue, waiting, next_symbol, bits, count):
    """Put down the symbol before with the raw bits that have come behind it, and begin another.

    The state is a symbol, with its row, and up to 15 raw bits that wait to be put down with it.
    """
    if waiting > 0 or symbol != RAW << 8:
        p = _put(records, p, symbol, queue, waiting)
    return p, next_symbol, bits, count


@kernel
def dc_first(
    coefficients, plan, mcus_across, mcus, restart_interval, shift, predictions,
    records, counts, ends,
):  # fmt: skip
    """First scan of DC (T.81 G.1.2.1): differences of what is left of DC without its lowest bits.

    Parameters
    ----------
    coefficients : (n,) int16
        All components, natural order. DC from -2**14 to 2**14 - 1: differences have 15 bits.
    plan : (blocks of an MCU, PLAN_FIELDS) int64
        See :mod:`pyjpegml.scan`.
    mcus_across, mcus : int
        In a row, and in all.
    restart_interval : int
        In MCUs; 0 for none.
    shift : int
        Lowest bits that are not sent.
    predictions : (ROWS,) int64
        Scratch.
    records : (m,) uint32
        Written: one for each block.
    counts : (ROWS, 256) int64
        By component and symbol; added to.
    ends : (intervals,) int64
        Written: how many records there are at the end of each restart interval.

    Returns
    -------
    int
        How many records there are.

    Notes
    -----
    A dummy block takes over DC from the one before, whose component it shares (:mod:`scan`).
    """
    p, interval = 0, 0
    predictions[:] = 0
    for mcu in range(mcus):
        if restart_interval > 0 and mcu > 0 and mcu % restart_interval == 0:
            ends[interval] = p
            interval += 1
            predictions[:] = 0
        for b in range(plan.shape[0]):
            row = plan[b, COMPONENT]
            start, real = block_start(plan[b], mcu // mcus_across, mcu % mcus_across)
            difference = 0
            if real:
                value = np.int64(coefficients[start]) >> shift
                difference = value - predictions[row]
                predictions[row] = value
            size = size_of(difference)
            counts[row, size] += 1
            p = _put(records, p, row << 8 | size, _raw_bits(difference, size), size)
    ends[interval] = p
    return p


@kernel
def dc_refinement(coefficients, plan, mcus_across, mcus, restart_interval, shift, records, ends):
    """Refinement of DC (T.81 G.1.2.1): the next bit of each block's two's complement.

    Parameters
    ----------
    coefficients, plan, mcus_across, mcus, restart_interval, shift, ends
        As for :func:`dc_first`.
    records : (m,) uint32
        Written: at most one for each block.

    Returns
    -------
    int
        How many records there are.
    """
    p, interval = 0, 0
    symbol, queue, waiting, bit = RAW << 8, 0, 0, 0
    for mcu in range(mcus):
        if restart_interval > 0 and mcu > 0 and mcu % restart_interval == 0:
            p, symbol, queue, waiting = _begin(records, p, symbol, queue, waiting, symbol, 0, 0)
            ends[interval] = p
            interval += 1
        for b in range(plan.shape[0]):
            start, real = block_start(plan[b], mcu // mcus_across, mcu % mcus_across)
            if real:  # a dummy's is that of the block before
                bit = np.int64(coefficients[start]) >> shift & 1
            queue = queue << 1 | bit
            waiting += 1
            if waiting == 16:
                p, symbol, queue, waiting = _begin(records, p, symbol, queue, waiting, symbol, 0, 0)
    p, symbol, queue, waiting = _begin(records, p, symbol, queue, waiting, symbol, 0, 0)
    ends[interval] = p
    return p


@inlined
def _put_run(records, p, blocks, counts):
    """EOBn for a run of blocks, 1 to LONGEST_RUN (T.81 Figure G.3)."""
    n = size_of(blocks) - 1
    counts[0, n << 4] += 1
    return _put(records, p, n << 4, blocks - (1 << n), n)


@kernel
def ac_first(
    coefficients, across, zigzag, nonzero, first_k, last_k, shift, restart_interval,
    records, counts, ends,
):  # fmt: skip
    """First scan of a band of AC (T.81 G.1.2.2, Figures G.3 to G.6).

    Parameters
    ----------
    coefficients : (rows, stride, 64) int16
        Of the component, natural order.
    across : int
        Real blocks across.
    zigzag : (64,) uint8
    nonzero : (blocks,) uint64
        Of the level `shift`.
    first_k, last_k : int
        The band: 1 <= first_k <= last_k <= 63.
    shift : int
        Lowest bits that are not sent.
    restart_interval : int
        In blocks; 0 for none.
    records : (m,) uint32
        Written: for each block one for each bit of `nonzero` within the band, up to 3 runs of
        sixteen zeros, and up to one EOBn.
    counts : (ROWS, 256) int64
        Of symbols, in row 0; added to.
    ends : (intervals,) int64
        As for :func:`dc_first`.

    Returns
    -------
    int
        How many records there are.
    """
    band = band_mask(first_k, last_k)
    p, interval, run_of_blocks = 0, 0, 0
    row, column = 0, 0
    until_restart = restart_interval if restart_interval > 0 else nonzero.size
    for block in range(nonzero.size):
        if until_restart == 0:
            if run_of_blocks > 0:
                p = _put_run(records, p, run_of_blocks, counts)
                run_of_blocks = 0
            ends[interval] = p
            interval += 1
            until_restart = restart_interval
        until_restart -= 1
        mask = nonzero[block] & band
        if mask != 0:
            if run_of_blocks > 0:
                p = _put_run(records, p, run_of_blocks, counts)
                run_of_blocks = 0
            previous = first_k - 1
            while mask != 0:
                k = lowest(mask)
                mask = without_lowest(mask)
                run = k - previous - 1
                previous = k
                value = np.int64(coefficients[row, column, zigzag[k]])
                sign = value >> 63
                magnitude = ((value ^ sign) - sign) >> shift
                size = size_of(magnitude)
                while run > 15:
                    counts[0, ZERO_RUN] += 1
                    p = _put(records, p, ZERO_RUN, 0, 0)
                    run -= 16
                symbol = run << 4 | size
                counts[0, symbol] += 1
                bits = (magnitude ^ sign) & ((1 << size) - 1)
                p = _put(records, p, symbol, bits, size)
            run_of_blocks = 1 if previous < last_k else 0
        else:
            run_of_blocks += 1
            if run_of_blocks == LONGEST_RUN:
                p = _put_run(records, p, run_of_blocks, counts)
                run_of_blocks = 0
        column += 1
        if column == across:
            column = 0
            row += 1
    if run_of_blocks > 0:
        p = _put_run(records, p, run_of_blocks, counts)
    ends[interval] = p
    return p


@inlined
def _correct(records, p, symbol, queue, waiting, history, ones):
    """Correction bits of the coefficients in `history` (T.81 Figure G.9)."""
    while history != 0:
        bit = np.int64(ones >> np.uint64(lowest(history)) & np.uint64(1))
        history = without_lowest(history)
        queue = queue << 1 | bit
        waiting += 1
        if waiting == 16:
            p = _put(records, p, symbol, queue, waiting)
            symbol, queue, waiting = RAW << 8, 0, 0
    return p, symbol, queue, waiting


@inlined
def _end_run(records, place, blocks, counts):
    """Fill in the record of EOBn at its place, now that the length of the run is known."""
    if blocks > 0:
        _put_run(records, place, blocks, counts)


@kernel
def ac_refinement(
    before, nonzero, ones, negative, first_k, last_k, restart_interval, records, counts, ends
):
    """Refinement of a band of AC (T.81 G.1.2.3, Figures G.7 to G.9).

    Parameters
    ----------
    before : (blocks,) uint64
        Bit plane ``nonzero`` of the level above.
    nonzero, ones, negative : (blocks,) uint64
        Bit planes of the level that is to be sent.
    first_k, last_k, restart_interval, counts, ends
        As for :func:`ac_first`.
    records : (m,) uint32
        Written: for each block one for each bit of `nonzero` within the band, up to 3 runs of
        sixteen zeros and an EOBn; with one bit more each of these may end a record of correction
        bits, of which 16 end another. So two for each bit and 8 for each block are enough.

    Returns
    -------
    int
        How many records there are.
    """
    one = np.uint64(1)
    band = band_mask(first_k, last_k)
    p, interval = 0, 0
    run_of_blocks, place = 0, 0  # and where its record is to be
    symbol, queue, waiting = RAW << 8, 0, 0
    until_restart = restart_interval if restart_interval > 0 else nonzero.size
    for block in range(nonzero.size):
        if until_restart == 0:
            _end_run(records, place, run_of_blocks, counts)
            run_of_blocks = 0
            p, symbol, queue, waiting = _begin(records, p, symbol, queue, waiting, RAW << 8, 0, 0)
            ends[interval] = p
            interval += 1
            until_restart = restart_interval
        until_restart -= 1
        rest = band
        history = before[block] & band
        found = nonzero[block] & band & ~history
        if found != 0:
            _end_run(records, place, run_of_blocks, counts)
            run_of_blocks = 0
            while found != 0:
                target = found & (~found + one)
                found ^= target
                zeros = ~nonzero[block] & rest & (target - one)
                run = ones_of(zeros)
                while run > 15:
                    for _ in range(15):
                        zeros = without_lowest(zeros)
                    last = zeros & (~zeros + one)
                    zeros ^= last
                    run -= 16
                    counts[0, ZERO_RUN] += 1
                    p, symbol, queue, waiting = _begin(
                        records, p, symbol, queue, waiting, ZERO_RUN, 0, 0
                    )
                    p, symbol, queue, waiting = _correct(
                        records, p, symbol, queue, waiting, history & rest & (last - one),
                        ones[block],
                    )  # fmt: skip
                    rest &= ~(last | (last - one))
                counts[0, run << 4 | 1] += 1
                positive = 1 if negative[block] & target == 0 else 0
                p, symbol, queue, waiting = _begin(
                    records, p, symbol, queue, waiting, run << 4 | 1, positive, 1
                )
                p, symbol, queue, waiting = _correct(
                    records, p, symbol, queue, waiting, history & rest & (target - one),
                    ones[block],
                )  # fmt: skip
                rest &= ~(target | (target - one))
        if rest != 0:
            if run_of_blocks == 0:
                p, symbol, queue, waiting = _begin(
                    records, p, symbol, queue, waiting, RAW << 8, 0, 0
                )
                place = p
                p += 1
            run_of_blocks += 1
            p, symbol, queue, waiting = _correct(
                records, p, symbol, queue, waiting, history & rest, ones[block]
            )
            if run_of_blocks == LONGEST_RUN:
                _end_run(records, place, run_of_blocks, counts)
                run_of_blocks = 0
    _end_run(records, place, run_of_blocks, counts)
    p, symbol, queue, waiting = _begin(records, p, symbol, queue, waiting, RAW << 8, 0, 0)
    ends[interval] = p
    return p


@kernel
def fill_codes(bits, symbols, start, codes):
    """Codes of a Huffman table (T.81 C.2), each as ``code << 5 | length``.

    Parameters
    ----------
    bits : (16,) uint8
    symbols : (n,) uint8
        Of a sound table.
    start : int
    codes : (>= start + 256,) uint32
        Written at the places of the symbols, from `start` on.
    """
    i, code = 0, 0
    for length in range(1, 17):
        for _ in range(bits[length - 1]):
            codes[start + np.int64(symbols[i])] = code << 5 | length
            i += 1
            code += 1
        code <<= 1


@vector_function
def _put_bytes(raw, position, bits):
    """Store eight bytes, the first from the highest bits."""
    raw.store(bits.swap_bytes(), position)


@kernel
def write_records(records, ends, codes, raw, out):
    """Turn records into bytes, with a restart marker between intervals.

    Parameters
    ----------
    records : (n,) uint32
        At least one in each interval.
    ends : (intervals,) int64
        Increasing, the last n.
    codes : (256 (RAW + 1),) uint32
        Of all symbols that occur, by row (:func:`fill_codes`); 0 in row RAW.
    raw : (4 BATCH + 16,) uint8
        Scratch.
    out : (m,) uint8
        Has room for 8 bytes a record, 4 an interval and 64.

    Returns
    -------
    int
        How many bytes of `out` are filled.

    Notes
    -----
    To fewer than 8 pending bits come at most 32 of a record, so that the accumulator has room, and
    `raw` for the 7 + 32 BATCH bits of a batch, of which the last store begins below 4 BATCH + 1.
    A record has at least one bit, so that the shift is below 64.
    """
    written, p = 0, 0
    for interval in range(ends.size):
        if interval > 0:
            out[written] = 0xFF
            out[written + 1] = 0xD0 + (interval - 1) % 8
            written += 2
        accumulator, n = np.uint64(0), np.uint64(0)
        while p < ends[interval]:
            last = min(p + BATCH, ends[interval])
            position = 0
            while p < last:
                record = np.uint64(records[p])
                p += 1
                entry = np.uint64(codes[record & np.uint64(2047)])
                size = record >> np.uint64(11) & np.uint64(31)
                code = entry >> np.uint64(5) << size | record >> np.uint64(16)
                length = (entry & np.uint64(31)) + size
                accumulator = accumulator << length | code
                n += length
                _put_bytes(raw, position, np.int64(accumulator << (np.uint64(64) - n)))
                position += np.int64(n >> np.uint64(3))
                n &= np.uint64(7)
            if p == ends[interval] and n > 0:  # ones fill the last byte (T.81 F.1.2.3)
                ones = np.uint64(255) >> n
                raw[position] = np.int64(
                    (accumulator << (np.uint64(8) - n) | ones) & np.uint64(255)
                )
                position += 1
            written = stuff(raw, position, out, written)
    return written
