"""The gradient of MS-SSIM by every other window: what :mod:`pyjpegml.gradient` does, for less.

The Gaussian of sigma 1.5, taken at every other pixel, still adds up to the same within 1e-5
everywhere, and P, Q and R are smooth; so their transpose is known from every other window
(:mod:`pyjpegml.sparse_windows`). Even pixels of an axis get six of a window's taps, odd ones five.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ._jit import inlined, kernel, summing
from .gradient import clear, combine, put_line, window_maps
from .sparse_windows import HALF, KEPT, next_sparse_windows
from .ssim import GROUP, LANES, STRIDE, STRIP, copy_line


@inlined
def _even_row(window, a, b, c, d, e, f):
    """What an even pixel gets of six windows."""
    return window[0] * (a + f) + window[2] * (b + e) + window[4] * (c + d)


@inlined
def _odd_row(window, a, b, c, d, e):
    """What an odd pixel gets of five windows."""
    return window[1] * (a + e) + window[3] * (b + d) + window[5] * c


@summing
def _spread_down(maps, window, columns, lines):
    """Vertical transpose: nine rows of windows to eight rows of pixels."""
    w = (window[0], window[1], window[2], window[3], window[4], window[5])
    r0, r1, r2, r3 = lines[0, HALF:], lines[1, HALF:], lines[2, HALF:], lines[3, HALF:]
    r4, r5, r6, r7 = lines[4, HALF:], lines[5, HALF:], lines[6, HALF:], lines[7, HALF:]
    for x in range(columns):
        a, b, c = maps[x], maps[x + STRIDE], maps[x + 2 * STRIDE]
        d, e, f = maps[x + 3 * STRIDE], maps[x + 4 * STRIDE], maps[x + 5 * STRIDE]
        g, h, i = maps[x + 6 * STRIDE], maps[x + 7 * STRIDE], maps[x + 8 * STRIDE]
        r0[x], r1[x] = _even_row(w, a, b, c, d, e, f), _odd_row(w, b, c, d, e, f)
        r2[x], r3[x] = _even_row(w, b, c, d, e, f, g), _odd_row(w, c, d, e, f, g)
        r4[x], r5[x] = _even_row(w, c, d, e, f, g, h), _odd_row(w, d, e, f, g, h)
        r6[x], r7[x] = _even_row(w, d, e, f, g, h, i), _odd_row(w, e, f, g, h, i)


@summing
def _spread_across(line, window, pairs, out):
    """Horizontal transpose of a row; `line` has five zeros on either side."""
    w0, w1, w2, w3, w4, w5 = window[0], window[1], window[2], window[3], window[4], window[5]
    for i in range(pairs):
        out[2 * i] = (
            w0 * (line[i] + line[i + 5]) + w2 * (line[i + 1] + line[i + 4])
            + w4 * (line[i + 2] + line[i + 3])
        )  # fmt: skip
        out[2 * i + 1] = (
            w1 * (line[i + 1] + line[i + 5]) + w3 * (line[i + 2] + line[i + 4]) + w5 * line[i + 3]
        )  # fmt: skip


@kernel
def sparse_descend(
    plane, other, statistics, first, last, with_luminance,
    window, constants, rows, strips, means, maps, lines, spread, gradient, contrasts,
):  # fmt: skip
    """The derivative of one scale's sum of losses by its pixels, in some rows.

    Parameters
    ----------
    plane, other, statistics, with_luminance, window, constants, rows, strips, means
        As for :func:`pyjpegml.sparse_windows.sparse_loss`.
    first, last : int
        Rows of pixels that are made; `first` is even.
    maps : (3, (STRIP + HALF) * STRIDE) float32
    lines : (3, 2 * GROUP, STRIDE) float32
    spread : (4, 2 * STRIDE) float32
        Scratch.
    gradient : (h, w) float32
        Result.
    contrasts : (rows of windows, columns of windows) float32
        Result: P.

    Returns
    -------
    float
        Sum of the losses of the windows that begin in these rows.

    Notes
    -----
    Row 2 j of pixels is in the windows j - 5 to j, row 2 j + 1 in j - 4 to j, and columns likewise.
    A tile of n columns of windows covers 2 n + 9 columns of pixels, the first nine of which the
    tile before it has covered too; the last tile is continued to the plane's end, at most one more.
    """
    width = plane.shape[1]
    windows, windows_across = contrasts.shape
    tile = statistics.shape[3]
    begin = max(first // 2 - HALF, 0)
    total = 0.0
    for left in range(0, windows_across, tile):
        columns = min(tile, windows_across - left)
        padded = (columns + LANES - 1) // LANES * LANES
        known = statistics[left // tile]
        start = 2 * left
        end = width if left + columns == windows_across else start + 2 * columns + KEPT
        for q in range(3):
            clear(maps[q], 0, HALF * STRIDE)
            for k in range(2 * GROUP):
                clear(lines[q, k], 0, HALF)
                clear(lines[q, k], HALF + columns, 2 * HALF + columns + 1)
        for top in range(0, (last + 1) // 2 - begin, GROUP):
            slot = top % STRIP
            if slot == 0 and top > 0:
                for q in range(3):
                    copy_line(maps[q, STRIP * STRIDE :], maps[q, : HALF * STRIDE])
            if begin + top < windows:
                next_sparse_windows(
                    other[2 * begin :], plane[2 * begin :], np.float32(1.0), left, padded, top,
                    window, rows, strips, means,
                )  # fmt: skip
            for k in range(GROUP):
                row, at = begin + top + k, (slot + HALF + k) * STRIDE
                if row < windows:
                    loss = window_maps(
                        means[0, k], means[1, k], means[2, k],
                        known[row, 0, :columns], known[row, 1], with_luminance, constants,
                        maps[0, at:], maps[1, at:], maps[2, at:],
                    )  # fmt: skip
                    if first <= 2 * row < last:
                        total += loss
                        copy_line(maps[0, at:], contrasts[row, left : left + columns])
                else:
                    for q in range(3):
                        clear(maps[q], at, at + columns)
            for q in range(3):
                _spread_down(maps[q, slot * STRIDE :], window, columns, lines[q])
            for k in range(2 * GROUP):
                row = 2 * (begin + top) + k
                if row < first or row >= last:
                    continue
                for q in range(3):
                    _spread_across(lines[q, k], window, columns + HALF, spread[q])
                combine(
                    plane[row, start:end], other[row, start:end],
                    spread[0], spread[1], spread[2], spread[3],
                )  # fmt: skip
                put_line(spread[3], KEPT if left > 0 else 0, gradient[row, start:end])
    return total


_idle: list[tuple[npt.NDArray[Any], ...]] = []


@contextmanager
def gradient_scratch() -> Iterator[tuple[npt.NDArray[Any], ...]]:
    """Scratch of :func:`sparse_descend`, for one thread, kept for calls to come."""
    try:
        arrays = _idle.pop()
    except IndexError:
        arrays = (
            np.zeros((3, (STRIP + HALF) * STRIDE), np.float32),
            np.zeros((3, 2 * GROUP, STRIDE), np.float32),
            np.zeros((4, 2 * STRIDE), np.float32),
        )
    try:
        yield arrays
    finally:
        _idle.append(arrays)
