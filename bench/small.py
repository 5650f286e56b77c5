"""How long a call takes on a picture of 64 × 64 pixels, against simplejpeg; writes bench/small.md.

    python bench/small.py [--rounds 40] [--calls 100]

All in one process, in turn, the best of all calls; what a call costs besides the pixels is what
shows here. *Through Numba*: ``PYJPEGML_OBJECTS=0``, in a process of its own. Files with tables of
their own: each of 40 has other optimal Huffman tables, so that nothing is remembered of the one
before.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SIDE = 64
QUALITY = 85
FILES = 40


def measure(rounds: int, calls: int) -> dict[str, float]:
    """Microseconds of each kind of call."""
    import numpy as np
    import simplejpeg

    import pyjpegml

    rng = np.random.default_rng(1)
    y, x = np.mgrid[:SIDE, :SIDE]
    waves = (128 + 60 * np.sin(x / 17) * np.cos(y / 23))[:, :, None]
    image = (waves + rng.normal(0, 8, (SIDE, SIDE, 3))).clip(0, 255).astype(np.uint8)
    data = pyjpegml.encode(image, quality=QUALITY, optimize=False)
    others = [
        pyjpegml.encode(
            (waves + rng.normal(0, 4 + k, image.shape)).clip(0, 255).astype(np.uint8),
            quality=QUALITY,
        )
        for k in range(FILES)
    ]
    ours, theirs = itertools.cycle(others), itertools.cycle(others)
    kinds: dict[str, Callable[[], object]] = {
        "encode, simplejpeg": lambda: simplejpeg.encode_jpeg(image, QUALITY, "RGB", "420"),
        "encode(optimize=False)": lambda: pyjpegml.encode(image, quality=QUALITY, optimize=False),
        "encode()": lambda: pyjpegml.encode(image, quality=QUALITY),
        "decode, simplejpeg": lambda: simplejpeg.decode_jpeg(data),
        "decode": lambda: pyjpegml.decode(data),
        "decode own tables, simplejpeg": lambda: simplejpeg.decode_jpeg(next(theirs)),
        "decode own tables": lambda: pyjpegml.decode(next(ours)),
    }
    best = dict.fromkeys(kinds, float("inf"))
    for _ in range(rounds):
        for name, call in kinds.items():
            for _ in range(calls):
                began = time.perf_counter()
                call()
                best[name] = min(best[name], time.perf_counter() - began)
    return {name: 1e6 * seconds for name, seconds in best.items()}


def main() -> None:
    """Measure in two processes, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=100, help="of each kind, in a round")
    parser.add_argument("--json", action="store_true", help="only measure, and print the figures")
    arguments = parser.parse_args()
    if arguments.json:
        print(json.dumps(measure(arguments.rounds, arguments.calls)))
        return

    from machine import machine_line

    command = [
        sys.executable, __file__, "--json",
        f"--rounds={arguments.rounds}", f"--calls={arguments.calls}",
    ]  # fmt: skip
    columns = [
        json.loads(
            subprocess.run(
                command,
                env={**os.environ, "PYJPEGML_OBJECTS": objects},
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
        )
        for objects in "10"
    ]
    rows = {
        "`encode(optimize=False)`": ("encode(optimize=False)", "encode, simplejpeg"),
        "`encode()`, optimal tables": ("encode()", "encode, simplejpeg"),
        "`decode`": ("decode", "decode, simplejpeg"),
        "`decode`, files with tables of their own": (
            "decode own tables",
            "decode own tables, simplejpeg",
        ),
    }
    lines = [
        "# Small pictures",
        "",
        f"Microseconds a call, {SIDE} × {SIDE} pixels, RGB, 4:2:0, quality {QUALITY}; in brackets "
        "simplejpeg's, with standard tables, and the ratio of speeds: above 1, pyjpegml is faster. "
        "Best of "
        f"{arguments.rounds * arguments.calls} calls. Written by `bench/small.py`, which says what "
        "is measured.",
        "",
        "| | through the object store | through Numba |",
        "|---|---|---|",
    ]
    for title, (own, other) in rows.items():
        cells = [f"{c[own]:.1f} ({c[other]:.1f}; {c[other] / c[own]:.2f} ×)" for c in columns]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    lines += ["", machine_line() + "."]
    Path(__file__).with_name("small.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
