"""Sequential files of several scans, where that is smaller."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import SUBSAMPLINGS, assert_same_picture, images, pillow_decode
from hypothesis import given
from hypothesis import strategies as st
from test_progressive import random_coefficients

from pyjpegml import assembly, decode, decode_coefficients, encode, markers
from pyjpegml.coefficients import Geometry
from pyjpegml.header import SUBSAMPLINGS as FACTORS

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
    groups = assembly.cheapest_groups(geometry, quantized)
    assert scans_of(made) == [tuple(i + 1 for i in group) for group in groups]


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
