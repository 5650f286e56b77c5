"""Peak memory of encoding and decoding, beyond input and output; Linux with glibc.

Each measurement is a process of its own. It first does the same with a small picture, so that
compiled code, tables and imports are there; then it makes its input, gives back what is free,
resets the kernel's mark of the highest resident size, and calls. What the mark has risen by is the
output and everything else that the call needs. (glibc keeps freed memory for later, up to twice
the largest array that was ever freed: here it is told not to, since that is no need of the call.)

    python bench/memory.py encode|decode SIDE THREADS      one such process; SIDE pixels squared
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pictures import PHOTO, photograph, square
from report import number, size_name, table

import pyjpegml

SETTINGS = {"quality": 75, "subsampling": "4:2:0", "optimize": False}
#: glibc's M_MMAP_THRESHOLD; once set it no longer grows.
MMAP_THRESHOLD = -3
#: Side of the picture before: large enough for threads.
BEFORE = 1100


def _resident(word: str) -> int:
    """Bytes that are resident (``VmRSS``), or were at most (``VmHWM``)."""
    [kilobytes] = re.findall(rf"{word}:\s+(\d+)", Path("/proc/self/status").read_text())
    return 1024 * int(kilobytes)


def one(what: str, side: int, threads: int | None, photo: Path) -> dict[str, int]:
    """Bytes of input and output, and peak beyond them, of one call in this process."""
    ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, 128 << 10)
    picture = photograph(photo)

    def prepared(side: int) -> tuple[Any, Callable[[], Any]]:
        source = square(picture, side)
        if what == "encode":
            return source, lambda: pyjpegml.encode(source, threads=threads, **SETTINGS)
        data = pyjpegml.encode(source, **SETTINGS)
        return data, lambda: pyjpegml.decode(data, threads=threads)

    prepared(BEFORE)[1]()
    source, call = prepared(side)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    result = call()
    risen = _resident("VmHWM") - before
    sizes = [x.nbytes if hasattr(x, "nbytes") else len(x) for x in (source, result)]
    return {"input": sizes[0], "output": sizes[1], "beyond": risen - sizes[1]}


def measure(photo: Path, sides: Iterable[int]) -> list[list[str]]:
    """Rows of a table: what, size, input, output, and beyond them with one thread and with all."""
    rows = []
    for what in ("encode", "decode"):
        for side in sides:
            command = [sys.executable, __file__, what, str(side)]
            found = []
            for threads in ("1", "None"):
                run = subprocess.run(
                    [*command, threads, str(photo)], stdout=subprocess.PIPE, check=True
                )
                found.append(json.loads(run.stdout))
            sizes = [found[0]["input"], found[0]["output"], *(f["beyond"] for f in found)]
            rows.append([what, size_name(side), *(number(size / 1e6) for size in sizes)])
    return rows


def report(rows: list[list[str]]) -> list[str]:
    """The table, in megabytes."""
    return table(
        ["4:2:0 q75", "", "input, MB", "output, MB", "beyond them, one thread, MB",
         f"beyond them, all {os.cpu_count()} cores, MB"], rows,
    )  # fmt: skip


if __name__ == "__main__":
    threads = None if sys.argv[3] == "None" else int(sys.argv[3])
    photo = Path(sys.argv[4]) if len(sys.argv) > 4 else PHOTO
    print(json.dumps(one(sys.argv[1], int(sys.argv[2]), threads, photo)))
