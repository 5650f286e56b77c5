"""What the learned predictor buys: bytes, encodes and seconds of every way to a target, and how
near the first encode comes; writes ablation.md.

    python bench/ablation.py FOLDER [FOLDER ...] [--targets 0.98,0.99,0.995] [--every 1]
                             [--teacher-every 1]

FOLDERs hold photographs that the model was not trained on. Sizes are means of each photograph's
ratio to the closed form's, carried to the very target along the usual slope. Annex K is the better
of 4:2:0 and 4:4:4, sequential with optimal Huffman tables; all else is progressive. With the model,
the closed loop does not score its first levels. The teacher is ``best``: each subsampling, six
rounds too. An encode is a whole set of coefficients that was reconstructed and scored.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
from first_encode import pilots
from machine import machine_line

from pyjpegml import Options, compress
from pyjpegml.result import Result
from pyjpegml.scale_search import Candidate
from pyjpegml.training.teacher import SIZE_SLOPE, photographs, read_rgb
from pyjpegml.yardstick import annex_k_baseline

CLOSED_FORM = "closed form + secant"
#: Name, effort (none: Annex K), model. The closed form is `fast` with plain tables.
ROWS: tuple[tuple[str, str | None, bool], ...] = (
    ("Annex K + bisection", None, False),
    (CLOSED_FORM, "fast", False),
    ("best steps + secant (`fast`)", "fast", False),
    ("predicted + secant (`fast`)", "fast", True),
    ("trellis and closed loop (`normal`)", "normal", False),
    ("predicted, trellis and closed loop (`normal`)", "normal", True),
    ("teacher (`best`)", "best", False),
)


@dataclass
class Measured:
    """One file: ln of its bytes at the target, encodes, seconds of CPU, and ln of the loss of the
    first encode over the budget.
    """

    size: float
    encodes: int
    seconds: float
    first: float
    met: bool


@contextmanager
def plain_tables() -> Iterator[None]:
    """Tables of rounded coefficients are not shaped meanwhile."""
    begin = Candidate.begin
    Candidate.begin = lambda plan, start, budget=None: begin(plan, start)
    try:
        yield
    finally:
        Candidate.begin = begin


def measured(image: np.ndarray, target: float, effort: str | None, model: bool) -> Measured:
    """Compress in one way."""
    losses: list[float] = []
    begin = process_time()
    if effort is None:
        found: list[Result] = [
            annex_k_baseline(image, target, subsampling=name) for name in ("4:2:0", "4:4:4")
        ]
        result = min(found, key=lambda r: (not r.met, len(r.data)))
        losses.append(math.nan)
    else:
        options = Options(progress=lambda step: losses.append(step.loss))
        with pilots(model):
            result = compress(
                image, ms_ssim=target, effort=effort, options=options,
                model=None if model else False,
            )  # fmt: skip
    seconds = process_time() - begin
    rest = math.log((1 - result.ms_ssim) / (1 - target))
    return Measured(
        math.log(len(result.data)) - SIZE_SLOPE * rest, result.encodes, seconds,
        math.log(losses[0] / (1 - target)), result.met,
    )  # fmt: skip


def tables(folder: Path, targets: list[float], every: int, teacher_every: int) -> Iterator[str]:
    """What is measured on one folder, target by target."""
    paths = photographs(folder)[::every]
    ways = [row for row in ROWS if teacher_every or row[1] != "best"]
    for target in targets:
        found: dict[str, list[Measured]] = {name: [] for name, *_ in ways}
        for number, path in enumerate(paths):
            image = np.ascontiguousarray(read_rgb(path))
            for name, effort, model in ways:
                if effort == "best" and number % teacher_every:
                    continue
                with plain_tables() if name == CLOSED_FORM else nullcontext():
                    found[name].append(measured(image, target, effort, model))
            print(folder.name, target, path.name, flush=True)
        lines = [
            f"## {folder.name}: {len(paths)} photographs at MS-SSIM {target:g}",
            "",
            "| | bytes | encodes | CPU | first within 10 % | within 0.001 | median error |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, effort, _ in ways:
            rows, other = found[name], found[CLOSED_FORM]
            if len(rows) < len(other):
                name, other = f"{name}, {len(rows)} of them", other[::teacher_every]
            bytes_ = np.mean([math.exp(a.size - b.size) for a, b in zip(rows, other, strict=True)])
            seconds = sum(r.seconds for r in rows) / sum(r.seconds for r in other)
            errors = np.abs(np.expm1([r.first for r in rows]))
            near = "| | " if effort is None else (
                f"| {np.mean(errors <= 0.1):.0%} | {np.mean(errors * (1 - target) <= 0.001):.0%} "
                f"| {np.median(errors):.1%}"
            )  # fmt: skip
            lines.append(
                f"| {name} | {bytes_:.4f} | {np.mean([r.encodes for r in rows]):.2f} "
                f"| {seconds:.2f} {near} |"
            )
        missed = sum(not r.met for rows in found.values() for r in rows)
        lines += ["", f"Targets missed: {missed}.", ""]
        yield "\n".join(lines)


def main() -> None:
    """Parse arguments, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--targets", default="0.98,0.99,0.995")
    parser.add_argument("--every", type=int, default=1, help="take each n-th photograph")
    parser.add_argument(
        "--teacher-every", type=int, default=1, help="and the teacher; 0: not at all"
    )
    arguments = parser.parse_args()
    targets = [float(target) for target in arguments.targets.split(",")]
    head = "# What the learned predictor buys\n\nWritten by `bench/ablation.py`.\n"
    done: list[str] = []
    for folder in arguments.folders:
        for text in tables(folder, targets, arguments.every, arguments.teacher_every):
            done.append(text)
            whole = "\n".join([head, *done, machine_line() + ".", ""])
            (Path(__file__).parent / "ablation.md").write_text(whole, encoding="utf-8")


if __name__ == "__main__":
    main()
