"""Subsamplings as candidates, and the search for a scale where coefficients are rounded.

The estimator (:mod:`pyjpegml.tables`) tells the loss for a scale within some percent, so smoothly
that its logarithm is corrected by a constant after one encode, and by a line through two points
after that (a secant in log-log). The search ends when the score is above the target by at most half
a percent of ``1 - target``, or when scales that pass and fail have met.

In large flat areas a DC step may happen to hit their level; then a slightly larger scale costs far
more than its neighbour. If the search ends too far above the target, it goes on with the DC steps
of its best file held.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .assembly import Progressive, assemble
from .budget import Account
from .coefficients import Geometry
from .decoder import decode
from .encoder import analyse, quantize_all, usual_planes
from .header import SUBSAMPLINGS
from .knobs import Start, shape_weights
from .metrics import Reference
from .result import Result, better
from .strips import picture_of
from .tables import ROUNDING, Estimator, closed_form_qtables

#: A score that is above the target by this part of ``1 - target`` is near enough.
TOLERANCE = 0.005
#: Scores this close to the target are measured again in double precision throughout.
CLOSE = 1e-6
#: Encodes after which the best file so far is taken, if one passed.
MAX_ENCODES = 6
#: Files below this size are mostly tables: the finest, all the same, may make a smaller one.
TINY = 1024
#: If that one is further above the target than this, DC steps are held and the search goes on.
OVERSHOOT = 1.5e-4
#: The search ends when a scale that passes and one that fails differ by less than this part.
RESOLUTION = 1e-3
#: Range of scales: all steps 1, and all steps 255, for any picture.
FINEST, COARSEST = 1e-6, 1e6


def solve_scale(loss: Callable[[float], float], aim: float) -> float:
    """The scale at which a growing function of it reaches `aim`.

    A secant in log-log, kept between a scale that is too fine and one that is too coarse; four or
    five evaluations. Returns FINEST or COARSEST if the function never gets there.
    """
    low, high = math.log(FINEST), math.log(COARSEST)
    if aim <= 0:
        return FINEST
    x, best = 0.0, low
    previous: tuple[float, float] | None = None
    for _ in range(40):
        y = math.log(max(loss(math.exp(x)), 1e-12) / aim)
        if y <= 0:
            low = best = x
        else:
            high = x
        if abs(y) < 0.003 or high - low < 1e-4:
            return math.exp(x if abs(y) < 0.003 else best)
        slope = 2.0
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

    subsampling: str
    geometry: Geometry
    coefficients: npt.NDArray[np.int16]
    estimator: Estimator
    floor: float
    trials: list[tuple[float, float]] = field(default_factory=list)
    dc_steps: list[int] | None = None
    start: Start | None = None
    features: npt.NDArray[np.float64] | None = None

    def begin(self, start: Start | None) -> None:
        """Shape the tables, and let the first scale be as predicted; None for the closed form."""
        self.start = start
        self.trials.clear()
        self.dc_steps = None

    def qtables(self, scale: float) -> list[npt.NDArray[np.uint16]]:
        """The closed form at a scale, shaped as predicted, DC steps apart if they are held."""
        weights = self.estimator.mean_weights
        if self.start is not None:
            weights = shape_weights(weights, self.start.knobs)
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
            return solve_scale(self.model, aim) * math.exp(self.start.scale if self.start else 0.0)
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
    geometry, coefficients = analyse(image, factors)
    estimator = Estimator(reference, geometry, coefficients, maps)
    return Candidate(subsampling, geometry, coefficients, estimator, estimator.rounding_loss)


def add_sampling_loss(plan: Candidate, image: npt.NDArray[np.uint8], reference: Reference) -> None:
    """Measure what colour and sampling alone lose, if chroma has not its full size."""
    geometry = plan.geometry
    if geometry.h_max * geometry.v_max > 1:
        plan.floor = 1 - reference.score(picture_of(geometry, usual_planes(image, geometry)))


@dataclass(frozen=True)
class Writing:
    """How a file is written.

    Attributes
    ----------
    progressive : bool
    segments : bytes
        APPn and COM.
    finish : callable, optional
        Makes the file of one that ends with its picture: adds what stands behind that.
    """

    progressive: bool
    segments: bytes
    finish: Callable[[bytes], bytes] | None = None

    def __call__(
        self,
        geometry: Geometry,
        levels: npt.NDArray[np.int16],
        qtables: Sequence[npt.NDArray[np.uint16]],
    ) -> bytes:
        """The file."""
        progressive: Progressive = "search" if self.progressive else False
        data = assemble(geometry, levels, qtables, progressive=progressive, segments=self.segments)
        return data if self.finish is None else self.finish(data)


def careful_score(reference: Reference, pixels: npt.NDArray[np.uint8], target: float) -> float:
    """The score, in double precision where rounding might turn a miss into a hit."""
    score = reference.score(pixels)
    if abs(score - target) < CLOSE:
        score = reference.score(pixels, exact=True)
    return score


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

    Attributes
    ----------
    best : Result
        The smallest file that passed, or else the one with the highest score.
    """

    def __init__(
        self,
        plan: Candidate,
        reference: Reference,
        target: float,
        account: Account,
        writing: Writing,
    ) -> None:
        self.plan = plan
        self.writing = writing
        self.reference = reference
        self.target = target
        self.account = account
        self.budget = 1 - target
        self.best: Result | None = None
        self.best_scale = FINEST
        self._results: dict[tuple[object, ...], Result] = {}

    def run(self) -> Result:
        """Search, and return the best result."""
        best = self.approach(FINEST)
        if not best.met or len(best.data) < TINY:
            for rounding in (ROUNDING, 0.5):
                if self.account.left >= 1:
                    self.judge(FINEST, rounding)
        assert self.best is not None
        if self.account.left >= 1 and self.best.met and self.best.ms_ssim - self.target > OVERSHOOT:
            self.plan.hold_dc(self.best.qtables)
            self.plan.trials.append((self.best_scale, 1 - self.best.ms_ssim))
            self.approach(self.best_scale, 2 * MAX_ENCODES)
        return self.best

    def approach(self, low: float, most: int = MAX_ENCODES) -> Result:
        """Try scales from the prediction on, between the coarsest that passes (`low`, or FINEST)
        and the finest that fails; at most `most` of them.
        """
        high = COARSEST
        step = 1.002
        aim = self.budget * (1 - TOLERANCE / 2)
        scale = self.plan.scale_for(aim)
        for tries in range(1, most + 1):
            if not low < scale < high:
                # the prediction repeats or contradicts what is known: a small step, then larger
                # ones, but at most to the middle
                middle = math.sqrt(low * high)
                scale = max(high / step, middle) if scale >= high else min(low * step, middle)
                step = min(step**4, 4.0)
            if self.judge(scale).met:
                low = scale
            else:
                high = scale
            assert self.best is not None
            if self.best.met and 1 - self.best.ms_ssim >= self.budget * (1 - TOLERANCE):
                break
            near = self.best.met and self.best.ms_ssim - self.target <= OVERSHOOT
            if high <= low * (1 + RESOLUTION) or (tries >= MAX_ENCODES and near):
                break
            if self.account.left < 1:
                break
            scale = self.plan.scale_for(aim)
        assert self.best is not None
        return self.best

    def judge(self, scale: float, rounding: float = ROUNDING) -> Result:
        """Make the file of a scale, decode it, score it (once for equal tables)."""
        plan, geometry = self.plan, self.plan.geometry
        qtables = plan.qtables(scale)
        key = (rounding, *(table.tobytes() for table in qtables))
        if key not in self._results:
            quantized = quantize_all(geometry, plan.coefficients, qtables, rounding)
            data = self.writing(geometry, quantized, qtables)
            pixels = decode(
                data, max_pixels=geometry.width * geometry.height,
                threads=len(self.reference.crew),
            )  # fmt: skip
            score = careful_score(self.reference, pixels, self.target)
            self.account.note("rounded", 1 - score, len(data))
            self._results[key] = Result(
                data, score, score >= self.target, self.account.encodes, tuple(qtables),
                plan.subsampling, self.target, geometry.width, geometry.height,
                (("rounded", 1 - score, len(data)),),
            )  # fmt: skip
            plan.trials.append((scale, 1 - score))
        result = self._results[key]
        if self.best is None or better(result, self.best):
            self.best, self.best_scale = result, scale
        return result
