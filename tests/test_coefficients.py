"""Sizes of components, the order of blocks, and the memory that holds them."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from helpers import SUBSAMPLINGS, picture
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import scan
from pyjpegml.coefficients import Geometry
from pyjpegml.dct import forward_dct, inverse_dct
from pyjpegml.header import SUBSAMPLINGS as FACTORS
from pyjpegml.huffman import AC

sides = st.one_of(st.integers(1, 70), st.integers(1, 65535))
factors = st.tuples(st.integers(1, 4), st.integers(1, 4))
samplings = st.lists(factors, min_size=2, max_size=4)


@given(sides, sides, samplings)
def test_sizes(width: int, height: int, sampling: list[tuple[int, int]]) -> None:
    geometry = Geometry(width, height, sampling)
    h_max, v_max = max(h for h, _ in sampling), max(v for _, v in sampling)
    offset = 0
    for plane, (h, v) in zip(geometry.planes, sampling, strict=True):
        assert plane.width == oracles.component_size(width, h, h_max)
        assert plane.height == oracles.component_size(height, v, v_max)
        assert 8 * (plane.across - 1) < plane.width <= 8 * plane.across
        assert 8 * (plane.down - 1) < plane.height <= 8 * plane.down
        assert plane.stride == geometry.mcus_across * h
        assert plane.rows == geometry.mcus_down * v
        assert plane.across <= plane.stride
        assert plane.down <= plane.rows
        assert plane.offset == offset
        offset += 64 * plane.stride * plane.rows
    assert geometry.size == offset
    assert 8 * h_max * (geometry.mcus_across - 1) < width <= 8 * h_max * geometry.mcus_across
    assert 8 * v_max * (geometry.mcus_down - 1) < height <= 8 * v_max * geometry.mcus_down
    assert geometry.mcus == geometry.mcus_across * geometry.mcus_down


@given(sides, sides, factors)
def test_factors_of_a_single_component_mean_nothing(
    width: int, height: int, factor: tuple[int, int]
) -> None:
    """It is never interleaved: its MCU is one block (T.81 A.2.2)."""
    geometry = Geometry(width, height, [factor])
    assert geometry.planes == Geometry(width, height, [(1, 1)]).planes
    assert geometry.mcus == geometry.planes[0].across * geometry.planes[0].down
    assert len(geometry.scan_plan([(0, 0)])) == 1


@given(st.integers(1, 60), st.integers(1, 60), samplings)
def test_plan_is_the_order_of_the_standard(
    width: int, height: int, sampling: list[tuple[int, int]]
) -> None:
    """Walking the plan visits every block of every array once, in the order of T.81 A.2.3."""
    geometry = Geometry(width, height, sampling)
    slots = [(i % 4, (i + 1) % 4) for i in range(len(sampling))]
    plan = geometry.scan_plan(slots)
    coefficients = np.arange(geometry.size // 64).repeat(64)  # every block holds its number
    seen = []
    for mcu, expected in enumerate(oracles.mcu_blocks(width, height, sampling)):
        row, column = divmod(mcu, geometry.mcus_across)
        assert len(plan) == len(expected)
        for fields, (component, block_row, block_column, real) in zip(plan, expected, strict=True):
            start, is_real = scan.block_start.py_func(fields, row, column)
            view = geometry.view(coefficients, component)
            assert coefficients[start] == view[block_row, block_column, 0]
            assert start % 64 == 0
            assert is_real == real
            assert fields[scan.COMPONENT] == component
            assert (fields[scan.DC_SLOT], fields[scan.AC_SLOT] - AC) == slots[component]
            seen.append(coefficients[start])
    assert mcu + 1 == geometry.mcus
    assert sorted(seen) == list(range(geometry.size // 64))


def test_420_is_the_order_of_the_picture_in_scan() -> None:
    plan = Geometry(16, 16, FACTORS["4:2:0"]).scan_plan([(0, 0), (1, 1), (1, 1)])
    assert plan[:, scan.COMPONENT].tolist() == [0, 0, 0, 0, 1, 2]
    assert plan[:, scan.ROW].tolist() == [0, 0, 1, 1, 0, 0]
    assert plan[:, scan.COLUMN].tolist() == [0, 1, 0, 1, 0, 0]


def test_views_are_one_component_each() -> None:
    geometry = Geometry(20, 9, FACTORS["4:2:0"])
    coefficients = np.zeros(geometry.size, np.int16)
    for i in range(3):
        view = geometry.view(coefficients, i)
        assert view.base is coefficients
        assert view.flags.c_contiguous
        view += i + 1
    sizes = [4 * 2 * 64, 2 * 1 * 64, 2 * 1 * 64]
    assert coefficients.tolist() == np.repeat([1, 2, 3], sizes).tolist()


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_transform_and_reconstruct_do_all_blocks(subsampling: str) -> None:
    """Each component alone through the stages gives what Geometry does; dummy blocks stay zero."""
    geometry = Geometry(37, 21, FACTORS[subsampling])
    planes = [
        picture("natural", (8 * plane.down, 8 * plane.across), i)
        for i, plane in enumerate(geometry.planes)
    ]
    coefficients = geometry.transform(planes)
    tables = [np.full((8, 8), step, np.uint16) for step in (1, 2, 3)]
    rebuilt = geometry.reconstruct(coefficients, tables)
    for i, plane in enumerate(geometry.planes):
        alone = np.zeros((plane.rows, plane.stride, 64), np.int16)
        forward_dct(planes[i], plane.down, plane.across, alone)
        assert np.array_equal(geometry.view(coefficients, i), alone)
        assert not alone[plane.down :].any()
        assert not alone[:, plane.across :].any()
        samples = np.empty_like(planes[i])
        steps = np.full(64, i + 1, np.int32)
        inverse_dct(alone, plane.down, plane.across, steps, samples)
        assert np.array_equal(rebuilt[i], samples)
