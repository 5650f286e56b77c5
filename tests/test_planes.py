"""From pictures to samples of components, against the formulae and libjpeg's edges."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from helpers import picture
from hypothesis import given
from hypothesis import strategies as st
from modes import Samples, factors, samples

from pyjpegml.coefficients import Geometry
from pyjpegml.planes import component_planes, stored_samples


def merged(plane: Samples, geometry: Geometry, component: int) -> Samples:
    """libjpeg's way: row groups of v_max lines, the last one filled with the last line."""
    part = geometry.planes[component]
    across, down = geometry.h_max // part.h, geometry.v_max // part.v
    rows = -(-geometry.height // geometry.v_max) * geometry.v_max - geometry.height
    columns = 8 * part.across * across - geometry.width
    full = np.pad(plane, ((0, rows), (0, max(columns, 0))), "edge")[:, : 8 * part.across * across]
    small = oracles.downsample(full, across, down)[: 8 * part.down]
    return np.pad(small, ((0, 8 * part.down - len(small)), (0, 0)), "edge")


@given(st.data(), st.integers(1, 50), st.integers(1, 50), st.booleans())
def test_samples_of_components(data: st.DataObject, height: int, width: int, deep: bool) -> None:
    image = samples("natural", (height, width), 3, 12 if deep else 8, height)
    geometry = Geometry(width, height, data.draw(factors(3)))
    for i, plane in enumerate(component_planes(image, geometry, "RGB", "RGB")):
        assert np.array_equal(plane, merged(image[:, :, i], geometry, i))


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("stored", ["YCbCr", "YCCK", "grey"])
def test_the_matrix(stored: str, bits: int) -> None:
    """Of JFIF; for inks of C, M and Y, with K turned round."""
    channels = "CMYK" if stored == "YCCK" else "RGB"
    image = samples("noise", (9, 11), 4 if stored == "YCCK" else 3, bits)
    count = {"YCbCr": 3, "YCCK": 4, "grey": 1}[stored]
    geometry = Geometry(11, 9, [(1, 1)] * count)
    planes = [p[:9, :11] for p in component_planes(image, geometry, channels, stored)]
    for (y, x), _ in np.ndenumerate(image[:, :, 0]):
        pixel = oracles.rgb_to_ycbcr_fixed(*map(int, image[y, x, :3]), bits)
        assert [int(plane[y, x]) for plane in planes[:3]] == list(pixel[: min(count, 3)])
    if stored == "YCCK":
        assert np.array_equal(planes[3], (1 << bits) - 1 - image[:, :, 3])


@pytest.mark.parametrize("bits", [8, 12])
def test_inks_are_turned_round(bits: int) -> None:
    image = samples("noise", (8, 8), 4, bits)
    planes = component_planes(image, Geometry(8, 8, [(1, 1)] * 4), "CMYK", "CMYK")
    assert np.array_equal(np.dstack(planes), (1 << bits) - 1 - image)
    raw = component_planes(image, Geometry(8, 8, [(1, 1)] * 4), "stored", "CMYK")
    assert np.array_equal(np.dstack(raw), image)
    assert np.array_equal(stored_samples(image, "CMYK", bits), (1 << bits) - 1 - image)


def test_planes_are_taken_or_merged() -> None:
    image = picture("natural", (17, 31, 3))
    geometry = Geometry(31, 17, [(2, 2), (1, 1), (1, 1)])
    whole = component_planes(tuple(np.moveaxis(image, 2, 0)), geometry, "YCbCr", "YCbCr")
    same = component_planes(image, geometry, "YCbCr", "YCbCr")
    assert all(np.array_equal(a, b) for a, b in zip(whole, same, strict=True))
    small = tuple(
        plane[: part.height, : part.width]
        for plane, part in zip(whole, geometry.planes, strict=True)
    )
    taken = component_planes(small, geometry, "YCbCr", "YCbCr")
    for plane, part in zip(taken, small, strict=True):
        assert np.array_equal(plane[: part.shape[0], : part.shape[1]], part)
        assert (plane[:, part.shape[1] :] == plane[:, part.shape[1] - 1 : part.shape[1]]).all()
        assert (plane[part.shape[0] :] == plane[part.shape[0] - 1]).all()
