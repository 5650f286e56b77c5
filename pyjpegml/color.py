"""Colour: RGB to YCbCr and back, in the integer arithmetic of JFIF's reference code.

JFIF (ITU-T T.871, clause 7) takes the luma of ITU-R BT.601 and two colour differences scaled to the
full range of a byte::

    Y  =  0.299    R + 0.587    G + 0.114    B
    Cb = -0.168736 R - 0.331264 G + 0.5      B + 128
    Cr =  0.5      R - 0.418688 G - 0.081312 B + 128

The eye sees luma sharply and colour dimly, so the codec may keep Cb and Cr at half the size
(:mod:`pyjpegml.sampling`) and quantize them more coarsely (:mod:`pyjpegml.quantize`).

*Fixed point.* Each factor is rounded to 16 fractional bits, the sum is rounded and shifted down.
libjpeg does exactly this, with two habits that we share so that pixels agree with it to the last
bit: Cb and Cr round with 0.5 - 2**-16 (so that 255.5 does not become 256), and on the way back the
two products of G are summed before they are rounded.

Arrays: samples are uint8; a picture is (h, 3 w), the rows of an (h, w, 3) array laid flat, because
Numba turns a flat index into vector code and a pair of indexes not; planes are (h, w) or larger.
"""

from __future__ import annotations

import numpy as np

from ._jit import kernel

# factor * 2**16 of libjpeg's five-digit factors (0.16874 and so on), rounded; the three of each sum
# add up to 65536, or to 0
_Y_R, _Y_G, _Y_B = 19595, 38470, 7471
_CB_R, _CB_G = -11059, -21709
_CR_G, _CR_B = -27439, -5329
_HALF = 32768  # 0.5, which is also the factor of B in Cb and of R in Cr
_CENTRE = (128 << 16) + _HALF - 1
_R_CR, _G_CB, _G_CR, _B_CB = 91881, -22554, -46802, 116130


@kernel
def rgb_to_ycbcr(rgb, y, cb, cr):
    """Colour planes of a picture (T.871 clause 7).

    Parameters
    ----------
    rgb : (h, 3 w) uint8
    y, cb, cr : (>= h, >= w) uint8
        Written in their first h rows and w columns.
    """
    width = rgb.shape[1] // 3
    for row in range(rgb.shape[0]):
        source, y_row, cb_row, cr_row = rgb[row], y[row], cb[row], cr[row]
        for i in range(width):
            r = np.int32(source[3 * i])
            g = np.int32(source[3 * i + 1])
            b = np.int32(source[3 * i + 2])
            # all three sums lie in [0, 2**24): no clipping is needed
            y_row[i] = (_Y_R * r + _Y_G * g + _Y_B * b + _HALF) >> 16
            cb_row[i] = (_CB_R * r + _CB_G * g + _HALF * b + _CENTRE) >> 16
            cr_row[i] = (_HALF * r + _CR_G * g + _CR_B * b + _CENTRE) >> 16


@kernel
def ycbcr_to_rgb(y, cb, cr, rgb):
    """Picture of three planes of equal size (T.871 clause 7, solved for R, G, B).

    Parameters
    ----------
    y, cb, cr : (>= h, >= w) uint8
    rgb : (h, 3 w) uint8
        Written whole.
    """
    width = rgb.shape[1] // 3
    for row in range(rgb.shape[0]):
        target, y_row, cb_row, cr_row = rgb[row], y[row], cb[row], cr[row]
        for i in range(width):
            luma = np.int32(y_row[i])
            u = np.int32(cb_row[i]) - 128
            v = np.int32(cr_row[i]) - 128
            r = luma + ((_R_CR * v + _HALF) >> 16)  # in [-179, 433]
            g = luma + ((_G_CB * u + _G_CR * v + _HALF) >> 16)
            b = luma + ((_B_CB * u + _HALF) >> 16)
            target[3 * i] = min(max(r, 0), 255)
            target[3 * i + 1] = min(max(g, 0), 255)
            target[3 * i + 2] = min(max(b, 0), 255)


@kernel
def interleave(first, second, third, picture):
    """Three planes side by side, for files whose components are R, G and B themselves.

    Parameters
    ----------
    first, second, third : (>= h, >= w) uint8
    picture : (h, 3 w) uint8
        Written whole.
    """
    for row in range(picture.shape[0]):
        for i in range(picture.shape[1] // 3):
            picture[row, 3 * i] = first[row, i]
            picture[row, 3 * i + 1] = second[row, i]
            picture[row, 3 * i + 2] = third[row, i]
