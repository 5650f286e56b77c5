"""Hours of mixed calls in one process: is memory flat, are results the same? Writes bench/soak.md.

    python bench/soak.py [--minutes 60] [--threads 2] [--out FILE]

A round does each call of a list once, in an order of its own, shared among threads: encoding,
decoding, compressing, scoring, rewriting, of pictures of several sizes, files that are broken
among them. Each result is compared with the one that the call gave first. Between rounds nothing is
at work; the C library gives back what is free, and resident memory is read. Warm-up is a tenth of
the time, at least ten rounds: kernels are loaded by then. Linux with glibc.

What is told as resident is the median of five rounds, behind the warm-up and at the end. The run
fails if it grew by more than 2 %, or if a result changed.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import hashlib
import os
import random
import re
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine_line
from pictures import grey, photograph

import pyjpegml

Call = Callable[[], Any]
#: Rounds whose median is told, and by how much memory may grow.
ROUNDS, MOST = 5, 0.02
SIZES = ((400, 600), (241, 367), (64, 64), (9, 200))


def calls() -> dict[str, Call]:
    """Calls by name; what they need is made here, once."""
    photo = photograph()
    found: dict[str, Call] = {}
    for height, width in SIZES:
        size = f"{width} × {height}"
        rgb = np.ascontiguousarray(photo[:height, :width])
        found |= {f"{name}, {size}": call for name, call in _of_pictures(rgb).items()}
        found |= {f"{name}, {size}": call for name, call in _of_files(rgb).items()}
    return found


def _of_pictures(rgb: Any) -> dict[str, Call]:
    encode = partial(pyjpegml.encode, rgb)
    compress = partial(pyjpegml.compress, rgb)
    deep = rgb.astype(np.uint16) * 16
    return {
        "encode": partial(encode, quality=85),
        "encode with two threads": partial(encode, quality=85, threads=2),
        "encode progressive": partial(encode, progressive=True, subsampling="4:4:4"),
        "encode by a search for scans": partial(encode, progressive="search"),
        "encode 12 bits": partial(pyjpegml.encode, deep, precision=12),
        "encode lossless": partial(encode, lossless=True),
        "encode grey": partial(pyjpegml.encode, grey(rgb), restart_rows=1),
        "compress fast": partial(compress, ms_ssim=0.98, effort="fast"),
        "compress": partial(compress, ms_ssim=0.99),
        "compress grey": partial(pyjpegml.compress, grey(rgb), ms_ssim=0.97),
        "compress to a size": partial(compress, max_bytes=12_000, effort="fast"),
        "ms_ssim": partial(pyjpegml.ms_ssim, rgb, rgb // 8 * 8),
    }


def _of_files(rgb: Any) -> dict[str, Call]:
    data = pyjpegml.encode(rgb, quality=80, restart_interval=5)
    progressive = pyjpegml.encode(rgb, quality=80, progressive=True)
    lossless = pyjpegml.encode(rgb, lossless=True)
    coefficients = pyjpegml.decode_coefficients(data)
    broken = data[: len(data) // 2] + bytes(range(256)) + data[len(data) * 3 // 4 :]
    return {
        "decode": partial(pyjpegml.decode, data),
        "decode with two threads": partial(pyjpegml.decode, data, threads=2),
        "decode a quarter": partial(pyjpegml.decode, data, scale=4),
        "decode a region": partial(pyjpegml.decode, data, region=(1, 1, 7, 8)),
        "decode progressive": partial(pyjpegml.decode, progressive),
        "decode lossless": partial(pyjpegml.decode, lossless),
        "decode what is broken": partial(pyjpegml.decode, broken),
        "decode what is cut off": partial(pyjpegml.decode, progressive[: len(progressive) // 2]),
        "decode_partial": partial(pyjpegml.decode_partial, broken),
        "read_header": partial(pyjpegml.read_header, progressive),
        "recode": partial(pyjpegml.recode, data, progressive="search"),
        "transform": partial(pyjpegml.transform, data, "rotate90", edges="trim"),
        "encode_coefficients": partial(pyjpegml.encode_coefficients, coefficients),
        "compress a JPEG": partial(pyjpegml.compress, data, ms_ssim=0.97, effort="fast"),
    }


def outcome(call: Call) -> bytes:
    """A digest of what a call returns, or of its error."""
    try:
        value = call()
    except (pyjpegml.JpegError, ValueError) as error:
        value = repr(error)
    digest = hashlib.blake2b(digest_size=16)
    parts = [value.data] if isinstance(value, pyjpegml.Result) else value
    for part in parts if isinstance(parts, list | tuple) else [parts]:
        digest.update(part.tobytes() if isinstance(part, np.ndarray) else _bytes(part))
    return digest.digest()


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else repr(value).encode()


def resident() -> float:
    """Megabytes that are resident now."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    [kilobytes] = re.findall(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(kilobytes) * 1024 / 1e6


def open_things() -> tuple[int, int]:
    """Threads and open files of this process."""
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


class Soak:
    """A run: its calls, what they gave first, and what was resident behind each round."""

    def __init__(self, threads: int) -> None:
        self.calls = calls()
        self.first: dict[str, bytes] = {}
        self.changed: set[str] = set()
        self.samples: list[tuple[float, float]] = []  # seconds since the start, megabytes
        self._began = time.perf_counter()
        self._order = random.Random(1)
        self._pool = ThreadPoolExecutor(threads)

    def round(self) -> None:
        """Each call once, by all threads."""
        names = list(self.calls)
        self._order.shuffle(names)
        for name, digest in zip(names, self._pool.map(self._do, names), strict=True):
            if self.first.setdefault(name, digest) != digest:
                self.changed.add(name)
        self.samples.append((self.seconds, resident()))

    def _do(self, name: str) -> bytes:
        return outcome(self.calls[name])

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self._began

    def until(self, seconds: float, rounds: int) -> None:
        """Go on for so long, and for so many rounds in all."""
        while self.seconds < seconds or len(self.samples) < rounds:
            self.round()


def report(soak: Soak, warm: int, before: tuple[int, int], threads: int) -> tuple[str, bool]:
    """The page, and whether what is asked for holds."""
    memory = [megabytes for _, megabytes in soak.samples]
    start = statistics.median(memory[warm : warm + ROUNDS])
    end = statistics.median(memory[-ROUNDS:])
    growth = end / start - 1
    total = len(soak.samples) * len(soak.calls)
    held = growth <= MOST and not soak.changed and before == open_things()
    shown = np.linspace(warm, len(memory) - 1, 9).astype(int)
    lines = [
        "# Soak test",
        "",
        f"{total:,} calls, {len(soak.samples)} rounds of {len(soak.calls)} different ones, by "
        f"{threads} threads in one process, in {soak.seconds / 60:.0f} minutes, of which "
        f"{soak.samples[warm - 1][0] / 60:.1f} were warm-up; {time.process_time() / 60:.0f} "
        "minutes of processor time. Written by `bench/soak.py`, which says what is measured.",
        "",
        f"Resident: {start:.1f} MB behind the warm-up, {end:.1f} MB at the end: {growth:+.2%} "
        f"(at most {MOST:+.0%} is asked for). Results that changed: {len(soak.changed)}. Threads "
        f"and open files behind the warm-up: {before[0]} and {before[1]}; at the end: "
        f"{open_things()[0]} and {open_things()[1]}.",
        "",
        "| minute | " + " | ".join(f"{soak.samples[i][0] / 60:.0f}" for i in shown) + " |",
        "|---" * (len(shown) + 1) + "|",
        "| resident, MB | " + " | ".join(f"{memory[i]:.1f}" for i in shown) + " |",
        "",
        f"{machine_line()}.",
        "",
        *sorted(f"CHANGED: {name}" for name in soak.changed),
    ]
    return "\n".join(lines), held


def main() -> int:
    """Measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    seconds = 60 * arguments.minutes
    soak = Soak(arguments.threads)
    soak.until(seconds / 10, 10)
    warm, before = len(soak.samples), open_things()
    soak.until(seconds, warm + 2 * ROUNDS)
    page, held = report(soak, warm, before, arguments.threads)
    arguments.out.write_text(page, "utf-8")
    print(page)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
