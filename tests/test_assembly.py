"""From coefficients to a file: which components share what, and which have scans of their own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from helpers import SUBSAMPLINGS, assert_same_picture, images, pillow_decode
from hypothesis import given
from hypothesis import strategies as st
from test_progressive import random_coefficients

from pyjpegml import assembly, decode, decode_coefficients, encode, markers, read_header
from pyjpegml.coefficients import Geometry
from pyjpegml.header import SUBSAMPLINGS as FACTORS
from pyjpegml.huffman import AC, optimal_table
from pyjpegml.progressive_encoder import encode_scans

FLAT = np.full((8, 8), 1, np.uint16)


def scans_of(data: bytes) -> list[tuple[int, ...]]:
    """Identifiers of the components of each scan."""
    found = []
    position = 2
    while (segment := markers.next_segment(memoryview(data), position, [])).code != markers.EOI:
        position = segment.end
        if segment.code == markers.SOS:
            found.append(tuple(i for i, _, _ in markers.parse_scan(segment).components))
            while (end := markers.end_of_scan(memoryview(data), position)) < len(data) and (
                0xD0 <= data[end + 1] <= 0xD7
            ):
                position = end + 2
            position = end
    return found


@given(
    images(),
    st.integers(1, 100),
    st.sampled_from(SUBSAMPLINGS),
    st.sampled_from([{}, {"restart_interval": 3}, {"restart_rows": 1}]),
)
def test_pixels(
    image: np.ndarray, quality: int, subsampling: str, restarts: dict[str, int]
) -> None:
    """Those of the file of one scan, here and in libjpeg-turbo."""
    scans = encode(image, quality=quality, subsampling=subsampling, optimize="scans", **restarts)  # type: ignore[call-overload]
    one = encode(image, quality=quality, subsampling=subsampling)
    assert_same_picture(decode(scans), decode(one))
    assert_same_picture(decode(scans), pillow_decode(scans))
    assert len(scans) <= len(encode(image, quality=quality, subsampling=subsampling, **restarts))  # type: ignore[call-overload]


@given(st.data())
def test_coefficients(data: st.DataObject) -> None:
    factors = data.draw(
        st.sampled_from(
            [*FACTORS.values(), ((1, 1),), ((2, 1), (1, 1), (1, 1), (1, 2)), ((4, 2), (2, 2))]
        )
    )
    geometry = Geometry(data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60)), factors)
    density, largest = data.draw(st.sampled_from([(0.02, 3), (0.3, 20), (1, 1023)]))
    quantized = random_coefficients(geometry, data.draw(st.integers(0, 99)), density, largest, 0.3)
    made = assembly.assemble(geometry, quantized, [FLAT] * len(factors), optimize="scans")
    for i, blocks in enumerate(decode_coefficients(made).components):
        plane = geometry.planes[i]
        wanted = geometry.view(quantized, i)[: plane.down, : plane.across]
        np.testing.assert_array_equal(blocks.reshape(wanted.shape), wanted)
    one = assembly.assemble(geometry, quantized, [FLAT] * len(factors))
    assert len(made) <= len(one)
    ways = assembly.scan_groups(geometry), assembly.cheapest_groups(geometry, quantized)
    assert scans_of(made) in [[tuple(i + 1 for i in group) for group in way] for way in ways]


def test_luma_row_by_row(photo: np.ndarray) -> None:
    """A photograph of 4:2:0 has luma in a scan of its own, and is smaller so."""
    made = encode(photo, quality=60, optimize="scans")
    assert scans_of(made) == [(1,), (2, 3)]
    assert len(made) < len(encode(photo, quality=60))


def test_small_pictures_have_one_scan(photo: np.ndarray) -> None:
    """Headers cost more than they save, and so does a table for each component."""
    image = np.ascontiguousarray(photo[:16, :16])
    assert scans_of(encode(image, optimize="scans")) == [(1, 2, 3)]
    assert scans_of(encode(image[:, :, 0], optimize="scans")) == [(1,)]


def test_tables_of_their_own_where_they_pay() -> None:
    """Three components that have nothing in common: three tables of each kind."""
    geometry = Geometry(512, 512, [(1, 1)] * 3)
    rng = np.random.default_rng(0)
    quantized = np.zeros(geometry.size, np.int16)
    for i, places in enumerate((range(1, 9), range(20, 24), range(60, 64))):
        blocks = geometry.view(quantized, i)
        blocks[:, :, list(places)] = rng.integers(1 << 3 * i, 2 << 3 * i, (64, 64, len(places)))
    made = assembly.assemble(geometry, quantized, [FLAT] * 3, optimize="scans")
    assert len(scans_of(made)) > 1
    one = assembly.assemble(geometry, quantized, [FLAT] * 3, slots=None)
    assert len(made) < len(one)


@pytest.mark.parametrize(
    "options",
    [
        {"optimize": "best"},
        {"optimize": "scans", "progressive": True},
        {"optimize": "scans", "lossless": True},
    ],
)
def test_what_optimize_may_be(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="optimize is a bool, or of sequential files 'scans'"):
        encode(np.zeros((9, 9), np.uint8), **options)  # type: ignore[arg-type]


# --- which components share what


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
