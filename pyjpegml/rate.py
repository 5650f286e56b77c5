"""Rate control: the smallest file whose MS-SSIM, scored on its own bytes, meets a target.

1. For 4:2:0 and 4:4:4 the picture is analysed up to the DCT. Sensitivities give quantization tables
   in closed form up to one factor, the scale (:mod:`pyjpegml.tables`).
2. What no table can mend (colours rounded, chroma at half size) is found out once: for 4:2:0 by the
   score of the picture after colour and sampling alone. To that the estimator adds the loss of
   quantization. The scale at which the sum is the target is solved for either subsampling, with
   the size of the file there; the smaller one wins.
3. That file is made, decoded and scored. The estimate is off by some percent, so smoothly that its
   logarithm is corrected by a constant after one encode, and by a line through two points after
   that (a secant in log-log). The search ends when the score is above the target by at most half a
   percent of ``1 - target``, or when scales that pass and fail have met.
4. In large flat areas a DC step may happen to hit their level; then a slightly larger scale costs
   far more than its neighbour. If the search ends too far above the target, it goes on with the DC
   steps of its best file held.

*The guarantee.* Each file is judged by decoding its bytes with :func:`pyjpegml.decode`, whose
pixels are those of libjpeg-turbo, and by a score in double precision. The smallest file that passed
is returned. A target that no file can meet (say 1.0) gives the best one there is, ``met=False``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from .arguments import check_image
from .assembly import assemble
from .closed_loop import (
    FINER,
    FIRST_LOSS,
    LOSS_PER_BIT,
    LOSS_PER_FULL_BIT,
    PRICE,
    SCALE_POWER,
    ClosedLoop,
    Schedule,
)
from .coefficients import Geometry
from .decoder import decode
from .encoder import analyse, encode, quantize_all
from .header import SUBSAMPLINGS
from .metrics import TAPS, Reference
from .planes import component_planes
from .quantize import standard_qtables
from .quantizer import Quantizer
from .sensitivity import block_maps
from .strips import YCBCR, picture
from .tables import ROUNDING, Estimator
from .threads import check_threads

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
#: Rounds of the closed loop, by effort.
EFFORTS: dict[str, Schedule | None] = {
    "fast": None,
    "normal": Schedule((1.2, 1.5, 2.0), 4, 0.003),
    "best": Schedule((1.2, 1.2, 1.3, 1.4, 1.6, 2.0), 8, 0.001),
}
#: Bits a pixel from which on the first loss grows no more; change of scale that is none.
MOST_BITS, SAME_SCALE = 2.0, 0.04
#: Tables are finer by this factor when the loop has not reached the target.
SECOND_ATTEMPT = 0.85
#: Range of scales: all steps 1, and all steps 255, for any picture.
FINEST, COARSEST = 1e-6, 1e6


@dataclass(frozen=True, repr=False)
class Result:
    """A compressed picture.

    Attributes
    ----------
    data : bytes
        The JPEG file.
    ms_ssim : float
        Its score, measured on these bytes.
    met : bool
        Whether the score reaches the target.
    encodes : int
        Sets of coefficients that were reconstructed and scored.
    qtables : tuple of (8, 8) uint16
        Quantization table of each component.
    subsampling : str
        ``"4:2:0"``, ``"4:4:4"``, or ``"grey"``.
    target : float
    width, height : int
    """

    data: bytes
    ms_ssim: float
    met: bool
    encodes: int
    qtables: tuple[npt.NDArray[np.uint16], ...]
    subsampling: str
    target: float
    width: int
    height: int

    @property
    def bits_per_pixel(self) -> float:
        """Size of the file over the pixels of the picture."""
        return 8 * len(self.data) / (self.width * self.height)

    def __repr__(self) -> str:
        return (
            f"<{self.width}x{self.height} JPEG, {len(self.data)} bytes "
            f"({self.bits_per_pixel:.3f} bits per pixel), MS-SSIM {self.ms_ssim:.6f} "
            f"{'>=' if self.met else '< target'} {self.target:g}, {self.subsampling}, "
            f"{self.encodes} encode{'s' * (self.encodes != 1)}>"
        )


def check_target(ms_ssim: float) -> float:
    """A target as a float.

    Raises
    ------
    ValueError
        If it is not in (0, 1].
    """
    target = float(ms_ssim)
    if not 0 < target <= 1:
        raise ValueError(f"ms_ssim is a target above 0 and at most 1, not {ms_ssim!r}")
    return target


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

    def qtables(self, scale: float) -> list[npt.NDArray[np.uint16]]:
        """The closed form at a scale, DC steps apart if they are held."""
        tables = self.estimator.qtables(scale)
        for table, step in zip(tables, self.dc_steps or (), strict=False):
            table[0, 0] = step
        return tables

    def model(self, scale: float) -> float:
        """Estimated 1 - MS-SSIM."""
        return self.floor + self.estimator.estimate(self.qtables(scale)).loss

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
            return solve_scale(self.model, aim)
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
    geometry, coefficients = analyse(image, factors)
    estimator = Estimator(reference, geometry, coefficients, maps)
    floor = estimator.rounding_loss
    if geometry.h_max * geometry.v_max > 1:
        planes = component_planes(image, geometry)
        floor = 1 - reference.score(picture(geometry, planes, YCBCR))
    return Candidate(subsampling, geometry, coefficients, estimator, floor)


def compress(
    image: npt.ArrayLike,
    *,
    ms_ssim: float = 0.99,
    effort: str = "normal",
    progressive: bool = True,
    threads: int | None = 1,
) -> Result:
    """Compress a picture to the smallest file that meets an MS-SSIM.

    Parameters
    ----------
    image : (h, w), (h, w, 1) or (h, w, 3) uint8 array
        Grey or RGB.
    ms_ssim : float
        Least MS-SSIM of the decoded file to `image`, above 0 and at most 1; for RGB the mean over
        the three channels. Photographs look untouched at 0.99.
    effort : str
        ``"fast"``: tables made for this picture, everything rounded. ``"normal"``: levels by trellis
        and gradient. ``"best"``: more rounds of that, and every subsampling tried.
    progressive : bool
        Progressive files are smaller by some percent; some old or simple decoders want sequential
        ones.
    threads : int or None
        How many threads may work on this picture; None for all useful cores. This version uses one.

    Returns
    -------
    Result
        ``.data`` is the file, ``.ms_ssim`` its score, ``.met`` tells whether that reaches the
        target. If no file can reach it, the one with the highest score is returned.

    Raises
    ------
    TypeError, ValueError
        If the image is not uint8 or of another shape, or the target not in (0, 1].

    Notes
    -----
    The score holds in every program that decodes as libjpeg-turbo does by default (Pillow, OpenCV,
    simplejpeg, imagecodecs). Baseline coding, optimal Huffman tables.

    Examples
    --------
    >>> import numpy as np, pyjpegml
    >>> y, x = np.mgrid[:200, :240]
    >>> image = np.stack([x, y, (x + y) // 2], 2).astype(np.uint8)
    >>> result = pyjpegml.compress(image, ms_ssim=0.98)
    >>> result.met, result.ms_ssim >= 0.98, len(result.data) < image.size // 20
    (True, True, True)
    """
    check_threads(threads)
    target = check_target(ms_ssim)
    if effort not in EFFORTS:
        raise ValueError(f"effort is one of {', '.join(EFFORTS)}, not {effort!r}")
    array = check_image(image)
    reference = Reference(array)
    maps = block_maps(reference)
    names = ("grey",) if array.ndim == 2 else ("4:2:0", "4:4:4")
    candidates = [candidate(array, reference, name, maps) for name in names]
    aim = (1 - target) * (1 - TOLERANCE / 2)
    possible = [c for c in candidates if c.floor < aim] or candidates[-1:]
    if len(possible) > 1:
        plans = [c.qtables(c.scale_for(aim)) for c in possible]
        sizes = [c.estimator.estimate(plan).size for c, plan in zip(possible, plans, strict=True)]
        order = sorted(range(len(possible)), key=lambda i: sizes[i])
        possible = [possible[i] for i in order]
    encodes = 0
    results = []
    for plan in possible:
        schedule = EFFORTS[effort]
        if schedule is not None and min(array.shape[:2]) >= TAPS:
            refined = refine(plan, reference, target, schedule, progressive)
            if refined is not None:
                results.append(refined)
                encodes += refined.encodes
                if effort != "best":
                    break
    for plan in possible:
        if any(result.met for result in results):
            break
        search = Search(plan, reference, target, encodes, progressive)
        results.append(search.run())
        encodes = search.encodes
    best = results[0]
    for result in results[1:]:
        if _better(result, best):
            best = result
    return replace(best, encodes=encodes)


def refine(
    plan: Candidate, reference: Reference, target: float, schedule: Schedule, progressive: bool
) -> Result | None:
    """The closed loop for one subsampling; None if it does not reach the target.

    The first levels are scored, and the scale is corrected once by what they lose: the estimate is
    made for rounding, not for a trellis.
    """
    geometry, estimator = plan.geometry, plan.estimator
    budget = 1 - target
    pixels = geometry.width * geometry.height
    subsampled = len(geometry.planes) == 1 or geometry.h_max * geometry.v_max > 1
    per_bit = LOSS_PER_BIT if subsampled else LOSS_PER_FULL_BIT
    scale = plan.scale_for(budget) * FINER
    encodes = 0
    trial = None
    for attempt in range(3):
        quantizer = Quantizer(
            reference, geometry, plan.coefficients, estimator.weights, estimator.energies,
            estimator.qtables(scale), progressive,
        )  # fmt: skip
        price = PRICE * scale * scale / pixels
        quantizer.keep(quantizer.trellis(price))
        if attempt == 0:
            encodes += 1
            loss = 1 - reference.score(quantizer.pixels(quantizer.levels))
            bits = 8 * quantizer.statistics.size / pixels
            wanted = budget * (FIRST_LOSS + per_bit * min(bits, MOST_BITS))
            change = (wanted / max(loss, 1e-9)) ** (1 / SCALE_POWER)
            if abs(math.log(change)) > SAME_SCALE:
                scale *= min(max(change, 0.5), 2.0)
                continue
        loop = ClosedLoop(
            quantizer, price, target, lambda pixels: careful_score(reference, pixels, target)
        )
        trial = loop.run(schedule)
        encodes += len(loop.history)
        if trial is not None:
            break
        scale *= SECOND_ATTEMPT
    if trial is None:
        return None
    data = assemble(
        geometry, trial.levels, quantizer.qtables, progressive=progressive and "search"
    )
    decoded = decode(data, max_pixels=pixels)
    score = trial.score
    if not np.array_equal(decoded, trial.pixels):
        score = careful_score(reference, decoded, target)
    return Result(
        data, score, score >= target, encodes, tuple(quantizer.qtables),
        plan.subsampling, target, geometry.width, geometry.height,
    )  # fmt: skip


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
    encodes : int
        Encodes so far, of other candidates.

    Attributes
    ----------
    best : Result
        The smallest file that passed, or else the one with the highest score.
    encodes : int
    """

    def __init__(
        self,
        plan: Candidate,
        reference: Reference,
        target: float,
        encodes: int = 0,
        progressive: bool = False,
    ) -> None:
        self.plan = plan
        self.progressive = progressive
        self.reference = reference
        self.target = target
        self.encodes = encodes
        self.budget = 1 - target
        self.best: Result | None = None
        self.best_scale = FINEST
        self._results: dict[tuple[object, ...], Result] = {}

    def run(self) -> Result:
        """Search, and return the best result."""
        best = self.approach(FINEST)
        if not best.met or len(best.data) < TINY:
            self.judge(FINEST)
            self.judge(FINEST, rounding=0.5)
        assert self.best is not None
        if self.best.met and self.best.ms_ssim - self.target > OVERSHOOT:
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
            data = assemble(
                geometry, quantized, qtables, progressive=self.progressive and "search"
            )
            pixels = decode(data, max_pixels=geometry.width * geometry.height)
            score = careful_score(self.reference, pixels, self.target)
            self.encodes += 1
            self._results[key] = Result(
                data, score, score >= self.target, self.encodes, tuple(qtables), plan.subsampling,
                self.target, geometry.width, geometry.height,
            )  # fmt: skip
            plan.trials.append((scale, 1 - score))
        result = self._results[key]
        if self.best is None or _better(result, self.best):
            self.best, self.best_scale = result, scale
        return result


def _better(a: Result, b: Result) -> bool:
    """Whether a result is to be preferred: one that passes, then the smaller; else the better."""
    if a.met != b.met:
        return a.met
    return len(a.data) < len(b.data) if a.met else a.ms_ssim > b.ms_ssim


def annex_k_baseline(image: npt.ArrayLike, ms_ssim: float, *, subsampling: str = "4:2:0") -> Result:
    """What a search over libjpeg's quality finds: Annex K's tables at the lowest quality that meets
    a target, with optimal Huffman tables. The yardstick of :func:`compress`.

    Parameters
    ----------
    image : (h, w) or (h, w, 3) uint8 array
    ms_ssim : float
    subsampling : str

    Returns
    -------
    Result
    """
    target = check_target(ms_ssim)
    array = check_image(image)
    reference = Reference(array)
    low, high, encodes = 1, 100, 0
    found: tuple[bytes, float, int] | None = None
    while low <= high:
        quality = (low + high) // 2
        data = encode(array, quality=quality, subsampling=subsampling)
        score = reference.score(decode(data))
        encodes += 1
        if score >= target:
            found, high = (data, score, quality), quality - 1
        else:
            if found is None and quality == 100:
                found = data, score, quality
            low = quality + 1
    assert found is not None
    data, score, quality = found
    luma, chroma = standard_qtables(quality)
    grey = array.ndim == 2
    return Result(
        data, score, score >= target, encodes, (luma,) if grey else (luma, chroma, chroma),
        "grey" if grey else subsampling, target, array.shape[1], array.shape[0],
    )  # fmt: skip
