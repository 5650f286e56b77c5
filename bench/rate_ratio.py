"""What other prices of chroma's bits than luma's would do; writes rate_ratio.md.

    python bench/rate_ratio.py [--photos DIR] [--targets 0.98 0.99] [--every 8]

Luma and chroma are parts of one metric, so a bit should cost the same in each: what it buys is then
the same everywhere. That holds as far as sensitivities and gradient are right. Here the price of
chroma is multiplied by some ratios, and the sizes of the files that meet the target are compared.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from machine import machine_line
from pictures import add_photos, photograph, photos_of
from report import table

from pyjpegml import attempts, compress
from pyjpegml.quantizer import Quantizer

RATIOS = (0.6, 0.8, 1.0, 1.25, 1.6)
SAME = RATIOS.index(1.0)


def with_ratio(ratio: float) -> type[Quantizer]:
    """A quantizer whose chroma pays so many times as much for a bit as luma does."""

    class Priced(Quantizer):
        chroma_price = ratio

    return Priced


def main() -> None:
    """Parse arguments, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_photos(parser)
    parser.add_argument("--targets", type=float, nargs="+", default=[0.98, 0.99])
    parser.add_argument("--every", type=int, default=8, help="take each n-th photograph")
    arguments = parser.parse_args()
    photos = photos_of(arguments)[:: arguments.every]
    rows = []
    for target in arguments.targets:
        sizes = np.zeros((len(photos), len(RATIOS)))
        for row, path in enumerate(photos):
            image = photograph(path)
            for column, ratio in enumerate(RATIOS):
                attempts.Quantizer = with_ratio(ratio)  # type: ignore[misc]
                result = compress(image, ms_ssim=target)
                assert result.met
                sizes[row, column] = len(result.data)
            print(path.name, *(f"{size / sizes[row, SAME]:.4f}" for size in sizes[row]), flush=True)
        changes = 100 * (np.exp(np.log(sizes / sizes[:, [SAME]]).mean(0)) - 1)
        rows.append([f"{target:g}", *(f"{change:+.2f} %" for change in changes)])
    lines = [
        "# Prices of chroma and luma",
        "",
        f"Sizes at equal MS-SSIM if a bit of chroma costs so many times as much as one of luma, "
        f"against the same price; means over {len(photos)} photographs. Written by "
        "`bench/rate_ratio.py`.",
        "",
        *table(["target", *(f"× {ratio:g}" for ratio in RATIOS)], rows),
        f"{machine_line()}.",
        "",
    ]
    Path(__file__).with_suffix(".md").write_text("\n".join(lines), "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
