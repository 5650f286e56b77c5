"""Huffman tables against strings of 0 and 1, and against package-merge."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import oracles
import pytest
from helpers import picture, pillow_encode
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import huffman
from pyjpegml.errors import JpegFormatError
from pyjpegml.huffman import (
    AC,
    END_STEP,
    LOOK_AHEAD,
    STANDARD_TABLES,
    HuffmanTable,
    decoding_tables,
    optimal_table,
)


@st.composite
def tables(draw: st.DrawFn) -> HuffmanTable:
    """Any sound table: counts drawn length by length, as far as room is left."""
    bits, room = [], 1
    for _ in range(16):
        room = 2 * room
        most = min(room - 1, 256 - sum(bits), 255)  # one code is left over: the all-ones code
        bits.append(draw(st.integers(0, min(most, draw(st.sampled_from([0, 1, 3, 256]))))))
        room -= bits[-1]
    symbols = draw(st.permutations(range(256)))
    return HuffmanTable(tuple(bits), bytes(symbols[: sum(bits)]))


counts = st.one_of(
    st.dictionaries(st.integers(0, 255), st.integers(1, 10**9), min_size=1, max_size=30),
    st.dictionaries(st.integers(0, 255), st.integers(1, 5), min_size=1, max_size=256),
    # doubling counts ask for codes that are as long as there are symbols
    st.integers(2, 40).map(lambda n: {i: 2**i for i in range(n)}),
)


def as_array(histogram: dict[int, int]) -> np.ndarray:
    array = np.zeros(256, np.int64)
    array[list(histogram)] = list(histogram.values())
    return array


def lengths_of(table: HuffmanTable) -> dict[int, int]:
    return {s: len(code) for s, code in oracles.canonical_codes(table.bits, table.symbols).items()}


@given(tables())
def test_codes_are_canonical(table: HuffmanTable) -> None:
    expected = oracles.canonical_codes(table.bits, table.symbols)
    assert oracles.is_prefix_free(expected.values())
    assert [
        format(c, f"0{n}b") for c, n in zip(table.codes(), table.code_lengths(), strict=True)
    ] == [expected[s] for s in table.symbols]


@given(tables())
def test_no_code_is_all_ones(table: HuffmanTable) -> None:
    assert all("0" in code for code in oracles.canonical_codes(table.bits, table.symbols).values())


@given(tables(), st.lists(st.integers(0, 2**32 - 1), min_size=20, max_size=20))
def test_decoding_tables_find_every_code(table: HuffmanTable, others: Sequence[int]) -> None:
    """All codes, followed by any bits, and bits that may be no code, as a DC and as an AC table."""
    codes = oracles.canonical_codes(table.bits, table.symbols)
    made = decoding_tables({3: table, 7: table})
    heads = [c.ljust(32, fill) for c in codes.values() for fill in "01"]
    for head in heads + [format(n, "032b") for n in others]:
        found = [(s, len(c)) for s, c in codes.items() if head.startswith(c)]
        for slot in (3, 7):
            assert huffman_entry(head, made, slot) == (
                expected(*found[0], head, slot) if found else None
            )


def expected(symbol: int, length: int, head: str, slot: int) -> tuple[int, int, int, int]:
    """Length of the code, raw bits, the step along the zigzag path, and the value, which is 0 if
    there are no raw bits, and not looked at if the category is none (T.81 F.2.2.1, F.2.2.2)."""
    size = symbol if slot < AC else symbol & 15
    end = slot >= AC and size == 0 and symbol != 0xF0
    step = END_STEP if end else 1 if slot < AC else (symbol >> 4) + 1
    return length, size, step, oracles.extend(head[length : length + size]) if size < 16 else 0


def huffman_entry(
    head: str, made: huffman.DecodingTables, slot: int
) -> tuple[int, int, int, int] | None:
    """The rules that DecodingTables documents."""
    entry = int(made.look_up[slot, int(head[:LOOK_AHEAD], 2)])
    if entry & 63:
        total, step, value = entry & 63, (entry >> 8) & 255, entry >> 16
        size = oracles.category(value)
        return total - size, size, step, value
    if entry == 0:
        entry = int(made.tail[made.tail_start[slot] + int(head[:16], 2)])
    if entry == 0:
        return None
    length, size, step = entry >> 24, (entry >> 16) & 255, (entry >> 8) & 255
    return length, size, step, oracles.extend(head[length : length + size]) if size < 16 else 0


def test_decoding_tables_are_remembered() -> None:
    """By what they hold, and read-only, as they are shared."""
    assert decoding_tables(dict(STANDARD_TABLES)) is decoding_tables(dict(STANDARD_TABLES))
    for array in decoding_tables(STANDARD_TABLES):
        assert not array.flags.writeable


def test_tails_of_the_standard_tables_are_small() -> None:
    """Few bit patterns start a code of more than LOOK_AHEAD bits."""
    assert decoding_tables(STANDARD_TABLES).tail.size < 1024


@given(counts)
def test_optimal_table_is_sound(histogram: dict[int, int]) -> None:
    """Codes for just the symbols that occur, 16 bits at most, full but for the all-ones code."""
    table = optimal_table(as_array(histogram))
    lengths = lengths_of(table)
    assert set(lengths) == set(histogram)
    assert max(lengths.values()) <= 16
    used = sum(Fraction(1, 2**n) for n in lengths.values())
    assert 1 - used == Fraction(1, 2 ** max(lengths.values())), "one longest code is left over"


@given(st.dictionaries(st.integers(0, 255), st.integers(1, 15), min_size=1, max_size=256))
def test_optimal_table_gives_short_codes_to_frequent_symbols(histogram: dict[int, int]) -> None:
    """As long as no code is too long: one of 17 bits needs counts of 4181 (Fibonacci's 19th) in
    all, and beyond that T.81 orders symbols by lengths they no longer have."""
    lengths = lengths_of(optimal_table(as_array(histogram)))
    for a, often in histogram.items():
        assert all(lengths[a] <= lengths[b] for b, seldom in histogram.items() if often > seldom)


@given(counts)
def test_optimal_table_costs_least(histogram: dict[int, int]) -> None:
    """With the reserved symbol counted once, no prefix code of 16 bits is cheaper; and where
    Huffman's own lengths stay within 16 bits, none of T.81's rules has made it dearer."""
    weights = [*histogram.values(), 1]
    lengths = lengths_of(optimal_table(as_array(histogram)))
    cost = sum(n * lengths[s] for s, n in histogram.items()) + max(lengths.values())

    def cheapest(limit: int) -> int:
        best = oracles.package_merge(weights, limit)
        return sum(n * w for n, w in zip(best, weights, strict=True))

    least = cheapest(16)
    assert cost >= least
    if least == cheapest(len(weights)):
        assert cost == least


def test_limited_lengths_cost_little_more() -> None:
    """Fibonacci counts want 39 bits. Figure K.3 is a rule of thumb; package-merge is exact."""
    counts = [1, 1]
    while len(counts) < 39:
        counts.append(counts[-1] + counts[-2])
    lengths = lengths_of(optimal_table(as_array(dict(enumerate(counts)))))
    cost = sum(n * lengths[s] for s, n in enumerate(counts))
    best = oracles.package_merge([*counts, 1], 16)[:-1]
    least = sum(n * w for n, w in zip(best, counts, strict=True))
    assert max(lengths.values()) == 16
    assert least < cost < 1.001 * least


def test_optimal_table_of_nothing() -> None:
    assert optimal_table(np.zeros(256, np.int64)) == HuffmanTable((1,) + (0,) * 15, b"\0")


def test_optimal_table_of_one_symbol() -> None:
    counts = as_array({77: 5})
    assert optimal_table(counts) == HuffmanTable((1,) + (0,) * 15, b"\x4d")
    assert counts[77] == 5, "the counts are not changed"


def test_optimal_table_of_all_symbols() -> None:
    table = optimal_table(np.ones(256, np.int64))
    assert table.bits == (0,) * 7 + (255, 1) + (0,) * 7
    assert table.symbols == bytes(range(256))


@pytest.mark.parametrize(
    ("shape", "slots"), [((16, 16), (0x00, 0x10)), ((16, 16, 3), (0x00, 0x10, 0x01, 0x11))]
)
def test_standard_tables_are_those_of_pillows_files(
    shape: tuple[int, ...], slots: tuple[int, ...]
) -> None:
    written = oracles.file_huffman_tables(pillow_encode(picture("noise", shape)))
    assert set(written) == set(slots)
    for slot, (bits, symbols) in written.items():
        assert STANDARD_TABLES[AC * (slot >> 4) + (slot & 15)] == HuffmanTable(bits, symbols)


@pytest.mark.parametrize(
    ("bits", "symbols", "message"),
    [
        ((2,) + (0,) * 15, b"\0\1", "oversubscribed: 2 codes of 1 bits"),
        ((1, 2) + (0,) * 14, b"\0\1\2", "oversubscribed: 2 codes of 2 bits"),
        ((0, 0, 9) + (0,) * 13, bytes(9), "oversubscribed: 9 codes of 3 bits"),
        ((1,) * 15 + (2,), bytes(17), "oversubscribed: 2 codes of 16 bits"),
        ((1,) + (0,) * 15, b"", "16 counts for 0 symbols"),
        ((1,), b"\0", "1 counts for 1 symbols"),
        ((0,) * 15 + (257,), bytes(257), "16 counts for 257 symbols"),
        ((0,) * 15 + (256,), bytes(256), "255 codes of a length; this one has 256"),
    ],
)
def test_unsound_tables_are_refused(bits: tuple[int, ...], symbols: bytes, message: str) -> None:
    with pytest.raises(JpegFormatError, match=re.escape(message)):
        HuffmanTable(bits, symbols)
