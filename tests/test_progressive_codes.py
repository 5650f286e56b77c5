"""Codes of progressive scans, looked up and by their length."""

from __future__ import annotations

import numpy as np
import oracles
from hypothesis import given
from hypothesis import strategies as st
from progressive_files import any_tables

from pyjpegml.huffman import LOOK_AHEAD, HuffmanTable
from pyjpegml.progressive_codes import AC_FIRST, AC_REFINEMENT, DC_FIRST, code_tables


@given(any_tables(), st.sampled_from([DC_FIRST, AC_FIRST, AC_REFINEMENT]), st.integers(0, 99))
def test_tables(table: HuffmanTable, kind: int, seed: int) -> None:
    """Each code, with any bits behind it, is found with what it means."""
    tables = code_tables((None, table), kind)
    rng = np.random.default_rng(seed)
    for index, (symbol, code) in enumerate(
        oracles.canonical_codes(table.bits, table.symbols).items()
    ):
        bits = code + "".join(rng.choice(["0", "1"], 48))
        run, size = divmod(symbol, 16)
        step = run + 1
        if kind == DC_FIRST:
            size, step = symbol, 1
        elif size == 0 and run < 15:
            size, step = run, 128
        wrong = size > 15 or (kind == AC_REFINEMENT and size > 1 and step < 128)
        raw = bits[len(code) : len(code) + size]
        value = oracles.extend(raw) if step < 128 else 2**size + int("0" + raw, 2)
        entry = int(tables.look_up[1, int(bits[:LOOK_AHEAD], 2)])
        assert (entry == 0) == (len(code) > LOOK_AHEAD)
        if entry & 63:
            assert not wrong
            assert (entry & 63, entry >> 8 & 255) == (len(code) + size, step)
            assert entry >> 16 == value
            continue
        if entry == 0:
            length = len(code)
            ahead = int(bits[:16], 2)
            assert tables.limits[1, length - 1] <= ahead < tables.limits[1, length]
            assert tables.offsets[1, length] + int(code, 2) == index
            entry = int(tables.forms[1, index])
        assert (entry >> 24, entry >> 8 & 255) == (len(code), step)
        assert (entry >> 16 & 255 > 15) == wrong
        assert wrong or entry >> 16 & 255 == size
    assert not any(array[0].any() for array in tables)
    assert code_tables((None, table), kind) is tables
