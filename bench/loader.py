"""Photographs for training, images a second, against Pillow and simplejpeg; writes bench/loader.md.

    python bench/loader.py [--seconds 20] [--out FILE]

Files lie in memory, as the page cache has them; what is timed is what a loader's threads do with
one: bytes in, a NumPy array out, as large as the model wants it. *Whole*: 600 × 400 pixels.
*A quarter*: 2400 × 1600 pixels, of which 600 × 400 are asked for: pyjpegml by ``scale=4``, Pillow
by ``draft``, simplejpeg by ``min_height``. All files are 4:2:0, quality 90, baseline.

Turns of a fifth of a second are taken by each decoder and number of threads, one after the other,
again and again; the best turn of each is told.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from machine import machine_line
from pictures import photograph, square
from PIL import Image
from report import table

import pyjpegml

Decode = Callable[[bytes], Any]
TURN = 0.2


def by_pyjpegml(scale: int, data: bytes) -> Any:
    """The pixels, by this package."""
    return pyjpegml.decode(data, scale=scale)


def by_pillow(scale: int, data: bytes) -> Any:
    """The pixels, by Pillow."""
    image = Image.open(BytesIO(data))
    if scale > 1:
        image.draft("RGB", (image.width // scale, image.height // scale))
    return np.asarray(image)


def by_simplejpeg(scale: int, data: bytes) -> Any:
    """The pixels, by simplejpeg."""
    if scale == 1:
        return simplejpeg.decode_jpeg(data)
    height = simplejpeg.decode_jpeg_header(data)[0]
    return simplejpeg.decode_jpeg(data, min_height=height // scale)


DECODERS = {"pyjpegml": by_pyjpegml, "Pillow": by_pillow, "simplejpeg": by_simplejpeg}


def turn(decode: Decode, data: bytes, threads: int) -> float:
    """Images a second, of so many threads that do nothing else for a while."""
    ends = time.perf_counter() + TURN

    def work(_: int) -> int:
        count = 0
        while time.perf_counter() < ends:
            decode(data)
            count += 1
        return count

    with ThreadPoolExecutor(threads) as pool:
        began = time.perf_counter()
        count = sum(pool.map(work, range(threads)))
        return count / (time.perf_counter() - began)


def measure(data: bytes, scale: int, seconds: float) -> list[list[str]]:
    """A row for each decoder: images a second with one thread, and with one for each core."""
    counts = sorted({1, os.cpu_count() or 1})
    best = {(name, threads): 0.0 for name in DECODERS for threads in counts}
    shapes = {decode(scale, data).shape for decode in DECODERS.values()}
    assert len(shapes) == 1, shapes
    for _ in range(max(1, round(seconds / TURN / len(best)))):
        for name, threads in best:
            found = turn(partial(DECODERS[name], scale), data, threads)
            best[name, threads] = max(best[name, threads], found)
    ours = [best["pyjpegml", threads] for threads in counts]
    return [
        [name]
        + [
            f"{best[name, n]:,.0f} ({own / best[name, n]:.2f} ×)"
            for n, own in zip(counts, ours, strict=True)
        ]
        for name in DECODERS
    ]


def main() -> None:
    """Measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=20, help="for each table")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    photo = photograph()
    large = square(photo, 2400)[:1600]
    lines = [
        "# Loading photographs for training",
        "",
        "Images a second; in brackets pyjpegml's over that: above 1 it is faster. Written by "
        "`bench/loader.py`, which says what is measured.",
        "",
    ]
    for title, picture, scale in (
        ("600 × 400 pixels, whole", photo, 1),
        ("2400 × 1600 pixels, a quarter", large, 4),
    ):
        data = pyjpegml.encode(picture, quality=90, subsampling="4:2:0", optimize=False)
        heads = [title] + [f"{n} thread{'s' * (n > 1)}" for n in sorted({1, os.cpu_count() or 1})]
        lines += table(heads, measure(data, scale, arguments.seconds))
    lines += [f"{machine_line()}.", ""]
    arguments.out.write_text("\n".join(lines), "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
