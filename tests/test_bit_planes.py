"""Bit planes against shifts of single numbers."""

from __future__ import annotations

import numpy as np
from helpers import SUBSAMPLINGS
from hypothesis import given
from hypothesis import strategies as st
from scans import random_blocks

from pyjpegml.bit_planes import band_mask, bit_planes, count_ones
from pyjpegml.coefficients import Geometry
from pyjpegml.constants import ZIGZAG
from pyjpegml.header import SUBSAMPLINGS as FACTORS


def mask_of(places: np.ndarray) -> int:
    return sum(1 << int(k) for k in np.flatnonzero(places))


@given(
    st.sampled_from(SUBSAMPLINGS),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 15),
    st.sampled_from([1, 3, 1023, 32767]),
    st.integers(0, 99),
)
def test_planes(name: str, width: int, height: int, levels: int, largest: int, seed: int) -> None:
    """Of the real blocks only, in the order of rows."""
    geometry = Geometry(width, height, FACTORS[name])
    quantized = random_blocks(geometry, seed, 0.4, largest)
    for i, plane in enumerate(geometry.planes):
        nonzero, ones, negative = bit_planes(geometry, quantized, i, levels)
        blocks = geometry.view(quantized, i)[: plane.down, : plane.across].reshape(-1, 64)
        assert negative.shape == (len(blocks),)
        for block, values in enumerate(blocks[:, ZIGZAG].astype(int)):
            assert int(negative[block]) == mask_of(values < 0)
            for level in range(levels):
                assert int(nonzero[level, block]) == mask_of(abs(values) >> level)
                assert int(ones[level, block]) == mask_of(abs(values) >> level & 1)


@given(st.integers(0, 63), st.integers(0, 63), st.lists(st.integers(0, 2**64 - 1), max_size=5))
def test_bands(first: int, last: int, masks: list[int]) -> None:
    first, last = sorted((first, last))
    band = int(band_mask.py_func(first, last))
    assert band == sum(1 << k for k in range(first, last + 1))
    wanted = sum((mask & band).bit_count() for mask in masks)
    assert count_ones(np.array(masks, np.uint64), first, last) == wanted
