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

*By strips.* The Gaussian is separable. Rows are filtered horizontally into a ring of 11 rows, and
each new row completes one row of windows; columns are taken in tiles, so that the ring stays in the
cache. Nothing of the size of the picture is made but the planes of its scales.

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
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ._jit import kernel, summing

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

#: Columns that are filtered together: a ring of 3 x 11 rows of them is 140 kB.
TILE = 512
#: Length of a row of the ring: rows whose starts are a multiple of 4 kB apart would all compete for
#: the same few lines of the cache (several times slower).
STRIDE = TILE + 24


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
def _filter_row(source, window, out):
    """Horizontal Gaussian: ``out[i] = sum of window[t] * source[i + t]``."""
    for i in range(out.size):
        total = window[0] * source[i]
        for t in range(1, TAPS):
            total += window[t] * source[i + t]
        out[i] = total


@kernel
def _accumulate(weight, source, out):
    """``out += weight * source``."""
    for i in range(out.size):
        out[i] += weight * source[i]


@kernel
def moments(plane, window, row, square, ring, mean, variance):
    """Mean and variance of every window of a plane.

    Parameters
    ----------
    plane : (h, w) uint8 or float32
    window : (11,) float64
    row, square : (w,) float64
        Scratch.
    ring : (2, 11, w - 10) float64
        Scratch.
    mean, variance : (h - 10, w - 10) float32 or float64
    """
    columns = mean.shape[1]
    for r in range(plane.shape[0]):
        source = plane[r]
        for i in range(source.size):
            value = np.float64(source[i])
            row[i] = value
            square[i] = value * value
        _filter_row(row, window, ring[0, r % TAPS])
        _filter_row(square, window, ring[1, r % TAPS])
        if r < TAPS - 1:
            continue
        first, second = row[:columns], square[:columns]
        first[:] = 0.0
        second[:] = 0.0
        for t in range(TAPS):
            slot = (r + 1 + t) % TAPS
            _accumulate(window[t], ring[0, slot], first)
            _accumulate(window[t], ring[1, slot], second)
        mean_row, variance_row = mean[r + 1 - TAPS], variance[r + 1 - TAPS]
        for i in range(columns):
            mean_row[i] = first[i]
            variance_row[i] = second[i] - first[i] * first[i]


@summing
def _window_losses(ring, weights, mean, variance, with_luminance, constants):
    """Sums over a row of windows: of 1 - cs, or of 1 - l cs; and of the squared mean error.

    `ring` (3, 11, n) holds the rows of e, e^2 and x e filtered horizontally, row r in slot r % 11;
    `weights` (11,) the Gaussian turned accordingly; `constants` C1 and C2, all of one precision.
    """
    c1, c2 = constants[0], constants[1]
    loss = cancelled = c1 - c1
    errors, squares, products = ring[0], ring[1], ring[2]
    for i in range(mean.size):
        e = weights[0] * errors[0, i]
        ee = weights[0] * squares[0, i]
        xe = weights[0] * products[0, i]
        for t in range(1, TAPS):
            e += weights[t] * errors[t, i]
            ee += weights[t] * squares[t, i]
            xe += weights[t] * products[t, i]
        m = mean[i]
        square = e * e
        variance_e = ee - square
        half = variance[i] + xe - m * e
        contrast_loss = variance_e / (half + half + variance_e + c2)
        if with_luminance:
            luminance_loss = square / (m * m + (m + e) * (m + e) + c1)
            loss += contrast_loss + luminance_loss - contrast_loss * luminance_loss
        else:
            loss += contrast_loss
        cancelled += square
    return loss, cancelled


@kernel
def similarity_loss(
    plane, other, mean, variance, with_luminance, window, constants, rows, ring, weights
):
    """Mean over all windows of 1 - cs, or of 1 - l cs, at one scale.

    Parameters
    ----------
    plane, other : (h, w) uint8 or float32, both alike
        Original, and picture to compare with it.
    mean, variance : (h - 10, w - 10) float32 or float64
        Of the original (:func:`moments`).
    with_luminance : bool
    window : (11,) float32 or float64
        The Gaussian. Its precision, and that of all that follow, is what is reckoned in.
    constants : (2,)
        C1 and C2.
    rows : (3, TILE + 10)
        Scratch.
    ring : (3, 11, STRIDE)
        Scratch.
    weights : (11,)
        Scratch.

    Returns
    -------
    loss : float
    cancelled : float
        Mean over all windows of the squared mean error.
    """
    height, width = mean.shape
    total = total_cancelled = 0.0
    for left in range(0, width, TILE):
        columns = min(TILE, width - left)
        e, ee, xe = rows[0, : columns + TAPS - 1], rows[1], rows[2]
        for r in range(height + TAPS - 1):
            other_row = other[r, left : left + columns + TAPS - 1]
            plane_row = plane[r, left : left + columns + TAPS - 1]
            for i in range(other_row.size):
                x = np.float32(plane_row[i])
                error = np.float32(other_row[i]) - x  # exact: levels have 16 bits at the most
                e[i] = error
                ee[i] = e[i] * e[i]
                xe[i] = e[i] * x
            slot = r % TAPS
            for q in range(3):
                _filter_row(rows[q], window, ring[q, slot, :columns])
            if r < TAPS - 1:
                continue
            for t in range(TAPS):
                weights[t] = window[(t - slot - 1) % TAPS]
            top = r + 1 - TAPS
            loss, cancelled = _window_losses(
                ring, weights, mean[top, left : left + columns],
                variance[top, left : left + columns], with_luminance, constants,
            )  # fmt: skip
            total += loss
            total_cancelled += cancelled
    return total / (height * width), total_cancelled / (height * width)


class Workspace:
    """Scratch of :func:`similarity_loss` in one precision."""

    def __init__(self, precision: type[np.floating]) -> None:
        self.arrays = (
            WINDOW.astype(precision),
            np.array([C1, C2], precision),
            np.zeros((3, TILE + TAPS - 1), precision),
            np.empty((3, TAPS, STRIDE), precision),
            np.empty(TAPS, precision),
        )


@dataclass(frozen=True)
class Scale:
    """One channel of the original at one scale.

    Attributes
    ----------
    plane : (h, w) uint8 (finest scale) or float32
    mean, variance : (h - 10, w - 10) float32 or float64
        Of each window; in double precision if there are at most SMALL pixels.
    """

    plane: AnyPlane
    mean: npt.NDArray[np.float32] | npt.NDArray[np.float64]
    variance: npt.NDArray[np.float32] | npt.NDArray[np.float64]


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
        for plane in _planes(array):
            scales = []
            for s in range(len(self.weights)):
                if s:
                    plane = _halved(plane)
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
        single, double = Workspace(np.float32), Workspace(np.float64)
        for c, (scales, plane) in enumerate(zip(self.channels, _planes(array), strict=True)):
            for s, scale in enumerate(scales):
                if s:
                    plane = _halved(plane)
                last = s == len(scales) - 1
                given = scale.plane, plane, scale.mean, scale.variance, last
                loss, cancelled = math.nan, math.inf
                if scale.mean.dtype == np.float32 and not exact:
                    loss, cancelled = similarity_loss(*given, *single.arrays)
                if cancelled > CANCELLATION:
                    loss, _ = similarity_loss(*given, *double.arrays)
                scores[c] *= max(1.0 - loss, 0.0) ** self.weights[s]
        return scores


def _planes(array: npt.NDArray[np.uint8]) -> list[AnyPlane]:
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
    height, width = plane.shape
    size = (height - TAPS + 1, width - TAPS + 1)
    precision = np.float32 if plane.size > SMALL else np.float64
    mean, variance = np.empty(size, precision), np.empty(size, precision)
    moments(
        plane,
        WINDOW,
        np.empty(width),
        np.empty(width),
        np.empty((2, TAPS, size[1])),
        mean,
        variance,
    )
    return Scale(plane, mean, variance)


def _halved(plane: AnyPlane) -> npt.NDArray[np.float32]:
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
