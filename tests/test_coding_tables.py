"""Entries of Huffman tables to write with, against strings of 0 and 1."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_huffman import counts, tables

from pyjpegml import symbols
from pyjpegml.huffman import AC, STANDARD_TABLES, HuffmanTable, optimal_table
from pyjpegml.markers import huffman_table_bytes
from pyjpegml.scan import AC_SLOT, DC_SLOT, PLAN_FIELDS


def text(entry: int) -> str:
    """The bits of an entry, as 0 and 1."""
    length = int(entry) & 31
    return format(int(entry) >> 5, f"0{length}b") if length else ""


def expected_values(codes: dict[int, str]) -> dict[tuple[int, int], str]:
    """Code and raw bits of the small values of an AC table, by value and run."""
    return {
        (value, symbol >> 4): code + oracles.raw_bits(value)
        for symbol, code in codes.items()
        for value in range(-symbols.READY, symbols.READY)
        if value and oracles.category(value) == symbol & 15
    }


@given(tables(), st.sampled_from([0, 3, AC, AC + 2]))
def test_entries_are_codes_and_raw_bits(table: HuffmanTable, slot: int) -> None:
    codes = oracles.canonical_codes(table.bits, table.symbols)
    made = symbols.coding_tables({slot: table})
    rows = made.symbols.reshape(8, 256)
    assert {s: text(rows[slot, s]) for s in np.flatnonzero(rows[slot])} == codes
    assert not np.delete(rows, slot, axis=0).any(), "other slots have no codes"
    if slot >= AC:
        values = made.values.reshape(4, 2 * symbols.READY, 16)[slot - AC]
        found = expected_values(codes)
        assert {k: text(values[k[0] + symbols.READY, k[1]]) for k in found} == found


@given(st.lists(st.one_of(st.just({}), counts), min_size=3, max_size=3))
def test_optimal_coding_is_that_of_the_optimal_tables(
    histograms: list[dict[int, int]],
) -> None:
    slots = (0, 2, AC + 3)
    plan = np.zeros((2, PLAN_FIELDS), np.int64)
    plan[:, DC_SLOT], plan[:, AC_SLOT] = (0, 2), (AC + 3, AC + 3)
    table_counts = np.zeros((8, 256), np.int64)
    for slot, histogram in zip(slots, histograms, strict=True):
        for symbol, count in histogram.items():
            table_counts[slot, symbol] = count
    best = {slot: optimal_table(table_counts[slot]) for slot in slots}
    made, segments = symbols.optimal_coding(table_counts, plan)
    assert segments == b"".join(huffman_table_bytes(slot, best[slot]) for slot in slots)
    again = symbols.coding_tables(best)
    assert np.array_equal(made.symbols, again.symbols)
    codes = oracles.canonical_codes(best[AC + 3].bits, best[AC + 3].symbols)
    for value, run in expected_values(codes):
        where = (3 * 2 * symbols.READY + value + symbols.READY) * 16 + run
        assert made.values[where] == again.values[where]


@pytest.mark.parametrize("value", [-symbols.READY, -1, 1, symbols.READY - 1])
def test_ready_values_end_where_the_kernel_thinks(value: int) -> None:
    made = symbols.coding_tables(STANDARD_TABLES)
    codes = oracles.canonical_codes(STANDARD_TABLES[AC].bits, STANDARD_TABLES[AC].symbols)
    entry = made.values.reshape(4, -1, 16)[0, value + symbols.READY, 2]
    assert text(entry) == codes[0x20 + oracles.category(value)] + oracles.raw_bits(value)
