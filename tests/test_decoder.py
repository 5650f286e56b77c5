"""What a caller can ask of the decoder: colours, parts, coefficients, sizes, limits."""

from __future__ import annotations

import copy
import gc
import io
import mmap
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import oracles
import pytest
from helpers import natural, picture
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from pyjpegml import (
    Header,
    JpegError,
    JpegFormatError,
    JpegLimitError,
    JpegUnsupportedError,
    decode,
    decode_coefficients,
    decode_partial,
    encode,
    markers,
    read_header,
)
from pyjpegml.color import cmyk_to_rgb
from pyjpegml.testing import Component, Content, Frame, Scan, write_stream

RGB = picture("natural", (61, 83, 3), 3)
GREY = RGB[..., 1].copy()
#: Where JFIF's segment ends in our files.
BEHIND_JFIF = 2 + len(markers.jfif_bytes())


def pillow(image: np.ndarray, mode: str | None = None, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image, mode).save(out, "JPEG", **options)
    return out.getvalue()


def pillow_reads(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def adobe(transform: int) -> bytes:
    return markers.segment_bytes(markers.APP14, b"Adobe" + bytes([0, 100, 0, 0, 0, 0, transform]))


def exif(orientation: int) -> bytes:
    """APP1 with nothing but an orientation."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    return markers.segment_bytes(0xE1, b"Exif\0\0" + tiff)


# --- processes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [30, 90])
def test_progressive_files_are_as_pillow_reads_them(
    subsampling: int, quality: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyjpegml.decoder.THREAD_PIXELS", 1)
    data = pillow(RGB, progressive=True, subsampling=subsampling, quality=quality)
    assert read_header(data).process == "progressive"
    assert np.array_equal(decode(data, threads=threads), pillow_reads(data))
    grey = pillow(GREY, progressive=True, quality=quality)
    assert np.array_equal(decode(grey, threads=threads), pillow_reads(grey))


@pytest.mark.parametrize("scans", [1, 2, 3, 5, 8])
def test_progressive_files_may_stop_early(scans: int) -> None:
    """As libjpeg-turbo does, what has not come is estimated from the blocks around."""
    data = pillow(RGB, progressive=True, quality=60)
    headers = [s.offset for s in markers.segments(data) if s.code == markers.SOS]
    early = data[: headers[scans]] + b"\xff\xd9"
    assert np.array_equal(decode(early), pillow_reads(early))
    assert not np.array_equal(decode(early), decode(data))
    assert "the scans stop early" in decode_partial(early)[1].warnings[-1]
    assert len(read_header(early).scans) == scans


def test_many_scans_are_refused() -> None:
    """A small file that would keep a decoder busy."""
    data = pillow(RGB, progressive=True)
    first = next(s for s in markers.segments(data) if s.code == markers.SOS)
    scan = data[first.offset : markers.end_of_scan(memoryview(data), first.end)]
    data = data[: first.offset] + scan + b"\xff\xd9"
    bomb = data[:-2] + scan * 600 + b"\xff\xd9"
    with pytest.raises(JpegLimitError, match="max_scans allows, 500"):
        decode(bomb)
    assert decode(bomb[:-2] + b"\xff\xd9", max_scans=700).shape == RGB.shape


# --- colours --------------------------------------------------------------------------------------


def test_cmyk_has_no_ink_at_0() -> None:
    inks = np.dstack([picture("natural", (40, 50), seed) for seed in range(4)])
    data = pillow(inks, "CMYK", quality=95)
    assert read_header(data).color == "CMYK"
    decoded = decode(data)
    assert np.array_equal(decoded, pillow_reads(data))
    assert abs(decoded.astype(int) - inks).mean() < 10
    assert np.array_equal(decode(data, color="stored"), 255 - decoded)
    assert np.array_equal(decode(data, color="RGB"), cmyk_to_rgb(decoded))
    # without Adobe's marker nobody says that the values are inverted
    start = data.index(b"\xff\xee")
    plain = data[:start] + data[start + 16 :]
    assert np.array_equal(decode(plain), 255 - decoded)


def test_naive_rgb_of_inks() -> None:
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [0, 255, 128, 51]]], np.uint8)
    assert cmyk_to_rgb(inks).tolist() == [[[255] * 3, [0, 255, 255], [0] * 3, [204, 0, 102]]]


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_colours_on_request(subsampling: str) -> None:
    data = encode(RGB, subsampling=subsampling, quality=90)
    rgb, ycbcr, grey = (decode(data, color=c) for c in ("RGB", "YCbCr", "grey"))
    assert np.array_equal(rgb, decode(data))
    assert np.array_equal(ycbcr, decode(data, color="stored"))
    assert np.array_equal(grey, ycbcr[..., 0])
    reference = Image.open(io.BytesIO(data))
    reference.draft("YCbCr", reference.size)
    assert np.array_equal(ycbcr, np.asarray(reference))
    # components that are R, G and B themselves
    stored = decode(data[:2] + adobe(0) + data[BEHIND_JFIF:])
    assert np.array_equal(stored, ycbcr)


def test_grey_on_request() -> None:
    data = encode(GREY)
    grey = decode(data)
    assert np.array_equal(decode(data, color="RGB"), np.dstack([grey] * 3))
    assert np.array_equal(decode(data, color="YCbCr")[..., 0], grey)
    assert (decode(data, color="YCbCr")[..., 1:] == 128).all()
    with pytest.raises(ValueError, match="color is one of RGB, grey, YCbCr, stored"):
        decode(data, color="CMYK")


def deep(precision: int, channels: int = 3) -> np.ndarray:
    """Noise of so many bits, with white and black."""
    image = np.random.default_rng(precision).integers(0, 1 << precision, (20, 30, channels))
    image[0, 0], image[0, 1] = 0, (1 << precision) - 1
    return image.astype(np.uint16 if precision > 8 else np.uint8)


@pytest.mark.parametrize("precision", range(2, 17))
def test_colours_of_any_precision(precision: int) -> None:
    """Of lossless files, whose samples are known: the formulae of T.871, as for 8 bits."""
    rgb, top, centre = deep(precision), (1 << precision) - 1, 1 << (precision - 1)
    data = encode(rgb, lossless=True, precision=precision)
    assert np.array_equal(decode(data, color="RGB"), rgb)
    ycbcr, grey = decode(data, color="YCbCr"), decode(data, color="grey")
    assert ycbcr.dtype == grey.dtype == rgb.dtype
    r, g, b = np.moveaxis(rgb.astype(float), 2, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    factors = np.array([1, 1 / 1.772, 1 / 1.402])
    exact = np.stack([y, b - y, r - y], axis=-1) * factors + [0, centre, centre]
    bound = 0.5 + 2e-5 * top
    assert abs(np.minimum(exact, top) - ycbcr).max() <= bound
    assert np.array_equal(grey, ycbcr[..., 0])
    assert ycbcr[0, :2].tolist() == [[0, centre, centre], [top, centre, centre]]
    grey_data = encode(grey, lossless=True, precision=precision)
    assert np.array_equal(decode(grey_data, color="RGB"), np.dstack([grey] * 3))
    assert np.array_equal(decode(grey_data, color="YCbCr")[..., 1], np.full_like(grey, centre))
    inks = deep(precision, 4)
    data = encode(inks, color="CMYK", lossless=True, precision=precision)
    assert np.array_equal(decode(data), inks)
    paper = 1 - inks / top
    naive = decode(data, color="RGB")
    assert abs(naive - top * paper[..., :3] * paper[..., 3:]).max() <= 0.5
    assert naive[0, :2].tolist() == [[top] * 3, [0] * 3]


def test_lossless_components_behind_jfif_are_ycbcr() -> None:
    """So libjpeg-turbo decides too, and refuses to make RGB of them, which we do."""
    data = encode(RGB, lossless=True)
    data = data[:2] + markers.jfif_bytes() + data[2:]
    assert read_header(data).color == "YCbCr"
    assert np.array_equal(decode(data, color="stored"), RGB)
    assert np.array_equal(decode(data, color="grey"), RGB[..., 0])
    assert not np.array_equal(decode(data), RGB)


@pytest.mark.parametrize("progressive", [False, True])
def test_colours_of_12_bits(progressive: bool) -> None:
    image = natural((61, 83, 3), np.random.default_rng(1)).astype(np.uint16) * 16
    data = encode(image, subsampling="4:2:0", progressive=progressive)
    rgb, ycbcr, grey = (decode(data, color=c) for c in ("RGB", "YCbCr", "grey"))
    assert np.array_equal(rgb, decode(data))
    assert np.array_equal(ycbcr, decode(data, color="stored"))
    assert np.array_equal(grey, ycbcr[..., 0])
    stored = encode(image, stored_as="RGB", subsampling="4:4:4")
    pixels = decode(stored).reshape(-1, 3).tolist()
    expected = [oracles.rgb_to_ycbcr_fixed(*pixel, 12) for pixel in pixels]
    assert decode(stored, color="YCbCr").reshape(-1, 3).tolist() == [list(p) for p in expected]


def test_what_nobody_can_convert_is_refused_before_it_is_decoded() -> None:
    component = Component(1), Component(2)
    frame = Frame("baseline", 8, 8, 8, component)
    units = np.zeros((1, 1, 8, 8), np.int64)
    content = Content((units, units), {(i, 0): np.ones((8, 8), np.uint16) for i in range(2)})
    stream = write_stream(frame, [Scan((0, 1), ((0, 0), (0, 0)))], content)
    cut = stream.data[: stream.data.index(b"\xff\xda") + 14]
    with pytest.raises(JpegUnsupportedError, match='RGB, only be "stored"') as caught:
        decode(cut, color="RGB")
    assert caught.value.offset == stream.data.index(b"\xff\xc0")


# --- orientation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(10))
def test_orientation(orientation: int) -> None:
    data = encode(RGB)
    data = data[:2] + exif(orientation) + data[2:]
    assert np.array_equal(decode(data), decode(encode(RGB))), "left as it is by default"
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert np.array_equal(decode(data, apply_orientation=True), upright)
    assert read_header(data).metadata.orientation == (orientation if 1 <= orientation <= 8 else 1)


# --- what is given, and where it goes -------------------------------------------------------------


def test_files_and_buffers(tmp_path: Path) -> None:
    data = encode(GREY)
    expected = decode(data)
    path = tmp_path / "grey.jpg"
    path.write_bytes(data)
    with path.open("rb") as file:
        assert np.array_equal(decode(file), expected)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert np.array_equal(decode(mapped), expected)
        assert read_header(mapped).width == GREY.shape[1]
    assert np.array_equal(decode(np.frombuffer(data, np.uint8)), expected)
    for name in (str(path), path):
        with pytest.raises(TypeError, match="not a name"):
            decode(name)  # type: ignore[arg-type]


READERS = [decode, decode_partial, decode_coefficients, read_header]
DAMAGES = {
    "sound": lambda data: data,
    "cut in the scan": lambda data: data[:-40],
    "cut in the head": lambda data: data[:100],
    "no JPEG": lambda data: b"GIF89a" + data,
    "bad Huffman table": lambda data: data.replace(b"\xff\xc4\0", b"\xff\xc4\0\0\0\0\0\0", 1),
    "bad scan": lambda data: data[: data.index(b"\xff\xda") + 4] + b"\7" * 50,
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", ["baseline", "progressive", "arithmetic", "lossless"])
def test_nothing_looks_at_the_data_afterwards(
    kind: str, damage: str, threads: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither what is returned, nor an exception that is kept."""
    monkeypatch.setattr("pyjpegml.decoder.THREAD_PIXELS", 1)
    whole = {
        "baseline": lambda: encode(RGB),
        "progressive": lambda: pillow(RGB, progressive=True),
        "arithmetic": lambda: imagecodecs.jpeg8_encode(RGB),
        "lossless": lambda: encode(RGB, lossless=True),
    }[kind]()
    data = DAMAGES[damage](whole)
    path = tmp_path / "file.jpg"
    path.write_bytes(data)
    gc.disable()
    try:
        for read in READERS:
            options = {"threads": threads} if read in (decode, decode_partial) else {}
            array = bytearray(data)
            with path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            for source in (array, mapped):
                kept = outcome(read, source, options)
                if isinstance(kept, Header):
                    assert kept.metadata == read_header(data).metadata
                    kept = kept, outcome(lambda header: header.scans, kept, {})
            array += b"more"
            mapped.close()
    finally:
        gc.enable()


def outcome(read: Callable[..., object], data: object, options: dict[str, object]) -> object:
    try:
        return read(data, **options)
    except JpegError as error:
        return error


def test_arguments_that_are_refused_keep_nothing_either() -> None:
    array = bytearray(encode(RGB))
    for options in ({"region": (0, 0, 999, 9)}, {"out": 3}, {"scale": 3}, {"color": "blue"}):
        with pytest.raises((ValueError, TypeError)) as caught:
            decode(array, **options)
        array += b"more"
        assert caught.value


@pytest.mark.parametrize("name", ["max_pixels", "max_scans", "max_metadata"])
@pytest.mark.parametrize("limit", [None, "9", 1e9])
def test_limits_are_numbers(name: str, limit: object) -> None:
    for read in READERS[: 4 if name == "max_metadata" else 3]:
        with pytest.raises(TypeError, match="are whole numbers, but one of them is"):
            read(encode(GREY), **{name: limit})


@pytest.mark.parametrize("broken", [False, True])
def test_headers_can_be_copied_and_pickled(broken: bool) -> None:
    data = encode(RGB, quality=87)
    data = data[:2] + exif(6) + data[2:-2] + (b"\xff\xfe\0\1" if broken else data[-2:])
    for source in (data, bytearray(data), memoryview(bytearray(data))):
        header = read_header(source)
        for other in (
            copy.copy(header), copy.deepcopy(header), pickle.loads(pickle.dumps(header)),
        ):  # fmt: skip
            assert other.metadata == header.metadata
            assert other.metadata.orientation == 6
            assert (other.quality, other.components) == (87, header.components)
            assert np.array_equal(other.qtables[1], header.qtables[1])
            assert repr(other) == repr(header)
            if broken:
                with pytest.raises(JpegFormatError):
                    _ = other.scans
            else:
                assert other.scans == header.scans
                assert len(pickle.dumps(other)) < len(data) + 9000


def files_for_out() -> dict[str, tuple[bytes, dict[str, object]]]:
    """By every way through the decoder, straight or with something left to do."""
    large = picture("natural", (60, 400, 3), 5)
    deep_image = large.astype(np.uint16) * 16
    return {
        "one scan": (encode(large), {}),
        "grey": (encode(large[..., 0].copy()), {}),
        "narrow": (encode(picture("natural", (200, 3, 3))), {}),
        "one pixel": (encode(RGB[:1, :1]), {}),
        "progressive": (pillow(large, progressive=True), {}),
        "12 bits": (encode(deep_image), {}),
        "lossless": (encode(large, lossless=True), {}),
        "lossless, 16 bits": (encode(deep_image, lossless=True), {}),
        "region": (encode(large), {"region": (7, 9, 100, 33)}),
        "region of 12 bits": (encode(deep_image), {"region": (7, 9, 100, 33)}),
        "region of a lossless one": (encode(large, lossless=True), {"region": (7, 9, 100, 33)}),
        "scale": (pillow(large, progressive=True), {"scale": 2}),
        "grey of RGB": (encode(large, stored_as="RGB"), {"color": "grey"}),
        "inks": (pillow(picture("natural", (40, 90, 4)), "CMYK"), {}),
        "turned": (
            encode(large)[:BEHIND_JFIF] + exif(6) + encode(large)[BEHIND_JFIF:],
            {"apply_orientation": True},
        ),
    }


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", files_for_out())
def test_out(name: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array of its own, a part of another one with something behind it, one with gaps."""
    monkeypatch.setattr("pyjpegml.decoder.THREAD_PIXELS", 1)
    data, options = files_for_out()[name]
    expected = decode(data, **options)
    shape, dtype = expected.shape, expected.dtype
    around = np.full(expected.size + 200, 77, dtype)
    for out in (
        np.zeros(shape, dtype),
        around[100:-100].reshape(shape),
        np.zeros((2 * shape[0], *shape[1:]), dtype)[::2],
        np.asfortranarray(np.zeros(shape, dtype)),
    ):
        assert decode(data, out=out, threads=threads, **options) is out
        assert np.array_equal(out, expected)
    assert (around[:100] == 77).all()
    assert (around[-100:] == 77).all()


def test_out_is_looked_at_before_anything_is_decoded() -> None:
    data = encode(RGB)
    out = np.zeros(RGB.shape, np.uint8)
    cut = data[: data.index(b"\xff\xda") + 14]
    for wrong in (out[1:], out[..., 0], out.astype(np.int16)):
        with pytest.raises(ValueError, match=r"out is to be \(61, 83, 3\) uint8"):
            decode(cut, out=wrong)
    with pytest.raises(ValueError, match=r"out is to be \(16, 21\) uint8"):
        decode(cut, out=out, scale=4, color="grey")
    with pytest.raises(ValueError, match=r"out is to be \(83, 61, 3\) uint8"):
        decode(cut[:2] + exif(5) + cut[2:], out=out, apply_orientation=True)
    with pytest.raises(TypeError, match="out is an array, not list"):
        decode(cut, out=[1])  # type: ignore[arg-type]
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out is to be writable"):
        decode(cut, out=out)


def test_odd_arguments() -> None:
    data = encode(RGB)
    with pytest.raises(ValueError, match=r"1/4 or 1/8, not 1/2\.0"):
        decode(data, scale=2.0)  # type: ignore[arg-type]
    for region in (7, (), (1, 2, 3), "four", (1, 2, 3, 4.5), (None,) * 4):
        with pytest.raises(ValueError, match=r"region is \(x, y, width, height\), whole numbers"):
            decode(data, region=region)  # type: ignore[arg-type]
    part = decode(data, region=np.array([3, 4, 5, 6]), scale=np.int64(2), threads=np.int64(2))
    assert np.array_equal(part, decode(data, scale=2)[4:10, 3:8])
    for wrong in (True, 2.0, "2"):
        with pytest.raises(TypeError, match="threads is a number or None"):
            decode(data, threads=wrong)  # type: ignore[arg-type]


def test_tables_from_another_stream() -> None:
    data = encode(RGB)
    kinds = (markers.DQT, markers.DHT)
    tables = [s for s in markers.segments(data) if s.code in kinds]
    only_tables = b"\xff\xd8" + b"".join(data[s.offset : s.end] for s in tables) + b"\xff\xd9"
    without = data
    for segment in reversed(tables):
        without = without[: segment.offset] + without[segment.end :]
    assert np.array_equal(decode(without, tables=only_tables), decode(data))
    with pytest.raises(JpegFormatError, match="quantization table 0 is used, but not defined"):
        decode(without)
    with pytest.raises(JpegFormatError, match="ends before a scan"):
        decode(only_tables)


def test_no_huffman_tables_are_the_standard_ones() -> None:
    """As in frames of Motion JPEG."""
    data = encode(RGB, optimize=False)
    without = data
    for segment in reversed(list(markers.segments(data))):
        if segment.code == markers.DHT:
            without = without[: segment.offset] + without[segment.end :]
    assert np.array_equal(decode(without), decode(data))
    assert "standard ones" in decode_partial(without)[1].warnings[0]


def test_height_behind_the_scan() -> None:
    data = bytearray(encode(RGB))
    place = data.index(b"\xff\xc0") + 5
    height = data[place : place + 2]
    data[place : place + 2] = b"\0\0"
    with pytest.raises(JpegFormatError, match="no DNL segment"):
        decode(bytes(data))
    assert read_header(bytes(data)).height == 0
    told = bytes(data[:-2]) + markers.segment_bytes(markers.DNL, bytes(height)) + b"\xff\xd9"
    assert read_header(told).height == RGB.shape[0]
    assert np.array_equal(decode(told), decode(encode(RGB)))


# --- scales ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0", "4:4:0"])
def test_scales(scale: int, subsampling: str) -> None:
    """The size; to the bit they are tested in test_reduced.py."""
    data = encode(RGB, subsampling=subsampling)
    assert decode(data, scale=scale).shape == (-(-61 // scale), -(-83 // scale), 3)
    flat = encode(
        np.full((61, 83, 3), (20, 90, 200), np.uint8), subsampling=subsampling, quality=100
    )
    assert abs(decode(flat, scale=scale).astype(int) - (20, 90, 200)).max() <= 2


def test_an_eighth_is_the_dc() -> None:
    data = encode(GREY, quality=80)
    found = decode_coefficients(data)
    dc = found.components[0][..., 0, 0] * int(found.qtables[0][0, 0])
    assert np.array_equal(decode(data, scale=8), np.clip((dc + 4 >> 3) + 128, 0, 255))
    with pytest.raises(ValueError, match="1/1, 1/2, 1/4 or 1/8"):
        decode(data, scale=3)


# --- regions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("progressive", [False, True])
@given(st.tuples(*[st.integers(0, 1 << 16)] * 4), st.sampled_from([0, 1, 2]), st.integers(1, 3))
def test_regions(
    progressive: bool, numbers: tuple[int, int, int, int], subsampling: int, threads: int
) -> None:
    data = pillow(RGB, progressive=progressive, subsampling=subsampling)
    height, width = RGB.shape[:2]
    x, y = numbers[0] % width, numbers[1] % height
    w, h = 1 + numbers[2] % (width - x), 1 + numbers[3] % (height - y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pyjpegml.decoder.THREAD_PIXELS", 1)
        part = decode(data, region=(x, y, w, h), threads=threads)
    assert np.array_equal(part, decode(data)[y : y + h, x : x + w])


@pytest.mark.parametrize("region", [(-1, 0, 5, 5), (0, 0, 84, 5), (0, 60, 5, 2), (3, 3, 0, 1)])
def test_regions_lie_within(region: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="within 83x61 pixels"):
        decode(encode(RGB), region=region)


# --- coefficients ---------------------------------------------------------------------------------


@pytest.mark.parametrize("progressive", [False, True])
def test_coefficients(progressive: bool) -> None:
    """Those of both ways to code the same picture are equal, and make its pixels."""
    data = pillow(RGB, progressive=progressive, quality=70)
    found = decode_coefficients(data)
    assert [c.shape for c in found.components] == [(8, 11, 8, 8), (4, 6, 8, 8), (4, 6, 8, 8)]
    assert found.header.width == RGB.shape[1]
    other = decode_coefficients(pillow(RGB, progressive=not progressive, quality=70))
    for a, b in zip(found.components, other.components, strict=True):
        assert a.dtype == np.int16
        assert np.array_equal(a, b)
    dc = found.components[0][..., 0, 0] * int(found.qtables[0][0, 0]) / 8 + 128
    luma = decode(data, color="grey")[:56, :80].reshape(7, 8, 10, 8).mean(axis=(1, 3))
    assert abs(dc[:7, :10] - luma).max() < 2


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("progressive", [False, True])
def test_nothing_is_wrong_with_sound_files(progressive: bool) -> None:
    data = pillow(RGB, progressive=progressive)
    pixels, report = decode_partial(data)
    assert np.array_equal(pixels, decode(data))
    assert report.complete
    assert report.problems == report.warnings == ()
    assert report.sound_mcus == report.mcus > 0


@given(st.integers(0, 400), st.booleans())
def test_what_came_before_the_end_is_there(cut: int, subsampled: bool) -> None:
    data = encode(RGB, subsampling="4:2:0" if subsampled else "4:4:4", quality=60)
    start = data.index(b"\xff\xda") + 14
    data = data[: max(start + 1, len(data) - 2 - cut)]
    pixels, report = decode_partial(data)
    whole = decode(encode(RGB, subsampling="4:2:0" if subsampled else "4:4:4", quality=60))
    side = 16 if subsampled else 8
    rows = report.sound_mcus // -(-RGB.shape[1] // side) * side
    # the last row of the sound ones looks at the chroma of the next
    assert np.array_equal(pixels[: max(0, rows - 1)], whole[: max(0, rows - 1)])
    if not report.complete:
        assert "end early" in str(report.problems[0])
        assert report.problems[0].offset <= len(data)
        assert report.sound_mcus < report.mcus


def test_decoding_goes_on_at_restart_markers() -> None:
    """One interval is damaged, and one is lost: all others are as they were."""
    data = encode(RGB, subsampling="4:4:4", restart_interval=11)
    whole = decode(data)
    marks = [i for i in range(len(data) - 1) if data[i] == 0xFF and 0xD0 <= data[i + 1] <= 0xD7]
    assert len(marks) == 7
    lost = data[: marks[1]] + data[marks[2] :]
    with pytest.raises(JpegFormatError, match="RST2 where RST1 should be"):
        decode(lost)
    pixels, report = decode_partial(lost)
    assert np.array_equal(pixels[:16], whole[:16])
    assert (pixels[16:24, 8:] == 128).all(), "grey where nothing came, but for an MCU of zeros"
    assert np.array_equal(pixels, pillow_reads(lost))
    assert np.array_equal(pixels[24:], whole[24:])
    assert (report.mcus, report.sound_mcus) == (88, 77)
    assert "1 of 8 restart intervals are missing" in str(report.problems[0])
    damaged = data[: marks[3] + 2] + b"\xff\x00" * 40 + data[marks[4] :]
    pixels, report = decode_partial(damaged)
    assert np.array_equal(pixels[:32], whole[:32])
    assert np.array_equal(pixels[40:], whole[40:])
    assert len(report.problems) == 1
    assert marks[3] < report.problems[0].offset <= len(damaged)


def test_damage_behind_lost_intervals() -> None:
    """Said where it is, although there are fewer markers than intervals before it."""
    data = encode(RGB, subsampling="4:4:4", restart_interval=11)
    marks = [i for i in range(len(data) - 1) if data[i] == 0xFF and 0xD0 <= data[i + 1] <= 0xD7]
    end = len(data) - 2
    damaged = data[: marks[1]] + data[marks[4] : marks[6] + 2] + b"\xff\x00" * 40 + data[end:]
    start = len(damaged) - 82
    pixels, report = decode_partial(damaged)
    assert np.array_equal(pixels[:16], decode(data)[:16])
    lost, broken = report.problems
    assert "3 of 8 restart intervals are missing" in str(lost)
    assert start <= broken.offset <= len(damaged)


def test_warnings_behind_the_scan() -> None:
    data = encode(GREY)
    assert decode_partial(data[:-2])[1].warnings == ("the data end without an EOI marker",)
    unread = data[:-2] + b"more" + data[-2:]
    assert (
        "4 bytes of entropy-coded data that no MCU needs" in decode_partial(unread)[1].warnings[0]
    )
    assert np.array_equal(decode(unread), decode(data))
    junk = data[:-2] + b"\xff\x01junk" + data[-2:]
    assert "4 bytes that belong to no segment" in decode_partial(junk)[1].warnings[0]


def test_lossless_has_no_coefficients() -> None:
    frame = markers.frame_bytes(markers.Frame(3, 8, 4, 4, (markers.FrameComponent(1, 1, 1, 0),)))
    data = b"\xff\xd8" + frame + markers.scan_bytes([(1, 0, 0)]) + b"\xff\xd9"
    with pytest.raises(JpegUnsupportedError, match="samples, and no coefficients"):
        decode_coefficients(data)
