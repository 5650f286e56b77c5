"""The 8x8 discrete cosine transform, forward and inverse (T.81 A.3.3).

A block of 64 samples is written as a sum of 64 cosine patterns. With C(0) = 1/sqrt(2), else 1::

    S(v, u) = 1/4 C(u) C(v)  sum_y sum_x  s(y, x) cos((2x+1) u pi/16) cos((2y+1) v pi/16)

The transform is orthonormal: it moves energy into few coefficients and changes none of it, so the
squared error of the coefficients is the squared error of the pixels. It is separable: eight
transforms of rows, then eight of columns. One transform of length 8 takes 64 multiplications from
the formula, and 11 in the flow graph of Loeffler, Ligtenberg and Moschytz ("Practical fast 1-D DCT
algorithms with 11 multiplications", ICASSP 1989); we use their other one with 12, which has the
shorter chain of roundings, as libjpeg's accurate ("islow") transform does.

*Even part.* Sums of mirrored samples form a transform of length 4: two outputs by additions only
(S0, S4), two by one rotation by pi/8 (S2, S6). *Odd part.* Differences of mirrored samples: four
products with single factors, corrected by sums that all four share (z1 .. z5).

*Fixed point.* Factors have 13 fractional bits. Results between the passes keep 2 extra bits, and
each pass is scaled up by sqrt(8): so the forward transform returns 8 S(v, u), as integers, which
the quantizer divides out exactly. Intermediate values stay below 2**31 for 8-bit samples: after the
first pass ``abs(value)`` <= 8 * 128 * 4 = 4096, times a factor sum below 4 * 2**13, times 8.

Every decoder of the field rounds a little differently; libjpeg-turbo's rounding is the one that
browsers show, so it is ours, bit for bit.

Arrays: a component's samples are (8 rows, 8 columns) uint8 with ``rows`` and ``columns`` blocks;
coefficients are (blocks down, blocks across, 64) int16 in natural
order, ``8 v + u``.
"""

from __future__ import annotations

import numpy as np

from ._jit import inlined, kernel

# round(2**13 * factor); c(k) stands for sqrt(2) cos(k pi / 16)
_F_0_298 = 2446  # -c1 + c3 + c5 - c7
_F_0_390 = 3196  #  c3 - c5
_F_0_541 = 4433  #  c6
_F_0_765 = 6270  #  c2 - c6
_F_0_899 = 7373  #  c3 - c7
_F_1_175 = 9633  #  c3
_F_1_501 = 12299  #  c1 + c3 - c5 - c7
_F_1_847 = 15137  #  c2 + c6
_F_1_961 = 16069  #  c3 + c5
_F_2_053 = 16819  #  c1 + c3 - c5 + c7
_F_2_562 = 20995  #  c1 + c3
_F_3_072 = 25172  #  c1 + c3 + c5 - c7
_BITS = 13  # fractional bits of the factors
_EXTRA = 2  # bits kept between the passes


@inlined
def _forward_8(s0, s1, s2, s3, s4, s5, s6, s7):
    """One forward transform of length 8, scaled by sqrt(8) * 2**13, unrounded."""
    a0, a1, a2, a3 = s0 + s7, s1 + s6, s2 + s5, s3 + s4
    b0, b1, b2, b3 = s0 - s7, s1 - s6, s2 - s5, s3 - s4

    e0, e1, e2, e3 = a0 + a3, a1 + a2, a1 - a2, a0 - a3
    z1 = (e2 + e3) * _F_0_541
    t0 = (e0 + e1) << _BITS
    t4 = (e0 - e1) << _BITS
    t2 = z1 + e3 * _F_0_765
    t6 = z1 - e2 * _F_1_847

    z5 = (b3 + b1 + b2 + b0) * _F_1_175
    z1 = (b3 + b0) * -_F_0_899
    z2 = (b2 + b1) * -_F_2_562
    z3 = (b3 + b1) * -_F_1_961 + z5
    z4 = (b2 + b0) * -_F_0_390 + z5
    t7 = b3 * _F_0_298 + z1 + z3
    t5 = b2 * _F_2_053 + z2 + z4
    t3 = b1 * _F_3_072 + z2 + z3
    t1 = b0 * _F_1_501 + z1 + z4
    return t0, t1, t2, t3, t4, t5, t6, t7


@inlined
def _inverse_8(t0, t1, t2, t3, t4, t5, t6, t7):
    """One inverse transform of length 8, scaled by sqrt(8) * 2**13, unrounded: the forward flow
    graph read from right to left.
    """
    z1 = (t2 + t6) * _F_0_541
    e3 = z1 + t2 * _F_0_765
    e2 = z1 - t6 * _F_1_847
    e0 = (t0 + t4) << _BITS
    e1 = (t0 - t4) << _BITS
    a0, a1, a2, a3 = e0 + e3, e1 + e2, e1 - e2, e0 - e3

    z5 = (t7 + t3 + t5 + t1) * _F_1_175
    z1 = (t7 + t1) * -_F_0_899
    z2 = (t5 + t3) * -_F_2_562
    z3 = (t7 + t3) * -_F_1_961 + z5
    z4 = (t5 + t1) * -_F_0_390 + z5
    b3 = t7 * _F_0_298 + z1 + z3
    b2 = t5 * _F_2_053 + z2 + z4
    b1 = t3 * _F_3_072 + z2 + z3
    b0 = t1 * _F_1_501 + z1 + z4
    return a0 + b0, a1 + b1, a2 + b2, a3 + b3, a3 - b3, a2 - b2, a1 - b1, a0 - b0


@kernel
def forward_dct(plane, rows, columns, block, out):
    """Transform all blocks of a component (T.81 A.3.3, after the level shift of A.3.1).

    Parameters
    ----------
    plane : (>= 8 rows, >= 8 columns) uint8
    rows, columns : int
        Blocks.
    block : (64,) int32
        Scratch.
    out : (>= rows, >= columns, 64) int16
        Coefficients times 8, natural order, in [-8192, 8192].
    """
    half = np.int32(1) << (_BITS - _EXTRA - 1)
    half_last = np.int32(1) << (_BITS + _EXTRA - 1)
    for row in range(rows):
        for column in range(columns):
            for y in range(8):
                s = plane[8 * row + y, 8 * column : 8 * column + 8]
                t = _forward_8(
                    np.int32(s[0]) - 128, np.int32(s[1]) - 128,
                    np.int32(s[2]) - 128, np.int32(s[3]) - 128,
                    np.int32(s[4]) - 128, np.int32(s[5]) - 128,
                    np.int32(s[6]) - 128, np.int32(s[7]) - 128,
                )  # fmt: skip
                for u in range(8):
                    block[8 * y + u] = (t[u] + half) >> (_BITS - _EXTRA)
            coefficients = out[row, column]
            for u in range(8):
                t = _forward_8(
                    block[u], block[8 + u], block[16 + u], block[24 + u],
                    block[32 + u], block[40 + u], block[48 + u], block[56 + u],
                )  # fmt: skip
                for v in range(8):
                    coefficients[8 * v + u] = (t[v] + half_last) >> (_BITS + _EXTRA)


@kernel
def inverse_dct(coefficients, rows, columns, qtable, block, plane):
    """Dequantize and transform back all blocks of a component (T.81 A.3.3, A.3.4, F.2.1.5).

    Parameters
    ----------
    coefficients : (>= rows, >= columns, 64) int16
        Quantized, natural order.
    rows, columns : int
        Blocks.
    qtable : (64,) int32
        Quantization table, natural order.
    block : (64,) int32
        Scratch.
    plane : (>= 8 rows, >= 8 columns) uint8
        Samples, level-shifted back and clipped to [0, 255].
    """
    half = np.int32(1) << (_BITS - _EXTRA - 1)
    # the last pass also takes out the two factors sqrt(8), and adds the level shift
    shift = _BITS + _EXTRA + 3
    half_last = (np.int32(1) << (shift - 1)) + (np.int32(128) << shift)
    for row in range(rows):
        for column in range(columns):
            c = coefficients[row, column]
            for u in range(8):
                s = _inverse_8(
                    np.int32(c[u]) * qtable[u], np.int32(c[8 + u]) * qtable[8 + u],
                    np.int32(c[16 + u]) * qtable[16 + u], np.int32(c[24 + u]) * qtable[24 + u],
                    np.int32(c[32 + u]) * qtable[32 + u], np.int32(c[40 + u]) * qtable[40 + u],
                    np.int32(c[48 + u]) * qtable[48 + u], np.int32(c[56 + u]) * qtable[56 + u],
                )  # fmt: skip
                for y in range(8):
                    block[8 * y + u] = (s[y] + half) >> (_BITS - _EXTRA)
            for y in range(8):
                o = 8 * y
                s = _inverse_8(
                    block[o], block[o + 1], block[o + 2], block[o + 3],
                    block[o + 4], block[o + 5], block[o + 6], block[o + 7],
                )  # fmt: skip
                samples = plane[8 * row + y, 8 * column : 8 * column + 8]
                for x in range(8):
                    samples[x] = min(max((s[x] + half_last) >> shift, 0), 255)
