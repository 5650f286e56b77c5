"""How fast MS-SSIM and sensitivities are, beside what the processor can do; writes bench/score.md.

    python bench/score.py [--sizes 0.1 0.25 1 4 16 100] [--seconds 4]

One RGB picture and one distortion of it, of each size, on one core. *Score*: `Reference.score`, the
original's side being there. *Prepare*: making the `Reference`. *Sensitivities*: `block_weights` for
4:2:0. Best of as many runs as fit into the time. *Scratch*: most memory that a score holds at once,
beyond what the `Reference` keeps.

The bound: a fused multiply-add counts as two operations, and the peak is measured with chains of
nothing but those, in registers. The Gaussian adds before it multiplies, in instructions that do one
operation, so it cannot come near the peak.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from machine import machine_line

from pyjpegml.coefficients import Geometry
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.metrics import Reference
from pyjpegml.sensitivity import block_weights
from pyjpegml.ssim import FLOPS

#: Samples of a pixel: three channels, five scales of a quarter of the last one's size.
SAMPLES = 3 * sum(0.25**s for s in range(5))
LANES, LINKS = 256, 40


def pictures(megapixels: float) -> tuple[np.ndarray, np.ndarray]:
    """Waves with noise, and the same with some more noise, 4 wide to 3 high."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(megapixels * 1e6 / height)
    rng = np.random.default_rng(1)
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    waves = 128 + 60 * np.sin(x / 17) * np.cos(y / 23)
    image = np.empty((height, width, 3), np.uint8)
    other = np.empty_like(image)
    for c in range(3):
        noise = rng.integers(-20, 21, (height, width), np.int8)
        image[:, :, c] = waves + noise
        other[:, :, c] = waves + noise + rng.integers(-5, 6, (height, width), np.int8)
    return image, other


def best(call: Callable[[], Any], seconds: float) -> float:
    """Least seconds of a call, of those that fit into the time, after a first one."""
    call()
    least, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end or least == float("inf"):
        start = time.perf_counter()
        call()
        least = min(least, time.perf_counter() - start)
    return least


def peak(seconds: float) -> float:
    """Floating-point operations a second of a core, in fused multiply-adds of float32."""
    links = "\n".join(
        "            " + "; ".join(f"{v} = {v} * c + d" for v in "xyzw") for _ in range(LINKS)
    )
    code = f"""
def chains(a, c, d, times):
    for _ in range(times):
        for i in range({LANES}):
            x, y, z, w = a[i], a[i + {LANES}], a[i + {2 * LANES}], a[i + {3 * LANES}]
{links}
            a[i], a[i + {LANES}], a[i + {2 * LANES}], a[i + {3 * LANES}] = x, y, z, w
"""
    scope: dict[str, Any] = {}
    exec(code, scope)
    chains = numba.njit(fastmath={"contract"}, error_model="numpy")(scope["chains"])
    values, half, times = np.ones(4 * LANES, np.float32), np.float32(0.5), 500
    took = best(lambda: chains(values, half, half, times), seconds)
    return 2 * 4 * LANES * LINKS * times / took


def row(megapixels: float, top: float, seconds: float) -> str:
    """The table's row for one size."""
    image, other = pictures(megapixels)
    height, width = image.shape[:2]
    pixels = height * width
    reference = Reference(image)
    geometry = Geometry(width, height, SUBSAMPLINGS["4:2:0"])
    score = best(lambda: reference.score(other), seconds)
    prepare = best(lambda: Reference(image), seconds)
    weights = best(lambda: block_weights(reference, geometry), seconds)
    tracemalloc.start()
    reference.score(other)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    speeds = [f"{pixels / time / 1e6:.1f}" for time in (score, prepare, weights)]
    share = FLOPS * SAMPLES * pixels / score / top
    cells = [f"{megapixels:g}", speeds[0], f"{share:.0%}", *speeds[1:], f"{held / pixels:.2f}"]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=float, nargs="+", default=[0.1, 0.25, 1, 4, 16, 100])
    parser.add_argument("--seconds", type=float, default=4, help="for each figure")
    arguments = parser.parse_args()
    top = peak(arguments.seconds)
    pixel = FLOPS * SAMPLES
    lines = [
        "# Speed of the score",
        "",
        "Written by `bench/score.py`, which says what is measured.",
        "",
        f"A pixel of RGB takes {pixel:.0f} floating-point operations ({FLOPS} a sample of each "
        f"scale). One core does {top / 1e9:.0f} G a second in fused multiply-adds: at most "
        f"{top / pixel / 1e6:.0f} MP/s.",
        "",
        "| megapixels | score, MP/s | share of the peak | prepare, MP/s | sensitivities, MP/s | "
        "scratch, bytes a pixel |",
        "|---|---|---|---|---|---|",
    ]
    for size in arguments.sizes:
        lines.append(row(size, top, arguments.seconds))
        print(lines[-1], flush=True)
    lines += ["", machine_line() + "."]
    target = Path(__file__).with_name("score.md")
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"written: {target}")


if __name__ == "__main__":
    main()
