"""Windows of SSIM: moments of errors under the Gaussian, strip by strip, and what windows lose.

The kernels behind :mod:`pyjpegml.metrics`, which says what is reckoned, why in single precision,
and how the work is cut into strips and tiles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ._jit import inlined, kernel, summing

C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2
TAPS = 11


def _gaussian() -> npt.NDArray[np.float64]:
    """The window: a Gaussian of sigma 1.5 on 11 taps, in the single precision of
    ``pytorch-msssim``.

    The taps are written out, because their sum is 1 - 3e-7 and not 1, which shows in the sixth
    digit of a score, and because the last bit of ``exp`` differs between libraries.
    """
    half = [0.0010283804, 0.007598758, 0.036000773, 0.10936069, 0.21300553, 0.26601171]
    window = np.array(half + half[-2::-1], np.float32).astype(np.float64)
    window.flags.writeable = False
    return window


WINDOW = _gaussian()

#: The middle of all levels, about which moments are taken. Taps over a window add up to S, not 1,
#: so moments about c are moved back by ``F x = F(x - c) + c S``, and the variance that the metric
#: means is ``F (x - c)^2 - (F (x - c))^2 + 2 c (1 - S) F(x - c) + c^2 S (1 - S)``.
CENTRE = np.float32(128.0)
_LACK = 1 - float(WINDOW.sum()) ** 2
_LESS_MEAN = np.float32(128 * _LACK)
_PER_MEAN = np.float32(2 * 128 * _LACK)
_MORE = np.float32(128**2 * (1 - _LACK) * _LACK)

#: Operations on a sample of one scale (see above).
FLOPS = 130

#: Columns that are filtered together, at most.
TILE = 1024
#: Columns are made in multiples of this, so that no loop of vectors leaves a rest.
LANES = 32
#: Length of a row of scratch: whole lines of the cache, and rows that are not a multiple of 4 kB
#: apart, which would all compete for the same few lines.
STRIDE = TILE + 48
#: Rows of windows that are made together: they share what they load.
GROUP = 4
#: Rows of windows after which the strip starts again at its top.
STRIP = 16


@kernel
def halve(plane, first, last, out):
    """Means of 2x2 pixels; an odd side has a row or column of zeros put in front.

    Parameters
    ----------
    plane : (h, w) uint8 or float32
    first, last : int
        Rows that are made.
    out : (ceil(h / 2), ceil(w / 2)) float32
    """
    odd_row, odd_column = plane.shape[0] & 1, plane.shape[1] & 1
    quarter = np.float32(0.25)
    for r in range(first, last):
        target = out[r]
        lower = plane[2 * r + 1 - odd_row]
        upper = plane[max(2 * r - odd_row, 0)]
        keep = np.float32(0.0) if r == 0 and odd_row else np.float32(1.0)
        if odd_column:
            target[0] = (np.float32(lower[0]) + keep * np.float32(upper[0])) * quarter
        for i in range(odd_column, target.size):
            j = 2 * i - odd_column
            target[i] = (
                np.float32(lower[j]) + np.float32(lower[j + 1])
                + keep * (np.float32(upper[j]) + np.float32(upper[j + 1]))
            ) * quarter  # fmt: skip


@summing
def _filter_row(errors, levels, window, columns, e, ee, xe):
    """Horizontal Gaussian of e, e^2 and x e.

    Parameters
    ----------
    errors, levels : (columns + 10 or more,)
    window : (6,)
        The first half of the Gaussian and its middle.
    columns : int
    e, ee, xe : (columns or more,)
    """
    w0, w1, w2, w3, w4, w5 = window[0], window[1], window[2], window[3], window[4], window[5]
    for i in range(columns):
        a0, a1, a2, a3, a4 = errors[i], errors[i + 1], errors[i + 2], errors[i + 3], errors[i + 4]
        b0, b1, b2 = errors[i + 10], errors[i + 9], errors[i + 8]
        b3, b4, c = errors[i + 7], errors[i + 6], errors[i + 5]
        e[i] = (
            w0 * (a0 + b0) + w1 * (a1 + b1) + w2 * (a2 + b2) + w3 * (a3 + b3) + w4 * (a4 + b4)
            + w5 * c
        )  # fmt: skip
        ee[i] = (
            w0 * (a0 * a0 + b0 * b0) + w1 * (a1 * a1 + b1 * b1) + w2 * (a2 * a2 + b2 * b2)
            + w3 * (a3 * a3 + b3 * b3) + w4 * (a4 * a4 + b4 * b4) + w5 * (c * c)
        )  # fmt: skip
        xe[i] = (
            w0 * (a0 * levels[i] + b0 * levels[i + 10])
            + w1 * (a1 * levels[i + 1] + b1 * levels[i + 9])
            + w2 * (a2 * levels[i + 2] + b2 * levels[i + 8])
            + w3 * (a3 * levels[i + 3] + b3 * levels[i + 7])
            + w4 * (a4 * levels[i + 4] + b4 * levels[i + 6])
            + w5 * (c * levels[i + 5])
        )


@inlined
def _fold(window, a, b, c, d, e, f, g, h, i, j, k):
    """Gaussian of 11 values; those of equal weight are added first."""
    return (
        window[0] * (a + k) + window[1] * (b + j) + window[2] * (c + i)
        + window[3] * (d + h) + window[4] * (e + g) + window[5] * f
    )  # fmt: skip


@summing
def filter_columns(strip, window, columns, first, second, third, fourth):
    """Vertical Gaussian of GROUP rows of windows, from the 14 rows at the head of `strip`.

    Parameters
    ----------
    strip : (14 * STRIDE or more,)
    window : (6,)
        Half of the Gaussian.
    columns : int
    first, second, third, fourth : (columns or more,)
        Results.
    """
    w = (window[0], window[1], window[2], window[3], window[4], window[5])
    for i in range(columns):
        a, b, c = strip[i], strip[i + STRIDE], strip[i + 2 * STRIDE]
        d, e, f = strip[i + 3 * STRIDE], strip[i + 4 * STRIDE], strip[i + 5 * STRIDE]
        g, h, j = strip[i + 6 * STRIDE], strip[i + 7 * STRIDE], strip[i + 8 * STRIDE]
        k, m, n = strip[i + 9 * STRIDE], strip[i + 10 * STRIDE], strip[i + 11 * STRIDE]
        o, p = strip[i + 12 * STRIDE], strip[i + 13 * STRIDE]
        first[i] = _fold(w, a, b, c, d, e, f, g, h, j, k, m)
        second[i] = _fold(w, b, c, d, e, f, g, h, j, k, m, n)
        third[i] = _fold(w, c, d, e, f, g, h, j, k, m, n, o)
        fourth[i] = _fold(w, d, e, f, g, h, j, k, m, n, o, p)


@summing
def _difference(other, plane, share, centre, errors, levels):
    """Rows of ``other - share * plane - centre`` and of `plane`; exact: levels have 16 bits at the
    most.
    """
    for i in range(plane.size):
        level = np.float32(plane[i])
        errors[i] = np.float32(other[i]) - share * level - centre
        levels[i] = level


@kernel
def next_windows(other, plane, share, centre, left, columns, top, window, rows, strips, means):
    """Gaussian means of e, e^2 and x e in GROUP rows of windows.

    There e is ``other - share * plane - centre``.

    Parameters
    ----------
    other, plane : (h, w) uint8 or float32
    share, centre : float32
        1 and 0; or 0 for the moments of `other` itself, about a level.
    left, columns : int
        The windows from column `left` on; a multiple of LANES, at most TILE. Those that reach
        beyond the plane are made of what the scratch held.
    top : int
        The first row of windows: from call to call 0, GROUP, 2 GROUP and so on.
    window : (6,) float32 or float64
        Half of the Gaussian. Its precision is that of the following.
    rows : (2, STRIDE)
        Scratch, finite.
    strips : (3, (STRIP + 10) * STRIDE)
        What is kept from call to call, finite: row r, filtered horizontally, in slot ``r - top +
        top % STRIP``, which is at most STRIP + 9.
    means : (3, GROUP, STRIDE)
        Result.
    """
    height, width = plane.shape
    right = min(left + columns + TAPS - 1, width)
    slot = top % STRIP
    if slot == 0 and top > 0:
        for q in range(3):
            copy_line(strips[q, STRIP * STRIDE :], strips[q, : (TAPS - 1) * STRIDE])
    first = 0 if top == 0 else TAPS - 1
    for k in range(first, min(GROUP + TAPS - 1, height - top)):
        r, at = top + k, (slot + k) * STRIDE
        _difference(other[r, left:right], plane[r, left:right], share, centre, rows[0], rows[1])
        _filter_row(
            rows[0], rows[1], window, columns, strips[0, at:], strips[1, at:], strips[2, at:]
        )
    for q in range(3):
        filter_columns(
            strips[q, slot * STRIDE :], window, columns,
            means[q, 0], means[q, 1], means[q, 2], means[q, 3],
        )  # fmt: skip


@kernel
def copy_line(source, out):
    """``out = source``, as far as `out` goes, where they do not overlap.

    Parameters
    ----------
    source, out : (n or more,), (n,)
    """
    for i in range(out.size):
        out[i] = source[i]


@summing
def window_losses(e, ee, xe, mean, variance, with_luminance, constants):
    """Sums over a row of windows: of 1 - cs, or of 1 - l cs; and of the squared mean error.

    Parameters
    ----------
    e, ee, xe : (>= n,) float32 or float64
        Windowed error, its square, and its product with the original.
    mean, variance : (n,) of the same dtype
        Of the original.
    with_luminance : bool
    constants : (2,) of the same dtype
        C1 and C2.
    """
    c1, c2 = constants[0], constants[1]
    loss = cancelled = c1 - c1
    for i in range(mean.size):
        error, m = e[i], mean[i]
        square = error * error
        variance_e = ee[i] - square
        half = variance[i] + xe[i] - m * error
        contrast_loss = variance_e / (half + half + variance_e + c2)
        if with_luminance:
            luminance_loss = square / (m * m + (m + error) * (m + error) + c1)
            loss += contrast_loss + luminance_loss - contrast_loss * luminance_loss
        else:
            loss += contrast_loss
        cancelled += square
    return loss, cancelled


@kernel
def similarity_loss(
    plane, other, statistics, first, with_luminance, window, constants, rows, strips, means
):  # fmt: skip
    """Sum over some rows of windows of 1 - cs, or of 1 - l cs, at one scale.

    Parameters
    ----------
    plane, other : (h, w) uint8 or float32, both alike
        Original, and picture to compare with it: the rows of these windows.
    statistics : (tiles, h - 10 or more, 2, n) float32 or float64
        Of the whole original (:func:`moments`).
    first : int
        Where in it the first row of windows is.
    with_luminance : bool
    window, constants, rows, strips, means
        A :func:`workspace`, in the precision that is to be reckoned in.

    Returns
    -------
    loss : float
    cancelled : float
        Sum over the same windows of the squared mean error.
    """
    height, width = plane.shape[0] - TAPS + 1, plane.shape[1] - TAPS + 1
    tile = statistics.shape[3]
    total = total_cancelled = 0.0
    for left in range(0, width, tile):
        columns = min(tile, width - left)
        padded = (columns + LANES - 1) // LANES * LANES
        known = statistics[left // tile]
        for top in range(0, height, GROUP):
            next_windows(
                other, plane, np.float32(1.0), np.float32(0.0), left, padded, top,
                window, rows, strips, means,
            )  # fmt: skip
            for k in range(min(GROUP, height - top)):
                loss, cancelled = window_losses(
                    means[0, k], means[1, k], means[2, k],
                    known[first + top + k, 0, :columns], known[first + top + k, 1],
                    with_luminance, constants,
                )  # fmt: skip
                total += loss
                total_cancelled += cancelled
    return total, total_cancelled


@kernel
def moments(plane, first, last, statistics, window, constants, rows, strips, means):
    """Mean and variance of every window of a plane, in some rows of them.

    Parameters
    ----------
    plane : (h, w) uint8 or float32
    first, last : int
    statistics : (tiles, h - 10, 2, n) float32 or float64
        Result: of each tile of n columns, of each row of windows, the means and the variances. The
        last tile may have fewer columns than there is room for.
    window, constants, rows, strips, means
        A :func:`workspace`, mostly of double precision. In single precision variances are right
        within 0.002 or so, because squares are those of distances from the middle of all levels.
    """
    width, tile = plane.shape[1] - TAPS + 1, statistics.shape[3]
    part = plane[first : last + TAPS - 1]
    for left in range(0, width, tile):
        columns = min(tile, width - left)
        padded = (columns + LANES - 1) // LANES * LANES
        for top in range(0, last - first, GROUP):
            next_windows(
                part, part, np.float32(0.0), CENTRE, left, padded, top,
                window, rows, strips, means,
            )  # fmt: skip
            for k in range(min(GROUP, last - first - top)):
                mean, square = means[0, k], means[1, k]
                mean_row = statistics[left // tile, first + top + k, 0]
                variance_row = statistics[left // tile, first + top + k, 1]
                for i in range(columns):
                    mean_row[i] = mean[i] + CENTRE - _LESS_MEAN
                    variance_row[i] = square[i] - mean[i] * mean[i] + (_PER_MEAN * mean[i] + _MORE)


def aligned(shape: tuple[int, ...], precision: type[np.floating]) -> npt.NDArray[Any]:
    """Zeros that start where a line of the cache starts."""
    size = math.prod(shape) * np.dtype(precision).itemsize
    memory = np.zeros(size + 63, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(precision).reshape(shape)


_idle: dict[type[np.floating], list[tuple[npt.NDArray[Any], ...]]] = {
    np.float32: [],
    np.float64: [],
}


@contextmanager
def workspace(precision: type[np.floating]) -> Iterator[tuple[npt.NDArray[Any], ...]]:
    """The last arguments of :func:`similarity_loss` and :func:`moments`, kept for calls to come.

    Each thread takes its own: two never have the same at one time.
    """
    try:
        arrays = _idle[precision].pop()
    except IndexError:
        arrays = (
            WINDOW[: TAPS // 2 + 1].astype(precision),
            np.array([C1, C2], precision),
            aligned((2, STRIDE), precision),
            aligned((3, (STRIP + TAPS - 1) * STRIDE), precision),
            aligned((3, GROUP, STRIDE), precision),
        )
    try:
        yield arrays
    finally:
        _idle[precision].append(arrays)
