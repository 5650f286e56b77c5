"""Huffman tables of a file of many scans: which scans share one, and when it is sent.

*A table costs* 17 bytes, and one for each of its symbols (T.81 B.2.4.2). Ten scans with one each
spend a percent of a small file on them. So scans share a table where the bits that tables of their
own would save are fewer than that; Cb and Cr nearly always do. :func:`share_tables` begins with
a table for each and merges the two whose merger saves most, until none saves anything.

*Slots.* A decoder keeps four tables of DC and four of AC, and what was sent stays until another
table takes its slot. One DHT segment may hold several tables, and costs four bytes besides them: so
it carries those of the next scans too, as many as find a slot that is free (:class:`Slots`). Only
if a table of a slot is still needed when there is no other must it be sent again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ._jit import inlined, kernel
from .huffman import AC, HuffmanTable, optimal_table

#: Bytes of a table in a DHT segment besides its symbols (T.81 B.2.4.2).
TABLE_HEAD = 17

#: Numbers of scratch that :func:`coded_bits` needs.
TREES = 513

#: Slots for the tables of a class, DC or AC, of a progressive file (T.81 Table B.5).
SLOTS = 4


@inlined
def coded_bits(counts, trees):
    """Bits of symbols in their optimal code, and how many different ones there are.

    That is the sum of the inner nodes of Huffman's tree, for which no code need be made. The two
    rarest trees are always at the heads of two queues: of symbols, sorted, and of trees made of
    others, which grow in the order in which they are made. One more symbol, with count 0, stands
    for the code of all ones; that codes have at most 16 bits is left out.

    Parameters
    ----------
    counts : (256,) int64
    trees : (513,) int64
        Scratch: at most 257 symbols, and a tree for all but one of them.
    """
    n = 1
    trees[0] = 0
    for symbol in range(256):
        count = counts[symbol]
        if count > 0:
            i = n
            while trees[i - 1] > count:
                trees[i] = trees[i - 1]
                i -= 1
            trees[i] = count
            n += 1
    leaf, inner, bits = 0, n, 0
    for end in range(n, 2 * n - 1):
        joined = 0
        for _ in range(2):
            if leaf < n and (inner == end or trees[leaf] <= trees[inner]):
                joined += trees[leaf]
                leaf += 1
            else:
                joined += trees[inner]
                inner += 1
        trees[end] = joined
        bits += joined
    return bits, n - 1


@inlined
def _cost(counts, trees):
    """Bits of symbols and of their table; 0 if there are none."""
    bits, symbols = coded_bits(counts, trees)
    return bits + 8 * (TABLE_HEAD + symbols) if symbols > 0 else 0


@kernel
def merge_counts(counts, groups, costs, joined, trees):
    """Find which symbols had better share a table, by merging two at a time.

    Parameters
    ----------
    counts : (n, 256) int64
        Of the symbols of each; those of merged ones are added up in the row of the first.
    groups : (n,) int64
        Written: for each the row with which it was merged at last, its own if with none before it.
    costs : (n, n) int64
        Scratch: of two joined, and on the diagonal of one alone.
    joined : (256,) int64
    trees : (513,) int64
        Scratch.

    Returns
    -------
    int
        Bits of all symbols and tables.
    """
    n = counts.shape[0]
    for i in range(n):
        groups[i] = i
        for j in range(i + 1):
            for k in range(256):
                joined[k] = counts[i, k] + (counts[j, k] if j < i else 0)
            costs[i, j] = _cost(joined, trees)
    while True:
        best, first, second = 0, 0, 0
        for i in range(n):
            for j in range(i):
                if groups[i] == i and groups[j] == j:
                    saved = costs[i, i] + costs[j, j] - costs[i, j]
                    if saved > best:
                        best, first, second = saved, j, i
        if best == 0:
            break
        costs[first, first] = costs[second, first]
        for k in range(256):
            counts[first, k] += counts[second, k]
        for i in range(n):
            if groups[i] == second:
                groups[i] = first
        for i in range(n):
            if groups[i] == i and i != first:
                for k in range(256):
                    joined[k] = counts[i, k] + counts[first, k]
                costs[max(i, first), min(i, first)] = _cost(joined, trees)
    total = 0
    for i in range(n):
        if groups[i] == i:
            total += costs[i, i]
    return total


def _merged(
    counts: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
    """What :func:`merge_counts` makes of a copy: sums, groups, bits."""
    n = len(counts)
    sums, groups = counts.copy(), np.empty(n, np.int64)
    costs, joined = np.empty((n, n), np.int64), np.empty(256, np.int64)
    bits = merge_counts(sums, groups, costs, joined, np.empty(TREES, np.int64))
    return sums, groups, bits


def shared_bits(counts: npt.NDArray[np.int64]) -> int:
    """Bits of symbols with the tables of :func:`share_tables`, and of these; no raw bits."""
    return _merged(counts)[2]


def share_tables(counts: npt.NDArray[np.int64]) -> tuple[list[int], dict[int, HuffmanTable]]:
    """Which scans share a table, and the tables.

    Parameters
    ----------
    counts : (n, 256) int64
        How often each symbol occurs in each of n scans.

    Returns
    -------
    groups : list of int
        For each the number of its table.
    tables : dict
        By number.
    """
    sums, groups, _ = _merged(counts)
    return groups.tolist(), {
        int(group): with_few_ones(optimal_table(sums[group]), sums[group])
        for group in np.unique(groups)
    }


def with_few_ones(table: HuffmanTable, counts: npt.NDArray[np.int64]) -> HuffmanTable:
    """The same lengths, and of the codes of a length those with fewer ones for what is frequent.

    Bytes FF are followed by a stuffed zero, and this makes them rarer.
    """
    codes, lengths = table.codes(), table.code_lengths()
    places = sorted(range(len(codes)), key=lambda i: (lengths[i], codes[i].bit_count()))
    by_count = sorted(range(len(codes)), key=lambda i: (lengths[i], -int(counts[table.symbols[i]])))
    symbols = bytearray(len(codes))
    for place, i in zip(places, by_count, strict=True):
        symbols[place] = table.symbols[i]
    return HuffmanTable(table.bits, bytes(symbols))


class Slots:
    """The slots of one class of tables, as a decoder keeps them.

    Parameters
    ----------
    first : int
        Number of the first slot: 0 for DC, AC for AC.
    uses : sequence of list of int
        The tables of each scan, at most SLOTS.
    tables : dict
        By number.
    """

    def __init__(
        self, first: int, uses: Sequence[list[int]], tables: dict[int, HuffmanTable]
    ) -> None:
        self.first, self.uses, self.tables = first, uses, tables
        self.held: list[int | None] = [None] * SLOTS

    def lacks(self, scan: int) -> bool:
        """Whether a scan needs a table that no slot holds."""
        return not all(table in self.held for table in self.uses[scan])

    def fill(self, scan: int) -> bytes:
        """Tables for a DHT segment before a scan: its own, and the next ones' where there is room.

        Returns what the segment holds of them (T.81 B.2.4.2).
        """
        sent = b""
        for later in range(scan, len(self.uses)):
            for table in self.uses[later]:
                if table in self.held:
                    continue
                next_uses = [self._next_use(held, scan) for held in self.held]
                slot = int(np.argmax(next_uses))
                if later > scan and next_uses[slot] < len(self.uses):
                    return sent
                self.held[slot] = table
                made = self.tables[table]
                sent += bytes([self.first // AC << 4 | slot, *made.bits]) + made.symbols
        return sent

    def _next_use(self, table: int | None, scan: int) -> int:
        """The first scan, from one on, that needs a table; beyond the last if none does."""
        later = (i for i in range(scan, len(self.uses)) if table in self.uses[i])
        return next(later, len(self.uses))

    def slot(self, table: int) -> int:
        """Which slot, 0 to 3, holds a table."""
        return self.held.index(table)
