"""Subsamplings as candidates, and the search for a scale where coefficients are rounded.

The estimator (:mod:`pyjpegml.tables`) tells the loss for a scale within some percent, so smoothly
that its logarithm is corrected by a constant after one encode, and by a line through two points
after that (a secant in log-log). The search ends when the score is above the target by at most half
a percent of ``1 - target``, or when scales that pass and fail have met. With ``effort="fast"`` a
twentieth is near enough: the first scale often is, or else the second, which is made to pass. The
shape of the tables is that of the best steps at the first scale (:mod:`pyjpegml.steps`), corrected
as a model predicts, and stays.

While scales are tried, no file is written: levels are reconstructed as decoders do it, and scored
by every other window (:mod:`pyjpegml.sparse_windows`). The file of the best ones is then written,
decoded, and scored by all windows; should it fail, its true loss corrects the others.

Where the closed loop has made a file already, the search is begun only if its first scale promises
a smaller one (:meth:`Search.promises`).

In large flat areas a DC step may happen to hit their level; then a slightly larger scale costs far
more than its neighbour. If the search ends too far above the target, it goes on with the DC steps
of its best file held.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .assembly import Progressive, assemble
from .budget import Account
from .coefficients import Geometry
from .decoder import decode
from .encoder import analyse, quantize_all
from .half_losses import Known
from .half_size import HalfDescent
from .header import SUBSAMPLINGS
from .knobs import Start, knob_shapes
from .metrics import Reference
from .reconstruction import reconstruct, resampled
from .result import Result, better
from .scan_search import best_script
from .sparse_windows import SURE
from .steps import Steps, shaped
from .tables import ROUNDING, Estimator, closed_form_qtables
from .threads import Crew

#: A score that is above the target by this part of ``1 - target`` is near enough.
TOLERANCE = 0.005
#: The same if there is no time; and the middle of that, which is aimed at.
HASTY_TOLERANCE, HASTY_MARGIN = 0.05, 0.025
#: Scores this close to the target, in parts of its loss, or of the least loss that is told apart,
#: are measured again in double precision throughout.
CLOSE, LEAST_CLOSE = 1e-4, 1e-4
#: A loss that corrects the search is taken to be larger by this part.
SLIGHTLY = 1e-6
#: Files that are written, at most, until one has the score that was expected, besides the first.
CORRECTIONS = 3
#: Encodes after which the best file so far is taken, if one passed.
MAX_ENCODES = 6
#: Files below this size are mostly tables: the finest, all the same, may make a smaller one.
TINY = 1024
#: Files below this size may be smaller with one scan than with the headers and tables of several.
SMALL = 8192
#: If that one is further above the target than this, DC steps are held and the search goes on.
OVERSHOOT = 1.5e-4
#: How much larger a file may be estimated to be than another one that has met the target, for a
#: search to be worth while. Of 60 searches after a loop that had met its target, on photographs,
#: screenshots and icons, 14 won, none of the photographs'. But for one file of half a KB, they had
#: promised 1.016 at most.
HOPELESS = 1.02
#: The search ends when a scale that passes and one that fails differ by less than this part.
RESOLUTION = 1e-3
#: The last scale that may be tried is to lose this part of the budget, if none has passed.
SAFE = 0.8
#: DC steps that are tried on either side of the usual one; by what part files must shrink for
#: another one; what a file grows by, in logarithms, as its loss shrinks; and the part of a bit that
#: the double step saves in a block.
DC_RANGE, DC_GAIN, SIZE_PER_LOSS, DC_BITS = 3, 0.05, 0.7, 0.5
#: The DC steps of the first tables are held if their loss is within this factor of the budget.
NEAR_BUDGET = 1.4
#: Where a scale is first looked for, over the root of the loss; and scales that are as good as
#: equal, as logarithms.
FIRST_SCALE, SAME_SCALE = 7.0, 2e-3
#: Range of scales: all steps 1, and all steps 255, for any picture.
FINEST, COARSEST = 1e-6, 1e6


def solve_scale(loss: Callable[[float], float], aim: float) -> float:
    """The scale at which a growing function of it reaches `aim`.

    A secant in log-log, kept between a scale that is too fine and one that is too coarse, until
    they are SAME_SCALE apart: steps are integers, so losses have stairs. Some six evaluations.
    Returns FINEST or COARSEST if the function never gets there.
    """
    low, high = math.log(FINEST), math.log(COARSEST)
    if aim <= 0:
        return FINEST
    x, best = min(max(math.log(FIRST_SCALE * math.sqrt(aim)), low), high), low
    previous: tuple[float, float] | None = None
    for _ in range(40):
        y = math.log(max(loss(math.exp(x)), 1e-12) / aim)
        if y <= 0:
            low = best = x
        else:
            high = x
        if abs(y) < 0.003 or high - low < SAME_SCALE:
            return math.exp(x if abs(y) < 0.003 else best)
        slope = 1.5
        if previous is not None and previous[0] != x:
            slope = min(max((y - previous[1]) / (x - previous[0]), 0.5), 4.0)
        previous = x, y
        x = x - y / slope
        if not low < x < high:
            x = (low + high) / 2
    return math.exp(best)


@dataclass
class Candidate:
    """A subsampling for a picture, analysed as far as the tables do not matter."""

    image: npt.NDArray[np.uint8]
    subsampling: str
    geometry: Geometry
    kept: npt.NDArray[np.int16] | None
    estimator: Estimator
    floor: float
    trials: list[tuple[float, float]] = field(default_factory=list)
    dc_steps: list[int] | None = None
    start: Start | None = None
    shapes: list[npt.NDArray[np.float64]] | None = None
    features: npt.NDArray[np.float64] | None = None
    #: How to read what the picture at half size loses, once it is known.
    known: Known | None = None

    def begin(
        self, start: Start | None, budget: float | None = None, rounding: float = ROUNDING
    ) -> None:
        """Shape the tables, and reckon with the predicted loss at first; None for neither.

        If a budget for the loss is given, single steps are those that are best there for rounded
        coefficients (:mod:`pyjpegml.steps`), unless that is out of the range of what is tried: in
        pictures of hardly any content, or with hardly any budget.
        """
        self.start, self.shapes = start, None
        self.trials.clear()
        self.dc_steps = None
        if start is None:
            return
        shapes = knob_shapes(start.knobs, len(self.geometry.planes))
        if budget is not None:
            steps = Steps(self.estimator, self.scale_for(budget), rounding)
            aim = budget * math.exp(-start.loss)
            scale = solve_scale(lambda scale: self.floor + steps.at(scale).loss, aim)
            if steps.least < scale < steps.most:
                shapes = [a + b for a, b in zip(steps.at(scale).shapes, shapes, strict=True)]
        self.shapes = shapes

    @property
    def coefficients(self) -> npt.NDArray[np.int16]:
        """Those of the picture, times 8; made again if :meth:`forget` has been called."""
        if self.kept is None:
            _, self.kept = analyse(self.image, self.geometry.sampling)
        return self.kept

    def forget(self) -> None:
        """Give the memory of the coefficients back."""
        self.kept = None

    def qtables(self, scale: float) -> list[npt.NDArray[np.uint16]]:
        """The tables of a scale: the closed form, shaped by the best steps and as predicted; DC
        steps apart if they are held.
        """
        weights = self.estimator.mean_weights
        if self.shapes is not None:
            weights = shaped(weights, self.shapes)
        tables = closed_form_qtables(weights, scale)
        for table, step in zip(tables, self.dc_steps or (), strict=False):
            table[0, 0] = step
        return tables

    def model(self, scale: float) -> float:
        """Estimated 1 - MS-SSIM."""
        return self.floor + self.estimator.loss(self.qtables(scale))

    def hold_dc(self, qtables: Sequence[npt.NDArray[np.uint16]]) -> None:
        """Keep the DC steps of these tables from now on. In large flat areas, a step that happens
        to hit their level and the next one, that does not, can differ by more than the target's
        whole budget; then only the other coefficients can lead the score to the target.
        """
        self.dc_steps = [int(table[0, 0]) for table in qtables]
        self.trials.clear()

    def best_dc(self, qtables: Sequence[npt.NDArray[np.uint16]]) -> int:
        """The DC step of luma, near that of these tables, with which the file is estimated to be
        smallest at equal loss.

        In large flat areas one step hits their level and the next does not, and most of the loss
        may depend on it. Where it makes no such difference, the step stays.
        """
        usual = int(qtables[0][0, 0])
        luma, size = self.geometry.planes[0], self.estimator.estimate(qtables).size
        blocks = luma.down * luma.across
        if size <= 0:  # nothing is left of the picture
            return usual

        def cost(step: int) -> float:
            tables = [table.copy() for table in qtables]
            tables[0][0, 0] = step
            loss = math.log(max(self.floor + self.estimator.loss(tables), 1e-12))
            saved = DC_BITS * blocks * math.log2(step / usual) / 8
            return SIZE_PER_LOSS * loss - saved / size

        steps = range(max(usual - DC_RANGE, 1), min(usual + DC_RANGE, 255) + 1)
        costs = {step: cost(step) for step in steps}
        best = min(costs, key=costs.__getitem__)
        return best if costs[best] < costs[usual] - DC_GAIN else usual

    def correction(self, scale: float) -> float:
        """Logarithm of measured to estimated loss: constant after one trial, then a line through
        the two trials nearest to this scale.
        """
        if not self.trials:
            return 0.0
        x = math.log(scale)
        points = sorted(
            (
                (math.log(s), math.log(max(loss, 1e-9) / max(self.model(s), 1e-9)))
                for s, loss in self.trials
            ),
            key=lambda point: abs(point[0] - x),
        )[:2]
        if len(points) == 1 or abs(points[0][0] - points[1][0]) < 1e-6:
            return points[0][1]
        (x0, y0), (x1, y1) = points
        slope = min(max((y1 - y0) / (x1 - x0), -1.0), 1.0)
        return y0 + slope * min(max(x - x0, -0.5), 0.5)

    def scale_for(self, aim: float) -> float:
        """The scale at which the corrected estimate reaches `aim`."""
        if not self.trials:
            return solve_scale(self.model, aim * math.exp(-self.start.loss if self.start else 0.0))
        near = solve_scale(self.model, aim)
        for _ in range(3):
            near = solve_scale(self.model, aim * math.exp(-self.correction(near)))
        return near


def candidate(
    image: npt.NDArray[np.uint8],
    reference: Reference,
    subsampling: str,
    maps: npt.NDArray[np.float64] | None = None,
) -> Candidate:
    """Analyse a picture for one subsampling (``"grey"`` for one component)."""
    factors = SUBSAMPLINGS.get(subsampling, ((1, 1),))
    if image.shape[2:] == (4,):
        factors = (*factors, factors[0])  # K is as fine as Y
    geometry, coefficients = analyse(image, factors, reference.crew)
    estimator = Estimator(reference, geometry, coefficients, maps)
    return Candidate(image, subsampling, geometry, coefficients, estimator, estimator.rounding_loss)


def add_sampling_loss(plan: Candidate, image: npt.NDArray[np.uint8], reference: Reference) -> None:
    """Measure what colour and sampling alone lose, if chroma has not its full size."""
    geometry = plan.geometry
    if geometry.h_max * geometry.v_max > 1:
        plan.floor = 1 - reference.quick_score(resampled(image, geometry, reference.crew))


@dataclass(frozen=True)
class Writing:
    """How a file is written.

    Attributes
    ----------
    progressive : bool
        Whether it may be progressive; below SMALL it is if that makes it smaller.
    segments : bytes
        APPn and COM.
    finish : callable, optional
        Makes the file of one that ends with its picture: adds what stands behind that.
    """

    progressive: bool
    segments: bytes
    finish: Callable[[bytes], bytes] | None = None

    @cached_property
    def extra(self) -> int:
        """Bytes of a file that are not its picture: metadata, and what stands behind."""
        empty = b"\xff\xd8" + self.segments + b"\xff\xd9"
        return len(empty if self.finish is None else self.finish(empty)) - 4

    def __call__(
        self,
        geometry: Geometry,
        levels: npt.NDArray[np.int16],
        qtables: Sequence[npt.NDArray[np.uint16]],
        crew: Crew,
    ) -> bytes:
        """The file."""

        def made(progressive: Progressive) -> bytes:
            """With the Huffman tables that serve components best, of few as well as of many."""
            return assemble(
                geometry, levels, qtables, progressive=progressive, slots=None,
                segments=self.segments, crew=crew,
            )  # fmt: skip

        data = made(best_script(geometry, levels, crew=crew) if self.progressive else False)
        if self.progressive and len(data) - len(self.segments) < SMALL:
            data = min(data, made(False), key=len)
        return data if self.finish is None else self.finish(data)


def careful_score(reference: Reference, pixels: npt.NDArray[np.uint8], target: float) -> float:
    """The score, in double precision where rounding might turn a miss into a hit."""
    score = reference.score(pixels)
    if abs(score - target) < CLOSE * max(1 - target, LEAST_CLOSE):
        score = reference.score(pixels, exact=True)
    return score


@dataclass(frozen=True)
class Trial:
    """One set of tables and what it was found to lose.

    Attributes
    ----------
    scale : float
    rounding : float
    qtables : list of (8, 8) uint16
    loss : float
        By the windows that the reference keeps.
    size : float
        Estimated bytes; those of the file, but for what is not its picture, if it is TINY.
    """

    scale: float
    rounding: float
    qtables: list[npt.NDArray[np.uint16]]
    loss: float
    size: float


class Search:
    """The search for the coarsest scale of a candidate whose file meets a target.

    Parameters
    ----------
    plan : Candidate
    reference : Reference
    target : float
    account : Account
        Encodes so far, of other candidates too, and what may be spent. One is always made.
    writing : Writing
    hasty : bool
        Whether the first file that passes will do, unless it is far too good.

    Attributes
    ----------
    best : Trial
        The smallest that passed, or else the one of the least loss.
    """

    def __init__(
        self,
        plan: Candidate,
        reference: Reference,
        target: float,
        account: Account,
        writing: Writing,
        hasty: bool = False,
    ) -> None:
        self.plan = plan
        self.writing = writing
        self.hasty = hasty
        self.reference = reference
        self.target = target
        self.account = account
        self.budget = (1 - target) * (1 - SURE)
        self.best: Trial | None = None
        self._trials: dict[tuple[object, ...], Trial] = {}
        self._ratio = 1.0  # of true losses to measured ones
        self._first: float | None = None  # the scale to begin with, once it is known

    @property
    def tolerance(self) -> float:
        """What part of the budget may be left."""
        return HASTY_TOLERANCE if self.hasty else TOLERANCE

    @property
    def margin(self) -> float:
        """What part of it is aimed at."""
        return HASTY_MARGIN if self.hasty else TOLERANCE / 2

    def run(self) -> Result:
        """Search, and return the best result; if this has been done in haste, go on from there."""
        found = self._file(self._search())
        for _ in range(CORRECTIONS):
            trial = self.best
            assert trial is not None
            if found.met or not self._passes(trial) or self.account.left < 1:
                break
            self._ratio *= (1 - found.ms_ssim) / max(trial.loss * self._ratio, 1e-9)
            self._ratio *= 1 + SLIGHTLY
            self.best = min(self._trials.values(), key=self._rank)
            other = self._file(self._search())
            if better(other, found):
                found = other
        return found

    def promises(self, least: float) -> bool:
        """Whether the file may be smaller than another one that meets the target and has `least`
        bytes besides metadata, as the first scale tells; it is not scored where a look at half size
        tells enough.
        """
        scale = self._first = self._first_scale()
        loss = self._loss_at_half_size(scale)
        if loss is not None:
            size = self.plan.estimator.estimate(self.plan.qtables(scale)).size
            if self._at_target(size, loss) > HOPELESS * least:
                return False
        trial = self.judge(scale)
        return self._at_target(trial.size, trial.loss) <= HOPELESS * least

    def _at_target(self, size: float, loss: float) -> float:
        """Size of a file that loses the budget, as one that loses so much tells."""
        return size * math.exp(SIZE_PER_LOSS * math.log(max(loss, 1e-12) / self.budget))

    def _loss_at_half_size(self, scale: float) -> float | None:
        """What the picture at half size tells of a scale; None if nobody knows how to read it."""
        plan, geometry = self.plan, self.plan.geometry
        if plan.known is None:
            return None
        qtables, crew = plan.qtables(scale), self.reference.crew
        levels = quantize_all(geometry, plan.coefficients, qtables, ROUNDING, crew)
        energies = [energy.astype(np.float32) for energy in plan.estimator.energies]
        steps = [table.reshape(64).astype(np.float32) for table in qtables]
        descent = HalfDescent(
            self.reference,
            geometry,
            plan.estimator.weights,
            energies,
            steps,
            plan.coefficients,
            crew,
        )
        return plan.known.total(descent.losses(levels))

    def _first_scale(self) -> float:
        """Where to begin; DC steps that are best there are held."""
        aim = self.budget * (1 - self.margin)
        tables = self.plan.qtables(self._scale(aim))
        tables[0][0, 0] = self.plan.best_dc(tables)
        self.plan.hold_dc(tables)
        return self._scale(aim)

    def _search(self) -> Trial:
        """The best trial of all that are tried."""
        best = self.approach(FINEST)
        held = self.plan.dc_steps is not None
        if not self._passes(best) or best.size < TINY:
            self.plan.dc_steps = None
            for rounding in (ROUNDING, 0.5):
                if self.account.left >= 1:
                    self.judge(FINEST, rounding)
        best = self._best()
        margin = self.budget - self._ratio * best.loss
        enough = max(OVERSHOOT, self.tolerance * self.budget) if self.hasty else OVERSHOOT
        if self.account.left >= 1 and self._passes(best) and margin > enough and not held:
            self.plan.hold_dc(best.qtables)
            self.plan.trials.append((best.scale, self._ratio * best.loss))
            self.approach(best.scale, 2 * MAX_ENCODES)
        return self._best()

    def _best(self) -> Trial:
        assert self.best is not None
        return self.best

    def _passes(self, trial: Trial) -> bool:
        return self._ratio * trial.loss <= self.budget

    def _rank(self, trial: Trial) -> tuple[bool, float]:
        """What is to be preferred comes first."""
        passes = self._passes(trial)
        return not passes, trial.size if passes else trial.loss

    def approach(self, low: float, most: int = MAX_ENCODES) -> Trial:
        """Try scales from the prediction on, between the coarsest that passes (`low`, or FINEST)
        and the finest that fails; at most `most` of them.
        """
        high = COARSEST
        step = 1.002
        aim = self.budget * (1 - self.margin)
        scale = self._first
        if scale is None:
            scale = self._scale(aim) if self._trials else self._first_scale()
        self._first = None
        for tries in range(1, most + 1):
            if not low < scale < high:
                # the prediction repeats or contradicts what is known: a small step, then larger
                # ones, but at most to the middle
                middle = math.sqrt(low * high)
                scale = max(high / step, middle) if scale >= high else min(low * step, middle)
                step = min(step**4, 4.0)
            if self._passes(self.judge(scale)):
                low = scale
            else:
                high = scale
            best = self._best()
            met, loss = self._passes(best), self._ratio * best.loss
            if tries == 1 and not 1 / NEAR_BUDGET < loss / max(self.budget, 1e-9) < NEAR_BUDGET:
                self.plan.dc_steps = None
            if met and loss >= self.budget * (1 - self.tolerance):
                break
            near = met and self.budget - loss <= OVERSHOOT
            if high <= low * (1 + RESOLUTION) or (tries >= MAX_ENCODES and near):
                break
            if self.account.left < 1:
                break
            scale = self._scale(aim)
        return self._best()

    def _scale(self, aim: float) -> float:
        """Where to try next: a finer scale if it is the last one and nothing has passed yet."""
        passed = self.best is not None and self._passes(self.best)
        return self.plan.scale_for(aim if passed or self.account.left > 1 else SAFE * aim)

    def judge(self, scale: float, rounding: float = ROUNDING) -> Trial:
        """Measure what the levels of a scale lose (once for equal tables)."""
        plan, geometry, reference = self.plan, self.plan.geometry, self.reference
        qtables = plan.qtables(scale)
        key = (rounding, *(table.tobytes() for table in qtables))
        if key not in self._trials:
            levels = quantize_all(geometry, plan.coefficients, qtables, rounding, reference.crew)
            loss = 1 - reference.quick_score(reconstruct(geometry, levels, qtables, reference.crew))
            size = plan.estimator.estimate(qtables).size
            if size < TINY:
                data = self.writing(geometry, levels, qtables, reference.crew)
                size = len(data) - self.writing.extra
            self.account.note("rounded", self._ratio * loss, size)
            self._trials[key] = Trial(scale, rounding, qtables, loss, size)
            plan.trials.append((scale, self._ratio * loss))
        trial = self._trials[key]
        if self.best is None or self._rank(trial) < self._rank(self.best):
            self.best = trial
        return trial

    def _file(self, trial: Trial) -> Result:
        """The file of a trial, decoded and scored."""
        plan, geometry, reference = self.plan, self.plan.geometry, self.reference
        levels = quantize_all(
            geometry, plan.coefficients, trial.qtables, trial.rounding, reference.crew
        )
        data = self.writing(geometry, levels, trial.qtables, reference.crew)
        pixels = geometry.width * geometry.height
        decoded = decode(data, max_pixels=pixels, threads=len(reference.crew))
        score = careful_score(reference, decoded, self.target)
        return Result(
            data, score, score >= self.target, self.account.encodes, tuple(trial.qtables),
            plan.subsampling, self.target, geometry.width, geometry.height,
            (("rounded", 1 - score, len(data)),),
        )  # fmt: skip
