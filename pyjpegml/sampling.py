"""Sampling: chroma at a lower resolution, and back.

A component with half the sampling factor of the largest one (T.81 A.1.1) has one sample for two
columns, two rows, or both. The standard says neither how to make it nor how to undo it; everybody
does what libjpeg does:

*Down*: the mean of the samples that are merged (a box). With two columns, halves are rounded down
and up in turn along a row, so that no brightness is gained on average; with other numbers up.

*Up*: a triangle filter. The centre of a chroma sample lies between two pixels, a quarter of its
width from either; linear interpolation there gives weights 3/4 and 1/4::

    chroma      |---- a ----|---- b ----|
    pixels      |  p  |  q  |  r  |  s  |        q = (3 a + b) / 4,   r = (a + 3 b) / 4

and in two dimensions their products, 9, 3, 3, 1 sixteenths. Outside the picture the outermost
sample is repeated. Rounding alternates again: 1 and 2 quarters, 8 and 7 sixteenths.

libjpeg uses the triangle only on components wider than 2 samples, unless only rows are merged, and
only for these ratios; if a sample covers more than two columns or rows, it is repeated.

Arrays: planes are uint8 (rows, columns). Upsampling works on rows in a flat array, with room
around them for whole vectors (:mod:`pyjpegml.strips`). ``across`` and ``down`` say how many columns
and rows of the picture one sample covers.
"""

from __future__ import annotations

import numpy as np

from ._jit import kernel
from .simd import vector_function

# added before the division by 4 and by 2: halves are rounded down and up in turn
_IN_TURN_4, _IN_TURN_2 = (1, 2), (0, 1)


@vector_function
def mean_of_4(plane, upper, lower, out, position):
    """32 means of 2 x 2 samples: 64 from ``plane[upper]`` on and 64 from ``plane[lower]`` on.

    Two neighbours are the low and the high byte of a 16-bit lane. `position` is even in its row.
    """
    a, b = plane.load(32, upper, 16), plane.load(32, lower, 16)
    total = (a & 0xFF) + a.shift_right(8) + (b & 0xFF) + b.shift_right(8)
    out.store(((total + _IN_TURN_4) >> 2).trunc(8), position)


@vector_function
def mean_across(plane, offset, out, position):
    """32 means of 2 samples in a row; as :func:`mean_of_4`."""
    a = plane.load(32, offset, 16)
    out.store((((a & 0xFF) + a.shift_right(8) + _IN_TURN_2) >> 1).trunc(8), position)


@vector_function
def mean_down(plane, upper, lower, out, position):
    """32 means of 2 samples in a column."""
    total = plane.load(32, upper).zext(16) + plane.load(32, lower).zext(16)
    out.store(((total + 1) >> 1).trunc(8), position)


@kernel
def downsample(plane, across, down, out):
    """Merge `across` columns and `down` rows into one sample.

    Parameters
    ----------
    plane : (>= down * h, >= across * w) uint8
    across, down : int, 1 to 4
    out : (h, w) uint8

    Notes
    -----
    Loads and stores: samples ``i`` to ``i + 31`` of a row of `out`, below its width, and the
    ``across`` times as many that make them.
    """
    height, width = out.shape
    if across > 2 or down > 2:
        box_means(plane, across, down, out)
        return
    for row in range(height):
        upper = row * down * plane.shape[1]
        lower = upper + (down - 1) * plane.shape[1]
        whole = width & ~31 if across + down > 2 else 0
        for i in range(0, whole, 32):
            if across == 1:
                mean_down(plane, upper + i, lower + i, out, row * width + i)
            elif down == 1:
                mean_across(plane, upper + 2 * i, out, row * width + i)
            else:
                mean_of_4(plane, upper + 2 * i, lower + 2 * i, out, row * width + i)
        above, below, target = plane[row * down], plane[row * down + down - 1], out[row]
        for i in range(whole, width):
            if across == 2 and down == 2:
                total = np.int32(above[2 * i]) + np.int32(above[2 * i + 1])
                total += np.int32(below[2 * i]) + np.int32(below[2 * i + 1])
                target[i] = (total + 1 + (i & 1)) >> 2
            elif across == 2:
                target[i] = (np.int32(above[2 * i]) + np.int32(above[2 * i + 1]) + (i & 1)) >> 1
            elif down == 2:
                target[i] = (np.int32(above[i]) + np.int32(below[i]) + 1) >> 1
            else:
                target[i] = above[i]


@kernel
def box_means(plane, across, down, out):
    """:func:`downsample` for any ratio: means of `across` columns and `down` rows, halves upwards.

    Parameters
    ----------
    plane : (>= down * h, >= across * w) uint8 or uint16
    across, down : int, 1 to 4
    out : (h, w) uint8 or uint16
    """
    half = np.int32(across * down // 2)
    for row in range(out.shape[0]):
        target = out[row]
        for i in range(target.size):
            total = half
            for y in range(down):
                line = plane[row * down + y]
                for x in range(across):
                    total += np.int32(line[across * i + x])
            target[i] = total // np.int32(across * down)


def _store_pairs(left, right, samples, out):
    """Results of 16-bit lanes as bytes, one leaning left and one leaning right in turn."""
    samples.store((left | right << 8).view(8), out)


@vector_function
def _widen_32(samples, row, out):
    """64 pixels of 32 samples of a row."""
    before, here, after = (samples.load(32, row + k).zext(16) for k in (-1, 0, 1))
    triple = here * 3
    _store_pairs((triple + before + 1) >> 2, (triple + after + 2) >> 2, samples, out)


@vector_function
def _widen_rows_32(samples, near, far, out):
    """64 pixels of 32 samples of two rows."""
    before, here, after = (
        samples.load(32, near + k).zext(16) * 3 + samples.load(32, far + k).zext(16)
        for k in (-1, 0, 1)
    )
    triple = here * 3
    _store_pairs((triple + before + 8) >> 4, (triple + after + 7) >> 4, samples, out)


@vector_function
def _upper_32(samples, near, far, out):
    """32 pixels of a row between `far`, above, and `near`."""
    total = samples.load(32, near).zext(16) * 3 + samples.load(32, far).zext(16)
    samples.store(((total + 1) >> 2).trunc(8), out)


@vector_function
def _lower_32(samples, near, far, out):
    """32 pixels of a row between `near` and `far`, below."""
    total = samples.load(32, near).zext(16) * 3 + samples.load(32, far).zext(16)
    samples.store(((total + 2) >> 2).trunc(8), out)


@kernel
def upsample_row(samples, near, far, across, down, odd, width, out):
    """A row at full width, by the triangle filter.

    Parameters
    ----------
    samples : (n,) uint8
        Source and target, which do not overlap.
    near, far : int
        Where the two rows start that lie nearest to the wanted one; the same if `down` is 1. Of
        each, `width` samples are read, rounded up to a multiple of 32. If `across` is 2, so is one
        more before and one behind those: the samples before and behind a row repeat the outermost
        ones.
    across, down : int, 1 or 2
        Not both 1.
    odd : int
        1 if `far` is the lower row, 0 if it is the upper one.
    width : int
        Samples in a row.
    out : int
        Where the row of ``across * width`` pixels is written, rounded up to a multiple of 64.

    Notes
    -----
    Loads and stores: i steps by 32 and stays below `width`. 32 samples from i on are read, and from
    ``i - 1`` and ``i + 1`` on if `across` is 2; 32 or 64 pixels are written at ``across * i``.
    """
    if across == 2 and width <= 2:
        for i in range(2 * width):
            samples[out + i] = samples[near + i // 2]
    elif across == 2 and down == 2:
        for i in range(0, width, 32):
            _widen_rows_32(samples, near + i, far + i, out + 2 * i)
    elif across == 2:
        for i in range(0, width, 32):
            _widen_32(samples, near + i, out + 2 * i)
    elif odd:
        for i in range(0, width, 32):
            _lower_32(samples, near + i, far + i, out + i)
    else:
        for i in range(0, width, 32):
            _upper_32(samples, near + i, far + i, out + i)


@vector_function
def _repeat_16(samples, row, out):
    """64 pixels of 16 samples of a row, each four times."""
    samples.store(samples.load(16, row).shuffle([k // 4 for k in range(64)]), out)


@kernel
def repeat_row(samples, row, across, width, out):
    """A row at full width, each sample `across` times.

    Parameters
    ----------
    samples : (n,) uint8
        Source and target.
    row : int
        Where it starts; 16 samples at a time are read.
    across : int, 1 to 4
    width : int
        Samples in a row.
    out : int
        Where ``across * width`` pixels are written, rounded up to a multiple of 64.
    """
    if across == 4:
        for i in range(0, width, 16):
            _repeat_16(samples, row + i, out + 4 * i)
        return
    for i in range(width):
        for k in range(across):
            samples[out + across * i + k] = samples[row + i]
