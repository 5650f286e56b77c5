"""What rate control is asked for beside the arbiter's report; writes rate_goals.md.

    python bench/rate_goals.py KODAK [FOLDER ...] [--peers CSV] [--target 0.99] [--every 1]

For each folder of photographs (JPEGs are reduced to half their size, after which little is left of
what they lost; photographs of 2 MP and more can be had with bench/wallpapers.py), all files decoded
by libjpeg-turbo (Pillow) and scored in double precision:

- sequential files (``progressive=False``), and for pictures in the table of peers the ratio to the
  smallest file that any of them needs for the target;
- sources as a camera or an editor writes them, which are compressed as JPEG input: saved by
  libjpeg-turbo at quality 97 without subsampling. What is saved is told as the median over the
  photographs, and the score is that to the source's pixels.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from machine import machine_line
from PIL import Image
from report import table

from pyjpegml import Result, compress
from pyjpegml.metrics import Reference

SUFFIXES = (".png", ".webp", ".jpg")
QUALITY = 97


def smallest_peers(path: Path | None, target: float) -> dict[str, float]:
    """Bits a pixel that the best peer needs, by picture."""
    best: dict[str, float] = {}
    if path is not None:
        with path.open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if float(row["target"]) == target and row["bpp"]:
                    bits = float(row["bpp"])
                    best[row["image"]] = min(bits, best.get(row["image"], math.inf))
    return best


def missed(result: Result, original: npt.NDArray[np.uint8], target: float) -> bool:
    """Whether the file, as libjpeg-turbo decodes it, is below the target."""
    with Image.open(io.BytesIO(result.data)) as image:
        decoded = np.asarray(image.convert("RGB"))
    return Reference(original).score(decoded, exact=True) < target


def read(path: Path) -> npt.NDArray[np.uint8]:
    """A photograph."""
    with Image.open(path) as image:
        half = image.convert("RGB").reduce(2) if path.suffix == ".jpg" else image.convert("RGB")
        return np.asarray(half)


def camera_file(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A JPEG of high quality."""
    made = io.BytesIO()
    Image.fromarray(pixels).save(made, "JPEG", quality=QUALITY, subsampling=0)
    return made.getvalue()


def measure(folder: Path, peers: dict[str, float], target: float, every: int) -> list[str]:
    """A row of the table."""
    ratios, savings, misses = [], [], 0
    paths = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)[::every]
    for path in paths:
        pixels = read(path)
        sequential = compress(pixels, ms_ssim=target, progressive=False, threads=None)
        misses += missed(sequential, pixels, target)
        if path.stem in peers:
            ratios.append(sequential.bits_per_pixel / peers[path.stem])
        source = camera_file(pixels)
        with Image.open(io.BytesIO(source)) as image:
            original = np.asarray(image.convert("RGB"))
        ours = compress(source, ms_ssim=target, metadata="strip", threads=None)
        misses += missed(ours, original, target)
        savings.append(1 - len(ours.data) / len(source))
        print(folder.name, path.name, f"{savings[-1]:.3f}", ratios[-1:], misses, flush=True)
    compared = f"{np.mean(ratios):.4f} (worst {max(ratios):.4f})" if ratios else ""
    return [
        folder.name, str(len(paths)), compared,
        f"{np.median(savings):.1%} (least {min(savings):.1%})", str(misses),
    ]  # fmt: skip


def main() -> None:
    """Parse arguments, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--peers", type=Path, help="bytes that peers need, as in kodak_peers.csv")
    parser.add_argument("--target", type=float, default=0.99)
    parser.add_argument("--every", type=int, default=1, help="take each n-th photograph")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    peers = smallest_peers(arguments.peers, arguments.target)
    rows = [measure(f, peers, arguments.target, arguments.every) for f in arguments.folders]
    lines = [
        "# Sequential files, and JPEGs as input",
        "",
        f"At MS-SSIM {arguments.target:g}. Written by `bench/rate_goals.py`, which says what is "
        "measured.",
        "",
        *table(
            ["folder", "photographs", "sequential, to the best peer", "saved of JPEGs, median",
             "missed"], rows,
        ),
        f"{machine_line()}.",
        "",
    ]  # fmt: skip
    arguments.out.write_text("\n".join(lines), "utf-8")
    print("\n".join(lines))
    if any(row[-1] != "0" for row in rows):
        raise SystemExit("a file misses its target")


if __name__ == "__main__":
    main()
