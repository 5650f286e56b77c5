"""What a limit on masking costs and brings (pyjpegml.visibility); writes rate_floor.md.

    python bench/rate_floor.py FOLDER [--target 0.99] [--mozjpeg CJPEG] [--every 1]

FOLDER holds photographs, not those that anything is judged by. Each is compressed to the target
with several floors. What other metrics see is compared with a peer at equal bytes, mozjpeg if it is
there, else libjpeg-turbo: what is lost in bytes and won in those metrics is then seen at one size.
Needs what ``bench/rate_visual.py`` needs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from machine import machine_line
from PIL import Image
from rate_visual import Judge, asked, at_size, encoders

import pyjpegml
from pyjpegml import visibility

#: Factors of the floor that is in use.
FACTORS = (0.0, 0.5, 1.0, 1.5, 3.0)


def main() -> None:
    """Parse arguments, measure, write."""
    arguments, paths = asked(__doc__)
    peer, encode = list(encoders(arguments.mozjpeg).items())[1 if arguments.mozjpeg else 0]
    floor = visibility.LEAST
    rows = []
    for path in paths:
        image = np.ascontiguousarray(np.asarray(Image.open(path).convert("RGB")))
        judge = Judge(image)
        files = []
        for factor in FACTORS:
            visibility.LEAST = factor * floor
            files.append(pyjpegml.compress(image, ms_ssim=arguments.target).data)
        present = len(files[FACTORS.index(1.0)])
        rows.append(
            [
                [len(data) / present, *(judge(data) - at_size(encode, image, len(data), judge))[1:]]
                for data in files
            ]
        )
        print(path.stem, np.round(rows[-1], 4).tolist(), flush=True)
    lines = [
        "# What a limit on masking costs and brings",
        "",
        "Written by `bench/rate_floor.py`.",
        "",
        f"{arguments.folder.name}: {len(rows)} photographs, `compress` at MS-SSIM "
        f"{arguments.target:g}. Bytes beside those of the floor in use, the median; other metrics "
        f"beside {peer} at equal bytes, means.",
        "",
        "| floor | of the mean sensitivity | bytes | SSIMULACRA2 | PSNR-HVS-M |",
        "|---|---|---|---|---|",
    ]
    middle, mean = np.median(rows, 0), np.mean(rows, 0)
    for i, factor in enumerate(FACTORS):
        least = ", ".join(f"{part:g}" for part in np.round(factor * floor, 4)[:3])
        seen = " | ".join(f"{score:+.2f}" for score in mean[i, 1:])
        lines.append(f"| × {factor:g} | {least} | {middle[i, 0]:.4f} | {seen} |")
    text = "\n".join([*lines, "", machine_line() + ".", ""])
    (Path(__file__).parent / "rate_floor.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
