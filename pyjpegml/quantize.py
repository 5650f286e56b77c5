"""Quantization: the one step of JPEG that loses something (T.81 A.3.4).

Each of the 64 coefficients is divided by its own step ``q`` and rounded to the nearest integer; the
decoder multiplies back. The error is at most q/2, and coefficients below q/2 vanish: short runs of
zeros, few bits. The table is therefore where an encoder spends or saves; everything before and
after is bookkeeping.

*Quality* is not part of the standard. The number from 1 to 100 that all programs share is the
Independent JPEG Group's: 50 stands for the tables of Annex K, 100 for all steps 1, and between them
the tables are scaled by ``2 - quality / 50`` above and ``50 / quality`` below.

*Rounding* of halves goes away from zero, as libjpeg's does.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ._jit import kernel
from .constants import CHROMINANCE_QTABLE, LUMINANCE_QTABLE


def quality_scale(quality: int) -> int:
    """The IJG's percentage for a quality: 5000 / q below 50, 200 - 2 q from there on."""
    return 5000 // quality if quality < 50 else 200 - 2 * quality


def scaled_qtable(
    table: npt.ArrayLike, quality: int, *, baseline: bool = True
) -> npt.NDArray[np.uint16]:
    """Scale a quantization table to an IJG quality.

    Parameters
    ----------
    table : (8, 8) array of int
        Table for quality 50, natural order.
    quality : int
        1 (worst) to 100 (all steps 1).
    baseline : bool
        Limit steps to 255, as 8-bit baseline files must (T.81 B.2.4.1), else to 32767.

    Returns
    -------
    (8, 8) uint16 array of steps, 1 or more.

    Raises
    ------
    ValueError
        If the quality is not an integer from 1 to 100.

    Examples
    --------
    >>> from pyjpegml.constants import LUMINANCE_QTABLE
    >>> scaled_qtable(LUMINANCE_QTABLE, 90)[0].tolist()
    [3, 2, 2, 3, 5, 8, 10, 12]
    """
    if isinstance(quality, bool) or not isinstance(quality, (int, np.integer)):
        raise TypeError(f"quality must be an integer from 1 to 100, not {quality!r}")
    if not 1 <= quality <= 100:
        raise ValueError(f"quality must be from 1 to 100, not {quality}")
    scaled = (np.asarray(table, np.int64) * quality_scale(int(quality)) + 50) // 100
    return np.clip(scaled, 1, 255 if baseline else 32767).astype(np.uint16)


def standard_qtables(
    quality: int, *, baseline: bool = True
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """Annex K's tables for luminance and chrominance at an IJG quality (Tables K.1, K.2).

    Steps are limited as :func:`scaled_qtable` says.
    """
    luma, chroma = (
        scaled_qtable(table, quality, baseline=baseline)
        for table in (LUMINANCE_QTABLE, CHROMINANCE_QTABLE)
    )
    return luma, chroma


def estimated_quality(qtable: npt.ArrayLike) -> tuple[int, bool]:
    """The IJG quality whose luminance table is nearest to a given one.

    Parameters
    ----------
    qtable : (8, 8) array of int

    Returns
    -------
    quality : int, 1 to 100
    exact : bool
        Whether the table is exactly that quality's.
    """
    table = np.asarray(qtable, np.int64).reshape(8, 8)
    differences = _luminance_qtables(bool(table.max() <= 255)) - table
    distances = np.abs(differences).sum(axis=(1, 2))
    best = int(np.argmin(distances))
    return best + 1, bool(distances[best] == 0)


@lru_cache
def _luminance_qtables(baseline: bool) -> npt.NDArray[np.int64]:
    """The luminance tables of all qualities, from 1 on."""
    return np.array(
        [scaled_qtable(LUMINANCE_QTABLE, q, baseline=baseline) for q in range(1, 101)], np.int64
    )


def reciprocals(qtable: npt.NDArray[np.integer]) -> npt.NDArray[np.int16]:
    """What :func:`quantized` multiplies by, for steps of at most 255.

    Returns
    -------
    (192,) int16 array, to be read as unsigned: half a step times 8, reciprocal and scale of the 64
    steps.

    Notes
    -----
    Let d = 8 q and b such that 2**b < d <= 2**(b + 1). With R = ceil(2**(16 + b) / d), which is
    below 2**16, R d exceeds 2**(16 + b) by less than d. So for n < 2**15 ::

        n / d <= n R / 2**(16 + b) < n / d + n / 2**(16 + b) <= n / d + 1 / d

    and ``n R >> (16 + b)`` is exactly ``n // d``. The shift is made in two parts: 16 bits by taking
    the high half of the product, b bits by the high half of that times 2**(16 - b).
    """
    steps = 8 * qtable.astype(np.int64).reshape(64)
    shift = np.ceil(np.log2(steps)).astype(np.int64) - 1
    inverse = -(-(1 << (16 + shift)) // steps)
    return np.concatenate([steps // 2, inverse, 1 << (16 - shift)]).astype(np.uint16).view(np.int16)


def quantized(coefficients, half, reciprocal, scale):
    """Divide 16-bit lanes by the table and round to the nearest, halves away from zero.

    Parameters
    ----------
    coefficients : vector
        Times 8, in [-8192, 8192]; with half a step times 8 still below 2**15.
    half, reciprocal, scale : vectors
        Of the same coefficients, from :func:`reciprocals`.
    """
    sign = coefficients >> 15
    size = (coefficients ^ sign) - sign
    level = (size + half).multiply_high(reciprocal).multiply_high(scale)
    return (level ^ sign) - sign


@kernel
def quantize(coefficients, qtable, rounding, out):
    """Divide by the table and round (T.81 A.3.4).

    Parameters
    ----------
    coefficients : (rows, columns, 64) int16
        Times 8, as :func:`pyjpegml.dct.forward_dct` returns them.
    qtable : (64,) int32
        Steps from 1 to 65535, natural order.
    rounding : float
        Part of a step that is added to the size of AC coefficients before the fraction is dropped:
        1/2 rounds to the nearest, halves away from zero; less makes a *deadzone*, in which more of
        them become zero. DC is always rounded to the nearest. (Coefficients are in eighths; so is
        the sum, rounded.)
    out : (rows, columns, 64) int16

    Notes
    -----
    A division is slow, and vector units have none for integers. With n = abs(c) + 4 q < 2**19 and
    d = 8 q, ``floor((n + 1/2) * (1 / d))`` in single precision is exactly ``n // d``: the true
    quotient is at least 1/(2 d) away from an integer, and the error of the product is below
    n / d * 2**-22, which is less than that as long as n < 2**20.
    """
    rows, columns = out.shape[0], out.shape[1]
    offset, half = np.float32(8.0 * rounding), np.float32(4.0)
    for row in range(rows):
        for column in range(columns):
            source, target = coefficients[row, column], out[row, column]
            for k in range(64):
                c = np.int32(source[k])
                q = qtable[k]
                n = (
                    np.float32(abs(c))
                    + (offset if k > 0 else half) * np.float32(q)
                    + np.float32(0.5)
                )
                level = np.int32(n * (np.float32(0.125) / np.float32(q)))
                target[k] = level if c >= 0 else -level
