"""Codes of progressive scans: tables to find them in, and what stands behind them.

The symbols of progressive scans are those of sequential ones (:mod:`pyjpegml.huffman`) but for two
things (T.81 G.1.2). An AC symbol of size 0 ends the band not of one block only, but of a *run of
blocks*, whose length has raw bits of its own. And a scan that refines has values of 1 and -1 only:
its sizes are 0 and 1. So each kind of scan has its own tables; all are filled by one kernel.

As there, a decoder looks at the next LOOK_AHEAD bits at once, and these mostly hold the code and
the raw bits behind it. A file has about ten scans with a table each, and most tables are small: so
what is longer is not looked up in a second table, but found by its length, as T.81 F.2.2.3 does it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ._jit import inlined, kernel
from .huffman import END_STEP, LOOK_AHEAD, HuffmanTable
from .scan import BAD_CATEGORY, BAD_CODE, OK, ZERO_RUN

# what a table's symbols mean
DC_FIRST, AC_FIRST, AC_REFINEMENT = 0, 1, 2


class CodeTables(NamedTuple):
    """What the kernels look codes up in, for some Huffman tables.

    ``look_up`` (n, 2**LOOK_AHEAD) int32: for each table, by the next LOOK_AHEAD bits, the code that
    starts them. Where the raw bits behind it lie within the look-ahead too, and it is no run of
    sixteen zeros, they have been read already::

        value << 16 | step << 8 | length of code and raw bits        the short form
        length of code << 24 | size << 16 | step << 8 | 0            the long form
        0                                                            a longer code, or none

    ``step`` is how far the symbol goes along the zigzag path, its run and the coefficient itself;
    END_STEP for EOBn, whose ``value`` is the number of blocks. ``size`` is the number of raw bits;
    it is above 15 for symbols that have no meaning in this kind of scan.

    Longer codes are found by their length, as in T.81 Figure F.16: ``limits`` (n, 17) int64 has for
    each length the 16 bits from which on codes are longer, ``offsets`` (n, 17) int64 what is to be
    added to a code to have its index in ``forms`` (n, 256) int32, the long forms of all codes.
    """

    look_up: npt.NDArray[np.int32]
    limits: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    forms: npt.NDArray[np.int32]


@lru_cache(maxsize=32)
def code_tables(tables: tuple[HuffmanTable | None, ...], kind: int) -> CodeTables:
    """Tables for decoding, read-only; those used last are remembered.

    Parameters
    ----------
    tables : tuple of HuffmanTable or None
        In a None there is no code: all bits are a bad one.
    kind : int
        DC_FIRST, AC_FIRST or AC_REFINEMENT.
    """
    count = len(tables)
    made = CodeTables(
        np.zeros((count, 1 << LOOK_AHEAD), np.int32),
        np.zeros((count, 17), np.int64),
        np.zeros((count, 17), np.int64),
        np.zeros((count, 256), np.int32),
    )
    for i, table in enumerate(tables):
        if table is not None:
            bits = np.array(table.bits, np.int64)
            fill_table(bits, np.frombuffer(table.symbols, np.uint8), kind, i, *made)
    for array in made:
        array.flags.writeable = False
    return made


@inlined
def _meaning(symbol, kind):
    """Raw bits, and step along the path, of a symbol (T.81 F.1.2.1, G.1.2.2, G.1.2.3)."""
    if kind == DC_FIRST:
        return symbol, 1
    run, size = symbol >> 4, symbol & 15
    if symbol != ZERO_RUN and size == 0:
        return run, END_STEP
    if kind == AC_REFINEMENT and size > 1:
        return 255, run + 1
    return size, run + 1


@inlined
def _value(raw, size, step):
    """What `size` raw bits stand for: blocks of an EOBn, or a value (T.81 Figures G.3, F.12)."""
    if step == END_STEP:
        return (1 << size) + raw
    if raw < (1 << size) >> 1:
        return raw + (-1 << size) + 1
    return raw


@kernel
def fill_table(bits, symbols, kind, slot, look_up, limits, offsets, forms):
    """Make one row of each of the :class:`CodeTables`.

    Parameters
    ----------
    bits : (16,) int64
    symbols : (sum of bits,) uint8
        As in a :class:`pyjpegml.huffman.HuffmanTable`, which makes sure that codes of n bits stay
        below 2**n: so what codes of up to LOOK_AHEAD bits fill ends within `look_up`.
    kind, slot : int
    look_up, limits, offsets, forms
        Zeros; row `slot` is written.
    """
    code, index, position = 0, 0, 0
    for length in range(1, 17):
        offsets[slot, length] = index - code
        for _ in range(bits[length - 1]):
            symbol = np.int64(symbols[index])
            size, step = _meaning(symbol, kind)
            form = length << 24 | size << 16 | step << 8
            forms[slot, index] = form
            total = length + size
            if length <= LOOK_AHEAD:
                for k in range(1 << (LOOK_AHEAD - length)):
                    entry = form
                    if total <= LOOK_AHEAD and step != 16:
                        value = _value(k >> (LOOK_AHEAD - total), size, step)
                        entry = value << 16 | step << 8 | total
                    look_up[slot, position] = entry
                    position += 1
            index += 1
            code += 1
        limits[slot, length] = code << (16 - length)
        code <<= 1


@inlined
def look_ahead(accumulator, table):
    """Entry for the LOOK_AHEAD bits at the head: there is one for each."""
    return np.int64(table[accumulator >> np.uint64(64 - LOOK_AHEAD)])


@inlined
def take(accumulator, n, entry):
    """Step over the code and the raw bits of a short entry; gives value and step too.

    The bits of the entry above the length only change bits of n that do not count.
    """
    return accumulator << np.uint64(entry & 63), n - entry, entry >> 16, (entry >> 8) & 255


@inlined
def take_long(accumulator, n, entry, limits, offsets, forms):
    """The same for a code and raw bits that the look-up does not hold together.

    At most 16 + 15 bits. Returns accumulator, n, value, step, and a status.
    """
    if entry == 0:
        ahead = np.int64(accumulator >> np.uint64(48))
        length = LOOK_AHEAD + 1
        while length < 16 and ahead >= limits[length]:
            length += 1
        if ahead >= limits[length]:
            return accumulator, n, 0, 0, BAD_CODE
        # as it is below the limit of its length and not below that of the length before, this is
        # one of the codes of its length
        entry = np.int64(forms[offsets[length] + (ahead >> (16 - length))])
    length, size, step = entry >> 24, (entry >> 16) & 255, (entry >> 8) & 255
    if size > 15:
        return accumulator, n, 0, 0, BAD_CATEGORY
    accumulator <<= np.uint64(length)
    raw = np.int64(accumulator >> np.uint64(1) >> np.uint64(63 - size))
    accumulator <<= np.uint64(size)
    return accumulator, n - length - size, _value(raw, size, step), step, OK
