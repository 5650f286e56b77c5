"""From coefficients to a file: which components share what."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import assembly, decode_coefficients, read_header
from pyjpegml.coefficients import Geometry
from pyjpegml.huffman import AC, optimal_table
from pyjpegml.progressive_encoder import encode_scans


def coded_bits(counts: np.ndarray) -> int:
    """Bits of codes and of the DHT segment, counted one by one."""
    table = optimal_table(counts)
    lengths = dict(zip(table.symbols, table.code_lengths(), strict=True))
    body = sum(int(count) * lengths[symbol] for symbol, count in enumerate(counts) if count)
    return body + 8 * (2 + 2 + 1 + 16 + len(table.symbols))


def cost(counts: np.ndarray, slots: list[tuple[int, int]]) -> int:
    merged = assembly.merged_counts(counts, slots)
    used = {dc for dc, _ in slots} | {AC + ac for _, ac in slots}
    return sum(coded_bits(merged[slot]) for slot in used)


@given(st.integers(1, 4), st.integers(0, 2**16), st.sampled_from([1, 30, 3000]))
def test_no_other_slots_are_cheaper(components: int, seed: int, largest: int) -> None:
    rng = np.random.default_rng(seed)
    counts = np.zeros((8, 256), np.int64)
    for k in range(components):
        for slot, size in ((k, 12), (AC + k, 30)):
            symbols = rng.choice(np.arange(size) if slot < AC else np.arange(256), size // 2, False)
            counts[slot, symbols] = rng.integers(1, largest, len(symbols), endpoint=True)
    slots = assembly.cheapest_slots(counts, components)
    assert len(slots) == components
    pairs = itertools.product((0, 1), repeat=2)
    least = min(cost(counts, list(ways)) for ways in itertools.product(pairs, repeat=components))
    assert cost(counts, slots) == least


@pytest.mark.parametrize(
    ("sampling", "groups"),
    [
        ([(4, 4)], [[0]]),
        ([(2, 2), (1, 1), (1, 1), (2, 2)], [[0, 1, 2, 3]]),
        ([(4, 2), (1, 1), (1, 1)], [[0, 1, 2]]),
        ([(4, 2), (1, 2), (1, 1)], [[0, 1], [2]]),
        ([(1, 1), (4, 4), (1, 1), (1, 1)], [[0], [1], [2, 3]]),
    ],
)
def test_ten_blocks_fit_into_an_mcu(
    sampling: list[tuple[int, int]], groups: list[list[int]]
) -> None:
    assert assembly.scan_groups(Geometry(40, 40, sampling)) == groups


@pytest.mark.parametrize("interval", [0, 5])
def test_several_scans(interval: int) -> None:
    """Each with tables of its own; restarts are said once."""
    geometry = Geometry(70, 50, [(1, 1), (4, 4), (1, 2), (1, 1)])
    rng = np.random.default_rng(3)
    quantized = rng.integers(-9, 9, geometry.size).astype(np.int16)
    table = np.full((8, 8), 3, np.uint16)
    data = assembly.assemble(
        geometry, quantized, [table] * 4, restart_interval=interval, slots=None
    )
    header = read_header(data)
    assert [len(scan.components) for scan in header.scans] == [1, 1, 2]
    assert data.count(b"\xff\xdd") == (1 if interval else 0)
    found = decode_coefficients(data)
    for i, plane in enumerate(geometry.planes):
        expected = geometry.view(quantized, i)[: plane.down, : plane.across]
        assert np.array_equal(found.components[i].reshape(expected.shape), expected)


def test_progressive_files() -> None:
    geometry = Geometry(30, 20, [(2, 2), (1, 1), (1, 1)])
    quantized = np.zeros(geometry.size, np.int16)
    tables = [np.full((8, 8), 3, np.uint16)] * 3
    data = assembly.assemble(geometry, quantized, tables, progressive=True)
    assert data.endswith(b"".join(encode_scans(geometry, quantized)) + b"\xff\xd9")
    assert read_header(data).process == "progressive"
    with pytest.raises(ValueError, match="not 'slowly'"):
        assembly.assemble(geometry, quantized, tables, progressive="slowly")
