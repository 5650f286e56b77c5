"""Down- and upsampling against exact means and the triangle filter in real numbers."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from helpers import KINDS, Bytes, picture
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import strips
from pyjpegml.sampling import downsample
from pyjpegml.strips import MARGIN

FACTORS = [(1, 1), (2, 1), (1, 2), (2, 2)]
factors = st.sampled_from(FACTORS)
planes = st.builds(
    picture,
    st.sampled_from(sorted(KINDS)),
    st.tuples(st.integers(1, 12), st.integers(1, 12) | st.integers(30, 70)),
    st.integers(0, 2**32 - 1),
)


def down(plane: Bytes, across: int, down: int) -> Bytes:
    out = np.empty((plane.shape[0] // down, plane.shape[1] // across), np.uint8)
    downsample(plane, across, down, out)
    return out


def up(
    plane: Bytes,
    across: int,
    down: int,
    *,
    first: int = 0,
    shape: tuple[int, int],
    size: tuple[int, int] | None = None,
) -> Bytes:
    """Rows of the full-size plane from `first` on, as a grey picture of one component."""
    rows, columns = plane.shape
    padded = np.pad(plane, ((0, 0), (MARGIN, MARGIN + -columns % 64)), constant_values=170)
    layout = np.zeros((1, strips.LAYOUT_FIELDS), np.int64)
    part = layout[0]
    part[strips.SAMPLES], part[strips.STRIDE], part[strips.ROWS] = MARGIN, padded.shape[1], rows
    part[strips.HEIGHT], part[strips.WIDTH] = size or plane.shape
    part[strips.ACROSS], part[strips.DOWN], part[strips.WIDE] = across, down, padded.size
    part[strips.TRIANGLE] = across * down > 1
    wide = -(-int(across * part[strips.WIDTH]) // 64) * 64
    samples = np.append(padded, np.zeros(wide, np.uint8))
    strips.repeat_borders(samples, part, 0, rows)
    start, end = first * shape[1], (first + shape[0]) * shape[1]
    out = np.full(end + strips.SLACK, 99, np.uint8)
    last = first + shape[0]
    strips.paint_rows(samples, layout, first, last, 0, shape[1], strips.GREY, out, 0, last, out[:0])
    assert (out[:start] == 99).all()
    return out[start:end].reshape(shape)


@given(planes, factors)
def test_downsample(plane: Bytes, factor: tuple[int, int]) -> None:
    across, rows = factor
    wide = plane.repeat(across, axis=1).repeat(rows, axis=0)
    wide ^= np.random.default_rng(plane.size).integers(0, 8, wide.shape, np.uint8)
    assert np.array_equal(down(wide, across, rows), oracles.downsample(wide, across, rows))


@pytest.mark.parametrize("rows", range(1, 5))
@pytest.mark.parametrize("across", range(1, 5))
def test_any_box(across: int, rows: int) -> None:
    """Every remainder of a sum, those that are half of the box as well."""
    wide = np.random.default_rng(0).integers(0, 256, (8 * rows, 70 * across), np.uint8)
    assert np.array_equal(down(wide, across, rows), oracles.downsample(wide, across, rows))


@given(planes, factors)
def test_upsample(plane: Bytes, factor: tuple[int, int]) -> None:
    across, rows = factor
    expected = oracles.upsample(plane, across, rows)
    assert np.array_equal(up(plane, across, rows, shape=expected.shape), expected)


@given(planes, factors, st.data())
def test_upsample_odd_sizes_and_strips(
    plane: Bytes, factor: tuple[int, int], data: st.DataObject
) -> None:
    """A picture may end within a sample, and is done in strips: both are cut out of the whole."""
    across, rows = factor
    whole = oracles.upsample(plane, across, rows)
    width = whole.shape[1] - data.draw(st.integers(0, across - 1))
    first = data.draw(st.integers(0, whole.shape[0] - 1))
    last = data.draw(st.integers(first + 1, whole.shape[0]))
    strip = up(plane, across, rows, first=first, shape=(last - first, width))
    assert np.array_equal(strip, whole[first:last, :width])


@pytest.mark.parametrize(("across", "rows"), FACTORS)
def test_samples_outside_of_the_component_are_not_read(across: int, rows: int) -> None:
    plane = picture("noise", (5, 7), 1)
    padded = np.full((8, 16), 255, np.uint8)
    padded[:5, :7] = plane
    expected = oracles.upsample(plane, across, rows)
    out = up(padded, across, rows, shape=expected.shape, size=(5, 7))
    assert np.array_equal(out, expected)


@pytest.mark.parametrize(("across", "rows"), FACTORS)
@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
def test_flat_stays_flat(across: int, rows: int, level: int) -> None:
    plane = np.full((6, 10), level, np.uint8)
    assert (down(plane, across, rows) == level).all()
    assert (up(plane, across, rows, shape=(6 * rows, 10 * across)) == level).all()


@pytest.mark.parametrize(("across", "rows"), FACTORS[1:])
def test_downsampling_gains_no_brightness(across: int, rows: int) -> None:
    """All pairs of neighbouring levels: rounding that alternates is right on average along a row.
    Where only rows are merged, halves go up: half a level for one of the three boxes."""
    total = across * rows
    low = np.arange(0, 255, dtype=np.uint8)
    means = []
    for ones in range(total + 1):  # how many of the box's samples are one level higher
        box = np.repeat([0, 1], [total - ones, ones]).reshape(rows, across)
        plane = np.tile(box, (255, 2)) + np.repeat(low, rows)[:, None]
        gained = down(plane.astype(np.uint8), across, rows).astype(float) - low[:, None]
        means.append(gained.mean() - ones / total)
    assert np.mean(means) == pytest.approx(1 / 6 if across == 1 else 0)


def test_narrow_components_are_repeated() -> None:
    """libjpeg's triangle needs three columns, unless only rows are merged."""
    plane = np.array([[0, 200], [100, 40]], np.uint8)
    assert up(plane, 2, 1, shape=(2, 4)).tolist() == [[0, 0, 200, 200], [100, 100, 40, 40]]
    assert up(plane, 2, 2, shape=(4, 4)).tolist() == plane.repeat(2, 0).repeat(2, 1).tolist()
    assert up(plane, 1, 2, shape=(4, 2)).tolist() == [[0, 200], [25, 160], [75, 80], [100, 40]]
