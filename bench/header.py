"""How long it takes to read a header, from bytes, mmap and file; writes bench/header.md.

    python bench/header.py [--rounds 20] [--calls 20]

Three files: a small one, one with megabytes of APPn segments before the frame header, and one of
many pixels. What lies behind the first scan header is not looked at, and metadata are only passed
over, so size should not show, except where a file object has to be read. Simplejpeg and Pillow (as
far as the size of the picture) read the same bytes.
"""

from __future__ import annotations

import argparse
import io
import mmap
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import simplejpeg
from machine import machine_line
from PIL import Image
from report import table

import pyjpegml
from pyjpegml.markers import segment_bytes

#: Segments of 64 kB before the frame header, in APP2.
SEGMENTS = 160


def files() -> dict[str, bytes]:
    """Small, with large metadata, and with many pixels."""
    rng = np.random.default_rng(1)
    small = pyjpegml.encode(rng.integers(0, 256, (64, 64, 3), np.uint8))
    large = pyjpegml.encode(rng.integers(0, 256, (3000, 4000, 3), np.uint8), quality=50)
    segments = segment_bytes(0xE2, bytes(65533)) * SEGMENTS
    return {
        "64 × 64 pixels": small,
        f"the same, {SEGMENTS} APP2 segments": small[:2] + segments + small[2:],
        "12 megapixels": large,
    }


def measure(data: bytes, rounds: int, calls: int) -> list[float]:
    """Microseconds from bytes, mmap and file; simplejpeg's and Pillow's from bytes."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()

        def from_file() -> None:
            file.seek(0)
            pyjpegml.read_header(file)

        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            kinds: list[Callable[[], object]] = [
                lambda: pyjpegml.read_header(data),
                lambda: pyjpegml.read_header(mapped),
                from_file,
                lambda: simplejpeg.decode_jpeg_header(data),
                lambda: Image.open(io.BytesIO(data)).size,
            ]
            best = [float("inf")] * len(kinds)
            for _ in range(rounds):
                for i, call in enumerate(kinds):
                    for _ in range(calls):
                        began = time.perf_counter()
                        call()
                        best[i] = min(best[i], time.perf_counter() - began)
    return [1e6 * seconds for seconds in best]


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=20, help="of each kind, in a round")
    arguments = parser.parse_args()
    rows = [
        [name, f"{len(data):,}"]
        + [f"{us:.0f}" for us in measure(data, arguments.rounds, arguments.calls)]
        for name, data in files().items()
    ]
    lines = [
        "# Reading headers",
        "",
        "Microseconds a call of `read_header`; best of "
        f"{arguments.rounds * arguments.calls} calls. Written by `bench/header.py`, which says "
        "what is measured.",
        "",
        *table(
            ["", "bytes", "`read_header` of bytes", "of an mmap", "of a file object", "simplejpeg",
             "Pillow"], rows,
        ),
        machine_line() + ".",
    ]  # fmt: skip
    Path(__file__).with_name("header.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
