"""Quantization steps by what each would lose and cost: the best tables for rounded coefficients.

The closed form (:mod:`pyjpegml.tables`) is right where steps are small. In small files most
coefficients become 0, and then it matters how the values of each coefficient are distributed: some
are rarely large, and a step that drops them all saves much; others lie just above a step. So a
sample of the blocks is quantized by some steps around that of the closed form, each coefficient by
itself, which tells for each step

- the loss, by the sensitivities of the blocks;
- the bits: those behind the symbols, and the entropy of the categories (T.81 F.1.2.1). That runs
  of zeros share a symbol with what ends them is left out: an entropy far below one bit for a
  coefficient that is seldom there says nearly the same.

Of all steps, that one is the best which makes ``loss + price * bits`` smallest; the price is the
same for all coefficients, and leads from fine tables to coarse ones (Ratnakar and Livny: An
efficient algorithm for optimizing DCT quantization, 2000, find such tables by dynamic programming).

::

    scale ── closed form ── steps around it ── loss, bits ──┐
                                         price ─────────────┴── best step ── smoothed ── shape

*One scale.* Where steps are small, one that is larger by a factor f has f^2 times the loss and
log2 f bits less. With ``price = ln 2 / 6 scale^2`` the best step is then the one of the closed form
at this scale: so both have the same parameter, and results differ only where steps are large. What
is returned is the shape, by how much the logarithm of each step differs from the closed form's.

*Smoothing.* Steps are tried at half octaves; a parabola through the three best ones leads between
them. Coefficients of neighbouring frequencies have like distributions, and a sample has accidents:
so shapes are blurred. On eleven training photographs that was worth as much as a sample of twice
the size. DC, whose differences are coded, has its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ._jit import kernel
from .scan import category
from .tables import ROUNDING, SATURATION, Estimator

#: Steps that are tried: so many half octaves below that of the closed form, and above.
FINER, COARSER = 2, 7
OCTAVES = np.arange(-FINER, COARSER + 1) / 2
#: What the four neighbours of a shape's entry have of it, each.
BLUR = 0.2
#: No smaller step is tried. (Tables have none below 1, but the curves go on there.)
LEAST_STEP = 1 / 16
#: Categories of levels and of differences of DC: 17 bits hold the largest difference, 65,535
#: eighths, over the smallest step.
CATEGORIES = 18


@kernel
def try_ac_steps(sizes, weights, attenuation, steps, rounding, counts, losses):
    """What one AC coefficient of some blocks loses, and of which categories it is, by step.

    A value that one step makes 0 is 0 for all larger ones: it need not be looked at again.

    Parameters
    ----------
    sizes : (n,) float32
        Absolute values of the coefficient, at most 4096, in one block or more; changed.
    weights : (n,) float32
        Sensitivities W; changed.
    attenuation : float32
        :func:`pyjpegml.sensitivity.sampling_attenuation`.
    steps : (s,) float32
        From small to large, LEAST_STEP or more: so levels are at most 65,536, of 17 bits.
    rounding : float32
        Part of a step that is added, see :func:`pyjpegml.quantize.quantize`.
    counts : (s, CATEGORIES) int64
        Zeros; levels of each category are counted.
    losses : (s,) float64
        Result.
    """
    left = sizes.shape[0]
    dropped = 0.0
    for s in range(steps.shape[0]):
        step, each = steps[s], np.float32(1.0) / steps[s]
        least = (np.float32(1.0) - rounding) * step
        loss = 0.0
        larger = 0
        for b in range(left):
            size, weight = sizes[b], weights[b]
            if size < least:
                dropped += weight * size * size * (np.float32(1.0) + attenuation)
                continue
            sizes[larger], weights[larger] = size, weight
            larger += 1
            level = np.int32(size * each + rounding)
            error = size - np.float32(level) * step
            loss += weight * error * (error + attenuation * size)
            counts[s, category(np.int64(level))] += 1
        left = larger
        counts[s, 0] += sizes.shape[0] - left
        losses[s] = loss + dropped


@kernel
def try_dc_steps(values, neighbors, weights, attenuation, steps, counts, losses):
    """The same of DC, whose differences are coded and whose values are rounded to the nearest.

    Parameters
    ----------
    values : (n,) int16
        DC times 8.
    neighbors : (n,) int16
        DC of the block to the left of each, times 8.
    weights, attenuation, steps, counts, losses
        As for :func:`try_ac_steps`; differences are at most 131,070, of 17 bits.
    """
    n = values.shape[0]
    for s in range(steps.shape[0]):
        step, each = steps[s], 0.125 / steps[s]
        loss = 0.0
        for b in range(n):
            level = np.int64(math.floor(values[b] * each + 0.5))
            value = values[b] * 0.125
            error = value - level * step
            loss += weights[b] * error * (error + attenuation * value)
            previous = np.int64(math.floor(neighbors[b] * each + 0.5))
            counts[s, category(level - previous)] += 1
        losses[s] = loss


def bits_of(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Bits of numbers whose categories are counted along the last axis: the entropy of the
    categories, and the bits behind them.

    Examples
    --------
    >>> bits_of(np.array([2, 1, 1, 0])).tolist()  # 1 bit twice, 2 bits twice; 1 and 2 behind them
    9.0
    """
    total = counts.sum(-1, keepdims=True)
    each = np.log2(total / np.maximum(counts, 1)) + np.arange(counts.shape[-1])
    return (counts * each).sum(-1)


@dataclass(frozen=True)
class Choice:
    """Shapes of tables, one a component, and what they are found to lose.

    Attributes
    ----------
    shapes : list of (64,) float64
        Logarithms of steps, less those of the closed form.
    loss : float
        1 - MS-SSIM, of quantization alone, as :class:`pyjpegml.tables.Estimate` has it.
    """

    shapes: list[npt.NDArray[np.float64]]
    loss: float


class Steps:
    """The steps of a picture, for any price.

    Parameters
    ----------
    estimator : Estimator
    scale : float
        About the one that is going to be asked for.
    rounding : float
        Part of a step that is added to AC coefficients before they are cut to integers.

    Attributes
    ----------
    least, most : float
        Scales between which the steps lie that are tried.
    losses, bits : list of (64, s) float64
        Of each component: what the picture's blocks lose and cost by each of the steps, which are
        OCTAVES above that of the closed form.
    """

    def __init__(self, estimator: Estimator, scale: float, rounding: float = ROUNDING) -> None:
        self.losses: list[npt.NDArray[np.float64]] = []
        self.bits: list[npt.NDArray[np.float64]] = []
        self._pixels = estimator.pixels
        tried = scale * 2.0**OCTAVES
        self.least, self.most = float(tried[0]), float(tried[-1])
        for sample, mean in zip(estimator.samples, estimator.mean_weights, strict=True):
            steps = np.maximum(tried / np.sqrt(mean)[:, None], LEAST_STEP).astype(np.float32)
            losses = np.empty(steps.shape)
            counts = np.zeros((*steps.shape, CATEGORIES), np.int64)
            blocks, left, weights, attenuation, total = sample
            sizes = np.abs(blocks.T.astype(np.float32, "C")) * np.float32(0.125)
            weights = weights.T.copy()
            dc = blocks[:, 0].copy()
            try_dc_steps(dc, left, weights[0], attenuation[0], steps[0], counts[0], losses[0])
            for k in range(1, 64):
                try_ac_steps(
                    sizes[k], weights[k], attenuation[k], steps[k], np.float32(rounding), counts[k],
                    losses[k],
                )  # fmt: skip
            share = total / len(blocks)
            self.losses.append(losses * share)
            self.bits.append(bits_of(counts) * share)
        self._tried = np.log(tried)

    def at(self, scale: float) -> Choice:
        """The best steps where a bit is worth as much as in the closed form of a scale."""
        price = math.log(2) / 6 * scale * scale / self._pixels
        rows, width = np.arange(64), math.log(2) / 2
        shapes, loss = [], 0.0
        for losses, bits in zip(self.losses, self.bits, strict=True):
            costs = losses + price * bits
            best = costs.argmin(1).clip(1, len(OCTAVES) - 2)
            before, here, after = (costs[rows, best + d] for d in (-1, 0, 1))
            bend = before - 2 * here + after
            turn = 0.5 * (before - after) / np.where(bend > 0, bend, np.inf)
            place = best + turn.clip(-1, 1)
            shape = blurred(self._tried[0] + width * place - math.log(scale))
            place = ((shape + math.log(scale) - self._tried[0]) / width).clip(0, len(OCTAVES) - 1)
            low = place.astype(np.int64).clip(0, len(OCTAVES) - 2)
            part = place - low
            loss += float((losses[rows, low] * (1 - part) + losses[rows, low + 1] * part).sum())
            shapes.append(shape)
        return Choice(shapes, math.log1p(SATURATION * loss) / SATURATION)


def blurred(shape: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A shape, (64,), whose entries are drawn to their neighbours', DC excepted.

    Examples
    --------
    >>> shape = np.zeros(64)
    >>> shape[18] = 1
    >>> blurred(shape).reshape(8, 8)[1:4, 1:4].round(1).tolist()
    [[0.0, 0.2, 0.0], [0.2, 0.2, 0.2], [0.0, 0.2, 0.0]]
    """
    table = shape.reshape(8, 8).copy()
    table[0, 0] = (table[0, 1] + table[1, 0]) / 2
    padded = np.pad(table, 1, mode="edge")
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    table = (1 - 4 * BLUR) * table + BLUR * around
    table[0, 0] = shape[0]
    return table.reshape(64)


def shaped(
    mean_weights: Sequence[npt.NDArray[np.float64]], shapes: Sequence[npt.NDArray[np.float64]]
) -> list[npt.NDArray[np.float64]]:
    """Mean sensitivities whose closed form has these shapes, for
    :func:`pyjpegml.tables.closed_form_qtables`.
    """
    return [w * np.exp(-2 * shape) for w, shape in zip(mean_weights, shapes, strict=True)]
