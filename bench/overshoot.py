"""How far above its target a file ends, and how many encodes that takes; writes overshoot.md.

    python bench/overshoot.py FOLDER [FOLDER ...] [--target 0.99] [--most 10]

FOLDERs hold photographs; of each the first ones are taken. Encodes are sets of coefficients that
were reconstructed and scored.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from machine import machine_line

from pyjpegml import compress

EFFORTS = ("fast", "normal", "best")


def measure(folder: Path, target: float, most: int) -> list[str]:
    """Rows of a table, one for each effort."""
    paths = sorted(p for p in folder.iterdir() if p.suffix in (".png", ".webp", ".jpg"))[:most]
    results = {effort: [] for effort in EFFORTS}
    for path in paths:
        image = np.ascontiguousarray(iio.imread(path, mode="RGB"))
        for effort in EFFORTS:
            results[effort].append(compress(image, ms_ssim=target, effort=effort))
        print(path.name, *(results[effort][-1].encodes for effort in EFFORTS), flush=True)
    rows = []
    for effort, found in results.items():
        above = [result.ms_ssim - target for result in found]
        encodes = [result.encodes for result in found]
        rows.append(
            f"| {folder.name}, {len(paths)} photographs | `{effort}` | {np.mean(above):.6f} "
            f"| {np.max(above):.6f} | {np.mean(encodes):.1f} | {max(encodes)} "
            f"| {sum(not result.met for result in found)} |"
        )
    return rows


def main() -> None:
    """Parse arguments, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--target", type=float, default=0.99)
    parser.add_argument("--most", type=int, default=24, help="photographs of each folder")
    arguments = parser.parse_args()
    lines = [
        "# How far above its target a file ends",
        "",
        f"At MS-SSIM {arguments.target:g}. Written by `bench/overshoot.py`.",
        "",
        "| | effort | overshoot, mean | largest | encodes, mean | most | missed |",
        "|---|---|---|---|---|---|---|",
    ]
    for folder in arguments.folders:
        lines += measure(folder, arguments.target, arguments.most)
    text = "\n".join([*lines, "", machine_line() + ".", ""])
    (Path(__file__).parent / "overshoot.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
