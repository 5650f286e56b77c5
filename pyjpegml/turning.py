"""Blocks of coefficients turned: what a rotated picture's blocks are, exactly.

A cosine of frequency u is symmetric about the middle of its block if u is even, and changes its
sign there if u is odd. So a block that is mirrored from left to right keeps its coefficients, those
of odd u with the other sign; mirrored from top to bottom, those of odd v; and transposed, u and v
change places. Every rotation is a transposition and then mirrors::

    clockwise by 90 degrees     transposed, then mirrored from left to right
    by 180 degrees              mirrored both ways
    clockwise by 270 degrees    transposed, then mirrored from top to bottom

The blocks themselves take each other's places in the same way. No coefficient changes its size, so
nothing is lost, and doing the opposite gives back the file.

*Edges.* Where the picture ends within a block (or an MCU: all components are turned together), the
rest is padding that nobody sees. Mirrored, it would come to lie at the left or at the top, where a
picture cannot begin. So columns and rows behind the last whole MCU are never mirrored in their
direction: they stay where they are, as in libjpeg's jpegtran, or the caller cuts them off.
"""

from __future__ import annotations

import numpy as np

from ._jit import kernel
from .simd import vector_function

_PLACES = np.arange(64).reshape(8, 8)
_TRANSPOSED = tuple(int(k) for k in _PLACES.T.ravel())

#: By 1 if mirrored from left to right, plus 2 if from top to bottom: -1 in place of each
#: coefficient (natural order) whose sign changes, else 0.
SIGNS = np.array(
    [-((k & across) ^ (k >> 3 & down)) for down in (0, 1) for across in (0, 1) for k in range(64)],
    np.int16,
)
SIGNS.flags.writeable = False


@vector_function
def put_block(source, start, signs, mirrors, out, place):
    """One block, mirrored: ``(c ^ -1) - -1`` is ``-c``."""
    flips = signs.load(64, mirrors * 64)
    out.store((source.load(64, start) ^ flips) - flips, place)


@vector_function
def put_transposed(source, start, signs, mirrors, out, place):
    """One block, transposed and then mirrored."""
    flips = signs.load(64, mirrors * 64)
    out.store((source.load(64, start).shuffle(_TRANSPOSED) ^ flips) - flips, place)


@kernel
def turn_blocks(
    source, start, stride, transposed, mirrored_across, mirrored_down, left, top, signs, out,
    out_start, out_stride, across, down,
):  # fmt: skip
    """A part of a component, turned.

    Parameters
    ----------
    source : (n,) int16
    start, stride : int
        Its first coefficient, and blocks in a row of its array.
    transposed : bool
        Whether rows become columns, before anything else.
    mirrored_across, mirrored_down : int
        Blocks of the turned component, from its left and its top, that are mirrored as a whole; 0
        for none.
    left, top : int
        The first block of the turned component that is wanted.
    signs : (256,) int16
        SIGNS.
    out : (m,) int16
        Another array than the source.
    out_start, out_stride : int
        As of the source.
    across, down : int
        How many blocks are wanted.

    Notes
    -----
    Loads and stores: 64 numbers of a block. The caller sees to it that ``left + across`` and
    ``top + down`` lie within the turned component, as the numbers of mirrored blocks do: a mirror
    takes a number below it to another one below it.
    """
    for i in range(down):
        row, upside_down = top + i, 0
        if row < mirrored_down:
            row, upside_down = mirrored_down - 1 - row, 2
        for k in range(across):
            column, mirrors = left + k, upside_down
            if column < mirrored_across:
                column, mirrors = mirrored_across - 1 - column, mirrors + 1
            place = out_start + 64 * (i * out_stride + k)
            if transposed:
                block = start + 64 * (column * stride + row)
                put_transposed(source, block, signs, mirrors, out, place)
            else:
                block = start + 64 * (row * stride + column)
                put_block(source, block, signs, mirrors, out, place)
