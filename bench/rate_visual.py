"""How files of `compress` look at equal bytes, as other metrics see it; writes rate_visual.md.

    python bench/rate_visual.py FOLDER [--target 0.99] [--mozjpeg CJPEG] [--every 1]

FOLDER holds photographs, for example the Kodak set. Each is compressed to the target, and then by
the others at the two qualities whose files are just smaller and just larger; scores in between are
interpolated over the logarithm of the size. Needs Pillow (libjpeg-turbo) and ``pip install
ssimulacra2``; with ``pip install pyjpegli`` and a path to mozjpeg's cjpeg these are compared too.

SSIMULACRA2 is the PyPI package's; 90 is visually lossless, 70 good. PSNR-HVS-M (Ponomarenko et al.
2007) is made here: the error of each DCT coefficient of luma, as far as it is above what the
block's own contrast masks, weighed by how visible its frequency is.
"""

from __future__ import annotations

import argparse
import io
import math
import subprocess
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
from machine import machine_line
from PIL import Image
from ssimulacra2 import compute_ssimulacra2

import pyjpegml
from pyjpegml.constants import LUMINANCE_QTABLE
from pyjpegml.metrics import Reference

Picture = npt.NDArray[np.uint8]
Encoder = Callable[[Picture, int], bytes]

#: Weight of an error and part of its square that masks others, by coefficient: both follow from
#: Annex K's table of luma, whose steps were made just visible.
VISIBLE = 25.735 / LUMINANCE_QTABLE.reshape(8, 8)
MASKING = (10.0 / LUMINANCE_QTABLE.reshape(8, 8)) ** 2
MASKING[0, 0] = 0.0

_U = np.arange(8)
DCT = np.cos((2 * _U + 1) * _U[:, None] * math.pi / 16) / 2
DCT[0] /= math.sqrt(2)


def libjpeg_turbo(image: Picture, quality: int) -> bytes:
    """Progressive, 4:2:0."""
    out = io.BytesIO()
    Image.fromarray(image).save(
        out, "JPEG", quality=quality, subsampling=2, progressive=True, optimize=True
    )
    return out.getvalue()


def mozjpeg(cjpeg: str, image: Picture, quality: int) -> bytes:
    """Its defaults, 4:2:0."""
    head = f"P6 {image.shape[1]} {image.shape[0]} 255\n".encode()
    return subprocess.run(
        [cjpeg, "-quality", str(quality), "-sample", "2x2"],
        input=head + image.tobytes(), stdout=subprocess.PIPE, check=True,
    ).stdout  # fmt: skip


def jpegli(image: Picture, quality: int) -> bytes:
    """The defaults of pyjpegli."""
    import pyjpegli

    encoded: bytes = pyjpegli.encode(image.tobytes(), image.shape[1], image.shape[0], quality)
    return encoded


def blocks(plane: npt.NDArray[np.float64], side: int) -> npt.NDArray[np.float64]:
    """Squares of a plane, (rows, columns, side, side); what is left over is cut off."""
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    cut = plane[: rows * side, : columns * side]
    return cut.reshape(rows, side, columns, side).swapaxes(1, 2)


def _scatter(squares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Variance of each square, times its pixels."""
    return squares.var((2, 3), ddof=1) * squares.shape[2] * squares.shape[3]


def _masked(plane: npt.NDArray[np.float64], spectra: npt.NDArray[np.float64]) -> npt.NDArray:
    """What each block's contrast masks: much where its quarters are alike in contrast."""
    whole = _scatter(blocks(plane, 8))
    quarters = _scatter(blocks(plane[: 8 * whole.shape[0], : 8 * whole.shape[1]], 4))
    parts = quarters.reshape(whole.shape[0], 2, whole.shape[1], 2).sum((1, 3))
    alike = np.divide(parts, whole, out=np.zeros_like(whole), where=whole > 0)
    return np.sqrt((spectra**2 * MASKING).sum((2, 3)) * alike) / 32


def psnr_hvs_m(original: Picture, other: Picture) -> float:
    """PSNR-HVS-M of luma, in decibels."""
    planes = [
        np.asarray(Image.fromarray(image).convert("L"), np.float64) for image in (original, other)
    ]
    spectra = [DCT @ blocks(plane, 8) @ DCT.T for plane in planes]
    masked = np.maximum(*map(_masked, planes, spectra))[:, :, None, None]
    error = np.abs(spectra[0] - spectra[1])
    threshold = np.divide(masked, MASKING, out=np.zeros_like(error), where=MASKING > 0)
    visible = np.maximum(error - threshold, 0) * VISIBLE
    return 10 * math.log10(255**2 / max(float((visible**2).mean()), 1e-10))


class Judge:
    """Scores of files of one photograph: MS-SSIM, SSIMULACRA2, PSNR-HVS-M."""

    names = ("MS-SSIM", "SSIMULACRA2", "PSNR-HVS-M")

    def __init__(self, image: Picture) -> None:
        self.image = image
        self._reference = Reference(image)

    def __call__(self, data: bytes) -> npt.NDArray[np.float64]:
        """The three scores of a file."""
        other = pyjpegml.decode(data)
        files = [io.BytesIO() for _ in range(2)]
        for file, picture in zip(files, (self.image, other), strict=True):
            Image.fromarray(picture).save(file, "PPM")
        return np.array(
            [
                self._reference.score(other),
                compute_ssimulacra2(*files),
                psnr_hvs_m(self.image, other),
            ]
        )


def at_size(encode: Encoder, image: Picture, size: int, judge: Judge) -> npt.NDArray[np.float64]:
    """Scores of an encoder's file of some size, interpolated between two qualities."""
    low, high = 1, 100
    files = {q: encode(image, q) for q in (low, high)}
    while high - low > 1:
        quality = (low + high) // 2
        files[quality] = encode(image, quality)
        if len(files[quality]) <= size:
            low = quality
        else:
            high = quality
    below, above = files[low], files[high]
    share = math.log(size / len(below)) / math.log(len(above) / len(below))
    return (1 - share) * judge(below) + share * judge(above)


def encoders(cjpeg: str | None) -> dict[str, Encoder]:
    """Those that are installed."""
    found: dict[str, Encoder] = {"libjpeg-turbo": libjpeg_turbo}
    if cjpeg:
        found["mozjpeg"] = partial(mozjpeg, cjpeg)
    if find_spec("pyjpegli"):
        found["jpegli"] = jpegli
    return found


def asked(description: str | None) -> tuple[argparse.Namespace, list[Path]]:
    """The arguments of a comparison, and the photographs that it takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--target", type=float, default=0.99)
    parser.add_argument("--mozjpeg", help="path of mozjpeg's cjpeg")
    parser.add_argument("--every", type=int, default=1, help="take each n-th photograph")
    arguments = parser.parse_args()
    paths = sorted(p for p in arguments.folder.iterdir() if p.suffix in (".png", ".webp"))
    return arguments, paths[:: arguments.every]


def main() -> None:
    """Parse arguments, measure, write."""
    arguments, paths = asked(__doc__)
    peers = encoders(arguments.mozjpeg)
    rows = []
    for path in paths:
        image = np.ascontiguousarray(np.asarray(Image.open(path).convert("RGB")))
        judge = Judge(image)
        data = pyjpegml.compress(image, ms_ssim=arguments.target).data
        rows.append([judge(data), *(at_size(f, image, len(data), judge) for f in peers.values())])
        print(path.stem, *(np.round(row, 4) for row in rows[-1]), flush=True)
    scores = np.array(rows)
    lines = [
        "# What other metrics see, at equal bytes",
        "",
        "Written by `bench/rate_visual.py`.",
        "",
        f"{arguments.folder.name}: {len(rows)} photographs, `compress` at MS-SSIM "
        f"{arguments.target:g}, all others at the size of its files. Means; in brackets what "
        "pyjpegml is above (+) or below in the mean, in the worst and in the best case.",
        "",
        "| | " + " | ".join(Judge.names) + " |",
        "|---|---|---|---|",
        "| pyjpegml | " + " | ".join(f"{mean:.4f}" for mean in scores[:, 0].mean(0)) + " |",
    ]
    for i, name in enumerate(peers, 1):
        ahead = scores[:, 0] - scores[:, i]
        cells = (
            f"{scores[:, i, k].mean():.4f} ({ahead[:, k].mean():+.4f}; {ahead[:, k].min():+.4f}, "
            f"{ahead[:, k].max():+.4f})"
            for k in range(len(Judge.names))
        )
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    text = "\n".join([*lines, "", machine_line() + ".", ""])
    (Path(__file__).parent / "rate_visual.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
