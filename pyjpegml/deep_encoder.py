"""Deep samples, the other way: 12 bits, from pixels to quantized coefficients.

The counterpart of :mod:`pyjpegml.deep`, with the mathematics of :mod:`pyjpegml.color`,
:mod:`pyjpegml.sampling`, :mod:`pyjpegml.dct` and :mod:`pyjpegml.quantize` in 32-bit arithmetic, and
libjpeg's roundings.

*Forward DCT.* The flow graph of :mod:`pyjpegml.dct` with factors of 13 fractional bits, and only 1
extra bit between the passes. Level-shifted samples are in [-2048, 2047]; the first pass returns
them times sqrt(8) * 2: below 2**15. The second pass returns coefficients times 8, below 2**17
(Parseval: 8 * 8 * 2048); before the 14 fractional bits are shifted out they are below 2**31. Its
sums are taken modulo 2**32, which does no harm since the results fit.

*Quantization.* Coefficients times 8 do not fit 16 bits, so a block is quantized as soon as it is
transformed, and only levels are kept: at most 2**14 in size, 14 categories for AC and 15 for DC
differences (T.81 F.1.2.1.1, F.1.2.2.1).

Arrays: planes are uint16, below 4096; a picture is (h, 3 w), the rows of an (h, w, 3) array laid
flat.
"""

from __future__ import annotations

import numpy as np

from ._jit import kernel
from .deep import (
    _BITS,
    _EVEN,
    _EVEN_2,
    _EVEN_6,
    _EXTRA,
    _ODD_1,
    _ODD_3,
    _ODD_5,
    _ODD_7,
    _PAIR_53,
    _PAIR_71,
    _SHARED,
    _SHARED_3,
    _SHARED_4,
    _transpose,
)
from .sampling import box_means
from .simd import vector_function


@kernel
def downsample(plane, across, down, out):
    """Merge samples as :func:`pyjpegml.sampling.downsample` does.

    Parameters
    ----------
    plane : (>= down * h, >= across * w) uint16
    across, down : int, 1 to 4
    out : (h, w) uint16
    """
    if across != 2 or down > 2:
        box_means(plane, across, down, out)
        return
    for row in range(out.shape[0]):
        above, below, target = plane[row * down], plane[row * down + down - 1], out[row]
        for i in range(target.size):
            upper = np.int32(np.int32(above[2 * i]) + np.int32(above[2 * i + 1]))
            lower = np.int32(np.int32(below[2 * i]) + np.int32(below[2 * i + 1]))
            turn = np.int32(i & 1)
            if down == 2:
                target[i] = np.int32(upper + lower + 1 + turn) >> 2
            else:
                target[i] = np.int32(upper + turn) >> 1


def forward_8(s, last):
    """Forward transforms of length 8, as many as there are lanes (Loeffler et al. 1989).

    Parameters
    ----------
    s : eight vectors of 32-bit lanes
    last : bool
        The first pass returns results times sqrt(8) * 2; the last one takes the 2 out again.
    """
    a0, a1, a2, a3 = s[0] + s[7], s[1] + s[6], s[2] + s[5], s[3] + s[4]
    b0, b1, b2, b3 = s[0] - s[7], s[1] - s[6], s[2] - s[5], s[3] - s[4]
    e0, e1, e2, e3 = a0 + a3, a1 + a2, a1 - a2, a0 - a3
    shift = _BITS + _EXTRA if last else _BITS - _EXTRA
    half = 1 << (shift - 1)

    t0, t4 = e0 + e1, e0 - e1
    if last:
        t0, t4 = (t0 + (1 << _EXTRA >> 1)) >> _EXTRA, (t4 + (1 << _EXTRA >> 1)) >> _EXTRA
    else:
        t0, t4 = t0 << _EXTRA, t4 << _EXTRA
    z = (e2 + e3) * _EVEN + half
    t2, t6 = z + e3 * _EVEN_2, z + e2 * _EVEN_6

    z1, z2 = (b3 + b0) * _PAIR_71 + half, (b2 + b1) * _PAIR_53 + half
    z3, z4 = b3 + b1, b2 + b0
    z5 = (z3 + z4) * _SHARED
    z3, z4 = z3 * _SHARED_3 + z5, z4 * _SHARED_4 + z5
    t7, t5 = b3 * _ODD_7 + z1 + z3, b2 * _ODD_5 + z2 + z4
    t3, t1 = b1 * _ODD_3 + z2 + z3, b0 * _ODD_1 + z1 + z4
    t1, t2, t3, t5, t6, t7 = (t >> shift for t in (t1, t2, t3, t5, t6, t7))
    return [t0, t1, t2, t3, t4, t5, t6, t7]


@vector_function
def _forward_block(plane, offset, stride, out):
    """64 samples from ``plane[offset]`` on to coefficients times 8, natural order."""
    samples = [plane.load(8, offset + stride * y).zext(32) - 2048 for y in range(8)]
    rows = forward_8(_transpose(samples), False)
    for v, row in enumerate(forward_8(_transpose(rows), True)):
        out.store(row, 8 * v)


@kernel
def transform(plane, rows, columns, qtable, block, out):
    """Transform and quantize all blocks of a 12-bit component (T.81 A.3.3, A.3.4).

    Parameters
    ----------
    plane : (>= 8 rows, >= 8 columns) uint16
        Samples below 4096.
    rows, columns : int
        Blocks.
    qtable : (64,) int32
        Steps from 1 to 65535, natural order.
    block : (64,) int32
        Scratch.
    out : (>= rows, >= columns, 64) int16
        Levels, natural order; halves are rounded away from zero.

    Notes
    -----
    Loads are rows ``8 row`` to ``8 row + 7`` and columns ``8 column`` to ``8 column + 7`` of the
    plane. The division is that of :func:`pyjpegml.quantize.quantize`, exact as long as
    ``abs(c) + 4 q < 2**20``; here it is below 2**17 + 2**18.
    """
    stride = plane.shape[1]
    for row in range(rows):
        for column in range(columns):
            _forward_block(plane, 8 * (row * stride + column), stride, block)
            target = out[row, column]
            for k in range(64):
                c = block[k]
                q = np.float32(qtable[k])
                n = np.float32(abs(c)) + np.float32(4.0) * q + np.float32(0.5)
                level = np.int32(n * (np.float32(0.125) / q))
                target[k] = level if c >= 0 else -level
