"""Exif: the orientation tag in every form that it comes in, and the segment written."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pyjpegml import exif, markers
from pyjpegml.metadata import Metadata

orders = st.sampled_from("<>")
HEADERS = {"<": b"II*\0", ">": b"MM\0*"}


def tiff(order: str, entries: list[tuple[int, int, int, bytes]], start: int = 8) -> bytes:
    """A TIFF file with one directory: (tag, type, count, the four bytes of the value)."""
    body = b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3] for entry in entries)
    head = HEADERS[order] + struct.pack(order + "I", start)
    return head.ljust(start, b"\0") + struct.pack(order + "H", len(entries)) + body


def oriented(order: str, value: int, kind: int = 3, count: int = 1) -> bytes:
    """Exif data with an orientation, another tag before it and one behind it."""
    return tiff(
        order,
        [
            (0x010F, 2, 4, b"abc\0"),
            (0x0112, kind, count, struct.pack(order + "HH", value, 0)),
            (0x011A, 5, 1, bytes(4)),
        ],
    )


def read(data: bytes) -> tuple[int, list[str]]:
    return exif.orientation(memoryview(data))


@given(orders, st.integers(1, 8), st.integers(8, 99))
def test_an_orientation_is_read_in_either_byte_order_wherever_the_directory_lies(
    order, value, start
):
    entry = (0x0112, 3, 1, struct.pack(order + "HH", value, 0))
    assert read(tiff(order, [entry], start)) == (value, [])
    assert read(oriented(order, value)) == (value, [])


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_upright(order, value):
    assert read(oriented(order, value)) == (
        1,
        [f"the orientation is {value}; 1 to 8 are possible"],
    )


@pytest.mark.parametrize(
    ("kind", "count"), [(1, 1), (4, 0), (4, 2), (3, 0), (3, 2), (0, 1), (65535, 1)]
)
def test_an_orientation_of_another_type_is_upright(kind, count):
    value, problems = read(oriented(">", 6, kind, count))
    assert value == 1
    assert problems == [
        f"the orientation is of type {kind}, {count} values; it should be of type 3, one value"
    ]


@pytest.mark.parametrize("order", "<>")
def test_a_long_orientation_counts(order):
    """As for Pillow; and it is a long one that is written."""
    data = tiff(order, [(0x0112, 4, 1, struct.pack(order + "I", 6))])
    problem = "the orientation is of type 4, 1 values; it should be of type 3, one value"
    assert read(data) == (6, [problem])
    back = Image.Exif()
    back.load(data + bytes(4))
    assert back[0x0112] == 6
    assert read(exif.with_orientation(data, 1)) == (1, [problem])
    far = tiff(order, [(0x0112, 4, 1, struct.pack(order + "I", 65542))])
    assert read(far) == (1, [problem, "the orientation is 65542; 1 to 8 are possible"])


@pytest.mark.parametrize("order", "<>")
def test_resolutions_are_exchanged(order):
    def data(x: int, y: int, kind: int = 5) -> bytes:
        places = [(0x011A, kind, 1, struct.pack(order + "I", x))]
        places.append((0x011B, 5, 1, struct.pack(order + "I", y)))
        return tiff(order, places) + struct.pack(order + "IIII", 300, 1, 200, 1)

    assert exif.with_sides_exchanged(data(34, 42)) == data(42, 34)
    assert exif.with_sides_exchanged(data(34, 42, 4)) == data(34, 42, 4)
    assert exif.with_sides_exchanged(oriented(order, 6)) == oriented(order, 6)


def test_no_orientation_is_upright_and_no_problem():
    assert read(tiff("<", [(0x010F, 2, 4, b"abc\0")])) == (1, [])
    assert read(tiff(">", [])) == (1, [])


def test_of_two_orientations_the_first_counts():
    entries = [(0x0112, 3, 1, struct.pack("<HH", value, 0)) for value in (6, 8)]
    assert read(tiff("<", entries)) == (6, [])


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the TIFF header has 8 bytes, there are 0"),
        (b"II*\0\x08\0\0", "the TIFF header has 8 bytes, there are 7"),
        (
            b"II\0*" + bytes(8),
            "it starts with 49 49 00 2a; 49 49 2a 00 or 4d 4d 00 2a is a TIFF header",
        ),
        (b"II*\0\x09\0\0\0\0\0", "the directory lies at byte 9 of 10"),
        (b"MM\0*\xff\xff\xff\xff" + bytes(9), "the directory lies at byte 4294967295 of 17"),
    ],
)
def test_what_is_no_tiff_file_is_upright(data, problem):
    assert read(data) == (1, [problem])


@pytest.mark.parametrize("missing", range(1, 12))
def test_a_directory_that_ends_early_is_read_as_far_as_it_goes(missing):
    sound = oriented("<", 6)
    assert read(sound[:-missing]) == (6, ["the directory says 3 entries, and there are 2"])


@pytest.mark.hostile
@given(orders, st.binary(max_size=80))
def test_any_bytes_have_an_orientation(order, data):
    for bytes_ in (data, HEADERS[order] + data, oriented(order, 6)[: len(data)] + data):
        value, problems = read(bytes_)
        assert 1 <= value <= 8
        assert all(problems)


@given(st.binary(max_size=200))
def test_exif_data_come_back(data):
    assert Metadata((exif.exif_segment(data),)).exif == data


def test_exif_data_fill_a_segment_and_no_more():
    code, payload = exif.exif_segment(bytes(65527))
    assert len(markers.segment_bytes(code, payload)) == 65537
    with pytest.raises(ValueError, match="at most 65527 bytes, not 65528"):
        exif.exif_segment(bytes(65528))


def test_split_exif_data_are_joined():
    sound = oriented(">", 8)
    parts = (sound[:30], sound[30:])
    metadata = Metadata(tuple(exif.exif_segment(part) for part in parts), (2, 77))
    assert metadata.exif == sound
    assert metadata.orientation == 8
    assert metadata.warnings == (
        "Exif: this segment is taken to go on with the Exif data before it, at byte 77",
    )


def test_second_exif_data_do_not_count():
    metadata = Metadata(
        (exif.exif_segment(oriented("<", 3)), exif.exif_segment(oriented(">", 5))), (2, 77)
    )
    assert metadata.exif == oriented("<", 3)
    assert metadata.orientation == 3
    assert metadata.warnings == (
        "Exif: there are Exif data already; these do not count, at byte 77",
    )


# --- changes --------------------------------------------------------------------------------------


@given(orders, st.integers(1, 8), st.integers(1, 8), st.integers(8, 99))
def test_an_orientation_is_changed_in_place(order, value, other, start):
    entry = (0x0112, 3, 1, struct.pack(order + "HH", value, 0))
    before = tiff(order, [entry], start)
    after = exif.with_orientation(before, other)
    assert read(after) == (other, [])
    assert len(after) == len(before)
    assert sum(a != b for a, b in zip(before, after, strict=True)) == (value != other)


def test_no_orientation_is_added():
    for data in (tiff("<", []), oriented(">", 6, 2, 1), b"", b"MM\0*"):
        assert exif.with_orientation(data, 1) == data


@pytest.mark.parametrize("value", range(1, 9))
def test_exif_of_an_orientation_alone(value):
    assert read(exif.orientation_exif(value)) == (value, [])


@pytest.mark.hostile
@given(st.binary(max_size=80), orders, st.integers(0, 80))
def test_any_bytes_are_changed_or_left(data, order, start):
    """Nothing raises, and nothing grows."""
    sound = oriented(order, 6) + bytes(40)
    for exif_data in (
        data,
        sound[:start] + data,
        sound[:start] + data + sound[start + len(data) :],
    ):
        for changed in (
            exif.with_orientation(exif_data, 1),
            exif.with_size(exif_data, 100, 200),
            exif.with_sides_exchanged(exif_data),
            exif.without_thumbnail(exif_data),
        ):
            assert len(changed) <= len(exif_data)
            exif.first_directory(changed)


@pytest.mark.hostile
@given(orders, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.booleans())
def test_thumbnails_wherever_they_are_said_to_be(order, begin, length, strips):
    """Their bytes go; those before byte 8, and beyond the end, are nobody's."""
    tags = (0x0111, 0x0117) if strips else (0x0201, 0x0202)
    second = 8 + 2 + 4
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "IHI", 8, 0, second)
    entries = b"".join(
        struct.pack(order + "HHII", tag, 4, 1, value)
        for tag, value in zip(tags, (begin, length), strict=True)
    )
    data = head + struct.pack(order + "H", 2) + entries + bytes(4) + b"\x55" * 50
    for begin_now, length_now in ((begin, length), (len(data) - 50, 20), (len(data) - 50, 50)):
        place = data.index(entries) + 8
        now = bytearray(data)
        struct.pack_into(order + "I", now, place, begin_now)
        struct.pack_into(order + "I", now, place + 12, length_now)
        after = exif.without_thumbnail(bytes(now))
        assert after[:8] == data[:8]
        assert exif.without_thumbnail(after) == after
        if begin_now == len(data) - 50:
            assert after.count(b"\x55") == 50 - length_now
            assert len(after) == len(data) - (50 if length_now == 50 else 0)
