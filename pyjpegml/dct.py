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
(t0, t4), two by one rotation by pi/8 (t2, t6). *Odd part.* Differences of mirrored samples: four
products with single factors, corrected by sums that all four share. The flow graph draws them as
rotations and additions::

    s0 ──┬─ a0 ─┬─ a0 + a3 ─┬─ t0         b3, b0 ── rotation ──┐
    s7 ──┘      │           └─ t4         b1 + b3 ─┐           ├── t7, t1
    ...         │                                  ├ rotation ─┤
    s3 ──┬─ a3 ─┴─ a0 - a3 ─┐             b0 + b2 ─┘           ├── t5, t3
    s4 ──┘         a1 - a2 ─┴ rotation    b2, b1 ── rotation ──┘
                              t2, t6

*Fixed point.* Factors have 13 fractional bits. Results between the passes keep 2 extra bits, and
each pass is scaled up by sqrt(8): so the forward transform returns 8 S(v, u), as integers, which
the quantizer divides out exactly. Between the passes values are 16-bit: abs(value) <= 8 * 128 * 4 =
4096, and eight of them still fit. A rotation multiplies a pair of 16-bit numbers by a pair of
factors and adds the products in 32 bits, exactly: one instruction for 16 of them
(:meth:`pyjpegml.simd.Vector.madd`). Nothing is rounded but the results of a pass.

*Blocks side by side.* :func:`forward_8` and :func:`inverse_8` take eight vectors, one for each of
the eight inputs; the lanes are as many transforms. A vector holds one row of four blocks, so a pass
over columns takes the vectors as they are, and a pass over rows is one over columns between two
transpositions.

Every decoder of the field rounds a little differently; libjpeg-turbo's rounding is the one that
browsers show, so it is ours, bit for bit, as long as dequantized coefficients are those of 8-bit
samples. Beyond (broken files) the inverse works modulo 2**16, as its vector code does.

Arrays: a component's samples are (8 rows, 8 columns) uint8 with ``rows`` and ``columns`` blocks;
coefficients are (blocks down, blocks across, 64) int16 in natural
order, ``8 v + u``.
"""

from __future__ import annotations

from ._jit import kernel
from .simd import concatenate, interleave, pack, transpose, vector_function

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
# The rotations: factors of a pair of inputs. z1 .. z5 of the published code are multiplied out.
_EVEN_2 = (_F_0_541, _F_0_541 + _F_0_765)  # of e2 and e3
_EVEN_6 = (_F_0_541 - _F_1_847, _F_0_541)
_SHARED_3 = (_F_1_175 - _F_1_961, _F_1_175)  # of b1 + b3 and b0 + b2
_SHARED_4 = (_F_1_175, _F_1_175 - _F_0_390)
_ODD_7 = (_F_0_298 - _F_0_899, -_F_0_899)  # of b3 and b0
_ODD_1 = (-_F_0_899, _F_1_501 - _F_0_899)
_ODD_5 = (_F_2_053 - _F_2_562, -_F_2_562)  # of b2 and b1
_ODD_3 = (-_F_2_562, _F_3_072 - _F_2_562)
_BITS = 13  # fractional bits of the factors
_EXTRA = 2  # bits kept between the passes


def _rotate(a, b, *factors):
    """For each (f, g) of `factors` the sums ``a f + b g``: 32-bit lanes, in two vectors."""
    pairs = interleave(a, b)
    return [[pair.madd(factor) for pair in pairs] for factor in factors]


def _plus(x, y):
    return [a + b for a, b in zip(x, y, strict=True)]


def _minus(x, y):
    return [a - b for a, b in zip(x, y, strict=True)]


def _rounded(x, shift):
    """Back to 16-bit lanes, without `shift` fractional bits."""
    return pack(*((half + (1 << (shift - 1))) >> shift for half in x))


def forward_8(s, last):
    """Forward transforms of length 8, as many as there are lanes (Loeffler et al. 1989).

    Parameters
    ----------
    s : eight vectors of 16-bit lanes
    last : bool
        The first pass returns results times sqrt(8) * 4; the last one takes the 4 out again.
    """
    a0, a1, a2, a3 = s[0] + s[7], s[1] + s[6], s[2] + s[5], s[3] + s[4]
    b0, b1, b2, b3 = s[0] - s[7], s[1] - s[6], s[2] - s[5], s[3] - s[4]
    shift = _BITS + _EXTRA if last else _BITS - _EXTRA

    # |a0 + a3 + a1 + a2| <= 8 * 4096 in the last pass, and only its negative bound is reached
    e0, e1, e2, e3 = a0 + a3, a1 + a2, a1 - a2, a0 - a3
    t0, t4 = e0 + e1, e0 - e1
    if last:
        t0, t4 = (t0 + (1 << _EXTRA >> 1)) >> _EXTRA, (t4 + (1 << _EXTRA >> 1)) >> _EXTRA
    else:
        t0, t4 = t0 << _EXTRA, t4 << _EXTRA
    t2, t6 = _rotate(e2, e3, _EVEN_2, _EVEN_6)

    z3, z4 = _rotate(b1 + b3, b0 + b2, _SHARED_3, _SHARED_4)
    t7, t1 = _rotate(b3, b0, _ODD_7, _ODD_1)
    t5, t3 = _rotate(b2, b1, _ODD_5, _ODD_3)
    t1, t3, t5, t7 = _plus(t1, z4), _plus(t3, z3), _plus(t5, z4), _plus(t7, z3)
    t1, t2, t3, t5, t6, t7 = (_rounded(t, shift) for t in (t1, t2, t3, t5, t6, t7))
    return [t0, t1, t2, t3, t4, t5, t6, t7]


def inverse_8(t, last):
    """Inverse transforms of length 8: the forward flow graph read from right to left.

    Parameters
    ----------
    t : eight vectors of 16-bit lanes, or four
        Dequantized coefficients, then results of the first pass; only the first four if the others
        are zero.
    last : bool
        The first pass returns results times sqrt(8) * 4; the last one takes that out and the
        sqrt(8) of both passes too.
    """
    shift = _BITS + _EXTRA + 3 if last else _BITS - _EXTRA
    if len(t) == 8:
        e0, e1 = _rotate(t[0], t[4], (1 << _BITS, 1 << _BITS), (1 << _BITS, -(1 << _BITS)))
        e2, e3 = _rotate(t[6], t[2], _EVEN_6, _EVEN_2)
        z3, z4 = _rotate(t[3] + t[7], t[1] + t[5], _SHARED_3, _SHARED_4)
        b3, b0 = _rotate(t[7], t[1], _ODD_7, _ODD_1)
        b2, b1 = _rotate(t[5], t[3], _ODD_5, _ODD_3)
        b0, b1, b2, b3 = _plus(b0, z4), _plus(b1, z3), _plus(b2, z4), _plus(b3, z3)
    else:
        # the same without t4 .. t7, each sum in one rotation
        (e0,) = _rotate(t[0], t[0], (1 << _BITS, 0))
        e1 = e0
        e2, e3 = _rotate(t[2], t[2], (_EVEN_6[1], 0), (_EVEN_2[1], 0))
        b0, b1, b2, b3 = _rotate(
            t[1], t[3],
            (_ODD_1[1] + _SHARED_4[1], _SHARED_4[0]), (_SHARED_3[1], _ODD_3[1] + _SHARED_3[0]),
            (_SHARED_4[1], _ODD_5[1] + _SHARED_4[0]), (_ODD_7[1] + _SHARED_3[1], _SHARED_3[0]),
        )  # fmt: skip
    a0, a1, a2, a3 = _plus(e0, e3), _plus(e1, e2), _minus(e1, e2), _minus(e0, e3)
    sums = [_plus(a, b) for a, b in ((a0, b0), (a1, b1), (a2, b2), (a3, b3))]
    differences = [_minus(a, b) for a, b in ((a3, b3), (a2, b2), (a1, b1), (a0, b0))]
    return [_rounded(s, shift) for s in sums + differences]


def forward_rows(samples):
    """Forward transform of blocks side by side.

    Parameters
    ----------
    samples : eight vectors of 16-bit lanes
        The rows, level-shifted: in [-128, 127].

    Returns
    -------
    eight vectors of 16-bit lanes: rows of coefficients, times 8.
    """
    return forward_8(transpose(forward_8(transpose(samples), False)), True)


def inverse_rows(coefficients):
    """Inverse transform of blocks side by side.

    Parameters
    ----------
    coefficients : eight vectors of 16-bit lanes, or four
        The rows, dequantized; only the first four if the last rows and columns are zero.

    Returns
    -------
    eight vectors of 8-bit lanes: rows of samples, level-shifted back and limited to [0, 255].
    """
    columns = transpose(inverse_8(coefficients, False))[: len(coefficients)]
    rows = transpose(inverse_8(columns, True))
    return [(row + 128).to_uint8() for row in rows]


def _exchange(vectors):
    """Four vectors of four 8-lane rows each, as a 4x4 matrix of rows: transposed."""

    def rows(a, b, order):
        return a.shuffle([8 * row + lane for row in order for lane in range(8)], b)

    low = [rows(vectors[k], vectors[k + 1], (0, 4, 1, 5)) for k in (0, 2)]
    high = [rows(vectors[k], vectors[k + 1], (2, 6, 3, 7)) for k in (0, 2)]
    return [rows(*pair, order) for pair in (low, high) for order in ((0, 1, 4, 5), (2, 3, 6, 7))]


def blocks_of_rows(rows):
    """Eight vectors with one row of four blocks each, as four vectors of 64 lanes: the blocks."""
    halves = zip(_exchange(rows[:4]), _exchange(rows[4:]), strict=True)
    return [concatenate(upper, lower) for upper, lower in halves]


def rows_of_blocks(blocks):
    """Four vectors of 64 lanes, one block each, as eight vectors with one row of all four."""
    upper, lower = zip(*(block.halves() for block in blocks), strict=True)
    return _exchange(upper) + _exchange(lower)


def load_samples(plane, offset, stride, lanes):
    """Eight rows of uint8 samples, level-shifted (T.81 A.3.1), as 16-bit lanes."""
    return [plane.load(lanes, offset + stride * y).zext(16) - 128 for y in range(8)]


@vector_function
def forward_four(plane, offset, stride, out, position):
    """Four blocks side by side, from ``plane[offset]`` on; 64 coefficients each to ``out``."""
    rows = forward_rows(load_samples(plane, offset, stride, 32))
    for k, block in enumerate(blocks_of_rows(rows)):
        out.store(block, position + 64 * k)


@vector_function
def forward_one(plane, offset, stride, out, position):
    """One block, as :func:`forward_four`."""
    for v, row in enumerate(forward_rows(load_samples(plane, offset, stride, 8))):
        out.store(row, position + 8 * v)


@vector_function
def inverse_four(coefficients, position, qtable, plane, offset, stride):
    """Dequantize and transform back four blocks of 64 coefficients each, one behind the other."""
    steps = qtable.load(64).trunc(16)
    blocks = [coefficients.load(64, position + 64 * k) * steps for k in range(4)]
    for y, row in enumerate(inverse_rows(rows_of_blocks(blocks))):
        plane.store(row, offset + stride * y)


@vector_function
def inverse_low_four(coefficients, position, qtable, plane, offset, stride):
    """Four blocks as for :func:`inverse_four`, which have no coefficient with u or v above 3."""
    steps = qtable.load(32).trunc(16)
    blocks = [coefficients.load(32, position + 64 * k) * steps for k in range(4)]
    for y, row in enumerate(inverse_rows(_exchange(blocks))):
        plane.store(row, offset + stride * y)


@vector_function
def inverse_flat_four(coefficients, position, qtable, plane, offset, stride):
    """Four blocks as for :func:`inverse_four`, of which only the DC coefficients are looked at.

    Each block has one level, DC / 8: ``(dc + 4) >> 3``, shifted in two steps, so that nothing is
    lost above bit 15.
    """
    dc = [coefficients.load(8, position + 64 * k).shuffle([0] * 8) for k in range(4)]
    all_dc = concatenate(concatenate(*dc[:2]), concatenate(*dc[2:]))
    level = (((all_dc * qtable.load(8).trunc(16).shuffle([0] * 32)) >> 2) + 1) >> 1
    row = (level + 128).to_uint8()
    for y in range(8):
        plane.store(row, offset + stride * y)


@vector_function
def inverse_one(coefficients, position, qtable, plane, offset, stride):
    """One block, as :func:`inverse_four`."""
    rows = [
        coefficients.load(8, position + 8 * v) * qtable.load(8, 8 * v).trunc(16) for v in range(8)
    ]
    for y, row in enumerate(inverse_rows(rows)):
        plane.store(row, offset + stride * y)


@kernel
def forward_dct(plane, rows, columns, out):
    """Transform all blocks of a component (T.81 A.3.3, after the level shift of A.3.1).

    Parameters
    ----------
    plane : (>= 8 rows, >= 8 columns) uint8
    rows, columns : int
        Blocks.
    out : (>= rows, >= columns, 64) int16
        Coefficients times 8, natural order, in [-8192, 8192].

    Notes
    -----
    Loads and stores: block (row, column) is rows ``8 row`` to ``8 row + 7`` and columns
    ``8 column`` to ``8 column + 7`` of the plane, and 64 numbers of `out`; four blocks are taken
    only where ``column + 4 <= columns``.
    """
    stride = plane.shape[1]
    for row in range(rows):
        column = 0
        while column < columns:
            offset = 8 * (row * stride + column)
            position = 64 * (row * out.shape[1] + column)
            if column + 4 <= columns:
                forward_four(plane, offset, stride, out, position)
                column += 4
            else:
                forward_one(plane, offset, stride, out, position)
                column += 1


@kernel
def inverse_dct(coefficients, rows, columns, qtable, plane):
    """Dequantize and transform back all blocks of a component (T.81 A.3.3, A.3.4, F.2.1.5).

    Parameters
    ----------
    coefficients : (>= rows, >= columns, 64) int16
        Quantized, natural order.
    rows, columns : int
        Blocks.
    qtable : (64,) int32
        Quantization table, natural order.
    plane : (>= 8 rows, >= 8 columns) uint8
        Samples, level-shifted back and clipped to [0, 255].

    Notes
    -----
    Loads and stores are in range as those of :func:`forward_dct` are.
    """
    stride = plane.shape[1]
    for row in range(rows):
        column = 0
        while column < columns:
            offset = 8 * (row * stride + column)
            position = 64 * (row * coefficients.shape[1] + column)
            if column + 4 <= columns:
                inverse_four(coefficients, position, qtable, plane, offset, stride)
                column += 4
            else:
                inverse_one(coefficients, position, qtable, plane, offset, stride)
                column += 1
