"""Metadata: kept byte for byte, never copied before it is asked for, and what colours mean."""

from __future__ import annotations

import io
import pickle
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from helpers import CONFORMANCE
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, JpegImagePlugin
from test_containers import PRIMARY, index
from test_jfif import adobe, marker
from test_xmp import naming

import pyjpegml
from pyjpegml import exif, icc, markers, segments, xmp
from pyjpegml.containers import OtherImage
from pyjpegml.icc import icc_segments
from pyjpegml.jfif import Adobe, Jfif, adobe_segment, jfif_segment
from pyjpegml.markers import Frame, FrameComponent
from pyjpegml.metadata import (
    KINDS,
    MOST_WARNINGS,
    ColorModel,
    Metadata,
    appearance,
    color_model,
    kind,
    metadata_segments,
    with_color_model,
    with_metadata,
)
from pyjpegml.segments import comment_segment

PROPERTIES = (
    "exif", "orientation", "icc", "xmp", "extended_xmp", "jfif", "thumbnails", "adobe", "comments",
    "images", "gain_map", "others", "warnings",
)  # fmt: skip


def head(data: bytes) -> Metadata:
    """The metadata of a file up to its first scan."""
    view, position, found = memoryview(data), 0, []
    while not found or found[-1].code != markers.SOS:
        found.append(markers.next_segment(view, position, []))
        position = found[-1].end
    return Metadata.of(found)


def beginning(parts: tuple[tuple[int, bytes | memoryview], ...]) -> bytes:
    """How a file with these segments begins."""
    body = b"".join(markers.segment_bytes(code, bytes(payload)) for code, payload in parts)
    return b"\xff\xd8" + body


def written(parts: tuple[tuple[int, bytes | memoryview], ...]) -> bytes:
    """A file that is nothing but metadata, up to a scan."""
    return beginning(parts) + markers.scan_bytes([(1, 0, 0)])


# --- kept byte for byte ---------------------------------------------------------------------------

codes = st.one_of(st.integers(0xE0, 0xEF), st.just(markers.COM))
signed = st.sampled_from(sorted(KINDS.values()))
any_segments = st.lists(
    st.one_of(
        st.tuples(codes, st.binary(max_size=60)),
        st.builds(lambda s, data: (s[0], s[1] + data), signed, st.binary(max_size=60)),
    )
).map(tuple)


@pytest.mark.hostile
@given(any_segments)
def test_any_segments_are_kept_and_read(parts):
    data = written(parts)
    metadata = head(data)
    assert metadata.segments == parts
    assert metadata == Metadata(parts)
    assert written(metadata.segments) == data
    for name in PROPERTIES:
        assert getattr(metadata, name) is not None or name in (
            "exif", "icc", "xmp", "extended_xmp", "jfif", "adobe", "gain_map",
        )  # fmt: skip
    assert 1 <= metadata.orientation <= 8
    assert metadata.unlisted_bytes(len(data), len(data) + 50) <= 50
    for code, offset in zip((c for c, _ in parts), metadata.offsets, strict=True):
        assert data[offset : offset + 2] == bytes([0xFF, code])


@given(any_segments)
def test_metadata_outlive_their_input(parts):
    data = bytearray(written(parts))
    metadata = head(data)
    copies = [metadata.detached(), pickle.loads(pickle.dumps(metadata))]
    data[:] = bytes(len(data))
    for copy in copies:
        assert copy == Metadata(parts)
        assert copy.offsets == metadata.offsets
        assert all(type(payload) is bytes for _, payload in copy.segments)


def test_everything_at_once_comes_back():
    profile, extended = bytes(range(256)) * 1000, b"extended" * 20_000
    parts = (
        marker(density=(72, 72)),
        exif.exif_segment(b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0"),
        *xmp.xmp_segments(naming(extended), extended),
        *icc.icc_segments(profile),
        (0xE2, b"MPF\0" + index([PRIMARY, (0, 7, 99)])),
        (0xED, b"Photoshop 3.0\0"),
        adobe(1),
        segments.comment_segment(b"one"),
        segments.comment_segment(b""),
    )
    metadata = head(written(parts))
    assert metadata.jfif is not None
    assert metadata.jfif.density == (72, 72)
    assert metadata.orientation == 6
    assert metadata.xmp == naming(extended)
    assert metadata.extended_xmp == extended
    assert metadata.icc == profile
    assert metadata.others == ((0xED, b"Photoshop 3.0\0"),)
    assert metadata.adobe is not None
    assert metadata.comments == (b"one", b"")
    at = metadata.offsets[[kind(*part) for part in parts].index("MPF")]
    assert [(image.offset, image.size) for image in metadata.images] == [(at + 8 + 99, 7)]
    assert metadata.warnings == (
        f"ICC profile: the profile says it has {0x00010203} bytes, and it has 256000",
    )


def test_a_comment_fills_a_segment_and_no_more():
    code, payload = segments.comment_segment(bytes(65533))
    assert len(markers.segment_bytes(code, payload)) == 65537
    with pytest.raises(ValueError, match="at most 65533 bytes, not 65534"):
        segments.comment_segment(bytes(65534))


def test_nothing_is_copied_before_it_is_asked_for():
    data = written(tuple(icc.icc_segments(bytes(255 * 65519))))
    tracemalloc.start()
    metadata = head(data)
    read = metadata.jfif, metadata.adobe, metadata.orientation, metadata.images
    warnings = metadata.warnings
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read == (None, None, 1, ())
    assert len(warnings) == 1
    assert peak < 400_000
    assert metadata.icc == bytes(255 * 65519)


@pytest.mark.hostile
@pytest.mark.parametrize("name", sorted(KINDS))
def test_many_segments_are_few_warnings(name):
    code, signature = KINDS[name]
    for data in (b"", b"\1\2x", bytes(50)):
        metadata = Metadata(((code, signature + data),) * 20_000)
        assert len(metadata.warnings) <= MOST_WARNINGS + 1
        assert len(metadata.comments) == (20_000 if name == "comment" else 0)


def test_the_representation_names_kinds_and_not_bytes():
    metadata = Metadata((marker(), adobe(0), (0xED, bytes(99))))
    assert repr(metadata) == "<Metadata of 125 bytes: JFIF, Adobe, APP13>"
    assert repr(Metadata()) == "<Metadata of 0 bytes: none>"


# --- real files -----------------------------------------------------------------------------------

VALID = sorted((CONFORMANCE / "valid").glob("*"))
TABLES_ONLY = "pylibjpeg-data__B1.JPG"
IMAGES = [path for path in VALID if path.name != TABLES_ONLY]

#: What is wrong with the metadata of real files; with those of all others nothing is.
DEFECTS = {
    "jpeg-decoder__icc_chunk_order.jpeg": (
        "ICC profile: the chunks are out of order",
        "ICC profile: the profile says it has 16909060 bytes, and it has 254",
    ),
    "Pillow__icc-after-SOF.jpg": (
        "ICC profile: chunk 1 is there already, at byte 150",
        "ICC profile: the profile says it has 1886547814 bytes, and it has 7",
    ),
}

GAIN_MAPS = {
    "imagecodecs__rgba.uhdr": OtherImage("gain map", 3507, 1812, "image/jpeg"),
    "libavif__paris_exif_xmp_gainmap_bigendian.jpg": OtherImage(
        "gain map", 33487, 14092, "image/jpeg"
    ),
}

#: Why Pillow cannot open some of them.
NOT_8_BITS = "cannot handle"
NO_HEIGHT = "not identified"
JUNK_BEFORE_MARKER = "not a JPEG file"


@pytest.mark.usefixtures("conformance")
@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_what_is_wrong_with_the_metadata_of_real_files(path: Path):
    assert head(path.read_bytes()).warnings == DEFECTS.get(path.name, ())


@pytest.mark.usefixtures("conformance")
@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_metadata_of_real_files_are_those_that_pillow_reads(path: Path):
    data = path.read_bytes()
    metadata = head(data)
    try:
        picture = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    except SyntaxError as error:
        assert str(error).startswith((NOT_8_BITS, NO_HEIGHT, JUNK_BEFORE_MARKER))
        return
    info = picture.info
    assert metadata.exif == (info["exif"][6:] if "exif" in info else None)
    assert metadata.orientation == picture.getexif().get(0x0112, 1)
    assert metadata.xmp == info.get("xmp")
    assert metadata.icc == info.get("icc_profile")
    assert metadata.comments[-1:] == ((info["comment"],) if "comment" in info else ())
    jfif = metadata.jfif
    assert (jfif and jfif.density) == info.get("jfif_density")
    assert (jfif and jfif.unit) == info.get("jfif_unit")
    found = metadata.adobe
    assert (found and found.transform) == info.get("adobe_transform")
    assert (found and found.version) == info.get("adobe")
    mpf = picture._getmp()
    listed = [] if mpf is None else [
        (entry["DataOffset"] + info["mpoffset"], entry["Size"]) for entry in mpf[0xB002][1:]
    ]  # fmt: skip
    assert [(image.offset, image.size) for image in metadata.images] == listed


@pytest.mark.usefixtures("conformance")
@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_gain_maps_of_real_files(path: Path):
    data = path.read_bytes()
    metadata = head(data)
    assert metadata.gain_map == GAIN_MAPS.get(path.name)
    for image in metadata.images:
        assert image.offset is not None
        assert data[image.offset : image.offset + 2] == b"\xff\xd8"
        assert data[: image.offset].endswith(b"\xff\xd9")
        assert metadata.unlisted_bytes(image.offset, len(data)) == 0
        assert metadata.unlisted_bytes(image.offset - 5, len(data)) == 5


@pytest.mark.usefixtures("conformance")
def test_an_extension_and_thumbnails_of_real_files(conformance: Path):
    def read(name: str) -> Metadata:
        return head((conformance / "valid" / name).read_bytes())

    extended = read("libavif__paris_exif_xmp_gainmap_bigendian.jpg").extended_xmp
    assert extended is not None
    assert b"GCamera:HdrPlusMakernote" in extended
    assert len(extended) == 315
    (thumbnail,) = read("libjpeg.net__PARROTS.JPG").thumbnails
    assert thumbnail.kind == "JPEG"
    assert Image.open(io.BytesIO(thumbnail.data)).size == (80, 53)
    (thumbnail,) = read("libjpeg.net__SPACE.JPG").thumbnails
    assert (thumbnail.kind, thumbnail.width, thumbnail.height) == ("RGB", 100, 80)


# --- what the components mean ---------------------------------------------------------------------


def frame(ids: bytes, sof: int = 0) -> Frame:
    return Frame(sof, 8, 1, 1, tuple(FrameComponent(i, 1, 1, 0) for i in ids))


NEITHER, JFIF = Metadata(), Metadata((marker(),))
YCC, RGB_IDS, OTHER_IDS = b"\1\2\3", b"RGB", b"\0\1\2"
LOSSLESS = 3


def with_adobe(transform: int, *others: tuple[int, bytes]) -> Metadata:
    return Metadata((*others, adobe(transform)))


TABLE = {
    "grey": (NEITHER, frame(b"\1"), ColorModel("grey")),
    "grey, JFIF": (JFIF, frame(b"\1"), ColorModel("grey")),
    "grey, Adobe": (with_adobe(2), frame(b"\1"), ColorModel("grey")),
    "grey, lossless": (NEITHER, frame(b"R", LOSSLESS), ColorModel("grey")),
    "JFIF": (JFIF, frame(YCC), ColorModel("YCbCr")),
    "JFIF beats Adobe": (with_adobe(0, marker()), frame(YCC), ColorModel("YCbCr")),
    "JFIF beats ids": (JFIF, frame(RGB_IDS), ColorModel("YCbCr")),
    "JFIF beats lossless": (JFIF, frame(YCC, LOSSLESS), ColorModel("YCbCr")),
    "JFIF that is too short": (
        Metadata(((markers.APP0, b"JFIF\0\1\1"), adobe(0))), frame(YCC), ColorModel("RGB"),
    ),
    "Adobe 0": (with_adobe(0), frame(YCC), ColorModel("RGB")),
    "Adobe 1": (with_adobe(1), frame(YCC), ColorModel("YCbCr")),
    "Adobe 1 beats ids": (with_adobe(1), frame(RGB_IDS), ColorModel("YCbCr")),
    "Adobe 1 beats lossless": (with_adobe(1), frame(YCC, LOSSLESS), ColorModel("YCbCr")),
    "Adobe 2": (
        with_adobe(2), frame(YCC),
        ColorModel("YCbCr", warning="the Adobe transform is 2; it is taken as 1"),
    ),
    "Adobe 77": (
        with_adobe(77), frame(RGB_IDS),
        ColorModel("YCbCr", warning="the Adobe transform is 77; it is taken as 1"),
    ),
    "the last Adobe": (with_adobe(0, adobe(1)), frame(YCC), ColorModel("RGB")),
    "ids 1, 2, 3": (NEITHER, frame(YCC), ColorModel("YCbCr")),
    "ids R, G, B": (NEITHER, frame(RGB_IDS), ColorModel("RGB")),
    "ids r, g, b": (NEITHER, frame(b"rgb"), ColorModel("YCbCr")),
    "other ids": (NEITHER, frame(OTHER_IDS), ColorModel("YCbCr")),
    "lossless, ids 1, 2, 3": (NEITHER, frame(YCC, LOSSLESS), ColorModel("RGB")),
    "lossless, other ids": (NEITHER, frame(OTHER_IDS, LOSSLESS), ColorModel("RGB")),
    "progressive, ids 1, 2, 3": (NEITHER, frame(YCC, 2), ColorModel("YCbCr")),
    "four": (NEITHER, frame(b"\1\2\3\4"), ColorModel("CMYK")),
    "four, JFIF": (JFIF, frame(b"\1\2\3\4"), ColorModel("CMYK")),
    "four, ids": (NEITHER, frame(b"CMYK"), ColorModel("CMYK")),
    "four, Adobe 0": (with_adobe(0), frame(b"\1\2\3\4"), ColorModel("CMYK", inverted=True)),
    "four, Adobe 2": (with_adobe(2), frame(b"\1\2\3\4"), ColorModel("YCCK", inverted=True)),
    "four, JFIF and Adobe 2": (
        with_adobe(2, marker()), frame(b"CMYK"), ColorModel("YCCK", inverted=True),
    ),
    "four, Adobe 1": (
        with_adobe(1), frame(b"\1\2\3\4"),
        ColorModel("YCCK", True, "the Adobe transform is 1; it is taken as 2"),
    ),
    "two": (JFIF, frame(b"\1\2"), ColorModel("2 components")),
    "five": (with_adobe(0), frame(b"\1\2\3\4\5"), ColorModel("5 components")),
}  # fmt: skip


@pytest.mark.parametrize("row", TABLE)
def test_what_the_components_mean(row):
    metadata, frame_, expected = TABLE[row]
    assert color_model(metadata, frame_) == expected


@pytest.mark.parametrize(
    "row", [row for row, (_, f, _) in TABLE.items() if len(f.components) in (3, 4) and f.sof == 0]
)
def test_libjpeg_turbo_takes_the_components_for_the_same(row):
    """The same scan under the row's markers and identifiers; a conversion shows in the pixels."""
    metadata, frame_, expected = TABLE[row]
    mode, plain = ("RGB", JFIF) if len(frame_.components) == 3 else ("CMYK", with_adobe(0))
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16, len(mode)), np.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels, mode).save(target, "JPEG", quality=95, subsampling=0)

    def decoded(head: Metadata, ids: list[int]) -> bytes:
        with Image.open(io.BytesIO(under(target.getvalue(), head, ids))) as picture:
            return picture.tobytes()

    same = decoded(metadata, [c.identifier for c in frame_.components]) == decoded(
        plain, [1, 2, 3, 4]
    )
    assert same == (expected.name in ("YCbCr", "CMYK"))


def under(data: bytes, metadata: Metadata, ids: list[int]) -> bytes:
    """A file with other metadata and component identifiers."""
    body = b""
    for segment in markers.segments(data):
        payload = bytearray(segment.payload)
        if markers.is_frame(segment.code) or segment.code == markers.SOS:
            first, step = (6, 3) if markers.is_frame(segment.code) else (1, 2)
            count = payload[first - 1]
            payload[first : first + step * count : step] = bytes(ids[:count])
        if segment.code == markers.SOS:
            body += markers.segment_bytes(segment.code, bytes(payload)) + data[segment.end :]
            break
        if segment.code in (markers.DQT, markers.DHT) or markers.is_frame(segment.code):
            body += markers.segment_bytes(segment.code, bytes(payload))
    return beginning(metadata.segments) + body


# --- made, chosen, written ------------------------------------------------------------------------


@given(
    st.binary(max_size=99), st.binary(min_size=1, max_size=99), st.binary(max_size=99),
    st.lists(st.binary(max_size=30), max_size=3),
)  # fmt: skip
def test_what_is_made_of_parts_is_read(exif_data, profile, packet, comments):
    parts = {
        "jfif": Jfif((1, 2), 1, (300, 200)),
        "exif": exif_data,
        "xmp": packet,
        "icc": profile,
        "adobe": Adobe(100, 0, 0, 1),
        "comments": tuple(comments),
    }
    made = Metadata.made_of(**parts)
    assert {name: getattr(made, name) for name in parts} == parts
    assert head(b"\xff\xd8" + metadata_segments(made) + written(())[2:]) == made


def test_long_parts_are_split_or_refused():
    made = Metadata.made_of(icc=bytes(200_000), xmp=b"<x/>" * 40_000)
    assert made.icc == bytes(200_000)
    assert made.extended_xmp == b"<x/>" * 40_000
    assert len(made.contents("ICC profile")) == 4
    with pytest.raises(ValueError, match="Exif data have at most 65527 bytes, not 65528"):
        Metadata.made_of(exif=bytes(65528))
    with pytest.raises(ValueError, match="a comment has at most 65533 bytes, not 65534"):
        Metadata.made_of(comments=[bytes(65534)])
    with pytest.raises(ValueError, match="APP5 segment holds at most 65533 bytes, not 65534"):
        metadata_segments(Metadata(((0xE5, bytes(65534)),)))


def test_comments_may_be_text():
    made = Metadata.made_of(comments=["grün", b"\xff"])
    assert made.comments == ("grün".encode(), b"\xff")
    data = pyjpegml.encode(np.zeros((8, 8), np.uint8), metadata=made)
    assert pyjpegml.read_header(data).metadata == made
    with pytest.raises(ValueError, match="a comment has at most 65533 bytes, not 65534"):
        Metadata.made_of(comments=["ü" * 32767])


@pytest.mark.parametrize("comments", ["text", b"bytes"])
def test_one_comment_is_not_taken_for_many(comments):
    with pytest.raises(TypeError, match=re.escape(f"comments are several: pass [{comments!r}]")):
        Metadata.made_of(comments=comments)


def test_segments_of_other_markers_are_refused():
    with pytest.raises(ValueError, match="metadata stand in APPn and COM segments, not in SOS"):
        metadata_segments(Metadata(((0xDA, bytes(8)),)))


@given(any_segments, st.sets(st.sampled_from([*KINDS, None])))
def test_kinds_are_chosen(parts, kinds):
    metadata = Metadata(parts)
    assert metadata.only(*kinds).segments == tuple(s for s in parts if kind(*s) in kinds)
    assert metadata.without(*kinds).segments == tuple(s for s in parts if kind(*s) not in kinds)


def test_kinds_that_there_are_not():
    with pytest.raises(ValueError, match=r"kinds of metadata are JFIF, .*; not 'EXIF'"):
        Metadata().only("EXIF")


@given(any_segments)
def test_payloads_are_replaced_where_they_stand(parts):
    metadata = Metadata(parts, tuple(range(len(parts))))
    payloads = [b"ICC_PROFILE\0" + bytes([i]) for i in range(len(metadata.contents("ICC profile")))]
    changed = metadata.replaced("ICC profile", payloads)
    assert [c for c, _ in changed.segments] == [c for c, _ in parts]
    assert [bytes(p) for c, p in changed.segments if kind(c, p) == "ICC profile"] == payloads
    assert changed.without("ICC profile") == metadata.without("ICC profile")
    assert changed.offsets == metadata.offsets


@given(any_segments)
def test_all_segments_are_written_but_what_tells_of_other_images(parts):
    metadata = Metadata(parts)
    kept = metadata.of_first_image()
    assert head(b"\xff\xd8" + metadata_segments(metadata) + written(())[2:]) == kept
    assert kept.contents("MPF") == []
    if not metadata.images:
        assert kept == metadata.without("MPF")


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("imagecodecs__rgba.uhdr", ("MPF", "XMP")),
        ("libavif__paris_exif_xmp_gainmap_bigendian.jpg", ("MPF", "XMP", "extended XMP")),
        ("Pillow__frame_size.mpo", ("MPF",)),
    ],
)
def test_a_file_of_the_first_image_alone_says_nothing_of_others(conformance, name, left_out):
    metadata = head((conformance / "valid" / name).read_bytes())
    alone = metadata.of_first_image()
    assert metadata.images
    assert not alone.images
    assert alone == metadata.without(*left_out)


def test_a_packet_that_lists_no_images_stays_with_the_first_one(conformance):
    listed = head((conformance / "valid" / "Pillow__frame_size.mpo").read_bytes())
    metadata = Metadata((*listed.segments, *Metadata.made_of(xmp=b"<x/>").segments))
    assert metadata.of_first_image() == metadata.without("MPF")


@pytest.mark.hostile
@given(any_segments)
def test_appearance(parts):
    """What decides how a picture looks stays, nothing else does; and it is a fixed point."""
    metadata = Metadata(parts)
    kept = appearance(metadata)
    assert kept == kept.only("JFIF", "Exif", "ICC profile", "Adobe")
    assert (kept.orientation, kept.icc, kept.adobe) == (
        metadata.orientation, metadata.icc, metadata.adobe,
    )  # fmt: skip
    assert (kept.jfif is None) == (metadata.jfif is None)
    assert kept.thumbnails == ()
    assert appearance(kept) == kept


@given(
    any_segments, st.sampled_from(["grey", "YCbCr", "RGB", "CMYK", "YCCK", "2 components"]),
    st.booleans(), st.sampled_from([b"\1\2\3\4", b"RGBA"]),
)  # fmt: skip
def test_colours_are_said_whatever_the_metadata_say(parts, name, inverted, identifiers):
    counts = {"grey": 1, "YCbCr": 3, "RGB": 3, "CMYK": 4, "YCCK": 4, "2 components": 2}
    components = tuple(FrameComponent(i, 1, 1, 0) for i in identifiers[: counts[name]])
    frame = Frame(0, 8, 8, 8, components)
    model = ColorModel(name, name == "YCCK" or (name == "CMYK" and inverted))
    made = with_color_model(Metadata(parts), frame, model)
    found = color_model(made, frame)
    assert (found.name, found.inverted) == (model.name, model.inverted)
    colors = ("JFIF", "JFXX", "Adobe")
    assert made.without(*colors) == Metadata(parts).without(*colors)


# --- in the file of an encoder --------------------------------------------------------------------


def test_with_metadata_keeps_jfif_first_and_takes_its_density() -> None:
    plain = pyjpegml.encode(np.zeros((8, 8, 3), np.uint8))
    adobe = adobe_segment(Adobe(100, 0, 0, 0))
    jfif = jfif_segment(Jfif((1, 2), 1, (300, 300)))
    wanted = Metadata((adobe, comment_segment(b"hello"), jfif, *icc_segments(b"a profile")))
    found = pyjpegml.read_header(with_metadata(plain, wanted)).metadata
    assert found == Metadata((jfif, comment_segment(b"hello"), *icc_segments(b"a profile")))
    assert with_metadata(plain, Metadata()) == plain


def test_with_metadata_leaves_the_colours_to_the_file() -> None:
    image = np.random.default_rng(3).integers(0, 256, (16, 16, 3), np.uint8)
    plain = pyjpegml.encode(image, stored_as="RGB")
    jfif = jfif_segment(Jfif((1, 2), 1, (300, 300)))
    data = with_metadata(plain, Metadata((jfif, comment_segment(b"hello"))))
    header = pyjpegml.read_header(data)
    assert (header.color, header.metadata.jfif, header.metadata.comments) == (
        "RGB", None, (b"hello",),
    )  # fmt: skip
    assert np.array_equal(pyjpegml.decode(data), pyjpegml.decode(plain))
