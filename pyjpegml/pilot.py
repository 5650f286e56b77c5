"""How wrong an estimate is, found out on a small picture made of tiles of a large one.

The estimator (:mod:`pyjpegml.tables`) adds up what single coefficients lose. What it leaves out
differs from picture to picture: errors that are cut off at black and white, those of neighbours and
of colours that agree, chroma that was averaged away and is then quantized too. On 42 photographs
of 1 and 2.4 megapixels it was wrong by 12 % (standard deviation of the logarithm), at worst by
-34 and +16 %.

Nearly the same is left out in any part of the picture. So square tiles from all over it are put
together to a picture of a tenth of its pixels, or a third of a megapixel, which is analysed,
quantized, reconstructed and scored like any other; and the ratio of what it loses to what was
estimated for it is taken for that of the whole. That leaves 3 to 5 % of error, for a tenth of the
time of one ``effort="fast"`` at 2.4 megapixels; ``bench/first_encode.md`` has how many encodes it
saves. The smaller the tiles, the better they stand for the whole: with 64, 48 and 32 pixels a side
.039, .034 and .033 were left. Windows across their borders see edges that are not in the picture;
but they are seen in the estimate too.

Small pictures would have too few tiles: for them, a model has learned how wrong the estimate is
(:mod:`pyjpegml.predictor`).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .encoder import quantize_all
from .metrics import Reference
from .reconstruction import reconstruct
from .scale_search import Candidate, add_sampling_loss, candidate, solve_scale
from .tables import ROUNDING
from .threads import Crew

#: Pixels that are worth a pilot, at least, and of either side.
LEAST_PIXELS, LEAST_SIDE = 1 << 19, 64
#: Pixels of a side of a tile; part of the picture that all of them are; least and largest number
#: of tiles on a side.
TILE, SHARE = 32, 0.1
LEAST_TILES, MOST_TILES = 7, 18
#: The whole is wrong by ``SLOPE * error + OFFSET`` if tiles are wrong by `error`, as logarithms:
#: a line through photographs of 1 and 2 MP at .98 and .99.
SLOPE, OFFSET = 1.15, 0.02
#: No error beyond this is believed, as a logarithm. Drawings have larger ones, in which tiles are
#: no guide.
LARGEST_ERROR = 0.7
#: Losses below are taken for this one.
LEAST_LOSS = 1e-7


def tiles_of(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Tiles from all over a picture, side by side.

    Rows and columns of tiles are spread evenly; every other row is shifted by half a step. Tiles
    begin at even places, where samples of half-size chroma do.

    Parameters
    ----------
    image : (h, w), (h, w, 3) or (h, w, 4) uint8
        Of at least LEAST_SIDE pixels a side.

    Returns
    -------
    (n * TILE, n * TILE[, channels]) uint8
    """
    height, width = image.shape[:2]
    number = round(math.sqrt(SHARE * height * width) / TILE)
    number = min(max(number, LEAST_TILES), MOST_TILES)
    side = number * TILE
    out = np.empty((side, side, *image.shape[2:]), np.uint8)
    for row in range(number):
        top = (height - TILE) * (2 * row + 1) // (2 * number) & ~1
        for column in range(number):
            left = (width - TILE) * (4 * column + 1 + 2 * (row & 1)) // (4 * number) & ~1
            y, x = TILE * row, TILE * column
            out[y : y + TILE, x : x + TILE] = image[top : top + TILE, left : left + TILE]
    return out


class Pilot:
    """The tiles of a picture, analysed for a subsampling.

    Parameters
    ----------
    image : (h, w), (h, w, 3) or (h, w, 4) uint8
    subsampling : str
    crew : Crew
    """

    def __init__(self, image: npt.NDArray[np.uint8], subsampling: str, crew: Crew) -> None:
        tiles = tiles_of(image)
        self._reference = Reference(tiles, crew, True)
        self._plan = candidate(tiles, self._reference, subsampling)
        add_sampling_loss(self._plan, tiles, self._reference)

    def error(self, qtables: list[npt.NDArray[np.uint16]]) -> float:
        """Logarithm of what rounded coefficients lose over the estimate."""
        plan, crew = self._plan, self._reference.crew
        levels = quantize_all(plan.geometry, plan.coefficients, qtables, ROUNDING, crew)
        pixels = reconstruct(plan.geometry, levels, qtables, crew)
        loss = 1 - self._reference.quick_score(pixels)
        estimated = plan.floor + plan.estimator.loss(qtables)
        return math.log(max(loss, LEAST_LOSS) / max(estimated, LEAST_LOSS))


def foreseen_error(plan: Candidate, budget: float, crew: Crew) -> float | None:
    """How wrong the estimate of a plan will be where it is to meet a budget.

    Parameters
    ----------
    plan : Candidate
    budget : float
        1 - target.
    crew : Crew

    Returns
    -------
    float or None
        Logarithm of what rounded coefficients will lose over the estimate; None if the picture is
        too small for a pilot, or the budget for anything.
    """
    height, width = plan.image.shape[:2]
    if height * width < LEAST_PIXELS or min(height, width) < LEAST_SIDE or plan.floor >= budget:
        return None
    pilot = Pilot(plan.image, plan.subsampling, crew)
    estimator, error = plan.estimator, 0.0
    # the estimate is never asked to be nearer to the floor than this
    most = math.log(budget / max(plan.floor, LEAST_LOSS)) / 2
    # first where the uncorrected estimate meets the budget, then where the corrected one does
    for _ in range(2):
        scale = solve_scale(
            lambda scale: plan.floor + estimator.loss(estimator.qtables(scale)),
            budget * math.exp(-error),
        )
        found = SLOPE * pilot.error(estimator.qtables(scale)) + OFFSET
        error = min(max(found, -LARGEST_ERROR), LARGEST_ERROR, most)
    return error
