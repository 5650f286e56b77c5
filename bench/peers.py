"""The programs we are measured against, all of them libjpeg-turbo, with the same settings.

Encoders take an array and give bytes, decoders take bytes and give an array; what a binding does
besides (Pillow's copy into and out of its own memory, OpenCV's order of channels) is part of it. A
peer that cannot do a mode is left out there: imagecodecs has no restart markers, Pillow no 4:4:0,
simplejpeg neither restart markers nor optimal Huffman tables.

All decode with the accurate inverse DCT and triangle upsampling, their default. All encode with the
accurate DCT but simplejpeg, whose encoder uses the fast one whatever it is asked for; so it does
less work, and its files are not the same.
"""

from __future__ import annotations

import io
from importlib.metadata import version
from typing import NamedTuple

import cv2
import imagecodecs
import numpy as np
import simplejpeg
from pictures import Picture
from PIL import Image
from timing import Call

import pyjpegml
from pyjpegml.header import SUBSAMPLINGS

Image.MAX_IMAGE_PIXELS = None  # 100 MP are no bomb here

#: simplejpeg encodes with another DCT: it is shown, but it is not what we are compared with.
LESS_EXACT_ENCODER = "simplejpeg"
OURS, OURS_THREADED = "pyjpegml", "pyjpegml, all cores"
PEERS = ("imagecodecs", "simplejpeg", "Pillow", "OpenCV")


class Mode(NamedTuple):
    """How a picture is encoded.

    Attributes
    ----------
    sampling : str
        ``"grey"``, or the chroma subsampling.
    quality : int
        IJG quality.
    optimize : bool
        Huffman tables made for the picture.
    restarts : bool
        A restart marker behind each row of MCUs.
    """

    sampling: str
    quality: int
    optimize: bool = False
    restarts: bool = False

    def __str__(self) -> str:
        tables = ", optimal tables" if self.optimize else ""
        return f"{self.sampling} q{self.quality}{tables}{', restarts' if self.restarts else ''}"

    def interval(self, width: int) -> int:
        """MCUs in a row if there are to be restart markers, else 0."""
        if not self.restarts:
            return 0
        across = 1 if self.sampling == "grey" else SUBSAMPLINGS[self.sampling][0][0]
        return -(-width // (8 * across))


MODES = [
    *(
        Mode(sampling, quality, optimize)
        for sampling in ("4:2:0", "4:2:2", "4:4:4", "4:4:0", "grey")
        for optimize in (False, True)
        for quality in (75, 90)
    ),
    Mode("4:2:0", 75, restarts=True),
    Mode("4:2:0", 90, restarts=True),
]


def our_encoder(picture: Picture, mode: Mode, threads: int | None) -> Call:
    """A call of our encoder."""
    subsampling = "4:4:4" if mode.sampling == "grey" else mode.sampling
    return lambda: pyjpegml.encode(
        picture,
        quality=mode.quality,
        subsampling=subsampling,
        optimize=mode.optimize,
        restart_interval=mode.interval(picture.shape[1]),
        threads=threads,
    )


def our_decoder(data: bytes, threads: int | None) -> Call:
    """A call of our decoder."""
    return lambda: pyjpegml.decode(data, threads=threads)


def encoders(picture: Picture, mode: Mode) -> dict[str, Call]:
    """A call for each program that can encode a picture, (h, w) or (h, w, 3), in this way."""
    grey = mode.sampling == "grey"
    subsampling = None if grey else mode.sampling.replace(":", "")
    interval = mode.interval(picture.shape[1])
    calls = {
        OURS: our_encoder(picture, mode, 1),
        OURS_THREADED: our_encoder(picture, mode, None),
    }
    if not mode.restarts:
        calls["imagecodecs"] = lambda: imagecodecs.jpeg8_encode(
            picture, level=mode.quality, subsampling=subsampling, optimize=mode.optimize
        )
    if not mode.restarts and not mode.optimize:
        calls["simplejpeg"] = lambda: simplejpeg.encode_jpeg(
            picture[:, :, None] if grey else picture,
            quality=mode.quality,
            colorspace="GRAY" if grey else "RGB",
            colorsubsampling=subsampling or "Gray",
            fastdct=False,
        )
    if mode.sampling != "4:4:0":
        chosen = {} if grey else {"subsampling": mode.sampling}

        def pillow() -> bytes:
            file = io.BytesIO()
            Image.fromarray(picture).save(
                file,
                "JPEG",
                quality=mode.quality,
                optimize=mode.optimize,
                restart_marker_blocks=interval,
                **chosen,
            )
            return file.getvalue()

        calls["Pillow"] = pillow
    options = [cv2.IMWRITE_JPEG_QUALITY, mode.quality]
    options += [cv2.IMWRITE_JPEG_OPTIMIZE, int(mode.optimize)]
    options += [cv2.IMWRITE_JPEG_RST_INTERVAL, interval]
    if not grey:
        factor = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{subsampling}")
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    # it takes the channels for B, G, R; that changes neither the work nor, much, its amount
    calls["OpenCV"] = lambda: cv2.imencode(".jpg", picture, options)
    return calls


def decoders(data: bytes, mode: Mode) -> dict[str, Call]:
    """A call for each program, all of which decode these data."""
    grey = mode.sampling == "grey"
    buffer = np.frombuffer(data, np.uint8)
    return {
        OURS: our_decoder(data, 1),
        OURS_THREADED: our_decoder(data, None),
        "imagecodecs": lambda: imagecodecs.jpeg8_decode(data),
        "simplejpeg": lambda: simplejpeg.decode_jpeg(data, "GRAY" if grey else "RGB"),
        "Pillow": lambda: np.asarray(Image.open(io.BytesIO(data))),
        "OpenCV": lambda: cv2.imdecode(buffer, cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR),
    }


def versions() -> str:
    """Which peers these are."""
    from PIL import features

    [built] = [line for line in cv2.getBuildInformation().splitlines() if " JPEG:" in line]
    opencv = built.partition("ver ")[2].partition(")")[0]
    return (
        f"imagecodecs {version('imagecodecs')} ({imagecodecs.jpeg8_version()}), simplejpeg "
        f"{version('simplejpeg')}, Pillow {version('pillow')} (libjpeg-turbo "
        f"{features.version('libjpeg_turbo')}), OpenCV {version('opencv-python-headless')} "
        f"(libjpeg-turbo {opencv})"
    )
