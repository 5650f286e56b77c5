"""The closed loop: rounds of trellis and gradient that end on the target.

Tables and the price of a bit belong together: with finely quantized coefficients, the same change
of loss buys the same bits by a smaller step and by a lower price if ``price = 0.116 scale^2`` in
the units of :mod:`pyjpegml.tables`; where most coefficients are zero, a little less is best
(PRICE). Around the best pair the files hardly change. So the tables are set once, by the estimate,
and what leads to the target is the price alone, which is continuous where steps are integers.

Each round tells the loss of the levels before, and the price is corrected for what the rounds to
come will still change (Schedule). After the last one, levels are chosen at higher or lower prices
until some pass and some fail. Between two such sets lie all mixtures: the levels of some MCUs from
the one and of the rest from the other, spread evenly. Loss and size of a mixture are nearly linear
in its share, so one or two mixtures end the search.

*No way back.* A lower price does not bring back what a round has dropped: its coefficients have
been aimed at without it. So levels of a round that passed are remembered, with which mixtures are
made if none pass at the end; and after a correction, if all pass, with those that failed before it.

*Boldness.* Where many coefficients are coded, more of them move at once, and rounds must be more
careful from the start (DAMPING_PER_BIT). A round that made ``loss + price * bits`` larger was too
bold, and the next are more careful; much larger (WORST), as with noise and tiny pictures, and it is
taken back.

*Scores* are those of every other window (:mod:`pyjpegml.sparse_windows`), and so the loop keeps a
little away from the target (SURE). If a file that it has led to is found to fail all the same, its
true loss tells how to read the others (:meth:`ClosedLoop.correct`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .budget import Account
from .coefficients import Geometry
from .packed_levels import Packed
from .quantizer import Quantizer
from .scan_search import best_script
from .sparse_windows import SURE

#: Price of a bit over the square of the scale, times the pixels of the picture; chosen on three
#: training photographs.
PRICE = 0.08
#: Tables of the loop are finer than those the estimate finds for rounding, by this factor.
FINER = 0.9
#: What part of the budget the first levels should lose, at the start and more for each bit a pixel:
#: there the rounds gain more.
#: Less where chroma has full size: its errors and those of luma are one another's in R, G and B.
FIRST_LOSS, LOSS_PER_BIT, LOSS_PER_FULL_BIT = 0.93, 0.11, 0.04
#: The loss grows with the scale to this power, all else being in proportion.
SCALE_POWER = 1.2
#: Losses below are taken for this one: single precision knows no smaller ones.
LEAST_LOSS = 1e-7
#: Slopes of log loss over log price: in a round, and after the last one, when the targets stay: for
#: the first step; then it is measured, and taken for at least the last number.
SLOPE, LAST_SLOPE, LEAST_SLOPE = 0.3, 0.25, 0.03
#: A lower price that makes the loss larger by this factor will not lead to the target.
WRONG_WAY = 1.005
#: A round that makes ``loss + price * bits`` larger by this factor is taken back.
WORST = 1.08
#: By how much the price may be changed at once.
LARGEST_STEP = 2.0
#: Damping grows by so much for each bit a pixel above the first number, up to this factor; and by
#: MORE_CAREFUL after a round that was too bold.
FREE_BITS, DAMPING_PER_BIT, MOST_DAMPING, MORE_CAREFUL = 1.2, 0.4, 1.8, 1.4


@dataclass(frozen=True)
class Schedule:
    """How much work the loop may do.

    Attributes
    ----------
    damping : tuple of float
        One round each (:mod:`pyjpegml.quantizer`).
    tries : int
        Prices, and then mixtures, that are tried after the last round, at most.
    tolerance : float
        A loss within this part of the budget is near enough.
    gains : tuple of float
        What the rounds to come are taken to make of a loss yet, from the last one backwards. Where
        there are many rounds, those that go below the target at once gain more: what they drop
        too early does not come back.
    """

    damping: tuple[float, ...]
    tries: int
    tolerance: float
    gains: tuple[float, ...] = (0.98, 0.96, 0.93)


@dataclass(frozen=True)
class Trial:
    """Levels, their loss, and what they cost.

    Attributes
    ----------
    kept : Packed
    score : float
        By the windows that the reference keeps.
    size : float
        Bytes of the scans, as counted.
    """

    kept: Packed
    score: float
    size: float

    @property
    def levels(self) -> npt.NDArray[np.int16]:
        """The levels, in new memory."""
        return self.kept.levels()


class ClosedLoop:
    """Lead the levels of a quantizer, which it has chosen at a price, to a target.

    Parameters
    ----------
    quantizer : Quantizer
    price : float
        That of its levels.
    target : float
    account : Account
        What may be spent. When that is nothing more, the loop ends.

    Attributes
    ----------
    best : Trial or None
        The smallest that passed.
    nearest : Trial or None
        The one with the highest score, if none passed.
    history : list of (price, loss, size)
        Of each set of levels that was measured.
    steps : list of (name, loss, size)
        The same, with a name for what made them.
    """

    def __init__(
        self,
        quantizer: Quantizer,
        price: float,
        target: float,
        account: Account,
    ) -> None:
        self.account = account
        self.quantizer = quantizer
        self.price = price
        self.budget = (1 - target) * (1 - SURE)
        self.best: Trial | None = None
        self.nearest: Trial | None = None
        self.history: list[tuple[float, float, float]] = []
        self.steps: list[tuple[str, float, float]] = []
        self._care = 1.0
        self._ratio = 1.0  # of true losses to measured ones
        self._before: Packed | None = None
        self._passed: tuple[Packed, float] | None = None
        self._passed_size = math.inf
        self._failed: tuple[Packed, float] | None = None

    def run(self, schedule: Schedule) -> Trial | None:
        """All rounds, then the search; the best trial."""
        wanted = self.budget * (1 - schedule.tolerance / 2)
        bits = 8 * self.quantizer.statistics.size / self.quantizer.pixels_of_picture
        self._care = min(1 + DAMPING_PER_BIT * max(bits - FREE_BITS, 0), MOST_DAMPING)
        for number, damping in enumerate(schedule.damping, 1):
            left = len(schedule.damping) - number
            if self._last_one():
                break
            if left == 0 and self.quantizer.progressive:
                crew = self.quantizer.reference.crew
                script = best_script(self.quantizer.geometry, self.quantizer.levels, crew=crew)
                self.quantizer.follow(script)
            self._round(damping, wanted / schedule.gains[min(left, len(schedule.gains) - 1)])
        self._approach(wanted, schedule)
        return self.best

    def correct(self, score: float, schedule: Schedule) -> Trial | None:
        """Another trial, as the best one, or the nearest, has been found to have this score."""
        trial = self.best or self.nearest
        assert trial is not None
        self._ratio *= max(1 - score, LEAST_LOSS) / max(1 - trial.score, LEAST_LOSS)
        self.best = self.nearest = None
        self._approach(self.budget * (1 - schedule.tolerance / 2), schedule)
        return self.best

    def _last_one(self) -> bool:
        """Whether a round would leave nothing to score what it makes."""
        return self.account.left < 2

    def _round(self, damping: float, wanted: float) -> None:
        """Aim at the present levels, correct the price, and choose levels again."""
        quantizer = self.quantizer
        size = quantizer.statistics.size
        loss = max(self._ratio * quantizer.aim(damping * self._care), LEAST_LOSS)
        present = Packed(quantizer.levels, quantizer.reference.crew)
        self._remember(present, loss, size)
        name = "after a round" if self.steps else "trellis"
        if self.history:
            price, loss_before, size_before = self.history[-1]
            worse = (loss + 8 * price * size) / (loss_before + 8 * price * size_before)
            if worse > WORST and self._before is not None:
                self._note("after a round, undone", loss, size)
                name = ""
                present = self._before
                quantizer.keep(present.levels())
                self.price, loss, size = self.history[-1]
                self._care *= worse
            if worse > 1:
                self._care *= MORE_CAREFUL
                quantizer.aim(damping * self._care)
        self.history.append((self.price, loss, size))
        if name:
            self._note(name, loss, size)
        self._correct(wanted / loss, SLOPE)
        self._before = present
        quantizer.keep(quantizer.trellis(self.price, quantizer.levels))

    def _remember(self, levels: Packed, loss: float, size: float) -> None:
        """Keep the smallest levels of a round that pass for :meth:`_approach`."""
        if loss < self.budget and (self._passed is None or size < self._passed_size):
            self._passed, self._passed_size = (levels, loss), size

    def _correct(self, ratio: float, slope: float) -> None:
        """Change the price so that the loss changes by a ratio."""
        step = math.log(min(max(ratio, 1e-3), 1e3)) / slope
        limit = math.log(LARGEST_STEP)
        self.price *= math.exp(min(max(step, -limit), limit))

    def _approach(self, wanted: float, schedule: Schedule) -> None:
        """Prices until some levels pass and some fail, and then mixtures of them."""
        quantizer = self.quantizer
        quantizer.forget_gradient()
        levels, slope = quantizer.levels, LAST_SLOPE
        before: tuple[float, float] | None = None  # price and loss
        passed: tuple[Packed, float] | None = None
        failed: tuple[Packed, float] | None = None
        kept = quantizer.put_aside()
        for _ in range(schedule.tries):
            loss = max(self._measure(levels, kept), LEAST_LOSS)
            if loss <= self.budget:
                passed = kept, loss
            else:
                failed = kept, loss
            if self.budget * (1 - schedule.tolerance) <= loss <= self.budget:
                return
            if passed is not None and failed is not None:
                break
            if self.account.left < 1:
                break
            if before is not None:
                if loss > wanted and loss > before[1] * WRONG_WAY:
                    break
                slope = math.log(loss / before[1]) / math.log(self.price / before[0])
                slope = min(max(slope, LEAST_SLOPE), LAST_SLOPE)
            before = self.price, loss
            ratio = wanted / loss * (1.01 if loss < wanted else 0.99)  # rather a little too far
            self._correct(ratio, slope)
            del levels  # before others are made
            last, levels = kept, quantizer.trellis(self.price)
            kept = Packed(levels, quantizer.reference.crew)
            if kept.same(last):
                break
        passed, failed = passed or self._passed, failed or self._failed
        self._failed = failed
        if passed is None or failed is None:
            quantizer.keep(levels)
            return
        del levels
        self._mix(*passed, *failed, wanted, schedule)
        if self.best is None and self.account.left >= 1:
            self._measure(passed[0].levels(), passed[0])

    def _mix(
        self,
        passed: Packed,
        passed_loss: float,
        failed: Packed,
        failed_loss: float,
        wanted: float,
        schedule: Schedule,
    ) -> None:
        """Regula falsi over the share of MCUs that have the levels that failed."""
        low, high = 0.0, 1.0
        low_loss, high_loss = passed_loss, failed_loss
        low_kept, high_kept = passed, failed
        for _ in range(schedule.tries):
            if self.account.left < 1:
                return
            share = low + (high - low) * (wanted - low_loss) / (high_loss - low_loss)
            levels = passed.levels()
            mix(self.quantizer.geometry, levels, failed, share)
            kept = Packed(levels, self.quantizer.reference.crew)
            if kept.same(low_kept) or kept.same(high_kept):  # no MCU lies between
                return
            loss = self._measure(levels, kept)
            if self.budget * (1 - schedule.tolerance) <= loss <= self.budget:
                return
            if loss <= self.budget:
                low, low_loss, low_kept = share, loss, kept
            else:
                high, high_loss, high_kept = share, loss, kept
            if not low_loss < wanted < high_loss:
                return

    def _measure(self, levels: npt.NDArray[np.int16], kept: Packed) -> float:
        """Loss of levels, which are also given as they are remembered."""
        reference = self.quantizer.reference
        loss = self._ratio * (1 - reference.quick_score(self.quantizer.pixels(levels)))
        size = self.quantizer.count(levels).size
        self.history.append((self.price, loss, size))
        self._note("another price or mixture", loss, size)
        trial = Trial(kept, 1 - loss, size)
        if loss <= self.budget and (self.best is None or size < self.best.size):
            self.best = trial
            self.nearest = None
        if self.best is None and (self.nearest is None or trial.score > self.nearest.score):
            self.nearest = trial
        return loss

    def _note(self, name: str, loss: float, size: float) -> None:
        self.steps.append((name, loss, size))
        self.account.note(name, loss, size)


def mix(
    geometry: Geometry,
    levels: npt.NDArray[np.int16],
    second: Packed,
    share: float,
) -> None:
    """Exchange the levels of some MCUs for those of `second`.

    Which MCUs of a larger share are those of a smaller one and some more: the number of each, times
    the golden ratio, modulo 1, is below the share. They are spread evenly.
    """
    golden = (math.sqrt(5) - 1) / 2
    places = np.arange(geometry.mcus) * golden % 1
    chosen = (places < share).reshape(geometry.mcus_down, geometry.mcus_across)
    blocks = [chosen.repeat(plane.v, 0).repeat(plane.h, 1).ravel() for plane in geometry.planes]
    second.overlay(levels, np.concatenate(blocks))
