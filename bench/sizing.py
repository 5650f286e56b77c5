"""How many machines a job needs: MP/s of a core, and a million photographs; writes bench/sizing.md.

    python bench/sizing.py [--photos DIR] [--rounds 2] [--price 0.04] [--out FILE]

Each photograph of a folder is brought to 12 MP (4000 × 3000 pixels, by mirrored tiles if it is
smaller) and compressed with one thread at MS-SSIM 0.99, as a worker of ``pyjpegml batch`` does, for
each effort; the best of the rounds. Processor time is told, not time by the clock: it is what a
core is occupied for, whoever else is at work on the machine. What reading, writing and decoding
cost is in the row of JPEGs: there the input is a JPEG of quality 95.

*A million*: hours of one core for a million of these photographs, and their price, at so many
dollars for an hour of a core, which the option says: it is an example, not an offer.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine_line
from pictures import add_photos, photograph, photos_of, square
from report import table

import pyjpegml

HEIGHT, WIDTH = 3000, 4000
MP = HEIGHT * WIDTH / 1e6
EFFORTS = ("fast", "normal")


def seconds(source: Any, effort: str, rounds: int) -> tuple[float, int]:
    """Processor time of a compression, and the size of the file."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        result = pyjpegml.compress(source, ms_ssim=0.99, effort=effort, threads=1)
        times.append(time.process_time() - began)
    return min(times), len(result.data)


def measure(photos: list[Path], rounds: int, price: float) -> list[list[str]]:
    """A row for each effort, and for JPEGs as inputs."""
    found: dict[str, list[tuple[float, int, int]]] = {}
    for path in photos:
        picture = np.ascontiguousarray(square(photograph(path), WIDTH)[:HEIGHT])
        jpeg = pyjpegml.encode(picture, quality=95)
        for effort in EFFORTS:
            spent, size = seconds(picture, effort, rounds)
            found.setdefault(f"pixels, `{effort}`", []).append((spent, picture.nbytes, size))
        spent, size = seconds(jpeg, "normal", rounds)
        found.setdefault("JPEGs, `normal`", []).append((spent, len(jpeg), size))
    rows = []
    for name, each in found.items():
        spent = statistics.mean(one[0] for one in each)
        hours = spent * 1e6 / 3600
        saved = 1 - sum(one[2] for one in each) / sum(one[1] for one in each)
        rows.append([
            name, f"{spent:.2f}", f"{MP / spent:.2f}", f"{hours:,.0f}", f"{hours * price:,.0f}",
            f"{saved:.0%}" if name.startswith("JPEG") else "",
        ])  # fmt: skip
    return rows


def main() -> None:
    """Measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_photos(parser)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--price", type=float, default=0.04, help="dollars for an hour of a core")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    photos = photos_of(arguments)
    pyjpegml.compress(square(photograph(), 300), ms_ssim=0.99)
    rows = measure(photos, arguments.rounds, arguments.price)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    heads = [
        "input, effort", "seconds a photo", "MP/s of a core", "a million: hours of a core",
        f"dollars, at {arguments.price:g} an hour", "bytes saved",
    ]  # fmt: skip
    lines = [
        "# Sizing",
        "",
        f"Photographs of {MP:g} MP ({', '.join(path.stem for path in photos)}), MS-SSIM 0.99, one "
        "thread, processor time. Written by `bench/sizing.py`, which says what is measured.",
        "",
        *table(heads, rows),
        f"At most {peak:,.0f} MB were resident, the tools that make the pictures included.",
        "",
        f"{machine_line()}.",
        "",
    ]
    arguments.out.write_text("\n".join(lines), "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
