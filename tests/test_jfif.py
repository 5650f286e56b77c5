"""JFIF's and Adobe's markers: what they say, and what is said of those that are wrong."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import jfif, markers
from pyjpegml.metadata import Metadata


def marker(version=(1, 2), unit=1, density=(300, 150), size=(0, 0), data=b"") -> tuple[int, bytes]:
    """A JFIF segment."""
    return markers.APP0, b"JFIF\0" + struct.pack(">BBBHHBB", *version, unit, *density, *size) + data


def extension(code: int, data: bytes) -> tuple[int, bytes]:
    return markers.APP0, b"JFXX\0" + bytes([code]) + data


def adobe(transform: int, version: int = 100, flags=(0xC000, 3)) -> tuple[int, bytes]:
    return markers.APP14, b"Adobe" + struct.pack(">HHHB", version, *flags, transform)


@given(
    st.integers(0, 255), st.integers(0, 2), st.integers(1, 65535), st.integers(1, 65535),
    st.integers(1, 6), st.integers(1, 6),
)  # fmt: skip
def test_a_jfif_marker(minor, unit, x, y, width, height):
    data = bytes(i % 251 for i in range(3 * width * height))
    metadata = Metadata((marker((1, minor), unit, (x, y), (width, height), data + b"AMPF"),))
    assert metadata.jfif == jfif.Jfif((1, minor), unit, (x, y))
    assert metadata.thumbnails == (jfif.Thumbnail("RGB", width, height, data),)
    assert metadata.warnings == ()


def test_the_marker_that_the_encoder_writes():
    segment = markers.next_segment(memoryview(markers.jfif_bytes()), 0, [])
    metadata = Metadata.of([segment])
    assert metadata.jfif == jfif.Jfif((1, 1), 0, (1, 1))
    assert metadata.thumbnails == metadata.warnings == ()


def test_of_several_jfif_markers_the_last_whole_one_counts():
    short = (markers.APP0, marker()[1][:13])
    metadata = Metadata((marker(unit=1), marker(unit=2), short), (2, 20, 38))
    assert metadata.jfif is not None
    assert metadata.jfif.unit == 2
    assert metadata.warnings == (
        "JFIF: the marker has at least 9 bytes behind its signature, not 8, at byte 38",
        "JFIF: there are 3 of them; the last counts, at byte 38",
    )


def test_a_jfif_marker_that_is_too_short_is_none():
    assert Metadata(((markers.APP0, marker()[1][:13]),)).jfif is None


@pytest.mark.parametrize(
    ("segment", "warning"),
    [
        (marker(version=(2, 1)), "JFIF: the version is 2.01; 1.00 to 1.02 are known, at byte 2"),
        (marker(unit=3), "JFIF: the unit of the density is 3; 0 to 2 are known, at byte 2"),
        (marker(density=(0, 7)), "JFIF: the density is 0x7; 1 is the least, at byte 2"),
        (
            marker(size=(2, 3), data=bytes(17)),
            "JFIF: the thumbnail of 2x3 needs 18 bytes, there are 17, at byte 2",
        ),
    ],
)
def test_what_is_wrong_with_a_jfif_marker(segment, warning):
    metadata = Metadata((segment,), (2,))
    assert metadata.jfif is not None
    assert metadata.thumbnails == ()
    assert metadata.warnings == (warning,)


def test_thumbnails_of_all_kinds():
    palette, rgb, jpeg = bytes(768) + b"123456", b"abc" * 6, b"\xff\xd8 and so on"
    metadata = Metadata(
        (
            marker(size=(1, 1), data=b"xyz"),
            extension(0x10, jpeg),
            extension(0x11, b"\2\3" + palette + b"behind"),
            extension(0x13, b"\3\2" + rgb),
        )
    )
    assert metadata.thumbnails == (
        jfif.Thumbnail("RGB", 1, 1, b"xyz"),
        jfif.Thumbnail("JPEG", None, None, jpeg),
        jfif.Thumbnail("palette", 2, 3, palette),
        jfif.Thumbnail("RGB", 3, 2, rgb),
    )
    assert metadata.warnings == ()


@pytest.mark.parametrize(
    ("segment", "problem"),
    [
        ((markers.APP0, b"JFXX\0"), "no thumbnail starts with nothing; 10, 11 and 13 are known"),
        (extension(0x12, b"ab"), "no thumbnail starts with 12 61 62; 10, 11 and 13 are known"),
        (extension(0x13, b"\1"), "no thumbnail starts with 13 01; 10, 11 and 13 are known"),
        (
            extension(0x11, b"\2\3" + bytes(773)),
            "the thumbnail of 2x3 needs 774 bytes, there are 773",
        ),
        (extension(0x13, b"\1\1ab"), "the thumbnail of 1x1 needs 3 bytes, there are 2"),
    ],
)
def test_what_is_wrong_with_a_thumbnail(segment, problem):
    metadata = Metadata((segment,))
    assert metadata.thumbnails == ()
    assert metadata.warnings == (f"JFXX: {problem}",)


@given(*[st.integers(0, 65535)] * 3, st.integers(0, 255))
def test_an_adobe_marker(version, flags0, flags1, transform):
    code, payload = adobe(transform, version, (flags0, flags1))
    metadata = Metadata(((code, payload + b"more"),))
    assert metadata.adobe == jfif.Adobe(version, flags0, flags1, transform)
    assert metadata.warnings == ()


def test_of_several_adobe_markers_the_last_whole_one_counts():
    short = (markers.APP14, b"Adobe\0d")
    metadata = Metadata((adobe(0), adobe(2), short), (2, 20, 38))
    assert metadata.adobe is not None
    assert metadata.adobe.transform == 2
    assert metadata.warnings == (
        "Adobe: the marker has at least 7 bytes behind its signature, not 2, at byte 38",
        "Adobe: there are 3 of them; the last counts, at byte 38",
    )
    assert Metadata((short,)).adobe is None


@pytest.mark.hostile
@given(st.lists(st.binary(max_size=20)))
def test_any_bytes_are_parsed(segments):
    views = [memoryview(segment) for segment in segments]
    marker_, thumbnails, problems = jfif.parse_jfif(views)
    assert (marker_ is not None) == any(len(view) >= 9 for view in views)
    assert len(thumbnails) <= 1
    assert all(0 <= i < len(views) for i, _ in problems)
    thumbnails, problems = jfif.parse_jfxx(views)
    assert len(thumbnails) + len(problems) == len(views)
    found, problems = jfif.parse_adobe(views)
    assert (found is not None) == any(len(view) >= 7 for view in views)
    assert all(0 <= i < len(views) for i, _ in problems)


# --- written --------------------------------------------------------------------------------------


@given(
    st.tuples(st.integers(0, 255), st.integers(0, 255)), st.integers(0, 2),
    st.tuples(st.integers(1, 65535), st.integers(1, 65535)),
)  # fmt: skip
def test_what_is_written_is_read(version, unit, density):
    made = jfif.Jfif(version, unit, density)
    code, payload = jfif.jfif_segment(made)
    assert code == markers.APP0
    assert jfif.parse_jfif([memoryview(payload)[5:]])[:2] == (made, [])
    assert jfif.sound(made) == made


@pytest.mark.parametrize(
    ("unit", "density"), [(3, (1, 1)), (1, (0, 5)), (1, (5, 65536)), (1, (72.0, 72))]
)
def test_densities_that_make_no_sense(unit, density):
    made = jfif.Jfif((1, 1), unit, density)
    with pytest.raises(ValueError, match=f"are {density[0]}x{density[1]} and {unit}"):
        jfif.jfif_segment(made)


@pytest.mark.parametrize(("unit", "density"), [(3, (1, 1)), (1, (0, 5))])
def test_densities_that_files_have_although_they_make_no_sense(unit, density):
    assert jfif.sound(jfif.Jfif((1, 2), unit, density)) == jfif.Jfif((1, 2), 0, (1, 1))


@pytest.mark.parametrize("version", [(1, 256), (-1, 0), (1.0, 1)])
def test_versions_that_do_not_fit(version):
    with pytest.raises(ValueError, match="a version of JFIF is two whole numbers up to 255, not"):
        jfif.jfif_segment(jfif.Jfif(version, 1, (72, 72)))


@pytest.mark.parametrize(
    "fields", [(65536, 0, 0, 0), (0, -1, 0, 0), (0, 0, 0, 256), (0, 0, 0.5, 0)]
)
def test_adobes_marker_with_fields_that_do_not_fit(fields):
    with pytest.raises(ValueError, match="are 0 to 65535, the transform to 255: Adobe"):
        jfif.adobe_segment(jfif.Adobe(*fields))


@given(st.tuples(*[st.integers(0, 65535)] * 3), st.integers(0, 255))
def test_adobes_marker_is_read_as_written(fields, transform):
    made = jfif.Adobe(*fields, transform)
    code, payload = jfif.adobe_segment(made)
    assert code == markers.APP14
    assert jfif.parse_adobe([memoryview(payload)[5:]]) == (made, [])
