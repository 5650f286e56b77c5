"""Instructions a pixel of every stage: the same on every run, so a slower kernel shows in review.

    python bench/instructions.py            writes bench/instructions.md
    python bench/instructions.py --check    exit 1 if a stage has changed by more than a percent

The code is compiled for one kind of CPU, whatever the machine has: so the table depends on the
sources and on versions alone, and callgrind, which knows no AVX-512, can run it. (What AVX-512
kernels do it does not show: their time does, in RESULTS.md.)

Where `perf stat` may count instructions, it counts a process that runs a stage often, less one that
runs it once. Elsewhere callgrind counts from mark to mark, a mark being a call of getpgrp().
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import versions_line
from report import number, table

TARGET = Path(__file__).with_name("instructions.md")
CPU = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+movbe,+avx,+avx2,+fma,"
    "+f16c,+bmi,+bmi2,+lzcnt",
}
WIDTH, HEIGHT, QUALITY = 512, 384, 75
#: Runs of a stage that perf counts, besides one.
RUNS = 50
#: Part by which counts may differ: instructions of the interpreter, not of kernels.
TOLERANCE = 0.01


def work(chosen: str = "", runs: int = 0) -> None:
    """Run all stages once between marks and one of them `runs` times more; print their names."""
    from pictures import photograph, square
    from stages import both

    encoding, decoding, _ = both(square(photograph(), WIDTH)[:HEIGHT], QUALITY)
    for stage in [*encoding.stages, *decoding.stages]:
        print(stage.name)
        stage.prepare()
        os.getpgrp()
        stage.run()
        os.getpgrp()
        if stage.name == chosen:
            for i in range(RUNS):
                stage.prepare()  # as often in the process that it is compared with
                if i < runs:
                    stage.run()


def _run(*before: str, chosen: str = "", runs: int = 0) -> str:
    """What a process that works prints, run by the command `before`."""
    environment = {**os.environ, **CPU, "PYTHONHASHSEED": "0"}
    command = [*before, sys.executable, __file__, "--work", chosen, str(runs)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


def perf_counts(event: str = "instructions:u") -> bool:
    """Whether perf is there, and may count."""
    try:
        command = ["perf", "stat", "-x,", "-e", event, "true"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.returncode == 0 and done.stderr[:1].isdigit()


def by_perf(names: list[str], event: str = "instructions:u") -> list[float]:
    """Instructions of one run of each stage."""
    with tempfile.NamedTemporaryFile("r") as file:

        def count(chosen: str, runs: int) -> float:
            _run("perf", "stat", "-x,", "-e", event, "-o", file.name, chosen=chosen, runs=runs)
            text = Path(file.name).read_text()
            return float(text.splitlines()[-1].split(",")[0])

        return [(count(name, RUNS) - count(name, 0)) / RUNS for name in names]


def by_callgrind(names: list[str]) -> list[float]:
    """The same, by callgrind: there is a part of its output for what lies before each mark."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out"
        _run("valgrind", "--tool=callgrind", "--dump-before=getpgrp", f"--callgrind-out-file={out}")
        parts = [Path(f"{out}.{2 * i + 2}").read_text() for i in range(len(names))]
    return [int(re.findall(r"^summary: (\d+)", part, re.M)[0]) for part in parts]


def measure() -> tuple[str, dict[str, float]]:
    """What counted, and instructions a pixel by stage."""
    names = _run().split("\n")[:-1]  # fills the cache of compiled kernels, too
    tool = "perf" if perf_counts() else "callgrind"
    if tool == "callgrind" and not shutil.which("valgrind"):
        raise SystemExit("perf may not count instructions here, and there is no valgrind")
    counts = by_perf(names) if tool == "perf" else by_callgrind(names)
    pixels = WIDTH * HEIGHT
    return tool, {name: count / pixels for name, count in zip(names, counts, strict=True)}


def report(tool: str, counts: dict[str, float]) -> str:
    """The file's text."""
    lines = [
        "# Instructions a pixel",
        "",
        f"{WIDTH} × {HEIGHT} pixels of the example photograph, 4:2:0, quality {QUALITY}, each "
        f"stage by itself, compiled for {CPU['NUMBA_CPU_NAME']} (AVX2). Counted by {tool}; written "
        "by `bench/instructions.py`.",
        "",
        *table(["stage", "instructions"], [[name, number(n)] for name, n in counts.items()]),
        f"{versions_line()}.",
    ]
    return "\n".join(lines) + "\n"


def written() -> dict[str, float]:
    """The counts in the file."""
    rows = re.findall(r"^\| ([^|]+) \| ([\d.,]+) \|$", TARGET.read_text(encoding="utf-8"), re.M)
    return {name: float(count.replace(",", "")) for name, count in rows}


def check(counts: dict[str, float]) -> int:
    """Say which stages differ from the file; 1 if any does."""
    before = written()
    changed = []
    for name in before | counts:
        old, new = before.get(name, 0.0), counts.get(name, 0.0)
        if abs(new - old) > TOLERANCE * old + 0.01:
            changed.append(f"{name}: {old:.3f} instructions a pixel before, {new:.3f} now")
    print("\n".join(changed or ["as written"]))
    return 1 if changed else 0


def main() -> int:
    """Count, and write or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare with the file")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work[0], int(arguments.work[1]))
        return 0
    tool, counts = measure()
    if arguments.check:
        return check(counts)
    text = report(tool, counts)
    TARGET.write_text(text, encoding="utf-8")
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
