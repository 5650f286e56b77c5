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

Arrays, for all tables of a scan together (DC tables 0 to 3 are rows 0 to 3, AC tables rows 4 to 7):
``codes`` (8, 256) uint32 and ``lengths`` (8, 256) uint8 to encode with (length 0: no code);
:class:`DecodingTables` to decode with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from . import constants
from ._jit import kernel
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
        code = 0
        for length, count in enumerate(self.bits, 1):
            code += count
            if count and code >= 1 << length:
                raise JpegFormatError(
                    f"the Huffman table is oversubscribed: {count} codes of {length} bits do not "
                    "fit (no code may consist of ones only)"
                )
            code <<= 1

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


def encoding_tables(
    tables: dict[int, HuffmanTable],
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]:
    """Code and length of each symbol (T.81 C.2, Order_codes).

    Parameters
    ----------
    tables : dict
        By slot, 0 to 7.

    Returns
    -------
    codes : (8, 256) uint32
    lengths : (8, 256) uint8
        0 where a symbol has no code.
    """
    codes = np.zeros((TABLE_SLOTS, 256), np.uint32)
    lengths = np.zeros((TABLE_SLOTS, 256), np.uint8)
    for slot, table in tables.items():
        symbols = np.frombuffer(table.symbols, np.uint8)
        codes[slot, symbols] = table.codes()
        lengths[slot, symbols] = table.code_lengths()
    return codes, lengths


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
    tails = []
    tail_start = np.zeros(TABLE_SLOTS, np.int64)
    size = 0
    for slot, table in tables:
        look_up[slot], tail = _decoding_table(table, slot >= AC)
        tails.append(tail)
        size += tail.size
        tail_start[slot] = size - (1 << 16)
    made = DecodingTables(look_up, np.concatenate(tails), tail_start)
    for array in made:
        array.flags.writeable = False
    return made


@lru_cache(maxsize=32)
def _decoding_table(
    table: HuffmanTable, is_ac: bool
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Look-up table of one slot, and its part of the tail.

    That is the last of all 2**16 bit patterns, from the first on that no code of up to LOOK_AHEAD
    bits starts.
    """
    symbols = np.frombuffer(table.symbols, np.uint8).astype(np.int64)
    lengths = np.array(table.code_lengths(), np.int64)
    sizes = symbols & 15 if is_ac else symbols
    steps = np.where((sizes == 0) & (symbols != 0xF0), END_STEP, (symbols >> 4) + 1)
    if not is_ac:
        steps[:] = 1
    long_forms = lengths << 24 | sizes << 16 | steps << 8
    short = lengths <= LOOK_AHEAD

    repeats = 1 << (LOOK_AHEAD - lengths[short])
    length, size, step, entries = (
        np.repeat(each[short], repeats) for each in (lengths, sizes, steps, long_forms)
    )
    total = length + size
    raw = np.arange(total.size) >> np.maximum(LOOK_AHEAD - total, 0)
    span = 1 << np.minimum(size, LOOK_AHEAD)
    raw &= span - 1
    value = np.where(raw < span >> 1, raw - span + 1, raw)  # T.81 Figure F.12
    short_forms = value << 16 | step << 8 | total
    look_up = np.zeros(1 << LOOK_AHEAD, np.int32)
    look_up[: total.size] = np.where(total <= LOOK_AHEAD, short_forms, entries)

    tail = np.zeros(((1 << LOOK_AHEAD) - total.size) << (16 - LOOK_AHEAD), np.int32)
    found = np.repeat(long_forms[~short], 1 << (16 - lengths[~short]))
    tail[: found.size] = found
    return look_up, tail


def optimal_table(counts: npt.NDArray[np.int64]) -> HuffmanTable:
    """The table that codes symbols of the given counts in the fewest bits (T.81 K.2).

    Parameters
    ----------
    counts : (256,) int64
        How often each symbol occurs. If none does, the table has one code, for symbol 0.

    Returns
    -------
    HuffmanTable
        With codes for just the symbols that occur.
    """
    counts = np.asarray(counts, np.int64)
    if not counts.any():
        return HuffmanTable((1,) + (0,) * 15, b"\0")
    frequency = np.append(counts, 1)
    size = np.zeros(257, np.int64)
    merge_sizes(frequency, np.full(257, -1, np.int64), size)
    # a Huffman code of n symbols has no code longer than n - 1
    bits = np.bincount(size, minlength=258)
    bits[0] = 0
    limit_lengths(bits)
    longest = int(np.flatnonzero(bits)[-1])
    bits[longest] -= 1  # the reserved symbol takes the last code, which is all ones
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda symbol: (size[symbol], symbol))
    return HuffmanTable(tuple(int(n) for n in bits[1:17]), bytes(order))


@kernel
def merge_sizes(frequency, others, size):
    """Code length of each symbol, unlimited (T.81 Figure K.1).

    The two rarest trees are merged until one is left; all symbols of both become a bit longer. Of
    equally rare ones the symbol with the larger value goes first.

    Parameters
    ----------
    frequency : (257,) int64
        Counts, the reserved symbol last; overwritten.
    others : (257,) int64
        Scratch, all -1: next symbol of the same tree.
    size : (257,) int64
        Zeros; the lengths are added.
    """
    while True:
        v1, v2 = -1, -1
        for i in range(frequency.size):
            f = frequency[i]
            if f == 0:
                continue
            if v1 < 0 or f <= frequency[v1]:
                v1, v2 = i, v1
            elif v2 < 0 or f <= frequency[v2]:
                v2 = i
        if v2 < 0:
            return
        frequency[v1] += frequency[v2]
        frequency[v2] = 0
        size[v1] += 1
        while others[v1] >= 0:
            v1 = others[v1]
            size[v1] += 1
        others[v1] = v2
        size[v2] += 1
        while others[v2] >= 0:
            v2 = others[v2]
            size[v2] += 1


@kernel
def limit_lengths(bits):
    """Make all codes 16 bits or shorter (T.81 Figure K.3).

    Two siblings of the longest length are taken out: their common prefix serves one of them, and
    the other shares, one bit longer, the place of a code that is shorter by two bits or more.

    Parameters
    ----------
    bits : (258,) int64
        ``bits[n]`` codes of n bits; changed in place.
    """
    for i in range(bits.size - 1, 16, -1):
        while bits[i] > 0:
            j = i - 2
            while bits[j] == 0:
                j -= 1
            bits[i] -= 2
            bits[i - 1] += 1
            bits[j + 1] += 2
            bits[j] -= 1
