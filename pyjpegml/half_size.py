"""The picture at half size, straight from levels: what rounds of gradient need to see.

MS-SSIM looks at a picture at full size, at half, and so on. Of the loss of a good JPEG a quarter or
a third is of full size, and there errors hardly act together: the Gaussian of a window reaches over
a block and a half, and what the quantizer leaves of fine detail in one block knows nothing of that
in the next. So for the finest scale the quadratic form (:mod:`pyjpegml.sensitivity`) is nearly all
there is, and that is known without decoding anything. From half size on errors do add up or cancel
over blocks; there the gradient (:mod:`pyjpegml.gradient`) is needed. On 16 photographs, half of
them of the Kodak set, the first of three rounds without the finest scale made files .3 % larger,
and all rounds without it .8 %; the first one without the two finest, 3.5 %. A look at half size
takes about half of the time of one at full size.

*From levels to half size.* The mean of two by two pixels of an inverse DCT is linear in the
coefficients. Along one axis, with B the 8 x 8 cosines (T.81 A.3.3) and P the 4 x 8 matrix of
halving, it is ``P B'``, 4 x 8: a component at full size gives 4 x 4 numbers a block. One that is
already at half size gives its 8 x 8 samples; the decoder's triangle filter ``3/4, 1/4``, then
halved, is a filter over neighbouring samples ::

    1/8, 3/4, 1/8        at both ends  7/8, 1/8

whose matrix is symmetric: it is its own transpose. Colour is linear too. Decoders also round, and
cut off below 0 and above 255. The latter is done after halving, the former where a block is flat:
there all errors agree, and small ones vanish; elsewhere rounding is noise of which little is left
at half size.

*Back.* Derivatives by the pixels of half size go through the transposes of all that: colour, the
filter, and a quarter to each of four samples.

*Odd sides.* MS-SSIM halves an odd side with a zero in front, so pairs of samples lie across blocks.
Along such an axis all samples are made, and then halved, ``(s[2 i - 1] + s[2 i]) / 2``. Of a
component that is stretched, the triangle filter halved in this way is ``(s[i - 1] + s[i]) / 2``.

*The loss* is put together from the true one of all scales but the finest, and that of the finest
as the form has it (:mod:`pyjpegml.half_losses`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ._jit import inlined, kernel, summing
from .coefficients import Geometry
from .descent import DERIVATIVES, Descent
from .gradient import clear, fold
from .half_losses import TINY, HalfLosses
from .metrics import WEIGHTS, AnyPlane, LumaReference, Reference, row_bands
from .ssim import copy_line
from .threads import Crew

#: Variance that a decoder's rounding adds to a channel, in squared levels: of grey, and of colour,
#: where Y, Cb and Cr are rounded too.
ROUNDING_OF_GREY, ROUNDING_OF_COLOUR = 1 / 12, 1 / 3
#: What an axis of a component needs to be at half size: nothing, its samples are means of two
#: already; or one of the filters above, of a component that is stretched or not, and whose picture
#: is halved with a zero in front or not.
HALVED, STRETCHED, SHIFTED, STRETCHED_SHIFTED = range(4)
#: Rows of blocks that a thread takes at a time.
STRIP = 16

_X = np.arange(8)
_COSINES = np.cos((2 * _X[:, None] + 1) * _X * math.pi / 16) / 2
_COSINES[:, 0] /= math.sqrt(2)


def sees_half_size(reference: Reference) -> bool:
    """Whether pictures can be looked at in this way: all five scales are there, which takes 161
    pixels a side, and all channels count.
    """
    return len(reference.weights) == len(WEIGHTS) and not isinstance(reference, LumaReference)


def half_basis(axis: int) -> npt.NDArray[np.float32]:
    """From eight coefficients to means of two samples, or to samples.

    Parameters
    ----------
    axis : int
        HALVED, or another one.

    Returns
    -------
    (4, 8) or (8, 8) float32
    """
    found = (_COSINES[0::2] + _COSINES[1::2]) / 2 if axis == HALVED else _COSINES
    return found.astype(np.float32)


@summing
def _square_errors(levels, steps, originals, finest, second, values):
    """Dequantize a block; its squared errors weighed by two patterns of energy."""
    eighth = np.float32(0.125)
    a = b = np.float32(0.0)
    for k in range(64):
        value = np.float32(levels[k]) * steps[k]
        error = value - eighth * np.float32(originals[k])
        square = error * error
        a += finest[k] * square
        b += second[k] * square
        values[k] = value
    return a, b


@summing
def _down_a_block(values, basis, rows, middle):
    """Along the columns of a block: `rows` of eight."""
    for j in range(rows):
        a, b, c, d = basis[8 * j], basis[8 * j + 1], basis[8 * j + 2], basis[8 * j + 3]
        e, f, g, h = basis[8 * j + 4], basis[8 * j + 5], basis[8 * j + 6], basis[8 * j + 7]
        for v in range(8):
            middle[8 * j + v] = (
                a * values[v] + b * values[8 + v] + c * values[16 + v] + d * values[24 + v]
                + e * values[32 + v] + f * values[40 + v] + g * values[48 + v] + h * values[56 + v]
            )  # fmt: skip


@kernel
def _is_flat(levels):
    """Whether a block has no AC."""
    total = 0
    for k in range(1, 64):
        total += abs(np.int32(levels[k]))
    return total == 0


@kernel
def _fill_block(value, rows, count, out, top, left):
    """A block of one value, of which as much as there is of `out` is put there."""
    for j in range(min(rows, out.shape[0] - top)):
        for i in range(min(count, out.shape[1] - left)):
            out[top + j, left + i] = value


@summing
def _across_a_block(middle, basis, rows, count, out, top, left):
    """Along the rows of a block, of which as much as there is of `out` is put there."""
    for j in range(min(rows, out.shape[0] - top)):
        a, b, c, d = middle[8 * j], middle[8 * j + 1], middle[8 * j + 2], middle[8 * j + 3]
        e, f, g, h = middle[8 * j + 4], middle[8 * j + 5], middle[8 * j + 6], middle[8 * j + 7]
        for i in range(min(count, out.shape[1] - left)):
            out[top + j, left + i] = (
                a * basis[i] + b * basis[8 + i] + c * basis[16 + i] + d * basis[24 + i]
                + e * basis[32 + i] + f * basis[40 + i] + g * basis[48 + i] + h * basis[56 + i]
            )  # fmt: skip


@kernel
def half_samples(
    levels, steps, originals, weights, energy, first, last, down, across, count, values, middle, out
):
    """Rows of blocks of a component at half size, without the level shift; flat ones are rounded.

    Parameters
    ----------
    levels, originals : (rows, stride, 64) int16
        Levels, and the coefficients of the original, times 8.
    steps : (64,) float32
    weights : (rows, columns, 6) float32
        Sensitivities of the original, the picture's part.
    energy : (6, 64) float32
        The patterns' part.
    first, last : int
        Rows of blocks; `weights` has them, and `columns` blocks are made of each.
    down : (8 m,) float32
        From :func:`half_basis`, row by row.
    across : (64,) float32
        Eight rows of eight: the transpose of such, zeros behind its `count` columns.
    count : int
        4 or 8.
    values, middle : (64,) float32
        Scratch.
    out : (h, w) float32
        Result, as far as it reaches; at least a column of each block, and a row.

    Returns
    -------
    tuple of float
        What these blocks lose at the two finest scales, by the quadratic form.
    """
    rows = down.size >> 3
    finest = second = 0.0
    whole = out.shape[1] // count  # blocks
    for row in range(first, last):
        for column in range(weights.shape[1]):
            a, b = _square_errors(
                levels[row, column], steps, originals[row, column], energy[0], energy[1], values
            )
            finest += weights[row, column, 0] * a
            second += weights[row, column, 1] * b
            if _is_flat(levels[row, column]):
                value = np.floor(np.float32(0.125) * values[0] + np.float32(0.5))
                _fill_block(value, rows, count, out, rows * row, count * column)
                continue
            _down_a_block(values, down, rows, middle)
            if column < whole and count == 4:  # a number of columns that is known when compiled
                _across_a_block(middle, across, rows, 4, out, rows * row, 4 * column)
            else:
                _across_a_block(middle, across, rows, count, out, rows * row, count * column)
    return finest, second


@inlined
def _rows_to_half(axis, row, rows):
    """Which three of the `rows` of a component make a row at half size, and how much of each."""
    one, half, zero = np.float32(1.0), np.float32(0.5), np.float32(0.0)
    if axis == STRETCHED:
        return _triangle(row, rows)
    if axis == SHIFTED:
        return 2 * row, max(2 * row - 1, 0), 0, half, half if row > 0 else zero, zero
    if axis == STRETCHED_SHIFTED:
        return row, max(row - 1, 0), 0, half, half if row > 0 else zero, zero
    return row, row, row, one, zero, zero


@inlined
def _rows_from_half(axis, row, rows):
    """The transpose: which three of the `rows` of derivatives at half size make one of samples."""
    half, zero = np.float32(0.5), np.float32(0.0)
    if axis == STRETCHED:
        return _triangle(row, rows)
    if axis == SHIFTED:
        return (row + 1) >> 1, 0, 0, half, zero, zero
    if axis == STRETCHED_SHIFTED:
        return row, min(row + 1, rows - 1), 0, half, half if row + 1 < rows else zero, zero
    return row >> 1, 0, 0, half, zero, zero


@inlined
def _triangle(row, rows):
    """Rows and factors of the triangle filter, halved."""
    near, far = np.float32(0.75), np.float32(0.125)
    return row, max(row - 1, 0), min(row + 1, rows - 1), near, far, far


@summing
def _blend(a, b, c, first, second, third, out):
    """``a * first + b * second + c * third``."""
    for i in range(out.size):
        out[i] = a * first[i] + b * second[i] + c * third[i]


@kernel
def _triangle_across(line, out):
    """The triangle filter, halved, along a row."""
    near, far = np.float32(0.75), np.float32(0.125)
    end = out.size - 1
    out[0] = (near + far) * line[0] + far * line[1]
    _blend(far, near, far, line[: end - 1], line[1:end], line[2:], out[1:end])
    out[end] = (near + far) * line[end] + far * line[end - 1]


@kernel
def to_half(plane, across, down, first, last, line, out):
    """Rows of a component at half size.

    Parameters
    ----------
    plane : (rows, columns) float32
        Of :func:`half_samples`.
    across, down : int
        HALVED, STRETCHED, SHIFTED or STRETCHED_SHIFTED, for each axis.
    first, last : int
        Rows that are made.
    line : (columns,) float32
        Scratch.
    out : (h, w) float32
        Result.
    """
    half = np.float32(0.5)
    for row in range(first, last):
        i, j, k, a, b, c = _rows_to_half(down, row, plane.shape[0])
        _blend(a, b, c, plane[i], plane[j], plane[k], line)
        found = out[row]
        if across == STRETCHED:
            _triangle_across(line, found)
        elif across == SHIFTED:
            found[0] = half * line[0]
            for x in range(1, found.size):
                found[x] = half * (line[2 * x - 1] + line[2 * x])
        elif across == STRETCHED_SHIFTED:
            found[0] = half * line[0]
            for x in range(1, found.size):
                found[x] = half * (line[x - 1] + line[x])
        else:
            copy_line(line, found)


@kernel
def from_half(gradient, across, down, columns, rows, first, last, line, out):
    """The transpose of :func:`to_half` and of halving: derivatives by the samples of a component.

    Parameters
    ----------
    gradient : (h, w) float32
        By the component at half size.
    across, down : int
        As for :func:`to_half`.
    columns, rows : int
        Of the component.
    first, last : int
        Rows of `out` that are made.
    line : (w + 1,) float32
        Scratch.
    out : (>= rows, >= columns) float32
        Result, zeros beyond the component.
    """
    half = np.float32(0.5)
    height, width = gradient.shape
    for row in range(first, last):
        found = out[row]
        if row >= rows:
            clear(found, 0, found.size)
            continue
        i, j, k, a, b, c = _rows_from_half(down, row, height)
        _blend(a, b, c, gradient[i], gradient[j], gradient[k], line[:width])
        line[width] = np.float32(0.0)
        if across == STRETCHED:
            _triangle_across(line[:width], found[:columns])
        elif across == STRETCHED_SHIFTED:
            for x in range(columns):
                found[x] = half * (line[x] + line[x + 1])
        else:
            odd = 1 if across == SHIFTED else 0
            for x in range(columns):
                found[x] = half * line[(x + odd) >> 1]
        clear(found, columns, found.size)


@summing
def _add_line(factor, source, out):
    """``out += factor * source``."""
    for i in range(out.size):
        out[i] += factor * source[i]


@kernel
def mix_channel(components, factors, shift, odd_row, odd_column, first, last, out):
    """Rows of a channel at half size, cut off below 0 and above 255; rounded where luma is whole.

    Parameters
    ----------
    components : (n, h, w) float32
    factors : (n,) float32
        What an error of each component is in the channel.
    shift : float32
        The level shift; of a first row or column that is `odd`, halved with zeros, half of it.
    odd_row, odd_column : bool
    first, last : int
    out : (h, w) float32
    """
    least, most = np.float32(0.0), np.float32(255.0)
    half = np.float32(0.5)
    for row in range(first, last):
        line, luma = out[row], components[0, row]
        level = half * shift if odd_row and row == 0 else shift
        for i in range(line.size):
            line[i] = level
        if odd_column:
            line[0] = half * level
        for component in range(factors.size):
            if factors[component] != least:
                _add_line(factors[component], components[component, row], line)
        for i in range(line.size):
            value = line[i]
            if luma[i] == np.floor(luma[i]):
                value = np.floor(value + half)
            line[i] = min(max(value, least), most)


class HalfDescent(Descent):
    """As :class:`pyjpegml.descent.Descent`, for the picture at half size.

    Parameters
    ----------
    reference : Reference
        Of five scales.
    geometry : Geometry
    weights : list of (down, across, 6) float32
        Sensitivities of the original.
    energies : list of (6, 64) float32
        The patterns' part.
    steps : list of (64,) float32
    originals : (geometry.size,) int16
        Coefficients, times 8.
    crew : Crew

    Attributes
    ----------
    score : float
        MS-SSIM of the other scales.
    weights : list of (down, across, 6) float32
        Those of the finest scale are the original's.
    steps : list of (64,) float32
        As given; others may take their place.
    """

    def __init__(
        self,
        reference: Reference,
        geometry: Geometry,
        weights: Sequence[npt.NDArray[np.float32]],
        energies: Sequence[npt.NDArray[np.float32]],
        steps: Sequence[npt.NDArray[np.float32]],
        originals: npt.NDArray[np.int16],
        crew: Crew,
    ) -> None:
        scales = [scales[1:] for scales in reference.channels]
        super().__init__(reference, geometry, weights, crew, scales=scales)
        shape, count = scales[0][0].plane.shape, len(geometry.planes)
        self._made = np.empty((count, *shape), np.float32)
        self._channel_made = np.empty(shape, np.float32)
        self.gradients = [np.empty(shape, np.float32) for _ in range(count)]
        self._forms = [0.0, 0.0]
        self._energies, self.steps, self._originals = energies, steps, originals
        rounding = ROUNDING_OF_GREY if len(geometry.planes) == 1 else ROUNDING_OF_COLOUR
        luma = float(weights[0][:, :, 0].sum(dtype=np.float64))
        self._rounding = rounding * luma * float(energies[0][0].sum(dtype=np.float64))
        self._shape = scales[0][0].plane.shape
        self._odd = bool(geometry.width & 1), bool(geometry.height & 1)
        self._axes = [
            tuple(
                STRETCHED * (2 * own == most) + SHIFTED * odd
                for own, most, odd in zip(
                    (plane.h, plane.v), (geometry.h_max, geometry.v_max), self._odd, strict=True
                )
            )
            for plane in geometry.planes
        ]

    def _by_component(
        self, memory: npt.NDArray[np.float32] | None
    ) -> list[npt.NDArray[np.float32]]:
        """None yet."""
        return []

    def losses(self, levels: npt.NDArray[np.int16]) -> HalfLosses:
        """What levels lose; no gradient is found."""
        components = self._components(levels)
        factors = np.array(
            [
                self._reference.scale_factors(scales, plane, self._exponents, quick=True)
                for scales, plane in zip(self._scales, self._channels(components), strict=True)
            ]
        )
        self.score = float(factors.prod(1).mean())
        return self._losses(float(1 - factors[:, 0].mean()))

    def _losses(self, second: float = 0.0) -> HalfLosses:
        """What is known, and what the second scale loses."""
        fine, form = self._forms
        return HalfLosses(1 - self.score, fine + self._rounding, second / max(form, TINY))

    def look(self, levels: npt.NDArray[np.int16], memory: npt.NDArray[np.float32]) -> HalfLosses:
        """What levels lose; the gradient is put into (geometry.size,) float32 as by Descent."""
        self.at_planes(self._channels(self._components(levels)))
        for i in range(len(self.gradients)):
            self._unfold(i, memory)
        return self._losses()

    def _unfold(self, i: int, memory: npt.NDArray[np.float32]) -> None:
        """The gradient of a component, from half size to its samples."""
        plane, (across, down) = self._geometry.planes[i], self._axes[i]
        view = self._geometry.view(memory, i)[: plane.down]
        rows = view.reshape(8 * plane.down, 8 * plane.stride)
        bands = list(pairwise(row_bands(len(rows))))

        def unfold(k: int) -> None:
            from_half(
                self.gradients[i], across, down, plane.width, plane.height, *bands[k],
                np.empty(self._shape[1] + 1, np.float32), rows,
            )  # fmt: skip

        self._crew.each(unfold, len(bands))

    def _components(self, levels: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        """All components at half size, (n, h, w), without the level shift."""
        out = self._made
        forms = [self._component(i, levels, plane) for i, plane in enumerate(out)]
        self._forms = np.sum(forms, 0).tolist()
        return out

    def _component(
        self, i: int, levels: npt.NDArray[np.int16], out: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float64]:
        """A component at half size; returns what it loses at the two finest scales, by the form."""
        geometry, plane, (across, down) = self._geometry, self._geometry.planes[i], self._axes[i]
        basis, other = half_basis(down), half_basis(across)
        wide = np.zeros((8, 8), np.float32)
        wide[:, : len(other)] = other.T
        strips = list(pairwise(row_bands(plane.down, STRIP)))
        bands = list(pairwise(row_bands(len(out))))
        ready = (across, down) == (HALVED, HALVED)
        height = self._shape[0] if down == HALVED else plane.height
        width = self._shape[1] if across == HALVED else plane.width
        raw = out if ready else np.empty((height, width), np.float32)

        def make(k: int) -> tuple[float, float]:
            found: tuple[float, float] = half_samples(
                geometry.view(levels, i), self.steps[i], geometry.view(self._originals, i),
                self._original[i], self._energies[i], *strips[k], basis.ravel(), wide.ravel(),
                len(other), np.empty(64, np.float32), np.empty(64, np.float32), raw,
            )  # fmt: skip
            return found

        def halve(k: int) -> None:
            to_half(raw, across, down, *bands[k], np.empty(width, np.float32), out)

        forms = np.array(self._crew.each(make, len(strips))).sum(0)
        if not ready:
            self._crew.each(halve, len(bands))
        return forms

    def _channels(self, components: npt.NDArray[np.float32]) -> Sequence[AnyPlane]:
        """Channels of components, each made when it is asked for."""
        return _Channels(components, self._odd, self._crew, self._channel_made)

    def _add_to_samples(self, c: int) -> None:
        """Add what a channel's pixels want of the components."""
        factors = DERIVATIVES[len(self.gradients)][:, c]
        bands = list(pairwise(row_bands(self._shape[0])))
        tasks = [(i, *band) for i in range(len(factors)) for band in bands]

        def add(task: int) -> None:
            i, first, last = tasks[task]
            if c == 0 or factors[i] != 0.0:
                fold(
                    self._by_pixel[0], np.float32(factors[i]), np.float32(c > 0), 1, 1,
                    self._shape[1], self._shape[0], first, last,
                    np.empty(self._shape[1] + 1, np.float32), self.gradients[i],
                )  # fmt: skip

        self._crew.each(add, len(tasks))


class _Channels(Sequence[AnyPlane]):
    """Channels at half size of components, made one at a time, in the same memory."""

    def __init__(
        self,
        components: npt.NDArray[np.float32],
        odd: tuple[bool, bool],
        crew: Crew,
        out: npt.NDArray[np.float32],
    ) -> None:
        self._components, self._odd, self._crew, self._out = components, odd, crew, out

    def __len__(self) -> int:
        return len(self._components)

    def __getitem__(self, c: int) -> AnyPlane:  # type: ignore[override]
        if c >= len(self):
            raise IndexError(c)
        factors = DERIVATIVES[len(self)][:, c].astype(np.float32)
        shift = np.float32(127.0 if c == 3 else 128.0)  # K is 255 less its samples
        bands = list(pairwise(row_bands(len(self._out))))
        self._crew.each(
            lambda k: mix_channel(
                self._components, factors, shift, self._odd[1], self._odd[0], *bands[k], self._out
            ),
            len(bands),
        )
        return self._out
