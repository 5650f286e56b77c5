"""The closed loop: rounds of trellis and gradient that end on the target.

Tables and the price of a bit belong together: with finely quantized coefficients, the same change
of loss buys the same bits by a smaller step and by a lower price if ``price = 0.116 scale^2`` in
the units of :mod:`pyjpegml.tables`; where most coefficients are zero, a little less is best
(PRICE). Around the best pair the files hardly change. So the tables are set once, by the estimate,
and what leads to the target is the price alone, which is continuous where steps are integers.

Each round tells the loss of the levels before, and the price is corrected for what the rounds to
come will still change (GAINS). After the last one the targets stay, and loss is a smooth function
of the price: a secant in log-log ends the search.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .quantizer import Quantizer

#: Price of a bit over the square of the scale, times the pixels of the picture. Training
#: photographs at .99: .05 to .12 within 1 % of it.
PRICE = 0.08
#: Tables of the loop are finer than those the estimate finds for rounding, by this factor.
FINER = 0.9
#: What part of the budget the first levels should lose, at the start and more for each bit a pixel:
#: there the rounds gain more.
FIRST_LOSS, LOSS_PER_BIT = 0.96, 0.12
#: The loss grows with the scale to this power, all else being in proportion.
SCALE_POWER = 1.2
#: Rounds that may be added if the target is out of the reach of the price.
EXTRA_ROUNDS = 2
#: What the rounds to come still make of a loss, from the last one backwards.
GAINS = (0.98, 0.95, 0.90, 0.90)
#: Slopes of log loss over log price: in a round, and after the last one, when the targets stay.
SLOPE, LAST_SLOPE = 0.45, 0.2
#: By how much the price may be changed at once.
LARGEST_STEP = 2.0


@dataclass(frozen=True)
class Schedule:
    """How much work the loop may do.

    Attributes
    ----------
    damping : tuple of float
        One round each (:mod:`pyjpegml.quantizer`).
    tries : int
        Prices that are tried after the last round, at most.
    tolerance : float
        A loss within this part of the budget is near enough.
    """

    damping: tuple[float, ...]
    tries: int
    tolerance: float


@dataclass(frozen=True)
class Trial:
    """Levels, their loss, and what they cost.

    Attributes
    ----------
    levels : (n,) int16
    pixels : (h, w) or (h, w, 3) uint8
    score : float
    size : float
        Bytes of the scans, as counted.
    """

    levels: npt.NDArray[np.int16]
    pixels: npt.NDArray[np.uint8]
    score: float
    size: float


class ClosedLoop:
    """Lead the levels of a quantizer, which it has chosen at a price, to a target.

    Parameters
    ----------
    quantizer : Quantizer
    price : float
        That of its levels.
    target : float
    score : callable
        Of pixels; exact where it matters.

    Attributes
    ----------
    best : Trial or None
        The smallest that passed.
    history : list of (price, loss, size)
        Of each set of levels that was measured.
    """

    def __init__(
        self,
        quantizer: Quantizer,
        price: float,
        target: float,
        score: Callable[[npt.NDArray[np.uint8]], float],
    ) -> None:
        self.quantizer = quantizer
        self.price = price
        self.target = target
        self.budget = 1 - target
        self.best: Trial | None = None
        self.history: list[tuple[float, float, float]] = []
        self._score = score

    def run(self, schedule: Schedule) -> Trial | None:
        """All rounds, then the search; the best trial."""
        wanted = self.budget * (1 - schedule.tolerance / 2)
        for number, damping in enumerate(schedule.damping, 1):
            left = len(schedule.damping) - number
            gain = GAINS[min(left, len(GAINS) - 1)]
            self._round(damping, wanted / gain, SLOPE if left else (SLOPE + LAST_SLOPE) / 2)
        for _ in range(1 + EXTRA_ROUNDS):
            self._approach(wanted, schedule)
            if self.best is not None:
                break
            self._round(schedule.damping[-1], wanted, SLOPE)
        return self.best

    def _round(self, damping: float, wanted: float, slope: float) -> None:
        """Aim at the present levels, correct the price, and choose levels again."""
        quantizer = self.quantizer
        loss = quantizer.aim(damping)
        self.history.append((self.price, loss, quantizer.statistics.size))
        self._correct(wanted / loss, slope)
        quantizer.keep(quantizer.trellis(self.price))

    def _correct(self, ratio: float, slope: float) -> None:
        """Change the price so that the loss changes by a ratio."""
        step = math.log(max(ratio, 1e-3)) / slope
        limit = math.log(LARGEST_STEP)
        self.price *= math.exp(min(max(step, -limit), limit))

    def _approach(self, wanted: float, schedule: Schedule) -> None:
        """The secant after the last round."""
        low, high = 0.0, math.inf  # prices that passed and failed
        points: list[tuple[float, float]] = []
        levels, begin = self.quantizer.levels, self.price
        for tries in range(schedule.tries):
            if tries:
                levels = self.quantizer.trellis(self.price)
            loss = self._measure(levels)
            points.append((math.log(self.price), math.log(max(loss, 1e-9))))
            if loss <= self.budget:
                low = max(low, self.price)
                if loss >= self.budget * (1 - schedule.tolerance):
                    return
            else:
                high = min(high, self.price)
            if high <= low * 1.0005:
                return
            slope = LAST_SLOPE
            if len(points) > 1:
                (x0, y0), (x1, y1) = points[-2:]
                if abs(x1 - x0) > 1e-6:
                    slope = min(max((y1 - y0) / (x1 - x0), LAST_SLOPE / 4), 4 * LAST_SLOPE)
            self._correct(wanted / loss, slope)
            if not low < self.price < high:
                self.price = math.sqrt(low * high) if low > 0 else high / 1.2
            if self.price < begin / LARGEST_STEP:  # another round does that better
                self.quantizer.keep(levels)
                return

    def _measure(self, levels: npt.NDArray[np.int16]) -> float:
        """Loss of levels."""
        pixels = self.quantizer.pixels(levels)
        score = self._score(pixels)
        size = self.quantizer.count(levels).size
        self.history.append((self.price, 1 - score, size))
        if score >= self.target and (self.best is None or size < self.best.size):
            self.best = Trial(levels, pixels, score, size)
        return 1 - score
