"""The teacher: plans that a long search finds best, for many photographs, crops and targets.

A *case* is a part of a photograph at some size, and a target. What is found out about it:

1. For either subsampling, the scale at which coefficients that are rounded by the best steps
   (:mod:`pyjpegml.steps`) just meet the target, and what that file would have; and what the closed
   loop finds, starting from the closed form.
2. For the smaller of the two, a local search over the knobs (:mod:`pyjpegml.knobs`). Sizes are
   noisy by some tenths of a percent, as much as a knob may bring, so knobs are not moved one by
   one: eight runs move all seven at once, up or down by the rows of a Hadamard matrix with random
   signs. Each run then tells something of every knob (Plackett and Burman 1946), four times as much
   as two runs for each would. A ninth run goes where the eight point to.

Sizes are those that the loop counts, carried to the very target along the usual slope of size over
loss; runs are comparable where they end half a thousandth beside it.

Cases are drawn anew from the picture's own hash, so they are the same on every machine. Each case
is a line of a JSON Lines file as soon as it is done; what is there is not done again.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pyjpegml.attempts import SECOND_ATTEMPT, change_of_scale
from pyjpegml.budget import Account, Options
from pyjpegml.closed_loop import FINER, PRICE, ClosedLoop
from pyjpegml.knobs import FIRST_SHAPE, KNOBS, Start
from pyjpegml.metrics import Reference
from pyjpegml.quantizer import Quantizer
from pyjpegml.rate import NORMAL, Task
from pyjpegml.scale_search import Candidate, Writing
from pyjpegml.threads import Crew

#: The loop whose rounds see all scales: what plans are compared by.
WHOLE = replace(NORMAL, whole=True)
#: Sizes relative to the photograph's, and the largest side of a crop then.
ZOOMS = ((1.0, 512), (1.5, 640), (0.75, 448))
#: Range of 1 - target, from which targets are drawn evenly in the logarithm, and how many a crop.
LOSSES, TARGETS = (0.0025, 0.06), 3
#: How far each knob is moved, on average.
AMPLITUDES = (0.08, 0.4, 0.15, 0.15, 0.2, 0.25, 0.25)
#: Logarithm of size over that of loss, about where a run has ended.
SIZE_SLOPE = -0.65
#: A slope of this much, in ln size per amplitude, moves a knob by a whole amplitude.
FULL_STEP = 0.004
#: Encodes that look for the scale of rounded coefficients.
SECANTS = 3

_HADAMARD = np.array([[(-1) ** (i & j).bit_count() for j in range(1, 8)] for i in range(8)])


@dataclass(frozen=True)
class Case:
    """A part of a photograph, and a target.

    Attributes
    ----------
    name : str
        Of the photograph's file.
    digest : str
        First 16 digits of the SHA-256 of its pixels.
    zoom : float
        By how much it is enlarged before it is cropped.
    box : (int, int, int, int)
        Left, top, right and bottom of the crop, after that.
    target : float
    """

    name: str
    digest: str
    zoom: float
    box: tuple[int, int, int, int]
    target: float

    @classmethod
    def of(cls, record: dict[str, Any]) -> Case:
        """The case of a record."""
        left, top, right, bottom = record["box"]
        box = left, top, right, bottom
        return cls(record["name"], record["digest"], record["zoom"], box, record["target"])

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return f"{self.digest} {self.zoom} {self.box} {self.target}"


def photographs(folder: Path) -> list[Path]:
    """The pictures in a folder, by name."""
    kinds = {".png", ".webp", ".jpg", ".jpeg", ".tif", ".tiff", ".ppm"}
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in kinds)


def read_rgb(path: Path) -> npt.NDArray[np.uint8]:
    """A photograph as (h, w, 3) uint8."""
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def digest_of(pixels: npt.NDArray[np.uint8]) -> str:
    """First 16 digits of the SHA-256 of pixels."""
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()[:16]


def cases_of(path: Path) -> list[Case]:
    """What is asked of one photograph: crops at three sizes, and targets for each."""
    pixels = read_rgb(path)
    digest = digest_of(pixels)
    rng = np.random.default_rng(int(digest, 16))
    cases = []
    for zoom, largest in ZOOMS:
        height, width = (int(side * zoom) for side in pixels.shape[:2])
        if min(height, width) < 64:
            continue
        w, h = (
            int(rng.integers(min(side, largest) * 3 // 4, min(side, largest) + 1))
            for side in (width, height)
        )
        x, y = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
        low, high = (math.log(loss) for loss in LOSSES)
        strata = (np.arange(TARGETS) + rng.random(TARGETS)) / TARGETS
        cases += [
            Case(path.name, digest, zoom, (x, y, x + w, y + h), round(1 - math.exp(v), 6))
            for v in low + strata * (high - low)
        ]
    return cases


def picture_of(case: Case, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The crop of a case, from the photograph's pixels."""
    from PIL import Image

    image = Image.fromarray(pixels)
    if case.zoom != 1:
        size = int(image.width * case.zoom), int(image.height * case.zoom)
        image = image.resize(size, Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(image.crop(case.box)))


class Pupil:
    """One case while it is studied."""

    def __init__(self, image: npt.NDArray[np.uint8], target: float, crew: Crew) -> None:
        self.reference = Reference(image, crew)
        task = Task(image, self.reference, "normal", Writing(True, b""), Options())
        self.candidates = task.candidates
        self.target = target
        self.budget = 1 - target
        self.pixels = image.shape[0] * image.shape[1]

    def shaped(
        self, plan: Candidate, knobs: npt.NDArray[np.float64], *, rounding: bool
    ) -> Candidate:
        """The same candidate with tables shaped by knobs; if coefficients are to be rounded, from
        those on that are best for them.
        """
        other = replace(plan, trials=[])
        other.begin(Start(knobs), self.budget if rounding else None)
        return other

    def quantizer(self, plan: Candidate, scale: float) -> Quantizer:
        """Rounded levels at a scale."""
        estimator = plan.estimator
        return Quantizer(
            self.reference, plan.geometry, plan.coefficients, estimator.weights,
            estimator.energies, plan.qtables(scale),
        )  # fmt: skip

    def rounded(self, plan: Candidate, encodes: int) -> tuple[float, float, float]:
        """Rounded coefficients: ln of the scale that meets the target over the estimated one, ln of
        the first loss over the budget, and ln of the size in bytes.
        """
        start = plan.scale_for(self.budget)
        first = math.nan
        for _ in range(encodes):
            scale = plan.scale_for(self.budget)
            quantizer = self.quantizer(plan, scale)
            loss = 1 - self.reference.score(quantizer.pixels(quantizer.levels))
            plan.trials.append((scale, loss))
            if math.isnan(first):
                first = math.log(loss / self.budget)
        size = math.log(quantizer.statistics.size) + SIZE_SLOPE * math.log(self.budget / loss)
        scale = plan.scale_for(self.budget)
        plan.trials.clear()
        return math.log(scale / start), first, size

    def loop_scale(self, plan: Candidate) -> float:
        """That of :func:`pyjpegml.attempts.attempt` when it has scored its first levels."""
        scale = plan.scale_for(self.budget) * FINER
        quantizer = self.quantizer(plan, scale)
        quantizer.keep(quantizer.trellis(PRICE * scale * scale / self.pixels))
        loss = 1 - self.reference.score(quantizer.pixels(quantizer.levels))
        size = quantizer.statistics.size
        return scale * change_of_scale(plan.geometry, self.budget, loss, size)

    def loop(self, plan: Candidate, scale: float, price: float) -> tuple[float, float, int] | None:
        """The closed loop: ln of the size at the target, ln of the price where it ends over
        the one it starts with by default, and encodes.
        """
        unit = scale * scale / self.pixels
        quantizer = self.quantizer(plan, scale)
        quantizer.keep(quantizer.trellis(price * unit))
        loop = ClosedLoop(quantizer, price * unit, self.target, Account(Options()))
        trial = loop.run(WHOLE)
        if trial is None:
            return None
        size = math.log(trial.size) + SIZE_SLOPE * math.log(self.budget / (1 - trial.score))
        return size, math.log(loop.price / unit / PRICE), loop.account.encodes

    def study(self, rng: np.random.Generator) -> dict[str, Any]:
        """All that is found out; see the module."""
        found: dict[str, Any] = {"subsamplings": [], "runs": [], "rounded_runs": []}
        best: tuple[float, Candidate, float] | None = None
        for plan in self.candidates:
            if plan.floor >= 0.95 * self.budget:
                continue
            usual = self.shaped(plan, np.zeros(len(KNOBS)), rounding=True)
            correction, first, size = self.rounded(usual, SECANTS)
            closed = plan.scale_for(self.budget)
            scale = self.loop_scale(plan)
            for _ in range(3):
                base = self.loop(plan, scale, PRICE)
                if base is not None:
                    break
                scale *= SECOND_ATTEMPT
            found["subsamplings"].append(
                {
                    "name": plan.subsampling, "closed_scale": closed, "correction": correction,
                    "first_loss": first, "rounded_size": size,
                    "loop_scale": math.log(scale / closed),
                    "loop": base or (math.nan,) * 3,
                }
            )  # fmt: skip
            if base is not None and (best is None or base[0] < best[0]):
                best = base[0], plan, math.log(scale / closed)
        if best is None:
            return found
        base_size, plan, offset = best
        found["chosen"] = plan.subsampling
        amplitudes = np.array(AMPLITUDES) * rng.uniform(0.5, 1.5, len(KNOBS))
        signs = _HADAMARD * rng.choice((-1, 1), len(KNOBS))
        design = amplitudes * signs[:, rng.permutation(len(KNOBS))]
        sizes = [self._run(plan, knobs, offset, found) for knobs in design]
        if not np.isnan(sizes).any():
            slopes = (np.array(sizes) - base_size) @ (design / amplitudes) / len(design)
            self._run(plan, -amplitudes * np.clip(slopes / FULL_STEP, -1.5, 1.5), offset, found)
        return found

    def _run(
        self, plan: Candidate, knobs: npt.NDArray[np.float64], offset: float, found: dict[str, Any]
    ) -> float:
        shaped = self.shaped(plan, knobs, rounding=False)
        scale = shaped.scale_for(self.budget) * math.exp(offset + knobs[0])
        run = self.loop(shaped, scale, PRICE * math.exp(knobs[1]))
        size = math.nan if run is None else run[0]
        rounding = np.r_[np.zeros(FIRST_SHAPE), knobs[FIRST_SHAPE:]]
        found["runs"].append([*knobs, *(run or (math.nan,) * 3)])
        usual = self.shaped(plan, knobs, rounding=True)
        found["rounded_runs"].append([*rounding, *self.rounded(usual, 2)])
        return size


def study(case: Case, folder: Path) -> dict[str, Any]:
    """What is found out about a case, and the seconds of CPU it took."""
    begin = time.process_time()
    image = picture_of(case, read_rgb(folder / case.name))
    seed = int(hashlib.sha256(case.key.encode()).hexdigest()[:16], 16)
    with Crew(1) as crew:
        found = Pupil(image, case.target, crew).study(np.random.default_rng(seed))
    return asdict(case) | found | {"seconds": time.process_time() - begin}


def load(path: Path) -> list[dict[str, Any]]:
    """Cases that are done; a last line that was cut off is removed."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]


def teach(
    folder: Path, records: Path, *, processes: int = 1, seconds: float = math.inf, seed: int = 0
) -> list[dict[str, Any]]:
    """Study the cases of all photographs of a folder, in random order, and keep a record.

    Parameters
    ----------
    folder : Path
    records : Path
        The JSON Lines file to which each finished case is added.
    processes : int
    seconds : float
        CPU time after which no other case is begun, records of earlier calls included.
    seed : int
        Of the order of the cases.

    Returns
    -------
    list of dict
        All records.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    done = load(records)
    known = {Case.of(record).key for record in done}
    cases = [case for path in photographs(folder) for case in cases_of(path)]
    order = np.random.default_rng(seed).permutation(len(cases))
    open_cases = [cases[i] for i in order if cases[i].key not in known]
    spent = sum(record["seconds"] for record in done)

    def tasks() -> Iterator[Any]:
        for case in open_cases:
            if spent >= seconds:
                return
            yield delayed(study)(case, folder)

    run = Parallel(processes, return_as="generator_unordered", pre_dispatch=processes)(tasks())
    with records.open("a", encoding="utf-8") as file:
        for record in tqdm(run, total=len(open_cases), unit="case"):
            file.write(json.dumps(record) + "\n")
            file.flush()
            done.append(record)
            spent += record["seconds"]
    return done
