"""Symbols and bits of progressive scans against the oracle's strings of 0 and 1."""

from __future__ import annotations

import numpy as np
import oracles
import oracles_progressive as oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from progressive_scripts import sound_scripts
from test_progressive import mcus_of, random_coefficients

from pyjpegml import progressive_encoder
from pyjpegml.bit_planes import bit_planes
from pyjpegml.coefficients import Geometry
from pyjpegml.header import SUBSAMPLINGS as FACTORS
from pyjpegml.huffman import HuffmanTable, optimal_table
from pyjpegml.progressive_symbols import BATCH, LONGEST_RUN, RAW, fill_codes, write_records
from pyjpegml.scripts import Scan, usual_script

SAMPLINGS = {**FACTORS, "grey": ((1, 1),), "4 components": ((2, 1), (1, 1), (1, 1), (1, 2))}


def symbols_of(
    geometry: Geometry, quantized: np.ndarray, scan: Scan, restart_interval: int = 0
) -> progressive_encoder.Coded:
    planes = [bit_planes(geometry, quantized, i, 5) for i in range(len(geometry.planes))]
    return progressive_encoder.symbols_of_scan(geometry, quantized, scan, restart_interval, planes)


def long_table(counts: np.ndarray) -> HuffmanTable:
    """A table for the symbols that occur, whose codes are as long as can be."""
    used = np.flatnonzero(counts)
    unequal = np.zeros(256, np.int64)
    unequal[used] = 3 ** np.arange(used.size).clip(0, 30)
    return optimal_table(unequal)


def written(coded: progressive_encoder.Coded, tables: dict[int, HuffmanTable]) -> bytes:
    codes = np.zeros(256 * (RAW + 1), np.uint32)
    for row, table in tables.items():
        fill_codes(*table.arrays(), 256 * row, codes)
    return progressive_encoder.bytes_of_scan(coded, codes)


def check(geometry: Geometry, quantized: np.ndarray, scan: Scan, restart_interval: int) -> None:
    """Symbols, counts and bytes are the oracle's, in each restart interval."""
    blocks = [
        [(i, geometry.view(quantized, i)[row, column].tolist()) for i, row, column in mcu]
        for mcu in mcus_of(geometry, scan.components)
    ]
    if scan.Ss == 0:  # a dummy takes over the DC of the block before
        for mcu in mcus_of(geometry, scan.components):
            assert mcu
        blocks = with_dummies(geometry, scan.components, blocks)
    band = scan.Ss, scan.Se, scan.Ah, scan.Al
    intervals = oracle.scan_symbols(blocks, band, restart_interval)
    coded = symbols_of(geometry, quantized, scan, restart_interval)
    counts = np.zeros((4, 256), np.int64)
    for component, symbol, _ in (each for interval in intervals for each in interval):
        if symbol is not None:
            counts[component if scan.Ss == 0 else 0, symbol] += 1
    np.testing.assert_array_equal(coded.counts, counts)
    assert len(coded.ends) == len(intervals)
    tables = {row: long_table(counts[row]) for row in coded.rows}
    codes = {
        i: oracles.canonical_codes(t.bits, t.symbols)
        for i in scan.components
        for row, t in tables.items()
        if row == (i if scan.Ss == 0 else 0)
    }
    assert written(coded, tables) == oracle.write(intervals, codes)


def with_dummies(geometry: Geometry, components: tuple[int, ...], blocks: list) -> list:
    last: dict[int, list[int]] = {}
    out = []
    for mcu, places in zip(blocks, mcus_of(geometry, components), strict=True):
        now = []
        for (i, block), (_, row, column) in zip(mcu, places, strict=True):
            plane = geometry.planes[i]
            if row < plane.down and column < plane.across:
                last[i] = block
            now.append((i, last[i]))
        out.append(now)
    return out


@given(st.data())
def test_scans(data: st.DataObject) -> None:
    """All kinds, all samplings, with and without restart intervals, empty to full blocks."""
    factors = SAMPLINGS[data.draw(st.sampled_from(sorted(SAMPLINGS)))]
    geometry = Geometry(data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40)), factors)
    quantized = random_coefficients(
        geometry,
        data.draw(st.integers(0, 999)),
        data.draw(st.sampled_from([0.02, 0.2, 1])),
        data.draw(st.sampled_from([1, 20, 1023, 16383])),
        data.draw(st.sampled_from([0, 0.7, 1])),
    )
    scan = data.draw(st.sampled_from(data.draw(sound_scripts(geometry.sampling, 4))))
    check(geometry, quantized, scan, data.draw(st.sampled_from([0, 1, 3, 7, 65535])))


@pytest.mark.parametrize("scan", [Scan((0,), 1, 63, 0, 1), Scan((0,), 1, 63, 1, 0)])
@pytest.mark.parametrize("blocks", [LONGEST_RUN, LONGEST_RUN + 1, 2 * LONGEST_RUN + 7])
def test_long_runs(scan: Scan, blocks: int) -> None:
    """In a refinement with thousands of correction bits, where libjpeg ends a run at 937."""
    geometry = Geometry(8 * 4096, 8 * -(-blocks // 4096), [(1, 1)])
    quantized = np.zeros(geometry.size, np.int16)
    if scan.Ah:
        quantized.reshape(-1, 64)[::13, 8] = 3
    coded = symbols_of(geometry, quantized, scan)
    total = geometry.size // 64
    runs, rest = divmod(total, LONGEST_RUN)
    wanted = np.zeros(256, np.int64)
    wanted[14 << 4] = runs
    if rest:
        wanted[(rest.bit_length() - 1) << 4] += 1
    np.testing.assert_array_equal(coded.counts[0], wanted)
    check(geometry, quantized, scan, 0)


def test_the_fullest_blocks() -> None:
    """Records fit where they are put: every coefficient new, or corrected and few new."""
    geometry = Geometry(64, 64, [(1, 1)])
    for values in ((1, 1), (3, 3), (3, 0), (3, 1), (32767, -32767), (16383, 1)):
        quantized = np.resize(np.array(values, np.int16), geometry.size)
        quantized[::64] = np.resize(np.array([-16384, 16383], np.int16), geometry.size // 64)
        for scan in (
            Scan((0,), 0, 0, 0, 0), Scan((0,), 0, 0, 1, 0), Scan((0,), 1, 63, 0, 0),
            Scan((0,), 1, 63, 1, 0), Scan((0,), 1, 63, 2, 1), Scan((0,), 5, 5, 1, 0),
        ):  # fmt: skip
            check(geometry, quantized, scan, 0)
            check(geometry, quantized, scan, 1)


def test_bytes_of_ones() -> None:
    """Codes of ones fill the output as stuffing can fill it, in several batches."""
    table = HuffmanTable((0,) * 15 + (255,), bytes(range(255)))
    records = np.full(3 * BATCH + 5, 0xFFFF << 16 | 16 << 11 | 254, np.uint32)
    codes = np.zeros(256 * (RAW + 1), np.uint32)
    fill_codes(*table.arrays(), 0, codes)
    codes[254] = 0xFFFF << 5 | 16
    ends = np.array([BATCH, BATCH + 1, records.size])
    raw = np.empty(4 * BATCH + 16, np.uint8)
    out = np.empty(8 * records.size + 4 * ends.size + 64, np.uint8)
    size = write_records(records, ends, codes, raw, out)
    parts = [4 * BATCH, 4, 4 * (records.size - BATCH - 1)]
    wanted = [b"\xff\0" * n for n in parts]
    assert out[:size].tobytes() == wanted[0] + b"\xff\xd0" + wanted[1] + b"\xff\xd1" + wanted[2]


def test_usual_scans_of_a_picture() -> None:
    geometry = Geometry(35, 29, FACTORS["4:2:0"])
    quantized = random_coefficients(geometry, 3, 0.2, 40, 0.3)
    for scan in usual_script(geometry.sampling):
        check(geometry, quantized, scan, 0)
