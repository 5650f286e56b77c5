"""Time and memory of compress, by effort, size and threads; writes rate_time.md. Linux with glibc.

    python bench/rate_time.py PHOTO [PHOTO ...] [--megapixels 1 10] [--target 0.99] [--runs 2]
                              [--cjpeg PATH]

Each PHOTO is tiled with mirror images to the size that is asked for. Each measurement is a process
of its own, which has compressed a smaller picture before; the best of some runs counts. Bytes are
the highest resident size during the call beyond that before it, in which the picture is. With
`--cjpeg`, mozjpeg's program say, one blind encode at quality 85 is timed too: its own user time.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import math
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import imageio.v3 as iio
import numpy as np
from machine import machine_line
from pictures import photograph, square

import pyjpegml

#: Side of the picture before: large enough for threads, and for every other window at two scales.
BEFORE = 1100
EFFORTS = ("fast", "normal")


def _resident(word: str) -> int:
    """Bytes that are resident (``VmRSS``), or were at most (``VmHWM``)."""
    [kilobytes] = re.findall(rf"{word}:\s+(\d+)", Path("/proc/self/status").read_text())
    return 1024 * int(kilobytes)


def one(photo: Path, side: int, effort: str, threads: int, target: float) -> dict[str, float]:
    """Seconds, bytes and what came out of one call in this process."""
    source = photograph(photo)
    pyjpegml.compress(square(source, BEFORE), effort=effort, threads=threads, ms_ssim=target)
    picture = square(source, side)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before, begin = _resident("VmRSS"), perf_counter()
    result = pyjpegml.compress(picture, effort=effort, threads=threads, ms_ssim=target)
    seconds = perf_counter() - begin
    return {
        "seconds": seconds, "bytes": _resident("VmHWM") - before, "met": result.met,
        "bits": result.bits_per_pixel, "encodes": result.encodes,
    }  # fmt: skip


def measured(photo: Path, side: int, effort: str, threads: int, target: float, runs: int) -> str:
    """A row of the table."""
    command = [sys.executable, __file__, "--one", str(photo), str(side), effort, str(threads)]
    found = [
        json.loads(
            subprocess.run([*command, str(target)], stdout=subprocess.PIPE, check=True).stdout
        )
        for _ in range(runs)
    ]
    pixels = side * side
    seconds = min(each["seconds"] for each in found)
    size = min(each["bytes"] for each in found)
    assert all(each["met"] for each in found)
    return (
        f"| {photo.stem} | {pixels / 1e6:.1f} | `{effort}` | {threads} "
        f"| {seconds / pixels * 1e6:.3f} | {size / pixels:.0f} "
        f"| {found[0]['bits']:.3f} | {found[0]['encodes']} |"
    )


def blind(cjpeg: str, photo: Path, side: int, runs: int) -> str:
    """A row for another encoder: seconds of its process, of one thread."""
    seconds = math.inf
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "source.ppm"), Path(folder, "out.jpg")
        iio.imwrite(source, square(photograph(photo), side))
        for _ in range(runs):
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            subprocess.run([cjpeg, "-quality", "85", "-outfile", out, source], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            seconds = min(seconds, after - before)
        bits = 8 * out.stat().st_size / side**2
    pixels = side * side / 1e6
    name = f"{Path(cjpeg).resolve().parent.parent.name} q85, blind"
    return f"| {photo.stem} | {pixels:.1f} | {name} | 1 | {seconds / pixels:.3f} | | {bits:.3f} | |"


def main() -> None:
    """Parse arguments, measure, write."""
    if sys.argv[1:2] == ["--one"]:
        photo, side, effort, threads, target = sys.argv[2:]
        print(json.dumps(one(Path(photo), int(side), effort, int(threads), float(target))))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 10])
    parser.add_argument("--target", type=float, default=0.99)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--cjpeg", help="another encoder's program")
    arguments = parser.parse_args()
    rows = []
    for photo in arguments.photos:
        for megapixels in arguments.megapixels:
            side = int(np.sqrt(megapixels * 1e6))
            for effort in EFFORTS:
                for threads in sorted({1, min(2, os.cpu_count() or 1)}):
                    rows.append(
                        measured(photo, side, effort, threads, arguments.target, arguments.runs)
                    )
                    print(rows[-1], flush=True)
            if arguments.cjpeg:
                rows.append(blind(arguments.cjpeg, photo, side, arguments.runs))
                print(rows[-1], flush=True)
    lines = [
        "# Time and memory of compress",
        "",
        "Written by `bench/rate_time.py`, which says what is measured; "
        f"MS-SSIM {arguments.target:g}, best of {arguments.runs}.",
        "",
        "| photograph | MP | effort | threads | s/MP | bytes a pixel | bits a pixel | encodes |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        machine_line() + ".",
        "",
    ]
    (Path(__file__).parent / "rate_time.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
