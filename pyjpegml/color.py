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

from typing import Any

import numpy as np
import numpy.typing as npt

from ._jit import kernel
from .simd import concatenate, pack, vector_function
from .simd import interleave as pairs_of

# factor * 2**16 of libjpeg's five-digit factors (0.16874 and so on), rounded; the three of each sum
# add up to 65536, or to 0
_Y_R, _Y_G, _Y_B = 19595, 38470, 7471
_CB_R, _CB_G = -11059, -21709
_CR_G, _CR_B = -27439, -5329
_HALF = 32768  # 0.5, which is also the factor of B in Cb and of R in Cr
_CENTRE = (128 << 16) + _HALF - 1
_R_CR, _G_CB, _G_CR, _B_CB = 91881, -22554, -46802, 116130


def _even_and_odd(channel):
    """Indices into 96 bytes of RGB and a zero that make pairs (R, G) or (G, B) of 16-bit lanes."""
    first = [range(channel + 3 * parity, 96, 6) for parity in (0, 1)]
    return [[byte for k in starts for byte in (k, 96, k + 1, 96)] for starts in first]


@vector_function
def convert_32(rgb, offset, y, cb, cr, position):
    """32 pixels, 96 bytes from ``rgb[offset]`` on, to 32 samples from `position` on in each plane.

    Even and odd pixels are computed apart, because products of two 16-bit numbers each fill 32
    bits, and put together as the two bytes of 16-bit lanes.
    """
    low, high = rgb.load(64, offset), rgb.load(32, offset + 64)
    zeros = high & 0
    pixels = concatenate(low, concatenate(high, zeros))
    red_green, green_blue = (
        [pixels.shuffle(order).view(16) for order in _even_and_odd(channel)] for channel in (0, 1)
    )
    # factors are 16-bit: that of G in Y is taken in two parts, and 0.5 is subtracted times -1
    sums = [
        (
            rg.madd((_Y_R, _Y_G - 16384)) + gb.madd((16384, _Y_B)) + _HALF,
            rg.madd((_CB_R, _CB_G)) - gb.madd((0, -_HALF)) + _CENTRE,
            gb.madd((_CR_G, _CR_B)) - rg.madd((-_HALF, 0)) + _CENTRE,
        )
        for rg, gb in zip(red_green, green_blue, strict=True)
    ]
    for plane, even, odd in zip((y, cb, cr), *sums, strict=True):
        # all sums lie in [0, 2**24): their third byte is the sample
        samples = (even.shift_right(16) | (odd.shift_right(8) & 0xFF00)).trunc(16)
        plane.store(samples.view(8), position)


@kernel
def rgb_to_ycbcr(rgb, y, cb, cr):
    """Colour planes of a picture (T.871 clause 7).

    Parameters
    ----------
    rgb : (h, 3 w) uint8
    y, cb, cr : (>= h, >= w) uint8
        Written in their first h rows and w columns; all three have rows of the same length.

    Notes
    -----
    Loads and stores: pixels ``i`` to ``i + 31`` of a row, below its width.
    """
    width = rgb.shape[1] // 3
    for row in range(rgb.shape[0]):
        whole = width & ~31
        for i in range(0, whole, 32):
            convert_32(rgb, row * rgb.shape[1] + 3 * i, y, cb, cr, row * y.shape[1] + i)
        for i in range(whole, width):
            r = np.int32(rgb[row, 3 * i])
            g = np.int32(rgb[row, 3 * i + 1])
            b = np.int32(rgb[row, 3 * i + 2])
            y[row, i] = (_Y_R * r + _Y_G * g + _Y_B * b + _HALF) >> 16
            cb[row, i] = (_CB_R * r + _CB_G * g + _HALF * b + _CENTRE) >> 16
            cr[row, i] = (_HALF * r + _CR_G * g + _CR_B * b + _CENTRE) >> 16


def _rounded_product(lanes, factor):
    """``round(lanes * factor / 2**16)`` of 16-bit lanes in [-128, 127].

    The high half of the product with twice the lanes is one instruction; then it is halved.
    """
    product = ((lanes + lanes).sext(32) * factor >> 16).trunc(16)
    return (product + 1) >> 1


def _bytes(even, odd):
    """Even and odd lanes of 16 bits, limited to [0, 255], as bytes in turn."""
    return (even.maximum(0).minimum(255) | odd.maximum(0).minimum(255) << 8).view(8)


def _store_pixels(r, g, b, rgb, position):
    """64 samples of each channel, interleaved."""
    for part in range(3):
        order = [divmod(k, 3) for k in range(64 * part, 64 * part + 64)]
        red_green = r.shuffle([i + 64 * (c == 1) for i, c in order], g)
        rgb.store(
            red_green.shuffle([64 + i if c == 2 else k for k, (i, c) in enumerate(order)], b),
            position + 64 * part,
        )


def _rgb_64(samples, y, cb, cr):
    """64 pixels from YCbCr, as three vectors of bytes; even and odd ones by themselves."""
    channels = []
    for odd in (False, True):
        luma, u, v = (
            row.shift_right(8) if odd else row & 255
            for row in (samples.load(32, offset, 16) for offset in (y, cb, cr))
        )
        u, v = u - 128, v - 128
        # factors less a whole number are below 2**15: 91881 = 2**16 + 26345 and so on
        r = luma + v + _rounded_product(v, _R_CR - 65536)
        b = luma + u + u + _rounded_product(u, _B_CB - 2 * 65536)
        parts = [pair.madd([_G_CB, _G_CR + 65536]) + _HALF for pair in pairs_of(u, v)]
        g = luma - v + pack(*(part >> 16 for part in parts))
        channels.append((r, g, b))
    return [_bytes(*pair) for pair in zip(*channels, strict=True)]


@vector_function
def _convert_64(samples, y, cb, cr, rgb, position):
    """64 pixels of :func:`ycbcr_to_rgb`."""
    _store_pixels(*_rgb_64(samples, y, cb, cr), rgb, position)


@kernel
def ycbcr_to_rgb(samples, y, cb, cr, width, rgb, position):
    """A row of pixels (T.871 clause 7, solved for R, G, B).

    Parameters
    ----------
    samples : (n,) uint8
    y, cb, cr : int
        Where the rows of the three components start: `width` samples each, rounded up to a multiple
        of 64, of which those beyond `width` do not matter.
    width : int
    rgb : (m,) uint8
    position : int
        From there on ``3 * width`` bytes are written, rounded up to a multiple of 192.
    """
    for x in range(0, width, 64):
        _convert_64(samples, y + x, cb + x, cr + x, rgb, position + 3 * x)


@vector_function
def _interleave_64(samples, first, second, third, rgb, position):
    """64 pixels of :func:`interleave`."""
    _store_pixels(*(samples.load(64, offset) for offset in (first, second, third)), rgb, position)


@kernel
def interleave(samples, first, second, third, width, rgb, position):
    """A row of pixels of a file whose components are R, G and B themselves.

    The rows `first`, `second` and `third` of `samples`, of the given `width`, go to `position` of
    `rgb`; what is read and written is as in :func:`ycbcr_to_rgb`.
    """
    for x in range(0, width, 64):
        _interleave_64(samples, first + x, second + x, third + x, rgb, position + 3 * x)


@vector_function
def _copy_64(samples, offset, out, position):
    out.store(samples.load(64, offset), position)


@kernel
def copy_row(samples, offset, width, out, position):
    """A row of grey pixels: `width` bytes of `samples` from `offset` on to `position` in `out`.

    Read and written are `width` bytes rounded up to a multiple of 64.
    """
    for x in range(0, width, 64):
        _copy_64(samples, offset + x, out, position + x)


def _store_inks(c, m, y, k, out, position):
    """64 samples of each of four channels, interleaved."""
    order = [16 * channel + i for i in range(16) for channel in range(4)]
    for part in range(0, 64, 16):
        lanes = range(part, part + 16)
        first, second = (
            concatenate(a.shuffle(lanes), b.shuffle(lanes)) for a, b in ((c, m), (y, k))
        )
        out.store(concatenate(first, second).shuffle(order), position + 4 * part)


@vector_function
def _inks_64(samples, first, second, third, fourth, flip, out, position):
    """64 pixels of :func:`interleave_four`."""
    inks = [samples.load(64, offset) for offset in (first, second, third, fourth)]
    turned = flip.trunc(8).shuffle([0] * 64)
    _store_inks(*(ink ^ turned for ink in inks), out, position)


@kernel
def interleave_four(samples, first, second, third, fourth, width, flip, out, position):
    """A row of pixels of four components.

    Parameters
    ----------
    samples : (n,) uint8
    first, second, third, fourth : int
        Where the rows start. 64 samples at a time are read.
    width : int
    flip : int
        255 to write 255 - x for each sample x, as programs of Adobe's want it; else 0.
    out : (m,) uint8
    position : int
        From there on ``4 * width`` bytes are written, rounded up to a multiple of 256.
    """
    for x in range(0, width, 64):
        _inks_64(samples, first + x, second + x, third + x, fourth + x, flip, out, position + 4 * x)


@vector_function
def _ycck_64(samples, y, cb, cr, k, out, position):
    """64 pixels of :func:`ycck_to_cmyk`."""
    _store_inks(*_rgb_64(samples, y, cb, cr), samples.load(64, k) ^ 255, out, position)


@kernel
def ycck_to_cmyk(samples, y, cb, cr, k, width, out, position):
    """A row of pixels of a YCCK file, as inks: 0 is none.

    Adobe's YCCK is YCbCr of 255 - C, 255 - M, 255 - Y, and 255 - K beside it, all of them turned
    once more in the file; so what comes out as R, G, B is C, M, Y.

    Parameters
    ----------
    samples, width, out, position
        As for :func:`interleave_four`.
    y, cb, cr, k : int
        Where the rows start.
    """
    for x in range(0, width, 64):
        _ycck_64(samples, y + x, cb + x, cr + x, k + x, out, position + 4 * x)


def cmyk_to_rgb(picture: npt.NDArray[Any], precision: int = 8) -> npt.NDArray[Any]:
    """RGB of inks on white paper, without a profile: each ink takes its part of what K leaves.

    Parameters
    ----------
    picture : (h, w, 4) uint8 or uint16
        0 is no ink.
    precision : int
        Bits of a sample, 2 to 16.

    Returns
    -------
    (h, w, 3) array of the same dtype
    """
    top = (1 << precision) - 1
    paper: npt.NDArray[Any] = top - picture.astype(np.uint16 if precision <= 8 else np.uint32)
    rgb: npt.NDArray[Any] = (paper[..., :3] * paper[..., 3:] + (top >> 1)) // top
    return rgb.astype(picture.dtype)
