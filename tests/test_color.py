"""Colour conversion against the formulae of T.871 and libjpeg's fixed point."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from helpers import Bytes
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml._jit import Kernel
from pyjpegml.color import copy_row, interleave, interleave_four, rgb_to_ycbcr, ycbcr_to_rgb

levels = st.integers(0, 255)
#: Every level, and those where a factor's rounding could show.
SOME = np.unique(np.r_[np.arange(0, 256, 5), [1, 2, 126, 127, 128, 129, 253, 254, 255]])


def to_planes(rgb: Bytes) -> Bytes:
    """(h, w, 3) RGB to (h, w, 3) YCbCr with the kernel."""
    height, width = rgb.shape[:2]
    planes = np.empty((3, height, width), np.uint8)
    rgb_to_ycbcr(rgb.reshape(height, 3 * width), *planes)
    return np.moveaxis(planes, 0, -1)


def rows_to_picture(row_kernel: Kernel, planes: Bytes) -> Bytes:
    """Planes (3, h, w) through a kernel of rows; nothing but the row and its rest is written."""
    _, height, width = planes.shape
    step = -(-width // 64) * 64
    out = np.empty((height, width, 3), np.uint8)
    for row in range(height):
        samples = np.full((3, step), 77, np.uint8)
        samples[:, :width] = planes[:, row]
        target = np.full(5 + 3 * step + 5, 99, np.uint8)
        row_kernel(samples.reshape(-1), 0, step, 2 * step, width, target, 5)
        out[row] = target[5 : 5 + 3 * width].reshape(width, 3)
        assert (target[:5] == 99).all()
        assert (target[-5:] == 99).all()
    return out


def to_rgb(ycbcr: Bytes) -> Bytes:
    return rows_to_picture(ycbcr_to_rgb, np.moveaxis(ycbcr, -1, 0))


def cube() -> Bytes:
    """A lattice of all three samples, as a picture."""
    grid = np.stack(np.meshgrid(SOME, SOME, SOME, indexing="ij"), axis=-1)
    return grid.reshape(SOME.size, -1, 3).astype(np.uint8)


def test_forward_is_within_rounding_of_the_formula() -> None:
    """Half a level for rounding, and three factors of five decimals: 255 * 3 * 0.5e-5 at most."""
    rgb = cube()
    error = np.abs(to_planes(rgb) - oracles.rgb_to_ycbcr(rgb).clip(0, 255))
    assert error.max() <= 0.5 + 255 * 3 * (0.5e-5 + 2.0**-17) + 2.0**-16


def test_inverse_is_within_rounding_of_the_formula() -> None:
    ycbcr = cube()
    exact = oracles.ycbcr_to_rgb(ycbcr).clip(0, 255)
    assert np.abs(to_rgb(ycbcr) - exact).max() <= 0.5 + 128 * 2 * (0.5e-5 + 2.0**-17)


@given(levels, levels, levels)
def test_one_pixel_exactly(r: int, g: int, b: int) -> None:
    pixel = np.array([[[r, g, b]]], np.uint8)
    assert tuple(to_planes(pixel)[0, 0]) == oracles.rgb_to_ycbcr_fixed(r, g, b)
    assert tuple(to_rgb(pixel)[0, 0]) == oracles.ycbcr_to_rgb_fixed(r, g, b)


def test_factors_are_the_nearest() -> None:
    """Of all pixels of red and green, those that a factor off by 2**-16 would change."""
    red, green = np.meshgrid(np.arange(256), np.arange(256))
    rgb = np.stack([red, green, np.zeros_like(red)], axis=-1).astype(np.uint8)
    for channels in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):
        pixels = rgb[:, :, channels]
        y = (pixels @ [oracles.fixed(f) for f in ("0.299", "0.587", "0.114")] + 2**15) >> 16
        assert np.array_equal(to_planes(pixels)[:, :, 0], y)


@pytest.mark.parametrize("level", range(256))
def test_grey_stays_grey(level: int) -> None:
    pixel = np.full((1, 1, 3), level, np.uint8)
    assert to_planes(pixel).tolist() == [[[level, 128, 128]]]
    assert to_rgb(np.array([[[level, 128, 128]]], np.uint8)).tolist() == pixel.tolist()


def test_extremes_are_not_clipped_or_wrapped() -> None:
    corners = (
        np.array(np.meshgrid([0, 255], [0, 255], [0, 255])).T.reshape(1, 8, 3).astype(np.uint8)
    )
    expected = [oracles.rgb_to_ycbcr_fixed(*(int(s) for s in pixel)) for pixel in corners[0]]
    assert to_planes(corners)[0].tolist() == [list(pixel) for pixel in expected]
    expected = [oracles.ycbcr_to_rgb_fixed(*(int(s) for s in pixel)) for pixel in corners[0]]
    assert to_rgb(corners)[0].tolist() == [list(pixel) for pixel in expected]


def test_planes_may_be_larger_than_the_picture() -> None:
    """Only the picture's rows and columns are read and written."""
    rgb = cube()[:3, :5].copy()
    planes = np.full((3, 8, 16), 77, np.uint8)
    rgb_to_ycbcr(rgb.reshape(3, 15), *planes)
    assert np.array_equal(np.moveaxis(planes[:, :3, :5], 0, -1), to_planes(rgb))
    assert (planes[:, 3:] == 77).all()
    assert (planes[:, :, 5:] == 77).all()


def test_there_and_back_changes_no_level_by_more_than_one() -> None:
    """Y, Cb and Cr are off by 1/2 at most: G by 1/2 + 0.714 / 2 + 0.344 / 2 + 1/2, below 2; R and B
    by 1/2 + 1.772 / 2 + 1/2, below 2."""
    rgb = cube()
    assert np.abs(to_rgb(to_planes(rgb)).astype(int) - rgb).max() <= 1


@pytest.mark.parametrize("width", [1, 5, 63, 64, 65, 130])
def test_interleave(width: int) -> None:
    planes = np.random.default_rng(0).integers(0, 256, (3, 4, width), np.uint8)
    assert np.array_equal(rows_to_picture(interleave, planes), np.moveaxis(planes, 0, -1))


@pytest.mark.parametrize("flip", [0, 255])
@pytest.mark.parametrize("width", [1, 63, 64, 65])
def test_interleave_four(width: int, flip: int) -> None:
    step = -(-width // 64) * 64
    samples = np.random.default_rng(0).integers(0, 256, (4, step), np.uint8)
    out = np.full(5 + 4 * step + 5, 99, np.uint8)
    interleave_four(samples.reshape(-1), 0, step, 2 * step, 3 * step, width, flip, out, 5)
    assert np.array_equal(out[5 : 5 + 4 * width].reshape(width, 4), samples[:, :width].T ^ flip)
    assert (out[:5] == 99).all()
    assert (out[-5:] == 99).all()


@pytest.mark.parametrize("width", [1, 63, 64, 65])
def test_copy_row(width: int) -> None:
    samples = np.random.default_rng(0).integers(0, 256, 192, np.uint8)
    out = np.full(200, 99, np.uint8)
    copy_row(samples, 7, width, out, 5)
    assert np.array_equal(out[5 : 5 + width], samples[7 : 7 + width])
    assert (out[:5] == 99).all()
    assert (out[5 + -(-width // 64) * 64 :] == 99).all()
