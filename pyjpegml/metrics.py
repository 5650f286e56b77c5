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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ._jit import kernel
from .sparse_windows import sparse_loss, sparse_moments, sparse_workspace
from .ssim import LANES, TAPS, TILE, aligned, halve, moments, similarity_loss, workspace
from .threads import Crew

AnyPlane = npt.NDArray[np.uint8] | npt.NDArray[np.float32]

#: Exponents of the five scales, finest first.
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
#: Largest mean square of ``mean(e)`` that single precision may have to cancel (see above).
CANCELLATION = 16.0

#: Rows that threads take at a time, at least, and in how many bands a plane is divided, at most.
BAND, MOST_BANDS = 128, 8

#: Planes of at most so many pixels are treated in double precision: where there are few windows,
#: the rounding of single ones would show.
SMALL = 1 << 16

#: A plane of more pixels may be judged by every other window (:mod:`pyjpegml.sparse_windows`).
DENSE = 1 << 18


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
def split_rgb(picture, first_row, last_row, red, green, blue):
    """The three channels of a picture as planes.

    Parameters
    ----------
    picture : (h, 3 w) uint8
    first_row, last_row : int
        Rows that are split.
    red, green, blue : (h, w) uint8
    """
    for r in range(first_row, last_row):
        source, first, second, third = picture[r], red[r], green[r], blue[r]
        for i in range(first.size):
            first[i] = source[3 * i]
            second[i] = source[3 * i + 1]
            third[i] = source[3 * i + 2]


@dataclass(frozen=True)
class Scale:
    """One channel of the original at one scale.

    Attributes
    ----------
    plane : (h, w) uint8 (finest scale) or float32
    statistics : (tiles, rows of windows, 2, n) float32 or float64
        Mean and variance of each window (:func:`pyjpegml.ssim.moments`); in double precision if
        there are at most SMALL pixels.
    step : int
        1, or 2 if that is known of every other window only.
    """

    plane: AnyPlane
    statistics: npt.NDArray[Any]
    step: int = 1

    @property
    def windows(self) -> tuple[int, int]:
        """Rows and columns of windows that are known."""
        height, width = self.plane.shape
        return (height - TAPS) // self.step + 1, (width - TAPS) // self.step + 1


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
    crew : Crew, optional
        Threads that share the work, here and in scores. They change no result.
    sparse : bool
        Keep less, for :meth:`quick_score`: of planes above DENSE pixels every other window. Other
        scores then take longer.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
    >>> reference = Reference(image)
    >>> reference.score(image)
    1.0
    """

    def __init__(
        self, image: npt.ArrayLike, crew: Crew | None = None, sparse: bool = False
    ) -> None:
        array = check_picture(image)
        self.shape = array.shape
        self.crew = Crew(1) if crew is None else crew
        array = _continued(array)
        self.weights = scale_weights(scale_count(*array.shape[:2]))
        self.channels: list[list[Scale]] = []
        tasks: list[tuple[Scale, int, int]] = []
        for plane in channel_planes(array, self.crew):
            planes = [plane]
            for _ in self.weights[1:]:
                planes.append(halved(planes[-1], self.crew))
            self.channels.append([_scale(plane, sparse) for plane in planes])
            for scale in self.channels[-1]:
                tasks += [(scale, *band) for band in pairwise(row_bands(scale.windows[0]))]
        self.crew.each(lambda i: _find_moments(*tasks[i]), len(tasks))

    def score(self, image: npt.ArrayLike, *, exact: bool = False) -> float:
        """MS-SSIM of a picture of the same shape: the mean over channels.

        `exact` asks for double precision throughout, at half the speed.
        """
        return float(self.channel_scores(image, exact=exact).mean())

    def quick_score(self, image: npt.ArrayLike) -> float:
        """The score by those windows that a sparse reference keeps; else as :meth:`score`."""
        return float(self.channel_scores(image, quick=True).mean())

    def channel_scores(
        self, image: npt.ArrayLike, *, exact: bool = False, quick: bool = False
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
        planes = channel_planes(array, self.crew)
        for c, (scales, plane) in enumerate(zip(self.channels, planes, strict=True)):
            factors = self.scale_factors(scales, plane, self.weights, exact=exact, quick=quick)
            scores[c] = math.prod(factors)
        return scores

    def scale_factors(
        self,
        scales: Sequence[Scale],
        plane: AnyPlane,
        weights: npt.NDArray[np.float64],
        *,
        exact: bool = False,
        quick: bool = False,
    ) -> list[float]:
        """What a plane scores at scales of a channel, the first of which has its size, to these
        powers: their product is the channel's score.
        """
        factors = []
        for s, scale in enumerate(scales):
            if s:
                plane = halved(plane, self.crew)
            last = s == len(scales) - 1
            loss, cancelled = math.nan, math.inf
            if quick and scale.step > 1:
                loss, cancelled = self._sparse_loss(scale, plane, last), 0.0
            elif scale.statistics.dtype == np.float32 and not exact:
                loss, cancelled = self._loss(np.float32, scale, plane, last)
            if cancelled > CANCELLATION:
                loss, _ = self._loss(np.float64, scale, plane, last)
            factors.append(max(1.0 - loss, 0.0) ** float(weights[s]))
        return factors

    def _loss(
        self, precision: type[np.floating], scale: Scale, other: AnyPlane, with_luminance: bool
    ) -> tuple[float, float]:
        """Means over the windows of one scale: of their loss, and of the squared mean error."""
        windows = Scale(scale.plane, scale.statistics).windows
        borders = row_bands(windows[0])

        def band(i: int) -> tuple[float, float]:
            first, end = borders[i], borders[i + 1] + TAPS - 1
            known, row = scale.statistics, first
            if scale.step > 1:
                part = _scale(scale.plane[first:end], False)
                _find_moments(part, 0, part.windows[0], precision)
                known, row = part.statistics, 0
            with workspace(precision) as scratch:
                return similarity_loss(
                    scale.plane[first:end], other[first:end], known, row, with_luminance, *scratch
                )

        sums = self.crew.each(band, len(borders) - 1)
        count = math.prod(windows)
        return sum(loss for loss, _ in sums) / count, sum(c for _, c in sums) / count

    def _sparse_loss(self, scale: Scale, other: AnyPlane, with_luminance: bool) -> float:
        """Mean over every other window of one scale of its loss."""
        borders = row_bands(scale.windows[0])

        def band(i: int) -> float:
            with sparse_workspace(np.float32) as scratch:
                return sparse_loss(
                    scale.plane, other, scale.statistics, borders[i], borders[i + 1],
                    with_luminance, *scratch,
                )  # fmt: skip

        return sum(self.crew.each(band, len(borders) - 1)) / math.prod(scale.windows)


class LumaReference(Reference):
    """An original in colour that is compared by luma alone.

    `channels` are those of R, G and B, for sensitivities; scores are those of luma.
    """

    def __init__(
        self, image: npt.ArrayLike, crew: Crew | None = None, sparse: bool = False
    ) -> None:
        super().__init__(image, crew, sparse)
        self._luma = Reference(luma(image), crew, sparse)

    def channel_scores(
        self, image: npt.ArrayLike, *, exact: bool = False, quick: bool = False
    ) -> npt.NDArray[np.float64]:
        """MS-SSIM of luma, (1,) float64 in [0, 1]."""
        return self._luma.channel_scores(luma(image), exact=exact, quick=quick)


def row_bands(rows: int, least: int = BAND) -> list[int]:
    """Borders of the bands of rows that threads take in turn; the same for any number of them."""
    bands = min(max(rows // least, 1), MOST_BANDS)
    return [rows * i // bands for i in range(bands + 1)]


def channel_planes(array: npt.NDArray[np.uint8], crew: Crew | None = None) -> list[AnyPlane]:
    """The channels of a picture as planes; float32 if they are small (see SMALL)."""
    height, width, channels = array.shape
    if height * width <= SMALL:
        return list(np.ascontiguousarray(array.transpose(2, 0, 1), np.float32))
    planes = np.empty((channels, height, width), np.uint8)
    if channels == 3:
        picture = array.reshape(height, 3 * width)
        _by_rows(lambda first, last: split_rgb(picture, first, last, *planes), height, crew)
    else:
        planes[:] = array.transpose(2, 0, 1)
    return list(planes)


def _by_rows(task: Callable[[int, int], object], rows: int, crew: Crew | None) -> None:
    """Do something to all rows, in bands, by threads if there are any."""
    bands = list(pairwise(row_bands(rows)))
    (Crew(1) if crew is None else crew).each(lambda i: task(*bands[i]), len(bands))


def _scale(plane: AnyPlane, sparse: bool) -> Scale:
    """A scale, with room for its statistics."""
    step = 2 if sparse and plane.size > DENSE else 1
    height, width = ((side - TAPS) // step + 1 for side in plane.shape)
    tiles = -(-width // TILE)
    tile = (-(-width // tiles) + LANES - 1) // LANES * LANES
    precision = np.float32 if plane.size > SMALL else np.float64
    return Scale(plane, aligned((tiles, height, 2, tile), precision), step)


def _find_moments(
    scale: Scale, first: int, last: int, precision: type[np.floating] = np.float64
) -> None:
    """The statistics of some rows of windows."""
    if scale.step == 1:
        with workspace(precision) as scratch:
            moments(scale.plane, first, last, scale.statistics, *scratch)
    else:
        with sparse_workspace(np.float64) as scratch:
            sparse_moments(scale.plane, first, last, scale.statistics, *scratch)


def halved(plane: AnyPlane, crew: Crew | None = None) -> npt.NDArray[np.float32]:
    """The next scale of a plane."""
    height, width = plane.shape
    out = np.empty(((height + 1) // 2, (width + 1) // 2), np.float32)
    _by_rows(lambda first, last: halve(plane, first, last, out), out.shape[0], crew)
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
