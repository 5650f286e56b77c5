"""A browser opens our files, to the same pixels as ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chromium import CHROMIUM, chromium_pixels
from conftest import NO_CHROMIUM
from helpers import Bytes, assert_same_picture, natural

from pyjpegml import decode, encode
from pyjpegml.header import SUBSAMPLINGS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)

MODES: list[dict[str, Any]] = [
    *({"subsampling": name} for name in SUBSAMPLINGS),
    {"subsampling": "3x1,1x1,1x1"},
    {"subsampling": "1x1,2x2,2x2"},
    {"subsampling": "4x4,1x1,1x1"},
    {"stored_as": "RGB"},
    {"stored_as": "grey"},
    {"restart_rows": 1, "optimize": False},
    {"qtables": np.full((8, 8), 300)},
    {"progressive": True},
]


def test_files_of_every_mode_are_drawn_as_we_decode_them() -> None:
    """All that browsers support: 8 bits, by DCT, Huffman codes."""
    images: list[Bytes] = [
        natural((67, 91, 3), np.random.default_rng(1)), natural((1, 1, 3), np.random.default_rng(2)),
    ]  # fmt: skip
    files = [encode(image, **options) for image in images for options in MODES]
    for data, drawn in zip(files, chromium_pixels(files), strict=True):
        assert drawn is not None
        ours = decode(data)
        assert_same_picture(drawn, np.stack([ours] * 3, axis=-1) if ours.ndim == 2 else ours)


def test_inks_are_drawn() -> None:
    """To RGB without a profile: roundings differ by 1."""
    inks = natural((40, 50, 4), np.random.default_rng(3))
    files = [encode(inks, color="CMYK", stored_as=name, quality=95) for name in ("CMYK", "YCCK")]
    for data, drawn in zip(files, chromium_pixels(files), strict=True):
        assert drawn is not None
        assert np.abs(drawn.astype(int) - decode(data, color="RGB")).max() <= 1


def test_what_no_browser_opens() -> None:
    """Said in the table of the documentation: if it is otherwise one day, the table is old."""
    image = natural((20, 30, 3), np.random.default_rng(4))
    files = [encode(image, lossless=True), encode(image.astype(np.uint16) << 4)]
    assert chromium_pixels(files) == [None, None]
