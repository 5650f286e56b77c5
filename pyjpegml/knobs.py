"""Knobs: in which directions tables may differ from what a picture itself tells.

The closed form (:mod:`pyjpegml.tables`) gives every step of the quantization tables up to one
scale, and where coefficients are rounded, a sample of the picture tells the best shape of the
tables (:mod:`pyjpegml.steps`). What a search can still gain lies in few directions, and these are
the knobs: each adds to the logarithm of the steps (of Y, Cb and Cr, in natural order) its setting
times a pattern, and two that belong to the closed loop move its scale and the price with which it
starts. All knobs at 0 change nothing.

Patterns of AC steps have a mean of 0, so that they change the shape of a table and not its scale,
and are symmetric in u and v, as the statistics of photographs are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: Names of the knobs. ``scale`` and ``price`` are those of the closed loop: steps, and the price of
#: a bit at its start, as logarithms of the ratio to what it does without knobs.
KNOBS = ("scale", "price", "dc", "chroma", "chroma_dc", "tilt", "diagonal")
#: The first of the knobs that shape tables.
FIRST_SHAPE = 2
#: No knob leads further than this, whatever is asked for.
FURTHEST = 0.7


def _patterns() -> npt.NDArray[np.float64]:
    """What a knob of tables adds to ln q: (knobs, 3, 64)."""
    u = np.arange(8)
    order = np.add.outer(u, u).ravel()
    ac = order > 0
    tilt = np.log1p(order) / np.log(15)
    diagonal = np.outer(u, u).ravel() / np.maximum(order, 1) / 3.5
    out = np.zeros((len(KNOBS) - FIRST_SHAPE, 3, 64))
    out[0, 0, 0] = 1
    out[1, 1:, ac] = 1
    out[2, 1:, 0] = 1
    for row, pattern in zip(out[3:], (tilt, diagonal), strict=True):
        row[0, ac] = pattern[ac] - pattern[ac].mean()
    out.flags.writeable = False
    return out


PATTERNS = _patterns()


def knob_shapes(knobs: npt.ArrayLike, components: int = 3) -> list[npt.NDArray[np.float64]]:
    """What knobs add to the logarithms of steps.

    Parameters
    ----------
    knobs : (7,) float
        In the order of KNOBS; beyond FURTHEST they are cut.
    components : int
        A fourth one, K, is as luma.

    Returns
    -------
    list of (64,) float64

    Examples
    --------
    >>> knob_shapes([0, 0, -0.4, 0, 0, 0, 0])[0][:3].tolist()
    [-0.4, 0.0, 0.0]
    """
    settings = np.clip(np.asarray(knobs, np.float64), -FURTHEST, FURTHEST)[FIRST_SHAPE:]
    change = np.tensordot(settings, PATTERNS, 1)
    return [change[i % 3] for i in range(components)]


@dataclass(frozen=True)
class Start:
    """Where a search begins.

    Attributes
    ----------
    knobs : (7,) float64
        In the order of KNOBS, of which those that shape tables are used.
    loss : float
        Logarithm of the loss of rounded coefficients over the estimate.
    loop : float, optional
        The same of the closed loop's first levels; None if it is to be measured.
    """

    knobs: npt.NDArray[np.float64]
    loss: float = 0.0
    loop: float | None = None
