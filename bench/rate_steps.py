"""What each step of rate control buys, in bytes at equal MS-SSIM; writes rate_steps.md.

    python bench/rate_steps.py FOLDER [FOLDER ...] [--target 0.99] [--every 1]

FOLDERs hold photographs, for example the Kodak set. All files meet the target; sizes are means of
each photograph's ratio to the first row.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import perf_counter

import imageio.v3 as iio
import numpy as np
from machine import machine_line

from pyjpegml import compress, rate
from pyjpegml.closed_loop import Schedule

rate.SCHEDULES["trellis"] = (Schedule((), 6, 0.003),)
STEPS = (
    ("rounded, sequential", "fast", False),
    ("rounded, best scans (`fast`)", "fast", True),
    ("trellis, sequential", "trellis", False),
    ("closed loop, sequential", "normal", False),
    ("closed loop, best scans (`normal`)", "normal", True),
    ("two schedules, close subsamplings (`best`)", "best", True),
)


def measure(folder: Path, target: float, every: int) -> str:
    """A table of one folder."""
    paths = sorted(p for p in folder.iterdir() if p.suffix in (".png", ".webp", ".jpg"))[::every]
    ratios = np.zeros((len(paths), len(STEPS)))
    bits, seconds, overshoot, encodes = (np.zeros_like(ratios) for _ in range(4))
    missed = 0
    for row, path in enumerate(paths):
        image = np.ascontiguousarray(iio.imread(path, mode="RGB"))
        pixels = image.shape[0] * image.shape[1]
        for column, (_, effort, progressive) in enumerate(STEPS):
            begin = perf_counter()
            result = compress(image, ms_ssim=target, effort=effort, progressive=progressive)
            seconds[row, column] = (perf_counter() - begin) * 1e6 / pixels
            bits[row, column] = result.bits_per_pixel
            overshoot[row, column] = result.ms_ssim - target
            encodes[row, column] = result.encodes
            missed += not result.met
        ratios[row] = bits[row] / bits[row, 0]
        print(path.name, *(f"{r:.4f}" for r in ratios[row]), flush=True)
    lines = [
        f"## {folder.name}: {len(paths)} photographs at MS-SSIM {target:g}",
        "",
        "| | bits a pixel | ratio | overshoot | encodes | s/MP, median |",
        "|---|---|---|---|---|---|",
    ]
    for column, (name, _, _) in enumerate(STEPS):
        lines.append(
            f"| {name} | {bits[:, column].mean():.4f} | {ratios[:, column].mean():.4f} "
            f"| {overshoot[:, column].mean():.6f} | {encodes[:, column].mean():.1f} "
            f"| {np.median(seconds[:, column]):.2f} |"
        )
    return "\n".join([*lines, "", f"Targets missed: {missed}.", ""])


def main() -> None:
    """Parse arguments, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--target", type=float, default=0.99)
    parser.add_argument("--every", type=int, default=1, help="take each n-th photograph")
    arguments = parser.parse_args()
    tables = [measure(f, arguments.target, arguments.every) for f in arguments.folders]
    head = "# What each step of rate control buys\n\nWritten by `bench/rate_steps.py`.\n"
    text = "\n".join([head, *tables, machine_line() + ".", ""])
    (Path(__file__).parent / "rate_steps.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
