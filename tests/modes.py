"""The modes of the encoder, drawn by Hypothesis: an image, and the options of ``encode``."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from helpers import KINDS, picture, sizes
from hypothesis import strategies as st

from pyjpegml.header import SUBSAMPLINGS

Samples = npt.NDArray[Any]

#: What the channels are, and as what they are stored.
COLORS = [
    ("grey", "grey"), ("RGB", "YCbCr"), ("RGB", "RGB"), ("RGB", "grey"), ("YCbCr", "YCbCr"),
    ("CMYK", "CMYK"), ("CMYK", "YCCK"), ("stored", "YCCK"),
]  # fmt: skip
CHANNELS = {"grey": 1, "RGB": 3, "YCbCr": 3, "CMYK": 4, "YCCK": 4}


def samples(kind: str, size: tuple[int, int], channels: int, bits: int, seed: int = 0) -> Samples:
    """A picture of a kind with so many channels, of 2 to 16 bits."""
    shape = size if channels == 1 else (*size, channels)
    image = picture(kind, shape, seed)
    if bits <= 8:
        return image >> np.uint8(8 - bits)
    low = np.random.default_rng(seed).integers(0, 1 << (bits - 8), shape, np.uint16)
    if kind != "noise":  # extremes stay extremes
        low = (image.astype(np.uint16) >> 7) * np.uint16((1 << (bits - 8)) - 1)
    return (image.astype(np.uint16) << (bits - 8)) | low


@st.composite
def factors(draw: st.DrawFn, components: int) -> tuple[tuple[int, int], ...]:
    """Sampling factors whose ratios are whole, luma coarser than chroma and ten blocks and more
    among them.
    """
    if components == 1:
        return ((1, 1),)
    h_max, v_max = draw(st.sampled_from([1, 2, 3, 4])), draw(st.sampled_from([1, 2, 3, 4]))
    divisors = [[n for n in (1, 2, 3, 4) if largest % n == 0] for largest in (h_max, v_max)]
    pair = st.tuples(*(st.sampled_from(d) for d in divisors))
    drawn = [draw(pair) for _ in range(components)]
    drawn[draw(st.integers(0, components - 1))] = (h_max, v_max)
    return tuple(drawn)


def qualities(stored: str) -> st.SearchStrategy[Any]:
    """One for all, one for luma and one for chroma, or one for each component."""
    one, count = st.integers(1, 100), CHANNELS[stored]
    some = [one, st.tuples(*[one] * count)]
    if stored in ("YCbCr", "YCCK"):
        some.append(st.tuples(one, one))
    return st.one_of(some)


@st.composite
def dct_modes(draw: st.DrawFn, largest: int = 60) -> tuple[Samples, dict[str, Any]]:
    """An image, and options that suit it: sequential files of 8 and 12 bits."""
    color, stored = draw(st.sampled_from(COLORS))
    deep = draw(st.booleans())
    count = CHANNELS[stored if color == "stored" else color]
    image = samples(
        draw(st.sampled_from(sorted(KINDS))), draw(sizes(largest, 400)), count,
        12 if deep else 8, draw(st.integers(0, 2**32 - 1)),
    )  # fmt: skip
    options: dict[str, Any] = {
        "color": color,
        "stored_as": stored,
        "subsampling": draw(st.none() | factors(CHANNELS[stored])),
        "quality": draw(qualities(stored)),
        "optimize": deep or draw(st.booleans()),
    }
    if stored in ("YCbCr", "YCCK") and draw(st.booleans()):
        options["subsampling"] = draw(st.sampled_from(sorted(SUBSAMPLINGS)))
    restarts = draw(st.sampled_from(["restart_interval", "restart_rows", None]))
    if restarts:
        options[restarts] = draw(st.integers(0, 9))
    return image, options


@st.composite
def lossless_modes(draw: st.DrawFn, largest: int = 40) -> tuple[Samples, dict[str, Any]]:
    """The same for lossless files."""
    color = draw(st.sampled_from(["grey", "RGB", "YCbCr", "CMYK"]))
    bits = draw(st.integers(2, 16))
    image = samples(
        draw(st.sampled_from(sorted(KINDS))), draw(sizes(largest, 400)), CHANNELS[color], bits,
        draw(st.integers(0, 2**32 - 1)),
    )  # fmt: skip
    options: dict[str, Any] = {
        "color": color,
        "lossless": True,
        "precision": bits,
        "predictor": draw(st.none() | st.integers(1, 7)),
        "point_transform": draw(st.sampled_from([0, 0, 0, 1, bits - 1])),
        "restart_rows": draw(st.sampled_from([0, 0, 1, 2, 7])),
    }
    return image, options
