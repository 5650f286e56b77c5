"""Bytes and time of progressive files, against libjpeg-turbo and mozjpeg; writes progressive.md.

    python bench/progressive.py FOLDER [--seconds 2]

FOLDER holds photographs, for example the Kodak set. All files of a photograph hold the same
coefficients: those of :func:`pyjpegml.encode`, 4:2:0, which are libjpeg-turbo's. Progressive ones
are made of them by

- ``jpegtran -copy none -progressive -optimize`` of libjpeg-turbo: ``PYJPEGML_JPEGTRAN`` names the
  program, else it is looked for on the PATH;
- mozjpeg, which is left out where it is not installed: its ``jpegtran -copy none`` that
  ``PYJPEGML_MOZJPEGTRAN`` names, or the package mozjpeg-lossless-optimization, which is that;
- ``encode(progressive=True)`` and ``encode(progressive="search")``.

Times are of encoding pixels, one thread, in turns with Pillow and OpenCV (both libjpeg-turbo with
``progressive``), the best of some seconds for each of four photographs. They are processor time:
the search takes longer than a busy machine leaves a process alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import imageio.v3 as iio
import numpy as np
from machine import machine_line
from pictures import Picture
from PIL import Image

import pyjpegml

QUALITIES = (50, 75, 90, 95)
TIMED = 4

Rewrite = Callable[[bytes], bytes]


def program(path: str, *options: str) -> Rewrite:
    """A jpegtran that reads from stdin."""

    def rewrite(data: bytes) -> bytes:
        command = [path, "-copy", "none", *options]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout

    return rewrite


def peers() -> dict[str, Rewrite]:
    """What makes a file progressive, by name."""
    jpegtran = os.environ.get("PYJPEGML_JPEGTRAN") or shutil.which("jpegtran")
    if jpegtran is None:
        raise SystemExit("no jpegtran: set PYJPEGML_JPEGTRAN to that of libjpeg-turbo")
    found = {"`jpegtran -progressive -optimize`": program(jpegtran, "-progressive", "-optimize")}
    if moz := os.environ.get("PYJPEGML_MOZJPEGTRAN"):
        found["mozjpeg"] = program(moz)
    elif importlib.util.find_spec("mozjpeg_lossless_optimization"):
        import mozjpeg_lossless_optimization

        found["mozjpeg"] = mozjpeg_lossless_optimization.optimize
    else:
        print("mozjpeg is not installed, and left out", file=sys.stderr)
    return found


OURS = {
    "sequential, optimal tables": False,
    "`progressive=True`": True,
    '`progressive="search"`': "search",
}


def sizes(photographs: list[Picture], rewriters: dict[str, Rewrite]) -> list[str]:
    """The table of bytes: means of ratios to the first of `rewriters`, and their maxima."""
    names = [*OURS, *rewriters]
    reference = next(iter(rewriters))
    lines = [
        f"| quality | {reference}, bytes a file | "
        + " | ".join(name for name in names if name != reference)
        + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    means = {name: [] for name in names}
    for quality in QUALITIES:
        ratios = {name: [] for name in names}
        total = 0
        for image in photographs:
            data = pyjpegml.encode(image, quality=quality)
            found = {name: len(rewrite(data)) for name, rewrite in rewriters.items()}
            for name, progressive in OURS.items():
                made = pyjpegml.encode(image, quality=quality, progressive=progressive)
                assert np.array_equal(pyjpegml.decode(made), pyjpegml.decode(data))
                found[name] = len(made)
            total += found[reference]
            for name, size in found.items():
                ratios[name].append(size / found[reference])
        cells = [
            f"{np.mean(ratios[name]):.4f} ({max(ratios[name]):.4f})"
            for name in names
            if name != reference
        ]
        lines.append(f"| {quality} | {total / len(photographs):,.0f} | " + " | ".join(cells) + " |")
        for name in names:
            means[name].append(np.mean(ratios[name]))
    cells = [f"**{np.mean(means[name]):.4f}**" for name in names if name != reference]
    lines.append("| mean | | " + " | ".join(cells) + " |")
    return lines


def pillow(image: Picture, quality: int) -> bytes:
    """A progressive file of Pillow's."""
    target = io.BytesIO()
    Image.fromarray(image).save(target, "JPEG", quality=quality, progressive=True)
    return target.getvalue()


def opencv(image: Picture, quality: int) -> bytes:
    """A progressive file of OpenCV's, which does not care what the channels mean."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    return cv2.imencode(".jpg", image, options)[1].tobytes()


def best(calls: dict[str, Callable[[], object]], budget: float) -> dict[str, float]:
    """Shortest processor time of each call, in seconds; they take turns for `budget` seconds."""
    shortest = dict.fromkeys(calls, math.inf)
    end = time.perf_counter() + budget
    while time.perf_counter() < end:
        for name, call in calls.items():
            start = time.thread_time()
            call()
            shortest[name] = min(shortest[name], time.thread_time() - start)
    return shortest


def times(photographs: list[Picture], seconds: float) -> list[str]:
    """The table of nanoseconds a pixel."""
    names = [*OURS, "Pillow, progressive", "OpenCV, progressive"]
    lines = ["| quality | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for quality in QUALITIES:
        spent = dict.fromkeys(names, 0.0)
        for image in photographs:
            calls: dict[str, Callable[[], object]] = {
                name: partial(pyjpegml.encode, image, quality=quality, progressive=progressive)
                for name, progressive in OURS.items()
            }
            calls[names[-2]] = partial(pillow, image, quality)
            calls[names[-1]] = partial(opencv, image, quality)
            for name, shortest in best(calls, seconds).items():
                spent[name] += shortest
        pixels = sum(image.shape[0] * image.shape[1] for image in photographs)
        lines.append(
            f"| {quality} | " + " | ".join(f"{1e9 * s / pixels:.1f}" for s in spent.values()) + " |"
        )
    return lines


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=2, help="for each timed photograph")
    arguments = parser.parse_args()
    paths = sorted(arguments.folder.glob("*.png"))
    photographs = [np.ascontiguousarray(iio.imread(path)[:, :, :3]) for path in paths]
    if not photographs:
        raise SystemExit(f"no *.png in {arguments.folder}")
    rewriters = peers()
    timed = photographs[:: max(1, len(photographs) // TIMED)][:TIMED]
    lines = [
        "# Progressive files",
        "",
        f"{len(photographs)} photographs of `{arguments.folder.name}`, 4:2:0. Bytes as ratios to "
        f"those of {next(iter(rewriters))}: the mean over the files, and in brackets the largest. "
        "All files of a photograph hold the same coefficients. Written by `bench/progressive.py`, "
        "which says what is measured.",
        "",
        *sizes(photographs, rewriters),
        "",
        "Nanoseconds of processor time a pixel to encode, one thread, the sum over "
        f"{len(timed)} of them:",
        "",
        *times(timed, arguments.seconds),
        "",
        machine_line() + ".",
    ]
    Path(__file__).with_name("progressive.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
