"""How near the first encode of ``effort="fast"`` comes to its target; writes first_encode.md.

    python bench/first_encode.py FOLDER [FOLDER ...] [--targets 0.98 0.99 0.995] [--every 1]

By what foresees the error of the estimate: nothing (closed form), the model, a pilot on tiles of
the picture, or, as in use, the model for small pictures and pilots for large ones. "near" is a loss
within a tenth of 1 - target; the spread is the standard deviation of the logarithm of loss over
target. The last column counts encodes until the file is done.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from machine import machine_line
from report import table

from pyjpegml import compress, rate
from pyjpegml.budget import Options, Step

SUFFIXES = (".png", ".webp", ".jpg")
#: Model, and pilots, by name.
WAYS = {
    "nothing": (False, False), "model": (None, False), "pilot": (False, True),
    "as in use": (None, True),
}  # fmt: skip


@contextmanager
def pilots(wanted: bool) -> Iterator[None]:
    """Without pilots, if they are not wanted."""
    usual = rate.foreseen_error
    if not wanted:
        rate.foreseen_error = lambda *_: None
    try:
        yield
    finally:
        rate.foreseen_error = usual


def measure(folder: Path, target: float, every: int) -> list[list[str]]:
    """Rows of the table, one for each way."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)[::every]
    rows = []
    for name, (model, pilot) in WAYS.items():
        first, encodes = [], []
        for path in paths:
            image = np.ascontiguousarray(iio.imread(path, mode="RGB"))
            steps: list[Step] = []
            with pilots(pilot):
                result = compress(
                    image, ms_ssim=target, effort="fast", model=model, threads=None,
                    options=Options(progress=steps.append),
                )  # fmt: skip
            first.append(math.log(steps[0].loss / (1 - target)))
            encodes.append(result.encodes)
        near = np.mean(np.abs(np.expm1(first)) <= 0.1)
        rows.append([
            f"{folder.name}, {len(paths)}", f"{target:g}", name, f"{near:.0%}",
            f"{np.expm1(np.mean(first)):+.1%}", f"{np.std(first):.3f}", f"{np.mean(encodes):.2f}",
        ])  # fmt: skip
        print(*rows[-1], flush=True)
    return rows


def main() -> None:
    """Parse arguments, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--targets", type=float, nargs="+", default=[0.98, 0.99, 0.995])
    parser.add_argument("--every", type=int, default=1, help="take each n-th photograph")
    arguments = parser.parse_args()
    rows = [
        row
        for folder in arguments.folders
        for target in arguments.targets
        for row in measure(folder, target, arguments.every)
    ]
    lines = [
        "# How near the first encode comes",
        "",
        'Of `effort="fast"`. Written by `bench/first_encode.py`, which says what is measured. The '
        "two constants of `pyjpegml.pilot` were fitted on the wallpapers of `bench/wallpapers.py` "
        "and on a third of the training photographs of 1 MP. Kodak's are too small for pilots, and "
        "the model has not seen them.",
        "",
        *table(
            ["photographs", "target", "foreseen by", "near", "mean", "spread", "encodes"], rows
        ),
        f"{machine_line()}.",
        "",
    ]  # fmt: skip
    Path(__file__).with_suffix(".md").write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    main()
