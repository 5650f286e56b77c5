"""Encoder and decoder together: equal to libjpeg-turbo, bounded in error, safe on any bytes."""

from __future__ import annotations

import io
import math
import re
import struct
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import oracles
import pytest
from helpers import (
    KINDS,
    SUBSAMPLINGS,
    Bytes,
    assert_same_picture,
    assert_says_where,
    images,
    picture,
    pillow_decode,
    pillow_encode,
    qtables,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

import pyjpegml
from pyjpegml import (
    JpegError,
    JpegFormatError,
    JpegLimitError,
    arguments,
    decode,
    encode,
    encoder,
    markers,
    planes,
    read_header,
)
from pyjpegml.header import SUBSAMPLINGS as FACTORS
from pyjpegml.quantize import standard_qtables

qualities = st.integers(1, 100)
subsamplings = st.sampled_from(SUBSAMPLINGS)
restarts = st.one_of(st.just(0), st.integers(1, 10), st.integers(0, 65535))


def components(image: Bytes) -> int:
    return 1 if image.ndim == 2 else 3


# --- equal to libjpeg-turbo -----------------------------------------------------------------------


@given(images(), subsamplings, restarts, st.booleans(), st.data())
def test_decoded_as_pillow_does(
    image: Bytes, subsampling: str, restart_interval: int, optimize: bool, data: st.DataObject
) -> None:
    """Any picture, any tables: what we encode, Pillow and we decode to the same pixels."""
    own = data.draw(st.none() | qtables(components(image)))
    quality = data.draw(qualities) if own is None else None
    coded = encode(
        image,
        quality=quality,
        qtables=own,
        subsampling=subsampling,
        restart_interval=restart_interval,
        optimize=optimize,
    )
    decoded = decode(coded)
    assert decoded.shape == image.shape
    assert_same_picture(decoded, pillow_decode(coded))


@given(
    images(),
    qualities,
    st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    st.booleans(),
    st.integers(0, 9),
)
def test_coded_as_pillow_does(
    image: Bytes, quality: int, subsampling: str, optimize: bool, restart_interval: int
) -> None:
    """Tables and entropy-coded data are libjpeg-turbo's, byte for byte."""
    ours = encode(
        image,
        quality=quality,
        subsampling=subsampling,
        optimize=optimize,
        restart_interval=restart_interval,
    )
    theirs = pillow_encode(
        image,
        quality=quality,
        subsampling=subsampling,
        optimize=optimize,
        restart_marker_blocks=restart_interval,
    )
    assert oracles.file_huffman_tables(ours) == oracles.file_huffman_tables(theirs)
    assert oracles.file_parts(ours)[1] == oracles.file_parts(theirs)[1]


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("quality", [20, 90])
def test_photograph(photo: Bytes, subsampling: str, quality: int) -> None:
    """A real picture of many strips and chunks, whole."""
    coded = encode(photo, quality=quality, subsampling=subsampling)
    assert_same_picture(decode(coded), pillow_decode(coded))
    if subsampling != "4:4:0":  # which Pillow does not write
        theirs = pillow_encode(photo, quality=quality, subsampling=subsampling, optimize=True)
        assert oracles.file_parts(coded)[1] == oracles.file_parts(theirs)[1]


@given(images(), qualities, st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]), st.integers(0, 9))
def test_files_of_pillow_are_decoded_as_it_does(
    image: Bytes, quality: int, subsampling: str, restart_interval: int
) -> None:
    coded = pillow_encode(
        image, quality=quality, subsampling=subsampling, restart_marker_blocks=restart_interval
    )
    assert_same_picture(decode(coded), pillow_decode(coded))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_files_without_a_jfif_marker(kind: str) -> None:
    """Three components without any marker are YCbCr; one with RGB's letters as names is RGB."""
    coded = encode(picture(kind, (20, 30, 3)), quality=80)
    bare = coded[:2] + coded[2 + len(markers.jfif_bytes()) :]
    assert read_header(bare).color == "YCbCr"
    assert_same_picture(decode(bare), pillow_decode(bare))
    assert_same_picture(decode(bare), decode(coded))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_rgb_files(kind: str) -> None:
    image = picture(kind, (20, 30, 3))
    coded = pillow_encode(image, keep_rgb=True, quality=90)
    assert read_header(coded).color == "RGB"
    assert_same_picture(decode(coded), pillow_decode(coded))


@pytest.mark.parametrize(("height", "width"), [(65535, 1), (1, 65535), (65535, 3), (2, 65535)])
@pytest.mark.parametrize("channels", [1, 3])
def test_longest_sides(height: int, width: int, channels: int) -> None:
    """libjpeg stops at 65500. Blocks know nothing of each other in grey and 4:4:4, so Pillow
    decodes such a picture in two parts, cut between blocks."""
    image = picture("gradient", (height, width) if channels == 1 else (height, width, 3), 3)
    axis = 0 if height > width else 1
    parts = np.split(image, [40_000], axis)
    theirs = [pillow_decode(encode(part, subsampling="4:4:4")) for part in parts]
    coded = encode(image, subsampling="4:4:4", restart_interval=500)
    assert_same_picture(decode(coded), np.concatenate(theirs, axis))


@pytest.mark.parametrize(("height", "width"), [(65500, 3), (3, 65500)])
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_longest_sides_of_libjpeg(height: int, width: int, subsampling: str) -> None:
    coded = encode(picture("gradient", (height, width, 3), 3), subsampling=subsampling)
    assert_same_picture(decode(coded), pillow_decode(coded))


# --- the error is what quantization explains ------------------------------------------------------


@given(images(longest=300), subsamplings, st.data())
def test_error_is_bounded_by_the_steps(image: Bytes, subsampling: str, data: st.DataObject) -> None:
    """The samples of a block are not further from the original than its steps allow.

    Let S be the coefficients of a block's samples p, computed exactly. The encoder's are off by f
    at most, and divided by q and rounded they are off by q/2 more: the level n has
    |S - q n| <= q/2 + f. The transform is orthonormal, so the exact inverse of q n is a block with a
    distance from p of at most the root of the sum of (q/2 + f)**2. The decoder's inverse is off by
    g in each of the 64 samples, rounding included: 8 g. Clipping to 0..255 only brings it nearer to
    p, whose samples are all in there. So |p - p'| <= sqrt(sum (q/2 + f)**2) + 8 g.

    This is about the planes that go into the DCT and come out of the inverse one: what colour
    conversion and subsampling lose is not counted.
    """
    tables = data.draw(qtables(components(image)) | qualities.map(standard_qtables))
    steps = arguments.check_qtables(
        np.array(tables)[: components(image)], "grey" if image.ndim == 2 else "YCbCr"
    )
    geometry, coefficients = encoder.analyse(image, FACTORS[subsampling])
    levels = encoder.quantize_all(geometry, coefficients, steps)
    rebuilt = geometry.reconstruct(levels, steps)
    for i, (plane, original) in enumerate(
        zip(geometry.planes, original_planes(image, geometry), strict=True)
    ):
        error = rebuilt[i].astype(float) - original
        blocks = error.reshape(plane.down, 8, plane.across, 8)
        distance = np.sqrt((blocks**2).sum(axis=(1, 3)))
        dequantized = geometry.view(levels, i)[: plane.down, : plane.across] * steps[i].reshape(
            64
        ).astype(float)
        bound = math.sqrt(((steps[i] / 2 + oracles.forward_dct_error()) ** 2).sum())
        assert (distance <= bound + 8 * oracles.inverse_dct_error(dequantized)).all()


def original_planes(image: Bytes, geometry: encoder.Geometry) -> list[Bytes]:
    """What goes into the DCT: the component planes, edges repeated to whole blocks."""
    if image.ndim == 3:
        return planes.component_planes(image, geometry)
    rows, columns = (-size % 8 for size in image.shape)
    return [np.pad(image, ((0, rows), (0, columns)), "edge")]


# --- any bytes ------------------------------------------------------------------------------------


def decode_or_error(data: bytes) -> Bytes | None:
    """The contract: an array, or a JpegError that says where; nothing else."""
    try:
        read_header(data)
    except JpegError as error:
        assert_says_where(error, len(data))
    try:
        out = decode(data, max_pixels=1 << 22)
    except JpegError as error:
        assert_says_where(error, len(data))
        return None
    assert out.dtype == np.uint8
    assert out.ndim == 2 or out.shape[2:] == (3,)
    return out


@cache
def seeds() -> list[bytes]:
    """Small sound files of all kinds, ours and Pillow's, to be damaged."""
    color, grey = picture("natural", (20, 37, 3)), picture("natural", (17, 24))
    return [
        *(encode(color, quality=80, subsampling=s) for s in SUBSAMPLINGS),
        encode(color, quality=30, restart_interval=1),
        encode(color, quality=95, optimize=False, subsampling="4:4:4", restart_interval=2),
        encode(grey, quality=90),
        encode(grey, quality=60, optimize=False, restart_interval=3),
        pillow_encode(color, quality=70, progressive=True),
        pillow_encode(color, quality=70, keep_rgb=True, comment=b"a comment"),
    ]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A sound file after one to four accidents."""
    data = bytearray(draw(st.integers(0, len(seeds()) - 1).map(lambda i: seeds()[i])))
    for _ in range(draw(st.integers(1, 4))):
        if not data:
            break
        # half of all accidents happen in the headers, which are short
        at = draw(st.integers(0, len(data) - 1) | st.integers(0, min(700, len(data) - 1)))
        match draw(
            st.sampled_from(["flip", "set", "cut", "insert", "delete", "copy", "length", "swap"])
        ):
            case "flip":
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "set":
                data[at] = draw(st.sampled_from([0x00, 0xFF, 0xD0, 0xD9, 0xDA, 0x7F, 0x11, 0x44]))
            case "cut":
                del data[at:]
            case "insert":
                data[at:at] = draw(st.binary(min_size=1, max_size=8))
            case "delete":
                del data[at : at + draw(st.integers(1, 40))]
            case "copy":
                data[at:at] = data[at : at + draw(st.integers(1, 200))]
            case "length":
                starts = segment_starts(data)
                if starts:
                    at = draw(st.sampled_from(starts)) + 2
                    data[at : at + 2] = draw(st.integers(0, 65535)).to_bytes(2, "big")
            case "swap":
                starts = segment_starts(data)
                if len(starts) > 2:
                    i = draw(st.integers(0, len(starts) - 3))
                    a, b, c = starts[i : i + 3]
                    data[a:c] = data[b:c] + data[a:b]
    return bytes(data)


def segment_starts(data: bytearray) -> list[int]:
    """Where segments with a length start, as far as the chain holds."""
    starts, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xD8, 0xD9):
        starts.append(at)
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return starts


@pytest.mark.hostile
@settings(max_examples=10 * settings().max_examples)
@given(damaged())
def test_damaged_files(data: bytes) -> None:
    decode_or_error(data)


@pytest.mark.hostile
@given(st.binary(max_size=200))
@example(b"")
@example(b"\xff")
@example(b"\xff\xd8")
@example(b"\xff\xd8\xff")
def test_any_bytes(data: bytes) -> None:
    decode_or_error(data)
    decode_or_error(b"\xff\xd8" + data)
    head = seeds()[0]
    scan = head.index(b"\xff\xda") + 14
    decode_or_error(head[:scan] + data)


@pytest.mark.hostile
@pytest.mark.parametrize("seed", range(10))
def test_every_truncation(seed: int) -> None:
    """At each byte; only what stands behind the entropy-coded data may be missing."""
    data = seeds()[seed]
    whole = decode_or_error(data)
    for size in range(len(data)):
        out = decode_or_error(data[:size])
        if seed == 8 and out is not None:  # a progressive file may stop behind any of its scans
            assert pyjpegml.decode_partial(data[:size])[1].warnings
            continue
        assert out is None or (whole is not None and np.array_equal(out, whole))
        if size < len(data) - 3:
            assert out is None


# --- arguments of encode --------------------------------------------------------------------------

VIEWS: dict[str, Callable[[Bytes], Bytes]] = {
    "every other column": lambda a: a.repeat(2, axis=1)[:, ::2],
    "every other row": lambda a: a.repeat(2, axis=0)[::2],
    "upside down": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "mirrored": lambda a: np.ascontiguousarray(a[:, ::-1])[:, ::-1],
    "Fortran order": np.asfortranarray,
    "part of a larger one": lambda a: np.pad(a, [(3, 5), (2, 4)] + [(0, 0)] * (a.ndim - 2))[
        3:-5, 2:-4
    ],
    "channels apart": lambda a: np.moveaxis(np.ascontiguousarray(np.moveaxis(a, -1, 0)), 0, -1),
    "BGR reversed": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("shape", [(19, 21), (19, 21, 3)])
def test_memory_layout_does_not_matter(view: str, shape: tuple[int, ...]) -> None:
    image = picture("natural", shape)
    other = VIEWS[view](image)
    before = other.copy()
    assert np.array_equal(other, image)
    assert encode(other, quality=80) == encode(image, quality=80)
    assert np.array_equal(other, before)


@pytest.mark.parametrize("shape", [(19, 21), (19, 21, 3), (19, 21, 1)])
def test_read_only_arrays(shape: tuple[int, ...]) -> None:
    image = picture("natural", shape)
    frozen = image.copy()
    frozen.flags.writeable = False
    assert encode(frozen, quality=80) == encode(image, quality=80)
    assert np.array_equal(frozen, image)


def test_one_channel_is_grey() -> None:
    image = picture("natural", (9, 17))
    assert encode(image[..., None], quality=80) == encode(image, quality=80)
    assert decode(encode(image[..., None])).shape == (9, 17)


@pytest.mark.parametrize(
    "dtype", [bool, np.int8, np.uint32, np.int64, np.float32, np.float64, complex, object]
)
def test_other_dtypes_are_refused(dtype: npt.DTypeLike) -> None:
    with pytest.raises(TypeError, match=f"samples must be uint8 or uint16, not {np.dtype(dtype)}"):
        encode(np.zeros((8, 8), dtype))


def test_alpha_is_refused() -> None:
    with pytest.raises(ValueError, match=r"alpha channel.*image\[:, :, :3\]"):
        encode(np.zeros((8, 8, 4), np.uint8))


@pytest.mark.parametrize("shape", [(), (8,), (8, 8, 2), (8, 8, 5), (8, 8, 3, 1), (8, 8, 0)])
def test_shapes_that_are_no_image(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(f"this array is {shape}")):
        encode(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(("height", "width"), [(0, 5), (5, 0), (65536, 1), (1, 65536)])
@pytest.mark.parametrize("tail", [(), (3,)])
def test_sides_out_of_range(height: int, width: int, tail: tuple[int, ...]) -> None:
    with pytest.raises(
        ValueError, match=f"sides are 1 to 65535 pixels; this image is {width}x{height}"
    ):
        encode(np.zeros((height, width, *tail), np.uint8))


IMAGE = np.zeros((8, 8, 3), np.uint8)
TABLE = np.full((8, 8), 9)


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, "quality must be from 1 to 100, not 0", {"quality": 0}),
        (ValueError, "quality must be from 1 to 100, not 101", {"quality": 101}),
        (TypeError, "quality must be an integer from 1 to 100, not 80.5", {"quality": 80.5}),
        (ValueError, "quality and qtables exclude each other", {"quality": 80, "qtables": TABLE}),
        (
            ValueError,
            "steps of a quantization table are 1 to 65535; these are 0 to 0",
            {"qtables": 0 * TABLE},
        ),
        (ValueError, "these are 65536 to 65536", {"qtables": TABLE + 65527}),
        (TypeError, "integers, not float64", {"qtables": TABLE / 2}),
        (ValueError, "this one is (4, 8, 8)", {"qtables": [TABLE] * 4}),
        (ValueError, "this one is (0, 8, 8)", {"qtables": np.zeros((0, 8, 8), int)}),
        (ValueError, "this one is (8,)", {"qtables": TABLE[0]}),
        (ValueError, "this one is (7, 8)", {"qtables": TABLE[:7]}),
        (
            ValueError,
            "subsampling is one of 4:4:4, 4:2:2, 4:2:0, 4:4:0, 4:1:1, 4:1:0, or 3 pairs (H, V) of "
            "factors 1 to 4, one for each component; not '3:1:1'",
            {"subsampling": "3:1:1"},
        ),
        (ValueError, "not []", {"subsampling": []}),
        (ValueError, "restart_interval is 0 to 65535 MCUs, not -1", {"restart_interval": -1}),
        (ValueError, "restart_interval is 0 to 65535 MCUs, not 65536", {"restart_interval": 65536}),
        (ValueError, "restart_interval is 0 to 65535 MCUs, not 1.0", {"restart_interval": 1.0}),
        (ValueError, "threads is 1 or more, or None for all useful cores, not 0", {"threads": 0}),
        (TypeError, "threads is a number or None, not '2'", {"threads": "2"}),
        (TypeError, "threads is a number or None, not True", {"threads": True}),
    ],
)
def test_wrong_arguments(error: type[Exception], message: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(error, match=re.escape(message)):
        encode(IMAGE, **arguments)


def test_grey_images_have_one_table() -> None:
    with pytest.raises(ValueError, match=r"or 1 such tables for grey, .*; this one is \(2, 8, 8\)"):
        encode(IMAGE[..., 0], qtables=[TABLE, TABLE])


def test_quality_75_is_the_default() -> None:
    image = picture("natural", (20, 20, 3))
    assert encode(image) == encode(image, quality=75, subsampling="4:2:0", optimize=True)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_own_tables_are_written_as_they_are(count: int) -> None:
    """One for all, two for luma and chroma, three for each; equal ones are written once."""
    tables = np.arange(1, 1 + 64 * count).reshape(count, 8, 8)
    image = picture("natural", (20, 20, 3))
    coded = encode(image, qtables=tables)
    header = read_header(coded)
    assert [c.table for c in header.components] == [[0, 0, 0], [0, 1, 1], [0, 1, 2]][count - 1]
    assert all(np.array_equal(header.qtables[i], tables[i]) for i in range(count))
    assert len(header.qtables) == count
    assert encode(image, qtables=tables.reshape(count, 64)) == coded
    assert encode(image, qtables=tables.tolist()) == coded
    if count == 1:
        assert encode(image, qtables=tables[0]) == coded
    assert len(read_header(encode(image, qtables=[tables[0]] * 3)).qtables) == 1


@pytest.mark.parametrize("restart_interval", [0, 1, 3, 8, 9, 10, 100])
def test_restart_markers_stand_between_intervals(restart_interval: int) -> None:
    image = picture("natural", (16, 70, 3))  # nine MCUs of 4:4:4 in each of two rows
    coded = encode(image, subsampling="4:4:4", restart_interval=restart_interval)
    assert read_header(coded).restart_interval == restart_interval
    intervals = oracles.restart_intervals(oracles.file_parts(coded)[1])
    assert len(intervals) == (math.ceil(18 / restart_interval) if restart_interval else 1)
    assert_same_picture(decode(coded), decode(encode(image, subsampling="4:4:4")))


def test_optimal_tables_are_smaller(photo: Bytes) -> None:
    assert len(encode(photo, optimize=True)) < len(encode(photo, optimize=False))


# --- arguments of decode --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        bytes,
        bytearray,
        memoryview,
        lambda b: memoryview(bytearray(b)),
        lambda b: memoryview(b"xx" + b)[2:],
        lambda b: memoryview(np.frombuffer(b, np.int8)),
    ],
)
def test_kinds_of_buffers(kind: Callable[[bytes], Any]) -> None:
    data = seeds()[4]
    assert np.array_equal(decode(kind(data)), decode(data))
    assert read_header(kind(data)).width == 37


@pytest.mark.parametrize("data", ["text", Path("text"), None, 5, [0xFF, 0xD8]])
@pytest.mark.parametrize("function", [decode, read_header])
def test_other_types_are_refused(function: Callable[[Any], object], data: object) -> None:
    with pytest.raises(TypeError, match="JPEG data are bytes"):
        function(data)


def test_a_buffer_is_not_held() -> None:
    """A bytearray can be resized after decoding: no view of it is left."""
    data = bytearray(seeds()[0])
    out = decode(data)
    data.extend(b"more")
    assert np.array_equal(decode(data), out)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True])
def test_wrong_threads(threads: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="threads is"):
        decode(seeds()[0], threads=threads)


@pytest.mark.parametrize("threads", [1, 2, None])
def test_threads_change_nothing(threads: int | None) -> None:
    image = picture("natural", (40, 40, 3))
    coded = encode(image, threads=threads)
    assert coded == encode(image)
    assert np.array_equal(decode(coded, threads=threads), decode(coded))


def test_what_follows_the_end_is_not_looked_at() -> None:
    for data in seeds()[:8]:
        assert np.array_equal(decode(data + b"\xff\xda\0\0" + data), decode(data))


def test_the_result_is_a_new_writable_array() -> None:
    for data in seeds()[:8]:
        out = decode(data)
        assert out.flags.c_contiguous
        assert out.flags.writeable
        assert not np.shares_memory(out, decode(data))


def with_size(data: bytes, height: int, width: int) -> bytes:
    """The file with another size in its frame header."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


@pytest.mark.parametrize("seed", range(8))
def test_a_picture_too_large_is_refused_before_memory_is_taken(seed: int) -> None:
    """4 thousand million pixels would take 12 GB; the answer takes next to none."""
    data = with_size(seeds()[seed], 65500, 65500)
    tracemalloc.start()
    try:
        with pytest.raises(JpegLimitError, match="65500x65500 is 4290250000 pixels") as caught:
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert caught.value.offset == data.index(b"\xff\xc0")
    assert caught.value.marker == "SOF0"


def test_max_pixels() -> None:
    data = encode(picture("natural", (20, 30)))
    assert decode(data, max_pixels=600).shape == (20, 30)
    with pytest.raises(JpegLimitError, match="30x20 is 600 pixels; max_pixels allows 599"):
        decode(data, max_pixels=599)
    with pytest.raises(JpegLimitError, match="178956970"):
        decode(with_size(data, 13378, 13378))


# --- what is said of files that are wrong ---------------------------------------------------------


def replaced(data: bytes, old: bytes, new: bytes) -> bytes:
    assert data.count(old) == 1
    return data.replace(old, new)


def without(data: bytes, code: int, which: int | None = None) -> bytes:
    """The file without its segments of a kind, or without the n-th of them."""
    starts = [s for s in segment_starts(bytearray(data)) if data[s + 1] == code]
    for start in reversed(starts if which is None else [starts[which]]):
        data = data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]
    return data


COLOR = 0  # seeds: 4:4:4
RESTARTS = 4


def broken_files() -> dict[str, tuple[bytes, type[JpegError], str, str | None, bytes | int | None]]:
    """By name: the file, the type, the text and the marker of the error, and where it is: a byte
    offset, or the bytes that stand there."""
    good, restarts = seeds()[COLOR], seeds()[RESTARTS]
    sos = good.index(b"\xff\xda")
    sof = good.index(b"\xff\xc0")
    frame = good[sof : sof + 19]
    rst1 = restarts.index(b"\xff\xd1")
    second = good[:-2] + good[sos:]
    return {
        "nothing": (b"", JpegFormatError, "starts with nothing", None, 0),
        "PNG": (b"\x89PNG\r\n", JpegFormatError, "starts with 89 50 4e 47", None, 0),
        "no scan": (
            good[:sos] + b"\xff\xd9",
            JpegFormatError,
            "the image ends before a scan",
            "EOI",
            sos,
        ),
        "no frame": (
            without(good, 0xC0),
            JpegFormatError,
            "a scan before the frame header",
            "SOS",
            b"\xff\xda",
        ),
        "two frames": (
            good[:sof] + frame + good[sof:],
            JpegFormatError,
            "a second frame header",
            "SOF0",
            sof + 19 + 4,
        ),
        "two starts": (good[:2] + good, JpegFormatError, "a second start of image", "SOI", 2),
        "no DQT": (
            without(good, 0xDB, 0),
            JpegFormatError,
            "quantization table 0 is used, but not defined",
            "SOS",
            None,
        ),
        "no chroma DQT": (
            without(good, 0xDB, 1),
            JpegFormatError,
            "quantization table 1 is used, but not defined",
            "SOS",
            None,
        ),
        "no DC table": (
            without(good, 0xC4, 0),
            JpegFormatError,
            "DC Huffman table 0 is used, but not defined",
            "SOS",
            None,
        ),
        "no AC table": (
            without(good, 0xC4, 3),
            JpegFormatError,
            "AC Huffman table 1 is used, but not defined",
            "SOS",
            None,
        ),
        "12 bits": (
            good[: sof + 4] + b"\x0c" + good[sof + 5 :],
            JpegFormatError,
            "baseline has 8 bits a sample, not 12",
            "SOF0",
            None,
        ),
        "height 0": (
            with_size(good, 0, 8),
            JpegFormatError,
            "the height is 0, and there is no DNL segment behind the scan",
            "SOF0",
            sof + 4 + 1,
        ),
        "width 0": (with_size(good, 8, 0), JpegFormatError, "the width is 0", "SOF0", sof + 4 + 3),
        "other names": (
            replaced(good, b"\3\1\x00\2\x11\3\x11", b"\3\1\x00\2\x11\7\x11"),
            JpegFormatError,
            "component 7 of the scan is none of the frame's",
            "SOS",
            sos + 4,
        ),
        "two scans": (
            second,
            JpegFormatError,
            "a second scan of components that have had one",
            "SOS",
            len(good) + 2,
        ),
        "cut": (
            good[: sos + 20],
            JpegFormatError,
            "entropy-coded data end early, in MCU",
            "SOS",
            sos + 20,
        ),
        "wrong restart": (
            restarts[:rst1] + b"\xff\xd5" + restarts[rst1 + 2 :],
            JpegFormatError,
            "restart marker RST5 where RST1 should be",
            "SOS",
            rst1,
        ),
        "lost restarts": (
            restarts[:rst1] + restarts[restarts.index(b"\xff\xd9") :],
            JpegFormatError,
            "2 restart intervals where 6 should be",
            "SOS",
            None,
        ),
        "no code": (
            good[: sos + 14] + b"\xff\0" * 8 + good[-2:],
            JpegFormatError,
            "bits that are no Huffman code, in MCU 0 of 15",
            "SOS",
            None,
        ),
    }


BROKEN = [
    "nothing", "PNG", "no scan", "no frame", "two frames", "two starts", "no DQT", "no chroma DQT",
    "no DC table", "no AC table", "12 bits", "height 0", "width 0", "other names", "two scans", "cut", "wrong restart", "lost restarts", "no code",
]  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_errors_say_what_and_where(name: str) -> None:
    data, kind, text, marker, where = broken_files()[name]
    with pytest.raises(JpegError) as caught:
        decode(data)
    error = caught.value
    assert type(error) is kind
    assert text in error.reason
    assert error.marker == marker
    if isinstance(where, int):
        assert error.offset == where
    elif where is not None:
        assert error.offset is not None
        assert data[error.offset : error.offset + len(where)] == where
    assert error.offset is None or f"at byte {error.offset}" in str(error)


def test_all_broken_files_are_tested() -> None:
    assert list(broken_files()) == BROKEN


# --- headers --------------------------------------------------------------------------------------


@given(images(largest=40, longest=300), qualities, subsamplings, st.integers(0, 65535))
def test_header(image: Bytes, quality: int, subsampling: str, restart_interval: int) -> None:
    data = encode(
        image, quality=quality, subsampling=subsampling, restart_interval=restart_interval
    )
    header = read_header(data)
    grey = image.ndim == 2
    assert (header.height, header.width) == image.shape[:2]
    assert (header.process, header.precision) == ("baseline", 8)
    assert header.subsampling == ("grey" if grey else subsampling)
    assert header.color == ("grey" if grey else "YCbCr")
    assert [(c.h, c.v) for c in header.components] == (
        [(1, 1)] if grey else list(FACTORS[subsampling])
    )
    assert header.restart_interval == restart_interval
    assert header.jfif
    assert header.adobe_transform is None
    assert header.comments == header.warnings == ()
    assert header.quality_exact
    luma, chroma = standard_qtables(quality)
    assert np.array_equal(header.qtables[0], luma)
    assert np.array_equal(header.qtables[header.components[-1].table], luma if grey else chroma)
    assert header.quality is not None
    assert np.array_equal(standard_qtables(header.quality)[0], luma)


def test_header_of_its_beginning_only() -> None:
    data = seeds()[COLOR]
    sos = data.index(b"\xff\xda")
    assert read_header(data[: sos + 14]).width == 37
    with pytest.raises(JpegFormatError, match="behind the end of the data"):
        read_header(data[: sos + 13])


def test_header_of_what_cannot_be_decoded() -> None:
    header = read_header(seeds()[8])
    assert (header.process, header.width, header.height) == ("progressive", 37, 20)
    target = io.BytesIO()
    Image.new("CMYK", (9, 9), (10, 20, 30, 40)).save(target, "JPEG")
    header = read_header(target.getvalue())
    assert (header.color, header.subsampling, header.adobe_transform) == (
        "CMYK",
        "1x1,1x1,1x1,1x1",
        0,
    )


def test_header_of_own_tables() -> None:
    header = read_header(encode(IMAGE, qtables=standard_qtables(60)[0] // 2 + 1))
    assert header.quality is not None
    assert not header.quality_exact
    header = read_header(without(seeds()[COLOR], 0xDB))
    assert (header.quality, header.quality_exact, header.qtables) == (None, False, {})


def test_comments() -> None:
    data = seeds()[COLOR]
    two = (
        data[:2] + markers.segment_bytes(0xFE, b"one") + markers.segment_bytes(0xFE, b"") + data[2:]
    )
    assert read_header(two).comments == (b"one", b"")
    assert_same_picture(decode(two), decode(data))


@pytest.mark.parametrize(
    ("extra", "warning"),
    [
        (b"\xff\xff\xff", None),
        (b"\0\0\0", "3 bytes that belong to no segment, at byte 2"),
        (b"\x12\xff\0\x34", "4 bytes that belong to no segment, at byte 2"),
        (b"\xff\xd3", "RST3 outside of a scan, at byte 2"),
        (b"\xff\x01", None),
        (b"\xff\xe5\0\4ab", None),
        (b"\xff\xf3\0\2", None),
    ],
)
def test_what_does_no_harm_is_a_warning(extra: bytes, warning: str | None) -> None:
    """Junk, fill bytes, unknown segments between the others: the picture is the same."""
    data = seeds()[COLOR]
    odd = data[:2] + extra + data[2:]
    assert read_header(odd).warnings == (() if warning is None else (warning,))
    assert_same_picture(decode(odd), decode(data))


@pytest.mark.parametrize(
    "tail", [b"", b"\xff", b"\xff\xff", b"\0\0", b"\xff\xe1", b"\xff\xe1\0\x10ab"]
)
def test_a_missing_end_does_no_harm(tail: bytes) -> None:
    for data in seeds()[:8]:
        assert_same_picture(decode(data[:-2] + tail), decode(data))


def test_fill_bytes_in_the_scan_do_no_harm() -> None:
    """Before any marker (T.81 B.1.1.2), so before restart markers and the end too."""
    data = seeds()[RESTARTS]
    filled = data
    for n in range(5):
        filled = replaced(filled, bytes([0xFF, 0xD0 + n]), b"\xff\xff\xff" + bytes([0xD0 + n]))
    filled = filled[:-2] + b"\xff\xff\xff\xd9"
    assert_same_picture(decode(filled), decode(data))
    assert_same_picture(decode(filled), pillow_decode(filled))


def test_an_odd_scan_header_does_no_harm() -> None:
    """Spectral selection means nothing in a sequential scan; libjpeg warns and goes on."""
    data = seeds()[COLOR]
    at = data.index(b"\xff\xda") + 11
    assert_same_picture(decode(data[:at] + b"\0\0\0" + data[at + 3 :]), decode(data))


def test_the_package_says_its_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", pyjpegml.__version__)


@pytest.mark.parametrize("late", ["Adobe", "JFIF"])
def test_a_marker_behind_the_scan_does_not_change_the_colors(late: str) -> None:
    """What the components mean is settled where the scan begins, as in libjpeg."""
    adobe = markers.segment_bytes(markers.APP14, b"Adobe" + bytes([0, 100, 0, 0, 0, 0, 0]))
    data = pyjpegml.encode(picture("natural", (20, 30, 3)), subsampling="4:4:4")
    plain = data[:2] + data[2 + len(markers.jfif_bytes()) :]
    if late == "Adobe":
        data = plain[:-2] + adobe + plain[-2:]
    else:
        data = plain[:2] + adobe + plain[2:-2] + markers.jfif_bytes() + plain[-2:]
    assert_same_picture(pyjpegml.decode(data), pillow_decode(data))


def test_an_error_in_the_scan_is_located_in_the_file() -> None:
    """The offset counts stuffed bytes, and starts anew in each restart interval."""
    image = picture("noise", (64, 64))
    for interval in (0, 5):
        data = pyjpegml.encode(image, quality=95, restart_interval=interval)
        at = data.index(b"\xff\xda") + 1500
        while 0xFF in data[at - 2 : at + 24]:
            at += 1
        broken = data[:at] + b"\xff\0" * 10 + data[at + 20 :]
        with pytest.raises(JpegFormatError) as caught:
            pyjpegml.decode(broken)
        if "no Huffman code" in caught.value.reason:
            assert at <= caught.value.offset <= at + 24
        assert at <= caught.value.offset < len(data)
