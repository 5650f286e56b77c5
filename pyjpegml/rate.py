"""Rate control: the smallest file whose MS-SSIM, scored on its own bytes, meets a target.

1. For 4:2:0 and 4:4:4 the picture is analysed up to the DCT, and, where neither is clearly better,
   for 4:2:2 and 4:4:0. Sensitivities give quantization tables in closed form up to one factor, the
   scale (:mod:`pyjpegml.tables`).
2. What no table can mend (colours rounded, chroma at half size) is found out once: by the score of
   the picture after colour and sampling alone. To that the estimator adds the loss of quantization.
   The scale at which the sum is the target is solved for each subsampling, with the size of the
   file there; the smallest one is tried first, and then the next, if it is close.
3. Levels are chosen by trellis and gradient, and their price leads them to the target
   (:mod:`pyjpegml.attempts`, :mod:`pyjpegml.closed_loop`). The file is written once, at the end, in
   the scans that make it smallest.
4. With ``effort="fast"``, and where the loop does not reach the target (colours that cannot be met,
   tiny pictures) or does not save what it saves on photographs, coefficients are rounded by the
   steps that are best for that (:mod:`pyjpegml.steps`), and the scale is searched
   (:mod:`pyjpegml.scale_search`); the smaller file is taken. If the first scale tells that rounding
   will not win, that is all.

How wrong the estimate is, for rounded coefficients and for the loop's first levels, is foreseen by
a model (:mod:`pyjpegml.predictor`) and, of large pictures, by a pilot (:mod:`pyjpegml.pilot`).

*The guarantee.* Each file is judged by decoding its bytes with :func:`pyjpegml.decode`, whose
pixels are those of libjpeg-turbo, and by a score in double precision. The smallest file that passed
is returned. A target that no file can meet (say 1.0) gives the best one there is, ``met=False``.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .attempts import COARSEST_STEP, attempt, counted
from .budget import Account, Options
from .closed_loop import LEAST_LOSS, Schedule
from .half_size import sees_half_size
from .header import read_header
from .knobs import KNOBS, Start
from .metadata import Metadata
from .metrics import LumaReference, Reference
from .originals import read_original
from .pilot import foreseen_error
from .predictor import Model, choose_model
from .result import Plan, Result, better
from .scale_search import (
    TINY,
    TOLERANCE,
    Candidate,
    Search,
    Writing,
    add_sampling_loss,
    candidate,
)
from .sensitivity import block_maps
from .ssim import TAPS
from .threads import Crew, check_threads, useful_threads

NORMAL = Schedule((1.0, 1.2, 1.4, 1.6), 4, 0.016)
THOROUGH = Schedule((1.2, 1.2, 1.3, 1.4, 1.6, 2.0), 8, 0.001, (1.0, 0.98), whole=True)
NEARER = replace(NORMAL, tolerance=0.003)
#: Ways through the closed loop that are tried, by effort; none: coefficients are rounded.
SCHEDULES: dict[str, tuple[Schedule, ...]] = {
    "fast": (),
    "normal": (NORMAL,),
    "best": (NORMAL, NEARER, THOROUGH),
}
#: After so many sets of levels no other way through the loop is begun.
ENOUGH = 40
#: Files that are made to fit a number of bytes, at most; the part of it that is aimed at; how the
#: loss grows as files shrink; the largest that is asked for; and the ratio of two that are as good
#: as equal.
MOST_FITS, FIT_MARGIN, FIT_POWER, MOST_LOSS, SAME_LOSS = 10, 0.99, 1.3, 0.999, 1.01
#: What the loop saves is more, by these factors, where chroma is halved: levels of half-size chroma
#: are made for the filter that enlarges it, which mends a part of what sampling was estimated to
#: lose. Fitted on the training photographs at .98, .99 and .995.
MADE_BY_LOOP = {"4:2:2": 1.03, "4:4:0": 1.04, "4:4:4": 1.05}
#: The loop is tried for as many subsamplings whose files are estimated within this factor of the
#: smallest. On 77 photographs 1.05 made files .07 % smaller at .995, with two encodes more, and not
#: at all at .98 and .99; 1.0, for one only, made them .1 % larger at .995.
CLOSE_PLANS, CLOSE_SIZE = 2, 1.02
#: Of photographs the loop makes files smaller than is estimated for rounding, by this factor. Where
#: it does not, both are tried; and where the model has not seen the like, if it saves less than by
#: the second one.
USUAL_SAVING, UNKNOWN_SAVING = 0.93, 0.8
#: Pictures of more pixels are not worth the time of a second try at the usual effort.
TWICE_PIXELS = 1 << 22
#: 4:2:2 and 4:4:0 are looked at if 4:2:0 alone spends this part of the budget, and 4:4:4 would make
#: files larger by less than this factor. Where they won on the training photographs, it did.
BETWEEN_FLOOR, BETWEEN_SIZE = 0.14, 1.10
#: The target if neither one nor a size is asked for.
USUAL_TARGET = 0.99
#: Fewer pixels than this are not worth a thread.
THREAD_PIXELS = 1 << 16


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


def compress(
    image: npt.ArrayLike | bytes,
    *,
    color: str | None = None,
    ms_ssim: float | None = None,
    max_bytes: int | None = None,
    effort: str = "normal",
    progressive: bool = True,
    metadata: str | Metadata | None = None,
    others: str | None = None,
    threads: int | None = 1,
    options: Options | None = None,
    model: str | os.PathLike[str] | bool | None = None,
) -> Result:
    """Compress a picture to the smallest file that meets an MS-SSIM.

    Parameters
    ----------
    image : (h, w), (h, w, 1), (h, w, 3) or (h, w, 4) uint8 array, or bytes
        Grey, RGB or CMYK; or a JPEG file of 8 bits, whose pixels are then the original.
    color : str, optional
        ``"grey"``, ``"RGB"`` or ``"CMYK"``, with 0 for no ink. Four channels are never guessed.
    ms_ssim : float, optional
        Least MS-SSIM of the decoded file to `image`, above 0 and at most 1; the mean over the three
        channels of RGB, or the four of CMYK. Photographs look untouched at 0.99, which is what is
        asked for by default.
    max_bytes : int, optional
        The most that the file may have, all of it, and at least 1. Alone, it asks for the best file
        of that size. If `ms_ssim` is given and needs more, the best file that fits is returned,
        with ``met=False``.
    effort : str
        ``"fast"``: tables made for this picture, everything rounded. ``"normal"``: levels by
        trellis and four rounds of gradient, of the picture at half size (at full size for small
        pictures, and if luma alone is scored); pictures of up to 4 MP are tried in two subsamplings
        if their files are estimated to be about as large. ``"best"``: six rounds at full size too,
        for one subsampling after the other until 40 sets of levels are scored.
    progressive : bool
        Whether the file may be progressive, which is smaller by some percent; files of a few KB
        are sequential if that is smaller. Some old or simple decoders want sequential ones.
    metadata : "keep", "strip" or Metadata, optional
        What the file holds beside the picture. Of a JPEG, all of it is kept by default;
        ``"strip"`` leaves what decides how the picture looks. An array has only what is given here.
    others : "keep" or "drop", optional
        What becomes of other images behind the first one of a JPEG (MPO, Ultra HDR), and of what
        else follows it: they stay, byte for byte, with the lists of them brought up to date; or
        they go, with what is said of them. By default they stay if all metadata do.
        ``Result.notes`` tells which.
    threads : int or None
        How many threads may work on this picture; None for all useful cores. The file is the same.
    options : Options, optional
        Another metric, limits of encodes or time, and progress.
    model : path or bool, optional
        The model that predicts tables for rounded coefficients (:mod:`pyjpegml.predictor`): a file
        of one's own, or False for none. By default the one that the environment variable
        ``PYJPEGML_MODEL`` names, or else the one that comes with the package.

    Returns
    -------
    Result
        ``.data`` is the file, ``.ms_ssim`` its score, ``.met`` tells whether that reaches the
        target. If no file can reach it, the one with the highest score is returned. A JPEG that is
        not made smaller than without any loss (:func:`pyjpegml.recode`), or misses its target, is
        returned in that way: so no file is larger than the JPEG, which is returned as it is if it
        cannot be recoded (say, a lossless one). Only such a file may be sequential or progressive
        against what is asked for, or be coded as few programs read it.

    Raises
    ------
    TypeError, ValueError
        If the image is not uint8 or of another shape, the target not in (0, 1], or no file fits
        into `max_bytes`; if the model is not one that can be used.
    JpegError
        If the JPEG cannot be decoded, has two components or another precision (12 bits: decode it
        and scale its samples), or other images are to stay and their index contradicts the file.

    Notes
    -----
    The score holds in every program that decodes as libjpeg-turbo does by default (Pillow, OpenCV,
    simplejpeg, imagecodecs).

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
    target = check_target(USUAL_TARGET if ms_ssim is None else ms_ssim)
    best_of_size = ms_ssim is None and max_bytes is not None
    options = Options() if options is None else options
    predictor = choose_model(model)
    if effort not in SCHEDULES:
        raise ValueError(f"effort is one of {', '.join(SCHEDULES)}, not {effort!r}")
    if max_bytes is not None and (isinstance(max_bytes, bool) or not isinstance(max_bytes, int)):
        raise TypeError(f"max_bytes is a number of bytes, not {max_bytes!r}")
    if max_bytes is not None and max_bytes < 1:
        raise ValueError(f"max_bytes is 1 or more, not {max_bytes}")
    original = read_original(image, color, metadata, others, threads)
    array = original.pixels
    if options.metric == "luma" and array.shape[2:] == (4,):
        raise ValueError("metric='luma' is defined for grey and RGB pictures, not for CMYK")
    pixels = array.shape[0] * array.shape[1]
    with Crew(useful_threads(threads, pixels // THREAD_PIXELS)) as crew:
        kind = LumaReference if options.metric == "luma" and array.ndim == 3 else Reference
        writing = Writing(progressive, original.segments, original.finish)
        task = Task(array, kind(array, crew, True), effort, writing, options)
        if options.metric == "rgb" and array.shape[2:] == (3,):
            task.model = predictor
        result = task.compress(target)
        if max_bytes is not None and (best_of_size or len(result.data) > max_bytes):
            result = task.fit(result, max_bytes)
    if original.jpeg is not None:
        exact = original.jpeg.without_loss(progressive, len(result.data))
        fitting = max_bytes is None or len(exact) <= max_bytes
        if len(exact) <= len(result.data) or (fitting and (best_of_size or not result.met)):
            result = recoded(result, exact)
    if max_bytes is not None and len(result.data) > max_bytes:
        raise ValueError(
            f"no file of this picture was found that has at most {max_bytes} bytes; "
            f"the smallest has {len(result.data)}"
        )
    if best_of_size:
        result = replace(result, target=result.ms_ssim, met=True)
    return replace(result, notes=original.notes)


class Task:
    """One picture that is to be compressed.

    Parameters
    ----------
    image : (h, w), (h, w, 3) or (h, w, 4) uint8
    reference : Reference
    effort : str
    writing : Writing
    options : Options
    """

    def __init__(
        self,
        image: npt.NDArray[np.uint8],
        reference: Reference,
        effort: str,
        writing: Writing,
        options: Options,
    ) -> None:
        self.reference = reference
        self.effort = effort
        self.writing = writing
        self.account = Account(options)
        self.model: Model | None = None
        self.loops = min(image.shape[:2]) >= TAPS
        self._image = image
        self._small = image.shape[0] * image.shape[1] <= TWICE_PIXELS
        self._tried: dict[str, int] = {}  # bytes by subsampling
        self._starts: dict[tuple[str, float], Start] = {}
        self._maps: npt.NDArray[np.float64] | None = None
        names = ("grey",) if image.ndim == 2 else ("4:2:0", "4:4:4")
        self.candidates = self._analysed(names)
        self._between_known = len(names) == 1

    def _analysed(self, names: tuple[str, ...]) -> list[Candidate]:
        """Candidates of some subsamplings."""
        image, reference = self._image, self.reference
        maps = self._maps = block_maps(reference) if self._maps is None else self._maps
        found = [candidate(image, reference, name, maps) for name in names]
        for plan in found:
            add_sampling_loss(plan, image, reference)
        return found

    def compress(self, target: float, most_plans: int = CLOSE_PLANS) -> Result:
        """The smallest file that meets a target, or the best one; by the loop for at most so many
        subsamplings that are close.
        """
        ranked = self.plans((1 - target) * (1 - TOLERANCE / 2))
        self._maps = None
        self._tried = {}
        schedules = SCHEDULES[self.effort] if self.loops else ()
        for _, plan in ranked[1:]:
            plan.forget()
        best: Result | None = None
        before = self.account.encodes
        self.account.reserved = 1  # for rounding, should the loop end without a file that passes
        for number, schedule in enumerate(schedules):
            for place, (size, plan) in enumerate(ranked):
                close = place < most_plans and size < CLOSE_SIZE * ranked[0][0] and self._small
                if not close and best is not None and best.met:
                    enough = self.account.encodes - before >= ENOUGH
                    if self.effort != "best" or enough:
                        break
                if self.account.left < self._needed(schedule) or (
                    number and self.account.encodes - before >= ENOUGH
                ):
                    break
                best = self._better(best, self._loop(plan, schedule, target, best))
            if number == 0 and self._worth_rounding(best, ranked, target):
                best = self._rounded(best, target)
        if not schedules or best is None:
            best = self._rounded(best, target, ranked)
        assert best is not None
        return replace(best, encodes=self.account.encodes, plans=self._plans(ranked))

    def _needed(self, schedule: Schedule) -> int:
        """Sets of levels that a loop must be allowed to score: what it ends with, and if rounds are
        not at half size, one before.
        """
        return 1 if sees_half_size(self.reference) and not schedule.whole else 2

    def _better(self, best: Result | None, found: Result | None) -> Result | None:
        """The better one of two results."""
        if found is None:
            return best
        if found.met:
            size = len(found.data)
            self._tried[found.subsampling] = min(size, self._tried.get(found.subsampling, size))
        return found if best is None or better(found, best) else best

    def _loop(
        self, plan: Candidate, schedule: Schedule, target: float, best: Result | None
    ) -> Result | None:
        """The closed loop for one subsampling, if it is not clearly worse than the best result."""
        plan.begin(None)
        least = counted(best, target) if best is not None and best.met else math.inf
        found = attempt(
            plan, self.reference, target, schedule, self.writing, self.account,
            self._start(plan, 1 - target).loop, least,
        )  # fmt: skip
        plan.forget()
        return found

    def _worth_rounding(
        self, best: Result | None, ranked: list[tuple[float, Candidate]], target: float
    ) -> bool:
        """Whether rounded coefficients may make a smaller file than the loop has made."""
        if best is None or not best.met or best.qtables[0].max() >= COARSEST_STEP:
            return True
        plan = ranked[0][1]
        known = self.model is None or self.model.start(plan, 1 - target) is not None
        estimated = plan.estimator.estimate(plan.qtables(plan.scale_for(1 - target))).size
        usual = USUAL_SAVING if known else UNKNOWN_SAVING
        return self._small and self._size(best) >= usual * estimated

    def _size(self, result: Result) -> int:
        """Bytes of a file besides metadata and what stands behind its picture."""
        return len(result.data) - self.writing.extra

    def _unusual(self, result: Result) -> bool:
        """Whether a file is so small, or its tables have so lost their shape, that what is known of
        others does not tell whether there is a smaller one.
        """
        return bool(result.qtables[0].max() >= COARSEST_STEP) or self._size(result) < TINY

    def _rounded(
        self,
        best: Result | None,
        target: float,
        ranked: list[tuple[float, Candidate]] | None = None,
    ) -> Result | None:
        """The search over scales, as with ``effort="fast"``, and unless that is the effort another
        one that comes nearer, for the first subsampling that reaches the target so; the order is
        found anew unless it is given. It ends where rounding does not promise a smaller file than
        the best one.
        """
        self.account.reserved = 0
        least = math.inf
        if best is not None and best.met and not self._unusual(best):
            least = self._size(best)
        if ranked is None:
            aim = (1 - target) * (1 - TOLERANCE / 2)
            ranked = self._ranked(self.candidates, aim, by_loop=False)
        for _, plan in ranked:
            if best is not None and self.account.left < 1:
                break
            plan.begin(self._start(plan, 1 - target), 1 - target)
            search = Search(plan, self.reference, target, self.account, self.writing, True)
            if math.isfinite(least) and not search.promises(least):
                plan.forget()
                break
            found = search.run()
            best = self._better(best, found)
            if self.effort != "fast" and self.account.left >= 1:
                search.hasty = False
                found = search.run()
                best = self._better(best, found)
            plan.forget()
            if found.met and not self._unusual(found):
                break
        return best

    def _plans(self, ranked: list[tuple[float, Candidate]]) -> tuple[Plan, ...]:
        """What is told of all subsamplings, the one that was first in the ranking first."""
        estimates = {plan.subsampling: size for size, plan in ranked}
        order = [plan for _, plan in ranked]
        order += [plan for plan in self.candidates if plan.subsampling not in estimates]
        return tuple(
            Plan(
                plan.subsampling, plan.floor, estimates.get(plan.subsampling),
                self._tried.get(plan.subsampling),
            )
            for plan in order
        )  # fmt: skip

    def _start(self, plan: Candidate, budget: float) -> Start:
        """What is foreseen for a subsampling: by the model, and of large pictures also by a pilot,
        which knows better how wrong the estimate is.
        """
        key = plan.subsampling, budget
        if key not in self._starts:
            self._starts[key] = self._foreseen(plan, budget)
        return self._starts[key]

    def _foreseen(self, plan: Candidate, budget: float) -> Start:
        """The same, found anew. If the budget cannot be met at all, nothing is foreseen."""
        unknown = Start(np.zeros(len(KNOBS)))
        if plan.floor >= budget or isinstance(self.reference, LumaReference):
            return unknown
        model, start, error = self.model, None, None

        def ask(which: int) -> None:  # at the same time: there is little to share out in either
            nonlocal start, error
            if which == 0:
                error = foreseen_error(plan, budget, Crew(1))
            elif model is not None:
                start = model.start(plan, budget)

        self.reference.crew.each(ask, 2)
        if error is None:
            return start or unknown
        if start is None or start.loop is None:
            return Start(unknown.knobs, error)
        return replace(start, loss=error, loop=start.loop + error - start.loss)

    def plans(self, aim: float) -> list[tuple[float, Candidate]]:
        """The subsamplings that can reach a loss, the one of the smaller estimated file first, with
        the estimated sizes.
        """
        ranked = self._ranked(self.candidates, aim)
        if not self._between_known and self._between_pays(ranked, aim):
            self._between_known = True
            self.candidates[1:1] = self._analysed(("4:2:2", "4:4:0"))
            ranked = self._ranked(self.candidates, aim)
        return ranked

    def _ranked(
        self, plans: list[Candidate], aim: float, *, by_loop: bool = True
    ) -> list[tuple[float, Candidate]]:
        """Those that can reach a loss, or the last one, with the estimated sizes of their files, by
        plain tables: what the best steps save is much the same for all.
        """
        possible = [plan for plan in plans if plan.floor < aim] or plans[-1:]
        by_loop = by_loop and self.loops and self.effort != "fast"

        def size(i: int) -> float:
            plan = possible[i]
            plan.begin(None)
            estimated = plan.estimator.estimate(plan.qtables(plan.scale_for(aim))).size
            return estimated * (MADE_BY_LOOP.get(plan.subsampling, 1.0) if by_loop else 1.0)

        sizes = self.reference.crew.each(size, len(possible))
        return sorted(zip(sizes, possible, strict=True), key=lambda item: item[0])

    def _between_pays(self, ranked: list[tuple[float, Candidate]], aim: float) -> bool:
        """Whether 4:2:2 or 4:4:0 may be better than both 4:2:0 and 4:4:4."""
        small, full = self.candidates[0], self.candidates[-1]
        if full.floor >= aim or small.floor < BETWEEN_FLOOR * aim:
            return False
        return ranked[0][1] is full or ranked[1][0] < BETWEEN_SIZE * ranked[0][0]

    def fit(self, result: Result, max_bytes: int) -> Result:
        """The best file of at most so many bytes, by a search over targets from a first result on;
        if none fits, the smallest that was found.
        """
        wanted, found = result.target, result
        loss = max(1 - result.ms_ssim, LEAST_LOSS)  # that is asked for
        fits, exceeds = math.inf, 0.0  # losses whose files fit, and do not
        best: Result | None = None
        smallest = result
        power = FIT_POWER
        for tries in range(MOST_FITS + 1):
            size = len(found.data)
            smallest = min(smallest, found, key=lambda result: len(result.data))
            if size <= max_bytes:
                fits = loss
                if best is None or found.ms_ssim > best.ms_ssim:
                    best = found
                if size >= max_bytes * FIT_MARGIN**2 or not found.met:
                    break
            else:
                exceeds = loss
            if tries == MOST_FITS or loss == MOST_LOSS or fits < SAME_LOSS * exceeds:
                break
            if best is not None and self.account.left < 1:
                break
            before = loss, size
            loss *= (size / (max_bytes * FIT_MARGIN)) ** power
            if math.isfinite(fits) and exceeds and not exceeds < loss < fits:
                loss = math.sqrt(exceeds * fits)
            loss = min(max(loss, exceeds * 1.001, LEAST_LOSS), MOST_LOSS)
            found = self.compress(1 - loss, 1)
            if len(found.data) != size:
                power = math.log(loss / before[0]) / math.log(before[1] / len(found.data))
                power = min(max(power, FIT_POWER / 2), 4 * FIT_POWER)
        best = smallest if best is None else best
        return replace(
            best, target=wanted, met=best.ms_ssim >= wanted, encodes=self.account.encodes
        )


def recoded(result: Result, data: bytes) -> Result:
    """The result of a search when the JPEG it was made for is returned without any loss."""
    header = read_header(data)
    tables = (header.qtables.get(component.table) for component in header.components)
    return replace(
        result, data=data, ms_ssim=1.0, met=True, subsampling=header.subsampling,
        qtables=tuple(table for table in tables if table is not None),
        steps=(*result.steps, ("recoded without loss", 0.0, float(len(data)))),
    )  # fmt: skip
