"""Parts of pictures and smaller ones: equal to those of the whole, and nothing else is made."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from helpers import SUBSAMPLINGS, assert_same_picture, picture, pillow_encode
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import (
    JpegFormatError,
    JpegUnsupportedError,
    decode,
    decode_coefficients,
    decoder,
    encode,
    markers,
    reduced,
)
from pyjpegml.coefficients import Geometry
from pyjpegml.scaling import plan_scale
from pyjpegml.testing import PROCESSES, Stream, jpeg_streams
from pyjpegml.windows import window_of

RGB = picture("natural", (301, 403, 3), 3)
DCT = [name for name in PROCESSES if name != "lossless"]
factors = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=4)


@st.composite
def regions(draw: st.DrawFn, width: int, height: int) -> tuple[int, int, int, int]:
    """Any part of a picture; often one that touches its borders."""
    (left, right), (top, bottom) = (
        sorted(draw(st.tuples(*[st.sampled_from((0, side)) | st.integers(0, side)] * 2)))
        for side in (width, height)
    )
    left, top = min(left, width - 1), min(top, height - 1)
    return left, top, max(1, right - left), max(1, bottom - top)


@given(factors, st.data(), st.sampled_from([1, 2, 4, 8]))
def test_windows_are_pictures_of_their_own(
    sampling: list[tuple[int, int]], data: st.DataObject, denominator: int
) -> None:
    """Whole MCUs around the pixels that are wanted, with components of the sizes that these have,
    and no more than that."""
    width, height = data.draw(st.tuples(st.integers(1, 300), st.integers(1, 300)))
    geometry = Geometry(width, height, sampling)
    whole = window_of(geometry, None, denominator)
    assert whole.whole
    assert whole.geometry is geometry
    x, y, w, h = region = data.draw(regions(whole.width, whole.height))
    window = window_of(geometry, region, denominator)
    part = window.geometry
    across, down = (8 * side // denominator for side in (geometry.h_max, geometry.v_max))
    assert (window.column * across + window.left, window.row * down + window.top) == (x, y)
    assert (window.x, window.y, window.width, window.height) == region
    assert window.left + w <= window.scale.geometry.width
    assert window.top + h <= window.scale.geometry.height
    assert window.left < across + 5
    assert window.top < down + 2
    for own, plane in zip(part.planes, geometry.planes, strict=True):
        columns, rows = window.column * plane.h, window.row * plane.v
        assert own.across == min(own.stride, plane.across - columns)
        assert own.down == min(own.rows, plane.down - rows)
        assert own.width == min(8 * own.stride, plane.width - 8 * columns)
        assert own.height == min(8 * own.rows, plane.height - 8 * rows)
    numbers = np.arange(geometry.size, dtype=np.int16)
    cut = window.cut(geometry, numbers)
    for i, plane in enumerate(geometry.planes):
        expected = geometry.view(numbers, i)[window.row * plane.v :, window.column * plane.h :]
        got = part.view(cut, i)
        assert np.array_equal(got, expected[: got.shape[0], : got.shape[1]])


@given(jpeg_streams(complete=False), st.data(), st.sampled_from([1, 1, 2, 4, 8]))
def test_regions_of_all_files(stream: Stream, data: st.DataObject, scale: int) -> None:
    """The same pixels as in the whole picture, whatever the process and the sampling."""
    try:
        whole = decode(stream.data, scale=scale)
    except JpegUnsupportedError:
        return
    x, y, w, h = region = data.draw(regions(*whole.shape[1::-1]))
    assert_same_picture(
        decode(stream.data, scale=scale, region=region), whole[y : y + h, x : x + w]
    )


@given(jpeg_streams(processes=DCT, precisions=[8]), st.sampled_from([2, 4, 8]), st.integers(1, 3))
def test_scales_strip_by_strip(stream: Stream, scale: int, threads: int) -> None:
    """What :func:`reduced.picture` makes of whole planes; test_reduced.py holds that to djpeg."""
    job = decoder._prepare(memoryview(stream.data), None)
    geometry = job.geometry
    flat = np.zeros(geometry.size, np.int16)
    found = decode_coefficients(stream.data)
    for i, (blocks, plane) in enumerate(zip(found.components, geometry.planes, strict=True)):
        geometry.view(flat, i)[: plane.down, : plane.across] = blocks.reshape(*blocks.shape[:2], 64)
    expected = reduced.picture(
        geometry, plan_scale(geometry, scale), flat, found.qtables, job.painting(None)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pyjpegml.decoder.THREAD_PIXELS", 1)
        got = decode(stream.data, scale=scale, threads=threads)
    assert_same_picture(got, expected)


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
@pytest.mark.parametrize("restart_interval", [0, 1, 5, 26, 70])
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_regions_far_into_a_file(subsampling: str, restart_interval: int, scale: int) -> None:
    """Intervals that are passed over, and some that begin or end within a row."""
    data = encode(RGB, subsampling=subsampling, restart_interval=restart_interval)
    whole = decode(data, scale=scale)
    height, width = whole.shape[:2]
    for x, y in ((width // 2, height - 9), (width - 3, 0), (0, height // 2), (7, height - 1)):
        w, h = min(11, width - x), min(9, height - y)
        part = decode(data, scale=scale, region=(x, y, w, h))
        assert_same_picture(part, whole[y : y + h, x : x + w])


@pytest.mark.parametrize("rows", [1, 3])
def test_pieces_of_work(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long calls are cut in pieces, so that they can be interrupted."""
    data = encode(RGB, subsampling="4:2:0")
    region = (150, 200, 99, 90)
    expected, small = decode(data, region=region), decode(data, scale=2)
    monkeypatch.setattr("pyjpegml.windows.CALL_PIXELS", rows * 256 * 26)
    assert_same_picture(decode(data, region=region), expected)
    assert_same_picture(decode(data, scale=2), small)


# --- what is not looked at ------------------------------------------------------------------------


def test_nothing_behind_a_region_is_looked_at() -> None:
    data = encode(RGB, subsampling="4:4:4", quality=90)
    start = data.index(b"\xff\xda") + 14
    cut = data[: start + (len(data) - start) // 2]
    assert_same_picture(decode(cut, region=(9, 0, 80, 100)), decode(data)[:100, 9:89])
    with pytest.raises(JpegFormatError, match="end early"):
        decode(cut, region=(9, 200, 80, 101))
    for scale in (1, 2):
        with pytest.raises(JpegFormatError, match="end early"):
            decode(cut, scale=scale)


def test_damage_within_and_without_intervals() -> None:
    """13 rows of MCUs to an interval's 100 MCUs and more: those of the region only count."""
    data = encode(RGB, subsampling="4:4:4", restart_interval=51)
    marks = [i for i in range(len(data) - 1) if data[i] == 0xFF and 0xD0 <= data[i + 1] <= 0xD7]
    assert len(marks) == 37
    damaged = data[: marks[9] + 2] + b"\xff\x00" * 40 + data[marks[10] :]
    whole = decode(data)
    for y, h in ((0, 72), (96, 205)):
        assert_same_picture(decode(damaged, region=(0, y, 403, h)), whole[y : y + h])
    with pytest.raises(JpegFormatError, match=r"MCU 5[12]\d of 1938"):
        decode(damaged, region=(200, 80, 5, 1))
    lost = data[: marks[20]] + data[marks[21] :]
    assert_same_picture(decode(lost, region=(0, 0, 403, 150)), whole[:150])
    with pytest.raises(JpegFormatError, match="RST5 where RST4 should be"):
        decode(lost, region=(0, 0, 403, 200))
    ended = data[: marks[30]] + b"\xff\xd9"
    assert_same_picture(decode(ended, region=(0, 0, 403, 200)), whole[:200])
    with pytest.raises(JpegFormatError, match="31 restart intervals where 38 should be"):
        decode(ended, region=(0, 290, 403, 11))
    surplus = data[:-2] + b"\xff\xd5" + b"\xff\xd9"
    assert_same_picture(decode(surplus, region=(0, 0, 403, 200)), whole[:200])
    assert_same_picture(decode(surplus, region=(400, 300, 3, 1)), whole[300:, 400:])


def test_a_second_scan_has_no_place_behind_a_scaled_one() -> None:
    data = encode(RGB)
    sos = next(s.offset for s in markers.segments(data) if s.code == markers.SOS)
    twice = data[:-2] + data[sos:]
    with pytest.raises(JpegFormatError, match="second scan"):
        decode(twice, scale=2)
    assert decode(twice, region=(0, 0, 9, 9)).shape == (9, 9, 3)


# --- memory ---------------------------------------------------------------------------------------


def peak_beside_output(data: bytes, **options: object) -> int:
    """Bytes that NumPy and Python have reserved at most, without the picture that is returned."""
    decode(data, **options)
    tracemalloc.start()
    try:
        pixels = decode(data, **options)
        return tracemalloc.get_traced_memory()[1] - pixels.nbytes
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def large() -> bytes:
    """24 megapixels in half a megabyte."""
    tile = picture("gradient", (500, 750, 3), 1)
    return encode(np.tile(tile, (8, 8, 1)), quality=50, restart_interval=125)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": 2},
        {"scale": 4},
        {"scale": 8},
        {"region": (2900, 1900, 700, 700)},
        {"region": (0, 0, 6000, 3000)},
        {"region": (1000, 700, 300, 300), "scale": 2},
    ],
)
def test_nothing_but_the_picture_is_kept(large: bytes, options: dict[str, object]) -> None:
    """A copy of the scan without stuffing, two strips of samples, tables: no arrays of the whole
    picture, whose samples are 36 MB and whose coefficients 72."""
    assert peak_beside_output(large, **options) < len(large) + (1 << 20)


@pytest.mark.parametrize("options", [{}, {"region": (7, 9, 5900, 3900)}, {"scale": 2}])
def test_out_takes_the_pixels_as_they_are_made(large: bytes, options: dict[str, object]) -> None:
    """No other memory for them."""
    out = np.empty_like(decode(large, **options))
    tracemalloc.start()
    try:
        decode(large, out=out, **options)
        assert tracemalloc.get_traced_memory()[1] < len(large) + (1 << 20)
    finally:
        tracemalloc.stop()


def test_smoothing_takes_no_second_set_of_coefficients() -> None:
    """Of a file that stops after its first scans: DC values are kept apart, 1/64 of them."""
    tile = picture("gradient", (500, 750, 3), 1)
    data = pillow_encode(np.tile(tile, (4, 4, 1)), progressive=True)
    sos = [segment.offset for segment in markers.segments(data) if segment.code == markers.SOS]
    coefficients = 2 * 3008 * 2000 * 3 // 2
    for scans in (1, 3, 6):
        beside = peak_beside_output(data[: sos[scans]] + b"\xff\xd9")
        assert coefficients < beside < coefficients * 1.25 + (1 << 20)


def test_pixels_of_a_region_only() -> None:
    """Of a progressive file all coefficients are kept, 2 bytes each; but no samples or pixels."""
    tile = picture("gradient", (500, 750, 3), 1)
    data = pillow_encode(np.tile(tile, (4, 4, 1)), progressive=True)
    coefficients = 2 * 3008 * 2000 * 3 // 2
    beside = peak_beside_output(data, region=(2000, 1000, 300, 300))
    assert coefficients < beside < coefficients * 1.25 + (1 << 20)
    beside = peak_beside_output(data, scale=2)
    assert coefficients < beside < coefficients * 1.25 + (1 << 20)
