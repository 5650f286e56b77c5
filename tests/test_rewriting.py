"""Files written anew: the same coefficients, no byte more, and all metadata."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from coefficients import (
    DCT,
    assert_same_coefficients,
    behind_end,
    conformance_files,
    factors,
    metadata_bytes,
    scan_intervals,
)
from helpers import SUBSAMPLINGS, assert_same_picture, images, picture
from hypothesis import given
from hypothesis import strategies as st
from test_containers import index

from pyjpegml import (
    Coefficients,
    JpegError,
    JpegFormatError,
    JpegUnsupportedError,
    Metadata,
    decode,
    decode_coefficients,
    encode,
    encode_coefficients,
    markers,
    read_header,
    recode,
)
from pyjpegml.jfif import Adobe, Jfif
from pyjpegml.testing import Corrupted, Stream, corrupted, jpeg_streams

IMAGE = picture("natural", (40, 56, 3))
FILE = encode(IMAGE, quality=80)
PROGRESSIVE = [False, True]

# --- encode_coefficients --------------------------------------------------------------------------


@pytest.mark.parametrize("process", DCT)
@given(data=st.data(), progressive=st.booleans())
def test_nothing_is_lost(process: str, data: st.DataObject, progressive: bool) -> None:
    stream: Stream = data.draw(jpeg_streams(processes=[process]))
    found = decode_coefficients(stream.data)
    written = encode_coefficients(found, progressive=progressive)
    assert_same_coefficients(written, found)
    again = decode_coefficients(written).header
    assert factors(decode_coefficients(written)) == factors(found)
    assert again.metadata == found.header.metadata.without("MPF")
    assert again.color == found.header.color
    assert again.restart_interval == found.header.restart_interval


def test_what_a_file_is_called() -> None:
    """Baseline where it can be; T.81 Table B.2 has larger steps and samples in other processes."""
    found = decode_coefficients(FILE)
    assert read_header(encode_coefficients(found)).process == "baseline"
    wide = replace(found, qtables=[np.full((8, 8), 256)] * 3)
    assert read_header(encode_coefficients(wide)).process == "extended sequential"
    deep = replace(found, header=replace(found.header, precision=12))
    assert read_header(encode_coefficients(deep)).process == "extended sequential"
    assert read_header(encode_coefficients(deep, progressive=True)).process == "progressive"


def test_standard_tables() -> None:
    found = decode_coefficients(FILE)
    written = encode_coefficients(found, optimize=False)
    assert written == encode(IMAGE, quality=80, optimize=False)
    deep = replace(found, header=replace(found.header, precision=12))
    for coefficients, progressive in ((deep, False), (found, True)):
        with pytest.raises(ValueError, match="Annex K's Huffman tables are for sequential files"):
            encode_coefficients(coefficients, optimize=False, progressive=progressive)


def test_tables_and_scans_that_do_not_go_together() -> None:
    found = decode_coefficients(FILE)
    apart = encode_coefficients(found, optimize="scans")
    assert apart == encode(IMAGE, quality=80, optimize="scans")
    for optimize, progressive in (("best", False), ("scans", True)):
        with pytest.raises(ValueError, match="optimize is a bool, or of sequential files 'scans'"):
            encode_coefficients(found, optimize=optimize, progressive=progressive)


@pytest.mark.parametrize("precision", [8, 12])
@pytest.mark.parametrize("progressive", PROGRESSIVE)
def test_the_largest_coefficients(precision: int, progressive: bool) -> None:
    """Every one at its limits, in turn: the longest codes and differences that there are."""
    most = (4 << precision) - 1
    found = changed(decode_coefficients(FILE), precision)
    for i, blocks in enumerate(found.components):
        signs = np.indices(blocks.shape).sum(0) % 2 * 2 - 1
        blocks[...] = signs * most
        blocks[..., 0, 0] -= signs[..., 0, 0] < 0
        assert (blocks[..., 0, 0].min(), blocks.max()) == (-most - 1, most), i
    assert_same_coefficients(encode_coefficients(found, progressive=progressive), found)


def changed(found: Coefficients, precision: int = 8) -> Coefficients:
    return replace(
        found,
        components=[blocks.copy() for blocks in found.components],
        header=replace(found.header, precision=precision),
    )


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((1, 2, 0, 0), 1024, r"\[0, 0\] of block \(1, 2\) of component 1 is 1024; with 8 bits a "),
        ((1, 2, 0, 0), -1025, r"is -1025; with 8 bits a sample it is -1024 to 1023"),
        ((0, 3, 5, 6), -1024, r"\[5, 6\] of block \(0, 3\) of component 1 is -1024; .* -1023 to "),
    ],
)
def test_coefficients_beyond_their_range(place: tuple, value: int, message: str) -> None:
    found = changed(decode_coefficients(FILE))
    found.components[1][place] = value
    with pytest.raises(ValueError, match=message):
        encode_coefficients(found)


def other(found: Coefficients, **fields: object) -> Coefficients:
    return replace(found, **fields)


def header(found: Coefficients, **fields: object) -> Coefficients:
    return replace(found, header=replace(found.header, **fields))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda c: other(c, components=c.components[:2]),
            ValueError,
            "the header has 3 components; there are coefficients of 2 and quantization tables of 3",
        ),
        (
            lambda c: other(c, components=[c.components[0], *c.components[:2]]),
            ValueError,
            r"component 1 of 56x40 pixels has coefficients of shape \(3, 4, 8, 8\), not \(5, 7, 8",
        ),
        (
            lambda c: other(c, components=[b.astype(float) for b in c.components]),
            TypeError,
            "coefficients are integers, and those of component 0 float64",
        ),
        (
            lambda c: other(c, qtables=[np.zeros((8, 8), int)] * 3),
            ValueError,
            "steps of a quantization table are 1 to 65535; those of component 0 are 0 to 0",
        ),
        (
            lambda c: other(c, qtables=[np.ones(64, int)] * 3),
            ValueError,
            r"\(8, 8\) integers; that of component 0 is \(64,\) int64",
        ),
        (lambda c: header(c, precision=9), ValueError, "not 9 bits and 3 components"),
    ],
)
def test_coefficients_that_do_not_fit(
    change: Callable[[Coefficients], Coefficients], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        encode_coefficients(change(decode_coefficients(FILE)))


@pytest.mark.parametrize("interval", [-1, 65536, True, 1.0])
def test_no_restart_interval(interval: object) -> None:
    with pytest.raises(ValueError, match="restart_interval is 0 to 65535 MCUs, or None for that"):
        encode_coefficients(decode_coefficients(FILE), restart_interval=interval)


@pytest.mark.parametrize("metadata", ["kept", None, b""])
def test_no_metadata(metadata: object) -> None:
    with pytest.raises(ValueError, match='metadata is "keep", "strip" or a Metadata object, not '):
        recode(FILE, metadata=metadata)


# --- recode ---------------------------------------------------------------------------------------


def assert_recoded(data: bytes, **options: object) -> bytes:
    """Not larger, the same picture, and a fixed point."""
    made = recode(data, **options)
    assert len(made) <= len(data)
    assert_same_coefficients(made, data)
    assert_same_picture(decode(made), decode(data))
    assert recode(made, **options) == made
    return made


@pytest.mark.parametrize("process", DCT)
@given(data=st.data(), progressive=st.booleans())
def test_streams(process: str, data: st.DataObject, progressive: bool) -> None:
    """Everything is kept: also what stands between scans, and behind the end."""
    stream: Stream = data.draw(jpeg_streams(processes=[process], complete=False))
    made = assert_recoded(stream.data, progressive=progressive)
    if not stream.complete:
        assert made == stream.data
    assert metadata_bytes(made) == metadata_bytes(stream.data)
    assert behind_end(made) == behind_end(stream.data)


@given(jpeg_streams(processes=DCT, complete=False), st.booleans())
def test_without_metadata(stream: Stream, progressive: bool) -> None:
    """Only what decides how the picture looks is left."""
    made = assert_recoded(stream.data, progressive=progressive, metadata="strip")
    assert behind_end(made) == b""
    kept = Metadata(tuple(metadata_bytes(made)))
    assert kept == kept.only("JFIF", "Adobe", "Exif", "ICC profile")
    assert_same_coefficients(recode(stream.data, metadata=Metadata()), stream.data)
    assert_same_picture(decode(recode(stream.data, metadata=Metadata())), decode(stream.data))


@pytest.mark.parametrize("progressive", PROGRESSIVE)
@pytest.mark.parametrize("path", conformance_files(), ids=lambda path: path.name)
def test_conformance(path: Path, progressive: bool, jpegtran: Callable[..., bytes | None]) -> None:
    """Never larger than what jpegtran makes."""
    data = path.read_bytes()
    made = assert_recoded(data, progressive=progressive)
    assert_recoded(data, progressive=progressive, metadata="strip")
    options = ["-progressive"] if progressive else ["-optimize"]
    if theirs := jpegtran(data, "-copy", "all", *options):
        assert_same_coefficients(made, theirs)
        assert coded_size(made) <= coded_size(theirs)


def coded_size(data: bytes) -> int:
    """Bytes of a file's first image, without its metadata: jpegtran drops JFIF's thumbnails."""
    metadata = sum(4 + len(payload) for _, payload in metadata_bytes(data))
    return len(data) - len(behind_end(data)) - metadata


def test_what_is_saved() -> None:
    """Markers and tables that are not needed; and coefficients in a better order."""
    data = encode(IMAGE, quality=80, optimize=False, restart_interval=1)
    sequential = recode(data, progressive=False)
    assert sequential == recode(FILE, progressive=False)
    assert len(sequential) <= len(FILE) < len(data)
    assert read_header(recode(data, restart_interval=None)).restart_interval == 1
    large = encode(picture("natural", (200, 300, 3)), quality=80)
    assert len(recode(large)) < len(recode(large, progressive=False)) <= len(large)


@given(
    jpeg_streams(processes=DCT), st.sampled_from([False, True, "search"]),
    st.sampled_from([0, 1, 3, 60000]), st.booleans(),
)  # fmt: skip
def test_a_restart_interval_that_is_asked_for_is_there(
    stream: Stream, progressive: bool | str, interval: int, strip: bool
) -> None:
    """In all scans, and even if that makes the file larger; and it stays there."""
    metadata = "strip" if strip else "keep"
    made = recode(
        stream.data, progressive=progressive, restart_interval=interval, metadata=metadata
    )
    assert set(scan_intervals(made)) == {interval}
    assert_same_coefficients(made, stream.data)
    again = recode(made, progressive=progressive, restart_interval=interval, metadata=metadata)
    assert again == made
    kept = recode(stream.data, progressive=progressive, restart_interval=None)
    assert len(kept) <= len(stream.data)


def test_restart_intervals_that_were_left_behind() -> None:
    """Where nothing is saved the input comes back; but not if its interval is not the wanted one."""
    small = recode(FILE, progressive="search")
    assert recode(small) == small
    assert scan_intervals(recode(small, restart_interval=1, progressive=False)) == [1]
    marked = encode(IMAGE, quality=80, progressive=True, restart_rows=1)
    assert len(recode(marked, progressive=False, restart_interval=None)) <= len(marked)
    assert scan_intervals(recode(marked, progressive=False, restart_interval=0)) == [0]


def test_files_that_stop_early_keep_their_restart_interval() -> None:
    data = encode(IMAGE, progressive=True, restart_interval=2)
    early = data[: data.rindex(b"\xff\xda")] + b"\xff\xd9"
    assert recode(early) == recode(early, restart_interval=2) == early
    with pytest.raises(ValueError, match="intervals are 2, and cannot become 3"):
        recode(early, restart_interval=3)


@given(images(), st.integers(1, 100), st.sampled_from(SUBSAMPLINGS))
def test_search_is_never_larger_than_any_other_way(
    image: npt.NDArray[np.uint8], quality: int, subsampling: str
) -> None:
    options = {"quality": quality, "subsampling": subsampling}
    best = recode(encode(image, **options), progressive="search")  # type: ignore[call-overload]
    for way in ({"optimize": "scans"}, {"progressive": "search"}, {}):
        assert len(best) <= len(encode(image, **options, **way))  # type: ignore[call-overload]


def test_lossless_pictures_are_refused() -> None:
    with pytest.raises(JpegUnsupportedError, match="a lossless picture has samples, and no coeff"):
        recode(encode(IMAGE, lossless=True))


def test_coefficients_beyond_their_range_are_refused() -> None:
    """With the sum of differences; each of them is legal."""
    data = bytearray(encode(np.full((8, 80), 255, np.uint8), quality=100, optimize=False))
    scan = data.index(b"\xff\xda") + 10
    bits = ("11110" + "1111111" + "1010") * 10  # each DC is 127 more than the one before
    coded = int(bits, 2).to_bytes(20, "big").replace(b"\xff", b"\xff\0")
    broken = bytes(data[:scan]) + coded + b"\xff\xd9"
    with pytest.raises(
        JpegFormatError, match=r"block \(0, 8\) of component 0 is 1143; with 8 bits"
    ):
        recode(broken)


@pytest.mark.hostile
@given(corrupted(max_faults=2), st.booleans())
def test_damaged_files(damaged: Corrupted, progressive: bool) -> None:
    """A file with the same pixels, or a JpegError; and never anything else."""
    try:
        made = recode(damaged.data, progressive=progressive)
    except JpegError:
        return
    assert len(made) <= len(damaged.data)
    assert_same_picture(decode(made), decode(damaged.data))


# --- metadata -------------------------------------------------------------------------------------


def with_segments(data: bytes, *segments: tuple[int, bytes]) -> bytes:
    return data[:2] + b"".join(markers.segment_bytes(*s) for s in segments) + data[2:]


def test_other_metadata_may_be_larger() -> None:
    profile = bytes(70_000)
    metadata = Metadata.made_of(icc=profile, comments=[b"new"])
    made = recode(FILE, metadata=metadata)
    assert read_header(made).metadata == metadata
    assert read_header(encode_coefficients(decode_coefficients(made))).metadata.icc == profile


@pytest.mark.parametrize(
    ("color", "stored_as"), [("RGB", "RGB"), ("CMYK", "CMYK"), ("CMYK", "YCCK"), ("RGB", "YCbCr")]
)
@pytest.mark.parametrize("jfif", [False, True])
def test_colours_stay_what_they_are(color: str, stored_as: str, jfif: bool) -> None:
    """Whatever markers the metadata bring with them."""
    image = picture("natural", (24, 24, 3))
    image = image if color == "RGB" else np.dstack([image, image[..., 0]])
    data = encode(image, color=color, stored_as=stored_as)
    wrong = Metadata.made_of(
        jfif=Jfif((1, 1), 1, (72, 72)) if jfif else None, adobe=Adobe(100, 0, 0, 1), comments=[b"c"]
    )
    for made in (
        recode(data, metadata=wrong),
        encode_coefficients(decode_coefficients(data), metadata=wrong),
        recode(data, metadata=Metadata()),
    ):
        assert read_header(made).color == stored_as
        assert_same_picture(decode(made), decode(data))
    assert read_header(recode(data, metadata=wrong)).comments == (b"c",)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"lossless": True},
        {"stored_as": "RGB"},
        {"stored_as": "grey"},
        {"stored_as": "RGB", "lossless": True},
    ],
    ids=str,
)
def test_encode_takes_metadata(options: dict[str, object]) -> None:
    """Those of a file, or others; the picture stays the same."""
    metadata = Metadata.made_of(
        jfif=Jfif((1, 2), 1, (300, 300)), exif=b"II*\0\x08\0\0\0\0\0", icc=bytes(99_000),
        comments=[b"one", b"two"],
    )  # fmt: skip
    data = encode(IMAGE, metadata=metadata, **options)
    assert_same_picture(decode(data), decode(encode(IMAGE, **options)))
    found = read_header(data)
    assert found.color == read_header(encode(IMAGE, **options)).color
    kinds = ("JFIF", "Adobe")
    assert found.metadata.without(*kinds) == metadata.without(*kinds)
    assert (found.metadata == metadata) == (found.color != "RGB")
    assert encode(IMAGE, metadata=found.metadata, **options) == data


def test_encode_takes_metadata_only() -> None:
    with pytest.raises(TypeError, match=r"metadata is a Metadata object, such as .*, not 'keep'"):
        encode(IMAGE, metadata="keep")
    with pytest.raises(ValueError, match="APP5 segment holds at most 65533 bytes, not 65534"):
        encode(IMAGE, metadata=Metadata(((0xE5, bytes(65534)),)))


def container(
    first: bytes, others: list[bytes], order: str = ">", gap: bytes = b"", early: bool = False
) -> bytes:
    """A file whose MPF index lists other images behind the first."""
    empty = with_segments(first, (0xE2, b"MPF\0" + index([(0, 0, 0)] * (1 + len(others)), order)))
    base = empty.index(b"MPF\0") + 4
    entries = [(0x030000, len(empty), 0)]
    at = len(empty) + len(gap)
    for other_image in others:
        entries.append((0x050000, len(other_image), 1 if early else at - base))
        at += len(other_image)
    filled = with_segments(first, (0xE2, b"MPF\0" + index(entries, order)))
    return filled + gap + b"".join(others)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("progressive", PROGRESSIVE)
@pytest.mark.parametrize("gap", [b"", bytes(7)])
def test_images_behind_the_first(order: str, progressive: bool, gap: bytes) -> None:
    """They are where the index says, byte for byte; and the first has the size that it says."""
    others = [encode(IMAGE[:8, :8]), encode(IMAGE[..., 0])]
    data = container(encode(IMAGE, optimize=False), others, order, gap)
    made = recode(data, progressive=progressive)
    assert len(made) < len(data)
    images = read_header(made).metadata.images
    assert [made[i.offset : i.offset + i.size] for i in images] == others
    assert behind_end(made) == behind_end(data)
    (mpf,) = read_header(made).metadata.contents("MPF")
    (size,) = struct.unpack_from(order + "I", mpf, 50 + 4)
    assert size == len(made) - len(behind_end(made))
    assert recode(made, progressive=progressive) == made


def test_an_index_that_cannot_be_kept_right() -> None:
    data = container(encode(IMAGE, optimize=False), [FILE], early=True)
    with pytest.raises(JpegUnsupportedError, match="within the first image, which ends at byte "):
        recode(data)
    assert read_header(recode(data, metadata="strip")).metadata.images == ()


def test_an_index_is_left_out_where_the_images_are() -> None:
    data = container(encode(IMAGE, optimize=False), [FILE])
    found = decode_coefficients(data)
    assert len(found.header.metadata.images) == 1
    assert read_header(encode_coefficients(found)).metadata.images == ()
    assert read_header(recode(data, metadata=found.header.metadata)).metadata.images == ()


CONTAINERS = [
    "imagecodecs__rgba.uhdr",
    "libavif__paris_exif_xmp_gainmap_bigendian.jpg",
    "Pillow__frame_size.mpo",
]


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("progressive", PROGRESSIVE)
def test_real_containers(conformance: Path, name: str, progressive: bool) -> None:
    data = (conformance / "valid" / name).read_bytes()
    made = recode(data, progressive=progressive)
    assert len(made) < len(data)
    before, after = read_header(data).metadata.images, read_header(made).metadata.images
    assert len(before) == len(after) == 1
    (old,), (new,) = before, after
    assert made[new.offset : new.offset + new.size] == data[old.offset : old.offset + old.size]
    decode(made[new.offset :])
    assert new.kind == old.kind
