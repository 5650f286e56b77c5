"""Scaled decoding: a half, a quarter or an eighth of the picture, straight from its coefficients.

A thumbnail needs no full picture. If a block of 8x8 coefficients becomes 4x4, 2x2 or 1x1 samples,
each of them the mean of the box that it stands for, most of the work behind the entropy decoder
falls away: transforms, upsampling and colour are done for the small picture only. T.81 knows
nothing of this; libjpeg does it (``djpeg -scale 1/2``), and what it does is done here, to the last
bit.

*The mean of a box* of m neighbours is taken on the cosine patterns, before any sum over them
(notation of :mod:`pyjpegml.dct`)::

    s(x) = 1/2  sum_u C(u) S(u) cos((2x+1) u pi/16)

    mean of s(m y) .. s(m y + m - 1) = 1/(2 m)  sum_u C(u) S(u) p(y, u)
                             p(y, u) = sum_i cos((2 (m y + i) + 1) u pi/16),   i = 0 .. m - 1

Patterns whose period fits the box vanish: u = 4 for m = 2; 2, 4 and 6 for m = 4; all but u = 0 for
m = 8. Of the rest, even u are the same on both sides of the block's middle, odd ones change their
sign. So half of the sums give the even and odd parts of all samples::

    size 4 (m = 2)          even: S0, S2, S6      odd: S1, S3, S5, S7
    size 2 (m = 4)          even: S0              odd: S1, S3, S5, S7
    size 1 (m = 8)          S0 / 8 is the mean of the block

*Fixed point* is that of the full transform: factors sqrt(2) C(u) p(y, u) have 13 fractional bits,
results between the passes 2 extra ones; columns come first, and each pass rounds once. A factor of
the DC coefficient is m 2**13: up to 2**15, which 16-bit lanes hold in two halves only. Between the
passes values are 16-bit, as there.

Which size each component takes, :mod:`pyjpegml.scaling` decides.

*More than 8 bits.* :func:`inverse_deep` does the same for 12-bit samples, with 1 extra bit between
the passes, and the last result modulo 2**14 before it is limited.

Arrays: coefficients are flat int16, 64 a block in natural order; samples are flat too, with an
offset and a stride from row to row, so that a whole plane or a part of a strip can be made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from . import strips
from ._jit import kernel
from .coefficients import Geometry
from .dct import (
    _BITS,
    _EXTRA,
    _minus,
    _plus,
    _rotate,
    _rounded,
    inverse_four,
    inverse_one,
    rows_of_blocks,
)
from .scaling import Scale
from .simd import interleave, transpose, vector_function

#: uint8 or uint16.
Sample = TypeVar("Sample", np.uint8, np.uint16)


def _factors(size):
    """For the first half of the samples y: ``2**13 sqrt(2) C(u) p(y, u)`` for each u, rounded."""
    merged = 8 // size
    return [
        [
            round(
                2**_BITS
                * math.sqrt(2 if u else 1)
                * sum(
                    math.cos((2 * x + 1) * u * math.pi / 16) for x in range(first, first + merged)
                )
            )
            for u in range(8)
        ]
        for first in range(0, 4, merged)
    ]


_FACTORS = {size: _factors(size) for size in (1, 2, 4)}


def _doublings(size):
    """How often a size is doubled until it is 8: the bits by which sums over boxes are larger."""
    return (8 // size).bit_length() - 1


def _reduce_8(t, size, last):
    """Means of the inverse transforms of length 8, as many as there are lanes.

    Parameters
    ----------
    t : eight vectors of 16-bit lanes
        Dequantized coefficients, then results of the first pass; not all are looked at.
    size : 2 or 4
        How many samples each transform is reduced to.
    last : bool
        As for :func:`pyjpegml.dct.inverse_8`.

    Returns
    -------
    `size` vectors of 16-bit lanes
        As means of what :func:`pyjpegml.dct.inverse_8` returns they are no larger.
    """
    factors = _FACTORS[size]
    shift = _BITS + (3 + _EXTRA if last else -_EXTRA) + _doublings(size)
    (dc,) = _rotate(t[0], t[0], (factors[0][0] // 2, factors[0][0] // 2))
    even = [dc] * len(factors)
    if size == 4:
        even = [_plus(dc, part) for part in _rotate(t[2], t[6], *((f[2], f[6]) for f in factors))]
    odd = [
        _plus(low, high)
        for low, high in zip(
            _rotate(t[1], t[3], *((f[1], f[3]) for f in factors)),
            _rotate(t[5], t[7], *((f[5], f[7]) for f in factors)),
            strict=True,
        )
    ]
    sums = [_plus(a, b) for a, b in zip(even, odd, strict=True)]
    differences = [_minus(a, b) for a, b in zip(even, odd, strict=True)]
    return [_rounded(s, shift) for s in sums + differences[::-1]]


def _reduce_rows(groups, size):
    """Reduced samples of groups of blocks side by side.

    Parameters
    ----------
    groups : 8 // size groups of eight vectors of 16-bit lanes
        The rows of dequantized coefficients of the blocks of each group.
    size : 2 or 4

    Returns
    -------
    `size` vectors of one lane of 8 size bits a block
        The rows of samples of all groups, one behind the other.
    """
    # The first pass leaves `size` rows of each group: together they are eight again, and transposed
    # they have the 8 lanes of a row of 128 bits for group and row.
    columns = transpose([row for group in groups for row in _reduce_8(group, size, False)])
    samples = [(s + 128).maximum(0).minimum(255) for s in _reduce_8(columns, size, True)]
    pairs = [left | right << 8 for left, right in zip(samples[::2], samples[1::2], strict=True)]
    blocks = range(pairs[0].lanes // 8)
    if size == 2:
        return [
            pairs[0].shuffle([8 * block + 2 * group + y for group in range(4) for block in blocks])
            for y in range(2)
        ]
    first, second = (half.view(32) for half in interleave(*pairs))
    return [
        first.shuffle([n + 4 * block + y for n in (0, first.lanes) for block in blocks], second)
        for y in range(4)
    ]


def _reduce_many(size, coefficients, position, qtable, samples, offset, stride):
    """``32 // size`` blocks, one behind the other, to rows of 32 samples."""
    steps = qtable.load(64).trunc(16)
    groups = [
        rows_of_blocks(
            [coefficients.load(64, position + 64 * k) * steps for k in range(first, first + 4)]
        )
        for first in range(0, 32 // size, 4)
    ]
    for y, row in enumerate(_reduce_rows(groups, size)):
        samples.store(row, offset + stride * y)


def _reduce_one(size, coefficients, position, qtable, samples, offset, stride):
    """One block; it fills all groups."""
    rows = [
        coefficients.load(8, position + 8 * v) * qtable.load(8, 8 * v).trunc(16) for v in range(8)
    ]
    for y, row in enumerate(_reduce_rows([rows] * (8 // size), size)):
        samples.store(row.shuffle([0]), offset + stride * y)


@vector_function
def _many_to_4(coefficients, position, qtable, samples, offset, stride):
    """Dequantize and transform 8 blocks to 4x4 samples each."""
    _reduce_many(4, coefficients, position, qtable, samples, offset, stride)


@vector_function
def _many_to_2(coefficients, position, qtable, samples, offset, stride):
    """Dequantize and transform 16 blocks to 2x2 samples each."""
    _reduce_many(2, coefficients, position, qtable, samples, offset, stride)


@vector_function
def _one_to_4(coefficients, position, qtable, samples, offset, stride):
    """One block, as :func:`_many_to_4`."""
    _reduce_one(4, coefficients, position, qtable, samples, offset, stride)


@vector_function
def _one_to_2(coefficients, position, qtable, samples, offset, stride):
    """One block, as :func:`_many_to_2`."""
    _reduce_one(2, coefficients, position, qtable, samples, offset, stride)


@kernel
def reduce_row(coefficients, position, count, qtable, size, samples, offset, stride):
    """Dequantize and transform a row of blocks side by side, as :func:`inverse_reduced` does many.

    Parameters
    ----------
    coefficients, qtable, size, samples, offset, stride
        As there.
    position, count : int
        Where the first block starts, and how many there are.
    """
    if size == 1:
        for k in range(count):
            dc = np.int64(coefficients[position + 64 * k]) * qtable[0]
            samples[offset + k] = min(max(((dc + 4) >> 3) + 128, 0), 255)
        return
    group = 32 // size
    column = 0
    while column < count:
        # the last group is a whole one that takes some blocks a second time
        block = column if count < group else min(column, count - group)
        source, target = position + 64 * block, offset + size * block
        if size == 8 and count >= group:
            inverse_four(coefficients, source, qtable, samples, target, stride)
        elif size == 8:
            inverse_one(coefficients, source, qtable, samples, target, stride)
        elif size == 4 and count >= group:
            _many_to_4(coefficients, source, qtable, samples, target, stride)
        elif size == 4:
            _one_to_4(coefficients, source, qtable, samples, target, stride)
        elif count >= group:
            _many_to_2(coefficients, source, qtable, samples, target, stride)
        else:
            _one_to_2(coefficients, source, qtable, samples, target, stride)
        column += group if count >= group else 1


@kernel
def inverse_reduced(
    coefficients, position, pitch, rows, columns, qtable, size, samples, offset, stride
):
    """Dequantize blocks and transform them to ``size x size`` samples each.

    Parameters
    ----------
    coefficients : (n,) int16
        Quantized; 64 of each block, natural order.
    position : int
        Where the first block starts.
    pitch : int
        Blocks from one row of blocks to the next, at least `columns`.
    rows, columns : int
        Blocks.
    qtable : (64,) int32
        Quantization table, natural order.
    size : 1, 2, 4 or 8
    samples : (m,) uint8
        Level-shifted back and limited to [0, 255].
    offset, stride : int
        Where the first sample goes, and from row to row; the stride is at least ``size * columns``.

    Notes
    -----
    Loads: ``64 * columns`` coefficients of each row of blocks, from
    ``position + 64 * pitch * row`` on, and the whole table. Stores: ``size * columns`` samples in
    each of the ``size * rows`` rows, no more, because a group of blocks is only taken where
    `columns` has as many, and ends with the last one at the latest.
    """
    for row in range(rows):
        reduce_row(
            coefficients, position + 64 * pitch * row, columns, qtable, size,
            samples, offset + size * stride * row, stride,
        )  # fmt: skip


# --- 12 bits --------------------------------------------------------------------------------------

_DEEP_EXTRA = 1


def _reduce_deep_8(t, size, last):
    """:func:`_reduce_8` of 64-bit lanes, which no coefficients can overflow, for size 1 too."""
    shift = _BITS + (3 + _DEEP_EXTRA if last else -_DEEP_EXTRA) + _doublings(size)
    samples = []
    for y in range(size):
        mirrored = size - 1 - y
        sign = -1 if mirrored < y else 1
        f = _FACTORS[size][min(y, mirrored)]
        start = t[0] * f[0] + (1 << shift - 1)
        samples.append(sum((t[u] * (f[u] * sign**u) for u in range(1, 8)), start) >> shift)
    return samples


def _deep_block(size, coefficients, position, qtable, plane, offset, stride):
    """One block to ``size x size`` samples of 12 bits."""
    rows = [
        coefficients.load(8, position + 8 * v).sext(64) * qtable.load(8, 8 * v).sext(64)
        for v in range(8)
    ]
    halves = _reduce_deep_8(rows, size, False)
    columns = [[half.shuffle([u]) for half in halves] for u in range(8)]
    for y in range(size):
        samples = _reduce_deep_8([column[y] for column in columns], size, True)
        for x, s in enumerate(samples):
            limited = (((s + 8192) & 16383) - 8192 + 2048).maximum(0).minimum(4095)
            plane.store(limited.trunc(16), offset + stride * y + x)


@vector_function
def _deep_to_4(coefficients, position, qtable, plane, offset, stride):
    _deep_block(4, coefficients, position, qtable, plane, offset, stride)


@vector_function
def _deep_to_2(coefficients, position, qtable, plane, offset, stride):
    _deep_block(2, coefficients, position, qtable, plane, offset, stride)


@vector_function
def _deep_to_1(coefficients, position, qtable, plane, offset, stride):
    _deep_block(1, coefficients, position, qtable, plane, offset, stride)


@kernel
def inverse_deep(
    coefficients, position, pitch, rows, columns, qtable, size, samples, offset, stride
):
    """:func:`inverse_reduced` for samples of 12 bits.

    Parameters
    ----------
    coefficients, position, pitch, rows, columns, qtable
        As there, and so are loads and stores.
    size : 1, 2 or 4
    samples : (m,) uint16
        Level-shifted back and limited to [0, 4095].
    offset, stride : int
    """
    for row in range(rows):
        for column in range(columns):
            source = position + 64 * (pitch * row + column)
            target = offset + size * (stride * row + column)
            if size == 4:
                _deep_to_4(coefficients, source, qtable, samples, target, stride)
            elif size == 2:
                _deep_to_2(coefficients, source, qtable, samples, target, stride)
            else:
                _deep_to_1(coefficients, source, qtable, samples, target, stride)


# --- pictures -------------------------------------------------------------------------------------


def reconstruct(
    geometry: Geometry,
    scale: Scale,
    coefficients: npt.NDArray[np.int16],
    qtables: Sequence[npt.NDArray[np.integer]],
) -> list[npt.NDArray[np.uint8]]:
    """Dequantize and transform all components at a scale.

    Parameters
    ----------
    geometry : Geometry
        The picture as it was coded.
    scale : Scale
    coefficients : (geometry.size,) int16
    qtables : sequence of (8, 8) or (64,) int
        Of each component, natural order.

    Returns
    -------
    list of (size * down, size * across) uint8
        For ``down`` and ``across`` blocks in the component. Where the ratios left are whole, these
        are at least as many samples as the components of ``scale.geometry`` have: with k pixels of
        the scaled picture to a sample, they are ``ceil(width / (denominator * k))``, and
        ``width / (denominator * k) = width * h * size / (8 * h_max) <= size * across``.
    """
    planes = []
    for plane, size, qtable in zip(geometry.planes, scale.sizes, qtables, strict=True):
        samples = np.empty((size * plane.down, size * plane.across), np.uint8)
        inverse_reduced(
            coefficients, plane.offset, plane.stride, plane.down, plane.across,
            np.ascontiguousarray(qtable, np.int32).reshape(64), size,
            samples.reshape(-1), 0, samples.shape[1],
        )  # fmt: skip
        planes.append(samples)
    return planes


def picture(
    geometry: Geometry,
    scale: Scale,
    coefficients: npt.NDArray[np.int16],
    qtables: Sequence[npt.NDArray[np.integer]],
    color: int,
) -> npt.NDArray[np.uint8]:
    """Decode stored coefficients to a scaled picture.

    Parameters
    ----------
    geometry, scale, coefficients, qtables
        As for :func:`reconstruct`.
    color : int
        As for :func:`pyjpegml.strips.picture`.

    Returns
    -------
    (ceil(h / n), ceil(w / n)) or (ceil(h / n), ceil(w / n), 3) uint8
        For a scale of 1/n.
    """
    scaled = scale.geometry
    full = (scaled.h_max, scaled.v_max)
    planes = reconstruct(geometry, scale, coefficients, qtables)
    sampling = []
    for i, (h, v) in enumerate(scaled.sampling):
        if scale.triangle(i):
            sampling.append((h, v))
        else:
            planes[i] = repeat(planes[i], scaled, i)
            sampling.append(full)
    return strips.picture(Geometry(scaled.width, scaled.height, sampling), planes, color)


def repeat(samples: npt.NDArray[Sample], scaled: Geometry, component: int) -> npt.NDArray[Sample]:
    """A component at the full size of the scaled picture, its samples repeated.

    Pixel x takes sample ``floor(x * plane.h / h_max)`` of the scaled picture's component. Whatever
    the ratio, that is there for the last pixel too: for widths W of the picture as it was coded and
    w at 1/n it is below ``size * across``, because ``w - 1 < W / n``, and in terms of the coded
    component ``W / n * plane.h / h_max = W * h / h_max * size / 8``, of which
    ``W * h / h_max <= 8 * across``.
    """
    plane = scaled.planes[component]
    columns = np.arange(scaled.width) * plane.h // scaled.h_max
    rows = np.arange(scaled.height) * plane.v // scaled.v_max
    return samples[rows[:, None], columns]
