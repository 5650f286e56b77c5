"""Scans that share Huffman tables, and a decoder's slots."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml.huffman import AC, HuffmanTable, optimal_table
from pyjpegml.markers import DHT, next_segment, parse_huffman_tables, segment_bytes
from pyjpegml.shared_tables import SLOTS, TABLE_HEAD, Slots, share_tables


def bits_of(counts: np.ndarray, table: HuffmanTable) -> int:
    lengths = dict(zip(table.symbols, table.code_lengths(), strict=True))
    return sum(lengths[k] * int(counts[k]) for k in np.flatnonzero(counts))


def size(counts: np.ndarray) -> int:
    table = optimal_table(counts)
    return bits_of(counts, table) + 8 * (TABLE_HEAD + len(table.symbols))


@st.composite
def all_counts(draw: st.DrawFn) -> np.ndarray:
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    n, scale = draw(st.integers(1, 7)), draw(st.sampled_from([3, 100, 100000]))
    shapes = rng.random((draw(st.integers(1, 3)), 40)) ** 6
    counts = np.zeros((n, 256), np.int64)
    for row in counts:
        row[rng.permutation(256)[0]] = 1
        row[:40] += (scale * shapes[rng.integers(len(shapes))] * rng.random(40)).astype(np.int64)
    return counts


@given(all_counts())
def test_sharing(counts: np.ndarray) -> None:
    """Every symbol has a code; lengths are optimal; no two tables had better been one."""
    before = counts.copy()
    groups, tables = share_tables(counts)
    np.testing.assert_array_equal(counts, before)
    assert set(groups) == set(tables)
    sums = {group: sum(counts[i] for i, g in enumerate(groups) if g == group) for group in tables}
    for group, table in tables.items():
        best = optimal_table(sums[group])
        assert table.bits == best.bits
        assert bits_of(sums[group], table) == bits_of(sums[group], best)
        assert sorted(table.symbols) == sorted(best.symbols)
    for a, b in itertools.combinations(sums.values(), 2):
        assert size(a + b) >= size(a) + size(b)
    assert sum(size(total) for total in sums.values()) <= sum(size(row) for row in counts)


def test_what_is_alike_shares() -> None:
    rng = np.random.default_rng(1)
    alike = rng.integers(50, 60, (2, 256)) * (np.arange(256) < 30)
    other = np.roll(alike[:1] * 50, 9, axis=1)
    assert share_tables(np.concatenate([alike, other]))[0] == [0, 0, 2]


class Decoder:
    """What a decoder makes of the segments."""

    def __init__(self) -> None:
        self.tables: dict[int, HuffmanTable] = {}

    def read(self, payload: bytes) -> None:
        data = memoryview(segment_bytes(DHT, payload))
        self.tables |= parse_huffman_tables(next_segment(data, 0, []))


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=SLOTS, unique=True), min_size=1, max_size=20),
    st.sampled_from([0, AC]),
)
def test_slots(uses: list[list[int]], first: int) -> None:
    """Each scan finds its tables, whatever is sent when."""
    tables = {i: HuffmanTable((0, 2) + (0,) * 14, bytes([i, i + 1])) for i in range(10)}
    slots, decoder = Slots(first, uses, tables), Decoder()
    for i, wanted in enumerate(uses):
        if slots.lacks(i):
            payload = slots.fill(i)
            assert payload
            decoder.read(payload)
        for table in wanted:
            assert 0 <= slots.slot(table) < SLOTS
            assert decoder.tables[first + slots.slot(table)] == tables[table]


def test_one_segment_for_four_tables() -> None:
    """The first carries those of later scans; none is sent twice if four slots are enough."""
    tables = {i: HuffmanTable((0, 1) + (0,) * 14, bytes([i])) for i in range(5)}
    slots = Slots(AC, [[0], [1], [0], [2], [3], [0], [4], [4]], tables)
    sent = [slots.fill(i) if slots.lacks(i) else b"" for i in range(8)]
    assert [len(part) // 18 for part in sent] == [4, 0, 0, 0, 0, 0, 1, 0]


def test_the_table_needed_last_makes_room() -> None:
    tables = {i: HuffmanTable((0, 1) + (0,) * 14, bytes([i])) for i in range(5)}
    slots = Slots(0, [[0], [1], [2], [3], [4], [0], [1], [2], [3]], tables)
    sent = [slots.fill(i) if slots.lacks(i) else b"" for i in range(9)]
    assert [len(part) // 18 for part in sent] == [4, 0, 0, 0, 1, 0, 0, 0, 1]
    assert sent[4][17:18] == bytes([4])
