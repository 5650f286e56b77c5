"""MS-SSIM: how similar two pictures look, from 0 to 1 (Wang, Simoncelli, Bovik 2003).

Structural similarity compares small windows. With means m, variances v and covariance c of the two
pictures under an 11-tap Gaussian (sigma 1.5), each window has a luminance term l and a
contrast-structure term cs::

    l = (2 m_x m_y + C1) / (m_x^2 + m_y^2 + C1)      cs = (2 c + C2) / (v_x + v_y + C2)

*Multi-scale*: both pictures are halved four times by 2x2 means; cs is averaged over all windows at
each of the five scales, l only at the coarsest, and the averages are multiplied with exponents
.0448 .2856 .3001 .2363 .1333. That is done for R, G and B apart, and the three are averaged.

*Written with the error.* With e = y - x::

    1 - cs = var(e) / (v_x + v_y + C2)       1 - l = mean(e)^2 / (m_x^2 + m_y^2 + C1)

exactly. So what is computed is how far the picture is from perfect: a small number, from small
numbers, without cancellation; and m_x and v_x belong to the original alone. :class:`Reference`
computes them once, and a search over many encodings pays only for ``mean(e)``, ``mean(e^2)`` and
``mean(x e)``.

*Single precision* is enough for large planes, and twice as fast: its rounding is random from window
to window and goes away in the average. It would not if ``var(e)`` were the small difference of two
large numbers everywhere, as between a picture and a brighter one: relative to C2, rounding then
weighs about ``mean(e)^2 * 1e-8``. So the mean square of ``mean(e)`` is summed up alongside, and if
it is too large the plane is done again in double precision. Small planes always are.

*By strips.* The Gaussian is separable. Each row of e and x is filtered horizontally into a strip of
rows, squares and products being formed on the way; four rows of windows at a time are then filtered
vertically from 14 rows of the strip, and summed up at once. Columns are taken in tiles, so that the
strip stays in the cache. Means and variances of the original lie in the order in which that reads
them. A score makes nothing of the size of the picture but its three channels apart, and the
halvings of one channel at a time in float32: 4.3 bytes a pixel. Besides, each thread keeps a
megabyte of scratch.

*What it costs.* The Gaussian is symmetric: of 11 taps, those of equal weight are added before they
are multiplied. Per sample, that makes 16 additions and multiplications for e and 27 each for e^2
and x e across, 3 x 16 down, 1 for the error and 11 for the loss: FLOPS in all, four times that for
a pixel of RGB with all scales. `bench/score.py` sets the speed beside what a core's multipliers
can do. Scratch starts on a line of the cache, because a vector of 512 bits that
lies across two costs two loads; across, where the taps are neighbours, that cannot be helped.

*Small pictures.* Five scales need 161 pixels a side. Below that, the scales that still hold a whole
window are used, with the weights renormalised to the same sum, and l belongs to the coarsest of
them: the score keeps its meaning (1 for equal pictures, a weighted geometric mean of similarities),
coarse structure is no longer asked for. A side below 11 pixels is continued with its last pixel to
11. So the metric is defined from 1x1 on.

The details (window without its outside, odd sides padded by zeros in front when halved, the
Gaussian rounded to single precision) are those of the ``pytorch-msssim`` package, on which
published figures rest; scores agree within 1e-7 (tests/test_metrics.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ._jit import inlined, kernel, summing

AnyPlane = npt.NDArray[np.uint8] | npt.NDArray[np.float32]

#: Exponents of the five scales, finest first.
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2
TAPS = 11
#: Largest mean square of ``mean(e)`` that single precision may have to cancel (see above).
CANCELLATION = 16.0


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


#: Planes of at most so many pixels are treated in double precision: where there are few windows,
#: the rounding of single ones would show.
SMALL = 1 << 16


def scale_count(height: int, width: int) -> int:
    """How many scales hold a whole window: 5 from 161 pixels a side on, at least 1."""
    side, scales = min(height, width), 1
    while scales < len(WEIGHTS) and (side + 1) // 2 >= TAPS:
        side = (side + 1) // 2
        scales += 1
    return scales


def scale_weights(scales: int) -> npt.NDArray[np.float64]:
    """Exponents of the first `scales` scales, renormalised to the sum of all five (1.0001)."""
    weights = np.array(WEIGHTS[:scales])
    return weights * (sum(WEIGHTS) / sum(WEIGHTS[:scales]))


@kernel
def split_rgb(picture, red, green, blue):
    """The three channels of a picture as planes.

    Parameters
    ----------
    picture : (h, 3 w) uint8
    red, green, blue : (h, w) uint8
    """
    for r in range(red.shape[0]):
        source, first, second, third = picture[r], red[r], green[r], blue[r]
        for i in range(first.size):
            first[i] = source[3 * i]
            second[i] = source[3 * i + 1]
            third[i] = source[3 * i + 2]


@kernel
def halve(plane, out):
    """Means of 2x2 pixels; an odd side has a row or column of zeros put in front.

    Parameters
    ----------
    plane : (h, w) uint8 or float32
    out : (ceil(h / 2), ceil(w / 2)) float32
    """
    odd_row, odd_column = plane.shape[0] & 1, plane.shape[1] & 1
    quarter = np.float32(0.25)
    for r in range(out.shape[0]):
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
def _filter_columns(strip, window, columns, first, second, third, fourth):
    """Vertical Gaussian of GROUP rows of windows, from the 14 rows at the head of `strip`."""
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
def _difference(other, plane, share, errors, levels):
    """Rows of ``other - share * plane`` and of `plane`; exact: levels have 16 bits at the most."""
    for i in range(plane.size):
        level = np.float32(plane[i])
        errors[i] = np.float32(other[i]) - share * level
        levels[i] = level


@kernel
def next_windows(other, plane, share, left, columns, top, window, rows, strips, means):
    """Gaussian means of e, e^2 and x e in GROUP rows of windows, where e = other - share * plane.

    Parameters
    ----------
    other, plane : (h, w) uint8 or float32
    share : float32
        1, or 0 for the moments of `other` itself.
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
            _copy(strips[q, STRIP * STRIDE :], strips[q, : (TAPS - 1) * STRIDE])
    first = 0 if top == 0 else TAPS - 1
    for k in range(first, min(GROUP + TAPS - 1, height - top)):
        r, at = top + k, (slot + k) * STRIDE
        _difference(other[r, left:right], plane[r, left:right], share, rows[0], rows[1])
        _filter_row(
            rows[0], rows[1], window, columns, strips[0, at:], strips[1, at:], strips[2, at:]
        )
    for q in range(3):
        _filter_columns(
            strips[q, slot * STRIDE :], window, columns,
            means[q, 0], means[q, 1], means[q, 2], means[q, 3],
        )  # fmt: skip


@kernel
def _copy(source, out):
    """``out = source``, where they do not overlap."""
    for i in range(out.size):
        out[i] = source[i]


@summing
def _window_losses(e, ee, xe, mean, variance, with_luminance, constants):
    """Sums over a row of windows: of 1 - cs, or of 1 - l cs; and of the squared mean error."""
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
    plane, other, statistics, with_luminance, window, constants, rows, strips, means
):  # fmt: skip
    """Mean over all windows of 1 - cs, or of 1 - l cs, at one scale.

    Parameters
    ----------
    plane, other : (h, w) uint8 or float32, both alike
        Original, and picture to compare with it.
    statistics : (tiles, h - 10, 2, n) float32 or float64
        Of the original (:func:`moments`).
    with_luminance : bool
    window, constants, rows, strips, means
        A :class:`Workspace`, in the precision that is to be reckoned in.

    Returns
    -------
    loss : float
    cancelled : float
        Mean over all windows of the squared mean error.
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
                other, plane, np.float32(1.0), left, padded, top, window, rows, strips, means
            )
            for k in range(min(GROUP, height - top)):
                loss, cancelled = _window_losses(
                    means[0, k], means[1, k], means[2, k],
                    known[top + k, 0, :columns], known[top + k, 1], with_luminance, constants,
                )  # fmt: skip
                total += loss
                total_cancelled += cancelled
    return total / (height * width), total_cancelled / (height * width)


@kernel
def moments(plane, statistics, window, constants, rows, strips, means):
    """Mean and variance of every window of a plane.

    Parameters
    ----------
    plane : (h, w) uint8 or float32
    statistics : (tiles, h - 10, 2, n) float32 or float64
        Result: of each tile of n columns, of each row of windows, the means and the variances. The
        last tile may have fewer columns than there is room for.
    window, constants, rows, strips, means
        A :class:`Workspace` of double precision.
    """
    height, width = plane.shape[0] - TAPS + 1, plane.shape[1] - TAPS + 1
    tile = statistics.shape[3]
    for left in range(0, width, tile):
        columns = min(tile, width - left)
        padded = (columns + LANES - 1) // LANES * LANES
        for top in range(0, height, GROUP):
            next_windows(
                plane, plane, np.float32(0.0), left, padded, top, window, rows, strips, means
            )
            for k in range(min(GROUP, height - top)):
                first, second = means[0, k], means[1, k]
                mean_row = statistics[left // tile, top + k, 0]
                variance_row = statistics[left // tile, top + k, 1]
                for i in range(columns):
                    mean_row[i] = first[i]
                    variance_row[i] = second[i] - first[i] * first[i]


def _aligned(shape: tuple[int, ...], precision: type[np.floating]) -> npt.NDArray[Any]:
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
            _aligned((2, STRIDE), precision),
            _aligned((3, (STRIP + TAPS - 1) * STRIDE), precision),
            _aligned((3, GROUP, STRIDE), precision),
        )
    try:
        yield arrays
    finally:
        _idle[precision].append(arrays)


@dataclass(frozen=True)
class Scale:
    """One channel of the original at one scale.

    Attributes
    ----------
    plane : (h, w) uint8 (finest scale) or float32
    statistics : (tiles, h - 10, 2, n) float32 or float64
        Mean and variance of each window (:func:`moments`); in double precision if there are at most
        SMALL pixels.
    """

    plane: AnyPlane
    statistics: npt.NDArray[Any]

    @property
    def windows(self) -> tuple[int, int]:
        """Rows and columns of windows."""
        height, width = self.plane.shape
        return height - TAPS + 1, width - TAPS + 1


def check_picture(image: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """(h, w) or (h, w, c) uint8 as (h, w, c).

    Raises
    ------
    TypeError, ValueError
        If it is something else.
    """
    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise TypeError(f"pictures to compare are uint8, not {array.dtype}")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.size == 0:
        raise ValueError(f"a picture is (h, w) or (h, w, channels); this array is {array.shape}")
    array = np.ascontiguousarray(array).view()
    array.flags.writeable = False  # kernels are compiled for one kind of array only
    return array


class Reference:
    """An original, prepared for many comparisons.

    Parameters
    ----------
    image : (h, w) or (h, w, c) uint8 array

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
    >>> reference = Reference(image)
    >>> reference.score(image)
    1.0
    """

    def __init__(self, image: npt.ArrayLike) -> None:
        array = check_picture(image)
        self.shape = array.shape
        array = _continued(array)
        self.weights = scale_weights(scale_count(*array.shape[:2]))
        self.channels: list[list[Scale]] = []
        for plane in channel_planes(array):
            scales = []
            for s in range(len(self.weights)):
                if s:
                    plane = halved(plane)
                scales.append(_scale(plane))
            self.channels.append(scales)

    def score(self, image: npt.ArrayLike, *, exact: bool = False) -> float:
        """MS-SSIM of a picture of the same shape: the mean over channels.

        `exact` asks for double precision throughout, at half the speed.
        """
        return float(self.channel_scores(image, exact=exact).mean())

    def channel_scores(
        self, image: npt.ArrayLike, *, exact: bool = False
    ) -> npt.NDArray[np.float64]:
        """MS-SSIM of each channel, (c,) float64 in [0, 1].

        Raises
        ------
        ValueError
            If the shapes differ.
        """
        array = check_picture(image)
        if array.shape != self.shape:
            raise ValueError(f"the pictures differ in shape: {self.shape} and {array.shape}")
        array = _continued(array)
        scores = np.ones(array.shape[2])
        for c, (scales, plane) in enumerate(zip(self.channels, channel_planes(array), strict=True)):
            for s, scale in enumerate(scales):
                if s:
                    plane = halved(plane)
                last = s == len(scales) - 1
                given = scale.plane, plane, scale.statistics, last
                loss, cancelled = math.nan, math.inf
                if scale.statistics.dtype == np.float32 and not exact:
                    loss, cancelled = _loss(np.float32, *given)
                if cancelled > CANCELLATION:
                    loss, _ = _loss(np.float64, *given)
                scores[c] *= max(1.0 - loss, 0.0) ** self.weights[s]
        return scores


def channel_planes(array: npt.NDArray[np.uint8]) -> list[AnyPlane]:
    """The channels of a picture as planes; float32 if they are small (see SMALL)."""
    height, width, channels = array.shape
    if height * width <= SMALL:
        return list(np.ascontiguousarray(array.transpose(2, 0, 1), np.float32))
    planes = np.empty((channels, height, width), np.uint8)
    if channels == 3:
        split_rgb(array.reshape(height, 3 * width), *planes)
    else:
        planes[:] = array.transpose(2, 0, 1)
    return list(planes)


def _scale(plane: AnyPlane) -> Scale:
    height, width = plane.shape[0] - TAPS + 1, plane.shape[1] - TAPS + 1
    tiles = -(-width // TILE)
    tile = (-(-width // tiles) + LANES - 1) // LANES * LANES
    precision = np.float32 if plane.size > SMALL else np.float64
    statistics = _aligned((tiles, height, 2, tile), precision)
    with workspace(np.float64) as scratch:
        moments(plane, statistics, *scratch)
    return Scale(plane, statistics)


def _loss(precision: type[np.floating], *given: Any) -> tuple[float, float]:
    with workspace(precision) as scratch:
        return similarity_loss(*given, *scratch)


def halved(plane: AnyPlane) -> npt.NDArray[np.float32]:
    """The next scale of a plane."""
    height, width = plane.shape
    out = np.empty(((height + 1) // 2, (width + 1) // 2), np.float32)
    halve(plane, out)
    return out


def _continued(array: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Sides below 11 pixels continued with their last pixel."""
    height, width = array.shape[:2]
    missing = max(TAPS - height, 0), max(TAPS - width, 0)
    if missing == (0, 0):
        return array
    return np.pad(array, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")


def luma(image: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Luma of an RGB picture as the codec rounds it (T.871 clause 7); a grey picture as it is.

    Parameters
    ----------
    image : (h, w), (h, w, 1) or (h, w, 3) uint8

    Returns
    -------
    (h, w) uint8
    """
    from .color import rgb_to_ycbcr

    array = check_picture(image)
    height, width, channels = array.shape
    if channels == 1:
        return array[:, :, 0]
    if channels != 3:
        raise ValueError(f"luma is defined for grey and RGB pictures, not for {channels} channels")
    y, cb, cr = np.empty((3, height, width), np.uint8)
    rgb_to_ycbcr(array.reshape(height, 3 * width), y, cb, cr)
    return y


def ms_ssim(
    a: npt.ArrayLike, b: npt.ArrayLike, *, per_channel: bool = False, luma_only: bool = False
) -> float | npt.NDArray[np.float64]:
    """Multi-scale structural similarity of two pictures (Wang, Simoncelli, Bovik 2003).

    Parameters
    ----------
    a, b : (h, w) or (h, w, c) uint8 arrays of one size
        Levels 0 to 255; from 1x1 pixel on (below 161 a side with fewer scales).
    per_channel : bool
        Return each channel's score instead of their mean.
    luma_only : bool
        Compare only luma. It does not see colour: never judge an encoder by it alone.

    Returns
    -------
    float or (c,) float64 array
        1 for equal pictures, 0 for unlike ones.

    Raises
    ------
    TypeError, ValueError
        If samples are not uint8, or shapes differ.

    Examples
    --------
    >>> import numpy as np, pyjpegml
    >>> image = np.add.outer(np.arange(200), np.arange(200)).astype(np.uint8)
    >>> pyjpegml.ms_ssim(image, image)
    1.0
    >>> 0.9 < pyjpegml.ms_ssim(image, image // 16 * 16) < 1
    True
    """
    if luma_only:
        a, b = luma(a), luma(b)
    scores = Reference(a).channel_scores(b)
    return scores if per_channel else float(scores.mean())


def psnr(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Peak signal-to-noise ratio of two uint8 pictures of one shape, in dB; inf if equal."""
    x, y = check_picture(a), check_picture(b)
    if x.shape != y.shape:
        raise ValueError(f"the pictures differ in shape: {x.shape} and {y.shape}")
    squared = np.square(x.astype(np.int32) - y).mean()
    return math.inf if squared == 0 else float(10 * np.log10(255**2 / squared))
