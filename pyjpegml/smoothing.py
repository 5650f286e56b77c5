"""Smoothing between blocks: a guess at low frequencies that a progressive file has not sent yet.

After its first scan a progressive picture has nothing but DC: each block is a flat square. But the
DC of the blocks around tell which way the picture slopes and bends there, and so what the lowest AC
coefficients are likely to be. T.81 K.8 proposes to fit a surface of second degree to the DC of 3x3
blocks. libjpeg-turbo, since version 2.1, takes 5x5, and does it by default whenever the scans of a
file stop early; so this is part of what "the same pixels" means. Its rules:

- The picture is smoothed if it is progressive, something is known of the DC of every component, and
  of some component one of the nine lowest AC coefficients is not known to the last bit
  (:func:`applies`).
- A coefficient is estimated if it is zero as far as it is known, and not known to the last bit. If
  just its ``low`` lowest bits are unknown, the estimate is limited to what they can hold.
- Where all nine are wholly unknown, all are estimated, and DC itself is replaced by a weighted mean
  over the 25 blocks (``BY_DC_ALONE``). Otherwise it is the five lowest, with other weights that do
  not smooth along with it (``BESIDE_AC``).

*Estimate.* With D the DC of the blocks around, w the weights of a frequency (v, u) and Q the
quantization table, in whole numbers and rounded half away from zero::

    coefficient(v, u) = Q(0, 0) * sum(w * D) / (256 * Q(v, u))

The weights of (u, v) are those of (v, u) transposed. They are computed for eight blocks at a time.

*In place.* Estimates are put where the coefficients are; what they are made from, the DC of all
blocks as they came, is kept apart.

*Borders.* Beyond the left and right edge of a component its outermost blocks are repeated. Above
and below it is rows of blocks that are repeated, by rules that follow libjpeg-turbo's buffers of
whole MCUs to the letter (:func:`_row_numbers`): the dummy blocks below the last row are looked at
from the row of MCUs above.

Coefficients are int16, sums of weighted DC stay within 432 * 32768 < 2**24, and the estimate is
reckoned in 64 bits; one that does not fit into 16, which no picture brings about, wraps.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._jit import inlined, kernel
from .constants import ZIGZAG
from .scan import wrapped
from .simd import vector_function

#: How many coefficients of the zigzag path take part: DC and nine of AC.
COEFFICIENTS = 10


def _with_transposed(
    weights: dict[tuple[int, int], list[list[int]]],
) -> dict[tuple[int, int], npt.NDArray[np.int64]]:
    """The weights of (v, u), and transposed those of (u, v)."""
    arrays = {key: np.array(rows, np.int64) for key, rows in weights.items()}
    return {(u, v): array.T for (v, u), array in arrays.items()} | arrays


#: Weights of the 5x5 DC around, times 256, where no AC is known at all.
BY_DC_ALONE = _with_transposed(
    {
        (0, 0): [
            [-2, -6, -8, -6, -2],
            [-6, 6, 42, 6, -6],
            [-8, 42, 152, 42, -8],
            [-6, 6, 42, 6, -6],
            [-2, -6, -8, -6, -2],
        ],
        (0, 1): [
            [-1, -1, 0, 1, 1],
            [-3, 13, 0, -13, 3],
            [-3, 38, 0, -38, 3],
            [-3, 13, 0, -13, 3],
            [-1, -1, 0, 1, 1],
        ],
        (0, 2): [
            [0, 0, 0, 0, 0],
            [0, 2, -5, 2, 0],
            [1, 7, -14, 7, 1],
            [0, 2, -5, 2, 0],
            [0, 0, 0, 0, 0],
        ],
        (1, 1): [
            [-1, 0, 0, 0, 1],
            [0, 9, 0, -9, 0],
            [0, 0, 0, 0, 0],
            [0, -9, 0, 9, 0],
            [1, 0, 0, 0, -1],
        ],
        (0, 3): [
            [0, 0, 0, 0, 0],
            [0, 1, 0, -1, 0],
            [0, 2, 0, -2, 0],
            [0, 1, 0, -1, 0],
            [0, 0, 0, 0, 0],
        ],
        (1, 2): [
            [0, 0, 0, 0, 0],
            [0, 1, -3, 1, 0],
            [0, 0, 0, 0, 0],
            [0, -1, 3, -1, 0],
            [0, 0, 0, 0, 0],
        ],
    }
)

#: The same where some AC is known.
BESIDE_AC = _with_transposed(
    {
        (0, 1): [
            [0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0],
            [-7, 50, 0, -50, 7],
            [0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0],
        ],
        (0, 2): [
            [0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0],
            [-1, 13, -24, 13, -1],
            [0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0],
        ],
        (1, 1): [
            [0, -1, 0, 1, 0],
            [-1, 10, 0, -10, 1],
            [0, 0, 0, 0, 0],
            [1, -10, 0, 10, -1],
            [0, 1, 0, -1, 0],
        ],
    }
)

LANES = 8


def applies(coef_bits: npt.NDArray[np.int64]) -> bool:
    """Whether a progressive picture is smoothed.

    Parameters
    ----------
    coef_bits : (components, 64) int64
        What the scans have sent (:class:`pyjpegml.progression.Progression`).

    Returns
    -------
    bool
        Always False for pictures whose scans are complete.
    """
    return bool((coef_bits[:, 0] >= 0).all() and (coef_bits[:, 1:COEFFICIENTS] != 0).any())


def scratch(across: int) -> npt.NDArray[np.int32]:
    """Memory for :func:`smooth_rows` of a component that is so many blocks wide."""
    width = -(-across // LANES) * LANES
    return np.empty((5 + COEFFICIENTS) * (width + 4), np.int32)


def _weigh(weights, levels, offset, stride, sums):
    """Weighted sums of the DC around eight blocks side by side, for each frequency with weights.

    The 5x5 around the first of them begin at ``levels[offset]``; the sums of the k-th coefficient
    of the zigzag path go to ``levels[sums + k * stride]``.
    """
    around = [[levels.load(LANES, offset + stride * y + x) for x in range(5)] for y in range(5)]
    for k, place in enumerate(ZIGZAG[:COEFFICIENTS].tolist()):
        if (table := weights.get(divmod(place, 8))) is not None:
            total = around[0][0] * 0
            for y, x in np.argwhere(table).tolist():
                total = total + around[y][x] * int(table[y, x])
            levels.store(total, sums + stride * k)


@vector_function
def _weigh_alone(levels, offset, stride, sums):
    _weigh(BY_DC_ALONE, levels, offset, stride, sums)


@vector_function
def _weigh_beside(levels, offset, stride, sums):
    _weigh(BESIDE_AC, levels, offset, stride, sums)


@inlined
def _row_numbers(row, down, v):
    """Rows of blocks two and one above, of the row itself, and one and two below.

    A picture is kept in rows of MCUs of v rows of blocks each, the last of which has `real` ones,
    and dummies. libjpeg-turbo counts the rows above a row as if each MCU had `real` ones.
    """
    mcu_row, mcu_rows = row // v, (down + v - 1) // v
    real = v if mcu_row < mcu_rows - 1 else down - mcu_row * v
    number, count = mcu_row * real + row % v, mcu_rows * real
    above = row - 1 if number > 0 else row
    below = row + 1 if number < count - 1 else row
    far_above = row - 2 if number > 1 else above
    far_below = row + 2 if number < count - 2 else below
    return far_above, above, row, below, far_below


@inlined
def _estimate(total, dc_step, step):
    """``dc_step * total / (256 * step)``, rounded half away from zero, without its sign."""
    return (abs(dc_step * total) + (step << 7)) // (step << 8)


@kernel
def smooth_rows(dc, across, down, v, first, last, qtable, known, zigzag, levels, coefficients):
    """Put estimates of what is not known yet into some rows of blocks of one component.

    Parameters
    ----------
    dc : (rows, columns) int16
        Of all its blocks, dummies included: ``rows >= down`` and ``columns >= across``. Rows of
        dummies that are not there count as zeros.
    across, down : int
        Real blocks.
    v : int
        Vertical sampling factor, also of a component that is alone.
    first, last : int
        Rows of blocks, ``0 <= first <= last <= down``.
    qtable : (64,) int32
        Quantization table, natural order.
    known : (>= 10,) int64
        The component's row of :attr:`pyjpegml.progression.Progression.coef_bits`, or what
        :meth:`pyjpegml.progression.Progression.known` says.
    zigzag : (64,) uint8
    levels : (n,) int32
        From :func:`scratch`.
    coefficients : (>= last, >= across, 64) int16
        Natural order.

    Notes
    -----
    Bounds: `levels` has 15 rows of whole groups of eight and 4 more: 5 rows of DC, two of them
    repeated at either side, and 10 of sums. Rows of blocks are 0 or more, since the number that
    decides about those above is at most the row's.
    """
    stride = (across + LANES - 1) // LANES * LANES + 4
    sums = 5 * stride
    alone = True
    for k in range(1, COEFFICIENTS):
        alone = alone and known[k] == -1
    count = COEFFICIENTS if alone else 6
    for row in range(first, last):
        line = 0
        for source in _row_numbers(row, down, v):
            for x in range(stride):
                column = min(max(x - 2, 0), across - 1)
                level = 0
                if source < dc.shape[0]:
                    level = np.int64(dc[source, column])
                levels[line + x] = level
            line += stride
        for x in range(0, stride - 4, LANES):
            if alone:
                _weigh_alone(levels, x, stride, sums + x)
            else:
                _weigh_beside(levels, x, stride, sums + x)
        for column in range(across):
            block = coefficients[row, column]
            for k in range(0 if alone else 1, count):
                place = zigzag[k]
                if k > 0 and (known[k] == 0 or block[place] != 0):
                    continue
                total = np.int64(levels[sums + k * stride + column])
                value = _estimate(total, np.int64(qtable[0]), np.int64(qtable[place]))
                if k > 0 and known[k] > 0:
                    value = min(value, (1 << known[k]) - 1)
                block[place] = wrapped(value if total >= 0 else -value)
