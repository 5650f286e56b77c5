"""The gradient of MS-SSIM: how its loss changes with every pixel, and with every coefficient.

:mod:`pyjpegml.sensitivity` says what an error of one coefficient costs when it is alone. Errors are
not alone: at coarse scales those of neighbouring blocks add up or cancel, within a block an error
costs more where the picture is smooth, and a texture that has been smoothed away no longer masks
anything. All of that is in the gradient of the true metric at a reconstruction, which costs little
more than a score.

*At one scale* the loss of a window is ``1 - l cs`` (:mod:`pyjpegml.metrics`), with e = y - x and
moments under the window F::

    1 - cs = v_e M,    M = 1 / (v_x + v_y + C2)      v_e = F e^2 - (F e)^2,   v_y alike
    1 - l = (F e)^2 L, L = 1 / (m_x^2 + m_y^2 + C1)  (coarsest scale only, else l = 1)

With T the transpose of F (each window gives back to the pixels that it was made of), the
derivative of the sum over all windows by the pixels of y is ::

    2 [ T(P) e  -  T(Q) y  -  T(R) ]
    P = l M,   Q = l v_e M^2,   R = P F e - Q m_y - cs (F e L - (F e)^2 L^2 m_y)

*Over scales*: MS-SSIM is a product of powers of the means, so the derivative of a scale is weighed
by ``score * w_s / (mean of l cs)``; the transpose of halving spreads a quarter of it to each of
four pixels; and the three channels are averaged. T(P), averaged over blocks, is what sensitivities
are made of, now with the reconstruction's own variance.

*To coefficients*: the transposes of the colour transform, of the decoder's triangle filter for
components at half size, and of the inverse DCT (which is the forward one). So chroma is corrected
for what becomes of it in the decoder.
"""

from __future__ import annotations

import numpy as np

from ._jit import kernel, summing
from .ssim import (
    GROUP,
    LANES,
    STRIDE,
    STRIP,
    TAPS,
    copy_line,
    filter_columns,
    next_windows,
)


@summing
def window_maps(e, ee, xe, mean, variance, with_luminance, constants, p, q, r):
    """P, Q and R of a row of windows; returns the sum of their losses.

    Parameters
    ----------
    e, ee, xe : (>= n,) float32 or float64
        Windowed error, its square, and its product with the original.
    mean, variance : (n,) of the same dtype
        Of the original.
    with_luminance : bool
    constants : (2,) of the same dtype
        C1 and C2.
    p, q, r : (>= n,) of the same dtype
        Filled.
    """
    c1, c2 = constants[0], constants[1]
    one = c1 / c1
    total = c1 - c1
    for i in range(mean.size):
        error, m = e[i], mean[i]
        square = error * error
        variance_e = ee[i] - square
        half = variance[i] + xe[i] - m * error
        contrast = one / (half + half + variance_e + c2)
        loss = variance_e * contrast
        if with_luminance:
            other = m + error
            luminance = one / (m * m + other * other + c1)
            luminance_loss = square * luminance
            keep = one - luminance_loss
            total += loss + luminance_loss - loss * luminance_loss
            p[i] = keep * contrast
            q[i] = keep * loss * contrast
            r[i] = (
                p[i] * error - q[i] * other
                - (one - loss) * (error * luminance - luminance_loss * luminance * other)
            )  # fmt: skip
        else:
            total += loss
            p[i] = contrast
            q[i] = loss * contrast
            r[i] = contrast * error - q[i] * (m + error)
    return total


@kernel
def clear(line, first, last):
    """Make a line zero from `first` to before `last`."""
    for i in range(first, last):
        line[i] = np.float32(0.0)


@summing
def _spread_row(line, window, out):
    """Horizontal transpose: `line` has ten zeros on either side."""
    w0, w1, w2, w3, w4, w5 = window[0], window[1], window[2], window[3], window[4], window[5]
    for i in range(out.size):
        out[i] = (
            w0 * (line[i] + line[i + 10]) + w1 * (line[i + 1] + line[i + 9])
            + w2 * (line[i + 2] + line[i + 8]) + w3 * (line[i + 3] + line[i + 7])
            + w4 * (line[i + 4] + line[i + 6]) + w5 * line[i + 5]
        )  # fmt: skip


@summing
def combine(plane, other, p, q, r, gradient):
    """``2 (p e - q y - r)`` of a row of the `gradient`.

    y is the `other` picture, e is y without the `plane`.
    """
    for i in range(plane.size):
        y = np.float32(other[i])
        half = p[i] * (y - np.float32(plane[i])) - q[i] * y - r[i]
        gradient[i] = half + half


@kernel
def put_line(new, shared, out):
    """Write the `new` part of a row to `out`; its first `shared` pixels are added to what another
    tile has written.
    """
    for i in range(shared):
        out[i] += new[i]
    copy_line(new[shared:], out[shared:])


@kernel
def descend(
    plane, other, statistics, first, last, with_luminance,
    window, constants, rows, strips, means, half, maps, lines, spread, gradient, contrasts,
):  # fmt: skip
    """The derivative of one scale's sum of losses by its pixels, in some rows.

    P, Q and R of GROUP rows of windows are made, filtered down as :func:`next_windows` does it, and
    then across: the Gaussian is symmetric, so T is a filter too, over the ten windows before and
    behind, those outside being zeros. Tiles of windows overlap by ten pixels, where they are added.

    Parameters
    ----------
    plane, other, statistics, with_luminance, window, constants, rows, strips, means
        As for :func:`pyjpegml.ssim.similarity_loss`, but `statistics` of the whole plane.
    first, last : int
        Rows of pixels that are made.
    half : (6,) float32
        Half of the Gaussian.
    maps : (3, (STRIP + 10) * STRIDE) float32
    lines : (3, GROUP, STRIDE) float32
    spread : (4, STRIDE) float32
        Scratch.
    gradient : (h, w) float32
        Result.
    contrasts : (rows of windows, columns of windows) float32
        Result: P.

    Returns
    -------
    float
        Sum of the losses of the windows that begin in these rows.
    """
    height, width = plane.shape
    windows, windows_across, tile = height - TAPS + 1, width - TAPS + 1, statistics.shape[3]
    begin = max(first - TAPS + 1, 0)
    total = 0.0
    for left in range(0, windows_across, tile):
        columns = min(tile, windows_across - left)
        padded = (columns + LANES - 1) // LANES * LANES
        known = statistics[left // tile]
        end = left + columns + TAPS - 1
        for q in range(3):
            clear(maps[q], 0, (TAPS - 1) * STRIDE)
            for k in range(GROUP):
                clear(lines[q, k], 0, TAPS - 1)
                clear(lines[q, k], columns + TAPS - 1, columns + 2 * (TAPS - 1))
        for top in range(0, last - begin, GROUP):
            slot = top % STRIP
            if slot == 0 and top > 0:
                for q in range(3):
                    copy_line(maps[q, STRIP * STRIDE :], maps[q, : (TAPS - 1) * STRIDE])
            if begin + top < windows:
                next_windows(
                    other[begin:], plane[begin:], np.float32(1.0), np.float32(0.0), left, padded,
                    top, window, rows, strips, means,
                )  # fmt: skip
            for k in range(GROUP):
                row, at = begin + top + k, (slot + TAPS - 1 + k) * STRIDE
                if row < windows:
                    loss = window_maps(
                        means[0, k], means[1, k], means[2, k],
                        known[row, 0, :columns], known[row, 1], with_luminance, constants,
                        maps[0, at:], maps[1, at:], maps[2, at:],
                    )  # fmt: skip
                    if first <= row < last:
                        total += loss
                        copy_line(maps[0, at:], contrasts[row, left:][:columns])
                else:
                    for q in range(3):
                        clear(maps[q], at, at + columns)
            for q in range(3):
                filter_columns(
                    maps[q, slot * STRIDE :], half, columns, lines[q, 0, TAPS - 1 :],
                    lines[q, 1, TAPS - 1 :], lines[q, 2, TAPS - 1 :], lines[q, 3, TAPS - 1 :],
                )  # fmt: skip
            for k in range(GROUP):
                row = begin + top + k
                if row < first or row >= last:
                    continue
                for q in range(3):
                    _spread_row(lines[q, k], half, spread[q, : columns + TAPS - 1])
                combine(
                    plane[row, left:end], other[row, left:end],
                    spread[0], spread[1], spread[2], spread[3],
                )  # fmt: skip
                put_line(spread[3], TAPS - 1 if left > 0 else 0, gradient[row, left:end])
    return total


@summing
def _add_row(factor, above, odd, out):
    """``factor * out``, and a quarter of each coarse value to two pixels, the first if `odd`."""
    quarter = np.float32(0.25)
    if odd:
        out[0] = factor * out[0] + quarter * above[0]
    for i in range(odd, (out.size + odd) >> 1):
        value = quarter * above[i]
        out[2 * i - odd] = factor * out[2 * i - odd] + value
        out[2 * i + 1 - odd] = factor * out[2 * i + 1 - odd] + value


@summing
def scale_row(factor, out):
    """``out *= factor``."""
    for i in range(out.size):
        out[i] *= factor


@kernel
def add_coarse(gradient, first, last, factor, coarse):
    """``factor * gradient``, and what the next scale gives back: a quarter to each of four pixels.

    Parameters
    ----------
    gradient : (h, w) float32
        Changed.
    first, last : int
        Rows.
    factor : float32
    coarse : (ceil(h / 2), ceil(w / 2)) or (0, 0) float32
    """
    odd_row, odd_column = gradient.shape[0] & 1, gradient.shape[1] & 1
    for row in range(first, last):
        if coarse.size > 0:
            _add_row(factor, coarse[(row + odd_row) >> 1], odd_column, gradient[row])
        else:
            scale_row(factor, gradient[row])


@kernel
def fold(gradient, factor, keep, across, down, columns, rows, first, last, line, out):
    """Transpose of the decoder's upsampling: derivatives by pixels to those by samples.

    ``out = keep * out + factor * (transpose of gradient)``.

    The triangle filter is ``3/4, 1/4`` with the edge repeated; components of at most two columns
    (or rows) are doubled (see :mod:`pyjpegml.sampling`).

    Parameters
    ----------
    gradient : (h, w) float32
        By pixels.
    factor, keep : float32
    across, down : int
        1, or 2 where the component has half the columns or rows.
    columns, rows : int
        Of the component.
    first, last : int
        Rows of it that are made.
    line : (w + 1,) float32
        Scratch.
    out : (>= rows, >= columns) float32
        Result; nothing is written beyond.
    """
    height, width = gradient.shape
    zero = np.float32(0.0)
    line[width] = zero
    for row in range(first, last):
        if keep == zero:  # what is there may be no number
            clear(out[row], 0, columns)
        if down == 1:
            _mix_rows(gradient[row], gradient[row], factor, zero, line[:width])
        elif rows <= 2:
            below = factor if 2 * row + 1 < height else zero
            _mix_rows(
                gradient[2 * row], gradient[min(2 * row + 1, height - 1)], factor, below,
                line[:width],
            )  # fmt: skip
        else:
            near, far = np.float32(0.75) * factor, np.float32(0.25) * factor
            second, fourth = 2 * row + 1, min(2 * row + 2, 2 * rows - 1)
            _mix_four(
                gradient[2 * row], gradient[min(second, height - 1)],
                gradient[max(2 * row - 1, 0)], gradient[min(fourth, height - 1)],
                near, near if second < height else zero, far, far if fourth < height else zero,
                line[:width],
            )  # fmt: skip
        if across == 1:
            _blend(line, keep, out[row, :columns])
        else:
            _fold_row(line, columns, keep, out[row])


@summing
def _mix_rows(first, second, a, b, out):
    """``a * first + b * second``."""
    for i in range(out.size):
        out[i] = a * first[i] + b * second[i]


@summing
def _mix_four(first, second, third, fourth, a, b, c, d, out):
    """``a * first + b * second + c * third + d * fourth``."""
    for i in range(out.size):
        out[i] = a * first[i] + b * second[i] + c * third[i] + d * fourth[i]


@summing
def _blend(source, keep, out):
    """``out = keep * out + source``."""
    for i in range(out.size):
        out[i] = keep * out[i] + source[i]


@summing
def _fold_row(line, columns, keep, out):
    """Along a row; `line` has a zero behind its last pixel."""
    near, far = np.float32(0.75), np.float32(0.25)
    if columns <= 2:
        for i in range(columns):
            out[i] = keep * out[i] + line[2 * i] + line[2 * i + 1]
    else:
        end = columns - 1
        out[0] = keep * out[0] + near * (line[0] + line[1]) + far * (line[0] + line[2])
        for i in range(1, end):
            out[i] = (
                keep * out[i] + near * (line[2 * i] + line[2 * i + 1])
                + far * (line[2 * i - 1] + line[2 * i + 2])
            )  # fmt: skip
        out[end] = keep * out[end] + near * (line[2 * end] + line[2 * end + 1])
        out[end] += far * (line[2 * end - 1] + line[2 * end + 1])


@summing
def _down_the_columns(samples, basis, out):
    """DCT along the columns of eight rows of samples, (8, w)."""
    for u in range(8):
        a, b, c, d = basis[u, 0], basis[u, 1], basis[u, 2], basis[u, 3]
        e, f, g, h = basis[u, 4], basis[u, 5], basis[u, 6], basis[u, 7]
        line = out[u]
        for i in range(line.size):
            line[i] = (
                a * samples[0, i] + b * samples[1, i] + c * samples[2, i] + d * samples[3, i]
                + e * samples[4, i] + f * samples[5, i] + g * samples[6, i] + h * samples[7, i]
            )  # fmt: skip


@summing
def _move_targets(
    half_way, left, across_basis, levels, steps, weights, energy, plain, alone, original, result,
    target,
):  # fmt: skip
    """The rest of the DCT of the block at column `left`, and its targets."""
    half, eighth = np.float32(0.5), np.float32(0.125)
    for u in range(8):
        a, b, c, d = (
            half_way[u, left], half_way[u, left + 1], half_way[u, left + 2], half_way[u, left + 3]
        )  # fmt: skip
        e, f, g, h = (
            half_way[u, left + 4], half_way[u, left + 5], half_way[u, left + 6],
            half_way[u, left + 7],
        )  # fmt: skip
        for v in range(8):
            result[8 * u + v] = (
                a * across_basis[0, v] + b * across_basis[1, v] + c * across_basis[2, v]
                + d * across_basis[3, v] + e * across_basis[4, v] + f * across_basis[5, v]
                + g * across_basis[6, v] + h * across_basis[7, v]
            )  # fmt: skip
    a, b, c, d, e, f = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    for k in range(64):
        sensitivity = (
            a * energy[0, k] + b * energy[1, k] + c * energy[2, k]
            + d * energy[3, k] + e * energy[4, k] + f * energy[5, k]
        )  # fmt: skip
        value = np.float32(levels[k]) * steps[k]
        error = value - eighth * np.float32(original[k])
        slope = half * result[k] + (plain[k] + a * alone[k]) * error
        target[k] = value - slope / sensitivity


@kernel
def aim(
    gradient, levels, steps, weights, energy, plain, alone, originals, basis, across_basis,
    first, last, across, half_way, result, targets,
):  # fmt: skip
    """Move the target of each coefficient down the gradient, from its present value.

    The quadratic form ``W e^2`` has its minimum at the original; the true loss has derivative g at
    the present value c, to which ``F (c - original)^2`` adds its own. The parabola of curvature
    2 d W through both has its minimum at ``c - g / (2 d W)``: damping d > 1 allows for what
    neighbours do at the same time.

    Parameters
    ----------
    gradient : (8 down, 8 across) float32
    levels : (rows, stride, 64) int16
    steps : (64,) float32
    weights : (down, across, 6) float32
    energy : (6, 64) float32
        The patterns' part, times d, natural order.
    plain : (64,) float32
        Weights F of a squared error that is added to the loss (:mod:`pyjpegml.visibility`); they
        are in W too.
    alone : (64,) float32
        The patterns' part of the finest scale, if that is not in the gradient and errors there are
        to count by the quadratic form alone (:mod:`pyjpegml.half_size`); else zeros.
    originals : (rows, stride, 64) int16
        Coefficients of the original, times 8.
    basis, across_basis : (8, 8) float32
        Rows are the cosines; the same transposed.
    first, last : int
        Rows of blocks.
    across : int
    half_way : (8, 8 across) float32
    result : (64,) float32
        Scratch.
    targets : (rows, stride, 64) float32
        Result; may be the memory of a gradient of 8 stride columns: each row of blocks is read
        before its targets are written.
    """
    for row in range(first, last):
        _down_the_columns(gradient[8 * row : 8 * row + 8], basis, half_way)
        for column in range(across):
            _move_targets(
                half_way, 8 * column, across_basis, levels[row, column], steps,
                weights[row, column], energy, plain, alone, originals[row, column], result,
                targets[row, column],
            )  # fmt: skip
