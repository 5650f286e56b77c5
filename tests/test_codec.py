"""Encoder and decoder together: equal to libjpeg-turbo, bounded in error, safe on any bytes."""

from __future__ import annotations

import math
import re
import tracemalloc
from collections.abc import Callable
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
from sound_files import seeds, segment_starts, with_size

import pyjpegml
from pyjpegml import (
    JpegError,
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
