"""Huffman tables: canonical codes, the best code for a set of counts, and tables to decode with.

A table is 16 counts (how many codes of 1 to 16 bits) and the symbols in order of increasing code
(T.81 B.2.4.2). The codes need not be sent: they are the integers that count upwards, with a zero
appended whenever the length grows (Annex C)::

    length 2: 00 01   length 3: 100 101   length 4: 1100 ...

No code consists of ones only: a decoder may meet such bits as padding before a marker.

*The best code* (Annex K.2) is Huffman's of 1952, with two additions. One more symbol with count 1
takes part, which ends up with the all-ones code and is then dropped. And no code may be longer than
16 bits: pairs of too long codes give up one sibling's place to a shorter code which is split
instead (Figure K.3).

*Decoding* looks at the next ``LOOK_AHEAD`` bits at once. Most of the time they hold the code and
the raw bits behind it, and one table access gives run, value and the length of both. Codes that are
longer are rare, and, as codes count upwards, few bit patterns start with one of them: a second
table holds those of 16 bits (:class:`DecodingTables`).

Kernels take a table as two arrays, its counts and its symbols (:meth:`HuffmanTable.arrays`). All
tables of a scan together (DC tables in slots 0 to 3, AC tables in slots 4 to 7) become
:class:`DecodingTables` to decode with, and :class:`pyjpegml.symbols.CodingTables` to encode with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from . import constants
from ._jit import inlined, kernel
from .errors import JpegFormatError

LOOK_AHEAD = 10
#: Step of an end of block: beyond the path from wherever it is met, and told from a run that is too
#: long, which ends at 62 + 16 at most.
END_STEP = 128
#: Rows of a set of tables: four DC tables, then four AC tables.
TABLE_SLOTS = 8
AC = 4


@dataclass(frozen=True)
class HuffmanTable:
    """A Huffman table as a DHT segment holds it (T.81 B.2.4.2).

    Parameters
    ----------
    bits : tuple of 16 int
        Number of codes of 1 to 16 bits.
    symbols : bytes
        The symbols in order of increasing code, ``sum(bits)`` of them.

    Raises
    ------
    JpegFormatError
        If there are more codes of a length than the shorter ones leave room for, the all-ones code
        is used, or the number of symbols is wrong.
    """

    bits: tuple[int, ...]
    symbols: bytes

    def __post_init__(self) -> None:
        if len(self.bits) != 16 or sum(self.bits) != len(self.symbols) or len(self.symbols) > 256:
            raise JpegFormatError(
                f"a Huffman table has 16 counts and their sum of symbols, at most 256; "
                f"this one has {len(self.bits)} counts for {len(self.symbols)} symbols"
            )
        if max(self.bits) > 255:
            raise JpegFormatError(
                f"a Huffman table has at most 255 codes of a length; this one has {max(self.bits)}"
            )
        code = 0
        for length, count in enumerate(self.bits, 1):
            code += count
            if count and code >= 1 << length:
                raise JpegFormatError(
                    f"the Huffman table is oversubscribed: {count} codes of {length} bits do not "
                    "fit (no code may consist of ones only)"
                )
            code <<= 1

    def arrays(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """The counts and the symbols, as kernels take them."""
        both = np.frombuffer(bytearray(self.bits) + self.symbols, np.uint8)
        return both[:16], both[16:]

    def code_lengths(self) -> list[int]:
        """Length of the i-th code (T.81 C.2, Generate_size_table)."""
        return [length for length, count in enumerate(self.bits, 1) for _ in range(count)]

    def codes(self) -> list[int]:
        """The i-th code, right-aligned (T.81 C.2, Generate_code_table)."""
        codes, code, previous = [], 0, 0
        for length in self.code_lengths():
            code <<= length - previous
            codes.append(code)
            code, previous = code + 1, length
        return codes


STANDARD_TABLES = {
    0: HuffmanTable(constants.DC_LUMINANCE_BITS, constants.DC_SYMBOLS),
    1: HuffmanTable(constants.DC_CHROMINANCE_BITS, constants.DC_SYMBOLS),
    AC + 0: HuffmanTable(constants.AC_LUMINANCE_BITS, constants.AC_LUMINANCE_SYMBOLS),
    AC + 1: HuffmanTable(constants.AC_CHROMINANCE_BITS, constants.AC_CHROMINANCE_SYMBOLS),
}
"""Annex K's typical tables (K.3 to K.6) by slot: luminance 0 and chrominance 1."""


class DecodingTables(NamedTuple):
    """What the scan decoder looks codes up in.

    ``look_up`` (8, 2**LOOK_AHEAD) int32: for each slot, by the next LOOK_AHEAD bits, the code that
    starts them; 0 if it is longer, or these bits are no code. Where the raw bits behind the code
    lie within the look-ahead too, they have been read already::

        value << 16 | step << 8 | length of code and raw bits        the short form
        length of code << 24 | size << 16 | step << 8 | 0            the long form

    ``step`` is how far the symbol goes along the zigzag path: its run and the coefficient itself,
    END_STEP for an end of block, and 1 in DC tables. ``size`` is the number of raw bits; in DC
    tables it may be up to 255, which is an error. ``tail`` (n,) int32: long forms of the codes that
    are longer than LOOK_AHEAD, 0 for no code, by the next 16 bits. Codes count upwards, so all
    bits from a certain number on belong here: ``tail_start`` (8,) int64 is what is to be added to
    16 bits of a slot. A slot without a table must not be asked.
    """

    look_up: npt.NDArray[np.int32]
    tail: npt.NDArray[np.int32]
    tail_start: npt.NDArray[np.int64]


def decoding_tables(tables: dict[int, HuffmanTable]) -> DecodingTables:
    """Tables for decoding (T.81 F.2.2.3), read-only; those used last are remembered.

    Parameters
    ----------
    tables : dict
        By slot, 0 to 7.
    """
    return _decoding_tables(tuple(sorted(tables.items())))


@lru_cache(maxsize=16)
def _decoding_tables(tables: tuple[tuple[int, HuffmanTable], ...]) -> DecodingTables:
    look_up = np.zeros((TABLE_SLOTS, 1 << LOOK_AHEAD), np.int32)
    tail_start = np.zeros(TABLE_SLOTS, np.int64)
    starts = [0]
    for slot, table in tables:
        # of all 2**16 bit patterns, the last: those that no code of up to LOOK_AHEAD bits starts
        short = sum(n << (16 - length) for length, n in enumerate(table.bits[:LOOK_AHEAD], 1))
        tail_start[slot] = starts[-1] - short
        starts.append(starts[-1] + (1 << 16) - short)
    tail = np.zeros(starts[-1], np.int32)
    for start, (slot, table) in zip(starts, tables, strict=False):
        fill_decoding_table(*table.arrays(), slot >= AC, look_up[slot], tail[start:])
    made = DecodingTables(look_up, tail, tail_start)
    for array in made:
        array.flags.writeable = False
    return made


@kernel
def fill_decoding_table(bits, symbols, is_ac, look_up, tail):
    """Entries of one table, as :class:`DecodingTables` says. Codes count upwards, so their bit
    patterns fill the look-up, and then the tail, from the start.

    Parameters
    ----------
    bits : (16,) uint8
    symbols : (n,) uint8
        Of a sound :class:`HuffmanTable`: its codes leave patterns over, so that no index goes
        beyond an array.
    is_ac : bool
    look_up : (2**LOOK_AHEAD,) int32
    tail : (m,) int32
        Zeros; this table's part of the tail comes first.
    """
    i, here, behind = 0, 0, 0
    for length in range(1, 17):
        for _ in range(bits[length - 1]):
            symbol = np.int64(symbols[i])
            i += 1
            size, step = symbol, 1
            if is_ac:
                size, step = symbol & 15, (symbol >> 4) + 1
                if size == 0 and symbol != 0xF0:
                    step = END_STEP
            long_form = length << 24 | size << 16 | step << 8
            total = length + size
            if length > LOOK_AHEAD:
                for _ in range(1 << (16 - length)):
                    tail[behind] = long_form
                    behind += 1
            elif total > LOOK_AHEAD:
                for _ in range(1 << (LOOK_AHEAD - length)):
                    look_up[here] = long_form
                    here += 1
            else:
                span = 1 << size
                for raw in range(span):
                    value = raw - span + 1 if raw < span >> 1 else raw  # T.81 Figure F.12
                    for _ in range(1 << (LOOK_AHEAD - total)):
                        look_up[here] = value << 16 | step << 8 | total
                        here += 1


def optimal_table(counts: npt.NDArray[np.int64]) -> HuffmanTable:
    """The table that codes symbols of the given counts in the fewest bits (T.81 K.2).

    Parameters
    ----------
    counts : (256,) int64
        How often each symbol occurs, below 2**53 in all. If none does, the table has one code, for
        symbol 0.

    Returns
    -------
    HuffmanTable
        With codes for just the symbols that occur.
    """
    bits, symbols = np.empty(16, np.uint8), np.empty(256, np.uint8)
    count = fill_optimal_table(np.asarray(counts, np.int64), bits, symbols, optimal_scratch())
    return HuffmanTable(tuple(bits.tolist()), symbols[:count].tobytes())


def optimal_scratch() -> npt.NDArray[np.int64]:
    """Scratch for :func:`fill_optimal_table`."""
    return np.empty((4, 258), np.int64)


@kernel
def fill_optimal_table(counts, bits, symbols, scratch):
    """The table that codes symbols of the given counts in the fewest bits (T.81 K.2).

    Parameters
    ----------
    counts : (256,) int64
        As for :func:`optimal_table`.
    bits : (16,) uint8
    symbols : (256,) uint8
        Written.
    scratch : (4, 258) int64

    Returns
    -------
    int
        How many symbols the table has.
    """
    sizes, lengths = scratch[0], scratch[1]
    code_sizes(counts, sizes, scratch[2], scratch[3])
    for length in range(lengths.size):
        lengths[length] = 0
    for value in range(256):  # T.81 Figure K.2; n symbols have no code longer than n - 1
        lengths[sizes[value]] += 1
    lengths[0] = 0
    count = sort_symbols(sizes, lengths, scratch[2], symbols)
    if count == 0:
        symbols[0] = 0
        count = lengths[1] = sizes[256] = 1
    lengths[sizes[256]] += 1
    limit_lengths(lengths)
    longest = 16
    while lengths[longest] == 0:
        longest -= 1
    lengths[longest] -= 1  # the reserved symbol takes the last code, which is all ones
    for length in range(1, 17):
        bits[length - 1] = lengths[length]
    return count


@inlined
def code_sizes(counts, sizes, others, trees):
    """Code length of each symbol, unlimited; 0 for those that do not occur (T.81 Figure K.1).

    The two rarest trees are merged until one is left; all symbols of both become a bit longer. Of
    equally rare ones that with the larger value goes first; a tree's value is that of the one that
    went first into it. Trees are kept in this order, as numbers ``count << 9 | 256 - value``.

    Parameters
    ----------
    counts : (256,) int64
        The reserved symbol, 256, occurs once besides.
    sizes : (258,) int64
        Written.
    others, trees : (258,) int64
        Scratch: the next symbol of the same tree, -1 for none; the trees.
    """
    n = 1
    trees[0] = 1 << 9
    for value in range(256, -1, -1):
        sizes[value], others[value] = 0, -1
        if value < 256 and counts[value] > 0:
            tree = counts[value] << 9 | 256 - value
            i = n
            while i > 0 and trees[i - 1] > tree:
                trees[i] = trees[i - 1]
                i -= 1
            trees[i] = tree
            n += 1
    for first in range(n - 1):
        v1, v2 = 256 - (trees[first] & 511), 256 - (trees[first + 1] & 511)
        sizes[v1] += 1
        while others[v1] >= 0:
            v1 = others[v1]
            sizes[v1] += 1
        others[v1] = v2
        sizes[v2] += 1
        while others[v2] >= 0:
            v2 = others[v2]
            sizes[v2] += 1
        tree = trees[first] + (trees[first + 1] >> 9 << 9)
        i = first + 1
        while i + 1 < n and trees[i + 1] < tree:
            trees[i] = trees[i + 1]
            i += 1
        trees[i] = tree


@inlined
def sort_symbols(sizes, lengths, places, symbols):
    """Symbols in order of increasing code length, and of value (T.81 Figure K.4).

    Parameters
    ----------
    sizes : (>= 256,) int64
        Code length of each symbol; 0 for those that are left out.
    lengths : (n,) int64
        Number of codes by length; 0 of length 0.
    places : (n,) int64
        Scratch: where the next symbol of a length goes.
    symbols : (256,) uint8
        Written.

    Returns
    -------
    int
        How many there are.
    """
    count = 0
    for length in range(lengths.size):
        places[length] = count
        count += lengths[length]
    for value in range(256):
        length = sizes[value]
        if length > 0:
            symbols[places[length]] = value
            places[length] += 1
    return count


@inlined
def limit_lengths(lengths):
    """Make all codes 16 bits or shorter (T.81 Figure K.3).

    Two siblings of the longest length are taken out: their common prefix serves one of them, and
    the other shares, one bit longer, the place of a code that is shorter by two bits or more.

    Parameters
    ----------
    lengths : (258,) int64
        ``lengths[n]`` codes of n bits, the reserved symbol's too; changed in place.
    """
    for i in range(lengths.size - 1, 16, -1):
        while lengths[i] > 0:
            j = i - 2
            while lengths[j] == 0:
                j -= 1
            lengths[i] -= 2
            lengths[i - 1] += 1
            lengths[j + 1] += 2
            lengths[j] -= 1
