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

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from . import metrics
from ._jit import kernel, summing
from .coefficients import Geometry
from .metrics import (
    GROUP,
    LANES,
    STRIDE,
    STRIP,
    TAPS,
    WINDOW,
    Reference,
    copy_line,
    filter_columns,
    next_windows,
)
from .sensitivity import TERMS, mix_weights
from .threads import Crew


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
def _clear(line, first, last):
    """Zeros from `first` to before `last`."""
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
def _combine(plane, other, p, q, r, gradient, mask):
    """``2 (p e - q y - r)`` of a row, and p."""
    for i in range(plane.size):
        y = np.float32(other[i])
        half = p[i] * (y - np.float32(plane[i])) - q[i] * y - r[i]
        gradient[i] = half + half
        mask[i] = p[i]


@kernel
def descend(
    plane, other, statistics, first, last, with_luminance,
    window, constants, rows, strips, means, half, maps, lines, spread, gradient, mask,
):  # fmt: skip
    """The derivative of one scale's sum of losses by its pixels, in some rows.

    P, Q and R of GROUP rows of windows are made, filtered down as :func:`next_windows` does it, and
    then across: the Gaussian is symmetric, so T is a filter too, over the ten windows before and
    behind, those outside being zeros. Tiles of windows overlap by ten pixels, where they are added.

    Parameters
    ----------
    plane, other, statistics, with_luminance, window, constants, rows, strips, means
        As for :func:`pyjpegml.metrics.similarity_loss`, but `statistics` of the whole plane.
    first, last : int
        Rows of pixels that are made.
    half : (6,) float32
        Half of the Gaussian.
    maps : (3, (STRIP + 10) * STRIDE) float32
    lines : (3, GROUP, STRIDE) float32
    spread : (5, STRIDE) float32
        Scratch.
    gradient, mask : (h, w) float32
        Results: the derivative, and T(P).

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
            _clear(maps[q], 0, (TAPS - 1) * STRIDE)
            for k in range(GROUP):
                _clear(lines[q, k], 0, TAPS - 1)
                _clear(lines[q, k], columns + TAPS - 1, columns + 2 * (TAPS - 1))
        for top in range(0, last - begin, GROUP):
            slot = top % STRIP
            if slot == 0 and top > 0:
                for q in range(3):
                    copy_line(maps[q, STRIP * STRIDE :], maps[q, : (TAPS - 1) * STRIDE])
            if begin + top < windows:
                next_windows(
                    other[begin:], plane[begin:], np.float32(1.0), left, padded, top,
                    window, rows, strips, means,
                )  # fmt: skip
            for k in range(GROUP):
                row, at = begin + top + k, (slot + TAPS - 1 + k) * STRIDE
                if row < windows:
                    loss = _window_maps(
                        means[0, k], means[1, k], means[2, k],
                        known[row, 0, :columns], known[row, 1], with_luminance, constants,
                        maps[0, at:], maps[1, at:], maps[2, at:],
                    )  # fmt: skip
                    if first <= row < last:
                        total += loss
                else:
                    for q in range(3):
                        _clear(maps[q], at, at + columns)
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
                new, new_mask = spread[3], spread[4]
                _combine(
                    plane[row, left:end], other[row, left:end],
                    spread[0], spread[1], spread[2], new, new_mask,
                )  # fmt: skip
                out, out_mask = gradient[row, left:end], mask[row, left:end]
                shared = TAPS - 1 if left > 0 else 0
                for i in range(shared):
                    out[i] += new[i]
                    out_mask[i] += new_mask[i]
                copy_line(new[shared:], out[shared:])
                copy_line(new_mask[shared:], out_mask[shared:])
    return total


@summing
def _scale_row(factor, out):
    """``out *= factor``."""
    for i in range(out.size):
        out[i] *= factor


@kernel
def add_coarse(gradient, factor, coarse):
    """``factor * gradient``, and what the next scale gives back: a quarter to each of four pixels.

    Parameters
    ----------
    gradient : (h, w) float32
        Changed.
    factor : float32
    coarse : (ceil(h / 2), ceil(w / 2)) or (0, 0) float32
    """
    odd_row, odd_column = gradient.shape[0] & 1, gradient.shape[1] & 1
    for row in range(gradient.shape[0]):
        out = gradient[row]
        _scale_row(factor, out)
        if coarse.size > 0:
            _add_pairs(coarse[(row + odd_row) >> 1], odd_column, out)


@summing
def _add_pairs(above, odd, out):
    """A quarter of each coarse value to two pixels, the first alone if `odd`."""
    quarter = np.float32(0.25)
    if odd:
        out[0] += quarter * above[0]
    for i in range(odd, (out.size + odd) >> 1):
        value = quarter * above[i]
        out[2 * i - odd] += value
        out[2 * i + 1 - odd] += value


@summing
def ycbcr_gradient(red, green, blue):
    """Derivatives by R, G and B to those by Y, Cb and Cr, in their place (T.871 clause 7).

    Parameters
    ----------
    red, green, blue : (n,) float32
    """
    for i in range(red.size):
        r, g, b = red[i], green[i], blue[i]
        red[i] = r + g + b
        green[i] = np.float32(1.772) * b - np.float32(0.344136) * g
        blue[i] = np.float32(1.402) * r - np.float32(0.714136) * g


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


def _pixels(size: int, blocks: int, scale: int) -> npt.NDArray[np.int64]:
    """Where the pixels of an axis lie after some halvings."""
    pixel = np.arange(8 * blocks).clip(max=size - 1)
    for _ in range(scale):
        pixel = (pixel + (size & 1)) >> 1
        size = (size + 1) >> 1
    return pixel


class Descent:
    """Loss of reconstructions, its gradient, and the sensitivities there.

    Parameters
    ----------
    reference : Reference
        Of at least 11 pixels a side.
    geometry : Geometry
    weights : list of (down, across, 6)
        Sensitivities of the original (:func:`pyjpegml.sensitivity.block_weights`), for the
        luminance term.
    crew : Crew
        Its threads share the work.

    Attributes
    ----------
    score : float
        MS-SSIM of the last reconstruction, in single precision.
    gradients : list of (8 down, 8 across) float32
        Derivative of ``1 - score`` by the samples of each component.
    weights : list of (down, across, 6) float32
    """

    def __init__(
        self,
        reference: Reference,
        geometry: Geometry,
        weights: Sequence[npt.NDArray[np.float64]],
        crew: Crew,
    ) -> None:
        self.score = 1.0
        self.gradients = [
            np.zeros((8 * plane.down, 8 * plane.across), np.float32) for plane in geometry.planes
        ]
        self.weights: list[npt.NDArray[np.float32]] = []
        self._reference, self._geometry, self._crew = reference, geometry, crew
        self._original = weights
        shapes = [
            (r + TAPS - 1, c + TAPS - 1) for r, c in (s.windows for s in reference.channels[0])
        ]
        self._by_pixel = [
            [np.empty(shape, np.float32) for shape in shapes] for _ in reference.channels
        ]
        self._masks = [np.empty(shape, np.float32) for shape in shapes]

    def at(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Score a reconstruction, (h, w), (h, w, 3) or (h, w, 4) uint8, and find its gradient."""
        reference, geometry = self._reference, self._geometry
        height, width = reference.shape[:2]
        array = metrics.check_picture(pixels)
        maps = np.zeros((array.shape[2], -(-height // 8), -(-width // 8), TERMS))
        planes = metrics.channel_planes(array)
        self.score = sum(self._channel(c, plane, maps[c]) for c, plane in enumerate(planes)) / len(
            planes
        )
        if len(planes) > 1:
            red, green, blue = (gradients[0].reshape(-1) for gradients in self._by_pixel[:3])
            ycbcr_gradient(red, green, blue)
        if len(planes) == 4:  # samples of K are 255 less the ink
            np.negative(self._by_pixel[3][0], out=self._by_pixel[3][0])
        self.weights = []
        for new, old in zip(mix_weights(maps, geometry), self._original, strict=True):
            new[:, :, TERMS - 1] = old[:, :, TERMS - 1]
            self.weights.append(new.astype(np.float32))
        self._crew.each(self._to_samples, len(geometry.planes))

    def _channel(self, c: int, plane: metrics.AnyPlane, maps: npt.NDArray[np.float64]) -> float:
        """Score of a channel; leaves its gradient by pixels of the finest scale."""
        reference = self._reference
        height, width = reference.shape[:2]
        rows, columns = maps.shape[:2]
        scales, gradients = reference.channels[c], self._by_pixel[c]
        means = []
        for s, scale in enumerate(scales):
            if s:
                plane = metrics.halved(plane)
            loss = self._scale(scale, plane, s == len(scales) - 1, gradients[s], self._masks[s])
            means.append(max(1 - loss / math.prod(scale.windows), 1e-3))
        score = float(np.prod(np.array(means) ** reference.weights))
        factors = [
            score * weight / mean / math.prod(scale.windows)
            for scale, weight, mean in zip(scales, reference.weights, means, strict=True)
        ]

        def average(s: int) -> None:
            out = np.empty((rows, columns))  # of its own: kernels take arrays without gaps
            mean_of_blocks(
                self._masks[s], _pixels(height, rows, s), _pixels(width, columns, s),
                np.empty(scales[s].plane.shape[-1], np.float32), float(factors[s] / 4.0**s),
                out,
            )  # fmt: skip
            maps[:, :, s] = out

        self._crew.each(average, len(scales))
        coarse: npt.NDArray[np.float32] = np.empty((0, 0), np.float32)
        for gradient, factor in zip(reversed(gradients), reversed(factors), strict=True):
            add_coarse(gradient, np.float32(factor / len(reference.channels)), coarse)
            coarse = gradient
        return score

    def _scale(
        self,
        scale: metrics.Scale,
        other: metrics.AnyPlane,
        with_luminance: bool,
        gradient: npt.NDArray[np.float32],
        mask: npt.NDArray[np.float32],
    ) -> float:
        """Sum of losses of a scale; rows are shared out among the threads."""
        borders = metrics.row_bands(scale.plane.shape[0])

        def band(i: int) -> float:
            with metrics.workspace(scale.statistics.dtype.type) as scratch, _scratch() as more:
                return descend(
                    scale.plane, other, scale.statistics, borders[i], borders[i + 1],
                    with_luminance, *scratch, *more, gradient, mask,
                )  # fmt: skip

        return sum(self._crew.each(band, len(borders) - 1))

    def _to_samples(self, i: int) -> None:
        """Through the transpose of the decoder's upsampling; zeros up to whole blocks stay."""
        geometry = self._geometry
        plane, gradient = geometry.planes[i], self._by_pixel[i][0]
        fold(
            gradient, geometry.h_max // plane.h, geometry.v_max // plane.v,
            plane.width, plane.height, np.empty(geometry.width + 1, np.float32),
            self.gradients[i],
        )  # fmt: skip


_idle: list[tuple[npt.NDArray[Any], ...]] = []


@contextmanager
def _scratch() -> Iterator[tuple[npt.NDArray[Any], ...]]:
    """`half` and scratch of :func:`descend`, for one thread, kept for calls to come."""
    try:
        arrays = _idle.pop()
    except IndexError:
        arrays = (
            WINDOW[:6].astype(np.float32),
            np.zeros((3, (STRIP + TAPS - 1) * STRIDE), np.float32),
            np.zeros((3, GROUP, STRIDE), np.float32),
            np.zeros((5, STRIDE), np.float32),
        )
    try:
        yield arrays
    finally:
        _idle.append(arrays)


@kernel
def fold(gradient, across, down, columns, rows, line, out):
    """Transpose of the decoder's upsampling: derivatives by pixels to those by samples.

    The triangle filter is ``3/4, 1/4`` with the edge repeated; components of at most two columns
    (or rows) are doubled (see :mod:`pyjpegml.sampling`).

    Parameters
    ----------
    gradient : (h, w) float32
        By pixels.
    across, down : int
        1, or 2 where the component has half the columns or rows.
    columns, rows : int
        Of the component.
    line : (w + 1,) float32
        Scratch.
    out : (>= rows, >= columns) float32
        Result; nothing is written beyond.
    """
    height, width = gradient.shape
    line[width] = np.float32(0.0)
    for row in range(rows):
        if down == 1:
            copy_line(gradient[row], line[:width])
        elif rows <= 2:
            copy_line(gradient[2 * row], line[:width])
            if 2 * row + 1 < height:
                _add(gradient[2 * row + 1], np.float32(1.0), line)
        else:
            copy_line(gradient[2 * row], line[:width])
            _scale_row(np.float32(0.75), line[:width])
            if 2 * row + 1 < height:
                _add(gradient[2 * row + 1], np.float32(0.75), line)
            _add(gradient[max(2 * row - 1, 0)], np.float32(0.25), line)
            if min(2 * row + 2, 2 * rows - 1) < height:
                _add(gradient[min(2 * row + 2, 2 * rows - 1)], np.float32(0.25), line)
        if across == 1:
            copy_line(line, out[row, :columns])
        else:
            _fold_row(line, columns, out[row])


@summing
def _add(source, factor, out):
    """``out += factor * source``."""
    for i in range(source.size):
        out[i] += factor * source[i]


@summing
def _fold_row(line, columns, out):
    """Along a row; `line` has a zero behind its last pixel."""
    near, far = np.float32(0.75), np.float32(0.25)
    if columns <= 2:
        for i in range(columns):
            out[i] = line[2 * i] + line[2 * i + 1]
    else:
        end = columns - 1
        out[0] = near * (line[0] + line[1]) + far * (line[0] + line[2])
        for i in range(1, end):
            out[i] = near * (line[2 * i] + line[2 * i + 1]) + far * (
                line[2 * i - 1] + line[2 * i + 2]
            )
        out[end] = near * (line[2 * end] + line[2 * end + 1])
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
    half_way, left, across_basis, levels, steps, weights, energy, plain, original, result, target
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
        slope = half * result[k] + plain[k] * (value - eighth * np.float32(original[k]))
        target[k] = value - slope / sensitivity


@kernel
def aim(
    gradient, levels, steps, weights, energy, plain, originals, basis, across_basis, first, last,
    across, half_way, result, targets,
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
        Result.
    """
    for row in range(first, last):
        _down_the_columns(gradient[8 * row : 8 * row + 8], basis, half_way)
        for column in range(across):
            _move_targets(
                half_way, 8 * column, across_basis, levels[row, column], steps,
                weights[row, column], energy, plain, originals[row, column], result,
                targets[row, column],
            )  # fmt: skip
