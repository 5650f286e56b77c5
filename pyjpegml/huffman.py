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

*Decoding* looks at the next ``LOOK_AHEAD`` bits at once; a code of that length or shorter is found
by one table access. Longer ones compare against the largest code of each length (F.2.2.3).

Arrays, for all tables of a scan together (DC tables 0 to 3 are rows 0 to 3, AC tables rows 4 to 7):
``codes`` (8, 256) uint32 and ``lengths`` (8, 256) uint8 to encode with (length 0: no code);
:class:`DecodingTables` to decode with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from . import constants
from ._jit import kernel
from .errors import JpegFormatError

LOOK_AHEAD = 10
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
    """What the scan decoder looks codes up in; one row a table slot.

    ``look_up`` (8, 2**LOOK_AHEAD) uint16: ``length << 8 | symbol`` of the code that starts these
    bits, 0 if it is longer. ``largest`` (8, 18) int32: largest code of each length, -1 if none.
    ``first`` (8, 18) int32: index of a length's first symbol minus its first code. ``symbols``
    (8, 256) uint8.
    """

    look_up: npt.NDArray[np.uint16]
    largest: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]
    symbols: npt.NDArray[np.uint8]


def decoding_tables(tables: dict[int, HuffmanTable]) -> DecodingTables:
    """Tables for decoding (T.81 F.2.2.3, Decoder_tables), with a direct look-up for short codes."""
    look_up = np.zeros((TABLE_SLOTS, 1 << LOOK_AHEAD), np.uint16)
    largest = np.full((TABLE_SLOTS, 18), -1, np.int32)
    first = np.zeros((TABLE_SLOTS, 18), np.int32)
    symbols = np.zeros((TABLE_SLOTS, 256), np.uint8)
    for slot, table in tables.items():
        symbols[slot, : len(table.symbols)] = np.frombuffer(table.symbols, np.uint8)
        codes, index = table.codes(), 0
        for length, count in enumerate(table.bits, 1):
            if count == 0:
                continue
            code = codes[index]
            first[slot, length] = index - code
            largest[slot, length] = code + count - 1
            if length <= LOOK_AHEAD:
                spare = LOOK_AHEAD - length
                entries = np.frombuffer(table.symbols, np.uint8)[index : index + count]
                entries = entries.astype(np.uint16) | np.uint16(length << 8)
                look_up[slot, code << spare : (code + count) << spare] = np.repeat(
                    entries, 1 << spare
                )
            index += count
    return DecodingTables(look_up, largest, first, symbols)


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
