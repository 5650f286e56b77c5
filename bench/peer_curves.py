"""Rate-distortion curves of the gallery's photographs; writes examples/data/peer_curves.csv.

    python bench/peer_curves.py --mozjpeg CJPEG

For chapter 12, which reads the file where a peer is not installed. Each photograph of
examples/data is written by libjpeg-turbo (progressive) and mozjpeg (its defaults), both with 4:2:0
and 4:4:4, by jpegli (the defaults of pyjpegli, which are 4:2:0 and cannot be changed) at several
qualities, and by `compress` at several targets. Every file is decoded and scored here. Needs
``pip install pillow pyjpegli``, and a path to mozjpeg's cjpeg.
"""

from __future__ import annotations

import argparse
import csv
import io
import subprocess
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyjpegli
from machine import machine_line
from PIL import Image, features

import pyjpegml
from pyjpegml.metrics import Reference

Picture = npt.NDArray[np.uint8]

DATA = Path(__file__).resolve().parent.parent / "examples" / "data"
TARGET = DATA / "peer_curves.csv"
QUALITIES = (10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 93, 95, 97)
SCORES = (0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.9975)


def libjpeg_turbo(image: Picture, quality: int, subsampling: str) -> bytes:
    """Progressive."""
    out = io.BytesIO()
    Image.fromarray(image).save(
        out, "JPEG", quality=quality, subsampling=subsampling, progressive=True, optimize=True
    )
    return out.getvalue()


def mozjpeg(cjpeg: str, image: Picture, quality: int, subsampling: str) -> bytes:
    """Its defaults but for the subsampling."""
    factors = {"4:2:0": "2x2", "4:4:4": "1x1"}[subsampling]
    head = f"P6 {image.shape[1]} {image.shape[0]} 255\n".encode()
    return subprocess.run(
        [cjpeg, "-quality", str(quality), "-sample", factors],
        input=head + image.tobytes(), stdout=subprocess.PIPE, check=True,
    ).stdout  # fmt: skip


def jpegli(image: Picture, quality: int) -> bytes:
    """The defaults of pyjpegli."""
    encoded: bytes = pyjpegli.encode(image.tobytes(), image.shape[1], image.shape[0], quality)
    return encoded


def versions(cjpeg: str) -> str:
    """Which programs these are."""
    done = subprocess.run([cjpeg, "-version"], capture_output=True, text=True, check=True)
    mozjpeg = (done.stdout + done.stderr).split(" (build")[0].strip()
    return (
        f"libjpeg-turbo {features.version('libjpeg_turbo')} in Pillow {version('pillow')}, "
        f"{mozjpeg}, jpegli in pyjpegli {version('pyjpegli')}"
    )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mozjpeg", required=True, help="path of mozjpeg's cjpeg")
    cjpeg = parser.parse_args().mozjpeg
    rows = []
    for path in sorted(DATA.glob("*.png")):
        image = np.ascontiguousarray(np.asarray(Image.open(path).convert("RGB")))
        reference = Reference(image)
        files: list[tuple[str, float, bytes]] = []
        for quality in QUALITIES:
            for sampling in ("4:2:0", "4:4:4"):
                files.append(("libjpeg-turbo", quality, libjpeg_turbo(image, quality, sampling)))
                files.append(("mozjpeg", quality, mozjpeg(cjpeg, image, quality, sampling)))
            files.append(("jpegli", quality, jpegli(image, quality)))
        for score in SCORES:
            files.append(("pyjpegml", score, pyjpegml.compress(image, ms_ssim=score).data))
        for name, setting, data in files:
            header = pyjpegml.read_header(data)
            score = reference.score(pyjpegml.decode(data))
            rows.append([path.stem, name, setting, header.subsampling, len(data), f"{score:.6f}"])
            print(*rows[-1], flush=True)
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# Written by bench/peer_curves.py. {versions(cjpeg)}.\n# {machine_line()}.\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["photo", "encoder", "setting", "subsampling", "bytes", "ms_ssim"])
        writer.writerows(rows)
    print(f"written: {TARGET}")


if __name__ == "__main__":
    main()
