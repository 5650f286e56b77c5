"""Sensitivity: what an error of each DCT coefficient of each block costs in MS-SSIM.

At every scale the loss is a weighted squared error (:mod:`pyjpegml.metrics`). Taking the variance
of the picture for that of the original, with M = 1 / (2 v_x + C2) and L = 1 / (2 m_x^2 + C1)::

    1 - MS-SSIM  ~  sum over scales s of  w_s * mean over windows of  M_s var(e_s)
                    + w_last * mean over windows of  L mean(e_last)^2

where e_s is the error after s halvings. An error of size 1 in coefficient k of a block is a cosine
pattern; its energy in ``var(e_s)`` and ``mean(e_s)^2``, summed over all windows, is a number A_s(k)
that does not depend on the picture (:func:`basis_energy`). What depends on the picture is how much
M_s weighs around the block, T_s(b). So with six terms (five scales, and the luminance one)::

    W[b, k] = sum over s of  V[b, s] A_s(k),      V[b, s] = w_s T_s(b) / windows_s

and the loss of a quantization is ``sum W e^2`` over all coefficients: textured blocks, where v_x is
large, have small weights. W has rank six, so V (six numbers a block) is what is kept.

*Colour.* MS-SSIM is the mean over R, G and B. An error of Y goes into all three alike; one of Cb
into G and B with the factors of the inverse transform (T.871), whose squares weigh the three maps.
Of inks, C, M and Y take the places of R, G and B, and the fourth component is K.

*Chroma at half size* has its own A: its patterns are stretched by the decoder's triangle filter.

*Separability.* Patterns, halving and Gaussian are products of a horizontal and a vertical part, so
A_s comes from one-dimensional energies, and T_s, a Gaussian of M_s averaged over a block, from two
banded matrices: rows first, then columns (:func:`block_bands`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ._jit import kernel
from .coefficients import Geometry
from .metrics import Reference
from .ssim import C1, C2, TAPS, WINDOW
from .threads import Crew

Real = TypeVar("Real", np.float32, np.float64)

#: Terms of the quadratic form: five scales and luminance.
TERMS = 6
#: Rows of windows that are kept; the longest band of a block has 18.
RING = 32

# squared factors with which an error of Y, Cb, Cr reaches R, G and B (T.871 clause 7)
_TO_RGB = np.array([[1.0, 1.0, 1.0], [0.0, 0.344136**2, 1.772**2], [1.402**2, 0.714136**2, 0.0]])
#: The same of grey, YCbCr, and of YCCK, whose K is itself, by the number of channels.
_REACH = {1: np.ones((1, 1)), 3: _TO_RGB, 4: np.pad(_TO_RGB, (0, 1))}
_REACH[4][3, 3] = 1.0


def _halve_signal(signal: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return (signal[..., 0::2] + signal[..., 1::2]) / 2


def halving_offset(size: int) -> int:
    """By how many pixels the grid of the coarsest scale is shifted against the picture's border.

    Each odd side is halved with a zero in front, which moves the pixels of that scale by one.
    """
    offset = 0
    for s in range(4):
        offset += (size & 1) << s
        size = (size + 1) >> 1
    return offset


@lru_cache
def _axis_energy(
    stretch: int, offset: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Energies of the eight one-dimensional cosines at five scales.

    Parameters
    ----------
    stretch : int
        1, or 2 for a component at half size, stretched by the triangle filter.
    offset : int
        Of the axis (:func:`halving_offset`): a pattern that is halved across its border loses a
        part of its energy, up to a quarter.

    Returns
    -------
    energy : (5, 8)
        Sum of squares after s halvings, in pixels of the finest scale.
    smooth : (5, 8)
        The same after the Gaussian. Both are averaged over where a block may lie in the coarsest
        pixels.
    """
    x = np.arange(8)
    basis = np.cos((2 * x + 1) * x[:, None] * np.pi / 16) / 2
    basis[0] /= np.sqrt(2)
    length = 320
    energy, smooth = np.zeros((5, 8)), np.zeros((5, 8))
    phases = (0, 8) if stretch == 1 else (0,)
    for phase in phases:
        signal = np.zeros((8, length))
        start = 144 + phase + offset
        if stretch == 1:
            signal[:, start : start + 8] = basis
        else:
            padded = np.pad(basis, ((0, 0), (1, 1)))
            wide = np.zeros((8, 20))
            wide[:, 0::2] += 0.75 * padded
            wide[:, 1::2] += 0.75 * padded
            wide[:, 2::2] += 0.25 * padded[:, :-1]
            wide[:, 1:-1:2] += 0.25 * padded[:, 1:]
            signal[:, start - 2 : start + 18] = wide
        for s in range(5):
            if s:
                signal = _halve_signal(signal)
            filtered = np.apply_along_axis(np.convolve, 1, signal, WINDOW)
            energy[s] += (signal**2).sum(1) * 2**s / len(phases)
            smooth[s] += (filtered**2).sum(1) * 2**s / len(phases)
    return energy, smooth


@lru_cache
def basis_energy(
    across: int = 1, down: int = 1, scales: int = 5, offsets: tuple[int, int] = (0, 0)
) -> npt.NDArray[np.float64]:
    """A_s(k): what a unit error of coefficient k is at each scale, summed over windows.

    Parameters
    ----------
    across, down : int
        1, or 2 where the component has half the columns or rows.
    scales : int
        Scales in use (:func:`pyjpegml.metrics.scale_count`); the luminance term belongs to the
        last.

    offsets : (int, int)
        Horizontal and vertical :func:`halving_offset` of the picture.

    Returns
    -------
    (6, 64) float64
        Variance at five scales (zeros for those not in use), then squared mean; natural order; in
        pixels of the finest scale.
    """
    energy_x, smooth_x = _axis_energy(across, offsets[0])
    energy_y, smooth_y = _axis_energy(down, offsets[1])
    out = np.zeros((TERMS, 64))
    for s in range(scales):
        mean = np.outer(smooth_y[s], smooth_x[s]).ravel()
        out[s] = np.outer(energy_y[s], energy_x[s]).ravel() - mean
        if s == scales - 1:
            out[5] = mean
    out.flags.writeable = False
    return out


@lru_cache
def sampling_attenuation(across: int = 1, down: int = 1) -> npt.NDArray[np.float32]:
    """How much of each pattern is lost on the way down and up again, per unit of what is left.

    At half size, the box before and the triangle behind let a cosine of frequency w (per pixel)
    pass with the factor ``H = cos(w/2) (3 cos(w/2) + cos(3w/2)) / 4``. A coefficient c that is
    coded stands for c / H in the picture; sampling has lost ``c (1 - H) / H`` of it. If
    quantization then takes away more of c, both errors have the same sign, and their product counts
    in the loss.

    Parameters
    ----------
    across, down : int
        1, or 2 where the component has half the columns or rows.

    Returns
    -------
    (64,) float32
        ``(1 - H) / H``, natural order; zeros at full size.
    """
    half = np.arange(8) * np.pi / 32
    passed = np.cos(half) * (3 * np.cos(half) + np.cos(3 * half)) / 4
    whole = np.ones(8)
    gain = np.outer(passed if down == 2 else whole, passed if across == 2 else whole).ravel()
    out = ((1 - gain) / gain).astype(np.float32)
    out.flags.writeable = False
    return out


@lru_cache
def block_bands(
    size: int,
    blocks: int,
    scale: int,
    step: int = 1,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """How much each window of an axis counts for each block: the Gaussian, averaged over the block.

    Parameters
    ----------
    size : int
        Pixels of the axis at the finest scale.
    blocks : int
        Blocks of 8 pixels that cover it.
    scale : int
        Halvings.
    step : int
        1, or 2 if there is only every other window.

    Returns
    -------
    first : (blocks,) int64
        First window of each block's band, in ``[0, windows]``.
    band : (blocks, n) float64
        Weights of the windows from there on; zero behind the last window.
    """
    pixel = np.arange(8 * blocks).clip(max=size - 1)
    n = size
    for _ in range(scale):
        pixel = (pixel + (n & 1)) >> 1
        n = (n + 1) >> 1
    windows = n - TAPS + 1
    first = (pixel[::8] - TAPS + 1).clip(min=0)
    first = -(-first // step)
    longest = (8 >> min(scale, 3)) + 2 * TAPS
    window = pixel.reshape(blocks, 8, 1) - np.arange(TAPS)
    inside = (window >= 0) & (window < windows) & (window % step == 0)
    cell = window // step - first[:, None, None] + longest * np.arange(blocks)[:, None, None]
    weight = np.broadcast_to(WINDOW / 8, cell.shape)
    band = np.bincount(cell[inside], weight[inside], blocks * longest).reshape(blocks, longest)
    used = int(np.flatnonzero(band.any(0))[-1]) + 1 if band.any() else 1
    out = np.ascontiguousarray(band[:, :used], np.float64)
    first.flags.writeable = out.flags.writeable = False
    return first, out


@kernel
def _invert(values, squared, constants, out):
    """``1 / (2 v + C)`` of a row of values, or of their squares."""
    one, constant = constants[0], constants[1]
    if squared:
        for i in range(out.size):
            square = values[i] * values[i]
            out[i] = one / (square + square + constant)
    else:
        for i in range(out.size):
            out[i] = one / (values[i] + values[i] + constant)


@kernel
def _accumulate(weight, source, out):
    """``out += weight * source``."""
    for i in range(out.size):
        out[i] += weight * source[i]


@kernel
def weigh_blocks(
    statistics, width, squared_mean, constants,
    first_row, row_band, first_column, column_band, ring, line, out,
):  # fmt: skip
    """``1 / (2 v + C)`` averaged over blocks by the bands of both axes.

    Every window is inverted once: block rows share what lies in the band of both.

    Parameters
    ----------
    statistics : (tiles, h, 2, n) float32 or float64
        Of the windows, ``h`` by `width` of them (:class:`pyjpegml.metrics.Scale`).
    width : int
    squared_mean : bool
        Take the squared mean of each window for v, and not its variance.
    constants : (2,)
        1 and C, of the precision of `statistics`, as are all of the following.
    first_row, row_band, first_column, column_band
        From :func:`block_bands`; bands of at most RING rows.
    ring : (RING, n)
        Scratch.
    line : (n,)
        Scratch.
    out : (block rows, block columns) float64
        The averages are added to what is there.
    """
    tiles, height, _, tile = statistics.shape
    statistic = 0 if squared_mean else 1
    for number in range(tiles):
        left = number * tile
        columns = min(tile, width - left)
        made = 0
        outside = 0  # blocks whose bands end before this tile
        while first_column[outside] + column_band.shape[1] <= left:
            outside += 1
        for by in range(out.shape[0]):
            top = first_row[by]
            bottom = min(top + row_band.shape[1], height)
            for r in range(max(made, top), bottom):
                values = statistics[number, r, statistic]
                _invert(values[:columns], squared_mean, constants, ring[r % RING, :columns])
            made = max(made, bottom)
            for i in range(columns):
                line[i] = 0.0
            for r in range(top, bottom):
                _accumulate(row_band[by, r - top], ring[r % RING, :columns], line[:columns])
            for bx in range(outside, out.shape[1]):
                start = first_column[bx] - left
                if start >= columns:
                    break
                total = 0.0
                for t in range(max(-start, 0), min(column_band.shape[1], columns - start)):
                    total += column_band[bx, t] * line[start + t]
                out[by, bx] += total


@kernel
def average_blocks(windows, first_row, row_band, first_column, column_band, line, factor, out):
    """Numbers of windows, averaged over blocks by the bands of both axes.

    Parameters
    ----------
    windows : (h, w) float32
    first_row, row_band, first_column, column_band
        From :func:`block_bands`, in single precision.
    line : (w,) float32
        Scratch.
    factor : float32
    out : (block rows, block columns) float32
        Result.
    """
    height, width = windows.shape
    for by in range(out.shape[0]):
        for i in range(width):
            line[i] = np.float32(0.0)
        top = first_row[by]
        for r in range(top, min(top + row_band.shape[1], height)):
            _accumulate(row_band[by, r - top], windows[r], line)
        for bx in range(out.shape[1]):
            start = first_column[bx]
            total = np.float32(0.0)
            for t in range(min(column_band.shape[1], width - start)):
                total += column_band[bx, t] * line[start + t]
            out[by, bx] = factor * total


def block_maps(reference: Reference) -> npt.NDArray[np.float64]:
    """V of errors of the channels themselves, for each block of 8x8 pixels.

    Returns
    -------
    (channels, 6, rows, columns) float64
    """
    height, width = reference.shape[:2]
    rows, columns = -(-height // 8), -(-width // 8)
    maps = np.zeros((len(reference.channels), TERMS, rows, columns))
    channels, scales = len(reference.channels), len(reference.weights)

    def weigh(task: int) -> None:
        s, c = divmod(task, channels)
        scale = reference.channels[c][s]
        statistics, (high, wide) = scale.statistics, scale.windows
        precision = statistics.dtype
        first_row, row_band = block_bands(max(height, TAPS), rows, s, scale.step)
        first_column, column_band = block_bands(max(width, TAPS), columns, s, scale.step)
        bands = first_row, row_band.astype(precision), first_column, column_band.astype(precision)
        # A counts finest pixels, 4**s to a window
        factor = reference.weights[s] / (high * wide) / 4.0**s
        ring = np.empty((RING, statistics.shape[3]), precision)
        terms = [(s, False, C2)]
        if s == scales - 1:
            terms.append((TERMS - 1, True, C1))
        for term, squared_mean, constant in terms:
            constants = np.array([1.0, constant], precision)
            weigh_blocks(
                statistics, wide, squared_mean, constants, *bands, ring, ring[0].copy(),
                maps[c, term],
            )  # fmt: skip
            maps[c, term] *= factor

    reference.crew.each(weigh, scales * channels)
    return maps


def block_weights(reference: Reference, geometry: Geometry) -> list[npt.NDArray[np.float64]]:
    """V[b, s] of every component: the picture's part of the sensitivity.

    Parameters
    ----------
    reference : Reference
        The original, grey or RGB.
    geometry : Geometry
        Of the encoder's components.

    Returns
    -------
    list of (down, across, 6) float64
        ``V @ basis_energy(...)`` is W, (down, across, 64).
    """
    return mix_weights(block_maps(reference), geometry)


@kernel
def spread(weights, energy, out):
    """W of some blocks, ``V @ A``. (A BLAS would have its threads work on so little, and wait.)

    Parameters
    ----------
    weights : (n, 6) float32
    energy : (6, 64) float32
    out : (n, 64) float32
        Result.
    """
    for b in range(out.shape[0]):
        u, v, w = weights[b, 0], weights[b, 1], weights[b, 2]
        x, y, z = weights[b, 3], weights[b, 4], weights[b, 5]
        for k in range(64):
            out[b, k] = (
                u * energy[0, k] + v * energy[1, k] + w * energy[2, k]
                + x * energy[3, k] + y * energy[4, k] + z * energy[5, k]
            )  # fmt: skip


@kernel
def mix_blocks(maps, factors, across, down, out):
    """V of the channels to V of a component; its blocks cover `across` by `down` blocks of pixels.

    Beyond the picture's border its last blocks are repeated.

    Parameters
    ----------
    maps : (channels, 6, rows, columns) float32 or float64
    factors : (channels,)
        Over the number of blocks of pixels; of the same precision.
    across, down : int
    out : (block rows, block columns, 6)
        Result, of the same precision.
    """
    rows, columns = maps.shape[2], maps.shape[3]
    zero = factors[0] - factors[0]
    for by in range(out.shape[0]):
        for term in range(out.shape[2]):
            for bx in range(out.shape[1]):
                total = zero
                for y in range(by * down, by * down + down):
                    for x in range(bx * across, bx * across + across):
                        for c in range(maps.shape[0]):
                            total += (
                                factors[c] * maps[c, term, min(y, rows - 1), min(x, columns - 1)]
                            )
                out[by, bx, term] = total


def mix_weights(
    maps: npt.NDArray[Real], geometry: Geometry, crew: Crew | None = None
) -> list[npt.NDArray[Real]]:
    """V of the channels to V of the components.

    Parameters
    ----------
    maps : (1, 3 or 4, 6, rows, columns) float32 or float64
        From :func:`block_maps`, of grey, R, G, B, or C, M, Y, K.
    geometry : Geometry
    crew : Crew, optional

    Returns
    -------
    list of (down, across, 6)
        Of the same precision.
    """
    factors = _REACH[len(maps)] / len(maps)

    def mix(i: int) -> npt.NDArray[Real]:
        plane = geometry.planes[i]
        across, down = geometry.h_max // plane.h, geometry.v_max // plane.v
        out = np.empty((plane.down, plane.across, TERMS), maps.dtype)
        mix_blocks(maps, (factors[i] / (across * down)).astype(maps.dtype), across, down, out)
        return out

    return list((Crew(1) if crew is None else crew).each(mix, len(geometry.planes)))
