"""Pictures as Chromium shows them: a page of images, and a screenshot of it, pixel for pixel.

A screenshot is what the compositor made, with everything between decoder and screen in it. Chromium
decodes in two ways: without a graphics processor its decoder makes RGB, as libjpeg-turbo does; with
one it may hand over the planes of Y, Cb and Cr, which the graphics processor enlarges and converts.
SwiftShader, which comes with Chromium, is a graphics processor made of software.

PYJPEGML_CHROMIUM names the program; a name that is wrong is an error, not a skipped test.
"""

from __future__ import annotations

import base64
import functools
import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

import pyjpegml

Pixels = npt.NDArray[np.uint8]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

GRAPHICS = {
    "software": ("--disable-gpu",),
    "graphics processor": (
        "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
        "--ignore-gpu-blocklist", "--enable-gpu-rasterization",
    ),
}  # fmt: skip
"""Options for either way to decode."""

OPTIONS = (
    "--headless", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--hide-scrollbars", "--force-device-scale-factor=1",
    "--force-color-profile=srgb",
)  # fmt: skip

#: The usual names of subsamplings: these are what pictures of browsers are compared by.
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "4:1:0")

#: Colour of the page, which shows where an image does not open.
BACKGROUND = (255, 0, 255)


def program() -> str | None:
    """Chromium: PYJPEGML_CHROMIUM, or one on the PATH."""
    named = os.environ.get("PYJPEGML_CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


def version(chromium: str) -> str:
    """Name and version of a browser."""
    said = subprocess.run([chromium, "--version"], stdout=subprocess.PIPE, check=True)
    return " ".join(said.stdout.decode().split()[:2])


def modes(picture: Pixels) -> dict[str, bytes]:
    """An RGB picture as a file of each mode of 8 bits."""
    inks = np.dstack([255 - picture, picture.min(2) // 2])
    encode = functools.partial(pyjpegml.encode, quality=85)
    files = {name: encode(picture, subsampling=name) for name in SUBSAMPLINGS}
    for factors in (
        "3x1,1x1,1x1", "4x2,1x1,1x1", "1x1,2x2,1x1", "2x2,2x1,1x2", "4x2,2x1,1x1",
    ):  # fmt: skip
        files[f"factors {factors}"] = encode(picture, subsampling=factors)
    return files | {
        "grey": encode(picture[:, :, 1]),
        "RGB": encode(picture, stored_as="RGB"),
        "CMYK": encode(inks, color="CMYK"),
        "YCCK": encode(inks, color="CMYK", stored_as="YCCK"),
        "progressive": encode(picture, progressive=True),
        "progressive RGB": encode(picture, stored_as="RGB", progressive=True),
        "progressive YCCK": encode(inks, color="CMYK", stored_as="YCCK", progressive=True),
        "restart interval": encode(picture, restart_interval=3),
        "progressive, searched": encode(picture, progressive="search"),
        "progressive, restart rows": encode(picture, progressive=True, restart_rows=1),
        "luma in a scan of its own": pyjpegml.encode(
            np.tile(picture, (3, 3, 1)), quality=95, optimize="scans"
        ),
        "restart rows": encode(picture, restart_rows=1),
        "Annex K's Huffman tables": encode(picture, optimize=False),
        "16-bit quantization tables": pyjpegml.encode(picture, qtables=np.full((8, 8), 300)),
    }


def deep_modes(picture: Pixels) -> dict[str, bytes]:
    """The same as a file of each mode that no browser is known to open."""
    deep = picture.astype(np.uint16) << 4
    return {
        "12 bits": pyjpegml.encode(deep),
        "12 bits, progressive": pyjpegml.encode(deep, progressive=True),
        "lossless, 8 bits": pyjpegml.encode(picture, lossless=True),
        "lossless, 16 bits": pyjpegml.encode(deep, lossless=True),
    }


def expected(data: bytes) -> Pixels:
    """RGB of a file of 8 bits as Chromium makes it with its own decoder, to the last bit.

    Of CMYK, which Adobe's programs store as 255 less the ink, that is the product of each colour
    with black, rounded down.
    """
    pixels = pyjpegml.decode(data)
    if pixels.ndim == 2:
        return np.dstack([pixels] * 3)
    if pixels.shape[2] == 3:
        return pixels
    light = 255 - pixels.astype(np.uint16)
    return (light[:, :, :3] * light[:, :, 3:] // 255).astype(np.uint8)


def shown(chromium: str, files: Iterable[bytes], graphics: str) -> list[Pixels | None]:
    """What Chromium shows of JPEG files: RGB of each, or None if it does not open.

    Parameters
    ----------
    chromium : str
        The program.
    files : iterable of bytes
        Together at most 8192 pixels high.
    graphics : str
        One of :data:`GRAPHICS`.
    """
    files = list(files)
    headers = [pyjpegml.read_header(data) for data in files]
    tops = np.cumsum([0, *(header.height for header in headers)])
    page = [f'<!doctype html><body style="margin:0;background:rgb{BACKGROUND}">']
    page += [
        f'<img style="position:absolute;left:0;top:{top}px" decoding="sync" '
        f'onerror="this.remove()" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'
        for top, data in zip(tops, files, strict=False)
    ]
    width = max(header.width for header in headers)
    screen = _screenshot(chromium, "".join(page), (width, int(tops[-1])), GRAPHICS[graphics])
    pictures: list[Pixels | None] = []
    for top, header in zip(tops, headers, strict=False):
        pixels = screen[top : top + header.height, : header.width]
        pictures.append(None if (pixels == BACKGROUND).all() else pixels)
    return pictures


def _screenshot(
    chromium: str, page: str, size: tuple[int, int], options: tuple[str, ...]
) -> Pixels:
    """A page in a window of so many pixels."""
    width, height = max(size[0], 500), size[1]  # windows have a least width
    with tempfile.TemporaryDirectory(prefix="pyjpegml-chromium-") as directory:
        source, target = Path(directory, "page.html"), Path(directory, "page.png")
        source.write_text(page)
        done = subprocess.run(
            [
                chromium, *OPTIONS, *options, f"--user-data-dir={directory}/profile",
                f"--window-size={width},{height}", f"--screenshot={target}", source.as_uri(),
            ],
            capture_output=True, timeout=300, check=False,
        )  # fmt: skip
        if not target.is_file():
            raise RuntimeError(f"no screenshot by {chromium}: {done.stderr.decode()[-2000:]}")
        with Image.open(io.BytesIO(target.read_bytes())) as image:
            screen = np.asarray(image.convert("RGB"))
    if screen.shape != (height, width, 3):
        raise RuntimeError(f"the screenshot is {screen.shape}, and {height}x{width} was asked for")
    return screen
