"""Files of every mode that browsers support, as headless Chromium shows them."""

from __future__ import annotations

import functools

import browsers
import numpy as np
import pytest
from conftest import NO_CHROMIUM
from helpers import picture

import pyjpegml

PICTURE = picture("natural", (61, 91, 3), seed=8)
SIZES = [(1, 1), (1, 19), (23, 1), (2, 3), (16, 16), (17, 33)]
MODES = browsers.modes(PICTURE)
NOISE = {
    f"{name}, {width}x{height}": pyjpegml.encode(
        picture("noise", (height, width, 3)), quality=95, subsampling=name
    )
    for name in browsers.SUBSAMPLINGS
    for height, width in SIZES
}
TARGET = 0.97


@pytest.fixture(scope="session")
def chromium() -> str:
    """The program."""
    found = browsers.program()
    if found is None:
        pytest.skip(NO_CHROMIUM)
    return found


@functools.cache
def screens(chromium: str, graphics: str) -> dict[str, browsers.Pixels | None]:
    """All files as they are shown in one way."""
    files = MODES | NOISE | {"compressed": pyjpegml.compress(PICTURE, ms_ssim=TARGET).data}
    return dict(zip(files, browsers.shown(chromium, files.values(), graphics), strict=True))


@pytest.mark.parametrize("mode", [*MODES, *NOISE])
def test_its_decoder_shows_the_pixels_that_ours_gives(chromium: str, mode: str) -> None:
    shown = screens(chromium, "software")[mode]
    assert shown is not None, "it does not open"
    assert np.array_equal(shown, browsers.expected((MODES | NOISE)[mode]))


@pytest.mark.parametrize("mode", [*MODES, *NOISE])
def test_a_graphics_processor_is_at_most_one_level_off(chromium: str, mode: str) -> None:
    """But in very narrow pictures, whose chroma libjpeg enlarges without interpolation."""
    shown = screens(chromium, "graphics processor")[mode]
    assert shown is not None, "it does not open"
    expected = browsers.expected((MODES | NOISE)[mode])
    if expected.shape[1] > 4:
        assert np.abs(shown.astype(int) - expected).max() <= 1


def test_what_compress_promises_is_what_is_shown(chromium: str) -> None:
    shown = screens(chromium, "software")["compressed"]
    assert shown is not None
    assert pyjpegml.ms_ssim(PICTURE, shown) >= TARGET


def test_what_no_browser_opens(chromium: str) -> None:
    """Said in tables of the documentation: if it is otherwise one day, they are old."""
    files = browsers.deep_modes(PICTURE)
    assert browsers.shown(chromium, files.values(), "software") == [None] * len(files)


def test_a_file_that_does_not_open_is_noticed(chromium: str) -> None:
    whole = MODES["4:2:0"]
    broken = whole.replace(b"\xff\xc0", b"\xff\xc5")
    got = browsers.shown(chromium, [whole, broken, whole], "software")
    assert got[1] is None
    assert np.array_equal(got[0], browsers.expected(whole))
    assert np.array_equal(got[2], browsers.expected(whole))
