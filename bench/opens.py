"""Which program opens the files of which mode, to the same pixels or not; writes bench/opens.md.

    python bench/opens.py

A crop of the example's photograph is encoded in each mode of ``encode``, and given to each program
that is there: the libraries of the extra ``bench``, Debian's ``djpeg`` (libjpeg-turbo-progs), and
Chromium, headless, as it draws the picture on a canvas. Their pixels are compared with those of
``decode``.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from machine import versions_line
from PIL import Image

import pyjpegml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import browsers  # noqa: E402

Pixels = npt.NDArray[Any]


def modes() -> dict[str, bytes]:
    """Files by the options that make them."""
    with Image.open(ROOT / "examples" / "data" / "coffee.png") as picture:
        rgb = np.asarray(picture.convert("RGB"))[:301, :403]
    grey = np.ascontiguousarray(rgb[..., 1])
    inks = 255 - np.dstack([rgb, rgb.max(axis=2)])
    deep = rgb.astype(np.uint16) << 4
    cases: list[tuple[str, Pixels, dict[str, Any]]] = [
        ("grey", grey, {}),
        *((f"`subsampling={name!r}`".replace("'", '"'), rgb, {"subsampling": name}) for name in (
            "4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "4:1:0",
        )),
        ("factors 3x1, 1x1, 1x1", rgb, {"subsampling": "3x1,1x1,1x1"}),
        ("chroma finer than luma: 1x1, 2x2, 2x2", rgb, {"subsampling": "1x1,2x2,2x2"}),
        ("several scans: 4x4, 1x1, 1x1", rgb, {"subsampling": "4x4,1x1,1x1"}),
        ('`stored_as="RGB"`', rgb, {"stored_as": "RGB"}),
        ('`color="CMYK"`', inks, {"color": "CMYK"}),
        ('`color="CMYK", stored_as="YCCK"`', inks, {"color": "CMYK", "stored_as": "YCCK"}),
        ("restart markers", rgb, {"restart_rows": 1}),
        ("steps above 255", rgb, {"qtables": np.full((8, 8), 300)}),
        ("`progressive=True`", rgb, {"progressive": True}),
        (
            '`progressive="search"`, restart markers', rgb,
            {"progressive": "search", "restart_rows": 1},
        ),
        ('`optimize="scans"`', rgb, {"optimize": "scans"}),
        ("12 bits, grey", deep[..., 1], {}),
        ("12 bits", deep, {}),
        ("`lossless=True`, 8 bits, grey", grey, {"lossless": True}),
        ("`lossless=True`, 8 bits", rgb, {"lossless": True}),
        ("`lossless=True`, 16 bits", deep, {"lossless": True}),
    ]  # fmt: skip
    return {name: pyjpegml.encode(image, **options) for name, image, options in cases}


def by_pillow(data: bytes) -> Pixels:
    """Pixels by Pillow, inks as CMYK."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


def by_opencv(data: bytes) -> Pixels | None:
    """Pixels by OpenCV, inks as RGB."""
    import cv2

    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    found = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    return found if found is None or found.ndim == 2 else found[..., ::-1]


def by_simplejpeg(data: bytes) -> Pixels:
    """Pixels by simplejpeg, inks as RGB."""
    import simplejpeg

    grey = pyjpegml.read_header(data).color == "grey"
    found = simplejpeg.decode_jpeg(data, colorspace="GRAY" if grey else "RGB")
    return found[..., 0] if grey else found


def by_imagecodecs(data: bytes) -> Pixels:
    """Pixels by imagecodecs, inks turned round: it gives them as they are stored."""
    import imagecodecs

    header = pyjpegml.read_header(data)
    found = np.asarray(imagecodecs.jpeg8_decode(data))
    if header.color in ("CMYK", "YCCK"):
        return 255 - found
    return found


def by_djpeg(data: bytes) -> Pixels:
    """Pixels by djpeg, inks as RGB."""
    done = subprocess.run(["djpeg", "-pnm"], input=data, capture_output=True, check=True)
    return np.asarray(Image.open(io.BytesIO(done.stdout)))


def programs() -> dict[str, Callable[[bytes], Pixels | None]]:
    """By name and version."""
    found: dict[str, Callable[[bytes], Pixels | None]] = {
        f"Pillow {version('pillow')}": by_pillow,
        f"OpenCV {version('opencv-python-headless')}": by_opencv,
        f"simplejpeg {version('simplejpeg')}": by_simplejpeg,
        f"imagecodecs {version('imagecodecs')}": by_imagecodecs,
    }
    if shutil.which("djpeg"):
        done = subprocess.run(["djpeg", "-version"], capture_output=True, text=True, check=True)
        found[f"djpeg {done.stderr.split('version ')[1].split()[0]}"] = by_djpeg
    return found


def verdict(data: bytes, pixels: Pixels | None) -> str:
    """What a cell of the table says."""
    if pixels is None:
        return "no"
    ours = pyjpegml.decode(data)
    if pixels.ndim == 3 and ours.ndim == 2:
        ours = np.stack([ours] * 3, axis=-1)
    if ours.ndim == 3 and ours.shape[2] == 4 and pixels.shape[2:] == (3,):
        ours = pyjpegml.decode(data, color="RGB")
    if pixels.shape != ours.shape or pixels.dtype != ours.dtype:
        return f"as {pixels.dtype} {pixels.shape}"
    error = int(np.abs(pixels.astype(int) - ours).max())
    return "yes" if error == 0 else f"off by {error}"


def table() -> str:
    """Markdown."""
    files = modes()
    columns: dict[str, list[str]] = {}
    for name, program in programs().items():
        columns[name] = []
        for data in files.values():
            try:
                pixels = program(data)
            except Exception:  # each has errors of its own
                pixels = None
            columns[name].append(verdict(data, pixels))
    if chromium := browsers.program():
        drawn = browsers.shown(chromium, files.values(), "software")
        columns[browsers.version(chromium)] = [
            verdict(data, pixels) for data, pixels in zip(files.values(), drawn, strict=True)
        ]
    lines = [
        "# Which mode opens where\n",
        "*yes*: to the same pixels as `decode` gives them. *off by n*: it opens, and some sample "
        "differs by n at most; inks that come as RGB are compared with `decode(color=\"RGB\")`. "
        "*no*: it is refused. Written by `bench/opens.py`, which says what is compared.\n",
        f"| | {' | '.join(columns)} |",
        f"|---|{'---|' * len(columns)}",
        *(
            f"| {name} | {' | '.join(column[i] for column in columns.values())} |"
            for i, name in enumerate(files)
        ),
        f"\n{versions_line()}.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "bench" / "opens.md").write_text(table())
