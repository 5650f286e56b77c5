"""Every other window, across and down: a quarter of them tell nearly the same MS-SSIM.

Neighbouring windows share most of their pixels. Of a wave of four pixels the Gaussian passes 6 % of
the amplitude, of one of two pixels 1e-5: what windows say hardly changes from one to the next but
one. So a mean over every other window is nearly the mean over all of them: within a thousandth of
the loss, and mostly far less. While a search is under way that is as good as the score itself; at
its end all windows are asked.

The work is less than half of that for all windows, and what is kept of the original a quarter.
Rows are split into their even and odd columns when errors are formed. Of the eleven taps six then
fall on even columns and five on odd ones, all of them neighbours, which makes loops of vectors.
Rows of windows are two rows of pixels apart.

All else (tiles, strips, statistics, single precision) is as in :mod:`pyjpegml.metrics`. Windows,
columns and rows of windows are those that are made: number i begins at pixel 2 i.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ._jit import inlined, kernel, summing
from .ssim import (
    C1,
    C2,
    GROUP,
    LANES,
    STRIDE,
    TAPS,
    WINDOW,
    aligned,
    copy_line,
    window_losses,
)

#: Losses by every other window are taken to be wrong by this part, or less, as most are; where it
#: is more, the score of the file, by all windows, corrects the search.
SURE = 3e-4
#: Rows of pixels after which the strip starts again at its top; a multiple of 2 GROUP.
PIXEL_STRIP = 32
#: Rows of pixels that a group of rows of windows shares with the next one.
KEPT = TAPS - 2
#: Pairs of columns beyond the first one that a window has.
HALF = TAPS // 2


@summing
def _split_rows(other, plane, share, pairs, even, odd, even_square, odd_square, even_x, odd_x):
    """``e = other - share * plane``, its square, and its product with `plane`, by columns' parity.

    The differences are exact, as levels have 16 bits at the most.
    """
    for i in range(pairs):
        level, next_level = np.float32(plane[2 * i]), np.float32(plane[2 * i + 1])
        even[i] = np.float32(other[2 * i]) - share * level
        odd[i] = np.float32(other[2 * i + 1]) - share * next_level
        even_x[i], odd_x[i] = level, next_level
    for i in range(pairs):
        even_square[i] = even[i] * even[i]
        odd_square[i] = odd[i] * odd[i]
        even_x[i] *= even[i]
        odd_x[i] *= odd[i]


@inlined
def _last_column(other, plane, share, i, even, even_square, even_x):
    """The same for column 2 i alone."""
    level = np.float32(plane[2 * i])
    even[i] = np.float32(other[2 * i]) - share * level
    even_square[i] = even[i] * even[i]
    even_x[i] = even[i] * level


@summing
def _filter_pairs(even, odd, window, columns, out):
    """Horizontal Gaussian: a row's even and odd columns to every other window."""
    w0, w1, w2, w3, w4, w5 = window[0], window[1], window[2], window[3], window[4], window[5]
    for i in range(columns):
        out[i] = (
            w0 * (even[i] + even[i + 5]) + w2 * (even[i + 1] + even[i + 4])
            + w4 * (even[i + 2] + even[i + 3])
            + w1 * (odd[i] + odd[i + 4]) + w3 * (odd[i + 1] + odd[i + 3]) + w5 * odd[i + 2]
        )  # fmt: skip


@inlined
def _fold(window, a, b, c, d, e, f, g, h, i, j, k):
    """Gaussian of 11 values."""
    return (
        window[0] * (a + k) + window[1] * (b + j) + window[2] * (c + i)
        + window[3] * (d + h) + window[4] * (e + g) + window[5] * f
    )  # fmt: skip


@summing
def _filter_columns(strip, window, columns, first, second, third, fourth):
    """Vertical Gaussian of GROUP rows of windows, from the 17 rows at the head of `strip`."""
    w = (window[0], window[1], window[2], window[3], window[4], window[5])
    for x in range(columns):
        a, b, c = strip[x], strip[x + STRIDE], strip[x + 2 * STRIDE]
        d, e, f = strip[x + 3 * STRIDE], strip[x + 4 * STRIDE], strip[x + 5 * STRIDE]
        g, h, i = strip[x + 6 * STRIDE], strip[x + 7 * STRIDE], strip[x + 8 * STRIDE]
        j, k, m = strip[x + 9 * STRIDE], strip[x + 10 * STRIDE], strip[x + 11 * STRIDE]
        n, o, p = strip[x + 12 * STRIDE], strip[x + 13 * STRIDE], strip[x + 14 * STRIDE]
        q, r = strip[x + 15 * STRIDE], strip[x + 16 * STRIDE]
        first[x] = _fold(w, a, b, c, d, e, f, g, h, i, j, k)
        second[x] = _fold(w, c, d, e, f, g, h, i, j, k, m, n)
        third[x] = _fold(w, e, f, g, h, i, j, k, m, n, o, p)
        fourth[x] = _fold(w, g, h, i, j, k, m, n, o, p, q, r)


@kernel
def next_sparse_windows(other, plane, share, left, columns, top, window, rows, strips, means):
    """Gaussian means of e, e^2 and x e in GROUP rows of windows, where e = other - share * plane.

    Parameters
    ----------
    other, plane : (h, w) uint8 or float32
    share : float32
        1, or 0 for the moments of `other` itself.
    left, columns : int
        The windows from number `left` on; a multiple of LANES, at most TILE. Those that reach
        beyond the plane are made of what the scratch held.
    top : int
        The first row of windows: from call to call 0, GROUP, 2 GROUP and so on.
    window : (6,) float32 or float64
        Half of the Gaussian. Its precision is that of the following.
    rows : (6, STRIDE)
        Scratch, finite.
    strips : (3, (PIXEL_STRIP + KEPT) * STRIDE)
        What is kept from call to call, finite: row r of pixels, filtered horizontally, in slot
        ``r - 2 top + 2 top % PIXEL_STRIP``, which is below PIXEL_STRIP + KEPT.
    means : (3, GROUP, STRIDE)
        Result.

    Notes
    -----
    A window has columns 2 i to 2 i + 10, so that `columns` windows need ``columns + HALF`` pairs,
    which is at most TILE + HALF < STRIDE.
    """
    height, width = plane.shape
    start = 2 * left
    pairs = min(columns + HALF, (width - start) >> 1)
    slot = 2 * top % PIXEL_STRIP
    if slot == 0 and top > 0:
        for q in range(3):
            copy_line(strips[q, PIXEL_STRIP * STRIDE :], strips[q, : KEPT * STRIDE])
    first = 0 if top == 0 else KEPT
    for k in range(first, min(2 * GROUP + KEPT, height - 2 * top)):
        r, at = 2 * top + k, (slot + k) * STRIDE
        _split_rows(
            other[r, start:], plane[r, start:], share, pairs,
            rows[0], rows[1], rows[2], rows[3], rows[4], rows[5],
        )  # fmt: skip
        if pairs < columns + HALF and (width - start) & 1:
            _last_column(
                other[r, start:], plane[r, start:], share, pairs, rows[0], rows[2], rows[4]
            )
        for q in range(3):
            _filter_pairs(rows[2 * q], rows[2 * q + 1], window, columns, strips[q, at:])
    for q in range(3):
        _filter_columns(
            strips[q, slot * STRIDE :], window, columns,
            means[q, 0], means[q, 1], means[q, 2], means[q, 3],
        )  # fmt: skip


@kernel
def sparse_moments(plane, first, last, statistics, window, constants, rows, strips, means):
    """Mean and variance of every other window of a plane, in some rows of them.

    Parameters
    ----------
    plane : (h, w) uint8 or float32
    first, last : int
    statistics : (tiles, rows of windows, 2, n) float32
        Result, as that of :func:`pyjpegml.ssim.moments`.
    window, constants, rows, strips, means
        A :func:`sparse_workspace` of double precision.
    """
    columns_of_windows, tile = (plane.shape[1] - TAPS) // 2 + 1, statistics.shape[3]
    part = plane[2 * first :]
    for left in range(0, columns_of_windows, tile):
        columns = min(tile, columns_of_windows - left)
        padded = (columns + LANES - 1) // LANES * LANES
        for top in range(0, last - first, GROUP):
            next_sparse_windows(
                part, part, np.float32(0.0), left, padded, top, window, rows, strips, means
            )
            for k in range(min(GROUP, last - first - top)):
                mean, square = means[0, k], means[1, k]
                mean_row = statistics[left // tile, first + top + k, 0]
                variance_row = statistics[left // tile, first + top + k, 1]
                for i in range(columns):
                    mean_row[i] = mean[i]
                    variance_row[i] = square[i] - mean[i] * mean[i]


@kernel
def sparse_loss(
    plane, other, statistics, first, last, with_luminance,
    window, constants, rows, strips, means,
):  # fmt: skip
    """Sum over every other window of some rows of 1 - cs, or of 1 - l cs, at one scale.

    Parameters
    ----------
    plane, other : (h, w) uint8 or float32, both alike
        Original, and picture to compare with it.
    statistics : (tiles, rows of windows, 2, n) float32
        Of the original (:func:`sparse_moments`).
    first, last : int
        Rows of windows.
    with_luminance : bool
    window, constants, rows, strips, means
        A :func:`sparse_workspace` of single precision.
    """
    columns_of_windows, tile = (plane.shape[1] - TAPS) // 2 + 1, statistics.shape[3]
    total = 0.0
    for left in range(0, columns_of_windows, tile):
        columns = min(tile, columns_of_windows - left)
        padded = (columns + LANES - 1) // LANES * LANES
        known = statistics[left // tile]
        for top in range(0, last - first, GROUP):
            next_sparse_windows(
                other[2 * first :], plane[2 * first :], np.float32(1.0), left, padded, top,
                window, rows, strips, means,
            )  # fmt: skip
            for k in range(min(GROUP, last - first - top)):
                row = first + top + k
                loss, _ = window_losses(
                    means[0, k], means[1, k], means[2, k],
                    known[row, 0, :columns], known[row, 1], with_luminance, constants,
                )  # fmt: skip
                total += loss
    return total


_idle: dict[type[np.floating], list[tuple[npt.NDArray[Any], ...]]] = {
    np.float32: [],
    np.float64: [],
}


@contextmanager
def sparse_workspace(precision: type[np.floating]) -> Iterator[tuple[npt.NDArray[Any], ...]]:
    """The last arguments of these kernels, for one thread, kept for calls to come."""
    try:
        arrays = _idle[precision].pop()
    except IndexError:
        arrays = (
            WINDOW[: TAPS // 2 + 1].astype(precision),
            np.array([C1, C2], precision),
            aligned((6, STRIDE), precision),
            aligned((3, (PIXEL_STRIP + KEPT) * STRIDE), precision),
            aligned((3, GROUP, STRIDE), precision),
        )
    try:
        yield arrays
    finally:
        _idle[precision].append(arrays)
