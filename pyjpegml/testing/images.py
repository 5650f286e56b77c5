"""Hypothesis strategies for what an encoder is given: pictures, options, metadata.

Pictures are made by a kind and a seed, and shrink in size; the simplest is one grey pixel of 0.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from .stream import Segments
from .writer import COM, JFIF

Picture = npt.NDArray[Any]

KINDS = ("flat", "gradient", "text", "natural", "noise", "extremes")
"""Kinds of pictures: one colour; slopes; strokes of one colour on another; amplitudes that fall as
1 / frequency, with colours that vary less than luma; noise of any strength; only black, white and
full colours."""


def _waves(height: int, width: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Noise whose amplitudes fall as 1 / frequency, of standard deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    frequency[0, 0] = np.inf
    spectrum = np.fft.fft2(rng.normal(size=(height, width))) / frequency
    plane: npt.NDArray[np.float64] = np.fft.ifft2(spectrum).real
    plane /= plane.std() + 1e-9
    return plane


def _strokes(height: int, width: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Where ink is: letters of 3 x 5 dots, blown up, in lines."""
    dot = int(rng.integers(1, 4))
    rows, columns = (-(-side // (dot * n)) for side, n in ((height, 6), (width, 4)))
    letters = np.zeros((rows, 6, columns, 4), bool)
    letters[:, :5, :, :3] = rng.random((rows, 5, columns, 3)) < 0.55
    page = letters.reshape(6 * rows, 4 * columns)
    return np.kron(page, np.ones((dot, dot), bool))[:height, :width]


def _paint(
    kind: str, height: int, width: int, channels: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """A picture with samples from 0 to 1, (h, w, channels)."""
    shape = (height, width, channels)
    if kind == "flat":
        return np.broadcast_to(rng.random(channels), shape)
    if kind == "gradient":
        y, x = (axis[..., None] / 255 for axis in np.mgrid[:height, :width])
        slopes = rng.uniform(-4, 4, (2, channels))
        values: npt.NDArray[np.float64] = rng.random(channels) + slopes[0] * y + slopes[1] * x
        return np.clip(values, 0, 1)
    if kind == "text":
        ink, paper = rng.random((2, channels))
        page: npt.NDArray[np.float64] = np.where(
            _strokes(height, width, rng)[..., None], ink, paper
        )
        return page
    if kind == "natural":
        luma = _waves(height, width, rng)
        planes = [luma + 0.3 * _waves(height, width, rng) for _ in range(channels)]
        return np.clip(0.5 + 0.2 * np.stack(planes, axis=-1), 0, 1)
    if kind == "noise":
        return np.clip(rng.random(channels) + rng.random() * rng.normal(size=shape), 0, 1)
    return rng.integers(0, 2, shape).astype(np.float64)


@st.composite
def images(
    draw: st.DrawFn,
    channels: Collection[int] = (1, 3),
    precisions: Collection[int] = (8,),
    max_size: int = 64,
    kinds: Collection[str] = KINDS,
) -> Picture:
    """Pictures: (h, w) for one channel, else (h, w, channels); uint8, or uint16 above 8 bits.

    Parameters
    ----------
    draw
        Given by Hypothesis; not an argument of callers.
    channels : collection of int
        How many there may be.
    precisions : collection of int
        Bits of a sample, 2 to 16.
    max_size : int
        Largest height and width. Sides of 1 and those around multiples of 8 and 16 come often.
    kinds : collection of str
        Of :data:`KINDS`.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(images(), lambda image: True).tolist()
    [[0]]
    """
    borders = [n for n in (1, 7, 8, 9, 15, 16, 17, 31, 32, 33) if n <= max_size]
    side = st.sampled_from(borders) | st.integers(1, max_size)
    height, width = draw(side), draw(side)
    count = draw(st.sampled_from(sorted(channels)))
    bits = draw(st.sampled_from(sorted(precisions)))
    top = (1 << bits) - 1
    dtype = np.uint8 if bits <= 8 else np.uint16
    seed = draw(st.integers(0, 2**32 - 1))
    if seed == 0:  # what shrinking comes to
        values = np.zeros((height, width, count))
    else:
        kind = draw(st.sampled_from(list(kinds)))
        values = _paint(kind, height, width, count, np.random.default_rng(seed))
    pixels = np.rint(values * top).astype(dtype)
    return pixels[:, :, 0] if count == 1 else pixels


@st.composite
def encode_options(draw: st.DrawFn, image: Picture) -> dict[str, Any]:
    """Keyword arguments for :func:`pyjpegml.encode` that go with a picture, metadata left out.

    Parameters
    ----------
    draw
        Given by Hypothesis; not an argument of callers.
    image : (h, w) or (h, w, 3) array
        uint8, or uint16 with samples of 12 bits; others are encoded without loss.
    """
    color = image.ndim == 3
    deep = image.dtype != np.uint8
    options: dict[str, Any] = {}
    if deep and int(image.max()) > 4095:
        options = {"lossless": True, "precision": 16}
    elif draw(st.integers(0, 7)) == 7:
        options = {"lossless": True}
    if options:
        options["predictor"] = draw(st.none() | st.integers(1, 7))
        options["restart_rows"] = draw(st.integers(0, 3))
        return options
    if draw(st.booleans()):
        options["quality"] = draw(st.integers(1, 100))
    if color:
        names = ["4:4:4", "4:2:0", "4:2:2", "4:4:0", "4:1:1", "4:1:0"]
        options["subsampling"] = draw(st.sampled_from(names))
    options["progressive"] = draw(st.sampled_from([False, True, "search"]))
    if not options["progressive"] and not deep:
        options["optimize"] = draw(st.sampled_from([True, False, "scans"]))
    restarts = draw(st.sampled_from([None, "restart_interval", "restart_rows"]))
    if restarts:
        options[restarts] = draw(st.integers(1, 9))
    return options


def _tiff(orientation: int, little: bool, others: int) -> bytes:
    """A TIFF file of one directory: some tags before it, and the orientation (Exif 2.3, 4.6.4)."""
    order = "<" if little else ">"
    tags = [(0x0100 + i, 4, 1, struct.pack(f"{order}I", i)) for i in range(others)]
    tags.append((0x0112, 3, 1, struct.pack(f"{order}HH", orientation, 0)))
    entries = b"".join(struct.pack(f"{order}HHI", *tag[:3]) + tag[3] for tag in tags)
    head = struct.pack(f"{order}2sHI", b"II" if little else b"MM", 42, 8)
    return head + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


@st.composite
def metadata(draw: st.DrawFn, jfif: bool = True) -> Segments:
    """Metadata: JFIF's density, Exif with an orientation, ICC profiles in chunks, XMP, comments.

    Parameters
    ----------
    draw
        Given by Hypothesis; not an argument of callers.
    jfif : bool
        Whether there may be a JFIF marker.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(metadata(), lambda found: found.orientation > 1).orientation
    2
    """
    segments: list[tuple[int, bytes]] = []
    density = exif = icc = xmp = None
    orientation = 1
    if jfif and draw(st.booleans()):
        dots = st.integers(1, 65535)
        density = draw(st.integers(0, 2)), draw(dots), draw(dots)
        segments.append((0xE0, JFIF[:7] + struct.pack(">BHH", *density) + bytes(2)))
    if draw(st.booleans()):
        orientation = draw(st.integers(1, 8))
        exif = _tiff(orientation, draw(st.booleans()), draw(st.integers(0, 5)))
        segments.append((0xE1, b"Exif\0\0" + exif))
    if draw(st.booleans()):
        xmp = b"<x:xmpmeta>" + draw(st.binary(max_size=40)).hex().encode() + b"</x:xmpmeta>"
        segments.append((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp))
    if draw(st.booleans()):
        icc = draw(st.binary(min_size=128, max_size=200))
        count = draw(st.integers(1, 4))
        size = -(-len(icc) // count)
        for i in range(count):
            chunk = icc[i * size : (i + 1) * size]
            segments.append((0xE2, b"ICC_PROFILE\0" + bytes([i + 1, count]) + chunk))
    comments = tuple(draw(st.lists(st.binary(max_size=20), max_size=2)))
    segments += [(COM, comment) for comment in comments]
    return Segments(tuple(segments), orientation, exif, icc, xmp, comments, density)
