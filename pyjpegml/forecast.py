"""What other levels will lose, before anything is decoded.

Where the gradient of the loss is known, at levels x, the loss of levels ``x + delta`` is ::

    loss + G delta + delta' H delta / 2

and H is what damping stands for (:mod:`pyjpegml.quantizer`): the parabolas W of single
coefficients, and what neighbours do together. Two kinds of changes differ in that. A level that
the trellis drops because it is not worth its bits has a rounding error, which knows nothing of
those around it: its own parabola is all. All others move with the gradient, and so with their
neighbours: their parabolas are steeper, by a factor that is nearly the same whatever the price of
a bit, the *stiffness*. So the forecast is ::

    loss + G delta + sum over dropped of W delta^2 + stiffness * sum over others of W delta^2

The loss of the next levels, which the closed loop measures anyway, tells what it was. In the last
round, forecasts are right to some thousandths of the loss: the price that leads to the target can
be found without a score (:mod:`pyjpegml.closed_loop`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._jit import kernel


class Change(NamedTuple):
    """What other levels do to the loss.

    ``slope``: gradient times change. ``dropped`` and ``moved``: sums of ``W delta^2`` over levels
    that become 0, and over all others.
    """

    slope: float
    dropped: float
    moved: float


@kernel
def weigh_change(before, after, targets, originals, steps, weights, energy, plain, damping):
    """Sums over the blocks of some rows.

    Parameters
    ----------
    before, after : (down, stride, 64) int16
        Levels at which the gradient was taken, and others.
    targets : (down, stride, 64) float32
        As :func:`pyjpegml.gradient.aim` made them: they tell the gradient.
    originals : (down, stride, 64) int16
        Coefficients of the original, times 8.
    steps : (64,) float32
    weights : (down, across, 6) float32
        The picture's part of the sensitivities, floors (:mod:`pyjpegml.visibility`) included.
    energy : (6, 64) float32
        The patterns' part.
    plain : (64,) float32
        The floors, which are no part of the loss.
    damping : float32

    Returns
    -------
    slope, dropped, moved : float
        See :class:`Change`.
    """
    slope = dropped = moved = 0.0
    for row in range(weights.shape[0]):
        for column in range(weights.shape[1]):
            old, new = before[row, column], after[row, column]
            target, original = targets[row, column], originals[row, column]
            weight = weights[row, column]
            for k in range(64):
                if old[k] == new[k]:
                    continue
                sensitivity = np.float32(0.0)
                for term in range(6):
                    sensitivity += weight[term] * energy[term, k]
                value = np.float32(old[k]) * steps[k]
                change = np.float32(np.int32(new[k]) - np.int32(old[k])) * steps[k]
                error = value - np.float32(0.125) * np.float32(original[k])
                half_slope = damping * sensitivity * (value - target[k]) - plain[k] * error
                slope += np.float32(2.0) * half_slope * change
                square = (sensitivity - plain[k]) * change * change
                if new[k] == 0:
                    dropped += square
                else:
                    moved += square
    return slope, dropped, moved
