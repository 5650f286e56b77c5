"""Write README.md's table: the example photograph at three targets, against libjpeg's tables.

    python bench/readme_table.py            rewrites the block between the table marks
    python bench/readme_table.py --check    exit 1 if it would change (the machine line aside)

"libjpeg's tables" are Annex K's, scaled by the smallest IJG quality whose file meets the same
target, 4:2:0, with optimal Huffman tables: what a quality search with libjpeg gives.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import imageio.v3 as iio
from machine import machine_line

import pyjpegml
from pyjpegml.yardstick import annex_k_baseline

ROOT = Path(__file__).resolve().parent.parent
PHOTO = "examples/data/coffee.png"
TARGETS = (0.98, 0.99, 0.995)
BEGIN, END = "<!-- table:begin -->", "<!-- table:end -->"


def table() -> list[str]:
    """Lines of the table, without the machine."""
    image = iio.imread(ROOT / PHOTO)
    height, width = image.shape[:2]
    lines = [
        f"[{PHOTO}]({PHOTO}), {width} × {height} pixels:",
        "",
        "| MS-SSIM asked for | bytes | bits per pixel | MS-SSIM | encodes | subsampling "
        "| libjpeg's tables at the same target, bytes | saved |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for target in TARGETS:
        result = pyjpegml.compress(image, ms_ssim=target)
        libjpeg = annex_k_baseline(image, target)
        if not result.met or libjpeg.ms_ssim < target:
            raise SystemExit(f"target {target} was not met: {result}, {libjpeg}")
        size, other = len(result.data), len(libjpeg.data)
        lines.append(
            f"| {target} | {size:,} | {8 * size / (width * height):.3f} | {result.ms_ssim:.5f} "
            f"| {result.encodes} | {result.subsampling} | {other:,} | {1 - size / other:.1%} |"
        )
    return [
        *lines,
        "",
        "Annex K's tables at the smallest quality whose file meets the target, 4:2:0, optimal "
        "Huffman tables. Written by `bench/readme_table.py`.",
    ]


def main() -> int:
    """Rewrite or check the block."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether it would change")
    arguments = parser.parse_args()
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    old, _, tail = rest.partition(END)
    block = "\n".join(table())
    if arguments.check:
        if block in old:
            return 0
        print(f"README.md's table is out of date; now it is:\n{block}", file=sys.stderr)
        return 1
    new = f"{head}{BEGIN}\n{block} {machine_line()}.\n{END}{tail}"
    readme.write_text(new, encoding="utf-8")
    print(block)
    return 0


if __name__ == "__main__":
    sys.exit(main())
