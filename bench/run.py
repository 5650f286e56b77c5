"""All benchmarks: writes RESULTS.md, results.csv and the plots.

    python bench/run.py [--quick] [--photo FILE] [--out DIRECTORY]
    python bench/run.py --memory      peaks of memory only, into the RESULTS.md that there is

The machine should be idle; `python bench/instructions.py` is a command of its own, because its
table does not depend on the machine. Needs the extra `bench`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import bounds
import codec
import memory
import plots
import stages
from machine import machine_line
from peers import versions
from pictures import PHOTO, photograph, square
from report import size_name

HERE = Path(__file__).resolve().parent
#: Sides of square pictures: 64 x 64 to 100 MP.
SIDES = (64, 256, 1000, 2000, 3162, 10000)
#: Of the picture that goes through stage after stage: whole MCUs, and no power of two, whose rows
#: would compete for the same lines of the cache.
STAGE_SIDE = 1008
#: Of the pictures whose peaks of memory are measured; what stands before their table and behind it.
MEMORY_SIDES = (1000, 3162, 10000)
MEMORY = "Peak memory of a call in a fresh process:"
STAGES = "## Stages and the machine's bounds"


def start_up() -> list[str]:
    """The tables of startup.md, without its heading and the machine."""
    lines = (HERE / "startup.md").read_text(encoding="utf-8").splitlines()
    return lines[2:]


def renew_memory(photo: Path, file: Path) -> None:
    """Measure memory again, and put its table in the place of the one in a RESULTS.md."""
    text = file.read_text(encoding="utf-8")
    before, rest = text.split(MEMORY + "\n\n")
    behind = rest[rest.index(STAGES) :]
    new = "\n".join(memory.report(memory.measure(photo, MEMORY_SIDES)))
    file.write_text(f"{before}{MEMORY}\n\n{new}\n{behind}", encoding="utf-8")


def main() -> None:
    """Measure everything and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="up to 4 MP, rougher; start-up not")
    parser.add_argument("--photo", type=Path, default=PHOTO, help="what pictures are made of")
    parser.add_argument("--out", type=Path, default=HERE, help="where to write")
    parser.add_argument("--memory", action="store_true", help="measure memory only")
    arguments = parser.parse_args()
    if arguments.memory:
        renew_memory(arguments.photo, arguments.out / "RESULTS.md")
        return
    quick = arguments.quick
    sides = SIDES[:4] if quick else SIDES
    budget = 0.1 if quick else 0.8
    photo = photograph(arguments.photo)
    arguments.out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    load = os.getloadavg()[0]

    def say(what: str) -> None:
        print(f"{time.perf_counter() - began:5.0f} s  {what}", flush=True)

    if not quick:
        say("start-up (bench/startup.py)")
        subprocess.run([sys.executable, HERE / "startup.py"], check=True)
    say("memory")
    peaks = memory.measure(arguments.photo, [side for side in sides if side in MEMORY_SIDES])
    say("the machine's bounds")
    machine = bounds.measure(0.3 if quick else 2)
    say("stages")
    picture = square(photo, STAGE_SIDE)
    by_quality = {q: stages.measure(picture, q, 0.1 if quick else 1) for q in (75, 90)}
    say("pixels and bytes against the peers'")
    codec.check(photo)
    say(f"{len(codec.MODES)} modes, {', '.join(map(size_name, sides))}")
    timings = codec.measure(photo, sides, budget)
    many = sides[-1] if quick else 3162
    say("threads")
    threads = codec.measure_cores(photo, many, 10 * budget)
    say("MS-SSIM and compress")
    scores = codec.measure_scores(photo, sides, 1000 if quick else 2000, budget)
    say("writing")

    lines = [
        "# Benchmarks",
        "",
        f"Written by `bench/run.py{' --quick' if quick else ''}` in "
        f"{time.perf_counter() - began:.0f} seconds; load average before: {load:.1f} (0 is idle). "
        f"{machine_line()}. Peers: {versions()}.",
        "",
        "Pictures are squares of mirrored tiles of a photograph. Programs take turns (A B A B ...) "
        "in one process that has called them before, and the shortest time counts. 4:2:0 q75 means "
        "libjpeg's quality 75 and standard Huffman tables; restarts, a marker behind each row of "
        "MCUs. All timings: `results.csv`.",
        "",
        "![Speed by size](growth.svg)",
        "",
        "## Against libjpeg-turbo",
        "",
        *codec.report(timings, many),
        "## Growth",
        "",
        "With size, nanoseconds a pixel, one thread:",
        "",
        *codec.report_growth(timings, scores),
        f"With threads, {size_name(many)}, times as fast as one thread:",
        "",
        *codec.report_cores(threads),
        "![Speed by threads](cores.svg)",
        "",
        MEMORY,
        "",
        *memory.report(peaks),
        STAGES,
        "",
        *bounds.report(machine),
        f"Each stage goes over a whole picture of {STAGE_SIDE} × {STAGE_SIDE} pixels, "
        f'{stages.SAMPLING} with standard tables. "Through memory" is what moving its arrays takes '
        "at the speed of the copy above. The last two rows are whole calls, which take chunks that "
        "stay in the cache through all stages.",
        "",
        *stages.report(by_quality, machine),
        "![Stages](stages.svg)",
        "",
        "How near MS-SSIM is to the bound of arithmetic: `score.md`, by `bench/score.py`.",
        "",
        "## Start-up",
        "",
        *start_up(),
    ]
    (arguments.out / "RESULTS.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    codec.write_csv([*timings, *threads, *scores], arguments.out / "results.csv")
    plots.all_plots(timings, threads, by_quality[75], machine.copy, arguments.out)
    say(f"written: {arguments.out / 'RESULTS.md'}")


if __name__ == "__main__":
    main()
