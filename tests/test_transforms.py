"""Pictures turned, cropped and made grey without loss: as jpegtran does it, and there and back."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from coefficients import (
    DCT,
    assert_same_arrays,
    assert_same_coefficients,
    behind_end,
    conformance_files,
    metadata_bytes,
    size,
)
from helpers import assert_same_picture, natural, picture
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_exif import tiff
from test_rewriting import CONTAINERS, container

from pyjpegml import (
    JpegUnsupportedError,
    Metadata,
    decode,
    decode_coefficients,
    encode,
    encode_coefficients,
    read_header,
    transform,
)
from pyjpegml.exif import exif_segment, orientation_exif
from pyjpegml.jfif import Jfif
from pyjpegml.markers import segment_bytes
from pyjpegml.testing import Stream, jpeg_streams
from pyjpegml.transforms import TURNS, UPRIGHT

#: How jpegtran calls each turn.
JPEGTRAN = {
    "none": [],
    "flip-horizontal": ["-flip", "horizontal"],
    "flip-vertical": ["-flip", "vertical"],
    "rotate90": ["-rotate", "90"],
    "rotate180": ["-rotate", "180"],
    "rotate270": ["-rotate", "270"],
    "transpose": ["-transpose"],
    "transverse": ["-transverse"],
}
EDGES = {"leave": [], "trim": ["-trim"], "refuse": ["-perfect"]}
INVERSE = {name: name for name in TURNS} | {"rotate90": "rotate270", "rotate270": "rotate90"}
IMAGE = picture("natural", (48, 64, 3))
FILE = encode(IMAGE, quality=80)


def attempted(data: bytes, op: str, **options: object) -> bytes | None:
    """The file, or None if edges are refused."""
    try:
        return transform(data, op, **options)
    except ValueError as error:
        assert "is mirrored in units of" in str(error)
        return None


def unit(data: bytes, transposed: bool) -> tuple[int, int]:
    """Pixels of an MCU of the turned picture."""
    components = read_header(data).components
    if len(components) == 1:
        return 8, 8
    across, down = 8 * max(c.h for c in components), 8 * max(c.v for c in components)
    return (down, across) if transposed else (across, down)


# --- jpegtran -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", conformance_files(), ids=lambda path: path.name)
def test_turns_are_jpegtrans(path: Path, jpegtran: Callable[..., bytes | None]) -> None:
    """For every turn, and whatever is done about the edges."""
    data = path.read_bytes()
    if jpegtran(data, "-optimize") is None:
        pytest.skip("jpegtran refuses this file")
    header = read_header(data)
    for op, options in JPEGTRAN.items():
        across, down = unit(data, TURNS[op][0])
        sides = (header.width, header.height)[:: -1 if TURNS[op][0] else 1]
        tiny = (TURNS[op][1] and sides[0] < across) or (TURNS[op][2] and sides[1] < down)
        for edges, rule in EDGES.items():
            expected = jpegtran(data, "-optimize", *options, *rule)
            got = attempted(data, op, edges=edges, metadata="strip")
            if got is None and edges == "trim":
                assert tiny  # jpegtran leaves those, although it is to trim
            else:
                assert (got is None) == (expected is None)
            if got is not None:
                assert_same_coefficients(got, expected)


@pytest.mark.parametrize("path", conformance_files(), ids=lambda path: path.name)
def test_regions_are_jpegtrans(path: Path, jpegtran: Callable[..., bytes | None]) -> None:
    """Of the picture as it is, and of one that is turned, its edges left."""
    data = path.read_bytes()
    if jpegtran(data, "-optimize") is None:
        pytest.skip("jpegtran refuses this file")
    header = read_header(data)
    rng = np.random.default_rng(0)
    for op in ("none", "flip-horizontal", "rotate90", "transverse"):
        transposed = TURNS[op][0]
        across, down = unit(data, transposed)
        width, height = (header.width, header.height)[:: -1 if transposed else 1]
        for _ in range(3):
            x = int(rng.integers(0, -(-width // across))) * across
            y = int(rng.integers(0, -(-height // down))) * down
            w, h = (int(rng.integers(1, side, endpoint=True)) for side in (width - x, height - y))
            got = transform(data, op, edges="leave", region=(x, y, w, h), metadata="strip")
            expected = jpegtran(data, "-optimize", *JPEGTRAN[op], "-crop", f"{w}x{h}+{x}+{y}")
            assert_same_coefficients(got, expected)


@pytest.mark.parametrize("path", conformance_files(), ids=lambda path: path.name)
def test_grey_is_jpegtrans(path: Path, jpegtran: Callable[..., bytes | None]) -> None:
    """Turned at the same time, in units of its own blocks."""
    data = path.read_bytes()
    if jpegtran(data, "-optimize") is None:
        pytest.skip("jpegtran refuses this file")
    if (expected := jpegtran(data, "-optimize", "-grayscale", "-rotate", "90")) is None:
        with pytest.raises(
            ValueError, match=r"grey is the luma of|the luma of this picture is coa"
        ):
            transform(data, grey=True, metadata="strip")
        return
    got = transform(data, "rotate90", edges="leave", grey=True, metadata="strip")
    assert_same_coefficients(got, expected)


# --- there and back -------------------------------------------------------------------------------


@given(jpeg_streams(processes=DCT), st.sampled_from(sorted(TURNS)), st.booleans())
def test_there_and_back(stream: Stream, op: str, progressive: bool) -> None:
    """Edges that stay where they are stay there twice."""
    there = transform(stream.data, op, edges="leave", progressive=progressive)
    back = transform(there, INVERSE[op], edges="leave")
    assert_same_coefficients(back, stream.data)
    assert behind_end(back) == behind_end(stream.data)


@given(jpeg_streams(processes=DCT), st.lists(st.sampled_from(sorted(TURNS)), max_size=5))
def test_turns_follow_each_other(stream: Stream, turns: list[str]) -> None:
    """A picture of whole MCUs is turned by any number of turns as by the one that they make."""
    found = decode_coefficients(stream.data)
    components = found.header.components
    h, v = max(c.h for c in components), max(c.v for c in components)
    width, height = (side - side % (8 * n) for side, n in zip(size(found), (h, v), strict=True))
    if len(components) == 1:
        width, height = (side - side % 8 for side in size(found))
    if not width or not height:
        return
    data = transform(stream.data, region=(0, 0, width, height))
    corners = np.arange(4).reshape(2, 2)
    once = {name: turned_array(corners, name).tobytes() for name in TURNS}
    turned = data
    for op in turns:
        corners = turned_array(corners, op)
        turned = transform(turned, op)
    (name,) = [name for name, found in once.items() if found == corners.tobytes()]
    assert_same_coefficients(turned, transform(data, name))


def turned_array(array: np.ndarray, op: str) -> np.ndarray:
    """What a turn does to a picture."""
    turns = {
        "none": array,
        "flip-horizontal": array[:, ::-1],
        "flip-vertical": array[::-1],
        "rotate90": np.rot90(array, -1),
        "rotate180": np.rot90(array, 2),
        "rotate270": np.rot90(array, 1),
        "transpose": array.swapaxes(0, 1),
        "transverse": np.rot90(array, 2).swapaxes(0, 1),
    }
    return np.ascontiguousarray(turns[op])


@pytest.mark.parametrize("op", sorted(TURNS))
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1"])
def test_pixels(op: str, subsampling: str) -> None:
    """What is seen is turned as the name says; inverse DCTs round a little differently."""
    data = encode(
        natural((64, 96, 3), np.random.default_rng(1)), quality=90, subsampling=subsampling
    )
    got, expected = decode(transform(data, op)), turned_array(decode(data), op)
    assert got.shape == expected.shape
    assert abs(got.astype(int) - expected).max() <= 3


@given(jpeg_streams(processes=DCT), st.data())
def test_regions(stream: Stream, data: st.DataObject) -> None:
    """The blocks of the region, and no others; all of it is the whole file."""
    found = decode_coefficients(stream.data)
    width, height = size(found)
    across, down = unit(stream.data, False)
    x = data.draw(st.integers(0, (width - 1) // across)) * across
    y = data.draw(st.integers(0, (height - 1) // down)) * down
    w, h = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
    part = decode_coefficients(transform(stream.data, region=(x, y, w, h)))
    assert size(part) == (w, h)
    single = len(found.components) == 1
    for i, component in enumerate(found.header.components):
        rows, columns = part.components[i].shape[:2]
        top = y // down * (1 if single else component.v)
        left = x // across * (1 if single else component.h)
        expected = found.components[i][top : top + rows, left : left + columns]
        assert_same_arrays([part.components[i]], [expected])
    assert_same_coefficients(transform(stream.data, region=(0, 0, width, height)), stream.data)


def test_grey() -> None:
    grey = transform(FILE, grey=True)
    assert_same_picture(decode(grey), decode(FILE, color="grey"))
    assert transform(grey, grey=True) == grey
    both = transform(FILE, "rotate90", grey=True, region=(8, 16, 24, 33))
    assert_same_coefficients(both, transform(transform(grey, "rotate90"), region=(8, 16, 24, 33)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stored_as": "RGB"}, "grey is the luma of YCbCr, and this picture is RGB"),
        (
            {"subsampling": "1x1,2x1,1x1"},
            r"the luma of this picture is coarser than its colour \(1x1,2x1,1x1\)",
        ),
    ],
)
def test_no_grey_to_be_had(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        transform(encode(IMAGE, **options), grey=True)


# --- arguments ------------------------------------------------------------------------------------


def test_edges() -> None:
    data = encode(picture("natural", (40, 50, 3)))
    with pytest.raises(
        ValueError, match="a width of 50 pixels is mirrored in units of 16, of which"
    ):
        transform(data, "flip-horizontal")
    with pytest.raises(
        ValueError, match=r"height of 40 .*'trim' drops 8 of them, and 'leave' leaves"
    ):
        transform(data, "rotate90")
    assert size(decode_coefficients(transform(data, "rotate180", edges="trim"))) == (48, 32)
    assert size(decode_coefficients(transform(data, "transpose", edges="trim"))) == (40, 50)
    narrow = encode(picture("natural", (16, 9, 3)))
    with pytest.raises(ValueError, match="nothing would be left without it, and 'leave' leaves"):
        transform(narrow, "flip-horizontal", edges="trim")
    assert_same_coefficients(transform(narrow, "flip-horizontal", edges="leave"), narrow)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"op": "rotate45"}, "op is one of none, flip-horizontal, .* and orient, not 'rotate45'"),
        ({"edges": "keep"}, "edges is one of refuse, trim, leave, not 'keep'"),
        ({"region": (0, 0, 0, 9)}, r"region is \(x, y, width, height\) within 64x48 pixels; this "),
        ({"region": (-16, 0, 9, 9)}, "within 64x48 pixels"),
        (
            {"region": (0, 0, 9)},
            r"region is \(x, y, width, height\) in whole pixels, not \(0, 0, 9",
        ),
        ({"region": (0, 0, 8.5, 9)}, "in whole pixels"),
        ({"region": (48, 0, 17, 9)}, "within 64x48 pixels"),
        (
            {"region": (24, 17, 10, 10)},
            r"multiples of 16 and 16 pixels in this picture; the smallest one around \(24, 17, 10, "
            r"10\) that does is \(16, 16, 18, 11\)",
        ),
        ({"restart_interval": -1}, "restart_interval is 0 to 65535 MCUs"),
        ({"progressive": "quickly"}, "not 'quickly'"),
        ({"metadata": "all"}, "not 'all'"),
    ],
)
def test_wrong_arguments(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        transform(FILE, **options)


def test_process_and_restarts() -> None:
    """As the input, if nothing is said; and without restart markers."""
    progressive = transform(FILE, progressive=True)
    assert read_header(progressive).process == "progressive"
    assert read_header(transform(progressive, "rotate90")).process == "progressive"
    assert read_header(transform(progressive, progressive=False)).process == "baseline"
    restarts = encode(IMAGE, restart_interval=3)
    assert read_header(transform(restarts)).restart_interval == 0
    assert read_header(transform(restarts, restart_interval=None)).restart_interval == 3


# --- metadata -------------------------------------------------------------------------------------


def exif(orientation: int, order: str = ">", thumbnail: bytes = b"") -> bytes:
    """Exif data with an orientation, a size, and a thumbnail."""

    def directory(entries: list[tuple[int, int, int]], following: int) -> bytes:
        packed = b"".join(
            struct.pack(order + ("HHIHxx" if kind == 3 else "HHII"), tag, kind, 1, value)
            for tag, kind, value in entries
        )
        return struct.pack(order + "H", len(entries)) + packed + struct.pack(order + "I", following)

    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    inner = 8 + 2 + 24 + 4
    second = inner + 2 + 24 + 4
    data = second + 2 + 24 + 4
    return (
        head
        + directory([(0x0112, 3, orientation), (0x8769, 4, inner)], second)
        + directory([(0xA002, 4, 64), (0xA003, 3, 48)], 0)
        + directory([(0x0201, 4, data), (0x0202, 4, len(thumbnail))], 0)
        + thumbnail
    )


def shown(exif_data: bytes, order: str) -> tuple[int, int]:
    """The size that they say."""
    inner = 8 + 2 + 24 + 4
    (width,) = struct.unpack_from(order + "I", exif_data, inner + 2 + 8)
    (height,) = struct.unpack_from(order + "H", exif_data, inner + 2 + 12 + 8)
    return width, height


def with_metadata(data: bytes, metadata: Metadata) -> bytes:
    return encode_coefficients(decode_coefficients(data), metadata=metadata)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", "<>")
def test_orient(orientation: int, order: str) -> None:
    """Upright, and said to be; what shows the old picture is gone, all else is there."""
    packet = (
        f"<x xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='{orientation}' "
        "other:Orientation='6'/>"
    )
    metadata = Metadata.made_of(
        jfif=Jfif((1, 2), 1, (300, 200)), exif=exif(orientation, order, b"a thumbnail"),
        xmp=packet.encode(), icc=bytes([0, 0, 0, 200]) + bytes(196), comments=[b"kept"],
    )  # fmt: skip
    data = with_metadata(FILE, metadata)
    upright = transform(data, "orient")
    assert_same_coefficients(upright, transform(FILE, UPRIGHT[orientation]))
    got = read_header(upright).metadata
    assert got.orientation == 1
    assert b"tiff:Orientation='1' other:Orientation='6'" in got.xmp
    assert got.icc == metadata.icc
    assert got.comments == metadata.comments
    if orientation == 1:
        assert got == metadata
        return
    swapped = orientation > 4
    assert shown(got.exif, order) == ((48, 64) if swapped else (64, 48))
    assert got.jfif.density == ((200, 300) if swapped else (300, 200))
    assert b"thumbnail" not in got.exif
    assert got.warnings == ()
    assert transform(upright, "orient") == upright


@pytest.mark.parametrize("order", "<>")
def test_a_long_orientation_is_applied_and_reset(order: str) -> None:
    long = tiff(order, [(0x0112, 4, 1, struct.pack(order + "I", 6))])
    data = with_metadata(FILE, Metadata.made_of(exif=long))
    upright = transform(data, "orient")
    assert_same_coefficients(upright, transform(FILE, "rotate90"))
    expected = tiff(order, [(0x0112, 4, 1, struct.pack(order + "I", 1))])
    assert read_header(upright).metadata.exif == expected
    assert transform(upright, "orient") == upright


def test_an_orientation_that_is_not_applied_is_not_reset() -> None:
    """What lies turned by XMP alone, or by a tag that makes no sense, is left to who reads it."""
    packet = b"<x xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='6'/>"
    for exif_data in (None, exif(1), exif(9), tiff("<", [(0x0112, 1, 1, b"\6\0\0\0")])):
        metadata = Metadata.made_of(exif=exif_data, xmp=packet)
        data = with_metadata(FILE, metadata)
        assert read_header(transform(data, "orient")).metadata == metadata


def test_resolutions_go_with_their_sides() -> None:
    entries = [(tag, 5, 1, struct.pack("<I", at)) for tag, at in ((0x011A, 38), (0x011B, 46))]
    exif_data = tiff("<", entries) + struct.pack("<5I", 0, 300, 1, 200, 1)
    data = with_metadata(FILE, Metadata.made_of(exif=exif_data))
    for op, expected in (("rotate90", (200, 300)), ("rotate180", (300, 200))):
        with Image.open(io.BytesIO(transform(data, op))) as image:
            assert (image.getexif()[0x011A], image.getexif()[0x011B]) == expected


@pytest.mark.parametrize("process", DCT)
@given(data=st.data(), orientation=st.integers(2, 8))
def test_orient_takes_all_processes(process: str, orientation: int, data: st.DataObject) -> None:
    """Arithmetic and progressive ones, with restart markers and odd sizes."""
    stream: Stream = data.draw(jpeg_streams(processes=[process]))
    segment = segment_bytes(*exif_segment(orientation_exif(orientation)))
    lying = stream.data[:2] + segment + stream.data[2:]
    upright = transform(lying, "orient", edges="leave")
    assert_same_coefficients(upright, transform(stream.data, UPRIGHT[orientation], edges="leave"))
    assert read_header(upright).metadata.orientation == 1


@pytest.mark.parametrize("orientation", range(2, 9))
def test_real_orientations(conformance: Path, orientation: int) -> None:
    data = (conformance / "valid" / f"Pillow__hopper_orientation_{orientation}.jpg").read_bytes()
    upright = transform(data, "orient")
    difference = decode(upright).astype(int) - decode(data, apply_orientation=True)
    assert abs(difference).max() <= 3
    assert read_header(upright).metadata.orientation == 1


def test_metadata_stay_as_they_are_if_the_picture_does() -> None:
    metadata = Metadata.made_of(exif=exif(6, thumbnail=b"a thumbnail"), comments=[b"kept"])
    data = with_metadata(FILE, metadata)
    assert read_header(transform(data)).metadata == metadata
    stripped = read_header(transform(data, "rotate180", metadata="strip")).metadata
    assert stripped.orientation == 6
    assert stripped == stripped.only("Exif")
    given = Metadata.made_of(comments=[b"other"])
    assert read_header(transform(data, "rotate180", metadata=given)).metadata == given


def test_exif_in_several_segments() -> None:
    """They are changed where they lie, and cut where they were."""
    whole = exif(6, thumbnail=bytes(range(100)) * 9)
    parts = [whole[:50], whole[50:700], whole[700:]]
    metadata = Metadata(tuple((0xE1, b"Exif\0\0" + part) for part in parts))
    got = read_header(transform(with_metadata(FILE, metadata), "orient")).metadata
    expected = read_header(
        transform(with_metadata(FILE, Metadata.made_of(exif=whole)), "orient")
    ).metadata
    assert got.exif == expected.exif
    assert len(got.segments[0][1]) == 56


def test_no_thumbnail_shows_what_was_cropped_away() -> None:
    """In none of the places for them."""
    secret = bytes(range(1, 13))
    jfif = b"JFIF\0" + bytes([1, 2, 0, 0, 1, 0, 1, 2, 2]) + secret
    jfxx = b"JFXX\0" + bytes([0x13, 2, 2]) + secret
    segments = ((0xE0, jfif), (0xE0, jfxx), (0xE1, b"Exif\0\0" + exif(1, thumbnail=secret)))
    data = with_metadata(FILE, Metadata(segments))
    assert data.count(secret) == 3
    assert secret not in transform(data, region=(0, 0, 16, 16))
    assert len(metadata_bytes(transform(data, region=(0, 0, 16, 16)))) == 2
    assert transform(data).count(secret) == 3


def test_profiles_of_grey_pictures() -> None:
    """One for colours does not fit them."""
    for space, kept in ((b"RGB ", False), (b"GRAY", True)):
        profile = bytes(16) + space + bytes(180)
        data = with_metadata(FILE, Metadata.made_of(icc=profile))
        assert (read_header(transform(data, grey=True)).metadata.icc == profile) is kept
        assert read_header(transform(data, "rotate90")).metadata.icc == profile


@pytest.mark.parametrize(
    "options", [{"op": "rotate90"}, {"region": (0, 0, 16, 16)}, {"grey": True}]
)
def test_other_images_would_no_longer_fit(options: dict[str, object]) -> None:
    data = container(FILE, [encode(IMAGE[:8, :8])])
    with pytest.raises(
        JpegUnsupportedError, match=r"follow the first \(gain map\), which would no"
    ):
        transform(data, **options)
    assert_same_coefficients(
        transform(data, metadata="strip", **options), transform(FILE, **options)
    )


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_that_are_not_turned(conformance: Path, name: str) -> None:
    data = (conformance / "valid" / name).read_bytes()
    for op in ("none", "orient"):
        made = transform(data, op, progressive=True)
        assert_same_coefficients(made, data)
        (old,), (new,) = read_header(data).metadata.images, read_header(made).metadata.images
        assert made[new.offset : new.offset + new.size] == data[old.offset : old.offset + old.size]


def test_motion_photos_keep_their_video() -> None:
    packet = (
        "<r:Description xmlns:C='http://ns.google.com/photos/1.0/container/' "
        "xmlns:I='http://ns.google.com/photos/1.0/container/item/'><C:Item "
        "I:Semantic='MotionPhoto' I:Mime='video/mp4' I:Length='9'/></r:Description>"
    )
    data = with_metadata(FILE, Metadata.made_of(xmp=packet.encode())) + b"the video"
    assert behind_end(transform(data, "rotate90")) == b"the video"


def test_broken_exif_is_left_alone() -> None:
    for broken in (b"", b"MM\0*", tiff(">", [])[:9], exif(6)[:30], b"II*\0\xff\xff\xff\xff"):
        data = with_metadata(FILE, Metadata.made_of(exif=broken))
        assert read_header(transform(data, "rotate90")).metadata.exif == broken
