"""Tables of a picture's own against Annex K's, without a trellis; writes annex_k.md.

    python bench/annex_k.py FOLDER [--targets 0.98,0.99,0.995] [--every 1]

Both are led to the very target by bisection over their scale (Annex K's as one factor, in steps
finer than libjpeg's qualities), scored by all windows, and written as sequential files with optimal
Huffman tables. What is left of the distance to the target is carried along the usual slope. Own
tables are those that ``compress(effort="fast")`` begins with. "Nearest" rounds all coefficients to
the nearest level, as libjpeg does; "deadzone" those of AC as pyjpegml does, for both tables alike.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import machine_line

from pyjpegml.assembly import assemble
from pyjpegml.budget import Options
from pyjpegml.encoder import quantize_all
from pyjpegml.metrics import Reference
from pyjpegml.predictor import choose_model
from pyjpegml.quantize import standard_qtables
from pyjpegml.rate import Task
from pyjpegml.reconstruction import reconstruct
from pyjpegml.scale_search import Candidate, Writing
from pyjpegml.tables import ROUNDING
from pyjpegml.training.teacher import SIZE_SLOPE, photographs, read_rgb

Tables = Callable[[float], list[np.ndarray]]
ROUNDINGS = {"nearest": 0.5, "deadzone": ROUNDING}
#: Bisections, and the range of ln of the scale around where it begins.
STEPS, RANGE = 11, 4.0


def annex_k(scale: float) -> list[np.ndarray]:
    """Annex K's tables times a scale."""
    luma, chroma = (
        np.rint(table * scale).clip(1, 255).astype(np.uint16) for table in standard_qtables(50)
    )
    return [luma, chroma, chroma]


def size_at(
    plan: Candidate, reference: Reference, tables: Tables, start: float, rounding: float,
    target: float,
) -> float:  # fmt: skip
    """Ln of the bytes of a family of tables at a target; inf if it is never met."""
    low, high = math.log(start) - RANGE, math.log(start) + RANGE
    best: tuple[float, float] | None = None
    for _ in range(STEPS):
        middle = (low + high) / 2
        qtables = tables(math.exp(middle))
        levels = quantize_all(plan.geometry, plan.coefficients, qtables, rounding, reference.crew)
        loss = 1 - reference.score(reconstruct(plan.geometry, levels, qtables, reference.crew))
        if loss > 1 - target:
            high = middle
            continue
        low = middle
        size = math.log(len(assemble(plan.geometry, levels, qtables)))
        best = size - SIZE_SLOPE * math.log(loss / (1 - target)), loss
    return best[0] if best else math.inf


def measured(image: np.ndarray, target: float) -> dict[str, float]:
    """Ln of bytes by tables, sampling and rounding."""
    reference = Reference(image)
    task = Task(image, reference, "fast", Writing(False, b""), Options())
    task.model = choose_model(None)
    found = {}
    for plan in task.candidates:
        for name, rounding in ROUNDINGS.items():
            plan.begin(task._start(plan, 1 - target), 1 - target, rounding)
            start = plan.scale_for(1 - target) if plan.floor < 1 - target else 1.0
            for kind, tables, begin in (("own", plan.qtables, start), ("annex", annex_k, 0.5)):
                key = f"{kind} {plan.subsampling} {name}"
                found[key] = size_at(plan, reference, tables, begin, rounding, target)
    return found


def saving(ours: list[float], theirs: list[float]) -> str:
    """Mean of ratios, as a change in percent, over pictures where both met the target."""
    ratios = [math.exp(a - b) for a, b in zip(ours, theirs, strict=True) if math.isfinite(a + b)]
    return f"{np.mean(ratios) - 1:+.1%} ({len(ratios)})" if ratios else "none"


def table(folder: Path, targets: list[float], every: int) -> list[str]:
    """What is measured on one folder."""
    paths = photographs(folder)[::every]
    lines = [
        f"## {folder.name}: {len(paths)} photographs",
        "",
        "| target | rounding | 4:2:0, both | better sampling, both |",
        "|---|---|---|---|",
    ]
    for target in targets:
        rows = []
        for path in paths:
            rows.append(measured(np.ascontiguousarray(read_rgb(path)), target))
            print(folder.name, target, path.name, flush=True)
        for name in ROUNDINGS:
            own, annex = (
                {s: [row[f"{kind} {s} {name}"] for row in rows] for s in ("4:2:0", "4:4:4")}
                for kind in ("own", "annex")
            )
            best = [
                [min(pair) for pair in zip(*sizes.values(), strict=True)] for sizes in (own, annex)
            ]
            lines.append(
                f"| {target:g} | {name} | {saving(own['4:2:0'], annex['4:2:0'])} "
                f"| {saving(*best)} |"
            )
    return [*lines, ""]


def main() -> None:
    """Parse arguments, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--targets", default="0.98,0.99,0.995")
    parser.add_argument("--every", type=int, default=1, help="take each n-th photograph")
    arguments = parser.parse_args()
    targets = [float(target) for target in arguments.targets.split(",")]
    lines = [
        "# Own tables against Annex K's, without a trellis",
        "",
        "Written by `bench/annex_k.py`: change of bytes at equal MS-SSIM, optimal Huffman tables "
        "for both, and how many photographs met the target with both.",
        "",
        *table(arguments.folder, targets, arguments.every),
        machine_line() + ".",
        "",
    ]
    (Path(__file__).parent / "annex_k.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
