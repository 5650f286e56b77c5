"""The closed loop for one subsampling: with which tables it begins, when it begins anew, the file.

The estimate is made for rounding, and not for a trellis, so the scale of its tables is corrected by
what first levels lose. That is told by the picture at half size (:mod:`pyjpegml.half_size`), and
foreseen by a model or a pilot; two ways that know nothing of one another, whose geometric mean is
taken. Where neither is to be had, the first levels are scored.

If the loop ends without levels that pass, it is begun again: with what scores have told if it went
astray, and once with finer tables if no price led to the target. The file is written at the end,
decoded, and scored by all windows; should it fail, the loop is told and makes another.
"""

from __future__ import annotations

import math

from .budget import Account
from .closed_loop import (
    ESTIMATED,
    FINER,
    FIRST_LOSS,
    LEAST_LOSS,
    LOSS_PER_BIT,
    LOSS_PER_FULL_BIT,
    PRICE,
    SCALE_POWER,
    ClosedLoop,
    Schedule,
)
from .coefficients import Geometry
from .decoder import decode
from .metrics import Reference
from .quantizer import Quantizer
from .result import Result
from .scale_search import Candidate, Writing, careful_score

#: Bits a pixel from which on the first loss grows no more; change of scale that is none.
MOST_BITS, SAME_SCALE = 2.0, 0.04
#: How often the scale is corrected by what first levels lose; change for which it is once more.
MOST_RESCALED, AGAIN_SCALE = 2, 0.1
#: Size of the loop's first levels, to what is estimated for rounding by the same tables: the median
#: over photographs at .98, .99 and .995; nine of ten are between .77 and .97.
LOOP_SIZE = 0.89
#: Tables are finer by this factor when the loop has not reached the target.
SECOND_ATTEMPT = 0.85
#: Where luma has such steps tables have lost their shape.
COARSEST_STEP = 255
#: Files that are written, at most, until one has the score that was expected.
CORRECTIONS = 3
#: What is trusted of the loss at full size (:mod:`pyjpegml.half_size`) is taken to be more by this
#: factor: coefficients that were dropped too early do not come back, others are dropped any time.
CAUTION = 1.1


def change_of_scale(geometry: Geometry, budget: float, loss: float, size: float) -> float:
    """By which factor the scale of the tables is to change, between 1/2 and 2, for first levels to
    lose what they should, if they lose so much and have `size` bytes.
    """
    subsampled = len(geometry.planes) == 1 or geometry.h_max * geometry.v_max > 1
    per_bit = LOSS_PER_BIT if subsampled else LOSS_PER_FULL_BIT
    bits = 8 * size / (geometry.width * geometry.height)
    wanted = budget * (FIRST_LOSS + per_bit * min(bits, MOST_BITS))
    change = math.pow(wanted / max(loss, LEAST_LOSS), 1 / SCALE_POWER)
    return min(max(change, 0.5), 2.0)


def attempt(
    plan: Candidate,
    reference: Reference,
    target: float,
    schedule: Schedule,
    writing: Writing,
    account: Account,
    expected: float | None = None,
    least: float = math.inf,
) -> Result | None:
    """The closed loop for one subsampling; None if it does not reach the target, or is estimated to
    need clearly more than the `least` bytes, as counted. When nothing may be spent any more, the
    nearest it came to it.

    Parameters
    ----------
    plan : Candidate
        Analysed, and begun without a start; what scores tell is left in its `known`.
    reference : Reference
        The original, of at least 11 pixels a side.
    target : float
    schedule : Schedule
    writing : Writing
    account : Account
    expected : float, optional
        What first levels are foreseen to lose: logarithm of the ratio to the budget.
    least : float
        Bytes of the scans, as counted, of levels of another subsampling that met the target.
    """
    geometry, estimator = plan.geometry, plan.estimator
    budget = 1 - target
    if budget < LEAST_LOSS:
        return None
    pixels = geometry.width * geometry.height

    def nearer(scale: float, loss: float, size: float) -> tuple[float, float]:
        """The scale at which first levels lose what they should, and what they then lose."""
        change = change_of_scale(geometry, budget, loss, size)
        if abs(math.log(change)) <= SAME_SCALE:
            return scale, loss
        return scale * change, loss * change**SCALE_POWER

    scale = plan.scale_for(budget) * FINER
    foreseen = None
    if expected is not None:
        size = LOOP_SIZE * estimator.estimate(estimator.qtables(scale)).size
        scale, foreseen = nearer(scale, budget * math.exp(expected), size)
    trial = None
    quantizer: Quantizer | None = None
    loop: ClosedLoop | None = None
    taught: ClosedLoop | None = None  # one that has scored levels
    loops = rescaled = 0
    trust = 1.0
    while trial is None and loops < 2:
        if quantizer is None:
            quantizer = Quantizer(
                reference, geometry, plan.coefficients, estimator.weights, estimator.energies,
                estimator.qtables(scale), writing.progressive,
            )  # fmt: skip
        elif quantizer.looked:
            quantizer.use(estimator.qtables(scale))
        else:
            quantizer.rescale(estimator.qtables(scale))
        price = PRICE * scale * scale / pixels
        quantizer.keep(quantizer.trellis(price, quantizer.levels))
        loss = None
        if quantizer.halves and not schedule.whole:
            losses = quantizer.half_losses(quantizer.levels)
            if taught is not None and taught.known is not None:
                trust, loss = taught.trust, taught.known.total(losses)
            else:
                trust = losses.foreseen_trust()
                if foreseen is not None:
                    trust = math.sqrt(trust * losses.trust(foreseen))
                trust *= CAUTION
                loss = losses.total(trust)
        elif expected is None and rescaled == 0 and account.left >= 3:
            loss = 1 - reference.quick_score(quantizer.pixels(quantizer.levels))
            account.note("first levels", loss, quantizer.statistics.size)
        if loss is not None and rescaled < MOST_RESCALED:
            before = scale
            scale, foreseen = nearer(scale, loss, quantizer.statistics.size)
            if abs(math.log(scale / before)) > (AGAIN_SCALE if rescaled else 0):
                rescaled += 1
                continue
            scale = before
        plan.forget()
        loop = ClosedLoop(quantizer, price, target, account, trust, least, taught)
        trial = loop.run(schedule)
        taught = loop if loop.known is not None else None
        coarsest = quantizer.qtables[0].max() >= COARSEST_STEP
        if loop.astray and not coarsest:
            rescaled = 0
            continue
        loops += 1
        if trial is None and account.left < 2:
            trial = loop.nearest
        if loop.hopeless or coarsest:
            break
        scale, rescaled = scale * SECOND_ATTEMPT, MOST_RESCALED
        if foreseen is not None:
            foreseen *= SECOND_ATTEMPT**SCALE_POWER
    assert quantizer is not None
    assert loop is not None
    plan.known = loop.known or plan.known
    result = None
    for _ in range(CORRECTIONS):
        if trial is None:
            break
        data = writing(geometry, trial.levels, quantizer.qtables, reference.crew)
        decoded = decode(data, max_pixels=pixels, threads=len(reference.crew))
        score = careful_score(reference, decoded, target)
        result = Result(
            data, score, score >= target, account.encodes, tuple(quantizer.qtables),
            plan.subsampling, target, geometry.width, geometry.height, tuple(loop.steps),
        )  # fmt: skip
        if result.met or account.left < 1:
            break
        trial = loop.correct(score, schedule)
    return result


def counted(result: Result, target: float) -> float:
    """Bytes of the scans, as counted, of the smallest levels that a loop has scored and that met
    the target.
    """
    return min(
        (size for name, loss, size in result.steps if loss <= 1 - target and ESTIMATED not in name),
        default=math.inf,
    )
