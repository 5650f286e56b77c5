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

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from . import metrics
from ._jit import kernel, summing
from .coefficients import Geometry
from .metrics import GROUP, LANES, TAPS, WINDOW, Reference, next_windows
from .sensitivity import TERMS, mix_weights

# what Y, Cb and Cr (columns) do to R, G and B (rows) (T.871 clause 7)
_FROM_YCBCR = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], np.float32)


@summing
def _window_maps(e, ee, xe, mean, variance, with_luminance, constants, p, q, r):
    """P, Q and R of a row of windows; returns the sum of their losses."""
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
def window_maps(
    plane, other, statistics, with_luminance, window, constants, rows, strips, means, maps
):  # fmt: skip
    """P, Q and R of all windows of one scale, and the mean of their losses.

    Parameters
    ----------
    plane, other, statistics, with_luminance, window, constants, rows, strips, means
        As for :func:`pyjpegml.metrics.similarity_loss`.
    maps : (3, h - 10, w - 10) float32
        Result.
    """
    height, width = plane.shape[0] - TAPS + 1, plane.shape[1] - TAPS + 1
    tile = statistics.shape[3]
    total = 0.0
    for left in range(0, width, tile):
        columns = min(tile, width - left)
        padded = (columns + LANES - 1) // LANES * LANES
        known = statistics[left // tile]
        for top in range(0, height, GROUP):
            next_windows(
                other, plane, np.float32(1.0), left, padded, top, window, rows, strips, means
            )
            for k in range(min(GROUP, height - top)):
                end = left + columns
                total += _window_maps(
                    means[0, k], means[1, k], means[2, k],
                    known[top + k, 0, :columns], known[top + k, 1], with_luminance, constants,
                    maps[0, top + k, left:end], maps[1, top + k, left:end],
                    maps[2, top + k, left:end],
                )  # fmt: skip
    return total / (height * width)


@summing
def _gather_rows(source, top, window, line):
    """Vertical Gaussian of 11 rows, from `top` on."""
    w0, w1, w2, w3, w4, w5 = window[0], window[1], window[2], window[3], window[4], window[5]
    a, b, c, d, e = source[top], source[top + 1], source[top + 2], source[top + 3], source[top + 4]
    f, g, h, i = source[top + 5], source[top + 6], source[top + 7], source[top + 8]
    j, k = source[top + 9], source[top + 10]
    for n in range(source.shape[1]):
        line[n] = (
            w0 * (a[n] + k[n]) + w1 * (b[n] + j[n]) + w2 * (c[n] + i[n]) + w3 * (d[n] + h[n])
            + w4 * (e[n] + g[n]) + w5 * f[n]
        )  # fmt: skip


@summing
def _gather_edge(source, row, window, line):
    """The same where some of the 11 rows are beyond the edge."""
    for n in range(source.shape[1]):
        line[n] = np.float32(0.0)
    for t in range(max(0, row - source.shape[0] + 1), min(TAPS - 1, row) + 1):
        weight = window[t if t < 6 else 10 - t]
        values = source[row - t]
        for n in range(source.shape[1]):
            line[n] += weight * values[n]


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


@kernel
def _combine(plane, other, p, q, r, factor, out):
    """``2 factor (p e - q y - r)`` of a row."""
    double = factor + factor
    for i in range(out.size):
        y = np.float32(other[i])
        out[i] = double * (p[i] * (y - np.float32(plane[i])) - q[i] * y - r[i])


@kernel
def spread(maps, plane, other, factor, coarse, window, lines, rows, gradient, mask):
    """The derivative of a scale's loss by its pixels, and of the coarser ones.

    Parameters
    ----------
    maps : (3, h - 10, w - 10) float32
        From :func:`window_maps`.
    plane, other : (h, w) uint8 or float32
    factor : float32
        Weight of the scale over its windows.
    coarse : (ceil(h / 2), ceil(w / 2)) or (0, 0) float32
        Derivative by the pixels of the next scale.
    window : (6,) float32
    lines : (3, w + 10) float32
        Zeros in the first and last ten columns.
    rows : (2, w) float32
        Scratch.
    gradient, mask : (h, w) float32
        Results: the derivative, and T(P).
    """
    height, width = plane.shape
    windows = maps.shape[1]
    odd_row, odd_column = height & 1, width & 1
    for row in range(height):
        for m in range(3):
            line = lines[m, TAPS - 1 : TAPS - 1 + maps.shape[2]]
            if TAPS - 1 <= row < windows:
                _gather_rows(maps[m], row - TAPS + 1, window, line)
            else:
                _gather_edge(maps[m], row, window, line)
        _spread_row(lines[0], window, mask[row])
        _spread_row(lines[1], window, rows[0])
        _spread_row(lines[2], window, rows[1])
        out = gradient[row]
        _combine(plane[row], other[row], mask[row], rows[0], rows[1], factor, out)
        if coarse.size > 0:
            above = coarse[(row + odd_row) >> 1]
            for i in range(width):
                out[i] += np.float32(0.25) * above[(i + odd_column) >> 1]


@kernel
def mean_of_blocks(mask, pixel_rows, pixel_columns, line, factor, out):
    """Means of T(P) over blocks.

    Parameters
    ----------
    mask : (h, w) float32
    pixel_rows, pixel_columns : (8 rows,), (8 columns,) int64
        Where the pixels of the finest scale lie in this one.
    line : (w,) float32
        Scratch.
    factor : float
    out : (rows, columns) float64
    """
    for by in range(out.shape[0]):
        line[:] = np.float32(0.0)
        for t in range(8 * by, 8 * by + 8):
            values = mask[pixel_rows[t]]
            for i in range(line.size):
                line[i] += values[i]
        for bx in range(out.shape[1]):
            total = np.float32(0.0)
            for t in range(8 * bx, 8 * bx + 8):
                total += line[pixel_columns[t]]
            out[by, bx] = factor * total / 64


@kernel
def add_scaled(source, factor, out):
    """``out += factor * source``, both flat."""
    for i in range(out.size):
        out[i] += factor * source[i]


def _pixels(size: int, blocks: int, scale: int) -> npt.NDArray[np.int64]:
    """Where the pixels of an axis lie after some halvings."""
    pixel = np.arange(8 * blocks).clip(max=size - 1)
    for _ in range(scale):
        pixel = (pixel + (size & 1)) >> 1
        size = (size + 1) >> 1
    return pixel


class Descent:
    """Loss of a reconstruction, its gradient, and the sensitivities there.

    Parameters
    ----------
    reference : Reference
        Of at least 11 pixels a side.
    pixels : (h, w) or (h, w, 3) uint8
        The reconstruction.
    geometry : Geometry
    weights : list of (down, across, 6)
        Sensitivities of the original (:func:`pyjpegml.sensitivity.block_weights`), for the
        luminance term.

    Attributes
    ----------
    score : float
        MS-SSIM, in single precision.
    gradients : list of (8 down, 8 across) float32
        Derivative of ``1 - score`` by the samples of each component.
    weights : list of (down, across, 6) float32
    """

    def __init__(
        self,
        reference: Reference,
        pixels: npt.NDArray[np.uint8],
        geometry: Geometry,
        weights: Sequence[npt.NDArray[np.float64]],
    ) -> None:
        height, width = reference.shape[:2]
        rows, columns = -(-height // 8), -(-width // 8)
        array = metrics.check_picture(pixels)
        channels = array.shape[2]
        combined = np.zeros((channels, height, width), np.float32)
        maps = np.zeros((channels, rows, columns, TERMS))
        half = WINDOW[:6].astype(np.float32)
        scores = []
        for c, (scales, plane) in enumerate(
            zip(reference.channels, metrics.channel_planes(array), strict=True)
        ):
            others, kept, means = [], [], []
            for s, scale in enumerate(scales):
                if s:
                    plane = metrics.halved(plane)
                others.append(plane)
                found = np.empty((3, *scale.windows), np.float32)
                precision = scale.statistics.dtype.type
                with metrics.workspace(precision) as scratch:
                    loss = window_maps(
                        scale.plane, plane, scale.statistics, s == len(scales) - 1, *scratch, found
                    )
                kept.append(found)
                means.append(max(1 - loss, 1e-3))
            score = float(np.prod(np.array(means) ** reference.weights))
            scores.append(score)
            coarse = np.empty((0, 0), np.float32)
            for s in reversed(range(len(scales))):
                h, w = scales[s].plane.shape
                factor = score * reference.weights[s] / means[s] / channels
                factor /= kept[s].shape[1] * kept[s].shape[2]
                gradient, mask = np.empty((2, h, w), np.float32)
                spread(
                    kept[s], scales[s].plane, others[s], np.float32(factor), coarse, half,
                    np.zeros((3, w + 10), np.float32), np.empty((2, w), np.float32),
                    gradient, mask,
                )  # fmt: skip
                mean_of_blocks(
                    mask, _pixels(height, rows, s), _pixels(width, columns, s),
                    np.empty(w, np.float32), factor * channels / 4.0**s, maps[c, :, :, s],
                )  # fmt: skip
                coarse = gradient
            flat = coarse.reshape(-1)
            for i in range(channels):
                part = _FROM_YCBCR[c, i] if channels == 3 else np.float32(1)
                if part != 0:
                    add_scaled(flat, part, combined[i].reshape(-1))
        self.score = float(np.mean(scores))
        self.weights = []
        for new, old in zip(mix_weights(maps, geometry), weights, strict=True):
            new[:, :, TERMS - 1] = old[:, :, TERMS - 1]
            self.weights.append(new.astype(np.float32))
        self.gradients = [
            _to_samples(combined[i], geometry, i) for i in range(len(geometry.planes))
        ]


def _to_samples(
    gradient: npt.NDArray[np.float32], geometry: Geometry, component: int
) -> npt.NDArray[np.float32]:
    """Through the transpose of the decoder's upsampling, and continued with zeros to blocks."""
    plane = geometry.planes[component]
    out = np.zeros((8 * plane.down, 8 * plane.across), np.float32)
    if geometry.h_max > plane.h:
        gradient = fold_columns(gradient, plane.width)
    if geometry.v_max > plane.v:
        gradient = fold_columns(gradient.T, plane.height).T
    out[: gradient.shape[0], : gradient.shape[1]] = gradient
    return out


def fold_columns(wide: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """Transpose of the triangle filter along the second axis: ``3/4, 1/4`` with the edge repeated
    (components of at most two columns are doubled, see :mod:`pyjpegml.sampling`).
    """
    if wide.shape[1] % 2:
        wide = np.pad(wide, ((0, 0), (0, 1)))
    even, odd = wide[:, 0::2], wide[:, 1::2]
    if size <= 2:
        return even + odd
    out = 0.75 * (even + odd)
    out[:, :-1] += 0.25 * even[:, 1:]
    out[:, 1:] += 0.25 * odd[:, :-1]
    out[:, 0] += 0.25 * even[:, 0]
    out[:, -1] += 0.25 * odd[:, -1]
    return out


@kernel
def aim(
    gradient, levels, steps, weights, energy, basis, down, across, scratch, targets
):  # fmt: skip
    """Move the target of each coefficient down the gradient, from its present value.

    The quadratic form ``W e^2`` has its minimum at the original; the true loss has derivative g at
    the present value c. The parabola of curvature 2 d W through both has its minimum at
    ``c - g / (2 d W)``: damping d > 1 allows for what neighbours do at the same time.

    Parameters
    ----------
    gradient : (8 down, 8 across) float32
    levels : (rows, stride, 64) int16
    steps : (64,) float32
    weights : (down, across, 6) float32
    energy : (6, 64) float32
        The patterns' part, times d, natural order.
    basis : (8, 8) float32
        Rows are the cosines.
    down, across : int
    scratch : (2, 8, 8) float32
    targets : (rows, stride, 64) float32
        Result.
    """
    half_way, result = scratch[0], scratch[1]
    for row in range(down):
        for column in range(across):
            for u in range(8):
                for x in range(8):
                    half_way[u, x] = np.float32(0.0)
                for y in range(8):
                    weight = basis[u, y]
                    samples = gradient[8 * row + y, 8 * column : 8 * column + 8]
                    for x in range(8):
                        half_way[u, x] += weight * samples[x]
            for u in range(8):
                for v in range(8):
                    result[u, v] = np.float32(0.0)
                for x in range(8):
                    weight = half_way[u, x]
                    for v in range(8):
                        result[u, v] += weight * basis[v, x]
            block, target = levels[row, column], targets[row, column]
            a, b, c = weights[row, column, 0], weights[row, column, 1], weights[row, column, 2]
            d, e, f = weights[row, column, 3], weights[row, column, 4], weights[row, column, 5]
            for k in range(64):
                sensitivity = (
                    a * energy[0, k] + b * energy[1, k] + c * energy[2, k]
                    + d * energy[3, k] + e * energy[4, k] + f * energy[5, k]
                )  # fmt: skip
                shift = result[k >> 3, k & 7] / (sensitivity + sensitivity)
                target[k] = np.float32(block[k]) * steps[k] - shift
