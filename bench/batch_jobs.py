"""``pyjpegml batch`` with one worker and with several; writes bench/batch_jobs.md.

    python bench/batch_jobs.py [--photos DIR] [--files 2000] [--side 256] [--jobs 2] [--rounds 2]

The files are cuts of the photographs of a folder, from places all over them, written as PNG. Runs
with one worker and with `jobs` take turns, each into an empty folder; the best of each is told. A
run is the whole command, workers that start and load their kernels included. The outputs of all
runs are compared. On a machine that others use the ratio says more about them than about this.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import machine_line
from pictures import add_photos, photograph, photos_of
from PIL import Image
from report import table


def make_files(folder: Path, photos: list[Path], count: int, side: int) -> int:
    """Cuts of photographs, in folders of a hundred; returns their bytes."""
    rng = random.Random(2000)
    pictures = [photograph(path) for path in photos]
    total = 0
    for i in range(count):
        picture = pictures[i % len(pictures)]
        top, left = (rng.randrange(max(1, n - side + 1)) for n in picture.shape[:2])
        path = folder / f"{i // 100:03}" / f"{i:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture[top : top + side, left : left + side]).save(path, compress_level=1)
        total += path.stat().st_size
    return total


def run(source: Path, jobs: int) -> tuple[float, str]:
    """Seconds of the whole command, and a digest of all that it wrote."""
    with tempfile.TemporaryDirectory(prefix="pyjpegml-jobs.") as target:
        command = [sys.executable, "-m", "pyjpegml", "batch", str(source), target]
        began = time.perf_counter()
        subprocess.run(
            [*command, "--jobs", str(jobs), "--no-progress"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        spent = time.perf_counter() - began
        digest = hashlib.sha256()
        for path in sorted(Path(target).rglob("*.jpg")):
            digest.update(path.relative_to(target).as_posix().encode() + path.read_bytes())
        return spent, digest.hexdigest()


def main() -> None:
    """Measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_photos(parser)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    photos = photos_of(arguments)
    best = {1: float("inf"), arguments.jobs: float("inf")}
    digests = set()
    with tempfile.TemporaryDirectory(prefix="pyjpegml-jobs.") as folder:
        source = Path(folder)
        size = make_files(source, photos, arguments.files, arguments.side)
        for _ in range(arguments.rounds):
            for jobs in best:
                spent, digest = run(source, jobs)
                best[jobs] = min(best[jobs], spent)
                digests.add(digest)
    assert len(digests) == 1, "runs wrote different files"
    rows = [
        [str(jobs), f"{spent:.1f}", f"{arguments.files / spent:.1f}", f"{best[1] / spent:.2f} ×"]
        for jobs, spent in best.items()
    ]
    lines = [
        "# Workers of batch",
        "",
        f"{arguments.files:,} PNG files of {arguments.side} × {arguments.side} pixels, "
        f"{size / 1e6:,.0f} MB, from {len(photos)} photographs; the usual target and effort; best "
        f"of {arguments.rounds} runs each. All runs wrote the same bytes. Written by "
        "`bench/batch_jobs.py`, which says what is measured.",
        "",
        *table(["workers", "seconds", "files a second", "of one worker"], rows),
        f"{machine_line()}.",
        "",
    ]
    arguments.out.write_text("\n".join(lines), "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
