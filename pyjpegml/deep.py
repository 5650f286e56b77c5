"""Deep samples: more than 8 bits, from coefficients to pixels.

T.81 allows 12 bits a sample in the extended sequential and the progressive process, and 2 to 16 in
the lossless one. Coefficients are coded as those of 8 bits are, with 4 more bits (F.1.2: categories
to 15 for DC and 14 for AC); what comes behind the entropy decoder stands here once more, with room
for them. The mathematics is that of :mod:`pyjpegml.dct`, :mod:`pyjpegml.sampling` and
:mod:`pyjpegml.color`; the arithmetic is 32-bit.

*Inverse DCT.* The same flow graph, with factors of 13 fractional bits, but only 1 extra bit between
the passes. Its sums are taken modulo 2**32, which does no harm as long as the results are smaller.
They are: the squares of the coefficients of a block add up to those of its 64 samples (Parseval),
so to 16384**2 at most; quantizing makes none of them larger than twice what it was; so eight of
them add up to 2 sqrt(8) 16384 at most, and that times 2**13 sqrt(2) is below 2**31. Broken files
may have larger ones, and other pixels then than libjpeg gives them.

*Limiting.* libjpeg looks the sample up by the 14 lowest bits of the result, so values beyond
[-8192, 8191] come in again at the other end. So they do here.

*Upsampling.* After a DCT libjpeg uses the triangle filter where it does for 8 bits. Lossless files
with subsampled components are rare: their samples are repeated, always.

*Colour.* The factors of JFIF with 16 fractional bits, for any precision. On the way to RGB the
products would not fit 32 bits, so whole numbers are taken out of the factors first, which changes
no result; the way back, for callers that ask for it, takes 64. libjpeg-turbo itself refuses to
convert the colours of lossless files.

Arrays: planes are uint16, (lines, columns) or larger, C-contiguous; a picture of n components is
(h, n w), the rows of an (h, w, n) array laid flat (as in :mod:`pyjpegml.color`).
"""

from __future__ import annotations

import math

import numpy as np

from ._jit import kernel
from .color import (
    _B_CB,
    _CB_G,
    _CB_R,
    _CR_B,
    _CR_G,
    _G_CB,
    _G_CR,
    _HALF,
    _R_CR,
    _Y_B,
    _Y_G,
    _Y_R,
)
from .simd import vector_function

_BITS = 13  # fractional bits of the factors
_EXTRA = 1  # bits kept between the passes


def _factor(c1=0, c2=0, c3=0, c5=0, c6=0, c7=0):
    """``sqrt(2) (c1 cos(pi / 16) + c2 cos(2 pi / 16) + ...)``, rounded to _BITS."""
    terms = ((c1, 1), (c2, 2), (c3, 3), (c5, 5), (c6, 6), (c7, 7))
    total = sum(factor * math.cos(k * math.pi / 16) for factor, k in terms)
    return round(math.sqrt(2) * total * 2**_BITS)


_EVEN, _EVEN_2, _EVEN_6 = _factor(c6=1), _factor(c2=1, c6=-1), _factor(c2=-1, c6=-1)
_SHARED, _SHARED_3, _SHARED_4 = _factor(c3=1), _factor(c3=-1, c5=-1), _factor(c3=-1, c5=1)
_PAIR_71, _PAIR_53 = _factor(c3=-1, c7=1), _factor(c1=-1, c3=-1)
_ODD_7, _ODD_5 = _factor(c1=-1, c3=1, c5=1, c7=-1), _factor(c1=1, c3=1, c5=-1, c7=1)
_ODD_3, _ODD_1 = _factor(c1=1, c3=1, c5=1, c7=-1), _factor(c1=1, c3=1, c5=-1, c7=-1)


def inverse_8(t, half):
    """Inverse transforms of length 8, as many as there are lanes (Loeffler et al. 1989).

    Parameters
    ----------
    t : eight vectors of 32-bit lanes
    half : int
        Added to each result: half of what the caller divides by.

    Returns
    -------
    eight vectors of 32-bit lanes: sqrt(8) times the transforms, with _BITS fractional bits.
    """
    z = (t[2] + t[6]) * _EVEN
    e2, e3 = z + t[6] * _EVEN_6, z + t[2] * _EVEN_2
    e0, e1 = ((t[0] + t[4]) << _BITS) + half, ((t[0] - t[4]) << _BITS) + half

    z1, z2 = (t[7] + t[1]) * _PAIR_71, (t[5] + t[3]) * _PAIR_53
    z3, z4 = t[7] + t[3], t[5] + t[1]
    z5 = (z3 + z4) * _SHARED
    z3, z4 = z3 * _SHARED_3 + z5, z4 * _SHARED_4 + z5
    b3, b2 = t[7] * _ODD_7 + z1 + z3, t[5] * _ODD_5 + z2 + z4
    b1, b0 = t[3] * _ODD_3 + z2 + z3, t[1] * _ODD_1 + z1 + z4

    a0, a1, a2, a3 = e0 + e3, e1 + e2, e1 - e2, e0 - e3
    return [a0 + b0, a1 + b1, a2 + b2, a3 + b3, a3 - b3, a2 - b2, a1 - b1, a0 - b0]


def _transpose(rows):
    """Eight vectors of 8 lanes, transposed as :func:`pyjpegml.simd.transpose` does it."""
    low = [lane for k in range(4) for lane in (k, 8 + k)]
    for _ in range(3):
        rows = [
            rows[k].shuffle([lane + start for lane in low], rows[k + 4])
            for k in range(4)
            for start in (0, 4)
        ]
    return rows


@vector_function
def _inverse_block(coefficients, position, qtable, plane, offset, stride):
    """Dequantize and transform back 64 coefficients; 12-bit samples to ``plane[offset]`` and on."""
    t = [coefficients.load(8, position + 8 * v).sext(32) * qtable.load(8, 8 * v) for v in range(8)]
    shift = _BITS - _EXTRA
    columns = [half >> shift for half in inverse_8(t, 1 << (shift - 1))]
    shift = _BITS + _EXTRA + 3  # sqrt(8) of both passes
    results = inverse_8(_transpose(columns), 1 << (shift - 1))
    for y, row in enumerate(_transpose(results)):
        level = (row << (32 - 14 - shift)) >> (32 - 14)  # 14 bits and their sign
        plane.store((level + 2048).maximum(0).minimum(4095).trunc(16), offset + stride * y)


@kernel
def reconstruct(coefficients, rows, columns, qtable, plane):
    """Dequantize and transform back all blocks of a 12-bit component (T.81 A.3.3, A.3.4).

    Parameters
    ----------
    coefficients : (>= rows, >= columns, 64) int16
        Quantized, natural order.
    rows, columns : int
        Blocks.
    qtable : (64,) int32
        Quantization table, natural order.
    plane : (>= 8 rows, >= 8 columns) uint16
        Samples, level-shifted back and limited to [0, 4095].

    Notes
    -----
    Loads and stores: block (row, column) is 64 numbers of `coefficients`, and rows ``8 row`` to
    ``8 row + 7`` and columns ``8 column`` to ``8 column + 7`` of the plane.
    """
    stride = plane.shape[1]
    for row in range(rows):
        for column in range(columns):
            position = 64 * (row * coefficients.shape[1] + column)
            offset = 8 * (row * stride + column)
            _inverse_block(coefficients, position, qtable, plane, offset, stride)


@kernel
def upsample(plane, width, height, across, down, out):
    """A 12-bit component of a DCT process at full size, as libjpeg does it by default.

    The triangle filter of :mod:`pyjpegml.sampling` for 2 x 1, 2 x 2 and 1 x 2, on components wider
    than 2 if columns were merged; all else is repeated.

    Parameters
    ----------
    plane : (>= height, >= width) uint16
        12-bit samples.
    width, height : int
        Samples that are part of the picture.
    across, down : int
        How many columns and rows of the picture one sample covers.
    out : (>= down * height, >= across * width) uint16
    """
    for y in range(down * height):
        nearest = y // down
        near, line = plane[nearest], out[y]
        # the row on the other side; outside the picture, the outermost again
        below = y - nearest * down
        far = plane[min(nearest + 1, height - 1) if below else max(nearest - 1, 0)]
        # views that are shifted by one sample, so that no index is negative
        n, f, m, g = near[: width - 1], far[: width - 1], near[1:width], far[1:width]
        if across == 1 and down == 2:
            for x in range(width):
                line[x] = np.int32(np.int32(near[x]) * 3 + np.int32(far[x]) + 1 + below) >> 2
        elif across == 2 and down == 1 and width > 2:
            pairs = line[1 : 2 * width - 1]
            line[0] = near[0]
            for x in range(width - 1):
                a, b = np.int32(n[x]), np.int32(m[x])
                pairs[2 * x] = np.int32(a * 3 + b + 2) >> 2
                pairs[2 * x + 1] = np.int32(b * 3 + a + 1) >> 2
            line[2 * width - 1] = near[width - 1]
        elif across == 2 and down == 2 and width > 2:
            pairs = line[1 : 2 * width - 1]
            line[0] = np.int32(np.int32(near[0]) * 3 + np.int32(far[0]) + 2) >> 2
            for x in range(width - 1):
                a = np.int32(np.int32(n[x]) * 3 + np.int32(f[x]))
                b = np.int32(np.int32(m[x]) * 3 + np.int32(g[x]))
                pairs[2 * x] = np.int32(a * 3 + b + 7) >> 4
                pairs[2 * x + 1] = np.int32(b * 3 + a + 8) >> 4
            last = np.int32(np.int32(near[width - 1]) * 3 + np.int32(far[width - 1]))
            line[2 * width - 1] = np.int32(last * 4 + 7) >> 4
        else:
            for x in range(width):
                for k in range(across):
                    line[across * x + k] = near[x]


@kernel
def place(plane, across, down, shift, out, channel, channels):
    """One component of a picture, its samples repeated and shifted up by a point transform.

    Parameters
    ----------
    plane : (>= h / down, >= w / across) uint16
    across, down : int
        How many columns and rows of the picture one sample covers.
    shift : int
        Bits of the point transform (T.81 H.1.2.1), 0 to 15.
    out : (h, channels * w) uint8 or uint16
        Column ``channels * x + channel`` is written for each pixel x.
    channel, channels : int
    """
    width = out.shape[1] // channels
    for y in range(out.shape[0]):
        line, target = plane[y // down], out[y, channel:]
        if across == 1 and channels == 1:
            for x in range(width):
                target[x] = line[x] << shift
        elif across == 1:
            for x in range(width):
                target[channels * x] = line[x] << shift
        else:
            for x in range(width):
                target[channels * x] = line[x // across] << shift


@kernel
def ycbcr_to_rgb(y, cb, cr, precision, width, height, flip):
    """YCbCr planes to R, G and B (T.871 clause 7, solved for them), in place.

    Parameters
    ----------
    y, cb, cr : (>= height, >= width) uint16
        Samples of `precision` bits; afterwards R, G and B.
    precision : int
        2 to 16.
    width, height : int
    flip : int
        Exclusive or for each result: 0, or ``2 ** precision - 1`` for C, M and Y of a YCCK file.
    """
    centre, top = np.int32(1 << (precision - 1)), np.int32((1 << precision) - 1)
    mask = np.int32(flip)
    for row in range(height):
        luma, blue, red = y[row], cb[row], cr[row]
        for x in range(width):
            level = np.int32(luma[x])
            u = np.int32(np.int32(blue[x]) - centre)
            v = np.int32(np.int32(red[x]) - centre)
            # factors less a whole number are below 2**15: 91881 = 2**16 + 26345 and so on
            r = np.int32(level + v + (np.int32(v * (_R_CR - 65536) + _HALF) >> 16))
            g = np.int32(level - v + (np.int32(u * _G_CB + v * (_G_CR + 65536) + _HALF) >> 16))
            b = np.int32(level + u * 2 + (np.int32(u * (_B_CB - 131072) + _HALF) >> 16))
            luma[x] = min(max(r, np.int32(0)), top) ^ mask
            blue[x] = min(max(g, np.int32(0)), top) ^ mask
            red[x] = min(max(b, np.int32(0)), top) ^ mask


@kernel
def rgb_to_ycbcr(rgb, precision, y, cb, cr):
    """Colour planes of a picture (T.871 clause 7).

    Parameters
    ----------
    rgb : (h, 3 w) uint8 or uint16
        Samples of `precision` bits.
    precision : int
        2 to 16.
    y, cb, cr : (>= h, >= w) of the same dtype
        Written in their first h rows and w columns.
    """
    centre = (1 << (precision + 15)) + _HALF - 1
    width = rgb.shape[1] // 3
    for row in range(rgb.shape[0]):
        line, luma, blue, red = rgb[row], y[row], cb[row], cr[row]
        for x in range(width):
            r, g, b = np.int64(line[3 * x]), np.int64(line[3 * x + 1]), np.int64(line[3 * x + 2])
            luma[x] = (_Y_R * r + _Y_G * g + _Y_B * b + _HALF) >> 16
            blue[x] = (_CB_R * r + _CB_G * g + _HALF * b + centre) >> 16
            red[x] = (_HALF * r + _CR_G * g + _CR_B * b + centre) >> 16
