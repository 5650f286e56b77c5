"""What first encodes lose: by how much the estimate of the loss is off, for many photographs.

No search is needed for that, so it costs little and there are many of them: of each photograph
large crops at three sizes, for each of them both subsamplings and targets from end to end. One set
of levels is rounded at the scale where the estimate is the target's loss, by the steps that are
best there; and one is chosen by trellis where the closed loop begins.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pyjpegml.closed_loop import FINER, LEAST_LOSS, PRICE
from pyjpegml.features import features
from pyjpegml.knobs import KNOBS, Start
from pyjpegml.metrics import Reference
from pyjpegml.predictor import target_features
from pyjpegml.quantizer import Quantizer
from pyjpegml.scale_search import Candidate, add_sampling_loss, candidate
from pyjpegml.sensitivity import block_maps
from pyjpegml.training.teacher import LOSSES, digest_of, read_rgb

#: Sizes relative to the photograph's, and the largest side of a crop then.
ZOOMS = ((1.0, 768), (1.5, 704), (0.75, 640))
#: Targets of each crop.
TARGETS = 5
#: Where colour and sampling alone spend this part of a budget, hardly anything is left to estimate.
MOST_FLOOR = 0.95


def crops_of(pixels: npt.NDArray[np.uint8]) -> list[tuple[npt.NDArray[np.uint8], list[float]]]:
    """Crops of a photograph and their losses, drawn from its own hash."""
    from PIL import Image

    rng = np.random.default_rng(int(digest_of(pixels), 16))
    low, high = np.log(LOSSES)
    found = []
    for zoom, largest in ZOOMS:
        image = Image.fromarray(pixels)
        if zoom != 1:
            size = int(image.width * zoom), int(image.height * zoom)
            image = image.resize(size, Image.Resampling.BICUBIC)
        if min(image.size) < 64:
            continue
        w, h = (min(side, largest) for side in image.size)
        x, y = int(rng.integers(image.width - w + 1)), int(rng.integers(image.height - h + 1))
        strata = (np.arange(TARGETS) + rng.random(TARGETS)) / TARGETS
        losses = np.exp(low + strata * (high - low)).tolist()
        crop = np.ascontiguousarray(np.asarray(image.crop((x, y, x + w, y + h))))
        found.append((crop, losses))
    return found


def errors_of(plan: Candidate, reference: Reference, budget: float) -> tuple[float, float]:
    """By how much first levels lose more than the budget: rounded ones, and the loop's."""
    estimator = plan.estimator
    pixels = plan.geometry.width * plan.geometry.height

    def quantizer(scale: float) -> Quantizer:
        return Quantizer(
            reference, plan.geometry, plan.coefficients, estimator.weights, estimator.energies,
            plan.qtables(scale),
        )  # fmt: skip

    def error(levels: npt.NDArray[np.int16]) -> float:
        loss = 1 - reference.quick_score(made.pixels(levels))
        return math.log(max(loss, LEAST_LOSS) / budget)

    plan.begin(Start(np.zeros(len(KNOBS))), budget)
    made = quantizer(plan.scale_for(budget))
    rounded = error(made.levels)
    plan.begin(None)
    scale = plan.scale_for(budget) * FINER
    made = quantizer(scale)
    return rounded, error(made.trellis(PRICE * scale * scale / pixels))


def first_encodes(path: Path) -> list[list[float]]:
    """Rows of inputs and both errors, of one photograph."""
    rows = []
    for image, losses in crops_of(read_rgb(path)):
        reference = Reference(image, None, True)
        maps = block_maps(reference)
        for name in ("4:2:0", "4:4:4"):
            plan = candidate(image, reference, name, maps)
            add_sampling_loss(plan, image, reference)
            known = features(plan)
            for loss in losses:
                if plan.floor < MOST_FLOOR * loss:
                    seen = [*known.tolist(), *target_features(loss, plan.floor).tolist()]
                    rows.append([*seen, *errors_of(plan, reference, loss)])
    return rows
