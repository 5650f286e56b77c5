"""Sampling: chroma at a lower resolution, and back.

A component with half the sampling factor of the largest one (T.81 A.1.1) has one sample for two
columns, two rows, or both. The standard says neither how to make it nor how to undo it; everybody
does what libjpeg does:

*Down*: the mean of the samples that are merged (a box). Halves are rounded down and up in turn
along a row, so that no brightness is gained on average.

*Up*: a triangle filter. The centre of a chroma sample lies between two pixels, a quarter of its
width from either; linear interpolation there gives weights 3/4 and 1/4::

    chroma      |---- a ----|---- b ----|
    pixels      |  p  |  q  |  r  |  s  |        q = (3 a + b) / 4,   r = (a + 3 b) / 4

and in two dimensions their products, 9, 3, 3, 1 sixteenths. Outside the picture the outermost
sample is repeated. Rounding alternates again: 1 and 2 quarters, 8 and 7 sixteenths.

libjpeg uses the triangle only on components wider than 2 samples, unless only rows are merged.

Arrays: planes are uint8 (rows, columns). ``across`` and ``down`` are 1 or 2: how many columns and
rows of the picture one sample covers.
"""

from __future__ import annotations

import numpy as np

from ._jit import kernel


@kernel
def downsample(plane, across, down, out):
    """Merge `across` columns and `down` rows into one sample.

    Parameters
    ----------
    plane : (>= down * h, >= across * w) uint8
    across, down : int, 1 or 2
    out : (h, w) uint8
    """
    height, width = out.shape
    for row in range(height):
        target, upper, lower = out[row], plane[row * down], plane[row * down + down - 1]
        if across == 2 and down == 2:
            for i in range(width):
                total = np.int32(upper[2 * i]) + np.int32(upper[2 * i + 1])
                total += np.int32(lower[2 * i]) + np.int32(lower[2 * i + 1])
                target[i] = (total + 1 + (i & 1)) >> 2
        elif across == 2:
            for i in range(width):
                target[i] = (np.int32(upper[2 * i]) + np.int32(upper[2 * i + 1]) + (i & 1)) >> 1
        elif down == 2:
            for i in range(width):
                target[i] = (np.int32(upper[i]) + np.int32(lower[i]) + 1) >> 1
        else:
            for i in range(width):
                target[i] = upper[i]


@kernel
def upsample(plane, height, width, across, down, first_row, sums, out):
    """Rows of the full-size plane, from `first_row` on, by the triangle filter.

    Parameters
    ----------
    plane : (>= height, >= width) uint8
        Samples of the component; only `height` x `width` of them are part of the picture.
    height, width : int
        Real size of the component.
    across, down : int, 1 or 2
    first_row : int
        Row of the full-size plane that goes to ``out[0]``.
    sums : (>= width,) int32
        Scratch.
    out : (rows, columns) uint8
        Written whole; ``width == ceil(columns / across)`` and ``first_row + rows <= down *
        height``.
    """
    rows, columns = out.shape
    for r in range(rows):
        row = first_row + r
        target = out[r]
        if down == 2:
            # the nearer row weighs three times the farther one: above for even rows, below for odd
            near = row // 2
            far = near + 1 if row & 1 else near - 1
            far = min(max(far, 0), height - 1)
            near_row, far_row = plane[near], plane[far]
            if across == 2 and width > 2:
                for i in range(width):
                    sums[i] = 3 * np.int32(near_row[i]) + np.int32(far_row[i])
                _widen(sums, width, 8, 7, 4, target)
            elif across == 2:
                for i in range(columns):
                    target[i] = near_row[i // 2]
            else:
                bias = 2 if row & 1 else 1
                for i in range(columns):
                    target[i] = (3 * np.int32(near_row[i]) + np.int32(far_row[i]) + bias) >> 2
        elif across == 2:
            source = plane[row]
            if width > 2:
                for i in range(width):
                    sums[i] = np.int32(source[i])
                _widen(sums, width, 1, 2, 2, target)
            else:
                for i in range(columns):
                    target[i] = source[i // 2]
        else:
            source = plane[row]
            for i in range(columns):
                target[i] = source[i]


@kernel
def _widen(sums, width, left_bias, right_bias, shift, out):
    """Twice as many columns: each sample gives one pixel leaning left and one leaning right.

    ``width`` is ``ceil(out.size / 2)``, so that ``2 * (width - 1) < out.size``. At the borders the
    neighbour is the sample itself, and 3 + 1 = 4.
    """
    last = width - 1
    out[0] = (4 * sums[0] + left_bias) >> shift
    for i in range(1, width):
        out[2 * i] = (3 * sums[i] + sums[i - 1] + left_bias) >> shift
    for i in range(last):
        out[2 * i + 1] = (3 * sums[i] + sums[i + 1] + right_bias) >> shift
    if 2 * last + 1 < out.size:
        out[2 * last + 1] = (4 * sums[last] + right_bias) >> shift
