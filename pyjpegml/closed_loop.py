"""The closed loop: rounds of trellis and gradient that end on the target.

Tables and the price of a bit belong together: with finely quantized coefficients, the same change
of loss buys the same bits by a smaller step and by a lower price if ``price = 0.116 scale^2`` in
the units of :mod:`pyjpegml.tables`; where most coefficients are zero, a little less is best
(PRICE). Around the best pair the files hardly change. So the tables are set once, by the estimate,
and what leads to the target is the price alone, which is continuous where steps are integers.

Each round tells the loss of the levels before it, and with the gradient there, what any others will
lose is forecast (:mod:`pyjpegml.forecast`). So a round's price is the one whose levels are forecast
to lose what they should (Schedule); of large pictures, prices are tried on a sample of the blocks.
What the forecast of a round was wrong by, the next one corrects. After the last round the levels
are scored, and others are chosen until some pass and some fail. Between two such sets lie all
mixtures: the levels of some MCUs from the one and of the rest from the other, spread evenly. Loss
and size of a mixture are nearly linear in its share, so a mixture or two end the search.

*At half size.* Rounds look at the picture at half size, and estimate what it loses at full size
(:mod:`pyjpegml.half_size`), unless the schedule says otherwise, the picture is too small, or luma
alone is scored. Only after the rounds a set of levels is scored, which tells the truth about all
others, of near losses the more so. If it loses clearly more than was estimated, the loop has gone
`astray`, and another one is begun that knows better.

*No way back.* A lower price does not bring back what a round has dropped: its coefficients have
been aimed at without it. If the forecast of the last round is still far from the target, there is
another round. Levels of a round at full size that passed are remembered, with which mixtures are
made if none pass at the end; and after a correction, if all pass, with those that failed before it.

*Boldness.* The step to the minimum of a single parabola is too long where neighbours move as well.
How much too long differs: where their errors agree, as in noise and dense textures, the loss is
steeper along them than all parabolas together. The gradient tells how much (the coherence,
:meth:`pyjpegml.quantizer.Quantizer.coherence`), and damping grows with its square; it also starts
higher where many coefficients are coded (DAMPING_PER_BIT).

*Scores* are those of every other window (:mod:`pyjpegml.sparse_windows`), and so the loop keeps a
little away from the target (SURE). If a file that it has led to is found to fail all the same, its
true loss tells how to read the others (:meth:`ClosedLoop.correct`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .budget import Account
from .coefficients import Geometry
from .forecast import Change
from .half_losses import HalfLosses, Known
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
#: Slopes of log loss over log price: of a first step, and after levels that no gradient has moved;
#: then it is measured, and taken to lie between the last two numbers.
SLOPE, LAST_SLOPE, LEAST_SLOPE, LARGEST_SLOPE = 0.2, 0.25, 0.03, 1.0
#: Coherence of errors (:meth:`pyjpegml.quantizer.Quantizer.coherence`) for which dampings are made,
#: and the stiffness (:mod:`pyjpegml.forecast`) that goes with it, by round; both grow with its
#: square.
COHERENCE, STIFFNESS = (1.6, 1.4, 1.4), (1.6, 2.2, 2.0)
#: What a round changes about what is trusted of the quadratic form at the finest scale; prices that
#: are tried at half size before a picture is scored.
AFTER_ROUNDS, LANDINGS = 0.94, 2
#: Part of the names of steps whose loss is not that of the picture at full size.
ESTIMATED = "estimated"
#: How much larger levels may be estimated to be than others that have met the target: as much as
#: estimates of the loss are wrong by.
HOPELESS = 1.01
#: Where the first levels that are scored lose more than the budget and than was estimated by this
#: factor, the rounds are done again with what the score has told.
ASTRAY = 1.02
#: What part of the tolerance below the budget is aimed at: files that fail cost more than bytes.
AIM = 0.4
#: What is believed of stiffness.
LEAST_STIFFNESS, MOST_STIFFNESS = 0.5, 20.0
#: How far off the forecast may be before the last round; sets of levels that are chosen to come
#: nearer, at most.
ROUGHLY, CHOICES = 0.02, 5
#: How much of what was found about stiffness is believed of the next round; rounds that are added,
#: at most, while forecasts are far from the target.
MEMORY, MORE_ROUNDS, FAR = 0.7, 1, 0.02
#: Levels that pass and levels that fail are near if their losses have at most this ratio.
NEAR = 1.04
#: A lower price that makes the loss larger by this factor will not lead to the target.
WRONG_WAY = 1.005
#: By how much the price may be changed at once; and in rounds before the last one, whose forecasts
#: are less certain.
LARGEST_STEP, EARLY_STEP = 2.0, 1.4
#: By how much the price rises in a round as a rule: where it is begun with.
RISES = (1.0, 1.4, 2.0)
#: Damping grows by so much for each bit a pixel above the first number, up to this factor.
FREE_BITS, DAMPING_PER_BIT, MOST_DAMPING = 1.2, 0.4, 1.8


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
    whole : bool
        Whether rounds look at the picture at full size, which is then a score too.
    """

    damping: tuple[float, ...]
    tries: int
    tolerance: float
    gains: tuple[float, ...] = (1.0, 0.985, 0.965)
    whole: bool = False


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
    trust : float
        How many times what the quadratic form says the levels lose at the finest scale.
    least : float
        Bytes of the scans, as counted, with which other levels have met the target. Levels that
        are estimated to need clearly more are not scored.
    before : ClosedLoop, optional
        One that has been there for the same subsampling: what its scores have told is trusted.

    Attributes
    ----------
    best : Trial or None
        The smallest that passed.
    nearest : Trial or None
        The one with the highest score, if none passed.
    hopeless : bool
        Whether the loop ended because its levels need clearly more than the `least` bytes.
    trust : float
        As given, and then as scores tell it.
    known : Known or None
        What a score has told.
    astray : bool
        Whether it ended because its first levels that were scored lose more than the budget, and
        more than was estimated.
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
        trust: float = 1.0,
        least: float = math.inf,
        before: ClosedLoop | None = None,
    ) -> None:
        self.account = account
        self.quantizer = quantizer
        self.price = price
        self.budget = (1 - target) * (1 - SURE)
        self.best: Trial | None = None
        self.nearest: Trial | None = None
        self.history: list[tuple[float, float, float]] = []
        self.steps: list[tuple[str, float, float]] = []
        self._ratio = 1.0  # of true losses to measured ones
        self._care, self._stiffer, self._number = 1.0, 1.0, 0
        self._loss = 0.0  # of the levels where the gradient is known
        self._half = quantizer.halves  # whether rounds look at half size
        self.trust, self._moved = trust, False
        self.known: Known | None = None
        self._least, self.hopeless, self.astray = least, False, False
        self._again = before is not None
        if before is not None:
            self.trust, self.known = before.trust, before.known
            self.steps += before.steps
        self._looked: HalfLosses | None = None  # losses at half size: where the gradient is known,
        self._parts: HalfLosses | None = None  # and of levels that are about to be scored
        self._stiffness = 0.0  # 0 if there is no gradient
        self._change = Change(0.0, 0.0, 0.0)
        self._beyond = np.zeros(3)  # what all blocks change beyond what the sample foretells
        self._passed: tuple[Packed, float] | None = None
        self._passed_size = math.inf
        self._failed: tuple[Packed, float] | None = None

    def run(self, schedule: Schedule) -> Trial | None:
        """All rounds, then the search; the best trial."""
        wanted = self.budget * (1 - AIM * schedule.tolerance)
        self._half &= not schedule.whole
        bits = 8 * self.quantizer.statistics.size / self.quantizer.pixels_of_picture
        self._care = min(1 + DAMPING_PER_BIT * max(bits - FREE_BITS, 0), MOST_DAMPING)
        rounds = len(schedule.damping)
        for number in range(rounds + MORE_ROUNDS if rounds else 0):
            left = max(rounds - 1 - number, 0)
            if self._last_one() or (number >= rounds and self._near(wanted, FAR)):
                break
            if number == rounds - 1 and self.quantizer.progressive:
                crew = self.quantizer.reference.crew
                script = best_script(self.quantizer.geometry, self.quantizer.levels, crew=crew)
                self.quantizer.follow(script)
            self._number = min(number, len(STIFFNESS) - 1)
            gain = schedule.gains[min(left, len(schedule.gains) - 1)]
            precision = ROUGHLY if left else schedule.tolerance / 2
            rise = RISES[number] if number < min(rounds, len(RISES)) else 1.0
            self._round(schedule.damping[min(number, rounds - 1)], wanted / gain, precision, rise)
        self._approach(wanted, schedule)
        return self.best

    def correct(self, score: float, schedule: Schedule) -> Trial | None:
        """Another trial, as the best one, or the nearest, has been found to have this score."""
        trial = self.best or self.nearest
        assert trial is not None
        ratio = max(1 - score, LEAST_LOSS) / max(1 - trial.score, LEAST_LOSS)
        self._ratio *= ratio
        self._loss *= ratio
        self._again = True
        self._passed = self._failed = None  # they would have to be read anew
        self.best = self.nearest = None
        levels = trial.levels
        self.quantizer.keep(levels)  # and with them, the prices of the file that was found to fail
        if self._stiffness:
            self._change = self.quantizer.change(levels)
        self._approach(self.budget * (1 - AIM * schedule.tolerance), schedule)
        return self.best

    def _last_one(self) -> bool:
        """Whether a round would leave nothing to score what it makes."""
        return self.account.left < (1 if self._half else 2)

    def _estimated(self, losses: HalfLosses) -> float:
        """Loss of which that at half size is known."""
        total = losses.total(self.trust) if self.known is None else self.known.total(losses)
        return max(self._ratio * total, LEAST_LOSS)

    def _calibrate(self, loss: float) -> None:
        """Learn from a true loss of levels whose loss at half size is known."""
        if self._parts is not None and self._looked is not None:
            self.trust = self._parts.trust(loss / self._ratio)
            self.known = Known(self.trust, self._parts)
            self._loss = self._estimated(self._looked)

    def _round(self, damping: float, wanted: float, precision: float, rise: float) -> None:
        """Aim at the present levels, and choose others at the price that leads to a loss."""
        quantizer = self.quantizer
        size = quantizer.statistics.size
        if self._half:
            if self._stiffness and not self._moved and self.known is None:
                self.trust *= AFTER_ROUNDS
                self._moved = True
            self._looked = quantizer.half_look(self.trust)
            loss = self._estimated(self._looked)
        else:
            loss = max(self._ratio * quantizer.look(), LEAST_LOSS)
        if self._stiffness:
            guess = self._stiffness
            self._learn(loss)
            self._stiffer *= self._stiffness / guess
        self._beyond = np.zeros(3)
        steepness = (quantizer.coherence() / COHERENCE[self._number]) ** 2 * self._stiffer**MEMORY
        quantizer.aim(damping * max(self._care, steepness))
        memory = quantizer.levels
        kept = quantizer.put_aside()
        name = "after a round" if self._stiffness else "trellis"
        if self._half:
            self.steps.append((f"{name}, {ESTIMATED}", loss, size))
        else:
            if loss < self.budget and size < self._passed_size:
                self._passed, self._passed_size = (kept, loss), size
            self.history.append((self.price, loss, size))
            self._note(name, loss, size)
        self._loss, self._stiffness = loss, STIFFNESS[self._number] * steepness
        quantizer.keep(self._choose(wanted, precision, rise, memory=memory))

    def _choose(
        self,
        wanted: float,
        precision: float,
        rise: float = 1.0,
        *,
        begun: bool = False,
        memory: npt.NDArray[np.int16] | None = None,
    ) -> npt.NDArray[np.int16]:
        """Levels that are forecast to have a loss, but for a part of it; the price leads there.

        If the search has `begun`, it is known what levels of the present price change. Of large
        pictures, prices are tried on a sample of the blocks, and again if that was wrong. Levels
        may be put into `memory`, where those before are.
        """
        quantizer = self.quantizer
        step = LARGEST_STEP if precision < ROUGHLY else EARLY_STEP
        limits = math.log(self.price / step), math.log(self.price * step)
        self.price *= min(rise, step)
        levels = np.zeros(quantizer.geometry.size, np.int16) if memory is None else memory
        sampled = Change(0.0, 0.0, 0.0)
        chosen = False  # whether all blocks have the levels of the present price

        def choose() -> Change:
            nonlocal chosen
            chosen = True
            return quantizer.change(quantizer.trellis(self.price, levels))

        def sample() -> Change:
            nonlocal chosen, sampled
            chosen = False
            part = quantizer.sampled_trellis(self.price, levels)
            sampled = quantizer.change(part, sampled=True)
            return Change(*(np.array(sampled) + self._beyond).tolist())

        for _ in range(2 if quantizer.sampling else 0):
            self._seek(sample, wanted, precision, limits, begun)
            if chosen:
                break
            self._change = choose()
            if self._near(wanted, precision):
                break
            self._beyond, begun = np.subtract(self._change, sampled), True
        if not quantizer.sampling or not any(sampled):  # a sample of nothing tells nothing
            self._seek(choose, wanted, precision, limits, begun)
        return levels

    def _seek(
        self,
        attempt: Callable[[], Change],
        wanted: float,
        precision: float,
        limits: tuple[float, float],
        begun: bool,
    ) -> None:
        """Prices from the present one on, or if that is known the next one, between limits
        (logarithms), until what an attempt changes is forecast to lead to a loss.
        """
        least, most = limits
        low, high = -math.inf, math.inf  # logarithms of prices that are too low, and too high
        x, slope = math.log(self.price), SLOPE
        before: tuple[float, float] | None = None
        for number in range(CHOICES + 1):
            if number > 0 or not begun:
                self._change = attempt()
                if self._near(wanted, precision) or number == CHOICES:
                    break
            y = math.log(max(self._forecast(), LEAST_LOSS) / wanted)
            if before is not None:
                slope = min(max((y - before[1]) / (x - before[0]), LEAST_SLOPE), LARGEST_SLOPE)
            if y < 0:
                low = x
            else:
                high = x
            before = x, y
            x = min(max(x - y / slope, least), most)
            if math.isfinite(high - low):
                x = min(max(x, low + (high - low) / 4), high - (high - low) / 4)
            if x == before[0]:
                break
            self.price = math.exp(x)

    def _near(self, wanted: float, part: float) -> bool:
        """Whether the forecast is nearly what is wanted."""
        return abs(math.log(max(self._forecast(), LEAST_LOSS) / wanted)) <= part

    def _forecast(self) -> float:
        """Loss of the levels chosen last."""
        change = self._change
        return self._loss + self._ratio * (
            change.slope + change.dropped + self._stiffness * change.moved
        )

    def _learn(self, loss: float) -> None:
        """How stiff the loss must have been for the levels chosen last to have lost this."""
        change = self._change
        if change.moved > 0:
            rest = (loss - self._loss) / self._ratio - change.slope - change.dropped
            self._stiffness = min(max(rest / change.moved, LEAST_STIFFNESS), MOST_STIFFNESS)

    def _correct(self, ratio: float, slope: float) -> None:
        """Change the price so that the loss changes by a ratio."""
        step = math.log(min(max(ratio, 1e-3), 1e3)) / slope
        limit = math.log(LARGEST_STEP)
        self.price *= math.exp(min(max(step, -limit), limit))

    def _approach(self, wanted: float, schedule: Schedule) -> None:
        """Prices until some levels pass and some fail, and then mixtures of them."""
        quantizer = self.quantizer
        levels = quantizer.levels
        before: tuple[float, float] | None = None  # price and loss
        passed: tuple[Packed, float] | None = None
        failed: tuple[Packed, float] | None = None
        kept = quantizer.put_aside()
        last: Packed | None = None
        for left in reversed(range(schedule.tries)):
            if self._half:
                levels, kept = self._land(levels, kept, wanted, schedule)
                if self.known is None and math.isfinite(self._least):
                    self.hopeless = quantizer.count(levels).size > HOPELESS * self._least
                    if self.hopeless:
                        return
            if last is not None and kept.same(last):
                break
            if self.account.encodes and self.account.left < 1:
                break
            loss = max(self._measure(levels, kept), LEAST_LOSS)
            expected = max(self.budget, self._estimated(self._parts) if self._parts else 0.0)
            self._calibrate(loss)
            if loss <= self.budget:
                if passed is None or loss > passed[1]:
                    passed = kept, loss
            elif failed is None or loss < failed[1]:
                failed = kept, loss
            if self.budget * (1 - schedule.tolerance) <= loss <= self.budget:
                return
            if passed is not None and failed is not None and failed[1] < NEAR * passed[1]:
                break
            if left == 0 or self.account.left < 1:
                break
            if self._half and last is None and not self._again and loss > ASTRAY * expected:
                self.astray = True
                return
            if before is not None and loss > wanted and loss > before[1] * WRONG_WAY:
                break
            last = kept
            if self._half and self._stiffness and abs(math.log(loss / wanted)) > FAR:
                quantizer.keep(levels)
                del levels
                self._round(schedule.damping[-1], wanted, schedule.tolerance / 4, 1.0)
                levels = quantizer.levels
                kept = quantizer.put_aside()
            else:
                del levels  # before others are made
                levels = self._next(loss, before, wanted, schedule)
                kept = Packed(levels, quantizer.reference.crew)
            before = self.history[-1][0], loss
        passed, failed = passed or self._passed, failed or self._failed
        self._failed = failed
        if passed is None or failed is None:
            quantizer.keep(levels)
            return
        del levels
        self._mix(*passed, *failed, wanted, schedule)
        if self.best is None and self.account.left >= 1:
            self._measure(passed[0].levels(), passed[0])

    def _land(
        self, levels: npt.NDArray[np.int16], kept: Packed, wanted: float, schedule: Schedule
    ) -> tuple[npt.NDArray[np.int16], Packed]:
        """Levels, these or others, whose loss is estimated at half size to be what is wanted."""
        quantizer = self.quantizer
        enough = schedule.tolerance / 4 if self.known else FAR
        for number in range(LANDINGS + 1):
            self._parts = quantizer.half_losses(levels)
            loss = self._estimated(self._parts)
            near = abs(math.log(loss / wanted)) <= enough
            if near or number == LANDINGS or not self._stiffness:
                break
            self._learn(loss)
            off = max(self._forecast(), LEAST_LOSS) / loss
            levels = self._choose(wanted * off, schedule.tolerance / 4, begun=True, memory=levels)
            kept = Packed(levels, quantizer.reference.crew)
        return levels, kept

    def _next(
        self, loss: float, before: tuple[float, float] | None, wanted: float, schedule: Schedule
    ) -> npt.NDArray[np.int16]:
        """Levels to try, as those before had this loss."""
        if self._stiffness:
            self._learn(loss)
            # 1, unless no believable stiffness explains the loss
            off = max(self._forecast(), LEAST_LOSS) / loss
            return self._choose(wanted * off, schedule.tolerance / 4, begun=True)
        slope = LAST_SLOPE
        if before is not None:
            slope = math.log(loss / before[1]) / math.log(self.price / before[0])
            slope = min(max(slope, LEAST_SLOPE), LAST_SLOPE)
        self._correct(wanted / loss * (1.01 if loss < wanted else 0.99), slope)  # a little too far
        return self.quantizer.trellis(self.price)

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
        first = self._half and self.known is None
        self._note("after all rounds" if first else "another price or mixture", loss, size)
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
