"""The sequential scan, written: blocks to symbols, symbols to bits, bits to bytes (T.81 F.1.2).

Three short loops, each without the others' branches, over pieces that stay in the fastest cache:

1. *Blocks to symbols.* A block comes in zigzag order with a *mask*, whose bit k says that
   coefficient k is not zero: the runs of zeros are the gaps between its bits. Each symbol with the
   raw bits of its value becomes one *entry*, ``bits << 5 | length``. For small values and runs
   below 16 the entry stands ready in a table; otherwise (rare) it is put together.
2. *Entries to bits.* No branch at all: two entries are appended to a 64-bit accumulator, of which
   eight bytes are written at the place of the first unfinished byte.
3. *Bits to bytes*: :func:`pyjpegml.bitio.stuff`.

*Order.* Blocks lie in the order of the scan (MCU by MCU, :mod:`pyjpegml.scan`), dummies included: a
dummy has the DC of the block before it and an empty mask, and so codes as two short symbols.

*Optimal tables* take two passes: :func:`count_symbols`, then :func:`encode_mcus`.

Arrays: blocks are (n * 64,) int16, masks (n,) int64, in a buffer that has room for one more, which
is written and never read. The *plan* says component and table slots of each block of an MCU.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ._jit import inlined, kernel
from .bitio import stuff
from .constants import ZIGZAG
from .huffman import AC, TABLE_SLOTS, HuffmanTable, fill_optimal_table, optimal_scratch
from .scan import (
    AC_SLOT,
    COMPONENT,
    DC_SLOT,
    END_OF_BLOCK,
    ZERO_RUN,
    block_start,
)
from .simd import vector_function

# the state between calls: pending bits (fewer than 8) and their number, whole bytes in `raw` that
# are not stuffed yet, MCUs done, predictions of four components
BITS, COUNT, POSITION, DONE, PREDICTIONS = 0, 1, 2, 3, 4
STATE_FIELDS = 8

#: Values of at most this size, and runs below 16, have their entry ready.
READY = 128

#: Blocks that are coded at once. One has at most 128 entries: 63 values of two entries each (code,
#: and raw bits when both do not fit), DC's two, and nothing else then, since zeros cost values.
BATCH_BLOCKS = 24
ENTRIES = BATCH_BLOCKS * 128 + 16

#: Most that a block may take: 64 codes of at most 16 + 16 bits.
BLOCK_BYTES = 256


#: Bytes of a DHT segment before the counts of a table: marker, length, class and slot.
SEGMENT_HEAD = 5


class CodingTables(NamedTuple):
    """What the writer looks entries up in.

    ``symbols`` (8 * 256,) uint32: the code alone, by slot and symbol. ``values`` (4 * 256 * 16,)
    uint32: code and raw bits, by AC slot, value + 128 and run.
    """

    symbols: npt.NDArray[np.uint32]
    values: npt.NDArray[np.uint32]


class Writer(NamedTuple):
    """State and scratch of the writer; made by :func:`new_writer`.

    ``state`` (STATE_FIELDS,) int64: zeros at the start of a scan, kept from call to call. ``raw``
    (n,) uint8: bytes that are not stuffed yet. ``out`` (m,) uint8: finished bytes. The rest is
    scratch: ``entries`` (ENTRIES,) uint32; ``indices`` (64,) int16, ``places`` (64,) uint8 and
    ``large`` (1,) int64 for :func:`find_ready`.
    """

    state: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int16]
    places: npt.NDArray[np.uint8]
    large: npt.NDArray[np.int64]
    entries: npt.NDArray[np.uint32]
    raw: npt.NDArray[np.uint8]
    out: npt.NDArray[np.uint8]


def new_writer(blocks: int, out: npt.NDArray[np.uint8] | None = None) -> Writer:
    """A writer that has room for `blocks` blocks between two calls of :func:`finish`.

    `out` is that of another writer for as many, if the two are never finished at the same time. To
    `raw` come up to 7 bits from before, and a store of eight bytes may begin at the last of its
    bytes. Stuffing may double the bytes; an MCU may end with a byte that is filled up (and stuffed)
    and a restart marker. Only what is written of them becomes real memory.
    """
    return Writer(
        np.zeros(STATE_FIELDS, np.int64),
        np.empty(64, np.int16),
        np.empty(64, np.uint8),
        np.empty(1, np.int64),
        np.empty(ENTRIES, np.uint32),
        np.empty(blocks * BLOCK_BYTES + 16, np.uint8),
        np.empty(2 * blocks * BLOCK_BYTES + 4 * blocks + 64, np.uint8) if out is None else out,
    )


def coding_tables(tables: dict[int, HuffmanTable]) -> CodingTables:
    """Entries of a set of Huffman tables, by slot."""
    coding = _no_coding_tables()
    for slot, table in tables.items():
        fill_entries(*table.arrays(), slot, *coding)
    return coding


def _no_coding_tables() -> CodingTables:
    """Memory for coding tables. Entries of symbols without a code stay 0 in `symbols`; in `values`
    they hold anything, since no block asks for them.
    """
    return CodingTables(
        np.zeros(TABLE_SLOTS * 256, np.uint32), np.empty(4 * 2 * READY * 16, np.uint32)
    )


def optimal_coding(
    counts: npt.NDArray[np.int64], plan: npt.NDArray[np.int64]
) -> tuple[CodingTables, bytes]:
    """The optimal Huffman tables of a scan, ready to write with, and their DHT segments.

    What :func:`pyjpegml.huffman.optimal_table` and :func:`coding_tables` make of the counts, at
    once: for a small picture this is most of the work.

    Parameters
    ----------
    counts : (8, 256) int64
        Of :func:`count_symbols`.
    plan : (blocks of an MCU, PLAN_FIELDS) int64
        Says which tables there are.
    """
    coding = _no_coding_tables()
    segments = np.empty(TABLE_SLOTS * (SEGMENT_HEAD + 16 + 256), np.uint8)
    size = fill_optimal_coding(counts, plan, optimal_scratch(), *coding, segments)
    return coding, segments[:size].tobytes()


@vector_function
def leading_zeros(x) -> int:
    """Zero bits above the highest one of a 64-bit number."""
    return x.leading_zeros()


@vector_function
def trailing_zeros(x) -> int:
    """Zero bits below the lowest one of a 64-bit number."""
    return x.trailing_zeros()


@vector_function
def _level(blocks, index) -> int:
    """A coefficient."""
    return blocks.load(1, index).sext(64)


@vector_function
def _mask(masks, index) -> int:
    """A block's mask."""
    return masks.load(1, index)


@vector_function
def _entry(table, index) -> int:
    """An unsigned 32-bit entry."""
    return table.load(1, index).zext(64)


@vector_function
def _index(indices, k) -> int:
    """An unsigned 16-bit index."""
    return indices.load(1, k).zext(64)


@vector_function
def _put(entries, index, entry):
    """Store an entry."""
    entries.store(entry.trunc(32), index)


@vector_function
def _put_bytes(raw, position, bits):
    """Store eight bytes, the first from the highest bits."""
    raw.store(bits.swap_bytes(), position)


@vector_function
def put_ordered(coefficients, start, blocks, masks, block):
    """One block from natural to zigzag order, and its mask."""
    levels = coefficients.load(64, start).shuffle(ZIGZAG)
    blocks.store(levels, block * 64)
    masks.store(levels.differs(0).mask(), block)


@vector_function
def find_ready(blocks, masks, block, indices, places, large) -> int:
    """Indices of the ready entries of a block, one for each of its AC values.

    All values that are not zero are moved to the front, and so are their places in the block, whose
    differences are the runs. Returns how many there are; -1 if a run is longer than 15, or if the
    CPU cannot do this fast. 64 numbers are stored in `indices`, those behind the last without a
    meaning but below 2 * READY * 16, and 64 in `places`; in `large` a mask of the values that may
    be too large to have an entry.
    """
    mask = masks.load(1, block) & ~1
    if not mask.can_compress:
        return mask * 0 - 1
    chosen = mask.from_mask(64)
    levels = blocks.load(64, block * 64).to_int8().compress(chosen)
    where = ((levels & 0) + range(64)).compress(chosen)
    runs = where - where.shuffle([64, *range(63)], where & 0) - 1
    for k, (level, run) in enumerate(zip(levels.halves(), runs.halves(), strict=True)):
        indices.store(((level.sext(16) + READY) << 4) + (run.zext(16) & 15), 32 * k)
    places.store(where)
    # what lies behind the last is ignored: many < 64, since DC is not among them
    many = mask.ones()
    inside = (many * 0 + 1 << many) - 1
    large.store((levels.equals(127).mask() | levels.equals(-128).mask()) & inside)
    long = (runs & 0xF0).differs(0).mask() & inside
    return long.equals(0).select(many, many * 0 - 1)


@vector_function
def _word(raw, position) -> int:
    """Eight bytes, the first in the highest bits."""
    return raw.load(1, position, 64).swap_bytes()


@inlined
def size_of(value):
    """Category of a value: the number of bits of abs(value) (T.81 Table F.1)."""
    return 64 - leading_zeros(abs(value))


@inlined
def _with_bits(entry, value, size):
    """Entry of a code and the raw bits of a value (T.81 F.1.2.1.1, Figure F.3)."""
    bits = (value + (value >> 63)) & ((1 << size) - 1)
    return (((((entry >> 5) << size) | bits) << 5) | (entry & 31)) + size


@inlined
def _put_value(entries, p, entry, value, size):
    """The entry of a code and a value; two if an uint32 entry may not hold both, 27 bits.

    Returns the new number of entries.
    """
    if size <= 11:
        _put(entries, p, _with_bits(entry, value, size))
        return p + 1
    _put(entries, p, entry)
    _put(entries, p + 1, _with_bits(0, value, size))
    return p + 2


@kernel
def fill_entries(bits, table_symbols, slot, symbols, values):
    """Entries of one Huffman table.

    Parameters
    ----------
    bits : (16,) uint8
    table_symbols : (n,) uint8
        The table.
    slot : int
    symbols, values
        :class:`CodingTables`; written.
    """
    i, code = 0, 0
    for length in range(1, 17):  # T.81 C.2: Figures C.1 to C.3 at once
        for _ in range(bits[length - 1]):
            symbol = np.int64(table_symbols[i])
            entry = code << 5 | length
            symbols[256 * slot + symbol] = entry
            if slot >= AC:
                _ready_values(entry, symbol, (slot - AC) * 2 * READY * 16, values)
            i += 1
            code += 1
        code <<= 1


@inlined
def _ready_values(entry, symbol, start, values):
    """Entries of the small values that a symbol of an AC table stands for (T.81 Table F.2)."""
    run, size = symbol >> 4, symbol & 15
    if size == 0:
        return
    for magnitude in range(1 << (size - 1), min(1 << size, READY + 1)):
        if magnitude < READY:
            values[start + 16 * (READY + magnitude) + run] = _with_bits(entry, magnitude, size)
        values[start + 16 * (READY - magnitude) + run] = _with_bits(entry, -magnitude, size)


@kernel
def fill_optimal_coding(counts, plan, scratch, symbols, values, segments):
    """The optimal tables of a scan (T.81 K.2): entries, and DHT segments (B.2.4.2).

    Parameters
    ----------
    counts : (8, 256) int64
    plan : (blocks of an MCU, PLAN_FIELDS) int64
    scratch : (4, 258) int64
    symbols, values
        :class:`CodingTables`; written.
    segments : (8 * (SEGMENT_HEAD + 16 + 256),) uint8
        Written: one segment for each table, by slot.

    Returns
    -------
    int
        Bytes of `segments` that are filled.
    """
    size = 0
    for slot in range(counts.shape[0]):
        used = False
        for block in plan:
            used |= block[DC_SLOT] == slot or block[AC_SLOT] == slot
        if not used:
            continue
        segment = segments[size : size + SEGMENT_HEAD + 16 + 256]
        bits, table_symbols = segment[SEGMENT_HEAD:][:16], segment[SEGMENT_HEAD + 16 :]
        count = fill_optimal_table(counts[slot], bits, table_symbols, scratch)
        fill_entries(bits, table_symbols, slot, symbols, values)
        length = SEGMENT_HEAD - 2 + 16 + count
        segment[0], segment[1], segment[2], segment[3] = 0xFF, 0xC4, length >> 8, length & 255
        segment[4] = slot // AC << 4 | slot % AC
        size += 2 + length
    return size


@kernel
def order_blocks(coefficients, plan, mcus_across, first, last, blocks, masks):
    """Blocks of the MCUs from `first` to `last`, from a component's natural order to the scan's.

    Parameters
    ----------
    coefficients : (n,) int16
        All components, natural order (:class:`pyjpegml.coefficients.Geometry`).
    plan : (blocks of an MCU, PLAN_FIELDS) int64
    mcus_across, first, last : int
    blocks : (64 n,) int16
    masks : (n,) int64
        Written from block 0 on. Room for the blocks of these MCUs is all that is needed: each store
        is 64 numbers at a block's place, and each load 64 numbers of a block in the array.
    """
    block = 0
    for mcu in range(first, last):
        for b in range(plan.shape[0]):
            start, real = block_start(plan[b], mcu // mcus_across, mcu % mcus_across)
            if real:
                put_ordered(coefficients, start, blocks, masks, block)
            else:
                put_dummy(blocks, masks, block)
            block += 1


@inlined
def put_dummy(blocks, masks, block):
    """A block beyond the edge of its component; never the first one of an MCU."""
    masks[block] = 0
    blocks[64 * block] = blocks[64 * block - 64]


@kernel
def count_symbols(blocks, masks, start, mcus, restart_interval, plan, state, counts):
    """Count the Huffman symbols of some MCUs: the first pass when tables are to be optimal.

    Parameters
    ----------
    blocks : (64 n,) int16
        In the order of the scan.
    masks : (n,) int64
    start : int
        The first block.
    mcus : int
    restart_interval : int
        In MCUs; 0 for none.
    plan : (blocks of an MCU, PLAN_FIELDS) int64
    state : (STATE_FIELDS,) int64
        Zeros at the start of the scan, kept from call to call.
    counts : (8, 256) int64
        By table slot and symbol; added to.

    Returns
    -------
    int
        Raw bits that follow the symbols, in all.

    Notes
    -----
    Loads: masks and coefficients of blocks ``start`` to ``start + mcus * plan.shape[0] - 1``, which
    `blocks` and `masks` hold. Symbols are below 256, as in :func:`encode_mcus`.
    """
    raw_bits = 0
    block = start
    for _ in range(mcus):
        if restart_interval > 0 and state[DONE] % restart_interval == 0:
            state[PREDICTIONS:] = 0
        for b in range(plan.shape[0]):
            component = PREDICTIONS + plan[b, COMPONENT]
            dc_counts, ac_counts = counts[plan[b, DC_SLOT]], counts[plan[b, AC_SLOT]]
            dc = _level(blocks, 64 * block)
            size = size_of(dc - state[component])
            state[component] = dc
            dc_counts[size] += 1
            raw_bits += size
            mask = np.uint64(_mask(masks, block) & ~1)
            last = 0
            while mask != 0:
                k = trailing_zeros(mask)
                mask &= mask - np.uint64(1)
                run = k - last - 1
                last = k
                size = size_of(_level(blocks, 64 * block + k))
                ac_counts[ZERO_RUN] += run >> 4
                ac_counts[((run & 15) << 4) + size] += 1
                raw_bits += size
            if last < 63:
                ac_counts[END_OF_BLOCK] += 1
            block += 1
        state[DONE] += 1
    return raw_bits


@inlined
def _block_entries(
    blocks, masks, block, prediction, dc, ac, symbols, values, indices, places, large, entries, p
):
    """Entries of one block, behind `p` others. Returns their new number."""
    difference = _level(blocks, 64 * block) - prediction
    size = size_of(difference)
    p = _put_value(entries, p, _entry(symbols, 256 * dc + size), difference, size)
    mask = np.uint64(_mask(masks, block) & ~1)
    ready = (ac - AC) * 2 * READY * 16
    count = find_ready(blocks, masks, block, indices, places, large)
    if count >= 0:
        for i in range(0, count, 4):
            for k in range(i, i + 4):
                _put(entries, p + k, _entry(values, ready + _index(indices, k)))
        left = large[0]
        while left != 0:
            k = trailing_zeros(left)
            left &= left - 1
            value = _level(blocks, 64 * block + np.int64(places[k]))
            size = size_of(value)
            run = _index(indices, k) & 15
            entry = _entry(symbols, 256 * ac + 16 * run + size)
            _put(entries, p + k, _with_bits(entry, value, size))
            if size > 11:
                count = -1  # two entries: the other way
                break
    if count >= 0:
        p += count
        _put(entries, p, _entry(symbols, 256 * ac + END_OF_BLOCK))
        return p + 1 - (_mask(masks, block) >> 63 & 1)
    ready += 16 * READY
    last = 0
    while mask != 0:
        k = trailing_zeros(mask)
        mask &= mask - np.uint64(1)
        run = k - last - 1
        last = k
        value = _level(blocks, 64 * block + k)
        if run < 16 and -READY <= value < READY:
            _put(entries, p, _entry(values, ready + 16 * value + run))
            p += 1
        else:
            while run > 15:
                _put(entries, p, _entry(symbols, 256 * ac + ZERO_RUN))
                p += 1
                run -= 16
            size = size_of(value)
            p = _put_value(entries, p, _entry(symbols, 256 * ac + 16 * run + size), value, size)
    _put(entries, p, _entry(symbols, 256 * ac + END_OF_BLOCK))
    return p + (1 if last < 63 else 0)


@vector_function
def _join_pairs(entries, i):
    """16 entries to 8 of twice the size, in place: ``bits << 6 | length``, at most 54 bits."""
    pair = entries.load(8, i, 64)
    first, second = pair & 0xFFFFFFFF, pair.shift_right(32)
    length = second & 31
    bits = (first.shift_right(5) << length) | second.shift_right(5)
    entries.store((bits << 6) | ((first & 31) + length), i)


@vector_function
def _pair(entries, i) -> int:
    """Two entries, joined."""
    return entries.load(1, i, 64)


@inlined
def _write_bits(entries, count, raw, state):
    """Append entries to the bits in `raw` (T.81 F.1.4.3: from the most significant bit on).

    Fewer than 8 pending bits and two entries of at most 27 bits fit into the accumulator. Its bits
    above the n pending ones are remains, which the shift to the top drops. At least one entry of a
    pair has a length, so that the shift is below 64.
    """
    _put(entries, count, 0)  # one more, of length 0, if the number is odd
    for i in range(0, count, 16):
        _join_pairs(entries, i)
    accumulator, n = np.uint64(state[BITS]), np.uint64(state[COUNT])
    position = state[POSITION]
    for i in range(0, count, 2):
        pair = np.uint64(_pair(entries, i))
        length = pair & np.uint64(63)
        accumulator = (accumulator << length) | (pair >> np.uint64(6))
        n += length
        _put_bytes(raw, position, np.int64(accumulator << (np.uint64(64) - n)))
        position += np.int64(n >> np.uint64(3))
        n &= np.uint64(7)
    state[BITS], state[COUNT], state[POSITION] = np.int64(accumulator), np.int64(n), position


@inlined
def encode_mcus(blocks, masks, start, mcus, total, restart_interval, plan, coding, writer, written):
    """Code some MCUs (T.81 F.1.2): into bits in `raw`, and whole restart intervals into bytes.

    Parameters
    ----------
    blocks, masks, start, mcus, restart_interval, plan
        As for :func:`count_symbols`. Differences and values are below 2**15 in size.
    total : int
        MCUs of the whole scan: behind the last one there is no restart marker.
    coding : CodingTables
        Every symbol that occurs must have a code.
    writer : Writer
        Has room for the blocks of all calls since the last :func:`finish`.
    written : int
        Bytes of the writer's `out` that are filled.

    Returns
    -------
    int
        Bytes of `out` that are filled now.

    Notes
    -----
    Loads: coefficients and masks of blocks ``start`` to ``start + mcus * plan.shape[0] - 1``.
    Symbols are below 256: runs are below 16 and sizes at most 15. Stores: at most 128 entries a
    block (see BATCH_BLOCKS), up to three behind them without a meaning, and what
    :func:`_write_bits` rounds up to 16. `raw` takes at most BLOCK_BYTES a block, which
    :func:`new_writer` counted.
    """
    # taken out of their tuples here, once: each taking counts a reference
    symbols, values = coding.symbols, coding.values
    state, indices, places, large, entries, raw, out = writer
    batch = BATCH_BLOCKS // plan.shape[0]
    block = start
    end = start + mcus * plan.shape[0]
    while block < end:
        done = state[DONE]
        now = min(batch, (end - block) // plan.shape[0])
        if restart_interval > 0:
            now = min(now, restart_interval - done % restart_interval)
        p = 0
        for _ in range(now):
            for b in range(plan.shape[0]):
                component = PREDICTIONS + plan[b, COMPONENT]
                p = _block_entries(
                    blocks, masks, block, state[component], plan[b, DC_SLOT], plan[b, AC_SLOT],
                    symbols, values, indices, places, large, entries, p,
                )  # fmt: skip
                state[component] = _level(blocks, 64 * block)
                block += 1
        _write_bits(entries, p, raw, state)
        done += now
        state[DONE] = done
        if restart_interval > 0 and done % restart_interval == 0 and done < total:
            written = finish(writer, written, 0, 0, True)
            out[written] = 0xFF
            out[written + 1] = 0xD0 + (done // restart_interval - 1) % 8
            written += 2
            state[PREDICTIONS:] = 0
    return written


@inlined
def _shift(raw, count, pending, shift):
    """Put `shift` bits, 1 to 7, the low ones of `pending`, before the first `count` bytes of `raw`.

    Words of eight bytes: `raw` has that much room behind the last byte.
    """
    for i in range(0, count + 1, 8):
        word = np.uint64(_word(raw, i))
        moved = (word >> np.uint64(shift)) | (np.uint64(pending) << np.uint64(64 - shift))
        _put_bytes(raw, i, np.int64(moved))
        pending = np.int64(word & np.uint64(255))


@kernel
def finish(writer, written, pending, count, last):
    """Turn the whole bytes of `raw` into finished ones; up to 7 bits stay pending in the state.

    Segments of a scan may be coded at the same time, each by a writer of its own, before anybody
    knows at which bit of a byte it will begin. That is made good here.

    Parameters
    ----------
    writer : Writer
    written : int
        Bytes of its `out` that are filled.
    pending, count : int
        The last bits of the segment before, 0 to 7, and how many; none if this same writer coded
        it.
    last : bool
        Fill the last byte with ones (T.81 F.1.2.3).

    Returns
    -------
    int
        Bytes of `out` that are filled now.
    """
    state, raw, out = writer.state, writer.raw, writer.out
    whole = state[POSITION]
    raw[whole] = (state[BITS] << (8 - state[COUNT])) & 255
    if count > 0:
        _shift(raw, whole + 1, pending, count)
    whole += (state[COUNT] + count) >> 3
    left = (state[COUNT] + count) & 7
    if last and left > 0:
        raw[whole] |= 255 >> left
        whole += 1
        left = 0
    written = stuff(raw, whole, out, written)
    state[BITS] = np.int64(raw[whole]) >> (8 - left) if left > 0 else 0
    state[COUNT], state[POSITION] = left, 0
    return written


def pending_bits(writer: Writer, pending: int, count: int) -> tuple[int, int]:
    """Which bits are left behind the whole bytes of a segment, before :func:`finish` is called.

    Parameters
    ----------
    writer : Writer
        Of this segment.
    pending, count : int
        The bits of the segment before.

    Returns
    -------
    pending, count : int
        What :func:`finish` wants for the next segment.
    """
    position, own = int(writer.state[POSITION]), int(writer.state[COUNT])
    if position > 0:
        pending = int(writer.raw[position - 1])
    tail = pending << own | int(writer.state[BITS]) & (1 << own) - 1
    left = (count + own) & 7
    return tail & (1 << left) - 1, left


@kernel
def encode_blocks(blocks, masks, start, mcus, total, restart_interval, plan, coding, writer):
    """:func:`encode_mcus` and :func:`finish`, from the start of `out`.

    Parameters
    ----------
    blocks, masks, start, mcus, total, restart_interval, plan, coding, writer
        As for :func:`encode_mcus`.
    """
    written = encode_mcus(
        blocks, masks, start, mcus, total, restart_interval, plan, coding, writer, 0
    )
    return finish(writer, written, 0, 0, writer.state[DONE] == total)
