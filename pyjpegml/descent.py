"""Loss of reconstructions, its gradient by the samples of a file's components, and sensitivities.

The kernels are in :mod:`pyjpegml.gradient` and, for planes that are judged by every other window,
in :mod:`pyjpegml.sparse_gradient`. One channel is done after the other, in the same memory; the
derivatives by its pixels are added to those by the samples of the components.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from .coefficients import Geometry
from .gradient import add_coarse, descend, fold
from .metrics import AnyPlane, Reference, Scale, channel_planes, check_picture, halved, row_bands
from .sensitivity import TERMS, average_blocks, block_bands, mix_weights
from .sparse_gradient import gradient_scratch, sparse_descend
from .sparse_windows import sparse_workspace
from .ssim import GROUP, STRIDE, STRIP, TAPS, WINDOW, workspace
from .threads import Crew

_FROM_YCBCR = np.array([[1.0, 1.0, 1.0], [0.0, -0.344136, 1.772], [1.402, -0.714136, 0.0]])
#: Derivatives of the channels by the components (T.871 clause 7): of grey, of RGB by YCbCr, and of
#: CMYK by YCCK, where samples of K are 255 less the ink.
DERIVATIVES = {1: np.ones((1, 1)), 3: _FROM_YCBCR, 4: np.pad(_FROM_YCBCR, (0, 1))}
DERIVATIVES[4][3, 3] = -1.0


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
    memory : (geometry.size,) float32, optional
        Where the gradients are put.
    scales : list of list of Scale, optional
        The last ones of each channel, if those before are to be left out.

    Attributes
    ----------
    score : float
        MS-SSIM of the last reconstruction, in single precision, by the windows that the reference
        keeps.
    gradients : list of (8 down, 8 stride) float32
        Derivative of ``1 - score`` by the samples of each component: eight rows are where a row of
        its blocks is in an array of coefficients. Zeros where no samples are.
    weights : list of (down, across, 6) float32
    """

    def __init__(
        self,
        reference: Reference,
        geometry: Geometry,
        weights: Sequence[npt.NDArray[np.floating]],
        crew: Crew,
        memory: npt.NDArray[np.float32] | None = None,
        scales: Sequence[Sequence[Scale]] | None = None,
    ) -> None:
        self.score = 1.0
        self.weights: list[npt.NDArray[np.float32]] = []
        self._reference, self._geometry, self._crew = reference, geometry, crew
        self._original = weights
        self._scales = reference.channels if scales is None else scales
        self._missing = len(reference.weights) - len(self._scales[0])
        self._exponents = reference.weights[self._missing :]
        shapes = [scale.plane.shape for scale in self._scales[0]]
        self._by_pixel = [np.empty(shape, np.float32) for shape in shapes]
        self._contrasts = [np.empty(scale.windows, np.float32) for scale in self._scales[0]]
        self.gradients = self._by_component(memory)

    def _by_component(
        self, memory: npt.NDArray[np.float32] | None
    ) -> list[npt.NDArray[np.float32]]:
        """Where the gradients are put; zeros where no samples are."""
        geometry = self._geometry
        if memory is None:
            memory = np.empty(geometry.size, np.float32)
        found = []
        for i, plane in enumerate(geometry.planes):
            view = geometry.view(memory, i)[: plane.down]
            found.append(view.reshape(8 * plane.down, 8 * plane.stride))
            found[i][: plane.height, plane.width :] = found[i][plane.height :] = 0.0
        return found

    def at(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Score a reconstruction, (h, w), (h, w, 3) or (h, w, 4) uint8, and find its gradient."""
        self.at_planes(channel_planes(check_picture(pixels), self._crew))

    def at_planes(self, planes: Sequence[AnyPlane]) -> None:
        """The same of its channels: its pixels need not be there any more."""
        geometry, crew = self._geometry, self._crew
        height, width = self._reference.shape[:2]
        channels = len(planes)
        maps = np.zeros((channels, TERMS, -(-height // 8), -(-width // 8)), np.float32)
        self.weights = []  # before others are made
        total = 0.0
        for c in range(channels):
            total += self._channel(planes[c], c, maps[c])
            self._add_to_samples(c)
        self.score = total / channels
        self.weights = mix_weights(maps, geometry, crew)
        for new, old in zip(self.weights, self._original, strict=True):
            new[:, :, : self._missing] = old[:, :, : self._missing]
            new[:, :, TERMS - 1] = old[:, :, TERMS - 1]

    def _channel(self, plane: AnyPlane, c: int, maps: npt.NDArray[np.float32]) -> float:
        """Score of a channel; leaves its gradient by pixels of the finest scale."""
        crew, missing = self._crew, self._missing
        height, width = self._reference.shape[:2]
        _, rows, columns = maps.shape
        scales, gradients = self._scales[c], self._by_pixel
        means = []
        for s, scale in enumerate(scales):
            if s:
                plane = halved(plane, crew)
            loss = self._scale(scale, plane, s)
            means.append(max(1 - loss / math.prod(scale.windows), 1e-3))
        score = float(np.prod(np.array(means) ** self._exponents))
        factors = [
            score * weight / mean / math.prod(scale.windows)
            for scale, weight, mean in zip(scales, self._exponents, means, strict=True)
        ]

        def average(s: int) -> None:
            term = s + missing
            first_row, row_band = block_bands(height, rows, term, scales[s].step)
            first_column, column_band = block_bands(width, columns, term, scales[s].step)
            average_blocks(
                self._contrasts[s], first_row, row_band.astype(np.float32),
                first_column, column_band.astype(np.float32),
                np.empty(self._contrasts[s].shape[1], np.float32),
                np.float32(factors[s] / 4.0**term), maps[term],
            )  # fmt: skip

        crew.each(average, len(scales))
        coarse: npt.NDArray[np.float32] = np.empty((0, 0), np.float32)
        for gradient, factor in zip(reversed(gradients), reversed(factors), strict=True):
            self._add_coarse(gradient, factor / len(self._scales), coarse)
            coarse = gradient
        return score

    def _scale(self, scale: Scale, other: AnyPlane, s: int) -> float:
        """Sum of losses of a scale; rows are shared out among the threads."""
        rows = scale.plane.shape[0]
        borders = [border & ~1 for border in row_bands(rows)[:-1]] + [rows]
        with_luminance = s == len(self._by_pixel) - 1
        results = self._by_pixel[s], self._contrasts[s]

        def band(i: int) -> float:
            task = (
                scale.plane, other, scale.statistics, borders[i], borders[i + 1], with_luminance,
            )  # fmt: skip
            if scale.step == 2:
                with sparse_workspace(np.float32) as scratch, gradient_scratch() as more:
                    return float(sparse_descend(*task, *scratch, *more, *results))
            with workspace(scale.statistics.dtype.type) as scratch, _scratch() as more:
                return float(descend(*task, *scratch, *more, *results))

        return sum(self._crew.each(band, len(borders) - 1))

    def _add_coarse(
        self, gradient: npt.NDArray[np.float32], factor: float, coarse: npt.NDArray[np.float32]
    ) -> None:
        """Weigh the gradient of a scale and add that of the next one."""
        bands = list(pairwise(row_bands(gradient.shape[0])))
        self._crew.each(
            lambda i: add_coarse(gradient, *bands[i], np.float32(factor), coarse), len(bands)
        )

    def _add_to_samples(self, c: int) -> None:
        """Add what a channel's pixels want of the samples of each component, through the transpose
        of the decoder's upsampling.
        """
        geometry = self._geometry
        factors = DERIVATIVES[len(geometry.planes)][:, c]
        tasks = [
            (i, first, last)
            for i, plane in enumerate(geometry.planes)
            if c == 0 or factors[i] != 0.0
            for first, last in pairwise(row_bands(plane.height))
        ]

        def add(task: int) -> None:
            i, first, last = tasks[task]
            plane = geometry.planes[i]
            fold(
                self._by_pixel[0], np.float32(factors[i]), np.float32(c > 0),
                geometry.h_max // plane.h, geometry.v_max // plane.v, plane.width, plane.height,
                first, last, np.empty(geometry.width + 1, np.float32), self.gradients[i],
            )  # fmt: skip

        self._crew.each(add, len(tasks))


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
            np.zeros((4, STRIDE), np.float32),
        )
    try:
        yield arrays
    finally:
        _idle.append(arrays)
