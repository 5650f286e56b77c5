"""How long `import pyjpegml` and the first calls take; writes bench/startup.md.

    python bench/startup.py [--cold 3] [--warm 7]

Every figure comes from fresh processes, which run one after another. *Cold*: the cache of compiled
kernels is empty. *Warm*: it is filled. *Later*: a second call in the same process. With a cold
cache a first call includes the import of Numba, with a warm one that of llvmlite.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import machine_line

SIDE = 512
CALLS = {
    "decode": "pyjpegml.decode(data)",
    "encode": "pyjpegml.encode(image, quality=90)",
    "ms_ssim": "pyjpegml.ms_ssim(image, other)",
    "compress": "pyjpegml.compress(image, ms_ssim=0.99)",
}

#: Where byte code is kept, here and not beside the sources.
PREFIX = tempfile.TemporaryDirectory()

IMPORTS = """
import json, time
t0 = time.perf_counter()
import numpy
t1 = time.perf_counter()
import pyjpegml
t2 = time.perf_counter()
print(json.dumps({"numpy": t1 - t0, "pyjpegml": t2 - t1}))
"""

# the data to decode come from another process: making them here would load what encodes
INPUTS = f"""
import sys, numpy
rng = numpy.random.default_rng(1)
y, x = numpy.mgrid[:{SIDE}, :{SIDE}]
waves = 128 + 60 * numpy.sin(x / 17) * numpy.cos(y / 23)
image = waves[:, :, None] + rng.normal(0, 8, ({SIDE}, {SIDE}, 3))
image = image.clip(0, 255).astype(numpy.uint8)
other = numpy.clip(image, 8, 247)
"""

FIRST_CALL = """
import json, time
import pyjpegml
data = sys.stdin.buffer.read()
t0 = time.perf_counter()
{call}
t1 = time.perf_counter()
{call}
t2 = time.perf_counter()
print(json.dumps({{"first": t1 - t0, "later": t2 - t1}}))
"""

MAKE_DATA = "import pyjpegml; sys.stdout.buffer.write(pyjpegml.encode(image, quality=90))"


def run(code: str, cache: str, stdin: bytes = b"") -> bytes:
    """Standard output of a fresh interpreter that runs `code`; byte code is kept as usual."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": PREFIX.name}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, input=stdin, stdout=subprocess.PIPE, env=environment, check=True
    ).stdout


def figures(samples: list[float]) -> str:
    """Best and median, in a unit that fits."""
    scale, unit = (1, "s") if min(samples) >= 1 else (1000, "ms")
    return f"{scale * min(samples):.3g} / {scale * statistics.median(samples):.3g} {unit}"


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cold", type=int, default=3, help="processes with an empty cache")
    parser.add_argument("--warm", type=int, default=7, help="processes with a filled cache")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        run(IMPORTS, scratch)
        imports = [json.loads(run(IMPORTS, scratch)) for _ in range(arguments.warm)]
        data = run(INPUTS + MAKE_DATA, scratch)
    lines = [
        "# Start-up times",
        "",
        f"Best / median of {arguments.warm} processes (cold: {arguments.cold}); the image has "
        f"{SIDE} × {SIDE} pixels.",
        "Written by `bench/startup.py`, which says what is measured.",
        "",
        "| | time |",
        "|---|---|",
        f"| `import numpy` | {figures([i['numpy'] for i in imports])} |",
        f"| `import pyjpegml` after it | {figures([i['pyjpegml'] for i in imports])} |",
        "",
        "| call | first, cold cache | first, warm cache | later |",
        "|---|---|---|---|",
    ]
    for name, call in CALLS.items():
        code = INPUTS + FIRST_CALL.format(call=call)
        cold = []
        for _ in range(arguments.cold):
            with tempfile.TemporaryDirectory() as cache:
                cold.append(json.loads(run(code, cache, data)))
        with tempfile.TemporaryDirectory() as cache:
            run(code, cache, data)
            warm = [json.loads(run(code, cache, data)) for _ in range(arguments.warm)]
        columns = (
            [r["first"] for r in cold],
            [r["first"] for r in warm],
            [r["later"] for r in warm],
        )
        lines.append(f"| `{name}` | " + " | ".join(figures(column) for column in columns) + " |")
        print(lines[-1], flush=True)
    lines += ["", machine_line() + "."]
    target = Path(__file__).with_name("startup.md")
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"written: {target}")


if __name__ == "__main__":
    main()
