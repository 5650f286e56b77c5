"""Huffman tables for test streams: the cheapest, the standard ones, and legal but odd ones.

Procedures of T.81 K.2 in their slowest form. A table never holds the code of ones only, which
T.81 keeps free (Annex C).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .stream import HuffmanTable

DC, AC = 0, 1


def table_from_frequencies(frequencies: dict[int, int]) -> HuffmanTable:
    """The table of T.81 K.2 (Figures K.1 to K.4).

    Parameters
    ----------
    frequencies : dict
        How often each symbol comes, at least once.
    """
    reserved = 256  # its code will be the one of ones only: the longest, last of its length
    # Figure K.1: merge the two rarest; of equal ones, those with the largest symbol
    groups = [(count, symbol, [symbol]) for symbol, count in frequencies.items()]
    groups.append((1, reserved, [reserved]))
    size = {symbol: 0 for _, symbol, _ in groups}
    while len(groups) > 1:
        groups.sort(key=lambda group: (group[0], -group[1]))
        (count_a, first_a, held_a), (count_b, first_b, held_b) = groups[:2]
        for symbol in held_a + held_b:
            size[symbol] += 1
        groups[:2] = [(count_a + count_b, max(first_a, first_b), held_a + held_b)]
    # Figure K.2: how many codes there are of each length
    bits = [0] * (max(33, max(size.values()) + 1))
    for length in size.values():
        bits[length] += 1
    # Figure K.3: no code longer than 16 bits
    for length in range(len(bits) - 1, 16, -1):
        while bits[length] > 0:
            shorter = length - 2
            while bits[shorter] == 0:
                shorter -= 1
            bits[length] -= 2
            bits[length - 1] += 1
            bits[shorter + 1] += 2
            bits[shorter] -= 1
    longest = max(length for length in range(17) if bits[length])
    bits[longest] -= 1  # the reserved code
    # Figure K.4
    symbols = sorted((s for s in size if s != reserved), key=lambda s: (size[s], s))
    return HuffmanTable(tuple(bits[1:17]), bytes(symbols))


def flat_table(symbols: list[int], length: int) -> HuffmanTable:
    """All codes of one length, or of the least length that leaves the code of ones free."""
    length = max(length, len(symbols).bit_length())
    bits = [0] * 16
    bits[length - 1] = len(symbols)
    return HuffmanTable(tuple(bits), bytes(symbols))


def any_table(symbols: Sequence[int], below: Callable[[int], int], spare: int = 0) -> HuffmanTable:
    """A table of any legal shape: the leaves of a binary tree that grew anywhere.

    Parameters
    ----------
    symbols : sequence of int
        Which have codes, in the order of their codes; 1 to 256.
    below : callable
        A whole number from 0 up to below its argument: where the tree grows.
    spare : int
        Leaves that are no code, besides the one that T.81 keeps free.
    """
    depths = [0]
    while len(depths) < len(symbols) + 1 + spare:
        can_grow = [i for i, depth in enumerate(depths) if depth < 16]
        i = can_grow[below(len(can_grow))]
        depths[i : i + 1] = [depths[i] + 1] * 2
    depths.sort()
    for _ in range(spare):
        depths.pop(below(len(depths)))
    depths.pop()  # the code of ones only is the last one of the longest
    return HuffmanTable(tuple(depths.count(length) for length in range(1, 17)), bytes(symbols))


@dataclass(frozen=True)
class Coding:
    """How Huffman tables are chosen.

    Attributes
    ----------
    kind : str
        ``"optimal"``; ``"standard"`` (T.81 K.3, optimal where a symbol is missing there);
        ``"skewed"`` (codes of all lengths up to 16, whatever the frequencies), ``"flat"`` (all
        codes of one length), ``"any"`` (a legal code of any shape).
    length : int
        Of the codes of flat tables, if so few suffice.
    unused : int
        Symbols in odd tables that do not come.
    seed : int
        Of the order of symbols in odd tables.
    shared : bool
        One set of tables serves all scans; otherwise each scan has its own.
    """

    kind: str = "optimal"
    length: int = 8
    unused: int = 0
    seed: int = 0
    shared: bool = False

    def table(self, table_class: int, slot: int, frequencies: Counter[int]) -> HuffmanTable:
        """A table with codes for all of these symbols.

        Parameters
        ----------
        table_class, slot : int
            For which it is.
        frequencies : Counter
            How often each symbol comes.
        """
        # a scan of nothing but refused symbols still refers to a table
        needed = dict(frequencies) or {0: 1}
        if self.kind == "standard":
            table = STANDARD[table_class, min(slot, 1)]
            if set(needed) <= set(table.symbols):
                return table
        if self.kind in ("skewed", "flat", "any"):
            rng = random.Random(self.seed)
            # every category that a process has, or any run and size
            legal = range(12) if table_class == DC else [s for s in range(256) if s % 16 <= 10]
            others = [s for s in legal if s not in needed]
            rng.shuffle(others)
            symbols = sorted(needed) + others[: self.unused]
            rng.shuffle(symbols)
            if self.kind == "flat":
                return flat_table(symbols, self.length)
            if self.kind == "any":
                return any_table(symbols, rng.randrange, rng.randrange(9))
            return table_from_frequencies({s: 2 ** min(i, 24) for i, s in enumerate(symbols)})
        return table_from_frequencies(needed)


def _standard() -> dict[tuple[int, int], HuffmanTable]:
    dc = bytes(range(12))
    luma = (
        "01 02 03 00 04 11 05 12 21 31 41 06 13 51 61 07 22 71 14 32 81 91 a1 08 23 42 b1 c1 15 52"
        " d1 f0 24 33 62 72 82"
    )
    chroma = (
        "00 01 02 03 11 04 05 21 31 06 12 41 51 07 61 71 13 22 32 81 08 14 42 91 a1 b1 c1 09 23 33"
        " 52 f0 15 62 72 d1 0a 16 24 34 e1 25 f1 17 18 19 1a"
    )

    def with_rest(start: str) -> bytes:
        """Both tables of K.3.2 end with all other symbols in ascending order."""
        first = bytes.fromhex(start)
        legal = {16 * run + size for run in range(16) for size in range(1, 11)} | {0x00, 0xF0}
        return first + bytes(sorted(legal - set(first)))

    return {
        (DC, 0): HuffmanTable((0, 1, 5, *[1] * 6, *[0] * 7), dc),
        (DC, 1): HuffmanTable((0, 3, *[1] * 9, *[0] * 5), dc),
        (AC, 0): HuffmanTable((0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125), with_rest(luma)),
        (AC, 1): HuffmanTable(
            (0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119), with_rest(chroma)
        ),
    }


STANDARD = _standard()
"""The example tables of T.81 K.3 (Tables K.3 to K.6) by class and slot: luma 0, chroma 1."""
